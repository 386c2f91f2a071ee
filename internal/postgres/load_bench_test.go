package postgres

import (
	"context"
	"syscall"
	"testing"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/servertest"
)

// BenchmarkLoad loads rows of 10 columns, about 100 bytes, and reports this process's
// own CPU a row beside the time, which is the server's.
func BenchmarkLoad(b *testing.B) {
	const rows, columns = 200_000, 10
	c, err := ParseConfig(servertest.Postgres15(b).URL)
	if err != nil {
		b.Fatal(err)
	}
	e, err := Open(b.Context(), c, Options{Schema: "bench"})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	into := &change.Into{Table: "t"}
	for i := range columns {
		into.Columns = append(into.Columns, nameOf(string(rune('a'+i))))
		into.Codecs = append(into.Codecs, framed())
	}
	one := &change.Batch{}
	for x, err := range rowsOf(1000, 1000, columns, func(row, _ int) []byte { return be(64, uint64(row)) }) {
		if err != nil {
			b.Fatal(err)
		}
		one = x
	}
	conn, err := e.lanes.Acquire(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Release()
	w := &work{end: e, schema: "bench", task: &claimed{}, conn: conn.Conn()}
	ddl := "CREATE SCHEMA bench; CREATE TABLE bench.t (a bigint, b bigint, c bigint, d bigint, e bigint, f bigint, g bigint, h bigint, i bigint, j bigint)"
	run := func(sql string) {
		if err := conn.Conn().PgConn().Exec(context.WithoutCancel(b.Context()), sql).Close(); err != nil {
			b.Fatal(err)
		}
	}
	run(ddl)
	defer run("DROP TABLE bench.t; DROP SCHEMA bench")
	before := ownCPU()
	b.ReportAllocs()
	for b.Loop() {
		n, err := w.Load(b.Context(), into, func(yield func(*change.Batch, error) bool) {
			for range rows / 1000 {
				if !yield(one, nil) {
					return
				}
			}
		})
		if err != nil || n != rows {
			b.Fatal(n, err)
		}
		run("TRUNCATE bench.t")
	}
	b.ReportMetric(float64(ownCPU()-before)/float64(b.N)/rows, "own-ns/row")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
}

// ownCPU returns the CPU time this process has used, in nanoseconds.
func ownCPU() int64 {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return r.Utime.Nano() + r.Stime.Nano()
}
