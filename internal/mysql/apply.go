package mysql

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/mysql/wire"
)

var _ change.Applier = (*End)(nil)

const (
	// directionBack is what the ledger calls the changes that come back from PostgreSQL.
	directionBack = "back"
	// farewell bounds what is done for a session that is over.
	farewell = 5 * time.Second
)

// applySession implements change.Session and change.Applying on one connection.
type applySession struct {
	e         *End
	r         *reader
	migration int64
	lock      string // its name
	tables    map[*change.Replica]*applyTable
	stmts     applyStmts
	open      bool // a transaction
	// packet is the server's max_allowed_packet in bytes.
	packet int
}

var (
	_ change.Session  = (*applySession)(nil)
	_ change.Applying = (*applySession)(nil)
)

// Applying opens a session that applies changes to this database.
//
// The codecs of tables append, for each value, a big-endian int32 length (-1 for NULL) and what the binary protocol would send for it
// (see change.Batch). The server's user lock bascule/MIGRATION, held by the session's connection, keeps others out, whatever
// machine they run on; it goes when the connection goes.
func (e *End) Applying(ctx context.Context, r *change.Record, who string, tables []*change.Replica, fn func(context.Context, change.Session) error) error {
	return e.withWriter(ctx, func(ctx context.Context, w *reader) error {
		s := &applySession{e: e, r: w, migration: inLedger(r), lock: applierLock(inLedger(r)), stmts: applyStmts{conn: w.conn}}
		if err := e.makeLedger(ctx, w); err != nil {
			return err
		}
		if err := s.hold(ctx, who); err != nil {
			return err
		}
		defer s.release(ctx)
		if err := s.durable(ctx); err != nil {
			return err
		}
		if err := e.passive(ctx, tables); err != nil {
			return err
		}
		if err := s.plan(ctx, tables); err != nil {
			return err
		}
		// From here on the first statement opens a transaction: Begin has one to run anyway.
		if err := w.exec(ctx, "SET autocommit = 0"); err != nil {
			return e.explain("begin to apply changes", err)
		}
		return fn(ctx, s)
	})
}

// applierLock is the name of the user lock of those who apply changes for a migration.
func applierLock(migration int64) string { return "bascule/" + strconv.FormatInt(migration, 10) }

// hold takes the lock and writes down who has it.
func (s *applySession) hold(ctx context.Context, who string) error {
	op := "hold the way back into " + s.e.cfg.label()
	if err := s.e.holdApplier(ctx, s.r, s.migration, op); err != nil {
		return err
	}
	err := s.r.exec(ctx, fmt.Sprintf("INSERT INTO %s (migration, direction, position, holder, since, updated) VALUES (%d, %s, '', %s, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))"+
		" ON DUPLICATE KEY UPDATE holder = VALUES(holder), since = VALUES(since)",
		s.e.ledger("apply"), s.migration, quoteString(directionBack), quoteString(firstRunes(who, 255))))
	return s.e.failLedger(op, err)
}

// firstRunes keeps a text within a column of that many characters.
func firstRunes(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n])
	}
	return s
}

// holderWait is how long a session waits for another that ends, in seconds: what a process that died was about goes on to the end of its statement.
const holderWait = 6

// holdApplier takes the lock of those who apply changes. When another has it, and keeps it, the error is fault.Busy and says who.
func (e *End) holdApplier(ctx context.Context, r *reader, migration int64, op string) error {
	lock := quoteString(applierLock(migration))
	got, err := r.row(ctx, fmt.Sprintf("SELECT GET_LOCK(%s, %d)", lock, holderWait))
	if err != nil || got[0] == "1" {
		return e.explain(op, err)
	}
	rows, err := r.rows(ctx, fmt.Sprintf("SELECT holder, since, IS_USED_LOCK(%s) FROM %s WHERE migration = %d AND direction = %s",
		lock, e.ledger("apply"), migration, quoteString(directionBack)))
	if err != nil {
		return e.explain(op, err)
	}
	if len(rows) == 0 {
		return fault.New(fault.Busy, op, errors.New("another process is about to hold it"), "try again")
	}
	hint := "stop that process first"
	if id := rows[0][2]; id != "" {
		hint += "; if its machine is gone, end its connection: KILL " + id + ";"
	}
	return fault.New(fault.Busy, op, fmt.Errorf("%s has held it since %s UTC", rows[0][0], rows[0][1]), hint)
}

// release ends what is open and lets go of the lock.
func (s *applySession) release(ctx context.Context) {
	if s.r.conn.Closed() {
		return
	}
	// The session is over however its context ended.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	if err := s.Rollback(ctx); err != nil {
		s.e.log.DebugContext(ctx, "roll back at the end", "error", err)
		return
	}
	s.r.unlock(ctx, s.lock)
}

// durable learns the server's limits, and warns where a commit that it has acknowledged may be lost.
func (s *applySession) durable(ctx context.Context) error {
	v, err := s.r.row(ctx, "SELECT @@max_allowed_packet, @@global.innodb_flush_log_at_trx_commit, @@global.sync_binlog")
	if err != nil {
		return s.e.explain("read the server's limits", err)
	}
	if s.packet, err = strconv.Atoi(v[0]); err != nil {
		return fmt.Errorf("read max_allowed_packet %q: %w", v[0], err)
	}
	if v[1] != "1" {
		s.e.log.WarnContext(ctx, "a crash of the server's machine may lose changes that it acknowledged, and the way back with them",
			"innodb_flush_log_at_trx_commit", v[1], "do", "SET GLOBAL innodb_flush_log_at_trx_commit = 1")
	}
	return nil
}

// Mark returns what was saved last.
func (s *applySession) Mark(ctx context.Context) (change.Mark, error) {
	m, err := s.e.mark(ctx, s.r, s.migration)
	if err == nil && !s.open { // reading has opened a transaction
		err = s.e.explain("read how far the way back is", s.r.exec(ctx, "ROLLBACK"))
	}
	return m, err
}

// Applied returns what was saved last, whoever applies; a Mark whose Position is empty when nothing was.
func (e *End) Applied(ctx context.Context, r *change.Record) (m change.Mark, err error) {
	err = e.withReader(ctx, func(ctx context.Context, rd *reader) (err error) {
		m, err = e.mark(ctx, rd, inLedger(r))
		return err
	})
	return m, err
}

// mark reads the ledger's row of a migration.
func (e *End) mark(ctx context.Context, r *reader, migration int64) (m change.Mark, err error) {
	const op = "read how far the way back is"
	rows, err := r.rows(ctx, fmt.Sprintf("SELECT position, at, txns, row_count FROM %s WHERE migration = %d AND direction = %s",
		e.ledger("apply"), migration, quoteString(directionBack)))
	if absent(err) || err == nil && len(rows) == 0 {
		return m, nil
	}
	if err != nil {
		return m, e.explain(op, err)
	}
	v := rows[0]
	m.Position = change.Position(v[0])
	if m.Time, err = parseInstant(v[1]); err != nil {
		return m, fmt.Errorf("%s: %w", op, err)
	}
	for i, n := range []*int64{&m.Txns, &m.Rows} {
		if *n, err = strconv.ParseInt(v[2+i], 10, 64); err != nil {
			return m, fmt.Errorf("%s: %w", op, err)
		}
	}
	return m, nil
}

// Begin opens a transaction by changing the ledger's row: by that as its first change the feed of this end knows, in the log, what
// came from the other side. The value differs from the one before in any case, else the server would log nothing.
func (s *applySession) Begin(ctx context.Context) (change.Applying, error) {
	const op = "begin a transaction of changes"
	if s.open {
		return nil, errors.New("begin a transaction of changes: one is open")
	}
	s.open = true
	res, err := s.r.conn.Exec(ctx, fmt.Sprintf("UPDATE %s SET updated = IF(updated = UTC_TIMESTAMP(6), updated + INTERVAL 1 MICROSECOND, UTC_TIMESTAMP(6)) WHERE migration = %d AND direction = %s",
		s.e.ledger("apply"), s.migration, quoteString(directionBack)))
	switch {
	case err != nil:
		return nil, s.e.failLedger(op, err)
	case res.AffectedRows != 1:
		return nil, s.lost(op)
	}
	return s, nil
}

// lost is the error for a row of the ledger that is not there any more.
func (s *applySession) lost(op string) error {
	return fault.New(fault.Refused, op, fmt.Errorf("the ledger in %s has no row of migration %d", quote(s.e.ledgerName), s.migration),
		"somebody removed it while changes were applied; what was applied so far is not known any more")
}

// Rollback ends an open transaction. A broken connection has ended it already.
func (s *applySession) Rollback(ctx context.Context) error {
	if !s.open {
		return nil
	}
	s.open = false
	if s.r.conn.Closed() {
		return nil
	}
	return s.e.explain("roll back a transaction of changes", s.r.exec(ctx, "ROLLBACK"))
}

// Commit saves the mark and commits.
func (s *applySession) Commit(ctx context.Context, m change.Mark) error {
	const op = "commit changes"
	if !s.open {
		return errors.New("commit changes: no transaction is open")
	}
	res, err := s.r.conn.Exec(ctx, fmt.Sprintf("UPDATE %s SET position = %s, at = %s, txns = %d, row_count = %d, updated = UTC_TIMESTAMP(6) WHERE migration = %d AND direction = %s",
		s.e.ledger("apply"), quoteString(string(m.Position)), instant(m.Time), m.Txns, m.Rows, s.migration, quoteString(directionBack)))
	if err != nil {
		return s.e.failLedger("save how far the way back is", err)
	}
	if res.AffectedRows != 1 {
		return s.lost("save how far the way back is")
	}
	s.open = false
	if err := s.r.exec(ctx, "COMMIT"); err != nil {
		if _, ok := errors.AsType[*wire.ConnError](err); ok {
			return fault.New(fault.Connect, op, fmt.Errorf("nobody knows whether it was carried out: %w", err), "read the mark again")
		}
		return s.e.failLedger(op, err)
	}
	return nil
}
