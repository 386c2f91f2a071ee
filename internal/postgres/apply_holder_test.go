package postgres

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
)

// TestApplyHolder lets nobody in beside the first, and the next in as soon as the first is gone.
func TestApplyHolder(t *testing.T) {
	onEachServer(t, func(t *testing.T, d *database) {
		exec(t, d.owner, "CREATE SCHEMA app", "CREATE TABLE app.t (k int PRIMARY KEY)")
		e := d.open(t)
		r := record(t, e)
		tab := []*change.Replica{replica("t", 1, "k")}
		none := func(context.Context, change.Session) error { return nil }
		err := e.Applying(t.Context(), r, "ada@host", tab, func(ctx context.Context, s change.Session) error {
			err := d.open(t).Applying(ctx, r, "eve@elsewhere", tab, none)
			if fault.ClassOf(err) != fault.Busy || !strings.Contains(err.Error(), "ada@host") || !strings.Contains(err.Error(), time.Now().UTC().Format("2006-01-02")) {
				t.Errorf("a second holder: %v", err)
			}
			tx, err := s.Begin(ctx)
			if err != nil {
				return err
			}
			exec(t, d.admin.String(), "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())")
			if err := e.Applying(ctx, r, "bob@host", tab, none); err != nil {
				t.Errorf("after the first is gone: %v", err)
			}
			return tx.Commit(ctx, change.Mark{Position: "zombie"})
		})
		if fault.ClassOf(err) != fault.Connect {
			t.Errorf("a zombie's commit: %v", err)
		}
		if m, who, _, err := e.AppliedMark(t.Context(), r, "forward"); m.Position != "" || who != "bob@host" || err != nil {
			t.Errorf("%v %q %v", m, who, err)
		}
	})
}

// TestApplyOrphan takes over from a process that died in the middle of a statement, which the server would go on with.
func TestApplyOrphan(t *testing.T) {
	onEachServer(t, func(t *testing.T, d *database) {
		exec(t, d.owner, "CREATE SCHEMA app", "CREATE TABLE app.t (k int PRIMARY KEY)")
		e := d.open(t)
		r := record(t, e)
		none := func(context.Context, change.Session) error { return nil }
		c, err := e.single(t.Context(), applySettings)
		if err != nil {
			t.Fatal(err)
		}
		held := fmt.Sprintf("SELECT pg_advisory_lock(hashtextextended(%s, 0))", literal(lockName(r.ID, forward)))
		if err := c.PgConn().Exec(t.Context(), held).Close(); err != nil {
			t.Fatal(err)
		}
		raw := c.PgConn().Conn()
		go func() { _ = c.PgConn().Exec(context.WithoutCancel(t.Context()), "SELECT pg_sleep(60)").Close() }() // which its own end cuts short
		waitFor(t, func() bool {
			return query(t, d.owner, fmt.Sprintf("SELECT count(*) FROM pg_stat_activity WHERE pid = %d AND state = 'active'", c.PgConn().PID()))[0] == "1"
		})
		if err := raw.Close(); err != nil {
			t.Fatal(err)
		}
		if err := e.Applying(t.Context(), r, "bob@host", []*change.Replica{replica("t", 1, "k")}, none); err != nil {
			t.Errorf("after its client is gone: %v (%s)", err, fault.HintOf(err))
		}
	})
}
