package change

import "github.com/bascule/bascule/internal/schema"

// Key is one row's chunking key, a value a key column in text form: integers
// and dates as their dialect prints them, strings as utf8mb4, binary values raw.
// A nil Key is an open end.
type Key [][]byte

// Range is the rows with After < key <= UpTo in the source's index order. A key
// shorter than the index stands for all rows that share it: After then starts
// beyond them, UpTo includes them. So integer ranges need only the first column.
type Range struct {
	After, UpTo Key
	// Only, if set, are keys in the end's binary form, the columns of Select.Key: the rows that have one of them, and, under a collation
	// that takes different texts for equal, such as equal one. After and UpTo are nil then. A task never has it.
	Only *Batch
}

// Select names what is read: a table, the columns that travel, in order, and
// the unique, NOT NULL key that the table is cut by.
type Select struct {
	Table   *schema.Table
	Columns []*schema.Column
	// Key is empty when the table has no usable key: then there is one range, the
	// whole table, read from one exact snapshot.
	Key []*schema.Column
	// Index is the source's index that orders by Key.
	Index schema.Name
}

// Position is a place in the source's log of changes, opaque outside the end
// that made it. It can be stored and given back to that end.
type Position string
