package mysql

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
	"github.com/bascule/bascule/internal/servertest"
)

// A mirror is what tables hold: how often each row, as hex of its values in the binary protocol.
type mirror map[schema.Name]map[string]int

func rowText(b *change.Batch, i int) string {
	var s strings.Builder
	for _, v := range b.Row(i) {
		switch {
		case v.Null():
			s.WriteString("NULL,")
		case v.Len > 4096:
			fmt.Fprintf(&s, "%x (%d bytes),", sha256.Sum256(b.Bytes(v)), v.Len)
		default:
			fmt.Fprintf(&s, "%x,", b.Bytes(v))
		}
	}
	return s.String()
}

func (m mirror) change(t *testing.T, table schema.Name, row string, by int) {
	t.Helper()
	if m[table] == nil {
		m[table] = map[string]int{}
	}
	if m[table][row] += by; m[table][row] == 0 {
		delete(m[table], row)
	}
	if m[table][row] < 0 {
		t.Errorf("%s: a row goes that was not there: %.200s", table, row)
	}
}

func (m mirror) apply(t *testing.T, r *change.Rows) {
	t.Helper()
	if m == nil {
		return // nobody wants to know
	}
	name := r.Table.Table.Name
	if r.Op == change.Truncate {
		delete(m, name)
	}
	for i := range r.Old.Rows {
		m.change(t, name, rowText(&r.Old, i), -1)
	}
	for i := range r.New.Rows {
		m.change(t, name, rowText(&r.New, i), 1)
	}
}

// stored reads the tables as a copy does.
func stored(t *testing.T, e *End, selects []*change.Select) mirror {
	t.Helper()
	m := mirror{}
	at, err := e.Position(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = e.Lane(t.Context(), at, func(ctx context.Context, r change.Reader) error { return m.read(ctx, t, r, selects) })
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// read adds what a reader sees of the tables.
func (m mirror) read(ctx context.Context, t *testing.T, r change.Reader, selects []*change.Select) error {
	t.Helper()
	for _, s := range selects {
		b, all := &change.Batch{}, &change.Batch{Columns: len(s.Columns)}
		swap := func(full *change.Batch) (*change.Batch, error) {
			if full != nil {
				joinParts(all, full)
			}
			return b, nil
		}
		if _, err := r.Read(ctx, s, change.Range{}, 0, swap); err != nil {
			return err
		}
		for i := range all.Rows {
			m.change(t, s.Table.Name, rowText(all, i), 1)
		}
	}
	return nil
}

// A seen is one transaction of a feed, its rows as "table op count", or a DDL.
type seen struct {
	rows     []string
	ddl      []schema.Name
	after    change.Position
	position change.Position
}

var opNames = map[change.Op]string{change.Insert: "+", change.Update: "~", change.Delete: "-", change.Truncate: "truncate"}

// read follows until the feed has passed until, or meets DDL.
func read(t *testing.T, e *End, at change.Position, selects []*change.Select, until change.Position, into mirror) ([]seen, error) {
	t.Helper()
	var out []seen
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := e.Stream(ctx, at, selects, func(ctx context.Context, f change.Feed) error {
		var now *seen
		for {
			if now == nil {
				past, err := e.Includes(ctx, f.Position(), until)
				if err != nil || past {
					return err
				}
			}
			ev, err := f.Next(ctx)
			if err != nil {
				return err
			}
			switch ev.Kind {
			case change.EventBegin:
				if now != nil || ev.Txn == "" || time.Since(ev.Time).Abs() > time.Hour {
					t.Errorf("begin of %q at %s within %v", ev.Txn, ev.Time, now)
				}
				now = &seen{}
			case change.EventRows:
				into.apply(t, &ev.Rows)
				now.rows = append(now.rows, fmt.Sprintf("%s%s%d", ev.Rows.Table.Table.Name, opNames[ev.Rows.Op], max(ev.Rows.Old.Rows, ev.Rows.New.Rows)))
			case change.EventCommit:
				now.position = f.Position()
				out = append(out, *now)
				now = nil
			case change.EventDDL:
				out = append(out, seen{ddl: ev.DDL.Tables, after: ev.DDL.After, position: f.Position()})
				return nil
			case change.EventIdle:
				if now != nil {
					t.Error("idle within a transaction")
				}
			}
		}
	})
	return out, err
}

// selectAll is what a copy reads of every table.
func selectAll(t *testing.T, src *source) []*change.Select {
	t.Helper()
	var out []*change.Select
	for _, tb := range inspect(t, src).Tables {
		s := &change.Select{Table: tb, Columns: tb.Columns}
		if tb.PrimaryKey != nil {
			s = selectOf(tb, "")
		}
		out = append(out, s)
	}
	return out
}

func startOf(t *testing.T, e *End) change.Position {
	t.Helper()
	p, err := e.Position(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func endOf(t *testing.T, e *End) change.Position {
	t.Helper()
	p, err := e.End(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func texts2(all []seen) []string {
	var out []string
	for _, s := range all {
		if s.ddl != nil {
			out = append(out, fmt.Sprint("ddl ", s.ddl))
			continue
		}
		out = append(out, strings.Join(s.rows, " "))
	}
	return out
}

func openSQL(t *testing.T, url string) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", servertest.MySQLConfig(t, url).FormatDSN())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// name is the database's.
func (src *source) name(t *testing.T) string {
	t.Helper()
	return servertest.MySQLConfig(t, src.url).DBName
}

func quoteName(s string) string { return quote(schema.Name(s)) }

// xa runs an XA transaction up to PREPARE in a session of its own that ends.
func (src *source) xa(t *testing.T, id, body string) {
	t.Helper()
	src.Exec(t, src.url, "XA START '"+id+"'", body, "XA END '"+id+"'", "XA PREPARE '"+id+"'")
}

// xaEnd commits or rolls back once the session that prepared has gone.
func (src *source) xaEnd(t *testing.T, verb, id string) {
	t.Helper()
	db := openSQL(t, src.url)
	deadline := time.Now().Add(20 * time.Second)
	for {
		_, err := db.ExecContext(t.Context(), "XA "+verb+" '"+id+"'")
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("XA %s: %v", verb, err)
		}
	}
}

var feedTables = []string{
	"CREATE TABLE a (id INT PRIMARY KEY, v VARCHAR(40), d DECIMAL(10,2), ts TIMESTAMP(3) NULL)",
	"CREATE TABLE b (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, doc JSON, big LONGTEXT)",
	"CREATE TABLE keyless (x INT, y VARCHAR(10))",
	"CREATE TABLE plain (id INT PRIMARY KEY, v INT) ENGINE=MyISAM",
	"CREATE TABLE other (id INT PRIMARY KEY)",
}

// TestFeedTransactions follows transactions of all kinds, compares what they amount to with what a copy reads, and goes on from every position.
func TestFeedTransactions(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		src := open(t, s, feedTables...)
		id := strings.ReplaceAll(src.name(t), "bascule_test_", "")
		all := selectAll(t, src)
		selects := slices.DeleteFunc(slices.Clone(all), func(s *change.Select) bool { return s.Table.Name == "other" })
		start := startOf(t, src.end)
		mixed := "BEGIN"
		if !isMariaDB(s) {
			mixed = "SET autocommit = 1" // with GTIDs MySQL refuses to mix engines
		}
		elsewhere := open(t, s, "CREATE TABLE a (id INT PRIMARY KEY)")
		s.Exec(t, src.url,
			"INSERT INTO a VALUES (1, 'one', 1.5, NOW(3)), (2, NULL, NULL, NULL)",
			"BEGIN", "UPDATE a SET v = 'uno' WHERE id = 1", "INSERT INTO b (doc, big) VALUES ('{\"k\": [1, 2.5, \"x\"]}', 'text')", "DELETE FROM a WHERE id = 2", "COMMIT",
			"BEGIN", "INSERT INTO a VALUES (3, 'gone', 0, NULL)", "ROLLBACK",
			"BEGIN", "INSERT INTO a VALUES (4, 'four', 4, NULL)", "SAVEPOINT sp", "INSERT INTO a VALUES (5, 'gone', 5, NULL)", "ROLLBACK TO sp", "INSERT INTO keyless VALUES (1, 'x'), (1, 'x')", "COMMIT",
			"INSERT INTO other VALUES (1)",
			"INSERT INTO plain VALUES (1, 1), (2, 2)",
			mixed, "INSERT INTO a VALUES (6, 'mixed', 6, NULL)", "UPDATE plain SET v = 9 WHERE id = 1", "ROLLBACK", "DELETE FROM a WHERE id = 6",
			"UPDATE a SET id = 40 WHERE id = 4",
			"DELETE FROM keyless LIMIT 1",
			"INSERT INTO "+quoteName(elsewhere.name(t))+".a VALUES (1)",
		)
		src.xa(t, id+"1", "INSERT INTO a VALUES (10, 'xa', 1, NULL)")
		s.Exec(t, src.url, "INSERT INTO a VALUES (11, 'between', 1, NULL)")
		src.xa(t, id+"2", "INSERT INTO a VALUES (12, 'xa gone', 1, NULL)")
		src.xaEnd(t, "COMMIT", id+"1")
		src.xaEnd(t, "ROLLBACK", id+"2")
		s.Exec(t, src.url, "XA START '"+id+"3'", "INSERT INTO a VALUES (13, 'one phase', 1, NULL)", "XA END '"+id+"3'", "XA COMMIT '"+id+"3' ONE PHASE",
			"INSERT INTO keyless VALUES (7, 'y')", "TRUNCATE TABLE keyless", "INSERT INTO keyless VALUES (8, 'z')",
			"INSERT INTO b (big) VALUES (REPEAT('long', 700000)), ('short')")
		until := endOf(t, src.end)

		got := mirror{}
		txns, err := read(t, src.end, start, selects, until, got)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{
			"a+2", "a~1 b+1 a-1", "a+1 keyless+2", "plain+2", "plain~1", "a~1", "keyless-1", "a+1", "a+1", "a+1", "keyless+1", "keyless truncate0", "keyless+1",
		}
		if !isMariaDB(s) {
			want = slices.Insert(want, 4, "a+1")
			want = slices.Insert(want, 6, "a-1")
		}
		have := texts2(txns)
		for i := range have {
			have[i] = strings.ReplaceAll(have[i], "truncate0", " truncate0")
		}
		if diff := cmp.Diff(want, have[:len(have)-1]); diff != "" {
			t.Errorf("transactions (-want +got):\n%s", diff)
		}
		if last := have[len(have)-1]; last != "b+2" && last != "b+1 b+1" {
			t.Errorf("the last one is %q", last)
		}
		if diff := cmp.Diff(stored(t, src.end, selects), got); diff != "" {
			t.Errorf("the tables differ from what was followed (-stored +followed):\n%.2000s", diff)
		}
		for i, at := range txns {
			rest, err := read(t, src.end, at.position, selects, until, nil)
			if err != nil {
				t.Fatalf("from %s: %v", at.position, err)
			}
			if diff := cmp.Diff(texts2(txns[i+1:]), texts2(rest)); diff != "" {
				t.Errorf("behind transaction %d, %s (-want +got):\n%s", i, at.position, diff)
			}
		}
	})
}

// TestFeedSeeksXA looks for prepared rows in an older file, where the table was another one at first.
func TestFeedSeeksXA(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		src := open(t, s, "CREATE TABLE a (id INT PRIMARY KEY, w INT, v LONGTEXT)", "INSERT INTO a VALUES (8, 1, 'as it was')", "ALTER TABLE a DROP COLUMN w", "DELETE FROM a")
		id := strings.ReplaceAll(src.name(t), "bascule_test_", "")
		selects := selectAll(t, src)
		s.Exec(t, src.url, "INSERT INTO a VALUES (9, 'of no interest')")
		src.xa(t, id+"1", "INSERT INTO a VALUES (1, 'before'), (2, REPEAT('x', 18000000))") // more than memory holds
		src.xa(t, id+"2", "INSERT INTO a VALUES (3, 'never')")
		s.Exec(t, src.url, "DELETE FROM a WHERE id = 9", "FLUSH BINARY LOGS")
		start := startOf(t, src.end)
		s.Exec(t, src.url, "INSERT INTO a VALUES (4, 'after')")
		src.xaEnd(t, "ROLLBACK", id+"2")
		src.xaEnd(t, "COMMIT", id+"1")
		got := mirror{}
		txns, err := read(t, src.end, start, selects, endOf(t, src.end), got)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(txns); n != 2 || len(txns[1].rows) == 0 {
			t.Errorf("transactions %q", texts2(txns))
		}
		if diff := cmp.Diff(stored(t, src.end, selects), got); diff != "" {
			t.Errorf("the table differs (-stored +followed):\n%.500s", diff)
		}
	})
}

func TestFeedDDL(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		base := []string{"CREATE TABLE a (id INT PRIMARY KEY, v INT)", "CREATE TABLE `_a_gho` (id INT PRIMARY KEY, v INT, w INT)", "CREATE TABLE `odd name` (id INT PRIMARY KEY)"}
		cases := map[string]struct {
			sql  []string
			want []schema.Name
		}{
			"add column":   {[]string{"ALTER TABLE a ADD COLUMN n INT"}, []schema.Name{"a"}},
			"index":        {[]string{"CREATE INDEX i ON a (v)"}, []schema.Name{"a"}},
			"rename":       {[]string{"RENAME TABLE a TO b"}, []schema.Name{"a", "b"}},
			"gh-ost":       {[]string{"RENAME TABLE a TO _a_del, _a_gho TO a"}, []schema.Name{"a", "_a_del", "_a_gho"}},
			"drop":         {[]string{"DROP TABLE IF EXISTS nothing, a"}, []schema.Name{"a", "nothing"}},
			"odd name":     {[]string{"ALTER TABLE `odd name` ENGINE=InnoDB"}, []schema.Name{"odd name"}},
			"qualified":    {[]string{"USE mysql", "ALTER TABLE {db}.a ADD m INT"}, []schema.Name{"a"}},
			"ansi quotes":  {[]string{"SET sql_mode = 'ANSI_QUOTES'", `ALTER TABLE "a" ADD m INT`}, []schema.Name{"a"}},
			"like another": {[]string{"CREATE TABLE c LIKE a"}, []schema.Name{"c"}},
			"not followed": {[]string{"ALTER TABLE `_a_gho` ADD n INT"}, []schema.Name{"_a_gho"}},
			"no table": {[]string{
				"CREATE VIEW w AS SELECT id FROM a", "CREATE TRIGGER tr BEFORE INSERT ON a FOR EACH ROW SET NEW.v = 1", "CREATE PROCEDURE p() DELETE FROM a",
				"CREATE TABLE IF NOT EXISTS a (id INT)", "DROP VIEW w", "DROP PROCEDURE p", "ANALYZE TABLE a", "CREATE TEMPORARY TABLE tmp (id INT)", "DROP TEMPORARY TABLE tmp",
				"ALTER DATABASE {db} CHARACTER SET latin1", "DROP TRIGGER tr", "ALTER TABLE a AUTO_INCREMENT = 90", "ALTER TABLE {db}.a /* to */ auto_increment 95",
				"CREATE EVENT e ON SCHEDULE EVERY 1 DAY STARTS '2037-01-01 00:00:00' DO DELETE FROM a", "ALTER DEFINER = `a`@`table` EVENT e DISABLE", "DROP EVENT e",
				"CREATE DEFINER = `a`@`table` TRIGGER tr BEFORE INSERT ON a FOR EACH ROW BEGIN DELETE FROM `odd name`; END", "DROP TRIGGER tr",
			}, nil},
			"counter and more": {[]string{"ALTER TABLE a AUTO_INCREMENT = 90, ADD m INT"}, []schema.Name{"a"}},
			"counter, engine":  {[]string{"ALTER TABLE a AUTO_INCREMENT = 90 ENGINE = InnoDB"}, []schema.Name{"a"}},
			"drop database":    {[]string{"DROP DATABASE {db}", "CREATE DATABASE {db}"}, []schema.Name{"a", "odd name"}},
		}
		for name, tc := range cases {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				src := open(t, s, base...)
				selects := slices.DeleteFunc(selectAll(t, src), func(s *change.Select) bool { return s.Table.Name == "_a_gho" })
				start := startOf(t, src.end)
				s.Exec(t, src.url, "INSERT INTO a VALUES (1, 1)")
				var sql []string
				for _, q := range tc.sql {
					sql = append(sql, strings.ReplaceAll(q, "{db}", quoteName(src.name(t))))
				}
				s.Exec(t, src.url, sql...)
				if tc.want == nil {
					s.Exec(t, src.url, "INSERT INTO a VALUES (2, 1)")
				}
				until := endOf(t, src.end)
				txns, err := read(t, src.end, start, selects, until, nil)
				if err != nil {
					t.Fatal(err)
				}
				want := []string{"a+1", "a+1"}
				if tc.want != nil {
					want[1] = fmt.Sprint("ddl ", tc.want)
				}
				if diff := cmp.Diff(want, texts2(txns)); diff != "" {
					t.Fatalf("(-want +got):\n%s", diff)
				}
				if tc.want == nil {
					return
				}
				ddl := txns[1]
				if again, err := read(t, src.end, ddl.position, selects, until, nil); err != nil || len(again) != 1 || again[0].ddl == nil {
					t.Errorf("from before it: %v, %v", again, err)
				}
				if again, err := read(t, src.end, ddl.after, selects, until, nil); err != nil || len(again) != 0 {
					t.Errorf("from behind it: %q, %v", texts2(again), err)
				}
			})
		}
	})
}

func TestFeedRefusesStatements(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		src := open(t, s, "CREATE TABLE a (id INT PRIMARY KEY, v INT)", "CREATE TABLE other (id INT PRIMARY KEY)")
		selects := slices.DeleteFunc(selectAll(t, src), func(s *change.Select) bool { return s.Table.Name == "other" })
		start := startOf(t, src.end)
		s.Exec(t, src.url, "SET SESSION binlog_format = STATEMENT", "INSERT INTO other VALUES (1)")
		if txns, err := read(t, src.end, start, selects, endOf(t, src.end), nil); err != nil || len(txns) != 0 {
			t.Errorf("a statement on another table: %v, %v", txns, err)
		}
		s.Exec(t, src.url, "SET SESSION binlog_format = STATEMENT", "INSERT INTO a VALUES (1, 1)")
		_, err := read(t, src.end, start, selects, endOf(t, src.end), nil)
		if fault.ClassOf(err) != fault.Unsupported || !strings.Contains(fault.HintOf(err), "binlog_format = ROW") {
			t.Errorf("a statement on a followed table: %v (%s)", err, fault.HintOf(err))
		}
	})
}

// TestFeedCharsets fills a column of every character set with what the server can store in it.
func TestFeedCharsets(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		src := open(t, s)
		var tables, inserts []string
		sample := "aZ~ é ß Ω я ש ا ก 一 亜 ア ｱ 가 € ı Ł „ 丂 ～ ¥ \\ 龥 𠀀 😀"
		for i, row := range s.Query(t, src.url, "SHOW CHARACTER SET") {
			cs := row[0]
			if cs == "binary" || cs == "filename" {
				continue
			}
			name := fmt.Sprintf("t%02d_%s", i, cs)
			tables = append(tables, fmt.Sprintf("CREATE TABLE %s (id INT PRIMARY KEY, c CHAR(60) CHARACTER SET %s, v TEXT CHARACTER SET %s, e ENUM('a', 'b') CHARACTER SET %s)", name, cs, cs, cs))
			inserts = append(inserts, fmt.Sprintf("INSERT INTO %s VALUES (1, '%s', '%s', 'b')", name, sample, strings.ReplaceAll(sample, `\`, `\\`)))
			if row[3] == "1" && cs != "ascii" {
				inserts = append(inserts, fmt.Sprintf("INSERT INTO %s (id, v) VALUES (2, CONVERT(0x%x USING %s))", name, allBytes(), cs))
			}
		}
		s.Exec(t, src.url, tables...)
		selects := selectAll(t, src)
		start := startOf(t, src.end)
		s.Exec(t, src.url, append([]string{"SET NAMES utf8mb4, sql_mode = ''"}, inserts...)...)
		got := mirror{}
		if _, err := read(t, src.end, start, selects, endOf(t, src.end), got); err != nil {
			t.Fatal(err)
		}
		want := stored(t, src.end, selects)
		for _, n := range slices.Sorted(maps.Keys(want)) {
			if diff := cmp.Diff(want[n], got[n]); diff != "" {
				t.Errorf("%s (-copied +followed):\n%.1500s", n, diff)
			}
		}
	})
}

func allBytes() []byte {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

// TestFeedOverAnyConnection reads a large row through TLS and compression.
func TestFeedOverAnyConnection(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		src := open(t, s, "CREATE TABLE a (id INT PRIMARY KEY, v LONGBLOB)")
		selects := selectAll(t, src)
		start := startOf(t, src.end)
		s.Exec(t, src.url, "INSERT INTO a VALUES (1, REPEAT('0123456789', 2000000)), (2, 'x')", "UPDATE a SET id = 3 WHERE id = 1")
		until, want := endOf(t, src.end), stored(t, src.end, selects)
		for _, params := range []string{"ssl-mode=REQUIRED&compression=zstd", "ssl-mode=DISABLED&compression=zlib", "ssl-mode=DISABLED"} {
			got := mirror{}
			if _, err := read(t, openURL(t, src.url+"?"+params), start, selects, until, got); err != nil {
				t.Fatalf("%s: %v", params, err)
			}
			if !maps.Equal(got["a"], want["a"]) {
				t.Errorf("%s: rows differ", params)
			}
		}
	})
}

// TestFeedIsKilled ends the dump on the server, which is a broken connection after which the feed goes on.
func TestFeedIsKilled(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		src := open(t, s, "CREATE TABLE a (id INT PRIMARY KEY)")
		selects := selectAll(t, src)
		at := startOf(t, src.end)
		err := src.end.Stream(t.Context(), at, selects, func(ctx context.Context, f change.Feed) error {
			s.Exec(t, src.url, "INSERT INTO a VALUES (1)")
			for {
				ev, err := f.Next(ctx)
				if err != nil {
					return err
				}
				if ev.Kind == change.EventCommit {
					at = f.Position()
					s.Exec(t, src.url, fmt.Sprintf("KILL %d", f.(*feed).conn.ConnectionID()))
				}
			}
		})
		if fault.ClassOf(err) != fault.Connect {
			t.Errorf("killed: %v", err)
		}
		s.Exec(t, src.url, "INSERT INTO a VALUES (2)")
		if txns, err := read(t, src.end, at, selects, endOf(t, src.end), nil); err != nil || len(txns) != 1 {
			t.Errorf("after it: %v, %v", txns, err)
		}
	})
}

func TestFeedLagAndIdle(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		src := open(t, s, "CREATE TABLE a (id INT PRIMARY KEY, v LONGTEXT)")
		selects := selectAll(t, src)
		start := startOf(t, src.end)
		s.Exec(t, src.url, "INSERT INTO a VALUES (1, REPEAT('x', 3000000))")
		err := src.end.Stream(t.Context(), start, selects, func(ctx context.Context, f change.Feed) error {
			deadline := time.Now().Add(20 * time.Second)
			for f.Lag() < 3000000 {
				if _, err := f.Next(ctx); err != nil {
					return err
				}
				if time.Now().After(deadline) {
					return errors.New("the lag was never known")
				}
				f.(*feed).off = 4 // as if nothing had been read
			}
			for range 3 {
				for {
					ev, err := f.Next(ctx)
					if err != nil {
						return err
					}
					if ev.Kind == change.EventIdle {
						break
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// TestFeedNeedsRights names the GRANT that is missing.
func TestFeedNeedsRights(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		src := open(t, s, "CREATE TABLE a (id INT PRIMARY KEY)")
		selects := selectAll(t, src)
		user := "f" + strings.TrimPrefix(src.name(t), "bascule_test_")[:12]
		s.Exec(t, src.url, "CREATE USER "+user+" IDENTIFIED BY 'pw'", "GRANT SELECT ON "+quoteName(src.name(t))+".* TO "+user)
		defer s.Exec(t, src.url, "DROP USER "+user)
		poor := openURL(t, "mysql://"+user+":pw@"+s.Host()+"/"+src.name(t)+"?ssl-mode=REQUIRED")
		start := startOf(t, src.end)
		_, err := read(t, poor, start, selects, endOf(t, src.end), nil)
		if fault.ClassOf(err) != fault.Privilege || !strings.Contains(fault.HintOf(err), "GRANT REPLICATION SLAVE ON *.* TO") {
			t.Errorf("without rights: %v (%s)", err, fault.HintOf(err))
		}
		right := "REPLICATION CLIENT"
		if isMariaDB(s) {
			right = "BINLOG MONITOR"
		}
		s.Exec(t, src.url, "GRANT REPLICATION SLAVE, "+right+" ON *.* TO "+user, "INSERT INTO a VALUES (1)")
		if txns, err := read(t, poor, start, selects, endOf(t, poor), nil); err != nil || len(txns) != 1 {
			t.Errorf("with both rights: %v, %v", txns, err)
		}
	})
}
