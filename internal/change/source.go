package change

import (
	"context"

	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/schema"
)

// Filter selects tables by shell patterns on their names (path.Match). An empty
// Include means all; Exclude wins.
type Filter struct {
	Include []string `json:"include,omitempty"`
	Exclude []string `json:"exclude,omitempty"`
}

// Inspector reads what a database is.
type Inspector interface {
	// Inspect reads the catalog of the end's database. Names in Include that match
	// nothing are an error.
	Inspect(ctx context.Context, f Filter) (*schema.Database, error)
}

// Answerer reads what the data says.
type Answerer interface {
	// Answer answers every question, in the order asked, by scans that are cut into
	// ranges and throttled.
	Answer(ctx context.Context, db *schema.Database, qs []schema.Question) ([]schema.Answer, error)
}

// Checker looks before anything is done.
type Checker interface {
	// Check returns every finding about the server and the account, in a fixed order, with
	// regard to db: the database to be read, or the one to be made, with this end's own names.
	// It reads only. Severity Blocker means that a copy would fail.
	Check(ctx context.Context, db *schema.Database) ([]finding.Finding, error)
}

// Reader reads rows over one connection. It is not safe for concurrent use.
type Reader interface {
	// Read streams the rows of r in key order, at most limit of them (0: all). It
	// asks swap(nil) for its first batch, hands each filled batch to swap and goes on
	// with the batch that swap returns; the last one is handed over unless it is empty. Batches are small: a row that
	// does not fit one comes in parts. When the limit ended it, last is
	// the key of the last row; otherwise last is nil and the range is exhausted.
	Read(ctx context.Context, s *Select, r Range, limit int64, swap func(*Batch) (*Batch, error)) (last Key, err error)
	// Walk returns the key that stands rows further than after in index order, or nil
	// when fewer rows are left.
	Walk(ctx context.Context, s *Select, after Key, rows int64) (Key, error)
	// Bounds returns the first and the last key, both nil when the table is empty.
	Bounds(ctx context.Context, s *Select) (first, last Key, err error)
}

// Size is how large a table is, as its server estimates it.
type Size struct {
	Rows, Bytes int64
}

// Sizer tells how large tables have become. It reads no table.
type Sizer interface {
	// Sizes returns the sizes by now of all tables of the database, by name.
	Sizes(ctx context.Context) (map[schema.Name]Size, error)
}

// Identified tells one server's database from another's.
type Identified interface {
	// Identity returns an id that stays the same as long as the server is the same one
	// (server_uuid and database on MySQL), and a label for people: host:port/database, never a secret.
	Identity(ctx context.Context) (id, label string, err error)
}

// Rower gives readers and positions.
type Rower interface {
	// Position returns a lower bound of what a SELECT sees from now on
	// (DESIGN rule 1: every change after it will be in the log after it).
	Position(ctx context.Context) (Position, error)
	// Lane opens a connection that has proved it sees at, and closes it when fn returns.
	Lane(ctx context.Context, at Position, fn func(context.Context, Reader) error) error
	// Snapshot is Lane inside one consistent snapshot. p is its position as far as tables are concerned: the snapshot
	// shows of them what p includes, and nothing else. exact is false when the server could not pair the two, however
	// often it was tried, and then p is a lower bound. Without tables nothing is tried.
	Snapshot(ctx context.Context, tables []*Select, fn func(ctx context.Context, r Reader, p Position, exact bool) error) error
}

// Source is what a copy needs of the end it reads.
type Source interface {
	Identified
	Inspector
	Answerer
	Checker
	Rower
	Summer
	Sizer
}
