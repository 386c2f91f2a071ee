package postgres

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/servertest"
)

// TestGuards keeps columns to what has a way back, for new rows, until it is disarmed.
func TestGuards(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, d *database) {
		w := d.planned(t, "CREATE TABLE item (id integer PRIMARY KEY, v integer)", "INSERT INTO item VALUES (1, -1)")
		e, ctx := w.end, t.Context()
		guards := []change.Guard{
			{Table: "item", Column: "v", Name: "bascule_v", SQL: `"v" >= 0`},
			{Table: "item", Column: "id", Name: "bascule_id", SQL: `"id" < 100`},
		}
		for range 2 {
			for range 2 {
				if _, err := e.Arm(ctx, w.record, 1, w.tables, guards); err != nil {
					t.Fatal(err)
				}
			}
			c, err := pgx.Connect(ctx, d.owner)
			if err != nil {
				t.Fatal(err)
			}
			for _, sql := range []string{"INSERT INTO app.item VALUES (2, -1)", "UPDATE app.item SET id = 100"} {
				if _, err := c.Exec(ctx, sql); unwrapPg(err) == nil || unwrapPg(err).Code != "23514" {
					t.Errorf("%s: %v", sql, err)
				}
			}
			_ = c.Close(ctx)
			for range 2 {
				if err := e.Disarm(ctx, w.record, 1); err != nil {
					t.Fatal(err)
				}
			}
			if got := query(t, d.owner, "SELECT (SELECT count(*) FROM pg_constraint WHERE contype = 'c' AND conrelid = 'app.item'::regclass), (SELECT count(*) FROM bascule.object WHERE kind = 'guard')")[0]; got != "0|0" {
				t.Errorf("guards and notes left: %s", got)
			}
		}
		exec(t, d.owner, "ALTER TABLE app.item ADD CONSTRAINT bascule_v CHECK (v < 0)")
		if _, err := e.Arm(ctx, w.record, 1, w.tables, guards); err == nil {
			t.Error("somebody else's constraint counts as a guard")
		}
	})
}

// TestReleaseAndDrop ends a migration in both ways: with the application on the target, and without a trace.
func TestReleaseAndDrop(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, d *database) {
		exec(t, d.admin.String(), "ALTER ROLE "+d.role+" REPLICATION")
		e, r, db := d.copied(t)
		ctx := t.Context()
		exec(t, d.owner, "CREATE TABLE app.foreign_one (id int)")
		tables := selects(t, e)
		all := func() {
			t.Helper()
			if err := e.Opening(r, db).Prepare(ctx, 1, nil); err != nil {
				t.Fatal(err)
			}
			guards := []change.Guard{{Table: "i16", Column: "id", Name: "small", SQL: "id < 9"}}
			if _, err := e.Arm(ctx, r, 1, tables, guards); err != nil {
				t.Fatal(err)
			}
			if err := e.Fence(r, change.FenceOrder{Who: "x"}).Raise(ctx, 1); err != nil {
				t.Fatal(err)
			}
		}
		all()
		const left = `SELECT (SELECT count(*) FROM pg_trigger WHERE tgname = 'bascule_fence'), (SELECT count(*) FROM pg_trigger WHERE tgname = 'bascule_touch'),
			(SELECT count(*) FROM pg_constraint WHERE conname = 'small'), (SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND connamespace = 'app'::regnamespace),
			(SELECT count(*) FROM pg_replication_slots WHERE database = current_database()), (SELECT count(*) FROM pg_publication),
			(SELECT count(*) FROM pg_proc WHERE pronamespace = 'bascule'::regnamespace), (SELECT count(*) FROM bascule.fence)`
		if diff := cmp.Diff([]string{"7|2|1|2|1|1|1|1"}, query(t, d.owner, left)); diff != "" {
			t.Error(diff)
		}
		for range 2 {
			if err := e.Release(ctx, r, 1); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff([]string{"0|2|0|2|0|0|0|0"}, query(t, d.owner, left)); diff != "" {
			t.Error(diff)
		}
		exec(t, d.owner, "INSERT INTO app.foreign_one VALUES (1)")
		all()
		dry, err := e.Drop(ctx, "app", true)
		if err != nil || !strings.Contains(strings.Join(dry, ","), "replication slot "+slotName(r)) {
			t.Errorf("a dry run names %v, %v", dry, err)
		}
		list, err := e.Drop(ctx, "app", false)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(dry, list); diff != "" {
			t.Error(diff)
		}
		exec(t, d.owner, "INSERT INTO app.foreign_one VALUES (2)")
		got := query(t, d.owner, `SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = 'app'::regnamespace AND relkind = 'r'), (SELECT count(*) FROM pg_proc WHERE proname LIKE 'bascule%'),
			(SELECT count(*) FROM pg_replication_slots WHERE database = current_database()), (SELECT count(*) FROM pg_publication), (SELECT count(*) FROM pg_namespace WHERE nspname = 'bascule')`)[0]
		if got != "1|0|0|0|0" {
			t.Errorf("left behind: %s", got)
		}
	})
}

func TestStart(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, d *database) {
		w := d.planned(t, "CREATE TABLE item (id integer PRIMARY KEY)")
		e, ctx := w.end, t.Context()
		m := change.Mark{Position: "file:7", Txns: 3, Rows: 9}
		for _, m := range []change.Mark{{Position: "file:8", Txns: 1}, m} {
			if err := e.Start(ctx, w.record, 1, m); err != nil {
				t.Fatal(err)
			}
		}
		err := e.Applying(ctx, w.record, "ann", nil, func(ctx context.Context, s change.Session) error {
			if got, err := s.Mark(ctx); err != nil || got != m {
				t.Errorf("a session finds %+v, %v", got, err)
			}
			if err := e.Start(ctx, w.record, 1, change.Mark{Position: "file:1"}); fault.ClassOf(err) != fault.Busy || !strings.Contains(err.Error(), "ann") {
				t.Errorf("started while somebody applies: %v", err)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		if got, err := e.Applied(ctx, w.record); err != nil || got != m {
			t.Errorf("afterwards %+v, %v", got, err)
		}
		replica := []*change.Replica{{Into: &change.Into{Table: "item"}}}
		if err := e.CanApply(ctx, w.record, replica); err != nil {
			t.Error(err)
		}
		exec(t, d.owner, "REVOKE TRUNCATE ON app.item FROM "+d.role)
		if err := e.CanApply(ctx, w.record, replica); fault.ClassOf(err) != fault.Privilege || !strings.Contains(err.Error(), "TRUNCATE") {
			t.Errorf("without a right: %v", err)
		}
	})
}

func TestDurable(t *testing.T) {
	t.Parallel()
	in := servertest.Private(t, servertest.KindPostgres15, servertest.Options{Set: []string{"fsync=on", "full_page_writes=on"}})
	d := newDatabase(t, in.URL)
	e := d.open(t)
	says := func(want string) {
		t.Helper()
		if got, err := e.Durable(t.Context()); err != nil || !strings.Contains(got, want) {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
	}
	says("acknowledged; there is no standby")
	exec(t, d.admin.String(), "ALTER ROLE "+d.role+" SET synchronous_commit = off")
	says("lowered for role " + d.role)
	exec(t, d.admin.String(), "ALTER ROLE "+d.role+" RESET synchronous_commit", "ALTER SYSTEM SET synchronous_commit = off", "ALTER SYSTEM SET full_page_writes = off", "SELECT pg_reload_conf()")
	waitFor(t, func() bool { return query(t, d.owner, "SHOW synchronous_commit")[0] == "off" })
	e = d.open(t)
	says("synchronous_commit is off")
	says("full_page_writes is off")
}
