package postgres

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
)

// way is a database whose changes are followed, as its owner, who may replicate.
type way struct {
	*database
	end    *End
	record *change.Record
	tables []*change.Select
	at     change.Position
}

// armed makes tables in schema app, a ledger, and the way back from there.
func (d *database) armed(t *testing.T, ddl ...string) *way {
	t.Helper()
	w := d.planned(t, ddl...)
	var err error
	if w.at, err = w.end.Arm(t.Context(), w.record, 1, w.tables, nil); err != nil {
		t.Fatal(err)
	}
	return w
}

func (d *database) planned(t *testing.T, ddl ...string) *way {
	t.Helper()
	exec(t, d.admin.String(), "ALTER ROLE "+d.role+" REPLICATION")
	exec(t, d.owner, append([]string{"CREATE SCHEMA app", "SET search_path = app"}, ddl...)...)
	w := &way{database: d, end: d.open(t)}
	var err error
	if w.record, err = w.end.Create(t.Context(), change.Record{Schema: "app"}, nil, nil); err != nil {
		t.Fatal(err)
	}
	w.tables = selects(t, w.end)
	return w
}

// selects are all columns of all tables, with the primary key as the key.
func selects(t *testing.T, e *End) []*change.Select {
	t.Helper()
	db, err := e.Inspect(t.Context(), change.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	var out []*change.Select
	for _, table := range db.Tables {
		s := &change.Select{Table: table, Columns: table.Columns}
		if table.PrimaryKey != nil {
			for _, p := range table.PrimaryKey.Parts {
				s.Key = append(s.Key, table.Column(p.Column))
			}
		}
		out = append(out, s)
	}
	return out
}

// seen is an event as a test keeps it. Values are their bytes as text, NULL for NULL.
type seen struct {
	Kind     change.EventKind
	Table    schema.Name
	Op       change.Op
	KeyOnly  bool
	Old, New [][]string
	At       change.Position // after EventCommit
}

func keep(ev *change.Event, f change.Feed) seen {
	s := seen{Kind: ev.Kind}
	if ev.Kind == change.EventRows {
		r := &ev.Rows
		s.Table, s.Op, s.KeyOnly, s.Old, s.New = r.Table.Table.Name, r.Op, r.OldKeyOnly, cells(&r.Old), cells(&r.New)
	}
	if ev.Kind == change.EventCommit {
		s.At = f.Position()
	}
	return s
}

func cells(b *change.Batch) [][]string {
	var rows [][]string
	for i := range b.Rows {
		var row []string
		for _, s := range b.Row(i) {
			if s.Null() {
				row = append(row, "NULL")
			} else {
				row = append(row, string(b.Bytes(s)))
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// errDone ends a Stream.
var errDone = errors.New("done")

// follow returns what happened between at and now, and where the feed then stands.
func (w *way) follow(t *testing.T, at change.Position) ([]seen, change.Position) {
	t.Helper()
	s := w.end.Streams(w.record)
	end, err := s.End(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var list []seen
	var last change.Position
	err = s.Stream(t.Context(), at, w.tables, func(ctx context.Context, f change.Feed) error {
		for {
			ev, err := f.Next(ctx)
			if err != nil {
				return err
			}
			if ev.Kind != change.EventIdle {
				list = append(list, keep(ev, f))
			}
			last = f.Position()
			if ok, err := s.Includes(ctx, last, end); err != nil || ok {
				return errors.Join(err, errDone)
			}
		}
	})
	if !errors.Is(err, errDone) || fault.ClassOf(err) != fault.Internal {
		t.Fatal(err)
	}
	return list, last
}

// rowEvents keeps the row events.
func rowEvents(list []seen) []seen {
	var out []seen
	for _, s := range list {
		if s.Kind == change.EventRows {
			out = append(out, s)
		}
	}
	return out
}

// truth is what SELECT returns in binary format.
func truth(t *testing.T, dsn, sql string) [][]string {
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
	var out [][]string
	for _, row := range res.Rows {
		var cells []string
		for _, v := range row {
			if v == nil {
				cells = append(cells, "NULL")
			} else {
				cells = append(cells, string(v))
			}
		}
		out = append(out, cells)
	}
	return out
}

func TestFeedValues(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, d *database) {
		types := []string{
			"c1 boolean", "c2 smallint", "c3 integer", "c4 bigint", "c5 bit(5)", "c6 numeric(65,30)", "c7 real", "c8 double precision", "c9 text",
			"c10 varchar(20)", "c11 char(5)", "c12 bytea", "c13 mood", "c14 text[]", "c15 jsonb", "c16 json", "c17 date", "c18 time(6)",
			"c19 interval", "c20 timestamp(6)", "c21 timestamptz(3)", "c22 uuid", "c23 inet", "c24 real[]", "c25 numeric", "c26 bit(64)",
		}
		w := d.armed(t, "CREATE TYPE mood AS ENUM ('sad', 'glücklich')",
			"CREATE TABLE every (id bigint PRIMARY KEY, "+strings.Join(types, ", ")+")",
			"CREATE TABLE flat (id bigint PRIMARY KEY, a integer, b timestamp, c numeric(10,2), d varchar(20))")
		const all = "SELECT * FROM app.every ORDER BY id"
		exec(t, w.owner, `SET search_path = app, pg_catalog; INSERT INTO every VALUES
			(1, true, -5, 7, -9223372036854775808, B'10110', -12345.000000000000000000000000000067, 1.5, -0.1, E'é\n𝄞', 'x', 'ab', '\x00ff', 'glücklich',
				'{a,NULL,"b,c"}', '{"b": [1, null], "a": "é"}', '{"b":1,  "b":2}', '4713-01-01 BC', '23:59:59.999999', '-838 hours 59 minutes', '9999-12-31 23:59:59.999999',
				'1970-01-01 00:00:00.001Z', 'c0ffee00-0000-0000-0000-000000000001', '2001:db8::1', '{1.5,-2}', 'NaN', B'`+strings.Repeat("01", 32)+`'),
			(2`+strings.Repeat(", NULL", len(types))+")")
		before := truth(t, w.owner, all)
		exec(t, w.owner, "UPDATE app.every SET c4 = 5, c9 = repeat('ä', 100), c13 = 'sad' WHERE id = 1; UPDATE app.every SET c1 = false WHERE id = 2")
		after := truth(t, w.owner, all)
		exec(t, w.owner, "DELETE FROM app.every", "INSERT INTO app.flat VALUES (1, 2, '2024-01-01', 3.14, 'y')", "UPDATE app.flat SET d = NULL", "DELETE FROM app.flat")
		got, _ := w.follow(t, w.at)
		flat := func(v string) []string {
			return truth(t, w.owner, "SELECT 1::bigint, 2::integer, timestamp '2024-01-01', 3.14::numeric(10,2), "+v)[0]
		}
		key := []string{string(be(64, 1)), "NULL", "NULL", "NULL", "NULL"}
		want := []seen{
			{Table: "every", Op: change.Insert, New: before},
			{Table: "every", Op: change.Update, Old: before, New: after},
			{Table: "every", Op: change.Delete, Old: after},
			{Table: "flat", Op: change.Insert, New: [][]string{flat("varchar 'y'")}},
			{Table: "flat", Op: change.Update, KeyOnly: true, Old: [][]string{key}, New: [][]string{flat("NULL")}},
			{Table: "flat", Op: change.Delete, KeyOnly: true, Old: [][]string{key}},
		}
		if diff := cmp.Diff(want, joined(got)); diff != "" {
			t.Error(diff)
		}
	})
}

// joined puts rows of one table and operation that follow each other together: how they were cut is a matter of timing.
func joined(list []seen) []seen {
	var out []seen
	for _, s := range rowEvents(list) {
		s.Kind = 0
		if n := len(out); n > 0 && out[n-1].Table == s.Table && out[n-1].Op == s.Op && s.Op != change.Truncate {
			out[n-1].Old, out[n-1].New = append(out[n-1].Old, s.Old...), append(out[n-1].New, s.New...)
			continue
		}
		out = append(out, s)
	}
	return out
}

func TestFeedToast(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, d *database) {
		w := d.armed(t, "CREATE TABLE doc (id integer PRIMARY KEY, n integer, body text, raw bytea)", "ALTER TABLE doc ALTER body SET STORAGE EXTERNAL")
		exec(t, w.owner, `INSERT INTO app.doc SELECT 1, 1, string_agg(md5(i::text), ''), decode(string_agg(md5(i::text), ''), 'hex') FROM generate_series(1, 160000) i`)
		first := truth(t, w.owner, "SELECT * FROM app.doc")[0]
		exec(t, w.owner, "UPDATE app.doc SET n = 2", "UPDATE app.doc SET id = 2, raw = '\\x01'")
		last := truth(t, w.owner, "SELECT * FROM app.doc")[0]
		second := append([]string{}, first...)
		second[1] = string(be(32, 2))
		got := rowEvents(first2(w.follow(t, w.at)))
		if len(got) != 3 || len(first[2]) < 5_000_000 {
			t.Fatalf("%d events, %d bytes", len(got), len(first[2]))
		}
		for i, want := range []struct{ old, new []string }{{nil, first}, {first, second}, {second, last}} {
			for _, pair := range [][2][]string{{oneRow(got[i].Old), want.old}, {oneRow(got[i].New), want.new}} {
				if sha256.Sum256([]byte(strings.Join(pair[0], "|"))) != sha256.Sum256([]byte(strings.Join(pair[1], "|"))) {
					t.Errorf("event %d: a row is not what SELECT returned", i)
				}
			}
		}
		// Without the identity it is an error, not a NULL.
		_, at := w.follow(t, w.at)
		exec(t, w.owner, "ALTER TABLE app.doc REPLICA IDENTITY DEFAULT; ALTER TABLE app.doc ALTER raw SET DEFAULT NULL",
			"UPDATE app.doc SET n = 3")
		err := w.fails(t, at)
		if fault.ClassOf(err) != fault.Refused || !strings.Contains(err.Error(), `"app"."doc"`) || !strings.Contains(err.Error(), `"body"`) ||
			!strings.Contains(fault.HintOf(err), `ALTER TABLE "app"."doc" REPLICA IDENTITY FULL`) {
			t.Errorf("%v (%s)", err, fault.HintOf(err))
		}
	})
}

func first2[A, B any](a A, _ B) A { return a }

func oneRow(rows [][]string) []string {
	if len(rows) == 0 {
		return nil
	}
	return rows[0]
}

// fails returns the error that a feed ends with.
func (w *way) fails(t *testing.T, at change.Position) error {
	t.Helper()
	err := w.end.Streams(w.record).Stream(t.Context(), at, w.tables, func(ctx context.Context, f change.Feed) error {
		for {
			if _, err := f.Next(ctx); err != nil {
				if _, again := f.Next(ctx); again == nil || again.Error() != err.Error() {
					t.Errorf("after %v the feed goes on: %v", err, again)
				}
				return err
			}
		}
	})
	if err == nil {
		t.Fatal("no error")
	}
	return err
}

func TestFeedShapes(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, d *database) {
		w := d.armed(t, "CREATE TABLE pair (a integer, b integer, c integer, PRIMARY KEY (b, a))", "CREATE TABLE bare (v integer, n integer)",
			"CREATE TABLE other (id integer PRIMARY KEY)", "CREATE TABLE ref (id integer PRIMARY KEY REFERENCES other)")
		exec(t, w.owner, "INSERT INTO app.pair VALUES (1, 2, 3)", "UPDATE app.pair SET b = 9", "UPDATE app.pair SET c = 4",
			"INSERT INTO app.bare VALUES (1, NULL), (1, NULL)", "UPDATE app.bare SET n = 5", "DELETE FROM app.bare",
			"BEGIN; INSERT INTO app.other VALUES (1); TRUNCATE app.other, app.ref; INSERT INTO app.other VALUES (2); COMMIT",
			"BEGIN; INSERT INTO app.other VALUES (3); ROLLBACK")
		row := func(vs ...int) []string {
			var r []string
			for _, v := range vs {
				r = append(r, string(be(32, uint64(uint32(v)))))
				if v < 0 {
					r[len(r)-1] = "NULL"
				}
			}
			return r
		}
		got, _ := w.follow(t, w.at)
		var sequence []change.EventKind
		truncated := map[schema.Name]bool{}
		var rows []seen
		for _, s := range got {
			if s.Op == change.Truncate {
				truncated[s.Table] = true
				continue
			}
			rows = append(rows, s)
			if n := len(sequence); s.Kind != change.EventRows || n == 0 || sequence[n-1] != s.Kind {
				sequence = append(sequence, s.Kind)
			}
		}
		want := []seen{
			{Table: "pair", Op: change.Insert, New: [][]string{row(1, 2, 3)}},
			{Table: "pair", Op: change.Update, KeyOnly: true, Old: [][]string{row(1, 2, -1), row(1, 9, -1)}, New: [][]string{row(1, 9, 3), row(1, 9, 4)}},
			{Table: "bare", Op: change.Insert, New: [][]string{row(1, -1), row(1, -1)}},
			{Table: "bare", Op: change.Update, Old: [][]string{row(1, -1), row(1, -1)}, New: [][]string{row(1, 5), row(1, 5)}},
			{Table: "bare", Op: change.Delete, Old: [][]string{row(1, 5), row(1, 5)}},
			{Table: "other", Op: change.Insert, New: [][]string{row(1), row(2)}},
		}
		if diff := cmp.Diff(want, joined(rows)); diff != "" {
			t.Error(diff)
		}
		if !truncated["other"] || !truncated["ref"] {
			t.Errorf("truncated %v", truncated)
		}
		var whole []change.EventKind
		for range 7 {
			whole = append(whole, change.EventBegin, change.EventRows, change.EventCommit)
		}
		if diff := cmp.Diff(whole, sequence); diff != "" {
			t.Error(diff)
		}
	})
}

func TestFeedMerges(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, d *database) {
		w := d.armed(t, "CREATE TABLE item (id integer PRIMARY KEY, v text)")
		exec(t, w.owner, "INSERT INTO app.item SELECT i, 'value ' || i FROM generate_series(1, 10000) i", "INSERT INTO app.item VALUES (0)")
		got, _ := w.follow(t, w.at)
		rows := joined(got)
		if len(rows) != 1 || !cmp.Equal(rows[0].New, truth(t, w.owner, "SELECT * FROM app.item ORDER BY id = 0, id")) {
			t.Error("rows are not those of SELECT")
		}
		if n := len(rowEvents(got)); n < 11 || rowEvents(got)[n-1].New[0][0] != string(be(32, 0)) || len(rowEvents(got)[n-1].New) != 1 {
			t.Errorf("10001 rows came in %d events, so that an event holds rows of two transactions or too many", n)
		}
		err := w.end.Streams(w.record).Stream(t.Context(), w.at, w.tables, func(ctx context.Context, f change.Feed) error {
			for begun := false; !begun; {
				ev, err := f.Next(ctx)
				if err != nil {
					return err
				}
				begun = ev.Kind == change.EventBegin
			}
			for deadline := time.Now().Add(20 * time.Second); f.(*feed).conn.in.size() < 100_000; runtime.Gosched() {
				if time.Now().After(deadline) {
					return errors.New("nothing is read ahead")
				}
			}
			ev, err := f.Next(ctx)
			if err == nil && (ev.Kind != change.EventRows || ev.Rows.New.Rows < mergedRows || !f.Buffered()) {
				t.Errorf("an event of kind %d has %d rows though more had come", ev.Kind, ev.Rows.New.Rows)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// TestFeedResumes goes on from every position that a feed has shown, and sees exactly the rest.
func TestFeedResumes(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, d *database) {
		w := d.armed(t, "CREATE TABLE item (id integer PRIMARY KEY, v text)")
		for i := range 8 {
			exec(t, w.owner, fmt.Sprintf("INSERT INTO app.item VALUES (%d, 'é'), (%d, NULL)", i, 100+i), "CREATE TEMP TABLE noise AS SELECT 1")
		}
		all, last := w.follow(t, w.at)
		if n := len(all); n < 24 {
			t.Fatalf("%d events", n)
		}
		for i, s := range all {
			if s.Kind != change.EventCommit {
				continue
			}
			rest, _ := w.follow(t, s.At)
			if diff := cmp.Diff(joined(all[i+1:]), joined(rest)); diff != "" {
				t.Errorf("from %s: %s", s.At, diff)
			}
		}
		if rest, _ := w.follow(t, last); len(rest) != 0 {
			t.Errorf("behind the end: %+v", rest)
		}
	})
}

func TestFeedConfirms(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, d *database) {
		w := d.armed(t, "CREATE TABLE item (id integer PRIMARY KEY)")
		exec(t, w.owner, "INSERT INTO app.item VALUES (1)", "INSERT INTO app.item VALUES (2)")
		all, last := w.follow(t, w.at)
		confirmed := func() string {
			return query(t, w.owner, "SELECT 'lsn:' || confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '"+slotName(w.record)+"'")[0]
		}
		if got := confirmed(); got != string(w.at) {
			t.Errorf("nothing was confirmed, and yet %s is, not %s", got, w.at)
		}
		err := w.end.Streams(w.record).Stream(t.Context(), w.at, w.tables, func(ctx context.Context, f change.Feed) error {
			for {
				if ev, err := f.Next(ctx); err != nil || ev.Kind == change.EventCommit {
					f.Confirm(f.Position())
					return err
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		var first change.Position
		for _, s := range all {
			if s.At != "" {
				first = s.At
				break
			}
		}
		if got := confirmed(); got != string(first) {
			t.Errorf("confirmed %s, not %s", got, first)
		}
		if err := w.end.Streams(w.record).Stream(t.Context(), w.at, w.tables, nil); fault.ClassOf(err) != fault.Refused || !strings.Contains(err.Error(), "let go") {
			t.Errorf("a place that was let go of: %v", err)
		}
		err = w.end.Streams(w.record).Stream(t.Context(), first, w.tables, func(ctx context.Context, f change.Feed) error {
			f.Confirm(last)
			_, err := f.Next(ctx)
			return err
		})
		if err == nil || !strings.Contains(err.Error(), "ahead of the feed") {
			t.Errorf("what was not shown is confirmed: %v", err)
		}
		if got := confirmed(); got != string(first) {
			t.Errorf("confirmed %s, not %s", got, first)
		}
	})
}

// TestFeedSkipsOwn applies something as bascule does, and as the application does.
func TestFeedSkipsOwn(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, d *database) {
		w := d.planned(t, "CREATE TABLE item (id integer PRIMARY KEY)")
		exec(t, w.owner, "DROP TABLE IF EXISTS bascule.apply", "CREATE TABLE bascule.apply (v integer)", "INSERT INTO bascule.apply VALUES (0)")
		var err error
		if w.at, err = w.end.Arm(t.Context(), w.record, 1, w.tables, nil); err != nil {
			t.Fatal(err)
		}
		exec(t, w.owner, "BEGIN; UPDATE bascule.apply SET v = 1; INSERT INTO app.item SELECT generate_series(10, 5000); COMMIT",
			"INSERT INTO app.item VALUES (1)",
			"BEGIN; UPDATE bascule.apply SET v = 2; TRUNCATE app.item; COMMIT")
		if w.role != "" {
			exec(t, w.admin.String(), fmt.Sprintf("SELECT pg_replication_origin_create('%s')", slotName(w.record)), fmt.Sprintf(
				"SELECT pg_replication_origin_session_setup('%s'); INSERT INTO app.item VALUES (2)", slotName(w.record)))
			t.Cleanup(func() {
				exec(t, w.admin.String(), fmt.Sprintf("SELECT pg_replication_origin_drop('%s')", slotName(w.record)))
			})
		}
		exec(t, w.owner, "INSERT INTO app.item VALUES (3)")
		got, at := w.follow(t, w.at)
		want := []seen{{Table: "item", Op: change.Insert, New: [][]string{{string(be(32, 1))}, {string(be(32, 3))}}}}
		if diff := cmp.Diff(want, joined(got)); diff != "" {
			t.Error(diff)
		}
		exec(t, w.owner, "BEGIN; INSERT INTO app.item VALUES (4); UPDATE bascule.apply SET v = 3; COMMIT")
		if err := w.fails(t, at); !strings.Contains(err.Error(), "bascule.apply") {
			t.Errorf("a mark that comes late: %v", err)
		}
	})
}

func TestFeedRefusesAltered(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ ddl, says string }{
		"Added":    {"ALTER TABLE app.item ADD extra integer", `"extra" has come`},
		"Dropped":  {"ALTER TABLE app.item DROP v", `"v" is gone`},
		"Renamed":  {"ALTER TABLE app.item RENAME v TO w", `"w" has come`},
		"Type":     {"ALTER TABLE app.item ALTER v TYPE bigint", `"v" now has another type`},
		"Table":    {"ALTER TABLE app.item RENAME TO thing", "none of those that are followed"},
		"Identity": {"ALTER TABLE app.item REPLICA IDENTITY NOTHING", `does not hold column "id"`},
	}
	onEachServer(t, func(t *testing.T, d *database) {
		w := d.armed(t, "CREATE TABLE item (id integer PRIMARY KEY, v integer)")
		for name, tc := range cases {
			t.Run(name, func(t *testing.T) {
				_, at := w.follow(t, w.at)
				err := w.end.Streams(w.record).Stream(t.Context(), at, w.tables, func(ctx context.Context, f change.Feed) error {
					exec(t, w.owner, "BEGIN; "+tc.ddl+"; INSERT INTO "+map[bool]string{true: "app.thing", false: "app.item"}[name == "Table"]+" VALUES (1); COMMIT",
						"DROP TABLE IF EXISTS app.thing, app.item; CREATE TABLE app.item (id integer PRIMARY KEY, v integer)",
						"ALTER PUBLICATION "+slotName(w.record)+" SET TABLE app.item")
					for {
						if _, err := f.Next(ctx); err != nil {
							f.Confirm(at) // after an error it does nothing
							return err
						}
					}
				})
				if fault.ClassOf(err) != fault.Refused || !strings.Contains(fmt.Sprint(err), tc.says) {
					t.Errorf("%v, want one that says %q", err, tc.says)
				}
				var e error
				if w.at, e = w.end.Streams(w.record).End(t.Context()); e != nil {
					t.Fatal(e)
				}
			})
		}
	})
}

func TestFeedOfHugeRows(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, d *database) {
		w := d.armed(t, "CREATE TABLE doc (id integer PRIMARY KEY, body bytea)")
		exec(t, w.owner, "ALTER TABLE app.doc ALTER body SET STORAGE EXTERNAL",
			"INSERT INTO app.doc SELECT i, decode(repeat('0123456789abcdef', 1300000 * i), 'hex') FROM generate_series(1, 3) i")
		for i, s := range rowEvents(first2(w.follow(t, w.at))) {
			if want := bytes.Repeat([]byte("\x01\x23\x45\x67\x89\xab\xcd\xef"), 1300000*(i+1)); s.New[0][1] != string(want) {
				t.Errorf("row %d has %d bytes, want %d, or others", i, len(s.New[0][1]), len(want))
			}
		}
	})
}
