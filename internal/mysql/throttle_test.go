package mysql

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bascule/bascule/internal/servertest"
)

// TestThrottle steps one signal through its states on a fake clock.
func TestThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var waits []string
		var mu sync.Mutex // the waiting goroutine reads what the test sets
		value, fails, reads := int64(1), error(nil), 0
		set := func(v int64, err error) {
			mu.Lock()
			defer mu.Unlock()
			value, fails = v, err
		}
		th := &throttle{
			limit: Throttle{OnWait: func(why string) { waits = append(waits, why) }},
			signals: []*signal{{name: "load", limit: 10, read: func(context.Context) (int64, error) {
				mu.Lock()
				defer mu.Unlock()
				reads++
				return value, fails
			}}},
		}
		set(1, errors.New("no privilege"))
		if err := th.wait(t.Context()); err != nil || len(waits) > 0 {
			t.Fatalf("a signal that never was readable holds reading up: %v %v", err, waits)
		}
		time.Sleep(sampleEvery)
		set(1, nil)
		for range 5 {
			if err := th.wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if reads != 2 {
			t.Errorf("%d samples in a second after the first, want 1", reads-1)
		}
		hold := func(reason string, release func()) {
			time.Sleep(sampleEvery)
			done := make(chan error)
			go func() { done <- th.wait(t.Context()) }()
			time.Sleep(10 * sampleEvery)
			select {
			case err := <-done:
				t.Errorf("%s: reading went on (%v)", reason, err)
			default:
				release()
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
		}
		set(11, nil)
		hold("over the limit", func() { set(10, nil) })
		set(10, errors.New("connection refused"))
		hold("the signal is lost", func() { set(10, nil) })
		if len(waits) != 2 || !strings.Contains(waits[0], "load 11, limit 10") || !strings.Contains(waits[1], "cannot be read") {
			t.Errorf("waits: %q", waits)
		}
		set(99, nil)
		time.Sleep(sampleEvery)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if err := th.wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a cancelled wait returns %v", err)
		}
	})
}

// TestSignals reads the figures from servers.
func TestSignals(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		src := open(t, s)
		if n, err := src.end.threadsRunning(t.Context()); err != nil || n < 1 {
			t.Errorf("running threads %d, %v", n, err)
		}
		if _, err := src.end.historyLength(t.Context()); err != nil {
			t.Errorf("history list: %v", err)
		}
		if _, err := src.end.replicaLag(t.Context()); !errors.Is(err, errNoSignal) {
			t.Errorf("lag of a primary: %v", err)
		}
	})
}

// TestScanKills ends a statement on the server when its context ends.
func TestScanKills(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		src := open(t, s)
		ctx, cancel := context.WithCancel(t.Context())
		running := func() bool {
			return s.Query(t, src.url, "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND INFO LIKE 'SELECT SLEEP(%'")[0][0] != "0"
		}
		done := make(chan error)
		go func() {
			done <- src.end.scan(ctx, func(ctx context.Context, c *sql.Conn) error {
				return c.QueryRowContext(ctx, "SELECT SLEEP(300)").Scan(new(int))
			})
		}()
		waitFor(t, "the statement runs", running)
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		waitFor(t, "the statement is gone", func() bool { return !running() })
	})
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("waited in vain: %s", what)
		case <-tick.C:
		}
	}
}
