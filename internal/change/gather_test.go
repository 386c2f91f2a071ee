package change_test

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"github.com/bascule/bascule/internal/change"
)

// TestGather cuts rows into parts at random, within values and between them, and joins them again.
func TestGather(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		columns := rapid.IntRange(1, 4).Draw(t, "columns")
		value := rapid.OneOf(rapid.Just([]byte(nil)), rapid.SliceOfN(rapid.Byte(), 0, 30))
		rows := rapid.SliceOfN(rapid.SliceOfN(value, columns, columns), 1, 6).Draw(t, "rows")
		var g change.Gather
		var got [][][]byte
		take := func(b *change.Batch) {
			whole := g.Add(b)
			if whole == nil {
				return
			}
			if !whole.Whole() {
				t.Fatalf("not whole: %+v", whole)
			}
			for i := range whole.Rows {
				row := make([][]byte, columns)
				for c, s := range whole.Row(i) {
					if !s.Null() {
						row[c] = append([]byte{}, whole.Bytes(s)...)
					}
				}
				got = append(got, row)
			}
		}
		b := &change.Batch{Columns: columns}
		next := func() {
			take(b)
			b = &change.Batch{Columns: columns}
		}
		for _, row := range rows {
			for c, v := range row {
				if v == nil {
					b.Spans = append(b.Spans, change.Span{Len: change.NullLen})
				} else {
					cut := rapid.IntRange(0, len(v)).Draw(t, "cut")
					b.Spans = append(b.Spans, change.Span{Off: uint32(len(b.Data)), Len: uint32(cut)})
					b.Data = append(b.Data, v[:cut]...)
					for rest := v[cut:]; len(rest) > 0; {
						b.Open = len(rest)
						next()
						n := rapid.IntRange(1, len(rest)).Draw(t, "part")
						b.Data, b.Lead = append(b.Data, rest[:n]...), n
						rest = rest[n:]
					}
				}
				if c == columns-1 {
					b.Rows++
				}
				if rapid.IntRange(0, 3).Draw(t, "ends") == 0 {
					next()
				}
			}
		}
		next()
		if len(got) != len(rows) {
			t.Fatalf("%d rows of %d", len(got), len(rows))
		}
		for i := range rows {
			for c := range rows[i] {
				if !bytes.Equal(rows[i][c], got[i][c]) || (rows[i][c] == nil) != (got[i][c] == nil) {
					t.Fatalf("row %d column %d: %x, want %x", i, c, got[i][c], rows[i][c])
				}
			}
		}
	})
}
