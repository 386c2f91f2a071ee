package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
)

var _ change.Starter = (*End)(nil)

// CanApply implements change.Starter. What Prepare made does not count: Restore takes it away.
func (e *End) CanApply(ctx context.Context, r *change.Record, tables []*change.Replica) error {
	op := fmt.Sprintf("look whether changes can be applied to schema %q", r.Schema)
	v, err := e.ledgerAt(ctx, e.control)
	if err == nil && v == 0 {
		err = gone(op, errors.New("there is no ledger"))
	}
	if err != nil {
		return e.fail(op, err)
	}
	c, err := e.single(ctx, applySettings+"SET default_transaction_read_only = on;\n")
	if err != nil {
		return err
	}
	defer hangUp(ctx, c)
	s := &applier{end: e, schema: r.Schema, migration: r.ID, conn: c, tables: withChildren(tables), temporary: true}
	if err := s.look(ctx, c); err != nil {
		return e.applyFail(ctx, op, err)
	}
	return e.applyFail(ctx, op, s.mayWrite(ctx, v))
}

// mayWrite refuses when a right over the tables or the ledger is missing. A ledger of an older version is brought up by its owner.
func (s *applier) mayWrite(ctx context.Context, version int) error {
	var names []string
	for _, h := range s.shapes {
		names = append(names, h.name)
	}
	ledger := []string{}
	if version == ledgerVersion {
		ledger = []string{"bascule.apply", "bascule.token"}
	}
	var recovery, owns bool
	var lacking []string
	err := s.conn.QueryRow(ctx, `SELECT pg_is_in_recovery(), (SELECT pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = 'bascule'),
		ARRAY(SELECT p || ' on ' || t FROM unnest($1::text[]) AS t, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) AS p WHERE NOT has_table_privilege(t, p)
			UNION ALL SELECT p || ' on ' || t FROM unnest($2::text[]) AS t, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE']) AS p WHERE NOT has_table_privilege(t, p) ORDER BY 1)`,
		names, ledger).Scan(&recovery, &owns, &lacking)
	role := quoteText(s.end.config.user())
	switch {
	case err != nil:
		return err
	case recovery:
		return fault.New(fault.Unsupported, "write to the tables", errors.New("the server is a replica"), "connect to the primary")
	case len(lacking) > 0:
		return fault.New(fault.Privilege, "write to the tables", fmt.Errorf("role %s lacks %s", role, firstOf(lacking)), "connect as the owner, or GRANT the owning role TO "+role)
	case version < ledgerVersion && !owns:
		return fault.New(fault.Privilege, "bring the ledger up to this version", fmt.Errorf("schema bascule is not role %s's", role), "connect as the owner, or GRANT the owning role TO "+role)
	}
	return nil
}

// Start implements change.Starter. It holds the appliers' lock until the mark is saved.
func (e *End) Start(ctx context.Context, r *change.Record, t change.Token, m change.Mark) error {
	op := fmt.Sprintf("set from where changes are applied to schema %q", r.Schema)
	err := e.guarded(ctx, r, t, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT set_config('lock_timeout', $1, true)", milliseconds(holderWait)); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", lockName(r.ID, forward)); err != nil {
			return err
		}
		var at *time.Time
		if !m.Time.IsZero() {
			utc := m.Time.UTC().Truncate(time.Microsecond)
			at = &utc
		}
		_, err := tx.Exec(ctx, `INSERT INTO bascule.apply (migration, direction, position, at, txns, rows, updated) VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp())
			ON CONFLICT (migration, direction) DO UPDATE SET position = excluded.position, at = excluded.at, txns = excluded.txns, rows = excluded.rows, updated = excluded.updated`,
			r.ID, forward, string(m.Position), at, m.Txns, m.Rows)
		return err
	})
	if p := unwrapPg(err); p != nil && p.Code == "55P03" {
		return e.applyBusy(ctx, e.control, r.ID, r.Schema)
	}
	return e.fail(op, err)
}
