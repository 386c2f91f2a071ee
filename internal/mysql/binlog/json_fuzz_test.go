package binlog

import (
	"encoding/json"
	"errors"
	"testing"
)

// FuzzJSON prints what may be a document. What has an error is none; what has none is JSON, and not many times larger than it was.
func FuzzJSON(f *testing.F) {
	for _, seed := range [][]byte{
		nil,
		{0x04, 0x01},
		{0x05, 0xff, 0xff},
		{0x0b, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f},
		{0x0c, 3, 'a', '"', 'b'},
		// {"a": [1, "x"]}
		{0x00, 1, 0, 24, 0, 11, 0, 1, 0, 0x02, 12, 0, 'a', 2, 0, 12, 0, 0x05, 1, 0, 0x0c, 10, 0, 1, 'x'},
		{0x0f, 246, 4, 3, 1, 0x80, 12},
		{0x0f, 12, 8, 0, 0, 0, 0, 0, 0, 0xb2, 0x19},
		{0x0f, 252, 2, 1, 2},
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		text, err := jsonText([]byte("head"), doc)
		if err != nil {
			if !errors.Is(err, errJSON) && !errors.Is(err, errJSONDepth) && !errors.Is(err, errDecimal) {
				t.Errorf("untyped error %v", err)
			}
			return
		}
		if len(text) > 20*len(doc)+1000 {
			t.Errorf("%d bytes from %d", len(text), len(doc))
		}
		if !json.Valid(text[len("head"):]) {
			t.Errorf("not JSON: %s", text)
		}
	})
}
