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
)

// stallTime is how long a process may stand still within a transaction of a cutover until the server ends that, so that another
// process can take over from one that is stopped and yet connected.
const stallTime = 10 * time.Second

// durably runs fn in a transaction whose commit is on the disk, and on the standbys as far as the server asks for that, when it returns.
func (e *End) durably(ctx context.Context, fn func(pgx.Tx) error) error {
	return e.inTx(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `SELECT set_config('idle_in_transaction_session_timeout', $1, true),
			CASE WHEN current_setting('synchronous_commit') IN ('off', 'local') THEN set_config('synchronous_commit', 'on', true) END`,
			milliseconds(e.stall))
		if err != nil {
			return err
		}
		return fn(tx)
	})
}

// guarded runs fn in a transaction that shows the token of a cutover's driver first. The token's row stays locked until the
// transaction ends: whoever shows a higher one waits for what fn does, and afterwards none that is lower gets here.
func (e *End) guarded(ctx context.Context, r *change.Record, t change.Token, fn func(pgx.Tx) error) error {
	try := func() error {
		return e.durably(ctx, func(tx pgx.Tx) error {
			if err := show(ctx, tx, r, t); err != nil {
				return err
			}
			return fn(tx)
		})
	}
	err := try()
	if p := unwrapPg(err); p != nil && p.Code == "42P01" && strings.Contains(p.Message, "bascule.token") {
		// The ledger is of an older version.
		if err := e.upgradeLedger(ctx); err != nil {
			return err
		}
		err = try()
	}
	p := unwrapPg(err)
	switch {
	case p == nil:
	case p.Code == "42P01" && strings.Contains(p.Message, "bascule.token"), p.Code == "23503" && p.SchemaName == "bascule" && p.TableName == "token":
		return gone("show the token of the cutover", &serverError{p})
	}
	return err
}

// show refuses a token that is lower than one that was shown before, and remembers it.
func show(ctx context.Context, tx pgx.Tx, r *change.Record, t change.Token) error {
	tag, err := tx.Exec(ctx, `INSERT INTO bascule.token AS t (migration, epoch) VALUES ($1, $2)
		ON CONFLICT (migration) DO UPDATE SET epoch = excluded.epoch WHERE t.epoch <= excluded.epoch`, r.ID, int64(t))
	if err == nil && tag.RowsAffected() == 0 {
		err = stale(fmt.Sprintf("show the token %d of the cutover", t))
	}
	return err
}

const (
	fencePatience = 30 * time.Second
	fencePause    = 20 * time.Millisecond
)

// patiently runs fn in guarded transactions that wait at most two seconds for a lock, until one of them gets it: whoever comes
// behind a waiting one waits as long.
func (e *End) patiently(ctx context.Context, r *change.Record, t change.Token, op string, fn func(pgx.Tx) error) error {
	deadline := time.Now().Add(fencePatience)
	for {
		err := e.guarded(ctx, r, t, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "SET LOCAL lock_timeout = '2s'"); err != nil {
				return err
			}
			return fn(tx)
		})
		p := unwrapPg(err)
		if p == nil || p.Code != "55P03" && p.Code != "40P01" { // lock not available, deadlock
			return e.fail(op, err)
		}
		if time.Now().After(deadline) {
			return fault.New(fault.Busy, op, fmt.Errorf("somebody has kept the tables in use for %s: %w", fencePatience, &serverError{p}),
				"SELECT pid, usename, xact_start, query FROM pg_stat_activity WHERE xact_start IS NOT NULL ORDER BY xact_start; shows who; pg_terminate_backend(pid) ends a session")
		}
		if err := wait(ctx, fencePause); err != nil {
			return fmt.Errorf("%s: %w", op, err)
		}
	}
}

// withSlot runs fn in a transaction that has not written, as it must be where a slot is made, under the lock of the migration's slot.
// Under that lock no higher token can have been shown by whoever made or dropped the slot before, and whoever shows one now comes
// to the slot only after fn.
func (e *End) withSlot(ctx context.Context, r *change.Record, t change.Token, patience time.Duration, fn func(pgx.Tx) error) error {
	const op = "hold the replication slot"
	if err := e.guarded(ctx, r, t, func(pgx.Tx) error { return nil }); err != nil {
		return err
	}
	return e.durably(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT set_config('lock_timeout', $1, true)", milliseconds(patience)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", "bascule slot "+slotName(r))
		if p := unwrapPg(err); p != nil && p.Code == "55P03" {
			return fault.New(fault.Busy, op, errors.New("another process makes or drops it"), "run the same command again")
		}
		if err != nil {
			return err
		}
		var late bool
		if err := tx.QueryRow(ctx, "SELECT epoch > $2 FROM bascule.token WHERE migration = $1", r.ID, int64(t)).Scan(&late); err != nil {
			return err
		}
		if late {
			return stale(op)
		}
		return fn(tx)
	})
}
