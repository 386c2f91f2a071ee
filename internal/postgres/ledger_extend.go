package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
)

// Extend adds statements as tasks, durably and in one transaction. A statement whose text is among the tasks already is not added
// again, so that a process which died behind the commit can repeat the call.
func (e *End) Extend(ctx context.Context, r *change.Record, stmts []change.Statement) error {
	op := fmt.Sprintf("add %d statements to the migration into schema %q", len(stmts), r.Schema)
	err := e.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(ledgerLock)); err != nil {
			return err
		}
		there, err := e.record(ctx, tx, r.Schema)
		if err != nil {
			return err
		}
		if there == nil || there.ID != r.ID {
			return fault.New(fault.Refused, op, errors.New("the migration was dropped meanwhile"), "begin anew: bascule db copy")
		}
		var fresh []change.Statement
		for _, s := range stmts {
			var known bool
			err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM bascule.task WHERE migration = $1 AND tbl = $2 AND sql = $3)",
				r.ID, string(s.Table), s.SQL).Scan(&known)
			if err != nil {
				return err
			}
			if !known {
				fresh = append(fresh, s)
			}
		}
		if len(fresh) == 0 {
			return nil
		}
		// The migration has work again, and whoever waits for its end has to know.
		if _, err := tx.Exec(ctx, "UPDATE bascule.migration SET finished = NULL WHERE id = $1", r.ID); err != nil {
			return err
		}
		return insertTasks(ctx, tx, r.ID, fresh, nil)
	})
	return e.fail(op, err)
}

// DropIndex removes an index after everything else of its table.
func (e *End) DropIndex(in, table, index schema.Name) change.Statement {
	return change.Statement{
		Stage: change.StageFinish, Table: table, What: "drop index " + string(index),
		SQL: "DROP INDEX IF EXISTS " + qualify(in, index),
	}
}

// Snapshots returns the positions of the tables that were copied from one exact snapshot.
func (e *End) Snapshots(ctx context.Context, r *change.Record) (map[schema.Name]change.Position, error) {
	rows, err := e.control.Query(ctx, "SELECT tbl, position FROM bascule.task WHERE migration = $1 AND kind = 'chunk' AND done AND position <> ''", r.ID)
	if err != nil {
		return nil, e.fail("read the positions of snapshots", err)
	}
	out := map[schema.Name]change.Position{}
	var table, at string
	_, err = pgx.ForEachRow(rows, []any{&table, &at}, func() error {
		out[schema.Name(table)] = change.Position(at)
		return nil
	})
	return out, e.fail("read the positions of snapshots", err)
}
