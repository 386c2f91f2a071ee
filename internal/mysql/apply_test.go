package mysql

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
	"github.com/bascule/bascule/internal/servertest"
)

// verbatim are codecs for values that are in MySQL's form already.
func verbatim(table schema.Name, key []int, columns ...schema.Name) *change.Replica {
	r := &change.Replica{Into: &change.Into{Table: table, Columns: columns}, Key: key}
	for range columns {
		r.Into.Codecs = append(r.Into.Codecs, change.Codec{Verbatim: true})
	}
	return r
}

// batchOf makes rows: an int is an INT, nil is NULL.
func batchOf(columns int, values ...any) change.Batch {
	b := change.Batch{Columns: columns, Rows: len(values) / columns}
	for _, v := range values {
		at := len(b.Data)
		switch v := v.(type) {
		case nil:
			b.Spans = append(b.Spans, change.Span{Len: change.NullLen})
			continue
		case int:
			b.Data = append(b.Data, byte(v), byte(v>>8), byte(v>>16), byte(v>>24))
		case string:
			b.Data = append(b.Data, v...)
		}
		b.Spans = append(b.Spans, change.Span{Off: uint32(at), Len: uint32(len(b.Data) - at)})
	}
	return b
}

func step(ts ...change.TableStep) change.Step { return change.Step{Tables: ts} }

// applying runs fn in a session for the tables.
func applying(t *testing.T, e *End, r *change.Record, fn func(ctx context.Context, s change.Session), tables ...*change.Replica) {
	t.Helper()
	err := e.Applying(t.Context(), r, "the test", tables, func(ctx context.Context, s change.Session) error {
		fn(ctx, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestApplyStep swaps unique values, adds and removes rows without a key, empties a table, and keeps the mark with the rows.
func TestApplyStep(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		src := s.Database(t)
		s.Exec(t, src, "CREATE TABLE t (id INT PRIMARY KEY, u VARCHAR(20) NOT NULL UNIQUE)", "INSERT INTO t VALUES (1, 'a'), (2, 'b')",
			"CREATE TABLE k (a VARCHAR(10) NULL, n INT NULL, KEY (a))", "INSERT INTO k VALUES ('x', 1), ('X', 1), ('x', 1), (NULL, NULL)",
			"CREATE TABLE c (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES t (id) ON DELETE CASCADE)", "INSERT INTO c VALUES (1, 1), (2, 2)")
		e, rec := applyEnd(t, src), newRecord()
		tb, k := verbatim("t", []int{0}, "id", "u"), verbatim("k", nil, "a", "n")
		at := time.Date(2026, 11, 26, 1, 2, 3, 456789000, time.UTC)
		applying(t, e, rec, func(ctx context.Context, ses change.Session) {
			if m, err := ses.Mark(ctx); err != nil || m != (change.Mark{}) {
				t.Errorf("the first mark: %+v, %v", m, err)
			}
			err := commit(ctx, ses, change.Mark{Position: "lsn:0/1", Time: at, Txns: 3, Rows: 7},
				step(change.TableStep{Table: tb, Delete: batchOf(1, 1, 2, 3), Insert: batchOf(2, 1, "b", 2, "a", 3, "c")},
					change.TableStep{Table: k, Delete: batchOf(2, "X", 1, nil, nil), Insert: batchOf(2, "y", 2)}))
			if err != nil {
				t.Error(err)
			}
			want(t, s, src, "SELECT id, u FROM t ORDER BY id", "1 b", "2 a", "3 c")
			want(t, s, src, "SELECT HEX(a), n FROM k ORDER BY 1", "78 1", "78 1", "79 2")
			want(t, s, src, "SELECT COUNT(*) FROM c", "2") // no foreign key acted

			a, err := ses.Begin(ctx)
			if err != nil {
				t.Fatal(err)
			}
			st := step(change.TableStep{Table: tb, Truncate: true, Insert: batchOf(2, 9, "z")})
			if err := a.Apply(ctx, &st); err != nil {
				t.Error(err)
			}
			if err := ses.Rollback(ctx); err != nil {
				t.Error(err)
			}
			want(t, s, src, "SELECT COUNT(*) FROM t", "3")

			err = commit(ctx, ses, change.Mark{}, step(change.TableStep{Table: k, Delete: batchOf(2, "X", 1)}))
			if fault.ClassOf(err) != fault.Data || !strings.Contains(err.Error(), "k, row a=\"X\"") {
				t.Errorf("a row that is not there: %v", err)
			}
			if err := ses.Rollback(ctx); err != nil {
				t.Error(err)
			}
			err = commit(ctx, ses, change.Mark{}, change.Step{Cascades: []change.Cascade{{Table: tb}}})
			if err == nil {
				t.Error("a cascade was taken")
			}
		}, tb, k)
		applying(t, e, rec, func(ctx context.Context, ses change.Session) {
			m, err := ses.Mark(ctx)
			if want := (change.Mark{Position: "lsn:0/1", Time: at, Txns: 3, Rows: 7}); err != nil || m != want {
				t.Errorf("mark %+v, %v, want %+v", m, err, want)
			}
		}, tb, k)
	})
}

// want compares a query's rows, columns joined by spaces.
func want(t testing.TB, s *servertest.Server, dbURL, query string, rows ...string) {
	t.Helper()
	var got []string
	for _, r := range s.Query(t, dbURL, query) {
		got = append(got, strings.Join(r, " "))
	}
	if strings.Join(got, "\n") != strings.Join(rows, "\n") {
		t.Errorf("%s:\n%q, want\n%q", query, got, rows)
	}
}

// TestApplyRefuses hands over what the old side cannot hold; each is a data error that names table, column and key.
func TestApplyRefuses(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		src := s.Database(t)
		s.Exec(t, src, "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(3) NOT NULL, l VARCHAR(9) CHARACTER SET latin1 COLLATE latin1_swedish_ci NULL, e ENUM('a') NULL, j JSON NULL, u VARCHAR(9) COLLATE utf8mb4_general_ci UNIQUE, "+
			"n SMALLINT NULL, ts TIMESTAMP NULL, CHECK (id < 1000))")
		e := applyEnd(t, src)
		tb := verbatim("t", []int{0}, "id", "v", "l", "e", "j", "u")
		applying(t, e, newRecord(), func(ctx context.Context, ses change.Session) {
			for name, bad := range map[string]struct {
				row  []any
				says string
			}{
				"too long":        {[]any{7, "abcd", nil, nil, nil, nil}, "'v'"},
				"too many spaces": {[]any{7, "abc ", nil, nil, nil, nil}, "'v'"},
				"charset":         {[]any{7, "a", "日", nil, nil, nil}, "l"},
				"enum":            {[]any{7, "a", nil, "b", nil, nil}, "'e'"},
				"json":            {[]any{7, "a", nil, nil, "{", nil}, "j"},
				"NULL":            {[]any{7, nil, nil, nil, nil, nil}, `"v"`},
				"unique":          {[]any{7, "a", nil, nil, nil, "OTHER"}, "OTHER"},
				"check":           {[]any{7000, "a", nil, nil, nil, nil}, ""},
			} {
				rows := append([]any{6, "a", nil, nil, nil, "other"}, bad.row...)
				b := batchOf(6, rows...)
				err := commit(ctx, ses, change.Mark{}, step(change.TableStep{Table: tb, Insert: b}))
				if fault.ClassOf(err) != fault.Data || !strings.Contains(err.Error(), bad.says) || !strings.Contains(err.Error(), "insert into t") {
					t.Errorf("%s: %v", name, err)
				}
				if !strings.Contains(err.Error(), "row id=\"7") {
					t.Errorf("%s: no key in %v", name, err)
				}
				if err := ses.Rollback(ctx); err != nil {
					t.Fatal(err)
				}
			}
			want(t, s, src, "SELECT COUNT(*) FROM t", "0")
		}, tb)
	})
}

// TestApplyMany applies more rows than one statement holds, a value of 5 MB among them, and deletes them without reading the table.
func TestApplyMany(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		src := s.Database(t)
		s.Exec(t, src, "CREATE TABLE t (id INT, s VARCHAR(20) CHARACTER SET latin1, v LONGTEXT, PRIMARY KEY (id, s))")
		const n = 1500
		big := strings.Repeat("x", 5<<20)
		var rows, keys []any
		for i := range n {
			v := "v" + strconv.Itoa(i)
			if i == 700 {
				v = big
			}
			rows = append(rows, i, "é"+strconv.Itoa(i), v)
			keys = append(keys, i, "é"+strconv.Itoa(i))
		}
		e := applyEnd(t, src)
		tb := verbatim("t", []int{0, 1}, "id", "s", "v")
		applying(t, e, newRecord(), func(ctx context.Context, ses change.Session) {
			if err := commit(ctx, ses, change.Mark{}, step(change.TableStep{Table: tb, Insert: batchOf(3, rows...)})); err != nil {
				t.Fatal(err)
			}
			want(t, s, src, "SELECT COUNT(*), COUNT(DISTINCT id), MAX(LENGTH(v)), MAX(LENGTH(s)) FROM t", fmt.Sprintf("%d %d %d 5", n, n, len(big)))
			r := ses.(*applySession).r
			if err := r.exec(ctx, "FLUSH STATUS"); err != nil {
				t.Fatal(err)
			}
			if err := commit(ctx, ses, change.Mark{}, step(change.TableStep{Table: tb, Delete: batchOf(2, keys[:2*(n-7)]...)})); err != nil {
				t.Fatal(err)
			}
			if rows := scanned(ctx, t, r); rows > n { // towards the end the table is so small that reading it costs less
				t.Errorf("deleting by key read %d rows in table order", rows)
			}
			want(t, s, src, "SELECT COUNT(*) FROM t", "7")
		}, tb)
	})
}

// scanned is how many rows this session has read in table order.
func scanned(ctx context.Context, t *testing.T, r *reader) int {
	t.Helper()
	row, err := r.row(ctx, "SHOW SESSION STATUS LIKE 'Handler_read_rnd_next'")
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(row[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestApplyHeld has two processes want the same way back, and kills a session at its commit.
func TestApplyHeld(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		src := s.Database(t)
		s.Exec(t, src, "CREATE TABLE t (id INT PRIMARY KEY, v INT)")
		e, other, rec := applyEnd(t, src), applyEnd(t, src), newRecord()
		tb := verbatim("t", []int{0}, "id", "v")
		ctx := t.Context()
		err := e.Applying(ctx, rec, "one@here", []*change.Replica{tb}, func(ctx context.Context, ses change.Session) error {
			err := other.Applying(ctx, rec, "two@there", []*change.Replica{tb}, func(context.Context, change.Session) error { return nil })
			if fault.ClassOf(err) != fault.Busy || !strings.Contains(err.Error(), "one@here has held it since 2") {
				t.Errorf("a second holder: %v", err)
			}
			if err := commit(ctx, ses, change.Mark{Position: "lsn:0/1"}, step(change.TableStep{Table: tb, Insert: batchOf(2, 1, 1)})); err != nil {
				return err
			}
			a, err := ses.Begin(ctx)
			if err != nil {
				return err
			}
			st := step(change.TableStep{Table: tb, Delete: batchOf(1, 1, 2), Insert: batchOf(2, 1, 5, 2, 2)})
			if err := a.Apply(ctx, &st); err != nil {
				return err
			}
			s.Exec(t, src, "KILL "+strconv.FormatUint(uint64(ses.(*applySession).r.conn.ConnectionID()), 10))
			err = a.Commit(ctx, change.Mark{Position: "lsn:0/2"})
			if fault.ClassOf(err) != fault.Connect {
				t.Errorf("commit of a killed session: %v", err)
			}
			return err
		})
		if fault.ClassOf(err) != fault.Connect {
			t.Fatal(err)
		}
		eventually(t, func() error {
			return other.Applying(ctx, rec, "two@there", []*change.Replica{tb}, func(ctx context.Context, ses change.Session) error {
				m, err := ses.Mark(ctx)
				if err != nil || m.Position != "lsn:0/1" {
					t.Errorf("mark %+v, %v", m, err)
				}
				return nil
			})
		})
		want(t, s, src, "SELECT id, v FROM t", "1 1")
	})
}

// eventually repeats fn until it gives no error.
func eventually(t *testing.T, fn func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var err error
	for {
		if err = fn(); err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatal(errors.Join(err, ctx.Err()))
		case <-tick.C:
		}
	}
}
