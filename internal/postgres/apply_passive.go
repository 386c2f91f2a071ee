package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/bascule/bascule/internal/fault"
)

// liveSQL lists what would act by itself when these tables change. The fence's trigger changes no row.
const liveSQL = `SELECT format('trigger %%I on %%I', tgname, relname) FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid
	WHERE tgrelid = ANY($1) AND NOT tgisinternal AND tgenabled IN ('O', 'A') AND tgname <> $2 AND pg_trigger.oid <> ALL($3)
UNION ALL SELECT format('rule %%I on %%I', rulename, relname) FROM pg_rewrite JOIN pg_class c ON c.oid = ev_class
	WHERE ev_class = ANY($1) AND rulename <> '_RETURN' AND ev_enabled IN ('O', 'A')
UNION ALL SELECT format('foreign key %%I of %%I to %%I', conname, c.relname, p.relname) FROM pg_constraint
	JOIN pg_class c ON c.oid = conrelid JOIN pg_class p ON p.oid = confrelid
	WHERE contype = 'f' AND (conrelid = ANY($1) OR confrelid = ANY($1)) %s AND pg_constraint.oid <> ALL($3)
ORDER BY 1`

// assertPassive refuses when a trigger, rule or foreign key is live on the tables.
func (s *applier) assertPassive(ctx context.Context, q querier, oids []uint32) error {
	enforced := ""
	if s.end.major >= 18 {
		enforced = "AND conenforced"
	}
	prepared := []uint32{}
	if s.temporary {
		err := q.QueryRow(ctx, "SELECT ARRAY(SELECT oid FROM bascule.object WHERE migration = $1 AND kind IN ($2, $3))",
			s.migration, kindForeignKey, kindTrigger).Scan(&prepared)
		if err != nil {
			return err
		}
	}
	rows, err := q.Query(ctx, fmt.Sprintf(liveSQL, enforced), oids, string(fenceTrigger), prepared)
	if err != nil {
		return err
	}
	live, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(live) == 0 {
		return err
	}
	return fault.New(fault.Refused, fmt.Sprintf("apply changes to schema %q", s.schema),
		fmt.Errorf("these would act by themselves and change rows twice: %s", firstOf(live)),
		"while changes are applied, disable triggers (ALTER TABLE ... DISABLE TRIGGER name) and drop rules and foreign keys; they are made at the switch")
}
