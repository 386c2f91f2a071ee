package crashtest

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/bascule/bascule/internal/crosscheck"
	"github.com/bascule/bascule/internal/servertest"
)

// TestExactCopyUnderLoad copies, again and again, tables whose foreign keys cascade over two levels, within a table and after changed keys, and
// one without a key, while all of them are written to without a pause, on the servers that log none of what the foreign keys do.
func TestExactCopyUnderLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server of its own")
	}
	bin := build(t)
	seed := seeded(t)
	for i, s := range soakServers[:2] {
		t.Run(s.name, func(t *testing.T) {
			source, target := s.shared(t), servertest.Postgres15(t)
			l := &load{name: "deep", kind: s.kind, url: source.Database(t), tables: append(family(s.kind), note()), whole: &sync.RWMutex{}}
			fill(t, source, l, rand.New(rand.NewPCG(seed, uint64(i))))
			into := target.Database(t)
			stop := make(chan struct{})
			halt := sync.OnceFunc(func() { close(stop) })
			defer halt()
			wg := l.begin(t, 3, seed, stop)
			var schemas []string
			// A copy takes less than the second for which writers may wait for each other's locks: then it is no copy under load, and another is made.
			for loaded := 0; loaded < 3; {
				schema, before := fmt.Sprintf("copy%d", len(schemas)+1), l.commits.Load()
				run(t, bin, "db", "copy", "--follow", "--source", l.url, "--target", into, "--schema", schema)
				t.Logf("%s: %d commits during the copy", schema, l.commits.Load()-before)
				if l.commits.Load() > before {
					loaded++
				}
				if schemas = append(schemas, schema); len(schemas) == 20 {
					t.Fatal("nobody wrote while the tables were copied")
				}
			}
			halt()
			wg.Wait()
			for _, e := range l.bad {
				t.Errorf("a writer met what it should not: %s", e)
			}
			for _, schema := range schemas {
				run(t, bin, "db", "follow", "--until-now", "--source", l.url, "--target", into, "--schema", schema)
				if out, err := try(t, bin, "db", "verify", "--source", l.url, "--target", into, "--schema", schema); err != nil {
					t.Errorf("%v\n%s\nthe snapshots stood at %v", err, out, target.Query(t, into,
						"SELECT m.schema, m.position, t.tbl, t.position FROM bascule.task t JOIN bascule.migration m ON m.id = t.migration WHERE t.position <> '' ORDER BY 1, 3"))
				}
				r, err := crosscheck.Compare(t.Context(), l.url, into, crosscheck.Options{Schema: schema})
				if err != nil {
					t.Fatal(err)
				}
				if r.Different() != 0 || r.Values() == 0 {
					t.Errorf("%s: the independent comparison: %d of %d values differ: %+v", schema, r.Different(), r.Values(), r.Tables)
				}
			}
		})
	}
}
