package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/journal"
	"github.com/bascule/bascule/internal/schema"
)

// journalVersion is the version of the ledger from which on it has the journal's tables.
const journalVersion = 3

// Opening is what happens to this end in the transaction that records a switch. It must not commit, and must not wait long.
type Opening func(ctx context.Context, tx pgx.Tx) error

// Journal is a migration's cutover journal, in the ledger. It is safe for concurrent use.
//
// The row of bascule.cutover is the lock of the journal: every transaction that writes locks it first and looks at its epoch. So
// whoever has raised the epoch knows that no older transaction is under way, nor can become durable.
type Journal struct {
	e         *End
	migration int64
	opening   map[journal.Direction]Opening
	idle      time.Duration
}

// stallTime is how long a process may stand still within a transaction of the journal until the server ends that, so that another
// process can take over from one that is stopped and yet connected.
const stallTime = 10 * time.Second

var _ journal.Store = (*Journal)(nil)

// Journal returns the journal of a migration. Of the openings, that of journal.Forward opens this end; that of journal.Back, where
// it is set, makes sure that it is closed.
func (e *End) Journal(r *change.Record, opening map[journal.Direction]Opening) *Journal {
	return &Journal{e: e, migration: r.ID, opening: opening, idle: stallTime}
}

// Read implements journal.Reader.
func (j *Journal) Read(ctx context.Context) (*journal.Log, error) {
	const op = "read the cutover journal"
	log := &journal.Log{}
	v, err := j.e.ledgerAt(ctx, j.e.control)
	if err != nil {
		return nil, err
	}
	if v < journalVersion {
		err := j.e.control.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&log.Now)
		return log, j.e.fail(op, err)
	}
	// One snapshot, so that the epoch is that of the entries.
	err = pgx.BeginTxFunc(ctx, j.e.control, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if err := j.holders(ctx, tx, log, ""); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT seq, direction, step, mark, COALESCE(evidence::text, ''), who, at, epoch
			FROM bascule.journal WHERE migration = $1 ORDER BY seq`, j.migration)
		if err != nil {
			return err
		}
		log.Entries, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (x journal.Entry, err error) {
			var evidence string
			err = row.Scan(&x.Seq, &x.Direction, &x.Step, &x.Mark, &evidence, &x.Who, &x.At, &x.Epoch)
			if evidence != "" {
				x.Evidence = json.RawMessage(evidence)
			}
			return x, err
		})
		return err
	})
	if err != nil {
		return nil, j.e.fail(op, err)
	}
	return log, nil
}

// holders reads who drives and watches, and with lock set to FOR UPDATE waits for who writes.
func (j *Journal) holders(ctx context.Context, tx pgx.Tx, log *journal.Log, lock string) error {
	err := tx.QueryRow(ctx, `SELECT epoch, who, id, since, until, watcher, watched, clock_timestamp() FROM bascule.cutover
		WHERE migration = $1 `+lock, j.migration).
		Scan(&log.Epoch, &log.Driver.Who, &log.Driver.ID, &log.Driver.Since, &log.Driver.Until, &log.Watcher.Who, &log.Watcher.Until, &log.Now)
	if errors.Is(err, pgx.ErrNoRows) {
		return tx.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&log.Now)
	}
	return err
}

// ensure makes the journal's tables in a ledger of an older version, and the migration's row.
func (j *Journal) ensure(ctx context.Context) error {
	v, err := j.e.ledgerAt(ctx, j.e.control)
	if err != nil {
		return err
	}
	if v < journalVersion {
		err := j.e.inTx(ctx, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(ledgerLock)); err != nil {
				return err
			}
			return j.e.prepareLedger(ctx, tx)
		})
		if err != nil {
			return err
		}
	}
	_, err = j.e.control.Exec(ctx, "INSERT INTO bascule.cutover (migration) VALUES ($1) ON CONFLICT DO NOTHING", j.migration)
	return err
}

// durable runs fn in a transaction whose commit is on the disk, and on the standbys as far as the server asks for that, when it returns.
func (j *Journal) durable(ctx context.Context, fn func(pgx.Tx) error) error {
	return j.e.inTx(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `SELECT set_config('idle_in_transaction_session_timeout', $1, true),
			CASE WHEN current_setting('synchronous_commit') IN ('off', 'local') THEN set_config('synchronous_commit', 'on', true) END`,
			fmt.Sprintf("%dms", j.idle.Milliseconds()))
		if err != nil {
			return err
		}
		return fn(tx)
	})
}

// Claim implements journal.Claimer.
func (j *Journal) Claim(ctx context.Context, who, id string, seen int64, lease time.Duration) (journal.Claim, error) {
	op := "claim the cutover"
	c := journal.Claim{Epoch: seen + 1, Who: who, ID: id}
	if err := j.ensure(ctx); err != nil {
		return c, j.e.fail(op, err)
	}
	err := j.durable(ctx, func(tx pgx.Tx) error {
		var now journal.Log
		if err := j.holders(ctx, tx, &now, "FOR UPDATE"); err != nil {
			return err
		}
		switch d := &now.Driver; {
		case now.Driven() && d.ID != id:
			return fault.New(fault.Busy, op, fmt.Errorf("%s drives it since %s and answers for it until %s", d.Who,
				d.Since.UTC().Format(time.RFC3339), d.Until.UTC().Format(time.RFC3339)), "ask there; when that process is dead, wait until then")
		case now.Epoch != seen:
			return fault.New(fault.Busy, op, fmt.Errorf("%s claimed it at the same time", d.Who), "bascule db status says who drives")
		}
		_, err := tx.Exec(ctx, `UPDATE bascule.cutover SET epoch = $2, who = $3, id = $4, since = CASE WHEN id = $4 THEN since ELSE clock_timestamp() END,
			until = clock_timestamp() + $5 * interval '1 microsecond' WHERE migration = $1`, j.migration, c.Epoch, who, id, lease.Microseconds())
		return err
	})
	return c, j.e.fail(op, err)
}

// Renew implements journal.Claimer.
func (j *Journal) Renew(ctx context.Context, id string, lease time.Duration) error {
	const op = "renew the claim of the cutover"
	tag, err := j.e.control.Exec(ctx, `UPDATE bascule.cutover SET until = clock_timestamp() + $3 * interval '1 microsecond'
		WHERE migration = $1 AND id = $2`, j.migration, id, lease.Microseconds())
	if err == nil && tag.RowsAffected() == 0 {
		err = stale(op)
	}
	return j.e.fail(op, err)
}

func stale(op string) error {
	return fault.New(fault.Busy, op, journal.ErrStale, "bascule db status says who drives now and how far it is")
}

// Release implements journal.Claimer.
func (j *Journal) Release(ctx context.Context, c journal.Claim) error {
	_, err := j.e.control.Exec(ctx, `UPDATE bascule.cutover SET who = '', id = '', until = clock_timestamp()
		WHERE migration = $1 AND epoch = $2 AND id = $3`, j.migration, c.Epoch, c.ID)
	return j.e.fail("give the claim of the cutover back", err)
}

// Watch implements journal.Standby.
func (j *Journal) Watch(ctx context.Context, who string, lease time.Duration) error {
	const op = "say that this process watches the cutover"
	if err := j.ensure(ctx); err != nil {
		return j.e.fail(op, err)
	}
	_, err := j.e.control.Exec(ctx, `UPDATE bascule.cutover SET watcher = $2, watched = clock_timestamp() + $3 * interval '1 microsecond'
		WHERE migration = $1`, j.migration, who, lease.Microseconds())
	return j.e.fail(op, err)
}

// Append implements journal.Writer.
func (j *Journal) Append(ctx context.Context, c journal.Claim, x journal.Entry) error {
	op := fmt.Sprintf("write %s %s %s into the cutover journal", x.Direction, x.Step, x.Mark)
	return j.e.fail(op, j.durable(ctx, func(tx pgx.Tx) error { return j.add(ctx, tx, op, c, x) }))
}

// Switch implements journal.Writer.
func (j *Journal) Switch(ctx context.Context, c journal.Claim, x journal.Entry) error {
	op := fmt.Sprintf("switch %s", x.Direction)
	return j.e.fail(op, j.durable(ctx, func(tx pgx.Tx) error {
		if err := j.add(ctx, tx, op, c, x); err != nil {
			return err
		}
		open := j.opening[x.Direction]
		if open == nil {
			if x.Direction == journal.Forward {
				return fmt.Errorf("%s: nothing opens the new side", op)
			}
			return nil
		}
		return open(ctx, tx)
	}))
}

// add locks the journal, looks whether the claim still holds, and adds the entry.
func (j *Journal) add(ctx context.Context, tx pgx.Tx, op string, c journal.Claim, x journal.Entry) error {
	var now journal.Log
	if err := j.holders(ctx, tx, &now, "FOR UPDATE"); err != nil {
		return err
	}
	if now.Epoch != c.Epoch {
		return stale(op)
	}
	var evidence *string
	if len(x.Evidence) > 0 {
		s := string(x.Evidence)
		evidence = &s
	}
	_, err := tx.Exec(ctx, `INSERT INTO bascule.journal (migration, seq, direction, step, mark, evidence, who, at, epoch)
		SELECT $1, COALESCE(max(seq), 0) + 1, $2, $3, $4, $5::json, $6, clock_timestamp(), $7 FROM bascule.journal WHERE migration = $1`,
		j.migration, string(x.Direction), string(x.Step), string(x.Mark), evidence, c.Who, c.Epoch)
	return err
}

// refuseLive refuses to drop a migration whose target the application may live in, or whose source is fenced: the journal, which
// goes with it, is what tells how to open a side again. It keeps a switch from happening until tx ends.
func (e *End) refuseLive(ctx context.Context, tx pgx.Tx, name schema.Name) error {
	const op = "drop the migration"
	v, err := e.ledgerAt(ctx, tx)
	if err != nil || v < journalVersion {
		return err
	}
	var who string
	err = tx.QueryRow(ctx, `SELECT CASE WHEN until > clock_timestamp() THEN who ELSE '' END FROM bascule.cutover
		WHERE migration = (SELECT id FROM bascule.migration WHERE schema = $1) FOR UPDATE`, string(name)).Scan(&who)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	if who != "" {
		return fault.New(fault.Busy, op, fmt.Errorf("%s drives a cutover", who), "wait until it has ended")
	}
	var step, mark, direction string
	err = tx.QueryRow(ctx, `SELECT step, mark FROM bascule.journal
		WHERE migration = (SELECT id FROM bascule.migration WHERE schema = $1)
			AND (step = 'fence' OR step = 'switch' AND mark = 'done') ORDER BY seq DESC LIMIT 1`, string(name)).Scan(&step, &mark)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil
	case err != nil:
		return err
	case step == string(journal.StepFence) && mark != string(journal.MarkUndone):
		return fault.New(fault.Refused, op, errors.New("a cutover was begun and not ended: the application's writes may be stopped"), "end it first: bascule db cutover --abort")
	}
	err = tx.QueryRow(ctx, `SELECT direction FROM bascule.journal WHERE migration = (SELECT id FROM bascule.migration WHERE schema = $1)
		AND step = 'switch' AND mark = 'done' ORDER BY seq DESC LIMIT 1`, string(name)).Scan(&direction)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err == nil && direction == string(journal.Forward) {
		err = fault.New(fault.Refused, op, fmt.Errorf("the application lives in schema %q: its data would be gone", name), "bascule db fallback brings it back to the source")
	}
	return err
}
