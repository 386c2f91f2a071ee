package mysql

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
)

// Prove proves that nothing writes to the database any more and returns a position of its log that stands behind everything that
// was written before: when the feed has reached it, nothing of the application is missing. A marker that it writes stands there too,
// so that a feed that reaches it is alive. An open transaction of anybody makes it fail after a moment (fault.Busy); then try again, or Lower.
func (f *fence) Prove(ctx context.Context, t change.Token) (change.Position, error) {
	var p change.Position
	err := f.e.guarded(ctx, f.record, t, "prove the fence", func(ctx context.Context, w *reader) error {
		if err := f.stands(ctx, w); err != nil {
			return err
		}
		xa, err := f.e.prepared(ctx, w)
		if err != nil {
			return f.e.explain("look for prepared XA transactions", err)
		}
		if len(xa) > 0 {
			return fault.New(fault.Refused, "prove the fence", fmt.Errorf("XA transactions are prepared and can still be committed: %s", strings.Join(xa, ", ")),
				"end each with XA COMMIT or XA ROLLBACK; XA RECOVER lists them")
		}
		if err := f.barrier(ctx, w); err != nil {
			return err
		}
		p, err = f.mark(ctx, w)
		return err
	})
	return p, err
}

// stands looks at the server itself, not at what the ledger says of it.
func (f *fence) stands(ctx context.Context, w *reader) error {
	const op = "prove the fence"
	s, err := f.state(ctx, w)
	switch {
	case err != nil:
		return err
	case !s.raised:
		return fault.New(fault.Refused, op, errors.New("it has not been raised, or not to the end"), "raise it first")
	case s.Kind == change.FenceReadOnly:
		row, err := w.row(ctx, "SELECT @@global.read_only")
		if err == nil && row[0] == "0" {
			err = fault.New(fault.Refused, op, errors.New("read_only is off: somebody lifted it, or the server was restarted"), "lower the fence and begin again: what was written meanwhile must be followed")
		}
		return f.e.explain(op, err)
	}
	for _, a := range s.Accounts {
		locked, err := w.locked(ctx, a)
		if err != nil {
			return f.e.explain(op, err)
		}
		if !locked {
			return fault.New(fault.Refused, op, fmt.Errorf("the account %s is not locked: somebody unlocked it", a), "lower the fence and begin again: what was written meanwhile must be followed")
		}
	}
	const all = "18446744073709551615"
	ids, err := w.sessions(ctx, s.Accounts, all)
	if err != nil {
		return f.e.explain(op, err)
	}
	var users []string
	for _, a := range s.Accounts {
		users = append(users, userOf(a))
	}
	for _, id := range ids {
		// A login that is being refused shows for a moment; and one that had no user yet may have become anybody's.
		rows, err := w.rows(ctx, "SELECT USER, HOST FROM information_schema.PROCESSLIST WHERE USER IN ("+quoteStrings(users)+") AND COMMAND <> 'Connect' AND ID = "+id)
		if err != nil {
			return f.e.explain(op, err)
		}
		if len(rows) > 0 {
			return fault.New(fault.Refused, op, fmt.Errorf("%s at %s has a session again", rows[0][0], rows[0][1]), "lower the fence and begin again")
		}
	}
	return nil
}

// barrier waits until no transaction of anybody has the tables open for writing: the lock that it takes, twice, does not go with theirs.
func (f *fence) barrier(ctx context.Context, w *reader) error {
	const op = "wait for open transactions"
	rows, err := w.rows(ctx, "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = "+quoteString(string(f.e.cfg.Database))+" AND TABLE_TYPE = 'BASE TABLE'")
	if err != nil {
		return f.e.explain(op, err)
	}
	var list []string
	for _, v := range rows {
		list = append(list, quote(f.e.cfg.Database)+"."+quote(schema.Name(v[0]))+" READ")
	}
	if len(list) == 0 {
		return nil
	}
	for _, s := range []string{
		"SET SESSION lock_wait_timeout = " + fenceLockWait,
		"LOCK TABLES " + strings.Join(list, ", "), "UNLOCK TABLES",
		"LOCK TABLES " + strings.Join(list, ", "), "UNLOCK TABLES",
	} {
		err := w.exec(ctx, s)
		switch code, _ := serverCode(err); code {
		case 0:
			if err != nil {
				return f.e.explain(op, err)
			}
		case 1205:
			return fault.New(fault.Busy, op, fmt.Errorf("somebody has a table of %s open for writing: %w", f.e.cfg.label(), err),
				"SELECT * FROM information_schema.INNODB_TRX shows who; try again, or lower the fence")
		case 1044, 1142:
			return f.noTransactions(ctx, w)
		default:
			return f.e.explain(op, err)
		}
	}
	return nil
}

// noTransactions is the barrier of an account that may not lock tables: no transaction of anybody else is open on the whole server.
func (f *fence) noTransactions(ctx context.Context, w *reader) error {
	const op = "look for open transactions"
	rows, err := w.rows(ctx, "SELECT trx_mysql_thread_id, trx_started FROM information_schema.INNODB_TRX WHERE trx_mysql_thread_id <> CONNECTION_ID() AND trx_rows_modified > 0")
	if err != nil {
		return f.e.explainWrite(op, err, "LOCK TABLES", quote(f.e.cfg.Database)+".*")
	}
	if len(rows) > 0 {
		return fault.New(fault.Busy, op, fmt.Errorf("session %s has a transaction open since %s", rows[0][0], rows[0][1]), "try again, or lower the fence")
	}
	return nil
}

// mark writes the marker and returns the position behind it. Nobody else writes, so what is committed and what is in the log are
// the same.
func (f *fence) mark(ctx context.Context, w *reader) (change.Position, error) {
	const op = "mark the end of the log"
	err := w.exec(ctx, fmt.Sprintf("INSERT INTO %s (migration, seq, at) VALUES (%d, 1, UTC_TIMESTAMP(6)) ON DUPLICATE KEY UPDATE seq = seq + 1, at = VALUES(at)", f.e.ledger("marker"), inLedger(f.record)))
	if err != nil {
		return "", f.e.failLedger(op, err)
	}
	p, err := w.position(ctx)
	if err != nil {
		return "", f.e.explain(op, err)
	}
	switch p.kind {
	case positionNone:
		return "", fault.New(fault.Unsupported, op, errors.New("the server writes no binary log, so nothing can be followed"), "enable log_bin")
	case positionFile:
		row, err := w.row(ctx, f.e.binlogStatement())
		if err != nil {
			return "", f.e.explain(op, err)
		}
		return change.Position(fmt.Sprintf("%s:%s:%s:%s", positionFile, p.server, row[0], row[1])), nil
	}
	return change.Position(p.String()), nil
}
