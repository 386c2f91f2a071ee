package postgres

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/servertest"
)

// BenchmarkApply applies steps of n rows, a durable transaction each, to a table of 2 million rows with 3 indexes beside its
// key, and reports rows a second. mix is 40 % inserts, 50 % updates that change no indexed column, 10 % deletes.
func BenchmarkApply(b *testing.B) {
	const table = 2_000_000
	server := servertest.Postgres15(b)
	url := server.Database(b)
	server.Exec(b, url, "CREATE SCHEMA app", `CREATE TABLE app.t (id bigint PRIMARY KEY, customer int NOT NULL, status varchar(20) NOT NULL, total bigint NOT NULL, note text, created timestamptz NOT NULL, updated timestamptz)`,
		fmt.Sprintf("INSERT INTO app.t SELECT g, (g::bigint * 7919) %% 100000, 'new', g %% 1000, md5(g::text), timestamptz '2024-01-01' + g * interval '1s', now() FROM generate_series(1, %d) g", table),
		"CREATE INDEX ON app.t (customer)", "CREATE INDEX ON app.t (created)", "CREATE INDEX ON app.t (status, created)", "VACUUM ANALYZE app.t", "CHECKPOINT")
	c, err := ParseConfig(url)
	if err != nil {
		b.Fatal(err)
	}
	e, err := Open(b.Context(), c, Options{Schema: "app"})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	r, err := e.Create(b.Context(), change.Record{Schema: "app"}, nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	tab := replica("t", 1, "id", "customer", "status", "total", "note", "created", "updated")
	next := uint64(table)
	row := func(id uint64) [][]byte {
		return [][]byte{
			be(64, id), be(32, id*7919%100000), []byte("new"), be(64, rand.Uint64N(1000)), fmt.Appendf(nil, "%032x", id),
			be(64, micros2000+id*1_000_000), be(64, micros2000+rand.Uint64N(1<<40)),
		}
	}
	kinds := map[string]func() (id uint64, gone bool){
		"insert": func() (uint64, bool) { next++; return next, false },
		"update": func() (uint64, bool) { return rand.Uint64N(table) + 1, false },
		"mix": func() (uint64, bool) {
			switch n := rand.IntN(10); {
			case n < 4:
				next++
				return next, false
			case n < 9:
				return rand.Uint64N(table) + 1, false
			default:
				return rand.Uint64N(next) + 1, true
			}
		},
	}
	for _, kind := range []string{"insert", "update", "mix"} {
		for _, n := range []int{1, 10, 100, 1000, 20_000} {
			b.Run(fmt.Sprintf("%s/%d", kind, n), func(b *testing.B) {
				steps := make([]change.Step, 8)
				err := e.Applying(b.Context(), r, "bench", []*change.Replica{tab}, func(ctx context.Context, s change.Session) error {
					done := 0
					before := ownCPU()
					var building int64
					for b.Loop() {
						if done%len(steps) == 0 {
							b.StopTimer()
							from := ownCPU()
							for i := range steps {
								var del, ins [][][]byte
								seen := map[uint64]bool{}
								for len(seen) < n {
									id, gone := kinds[kind]()
									if seen[id] {
										continue
									}
									seen[id] = true
									del = append(del, [][]byte{binary.BigEndian.AppendUint64(nil, id)})
									if !gone {
										ins = append(ins, row(id))
									}
								}
								steps[i] = step(tab, del, ins)
							}
							building += ownCPU() - from
							b.StartTimer()
						}
						if err := applySteps(ctx, s, change.Mark{Position: "p", Txns: int64(done)}, steps[done%len(steps)]); err != nil {
							return err
						}
						done++
					}
					b.ReportMetric(float64(n*done)/b.Elapsed().Seconds(), "rows/s")
					b.ReportMetric(float64(ownCPU()-before-building)/float64(n*done), "own-ns/row")
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}
