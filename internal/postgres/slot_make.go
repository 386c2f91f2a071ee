package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
)

// patience is how long making a slot may wait for others.
type patience struct {
	// lock is how long a table's lock is waited for. Whoever comes behind waits as long.
	lock time.Duration
	// slot is how long the running transactions may take to end, which a new slot waits for.
	slot time.Duration
	// old is the age of a transaction for which it is not even tried.
	old time.Duration
}

var defaultPatience = patience{lock: 3 * time.Second, slot: 30 * time.Second, old: time.Minute}

var _ change.Armory = (*End)(nil)

// CanArm implements change.Armory.
func (e *End) CanArm(ctx context.Context, r *change.Record, tables []*change.Select) error {
	op := "look whether the way back from " + e.config.Redacted() + " can be prepared"
	slot, err := e.Armed(ctx, r)
	if err != nil {
		return err
	}
	if slot.Exists {
		if err := slot.usable(); err != nil {
			return fmt.Errorf("%s: %w", op, err)
		}
	}
	if err := e.canReplicate(ctx, slot.Exists); err != nil {
		return e.fail(op, err)
	}
	err = pgx.BeginTxFunc(ctx, e.control, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		for _, t := range tables {
			l, err := logsOf(ctx, tx, r.Schema, t.Table.Name)
			if err == nil {
				err = l.followable()
			}
			if err != nil {
				return fmt.Errorf("table %s: %w", qualify(r.Schema, t.Table.Name), err)
			}
		}
		var creates bool
		err := tx.QueryRow(ctx, "SELECT has_database_privilege(current_database(), 'CREATE')").Scan(&creates)
		if err == nil && !creates && !slot.Published {
			err = fault.New(fault.Privilege, "publish tables", fmt.Errorf("role %s may not make a publication", quoteText(e.config.user())),
				"GRANT CREATE ON DATABASE "+quoteText(e.config.Database())+" TO "+quoteText(e.config.user()))
		}
		return err
	})
	if err == nil && !slot.Exists {
		err = e.inTheWay(ctx, defaultPatience.old)
	}
	return e.fail(op, err)
}

// Arm implements change.Armory. It makes the way back of a migration possible from now on: the tables' replica identities, so that the
// log holds the old rows, the guards, a publication, and a logical slot, from which on the server keeps its log. It returns the place
// from which the slot streams: whatever begins later is in it. It may be run again, and then returns from where the slot still streams.
//
// PostgreSQL 13 is fault.Unsupported: it has no binary form of changes. A table that has a TOAST table, so that large
// values can be missing from the log, or that has no usable key, gets REPLICA IDENTITY FULL. Transactions that a new slot would have to
// wait for too long are a fault.Resource that lists them.
func (e *End) Arm(ctx context.Context, r *change.Record, t change.Token, tables []*change.Select, guards []change.Guard) (change.Position, error) {
	return e.arm(ctx, r, t, tables, guards, defaultPatience)
}

func (e *End) arm(ctx context.Context, r *change.Record, t change.Token, tables []*change.Select, guards []change.Guard, p patience) (change.Position, error) {
	op := "prepare the way back from " + e.config.Redacted()
	slot, err := e.Armed(ctx, r)
	if err != nil {
		return "", err
	}
	if slot.Exists {
		if err := slot.usable(); err != nil {
			return "", fmt.Errorf("%s: %w", op, err)
		}
	}
	if err := e.canReplicate(ctx, slot.Exists); err != nil {
		return "", e.fail(op, err)
	}
	if err := e.identify(ctx, r, t, tables, p); err != nil {
		return "", e.fail(op, err)
	}
	if err := e.guard(ctx, r, t, guards, p); err != nil {
		return "", e.fail(op, err)
	}
	// The publication comes first: the server looks it up as it was where the log is read.
	if err := e.publish(ctx, r, t, tables, slot, p); err != nil {
		return "", e.fail(op, err)
	}
	if slot.Exists {
		return slot.Confirmed, nil
	}
	at, err := e.createSlot(ctx, r, t, p)
	return at, e.fail(op, err)
}

// canReplicate refuses what the server's settings or the account's rights do not allow.
func (e *End) canReplicate(ctx context.Context, exists bool) error {
	if e.major < 14 {
		return fault.New(fault.Unsupported, "replicate", fmt.Errorf("PostgreSQL %d sends changes as text only", e.major), "upgrade to PostgreSQL 14 or later")
	}
	var level string
	var slots, maxSlots, senders, maxSenders int
	var allowed, recovery bool
	err := e.control.QueryRow(ctx, `SELECT current_setting('wal_level'), pg_is_in_recovery(),
		(SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user)
			OR EXISTS (SELECT FROM pg_roles WHERE rolname = 'rds_replication' AND pg_has_role(oid, 'MEMBER')),
		(SELECT count(*) FROM pg_replication_slots)::int, current_setting('max_replication_slots')::int,
		(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'walsender')::int, current_setting('max_wal_senders')::int`).
		Scan(&level, &recovery, &allowed, &slots, &maxSlots, &senders, &maxSenders)
	if err != nil {
		return err
	}
	setting := func(name, value string) string {
		return fmt.Sprintf("ALTER SYSTEM SET %s = %s, then restart the server (Cloud SQL: gcloud sql instances patch INSTANCE --database-flags=%s=%s)",
			name, value, name, value)
	}
	role := quoteText(e.config.user())
	switch {
	case recovery:
		return fault.New(fault.Unsupported, "replicate", errors.New("the server is a replica"), "connect to the primary")
	case level != "logical":
		return fault.New(fault.Unsupported, "replicate", fmt.Errorf("wal_level is %s, so that the log does not hold changes", level),
			"ALTER SYSTEM SET wal_level = logical, then restart the server (Cloud SQL: the flag cloudsql.logical_decoding=on; "+
				"AlloyDB: alloydb.logical_decoding=on; RDS and Aurora: the parameter rds.logical_replication=1)")
	case !allowed:
		return fault.New(fault.Privilege, "replicate", fmt.Errorf("role %s may not replicate", role),
			"ALTER ROLE "+role+" REPLICATION (RDS and Aurora: GRANT rds_replication TO "+role+")")
	case !exists && slots >= maxSlots:
		return fault.New(fault.Unsupported, "replicate", fmt.Errorf("all %d replication slots are taken", maxSlots),
			setting("max_replication_slots", fmt.Sprint(maxSlots+5)))
	case !exists && senders >= maxSenders:
		return fault.New(fault.Unsupported, "replicate", fmt.Errorf("all %d WAL senders are taken", maxSenders),
			setting("max_wal_senders", fmt.Sprint(maxSenders+5)))
	}
	return nil
}

// briefly runs fn in a guarded transaction that does not wait long for locks.
func (e *End) briefly(ctx context.Context, r *change.Record, t change.Token, p patience, fn func(pgx.Tx) error) error {
	return e.guarded(ctx, r, t, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT set_config('lock_timeout', $1, true)", milliseconds(p.lock)); err != nil {
			return err
		}
		return fn(tx)
	})
}

func milliseconds(d time.Duration) string { return fmt.Sprint(d.Milliseconds()) + "ms" }

// publish makes the publication, of the tables and of the ledger's that marks what bascule applied.
func (e *End) publish(ctx context.Context, r *change.Record, t change.Token, tables []*change.Select, slot *SlotStatus, p patience) error {
	name := quoteText(slotName(r))
	var list []string
	for _, s := range tables {
		list = append(list, qualify(r.Schema, s.Table.Name))
	}
	return e.briefly(ctx, r, t, p, func(tx pgx.Tx) error {
		var mark, marked bool
		var there []string
		err := tx.QueryRow(ctx, `SELECT to_regclass('bascule.apply') IS NOT NULL,
			EXISTS (SELECT FROM pg_publication_tables WHERE pubname = $1 AND schemaname = 'bascule' AND tablename = 'apply'),
			ARRAY(SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_publication_tables
				WHERE pubname = $1 AND (schemaname, tablename) <> ('bascule', 'apply'))`, slotName(r)).Scan(&mark, &marked, &there)
		if err != nil {
			return err
		}
		if mark && !marked {
			if err := identifyMark(ctx, tx); err != nil {
				return err
			}
		}
		if slot.Exists {
			return addMark(ctx, tx, r, tables, there, mark && !marked)
		}
		if mark {
			list = append(list, "bascule.apply")
		}
		if slot.Published {
			_, err = tx.Exec(ctx, "ALTER PUBLICATION "+name+" SET TABLE "+strings.Join(list, ", "))
			return err
		}
		sql := "CREATE PUBLICATION " + name
		if len(list) > 0 {
			sql += " FOR TABLE " + strings.Join(list, ", ")
		}
		if e.major >= 18 {
			// From this version on a full old row must not have generated columns that are not published, or no row can be updated any more.
			sql += " WITH (publish_generated_columns = stored)"
		}
		_, err = tx.Exec(ctx, sql)
		return err
	})
}

// identifyMark lets the ledger's table be updated while it is published: without a key the server would refuse that.
func identifyMark(ctx context.Context, tx pgx.Tx) error {
	var keyless bool
	err := tx.QueryRow(ctx, `SELECT relreplident = 'n' OR relreplident = 'd' AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = c.oid AND indisprimary)
		FROM pg_class c WHERE oid = 'bascule.apply'::regclass`).Scan(&keyless)
	if err == nil && keyless {
		_, err = tx.Exec(ctx, "ALTER TABLE bascule.apply REPLICA IDENTITY FULL")
	}
	return err
}

// addMark brings the publication of a slot that is there up to a ledger that was younger. Other tables cannot come to it: what
// happened to them since the slot was made is not in it.
func addMark(ctx context.Context, tx pgx.Tx, r *change.Record, tables []*change.Select, there []string, mark bool) error {
	var want []string
	err := tx.QueryRow(ctx, "SELECT ARRAY(SELECT quote_ident($1) || '.' || quote_ident(n) FROM unnest($2::text[]) AS u(n))",
		string(r.Schema), tableNames(tables)).Scan(&want)
	if err != nil {
		return err
	}
	slices.Sort(want)
	slices.Sort(there)
	if !slices.Equal(want, there) {
		return fault.New(fault.Refused, "publish tables", fmt.Errorf("the slot is for the tables %s, not for %s",
			strings.Join(there, ", "), strings.Join(want, ", ")), "end the way back, then make it anew for these tables")
	}
	if mark {
		_, err = tx.Exec(ctx, "ALTER PUBLICATION "+quoteText(slotName(r))+" ADD TABLE bascule.apply")
	}
	return err
}

func tableNames(tables []*change.Select) []string {
	names := make([]string, len(tables))
	for i, t := range tables {
		names[i] = string(t.Table.Name)
	}
	return names
}

// createSlot makes a slot, unless transactions are in the way that will not end soon.
func (e *End) createSlot(ctx context.Context, r *change.Record, t change.Token, p patience) (change.Position, error) {
	if err := e.inTheWay(ctx, p.old); err != nil {
		return "", err
	}
	name := slotName(r)
	sql := "SELECT lsn::text FROM pg_create_logical_replication_slot($1, 'pgoutput')"
	if e.major >= 17 {
		// A slot that a standby keeps too, where there is one that does: it survives a failover.
		sql = "SELECT lsn::text FROM pg_create_logical_replication_slot($1, 'pgoutput', failover => true)"
	}
	var at string
	err := e.withSlot(ctx, r, t, p.slot, func(tx pgx.Tx) error {
		// It waits for a transaction as for a lock, and for the log by itself.
		if _, err := tx.Exec(ctx, "SELECT set_config('statement_timeout', $1, true)", milliseconds(p.slot)); err != nil {
			return err
		}
		return tx.QueryRow(ctx, sql, name).Scan(&at)
	})
	pg := unwrapPg(err)
	if pg != nil && (pg.Code == "55P03" || pg.Code == "57014") {
		if err := e.inTheWay(ctx, 0); err != nil {
			return "", err
		}
	}
	if pg != nil && pg.Code == "42710" { // another process was faster
		err = e.control.QueryRow(ctx, "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = $1", name).Scan(&at)
	}
	if err != nil {
		return "", e.fail("make replication slot "+name, err)
	}
	return change.Position(positionPrefix + at), nil
}

// inTheWay lists transactions, of any database of the server, that have written and that are older than that. A new slot waits
// for all of them to end.
func (e *End) inTheWay(ctx context.Context, older time.Duration) error {
	// Everybody may see the locks, but not everybody since when others run.
	rows, err := e.control.Query(ctx, `SELECT * FROM (
		SELECT DISTINCT 'process ' || l.pid || ' of ' || COALESCE(a.usename, '?') || COALESCE(' in ' || a.datname, '')
				|| COALESCE(' (' || NULLIF(a.application_name, '') || ')', '') || COALESCE(', ' || NULLIF(a.state, ''), '') AS who,
			extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS age
		FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
		WHERE l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock' AND l.granted AND l.pid <> pg_backend_pid()
		UNION ALL SELECT 'prepared transaction ' || quote_literal(gid) || ' of ' || owner || ' in ' || database,
			extract(epoch FROM clock_timestamp() - prepared)::float8 FROM pg_prepared_xacts
	) AS w WHERE COALESCE(age, 0) >= $1 ORDER BY age DESC NULLS LAST LIMIT 10`, older.Seconds())
	if err != nil {
		return err
	}
	var list []string
	var who string
	var age *float64
	_, err = pgx.ForEachRow(rows, []any{&who, &age}, func() error {
		since := "for an unknown time"
		if age != nil {
			since = "for " + time.Duration(*age*float64(time.Second)).Round(time.Second).String()
		}
		list = append(list, who+", "+since)
		return nil
	})
	if err != nil || len(list) == 0 {
		return err
	}
	return fault.New(fault.Resource, "make a replication slot", fmt.Errorf("it has to wait for transactions that do not end: %s", strings.Join(list, "; ")),
		"end them (commit them, SELECT pg_terminate_backend(pid), or ROLLBACK PREPARED), then run the same command again")
}
