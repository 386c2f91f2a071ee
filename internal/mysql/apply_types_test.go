package mysql

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/convert"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
	"github.com/bascule/bascule/internal/servertest"
)

// applyEnd opens a database whose ledger is in it too, so that it goes with it.
func applyEnd(t testing.TB, dbURL string) *End {
	t.Helper()
	cfg, err := ParseConfig(dbURL)
	if err != nil {
		t.Fatal(err)
	}
	e, err := Open(t.Context(), cfg, Options{Throttle: Throttle{MaxThreadsRunning: -1}, Ledger: cfg.Database})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func newRecord() *change.Record { return &change.Record{ID: rand.Int64N(1 << 60)} }

func databaseOf(t testing.TB, dbURL string) string {
	t.Helper()
	u, err := url.Parse(dbURL)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(u.Path, "/")
}

// planOf plans the conversion of a whole database, as a migration does.
func planOf(t testing.TB, e *End, o convert.Options) *convert.Plan {
	t.Helper()
	db, err := e.Inspect(t.Context(), change.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	answers, err := e.Answer(t.Context(), db, convert.Questions(db, o))
	if err != nil {
		t.Fatal(err)
	}
	p, err := convert.New(convert.Input{Source: db, Answers: answers, Options: o, Target: change.Capabilities{Version: 180000, PostGIS: true, ICU: true}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// framed makes a codec of the way back whose fields have the framing that appliers take.
func framed(back convert.BackCodec) change.Codec {
	return change.Codec{Append: func(dst, src []byte) ([]byte, error) {
		at := len(dst)
		dst, err := back(append(dst, 0, 0, 0, 0), src)
		if err != nil {
			return dst, err
		}
		n := len(dst) - at - 4
		dst[at], dst[at+1], dst[at+2], dst[at+3] = byte(n>>24), byte(n>>16), byte(n>>8), byte(n)
		return dst, nil
	}}
}

// replicaOf is the way back of a planned table.
func replicaOf(t testing.TB, p *convert.Table) *change.Replica {
	t.Helper()
	codecs, err := p.Back()
	if err != nil {
		t.Fatal(err)
	}
	r := &change.Replica{Into: &change.Into{Table: p.Select.Table.Name}}
	for i, c := range p.Select.Columns {
		r.Into.Columns = append(r.Into.Columns, c.Name)
		r.Into.Codecs = append(r.Into.Codecs, framed(codecs[i]))
	}
	if len(p.Select.Key) > 0 {
		if r.Key = keyPositions(&p.Select); r.Key == nil {
			t.Fatalf("%s: its key does not travel", p.Select.Table.Name)
		}
	}
	return r
}

// postgresRows reads a table and gives its rows as PostgreSQL's binary form, which the forward codecs make.
func postgresRows(t testing.TB, e *End, p *convert.Table) *change.Batch {
	t.Helper()
	into, err := p.Into(change.Losses{})
	if err != nil {
		t.Fatal(err)
	}
	out := &change.Batch{Columns: len(into.Columns)}
	convertAll := func(b *change.Batch) error {
		for i := range b.Rows {
			for j, s := range b.Row(i) {
				at := len(out.Data)
				if s.Null() {
					out.Spans = append(out.Spans, change.Span{Len: change.NullLen})
					continue
				}
				var err error
				if out.Data, err = into.Codecs[j].Append(out.Data, b.Bytes(s)); err != nil {
					return err
				}
				out.Spans = append(out.Spans, change.Span{Off: uint32(at + 4), Len: uint32(len(out.Data) - at - 4)})
			}
			out.Rows++
		}
		return nil
	}
	err = e.Lane(t.Context(), "none:", func(ctx context.Context, r change.Reader) error {
		b, all := &change.Batch{}, &change.Batch{Columns: len(into.Columns)}
		_, err := r.Read(ctx, &p.Select, change.Range{}, 0, func(full *change.Batch) (*change.Batch, error) {
			if full != nil {
				joinParts(all, full)
			}
			return b, nil
		})
		return errors.Join(err, convertAll(all))
	})
	if err != nil {
		t.Fatalf("%s: %v", p.Select.Table.Name, err)
	}
	return out
}

// keysOf picks the key columns of rows.
func keysOf(r *change.Replica, b *change.Batch) change.Batch {
	if len(r.Key) == 0 {
		return *b
	}
	k := change.Batch{Data: b.Data, Rows: b.Rows, Columns: len(r.Key)}
	for i := range b.Rows {
		for _, c := range r.Key {
			k.Spans = append(k.Spans, b.Row(i)[c])
		}
	}
	return k
}

// commit applies steps in one transaction.
func commit(ctx context.Context, s change.Session, m change.Mark, steps ...change.Step) error {
	a, err := s.Begin(ctx)
	if err != nil {
		return err
	}
	for i := range steps {
		if err := a.Apply(ctx, &steps[i]); err != nil {
			return err
		}
	}
	return a.Commit(ctx, m)
}

// TestApplyTypes takes the edge values of every type from one database through PostgreSQL's form into another, and lets the server compare
// the two; then it deletes every row again, by key and whole.
func TestApplyTypes(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		from, to := s.Database(t), s.Database(t)
		file := "../crosscheck/testdata/types_" + s.Name + ".sql"
		s.LoadFile(t, from, file)
		s.LoadFile(t, to, file)
		// MySQL reads a JSON text's fraction as a double; a decimal inside JSON comes from functions alone.
		s.Exec(t, from, "DELETE FROM c07_json WHERE what = 'opaque decimal'")
		src, dst := openURL(t, from), applyEnd(t, to)
		p := planOf(t, src, convert.Options{})
		var replicas []*change.Replica
		var rows []*change.Batch
		empty := []string{"SET foreign_key_checks = 0"}
		for _, tb := range p.Tables {
			if strings.HasPrefix(string(tb.Select.Table.Name), "loss_") {
				continue
			}
			replicas = append(replicas, replicaOf(t, tb))
			rows = append(rows, postgresRows(t, src, tb))
			empty = append(empty, "TRUNCATE TABLE "+quote(tb.Select.Table.Name))
		}
		s.Exec(t, to, empty...)
		err := dst.Applying(t.Context(), newRecord(), "test", replicas, func(ctx context.Context, ses change.Session) error {
			for i, r := range replicas {
				if err := commit(ctx, ses, change.Mark{}, change.Step{Tables: []change.TableStep{{Table: r, Insert: *rows[i]}}}); err != nil {
					// Strict modes take the invalid value of an ENUM from nobody.
					if r.Into.Table != "c05_enum_invalid" || fault.ClassOf(err) != fault.Data {
						t.Errorf("insert: %v", err)
					}
					rows[i].Reset(rows[i].Columns)
					if err := ses.Rollback(ctx); err != nil {
						return err
					}
					continue
				}
				same(t, s, from, to, r.Into.Table)
			}
			for i, r := range replicas {
				if err := commit(ctx, ses, change.Mark{}, change.Step{Tables: []change.TableStep{{Table: r, Delete: keysOf(r, rows[i])}}}); err != nil {
					t.Errorf("delete: %v", err)
					if err := ses.Rollback(ctx); err != nil {
						return err
					}
				}
				if n := s.Query(t, to, "SELECT COUNT(*) FROM "+quote(r.Into.Table))[0][0]; n != "0" {
					t.Errorf("%s: %s rows are left", r.Into.Table, n)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d tables", len(replicas))
	})
}

// same has the server compare a table in two databases.
func same(t testing.TB, s *servertest.Server, one, other string, table schema.Name) {
	t.Helper()
	a, b := databaseOf(t, one), databaseOf(t, other)
	sums := s.Query(t, one, fmt.Sprintf("CHECKSUM TABLE `%s`.%s, `%s`.%s EXTENDED", a, quote(table), b, quote(table)))
	if sums[0][1] != sums[1][1] || sums[0][1] == servertest.Null {
		t.Errorf("%s: the tables differ: %v\n%s", table, sums, strings.Join(difference(t, s, a, b, table), "\n"))
	}
}

// difference lists rows that one of the tables has and the other does not, a few of them.
func difference(t testing.TB, s *servertest.Server, a, b string, table schema.Name) []string {
	t.Helper()
	var out []string
	read := func(db string) map[string]int {
		m := map[string]int{}
		for _, r := range s.Query(t, s.URL, fmt.Sprintf("SELECT * FROM `%s`.%s", db, quote(table))) {
			m[fmt.Sprintf("%.300q", r)]++
		}
		return m
	}
	ra, rb := read(a), read(b)
	for r, n := range ra {
		if rb[r] != n && len(out) < 5 {
			out = append(out, "- "+r)
		}
	}
	for r, n := range rb {
		if ra[r] != n && len(out) < 10 {
			out = append(out, "+ "+r)
		}
	}
	return out
}
