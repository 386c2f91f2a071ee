package mysql

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
)

// FenceKind is how the application is kept from writing.
type FenceKind string

// The kinds of fences.
const (
	// FenceReadOnly sets the server's read_only: the application reads on, and every write and commit of it fails (error 1290). It
	// stops the whole server, and a restart of the server lifts it.
	FenceReadOnly FenceKind = "read_only"
	// FenceLock locks the application's accounts and ends their sessions: new logins fail (error 3118, 4151 on MariaDB). It lasts.
	FenceLock FenceKind = "account lock"
)

// FencePlan says how the application can be kept from writing, and what would not be.
type FencePlan struct {
	// Kind is the fence that Raise will use; Possible are all that this account may use here.
	Kind     FenceKind   `json:"kind"`
	Possible []FenceKind `json:"possible"`
	// Accounts are the accounts to be fenced, as user@host.
	Accounts []string `json:"accounts"`
	// Writers are other accounts that may write to the database: the fence does not stop them when it is an account lock.
	Writers []string `json:"writers,omitempty"`
	// Sessions are sessions of other accounts that use the database now, as user@host.
	Sessions []string `json:"sessions,omitempty"`
	// Events are the database's enabled events, which Raise disables.
	Events []string `json:"events,omitempty"`
	// Replicates is set when the server replicates from another one, whose writes no fence here stops.
	Replicates string `json:"replicates,omitempty"`
	// Prepared are XA transactions that nobody has ended; each could write when it is.
	Prepared []string `json:"prepared,omitempty"`
	// Leaks says in words what this fence does not stop.
	Leaks []string `json:"leaks,omitempty"`
}

// FenceState is what the ledger remembers of a fence.
type FenceState struct {
	FenceMemory
	// Raised says that everything that raises it has been done; before, it may be done in part.
	Raised bool
	Driver string // who raised it, for people
	Since  time.Time
	// Lease is until when the driver answers for it. Whoever finds it past may lower the fence.
	Lease time.Time
}

// FenceMemory is what must be known to lower a fence.
type FenceMemory struct {
	Kind     FenceKind `json:"kind"`
	Accounts []string  `json:"accounts"`
	// Unlocked are those of Accounts that were not locked before.
	Unlocked []string `json:"unlocked,omitempty"`
	// ReadOnly is what the server's read_only was.
	ReadOnly string `json:"read_only,omitempty"`
}

// Fence keeps the application from writing to a database, and proves that it does not. Every method may be repeated, by another
// process too, after a crash at any point. It is safe for concurrent use.
type Fence struct {
	e      *End
	record *change.Record
	driver string
}

// Fence returns the fence of a migration; driver says for people who raises it.
func (e *End) Fence(r *change.Record, driver string) *Fence {
	return &Fence{e: e, record: r, driver: firstRunes(driver, 255)}
}

// fenceTables are the tables of the ledger that a fence needs.
var fenceTables = append([]string{
	`fence (migration BIGINT NOT NULL PRIMARY KEY, memory LONGTEXT NOT NULL, raised BOOLEAN NOT NULL DEFAULT FALSE, driver VARCHAR(255) NOT NULL,
		since DATETIME(6) NOT NULL, lease DATETIME(6) NOT NULL)`,
	`marker (migration BIGINT NOT NULL PRIMARY KEY, seq BIGINT NOT NULL, at DATETIME(6) NOT NULL)`,
}, ledgerTables...)

// State returns what is known of the fence; its Kind is empty when there is none.
func (f *Fence) State(ctx context.Context) (FenceState, error) {
	var s FenceState
	err := f.e.withWriter(ctx, func(ctx context.Context, w *reader) (err error) {
		s, err = f.state(ctx, w)
		return err
	})
	return s, err
}

func (f *Fence) state(ctx context.Context, w *reader) (s FenceState, err error) {
	const op = "read the fence"
	rows, err := w.rows(ctx, fmt.Sprintf("SELECT memory, raised, driver, since, lease FROM %s WHERE migration = %d", f.e.ledger("fence"), f.record.ID))
	if absent(err) || err == nil && len(rows) == 0 {
		return s, nil
	}
	if err != nil {
		return s, f.e.explain(op, err)
	}
	v := rows[0]
	if err := json.Unmarshal([]byte(v[0]), &s.FenceMemory); err != nil {
		return s, fmt.Errorf("%s: %w", op, err)
	}
	s.Raised, s.Driver = v[1] == "1", v[2]
	if s.Since, err = parseInstant(v[3]); err != nil {
		return s, err
	}
	s.Lease, err = parseInstant(v[4])
	return s, err
}

// Renew says that the driver is alive and answers for the fence for that long from now, by the server's clock.
func (f *Fence) Renew(ctx context.Context, lease time.Duration) error {
	const op = "renew the lease of the fence"
	return f.e.withWriter(ctx, func(ctx context.Context, w *reader) error {
		res, err := w.conn.Exec(ctx, fmt.Sprintf("UPDATE %s SET lease = %s WHERE migration = %d AND driver = %s",
			f.e.ledger("fence"), leaseSQL(lease), f.record.ID, quoteString(f.driver)))
		if err != nil {
			return f.fail(op, err)
		}
		if res.AffectedRows == 0 {
			return fault.New(fault.Refused, op, fmt.Errorf("no fence of %q stands for migration %d", f.driver, f.record.ID), "somebody lowered it or took it over: stop")
		}
		return nil
	})
}

func leaseSQL(d time.Duration) string {
	return fmt.Sprintf("UTC_TIMESTAMP(6) + INTERVAL %d MICROSECOND", d.Microseconds())
}

// fail explains an error of a statement on the ledger.
func (f *Fence) fail(op string, err error) error {
	return f.e.explainWrite(op, err, ledgerRights, quote(f.e.ledgerName)+".*")
}
