package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/schema"
)

// tables renders n small tables t0, t1 ... with a column id.
func tables(n int) []change.Statement {
	stmts := []change.Statement{{Stage: change.StageSchema, What: "schema app", SQL: "CREATE SCHEMA IF NOT EXISTS app"}}
	for i := range n {
		name := fmt.Sprintf("t%d", i)
		stmts = append(stmts, change.Statement{
			Stage: change.StageSchema, Table: nameOf(name), What: "table " + name, SQL: "CREATE TABLE app." + name + " (id bigint NOT NULL)",
		})
	}
	return stmts
}

func TestCreateRaced(t *testing.T) {
	onEachServer(t, func(t *testing.T, d *database) {
		const racers = 5
		var wg sync.WaitGroup
		records := make([]*change.Record, racers)
		errs := make([]error, racers)
		for i := range racers {
			e := d.open(t)
			wg.Go(func() {
				records[i], errs[i] = e.Create(t.Context(), change.Record{
					Schema: "app", Source: fmt.Sprintf("racer %d", i), SourceID: "s", Plan: []byte(`{"n":"\u0000"}`), Position: "p0",
				}, tables(3), []change.Task{{Kind: change.TaskChunk, Table: "t0", Stage: change.StageCopy}})
			})
		}
		wg.Wait()
		for i := range racers {
			if errs[i] != nil {
				t.Fatalf("racer %d: %v", i, errs[i])
			}
			if diff := cmp.Diff(records[0], records[i]); diff != "" {
				t.Errorf("racers 0 and %d got different records:\n%s", i, diff)
			}
		}
		got := query(t, d.owner, "SELECT (SELECT count(*) FROM bascule.migration), (SELECT count(*) FROM bascule.task), (SELECT count(*) FROM bascule.object)")
		if got[0] != "1|1|4" {
			t.Errorf("migrations|tasks|objects = %s, want 1|1|4 (three tables and the schema)", got[0])
		}
		again, err := d.open(t).Open(t.Context(), "app")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(records[0], again); diff != "" {
			t.Errorf("Open returns another record (-created +opened):\n%s", diff)
		}
	})
}

func TestCreateRefuses(t *testing.T) {
	tests := map[string]struct {
		before, in string
		class      fault.Class
	}{
		"a table that is there":   {"CREATE SCHEMA app; CREATE TABLE app.t1 (); CREATE TABLE app.mine ()", "t1", fault.Refused},
		"a view of that name":     {"CREATE SCHEMA app; CREATE VIEW app.t0 AS SELECT 1", "t0", fault.Refused},
		"a type of that name":     {"CREATE SCHEMA app; CREATE TYPE app.t0 AS ENUM ()", "t0", fault.Refused},
		"a ledger that is newer":  {"CREATE SCHEMA bascule; CREATE TABLE bascule.ledger_version AS SELECT 99 AS version", "99", fault.Unsupported},
		"a schema of another one": {"CREATE SCHEMA app AUTHORIZATION postgres", "permission denied", fault.Privilege},
	}
	onEachServer(t, func(t *testing.T, d *database) {
		for reason, tc := range tests {
			t.Run(strings.ReplaceAll(reason, " ", "_"), func(t *testing.T) {
				exec(t, d.admin.String(), "DROP SCHEMA IF EXISTS app CASCADE; DROP SCHEMA IF EXISTS bascule CASCADE", tc.before)
				if tc.class != fault.Privilege {
					exec(t, d.admin.String(), fmt.Sprintf("DO $$ DECLARE s name; BEGIN FOR s IN SELECT nspname FROM pg_namespace WHERE nspname IN ('app', 'bascule') LOOP EXECUTE format('ALTER SCHEMA %%I OWNER TO %s', s); END LOOP; END $$", d.role),
						fmt.Sprintf("GRANT SELECT ON ALL TABLES IN SCHEMA %s TO %s", map[bool]string{true: "bascule", false: "app"}[tc.class == fault.Unsupported], d.role))
				}
				_, err := d.open(t).Create(t.Context(), change.Record{Schema: "app"}, tables(2), nil)
				if err == nil || fault.ClassOf(err) != tc.class || !strings.Contains(err.Error(), tc.in) {
					t.Fatalf("Create = %v (%s), want class %s and %q", err, fault.ClassOf(err), tc.class, tc.in)
				}
				if fault.HintOf(err) == "" {
					t.Errorf("%v has no hint", err)
				}
				if got := query(t, d.admin.String(), "SELECT to_regclass('bascule.task') IS NULL"); got[0] != "t" {
					t.Error("a refused Create left a ledger")
				}
			})
		}
	})
}

func TestAmend(t *testing.T) {
	onEachServer(t, func(t *testing.T, d *database) {
		e := d.open(t)
		if _, err := e.Create(t.Context(), change.Record{Schema: "app"}, tables(1), nil); err != nil {
			t.Fatal(err)
		}
		for range 2 { // it may run twice
			if err := e.Amend(t.Context(), "app", []byte(`{"a": 1}`), []change.Relax{{Table: "t0", Column: "id"}}); err != nil {
				t.Fatal(err)
			}
		}
		r, err := e.Open(t.Context(), "app")
		if err != nil || string(r.Plan) != `{"a": 1}` {
			t.Errorf("plan = %s, %v", r.Plan, err)
		}
		exec(t, d.owner, "INSERT INTO app.t0 VALUES (NULL)")
		if err := e.Amend(t.Context(), "nowhere", []byte(`{}`), nil); fault.ClassOf(err) != fault.Usage {
			t.Errorf("amending nothing = %v", err)
		}
	})
}

func TestDrop(t *testing.T) {
	onEachServer(t, func(t *testing.T, d *database) {
		e := d.open(t)
		if list, err := e.Drop(t.Context(), "app", false); err != nil || list != nil {
			t.Fatalf("dropping nothing = %v, %v", list, err)
		}
		exec(t, d.owner, "CREATE SCHEMA app; CREATE TABLE app.mine (); CREATE TYPE app.my_type AS ENUM ('a')")
		if _, err := e.Create(t.Context(), change.Record{Schema: "app"}, e.Render(everything()), nil); err != nil {
			t.Fatal(err)
		}
		drain(t, e)
		want := []string{
			`table odd "name" \ 'q'`, "table types", "type types_e", "collation und-u-ks-level1",
			"record of the migration into schema app", "schema bascule",
		}
		list, err := e.Drop(t.Context(), "app", true)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, list); diff != "" {
			t.Errorf("dry list (-want +got):\n%s", diff)
		}
		exec(t, d.owner, "CREATE VIEW app.on_top AS SELECT id FROM app.types")
		if _, err := e.Drop(t.Context(), "app", false); fault.ClassOf(err) != fault.Refused || fault.HintOf(err) == "" {
			t.Errorf("dropping what a view needs = %v", err)
		}
		exec(t, d.owner, "DROP VIEW app.on_top")
		if _, err := e.Drop(t.Context(), "app", false); err != nil {
			t.Fatal(err)
		}
		left := query(t, d.owner, `SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname IN ('app', 'bascule')
			UNION ALL SELECT typname FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace WHERE nspname = 'app' AND typtype = 'e'
			UNION ALL SELECT nspname FROM pg_namespace WHERE nspname IN ('app', 'bascule')`)
		if diff := cmp.Diff([]string{"mine", "my_type", "app"}, left); diff != "" {
			t.Errorf("left after the drop (-want +got):\n%s", diff)
		}
	})
}

// TestDropKeepsForeign sees that a drop takes nothing for its own that another made: a table
// that took the name of a renamed one, and one that was committed while the migration was made.
func TestDropKeepsForeign(t *testing.T) {
	onEachServer(t, func(t *testing.T, d *database) {
		var said bytes.Buffer
		e := d.open(t)
		e.log = slog.New(slog.NewTextHandler(&said, nil))
		exec(t, d.owner, "CREATE SCHEMA app")
		// An advisory lock makes Create wait in its midst.
		other, err := pgx.Connect(t.Context(), d.owner)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = other.Close(context.WithoutCancel(t.Context())) }()
		if _, err := other.Exec(t.Context(), "SELECT pg_advisory_lock(77)"); err != nil {
			t.Fatal(err)
		}
		stmts := slices.Insert(tables(3), 1, change.Statement{Stage: change.StageSchema, What: "wait", SQL: "SELECT pg_advisory_xact_lock(77)"})
		created := make(chan error, 1)
		go func() {
			_, err := e.Create(t.Context(), change.Record{Schema: "app"}, stmts, nil)
			created <- err
		}()
		waitFor(t, func() bool {
			return query(t, d.admin.String(), "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = 77 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())")[0] == "1"
		})
		exec(t, d.owner, "CREATE TABLE app.meanwhile AS SELECT 1", "CREATE TYPE app.mood AS ENUM ('a')")
		if _, err := other.Exec(t.Context(), "SELECT pg_advisory_unlock(77)"); err != nil {
			t.Fatal(err)
		}
		if err := <-created; err != nil {
			t.Fatal(err)
		}
		exec(t, d.owner, "ALTER TABLE app.t1 RENAME TO t1_old", "CREATE TABLE app.t1 AS SELECT 2")
		list, err := e.Drop(t.Context(), "app", false)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"table t0", "table t2", "record of the migration into schema app", "schema bascule"}
		if diff := cmp.Diff(want, list); diff != "" {
			t.Errorf("dropped (-want +got):\n%s", diff)
		}
		left := query(t, d.owner, "SELECT relname FROM pg_class WHERE relnamespace = 'app'::regnamespace UNION ALL SELECT typname FROM pg_type WHERE typnamespace = 'app'::regnamespace AND typtype = 'e' ORDER BY 1")
		if diff := cmp.Diff([]string{"meanwhile", "mood", "t1", "t1_old"}, left); diff != "" {
			t.Errorf("left (-want +got):\n%s", diff)
		}
		for _, name := range left {
			if !strings.Contains(said.String(), " "+name+"\"") {
				t.Errorf("%s is not named in: %s", name, said.String())
			}
		}
	})
}

// TestDropWithForeignInLedger sees that what another put into schema bascule keeps the
// schema, does not keep the ledger, and does not hinder the next migration.
func TestDropWithForeignInLedger(t *testing.T) {
	foreign := map[string]string{
		"table": "CREATE TABLE bascule.mine (id bigint GENERATED ALWAYS AS IDENTITY)", "function": "CREATE FUNCTION bascule.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
		"type": "CREATE TYPE bascule.mine AS ENUM ()",
	}
	onEachServer(t, func(t *testing.T, d *database) {
		for kind, sql := range foreign {
			e := d.open(t)
			if _, err := e.Create(t.Context(), change.Record{Schema: "app"}, tables(1), nil); err != nil {
				t.Fatal(err)
			}
			exec(t, d.owner, sql)
			want := []string{"table t0", "schema app", "record of the migration into schema app", "ledger in schema bascule"}
			for _, dry := range []bool{true, false} {
				list, err := e.Drop(t.Context(), "app", dry)
				if diff := cmp.Diff(want, list); diff != "" || err != nil {
					t.Fatalf("%s, dry %t: dropped (-want +got):\n%s%v", kind, dry, diff, err)
				}
			}
			left := query(t, d.owner, "SELECT relname FROM pg_class WHERE relnamespace = 'bascule'::regnamespace AND relkind = 'r'")
			if kind == "table" && !slices.Equal(left, []string{"mine"}) || kind != "table" && len(left) > 0 {
				t.Errorf("beside a %s, these tables are left: %v", kind, left)
			}
			exec(t, d.owner, "DROP "+kind+" bascule.mine")
		}
	})
}

// TestSchemaPublicAbsent sees that a target whose schema public was dropped is filled all the same.
func TestSchemaPublicAbsent(t *testing.T) {
	onEachServer(t, func(t *testing.T, d *database) {
		exec(t, d.admin.String(), "DROP SCHEMA public")
		e := d.openAs(t, d.owner, "public")
		db := &schema.Database{Name: "public", Tables: []*schema.Table{{Name: "t", Columns: []*schema.Column{{Name: "id", Type: schema.Int{Bits: 64}}}}}}
		if _, err := e.Create(t.Context(), change.Record{Schema: "public"}, e.Render(db), nil); err != nil {
			t.Fatal(err)
		}
		list, err := e.Drop(t.Context(), "public", false)
		want := []string{"table t", "schema public", "record of the migration into schema public", "schema bascule"}
		if diff := cmp.Diff(want, list); diff != "" || err != nil {
			t.Errorf("dropped (-want +got):\n%s%v", diff, err)
		}
	})
}

// TestNamesTaken sees that a name that only a later stage would take is looked at before
// anything is made, by Check and by Create.
func TestNamesTaken(t *testing.T) {
	taken := map[string]string{
		"CREATE TABLE app.types_pkey ()":                                 "types_pkey",
		"CREATE TABLE app.x (i int); CREATE INDEX types_ci ON app.x (i)": "types_ci",
		"CREATE SEQUENCE app.types_id_seq":                               "types_id_seq",
		"CREATE DOMAIN app.types_e AS int":                               "types_e",
		"CREATE VIEW app.types AS SELECT 1":                              "types",
	}
	onEachServer(t, func(t *testing.T, d *database) {
		e := d.open(t)
		db := everything()
		db.Table("types").Column("id").Sequence = "types_id_seq"
		for sql, name := range taken {
			exec(t, d.owner, "DROP SCHEMA IF EXISTS app CASCADE; CREATE SCHEMA app", sql)
			fs, err := e.Check(t.Context(), db)
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(fs, func(f finding.Finding) bool { return f.Code == CodeNotEmpty })
			if i < 0 || fs[i].Count != 1 || !strings.HasSuffix(fs[i].What, ": "+name+".") {
				t.Errorf("%s: Check does not find it", sql)
			}
			_, err = e.Create(t.Context(), change.Record{Schema: "app"}, e.Render(db), nil)
			if fault.ClassOf(err) != fault.Refused || !strings.Contains(err.Error(), "already there: "+name) {
				t.Errorf("%s: Create = %v", sql, err)
			}
		}
	})
}

// TestSequenceName sees that a table may have the name that an identity's sequence would
// have by itself, and that the sequence with the other name is set.
func TestSequenceName(t *testing.T) {
	onEachServer(t, func(t *testing.T, d *database) {
		id := func() *schema.Column { return &schema.Column{Name: "id", Type: schema.Int{Bits: 64}, Identity: true} }
		orders := &schema.Table{Name: "orders", NextIdentity: 78, Columns: []*schema.Column{id()}}
		orders.Columns[0].Sequence = "orders_id_seq_2"
		e := d.open(t)
		db := &schema.Database{Name: "app", Tables: []*schema.Table{orders, {Name: "orders_id_seq", NextIdentity: 5, Columns: []*schema.Column{id()}}}}
		if _, err := e.Create(t.Context(), change.Record{Schema: "app"}, e.Render(db), nil); err != nil {
			t.Fatal(err)
		}
		drain(t, e)
		got := query(t, d.owner, "SELECT nextval('app.orders_id_seq_2'), nextval(pg_get_serial_sequence('app.orders_id_seq', 'id'))")
		if got[0] != "78|5" {
			t.Errorf("next values %s, want 78|5", got[0])
		}
	})
}

// TestOpenWithoutLedger sees that looking makes nothing.
func TestOpenWithoutLedger(t *testing.T) {
	onEachServer(t, func(t *testing.T, d *database) {
		r, err := d.open(t).Open(t.Context(), "app")
		if r != nil || err != nil {
			t.Errorf("Open = %v, %v", r, err)
		}
		if got := query(t, d.owner, "SELECT count(*) FROM pg_namespace WHERE nspname = 'bascule'"); got[0] != "0" {
			t.Error("Open made the ledger")
		}
	})
}

var errBoom = errors.New("boom")
