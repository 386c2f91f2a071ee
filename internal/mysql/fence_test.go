package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/journal"
	"github.com/bascule/bascule/internal/schema"
	"github.com/bascule/bascule/internal/servertest"
)

// fenced is a private server, since read_only and prepared XA transactions are everybody's, with an application's account.
type fenced struct {
	*servertest.Server
	url, app string
	end      *End
}

func behindFence(t *testing.T, fn func(t *testing.T, f *fenced)) {
	t.Helper()
	for _, k := range []servertest.Kind{servertest.KindMySQL, servertest.KindMariaDB} {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			s := servertest.Private(t, k, servertest.Options{}).Server
			f := &fenced{Server: s, url: s.Database(t)}
			u, err := url.Parse(f.url)
			if err != nil {
				t.Fatal(err)
			}
			u.User = url.UserPassword("app", "app")
			f.app = u.String()
			db := databaseOf(t, f.url)
			s.Exec(t, f.url, "CREATE TABLE t (w INT, n INT, PRIMARY KEY (w, n))", "CREATE USER app@'%' IDENTIFIED BY 'app'", "CREATE USER app@localhost IDENTIFIED BY 'app' ACCOUNT LOCK",
				"GRANT SELECT, INSERT, UPDATE, DELETE ON `"+db+"`.* TO app@'%'", "CREATE EVENT tidy ON SCHEDULE EVERY 1 HOUR STARTS '2037-01-01 00:00:00' DO DELETE FROM t WHERE n < 0")
			f.end = applyEnd(t, f.url)
			fn(t, f)
		})
	}
}

// outside is everything that a fence changes, as the server shows it.
func (f *fenced) outside(t *testing.T) []string {
	t.Helper()
	return append(eventsAsShown(t, f.Server, f.url), f.Query(t, f.url, "SHOW CREATE USER app@'%'")[0][0], f.Query(t, f.url, "SHOW CREATE USER app@localhost")[0][0],
		f.Query(t, f.url, "SELECT @@global.read_only")[0][0])
}

// fence is one of the application's accounts, as a process of its own would have it.
func (f *fenced) fence(t *testing.T, r *change.Record, kind change.FenceKind) *fence {
	t.Helper()
	return applyEnd(t, f.url).Fence(r, change.FenceOrder{Who: "the driver", Users: []string{"app"}, Kind: kind}).(*fence)
}

// state is what the ledger remembers.
func (f *fenced) state(t *testing.T, r *change.Record) (s fenceState) {
	t.Helper()
	err := f.end.withWriter(t.Context(), func(ctx context.Context, w *reader) (err error) {
		s, err = (&fence{e: f.end, record: r}).state(ctx, w)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// writers insert rows, reconnecting, until stop is called, which returns what was acknowledged.
func (f *fenced) writers(t *testing.T, n int) (acked func() int64, stop func() map[string]bool) {
	t.Helper()
	cfg := servertest.MySQLConfig(t, f.app)
	cfg.Logger = &driver.NopLogger{}
	connector, err := driver.NewConnector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var mu sync.Mutex
	var count atomic.Int64
	rows := map[string]bool{}
	for w := range n {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				if _, err := db.ExecContext(ctx, "INSERT INTO t VALUES (?, ?)", w, i); err != nil {
					continue
				}
				count.Add(1)
				mu.Lock()
				rows[fmt.Sprintf("%d %d", w, i)] = true
				mu.Unlock()
			}
		})
	}
	return count.Load, func() map[string]bool { cancel(); wg.Wait(); db.Close(); return rows }
}

// TestFence shares a server between its parts, since one takes long to start.
func TestFence(t *testing.T) {
	behindFence(t, func(t *testing.T, f *fenced) {
		t.Run("Writers", func(t *testing.T) { fenceWriters(t, f) })
		t.Run("Interrupted", func(t *testing.T) { fenceInterrupted(t, f) })
		t.Run("Stalled", func(t *testing.T) { fenceStalled(t, f) })
		t.Run("Widened", func(t *testing.T) { fenceWidened(t, f) })
		t.Run("Plan", func(t *testing.T) { fencePlan(t, f) })
		t.Run("Logins", func(t *testing.T) { fenceLogins(t, f) })
	})
}

// fenceLogins lets others log in all the time while the fence stands: a session whose user was not known at the first look is not the application's.
func fenceLogins(t *testing.T, f *fenced) {
	t.Helper()
	haveLedger(t, f.end)
	rec, ctx := newRecord(), t.Context()
	fence := f.fence(t, rec, change.FenceLock)
	if err := fence.Raise(ctx, 1); err != nil {
		t.Fatal(err)
	}
	logins, leave := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for logins.Err() == nil {
				db, err := sql.Open("mysql", servertest.MySQLConfig(t, f.url).FormatDSN())
				if err != nil {
					t.Error(err)
					return
				}
				_ = db.PingContext(logins) // it may be interrupted by the end
				db.Close()
			}
		})
	}
	for i := range 100 {
		if _, err := fence.Prove(ctx, 1); err != nil {
			t.Errorf("proof %d: %v", i, err)
			break
		}
	}
	leave()
	wg.Wait()
	if err := fence.Lower(ctx, 1); err != nil {
		t.Fatal(err)
	}
}

var fenceKinds = []change.FenceKind{change.FenceReadOnly, change.FenceLock}

// fenceWriters raises each kind of fence while eight clients write, has another driver take it over, and the first one come back.
func fenceWriters(t *testing.T, f *fenced) {
	t.Helper()
	before := f.outside(t)
	src := &source{Server: f.Server, url: f.url, end: f.end}
	haveLedger(t, f.end)
	for _, kind := range fenceKinds {
		rec, ctx := newRecord(), t.Context()
		start, followed := startOf(t, f.end), slices.DeleteFunc(selectAll(t, src), func(s *change.Select) bool { return s.Table.Name != "t" })
		first, second := f.fence(t, rec, kind), f.fence(t, rec, "")
		if _, err := first.Prove(ctx, 1); fault.ClassOf(err) != fault.Refused {
			t.Errorf("proof of a fence that does not stand: %v", err)
		}
		acked, stop := f.writers(t, 8)
		eventually(t, func() error {
			if acked() < 100 {
				return fmt.Errorf("%d rows were written", acked())
			}
			return nil
		})
		if err := first.Raise(ctx, 1); err != nil {
			t.Fatal(err)
		}
		pos, err := first.Prove(ctx, 1)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, r := range f.Query(t, f.url, "SELECT w, n FROM t") {
			seen[strings.Join(r, " ")] = true
		}
		f.refused(t)
		rows := stop()
		for r := range rows {
			if !seen[r] {
				t.Errorf("%s: row %s was acknowledged and not seen after the proof", kind, r)
			}
		}
		want(t, f.Server, f.url, "SELECT COUNT(*) FROM t", fmt.Sprint(len(seen)))
		t.Logf("%s: %d rows, position %s", kind, len(seen), pos)
		if s := f.state(t, rec); s.Kind != kind || !s.raised {
			t.Errorf("state %+v", s)
		}
		want(t, f.Server, f.url, fmt.Sprintf("SELECT driver, since > UTC_TIMESTAMP() - INTERVAL 5 MINUTE FROM fence WHERE migration = %d", inLedger(rec)), "the driver 1")

		if err := second.Raise(ctx, 2); err != nil {
			t.Errorf("taking over: %v", err)
		}
		stands := f.outside(t)
		f.stale(t, rec, 1, first)
		equal(t, "after the first one came back", f.outside(t), stands)
		f.refused(t)
		if _, err := second.Prove(ctx, 2); err != nil {
			t.Errorf("proof of the one that took over: %v", err)
		}
		for range 2 {
			if err := second.Lower(ctx, 2); err != nil {
				t.Fatal(err)
			}
			equal(t, "after lowering", f.outside(t), before)
		}
		f.stale(t, rec, 1, first)
		equal(t, "after the first one came back", f.outside(t), before)
		f.Exec(t, f.app, "INSERT INTO t VALUES (-1, 1)", "DELETE FROM t")
		txns, err := read(t, f.end, start, followed, endOf(t, f.end), nil)
		if err != nil || len(txns) != len(seen)+2 || strings.Contains(strings.Join(texts2(txns), " "), "ddl") {
			t.Errorf("followed through it: %d transactions of %d, %v", len(txns), len(seen)+2, err)
		}
	}
}

// stale wants every call of a driver whose time has passed to be refused.
func (f *fenced) stale(t *testing.T, r *change.Record, token change.Token, fence *fence) {
	t.Helper()
	ctx := t.Context()
	o := fence.e.Opening(r, &schema.Database{Name: schema.Name(databaseOf(t, f.url))})
	_, proved := fence.Prove(ctx, token)
	for what, err := range map[string]error{
		"raise": fence.Raise(ctx, token), "prove": proved, "lower": fence.Lower(ctx, token), "prepare": o.Prepare(ctx, token, nil),
		"restore": o.Restore(ctx, token), "validate": o.Validate(ctx, token), "start": fence.e.Start(ctx, r, token, change.Mark{}),
	} {
		if !errors.Is(err, journal.ErrStale) || fault.ClassOf(err) != fault.Busy {
			t.Errorf("%s with an old token: %v", what, err)
		}
	}
}

// refused tries to write as the application: it must fail at once.
func (f *fenced) refused(t *testing.T) {
	t.Helper()
	start := time.Now()
	_, err := openSQL(t, f.app).ExecContext(t.Context(), "INSERT INTO t VALUES (-9, 9)")
	code := uint16(0)
	if e, ok := err.(*driver.MySQLError); ok { //nolint:errorlint // the driver returns it bare
		code = e.Number
	}
	if !slices.Contains([]uint16{1045, 3118, 4151, 1290}, code) || time.Since(start) > 5*time.Second {
		t.Errorf("a write on the fenced side: %v after %s", err, time.Since(start))
	}
}

// fenceInterrupted stops between the steps of Raise, and of Lower. Another process, with a token of its own, then lowers the fence, or raises it
// to its end, and everything is as it was.
func fenceInterrupted(t *testing.T, f *fenced) {
	t.Helper()
	before, ctx := f.outside(t), t.Context()
	for _, kind := range fenceKinds {
		for step := range 8 {
			if kind == change.FenceReadOnly && step%2 == 0 {
				continue // the other kind tells
			}
			rec := newRecord()
			one, two := f.fence(t, rec, kind), f.fence(t, rec, "")
			if err := one.partly(ctx, step); err != nil {
				t.Fatal(err)
			}
			if step%2 == 1 {
				if _, err := two.Prove(ctx, 2); fault.ClassOf(err) != fault.Refused {
					t.Errorf("%s interrupted at %d: proof of half a fence: %v", kind, step, err)
				}
			}
			if step >= 2 {
				if err := two.Raise(ctx, 2); err != nil {
					t.Fatal(err)
				}
				f.refused(t)
				if _, err := two.Prove(ctx, 2); err != nil {
					t.Errorf("%s interrupted at %d and raised again: %v", kind, step, err)
				}
			}
			if err := two.Lower(ctx, 3); err != nil {
				t.Fatal(err)
			}
			equal(t, fmt.Sprintf("%s interrupted at %d", kind, step), f.outside(t), before)
		}
	}
}

// partly does 1 to 4 steps of Raise, or, from 4 on, all of them and 1 to 4 steps of Lower.
func (f *fence) partly(ctx context.Context, step int) error {
	if step >= 4 {
		if err := f.Raise(ctx, 1); err != nil {
			return err
		}
	}
	return f.e.guarded(ctx, f.record, 1, "test", func(ctx context.Context, w *reader) error {
		s, err := f.state(ctx, w)
		if err != nil {
			return err
		}
		raise := []func() error{
			func() (err error) { s.fenceMemory, err = f.intend(ctx, w); return err },
			func() error { return f.close(ctx, w, s.fenceMemory) },
			func() error { return f.e.disableEvents(ctx, w, f.record) },
			func() error { return f.evict(ctx, w, s.fenceMemory) },
		}
		lower := []func() error{
			func() error { return f.note(ctx, w, false) },
			func() error {
				if s.Kind == change.FenceReadOnly {
					return w.exec(ctx, "SET GLOBAL read_only = OFF")
				}
				return nil
			},
			func() error {
				for _, a := range s.Unlocked {
					if err := w.exec(ctx, "ALTER USER "+accountSQL(a)+" ACCOUNT UNLOCK"); err != nil {
						return err
					}
				}
				return nil
			},
			func() error { return f.e.restoreEvents(ctx, w, f.record) },
		}
		for _, fn := range slices.Concat(raise, lower)[step/4*4 : step+1] {
			if err := fn(); err != nil {
				return err
			}
		}
		return nil
	})
}

// fenceStalled has a driver stall with the lock in its hands, within a statement: one with a higher token ends it, one with a lower
// token does not.
func fenceStalled(t *testing.T, f *fenced) {
	t.Helper()
	ctx, rec := t.Context(), newRecord()
	stall := func(e *End, token change.Token) (ended chan error) {
		began := make(chan struct{})
		ended = make(chan error, 1)
		go func() {
			ended <- e.guarded(ctx, rec, token, "stall", func(ctx context.Context, w *reader) error {
				close(began)
				return w.exec(ctx, "DO SLEEP(600)")
			})
		}()
		select {
		case <-began:
		case err := <-ended:
			t.Fatal(err)
		}
		return ended
	}
	old, young := f.fence(t, rec, ""), f.fence(t, rec, "")
	ended := stall(old.e, 1)
	start := time.Now()
	if err := young.Raise(ctx, 2); err != nil {
		t.Fatal(err)
	}
	t.Logf("took over after %s", time.Since(start))
	if err := <-ended; fault.ClassOf(err) == fault.Busy || err == nil {
		t.Errorf("the stalled one: %v", err)
	}
	if err := old.Lower(ctx, 1); !errors.Is(err, journal.ErrStale) {
		t.Errorf("the stalled one tries again: %v", err)
	}
	f.refused(t)

	// A call of the same driver that was given up, whose statement runs on.
	ended = stall(young.e, 2)
	if err := old.Lower(ctx, 1); !errors.Is(err, journal.ErrStale) {
		t.Errorf("a lower token: %v", err)
	}
	select {
	case err := <-ended:
		t.Errorf("the lower token ended the higher one: %v", err)
	default:
	}
	if err := young.Lower(ctx, 2); err != nil {
		t.Error(err)
	}
	if err := <-ended; err == nil {
		t.Error("two calls worked at the same time")
	}
}

// fenceWidened names one account first and the other in the next attempt, and asks for another kind.
func fenceWidened(t *testing.T, f *fenced) {
	t.Helper()
	ctx, rec := t.Context(), newRecord()
	f.Exec(t, f.url, "CREATE USER more@'%' IDENTIFIED BY 'app'")
	show := "SHOW CREATE USER more@'%'"
	before := append(f.outside(t), f.Query(t, f.url, show)[0][0])
	one := f.fence(t, rec, "")
	if err := one.Raise(ctx, 1); err != nil {
		t.Fatal(err)
	}
	one.order.Users = []string{"more", "app"}
	if err := one.Raise(ctx, 1); err != nil {
		t.Fatal(err)
	}
	if s := f.state(t, rec); !slices.Equal(s.Accounts, []string{"app@%", "app@localhost", "more@%"}) || !slices.Equal(s.Unlocked, []string{"app@%", "more@%"}) {
		t.Errorf("state %+v", s)
	}
	one.order.Kind = change.FenceReadOnly
	if err := one.Raise(ctx, 1); fault.ClassOf(err) != fault.Refused {
		t.Errorf("another kind: %v", err)
	}
	if _, err := one.Prove(ctx, 1); err != nil {
		t.Error(err)
	}
	// Whoever lowers it need not know whom it fences.
	if err := f.end.Fence(rec, change.FenceOrder{}).Lower(ctx, 2); err != nil {
		t.Fatal(err)
	}
	equal(t, "after lowering", append(f.outside(t), f.Query(t, f.url, show)[0][0]), before)
	f.Exec(t, f.url, "DROP USER more@'%'")
}

// fencePlan refuses what cannot be fenced, and proves nothing while somebody could still write.
func fencePlan(t *testing.T, f *fenced) {
	t.Helper()
	ctx, rec := t.Context(), newRecord()
	plan := func(kind change.FenceKind, users ...string) (change.FencePlan, error) {
		return f.end.PlanFence(ctx, rec, change.FenceOrder{Users: users, Kind: kind})
	}
	for user, class := range map[string]fault.Class{"root": fault.Refused, "root@localhost": fault.Refused, "nobody": fault.Usage} {
		if _, err := plan("", user); fault.ClassOf(err) != class {
			t.Errorf("fence of %q: %v", user, err)
		}
	}
	if _, err := plan(""); fault.ClassOf(err) != fault.Usage {
		t.Errorf("fence of nobody: %v", err)
	}
	if p, err := plan(change.FenceReadOnly, "app"); err != nil || p.Kind != change.FenceReadOnly || !slices.Equal(p.Possible, []change.FenceKind{change.FenceLock, change.FenceReadOnly}) {
		t.Errorf("plan %+v, %v", p, err)
	}
	if _, err := plan(change.FenceTrigger, "app"); fault.ClassOf(err) != fault.Refused {
		t.Errorf("a fence of triggers: %v", err)
	}
	f.Exec(t, f.url, "CREATE USER late@'%' IDENTIFIED BY 'app'", "GRANT INSERT ON `"+databaseOf(t, f.url)+"`.* TO late@'%'", "CREATE DATABASE elsewhere")
	p, err := plan("", "app")
	if err != nil {
		t.Fatal(err)
	}
	if p.Kind != change.FenceLock || len(p.Possible) != 1 || !slices.Equal(p.Writers, []string{"late@%"}) || !slices.Equal(p.Accounts, []string{"app@%", "app@localhost"}) || !slices.Equal(p.Events, []string{"tidy"}) {
		t.Errorf("plan %+v", p)
	}
	if _, err := plan(change.FenceReadOnly, "app"); fault.ClassOf(err) != fault.Refused || !strings.Contains(err.Error(), "elsewhere") {
		t.Errorf("read_only beside another database: %v", err)
	}
	fence := f.fence(t, rec, "")
	if err := fence.Raise(ctx, 1); err != nil {
		t.Fatal(err)
	}
	tx, err := openSQL(t, f.url).BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO t VALUES (5, 5)"); err != nil {
		t.Fatal(err)
	}
	if _, err := fence.Prove(ctx, 1); fault.ClassOf(err) != fault.Busy {
		t.Errorf("proof beside an open transaction: %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	f.Exec(t, f.url, "XA START 'left'", "INSERT INTO t VALUES (6, 6)", "XA END 'left'", "XA PREPARE 'left'")
	if _, err := fence.Prove(ctx, 1); fault.ClassOf(err) != fault.Refused || !strings.Contains(err.Error(), "left") {
		t.Errorf("proof beside a prepared transaction: %v", err)
	}
	f.Exec(t, f.url, "XA ROLLBACK 'left'")
	if _, err := fence.Prove(ctx, 1); err != nil {
		t.Error(err)
	}
	f.Exec(t, f.url, "ALTER USER app@'%' ACCOUNT UNLOCK")
	if _, err := fence.Prove(ctx, 1); fault.ClassOf(err) != fault.Refused {
		t.Errorf("proof of a fence that somebody opened: %v", err)
	}
}
