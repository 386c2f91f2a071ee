package migration_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/convert"
	"github.com/bascule/bascule/internal/event"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/migration"
	"github.com/bascule/bascule/internal/mysql"
	"github.com/bascule/bascule/internal/mysql/spool"
	"github.com/bascule/bascule/internal/servertest"
)

// spooling is begin with a spool.
func (l *lab) spooling(t *testing.T, root string, o convert.Options) *run {
	t.Helper()
	r := l.begin(t, o, change.Filter{})
	key, err := spool.ParseKey("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
	if err != nil {
		t.Fatal(err)
	}
	c, err := mysql.ParseConfig(l.from)
	if err != nil {
		t.Fatal(err)
	}
	source, err := mysql.Open(t.Context(), c, mysql.Options{
		Throttle: mysql.Throttle{MaxThreadsRunning: 1 << 20}, Spool: &mysql.SpoolOptions{Root: root, Key: key, Who: "a test"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = source.Close() })
	r.Source, r.Changes, r.Spool = source, source, source
	return r
}

// purged makes the server forget its log.
func (l *lab) purged(t *testing.T) {
	t.Helper()
	status := "SHOW MASTER STATUS"
	if l.source.Kind == servertest.KindMySQL {
		status = "SHOW BINARY LOG STATUS"
	}
	deadline, tick := time.After(30*time.Second), time.NewTicker(50*time.Millisecond)
	defer tick.Stop()
	for {
		l.exec(t, "FLUSH BINARY LOGS")
		l.exec(t, "PURGE BINARY LOGS TO '"+l.source.Query(t, l.from, status)[0][0]+"'")
		logs := l.source.Query(t, l.from, "SHOW BINARY LOGS")
		if len(logs) == 1 {
			return
		}
		select {
		case <-tick.C: // a dump that has just ended still uses its file
		case <-deadline:
			t.Fatalf("the server keeps %v", logs)
		}
	}
}

// TestCopyOutlivesRetention copies a table that is written to, has the source forget everything that was logged meanwhile, and ends exact.
func TestCopyOutlivesRetention(t *testing.T) {
	for _, k := range []servertest.Kind{servertest.KindMySQL, servertest.KindMariaDB} {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			s, d := servertest.Private(t, k, servertest.Options{}).Server, servertest.Postgres15(t)
			l := &lab{source: s, target: d, from: s.Database(t), into: d.Database(t)}
			root := t.TempDir()
			l.exec(t, "CREATE TABLE a (id INT PRIMARY KEY, v VARCHAR(200))", "CREATE TABLE b (id INT PRIMARY KEY AUTO_INCREMENT, u INT UNIQUE)",
				"INSERT INTO a WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) SELECT i, REPEAT('v', i % 200) FROM n")
			r := l.spooling(t, root, convert.Options{ForFollow: true})
			// The table is written to while its rows travel: before the first chunk, and after each.
			var mu sync.Mutex
			n := 0
			r.Events = func(e event.Event) {
				mu.Lock()
				defer mu.Unlock()
				switch e.(type) {
				case event.TableStarted, event.ChunkCopied:
					n++
					l.exec(t, fmt.Sprintf("UPDATE a SET v = 'changed %d' WHERE id %% 7 = %d", n, n%7), fmt.Sprintf("DELETE FROM a WHERE id = %d", n),
						fmt.Sprintf("INSERT INTO b (u) VALUES (%d)", n), fmt.Sprintf("UPDATE b SET u = -%d WHERE u = %d", n, n))
				}
			}
			if _, err := r.Copy(t.Context()); err != nil {
				t.Fatalf("%v (%s)", err, fault.HintOf(err))
			}
			if n < 3 {
				t.Fatalf("%d changes came while it copied", n)
			}
			l.exec(t, "UPDATE a SET id = id + 1000 WHERE id % 100 = 3", "INSERT INTO b (u) VALUES (1000000)")
			// Another process goes on keeping the log until it has what was written last.
			again := l.spooling(t, root, convert.Options{ForFollow: true})
			rec, err := again.Target.Open(t.Context(), "public")
			if err != nil {
				t.Fatal(err)
			}
			l.keptUp(t, again, rec, root)
			l.purged(t)
			l.exec(t, "INSERT INTO b (u) VALUES (2000000)")
			if err := l.caughtUp(t); fault.ClassOf(err) != fault.Refused {
				t.Fatalf("without a spool: %v; the source should have forgotten", err)
			}
			f := l.spooling(t, root, convert.Options{})
			end, err := f.Changes.End(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := f.Follow(t.Context(), func() change.Position { return end }); err != nil {
				t.Fatalf("follow: %v (%s)", err, fault.HintOf(err))
			}
			for _, x := range f.found {
				t.Errorf("it tells %s: %s", x.Code, x.What)
			}
			l.begin(t, convert.Options{}, change.Filter{}).verified(t, 2)
			if got, want := fmt.Sprint(l.target.Query(t, l.into, "SELECT count(*), sum(id) FROM a")), fmt.Sprint(l.source.Query(t, l.from, "SELECT COUNT(*), SUM(id) FROM a")); got != want {
				t.Errorf("a has %s, want %s", got, want)
			}
			found, err := f.Check(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range found {
				if x.Code == mysql.CodeSpoolSize {
					t.Errorf("a check without a follow tells of a spool: %v", x)
				}
			}
			f.Options.ForFollow = true
			if found, err = f.Check(t.Context()); err != nil {
				t.Fatal(err)
			}
			told := 0
			for _, x := range found {
				if x.Code == mysql.CodeSpoolSize && len(x.Evidence) > 2 {
					told++
				}
			}
			if told != 1 {
				t.Errorf("the check does not tell what the spool needs: %v", found)
			}
		})
	}
}

// keptUp spools until all that the source has logged is there.
func (l *lab) keptUp(t *testing.T, r *run, rec *change.Record, root string) {
	t.Helper()
	end, err := r.Changes.End(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- r.Spool.Spool(ctx, migration.SpoolName(rec), rec.Position, func(covered bool) {
			if !covered {
				t.Error("the spool does not reach back to the beginning of the copy")
			}
		})
	}()
	deadline, tick := time.After(30*time.Second), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for {
		found, err := mysql.SpoolStatus(root)
		if err != nil || len(found) != 1 {
			t.Fatalf("%v, %v", found, err)
		}
		if in, err := r.Changes.Includes(t.Context(), change.Position(found[0].Last.Position), end); err != nil {
			t.Fatal(err)
		} else if in {
			break
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("the spool is at %+v, not at %s", found[0].Last, end)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// busyLedger is one that answers when nobody waits for the answer any more.
type busyLedger struct {
	change.Applier
	asked chan struct{}
}

func (l busyLedger) Applied(ctx context.Context, _ *change.Record) (change.Mark, error) {
	close(l.asked)
	<-ctx.Done()
	return change.Mark{}, fmt.Errorf("look for the ledger: %w", ctx.Err())
}

// TestSpoolOfAFollowThatIsOver ends a follow that had little to do while its spool still asks where to begin: that is no failure of the follow.
func TestSpoolOfAFollowThatIsOver(t *testing.T) {
	l := busyLedger{asked: make(chan struct{})}
	m := &migration.Migration{Spool: struct{ migration.Spooler }{}, Applier: l}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-l.asked
		cancel()
	}()
	if err := m.SpoolUntil(ctx, &change.Record{}, nil); err != nil {
		t.Error(err)
	}
}
