package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/schema"
)

// batchOf makes a batch of values that are PostgreSQL's own payloads; nil is NULL.
func batchOf(rows ...[][]byte) change.Batch {
	var b change.Batch
	if len(rows) > 0 {
		b.Reset(len(rows[0]))
	}
	for _, r := range rows {
		for _, v := range r {
			s := change.Span{Off: uint32(len(b.Data)), Len: uint32(len(v))}
			if v == nil {
				s.Len = change.NullLen
			}
			b.Data, b.Spans = append(b.Data, v...), append(b.Spans, s)
		}
		b.Rows++
	}
	return b
}

func i4(n int) []byte { return be(32, uint64(n)) }

// replica is a table whose values travel as they are; the first keys columns are the key.
func replica(table string, keys int, columns ...string) *change.Replica {
	into := &change.Into{Table: nameOf(table)}
	for _, c := range columns {
		into.Columns, into.Codecs = append(into.Columns, nameOf(c)), append(into.Codecs, framed())
	}
	return &change.Replica{Into: into, Key: upTo(keys)}
}

// payloads asks the server for the binary form of every value of a query, row by row.
func payloads(t *testing.T, dsn, sql string) [][][]byte {
	t.Helper()
	c, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(t.Context()) }()
	res := c.PgConn().ExecParams(t.Context(), sql, nil, nil, nil, []int16{1}).Read()
	if res.Err != nil {
		t.Fatalf("%s: %v", sql, res.Err)
	}
	return res.Rows
}

// keysOf keeps the first columns of rows.
func keysOf(n int, rows [][][]byte) (keys [][][]byte) {
	for _, r := range rows {
		keys = append(keys, r[:n])
	}
	return keys
}

func record(t *testing.T, e *End) *change.Record {
	t.Helper()
	r, err := e.Create(t.Context(), change.Record{Schema: "app", Source: "mysql"}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// inSession runs fn in a session of a fresh migration.
func inSession(t *testing.T, e *End, tables []*change.Replica, fn func(context.Context, change.Session)) {
	t.Helper()
	err := e.Applying(t.Context(), record(t, e), "the test", tables, func(ctx context.Context, s change.Session) error {
		fn(ctx, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// applySteps applies steps in one transaction.
func applySteps(ctx context.Context, s change.Session, m change.Mark, steps ...change.Step) error {
	tx, err := s.Begin(ctx)
	if err != nil {
		return err
	}
	for i := range steps {
		if err := tx.Apply(ctx, &steps[i]); err != nil {
			return errors.Join(err, s.Rollback(ctx))
		}
	}
	if err := tx.Commit(ctx, m); err != nil {
		return errors.Join(err, s.Rollback(ctx))
	}
	return nil
}

func mustApply(t *testing.T, ctx context.Context, s change.Session, steps ...change.Step) { //nolint:revive // t first, as everywhere in tests
	t.Helper()
	if err := applySteps(ctx, s, change.Mark{Position: "p"}, steps...); err != nil {
		t.Fatal(err)
	}
}

func step(r *change.Replica, del, ins [][][]byte) change.Step {
	return change.Step{Tables: []change.TableStep{{Table: r, Delete: batchOf(del...), Insert: batchOf(ins...)}}}
}

func same(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

// keyTypes are the types that a key can have, with four values in the order of the test's rows.
var keyTypes = []struct{ name, typ, values string }{
	{"smallint", "smallint", "(-1), (0), (32767), (5)"},
	{"integer", "integer", "(-1), (0), (2147483647), (5)"},
	{"bigint", "bigint", "(-1), (0), (9223372036854775807), (5)"},
	{"numeric", "numeric(20,4)", "(-1.5), (0), (1234567890123456.0001), (5)"},
	{"unconstrained numeric", "numeric", "(-1), (0), (18446744073709551615), (5)"},
	{"text", "text", "(''), ('a'), ('A'), ('é')"},
	{"varchar", "varchar(10)", "(''), ('a '), ('A'), ('é')"},
	{"text under ICU", `text COLLATE app.ci`, "(''), ('a'), ('b'), ('É')"},
	{"bytea", "bytea", `('\x'), ('\x00'), ('\xff00'), ('\x5c')`},
	{"uuid", "uuid", "('00000000-0000-0000-0000-000000000001'), ('00000000-0000-0000-0000-000000000000'), ('ffffffff-ffff-ffff-ffff-ffffffffffff'), ('12345678-1234-1234-1234-123456789012')"},
	{"date", "date", "('0001-01-01'), ('2000-01-01'), ('9999-12-31'), ('2024-02-29')"},
	{"timestamp", "timestamp(6)", "('0001-01-01'), ('2000-01-01 00:00:00.000001'), ('9999-12-31 23:59:59.999999'), ('2024-02-29')"},
	{"timestamptz", "timestamptz(0)", "('1970-01-01Z'), ('2000-01-01Z'), ('2038-01-19Z'), ('2024-02-29Z')"},
	{"time", "time(3)", "('00:00'), ('23:59:59.999'), ('12:00'), ('01:02:03')"},
	{"interval", "interval", "('-838:59:59'), ('00:00'), ('838:59:59'), ('00:00:01')"},
	{"inet", "inet", "('10.0.0.1'), ('::1'), ('255.255.255.255'), ('::ffff:1.2.3.4')"},
	{"boolean", "boolean", "(false), (true)"},
	{"bit", "bit(9)", "(B'000000000'), (B'000000001'), (B'111111111'), (B'101010101')"},
	{"enum", "app.mood", "('sad'), ('it''s')"},
	{"double", "double precision", "(-1.5), (0), (1e300), (5)"},
}

// TestApplyKeys inserts, updates and deletes by keys of every type, on tables of every shape: an update in place, one that must
// not change another unique column, and no index at all.
func TestApplyKeys(t *testing.T) {
	onEachServer(t, func(t *testing.T, d *database) {
		exec(t, d.owner, "CREATE SCHEMA app", "CREATE TYPE app.mood AS ENUM ('sad', 'it''s')",
			"CREATE COLLATION app.ci (provider = icu, locale = 'und-u-ks-level1', deterministic = false)")
		shapes := []string{"PRIMARY KEY (k, x)", "PRIMARY KEY (k, x), UNIQUE (v)", "UNIQUE (v)", "CHECK (true)"}
		var tables []*change.Replica
		var ddl, wrong []string
		for i, k := range keyTypes {
			for j, sh := range shapes {
				name := fmt.Sprintf("t%d_%d", i, j)
				ddl = append(ddl, fmt.Sprintf(`CREATE TABLE app.%s (gone int, g int GENERATED ALWAYS AS (v + 1) STORED, k %s, x int, v int, %s); ALTER TABLE app.%[1]s DROP gone`, name, k.typ, sh))
				tables = append(tables, replica(name, 2, "k", "x", "v"))
				// The first is gone, the second has changed, the others are as they were.
				wrong = append(wrong, fmt.Sprintf(`SELECT %s, %s, got, want FROM (SELECT array_agg(ROW(k, x, v, g)::text ORDER BY v) FROM app.%s) a(got),
					(SELECT array_agg(ROW(k::%s, 7, w, w + 1)::text ORDER BY w) FROM (SELECT k, CASE n WHEN 2 THEN 4711 ELSE 100 + n END AS w
						FROM (SELECT k, row_number() OVER () AS n FROM (VALUES %s) v(k)) m WHERE n > 1) z) b(want) WHERE got IS DISTINCT FROM want`,
					literal(k.name), literal(sh), name, k.typ, k.values))
			}
		}
		exec(t, d.owner, ddl...)
		inSession(t, d.open(t), tables, func(ctx context.Context, s change.Session) {
			for i, k := range keyTypes {
				rows := payloads(t, d.owner, fmt.Sprintf("SELECT k::%s, 7, (100 + row_number() OVER ())::int FROM (VALUES %s) v(k)", k.typ, k.values))
				then := slices.Clone(rows[1:])
				then[0] = [][]byte{rows[1][0], rows[1][1], i4(4711)}
				var first, second change.Step
				for _, r := range tables[i*len(shapes):][:len(shapes)] {
					first.Tables = append(first.Tables, step(r, keysOf(2, rows), rows).Tables...)
					second.Tables = append(second.Tables, step(r, keysOf(2, rows), then).Tables...)
				}
				mustApply(t, ctx, s, first)
				mustApply(t, ctx, s, second)
			}
		})
		same(t, "wrong", query(t, d.owner, strings.Join(wrong, " UNION ALL ")))
		same(t, "rows", query(t, d.owner, "SELECT count(*) FROM app.t1_0"), "3")
	})
}

// TestApplyUnique moves unique values between rows within a step, and keys between rows.
func TestApplyUnique(t *testing.T) {
	kinds := map[string]string{
		"plain": "UNIQUE (u)", "composite": "UNIQUE (u, v)", "nulls": "UNIQUE NULLS NOT DISTINCT (u)",
		"expression": "EXCLUDE USING btree ((u + 1) WITH =)", "deferrable": "UNIQUE (u) DEFERRABLE", "generated": "g int GENERATED ALWAYS AS (-u) STORED UNIQUE", "none": "CHECK (true)",
	}
	row := func(k, u, v int) [][]byte { return [][]byte{i4(k), i4(u), i4(v)} }
	key := func(ks ...int) (rows [][][]byte) {
		for _, k := range ks {
			rows = append(rows, [][]byte{i4(k)})
		}
		return rows
	}
	onEachServer(t, func(t *testing.T, d *database) {
		exec(t, d.owner, "CREATE SCHEMA app")
		var tables []*change.Replica
		for n, ddl := range kinds {
			exec(t, d.owner, fmt.Sprintf("CREATE TABLE app.%q (k int PRIMARY KEY, u int, v int, %s)", n, ddl))
			tables = append(tables, replica(n, 1, "k", "u", "v"))
		}
		inSession(t, d.open(t), tables, func(ctx context.Context, s change.Session) {
			for _, r := range tables {
				all := fmt.Sprintf("SELECT k, u, v FROM app.%q ORDER BY k", r.Into.Table)
				what := string(r.Into.Table)
				mustApply(t, ctx, s, step(r, key(1, 2, 3), [][][]byte{row(1, 10, 1), row(2, 20, 1), row(3, 30, 1)}))
				mustApply(t, ctx, s, step(r, key(1, 2, 3), [][][]byte{row(1, 20, 1), row(2, 30, 1), row(3, 10, 1)}))
				same(t, what+": a ring", query(t, d.owner, all), "1|20|1", "2|30|1", "3|10|1")
				mustApply(t, ctx, s, step(r, key(3, 1, 4), [][][]byte{row(4, 10, 1), row(3, 20, 2)}))
				same(t, what+": values move to other keys", query(t, d.owner, all), "2|30|1", "3|20|2", "4|10|1")
				mustApply(t, ctx, s, step(r, key(2, 3, 4, 99), [][][]byte{row(2, 30, 7), row(3, 10, 2), row(4, 20, 2)}))
				same(t, what+": one stays, two swap", query(t, d.owner, all), "2|30|7", "3|10|2", "4|20|2")
				mustApply(t, ctx, s, change.Step{Tables: []change.TableStep{{Table: r, Truncate: true, Delete: batchOf(key(5)...), Insert: batchOf(row(5, 10, 1))}}})
				same(t, what+": truncated", query(t, d.owner, all), "5|10|1")
			}
		})
	})
}

// TestApplyWhole removes and adds rows of tables without a key.
func TestApplyWhole(t *testing.T) {
	onEachServer(t, func(t *testing.T, d *database) {
		exec(t, d.owner, "CREATE SCHEMA app")
		for _, n := range []string{"bare", "probed"} {
			exec(t, d.owner, fmt.Sprintf("CREATE TABLE app.%s (n int NOT NULL, a text, j json, p point, f double precision, x text[], c varchar(9) COLLATE \"C\")", n))
		}
		exec(t, d.owner, "CREATE INDEX ON app.probed (n)")
		rows := payloads(t, d.owner, `SELECT n::int, a, j::json, p::point, f::float8, x::text[], c::varchar FROM (VALUES
			(1, 'a', '{"a": 1}', '(1,2)', '0'::float8, '{a,NULL}', 'c'), (1, 'a', '{"a": 1}', '(1,2)', '0', '{a,NULL}', 'c'), (1, 'a', '{"a": 1}', '(1,2)', '0', '{a,NULL}', 'c'),
			(1, 'a', '{"a":1}', '(1,2)', '0', '{a,NULL}', 'c'), (1, 'a', '{"a": 1}', '(1,2)', '-0', '{a,NULL}', 'c'), (1, NULL, NULL, NULL, NULL, NULL, NULL),
			(1, '', NULL, NULL, 'NaN', '{}', ''), (1, NULL, NULL, NULL, NULL, NULL, NULL)) v(n, a, j, p, f, x, c)`)
		tables := []*change.Replica{replica("bare", 0, "n", "a", "j", "p", "f", "x", "c"), replica("probed", 0, "n", "a", "j", "p", "f", "x", "c")}
		inSession(t, d.open(t), tables, func(ctx context.Context, s change.Session) {
			for _, r := range tables {
				all := fmt.Sprintf("SELECT n, a, j, f, x, c FROM app.%s ORDER BY a NULLS FIRST, j::text, f::text", r.Into.Table)
				mustApply(t, ctx, s, step(r, nil, rows))
				mustApply(t, ctx, s, step(r, [][][]byte{rows[0], rows[1], rows[5], rows[4]}, nil))
				same(t, string(r.Into.Table), query(t, d.owner, all),
					"1|NULL|NULL|NULL|NULL|NULL", "1||NULL|NaN|{}|", `1|a|{"a": 1}|0|{a,NULL}|c`, `1|a|{"a":1}|0|{a,NULL}|c`)
				// An update is a removal and an addition.
				mustApply(t, ctx, s, step(r, [][][]byte{rows[3], rows[6]}, [][][]byte{rows[4]}))
				same(t, string(r.Into.Table), query(t, d.owner, all), "1|NULL|NULL|NULL|NULL|NULL", `1|a|{"a": 1}|-0|{a,NULL}|c`, `1|a|{"a": 1}|0|{a,NULL}|c`)
				err := applySteps(ctx, s, change.Mark{Position: "bad"}, step(r, [][][]byte{rows[0], rows[1]}, nil))
				if fault.ClassOf(err) != fault.Data || !strings.Contains(err.Error(), "1 of them") || !strings.Contains(err.Error(), `{""a"": 1}`) {
					t.Errorf("a row that is not there: %v", err)
				}
				if m, err := s.Mark(ctx); m.Position != "p" || err != nil {
					t.Errorf("mark %v, %v", m, err)
				}
			}
		})
	})
}

// TestApplyLarge sends rows that go by COPY between small ones, and steps of several parameters.
func TestApplyLarge(t *testing.T) {
	onEachServer(t, func(t *testing.T, d *database) {
		exec(t, d.owner, "CREATE SCHEMA app", "CREATE TABLE app.t (k int PRIMARY KEY, v bytea, u int UNIQUE); ALTER TABLE app.t ALTER v SET STORAGE EXTERNAL")
		r := replica("t", 1, "k", "v", "u")
		r.Into.Codecs[1] = verbatim()
		sizes := []int{10, copyBytes + 5, 0, 900_000, 900_000, 900_000, 900_000, 900_000, 900_000, 2 * copyBytes, 7}
		inSession(t, d.open(t), []*change.Replica{r}, func(ctx context.Context, s change.Session) {
			for round := range 3 {
				var rows [][][]byte
				for i := range sizes {
					n := sizes[(i+round)%len(sizes)]
					rows = append(rows, [][]byte{i4(i), bytes.Repeat([]byte{byte(n)}, n), i4((i + round) % len(sizes))})
				}
				mustApply(t, ctx, s, step(r, keysOf(1, rows), rows))
				for i, got := range query(t, d.owner, "SELECT k, octet_length(v), u, v = decode(repeat(right('0' || to_hex(octet_length(v) % 256), 2), octet_length(v)), 'hex') FROM app.t ORDER BY k") {
					n := sizes[(i+round)%len(sizes)]
					if want := fmt.Sprintf("%d|%d|%d|t", i, n, (i+round)%len(sizes)); got != want {
						t.Errorf("round %d: %s, want %s", round, got, want)
					}
				}
			}
		})
	})
}

// TestApplyMark saves marks, reads them from elsewhere and again in the next session.
func TestApplyMark(t *testing.T) {
	onEachServer(t, func(t *testing.T, d *database) {
		exec(t, d.owner, "CREATE SCHEMA app", "CREATE TABLE app.t (k int PRIMARY KEY)")
		e := d.open(t)
		r := record(t, e)
		tab := []*change.Replica{replica("t", 1, "k")}
		want := change.Mark{Position: "file:1-2", Time: time.Date(2024, 2, 3, 4, 5, 6, 789_000_000, time.UTC), Txns: 3, Rows: 1 << 40}
		session := func(fn func(context.Context, change.Session)) {
			t.Helper()
			if err := e.Applying(t.Context(), r, "ada@host", tab, func(ctx context.Context, s change.Session) error { fn(ctx, s); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		session(func(ctx context.Context, s change.Session) {
			if m, err := s.Mark(ctx); m != (change.Mark{}) || err != nil {
				t.Errorf("at first: %v, %v", m, err)
			}
			if err := applySteps(ctx, s, want); err != nil {
				t.Error(err)
			}
			if _, err := s.Begin(ctx); err != nil {
				t.Error(err)
			}
			if _, err := s.Begin(ctx); err == nil {
				t.Error("two transactions are open")
			}
			if err := errors.Join(s.Rollback(ctx), s.Rollback(ctx)); err != nil {
				t.Error(err)
			}
		})
		session(func(ctx context.Context, s change.Session) {
			if m, err := s.Mark(ctx); m != want || err != nil {
				t.Errorf("later: %v, %v", m, err)
			}
			tx, err := s.Begin(ctx)
			if err != nil {
				t.Fatal(err)
			}
			exec(t, d.owner, "DELETE FROM bascule.apply")
			if err := tx.Commit(ctx, want); fault.ClassOf(err) != fault.Refused {
				t.Errorf("a mark without a row: %v", err)
			}
			if err := tx.Commit(ctx, want); err == nil {
				t.Error("committed after an error")
			}
		})
		session(func(context.Context, change.Session) {})
		m, who, since, err := e.AppliedMark(t.Context(), r, "forward")
		if m != (change.Mark{}) || who != "ada@host" || time.Since(since) > time.Minute || err != nil {
			t.Errorf("%v %q %v %v", m, who, since, err)
		}
	})
}

// TestApplyPassive refuses what acts by itself.
func TestApplyPassive(t *testing.T) {
	cases := map[string]struct {
		sql   []string
		class fault.Class
		names string
	}{
		"a trigger":           {[]string{"CREATE TRIGGER \"T 1\" BEFORE DELETE ON app.t FOR EACH ROW EXECUTE FUNCTION app.f()"}, fault.Refused, `trigger "T 1" on t`},
		"a disabled trigger":  {[]string{"CREATE TRIGGER x BEFORE DELETE ON app.t FOR EACH ROW EXECUTE FUNCTION app.f()", "ALTER TABLE app.t DISABLE TRIGGER x"}, "", ""},
		"an always trigger":   {[]string{"CREATE TRIGGER x BEFORE DELETE ON app.t FOR EACH ROW EXECUTE FUNCTION app.f()", "ALTER TABLE app.t ENABLE ALWAYS TRIGGER x"}, fault.Refused, "trigger x on t"},
		"a rule":              {[]string{"CREATE RULE r AS ON DELETE TO app.t DO ALSO NOTHING"}, fault.Refused, "rule r on t"},
		"a foreign key to it": {[]string{"CREATE TABLE app.c (t int CONSTRAINT fk REFERENCES app.t)"}, fault.Refused, "foreign key fk of c to t"},
		"a foreign key of a child": {
			[]string{"CREATE TABLE app.p (k int PRIMARY KEY)", "ALTER TABLE app.child ADD CONSTRAINT fk FOREIGN KEY (k) REFERENCES app.p"},
			fault.Refused, "foreign key fk of child to p",
		},
		"no table":    {[]string{"DROP TABLE app.t"}, fault.Refused, "no such table"},
		"no column":   {[]string{"ALTER TABLE app.t RENAME v TO w"}, fault.Refused, `no column "v"`},
		"a view":      {[]string{"ALTER TABLE app.t RENAME TO x", "CREATE VIEW app.t AS SELECT * FROM app.x"}, fault.Unsupported, "relkind v"},
		"hidden rows": {[]string{"ALTER TABLE app.t ENABLE ROW LEVEL SECURITY", "ALTER TABLE app.t FORCE ROW LEVEL SECURITY"}, fault.Refused, "row security"},
	}
	onEachServer(t, func(t *testing.T, d *database) {
		e := d.open(t)
		exec(t, d.owner, "CREATE SCHEMA app")
		r := record(t, e)
		parent := replica("t", 1, "k", "v")
		parent.Actions = []change.ForeignAction{{Child: replica("child", 1, "k"), Parent: []int{0}, Columns: []int{0}, OnDelete: schema.Cascade}}
		for name, tc := range cases {
			exec(t, d.owner, "DROP SCHEMA app CASCADE", "CREATE SCHEMA app", "CREATE TABLE app.t (k int PRIMARY KEY, v int)", "CREATE TABLE app.child (k int PRIMARY KEY)",
				"CREATE FUNCTION app.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'")
			exec(t, d.owner, tc.sql...)
			err := e.Applying(t.Context(), r, "x", []*change.Replica{parent}, func(context.Context, change.Session) error { return nil })
			if tc.class == "" && err != nil || tc.class != "" && (fault.ClassOf(err) != tc.class || !strings.Contains(err.Error(), tc.names)) {
				t.Errorf("%s: %v", name, err)
			}
		}
		// What comes to be later is found too.
		exec(t, d.owner, "DROP SCHEMA app CASCADE", "CREATE SCHEMA app", "CREATE TABLE app.t (k int PRIMARY KEY, v int)", "CREATE TABLE app.child (k int PRIMARY KEY)",
			"CREATE FUNCTION app.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'")
		err := e.Applying(t.Context(), r, "x", []*change.Replica{parent}, func(ctx context.Context, s change.Session) error {
			exec(t, d.owner, "CREATE TRIGGER late BEFORE DELETE ON app.child FOR EACH ROW EXECUTE FUNCTION app.f()")
			for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
				if err := applySteps(ctx, s, change.Mark{Position: "x"}); err != nil {
					return err
				}
			}
			return nil
		})
		if fault.ClassOf(err) != fault.Refused || !strings.Contains(err.Error(), "trigger late on child") {
			t.Errorf("a late trigger: %v", err)
		}
	})
}

// TestApplyFails sees what becomes of errors, and that nothing of a step stays.
func TestApplyFails(t *testing.T) {
	loss := &change.LossError{Code: finding.LossZeroDate, Table: "T", Column: "V", Value: "0000-00-00"}
	refusing := func(err error) change.Codec {
		return change.Codec{Append: func(dst, src []byte) ([]byte, error) {
			if src[3] == 9 {
				return nil, err
			}
			return framed().Append(dst, src)
		}}
	}
	cases := map[string]struct {
		codec change.Codec
		value int
		class fault.Class
		is    error
		in    []string
	}{
		"a loss":     {refusing(loss), 9, fault.Internal, loss, nil},
		"a codec":    {refusing(errBoom), 9, fault.Data, errBoom, []string{`"app"."t"."v"`, "key", "0x00000001"}},
		"a check":    {framed(), -3, fault.Data, nil, []string{"23514", `write to "app"."t"`, "t_v_check"}},
		"a bad form": {change.Codec{Append: func(dst, _ []byte) ([]byte, error) { return append(dst, 0, 0, 0, 1, 7), nil }}, 1, fault.Internal, nil, []string{`"app"."t"`}},
	}
	onEachServer(t, func(t *testing.T, d *database) {
		exec(t, d.owner, "CREATE SCHEMA app", "CREATE TABLE app.t (k int PRIMARY KEY, v int CHECK (v >= 0))")
		e := d.open(t)
		r := record(t, e)
		for name, tc := range cases {
			tab := replica("t", 1, "k", "v")
			tab.Into.Codecs[1] = tc.codec
			err := e.Applying(t.Context(), r, "x", []*change.Replica{tab}, func(ctx context.Context, s change.Session) error {
				good, bad := [][]byte{i4(2), i4(2)}, [][]byte{i4(1), i4(tc.value)}
				err := applySteps(ctx, s, change.Mark{Position: "bad"}, step(tab, [][][]byte{{i4(1)}, {i4(2)}}, [][][]byte{good, bad}))
				// The session goes on.
				if err := applySteps(ctx, s, change.Mark{Position: "good"}, step(tab, [][][]byte{{i4(7)}}, nil)); err != nil {
					t.Errorf("%s: afterwards: %v", name, err)
				}
				if m, err := s.Mark(ctx); m.Position != "good" || err != nil {
					t.Errorf("%s: mark %v, %v", name, m, err)
				}
				return err
			})
			if err == nil || fault.ClassOf(err) != tc.class || tc.is != nil && !errors.Is(err, tc.is) {
				t.Errorf("%s: %v (class %s)", name, err, fault.ClassOf(err))
				continue
			}
			for _, in := range tc.in {
				if !strings.Contains(err.Error(), in) {
					t.Errorf("%s: %v does not say %s", name, err, in)
				}
			}
			same(t, name, query(t, d.owner, "SELECT count(*) FROM app.t"), "0")
		}
		err := e.Applying(t.Context(), &change.Record{ID: 1, Schema: "app"}, "x", nil, func(context.Context, change.Session) error { return nil })
		if fault.ClassOf(err) != fault.Refused {
			t.Errorf("a migration that is not there: %v", err)
		}
	})
}

// TestApplyCancel sees that a cancel ends a step that waits, without a trace, and frees the lock.
func TestApplyCancel(t *testing.T) {
	onEachServer(t, func(t *testing.T, d *database) {
		exec(t, d.owner, "CREATE SCHEMA app", "CREATE TABLE app.t (k int PRIMARY KEY)")
		e := d.open(t)
		r := record(t, e)
		tab := replica("t", 1, "k")
		blocker, err := pgx.Connect(t.Context(), d.owner)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = blocker.Close(context.WithoutCancel(t.Context())) }()
		if _, err := blocker.Exec(t.Context(), "BEGIN; LOCK TABLE app.t IN EXCLUSIVE MODE"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() {
			for t.Context().Err() == nil {
				if query(t, d.admin.String(), "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")[0] != "0" {
					break
				}
			}
			cancel(errBoom)
		}()
		began := time.Now()
		err = e.Applying(ctx, r, "x", []*change.Replica{tab}, func(ctx context.Context, s change.Session) error {
			return applySteps(ctx, s, change.Mark{Position: "x"}, step(tab, [][][]byte{{i4(1)}}, [][][]byte{{i4(1)}}))
		})
		if !errors.Is(err, errBoom) || time.Since(began) > 10*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		if _, err := blocker.Exec(t.Context(), "ROLLBACK"); err != nil {
			t.Fatal(err)
		}
		err = e.Applying(t.Context(), r, "x", []*change.Replica{tab}, func(ctx context.Context, s change.Session) error {
			m, err := s.Mark(ctx)
			if m.Position != "" {
				t.Errorf("mark %v", m)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		same(t, "rows", query(t, d.owner, "SELECT count(*) FROM app.t"), "0")
	})
}

// TestLedgerUpgrade brings a ledger of version 1 up when a session is opened.
func TestLedgerUpgrade(t *testing.T) {
	onEachServer(t, func(t *testing.T, d *database) {
		exec(t, d.owner, ledgerSteps[0], "UPDATE bascule.ledger_version SET version = 1",
			"INSERT INTO bascule.migration (id, schema, source, source_id, plan, position, created) VALUES (7, 'app', '', '', 'null', 'p0', now())")
		e := d.open(t)
		r, err := e.Open(t.Context(), "app")
		if err != nil || r == nil {
			t.Fatal(r, err)
		}
		if m, _, _, err := e.AppliedMark(t.Context(), r, "forward"); m.Position != "" || err != nil {
			t.Errorf("before: %v %v", m, err)
		}
		err = e.Applying(t.Context(), r, "x", nil, func(ctx context.Context, s change.Session) error {
			return applySteps(ctx, s, change.Mark{Position: "p1"})
		})
		if err != nil {
			t.Fatal(err)
		}
		same(t, "version", query(t, d.owner, "SELECT version FROM bascule.ledger_version"), strconv.Itoa(ledgerVersion))
		if m, _, _, err := e.AppliedMark(t.Context(), r, "forward"); m.Position != "p1" || err != nil {
			t.Errorf("after: %v %v", m, err)
		}
		if _, err := e.Drop(t.Context(), "app", false); err != nil {
			t.Error(err)
		}
		same(t, "what is left", query(t, d.owner, "SELECT count(*) FROM pg_namespace WHERE nspname = 'bascule'"), "0")
	})
}
