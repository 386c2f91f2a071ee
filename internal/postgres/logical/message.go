package logical

import "time"

// Kind tells what a Message is: the first byte of pgoutput's message.
type Kind byte

// The kinds of messages of protocol version 1.
const (
	KindBegin    Kind = 'B'
	KindCommit   Kind = 'C'
	KindOrigin   Kind = 'O'
	KindRelation Kind = 'R'
	KindType     Kind = 'Y'
	KindInsert   Kind = 'I'
	KindUpdate   Kind = 'U'
	KindDelete   Kind = 'D'
	KindTruncate Kind = 'T'
	KindLogical  Kind = 'M'
)

// Message is one message of pgoutput; which field is set depends on Kind. It and all that it points to are valid until
// the next call of Decoder.Decode, and as long as the bytes that it was decoded from.
type Message struct {
	Kind     Kind
	Begin    Begin
	Commit   Commit
	Origin   Origin
	Relation Relation
	Type     Type
	Change   Change // Insert, Update, Delete
	Truncate Truncate
	Logical  Logical
}

// Begin opens a transaction. It comes when the transaction has been committed.
type Begin struct {
	// Commit is where the record of its commit begins.
	Commit LSN
	// Time is when it was committed, by the server's clock.
	Time time.Time
	XID  uint32
}

// Commit ends a transaction.
type Commit struct {
	// Commit is where the record of the commit begins, End is behind it.
	Commit, End LSN
	Time        time.Time
}

// Origin says that a transaction was replayed from elsewhere. It follows Begin.
type Origin struct {
	// Commit is where the transaction was committed on its origin.
	Commit LSN
	Name   string
}

// Identity is a table's REPLICA IDENTITY, as pg_class.relreplident has it.
type Identity byte

// The replica identities.
const (
	IdentityDefault Identity = 'd'
	IdentityNothing Identity = 'n'
	IdentityFull    Identity = 'f'
	IdentityIndex   Identity = 'i'
)

// Relation describes a table before its first change on a connection, and again when it has changed.
type Relation struct {
	ID           uint32
	Schema, Name string
	Identity     Identity
	Columns      []Column
}

// Column is one column of a Relation. Generated ones are left out, unless they are published.
type Column struct {
	// Key says that the column is part of the replica identity; with IdentityFull all are.
	Key     bool
	Name    string
	Type    uint32 // OID
	TypeMod int32
}

// Type names a type that PostgreSQL did not bring along, before the Relation that uses it.
type Type struct {
	ID           uint32
	Schema, Name string
}

// Change is a row that was inserted, updated or deleted.
type Change struct {
	Relation uint32
	// Old is the row before, nil when it was not sent: for an insert, and for an update that changed no key
	// where the identity is not FULL. OldKey says that only the key's columns are in it; the others are ValueNull.
	Old    []Value
	OldKey bool
	// New is the row after, nil for a delete.
	New []Value
}

// ValueKind tells how a Value was sent.
type ValueKind byte

// The kinds of values.
const (
	ValueNull ValueKind = 'n'
	// ValueUnchanged is a TOASTed value that an update left alone: it is not in the log.
	ValueUnchanged ValueKind = 'u'
	// ValueText is the type's text form, ValueBinary what its send function returns.
	ValueText   ValueKind = 't'
	ValueBinary ValueKind = 'b'
)

// Value is one column of a row.
type Value struct {
	Kind ValueKind
	Data []byte // of ValueText and ValueBinary
}

// Truncate says that tables were emptied by one statement.
type Truncate struct {
	Relations                []uint32
	Cascade, RestartIdentity bool
}

// Logical is what pg_logical_emit_message wrote.
type Logical struct {
	// Transactional ones stand in their transaction; others between transactions, as soon as they were written.
	Transactional bool
	// Position is where the message stands.
	Position LSN
	Prefix   string
	Content  []byte
}
