package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/bascule/bascule/internal/change"
)

// The kinds of bascule.object's entries that come and go with a cutover. They are told by their OID: what somebody made anew is his.
const (
	kindForeignKey = "foreign key"
	kindTrigger    = "trigger"
	kindFunction   = "function"
	kindGuard      = "guard"
)

// unmakeSQL gives the statements that remove objects of those kinds, each with its table, in an order in which they can run.
const unmakeSQL = `SELECT tbl, sql FROM (
	SELECT 1 AS o, conrelid::regclass::text AS tbl, format('ALTER TABLE IF EXISTS %s DROP CONSTRAINT IF EXISTS %I', conrelid::regclass, conname) AS sql
		FROM bascule.object b JOIN pg_constraint k ON k.oid = b.oid WHERE migration = $1 AND kind = ANY($2) AND kind IN ('foreign key', 'guard')
	UNION ALL SELECT 2, tgrelid::regclass::text, format('DROP TRIGGER IF EXISTS %I ON %s', tgname, tgrelid::regclass)
		FROM bascule.object b JOIN pg_trigger t ON t.oid = b.oid WHERE migration = $1 AND kind = ANY($2) AND kind = 'trigger'
	UNION ALL SELECT 3, '', format('DROP FUNCTION IF EXISTS %s', p.oid::regprocedure)
		FROM bascule.object b JOIN pg_proc p ON p.oid = b.oid WHERE migration = $1 AND kind = ANY($2) AND kind = 'function') all_of_it
	ORDER BY o, sql COLLATE "C"`

// removal is one statement, and the table that it locks.
type removal struct{ Table, SQL string }

// removals lists what would remove the objects of some kinds.
func removals(ctx context.Context, q querier, migration int64, kinds ...string) ([]removal, error) {
	rows, err := q.Query(ctx, unmakeSQL, migration, kinds)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[removal])
}

// unmake removes the objects of some kinds, and forgets them.
func unmake(ctx context.Context, tx pgx.Tx, migration int64, kinds ...string) error {
	list, err := removals(ctx, tx, migration, kinds...)
	if err != nil {
		return err
	}
	for _, r := range list {
		if _, err := tx.Exec(ctx, r.SQL); err != nil {
			return fmt.Errorf("run %s: %w", r.SQL, err)
		}
	}
	_, err = tx.Exec(ctx, "DELETE FROM bascule.object WHERE migration = $1 AND kind = ANY($2)", migration, kinds)
	return err
}

// fenceTriggers lists what removes the fence's triggers, wherever they are.
func fenceTriggers(ctx context.Context, q querier, migration int64) ([]removal, error) {
	rows, err := q.Query(ctx, `SELECT tgrelid::regclass::text, format('DROP TRIGGER IF EXISTS %I ON %s', tgname, tgrelid::regclass) FROM pg_trigger
		WHERE tgfoid = to_regproc($1)::oid AND NOT tgisinternal ORDER BY tgrelid`, fenceFunction(migration))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[removal])
}

// unfence takes the fence of a migration away at once.
func unfence(ctx context.Context, tx pgx.Tx, migration int64) error {
	list, err := fenceTriggers(ctx, tx, migration)
	if err != nil {
		return err
	}
	for _, r := range list {
		if _, err := tx.Exec(ctx, r.SQL); err != nil {
			return err
		}
	}
	_, err = tx.Exec(ctx, "DROP FUNCTION IF EXISTS "+fenceFunction(migration)+"()")
	return err
}

// Release takes away what only the way back needed, the fence too, once there is none any more. What Prepare made stays: the
// application lives with it. It may be repeated.
func (e *End) Release(ctx context.Context, r *change.Record, t change.Token) error {
	const op = "release the target"
	if err := e.Disarm(ctx, r, t); err != nil {
		return err
	}
	// Open first, which waits for nothing: dropping the triggers waits for locks.
	if err := e.Fence(r, change.FenceOrder{}).Lower(ctx, t); err != nil {
		return err
	}
	list, err := fenceTriggers(ctx, e.control, r.ID)
	if err != nil {
		return e.fail(op, err)
	}
	for _, drop := range list {
		err := e.patiently(ctx, r, t, op+": "+drop.SQL, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, drop.SQL)
			return err
		})
		if err != nil {
			return err
		}
	}
	return e.patiently(ctx, r, t, op, func(tx pgx.Tx) error {
		if err := unfence(ctx, tx, r.ID); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "DELETE FROM bascule.fence WHERE migration = $1", r.ID)
		return err
	})
}
