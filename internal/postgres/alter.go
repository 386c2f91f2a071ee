package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
)

var _ change.Alterer = (*End)(nil)

// alterWait is how long an alteration waits for those who use its tables: while it waits, everybody else waits behind it.
const alterWait = "30s"

// Alter implements change.Alterer. It takes the lock that keeps two appliers apart, so that nobody applies changes
// planned for the old definition to the new one.
func (e *End) Alter(ctx context.Context, r *change.Record, who string, a *change.Alteration) error {
	op := fmt.Sprintf("alter schema %q as the source did", r.Schema)
	if err := e.upgradeLedger(ctx); err != nil {
		return e.fail(op, err)
	}
	c, err := e.applyConn(ctx, r.ID)
	if err != nil {
		return err
	}
	defer hangUp(ctx, c)
	s := &applier{end: e, schema: r.Schema, migration: r.ID, conn: c}
	if err := s.hold(ctx, who); err != nil {
		return e.applyFail(ctx, op, err)
	}
	defer s.release(ctx)
	tx, err := c.Begin(ctx)
	if err != nil {
		return e.applyFail(ctx, op, err)
	}
	if err := s.alter(ctx, tx, a); err != nil {
		undo(ctx, tx)
		return e.applyFail(ctx, op, err)
	}
	return e.applyFail(ctx, op, tx.Commit(ctx))
}

// undo rolls back, also when ctx has ended.
func undo(ctx context.Context, tx pgx.Tx) { _ = tx.Rollback(context.WithoutCancel(ctx)) }

func (s *applier) alter(ctx context.Context, tx pgx.Tx, a *change.Alteration) error {
	if _, err := tx.Exec(ctx, "SET LOCAL lock_timeout = '"+alterWait+"'"); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(ledgerLock)); err != nil {
		return err
	}
	if err := s.moveMark(ctx, tx, a); err != nil {
		return err
	}
	for _, sql := range s.end.Spell(s.schema, a.Edits) {
		if err := runStatement(ctx, tx, sql); err != nil {
			return fmt.Errorf("run %s: %w", sql, err)
		}
	}
	tag, err := tx.Exec(ctx, "UPDATE bascule.migration SET plan = $2 WHERE id = $1", s.migration, a.Plan)
	if err == nil && tag.RowsAffected() == 0 {
		err = gone("replace the plan", errors.New("the ledger has no such migration"))
	}
	if err != nil {
		return err
	}
	if err := s.retask(ctx, tx, a); err != nil {
		return err
	}
	return s.renote(ctx, tx, a)
}

// moveMark puts the mark behind the source's statement, if it stands where the alteration begins. A mark that was never
// saved stands there too.
func (s *applier) moveMark(ctx context.Context, tx pgx.Tx, a *change.Alteration) error {
	var at string
	err := tx.QueryRow(ctx, "SELECT position FROM bascule.apply WHERE migration = $1 AND direction = $2 FOR UPDATE", s.migration, forward).Scan(&at)
	if err != nil {
		return err
	}
	if at != string(a.Before) {
		return fault.New(fault.Busy, "move the mark", fmt.Errorf("it stands at %q and not at %q", at, a.Before), "another process applies changes: run the same command again")
	}
	_, err = tx.Exec(ctx, "UPDATE bascule.apply SET position = $3, updated = clock_timestamp() WHERE migration = $1 AND direction = $2",
		s.migration, forward, string(a.After))
	return err
}

// retask keeps the ledger's tasks true: what they run, for which table, and whether it has run.
func (s *applier) retask(ctx context.Context, tx pgx.Tx, a *change.Alteration) error {
	for _, t := range a.Tasks {
		if t.From == nil {
			continue
		}
		sql, args := "DELETE FROM bascule.task WHERE migration = $1 AND kind = 'statement' AND tbl = $2 AND sql = $3",
			[]any{s.migration, string(t.From.Table), t.From.SQL}
		if t.To != nil {
			sql = "UPDATE bascule.task SET sql = $4, what = $5, parent = $6 WHERE migration = $1 AND kind = 'statement' AND tbl = $2 AND sql = $3"
			args = append(args, t.To.SQL, t.To.What, string(t.To.Parent))
		}
		if _, err := tx.Exec(ctx, sql, args...); err != nil {
			return err
		}
	}
	var from, to, dropped []string
	for _, t := range a.Tables {
		if t.To == "" {
			dropped = append(dropped, string(t.From))
			continue
		}
		from, to = append(from, string(t.From)), append(to, string(t.To))
	}
	if _, err := tx.Exec(ctx, "DELETE FROM bascule.task WHERE migration = $1 AND tbl = ANY($2)", s.migration, dropped); err != nil {
		return err
	}
	// One statement for all, so that two tables can change places.
	_, err := tx.Exec(ctx, `UPDATE bascule.task SET tbl = n.new FROM unnest($2::text[], $3::text[]) AS n(old, new) WHERE migration = $1 AND tbl = n.old`,
		s.migration, from, to)
	if err != nil {
		return err
	}
	for _, t := range a.Tasks {
		if t.From == nil && t.To != nil {
			_, err := tx.Exec(ctx, `INSERT INTO bascule.task (migration, rank, kind, tbl, stage, parent, lim, sql, what, done, ended)
				VALUES ($1, 0, 'statement', $2, $3, $4, 0, $5, $6, true, clock_timestamp())`,
				s.migration, string(t.To.Table), int16(t.To.Stage), string(t.To.Parent), t.To.SQL, t.To.What)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// renote keeps true what the ledger says that the migration made: what is gone, what is called otherwise, what is new.
func (s *applier) renote(ctx context.Context, tx pgx.Tx, a *change.Alteration) error {
	rows, err := tx.Query(ctx, "DELETE FROM bascule.object WHERE migration = $1 AND kind IN ('table', 'type', 'collation') RETURNING kind, name, oid", s.migration)
	if err != nil {
		return err
	}
	noted, err := pgx.CollectRows(rows, pgx.RowToStructByPos[object])
	if err != nil {
		return err
	}
	there, err := objectsIn(ctx, tx, s.schema)
	if err != nil {
		return err
	}
	ours := renames(a)
	var keep [][]any
	for _, o := range there {
		if o.Kind == "schema" {
			continue
		}
		was := slices.IndexFunc(noted, func(n object) bool { return n.Kind == o.Kind && n.OID == o.OID })
		switch {
		case was < 0 && !o.own:
			continue // somebody else's
		case was >= 0 && noted[was].Name != o.Name && ours[noted[was].Name] != o.Name:
			o.Name = noted[was].Name // renamed by somebody, who so made it his own
		}
		keep = append(keep, []any{s.migration, o.Kind, o.Name, o.OID})
	}
	_, err = tx.CopyFrom(ctx, pgx.Identifier{"bascule", "object"}, []string{"migration", "kind", "name", "oid"}, pgx.CopyFromRows(keep))
	return err
}

// renames are the names of tables and types that the alteration itself changes.
func renames(a *change.Alteration) map[string]string {
	m := map[string]string{}
	for _, t := range a.Tables {
		m[string(t.From)] = string(t.To)
	}
	for _, e := range a.Edits {
		if e.Kind == change.EditRenameType {
			m[string(e.Column)] = string(e.Name)
		}
	}
	return m
}

// Spell implements change.Alterer.
func (e *End) Spell(in schema.Name, edits []change.Edit) []string {
	r := &renderer{schema: in}
	var out []string
	for i := range edits {
		out = append(out, r.edit(&edits[i])...)
	}
	return out
}
