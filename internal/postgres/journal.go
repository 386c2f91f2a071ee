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

var _ journal.Store = (*cutoverJournal)(nil)

// journalVersion is the version of the ledger from which on it has the journal's tables.
const journalVersion = 3

// cutoverJournal is a migration's cutover journal, in the ledger. It is safe for concurrent use.
//
// The row of bascule.cutover is the lock of the journal: every transaction that writes locks it first and looks at its epoch. So
// whoever has raised the epoch knows that no older transaction is under way, nor can become durable.
type cutoverJournal struct {
	e         *End
	migration int64
	// opens is what happens to this end in the transaction that records a switch. It must not commit, and must not wait long.
	opens func(context.Context, pgx.Tx, journal.Direction) error
}

// Journal returns the journal of a migration. A switch forward opens this end's fence, which must have been raised; one back looks
// whether it is closed.
func (e *End) Journal(r *change.Record) journal.Store { return e.journal(r) }

func (e *End) journal(r *change.Record) *cutoverJournal {
	f := &fence{e: e, record: r}
	return &cutoverJournal{e: e, migration: r.ID, opens: func(ctx context.Context, tx pgx.Tx, d journal.Direction) error {
		if d == journal.Forward {
			return f.open(ctx, tx)
		}
		// Not closed anew: whoever opened it may have written, and that is not on the other side.
		return f.stands(ctx, tx)
	}}
}

// Read implements journal.Reader.
func (j *cutoverJournal) Read(ctx context.Context) (*journal.Log, error) {
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
func (j *cutoverJournal) holders(ctx context.Context, tx pgx.Tx, log *journal.Log, lock string) error {
	err := tx.QueryRow(ctx, `SELECT epoch, who, id, since, until, watcher, watched, clock_timestamp() FROM bascule.cutover
		WHERE migration = $1 `+lock, j.migration).
		Scan(&log.Epoch, &log.Driver.Who, &log.Driver.ID, &log.Driver.Since, &log.Driver.Until, &log.Watcher.Who, &log.Watcher.Until, &log.Now)
	if errors.Is(err, pgx.ErrNoRows) {
		return tx.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&log.Now)
	}
	return err
}

// ensure makes the journal's tables in a ledger of an older version, and the migration's row.
func (j *cutoverJournal) ensure(ctx context.Context) error {
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

// Claim implements journal.Claimer.
func (j *cutoverJournal) Claim(ctx context.Context, who, id string, seen int64, lease time.Duration) (journal.Claim, error) {
	op := "claim the cutover"
	c := journal.Claim{Epoch: seen + 1, Who: who, ID: id}
	if err := j.ensure(ctx); err != nil {
		return c, j.e.fail(op, err)
	}
	err := j.e.durably(ctx, func(tx pgx.Tx) error {
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
func (j *cutoverJournal) Renew(ctx context.Context, id string, lease time.Duration) error {
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
func (j *cutoverJournal) Release(ctx context.Context, c journal.Claim) error {
	_, err := j.e.control.Exec(ctx, `UPDATE bascule.cutover SET who = '', id = '', until = clock_timestamp()
		WHERE migration = $1 AND epoch = $2 AND id = $3`, j.migration, c.Epoch, c.ID)
	return j.e.fail("give the claim of the cutover back", err)
}

// Watch implements journal.Standby.
func (j *cutoverJournal) Watch(ctx context.Context, who string, lease time.Duration) error {
	const op = "say that this process watches the cutover"
	if err := j.ensure(ctx); err != nil {
		return j.e.fail(op, err)
	}
	_, err := j.e.control.Exec(ctx, `UPDATE bascule.cutover SET watcher = $2, watched = clock_timestamp() + $3 * interval '1 microsecond'
		WHERE migration = $1`, j.migration, who, lease.Microseconds())
	return j.e.fail(op, err)
}

// Append implements journal.Writer.
func (j *cutoverJournal) Append(ctx context.Context, c journal.Claim, x journal.Entry) error {
	op := fmt.Sprintf("write %s %s %s into the cutover journal", x.Direction, x.Step, x.Mark)
	return j.e.fail(op, j.e.durably(ctx, func(tx pgx.Tx) error { return j.add(ctx, tx, op, c, x) }))
}

// Switch implements journal.Writer.
func (j *cutoverJournal) Switch(ctx context.Context, c journal.Claim, x journal.Entry) error {
	op := fmt.Sprintf("switch %s", x.Direction)
	return j.e.fail(op, j.e.durably(ctx, func(tx pgx.Tx) error {
		if err := j.add(ctx, tx, op, c, x); err != nil {
			return err
		}
		return j.opens(ctx, tx, x.Direction)
	}))
}

// add locks the journal, looks whether the claim still holds, and adds the entry.
func (j *cutoverJournal) add(ctx context.Context, tx pgx.Tx, op string, c journal.Claim, x journal.Entry) error {
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
