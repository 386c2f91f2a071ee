package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/bascule/bascule/internal/fault"
)

// liveSQL lists what would act by itself when these tables change. The fence's trigger changes no row.
const liveSQL = `SELECT format('trigger %%I on %%I', tgname, relname) FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid
	WHERE tgrelid = ANY($1) AND NOT tgisinternal AND tgenabled IN ('O', 'A') AND tgname <> $2
UNION ALL SELECT format('rule %%I on %%I', rulename, relname) FROM pg_rewrite JOIN pg_class c ON c.oid = ev_class
	WHERE ev_class = ANY($1) AND rulename <> '_RETURN' AND ev_enabled IN ('O', 'A')
UNION ALL SELECT format('foreign key %%I of %%I to %%I', conname, c.relname, p.relname) FROM pg_constraint
	JOIN pg_class c ON c.oid = conrelid JOIN pg_class p ON p.oid = confrelid
	WHERE contype = 'f' AND (conrelid = ANY($1) OR confrelid = ANY($1)) %s
ORDER BY 1`

// assertPassive refuses when a trigger, rule or foreign key is live on the tables.
func (s *applier) assertPassive(ctx context.Context, oids []uint32) error {
	enforced := ""
	if s.end.major >= 18 {
		enforced = "AND conenforced"
	}
	rows, err := s.conn.Query(ctx, fmt.Sprintf(liveSQL, enforced), oids, string(FenceTrigger))
	if err != nil {
		return err
	}
	live, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(live) == 0 {
		return err
	}
	const most = 20
	list := live
	if len(list) > most {
		list = append(slices.Clone(list[:most]), fmt.Sprintf("and %d more", len(live)-most))
	}
	return fault.New(fault.Refused, fmt.Sprintf("apply changes to schema %q", s.schema),
		fmt.Errorf("these would act by themselves and change rows twice: %s", strings.Join(list, ", ")),
		"while changes are applied, disable triggers (ALTER TABLE ... DISABLE TRIGGER name) and drop rules and foreign keys; they are made at the switch")
}
