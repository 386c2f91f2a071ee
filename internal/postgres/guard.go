package postgres

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/schema"
)

// guard gives columns the conditions that they have to keep, for rows that are written from now on, each table in a transaction of its own.
func (e *End) guard(ctx context.Context, r *change.Record, t change.Token, guards []change.Guard, p patience) error {
	var tables []schema.Name
	of := map[schema.Name][]change.Guard{}
	for _, g := range guards {
		if of[g.Table] == nil {
			tables = append(tables, g.Table)
		}
		of[g.Table] = append(of[g.Table], g)
	}
	for _, table := range tables {
		err := e.briefly(ctx, r, t, p, func(tx pgx.Tx) error { return guardTable(ctx, tx, r, table, of[table]) })
		if err != nil {
			return e.fail("guard the columns of "+qualify(r.Schema, table), e.whoLocks(ctx, r.Schema, table, err))
		}
	}
	return nil
}

// notedGuardsSQL lists the guards of a table that are there.
const notedGuardsSQL = `SELECT conname::text FROM bascule.object b JOIN pg_constraint k ON k.oid = b.oid
	WHERE migration = $1 AND kind = $2 AND conrelid = $3::regclass`

// noteConstraintsSQL notes constraints of a table that this transaction made. What was noted of that name before is gone.
const noteConstraintsSQL = `INSERT INTO bascule.object (migration, kind, name, oid)
	SELECT $1, $2, quote_ident(relname) || '.' || quote_ident(conname), k.oid FROM pg_constraint k JOIN pg_class c ON c.oid = conrelid
	WHERE conrelid = $3::regclass AND conname = ANY($4)
	ON CONFLICT (migration, kind, name) DO UPDATE SET oid = excluded.oid`

func guardTable(ctx context.Context, tx pgx.Tx, r *change.Record, table schema.Name, guards []change.Guard) error {
	name := qualify(r.Schema, table)
	rows, err := tx.Query(ctx, notedGuardsSQL, r.ID, kindGuard, name)
	if err != nil {
		return err
	}
	there, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	var made []string
	for _, g := range guards {
		if slices.Contains(there, string(g.Name)) {
			continue
		}
		sql := fmt.Sprintf("ALTER TABLE %s ADD CONSTRAINT %s CHECK (%s) NOT VALID", name, quote(g.Name), g.SQL)
		if err := runStatement(ctx, tx, sql); err != nil {
			return fmt.Errorf("column %s: %w", quote(g.Column), err)
		}
		made = append(made, string(g.Name))
	}
	if len(made) == 0 {
		return nil
	}
	_, err = tx.Exec(ctx, noteConstraintsSQL, r.ID, kindGuard, name, made)
	return err
}

// unguard takes the guards away, each in a transaction of its own: the application works on the tables.
func (e *End) unguard(ctx context.Context, r *change.Record, t change.Token) error {
	list, err := removals(ctx, e.control, r.ID, kindGuard)
	if err != nil {
		return err
	}
	for _, g := range list {
		err := e.patiently(ctx, r, t, "take a guard from "+g.Table, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, g.SQL)
			return err
		})
		if err != nil {
			return err
		}
	}
	return e.guarded(ctx, r, t, func(tx pgx.Tx) error { return unmake(ctx, tx, r.ID, kindGuard) })
}
