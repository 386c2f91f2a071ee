package postgres

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/bascule/bascule/internal/change"
)

// TestPlansFollowGrowth fills a table that was empty when its statistics were made, and whose statistics nobody makes anew: each key must be looked
// for by the index. A plan made for the empty table walks all rows instead, and compares each with each of those given.
func TestPlansFollowGrowth(t *testing.T) {
	const steps, rows = 5, 2500
	onEachServer(t, func(t *testing.T, d *database) {
		exec(t, d.owner, "CREATE SCHEMA app", "CREATE TABLE app.t (k int PRIMARY KEY, v int) WITH (autovacuum_enabled = off)", "CREATE INDEX ON app.t (v)", "ANALYZE app.t")
		e, tab := d.open(t), replica("t", 1, "k", "v")
		inSession(t, e, []*change.Replica{tab}, func(ctx context.Context, s change.Session) {
			for i := range steps {
				var keys, values [][][]byte
				for k := range rows {
					keys, values = append(keys, [][]byte{i4(i*rows + k)}), append(values, [][]byte{i4(i*rows + k), i4(k)})
				}
				mustApply(t, ctx, s, step(tab, keys, values))
			}
		})
		same(t, "rows", query(t, d.owner, "SELECT count(*) FROM app.t"), strconv.Itoa(steps*rows))
		probes := 0
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end) && probes < (steps-1)*rows; {
			// The server counts a session's work when that has ended, or a little later.
			got := query(t, d.owner, "SELECT idx_scan FROM pg_stat_user_indexes, pg_sleep(0.1) WHERE indexrelname = 't_pkey'")
			probes, _ = strconv.Atoi(got[0])
		}
		if probes < (steps-1)*rows {
			t.Errorf("the index was searched %d times for %d keys", probes, steps*rows)
		}
	})
}
