package mysql

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
)

// passive proves that nothing on this end acts by itself upon the tables: no trigger, which fires whatever foreign_key_checks says,
// and no event. The session's foreign_key_checks = 0 keeps foreign keys from acting.
func (e *End) passive(ctx context.Context, tables []*change.Replica) error {
	const op = "prove that nothing of this side acts by itself"
	var names []schema.Name
	for _, t := range tables {
		names = append(names, t.Into.Table)
	}
	if err := e.mustSee(ctx, op, "TRIGGER", "EVENT"); err != nil {
		return err
	}
	return e.withWriter(ctx, func(ctx context.Context, r *reader) error {
		triggers, err := r.triggers(ctx, e.cfg.Database, names)
		if err != nil {
			return e.explain(op, err)
		}
		var live []string
		for _, t := range triggers {
			live = append(live, fmt.Sprintf("trigger %s on %s", t.name, t.table))
		}
		events, err := r.enabledEvents(ctx, e.cfg.Database)
		if err != nil {
			return e.explain(op, err)
		}
		for _, ev := range events {
			live = append(live, "event "+ev.name)
		}
		if len(live) == 0 {
			return nil
		}
		return fault.New(fault.Refused, op, fmt.Errorf("these would act on changes that have been made on the other side: %s", strings.Join(live, ", ")),
			"the switch saves and drops triggers and disables events before the way back opens; run it again")
	})
}

// mustSee refuses when the account cannot see what it must see: the catalog hides what an account has no right to, and
// nothing would look like none.
func (e *End) mustSee(ctx context.Context, op string, rights ...string) error {
	c := &checkup{e: e}
	g, err := c.granted(ctx)
	if err != nil {
		return e.explain(op, err)
	}
	var lacks []string
	for _, right := range rights {
		if !g.has(e.cfg.Database, right) {
			lacks = append(lacks, right)
		}
	}
	if len(lacks) == 0 {
		return nil
	}
	return fault.New(fault.Privilege, op, fmt.Errorf("the account lacks %s, so it cannot see what there is", strings.Join(lacks, ", ")),
		e.grant(strings.Join(lacks, ", "), quote(e.cfg.Database)+".*", ""))
}

// definition is a trigger or an event, with the settings that its text was written under.
type definition struct {
	name, table                       string // table of a trigger
	order                             int
	definer, mode, charset, collation string
	zone                              string // of an event
	databaseCollation, body           string // body: bytes in the definition's own character set
}

// definerSQL is the clause that keeps a definition its owner's.
func (d *definition) definerSQL() string {
	user, host := splitAccount(d.definer)
	if host == "" { // a role of MariaDB
		return "DEFINER=" + quote(schema.Name(user))
	}
	return "DEFINER=" + quote(schema.Name(user)) + "@" + quote(schema.Name(host))
}

// triggers lists the triggers of tables in the order in which they were made for each table and event.
func (r *reader) triggers(ctx context.Context, db schema.Name, tables []schema.Name) ([]*definition, error) {
	if len(tables) == 0 {
		return nil, nil
	}
	rows, err := r.rows(ctx, "SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE, ACTION_ORDER, DEFINER, SQL_MODE, CHARACTER_SET_CLIENT, COLLATION_CONNECTION, DATABASE_COLLATION"+
		" FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = "+quoteString(string(db))+" AND EVENT_OBJECT_TABLE IN ("+quoteStrings(tables)+")"+
		" ORDER BY EVENT_OBJECT_TABLE, ACTION_ORDER, TRIGGER_NAME")
	if err != nil {
		return nil, err
	}
	var out []*definition
	for _, v := range rows {
		d := &definition{name: v[0], table: v[1], definer: v[3], mode: v[4], charset: v[5], collation: v[6], databaseCollation: v[7]}
		if _, err := fmt.Sscan(v[2], &d.order); err != nil {
			return nil, fmt.Errorf("read the order of trigger %s: %w", d.name, err)
		}
		out = append(out, d)
	}
	return out, nil
}

// enabledEvents lists the events of a database that run, or would if the scheduler were on.
func (r *reader) enabledEvents(ctx context.Context, db schema.Name) ([]*definition, error) {
	return r.events(ctx, "EVENT_SCHEMA = "+quoteString(string(db))+" AND STATUS = 'ENABLED'")
}

func (r *reader) events(ctx context.Context, where string) ([]*definition, error) {
	rows, err := r.rows(ctx, "SELECT EVENT_NAME, DEFINER, SQL_MODE, TIME_ZONE, CHARACTER_SET_CLIENT, COLLATION_CONNECTION FROM information_schema.EVENTS WHERE "+where+" ORDER BY EVENT_NAME")
	if err != nil {
		return nil, err
	}
	var out []*definition
	for _, v := range rows {
		out = append(out, &definition{name: v[0], definer: v[1], mode: v[2], zone: v[3], charset: v[4], collation: v[5]})
	}
	return out, nil
}

// under runs statements with the settings that a definition was made under, and returns to the session's own. The statements are in
// the definition's character set.
func (r *reader) under(ctx context.Context, d *definition, statements ...string) error {
	set := "SET sql_mode = " + quoteString(d.mode) + ", character_set_client = " + d.charset + ", collation_connection = " + d.collation
	if d.zone != "" {
		set += ", time_zone = " + quoteString(d.zone)
	}
	for _, s := range slices.Concat([]string{set}, statements, []string{session, writing}) {
		if err := r.exec(ctx, s); err != nil {
			return err // the connection is not used any more
		}
	}
	return nil
}
