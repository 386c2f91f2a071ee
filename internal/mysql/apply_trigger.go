package mysql

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
)

// definerRights let an account make what belongs to another; which of them exists depends on the server.
func (e *End) definerRights() string {
	switch {
	case e.server.atLeast(schema.MySQL, 80200):
		return "SET_ANY_DEFINER"
	case e.server.atLeast(schema.MySQL, 80000):
		return "SET_USER_ID"
	case e.server.atLeast(schema.MariaDB, 100502):
		return "SET USER"
	}
	return "SUPER"
}

// trustHint lets an account without SUPER make triggers on a server that writes a log.
const trustHint = "SET GLOBAL log_bin_trust_function_creators = 1; (on RDS and Aurora in the parameter group)"

// explainDefinition is explain for statements that make or alter triggers and events.
func (e *End) explainDefinition(op string, err error, right string) error {
	switch code, _ := serverCode(err); code {
	case 1227:
		return fault.New(fault.Privilege, op, err, e.grant(e.definerRights(), "*.*", ""))
	case 1419:
		return fault.New(fault.Privilege, op, err, trustHint)
	}
	return e.explainWrite(op, err, right, quote(e.cfg.Database)+".*")
}

// saveTriggers saves the triggers of tables in the ledger and drops them, so that they do not act on changes that are applied.
// Whatever it needs to make them again later is tried first. Run again after a crash, it goes on; run twice, it does nothing.
func (e *End) saveTriggers(ctx context.Context, w *reader, r *change.Record, tables []schema.Name) error {
	const op = "save the triggers"
	if err := e.mustSee(ctx, op, "TRIGGER"); err != nil {
		return err
	}
	found, err := w.triggers(ctx, e.cfg.Database, tables)
	if err != nil {
		return e.explain(op, err)
	}
	for _, d := range found {
		if err := e.saveTrigger(ctx, w, inLedger(r), d); err != nil {
			return err
		}
	}
	if err := e.tryDefiners(ctx, w, found); err != nil {
		return err
	}
	// From the last to the first: then those that a crash leaves are the first of their order, and the others can follow them.
	slices.SortStableFunc(found, func(a, b *definition) int { return b.order - a.order })
	for _, d := range found {
		if err := w.exec(ctx, "DROP TRIGGER IF EXISTS "+quote(e.cfg.Database)+"."+quote(schema.Name(d.name))); err != nil {
			return e.explainDefinition("drop trigger "+d.name, err, "TRIGGER")
		}
	}
	return nil
}

// saveTrigger writes one trigger into the ledger.
func (e *End) saveTrigger(ctx context.Context, w *reader, migration int64, d *definition) error {
	op := "save trigger " + d.name
	if err := w.body(ctx, e.cfg.Database, d); err != nil {
		return e.explain(op, err)
	}
	now, err := w.row(ctx, "SELECT DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = "+quoteString(string(e.cfg.Database)))
	if err != nil {
		return e.explain(op, err)
	}
	if now[0] != d.databaseCollation {
		return fault.New(fault.Refused, op, fmt.Errorf("it was made when the database's collation was %s, which is %s now: a new one would differ", d.databaseCollation, now[0]),
			"make the trigger anew by hand, so that it has the present collation")
	}
	err = w.exec(ctx, "REPLACE INTO "+e.ledger("saved_trigger")+" (migration, db, name, tbl, action_order, definer, sql_mode, charset, collation_connection, body) VALUES ("+
		fmt.Sprintf("%d, %s, %s, %s, %d, %s, %s, %s, %s, %s)", migration, quoteString(string(e.cfg.Database)), quoteString(d.name), quoteString(d.table), d.order,
			quoteString(d.definer), quoteString(d.mode), quoteString(d.charset), quoteString(d.collation), quoteBytes(d.body)))
	return e.failLedger(op, err)
}

// body reads a trigger's text as the bytes that it was written in: converted to another character set and back, it might not be
// the same.
func (r *reader) body(ctx context.Context, db schema.Name, d *definition) error {
	if err := r.exec(ctx, "SET character_set_results = binary"); err != nil {
		return err
	}
	row, err := r.row(ctx, "SHOW CREATE TRIGGER "+quote(db)+"."+quote(schema.Name(d.name)))
	if err := errors.Join(err, r.exec(ctx, "SET character_set_results = utf8mb4")); err != nil {
		return err
	}
	if len(row) < 3 || row[2] == "" {
		return fmt.Errorf("the server shows no text of trigger %s", d.name)
	}
	d.body = row[2]
	return nil
}

// quoteBytes writes bytes.
func quoteBytes(s string) string {
	if s == "" {
		return "''"
	}
	return "0x" + hex.EncodeToString([]byte(s))
}

// probeTrigger is the name of the trigger that is made and dropped to see whether that is allowed.
const probeTrigger = "bascule_probe"

// tryDefiners makes and drops, for each definer, a trigger that does nothing: what cannot be made again must not be dropped.
func (e *End) tryDefiners(ctx context.Context, w *reader, found []*definition) error {
	tried := map[string]bool{}
	for _, d := range found {
		if tried[d.definer] {
			continue
		}
		tried[d.definer] = true
		name := quote(e.cfg.Database) + "." + quote(probeTrigger)
		for _, s := range []string{
			"DROP TRIGGER IF EXISTS " + name,
			"CREATE " + d.definerSQL() + " TRIGGER " + name + " BEFORE INSERT ON " + quote(e.cfg.Database) + "." + quote(schema.Name(d.table)) + " FOR EACH ROW SET @bascule = NULL",
			"DROP TRIGGER IF EXISTS " + name,
		} {
			if err := w.exec(ctx, s); err != nil {
				return e.explainDefinition("try whether a trigger of "+d.definer+" can be made again", err, "TRIGGER")
			}
		}
	}
	return nil
}

// restoreTriggers makes the saved triggers again, each exactly as it was, in their order, and then forgets them. Those that are there
// already are left alone; one that is there and differs is fault.Refused.
func (e *End) restoreTriggers(ctx context.Context, w *reader, r *change.Record) error {
	const op = "restore the triggers"
	saved, err := e.savedTriggers(ctx, w, inLedger(r))
	if err != nil || len(saved) == 0 {
		return e.explain(op, err)
	}
	for _, d := range saved {
		if err := e.restoreTrigger(ctx, w, d); err != nil {
			return err
		}
	}
	return e.failLedger(op, w.exec(ctx, fmt.Sprintf("DELETE FROM %s WHERE migration = %d AND db = %s", e.ledger("saved_trigger"), inLedger(r), quoteString(string(e.cfg.Database)))))
}

// absent reports whether an error says that the ledger has never been made.
func absent(err error) bool {
	code, _ := serverCode(err)
	return code == 1049 || code == 1146
}

func (e *End) savedTriggers(ctx context.Context, w *reader, migration int64) ([]*definition, error) {
	rows, err := w.rows(ctx, fmt.Sprintf("SELECT name, tbl, action_order, definer, sql_mode, charset, collation_connection, body FROM %s WHERE migration = %d AND db = %s ORDER BY tbl, action_order, name",
		e.ledger("saved_trigger"), migration, quoteString(string(e.cfg.Database))))
	if err != nil {
		return nil, err
	}
	var out []*definition
	for _, v := range rows {
		d := &definition{name: v[0], table: v[1], definer: v[3], mode: v[4], charset: v[5], collation: v[6], body: v[7]}
		if _, err := fmt.Sscan(v[2], &d.order); err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

func (e *End) restoreTrigger(ctx context.Context, w *reader, d *definition) error {
	op := "restore trigger " + d.name
	there, err := w.trigger(ctx, e.cfg.Database, d.name)
	if err != nil {
		return e.explain(op, err)
	}
	if there == nil {
		if err := w.under(ctx, d, d.body); err != nil {
			return e.explainDefinition(op, err, "TRIGGER")
		}
		if there, err = w.trigger(ctx, e.cfg.Database, d.name); err != nil {
			return e.explain(op, err)
		}
	}
	if there == nil {
		return fmt.Errorf("%s: the server made it and does not show it", op)
	}
	if err := w.body(ctx, e.cfg.Database, there); err != nil {
		return e.explain(op, err)
	}
	if diff := d.differs(there); diff != "" {
		return fault.New(fault.Refused, op, fmt.Errorf("another trigger has that name: %s", diff), "drop or rename it, and run this again")
	}
	return nil
}

// trigger reads one trigger by its name, or nil.
func (r *reader) trigger(ctx context.Context, db schema.Name, name string) (*definition, error) {
	rows, err := r.rows(ctx, "SELECT EVENT_OBJECT_TABLE FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = "+quoteString(string(db))+" AND TRIGGER_NAME = "+quoteString(name))
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	all, err := r.triggers(ctx, db, []schema.Name{schema.Name(rows[0][0])})
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(d *definition) bool { return d.name == name })
	if i < 0 {
		return nil, nil
	}
	return all[i], nil
}

// differs says what of a trigger is not as saved.
func (d *definition) differs(o *definition) string {
	var diff []string
	for _, p := range []struct{ what, was, is string }{
		{"table", d.table, o.table},
		{"definer", d.definer, o.definer},
		{"sql_mode", d.mode, o.mode},
		{"character set", d.charset, o.charset},
		{"collation", d.collation, o.collation},
		{"text", d.body, o.body},
	} {
		if p.was != p.is {
			diff = append(diff, fmt.Sprintf("its %s was %s and is %s", p.what, shorten(p.was), shorten(p.is)))
		}
	}
	return strings.Join(diff, ", ")
}
