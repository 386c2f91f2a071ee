// Package change owns what flows between two ends and the ports it flows
// through: batches of rows, keys and ranges, tasks of the ledger, sums, and the
// small interfaces that each end implements. It never opens a connection and
// knows no dialect's SQL.
package change

// Batch is some rows of one table: one buffer and one span a value.
//
// A value's bytes are the source's binary form without framing. From MySQL and
// MariaDB that is the binary protocol's value without its length prefix:
// integers little-endian in their declared width (1, 2, 4, 8 bytes; MEDIUMINT 4,
// YEAR 2), FLOAT 4 and DOUBLE 8 bytes little-endian, DATE, DATETIME and TIMESTAMP
// the 0, 4, 7 or 11 bytes after the length byte, TIME the 0, 8 or 12 bytes after it,
// everything else its string bytes (DECIMAL, ENUM, SET and JSON as utf8mb4
// text, BIT big-endian, GEOMETRY as 4 bytes of SRID and WKB).
//
// A row may come in parts, over several batches, where a reader says so: then Spans need neither begin nor end with a row, and
// the value that the last span begins may have Open more bytes, which follow as the Lead of the next batches.
//
// A batch is reused: whoever receives one must be done with its bytes when it
// gives it back. It is not safe for concurrent use.
type Batch struct {
	Data    []byte
	Spans   []Span // row-major, Rows*Columns of them unless a row comes in parts
	Rows    int    // how many rows end in the batch
	Columns int
	// Lead is how many bytes at the beginning of Data go on with the value that the batch before left open; no span has them.
	Lead int
	// Open is how many bytes are still to come of the last value, which is that of the last span or, without spans, that of
	// Lead. A span's Len counts what stands in this batch.
	Open int
}

// Span is where one value stands in Batch.Data.
type Span struct {
	Off, Len uint32
}

// NullLen is the Len of a NULL.
const NullLen = ^uint32(0)

// Null reports whether the value is NULL.
func (s Span) Null() bool { return s.Len == NullLen }

// Reset empties the batch for rows of that many columns and keeps its buffers.
func (b *Batch) Reset(columns int) {
	*b = Batch{Data: b.Data[:0], Spans: b.Spans[:0], Columns: columns}
}

// Whole reports whether the batch holds whole rows only.
func (b *Batch) Whole() bool { return b.Lead == 0 && b.Open == 0 && len(b.Spans) == b.Rows*b.Columns }

// Row returns the spans of one row of a batch of whole rows.
func (b *Batch) Row(i int) []Span {
	return b.Spans[i*b.Columns : (i+1)*b.Columns]
}

// Bytes returns the bytes of a value that is not NULL.
func (b *Batch) Bytes(s Span) []byte {
	return b.Data[s.Off : s.Off+s.Len]
}

// Codec turns one value from the source's binary form into one field of the
// destination's. It is planned once per column, run once per value,
// and allocates nothing. NULL never reaches it. A Codec that counts losses belongs to one lane; any other is safe for concurrent use.
type Codec struct {
	// Append appends one field to dst, its framing included: on the way to
	// PostgreSQL a big-endian int32 length (-1 for NULL) and the payload. A value
	// that has no target form is a *LossError and leaves dst unusable.
	Append func(dst, src []byte) ([]byte, error)
	// Verbatim says that the payload is src itself once Check passes, so that a
	// large value may be written without being copied. Check may be nil. A value that comes in parts is checked part by part,
	// none of which begins or ends within a character of UTF-8.
	Verbatim bool
	Check    func(src []byte) error
	// Null, if set, is the field that stands for NULL where the destination takes none, its framing included.
	Null []byte
}
