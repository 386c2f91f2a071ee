package change

import (
	"context"
	"time"

	"github.com/bascule/bascule/internal/schema"
)

// Replica is a table that changes are applied to.
type Replica struct {
	// Into names the table, the columns that travel, and a codec for each.
	Into *Into
	// Key are the positions in Into.Columns of the columns that identify a row; empty when rows are matched whole.
	Key []int
	// Actions are the foreign keys that refer to this table, with what the other end does and does not log when a row goes or
	// its key changes.
	Actions []ForeignAction
}

// ForeignAction is what happens to the rows of a child table when rows of its parent go or change their key.
type ForeignAction struct {
	Child *Replica
	// Parent and Columns are positions in the parent's and the child's Into.Columns, pair by pair.
	Parent, Columns    []int
	OnDelete, OnUpdate schema.Action
}

// Step is a part of what is applied in one transaction. Whatever Delete names is deleted first, then Insert is
// inserted, then Cascades are carried out, in that order.
type Step struct {
	Tables   []TableStep
	Cascades []Cascade
}

// TableStep is what a step does to one table. No key stands twice in Delete, and every key of Insert also stands in Delete,
// so that inserting cannot meet a row that is there. Without a key the rows of Delete are whole rows, each of which
// removes one row that equals it, and Insert only adds.
type TableStep struct {
	Table *Replica
	// Truncate empties the table before anything else.
	Truncate bool
	// Delete has the columns of Table.Key, in that order; or, without a key, all columns.
	Delete Batch
	// Insert has the columns of Table.Into.
	Insert Batch
}

// Cascade carries out the actions of the foreign keys that refer to Table, and of those that refer to what they change.
// Old holds whole rows of Table as they were. New is empty when they were deleted; else row i of New is what row i of Old
// became, and only foreign keys whose parent columns differ act.
type Cascade struct {
	Table    *Replica
	Old, New Batch
	// Reached, if set, is told before the transaction commits which rows of a child the actions removed or changed: their keys, with the
	// columns of Child.Key, in the applying end's own binary form, the old key and the new one where it changed. Nil stands for any row. The keys are
	// Reached's only until it returns.
	Reached func(child *Replica, keys *Batch)
}

// Mark says how far an end has applied the other's changes. It is saved in the transaction that applied them.
type Mark struct {
	Position Position `json:"position"`
	// Time is when the last applied transaction was committed on the other end, by that end's clock.
	Time time.Time `json:"time"`
	// Txns and Rows count what was applied since the beginning.
	Txns int64 `json:"txns"`
	Rows int64 `json:"rows"`
}

// Applying is one transaction of an applier. It is not safe for concurrent use.
type Applying interface {
	// Apply does one step.
	Apply(ctx context.Context, s *Step) error
	// Commit saves the mark and commits, durably. After an error nobody knows whether it did: read the mark again.
	Commit(ctx context.Context, m Mark) error
}

// Session applies changes, and nobody else can hold one at the same time for the same migration.
type Session interface {
	// Mark returns what was saved last; at the first time, a Mark whose Position is empty.
	Mark(ctx context.Context) (Mark, error)
	// Begin opens a transaction. Only one is open at a time.
	Begin(ctx context.Context) (Applying, error)
	// Rollback ends an open transaction without a trace; without one it does nothing.
	Rollback(ctx context.Context) error
}

// Parallel is a Session of which several transactions may be open at once, each in a lane. They are committed in the order in which
// they were forked, and no row is touched by two of them.
type Parallel interface {
	Session
	// Lanes returns how many transactions may be open at once. It may open connections for them, so it is asked once there is use for them.
	Lanes(ctx context.Context) int
	// Fork opens the next transaction beside those that are open. While one of them is, Begin is not called.
	Fork(ctx context.Context) (Lane, error)
}

// Lane is a transaction that is open beside others.
type Lane interface {
	Applying
	// Flush carries out what Apply took, and finds its errors.
	Flush(ctx context.Context) error
	// Hinders reports whether another transaction of the session waits for this one. Then this one must not wait for the other's commit.
	Hinders(ctx context.Context) (bool, error)
	// Undo takes back what was applied, also after an error, and opens the transaction anew.
	Undo(ctx context.Context) error
}

// Applier is an end that changes can be applied to.
type Applier interface {
	// Applying opens a session for a migration, proves that the end is passive (no trigger, foreign key or event of the
	// replicas' tables is live) and closes the session when fn returns. who says who holds it, for people. When
	// another process holds it, the error is fault.Busy and says who and since when.
	Applying(ctx context.Context, r *Record, who string, tables []*Replica, fn func(context.Context, Session) error) error
	// Applied returns what was saved last, whoever applies.
	Applied(ctx context.Context, r *Record) (Mark, error)
}
