package postgres

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"strconv"
	"unicode/utf8"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
)

// Rows travel to the server as one parameter: an array of the table's own row type. Its binary form
// (array_recv, record_recv) frames every value as COPY does, so that codecs write it as it is, for any
// type of column; and what unnest makes of it has the columns' own types and collations.

// columnsOf returns, an attribute each, which column of a batch holds it; -1 is NULL. A batch has the columns at, which
// are positions in Into.Columns; only, unless it is nil, restricts to attributes.
func (h *shape) columnsOf(at, only []int) []int {
	cols := make([]int, len(h.attrs))
	for a := range cols {
		cols[a] = -1
	}
	for c, p := range at {
		a := h.attribute(p)
		if a < 0 {
			continue
		}
		if only == nil {
			cols[a] = c
		}
		for _, o := range only {
			if o == a {
				cols[a] = c
			}
		}
	}
	return cols
}

// arrayHeader is: dimensions, a flag that the server ignores, the element's type, how many, and the lower bound.
const arrayHeader = 20

// beginArray appends the header of an array of rows.
func (h *shape) beginArray(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, 1)
	dst = binary.BigEndian.AppendUint32(dst, 0)
	dst = binary.BigEndian.AppendUint32(dst, h.row)
	dst = binary.BigEndian.AppendUint32(dst, 0)
	return binary.BigEndian.AppendUint32(dst, 1)
}

// endArray writes into the header at from how many rows there are.
func endArray(dst []byte, from, rows int) {
	binary.BigEndian.PutUint32(dst[from+12:], uint32(rows))
}

// appendRow appends row i of b: its length, the number of columns, and a type and a field each.
func (h *shape) appendRow(dst []byte, b *change.Batch, i int, cols []int) ([]byte, error) {
	start := len(dst)
	dst = binary.BigEndian.AppendUint32(dst, 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(h.attrs)))
	spans := b.Row(i)
	for j := range h.attrs {
		a, c := &h.attrs[j], cols[j]
		dst = binary.BigEndian.AppendUint32(dst, a.typ)
		if c < 0 || spans[c].Null() {
			dst = append(dst, 0xff, 0xff, 0xff, 0xff)
			continue
		}
		var err error
		if dst, err = h.Into.Codecs[a.at].Append(dst, b.Bytes(spans[c])); err != nil {
			return nil, h.locate(err, a, b, i)
		}
	}
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start-4))
	return dst, nil
}

// locate names table, column and key of a codec's error. A loss names the first two itself, and passes.
func (h *shape) locate(err error, a *attribute, b *change.Batch, i int) error {
	if _, ok := errors.AsType[*change.LossError](err); ok {
		return err
	}
	op := fmt.Sprintf("convert %s.%s of the row %s", h.name, quote(a.name), h.keyText(b, i))
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return fmt.Errorf("%s: %w", op, err)
	}
	return fault.New(fault.Data, op, err, "look at that value on the source; bascule db plan says which values each column takes")
}

// keyText shows a row's key as the source's bytes, texts as such.
func (h *shape) keyText(b *change.Batch, i int) string {
	spans, text := b.Row(i), ""
	for j, k := range h.Key {
		c := k
		if b.Columns == len(h.Key) {
			c = j
		}
		v := b.Bytes(spans[c])
		switch {
		case utf8.Valid(v) && strconv.Quote(string(v)) == `"`+string(v)+`"`:
			text += " " + strconv.Quote(string(v[:min(len(v), 64)]))
		default:
			text += fmt.Sprintf(" 0x%x", v[:min(len(v), 64)])
		}
	}
	if text == "" {
		return "without a key"
	}
	return "with the key" + text
}

var keySeed = maphash.MakeSeed()

// hashKey hashes the values of a key; cols says where in the row they are.
func hashKey(b *change.Batch, i int, cols []int) uint64 {
	var sum uint64
	spans := b.Row(i)
	for _, c := range cols {
		sum *= 0x9e3779b97f4a7c15
		if !spans[c].Null() {
			sum += maphash.Bytes(keySeed, b.Bytes(spans[c]))
		}
	}
	return sum
}

// sameKey compares the bytes of two keys.
func sameKey(a *change.Batch, i int, aCols []int, b *change.Batch, j int, bCols []int) bool {
	x, y := a.Row(i), b.Row(j)
	for n := range aCols {
		s, t := x[aCols[n]], y[bCols[n]]
		if s.Null() || t.Null() || string(a.Bytes(s)) != string(b.Bytes(t)) {
			return false
		}
	}
	return true
}

// upTo returns 0 to n-1.
func upTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}
