package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/bascule/bascule/internal/fault"
)

// ledgerVersion is the layout that this program reads and writes. A ledger of a
// newer program is refused; an older one is brought up by ledgerSteps.
const ledgerVersion = 4

// ledgerLock serialises who makes, amends and drops migrations in one database.
// The number is arbitrary, and fixed for all versions.
const ledgerLock = 0x62617363756c65 // "bascule" in ASCII

// ledgerSteps[i] brings the ledger from version i to i+1.
//
// Tasks are few and large, so that the two partial indexes stay small: task_open
// is the order in which they are claimed, task_stage answers «is anything of a
// lower stage open». bascule.attempts counts claims; a sequence is not rolled back,
// so the attempts of workers that died are in it.
var ledgerSteps = []string{`
CREATE SCHEMA IF NOT EXISTS bascule;
CREATE TABLE bascule.ledger_version (version integer NOT NULL);
INSERT INTO bascule.ledger_version VALUES (0);
CREATE SEQUENCE bascule.attempts;
CREATE TABLE bascule.migration (
	id bigint PRIMARY KEY,
	schema text NOT NULL UNIQUE,
	source text NOT NULL,
	source_id text NOT NULL,
	plan json NOT NULL,
	position text NOT NULL,
	created timestamptz NOT NULL,
	finished timestamptz
);
COMMENT ON COLUMN bascule.migration.id IS 'drawn at random, so that a ledger made anew does not repeat it';
COMMENT ON COLUMN bascule.migration.finished IS 'when the last task had ended, durably';
CREATE TABLE bascule.object (
	migration bigint NOT NULL REFERENCES bascule.migration ON DELETE CASCADE,
	kind text NOT NULL,
	name text NOT NULL,
	oid oid NOT NULL,
	PRIMARY KEY (migration, kind, name)
);
COMMENT ON TABLE bascule.object IS 'what the migration made, and therefore may drop';
CREATE TABLE bascule.task (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	migration bigint NOT NULL REFERENCES bascule.migration ON DELETE CASCADE,
	rank bigint NOT NULL,
	kind text NOT NULL,
	tbl text NOT NULL,
	stage smallint NOT NULL,
	parent text NOT NULL,
	after bytea[],
	upto bytea[],
	lim bigint NOT NULL,
	sql text NOT NULL,
	what text NOT NULL,
	done boolean NOT NULL DEFAULT false,
	rows bigint NOT NULL DEFAULT 0,
	bytes bigint NOT NULL DEFAULT 0,
	position text NOT NULL DEFAULT '',
	attempt bigint,
	ended timestamptz
);
COMMENT ON COLUMN bascule.task.attempt IS 'the value of bascule.attempts of the claim that did it';
CREATE INDEX task_open ON bascule.task (migration, rank, id) WHERE NOT done;
CREATE INDEX task_stage ON bascule.task (migration, tbl, stage, kind) WHERE NOT done;
CREATE TABLE bascule.loss (
	migration bigint NOT NULL REFERENCES bascule.migration ON DELETE CASCADE,
	code text NOT NULL,
	tbl text NOT NULL,
	col text NOT NULL,
	n bigint NOT NULL,
	PRIMARY KEY (migration, code, tbl, col)
);`, `
CREATE TABLE bascule.apply (
	migration bigint NOT NULL REFERENCES bascule.migration ON DELETE CASCADE,
	direction text NOT NULL,
	position text NOT NULL DEFAULT '',
	at timestamptz,
	txns bigint NOT NULL DEFAULT 0,
	rows bigint NOT NULL DEFAULT 0,
	holder text NOT NULL DEFAULT '',
	since timestamptz,
	updated timestamptz,
	PRIMARY KEY (migration, direction)
);
COMMENT ON TABLE bascule.apply IS 'how far the changes of the other end are applied';
COMMENT ON COLUMN bascule.apply.at IS 'when the last applied transaction was committed there, by its clock';
COMMENT ON COLUMN bascule.apply.holder IS 'who applied last, since when; an advisory lock says whether still';`, `
CREATE TABLE bascule.cutover (
	migration bigint PRIMARY KEY REFERENCES bascule.migration ON DELETE CASCADE,
	epoch bigint NOT NULL DEFAULT 0,
	who text NOT NULL DEFAULT '',
	id text NOT NULL DEFAULT '',
	since timestamptz NOT NULL DEFAULT 'epoch',
	until timestamptz NOT NULL DEFAULT 'epoch',
	watcher text NOT NULL DEFAULT '',
	watched timestamptz NOT NULL DEFAULT 'epoch'
);
COMMENT ON TABLE bascule.cutover IS 'who drives the cutover, and until when that process answers; whoever writes the journal locks the row first';
COMMENT ON COLUMN bascule.cutover.epoch IS 'raised by every claim; a driver of an older one can write nothing';
CREATE TABLE bascule.journal (
	migration bigint NOT NULL REFERENCES bascule.migration ON DELETE CASCADE,
	seq bigint NOT NULL,
	direction text NOT NULL,
	step text NOT NULL,
	mark text NOT NULL,
	evidence json,
	who text NOT NULL,
	at timestamptz NOT NULL,
	epoch bigint NOT NULL,
	PRIMARY KEY (migration, seq)
);
COMMENT ON TABLE bascule.journal IS 'what cutovers decided and did; rows are added and never altered';`, `
CREATE TABLE bascule.token (
	migration bigint PRIMARY KEY REFERENCES bascule.migration ON DELETE CASCADE,
	epoch bigint NOT NULL
);
COMMENT ON TABLE bascule.token IS 'the highest epoch of a driver that was seen here; whoever changes something for a cutover locks the row first';
CREATE TABLE bascule.fence (
	migration bigint PRIMARY KEY REFERENCES bascule.migration ON DELETE CASCADE,
	raised boolean NOT NULL DEFAULT false,
	who text NOT NULL,
	since timestamptz NOT NULL
);
COMMENT ON TABLE bascule.fence IS 'who raised the fence last; bascule.fence_<migration>() says whether it is closed';
COMMENT ON COLUMN bascule.fence.raised IS 'every table had its trigger';`}

// prepareLedger makes the ledger, or brings it up to this version. The caller
// holds ledgerLock.
func (e *End) prepareLedger(ctx context.Context, tx pgx.Tx) error {
	v, err := e.ledgerAt(ctx, tx)
	if err != nil {
		return err
	}
	for ; v < ledgerVersion; v++ {
		step := ledgerSteps[v] + fmt.Sprintf("\nUPDATE bascule.ledger_version SET version = %d;", v+1)
		if _, err := tx.Conn().PgConn().Exec(ctx, step).ReadAll(); err != nil {
			return e.fail(fmt.Sprintf("bring the ledger to version %d", v+1), err)
		}
	}
	return nil
}

// querier is what a pool, a connection and a transaction have in common.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// ledgerAt returns the version of the ledger, 0 when there is none, and refuses
// one that is newer than this program.
func (e *End) ledgerAt(ctx context.Context, q querier) (int, error) {
	var there bool
	err := q.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
		WHERE nspname = 'bascule' AND relname = 'ledger_version')`).Scan(&there)
	if err != nil || !there {
		return 0, e.fail("look for the ledger", err)
	}
	var v int
	if err := q.QueryRow(ctx, "SELECT version FROM bascule.ledger_version").Scan(&v); err != nil {
		return 0, e.fail("read the ledger's version", err)
	}
	if v > ledgerVersion {
		return 0, fault.New(fault.Unsupported, "open the ledger in "+e.config.Redacted(),
			fmt.Errorf("it has version %d, this bascule knows up to %d", v, ledgerVersion), "run the newer bascule that made it")
	}
	return v, nil
}
