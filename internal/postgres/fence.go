package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
)

// The fence of a PostgreSQL end is a statement trigger on every table of the migration's schema that calls one function. Closed, the function
// raises an error with SQLSTATE 25006 (read_only_sql_transaction) for every session but those that set bascule.applier to the
// migration's number; open, it does nothing. So it needs no right over the application's roles, stops an application that owns the
// tables too, and opens and closes by one row of pg_proc, in whatever transaction the caller has: the switch. A function is looked up
// in the present catalog, not in the transaction's snapshot, so that a transaction that began before the fence was closed meets it too.
// The triggers fire ALWAYS, under session_replication_role = replica too. An open fence costs a statement 6 microseconds (PostgreSQL 15),
// so that it stays where it was put once, and to close it again is one statement.
const (
	// fenceTrigger is the name of the trigger on each table. An applier that proves that its tables are passive must allow it.
	fenceTrigger schema.Name = "bascule_fence"
	// fenceSetting is the setting by which a session passes a closed fence: SET bascule.applier = 'MIGRATION'.
	fenceSetting = "bascule.applier"
)

// fence keeps everybody but bascule's own sessions from writing to the tables of a migration, and proves that they do not. Every method
// may be repeated, by another process too, after a crash at any point. It is safe for concurrent use.
type fence struct {
	e      *End
	record *change.Record
	who    string
}

// Fence implements change.Fencer.
func (e *End) Fence(r *change.Record, o change.FenceOrder) change.Fence {
	return &fence{e: e, record: r, who: o.Who}
}

func (f *fence) function() string { return fenceFunction(f.record.ID) }

func fenceFunction(migration int64) string { return fmt.Sprintf("bascule.fence_%d", migration) }

// functionSQL makes the function, closed or open.
func (f *fence) functionSQL(closed bool) string {
	body := "BEGIN RETURN NULL; END"
	if closed {
		body = fmt.Sprintf(`BEGIN
	IF pg_catalog.current_setting('%s', true) IS DISTINCT FROM '%d' THEN
		RAISE EXCEPTION 'bascule has fenced %%.%%: nobody writes to it now', TG_TABLE_SCHEMA, TG_TABLE_NAME
			USING ERRCODE = '25006', HINT = 'the database is being switched over; try again, on the side that is open';
	END IF;
	RETURN NULL;
END`, fenceSetting, f.record.ID)
	}
	return "CREATE OR REPLACE FUNCTION " + f.function() + "() RETURNS trigger LANGUAGE plpgsql AS $fence$" + body + "$fence$"
}

// open lets everybody write as soon as tx commits. The fence must have been raised: else this end was never closed, and what was
// written on it meanwhile nobody knows.
func (f *fence) open(ctx context.Context, tx pgx.Tx) error {
	var raised bool
	err := tx.QueryRow(ctx, "SELECT raised AND to_regproc($2) IS NOT NULL FROM bascule.fence WHERE migration = $1", f.record.ID, f.function()).Scan(&raised)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	if !raised {
		return fault.New(fault.Refused, "open the fence", errors.New("it was never raised, so that anybody could write here"), "raise it first")
	}
	_, err = tx.Exec(ctx, f.functionSQL(false))
	return err
}

// Raise implements change.Fence. It closes the fence, then puts the trigger on the tables that have none. It ends no session: the next
// write of each fails, and Prove waits for those that are under way.
func (f *fence) Raise(ctx context.Context, t change.Token) error {
	const op = "raise the fence"
	var missing []string
	err := f.e.guarded(ctx, f.record, t, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO bascule.fence (migration, who, since) VALUES ($1, $2, now())
			ON CONFLICT (migration) DO UPDATE SET who = excluded.who, since = excluded.since`, f.record.ID, f.who)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, f.functionSQL(true)); err != nil {
			return err
		}
		if missing, err = f.missing(ctx, tx); err != nil || len(missing) > 0 {
			return err
		}
		return f.raised(ctx, tx)
	})
	if err != nil {
		return f.e.fail(op, err)
	}
	for _, table := range missing {
		err := f.e.patiently(ctx, f.record, t, "fence "+table, func(tx pgx.Tx) error { return f.arm(ctx, tx, table) })
		if err != nil {
			return err
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return f.e.fail(op, f.e.guarded(ctx, f.record, t, func(tx pgx.Tx) error { return f.raised(ctx, tx) }))
}

func (f *fence) raised(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, "UPDATE bascule.fence SET raised = true WHERE migration = $1", f.record.ID)
	return err
}

// fencedSQL lists the schema's tables but an extension's. Partitions have triggers of their own: a statement may name them.
const fencedSQL = ` FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = $1 AND relkind IN ('r', 'p')
	AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')`

// tables lists the tables to fence, quoted.
func (f *fence) tables(ctx context.Context, q querier) ([]string, error) {
	rows, err := q.Query(ctx, "SELECT quote_ident(nspname) || '.' || quote_ident(relname)"+fencedSQL+" ORDER BY c.oid", string(f.record.Schema))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// missing lists those that are without the trigger.
func (f *fence) missing(ctx context.Context, q querier) ([]string, error) {
	rows, err := q.Query(ctx, "SELECT quote_ident(nspname) || '.' || quote_ident(relname)"+fencedSQL+`
		AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = c.oid AND tgname = $2 AND tgenabled = 'A' AND tgfoid = to_regproc($3)::oid)
		ORDER BY c.oid`, string(f.record.Schema), string(fenceTrigger), f.function())
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// arm puts the trigger on one table. A trigger of its name that calls something else is none.
func (f *fence) arm(ctx context.Context, tx pgx.Tx, table string) error {
	var there, ours bool
	err := tx.QueryRow(ctx, "SELECT count(*) > 0, count(*) FILTER (WHERE tgfoid = to_regproc($3)::oid) > 0 FROM pg_trigger WHERE tgrelid = $1::regclass AND tgname = $2",
		table, string(fenceTrigger), f.function()).Scan(&there, &ours)
	if err != nil {
		return err
	}
	if there && !ours {
		if _, err := tx.Exec(ctx, "DROP TRIGGER "+string(fenceTrigger)+" ON "+table); err != nil {
			return err
		}
	}
	if !ours {
		if _, err := tx.Exec(ctx, "CREATE TRIGGER "+string(fenceTrigger)+" BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON "+table+" FOR EACH STATEMENT EXECUTE FUNCTION "+f.function()+"()"); err != nil {
			return err
		}
	}
	_, err = tx.Exec(ctx, "ALTER TABLE "+table+" ENABLE ALWAYS TRIGGER "+string(fenceTrigger))
	return err
}

// Prove implements change.Fence. The position, as lsn:X/Y, stands behind everything that was written before, and behind a marker. The
// proof is two locks that do not go with any open transaction that has written.
func (f *fence) Prove(ctx context.Context, t change.Token) (change.Position, error) {
	const op = "prove the fence"
	var tables, prepared []string
	err := f.e.guarded(ctx, f.record, t, func(tx pgx.Tx) error {
		if err := f.stands(ctx, tx); err != nil {
			return err
		}
		var err error
		if tables, err = f.tables(ctx, tx); err != nil {
			return err
		}
		prepared, err = preparedHere(ctx, tx)
		return err
	})
	if err != nil {
		return "", f.e.fail(op, err)
	}
	if len(prepared) > 0 {
		return "", fault.New(fault.Refused, op, fmt.Errorf("transactions are prepared and can still be committed: %s", strings.Join(prepared, ", ")), "end each with COMMIT PREPARED or ROLLBACK PREPARED")
	}
	for range 2 {
		if len(tables) == 0 {
			break
		}
		if err := f.e.patiently(ctx, f.record, t, op, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "LOCK TABLE "+strings.Join(tables, ", ")+" IN SHARE MODE")
			return err
		}); err != nil {
			return "", err
		}
	}
	err = f.e.guarded(ctx, f.record, t, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "SELECT pg_logical_emit_message(true, $1, 'fence')", markPrefix)
		return err
	})
	if err != nil {
		return "", f.e.fail(op, err)
	}
	at, err := f.e.written(ctx)
	return position(at), f.e.fail(op, err)
}

// preparedHere lists the transactions of this database that are prepared.
func preparedHere(ctx context.Context, q querier) (gids []string, err error) {
	err = q.QueryRow(ctx, "SELECT coalesce(array_agg(gid ORDER BY gid), '{}') FROM pg_prepared_xacts WHERE database = current_database()").Scan(&gids)
	return gids, err
}

// stands looks at the catalog itself: the function is closed, and every table has its trigger, enabled always.
func (f *fence) stands(ctx context.Context, q querier) error {
	var there, closed bool
	err := q.QueryRow(ctx, `SELECT p.oid IS NOT NULL, coalesce(position('25006' in prosrc) > 0, false)
		FROM (SELECT to_regproc($1) AS f) w LEFT JOIN pg_proc p ON p.oid = w.f`, f.function()).Scan(&there, &closed)
	if err != nil {
		return err
	}
	missing, err := f.missing(ctx, q)
	if err != nil {
		return err
	}
	var why string
	switch {
	case !there:
		why = "it was not raised"
	case !closed:
		why = "it is open"
	case len(missing) > 0:
		why = fmt.Sprintf("%d tables are without it: %s", len(missing), firstOf(missing))
	default:
		return nil
	}
	return fault.New(fault.Refused, "look whether the fence stands", errors.New(why), "raise it first")
}

// firstOf joins the first of many.
func firstOf(list []string) string {
	const most = 20
	if len(list) > most {
		return strings.Join(list[:most], ", ") + fmt.Sprintf(" and %d more", len(list)-most)
	}
	return strings.Join(list, ", ")
}

// Lower implements change.Fence. The triggers stay, and do nothing. It refuses nothing: whoever calls it has decided that this side is open.
func (f *fence) Lower(ctx context.Context, t change.Token) error {
	err := f.e.guarded(ctx, f.record, t, func(tx pgx.Tx) error {
		var there bool
		if err := tx.QueryRow(ctx, "SELECT to_regproc($1) IS NOT NULL", f.function()).Scan(&there); err != nil || !there {
			return err
		}
		_, err := tx.Exec(ctx, f.functionSQL(false))
		return err
	})
	return f.e.fail("lower the fence", err)
}
