package change

import (
	"context"
	"time"

	"github.com/bascule/bascule/internal/schema"
)

// EventKind tells what an Event is.
type EventKind uint8

// The kinds of events.
const (
	// EventBegin opens a transaction: Txn and Time are set.
	EventBegin EventKind = iota + 1
	// EventRows carries row changes of one table within a transaction: Rows is set.
	EventRows
	// EventCommit ends a transaction: Txn and Time are set, and the feed's position stands behind it.
	EventCommit
	// EventDDL is a statement that alters a followed table, outside any transaction: DDL is set, and the
	// feed's position stands BEFORE it. Next must not be called again; whoever has dealt with it opens a new feed at DDL.After.
	EventDDL
	// EventIdle says that nothing else has come. The position may have moved, past transactions of other
	// databases or tables. It comes at least every few seconds while the connection lives.
	EventIdle
)

// Event is one event of a Feed. It and all that it points to are valid until the next call of Next.
type Event struct {
	Kind EventKind
	// Txn names the transaction in the end's log: a GTID, or a file and an offset, or an LSN.
	Txn string
	// Time is when the transaction was committed on the end, as its clock says.
	Time time.Time
	Rows Rows
	DDL  DDL
}

// Op is what happened to rows.
type Op uint8

// The operations.
const (
	Insert Op = iota + 1
	Update
	Delete
	// Truncate removes every row; there are no images.
	Truncate
)

// Rows are changes of one table in the order in which they happened.
type Rows struct {
	// Table is one of the pointers given to Stream.
	Table *Select
	Op    Op
	// Old holds the rows before (Update, Delete) and New the rows after (Insert, Update): full images, columns
	// as in Table.Columns, values in the end's binary form (see Batch), byte for byte what its Reader yields for the
	// same row. Row i of both is one change. A batch that the operation does not have is empty.
	Old, New Batch
	// OldKeyOnly says that Old holds the columns of Table.Key only, because the end logs no more; the others are NULL there,
	// whatever they were.
	OldKeyOnly bool
	// Cascades says that the end ran the foreign keys' actions for these rows and did not log what they did.
	Cascades bool
}

// DDL is a statement that changes what a followed table is.
type DDL struct {
	SQL string
	// Schema is the default database of the statement.
	Schema schema.Name
	// Tables are the tables of the followed database that it names, those that are not followed included.
	Tables []schema.Name
	// Began is when it began, to the second, by the end's clock: what CURRENT_TIMESTAMP was in it.
	Began time.Time
	// WithRows says that rows which belong to it came in the same transaction, and were not delivered.
	WithRows bool
	// After is the position behind the statement.
	After Position
}

// Feed streams changes in commit order, each transaction whole and uninterrupted, however the end's log
// interleaves them. A two-phase (XA) transaction comes when it is committed. It is not safe for concurrent use.
type Feed interface {
	// Next waits for the next event and returns it. Whatever cannot be decoded, or would be skipped, is an error that says
	// where in the log it stands (fault.Unsupported, fault.Refused, fault.Data). A broken connection is fault.Connect.
	Next(ctx context.Context) (*Event, error)
	// Buffered reports whether Next will return without waiting for the network.
	Buffered() bool
	// Position is where Stream would go on after the last EventCommit or EventIdle.
	Position() Position
	// Lag is how many bytes of the end's log were written and not yet read, -1 when that is not known.
	Lag() int64
	// Confirm says that everything up to p is durable on the other side, so that this end may let go of its log.
	Confirm(p Position)
}

// Streamer is an end whose changes can be followed.
type Streamer interface {
	// Stream opens a feed of the tables' changes behind at and closes it when fn returns. Tables must stay as they are
	// while fn runs. A position that the end no longer has is fault.Refused with what to do.
	Stream(ctx context.Context, at Position, tables []*Select, fn func(context.Context, Feed) error) error
	// End returns an upper bound of what any SELECT that has ended until now has seen: the end of the log.
	End(ctx context.Context) (Position, error)
	// Includes reports whether everything up to b is also within a.
	Includes(ctx context.Context, a, b Position) (bool, error)
}

// Log is a Streamer whose transactions can be placed.
type Log interface {
	Streamer
	// Within reports whether a transaction, by its Txn, is part of a position.
	Within(at Position, txn string) (bool, error)
}
