package postgres

import (
	"encoding/binary"
	"fmt"

	"github.com/bascule/bascule/internal/change"
)

// reachedMost is of how many rows that one action reached the keys are told.
const reachedMost = 20_000

// gathered is the rows that a level changed as one array. Of a table that no other refers to they are NULL beyond reachedMost rows: nothing but their
// keys is of interest.
func (h *shape) gathered(r string) string {
	if len(h.Actions) > 0 {
		return "array_agg(" + r + ")"
	}
	return fmt.Sprintf("CASE WHEN count(*) <= %d THEN array_agg(%s) END", reachedMost, r)
}

// tell hands on the keys of what a level changed.
func (x *cascading) tell(child *shape, got *affected) error {
	if x.reached == nil {
		return nil
	}
	if got.old == nil || len(child.Key) == 0 {
		x.reached(child.Replica, nil)
		return nil
	}
	var keys change.Batch
	keys.Reset(len(child.Key))
	for _, array := range [][]byte{got.old, got.changed} {
		for _, row := range elements(array) {
			if err := child.appendKey(&keys, row); err != nil {
				return err
			}
		}
	}
	x.reached(child.Replica, &keys)
	return nil
}

// appendKey appends the key of an element of an array of the table's rows: its length, the number of fields, and of each field its type's OID, its
// length and its bytes (record_send and array_send in PostgreSQL's rowtypes.c and arrayfuncs.c).
func (h *shape) appendKey(b *change.Batch, element []byte) error {
	rest := element
	word := func() int {
		if len(rest) < 4 {
			rest = nil
			return -1
		}
		n := int(int32(binary.BigEndian.Uint32(rest)))
		rest = rest[4:]
		return n
	}
	word()
	if n := word(); n != len(h.attrs) {
		return fmt.Errorf("cascade to %s: a row of %d fields, want %d", h.name, n, len(h.attrs))
	}
	fields := make([][]byte, len(h.attrs))
	for i := range fields {
		word()
		n := word()
		if n > len(rest) {
			return fmt.Errorf("cascade to %s: a row ends within field %d", h.name, i)
		}
		if n >= 0 {
			fields[i], rest = rest[:n], rest[n:]
		}
	}
	for _, a := range h.keyAttributes() {
		if fields[a] == nil {
			return fmt.Errorf("cascade to %s: a key with NULL", h.name)
		}
		b.Spans = append(b.Spans, change.Span{Off: uint32(len(b.Data)), Len: uint32(len(fields[a]))})
		b.Data = append(b.Data, fields[a]...)
	}
	b.Rows++
	return nil
}
