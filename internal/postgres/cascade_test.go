package postgres

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
)

// edge is a foreign key of the cascade tests: the child's columns refer to the parent's.
type edge struct {
	child, columns, parent, parents string
	onDelete, onUpdate              schema.Action
}

// family are tables a, b, c, d and the foreign keys between them; collations and types of the two ends differ in places.
var familyTables = []string{
	"a (k int PRIMARY KEY, u text COLLATE %s.ci UNIQUE, x int, y int, g int GENERATED ALWAYS AS (k * 2) STORED, UNIQUE (x, y))",
	"b (k int PRIMARY KEY, ka int, ua text COLLATE %s.ci, ku int UNIQUE, g int GENERATED ALWAYS AS (ka + 1) STORED)",
	"c (k int PRIMARY KEY, kb bigint, kub int, x int, y int)",
	"d (k int PRIMARY KEY, kc int, up int)",
	"e (k text COLLATE %s.ci PRIMARY KEY, ea text COLLATE %s.ci)",
}

var familyEdges = []edge{
	{"b", "ka", "a", "k", schema.Cascade, schema.Cascade},
	{"b", "ua", "a", "u", schema.SetNull, schema.SetNull},
	{"b", "ku", "a", "k", schema.SetNull, schema.Cascade},
	{"c", "kb", "b", "k", schema.Cascade, schema.SetNull},
	{"c", "kub", "b", "ku", schema.NoAction, schema.Cascade},
	{"c", "x,y", "a", "x,y", schema.SetNull, schema.Cascade},
	{"d", "kc", "c", "k", schema.SetNull, schema.Cascade},
	{"d", "up", "d", "k", schema.Cascade, schema.NoAction},
	{"e", "ea", "a", "u", schema.Cascade, schema.Cascade},
}

var familyRows = []string{
	"INSERT INTO %[1]s.a (k, u, x, y) SELECT i, 'U' || i, i % 3, i FROM generate_series(1, 12) i",
	"INSERT INTO %[1]s.b (k, ka, ua, ku) SELECT i, CASE WHEN i % 5 > 0 THEN i % 12 + 1 END, CASE WHEN i % 3 > 0 THEN 'u' || i %% 12 + 1 END, CASE WHEN i <= 12 THEN i END FROM generate_series(1, 30) i",
	"INSERT INTO %[1]s.c SELECT i, i %% 30 + 1, CASE WHEN i %% 4 = 0 THEN i %% 12 + 1 END, CASE WHEN i %% 2 = 0 THEN (i %% 12 + 1) %% 3 END, i %% 12 + 1 FROM generate_series(1, 60) i",
	"INSERT INTO %[1]s.d SELECT i, i %% 60 + 1, CASE WHEN i %% 7 <> 1 THEN i - 1 END FROM generate_series(1, 40) i",
	"INSERT INTO %[1]s.e SELECT 'e' || i, 'u' || i %% 12 + 1 FROM generate_series(1, 24) i",
}

// family makes the tables in two schemas, with foreign keys in the second, and returns the replicas of the first.
func family(t *testing.T, d *database) map[string]*change.Replica {
	t.Helper()
	var ddl []string
	for _, s := range []string{"app", "truth"} {
		ddl = append(ddl, "CREATE SCHEMA "+s, "CREATE COLLATION "+s+".ci (provider = icu, locale = 'und-u-ks-level1', deterministic = false)")
		for _, table := range familyTables {
			ddl = append(ddl, "CREATE TABLE "+s+"."+strings.ReplaceAll(table, "%s", s))
		}
		for _, rows := range familyRows {
			ddl = append(ddl, strings.ReplaceAll(strings.ReplaceAll(rows, "%%", "%"), "%[1]s", s))
		}
	}
	tables := map[string]*change.Replica{
		"a": replica("a", 1, "k", "u", "x", "y"), "b": replica("b", 1, "k", "ka", "ua", "ku"), "c": replica("c", 1, "k", "kb", "kub", "x", "y"),
		"d": replica("d", 1, "k", "kc", "up"), "e": replica("e", 1, "k", "ea"),
	}
	for _, e := range familyEdges {
		ddl = append(ddl, fmt.Sprintf("ALTER TABLE truth.%s ADD FOREIGN KEY (%s) REFERENCES truth.%s (%s) ON DELETE %s ON UPDATE %s",
			e.child, e.columns, e.parent, e.parents, e.onDelete, e.onUpdate))
		child, parent := tables[e.child], tables[e.parent]
		f := change.ForeignAction{Child: child, OnDelete: e.onDelete, OnUpdate: e.onUpdate}
		for c := range strings.SplitSeq(e.columns, ",") {
			f.Columns = append(f.Columns, positionOf(child, c))
		}
		for c := range strings.SplitSeq(e.parents, ",") {
			f.Parent = append(f.Parent, positionOf(parent, c))
		}
		parent.Actions = append(parent.Actions, f)
	}
	exec(t, d.owner, ddl...)
	return tables
}

func positionOf(r *change.Replica, column string) int {
	for i, c := range r.Into.Columns {
		if string(c) == column {
			return i
		}
	}
	return -1
}

// TestCascade runs statements on tables with foreign keys, and their row changes with cascades on tables
// without: both must end alike, and the rows that the actions reached are told by their keys.
func TestCascade(t *testing.T) {
	statements := []struct{ table, change, where string }{
		{"a", "DELETE", "k IN (3, 7)"},
		{"a", "u = u || 'x'", "k = 2"},
		{"a", "u = upper(u)", "k = 4"},
		{"a", "k = k + 1000", "k IN (4, 5, 6)"},
		{"a", "x = x + 10, y = y + 10", "k > 1000"},
		{"a", "k = -k, x = -x, u = 'n' || u", "k IN (8, 9, 1005)"},
		{"a", "x = NULL", "k = 10"},
		{"a", "y = y, x = x", "true"},
		{"c", "k = k + 500", "k % 3 = 0"},
		{"d", "DELETE", "k IN (7, 8, 35)"},
		{"b", "DELETE", "k > 20"},
		{"a", "DELETE", "k < 0 OR x IS NULL"},
		{"a", "DELETE", "true"},
	}
	onEachServer(t, func(t *testing.T, d *database) {
		tables := family(t, d)
		var differ []string
		for name := range tables {
			rows := func(schema string) string {
				return fmt.Sprintf("SELECT array_agg(t::text COLLATE \"C\" ORDER BY t::text COLLATE \"C\") FROM %s.%s t", schema, name)
			}
			differ = append(differ, fmt.Sprintf("SELECT '%s', got, want FROM (%s) a(got), (%s) b(want) WHERE got IS DISTINCT FROM want", name, rows("app"), rows("truth")))
		}
		inSession(t, d.open(t), []*change.Replica{tables["a"], tables["d"], tables["b"]}, func(ctx context.Context, s change.Session) {
			for _, st := range statements {
				r := tables[st.table]
				columns := quoteList(r.Into.Columns)
				before := stored(t, d, tables)
				old := payloads(t, d.owner, fmt.Sprintf("SELECT %s FROM truth.%s WHERE %s ORDER BY k", columns, st.table, st.where))
				var now [][][]byte
				sql := fmt.Sprintf("DELETE FROM truth.%s WHERE %s", st.table, st.where)
				if st.change != "DELETE" {
					sql = fmt.Sprintf("UPDATE truth.%s SET %s WHERE %s", st.table, st.change, st.where)
					now = after(t, d, r, st.change, st.where)
				}
				exec(t, d.owner, sql)
				put := step(r, append(keysOf(1, old), moved(old, now)...), now)
				told := map[rowKey]bool{}
				put.Cascades = []change.Cascade{{Table: r, Old: batchOf(old...), New: batchOf(now...), Reached: func(child *change.Replica, keys *change.Batch) {
					for i := range keys.Rows {
						told[rowKey{string(child.Into.Table), string(keys.Bytes(keys.Row(i)[0]))}] = true
					}
				}}}
				mustApply(t, ctx, s, put)
				same(t, st.table+" "+st.change+" where "+st.where, query(t, d.owner, strings.Join(differ, " UNION ALL ")))
				direct := map[rowKey]bool{}
				for _, row := range append(old, now...) {
					direct[rowKey{st.table, string(row[0])}] = true
				}
				reached(t, before, stored(t, d, tables), direct, told)
			}
		})
	})
}

// rowKey names a row of the family by its table and its key in binary form.
type rowKey struct{ table, key string }

// stored is what stands in the schema with foreign keys.
func stored(t *testing.T, d *database, tables map[string]*change.Replica) map[rowKey]string {
	t.Helper()
	all := map[rowKey]string{}
	for name := range tables {
		for _, row := range payloads(t, d.owner, fmt.Sprintf("SELECT k, r::text FROM truth.%s r", name)) {
			all[rowKey{name, string(row[0])}] = string(row[1])
		}
	}
	return all
}

// reached fails unless every row that is not as before, and that no statement named, was told of, and no row that never was.
func reached(t *testing.T, before, now map[rowKey]string, direct, told map[rowKey]bool) {
	t.Helper()
	for _, rows := range []map[rowKey]string{before, now} {
		for k := range rows {
			if before[k] != now[k] && !direct[k] && !told[k] {
				t.Errorf("row %x of %s was %q and is %q, and nobody was told", k.key, k.table, before[k], now[k])
			}
		}
	}
	for k := range told {
		if before[k] == "" && now[k] == "" {
			t.Errorf("row %x of %s is told of, and never was", k.key, k.table)
		}
	}
}

// after asks what an UPDATE will make of rows, in the order of their old keys.
func after(t *testing.T, d *database, r *change.Replica, set, where string) [][][]byte {
	t.Helper()
	values := make([]string, len(r.Into.Columns))
	for i, c := range r.Into.Columns {
		values[i] = string(c)
		for s := range strings.SplitSeq(set, ", ") {
			if name, v, _ := strings.Cut(s, " = "); name == string(c) {
				values[i] = v
			}
		}
	}
	return payloads(t, d.owner, fmt.Sprintf("SELECT %s FROM truth.%s WHERE %s ORDER BY truth.%[2]s.k", strings.Join(values, ", "), r.Into.Table, where))
}

// moved are the keys of new rows that no old row has.
func moved(old, now [][][]byte) (keys [][][]byte) {
	had := map[string]bool{}
	for _, r := range old {
		had[string(r[0])] = true
	}
	for _, r := range now {
		if !had[string(r[0])] {
			keys = append(keys, r[:1])
		}
	}
	return keys
}

// TestCascadeOrder applies changes of one event that follow from each other, as the source carries them out one after the other.
func TestCascadeOrder(t *testing.T) {
	onEachServer(t, func(t *testing.T, d *database) {
		exec(t, d.owner, "CREATE SCHEMA app", "CREATE TABLE app.p (k int PRIMARY KEY)", "CREATE TABLE app.c (k int PRIMARY KEY, p int)",
			"INSERT INTO app.c VALUES (1, 1), (2, 2), (3, 3)")
		p, c := replica("p", 1, "k"), replica("c", 1, "k", "p")
		p.Actions = []change.ForeignAction{{Child: c, Parent: []int{0}, Columns: []int{1}, OnUpdate: schema.Cascade}}
		rows := func(ks ...int) change.Batch {
			var all [][][]byte
			for _, k := range ks {
				all = append(all, [][]byte{i4(k)})
			}
			return batchOf(all...)
		}
		inSession(t, d.open(t), []*change.Replica{p}, func(ctx context.Context, s change.Session) {
			// 3 moves on before 2 takes its place; 1 moves twice.
			mustApply(t, ctx, s, change.Step{Cascades: []change.Cascade{{Table: p, Old: rows(3, 2, 1, 10), New: rows(4, 3, 10, 11)}}})
			same(t, "children", query(t, d.owner, "SELECT k, p FROM app.c ORDER BY k"), "1|11", "2|3", "3|4")
		})
	})
}

// TestCascadeDeep goes down a self-reference as far as InnoDB does, and no further.
func TestCascadeDeep(t *testing.T) {
	onEachServer(t, func(t *testing.T, d *database) {
		exec(t, d.owner, "CREATE SCHEMA app", "CREATE TABLE app.t (k int PRIMARY KEY, up int)")
		r := replica("t", 1, "k", "up")
		r.Actions = []change.ForeignAction{{Child: r, Parent: []int{0}, Columns: []int{1}, OnDelete: schema.Cascade}}
		inSession(t, d.open(t), []*change.Replica{r}, func(ctx context.Context, s change.Session) {
			for _, levels := range []int{cascadeDepth, cascadeDepth + 1} {
				exec(t, d.owner, "TRUNCATE app.t", fmt.Sprintf("INSERT INTO app.t SELECT i, NULLIF(i - 1, -1) FROM generate_series(0, %d) i", levels))
				put := step(r, [][][]byte{{i4(0)}}, nil)
				put.Cascades = []change.Cascade{{Table: r, Old: batchOf([][]byte{i4(0), nil})}}
				err := applySteps(ctx, s, change.Mark{Position: "p"}, put)
				left := query(t, d.owner, "SELECT count(*) FROM app.t")[0]
				if levels == cascadeDepth && (err != nil || left != "0") {
					t.Errorf("%d levels: %v, %s rows left", levels, err, left)
				}
				if levels > cascadeDepth && (fault.ClassOf(err) != fault.Data || left != fmt.Sprint(levels+1)) {
					t.Errorf("%d levels: %v, %s rows left", levels, err, left)
				}
			}
			// A ring stops when nothing is left.
			exec(t, d.owner, "TRUNCATE app.t", "INSERT INTO app.t VALUES (1, 3), (2, 1), (3, 2), (4, 4), (5, NULL)")
			put := step(r, [][][]byte{{i4(1)}}, nil)
			put.Cascades = []change.Cascade{{Table: r, Old: batchOf([][]byte{i4(1), i4(3)})}}
			mustApply(t, ctx, s, put)
			same(t, "a ring", query(t, d.owner, "SELECT k FROM app.t ORDER BY k"), "4", "5")
		})
	})
}
