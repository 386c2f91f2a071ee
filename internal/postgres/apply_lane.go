package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/bascule/bascule/internal/change"
)

var (
	_ change.Parallel = (*applier)(nil)
	_ change.Lane     = (*applyTx)(nil)
)

// applyLanes is how many transactions a session has open at once. One keeps a core of the server busy, and a second is worth it on every machine
// that has two; what a third gives on larger ones is not known, and each holds a step in memory.
const applyLanes = 2

// lane is one connection of a session, with at most one transaction. A lane is used by one goroutine at a time.
type lane struct {
	*applier
	conn     *pgx.Conn
	pid      int32        // the server's process, as it says itself: what a pooler says at the beginning is its own invention
	row      string       // its row in bascule.apply, by direction: see applyTouchSQL
	fork     atomic.Int64 // which fork of the session it carries out, or did last
	prepared map[string]string
	tx       *applyTx
	pipe     pipe
	keys     map[uint64]int32 // by hash: rows of the step's Insert
	sent     int              // rows since plans were made
	// missing counts the keys that were only to be deleted and were not there.
	missing int64
}

// addLane makes a connection a lane.
func (s *applier) addLane(ctx context.Context, c *pgx.Conn) error {
	l := &lane{
		applier: s, conn: c, row: fmt.Sprintf("%s lane %d", forward, len(s.lanes)),
		prepared: map[string]string{}, keys: map[uint64]int32{},
	}
	if err := l.prepareFixed(ctx); err != nil {
		return err
	}
	if _, err := c.Exec(ctx, "INSERT INTO bascule.apply (migration, direction) VALUES ($1, $2) ON CONFLICT DO NOTHING", s.migration, l.row); err != nil {
		return err
	}
	if err := c.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&l.pid); err != nil {
		return err
	}
	s.lanes = append(s.lanes, l)
	return nil
}

// Lanes implements change.Parallel. Where the server has no connection to spare there are fewer.
func (s *applier) Lanes(ctx context.Context) int {
	for len(s.lanes) < applyLanes {
		c, err := s.end.applyConn(ctx, s.migration)
		if err == nil {
			if err = s.addLane(ctx, c); err != nil {
				hangUp(ctx, c)
			}
		}
		if err != nil {
			s.end.log.DebugContext(ctx, "no further lane", "schema", s.schema, "lanes", len(s.lanes), "error", err)
			break
		}
	}
	return len(s.lanes)
}

// Fork implements change.Parallel. The lanes take turns, so that of the next one the transaction has ended.
func (s *applier) Fork(ctx context.Context) (change.Lane, error) {
	l := s.lanes[s.forked%len(s.lanes)]
	x, err := s.begin(ctx, l)
	if err != nil {
		return nil, err
	}
	s.forked++
	l.fork.Store(int64(s.forked))
	return x, nil
}

// begin opens a transaction in a lane.
func (s *applier) begin(ctx context.Context, l *lane) (*applyTx, error) {
	if l.tx != nil {
		return nil, errors.New("begin: a transaction is open")
	}
	if l.conn.IsClosed() {
		return nil, s.end.fail(fmt.Sprintf("apply changes to schema %q", s.schema), pgconn.ErrConnClosed)
	}
	if time.Since(s.looked) > reassert {
		if err := s.look(ctx, l.conn); err != nil {
			return nil, s.end.applyFail(ctx, fmt.Sprintf("apply changes to schema %q", s.schema), err)
		}
	}
	l.tx = &applyTx{lane: l, shapes: s.shapes, uniques: s.uniques}
	l.tx.open()
	return l.tx, nil
}

// open queues what a transaction begins with.
func (x *applyTx) open() {
	x.pipe.reset()
	x.pipe.add(beginName, nil, expectation{op: "begin"})
	x.pipe.add(touchName, []string{strconv.FormatInt(x.migration, 10), x.row}, expectation{op: "touch the ledger"})
}

// rollback ends the lane's transaction without a trace.
func (l *lane) rollback(ctx context.Context) {
	l.tx = nil
	l.pipe.reset()
	if l.conn.IsClosed() || l.conn.PgConn().TxStatus() == 'I' {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := l.conn.PgConn().Exec(ctx, "ROLLBACK").Close(); err != nil {
		_ = l.conn.Close(ctx) // which rolls back too
	}
}

// Flush implements change.Lane.
func (x *applyTx) Flush(ctx context.Context) error {
	return x.guard(ctx, func() error { return x.pipe.flush(ctx, x.conn.PgConn()) })
}

// hindersSQL looks whether one of these server processes waits for the session's own, also by way of others: an index that is being built waits
// for everybody who has changed its table, and whoever wants to change it then waits behind the index.
const hindersSQL = `WITH RECURSIVE w(pid) AS (SELECT unnest($1::int4[]) UNION SELECT unnest(pg_blocking_pids(pid)) FROM w)
SELECT pg_backend_pid() IN (SELECT pid FROM w)`

// Hinders implements change.Lane.
func (x *applyTx) Hinders(ctx context.Context) (hinders bool, err error) {
	var others []int32
	for _, l := range x.lanes {
		if l.fork.Load() < x.fork.Load() { // those behind this one may wait for it
			others = append(others, l.pid)
		}
	}
	err = x.guard(ctx, func() error { return x.conn.QueryRow(ctx, hindersSQL, others).Scan(&hinders) })
	return hinders, err
}

// Undo implements change.Lane.
func (x *applyTx) Undo(ctx context.Context) error {
	x.rollback(ctx)
	if x.conn.IsClosed() {
		return x.end.applyFail(ctx, fmt.Sprintf("apply changes to schema %q", x.schema), pgconn.ErrConnClosed)
	}
	x.err, x.tx = nil, x
	x.open()
	return nil
}
