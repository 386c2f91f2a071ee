package logical_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bascule/bascule/internal/postgres/logical"
)

// build joins fields as the protocol writes them: integers big-endian in their width, strings with a zero byte behind.
func build(fields ...any) []byte {
	var b []byte
	for _, f := range fields {
		switch f := f.(type) {
		case byte:
			b = append(b, f)
		case rune:
			b = append(b, byte(f))
		case uint16:
			b = binary.BigEndian.AppendUint16(b, f)
		case uint32:
			b = binary.BigEndian.AppendUint32(b, f)
		case uint64:
			b = binary.BigEndian.AppendUint64(b, f)
		case string:
			b = append(append(b, f...), 0)
		case []byte:
			b = append(b, f...)
		default:
			panic(f)
		}
	}
	return b
}

// noon is 2000-01-02 12:00:00.000001.
const noon = uint64(36*3600*1e6 + 1)

var noonTime = time.Date(2000, 1, 2, 12, 0, 0, 1000, time.UTC)

type sample struct {
	data []byte
	want logical.Message
}

func samples() map[string]sample {
	bin, text := []byte{'b', 0, 0, 0, 2, 7, 8}, []byte{'t', 0, 0, 0, 1, 'x'}
	return map[string]sample{
		"Begin": {build('B', uint64(0x16B374D848), noon, uint32(9)), logical.Message{Kind: 'B', Begin: logical.Begin{Commit: 0x16B374D848, Time: noonTime, XID: 9}}},
		"Commit": {
			build('C', byte(0), uint64(10), uint64(20), noon),
			logical.Message{Kind: 'C', Commit: logical.Commit{Commit: 10, End: 20, Time: noonTime}},
		},
		"Origin": {build('O', uint64(5), "from"), logical.Message{Kind: 'O', Origin: logical.Origin{Commit: 5, Name: "from"}}},
		"Type":   {build('Y', uint32(70000), "app", "mood"), logical.Message{Kind: 'Y', Type: logical.Type{ID: 70000, Schema: "app", Name: "mood"}}},
		"Relation": {
			build('R', uint32(3), "", "t", 'd', uint16(2), byte(1), "id", uint32(20), ^uint32(0), byte(0), "é", uint32(1043), uint32(14)),
			logical.Message{Kind: 'R', Relation: logical.Relation{ID: 3, Schema: "pg_catalog", Name: "t", Identity: 'd', Columns: []logical.Column{
				{Key: true, Name: "id", Type: 20, TypeMod: -1}, {Name: "é", Type: 1043, TypeMod: 14},
			}}},
		},
		"Insert": {
			build('I', uint32(3), 'N', uint16(3), 'n', bin, text),
			logical.Message{Kind: 'I', Change: logical.Change{Relation: 3, New: []logical.Value{{Kind: 'n'}, {Kind: 'b', Data: []byte{7, 8}}, {Kind: 't', Data: []byte("x")}}}},
		},
		"Update": {
			build('U', uint32(3), 'N', uint16(2), 'u', bin),
			logical.Message{Kind: 'U', Change: logical.Change{Relation: 3, New: []logical.Value{{Kind: 'u'}, {Kind: 'b', Data: []byte{7, 8}}}}},
		},
		"UpdateKey": {
			build('U', uint32(3), 'K', uint16(1), bin, 'N', uint16(1), 'n'),
			logical.Message{Kind: 'U', Change: logical.Change{Relation: 3, OldKey: true, Old: []logical.Value{{Kind: 'b', Data: []byte{7, 8}}}, New: []logical.Value{{Kind: 'n'}}}},
		},
		"UpdateFull": {
			build('U', uint32(3), 'O', uint16(1), 'n', 'N', uint16(1), bin),
			logical.Message{Kind: 'U', Change: logical.Change{Relation: 3, Old: []logical.Value{{Kind: 'n'}}, New: []logical.Value{{Kind: 'b', Data: []byte{7, 8}}}}},
		},
		"Delete": {
			build('D', uint32(3), 'O', uint16(1), bin),
			logical.Message{Kind: 'D', Change: logical.Change{Relation: 3, Old: []logical.Value{{Kind: 'b', Data: []byte{7, 8}}}}},
		},
		"Truncate": {
			build('T', uint32(2), byte(3), uint32(3), uint32(4)),
			logical.Message{Kind: 'T', Truncate: logical.Truncate{Relations: []uint32{3, 4}, Cascade: true, RestartIdentity: true}},
		},
		"Logical": {
			build('M', byte(1), uint64(77), "bascule", uint32(2), []byte("hi")),
			logical.Message{Kind: 'M', Logical: logical.Logical{Transactional: true, Position: 77, Prefix: "bascule", Content: []byte("hi")}},
		},
	}
}

func TestDecode(t *testing.T) {
	for name, s := range samples() {
		t.Run(name, func(t *testing.T) {
			got, err := new(logical.Decoder).Decode(s.data)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(s.want, *got); diff != "" {
				t.Error(diff)
			}
			// Nothing shorter and nothing longer is a message.
			for n := range s.data {
				if m, err := new(logical.Decoder).Decode(s.data[:n]); err == nil {
					t.Errorf("%d of %d bytes decode as %+v", n, len(s.data), *m)
				}
			}
			if _, err := new(logical.Decoder).Decode(append(bytes.Clone(s.data), 0)); err == nil {
				t.Error("a byte behind the message is not noticed")
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	cases := map[string]struct {
		data []byte
		says string
	}{
		"Stream":   {build('S', uint32(1), byte(1)), `unknown kind 'S'`},
		"Prepare":  {build('P'), `unknown kind 'P'`},
		"Flags":    {build('C', byte(4), uint64(1), uint64(1), uint64(1)), "unknown bits 0x4"},
		"Identity": {build('R', uint32(3), "a", "t", 'z', uint16(0)), `replica identity of a.t is 'z'`},
		"Value":    {build('I', uint32(3), 'N', uint16(1), 'z'), `a value has the unknown kind 'z'`},
		"Row":      {build('I', uint32(3), 'O', uint16(0)), `a row of the unknown kind 'O'`},
		"Deleted":  {build('D', uint32(3), 'N', uint16(0)), `a row of the unknown kind 'N'`},
		"Negative": {build('I', uint32(3), 'N', uint16(1), 'b', ^uint32(0)), "needs -1 bytes"},
		"Many":     {build('T', ^uint32(0), byte(0)), "relation needs 4 bytes"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := new(logical.Decoder).Decode(tc.data)
			if err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("error %v, want one that says %q", err, tc.says)
			}
		})
	}
}

func TestFrame(t *testing.T) {
	got, err := logical.DecodeFrame(build('w', uint64(1), uint64(2), noon, []byte("BC")))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(logical.Frame{Kind: 'w', Start: 1, End: 2, Time: noonTime, Payload: []byte("BC")}, got); diff != "" {
		t.Error(diff)
	}
	got, err = logical.DecodeFrame(build('k', uint64(2), noon, byte(1)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(logical.Frame{Kind: 'k', End: 2, Time: noonTime, Reply: true}, got); diff != "" {
		t.Error(diff)
	}
	for _, bad := range [][]byte{nil, build('x'), build('k', uint64(2), noon), build('k', uint64(2), noon, byte(2)), build('k', uint64(2), noon, byte(0), byte(0)), build('w', uint64(1))} {
		if f, err := logical.DecodeFrame(bad); err == nil {
			t.Errorf("%q decodes as %+v", bad, f)
		}
	}
	status := logical.AppendStatus(nil, logical.Status{Written: 9, Flushed: 4, Time: noonTime, Reply: true})
	if want := build('r', uint64(9), uint64(4), uint64(4), noon, byte(1)); !bytes.Equal(status, want) {
		t.Errorf("status %x, want %x", status, want)
	}
}

func TestLSN(t *testing.T) {
	for _, s := range []string{"0/0", "16/B374D848", "FFFFFFFF/FFFFFFFF", "1/0"} {
		l, err := logical.ParseLSN(s)
		if err != nil || l.String() != s {
			t.Errorf("%s reads as %s, %v", s, l, err)
		}
	}
	for _, s := range []string{"", "16", "/", "16/", "16/B374D8480", "x/1", "-1/1", "1/2/3", "lsn:1/2"} {
		if l, err := logical.ParseLSN(s); err == nil {
			t.Errorf("%q reads as %s", s, l)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range samples() {
		f.Add(s.data)
	}
	var d logical.Decoder
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := d.Decode(data)
		if err != nil {
			return
		}
		again, err := new(logical.Decoder).Decode(data)
		if err != nil {
			t.Fatalf("a fresh decoder refuses what a used one took: %v", err)
		}
		if only(*m) != nil && !cmp.Equal(only(*m), only(*again)) {
			t.Errorf("a used decoder says otherwise: %s", cmp.Diff(only(*m), only(*again)))
		}
		size := 0
		for _, v := range append(m.Change.Old, m.Change.New...) {
			size += len(v.Data)
		}
		if m.Kind == logical.KindInsert && size > len(data) {
			t.Errorf("%d bytes of values from %d bytes", size, len(data))
		}
	})
}

// only returns the part of a message that its kind says is set.
func only(m logical.Message) any {
	switch m.Kind {
	case logical.KindBegin:
		return m.Begin
	case logical.KindCommit:
		return m.Commit
	case logical.KindOrigin:
		return m.Origin
	case logical.KindRelation:
		return append([]any{m.Relation.ID, m.Relation.Name, m.Relation.Identity}, columns(m.Relation)...)
	case logical.KindType:
		return m.Type
	case logical.KindInsert, logical.KindUpdate, logical.KindDelete:
		return m.Change
	case logical.KindTruncate:
		return [3]any{append([]uint32{}, m.Truncate.Relations...), m.Truncate.Cascade, m.Truncate.RestartIdentity}
	case logical.KindLogical:
		return m.Logical
	default:
		return nil
	}
}

func columns(r logical.Relation) []any {
	var cs []any
	for _, c := range r.Columns {
		cs = append(cs, c)
	}
	return cs
}

func FuzzDecodeFrame(f *testing.F) {
	f.Add(build('w', uint64(1), uint64(2), noon, []byte("B")))
	f.Add(build('k', uint64(2), noon, byte(1)))
	f.Fuzz(func(t *testing.T, data []byte) {
		fr, err := logical.DecodeFrame(data)
		if err == nil && len(fr.Payload) > len(data) {
			t.Errorf("a payload of %d bytes from %d", len(fr.Payload), len(data))
		}
	})
}
