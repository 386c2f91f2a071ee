package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"github.com/bascule/bascule/internal/fault"
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

func (f *fenced) plan(t *testing.T, kind FenceKind) FencePlan {
	t.Helper()
	p, err := f.end.PlanFence(t.Context(), []string{"app"})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(p.Possible, kind) {
		t.Fatalf("no fence of kind %s in %+v", kind, p)
	}
	p.Kind = kind
	return p
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
		t.Run("Plan", func(t *testing.T) { fencePlan(t, f) })
	})
}

// fenceWriters raises each kind of fence while eight clients write.
func fenceWriters(t *testing.T, f *fenced) {
	t.Helper()
	before := f.outside(t)
	for _, kind := range []FenceKind{FenceReadOnly, FenceLock} {
		rec, ctx := newRecord(), t.Context()
		fence := f.end.Fence(rec, "the driver")
		if _, err := fence.Prove(ctx); fault.ClassOf(err) != fault.Refused {
			t.Errorf("proof of a fence that does not stand: %v", err)
		}
		p := f.plan(t, kind)
		acked, stop := f.writers(t, 8)
		eventually(t, func() error {
			if acked() < 100 {
				return fmt.Errorf("%d rows were written", acked())
			}
			return nil
		})
		if err := fence.Raise(ctx, p, time.Minute); err != nil {
			t.Fatal(err)
		}
		pos, err := fence.Prove(ctx)
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
		if s, err := fence.State(ctx); err != nil || s.Kind != kind || !s.Raised || s.Driver != "the driver" || !s.Lease.After(s.Since) {
			t.Errorf("state %+v, %v", s, err)
		}
		other := f.end.Fence(rec, "another")
		if err := other.Raise(ctx, p, time.Minute); fault.ClassOf(err) != fault.Busy {
			t.Errorf("another driver: %v", err)
		}
		if err := other.Renew(ctx, time.Minute); fault.ClassOf(err) != fault.Refused {
			t.Errorf("another driver's lease: %v", err)
		}
		if err := fence.Renew(ctx, -time.Second); err != nil {
			t.Error(err)
		}
		if err := other.Raise(ctx, p, time.Minute); err != nil {
			t.Errorf("taking over: %v", err)
		}
		for range 2 {
			if err := other.Lower(ctx); err != nil {
				t.Fatal(err)
			}
			equal(t, "after lowering", f.outside(t), before)
		}
		f.Exec(t, f.app, "INSERT INTO t VALUES (-1, 1)", "DELETE FROM t")
	}
}

// refused tries to write as the application: it must fail at once.
func (f *fenced) refused(t *testing.T) {
	t.Helper()
	db, err := sql.Open("mysql", servertest.MySQLConfig(t, f.app).FormatDSN())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	start := time.Now()
	_, err = db.ExecContext(t.Context(), "INSERT INTO t VALUES (-9, 9)")
	code := uint16(0)
	if e, ok := err.(*driver.MySQLError); ok { //nolint:errorlint // the driver returns it bare
		code = e.Number
	}
	if !slices.Contains([]uint16{1045, 3118, 4151, 1290}, code) || time.Since(start) > 5*time.Second {
		t.Errorf("a write on the fenced side: %v after %s", err, time.Since(start))
	}
}

// fenceInterrupted stops between the steps of Raise; Lower then restores everything.
func fenceInterrupted(t *testing.T, f *fenced) {
	t.Helper()
	before, ctx := f.outside(t), t.Context()
	for _, kind := range []FenceKind{FenceReadOnly, FenceLock} {
		for step := range 4 {
			rec := newRecord()
			fence, p := f.end.Fence(rec, "one"), f.plan(t, kind)
			err := f.end.withWriter(ctx, func(ctx context.Context, w *reader) error {
				if err := f.end.makeLedger(ctx, w, fenceTables); err != nil {
					return err
				}
				s, err := fence.intend(ctx, w, p, time.Minute)
				if err != nil || step == 0 {
					return err
				}
				if err := fence.close(ctx, w, s); err != nil || step == 1 {
					return err
				}
				return f.end.DisableEvents(ctx, rec)
			})
			if err != nil {
				t.Fatal(err)
			}
			if step == 3 { // begun again, by the same driver
				if err := fence.Raise(ctx, f.plan(t, kind), time.Minute); err != nil {
					t.Fatal(err)
				}
			}
			if err := fence.Lower(ctx); err != nil {
				t.Fatal(err)
			}
			equal(t, fmt.Sprintf("%s interrupted at %d", kind, step), f.outside(t), before)
		}
	}
}

// fencePlan refuses what cannot be fenced, and proves nothing while somebody could still write.
func fencePlan(t *testing.T, f *fenced) {
	t.Helper()
	ctx := t.Context()
	for users, class := range map[string]fault.Class{"root": fault.Refused, "root@localhost": fault.Refused, "nobody": fault.Usage, "": fault.Usage} {
		var list []string
		if users != "" {
			list = []string{users}
		}
		if _, err := f.end.PlanFence(ctx, list); fault.ClassOf(err) != class {
			t.Errorf("fence of %q: %v", users, err)
		}
	}
	f.Exec(t, f.url, "CREATE USER late@'%' IDENTIFIED BY 'app'", "GRANT INSERT ON `"+databaseOf(t, f.url)+"`.* TO late@'%'", "CREATE DATABASE elsewhere")
	p, err := f.end.PlanFence(ctx, []string{"app"})
	if err != nil {
		t.Fatal(err)
	}
	if p.Kind != FenceLock || len(p.Possible) != 1 || !slices.Equal(p.Writers, []string{"late@%"}) || !slices.Equal(p.Accounts, []string{"app@%", "app@localhost"}) || !slices.Equal(p.Events, []string{"tidy"}) {
		t.Errorf("plan %+v", p)
	}
	fence := f.end.Fence(newRecord(), "one")
	if err := fence.Raise(ctx, p, time.Minute); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("mysql", servertest.MySQLConfig(t, f.url).FormatDSN())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO t VALUES (5, 5)"); err != nil {
		t.Fatal(err)
	}
	if _, err := fence.Prove(ctx); fault.ClassOf(err) != fault.Busy {
		t.Errorf("proof beside an open transaction: %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	f.Exec(t, f.url, "XA START 'left'", "INSERT INTO t VALUES (6, 6)", "XA END 'left'", "XA PREPARE 'left'")
	if _, err := fence.Prove(ctx); fault.ClassOf(err) != fault.Refused || !strings.Contains(err.Error(), "left") {
		t.Errorf("proof beside a prepared transaction: %v", err)
	}
	f.Exec(t, f.url, "XA ROLLBACK 'left'")
	if _, err := fence.Prove(ctx); err != nil {
		t.Error(err)
	}
	f.Exec(t, f.url, "ALTER USER app@'%' ACCOUNT UNLOCK")
	if _, err := fence.Prove(ctx); fault.ClassOf(err) != fault.Refused {
		t.Errorf("proof of a fence that somebody opened: %v", err)
	}
}
