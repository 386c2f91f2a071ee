package mysql

import (
	"context"
	"fmt"
	"testing"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/servertest"
)

// BenchmarkApply replaces rows of a table of 100,000 in transactions of that many, deletes by key and inserts, and commits durably.
func BenchmarkApply(b *testing.B) {
	for _, s := range servertest.Sources(b) {
		dbURL := s.Database(b)
		s.Exec(b, dbURL, "CREATE TABLE t (id INT PRIMARY KEY, a INT, s VARCHAR(100), KEY (a))")
		e := applyEnd(b, dbURL)
		tb := verbatim("t", []int{0}, "id", "a", "s")
		const total = 100_000
		rows := func(from, n int) change.Batch {
			var v []any
			for i := range n {
				id := (from + i*7919) % total
				v = append(v, id, id%1000, fmt.Sprintf("the text of row %d, which is about as long as texts are", id))
			}
			return batchOf(3, v...)
		}
		err := e.Applying(b.Context(), newRecord(), "bench", []*change.Replica{tb}, func(ctx context.Context, ses change.Session) error {
			if err := commit(ctx, ses, change.Mark{}, step(change.TableStep{Table: tb, Insert: rows(0, total)})); err != nil {
				return err
			}
			for _, size := range []int{1, 10, 100, 1000, 10000} {
				b.Run(fmt.Sprintf("%s/%d", s.Name, size), func(b *testing.B) {
					ins := rows(1, size)
					st := step(change.TableStep{Table: tb, Delete: keysOf(tb, &ins), Insert: ins})
					for b.Loop() {
						if err := commit(ctx, ses, change.Mark{}, st); err != nil {
							b.Fatal(err)
						}
					}
					b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "rows/s")
				})
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
