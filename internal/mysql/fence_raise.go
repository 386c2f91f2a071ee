package mysql

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
)

const (
	// fencePatience bounds the wait for sessions to end and for the barrier, beside the caller's own context.
	fencePatience = 30 * time.Second
	fencePause    = 20 * time.Millisecond
	// fenceLockWait is in seconds: a statement that waits for a lock makes the application's wait behind it.
	fenceLockWait = "2"
)

// Raise keeps the application from writing: what it will do is in the ledger before it does it. When it returns, the sessions that the
// application had are gone. A lease says how long this driver answers for the fence.
func (f *Fence) Raise(ctx context.Context, p FencePlan, lease time.Duration) error {
	var s FenceState
	err := f.e.withWriter(ctx, func(ctx context.Context, w *reader) (err error) {
		if err := f.e.makeLedger(ctx, w, fenceTables); err != nil {
			return err
		}
		if s, err = f.intend(ctx, w, p, lease); err != nil {
			return err
		}
		return f.close(ctx, w, s)
	})
	if err != nil {
		return err
	}
	if err := f.e.DisableEvents(ctx, f.record); err != nil {
		return err
	}
	// Every session with a smaller number than this connection's began before the fence stood.
	return f.e.withWriter(ctx, func(ctx context.Context, w *reader) error {
		if err := f.evict(ctx, w, s); err != nil {
			return err
		}
		return f.fail("record that the fence stands", w.exec(ctx, fmt.Sprintf("UPDATE %s SET raised = TRUE WHERE migration = %d", f.e.ledger("fence"), f.record.ID)))
	})
}

// intend records what will be done and how everything was. What an earlier attempt recorded stays: only that attempt saw how it was.
func (f *Fence) intend(ctx context.Context, w *reader, p FencePlan, lease time.Duration) (FenceState, error) {
	const op = "record the fence"
	s, err := f.state(ctx, w)
	if err != nil {
		return s, err
	}
	if s.Kind == "" {
		if s.FenceMemory, err = f.remember(ctx, w, p); err != nil {
			return s, err
		}
	} else if s.Driver != f.driver {
		now, err := w.row(ctx, "SELECT UTC_TIMESTAMP(6)")
		if err != nil {
			return s, f.fail(op, err)
		}
		if at, err := parseInstant(now[0]); err != nil || s.Lease.After(at) {
			return s, errors.Join(err, fault.New(fault.Busy, op, fmt.Errorf("%s has raised it at %s and answers for it until %s", s.Driver, s.Since.Format(time.RFC3339), s.Lease.Format(time.RFC3339)),
				"wait until then, or ask that process"))
		}
	}
	memory, err := json.Marshal(s.FenceMemory)
	if err != nil {
		return s, err
	}
	err = w.exec(ctx, fmt.Sprintf("INSERT INTO %s (migration, memory, driver, since, lease) VALUES (%d, %s, %s, UTC_TIMESTAMP(6), %s) ON DUPLICATE KEY UPDATE driver = VALUES(driver), lease = VALUES(lease)",
		f.e.ledger("fence"), f.record.ID, quoteString(string(memory)), quoteString(f.driver), leaseSQL(lease)))
	return s, f.fail(op, err)
}

// remember looks how everything is now.
func (f *Fence) remember(ctx context.Context, w *reader, p FencePlan) (FenceMemory, error) {
	const op = "look how things are before the fence"
	m := FenceMemory{Kind: p.Kind, Accounts: p.Accounts}
	if !slices.Contains(p.Possible, p.Kind) || len(p.Accounts) == 0 {
		return m, fault.New(fault.Usage, op, fmt.Errorf("the plan allows no fence of kind %q over %d accounts", p.Kind, len(p.Accounts)), "plan the fence again")
	}
	if p.Kind == FenceReadOnly {
		row, err := w.row(ctx, "SELECT @@global.read_only")
		if err != nil {
			return m, f.fail(op, err)
		}
		m.ReadOnly = row[0]
		return m, nil
	}
	for _, a := range p.Accounts {
		locked, err := w.locked(ctx, a)
		if err != nil {
			return m, f.e.explain(op, err)
		}
		if !locked {
			m.Unlocked = append(m.Unlocked, a)
		}
	}
	return m, nil
}

// locked reports whether an account is locked.
func (r *reader) locked(ctx context.Context, account string) (bool, error) {
	row, err := r.row(ctx, "SHOW CREATE USER "+accountSQL(account))
	if err != nil {
		return false, err
	}
	return strings.Contains(row[0], " ACCOUNT LOCK"), nil
}

// close does what keeps new writes out.
func (f *Fence) close(ctx context.Context, w *reader, s FenceState) error {
	if err := w.exec(ctx, "SET SESSION lock_wait_timeout = "+fenceLockWait); err != nil {
		return f.fail("close the fence", err)
	}
	if s.Kind == FenceReadOnly {
		return f.admin("set read_only", w.exec(ctx, "SET GLOBAL read_only = ON"), "SYSTEM_VARIABLES_ADMIN, CONNECTION_ADMIN")
	}
	for _, a := range s.Unlocked {
		if err := w.exec(ctx, "ALTER USER "+accountSQL(a)+" ACCOUNT LOCK"); err != nil {
			return f.admin("lock the account "+a, err, "CREATE USER")
		}
	}
	return nil
}

// admin explains an error of a statement about the server.
func (f *Fence) admin(op string, err error, rights string) error {
	return f.e.explainWrite(op, err, rights, "*.*")
}

// evict ends the sessions that began before the fence stood, those that are still logging in included, and waits until they are gone.
func (f *Fence) evict(ctx context.Context, w *reader, s FenceState) error {
	const op = "end the application's sessions"
	ctx, cancel := context.WithTimeout(ctx, fencePatience)
	defer cancel()
	mark := strconv.FormatUint(uint64(w.conn.ConnectionID()), 10)
	tick := time.NewTicker(fencePause)
	defer tick.Stop()
	for {
		ids, err := w.sessions(ctx, s.Accounts, mark)
		if err != nil {
			return f.e.explain(op, err)
		}
		if len(ids) == 0 {
			return nil
		}
		for _, id := range ids {
			if err := f.kill(ctx, w, id); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return fault.New(fault.Resource, op, fmt.Errorf("sessions %s are still there: %w", strings.Join(ids, ", "), context.Cause(ctx)),
				"a session that rolls back a large transaction takes long to go; lower the fence and try again later")
		case <-tick.C:
		}
	}
}

// sessions lists the ids of sessions of the accounts' users, and of those that have not said yet who they are, below a number.
func (r *reader) sessions(ctx context.Context, accounts []string, below string) ([]string, error) {
	users := []string{"unauthenticated user"}
	for _, a := range accounts {
		users = append(users, userOf(a))
	}
	rows, err := r.rows(ctx, "SELECT ID FROM information_schema.PROCESSLIST WHERE USER IN ("+quoteStrings(users)+") AND ID < "+below+" ORDER BY ID")
	var ids []string
	for _, v := range rows {
		ids = append(ids, v[0])
	}
	return ids, err
}

// kill ends a session, over Amazon's procedure where KILL is not allowed.
func (f *Fence) kill(ctx context.Context, w *reader, id string) error {
	err := w.exec(ctx, "KILL "+id)
	if code, _ := serverCode(err); code == 1095 || code == 1227 {
		if w.exec(ctx, "CALL mysql.rds_kill("+id+")") == nil {
			return nil
		}
	} else if code == 1094 { // gone already
		return nil
	}
	right := "CONNECTION_ADMIN"
	if f.e.server.dialect == schema.MariaDB {
		right = "CONNECTION ADMIN"
	}
	if code, _ := serverCode(err); code == 1095 {
		return fault.New(fault.Privilege, "end session "+id, err, f.e.grant(right, "*.*", ""))
	}
	return f.admin("end session "+id, err, right)
}

// Lower lets the application write again: accounts, read_only and events are as they were before Raise.
func (f *Fence) Lower(ctx context.Context) error {
	var s FenceState
	err := f.e.withWriter(ctx, func(ctx context.Context, w *reader) (err error) {
		if s, err = f.state(ctx, w); err != nil || s.Kind == "" {
			return err
		}
		if s.Kind == FenceReadOnly && s.ReadOnly == "0" {
			if err := w.exec(ctx, "SET GLOBAL read_only = OFF"); err != nil {
				return f.admin("lift read_only", err, "SYSTEM_VARIABLES_ADMIN, CONNECTION_ADMIN")
			}
		}
		for _, a := range s.Unlocked {
			if err := w.exec(ctx, "ALTER USER "+accountSQL(a)+" ACCOUNT UNLOCK"); err != nil {
				return f.admin("unlock the account "+a, err, "CREATE USER")
			}
		}
		return nil
	})
	if err != nil || s.Kind == "" {
		return err
	}
	if err := f.e.RestoreEvents(ctx, f.record); err != nil {
		return err
	}
	return f.e.withWriter(ctx, func(ctx context.Context, w *reader) error {
		return f.fail("forget the fence", w.exec(ctx, fmt.Sprintf("DELETE FROM %s WHERE migration = %d", f.e.ledger("fence"), f.record.ID)))
	})
}
