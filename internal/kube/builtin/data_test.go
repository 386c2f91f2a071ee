package builtin

import (
	"bytes"
	"compress/gzip"
	"testing"
)

// FuzzRead holds the reader of data to an error or a set by which anything can be checked, whatever it is given.
func FuzzRead(f *testing.F) {
	for _, text := range []string{
		`{}`, `{"Types":{"a":{"r":"a"}},"Kinds":[{"Group":"","Version":"v1","Kind":"A","Type":"a"}]}`, `{"Types":{"a":null}}`,
		`{"Types":{"a":{"t":"object","p":{"b":{"r":"a"},"c":null}}},"Kinds":[{"Kind":"A","Version":"v1","Type":"a"}]}`,
		`{"Types":{"a":{"t":"object","p":{"b":{"t":"array","l":"map","k":["x"],"i":{"r":"a"}}},"q":["b","zz"]}},"Kinds":[{"Kind":"A","Version":"v1","Type":"a"}]}`,
		`{"Kinds":[{"Kind":"A","Version":"v1","Type":"none"}]}`,
	} {
		f.Add([]byte(text))
	}
	object := map[string]any{"b": []any{map[string]any{"x": "1", "b": map[string]any{}}, map[string]any{"x": "1"}, nil, "s"}, "c": int64(1), "metadata": map[string]any{"name": "a", "labels": map[string]any{"a": 1.5}}}
	f.Fuzz(func(t *testing.T, text []byte) {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := z.Write(text); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		s, err := read(b.Bytes())
		if err != nil {
			return
		}
		for k := range s.kinds {
			s.Check(k.Group, k.Version, k.Kind, object)
		}
		if _, err := read(text); err == nil {
			t.Error("what is not compressed was read")
		}
	})
}
