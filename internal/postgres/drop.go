package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
)

// object is one thing that a migration made. Kind is table, type, collation or schema. The
// OID tells it from another of its name, the name from what somebody renamed and so made his own.
type object struct {
	Kind, Name string
	OID        uint32
}

// found is an object that is there; own says that this very transaction made it.
type found struct {
	object
	own bool
}

// String returns the object as a person names it.
func (o object) String() string { return o.Kind + " " + o.Name }

// objectsIn lists the schema itself, its tables, enum types and collations, in an
// order in which they can be dropped, without what belongs to extensions.
func objectsIn(ctx context.Context, q querier, name schema.Name) ([]found, error) {
	// A row's xmin is the transaction that wrote it: others that commit into the schema at
	// the same time have another one. The bootstrap's objects are of no transaction.
	rows, err := q.Query(ctx, `SELECT kind, name, oid, COALESCE(born = pg_current_xact_id_if_assigned()::xid, false) FROM (
			SELECT 1 AS o, 'table' AS kind, relname::text AS name, c.oid, 'pg_class'::regclass AS class, c.xmin AS born
				FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = $1 AND relkind IN ('r', 'p')
			UNION ALL SELECT 2, 'type', typname, t.oid, 'pg_type'::regclass, t.xmin
				FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace WHERE nspname = $1 AND typtype = 'e'
			UNION ALL SELECT 3, 'collation', collname, c.oid, 'pg_collation'::regclass, c.xmin
				FROM pg_collation c JOIN pg_namespace n ON n.oid = collnamespace WHERE nspname = $1
			UNION ALL SELECT 4, 'schema', nspname, oid, 'pg_namespace'::regclass, xmin FROM pg_namespace WHERE nspname = $1
		) all_of_it
		WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = class AND d.objid = oid AND d.deptype = 'e')
		ORDER BY o, name COLLATE "C"`, string(name))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (f found, err error) {
		err = r.Scan(&f.Kind, &f.Name, &f.OID, &f.own)
		return f, err
	})
}

// Drop removes what the ledger says that the migration made and that is still
// there under its name, and its record, in one transaction; the last migration's end removes
// the ledger too. Nothing else is removed: what depends on a table, such as a view made later, makes
// it refuse. dry changes nothing. It returns what it removed, or would.
func (e *End) Drop(ctx context.Context, name schema.Name, dry bool) ([]string, error) {
	op := fmt.Sprintf("drop the migration into schema %q", name)
	if v, err := e.ledgerAt(ctx, e.control); err != nil || v == 0 {
		return nil, e.fail(op, err)
	}
	var list []string
	err := e.inTx(ctx, func(tx pgx.Tx) error {
		var err error
		if list, err = e.drop(ctx, tx, name, dry); err != nil {
			return err
		}
		if dry {
			return errDry
		}
		return nil
	})
	if err != nil && !errors.Is(err, errDry) {
		return nil, e.fail(op, refusedIfUsed(err))
	}
	return list, nil
}

// errDry rolls a dry run back. Drop alone sees it.
var errDry = errors.New("dry run")

func (e *End) drop(ctx context.Context, tx pgx.Tx, name schema.Name, dry bool) ([]string, error) {
	if !dry {
		// Lanes hold their task and their tables: better to refuse than to wait behind a copy.
		if _, err := tx.Exec(ctx, "SET LOCAL lock_timeout = '5s'"); err != nil {
			return nil, err
		}
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(ledgerLock)); err != nil {
			return nil, err
		}
	}
	if err := e.refuseLive(ctx, tx, name); err != nil {
		return nil, err
	}
	made, err := e.made(ctx, tx, name)
	if err != nil || made == nil {
		return nil, err
	}
	list := make([]string, 0, len(made)+1)
	for _, o := range made {
		list = append(list, o.String())
	}
	list = append(list, fmt.Sprintf("record of the migration into schema %s", name))
	r, err := e.record(ctx, tx, name)
	if err != nil {
		return nil, err
	}
	slot, err := e.Armed(ctx, r)
	if err != nil {
		return nil, err
	}
	if slot.Exists {
		list = append(list, "replication slot "+slotName(r))
	}
	var last bool
	if err := tx.QueryRow(ctx, "SELECT NOT EXISTS (SELECT FROM bascule.migration WHERE schema <> $1)", string(name)).Scan(&last); err != nil {
		return nil, err
	}
	var kept bool
	if last {
		if kept, err = e.keepsLedgerSchema(ctx, tx, r.ID); err != nil {
			return nil, err
		}
		list = append(list, map[bool]string{false: "schema bascule", true: "ledger in schema bascule"}[kept])
	}
	if dry {
		return list, nil
	}
	if _, err := tx.Exec(ctx, `SELECT FROM bascule.task WHERE migration = (SELECT id FROM bascule.migration WHERE schema = $1) FOR UPDATE NOWAIT`, string(name)); err != nil {
		return nil, err
	}
	if err := e.holdObjects(ctx, tx, name, made); err != nil {
		return nil, err
	}
	if err := unmake(ctx, tx, r.ID, kindForeignKey, kindGuard, kindTrigger, kindFunction); err != nil {
		return nil, err
	}
	if err := unfence(ctx, tx, r.ID); err != nil {
		return nil, err
	}
	if err := dropObjects(ctx, tx, name, made); err != nil {
		return nil, err
	}
	if _, err := tx.Exec(ctx, "DELETE FROM bascule.migration WHERE schema = $1", string(name)); err != nil {
		return nil, err
	}
	if last {
		sql := "DROP TABLE IF EXISTS bascule.fence, bascule.token, bascule.journal, bascule.cutover, bascule.apply; DROP TABLE bascule.loss, bascule.task, bascule.object, bascule.migration, bascule.ledger_version; DROP SEQUENCE bascule.attempts"
		if !kept {
			sql += "; DROP SCHEMA bascule"
		}
		if _, err := tx.Conn().PgConn().Exec(ctx, sql).ReadAll(); err != nil {
			return nil, err
		}
	}
	return list, unarm(ctx, tx, r)
}

// unarm drops what keeps the log. The slot goes last, at once and for good: what could refuse has been done.
func unarm(ctx context.Context, tx pgx.Tx, r *change.Record) error {
	if _, err := tx.Exec(ctx, "DROP PUBLICATION IF EXISTS "+quoteText(slotName(r))); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
		WHERE slot_name = $1 AND plugin = 'pgoutput' AND database = current_database()`, slotName(r))
	return err
}

// keepsLedgerSchema tells whether schema bascule outlives the ledger: it holds something
// that is neither the ledger's nor the last migration's, or belongs to a role that this account is no member of.
func (e *End) keepsLedgerSchema(ctx context.Context, tx pgx.Tx, last int64) (bool, error) {
	var owned bool
	var others []string
	// What stands in a schema depends on it, whatever its kind; an identity's sequence depends
	// on its table too, internally.
	err := tx.QueryRow(ctx, `SELECT pg_has_role(n.nspowner, 'USAGE'), ARRAY(
			SELECT DISTINCT pg_describe_object(d.classid, d.objid, 0) FROM pg_depend d
			WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = n.oid
				AND NOT (d.classid = 'pg_proc'::regclass AND d.objid IS NOT DISTINCT FROM to_regproc($1)::oid) AND NOT (d.classid = 'pg_class'::regclass AND (
				d.objid IN (SELECT oid FROM pg_class WHERE relnamespace = n.oid
					AND relname IN ('fence', 'token', 'journal', 'cutover', 'apply', 'loss', 'task', 'object', 'migration', 'ledger_version', 'attempts'))
				OR EXISTS (SELECT FROM pg_depend i WHERE i.classid = d.classid AND i.objid = d.objid AND i.deptype = 'i')))
			ORDER BY 1)
		FROM pg_namespace n WHERE nspname = 'bascule'`, fenceFunction(last)).Scan(&owned, &others)
	if err != nil {
		return false, err
	}
	for _, o := range others {
		e.log.WarnContext(ctx, "kept schema bascule: it holds what is not the ledger's", "object", o)
	}
	return !owned || len(others) > 0, nil
}

// made returns what the migration made and is still there, in an order in which it can
// be dropped; nil when there is no such migration.
func (e *End) made(ctx context.Context, tx pgx.Tx, name schema.Name) ([]object, error) {
	r, err := e.record(ctx, tx, name)
	if err != nil || r == nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, `SELECT kind, name, oid FROM bascule.object
		WHERE migration = (SELECT id FROM bascule.migration WHERE schema = $1)`, string(name))
	if err != nil {
		return nil, err
	}
	noted, err := pgx.CollectRows(rows, pgx.RowToStructByPos[object])
	if err != nil {
		return nil, err
	}
	there, err := objectsIn(ctx, tx, name)
	if err != nil {
		return nil, err
	}
	isNoted := map[object]bool{}
	for _, o := range noted {
		isNoted[o] = true
	}
	both, foreign := []object{}, false
	for _, o := range there {
		switch {
		case !isNoted[o.object]:
			foreign = true
			e.log.WarnContext(ctx, "kept: bascule did not make it, or somebody renamed it", "schema", string(name), "object", o.String())
		case o.Kind == "schema" && foreign:
			// Somebody else put something into our schema: it stays. The schema is last in there.
		default:
			both = append(both, o.object)
		}
	}
	return both, nil
}

// holdObjects locks the tables and looks again: a name that was read before the lock may
// have come to mean another table.
func (e *End) holdObjects(ctx context.Context, tx pgx.Tx, name schema.Name, made []object) error {
	for _, o := range made {
		if o.Kind != "table" {
			continue
		}
		if _, err := tx.Exec(ctx, "LOCK TABLE "+qualify(name, schema.Name(o.Name))+" IN ACCESS EXCLUSIVE MODE"); err != nil {
			return err
		}
	}
	again, err := e.made(ctx, tx, name)
	if err != nil || slices.Equal(made, again) {
		return err
	}
	return fault.New(fault.Refused, "look again at what is to be dropped", errors.New("somebody changes the schema at the same time"),
		"run the same command again")
}

// dropObjects drops tables in one statement, since they refer to each other, and
// without CASCADE, since what else refers to them is not ours.
func dropObjects(ctx context.Context, tx pgx.Tx, name schema.Name, made []object) error {
	var tables []string
	var rest []string
	for _, o := range made {
		n := qualify(name, schema.Name(o.Name))
		switch o.Kind {
		case "table":
			tables = append(tables, n)
		case "type":
			rest = append(rest, "DROP TYPE "+n)
		case "collation":
			rest = append(rest, "DROP COLLATION "+n)
		case "schema":
			rest = append(rest, "DROP SCHEMA "+quoteText(o.Name))
		}
	}
	if len(tables) > 0 {
		rest = append([]string{"DROP TABLE " + strings.Join(tables, ", ")}, rest...)
	}
	for _, sql := range rest {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// refusedIfUsed turns «in use» and «others depend on it» into refusals.
func refusedIfUsed(err error) error {
	p := unwrapPg(err)
	if p == nil {
		return err
	}
	switch p.Code {
	case "55P03":
		return &fault.Error{
			Class: fault.Refused, Op: "lock what is to be dropped", Err: &serverError{p},
			Hint: "a copy still runs, or somebody uses the tables: stop it first (see pg_stat_activity)",
		}
	case "55006":
		return &fault.Error{
			Class: fault.Refused, Op: "drop the replication slot", Err: &serverError{p},
			Hint: "the way back is still followed: stop that process first",
		}
	case "2BP01":
		return &fault.Error{
			Class: fault.Refused, Op: "keep what bascule did not make", Err: &serverError{p},
			Hint: "something made later depends on it: drop that yourself, then run the same command again",
		}
	}
	return err
}
