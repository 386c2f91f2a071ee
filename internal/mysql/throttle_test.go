package mysql

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
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
		time.Sleep(sampleEvery)
		set(0, fault.New(fault.Connect, "read load", errors.New("connection refused"), ""))
		if err := th.wait(t.Context()); fault.ClassOf(err) != fault.Connect {
			t.Errorf("a server that is gone gives %v", err)
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

// TestServerGone loses the way to the server for good: reading must end with an error that is tried again, and not wait for a
// signal that never comes back.
func TestServerGone(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		db := s.Database(t)
		s.Exec(t, db, "CREATE TABLE t (k INT PRIMARY KEY)")
		way := newWay(t, servertest.MySQLConfig(t, db).Addr)
		cfg, err := ParseConfig(strings.Replace(db, servertest.MySQLConfig(t, db).Addr, way.addr(), 1))
		if err != nil {
			t.Fatal(err)
		}
		e, err := Open(t.Context(), cfg, Options{Throttle: Throttle{MaxThreadsRunning: 1 << 30}})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		d, err := e.Inspect(t.Context(), change.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		q := &change.SumQuery{Table: "t", Columns: []change.SumColumn{{Column: d.Table("t").Columns[0], Form: form(change.FormInteger, 0)}}}
		if _, err := e.Sums(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		way.cut()
		waitFor(t, "the last sample is too old", func() bool { return time.Since(e.throttle.at) > sampleEvery })
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if _, err := e.Sums(ctx, q); fault.ClassOf(err) != fault.Connect || ctx.Err() != nil {
			t.Errorf("without a server a sum gives %v", err)
		}
	})
}

// way is a TCP connection to a server that can be cut.
type way struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
	ended bool
	done  sync.WaitGroup
}

func newWay(t *testing.T, server string) *way {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &way{Listener: l}
	t.Cleanup(w.cut)
	w.done.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", server)
			if err != nil {
				in.Close()
				continue
			}
			if w.keep(in, out) {
				w.done.Go(func() { _, _ = io.Copy(out, in); out.Close() })
				w.done.Go(func() { _, _ = io.Copy(in, out); in.Close() })
			}
		}
	})
	return w
}

func (w *way) addr() string { return w.Addr().String() }

// keep remembers connections for cut; it closes them when the way is cut already.
func (w *way) keep(conns ...net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		for _, c := range conns {
			c.Close()
		}
		return false
	}
	w.conns = append(w.conns, conns...)
	return true
}

// cut closes every connection and lets no new one through.
func (w *way) cut() {
	w.Close()
	w.mu.Lock()
	w.ended = true
	for _, c := range w.conns {
		c.Close()
	}
	w.mu.Unlock()
	w.done.Wait()
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

// TestScansKill ends as many statements as the pool has connections, at once.
func TestScansKill(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		src := open(t, s)
		var log bytes.Buffer
		src.end.log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		ctx, cancel := context.WithCancel(t.Context())
		running := func() string {
			return s.Query(t, src.url, "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND INFO LIKE 'SELECT SLEEP(%'")[0][0]
		}
		var done sync.WaitGroup
		for range controls {
			done.Go(func() {
				err := src.end.scan(ctx, func(ctx context.Context, c *sql.Conn) error {
					return c.QueryRowContext(ctx, "SELECT SLEEP(300)").Scan(new(int))
				})
				if !errors.Is(err, context.Canceled) {
					t.Errorf("got %v", err)
				}
			})
		}
		waitFor(t, "the statements run", func() bool { return running() == strconv.Itoa(controls) })
		cancel()
		done.Wait()
		if log.Len() > 0 {
			t.Errorf("not every statement was killed: %s", &log)
		}
		waitFor(t, "the statements are gone", func() bool { return running() == "0" })
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
