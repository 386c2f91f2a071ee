package follow

import (
	"bytes"
	"hash/maphash"

	"github.com/bascule/bascule/internal/change"
)

// index finds rows of a batch by the values of all their columns. It is a hash table with open addressing whose entries are row
// numbers plus one: a Go map would need a string a row.
type index struct {
	seed  maphash.Seed
	table []int32
	rows  int
}

// minIndex is the smallest table, a power of two.
const minIndex = 64

func newIndex() *index { return &index{seed: maphash.MakeSeed()} }

// reset empties the index.
func (x *index) reset() {
	if x.rows > 0 {
		clear(x.table)
	}
	x.rows = 0
}

// find returns the number of the row of b that equals the given values, or -1.
func (x *index) find(b *change.Batch, data []byte, spans []change.Span) int {
	if x.rows == 0 {
		return -1
	}
	for at := x.hash(data, spans) & x.mask(); ; at = (at + 1) & x.mask() {
		row := int(x.table[at]) - 1
		if row < 0 || equalRow(b, row, data, spans) {
			return row
		}
	}
}

// add enters the last row of b, which must not be in the index.
func (x *index) add(b *change.Batch) {
	if 2*(x.rows+1) > len(x.table) {
		x.grow(b)
	}
	x.rows++
	x.put(b, b.Rows-1)
}

func (x *index) put(b *change.Batch, row int) {
	at := x.hash(b.Data, b.Row(row)) & x.mask()
	for x.table[at] != 0 {
		at = (at + 1) & x.mask()
	}
	x.table[at] = int32(row) + 1
}

func (x *index) grow(b *change.Batch) {
	old := x.table
	x.table = make([]int32, max(minIndex, 2*len(old)))
	for _, entry := range old {
		if entry != 0 {
			x.put(b, int(entry)-1)
		}
	}
}

func (x *index) mask() uint64 { return uint64(len(x.table) - 1) }

func (x *index) hash(data []byte, spans []change.Span) uint64 {
	var h maphash.Hash
	h.SetSeed(x.seed)
	for _, s := range spans {
		// The length parts the values: (a, bc) is not (ab, c). NULL has a length of its own.
		_, _ = h.Write([]byte{byte(s.Len), byte(s.Len >> 8), byte(s.Len >> 16), byte(s.Len >> 24)})
		if !s.Null() {
			_, _ = h.Write(data[s.Off : s.Off+s.Len])
		}
	}
	return h.Sum64()
}

// equalRow compares row i of b with the values at spans in data, byte by byte; NULL equals NULL.
func equalRow(b *change.Batch, i int, data []byte, spans []change.Span) bool {
	for j, s := range b.Row(i) {
		if !equalValue(b.Data, s, data, spans[j]) {
			return false
		}
	}
	return true
}

func equalValue(a []byte, s change.Span, b []byte, t change.Span) bool {
	if s.Len != t.Len {
		return false
	}
	return s.Null() || bytes.Equal(a[s.Off:s.Off+s.Len], b[t.Off:t.Off+t.Len])
}
