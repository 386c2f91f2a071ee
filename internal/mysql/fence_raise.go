package mysql

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
)

const (
	// fencePatience bounds the wait for sessions to end, beside the caller's own context.
	fencePatience = 30 * time.Second
	fencePause    = 20 * time.Millisecond
	// fenceLockWait is in seconds: a statement that waits for a lock makes the application's wait behind it.
	fenceLockWait = "2"
)

// Raise keeps the application from writing: what it will do is in the ledger before it does it. When it returns, the sessions that the
// application had are gone.
func (f *fence) Raise(ctx context.Context, t change.Token) error {
	return f.e.guarded(ctx, f.record, t, "raise the fence", func(ctx context.Context, w *reader) error {
		m, err := f.intend(ctx, w)
		if err != nil {
			return err
		}
		if err := f.close(ctx, w, m); err != nil {
			return err
		}
		if err := f.e.disableEvents(ctx, w, f.record); err != nil {
			return err
		}
		if err := f.evict(ctx, w, m); err != nil {
			return err
		}
		return f.note(ctx, w, true)
	})
}

// intend records what will be done and how everything was. What an earlier attempt recorded stays: only that attempt saw how it was.
// Nothing is closed yet, so the time that it takes to look costs the application nothing.
func (f *fence) intend(ctx context.Context, w *reader) (fenceMemory, error) {
	const op = "record the fence"
	s, err := f.state(ctx, w)
	if err != nil {
		return s.fenceMemory, err
	}
	m := s.fenceMemory
	if m.Kind == "" {
		m, err = f.begin(ctx, w)
	} else {
		m, err = f.widen(ctx, w, m)
	}
	if err != nil {
		return m, f.e.explain(op, err)
	}
	memory, err := json.Marshal(m)
	if err != nil {
		return m, err
	}
	err = w.exec(ctx, fmt.Sprintf("INSERT INTO %s (migration, memory, driver, since) VALUES (%d, %s, %s, UTC_TIMESTAMP(6)) ON DUPLICATE KEY UPDATE memory = VALUES(memory), driver = VALUES(driver)",
		f.e.ledger("fence"), inLedger(f.record), quoteString(string(memory)), quoteString(firstRunes(f.order.Who, 255))))
	return m, f.e.failLedger(op, err)
}

// begin plans the fence and looks how everything is now.
func (f *fence) begin(ctx context.Context, w *reader) (fenceMemory, error) {
	var p change.FencePlan
	if err := f.e.planFence(ctx, w, f.order, &p); err != nil {
		return fenceMemory{}, err
	}
	m := fenceMemory{Kind: p.Kind}
	if p.Kind == change.FenceReadOnly {
		row, err := w.row(ctx, "SELECT @@global.read_only")
		if err != nil {
			return m, err
		}
		m.ReadOnly = row[0]
	}
	return m, m.add(ctx, w, p.Accounts)
}

// widen takes in accounts of the order that an earlier attempt did not have: users that were forgotten, accounts that were made since.
func (f *fence) widen(ctx context.Context, w *reader, m fenceMemory) (fenceMemory, error) {
	if f.order.Kind != "" && f.order.Kind != m.Kind {
		return m, fault.New(fault.Refused, "raise a fence of kind "+string(f.order.Kind), fmt.Errorf("one of kind %s has been begun", m.Kind), "undo that one first, or ask for the same kind")
	}
	accounts, err := f.e.fencedAccounts(ctx, w, f.order.Users)
	if err != nil {
		return m, err
	}
	return m, m.add(ctx, w, accounts)
}

// add takes accounts in as they are now, those that are in already stay as they were.
func (m *fenceMemory) add(ctx context.Context, w *reader, accounts []string) error {
	for _, a := range accounts {
		if slices.Contains(m.Accounts, a) {
			continue
		}
		m.Accounts = append(m.Accounts, a)
		if m.Kind != change.FenceLock {
			continue
		}
		locked, err := w.locked(ctx, a)
		if err != nil {
			return err
		}
		if !locked {
			m.Unlocked = append(m.Unlocked, a)
		}
	}
	return nil
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
func (f *fence) close(ctx context.Context, w *reader, m fenceMemory) error {
	if err := w.exec(ctx, "SET SESSION lock_wait_timeout = "+fenceLockWait); err != nil {
		return f.e.explain("close the fence", err)
	}
	if m.Kind == change.FenceReadOnly {
		return f.e.failServer("set read_only", w.exec(ctx, "SET GLOBAL read_only = ON"), "SYSTEM_VARIABLES_ADMIN, CONNECTION_ADMIN")
	}
	for _, a := range m.Unlocked {
		if err := w.exec(ctx, "ALTER USER "+accountSQL(a)+" ACCOUNT LOCK"); err != nil {
			return f.e.failServer("lock the account "+a, err, "CREATE USER")
		}
	}
	return nil
}

// failServer explains an error of a statement about the server.
func (e *End) failServer(op string, err error, rights string) error {
	return e.explainWrite(op, err, rights, "*.*")
}

// evict ends the sessions that began before the fence stood, those that are still logging in included, and waits until they are gone.
func (f *fence) evict(ctx context.Context, w *reader, m fenceMemory) error {
	const op = "end the application's sessions"
	// Every session with a smaller number than that of a connection made now began before the fence stood.
	c, err := f.e.connectAs(ctx, 0)
	if err != nil {
		return err
	}
	mark := strconv.FormatUint(uint64(c.ConnectionID()), 10)
	c.Close()
	ctx, cancel := context.WithTimeout(ctx, fencePatience)
	defer cancel()
	tick := time.NewTicker(fencePause)
	defer tick.Stop()
	for {
		ids, err := w.sessions(ctx, m.Accounts, mark)
		if err != nil {
			return f.e.explain(op, err)
		}
		if len(ids) == 0 {
			return nil
		}
		for _, id := range ids {
			if err := f.e.kill(ctx, w, id); err != nil {
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
func (e *End) kill(ctx context.Context, w *reader, id string) error {
	err := w.exec(ctx, "KILL "+id)
	if code, _ := serverCode(err); code == 1095 || code == 1227 {
		if w.exec(ctx, "CALL mysql.rds_kill("+id+")") == nil {
			return nil
		}
	} else if code == 1094 { // gone already
		return nil
	}
	right := "CONNECTION_ADMIN"
	if e.server.dialect == schema.MariaDB {
		right = "CONNECTION ADMIN"
	}
	if code, _ := serverCode(err); code == 1095 {
		return fault.New(fault.Privilege, "end session "+id, err, e.grant(right, "*.*", ""))
	}
	return e.failServer("end session "+id, err, right)
}

// Lower lets the application write again: accounts, read_only and events are as they were before Raise. The ledger then forgets how that
// was, and keeps the token.
func (f *fence) Lower(ctx context.Context, t change.Token) error {
	return f.e.guarded(ctx, f.record, t, "lower the fence", func(ctx context.Context, w *reader) error {
		s, err := f.state(ctx, w)
		if err != nil {
			return err
		}
		// First: whoever finds half of it must not take it for a fence that stands.
		if err := f.note(ctx, w, false); err != nil {
			return err
		}
		if s.Kind == change.FenceReadOnly && s.ReadOnly == "0" {
			if err := w.exec(ctx, "SET GLOBAL read_only = OFF"); err != nil {
				return f.e.failServer("lift read_only", err, "SYSTEM_VARIABLES_ADMIN, CONNECTION_ADMIN")
			}
		}
		for _, a := range s.Unlocked {
			if err := w.exec(ctx, "ALTER USER "+accountSQL(a)+" ACCOUNT UNLOCK"); err != nil {
				return f.e.failServer("unlock the account "+a, err, "CREATE USER")
			}
		}
		if err := f.e.restoreEvents(ctx, w, f.record); err != nil {
			return err
		}
		return f.e.failLedger("forget the fence", w.exec(ctx, fmt.Sprintf("DELETE FROM %s WHERE migration = %d", f.e.ledger("fence"), inLedger(f.record))))
	})
}
