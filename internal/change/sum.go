package change

import (
	"context"
	"strconv"

	"github.com/bascule/bascule/internal/schema"
)

// Form is the canonical text that both ends give a value, so that their sums
// can be compared. Each end renders it from its own column type.
type Form struct {
	Kind FormKind `json:"kind"`
	// Precision is the fractional digits of a date-time or time, the scale of a decimal,
	// or the width of bits.
	Precision int `json:"precision,omitempty"`
	// Long marks values that may be long: they enter the row's text as their own hash.
	Long bool `json:"long,omitempty"`
	// Accepted are the losses that the source's text must show as the target has them
	// (codes of package finding).
	Accepted []string `json:"accepted,omitempty"`
}

// FormKind names a canonical text. NULL is the same in every form and equal to
// no value.
type FormKind string

// The canonical texts.
const (
	// FormInteger is decimal digits with a leading - when negative. Booleans are 0 and 1,
	// years their number.
	FormInteger FormKind = "integer"
	// FormDecimal has exactly Precision digits after the point.
	FormDecimal FormKind = "decimal"
	// FormText is the text in UTF-8.
	FormText FormKind = "text"
	// FormBytes is lower-case hex.
	FormBytes FormKind = "bytes"
	// FormBits is Precision digits of 0 and 1.
	FormBits FormKind = "bits"
	// FormDate is YYYY-MM-DD.
	FormDate FormKind = "date"
	// FormDateTime is YYYY-MM-DD HH:MM:SS, with a point and 6 digits when Precision > 0. An
	// instant is in UTC.
	FormDateTime FormKind = "datetime"
	// FormMicros is a time or an interval in microseconds, as an integer.
	FormMicros FormKind = "micros"
	// FormLabels is the members of a set in definition order, joined by commas.
	FormLabels FormKind = "labels"
	// FormUUID is 8-4-4-4-12 lower-case hex.
	FormUUID FormKind = "uuid"
	// FormGeometry is lower-case hex of the SRID (4 bytes little-endian) and the WKB.
	FormGeometry FormKind = "geometry"
	// FormFloat is the shortest decimal text that reads back as the same double. The two
	// dialects spell some numbers differently: a different text is compared by the client.
	FormFloat FormKind = "float"
	// FormJSON is the document as each side prints it; a different text is compared by
	// the client, numbers by value.
	FormJSON FormKind = "json"
)

// ByClient says that different texts may still be equal values.
func (f Form) ByClient() bool { return f.Kind == FormFloat || f.Kind == FormJSON }

// SumColumn is a column of one end and the form its values take.
type SumColumn struct {
	Column *schema.Column
	Form   Form
}

// SumQuery asks for sums over rows of one table of one end.
type SumQuery struct {
	Table   schema.Name
	Columns []SumColumn
	// Key are the columns of the key, part of Columns or not. Without a key, the row's
	// own hash takes its place.
	Key []SumColumn
	// Lo and Hi bound the first key column, both inclusive, in decimal; empty is open. Only
	// for integer keys.
	Lo, Hi string
	// Mod and Rems restrict to rows whose key hash h has h % Mod among Rems (Mod 0: no restriction),
	// and Buckets groups them by (h / max(Mod,1)) % Buckets; 0 and 1 are one group.
	Mod     uint64
	Rems    []uint64
	Buckets uint64
	// Keys, where there are any, restricts RowSums to the rows with those keys, in canonical text, a text a key column.
	Keys [][]string
}

// RemList writes Rems in decimal, parted by commas.
func (q *SumQuery) RemList() string {
	var b []byte
	for i, r := range q.Rems {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, r, 10)
	}
	return string(b)
}

// Sum is the rows of one group: how many, and the sum modulo 2^64 of their hashes.
// A row's hash is the first 60 bits of the SHA-256 of its canonical text.
type Sum struct {
	Group uint64
	Rows  int64
	Hash  uint64
}

// RowSum is one row: its key in canonical text (empty without a key) and its hash.
type RowSum struct {
	Key  []string
	Hash uint64
	// Rows is how many rows share this hash when the table has no key, else 1.
	Rows int64
}

// Value is one canonical text, or NULL.
type Value struct {
	Text string
	Null bool
}

// Summer computes sums inside a database. It is safe for concurrent use.
type Summer interface {
	// Sums returns the groups that have rows, in no order.
	Sums(ctx context.Context, q *SumQuery) ([]Sum, error)
	// RowSums returns every row of the query's range, bucket or keys. Callers narrow first.
	RowSums(ctx context.Context, q *SumQuery) ([]RowSum, error)
	// Values returns the canonical texts, in the order of q.Columns, of the rows with those
	// keys (or, without a key, those hashes), in no order; each comes with its RowSum. A
	// long form's text of more than 64 KiB comes as "sha256:", the lower-case hex SHA-256 of the
	// value's bytes (those of the row's text), and " (N bytes)", N being how many they are.
	Values(ctx context.Context, q *SumQuery, rows []RowSum) ([]RowValues, error)
}

// RowValues is one row's canonical texts.
type RowValues struct {
	RowSum
	Values []Value
}
