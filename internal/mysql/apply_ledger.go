package mysql

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/mysql/wire"
	"github.com/bascule/bascule/internal/schema"
)

// defaultLedger is the database that holds what this program remembers on a MySQL server.
const defaultLedger schema.Name = "bascule"

// writing is what a session that writes sets after session, in place of readOnly.
//
// Strict modes make the server refuse what does not fit, where it would otherwise change the value. A 0 of an AUTO_INCREMENT column
// is a value. No foreign key acts: PostgreSQL logs the rows that its own change. The
// last ones keep a long list of keys a list of index ranges: both servers give up on that beyond a limit and read the whole
// table.
const writing = "SET sql_mode = 'STRICT_ALL_TABLES,ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION', autocommit = 1," +
	" foreign_key_checks = 0, unique_checks = 1, sql_safe_updates = 0, sql_big_selects = 1" +
	" /*!50709 , range_optimizer_max_mem_size = 0 */ /*M!100309 , in_predicate_conversion_threshold = 0 */"

// readWrite lets the session write. Without gap locks an applier locks the rows that it changes and nothing else.
const readWrite = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE"

// ledgerTables are the tables of the ledger. Names and texts compare byte by byte. What was saved is written before
// what it describes is changed, so it is all in InnoDB.
var ledgerTables = []string{
	`apply (migration BIGINT NOT NULL, direction VARCHAR(16) NOT NULL, position TEXT NOT NULL, at DATETIME(6) NULL,
		txns BIGINT NOT NULL DEFAULT 0, row_count BIGINT NOT NULL DEFAULT 0, holder VARCHAR(255) NOT NULL, since DATETIME(6) NOT NULL,
		updated DATETIME(6) NOT NULL, PRIMARY KEY (migration, direction))`,
	`saved_trigger (migration BIGINT NOT NULL, db VARCHAR(64) NOT NULL, name VARCHAR(64) NOT NULL, tbl VARCHAR(64) NOT NULL, action_order INT NOT NULL,
		definer VARCHAR(288) NOT NULL, sql_mode TEXT NOT NULL, charset VARCHAR(64) NOT NULL, collation_connection VARCHAR(64) NOT NULL,
		body LONGBLOB NOT NULL, PRIMARY KEY (migration, db, name))`,
	`saved_event (migration BIGINT NOT NULL, db VARCHAR(64) NOT NULL, name VARCHAR(64) NOT NULL, definer VARCHAR(288) NOT NULL,
		sql_mode TEXT NOT NULL, time_zone VARCHAR(64) NOT NULL, charset VARCHAR(64) NOT NULL, collation_connection VARCHAR(64) NOT NULL,
		PRIMARY KEY (migration, db, name))`,
	// The highest epoch that was shown here. It stays as long as the migration lives, also when nothing of a cutover is left.
	`token (migration BIGINT NOT NULL PRIMARY KEY, epoch BIGINT NOT NULL)`,
	`fence (migration BIGINT NOT NULL PRIMARY KEY, memory LONGTEXT NOT NULL, raised BOOLEAN NOT NULL DEFAULT FALSE, driver VARCHAR(255) NOT NULL,
		since DATETIME(6) NOT NULL)`,
	`marker (migration BIGINT NOT NULL PRIMARY KEY, seq BIGINT NOT NULL, at DATETIME(6) NOT NULL)`,
}

// ledgerRights is what the account needs on the ledger's database.
const ledgerRights = "CREATE, SELECT, INSERT, UPDATE, DELETE"

// inLedger is the number of a migration in this server's ledger. A record's ID counts within its own target, and several targets may
// be filled from one server, or one that was dropped be filled anew: each would find the tokens and the triggers of another. So the
// time when the migration was begun is in the number too.
func inLedger(r *change.Record) int64 {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d begun %d", r.ID, r.Created.UnixMicro()))
	return int64(binary.BigEndian.Uint64(sum[:]) >> 1)
}

// ledger returns a table of the ledger, quoted.
func (e *End) ledger(table string) string {
	return quote(e.ledgerName) + "." + quote(schema.Name(table))
}

// withWriter runs fn on a new connection that may write, and closes it.
func (e *End) withWriter(ctx context.Context, fn func(context.Context, *reader) error) error {
	c, err := e.connectAs(ctx, 0, session, readWrite, writing)
	if err != nil {
		return err
	}
	defer c.Close()
	return fn(ctx, &reader{e: e, conn: c, stmts: map[string]*wire.Stmt{}})
}

// makeLedger makes those tables of the ledger that are missing.
func (e *End) makeLedger(ctx context.Context, r *reader) error {
	op := "make the ledger in " + quote(e.ledgerName)
	rows, err := r.rows(ctx, "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = "+quoteString(string(e.ledgerName)))
	if err != nil {
		return e.explain(op, err)
	}
	for _, t := range ledgerTables {
		name, columns, _ := strings.Cut(t, " ")
		if slices.ContainsFunc(rows, func(v []string) bool { return v[0] == name }) {
			continue
		}
		for _, s := range []string{
			"CREATE DATABASE IF NOT EXISTS " + quote(e.ledgerName) + " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
			"CREATE TABLE IF NOT EXISTS " + e.ledger(name) + " " + columns + " ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
		} {
			if err := r.exec(ctx, s); err != nil {
				return e.failLedger(op, err)
			}
		}
	}
	return nil
}

// failLedger explains an error of a statement on the ledger.
func (e *End) failLedger(op string, err error) error {
	return e.explainWrite(op, err, ledgerRights, quote(e.ledgerName)+".*")
}

// explainWrite is explain for a statement that needs more than SELECT: a refusal names the rights that it needs.
func (e *End) explainWrite(op string, err error, rights, on string) error {
	switch code, _ := serverCode(err); code {
	case 1044, 1142, 1143, 1227, 1370:
		return fault.New(fault.Privilege, op, err, e.grant(rights, on, ""))
	case 1290, 1836, 3685: // read_only, read-only mode
		return fault.New(fault.Refused, op, err, "the server is read_only: a fence of this migration, or a replica; write on the primary")
	}
	return e.explain(op, err)
}

// instant writes a time as a literal; the zero time is NULL.
func instant(t time.Time) string {
	if t.IsZero() {
		return "NULL"
	}
	return "'" + t.UTC().Format("2006-01-02 15:04:05.000000") + "'"
}

// parseInstant reads a DATETIME(6); empty is the zero time.
func parseInstant(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse("2006-01-02 15:04:05.999999", s)
	if err != nil {
		return t, fmt.Errorf("read the time %q: %w", s, err)
	}
	return t, nil
}
