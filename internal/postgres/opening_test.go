package postgres

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
)

// live is a schema as it is when in use: keys of three widths, a foreign key with an action, columns that follow the time.
func live() *schema.Database {
	id := func(bits int, next uint64) *schema.Table {
		name := schema.Name(fmt.Sprintf("i%d", bits))
		return &schema.Table{
			Name: name, Columns: []*schema.Column{{Name: "id", Type: schema.Int{Bits: bits}, Identity: true}}, NextIdentity: next,
			PrimaryKey: &schema.Index{Name: name + "_pk", Parts: []schema.IndexPart{{Column: "id"}}},
		}
	}
	return &schema.Database{Name: "app", Dialect: schema.PostgreSQL, Tables: []*schema.Table{
		{
			Name: "child", Columns: []*schema.Column{{Name: "Id", Type: schema.Int{Bits: 32}}, {Name: "parent", Type: schema.Int{Bits: 32}, Nullable: true}},
			PrimaryKey: &schema.Index{Name: "child_pk", Parts: []schema.IndexPart{{Column: "Id"}}},
			ForeignKeys: []*schema.ForeignKey{
				{Name: "child_parent", Columns: []schema.Name{"parent"}, Parent: "i32", ParentColumns: []schema.Name{"id"}, OnDelete: schema.Cascade, OnUpdate: schema.NoAction},
				{Name: "child_self", Columns: []schema.Name{"parent"}, Parent: "child", ParentColumns: []schema.Name{"Id"}},
			},
		},
		id(16, 0), id(32, 0), id(64, 0),
		{Name: "timed", Columns: []*schema.Column{
			{Name: "id", Type: schema.Int{Bits: 32}},
			{Name: "doc", Type: schema.JSON{}, Nullable: true},
			{Name: "At 0", Type: schema.DateTime{}, Nullable: true, OnUpdateNow: true},
			{Name: "at2", Type: schema.Timestamp{Precision: 2}, Nullable: true, OnUpdateNow: true},
			{Name: "at6", Type: schema.Timestamp{Precision: 6}, Nullable: true, OnUpdateNow: true},
			{Name: "twice", Type: schema.Int{Bits: 32}, Nullable: true, Generated: &schema.Generated{Expr: "id * 2", Stored: true}},
		}},
		{Name: "plain", Columns: []*schema.Column{{Name: "v", Type: schema.Int{Bits: 32}, Nullable: true}, {Name: "at3", Type: schema.DateTime{Precision: 3}, Nullable: true, OnUpdateNow: true}}},
	}}
}

// copied makes the live schema's tables as a copy for a follow leaves them.
func (d *database) copied(t *testing.T) (*End, *change.Record, *schema.Database) {
	t.Helper()
	e, db := d.open(t), live()
	stmts := e.Render(db)
	r, err := e.Create(t.Context(), change.Record{Schema: "app", Source: "s", SourceID: "s", Position: "p0"}, stmts, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range stmts {
		if s.Stage == change.StageIndex || s.Stage == change.StageKey {
			exec(t, d.owner, "SET search_path = pg_catalog", s.SQL)
		}
	}
	return e, r, db
}

func TestCounters(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, d *database) {
		e, r, db := d.copied(t)
		o, ctx := e.Opening(r, db), t.Context()
		prepare := func(token change.Token, next, want map[schema.Name]uint64) {
			t.Helper()
			if err := o.Prepare(ctx, token, next); err != nil {
				t.Fatal(err)
			}
			got, err := e.NextIdentities(ctx, r, db)
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("%v, %s", err, diff)
			}
		}
		if got, err := e.NextIdentities(ctx, r, db); err != nil || got["i16"] != 1 || got["i64"] != 1 || len(got) != 3 {
			t.Errorf("before anything: %v, %v", got, err)
		}
		exec(t, d.owner, "INSERT INTO app.i32 VALUES (70)", "INSERT INTO app.i16 VALUES (32000)")
		prepare(1, map[schema.Name]uint64{"i64": 5001, "i32": 8}, map[schema.Name]uint64{"i16": 32001, "i32": 1071, "i64": 6001})
		// Again, and after keys were drawn: nothing moves back, and no gap is put behind a gap.
		exec(t, d.owner, "SELECT nextval('app.i32_id_seq') FROM generate_series(1, 5)")
		prepare(1, map[schema.Name]uint64{"i64": 5001, "i32": 8}, map[schema.Name]uint64{"i16": 32001, "i32": 1076, "i64": 6001})
		exec(t, d.owner, "INSERT INTO app.i16 VALUES (32767)")
		prepare(2, map[schema.Name]uint64{"i64": 1 << 63, "child": 9}, map[schema.Name]uint64{"i16": 32768, "i32": 1076, "i64": 1 << 63})
		if err := o.Prepare(ctx, 2, map[schema.Name]uint64{"nowhere": 3}); err == nil {
			t.Error("the next key of an unknown table was ignored")
		}
	})
}

func TestOpeningForeignKeys(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, d *database) {
		e, r, db := d.copied(t)
		o, ctx := e.Opening(r, db), t.Context()
		exec(t, d.owner, "INSERT INTO app.i32 VALUES (1), (2)", "INSERT INTO app.child VALUES (1, 1), (2, 2), (3, 9), (4, NULL), (5, 8)")
		const keys = "SELECT conname, convalidated FROM pg_constraint WHERE contype = 'f' AND conrelid = 'app.child'::regclass ORDER BY 1"
		replica := []*change.Replica{{Into: &change.Into{Table: "child", Columns: []schema.Name{"Id", "parent"}, Codecs: make([]change.Codec, 2)}, Key: []int{0}}}
		for i := range 2 {
			for range 2 {
				if err := o.Prepare(ctx, 1, nil); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff([]string{"child_parent|f", "child_self|f"}, query(t, d.owner, keys)); diff != "" {
				t.Error(diff)
			}
			c, err := pgx.Connect(ctx, d.owner)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Exec(ctx, "INSERT INTO app.child VALUES (7, 77)"); unwrapPg(err) == nil || unwrapPg(err).Code != "23503" {
				t.Errorf("a row without a parent: %v", err)
			}
			_ = c.Close(ctx)
			if err := e.CanApply(ctx, r, replica); err != nil {
				t.Errorf("what Restore removes keeps changes from being applied: %v", err)
			}
			err = e.Applying(ctx, r, "x", replica, func(context.Context, change.Session) error { return nil })
			if fault.ClassOf(err) != fault.Refused || !strings.Contains(err.Error(), "child_parent") {
				t.Errorf("changes are applied to a live table: %v", err)
			}
			if i == 0 {
				err := o.Validate(ctx, 1)
				if fault.ClassOf(err) != fault.Data || !strings.Contains(err.Error(), `2 rows of "app"."child" refer by "child_parent"`) || !strings.Contains(err.Error(), `"child_self"`) {
					t.Errorf("orphans: %v", err)
				}
				exec(t, d.owner, "DELETE FROM app.child WHERE parent > 7")
			}
			for range 2 {
				if err := o.Validate(ctx, 1); err != nil {
					t.Error(err)
				}
			}
			if diff := cmp.Diff([]string{"child_parent|t", "child_self|t"}, query(t, d.owner, keys)); diff != "" {
				t.Error(diff)
			}
			for range 2 {
				if err := o.Restore(ctx, 1); err != nil {
					t.Fatal(err)
				}
			}
			if left := query(t, d.owner, "SELECT (SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal), (SELECT count(*) FROM pg_proc WHERE pronamespace = 'app'::regnamespace), (SELECT count(*) FROM bascule.object WHERE kind IN ('foreign key', 'trigger', 'function'))")[0]; left != "0|0|0" {
				t.Errorf("triggers, functions and notes left: %s", left)
			}
			if err := e.Applying(ctx, r, "x", replica, func(context.Context, change.Session) error { return nil }); err != nil {
				t.Error(err)
			}
		}
		exec(t, d.owner, "ALTER TABLE app.child ADD CONSTRAINT own FOREIGN KEY (parent) REFERENCES app.i32")
		if err := o.Restore(ctx, 1); err != nil {
			t.Error(err)
		}
		if err := e.CanApply(ctx, r, replica); fault.ClassOf(err) != fault.Refused || !strings.Contains(err.Error(), "own") {
			t.Errorf("somebody else's foreign key: %v", err)
		}
	})
}

// TestPrepareIsPatient lets a reader go on, and waits for a lock that ends.
func TestPrepareIsPatient(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, d *database) {
		e, r, db := d.copied(t)
		c, err := pgx.Connect(t.Context(), d.owner)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close(context.WithoutCancel(t.Context())) }()
		run(t, c, "BEGIN", "LOCK TABLE app.child IN ROW EXCLUSIVE MODE")
		done := make(chan error, 1)
		go func() { done <- e.Opening(r, db).Prepare(t.Context(), 1, nil) }()
		waitFor(t, func() bool {
			return query(t, d.admin.String(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")[0] != "0"
		})
		run(t, c, "ROLLBACK")
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestTouch holds the triggers to what MySQL says of ON UPDATE CURRENT_TIMESTAMP.
func TestTouch(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, d *database) {
		e, r, db := d.copied(t)
		ctx := t.Context()
		if err := e.Opening(r, db).Prepare(ctx, 1, nil); err != nil {
			t.Fatal(err)
		}
		c, err := pgx.Connect(ctx, d.owner)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close(context.WithoutCancel(ctx)) }()
		const old = "'2001-02-03 04:05:06'"
		run(t, c, "SET TimeZone = 'Asia/Tokyo'", "INSERT INTO app.timed VALUES (1, '{\"a\": 1}', "+old+", "+old+", "+old+")", "INSERT INTO app.plain VALUES (1, "+old+")")
		touched := func(sql, want string) {
			t.Helper()
			before := time.Now().Add(-time.Minute)
			run(t, c, sql)
			var got string
			var zero, three time.Time
			err := c.QueryRow(ctx, `SELECT concat_ws('|', "At 0" <> `+old+`, at2 <> `+old+`, at6 <> `+old+`, at3 <> `+old+`), "At 0", at3 FROM app.timed, app.plain`).Scan(&got, &zero, &three)
			if err != nil || got != want {
				t.Errorf("%s touches %s, want %s, %v", sql, got, want, err)
			}
			for _, at := range []time.Time{zero, three} {
				if at.Year() > 2001 && (at.Before(before.Add(9*time.Hour)) || at.After(time.Now().Add(9*time.Hour))) {
					t.Errorf("%s: in the session's zone it is %s", sql, at)
				}
			}
			run(t, c, `UPDATE app.timed SET "At 0" = `+old+`, at2 = `+old+`, at6 = `+old, "UPDATE app.plain SET at3 = "+old)
		}
		touched("UPDATE app.timed SET id = 1", "f|f|f|f")
		touched("UPDATE app.timed SET doc = '{\"a\": 1}'", "f|f|f|f")
		touched("UPDATE app.timed SET doc = NULL", "t|t|t|f")
		touched("UPDATE app.timed SET id = 2", "t|t|t|f")
		touched(`UPDATE app.timed SET at2 = '2002-01-01'`, "t|t|t|f")
		touched("UPDATE app.plain SET v = v", "f|f|f|f")
		touched("UPDATE app.plain SET v = NULL", "f|f|f|t")
		run(t, c, "BEGIN", "UPDATE app.timed SET id = 3", "UPDATE app.plain SET v = 3")
		var cut bool
		err = c.QueryRow(ctx, `SELECT "At 0" <= clock_timestamp() AND at2 <= clock_timestamp() AND at6 <= clock_timestamp() AND clock_timestamp() - at2 < interval '1 minute'
			AND at2::timestamptz(2) = at2 AND date_trunc('second', "At 0") = "At 0" FROM app.timed`).Scan(&cut)
		if err != nil || !cut {
			t.Errorf("the time is cut, never ahead: %v, %v", cut, err)
		}
		run(t, c, "ROLLBACK")
		if got := query(t, d.owner, "SELECT twice FROM app.timed")[0]; got != "4" {
			t.Errorf("the generated column holds %s", got)
		}
		// The application may alter its tables.
		run(t, c, "ALTER TABLE app.timed DROP doc", "ALTER TABLE app.timed ADD more text", "ALTER TABLE app.plain DROP v", "ALTER TABLE app.plain ADD w int", "UPDATE app.plain SET w = 1", "UPDATE app.timed SET more = 'x'")
	})
}

func TestTouchRefusesOtherTypes(t *testing.T) {
	db := &schema.Database{Tables: []*schema.Table{{Name: "t", Columns: []*schema.Column{{Name: "c", Type: schema.Text{}, OnUpdateNow: true}}}}}
	if _, err := touches("app", db); fault.ClassOf(err) != fault.Unsupported {
		t.Errorf("a text that follows the time: %v", err)
	}
}
