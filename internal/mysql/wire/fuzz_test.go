package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/bascule/bascule/internal/change"
)

// typed fails for an error that is neither a protocol violation nor a server's error.
func typed(t *testing.T, err error) {
	t.Helper()
	var violation *ProtocolError
	var server *ServerError
	if err != nil && !errors.As(err, &violation) && !errors.As(err, &server) {
		t.Errorf("untyped error %v", err)
	}
}

func FuzzGreeting(f *testing.F) {
	f.Fuzz(func(t *testing.T, p []byte) {
		g, err := parseGreeting(p)
		typed(t, err)
		if err != nil {
			return
		}
		if len(g.version)+len(g.nonce)+len(g.plugin) > len(p) || g.caps&capExtendedMask != 0 && g.caps.Has(CapMySQL) {
			t.Errorf("%+v from %d bytes", g, len(p))
		}
	})
}

func FuzzColumn(f *testing.F) {
	f.Fuzz(func(t *testing.T, p []byte, extended bool) {
		caps := CapProtocol41
		if extended {
			caps |= CapExtendedMetadata
		}
		c, err := parseColumn(p, caps)
		typed(t, err)
		if n := len(c.Schema) + len(c.Table) + len(c.OrgTable) + len(c.Name) + len(c.OrgName) + len(c.ExtendedType) + len(c.ExtendedFormat); n > len(p) {
			t.Errorf("%d bytes of names from %d bytes", n, len(p))
		}
	})
}

func FuzzResult(f *testing.F) {
	f.Fuzz(func(t *testing.T, p []byte, deprecated bool) {
		caps := CapProtocol41
		if deprecated {
			caps |= CapDeprecateEOF
		}
		_, err := parseOK(p)
		typed(t, err)
		_, err = parseEOF(p, caps)
		typed(t, err)
		typed(t, parseERR(p))
		_, columns, params, err := parsePrepareOK(p)
		typed(t, err)
		if columns > maxColumns || params > maxColumns {
			t.Errorf("%d columns, %d parameters", columns, params)
		}
	})
}

func FuzzLogin(f *testing.F) {
	f.Fuzz(func(t *testing.T, stream []byte, encrypted bool) {
		// A hostile server drives the whole exchange. Whatever it says, it ends, and nothing secret leaves in the clear.
		const password = "hunter2-hunter2"
		c := scripted(bytes.NewReader(stream), 0, maxLoginPayload)
		l := &login{password: password, nonce: make([]byte, 20), tls: encrypted}
		_ = authenticate(c.s, l, &cachingSHA2{})
		if out := c.nc.(*scriptConn).out.Bytes(); !encrypted && bytes.Contains(out, []byte(password)) {
			t.Error("password sent in the clear")
		}
	})
}

func FuzzAuthSwitch(f *testing.F) {
	f.Fuzz(func(t *testing.T, p []byte) {
		name, nonce, err := parseAuthSwitch(p)
		if err == nil && (name == "" || len(name)+len(nonce) > len(p)) {
			t.Errorf("%q, %d bytes from %d", name, len(nonce), len(p))
		}
	})
}

func FuzzLenenc(f *testing.F) {
	f.Fuzz(func(t *testing.T, n uint64, p []byte) {
		c := cursor{b: appendLenenc(nil, n)}
		if got := c.lenenc(); c.bad || got != n || len(c.b) != 0 {
			t.Errorf("%d came back as %d", n, got)
		}
		c = cursor{b: p}
		if got := c.lenencBytes(); !c.bad && len(got) > len(p) {
			t.Errorf("%d bytes from %d", len(got), len(p))
		}
	})
}

// fuzzTypes are columns of every framing.
var fuzzTypes = []FieldType{TypeLongLong, TypeBlob, TypeDatetime, TypeTiny, TypeTime, TypeVarString, TypeFloat, TypeShort, TypeDate}

// slowSplit is the plain way to take a binary row apart: with cursors and copies.
func slowSplit(types []FieldType, row []byte) ([][]byte, bool) {
	c := cursor{b: row}
	c.take(1)
	bits := c.take((len(types) + 9) / 8)
	values := make([][]byte, len(types))
	for i, typ := range types {
		if c.bad {
			return nil, false
		}
		if bits[(i+2)/8]&(1<<((i+2)%8)) != 0 {
			continue
		}
		switch typ {
		case TypeLongLong:
			values[i] = c.take(8)
		case TypeFloat:
			values[i] = c.take(4)
		case TypeShort:
			values[i] = c.take(2)
		case TypeTiny:
			values[i] = c.take(1)
		case TypeTime, TypeDatetime, TypeDate:
			n := int(c.u8())
			lengths := []int{0, 4, 7, 11}
			if typ == TypeTime {
				lengths = []int{0, 8, 12}
			}
			if !slices.Contains(lengths, n) {
				return nil, false
			}
			values[i] = c.take(n)
		default:
			values[i] = c.lenencBytes()
		}
	}
	return values, !c.bad && len(c.b) == 0
}

func FuzzBinaryRow(f *testing.F) {
	columns := make([]Column, len(fuzzTypes))
	for i, typ := range fuzzTypes {
		columns[i].Type = typ
	}
	kinds, err := planKinds(columns)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, row []byte) {
		data := append([]byte("head"), row...)
		spans := make([]change.Span, len(kinds))
		err := splitBinary(kinds, data, 4, len(data), spans)
		typed(t, err)
		want, ok := slowSplit(fuzzTypes, row)
		if ok != (err == nil) {
			t.Fatalf("error %v, the slow way: ok %v", err, ok)
		}
		if hint := sizeHint(kinds, len(kinds), row[:len(row)/2]); ok && hint > len(row) {
			t.Errorf("hint of %d bytes for a row of %d", hint, len(row))
		}
		checkSpans(t, data, spans, want, err == nil)
	})
}

func checkSpans(t *testing.T, data []byte, spans []change.Span, want [][]byte, ok bool) {
	t.Helper()
	if !ok {
		return
	}
	for i, s := range spans {
		switch {
		case s.Null() != (want[i] == nil):
			t.Errorf("value %d: NULL %v", i, s.Null())
		case !s.Null() && !bytes.Equal(data[s.Off:s.Off+s.Len], want[i]):
			t.Errorf("value %d differs", i)
		}
	}
}

func FuzzTextRow(f *testing.F) {
	f.Fuzz(func(t *testing.T, row []byte, columns uint8) {
		spans := make([]change.Span, columns)
		err := splitText(row, 0, len(row), spans)
		typed(t, err)
		c := cursor{b: row}
		want := make([][]byte, columns)
		for i := range want {
			if len(c.b) > 0 && c.b[0] == 0xfb {
				c.take(1)
			} else {
				want[i] = c.lenencBytes()
			}
		}
		if ok := !c.bad && len(c.b) == 0; ok != (err == nil) {
			t.Fatalf("error %v, the slow way: ok %v", err, ok)
		}
		if hint := sizeHint(nil, int(columns), row[:len(row)/2]); err == nil && hint > len(row) {
			t.Errorf("hint of %d bytes for a row of %d", hint, len(row))
		}
		checkSpans(t, row, spans, want, err == nil)
	})
}

// FuzzReadBatch gives the reader a whole stream in pieces and compares with a reader that has it all at once.
func FuzzReadBatch(f *testing.F) {
	f.Fuzz(func(t *testing.T, stream []byte, limit uint16, piece uint8) {
		want, clean := slowRows(stream)
		c := scripted(bytes.NewReader(stream), int(piece), 1<<20)
		got, err := readAll(t, scriptedRows(t, c, true, fuzzTypes...), int(limit))
		if clean != (err == nil) {
			t.Fatalf("error %v, the slow way ends cleanly: %v", err, clean)
		}
		if len(got) > len(want) || clean && len(got) != len(want) {
			t.Fatalf("%d rows, the slow way %d", len(got), len(want))
		}
		equalRows(t, got, want[:len(got)])
		c = scripted(bytes.NewReader(stream), int(piece), 1<<20)
		got, err = readParts(t, scriptedRows(t, c, true, fuzzTypes...), int(limit))
		if clean != (err == nil) {
			t.Fatalf("in parts: error %v, the slow way ends cleanly: %v", err, clean)
		}
		if len(got) > len(want) || clean && len(got) != len(want) {
			t.Fatalf("in parts: %d rows, the slow way %d", len(got), len(want))
		}
		equalRows(t, got, want[:len(got)])
	})
}

// slowRows takes a stream of packets apart and reports whether it ends with the end of the rows.
func slowRows(stream []byte) (rows [][][]byte, clean bool) {
	for seq := byte(1); len(stream) >= 4; seq++ {
		n := int(binary.LittleEndian.Uint32(append(append([]byte{}, stream[:3]...), 0)))
		if stream[3] != seq || n == 0 || n > len(stream)-4 {
			return rows, false
		}
		p := stream[4 : 4+n]
		stream = stream[4+n:]
		switch p[0] {
		case 0:
			row, ok := slowSplit(fuzzTypes, p)
			if !ok {
				return rows, false
			}
			rows = append(rows, row)
		case 0xfe:
			r, err := parseOK(p)
			return rows, err == nil && r.Status&StatusMoreResults == 0
		default:
			return rows, false
		}
	}
	return rows, false
}

func FuzzFrames(f *testing.F) {
	f.Fuzz(func(t *testing.T, stream []byte, zstd bool) {
		var k codec = &zlibCodec{}
		if zstd {
			k = sharedZstd
		}
		fr := newFrames(readWriter{bytes.NewReader(stream), io.Discard}, k)
		n, err := io.Copy(io.Discard, fr)
		if err == nil && n == 0 && len(stream) >= frameHeader && getUint24(stream) > 0 {
			t.Errorf("%d bytes gave nothing and no error", len(stream))
		}
		if cap(fr.keep) > 1<<24 || cap(fr.packed) > 2*len(stream)+readChunk {
			t.Errorf("buffers of %d and %d bytes for %d", cap(fr.keep), cap(fr.packed), len(stream))
		}
	})
}

// FuzzFramesRoundTrip sends payloads through frames and back.
func FuzzFramesRoundTrip(f *testing.F) {
	f.Fuzz(func(t *testing.T, a, b []byte, zstd bool) {
		var k codec = &zlibCodec{}
		if zstd {
			k = sharedZstd
		}
		var wire bytes.Buffer
		out := newFrames(&wire, k)
		for _, p := range [][]byte{a, b} {
			if n, err := out.Write(p); n != len(p) || err != nil {
				t.Fatalf("%d of %d bytes written, %v", n, len(p), err)
			}
		}
		got, err := io.ReadAll(newFrames(&wire, k))
		if err != nil || !bytes.Equal(got, append(append([]byte{}, a...), b...)) {
			t.Errorf("%d bytes came back, %v", len(got), err)
		}
	})
}

// sharedZstd saves setting the decoder up for each input.
var sharedZstd = func() codec {
	z, err := newZstdCodec()
	if err != nil {
		panic(err)
	}
	return z
}()

// FuzzDump lets a hostile server send anything as a dump: it ends with a typed error or io.EOF, and every event is a part of
// what was sent.
func FuzzDump(f *testing.F) {
	f.Fuzz(func(t *testing.T, stream []byte, piece uint8) {
		c := scripted(bytes.NewReader(stream), int(piece), 1<<20)
		c.s.seq = 1
		c.rows = &Rows{c: c}
		d := &Dump{c: c}
		total := 0
		for {
			if piece%2 == 0 {
				d.Buffered()
			}
			p, err := d.Next(t.Context())
			if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				return
			}
			var conn *ConnError
			var server *ServerError
			if err != nil {
				if !errors.As(err, &conn) && !errors.As(err, &server) {
					t.Errorf("untyped error %v", err)
				}
				return
			}
			if total += len(p) + 1 + headerSize; total > len(stream) {
				t.Fatalf("%d bytes of events from %d", total, len(stream))
			}
		}
	})
}
