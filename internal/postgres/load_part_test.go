package postgres

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/schema"
)

var errNotText = errors.New("not UTF-8")

// partInto has a column that is checked and sent as it is, one that is rewritten, and one that is sent as it is unseen.
func partInto() *change.Into {
	text, rewritten := verbatim(), framed()
	text.Check = func(src []byte) error {
		if !utf8.Valid(src) {
			return errNotText
		}
		return nil
	}
	rewritten.Append = func(dst, src []byte) ([]byte, error) {
		return framed().Append(dst, append([]byte{1}, bytes.ToUpper(src)...))
	}
	return &change.Into{Table: "t", Columns: []schema.Name{"a", "b", "c"}, Codecs: []change.Codec{text, rewritten, verbatim()}}
}

// encodeAll returns the stream that COPY reads, and what the encoder says at its end.
func encodeAll(batches iter.Seq2[*change.Batch, error]) (stream []byte, rows int64, err error) {
	enc := newEncoder(partInto(), batches)
	stream, _ = io.ReadAll(enc) // the error is the encoder's own
	rows, err = enc.close()
	return stream, rows, err
}

// inParts yields values in row order, three a row, cut where cut says: it is asked how many bytes of a value, or of what
// is left of it, the current batch takes. An answer below the length ends the batch.
func inParts(values [][]byte, cut func(n int) int) iter.Seq2[*change.Batch, error] {
	return func(yield func(*change.Batch, error) bool) {
		b := &change.Batch{}
		b.Reset(3)
		for i, v := range values {
			if v == nil {
				b.Spans = append(b.Spans, change.Span{Len: change.NullLen})
			} else {
				n := cut(len(v))
				b.Spans = append(b.Spans, change.Span{Off: uint32(len(b.Data)), Len: uint32(n)})
				b.Data = append(b.Data, v[:n]...)
				for v = v[n:]; len(v) > 0; v = v[n:] {
					b.Open = len(v)
					if !yield(b, nil) {
						return
					}
					b.Reset(3)
					n = max(1, cut(len(v)))
					b.Data, b.Lead = append(b.Data, v[:n]...), n
				}
			}
			if i%3 == 2 {
				b.Rows++
			}
		}
		yield(b, nil)
	}
}

// TestEncoderJoinsParts holds that the stream does not depend on how rows were cut.
func TestEncoderJoinsParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var values [][]byte
		for range 3 * rapid.IntRange(0, 5).Draw(t, "rows") {
			if rapid.IntRange(0, 4).Draw(t, "null") == 0 {
				values = append(values, nil)
				continue
			}
			s := rapid.StringN(-1, 30, 60).Draw(t, "value")
			values = append(values, []byte(strings.Repeat(s, rapid.SampledFrom([]int{1, 1, 1, 2000}).Draw(t, "times"))))
		}
		whole, n, err := encodeAll(inParts(values, func(n int) int { return n }))
		if err != nil || int(n) != len(values)/3 {
			t.Fatal(n, err)
		}
		parts, n, err := encodeAll(inParts(values, func(n int) int { return rapid.IntRange(0, n).Draw(t, "cut") }))
		if err != nil || int(n) != len(values)/3 {
			t.Fatal(n, err)
		}
		if !bytes.Equal(whole, parts) {
			t.Fatalf("%d bytes in parts, %d whole", len(parts), len(whole))
		}
	})
}

// TestEncoderRefusesParts holds that what is wrong with a value is seen wherever it is cut, and so is a row that does not end.
func TestEncoderRefusesParts(t *testing.T) {
	const row = "row 1 of this chunk for t.a"
	for name, tc := range map[string]struct{ value string }{
		"begun":   {"abc\xc3"},
		"alone":   {"ab\xa9c"},
		"broken":  {"a\xe2\x82bcd"},
		"wrong":   {"a\xe2\x28\xa1b"},
		"too big": {"\xf4\x90\x80\x80"},
	} {
		for size := 1; size < len(tc.value); size++ {
			_, _, err := encodeAll(inParts([][]byte{[]byte(tc.value), nil, nil}, func(n int) int { return min(n, size) }))
			if !errors.Is(err, errNotText) || !strings.Contains(err.Error(), row) {
				t.Errorf("%s in parts of %d: %v", name, size, err)
			}
		}
	}
	_, _, err := encodeAll(func(yield func(*change.Batch, error) bool) {
		yield(&change.Batch{Data: []byte("ab"), Spans: []change.Span{{Len: 2}}, Columns: 3, Open: 1}, nil)
	})
	if err == nil || !strings.Contains(err.Error(), "the rows end within row 1") {
		t.Errorf("a value that does not end: %v", err)
	}
	_, _, err = encodeAll(func(yield func(*change.Batch, error) bool) {
		yield(&change.Batch{Data: []byte("ab"), Columns: 3, Lead: 2}, nil)
	})
	if err == nil || !strings.Contains(err.Error(), "2 bytes of a value that lacks 0") {
		t.Errorf("a part of no value: %v", err)
	}
}
