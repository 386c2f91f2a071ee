package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
)

// The fence of a PostgreSQL end is a statement trigger on every table of the migration's schema that calls one function. Closed, the function
// raises an error with SQLSTATE 25006 (read_only_sql_transaction) for every session but those that set bascule.applier to the
// migration's number; open, it does nothing. So it needs no right over the application's roles, stops an application that owns the
// tables too, and opens and closes by one row of pg_proc, in whatever transaction the caller has: the switch. A function is looked up
// in the present catalog, not in the transaction's snapshot, so that a transaction that began before the fence was closed meets it too.
// The triggers fire ALWAYS, under session_replication_role = replica too. An open fence costs a statement 6 microseconds (PostgreSQL 15).
const (
	// FenceTrigger is the name of the trigger on each table. An applier that proves that its tables are passive must allow it.
	FenceTrigger schema.Name = "bascule_fence"
	// FenceSetting is the setting by which a session passes a closed fence: SET bascule.applier = 'MIGRATION'.
	FenceSetting = "bascule.applier"

	fencePatience = 30 * time.Second
	fencePause    = 20 * time.Millisecond
)

// fenceTable is the fence's memory. It is made by Raise, not with the ledger.
const fenceTable = `CREATE TABLE IF NOT EXISTS bascule.fence (migration bigint PRIMARY KEY, raised boolean NOT NULL DEFAULT false,
	driver text NOT NULL, since timestamptz NOT NULL, lease timestamptz NOT NULL)`

// FenceState is what the ledger remembers of a fence; the zero value says that there is none.
type FenceState struct {
	// Raised says that every table has the trigger and the function is closed; before, some may have it.
	Raised bool
	Driver string // who raised it, for people
	Since  time.Time
	// Lease is until when the driver answers for it. Whoever finds it past may lower the fence.
	Lease time.Time
}

// Fence keeps everybody but appliers from writing to the tables of a migration, and proves that they do not. Every method may be
// repeated, by another process too, after a crash at any point. It is safe for concurrent use.
type Fence struct {
	e      *End
	record *change.Record
	driver string
}

// Fence returns the fence of a migration; driver says for people who raises it.
func (e *End) Fence(r *change.Record, driver string) *Fence {
	return &Fence{e: e, record: r, driver: driver}
}

func (f *Fence) function() string { return fmt.Sprintf("bascule.fence_%d", f.record.ID) }

// functionSQL makes the function, closed or open.
func (f *Fence) functionSQL(closed bool) string {
	body := "BEGIN RETURN NULL; END"
	if closed {
		body = fmt.Sprintf(`BEGIN
	IF pg_catalog.current_setting('%s', true) IS DISTINCT FROM '%d' THEN
		RAISE EXCEPTION 'bascule has fenced %%.%%: nobody writes to it now', TG_TABLE_SCHEMA, TG_TABLE_NAME
			USING ERRCODE = '25006', HINT = 'the database is being switched over; try again, on the side that is open';
	END IF;
	RETURN NULL;
END`, FenceSetting, f.record.ID)
	}
	return "CREATE OR REPLACE FUNCTION " + f.function() + "() RETURNS trigger LANGUAGE plpgsql AS $fence$" + body + "$fence$"
}

// Executor runs one statement: a pgx.Tx, for instance.
type Executor interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

// Open lets everybody write as soon as tx commits. The fence must have been raised.
func (f *Fence) Open(ctx context.Context, tx Executor) error {
	_, err := tx.Exec(ctx, f.functionSQL(false))
	return f.e.fail("open the fence", err)
}

// Close stops new writes as soon as tx commits. Statements that run by then go on: Prove waits for them.
func (f *Fence) Close(ctx context.Context, tx Executor) error {
	_, err := tx.Exec(ctx, f.functionSQL(true))
	return f.e.fail("close the fence", err)
}

// Raise puts the trigger on every table and closes the fence. It ends no session: the next write of each fails, and Prove waits for those
// that are under way. A lease says how long this driver answers for the fence.
func (f *Fence) Raise(ctx context.Context, lease time.Duration) error {
	if err := f.intend(ctx, lease); err != nil {
		return err
	}
	tables, err := f.tables(ctx)
	if err != nil {
		return err
	}
	for _, t := range tables {
		if err := f.arm(ctx, t); err != nil {
			return err
		}
	}
	_, err = f.e.control.Exec(ctx, "UPDATE bascule.fence SET raised = true WHERE migration = $1", f.record.ID)
	return f.e.fail("record that the fence stands", err)
}

// intend records the fence and makes its function, closed.
func (f *Fence) intend(ctx context.Context, lease time.Duration) error {
	const op = "record the fence"
	return f.e.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(ledgerLock)); err != nil {
			return f.e.fail(op, err)
		}
		if _, err := tx.Exec(ctx, fenceTable); err != nil {
			return f.e.fail(op, err)
		}
		var driver string
		var until time.Time
		err := tx.QueryRow(ctx, "SELECT driver, lease FROM bascule.fence WHERE migration = $1 AND driver <> $2 AND lease > now()", f.record.ID, f.driver).Scan(&driver, &until)
		if err == nil {
			return fault.New(fault.Busy, op, fmt.Errorf("%s answers for it until %s", driver, until.UTC().Format(time.RFC3339)), "wait until then, or ask that process")
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			return f.e.fail(op, err)
		}
		_, err = tx.Exec(ctx, `INSERT INTO bascule.fence (migration, driver, since, lease) VALUES ($1, $2, now(), now() + $3)
			ON CONFLICT (migration) DO UPDATE SET driver = excluded.driver, lease = excluded.lease`, f.record.ID, f.driver, lease)
		if err != nil {
			return f.e.fail(op, err)
		}
		return f.Close(ctx, tx)
	})
}

// tables lists the schema's tables, quoted. Partitions have triggers of their own: a statement may name them.
func (f *Fence) tables(ctx context.Context) ([]string, error) {
	rows, err := f.e.control.Query(ctx, `SELECT quote_ident(nspname) || '.' || quote_ident(relname) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
		WHERE nspname = $1 AND relkind IN ('r', 'p') ORDER BY c.oid`, string(f.record.Schema))
	if err != nil {
		return nil, f.e.fail("list the tables to fence", err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return out, f.e.fail("list the tables to fence", err)
}

// arm puts the trigger on one table. It waits for the table's lock by short attempts: the application's statements queue behind it.
func (f *Fence) arm(ctx context.Context, table string) error {
	return f.patiently(ctx, "fence "+table, func(tx pgx.Tx) error {
		var there bool
		err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = $1::regclass AND tgname = $2)", table, string(FenceTrigger)).Scan(&there)
		if err != nil {
			return err
		}
		if !there {
			if _, err := tx.Exec(ctx, "CREATE TRIGGER "+string(FenceTrigger)+" BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON "+table+" FOR EACH STATEMENT EXECUTE FUNCTION "+f.function()+"()"); err != nil {
				return err
			}
		}
		_, err = tx.Exec(ctx, "ALTER TABLE "+table+" ENABLE ALWAYS TRIGGER "+string(FenceTrigger))
		return err
	})
}

// patiently runs fn in transactions that wait at most two seconds for a lock, until one of them gets it.
func (f *Fence) patiently(ctx context.Context, op string, fn func(pgx.Tx) error) error {
	deadline := time.Now().Add(fencePatience)
	for {
		err := f.e.inTx(ctx, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "SET LOCAL lock_timeout = '2s'"); err != nil {
				return err
			}
			return fn(tx)
		})
		p := unwrapPg(err)
		if p == nil || p.Code != "55P03" && p.Code != "40P01" { // lock not available, deadlock
			return f.e.fail(op, err)
		}
		if time.Now().After(deadline) {
			return fault.New(fault.Busy, op, fmt.Errorf("somebody has kept the tables open for writing for %s: %w", fencePatience, err),
				"SELECT pid, usename, xact_start, query FROM pg_stat_activity WHERE xact_start IS NOT NULL ORDER BY xact_start; shows who; pg_terminate_backend(pid) ends a session")
		}
		timer := time.NewTimer(fencePause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("%s: %w", op, context.Cause(ctx))
		case <-timer.C:
		}
	}
}

// Prove proves that nobody but appliers writes to the tables any more and returns a position of the log that stands behind everything
// that was written before, as lsn:X/Y; a marker that it writes stands before that position too. The proof is two locks that do
// not go with any open transaction that has written.
func (f *Fence) Prove(ctx context.Context) (change.Position, error) {
	const op = "prove the fence"
	tables, err := f.tables(ctx)
	if err != nil {
		return "", err
	}
	if err := f.stands(ctx, len(tables)); err != nil {
		return "", err
	}
	var prepared []string
	if err := f.e.control.QueryRow(ctx, "SELECT coalesce(array_agg(gid ORDER BY gid), '{}') FROM pg_prepared_xacts WHERE database = current_database()").Scan(&prepared); err != nil {
		return "", f.e.fail(op, err)
	}
	if len(prepared) > 0 {
		return "", fault.New(fault.Refused, op, fmt.Errorf("transactions are prepared and can still be committed: %s", strings.Join(prepared, ", ")), "end each with COMMIT PREPARED or ROLLBACK PREPARED")
	}
	for range 2 {
		if len(tables) == 0 {
			break
		}
		if err := f.patiently(ctx, op, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "LOCK TABLE "+strings.Join(tables, ", ")+" IN SHARE MODE")
			return err
		}); err != nil {
			return "", err
		}
	}
	var lsn string
	if _, err := f.e.control.Exec(ctx, "SELECT pg_logical_emit_message(true, 'bascule', 'fence')"); err != nil {
		return "", f.e.fail(op, err)
	}
	if err := f.e.control.QueryRow(ctx, "SELECT pg_current_wal_insert_lsn()::text").Scan(&lsn); err != nil {
		return "", f.e.fail(op, err)
	}
	return change.Position("lsn:" + lsn), nil
}

// stands looks at the catalog itself: the function is closed, and every table has its trigger, enabled always.
func (f *Fence) stands(ctx context.Context, tables int) error {
	const op = "prove the fence"
	var there, closed bool
	var armed int
	err := f.e.control.QueryRow(ctx, `SELECT p.oid IS NOT NULL, coalesce(position('25006' in prosrc) > 0, false),
		(SELECT count(*) FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid JOIN pg_namespace n ON n.oid = relnamespace
			WHERE tgfoid = p.oid AND tgname = $2 AND tgenabled = 'A' AND nspname = $3 AND relkind IN ('r', 'p'))
		FROM (SELECT to_regproc($1) AS f) w LEFT JOIN pg_proc p ON p.oid = w.f`, f.function(), string(FenceTrigger), string(f.record.Schema)).Scan(&there, &closed, &armed)
	if err != nil {
		return f.e.fail(op, err)
	}
	var why string
	switch {
	case !there:
		why = "it was not raised"
	case !closed:
		why = "it is open"
	case armed < tables:
		why = fmt.Sprintf("%d of %d tables are without it", tables-armed, tables)
	default:
		return nil
	}
	return fault.New(fault.Refused, op, errors.New(why), "raise it first")
}

// Lower takes the fence away: triggers, function and memory. It refuses nothing: whoever calls it has decided that this side is open.
func (f *Fence) Lower(ctx context.Context) error {
	const op = "lower the fence"
	var there bool
	if err := f.e.control.QueryRow(ctx, "SELECT to_regproc($1) IS NOT NULL", f.function()).Scan(&there); err != nil {
		return f.e.fail(op, err)
	}
	if there {
		// First open, which waits for nothing: dropping the triggers waits for locks.
		if err := f.Open(ctx, f.e.control); err != nil {
			return err
		}
		tables, err := f.tables(ctx)
		if err != nil {
			return err
		}
		for _, t := range tables {
			if err := f.patiently(ctx, op, func(tx pgx.Tx) error {
				_, err := tx.Exec(ctx, "DROP TRIGGER IF EXISTS "+string(FenceTrigger)+" ON "+t)
				return err
			}); err != nil {
				return err
			}
		}
		if _, err := f.e.control.Exec(ctx, "DROP FUNCTION IF EXISTS "+f.function()+"()"); err != nil {
			return f.e.fail(op, err)
		}
	}
	_, err := f.e.control.Exec(ctx, "DELETE FROM bascule.fence WHERE migration = $1", f.record.ID)
	if p := unwrapPg(err); p != nil && (p.Code == "42P01" || p.Code == "3F000") { // no such table, no such schema
		return nil
	}
	return f.e.fail(op, err)
}

// Renew says that the driver is alive and answers for the fence for that long from now, by the server's clock.
func (f *Fence) Renew(ctx context.Context, lease time.Duration) error {
	const op = "renew the lease of the fence"
	tag, err := f.e.control.Exec(ctx, "UPDATE bascule.fence SET lease = now() + $3 WHERE migration = $1 AND driver = $2", f.record.ID, f.driver, lease)
	if err == nil && tag.RowsAffected() == 0 {
		err = fault.New(fault.Refused, op, fmt.Errorf("no fence of %q stands for migration %d", f.driver, f.record.ID), "somebody lowered it or took it over: stop")
	}
	return f.e.fail(op, err)
}

// State returns what is known of the fence.
func (f *Fence) State(ctx context.Context) (FenceState, error) {
	var s FenceState
	err := f.e.control.QueryRow(ctx, "SELECT raised, driver, since, lease FROM bascule.fence WHERE migration = $1", f.record.ID).Scan(&s.Raised, &s.Driver, &s.Since, &s.Lease)
	if p := unwrapPg(err); errors.Is(err, pgx.ErrNoRows) || p != nil && (p.Code == "42P01" || p.Code == "3F000") {
		return FenceState{}, nil
	}
	return s, f.e.fail("read the fence", err)
}
