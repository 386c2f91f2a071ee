package change

import (
	"context"

	"github.com/bascule/bascule/internal/schema"
)

// Token is the epoch of a cutover's driver, shown to an end at every call that changes something. An end remembers the highest that it was
// shown, for as long as the migration lives and also when it has undone everything; and refuses, with an error that wraps
// journal.ErrStale, one that is lower. Looking at the token and doing the work are one thing there: under a lock, or in one
// transaction. So a driver that was stalled while another took over can do nothing any more, least of all lower a fence
// that the other has raised.
//
// Every call that takes a token may be repeated, also after another process has done it in part.
type Token int64

// Fence keeps the application from writing to an end. Whoever applies changes for the migration passes it.
type Fence interface {
	// Raise returns when new writes fail and sessions that could still write are gone.
	Raise(ctx context.Context, t Token) error
	// Prove proves that nobody writes and returns a position of the log that stands behind all that was written. fault.Busy asks to
	// try again in a moment.
	Prove(ctx context.Context, t Token) (Position, error)
	// Lower lets the application write.
	Lower(ctx context.Context, t Token) error
}

// FenceOrder says who is to be fenced, and how.
type FenceOrder struct {
	// Who names this process for people.
	Who string
	// Users are the accounts that the application logs in as: a name, or name@host. An end that fences tables needs none.
	Users []string
	// Kind, if set, is the fence that the operator wants; else the end chooses.
	Kind FenceKind
}

// FenceKind is how the application is kept from writing.
type FenceKind string

// The kinds of fences.
const (
	// FenceReadOnly sets MySQL's read_only: the application reads on, and every write and commit of it fails (error 1290). It
	// stops the whole server, and a restart of the server lifts it.
	FenceReadOnly FenceKind = "read_only"
	// FenceLock locks MySQL's accounts and ends their sessions: new logins fail (error 3118, 4151 on MariaDB). It lasts.
	FenceLock FenceKind = "account lock"
	// FenceTrigger puts a trigger on every table of a PostgreSQL schema that refuses writes (SQLSTATE 25006). It lasts.
	FenceTrigger FenceKind = "trigger"
)

// FencePlan says how the application can be kept from writing, and what would not be.
type FencePlan struct {
	// Kind is the fence that Raise will use; Possible are all that this account may use here.
	Kind     FenceKind   `json:"kind"`
	Possible []FenceKind `json:"possible"`
	// Accounts are the accounts to be fenced, as user@host.
	Accounts []string `json:"accounts,omitempty"`
	// Writers are other accounts that may write to the database: the fence does not stop them when it is an account lock.
	Writers []string `json:"writers,omitempty"`
	// Sessions are sessions of other accounts that use the database now, as user@host.
	Sessions []string `json:"sessions,omitempty"`
	// Events are the database's enabled events, which Raise disables.
	Events []string `json:"events,omitempty"`
	// Replicates is set when the server replicates from another one, whose writes no fence here stops.
	Replicates string `json:"replicates,omitempty"`
	// Prepared are two-phase transactions that nobody has ended; each could write when it is.
	Prepared []string `json:"prepared,omitempty"`
	// Leaks says in words what this fence does not stop.
	Leaks []string `json:"leaks,omitempty"`
}

// Fencer is an end that can be fenced.
type Fencer interface {
	// PlanFence finds out how the fence would be. It changes nothing. What makes a fence impossible is an error.
	PlanFence(ctx context.Context, r *Record, o FenceOrder) (FencePlan, error)
	// Fence returns the fence of a migration.
	Fence(r *Record, o FenceOrder) Fence
}

// Opening makes an end fit for an application, and passive again. Tables are those of the migration, by this end's names.
type Opening interface {
	// Prepare puts every counter of keys behind its own values, behind next (by table: the next value that the other end would hand
	// out), and a gap further; and brings triggers and foreign keys to life without looking at the rows that are there. Nothing
	// may be applied to the end from then on.
	Prepare(ctx context.Context, t Token, next map[schema.Name]uint64) error
	// Restore makes the end passive, so that changes can be applied to it. What it removes it can bring back.
	Restore(ctx context.Context, t Token) error
	// Validate looks at the rows that Prepare did not look at.
	Validate(ctx context.Context, t Token) error
}

// Openable is an end that an application can live on.
type Openable interface {
	// Opening returns the opening of a migration; db describes the end's tables whole, with all that they have when they are in use.
	Opening(r *Record, db *schema.Database) Opening
	// NextIdentities returns, for each table of db that hands out keys, the next one that it would hand out, as of now.
	NextIdentities(ctx context.Context, r *Record, db *schema.Database) (map[schema.Name]uint64, error)
}

// Reserver is an end that takes its time to put counters of keys further, so that it had better do so while nobody waits.
type Reserver interface {
	// Reserve puts the counters of db's tables so far ahead of what Opening.Prepare wants that a Prepare soon after need not touch them.
	// Changes may be applied to the end all the while.
	Reserve(ctx context.Context, r *Record, t Token, db *schema.Database, next map[schema.Name]uint64) error
}

// Starter is an applier that can be told where to begin.
type Starter interface {
	// CanApply says what keeps changes of these tables from being applied to this end: a right, a setting. It changes nothing.
	CanApply(ctx context.Context, r *Record, tables []*Replica) error
	// Start saves the mark that the next session finds, whatever was applied before. Somebody who applies at the time is fault.Busy.
	Start(ctx context.Context, r *Record, t Token, m Mark) error
}

// Guard is a condition that a column of the target has to keep while there is a way back: what violates it has no form on the source.
type Guard struct {
	Table  schema.Name `json:"table"`
	Column schema.Name `json:"column"`
	// Name is the constraint's name, no other constraint's of its table.
	Name schema.Name `json:"name"`
	// SQL is the condition, in the target's SQL.
	SQL string `json:"sql"`
}

// Armory is a target that can keep what is written there until it has travelled back.
type Armory interface {
	// CanArm says what keeps Arm from succeeding: a setting, a right, somebody's old transaction. It changes nothing.
	CanArm(ctx context.Context, r *Record, tables []*Select) error
	// Arm makes the end keep its changes of these tables from now on, and its columns keep the guards. It returns the position
	// that a feed begins at.
	Arm(ctx context.Context, r *Record, t Token, tables []*Select, guards []Guard) (Position, error)
	// Disarm takes that back.
	Disarm(ctx context.Context, r *Record, t Token) error
}
