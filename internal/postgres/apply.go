package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
)

var _ change.Applier = (*End)(nil)

// forward is the direction of what this end applies: from the old side to the new.
const forward = "forward"

// applySettings are those of a session that applies. A few keys meet a large table:
// a walk over the keys that probes an index is right whatever the statistics
// say, and a plan made once serves every step. Commits are durable.
const applySettings = `SET synchronous_commit = on; SET plan_cache_mode = force_generic_plan;
SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_memoize = off;
`

const (
	// holderWait is how long a session waits for another that ends: the server drops a lock a moment after the connection has died, and in the
	// middle of a statement when it has looked for the client (see session) and taken back what was done.
	holderWait = 6 * time.Second
	// reassert is how often a session looks again whether the end is passive, and at its
	// tables' indexes.
	reassert = time.Second
)

// applier is a session: the connection that holds the lock, and lanes.
type applier struct {
	end       *End
	schema    schema.Name
	migration int64
	conn      *pgx.Conn // the first lane's, which holds the lock
	tables    []*change.Replica
	shapes    map[*change.Replica]*shape
	looked    time.Time // when shapes were read
	uniques   int       // unique indexes of the tables then
	lanes     []*lane
	forked    int    // transactions since the beginning
	since     string // when it took the lock: what tells it from any other in bascule.apply
	// temporary says that what Prepare made does not count as live, because it will be taken away.
	temporary bool
}

// Applying implements change.Applier. The lock that keeps others out belongs to the
// session's first connection and ends with it. What another lane still has to commit then fails as soon as somebody else holds it.
func (e *End) Applying(ctx context.Context, r *change.Record, who string, tables []*change.Replica,
	fn func(context.Context, change.Session) error,
) error {
	op := fmt.Sprintf("apply changes to schema %q", r.Schema)
	if err := e.upgradeLedger(ctx); err != nil {
		return e.fail(op, err)
	}
	c, err := e.applyConn(ctx, r.ID)
	if err != nil {
		return err
	}
	defer hangUp(ctx, c)
	s := &applier{end: e, schema: r.Schema, migration: r.ID, conn: c, tables: withChildren(tables)}
	if err := s.hold(ctx, who); err != nil {
		return e.applyFail(ctx, op, err)
	}
	defer s.release(ctx)
	if err := s.addLane(ctx, c); err != nil {
		return e.applyFail(ctx, op, err)
	}
	if err := s.look(ctx, c); err != nil {
		return e.applyFail(ctx, op, err)
	}
	return fn(ctx, s)
}

// applyConn opens a connection that may apply changes of a migration.
func (e *End) applyConn(ctx context.Context, migration int64) (*pgx.Conn, error) {
	return e.single(ctx, applySettings+fmt.Sprintf("SET %s = '%d';\n", fenceSetting, migration))
}

// withChildren adds the tables that foreign keys lead to.
func withChildren(tables []*change.Replica) []*change.Replica {
	var all []*change.Replica
	seen := map[*change.Replica]bool{}
	var add func(*change.Replica)
	add = func(t *change.Replica) {
		if t == nil || seen[t] {
			return
		}
		seen[t] = true
		all = append(all, t)
		for _, a := range t.Actions {
			add(a.Child)
		}
	}
	for _, t := range tables {
		add(t)
	}
	return all
}

// upgradeLedger brings an older ledger up to this version. It makes none.
func (e *End) upgradeLedger(ctx context.Context) error {
	v, err := e.ledgerAt(ctx, e.control)
	if err != nil || v == 0 || v == ledgerVersion {
		return err
	}
	return e.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(ledgerLock)); err != nil {
			return err
		}
		return e.prepareLedger(ctx, tx)
	})
}

// applyFail is fail, except that a cancel is its cause and a ledger without the migration is a refusal.
func (e *End) applyFail(ctx context.Context, op string, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if o, ok := errors.AsType[*opError](err); ok {
		op, err = op+": "+o.op, o.err
	}
	if p := unwrapPg(err); p != nil && (p.Code == "42P01" && strings.Contains(p.Message, "bascule.") || p.Code == "23503" && p.TableName == "apply") {
		return gone(op, &serverError{p})
	}
	return e.fail(op, err)
}

// gone is the refusal to apply for a migration that the ledger does not have.
func gone(op string, err error) error {
	return fault.New(fault.Refused, op, err, "the ledger no longer has this migration: somebody dropped it; run bascule db status")
}

// lockName is what the advisory lock is derived from.
func lockName(migration int64, direction string) string {
	return fmt.Sprintf("bascule apply %d %s", migration, direction)
}

// hold takes the lock and writes who has it.
func (s *applier) hold(ctx context.Context, who string) error {
	name := lockName(s.migration, forward)
	err := s.conn.PgConn().Exec(ctx, fmt.Sprintf("SET lock_timeout = %d; SELECT pg_advisory_lock(hashtextextended(%s, 0)); SET lock_timeout = 0",
		holderWait.Milliseconds(), literal(name))).Close()
	if p := unwrapPg(err); p != nil && p.Code == "55P03" {
		return s.end.applyBusy(ctx, s.conn, s.migration, s.schema)
	}
	if err != nil {
		return err
	}
	return s.conn.QueryRow(ctx, `INSERT INTO bascule.apply AS a (migration, direction, holder, since) VALUES ($1, $2, $3, now())
		ON CONFLICT (migration, direction) DO UPDATE SET holder = excluded.holder, since = GREATEST(excluded.since, a.since + interval '1us') RETURNING since::text`,
		s.migration, forward, who).Scan(&s.since)
}

// applyBusy says who has the lock.
func (e *End) applyBusy(ctx context.Context, q querier, migration int64, name schema.Name) error {
	_, holder, since, err := e.appliedMark(ctx, q, migration, forward)
	if err != nil {
		return err
	}
	if holder == "" {
		holder = "somebody"
	}
	return fault.New(fault.Busy, "hold the applier of "+string(name),
		fmt.Errorf("%s applies these changes since %s", holder, since.UTC().Format(time.RFC3339)),
		"let that process go on, or end it; its hold ends with its connection, at most half a minute after its machine is gone")
}

// release gives the lock back before the connection ends, so that the next session need not wait. What is open in a lane ends first.
func (s *applier) release(ctx context.Context) {
	var missing int64
	for _, l := range s.lanes {
		missing += l.missing
		l.rollback(ctx)
		if l.conn != s.conn {
			hangUp(ctx, l.conn)
		}
	}
	if missing > 0 {
		s.end.log.DebugContext(ctx, "keys to delete were not there", "schema", s.schema, "keys", missing)
	}
	if s.conn.IsClosed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_ = s.conn.PgConn().Exec(ctx, "SELECT pg_advisory_unlock_all()").Close()
}

// Mark implements change.Session.
func (s *applier) Mark(ctx context.Context) (change.Mark, error) {
	if s.lanes[0].tx != nil {
		return change.Mark{}, errors.New("read the mark: a transaction is open")
	}
	m, _, _, err := s.end.appliedMark(ctx, s.conn, s.migration, forward)
	return m, s.end.applyFail(ctx, fmt.Sprintf("read how far schema %q is applied", s.schema), err)
}

// Begin implements change.Session. Nothing is sent before the first step that is large, or the commit.
func (s *applier) Begin(ctx context.Context) (change.Applying, error) {
	x, err := s.begin(ctx, s.lanes[0])
	if err != nil {
		return nil, err
	}
	return x, nil
}

// Rollback implements change.Session. On a connection that broke there is nothing left to undo.
func (s *applier) Rollback(ctx context.Context) error {
	for _, l := range s.lanes {
		l.rollback(ctx)
	}
	return nil
}

// AppliedMark returns how far a direction of a migration is applied, who applied last and since when. It
// needs no lock. Before anything was applied everything is empty.
func (e *End) AppliedMark(ctx context.Context, r *change.Record, direction string) (change.Mark, string, time.Time, error) {
	v, err := e.ledgerAt(ctx, e.control)
	if err != nil || v < 2 {
		return change.Mark{}, "", time.Time{}, err
	}
	m, holder, since, err := e.appliedMark(ctx, e.control, r.ID, direction)
	return m, holder, since, e.fail(fmt.Sprintf("read how far schema %q is applied", r.Schema), err)
}

func (e *End) appliedMark(ctx context.Context, q querier, migration int64, direction string) (m change.Mark, holder string, since time.Time, err error) {
	var at, from *time.Time
	err = q.QueryRow(ctx, "SELECT position, at, txns, rows, holder, since FROM bascule.apply WHERE migration = $1 AND direction = $2",
		migration, direction).Scan(&m.Position, &at, &m.Txns, &m.Rows, &holder, &from)
	if errors.Is(err, pgx.ErrNoRows) {
		return change.Mark{}, "", time.Time{}, nil
	}
	if at != nil {
		m.Time = at.UTC()
	}
	if from != nil {
		since = from.UTC()
	}
	return m, holder, since, err
}
