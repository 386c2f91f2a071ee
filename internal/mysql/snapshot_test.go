package mysql

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
	"github.com/bascule/bascule/internal/servertest"
)

// keyCase is a table whose key has some kind; v numbers its rows.
type keyCase struct {
	name string
	ddl  string // columns and key
	// rows are values of the key columns, as SQL.
	rows []string
	// index is the key's index; empty means PRIMARY.
	index schema.Name
	only  schema.Dialect
	// scans says that the server cannot make a range of it.
	scans bool
}

// many makes n rows by a format.
func many(n int, row func(i int) string) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = row(i)
	}
	return out
}

// words are texts that collations see in many ways: cases, accents, emoji, trailing and leading spaces, empty, long.
func words(n int) []string {
	letters := []string{"a", "b", "Z", "é", "ß", "ø", "0", "_", "%", "-", "ÿ", "'", `\`, "zz", "  x"}
	rnd := rand.New(rand.NewPCG(1, 2))
	seen := map[string]bool{}
	var out []string
	for len(out) < n {
		var b strings.Builder
		for range 1 + rnd.IntN(6) {
			b.WriteString(letters[rnd.IntN(len(letters))])
		}
		w := fmt.Sprintf("%s%03d", b.String(), len(out)) // unique under any collation
		if !seen[w] {
			seen[w] = true
			out = append(out, quoteString(w))
		}
	}
	return append(out, "''")
}

func keyCases() []keyCase {
	f := fmt.Sprintf
	return []keyCase{
		{name: "int", ddl: "k INT, PRIMARY KEY (k)", rows: many(100, func(i int) string { return f("%d", (i-50)*(i-50)*(i-50)) })},
		{name: "unsigned", ddl: "k BIGINT UNSIGNED, PRIMARY KEY (k)", rows: many(100, func(i int) string { return f("%d", math.MaxUint64-uint64(i)*1e17) })},
		{name: "tiny", ddl: "k TINYINT, PRIMARY KEY (k)", rows: many(256, func(i int) string { return f("%d", i-128) })},
		{name: "medium", ddl: "k MEDIUMINT ZEROFILL, PRIMARY KEY (k)", rows: many(100, func(i int) string { return f("%d", i*167772) })},
		{name: "decimal", ddl: "k DECIMAL(30,10), PRIMARY KEY (k)", rows: many(100, func(i int) string { return f("%d.%010d", (i-50)*1e15, i) })},
		{name: "float", ddl: "k FLOAT, PRIMARY KEY (k)", rows: many(100, func(i int) string { return f("%v", float32(i-50)/7) })},
		{name: "double", ddl: "k DOUBLE, PRIMARY KEY (k)", rows: many(100, func(i int) string { return f("%v", (float64(i)-50.5)/7e300) })},
		{name: "bit", ddl: "k BIT(64), PRIMARY KEY (k)", rows: many(100, func(i int) string { return f("%d", uint64(i)<<57) })},
		{name: "year", ddl: "k YEAR, PRIMARY KEY (k)", rows: append(many(100, func(i int) string { return f("%d", 1901+i) }), "'0000'")},
		{name: "date", ddl: "k DATE, PRIMARY KEY (k)", rows: append(many(90, func(i int) string { return f("DATE'2024-01-01' + INTERVAL %d DAY", i) }), "'0000-00-00'", "'0000-05-01'", "'2024-02-00'", "'2024-02-31'", "'9999-12-31'")},
		{name: "datetime", ddl: "k DATETIME(6), PRIMARY KEY (k)", rows: append(many(90, func(i int) string { return f("TIMESTAMP'2024-01-01 00:00:00' + INTERVAL %d MICROSECOND", i*i) }), "'0000-00-00'", "'2024-01-00 01:02:03.000004'")},
		{name: "timestamp", ddl: "k TIMESTAMP(3), PRIMARY KEY (k)", rows: many(90, func(i int) string { return f("TIMESTAMP'2024-01-01 00:00:00' + INTERVAL %d SECOND", i*100) })},
		{name: "time", ddl: "k TIME(6), PRIMARY KEY (k)", rows: many(90, func(i int) string { return f("'%d:00:00.5'", (i-45)*18) })},
		{name: "binary", ddl: "k BINARY(16), PRIMARY KEY (k)", rows: many(100, func(i int) string { return f("UNHEX(LEFT(SHA2(%d,256),32))", i) })},
		{name: "varbinary", ddl: "k VARBINARY(20), PRIMARY KEY (k)", rows: append(many(100, func(i int) string { return f("UNHEX('%02x00%02x')", 255-i, i) }), "''", "0x00", "0x0000")},
		{name: "general_ci", ddl: "k VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci, PRIMARY KEY (k)", rows: words(200)},
		{name: "unicode_ci", ddl: "k VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci, PRIMARY KEY (k)", rows: words(200)},
		{name: "bin", ddl: "k VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, PRIMARY KEY (k)", rows: append(words(200), "'😀'", "'😁'")},
		{name: "0900_ai_ci", ddl: "k VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_ai_ci, PRIMARY KEY (k)", rows: append(words(200), "'😀'", "'😁'", "'x'", "'x '"), only: schema.MySQL},
		{name: "0900_bin", ddl: "k VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin, PRIMARY KEY (k)", rows: append(words(200), "'a'", "'a '", "'A'"), only: schema.MySQL},
		{name: "latin1", ddl: "k VARCHAR(40) CHARACTER SET latin1, PRIMARY KEY (k)", rows: append(words(200), "_latin1 0x81", "_latin1 0x80")},
		{name: "latin1 char", ddl: "k CHAR(40) CHARACTER SET latin1 COLLATE latin1_german1_ci, PRIMARY KEY (k)", rows: words(200)},
		{name: "utf16", ddl: "k VARCHAR(40) CHARACTER SET utf16, PRIMARY KEY (k)", rows: words(200)},
		{name: "enum", ddl: "k ENUM('z','a','M','it''s','b'), PRIMARY KEY (k)", rows: []string{"'z'", "'a'", "'M'", "'it''s'", "'b'", "'not a member'"}},
		{name: "set", ddl: "k SET('z','a','M','q'), PRIMARY KEY (k)", rows: many(16, func(i int) string { return f("%d", i) }), scans: true},
		{
			name: "composite", ddl: "a INT, b VARCHAR(10) CHARACTER SET latin1, c DATE, PRIMARY KEY (a, b, c)",
			rows: many(200, func(i int) string { return f("%d, '%c', DATE'2024-01-01' + INTERVAL %d DAY", i%5-2, 'a'+i%3, i) }),
		},
		{name: "enum first", ddl: "a ENUM('new','old','gone'), b INT, PRIMARY KEY (a, b)", rows: many(100, func(i int) string { return f("%d, %d", i%3+1, i) })},
		{
			name: "unique key", ddl: "id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, a INT NOT NULL, b BINARY(2) NOT NULL, UNIQUE KEY ab (b, a)", index: "ab",
			rows: many(100, func(i int) string { return f("DEFAULT, %d, UNHEX('%04x')", i*37%100, i%7) }),
		},
		{name: "desc", ddl: "a INT, b INT, PRIMARY KEY (a DESC, b)", rows: many(100, func(i int) string { return f("%d, %d", i%7, i) })},
		{name: "uuid", ddl: "k UUID, PRIMARY KEY (k)", rows: many(100, func(i int) string {
			return f("'%08x-1111-2222-3333-%012x'", i*2654435761%4294967296, i)
		}), only: schema.MariaDB},
		{name: "inet6", ddl: "k INET6, PRIMARY KEY (k)", rows: many(100, func(i int) string { return f("'%x::%x'", 0x2000+i*77%97, i) }), only: schema.MariaDB},
	}
}

func TestReadByKey(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		src := open(t, s)
		var cases []keyCase
		for i, c := range keyCases() {
			if c.only != "" && c.only != src.end.Dialect() {
				continue
			}
			cases = append(cases, c)
			table := fmt.Sprintf("t%d", i)
			ddl := []string{"SET NAMES utf8mb4, sql_mode = 'ALLOW_INVALID_DATES', time_zone = '+00:00'", "CREATE TABLE " + table + " (" + c.ddl + ", v INT) DEFAULT CHARSET utf8mb4"}
			rnd := rand.New(rand.NewPCG(3, 4))
			rows := slices.Clone(c.rows)
			rnd.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
			for i := range rows {
				rows[i] = "(" + rows[i] + fmt.Sprintf(", %d)", i)
			}
			s.Exec(t, src.url, append(ddl, "INSERT INTO "+table+" VALUES "+strings.Join(rows, ", "), "ANALYZE TABLE "+table)...)
			cases[len(cases)-1].ddl = table
		}
		db := inspect(t, src)
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				checkKey(t, src, db.Table(schema.Name(c.ddl)), &c)
			})
		}
	})
}

// checkKey reads one table in the ways of a copy and compares with the server's own order.
func checkKey(t *testing.T, src *source, table *schema.Table, c *keyCase) {
	t.Helper()
	sel := selectOf(table, c.index)
	var truth []string
	order := "SELECT v FROM " + string(table.Name) + " FORCE INDEX (" + string(sel.Index) + ") ORDER BY "
	for i, p := range findIndex(sel).Parts {
		order += map[bool]string{true: "", false: ", "}[i == 0] + string(p.Column) + map[bool]string{true: " DESC"}[p.Desc]
	}
	for _, r := range src.Query(t, src.url, order) {
		truth = append(truth, r[0])
	}
	if len(truth) != len(c.rows) {
		t.Fatalf("%d rows in the table, %d inserted", len(truth), len(c.rows))
	}
	err := src.end.withReader(t.Context(), func(ctx context.Context, r *reader) error {
		whole, last, err := readV(ctx, r, sel, change.Range{}, 0)
		if err != nil || last != nil {
			return fmt.Errorf("whole table: last %q, %w", last, err)
		}
		if d := cmp.Diff(truth, whole); d != "" {
			return fmt.Errorf("whole table differs (-server +got):\n%s", d)
		}
		for _, limit := range []int64{5, 13, int64(len(truth)) + 1} {
			got, err := byLimit(ctx, r, sel, limit)
			if err != nil {
				return err
			}
			if d := cmp.Diff(truth, got); d != "" {
				return fmt.Errorf("chunks of %d rows differ (-server +got):\n%s", limit, d)
			}
		}
		got, err := byWalk(ctx, t, r, sel, 10, c)
		if err != nil {
			return err
		}
		if d := cmp.Diff(truth, got); d != "" {
			return fmt.Errorf("walked chunks differ (-server +got):\n%s", d)
		}
		first, last, err := r.Bounds(ctx, sel)
		if err != nil {
			return err
		}
		got, _, err = readV(ctx, r, sel, change.Range{After: first, UpTo: last}, 0)
		if d := cmp.Diff(truth[1:], got); d != "" || err != nil {
			return fmt.Errorf("between the bounds: %w, differs (-server +got):\n%s", err, d)
		}
		got, _, err = readV(ctx, r, sel, change.Range{After: last}, 0)
		if len(got) > 0 || err != nil {
			return fmt.Errorf("after the last key: %d rows, %w", len(got), err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// selectOf reads all columns by an index.
func selectOf(table *schema.Table, index schema.Name) *change.Select {
	if index == "" {
		index = "PRIMARY"
	}
	s := &change.Select{Table: table, Columns: table.Columns, Index: index}
	for _, p := range findIndex(s).Parts {
		s.Key = append(s.Key, table.Column(p.Column))
	}
	return s
}

// readV reads a range and returns the column v of its rows.
func readV(ctx context.Context, r change.Reader, s *change.Select, rg change.Range, limit int64) ([]string, change.Key, error) {
	var out []string
	b := &change.Batch{}
	last, err := r.Read(ctx, s, rg, limit, func(full *change.Batch) (*change.Batch, error) {
		if full == nil {
			return b, nil
		}
		if full.Rows == 0 {
			return nil, errors.New("an empty batch was handed over")
		}
		for i := range full.Rows {
			v := full.Row(i)[full.Columns-1]
			out = append(out, fmt.Sprint(int32(binary.LittleEndian.Uint32(full.Bytes(v)))))
		}
		return full, nil
	})
	return out, last, err
}

func byLimit(ctx context.Context, r change.Reader, s *change.Select, limit int64) ([]string, error) {
	var out []string
	var rg change.Range
	for {
		got, last, err := readV(ctx, r, s, rg, limit)
		if err != nil {
			return nil, fmt.Errorf("read %d rows after %q: %w", limit, rg.After, err)
		}
		out = append(out, got...)
		if last == nil {
			return out, nil
		}
		if int64(len(got)) != limit {
			return nil, fmt.Errorf("%d rows and a last key, limit %d", len(got), limit)
		}
		rg.After = last
	}
}

// byWalk cuts the table with Walk and demands of every range that the server scans only it.
func byWalk(ctx context.Context, t *testing.T, r *reader, s *change.Select, rows int64, c *keyCase) ([]string, error) {
	t.Helper()
	var out []string
	var rg change.Range
	for {
		var err error
		if rg.UpTo, err = r.Walk(ctx, s, rg.After, rows); err != nil {
			return nil, fmt.Errorf("walk after %q: %w", rg.After, err)
		}
		got, _, err := readV(ctx, r, s, rg, 0)
		if err != nil {
			return nil, err
		}
		out = append(out, got...)
		if !c.scans && (rg.After != nil || rg.UpTo != nil) {
			explain(ctx, t, r, s, rg)
		}
		if rg.UpTo == nil {
			return out, nil
		}
		if int64(len(got)) != rows {
			return nil, fmt.Errorf("a step of %d rows covers %d", rows, len(got))
		}
		rg.After = rg.UpTo
	}
}

// explain demands range access and no sort.
func explain(ctx context.Context, t *testing.T, r *reader, s *change.Select, rg change.Range) {
	t.Helper()
	parts := keyParts(s)
	var c condition
	c.sql.WriteString("EXPLAIN ")
	if r.e.server.dialect == schema.MySQL {
		c.sql.WriteString("FORMAT=TRADITIONAL ")
	}
	c.sql.WriteString("SELECT " + quoteAll(s.Columns) + from(s))
	if err := c.bounds(parts, rg); err != nil {
		t.Fatal(err)
	}
	c.order(parts, false)
	c.limit(1000)
	rows, err := r.execute(ctx, &c)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := texts(ctx, rows)
	if err != nil || len(plan) != 1 {
		t.Fatalf("plan %q: %v", plan, err)
	}
	var kind, extra string
	for i, col := range rows.Columns() {
		switch col.Name {
		case "type":
			kind = plan[0][i]
		case "Extra":
			extra = plan[0][i]
		}
	}
	if kind != "range" && kind != "const" && kind != "ref" && kind != "" || strings.Contains(extra, "sort") || strings.Contains(extra, "temporary") {
		t.Errorf("range %q to %q: access %q, extra %q", rg.After, rg.UpTo, kind, extra)
	}
}

// TestReadPrefixBounds reads ranges that bound only the first column of a composite key, as arithmetic cuts make them.
func TestReadPrefixBounds(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		src := open(t, s, "CREATE TABLE t (a INT, b INT, v INT, PRIMARY KEY (a, b))",
			"INSERT INTO t VALUES (1,1,0), (1,2,1), (2,1,2), (2,2,3), (3,1,4), (3,9,5)")
		sel := selectOf(inspect(t, src).Table("t"), "")
		key := func(parts ...string) (k change.Key) {
			for _, p := range parts {
				k = append(k, []byte(p))
			}
			return k
		}
		err := src.end.withReader(t.Context(), func(ctx context.Context, r *reader) error {
			for _, c := range []struct {
				rg   change.Range
				want string
			}{
				{change.Range{UpTo: key("1")}, "0 1"},
				{change.Range{After: key("1"), UpTo: key("2")}, "2 3"},
				{change.Range{After: key("2")}, "4 5"},
				{change.Range{After: key("1", "1"), UpTo: key("2")}, "1 2 3"},
				{change.Range{After: key("1"), UpTo: key("3", "1")}, "2 3 4"},
			} {
				got, _, err := readV(ctx, r, sel, c.rg, 0)
				if err != nil {
					return err
				}
				if g := strings.Join(got, " "); g != c.want {
					t.Errorf("%q to %q: %s, want %s", c.rg.After, c.rg.UpTo, g, c.want)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// TestReadHiddenKey cuts by a key that does not travel: a generated column.
func TestReadHiddenKey(t *testing.T) {
	s := servertest.MySQL(t) // MariaDB has no NOT NULL for generated columns
	src := open(t, s, "CREATE TABLE t (a INT NOT NULL, k INT GENERATED ALWAYS AS (a * 2) STORED NOT NULL, v INT, UNIQUE KEY k (k))",
		"INSERT INTO t (a, v) VALUES (3,2), (1,0), (2,1), (9,3)")
	sel := selectOf(inspect(t, src).Table("t"), "k")
	sel.Columns = []*schema.Column{sel.Table.Column("a"), sel.Table.Column("v")}
	err := src.end.withReader(t.Context(), func(ctx context.Context, r *reader) error {
		got, err := byLimit(ctx, r, sel, 3)
		if d := cmp.Diff([]string{"0", "1", "2", "3"}, got); d != "" {
			t.Error(d)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestReadStops ends a stream from the loading side: the error comes back as it is.
func TestReadStops(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		src := open(t, s, "CREATE TABLE t (k INT PRIMARY KEY, v INT)", "INSERT INTO t VALUES (1,1), (2,2)")
		sel := selectOf(inspect(t, src).Table("t"), "")
		full := errors.New("the disk is full")
		err := src.end.Lane(t.Context(), "none:", func(ctx context.Context, r change.Reader) error {
			_, err := r.Read(ctx, sel, change.Range{}, 0, func(b *change.Batch) (*change.Batch, error) {
				if b == nil {
					return &change.Batch{}, nil
				}
				return nil, full
			})
			return err
		})
		if !errors.Is(err, full) {
			t.Errorf("got %v", err)
		}
	})
}

func TestPositions(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		src := open(t, s, "CREATE TABLE t (k INT PRIMARY KEY, v INT)", "INSERT INTO t VALUES (1,1)")
		ctx := t.Context()
		before, err := src.end.Position(ctx)
		if err != nil {
			t.Fatal(err)
		}
		p, err := parsePosition(before)
		if err != nil || p.String() != string(before) {
			t.Fatalf("%q reads as %+v, %v", before, p, err)
		}
		s.Exec(t, src.url, "INSERT INTO t VALUES (2,2)")
		after, err := src.end.Position(ctx)
		if err != nil || after == before {
			t.Fatalf("position %q after a commit, %q before: %v", after, before, err)
		}
		saw := 0
		for _, at := range []change.Position{before, after, "none:"} {
			if err := src.end.Lane(ctx, at, func(context.Context, change.Reader) error { saw++; return nil }); err != nil {
				t.Errorf("lane at %q: %v", at, err)
			}
		}
		if saw != 3 {
			t.Errorf("%d lanes ran, want 3", saw)
		}
		if err := src.end.Lane(ctx, "lsn:0/0", nil); err == nil {
			t.Error("a foreign position was taken")
		}
		sel := selectOf(inspect(t, src).Table("t"), "")
		err = src.end.Snapshot(ctx, []*change.Select{sel}, func(ctx context.Context, r change.Reader, at change.Position, exact bool) error {
			s.Exec(t, src.url, "INSERT INTO t VALUES (3,3)")
			got, _, err := readV(ctx, r, sel, change.Range{}, 0)
			if strings.Join(got, " ") != "1 2" {
				t.Errorf("the snapshot shows %v", got)
			}
			// Others write to the server too, so only the order of the three positions is certain.
			now, perr := src.end.Position(ctx)
			if perr != nil || at == "" || now == at {
				t.Errorf("the snapshot stands at %q (exact %v), a later write at %q: %v", at, exact, now, perr)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// TestPositionUnseen demands a position that no server has reached.
func TestPositionUnseen(t *testing.T) {
	p := position{kind: positionSnapshot, server: "a", file: "binlog.000009", pos: 500, gtids: "0-1-77,1-1-5"}
	for name, c := range map[string]struct {
		now  position
		want bool
	}{
		"same":                          {p, true},
		"later":                         {position{kind: positionSnapshot, server: "a", file: "binlog.000009", pos: 501}, true},
		"earlier":                       {position{kind: positionSnapshot, server: "a", file: "binlog.000009", pos: 499}, false},
		"later file, fewer bytes":       {position{kind: positionSnapshot, server: "a", file: "binlog.000010", pos: 4}, true},
		"file number with a digit more": {position{kind: positionSnapshot, server: "a", file: "binlog.1000000", pos: 4}, true},
		"replica that has it":           {position{kind: positionSnapshot, server: "b", file: "x.000001", pos: 4, gtids: "1-1-5,0-2-80"}, true},
		"replica that lags":             {position{kind: positionSnapshot, server: "b", file: "x.999999", pos: 4, gtids: "1-1-5,0-2-76"}, false},
		"replica without a domain":      {position{kind: positionSnapshot, server: "b", file: "x.000001", pos: 4, gtids: "0-2-80"}, false},
		"no binlog any more":            {position{kind: positionNone}, false},
	} {
		if got := c.now.includes(p); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	s := servertest.MySQL(t)
	src := open(t, s)
	err := src.end.Lane(t.Context(), "file:another-server:binlog.000001", nil)
	if fault.ClassOf(err) != fault.Refused {
		t.Errorf("position of another server: %v", err)
	}
}
