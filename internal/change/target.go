package change

import (
	"context"
	"encoding/json"
	"iter"
	"time"

	"github.com/bascule/bascule/internal/schema"
)

// Capabilities is what a target offers to the converter.
type Capabilities struct {
	Version int  `json:"version"` // PostgreSQL's server_version_num, for instance 150018
	PostGIS bool `json:"postgis"` // installed, or installable by this account
	ICU     bool `json:"icu"`
}

// Capable tells what the target offers.
type Capable interface {
	Capabilities(ctx context.Context) (Capabilities, error)
}

// Stage orders the tasks of one table: all tasks of a lower stage end before one of
// a higher stage starts. Foreign keys also wait for their parent's StageKey.
type Stage int

// The stages.
const (
	StageSchema     Stage = iota // runs when the ledger is made, in the same transaction
	StageCopy                    // walks and chunks
	StageIndex                   // index builds, in parallel
	StageKey                     // keys that take over a built index, checks, identities
	StageForeignKey              // foreign keys, then validated
	StageFinish                  // comments, statistics
)

// Statement is one piece of DDL. Statements of one stage and table may run in
// any order and in parallel.
type Statement struct {
	Stage  Stage       `json:"stage"`
	Table  schema.Name `json:"table,omitempty"`  // target table; empty for the schema itself
	Parent schema.Name `json:"parent,omitempty"` // target table that a foreign key refers to
	What   string      `json:"what"`             // index NAME, primary key, foreign key NAME ...
	SQL    string      `json:"sql"`
	// Makes are the names that it takes in the schema: tables, sequences, indexes, types, collations.
	Makes []schema.Name `json:"-"`
}

// Renderer writes DDL.
type Renderer interface {
	// Render returns every statement that makes db, in an order in which they can run.
	Render(db *schema.Database) []Statement
	// DropIndex returns the statement that removes an index of a table in a later stage.
	DropIndex(in, table, index schema.Name) Statement
}

// TaskKind tells what a Task asks for.
type TaskKind string

// The kinds of tasks.
const (
	// TaskWalk finds the next boundary of a table and adds the chunk before it.
	TaskWalk TaskKind = "walk"
	// TaskChunk copies one range.
	TaskChunk TaskKind = "chunk"
	// TaskStatement runs one statement.
	TaskStatement TaskKind = "statement"
)

// Task is one piece of work in the ledger.
type Task struct {
	ID    int64
	Kind  TaskKind
	Table schema.Name // target table
	Stage Stage
	// Parent is the target table that must have its keys before this task runs. A chunk with one is loaded by the chunk of that table.
	Parent schema.Name
	// Range is what a chunk copies; for a walk, After is where it stands.
	Range Range
	// Limit is the most rows that a chunk copies before the rest becomes a chunk of
	// its own, or the rows that one step of a walk covers; 0 for no limit.
	Limit int64
	SQL   string
	What  string
}

// Done is what became of a task, recorded in the transaction that did it.
type Done struct {
	Rows, Bytes int64
	Losses      Losses
	// Add are tasks that follow from this one, in the same table and stage: the rest of a
	// chunk, the chunks that a walk found, the walk's next step.
	Add []Task
	// At is the position of an exact snapshot, empty otherwise.
	At Position
	// With are the tables that were loaded beside the task's own, from the same snapshot: the chunks that wait for the task as their Parent.
	With []Share
}

// Share is what a task loaded into another table than its own.
type Share struct {
	Table       schema.Name
	Rows, Bytes int64
}

// Into is where rows are loaded: the target's table, its columns in order, and
// a codec for each.
type Into struct {
	Table   schema.Name
	Columns []schema.Name
	Codecs  []Codec
}

// Work is the transaction that holds a claimed task.
type Work interface {
	// Load writes the rows of every batch into a table and returns how many. It stops at
	// the first error that batches yields.
	Load(ctx context.Context, into *Into, batches iter.Seq2[*Batch, error]) (rows int64, err error)
	// Empty removes the rows of tables, and what earlier attempts left of their room.
	Empty(ctx context.Context, tables []schema.Name) error
	// Exec runs one statement.
	Exec(ctx context.Context, sql string) error
}

// Queue hands out the tasks of the ledger.
type Queue interface {
	// Claim locks one runnable task, runs fn inside the transaction that holds it and
	// commits what fn returned together with the task's end. It returns false when
	// nothing is runnable now; Left tells whether anything will be. An error from fn
	// rolls everything back and is returned as it is. One connection carries one
	// Claim at a time; concurrent calls use connections of their own.
	Claim(ctx context.Context, fn func(context.Context, *Task, Work) (Done, error)) (bool, error)
	// Left counts the tasks that are not done, those that other processes hold included.
	Left(ctx context.Context) (int64, error)
	// Idle waits until a task may have become runnable, at most d.
	Idle(ctx context.Context, d time.Duration) error
}

// Record is the ledger's entry of one migration.
type Record struct {
	// ID tells this migration from an earlier or later one into the same schema. Create and
	// Open set it.
	ID       int64
	Schema   schema.Name     // target schema: the migration's name
	Source   string          // host:port/database, for people; never a secret
	SourceID string          // what tells one source server from another
	Plan     json.RawMessage // the converter's input, so that every process plans alike
	Position Position        // P0
	Created  time.Time
}

// Relax names a target column that may hold NULL from now on.
type Relax struct {
	Table, Column schema.Name
}

// Ledger is the memory of a migration, kept in the target.
type Ledger interface {
	// Open returns the record of the migration into that schema, or nil.
	Open(ctx context.Context, name schema.Name) (*Record, error)
	// Create writes the record, runs the statements of StageSchema, and adds the tasks
	// and the statements of later stages, all in one transaction. When another process
	// was faster it changes nothing and returns that process's record.
	Create(ctx context.Context, r Record, stmts []Statement, tasks []Task) (*Record, error)
	// Amend replaces the record's plan and drops NOT NULL from columns, in one transaction:
	// losses were accepted after the copy had begun.
	Amend(ctx context.Context, name schema.Name, plan json.RawMessage, relax []Relax) error
	// Extend adds statements of later stages as tasks, those that it has not added before, in one transaction.
	Extend(ctx context.Context, r *Record, stmts []Statement) error
	// Queue hands out the tasks of the migration that Open or Create returned. Once that
	// one is dropped, it refuses (fault.Refused), though another may go into the same schema.
	Queue(r *Record) Queue
}

// Progress is what the ledger says of one table.
type Progress struct {
	Table schema.Name `json:"table"`
	// Rows and Bytes are loaded and committed.
	Rows  int64 `json:"rows"`
	Bytes int64 `json:"bytes"`
	// Chunks are known so far; Walking says that more will be found.
	Chunks, ChunksDone         int64
	Walking                    bool
	Statements, StatementsDone int64
}

// Reporter tells how far a migration is.
type Reporter interface {
	Progress(ctx context.Context, name schema.Name) ([]Progress, error)
	// Snapshots returns, by target table, the position of the exact snapshot that the table was copied from, for tables that
	// were.
	Snapshots(ctx context.Context, r *Record) (map[schema.Name]Position, error)
	// Losses returns the accepted losses counted so far.
	Losses(ctx context.Context, name schema.Name) (Losses, error)
	// Drop removes what the migration made: its tables, types and record. It returns what it
	// removed, or would remove when dry is set.
	Drop(ctx context.Context, name schema.Name, dry bool) ([]string, error)
}

// Target is what a copy needs of the end it writes.
type Target interface {
	Capable
	Checker
	Inspector
	Renderer
	Ledger
	Reporter
	Summer
}
