package crashtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bascule/bascule/internal/crosscheck"
	"github.com/bascule/bascule/internal/servertest"
)

// TestRepairKilled damages a third of a table while its source is written to, and kills bascule with SIGKILL in the middle of the repair, twice.
// The last repair is left alone, and in the end both sides are equal.
func TestRepairKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("copies and compares for some seconds")
	}
	bin := build(t)
	for _, s := range servertest.Sources(t) {
		t.Run(s.Name, func(t *testing.T) {
			d := servertest.Postgres15(t)
			from, into := s.Database(t), d.Database(t)
			ends := []string{"--source", from, "--target", into, "--spool", t.TempDir()}
			const rows = 40_000 // a repair takes a second, which is long enough to be met in its middle on a busy machine
			s.Exec(t, from, "CREATE TABLE digits (n INT PRIMARY KEY)", "INSERT INTO digits VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)",
				"CREATE TABLE orders (id INT PRIMARY KEY, note VARCHAR(80), n INT)",
				"INSERT INTO orders SELECT a.n + 10 * b.n + 100 * c.n + 1000 * d.n + 10000 * e.n, 'an order', 0 FROM digits a, digits b, digits c, digits d, digits e WHERE e.n < 4")
			run(t, bin, append([]string{"db", "copy", "--follow"}, ends...)...)
			ctx, stop := context.WithCancel(t.Context())
			written := make(chan struct{})
			go func() {
				defer close(written)
				draw := rand.New(rand.NewPCG(1, 1))
				for i := 1; ctx.Err() == nil; i++ {
					s.Exec(t, from, fmt.Sprintf("UPDATE orders SET n = %d WHERE id = %d", i, draw.IntN(rows)),
						fmt.Sprintf("REPLACE INTO orders VALUES (%d, 'new', %d)", rows+i%50, i), fmt.Sprintf("DELETE FROM orders WHERE id = %d", rows+draw.IntN(50)))
				}
			}()
			verify := append([]string{"db", "verify", "--live", "--repair", "--passes", "0", "--json"}, ends...)
			for range 2 {
				d.Exec(t, into, "DELETE FROM orders WHERE id BETWEEN 4000 AND 16000", "UPDATE orders SET note = 'damaged' WHERE id < 300")
				p := launch(t, bin, verify, nil)
				interruptedWithin(t, d, into, p, rows-10_000, rows-1000)
			}
			p := launch(t, bin, verify, nil)
			select {
			case code := <-p.ended:
				if code != 0 || !strings.Contains(p.said(), `"repaired"`) {
					t.Errorf("the repair ended with %d:\n%s", code, p.said())
				}
			case <-time.After(3 * time.Minute):
				t.Fatalf("the repair hangs:\n%s", p.said())
			}
			stop()
			<-written
			run(t, bin, append([]string{"db", "follow", "--until-now"}, ends...)...)
			run(t, bin, append([]string{"db", "verify"}, ends...)...)
			r, err := crosscheck.Compare(t.Context(), from, into, crosscheck.Options{Schema: "public"})
			if err != nil || r.Different() != 0 || r.Values() == 0 {
				t.Errorf("the independent comparison: %+v, %v", r, err)
			}
		})
	}
}

// interruptedWithin kills a process when the target has more rows than least and fewer than most.
func interruptedWithin(t *testing.T, d *servertest.Server, into string, p *process, least, most int) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(2 * time.Minute)
	for {
		n, err := strconv.Atoi(d.Query(t, into, "SELECT count(*) FROM orders")[0][0])
		if err != nil {
			t.Fatal(err)
		}
		if n > least && n < most {
			_ = p.cmd.Process.Kill() // it may have ended already
		}
		select {
		case code := <-p.ended:
			if n <= least || n >= most || code != -1 {
				t.Fatalf("it ended with %d at %d rows:\n%s", code, n, p.said())
			}
			t.Logf("killed at %d rows", n)
			return
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%d rows after two minutes:\n%s", n, p.said())
		}
	}
}
