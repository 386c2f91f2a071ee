package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
)

var _ change.Fencer = (*End)(nil)

// fencePlanSQL reads what a fence of a schema would meet.
const fencePlanSQL = `SELECT pg_is_in_recovery(), has_schema_privilege('bascule', 'CREATE'),
	ARRAY(SELECT quote_ident(nspname) || '.' || quote_ident(relname) ` + fencedSQL + ` AND NOT pg_has_role(relowner, 'USAGE') ORDER BY 1),
	ARRAY(SELECT DISTINCT pg_get_userbyid(relowner)::text ` + fencedSQL + ` ORDER BY 1),
	ARRAY(SELECT DISTINCT subname::text FROM pg_subscription s JOIN pg_subscription_rel ON srsubid = s.oid JOIN pg_class c ON c.oid = srrelid
		JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = $1 AND subenabled ORDER BY 1),
	ARRAY(SELECT DISTINCT COALESCE(usename, '?') || '@' || COALESCE(host(client_addr), 'local') FROM pg_stat_activity a
		WHERE datname = current_database() AND COALESCE(backend_type, 'client backend') = 'client backend' AND pid <> pg_backend_pid()
			AND NOT (usename = current_user AND application_name = current_setting('application_name'))
			AND (xact_start IS NOT NULL OR EXISTS (SELECT FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = relnamespace
				WHERE l.pid = a.pid AND l.locktype = 'relation' AND nspname = $1
					AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))) ORDER BY 1)`

// PlanFence implements change.Fencer.
func (e *End) PlanFence(ctx context.Context, r *change.Record, o change.FenceOrder) (change.FencePlan, error) {
	const op = "plan the fence"
	p := change.FencePlan{Kind: change.FenceTrigger, Possible: []change.FenceKind{change.FenceTrigger}}
	if o.Kind != "" && o.Kind != change.FenceTrigger {
		return p, fault.New(fault.Usage, op, fmt.Errorf("PostgreSQL has no fence of the kind %q", o.Kind), fmt.Sprintf("its kind is %q", change.FenceTrigger))
	}
	if v, err := e.ledgerAt(ctx, e.control); err != nil || v == 0 {
		if err == nil {
			err = gone(op, errors.New("there is no ledger"))
		}
		return p, e.fail(op, err)
	}
	var recovery, creates bool
	var foreign, owners, subscriptions []string
	err := pgx.BeginTxFunc(ctx, e.control, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, fencePlanSQL, string(r.Schema)).Scan(&recovery, &creates, &foreign, &owners, &subscriptions, &p.Sessions)
		if err != nil {
			return err
		}
		p.Prepared, err = preparedHere(ctx, tx)
		return err
	})
	role := quoteText(e.config.user())
	switch {
	case err != nil:
		return p, e.fail(op, err)
	case recovery:
		return p, fault.New(fault.Unsupported, op, errors.New("the server is a replica"), "connect to the primary")
	case !creates:
		return p, fault.New(fault.Privilege, op, fmt.Errorf("role %s may not create functions in schema bascule", role), "GRANT ALL ON SCHEMA bascule TO "+role)
	case len(foreign) > 0:
		return p, fault.New(fault.Privilege, op, fmt.Errorf("only its owner can put a trigger on a table, and these are others': %s", firstOf(foreign)),
			"connect as the owner, or GRANT the owning role TO "+role)
	}
	if len(subscriptions) > 0 {
		p.Replicates = "subscription " + strings.Join(subscriptions, ", ")
	}
	p.Leaks = []string{
		"tables that are made after the fence was raised; the proof looks for them",
		fmt.Sprintf("ALTER TABLE, DROP TABLE and other definitions, and a trigger that is disabled, by the tables' owners (%s) and superusers", strings.Join(owners, ", ")),
		fmt.Sprintf("a session that sets %s to %d, as bascule does", fenceSetting, r.ID),
	}
	return p, nil
}
