package mysql

import (
	"context"
	"fmt"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/schema"
)

// disableEvents saves which events of the database are enabled in the ledger and disables them. Run again after a crash, it goes on;
// run twice, it does nothing.
func (e *End) disableEvents(ctx context.Context, w *reader, r *change.Record) error {
	const op = "disable the events"
	if err := e.mustSee(ctx, op, "EVENT"); err != nil {
		return err
	}
	found, err := w.enabledEvents(ctx, e.cfg.Database)
	if err != nil {
		return e.explain(op, err)
	}
	for _, d := range found {
		err := w.exec(ctx, "REPLACE INTO "+e.ledger("saved_event")+" (migration, db, name, definer, sql_mode, time_zone, charset, collation_connection) VALUES ("+
			fmt.Sprintf("%d, %s, %s, %s, %s, %s, %s, %s)", inLedger(r), quoteString(string(e.cfg.Database)), quoteString(d.name),
				quoteString(d.definer), quoteString(d.mode), quoteString(d.zone), quoteString(d.charset), quoteString(d.collation)))
		if err != nil {
			return e.failLedger("save event "+d.name, err)
		}
		if err := e.alterEvent(ctx, w, d, "DISABLE"); err != nil {
			return err
		}
	}
	return nil
}

// alterEvent enables or disables an event. Without the definer and the settings that it has, an ALTER would give it this session's.
func (e *End) alterEvent(ctx context.Context, w *reader, d *definition, state string) error {
	name := quote(e.cfg.Database) + "." + quote(schema.Name(d.name))
	err := w.under(ctx, d, "ALTER "+d.definerSQL()+" EVENT "+name+" "+state)
	return e.explainDefinition(state+" event "+d.name, err, "EVENT")
}

// restoreEvents enables the events that disableEvents disabled, and then forgets them. One that somebody has dropped stays dropped.
func (e *End) restoreEvents(ctx context.Context, w *reader, r *change.Record) error {
	const op = "restore the events"
	where := fmt.Sprintf("migration = %d AND db = %s", inLedger(r), quoteString(string(e.cfg.Database)))
	rows, err := w.rows(ctx, "SELECT name, definer, sql_mode, time_zone, charset, collation_connection FROM "+e.ledger("saved_event")+" WHERE "+where+" ORDER BY name")
	if err != nil || len(rows) == 0 {
		return e.explain(op, err)
	}
	for _, v := range rows {
		now, err := w.events(ctx, "EVENT_SCHEMA = "+quoteString(string(e.cfg.Database))+" AND EVENT_NAME = "+quoteString(v[0])+" AND STATUS <> 'ENABLED'")
		if err != nil {
			return e.explain(op, err)
		}
		if len(now) == 0 {
			continue
		}
		d := &definition{name: v[0], definer: v[1], mode: v[2], zone: v[3], charset: v[4], collation: v[5]}
		if err := e.alterEvent(ctx, w, d, "ENABLE"); err != nil {
			return err
		}
	}
	return e.failLedger(op, w.exec(ctx, "DELETE FROM "+e.ledger("saved_event")+" WHERE "+where))
}
