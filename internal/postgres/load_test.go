package postgres

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/schema"
)

// loaded is a column of the load test: its value in row i as PostgreSQL's binary
// payload, and the same value as SQL over i, against which it is compared.
type loaded struct {
	typ, sql string
	payload  func(i uint64) []byte
}

func be(bits int, v uint64) []byte {
	b := binary.BigEndian.AppendUint64(nil, v)
	return b[8-bits/8:]
}

// micros2000 is 2024-01-01 in microseconds since 2000-01-01.
const micros2000 = 8766 * 86400 * 1_000_000

func everyType() []loaded {
	return []loaded{
		{"bigint", "i * 3 - 7", func(i uint64) []byte { return be(64, i*3-7) }},
		{"integer", "i", func(i uint64) []byte { return be(32, i) }},
		{"smallint", "i % 30000", func(i uint64) []byte { return be(16, i%30000) }},
		{"boolean", "i % 2 = 1", func(i uint64) []byte { return []byte{byte(i % 2)} }},
		{"double precision", "i / 8.0", func(i uint64) []byte { return be(64, math.Float64bits(float64(i)/8)) }},
		{"real", "i / 2.0", func(i uint64) []byte { return be(32, uint64(math.Float32bits(float32(i)/2))) }},
		// numeric: digits base 10000, weight, sign, scale, digits.
		{"numeric(9,2)", "(i % 10000) + 0.25", func(i uint64) []byte {
			return bytes.Join([][]byte{be(16, 2), be(16, 0), be(16, 0), be(16, 2), be(16, i%10000), be(16, 2500)}, nil)
		}},
		{"text", `'é' || i || E'\\\n'`, func(i uint64) []byte { return fmt.Appendf(nil, "é%d\\\n", i) }},
		{"varchar(20)", "repeat('x', (i % 20)::int)", func(i uint64) []byte { return bytes.Repeat([]byte("x"), int(i%20)) }},
		{"bytea", `'\x00ff'::bytea`, func(uint64) []byte { return []byte{0, 255} }},
		{"bit(5)", "(i % 32)::int::bit(5)", func(i uint64) []byte { return append(be(32, 5), byte(i%32)<<3) }},
		{"date", "date '2000-01-01' + i::int % 9000", func(i uint64) []byte { return be(32, i%9000) }},
		{"time(6)", "time '00:00' + i * interval '1 microsecond'", func(i uint64) []byte { return be(64, i) }},
		{"interval", "i * interval '1 second'", func(i uint64) []byte { return append(be(64, i*1_000_000), make([]byte, 8)...) }},
		{"timestamp(6)", "timestamp '2024-01-01' + i * interval '1 microsecond'", func(i uint64) []byte { return be(64, micros2000+i) }},
		{"timestamptz(6)", "timestamptz '2024-01-01 00:00:00Z' + i * interval '1 second'", func(i uint64) []byte { return be(64, micros2000+i*1_000_000) }},
		{"uuid", "lpad(to_hex(i), 32, '0')::uuid", func(i uint64) []byte { return append(make([]byte, 8), be(64, i)...) }},
		{"jsonb", `jsonb_build_object('i', i)`, func(i uint64) []byte { return fmt.Appendf([]byte{1}, `{"i": %d}`, i) }},
		{"json", `json_build_object('i', i)`, func(i uint64) []byte { return fmt.Appendf(nil, `{"i" : %d}`, i) }},
		{"inet", "inet '10.0.0.0' + i % 250", func(i uint64) []byte { return []byte{2, 32, 0, 4, 10, 0, 0, byte(i % 250)} }},
		{"app.mood", "CASE i % 2 WHEN 0 THEN 'sad' ELSE 'it''s' END::app.mood", func(i uint64) []byte { return []byte([]string{"sad", "it's"}[i%2]) }},
		{"text[]", "ARRAY['a', i::text]", func(i uint64) []byte {
			d := fmt.Appendf(nil, "%d", i)
			return bytes.Join([][]byte{be(32, 1), be(32, 0), be(32, 25), be(32, 2), be(32, 1), be(32, 1), []byte("a"), be(32, uint64(len(d))), d}, nil)
		}},
	}
}

// framed is the codec of a payload that is already PostgreSQL's.
func framed() change.Codec {
	return change.Codec{Append: func(dst, src []byte) ([]byte, error) {
		return append(binary.BigEndian.AppendUint32(dst, uint32(len(src))), src...), nil
	}}
}

func verbatim() change.Codec {
	c := framed()
	c.Verbatim = true
	return c
}

// rowsOf yields rows in one reused batch, so that whoever keeps a value too long reads
// another one's bytes.
func rowsOf(n, perBatch, columns int, value func(row, col int) []byte) iter.Seq2[*change.Batch, error] {
	return func(yield func(*change.Batch, error) bool) {
		b := &change.Batch{}
		for row := 0; row < n; {
			b.Reset(columns)
			for ; row < n && b.Rows < perBatch; row++ {
				for c := range columns {
					v := value(row, c)
					s := change.Span{Off: uint32(len(b.Data)), Len: uint32(len(v))}
					if v == nil {
						s.Len = change.NullLen
					}
					b.Data, b.Spans = append(b.Data, v...), append(b.Spans, s)
				}
				b.Rows++
			}
			if !yield(b, nil) {
				return
			}
		}
	}
}

// inTask runs fn in the transaction of a task of a fresh migration.
func inTask(t *testing.T, e *End, fn func(context.Context, change.Work) error) error {
	t.Helper()
	if _, err := e.Create(t.Context(), change.Record{Schema: "app"}, nil, []change.Task{chunk("t", 1)}); err != nil {
		t.Fatal(err)
	}
	ok, err := queueOf(t, e).Claim(t.Context(), func(ctx context.Context, _ *change.Task, w change.Work) (change.Done, error) {
		return change.Done{}, fn(ctx, w)
	})
	if !ok {
		t.Fatal("nothing to claim")
	}
	return err
}

func TestLoadEveryType(t *testing.T) {
	onEachServer(t, func(t *testing.T, d *database) {
		const n = 100_000
		types := everyType()
		into := &change.Into{Table: "t"}
		ddl, same := []string{}, []string{}
		for i, ty := range types {
			name := fmt.Sprintf("C %d", i)
			into.Columns = append(into.Columns, nameOf(name))
			c := framed()
			if ty.typ == "text" {
				c = verbatim()
			}
			into.Codecs = append(into.Codecs, c)
			ddl = append(ddl, fmt.Sprintf("%q %s", name, ty.typ))
			if ty.typ == "json" {
				ty.sql = `('{"i" : ' || i || '}')`
			}
			null := fmt.Sprintf("CASE WHEN (i + %d) %% 17 <> 0 OR %d = 1 THEN (%s)::%s END", i, i, ty.sql, ty.typ)
			same = append(same, fmt.Sprintf("%q::text IS NOT DISTINCT FROM (%s)::text", name, null))
		}
		exec(t, d.owner, "CREATE SCHEMA app", "CREATE TYPE app.mood AS ENUM ('sad', 'it''s')", "CREATE TABLE app.t ("+strings.Join(ddl, ", ")+")")
		// A seventeenth of the values is NULL, but for the row's number.
		err := inTask(t, d.open(t), func(ctx context.Context, w change.Work) error {
			rows, err := w.Load(ctx, into, rowsOf(n, 700, len(types), func(row, col int) []byte {
				if (row+col)%17 == 0 && col != 1 {
					return nil
				}
				return append([]byte{}, types[col].payload(uint64(row))...)
			}))
			if rows != n {
				t.Errorf("%d rows loaded", rows)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		counts := []string{"count(*)"}
		for _, s := range same {
			counts = append(counts, "count(*) FILTER (WHERE NOT ("+s+"))")
		}
		got := query(t, d.owner, fmt.Sprintf(`SET TimeZone = 'UTC'; SELECT %s FROM app.t, LATERAL (SELECT "C 1"::bigint AS i) n`, strings.Join(counts, ", ")))
		for i, wrong := range strings.Split(got[0], "|")[1:] {
			if wrong != "0" {
				t.Errorf("%s: %s values are wrong", types[i].typ, wrong)
			}
		}
		if got := query(t, d.owner, `SELECT count(DISTINCT "C 1"), min("C 1"), max("C 1"), count(*) FROM app.t`); got[0] != "100000|0|99999|100000" {
			t.Errorf("rows: %s", got[0])
		}
	})
}

// TestLoadLong sends long values between short ones, in columns first, middle and last,
// and sees that memory stays far below what was sent.
func TestLoadLong(t *testing.T) {
	onEachServer(t, func(t *testing.T, d *database) {
		exec(t, d.owner, "CREATE SCHEMA app", "CREATE TABLE app.t (a bytea, n integer, b bytea, c text); ALTER TABLE app.t ALTER a SET STORAGE EXTERNAL")
		big := bytes.Repeat([]byte("0123456789abcdef"), 4<<20) // 64 MiB
		sizes := []int{0, 1, directBytes - 1, directBytes, flushBytes - 25, flushBytes, 3*flushBytes + 1, len(big)}
		into := &change.Into{Table: "t", Columns: []schema.Name{"a", "n", "b", "c"}, Codecs: []change.Codec{verbatim(), framed(), verbatim(), verbatim()}}
		value := func(row, col int) []byte {
			switch {
			case col == 1:
				return be(32, uint64(row))
			case row == len(sizes)-1 && col > 0: // one such value is enough
				return nil
			default:
				return big[:sizes[(row+col)%(len(sizes)-1)]]
			}
		}
		var most uint64
		err := inTask(t, d.open(t), func(ctx context.Context, w change.Work) error {
			batches := func(yield func(*change.Batch, error) bool) {
				for b, err := range rowsOf(len(sizes)-1, 3, 4, value) {
					if !yield(b, err) {
						return
					}
				}
				one := &change.Batch{Data: big, Spans: []change.Span{{Len: uint32(len(big))}, {Off: 0, Len: 4}, {Len: change.NullLen}, {Len: change.NullLen}}, Rows: 1, Columns: 4}
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				before := m.TotalAlloc
				if !yield(one, nil) {
					return
				}
				runtime.ReadMemStats(&m)
				most = m.TotalAlloc - before
			}
			_, err := w.Load(ctx, into, batches)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if most > uint64(len(big)/8) {
			t.Errorf("%d bytes were allocated for a value of %d", most, len(big))
		}
		for row, got := range query(t, d.owner, "SELECT encode(sha256(a), 'hex'), octet_length(b), octet_length(c) FROM app.t ORDER BY n") {
			n := len(sizes) - 1
			want := fmt.Sprintf("%x|%d|%d", sha256.Sum256(big[:sizes[row%n]]), sizes[(row+2)%n], sizes[(row+3)%n])
			if row == n {
				want = fmt.Sprintf("%x|NULL|NULL", sha256.Sum256(big))
			}
			if got != want {
				t.Errorf("row %d: %s, want %s", row, got, want)
			}
		}
	})
}

// TestLoadFails sees what becomes of each error and that nothing of the rows stays.
func TestLoadFails(t *testing.T) {
	loss := &change.LossError{Code: finding.LossZeroDate, Table: "T", Column: "N", Value: "0000-00-00"}
	good := func(row, col int) []byte { return be(32, uint64(row)) }
	tests := map[string]struct {
		codec  change.Codec
		rows   func(t *testing.T, d *database) iter.Seq2[*change.Batch, error]
		is     error
		class  fault.Class
		in     []string
		reason string
	}{
		"a loss": {
			codec: change.Codec{Append: func(dst, src []byte) ([]byte, error) {
				if binary.BigEndian.Uint32(src) == 50_000 {
					return nil, loss
				}
				return framed().Append(dst, src)
			}}, is: loss, class: fault.Internal,
		},
		"another error of a codec": {
			codec: change.Codec{Append: func(dst, src []byte) ([]byte, error) {
				if binary.BigEndian.Uint32(src) == 4711 {
					return nil, errBoom
				}
				return framed().Append(dst, src)
			}}, is: errBoom, class: fault.Data, in: []string{"row 4712", "t.n"},
		},
		"an error of the source": {
			rows: func(*testing.T, *database) iter.Seq2[*change.Batch, error] {
				return func(yield func(*change.Batch, error) bool) {
					for b, err := range rowsOf(90_000, 500, 1, good) {
						if !yield(b, err) {
							return
						}
					}
					yield(nil, errBoom)
				}
			}, is: errBoom, class: fault.Internal,
		},
		"a value that the server refuses": {
			codec: change.Codec{Append: func(dst, src []byte) ([]byte, error) {
				if binary.BigEndian.Uint32(src) == 77 {
					return append(dst, 0, 0, 0, 1, 9), nil
				}
				return framed().Append(dst, src)
			}}, class: fault.Internal, in: []string{"t.n", "row 78", "08P01"},
		},
		"a check": {
			rows: func(*testing.T, *database) iter.Seq2[*change.Batch, error] {
				return rowsOf(5, 5, 1, func(row, _ int) []byte { return be(32, uint64(int64(3-row))) })
			}, class: fault.Data, in: []string{"row 5", "t_n_check", "23514"},
		},
		"a killed backend": {
			rows: func(t *testing.T, d *database) iter.Seq2[*change.Batch, error] {
				t.Helper()
				return func(yield func(*change.Batch, error) bool) {
					i := 0
					for b, err := range rowsOf(3_000_000, 500, 1, good) {
						if i++; i == 200 {
							query(t, d.admin.String(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'COPY%' AND datname = current_database()")
						}
						if !yield(b, err) {
							return
						}
					}
				}
			}, class: fault.Connect,
		},
	}
	onEachServer(t, func(t *testing.T, d *database) {
		exec(t, d.owner, "CREATE SCHEMA app", "CREATE TABLE app.t (n integer CHECK (n >= 0))")
		e := d.open(t)
		for reason, tc := range tests {
			if tc.codec.Append == nil {
				tc.codec = framed()
			}
			rows := rowsOf(100_000, 500, 1, good)
			if tc.rows != nil {
				rows = tc.rows(t, d)
			}
			err := inTask(t, e, func(ctx context.Context, w change.Work) error {
				_, err := w.Load(ctx, &change.Into{Table: "t", Columns: []schema.Name{"n"}, Codecs: []change.Codec{tc.codec}}, rows)
				return err
			})
			if err == nil || fault.ClassOf(err) != tc.class || tc.is != nil && !errors.Is(err, tc.is) {
				t.Errorf("%s: %v (class %s), want class %s and %v", reason, err, fault.ClassOf(err), tc.class, tc.is)
				continue
			}
			for _, in := range tc.in {
				if !strings.Contains(err.Error(), in) {
					t.Errorf("%s: %v does not say %q", reason, err, in)
				}
			}
			if got := query(t, d.owner, "SELECT count(*) FROM app.t"); got[0] != "0" {
				t.Errorf("%s: %s rows stayed", reason, got[0])
			}
		}
		// The task is still there for whoever comes next.
		if left, err := queueOf(t, e).Left(t.Context()); left != 1 || err != nil {
			t.Errorf("left = %d, %v", left, err)
		}
	})
}

// TestEncoderAllocates nothing a row.
func TestEncoderAllocates(t *testing.T) {
	const rows = 10_000
	b := &change.Batch{}
	for x, err := range rowsOf(rows, rows, 3, func(row, col int) []byte { return be(64, uint64(row)) }) {
		if err != nil {
			t.Fatal(err)
		}
		b = x
	}
	into := &change.Into{Table: "t", Columns: []schema.Name{"a", "b", "c"}, Codecs: []change.Codec{framed(), verbatim(), framed()}}
	p := make([]byte, 65531)
	total := 0
	allocs := testing.AllocsPerRun(5, func() {
		enc := newEncoder(into, func(yield func(*change.Batch, error) bool) { yield(b, nil) })
		total = 0
		for {
			n, err := enc.Read(p)
			total += n
			if errors.Is(err, io.EOF) {
				break
			}
		}
		if n, err := enc.close(); n != rows || err != nil {
			t.Fatal(n, err)
		}
	})
	if want := 19 + rows*(2+3*12) + 2; total != want {
		t.Errorf("%d bytes, want %d", total, want)
	}
	if allocs > 40 {
		t.Errorf("%v allocations for %d rows", allocs, rows)
	}
}
