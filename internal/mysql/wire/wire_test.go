package wire

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/bascule/bascule/internal/change"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scriptConn is a net.Conn whose server side is a fixed byte string, given out in pieces of at most piece bytes.
type scriptConn struct {
	in    io.Reader
	piece int
	out   bytes.Buffer
}

func (c *scriptConn) Read(p []byte) (int, error) {
	if c.piece > 0 && len(p) > c.piece {
		p = p[:c.piece]
	}
	return c.in.Read(p)
}
func (c *scriptConn) Write(p []byte) (int, error)      { return c.out.Write(p) }
func (c *scriptConn) Close() error                     { return nil }
func (c *scriptConn) LocalAddr() net.Addr              { return nil }
func (c *scriptConn) RemoteAddr() net.Addr             { return nil }
func (c *scriptConn) SetDeadline(time.Time) error      { return nil }
func (c *scriptConn) SetReadDeadline(time.Time) error  { return nil }
func (c *scriptConn) SetWriteDeadline(time.Time) error { return nil }

// scripted returns a connection past its login, whose server sends stream.
func scripted(stream io.Reader, piece, maxPayload int) *Conn {
	nc := &scriptConn{in: stream, piece: piece}
	return &Conn{
		s: newStream(nc, maxPayload), dl: &deadline{nc: nc}, nc: nc,
		greeting: &greeting{caps: CapMySQL}, caps: CapProtocol41 | CapDeprecateEOF, name: "script",
	}
}

// scriptedRows returns rows in the middle of a result of columns of the given types; their first packet has number 1.
func scriptedRows(t testing.TB, c *Conn, binary bool, types ...FieldType) *Rows {
	t.Helper()
	r := &Rows{c: c, binary: binary}
	for _, typ := range types {
		r.columns = append(r.columns, Column{Type: typ})
	}
	if binary {
		kinds, err := planKinds(r.columns)
		if err != nil {
			t.Fatal(err)
		}
		r.kinds = kinds
	}
	c.rows, c.s.seq = r, 1
	return r
}

// appendPayload appends payload as packets, written independently of the package's own framing.
func appendPayload(dst []byte, seq *uint8, payload []byte) []byte {
	for {
		n := min(len(payload), 0xffffff)
		var head [4]byte
		binary.LittleEndian.PutUint32(head[:], uint32(n)|uint32(*seq)<<24)
		*seq++
		dst = append(append(dst, head[:]...), payload[:n]...)
		if payload = payload[n:]; n < 0xffffff {
			return dst
		}
	}
}

var endOfRows = []byte{0xfe, 0, 0, 2, 0, 0, 0}

// readAll reads all rows, copied out of their batches; nil is NULL.
func readAll(t testing.TB, r *Rows, limit int) ([][][]byte, error) {
	t.Helper()
	var all [][][]byte
	var b change.Batch
	for {
		err := r.ReadBatch(t.Context(), limit, &b)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		for i := range b.Rows {
			var row [][]byte
			for _, s := range b.Row(i) {
				if s.Null() {
					row = append(row, nil)
				} else {
					row = append(row, append([]byte{}, b.Bytes(s)...))
				}
			}
			all = append(all, row)
		}
	}
}

// readParts is readAll for rows that come in parts. No batch may be larger than the limit.
func readParts(t testing.TB, r *Rows, limit int) ([][][]byte, error) {
	t.Helper()
	var all [][][]byte
	var row [][]byte
	var b change.Batch
	rows, open := 0, 0
	for {
		err := r.ReadParts(t.Context(), limit, &b)
		if errors.Is(err, io.EOF) {
			if open > 0 || len(row) > 0 {
				t.Error("the rows end within a row")
			}
			return all, nil
		}
		if err != nil {
			return all, err
		}
		if cap(b.Data) > max(limit, minBatch) {
			t.Fatalf("a batch of %d bytes, the limit is %d", cap(b.Data), limit)
		}
		if b.Lead > open || b.Lead == 0 && open > 0 {
			t.Fatalf("%d bytes of a value that lacks %d", b.Lead, open)
		}
		if open -= b.Lead; b.Lead > 0 {
			row[len(row)-1] = append(row[len(row)-1], b.Data[:b.Lead]...)
		}
		for i := 0; ; i++ {
			if len(row) == b.Columns && open == 0 {
				all, row = append(all, row), nil
			}
			if i == len(b.Spans) {
				break
			}
			var value []byte
			if s := b.Spans[i]; !s.Null() {
				value = append([]byte{}, b.Bytes(s)...)
			}
			row = append(row, value)
			if i == len(b.Spans)-1 {
				open = b.Open
			}
		}
		if open != b.Open {
			t.Fatalf("%d bytes are open, the batch says %d", open, b.Open)
		}
		if rows += b.Rows; rows != len(all) {
			t.Fatalf("%d rows have ended, the batches say %d", len(all), rows)
		}
	}
}

// randomRow makes the binary form of a row of (BIGINT, BLOB, DATETIME) and its values.
func randomRow(rng *rand.Rand, blob int) (payload []byte, values [][]byte) {
	values = make([][]byte, 3)
	payload = []byte{0, 0}
	if rng.IntN(4) > 0 {
		values[0] = binary.LittleEndian.AppendUint64(nil, rng.Uint64())
		payload = append(payload, values[0]...)
	} else {
		payload[1] |= 1 << 2
	}
	if blob >= 0 {
		values[1] = make([]byte, blob)
		for i := 0; i < len(values[1]); i += 1 + i/64 {
			values[1][i] = byte(rng.Uint32())
		}
		payload = appendLenencString(payload, string(values[1]))
	} else {
		payload[1] |= 1 << 3
	}
	values[2] = make([]byte, []int{0, 4, 7, 11}[rng.IntN(4)])
	payload = append(append(payload, byte(len(values[2]))), values[2]...)
	return payload, values
}

func TestReadBatchDeliversEveryRowUnchanged(t *testing.T) {
	tests := map[string]struct {
		reason string
		rows   int
		blob   func(*rand.Rand) int
		limit  int
		piece  int
		ahead  int // bytes that an earlier read left in the connection's buffer
	}{
		"small":         {"many rows a batch", 5000, func(r *rand.Rand) int { return r.IntN(40) - 1 }, 64 << 10, 16 << 10, 0},
		"byte by byte":  {"every possible border between reads", 200, func(r *rand.Rand) int { return r.IntN(300) - 1 }, 1 << 12, 1, 0},
		"tiny batches":  {"rows that straddle the end of a batch", 3000, func(r *rand.Rand) int { return r.IntN(3000) - 1 }, 1 << 12, 1000, 0},
		"read ahead":    {"batches that end within bytes read before", 3000, func(r *rand.Rand) int { return r.IntN(900) - 1 }, 1 << 12, 0, readChunk},
		"odd pieces":    {"reads that end anywhere", 3000, func(r *rand.Rand) int { return r.IntN(600) - 1 }, 100_001, 7919, 5000},
		"above a chunk": {"rows larger than one read, completed in place", 60, func(r *rand.Rand) int { return r.IntN(600 << 10) }, 256 << 10, 0, readChunk},
		"16 MiB": {"payloads around the packet limit", 9, func() func(*rand.Rand) int {
			sizes, i := []int{3, 0xffffff - 40, 0xffffff - 15, 0xffffff, 1 << 24, 2*0xffffff - 7, 5, 40 << 20, 17}, 0
			return func(*rand.Rand) int { i++; return sizes[i-1] }
		}(), 1 << 20, 0, 100},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if testing.Short() && name == "16 MiB" {
				t.Skip("giant values go through one goroutine")
			}
			rng := rand.New(rand.NewPCG(1, 2))
			var stream []byte
			var want [][][]byte
			seq := uint8(1)
			for range tc.rows {
				payload, values := randomRow(rng, tc.blob(rng))
				stream = appendPayload(stream, &seq, payload)
				want = append(want, values)
			}
			stream = appendPayload(stream, &seq, endOfRows)
			c := scripted(bytes.NewReader(stream), tc.piece, 1<<30)
			if err := c.s.fill(tc.ahead); err != nil {
				t.Fatal(err)
			}
			got, err := readAll(t, scriptedRows(t, c, true, TypeLongLong, TypeBlob, TypeDatetime), tc.limit)
			if err != nil {
				t.Fatalf("%s: %v", tc.reason, err)
			}
			equalRows(t, got, want)
			if c.s.pending() || c.rows != nil {
				t.Errorf("%s: connection is not idle after the last row", tc.reason)
			}

			c = scripted(bytes.NewReader(stream), tc.piece, 1<<30)
			if err := c.s.fill(tc.ahead); err != nil {
				t.Fatal(err)
			}
			if got, err = readParts(t, scriptedRows(t, c, true, TypeLongLong, TypeBlob, TypeDatetime), tc.limit); err != nil {
				t.Fatalf("%s, in parts: %v", tc.reason, err)
			}
			equalRows(t, got, want)
			if c.s.pending() || c.rows != nil {
				t.Errorf("%s, in parts: connection is not idle after the last row", tc.reason)
			}
		})
	}
}

func equalRows(t *testing.T, got, want [][][]byte) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d rows, want %d", len(got), len(want))
	}
	for i := range want {
		for j := range want[i] {
			if !bytes.Equal(got[i][j], want[i][j]) || (got[i][j] == nil) != (want[i][j] == nil) {
				t.Fatalf("row %d column %d differs: %d bytes, want %d", i, j, len(got[i][j]), len(want[i][j]))
			}
		}
	}
}

func TestEveryPayloadOfExactlyAPacketIsContinued(t *testing.T) {
	if testing.Short() {
		t.Skip("giant values go through one goroutine")
	}
	// The row's payload is a whole number of full packets, so an empty one ends it.
	for _, packets := range []int{1, 2} {
		blob := packets*0xffffff - 2 - 8 - 4 - 1
		if blob >= 1<<24 {
			blob -= 5 // a length of nine bytes instead of four
		}
		payload := append([]byte{0, 0}, make([]byte, 8)...)
		payload = appendLenencString(payload, string(make([]byte, blob)))
		payload = append(payload, 0)
		if len(payload) != packets*0xffffff {
			t.Fatalf("the test's row has %d bytes", len(payload))
		}
		seq := uint8(1)
		stream := appendPayload(nil, &seq, payload)
		stream = appendPayload(stream, &seq, endOfRows)
		c := scripted(bytes.NewReader(stream), 0, 1<<30)
		got, err := readAll(t, scriptedRows(t, c, true, TypeLongLong, TypeBlob, TypeDatetime), 1<<20)
		if err != nil || len(got) != 1 || len(got[0][1]) != blob {
			t.Errorf("%d packets: %d rows, error %v", packets, len(got), err)
		}
		c = scripted(bytes.NewReader(stream), 0, 1<<30)
		got, err = readParts(t, scriptedRows(t, c, true, TypeLongLong, TypeBlob, TypeDatetime), 1<<20)
		if err != nil || len(got) != 1 || len(got[0][1]) != blob {
			t.Errorf("%d packets, in parts: %d rows, error %v", packets, len(got), err)
		}
	}
}

func TestGiantRowGrowsTheBufferOnceAndGivesItBack(t *testing.T) {
	if testing.Short() {
		t.Skip("giant values go through one goroutine")
	}
	const limit, giant = 1 << 20, 64 << 20
	rng := rand.New(rand.NewPCG(3, 4))
	var stream []byte
	seq := uint8(1)
	for _, blob := range []int{10, giant, giant, 10, 900_000, 900_000, 900_000, 900_000} {
		payload, _ := randomRow(rng, blob)
		stream = appendPayload(stream, &seq, payload)
	}
	stream = appendPayload(stream, &seq, endOfRows)
	r := scriptedRows(t, scripted(bytes.NewReader(stream), 0, 1<<30), true, TypeLongLong, TypeBlob, TypeDatetime)
	var b change.Batch
	var caps []int
	for {
		err := r.ReadBatch(t.Context(), limit, &b)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(b.Data) > limit+giant+giantSlack {
			t.Errorf("batch of %d bytes", len(b.Data))
		}
		caps = append(caps, cap(b.Data))
	}
	if top := max(caps[0], caps[1]); top < giant || top > giant+limit+2*giantSlack {
		t.Errorf("buffer for the giant has %d bytes, want one growth to %d and little more", top, giant)
	}
	if last := caps[len(caps)-1]; last > 2*limit {
		t.Errorf("buffer keeps %d bytes after the giants: %v", last, caps)
	}
}

func TestHostileLengthsAllocateLittle(t *testing.T) {
	head := func(n int, seq byte) []byte { return []byte{byte(n), byte(n >> 8), byte(n >> 16), seq} }
	tests := map[string][]byte{
		"packet of 16 MiB announced, nothing sent": head(0xfffffe, 1),
		"full packet announced, value of 2 GiB":    append(head(0xffffff, 1), 0, 4, 0xfe, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0),
		"value of 2^63 bytes":                      append(head(12, 1), 0, 4, 0xfe, 0, 0, 0, 0, 0, 0, 0, 0x80, 0),
	}
	for name, stream := range tests {
		t.Run(name, func(t *testing.T) {
			c := scripted(bytes.NewReader(stream), 0, 64<<20)
			r := scriptedRows(t, c, true, TypeLongLong, TypeBlob, TypeDatetime)
			var b change.Batch
			err := r.ReadBatch(t.Context(), 1<<20, &b)
			var conn *ConnError
			if !errors.As(err, &conn) || b.Rows != 0 || len(b.Spans) != 0 {
				t.Errorf("error %v, %d rows", err, b.Rows)
			}
			if cap(b.Data) > 18<<20 {
				t.Errorf("%d bytes allocated for %d received", cap(b.Data), len(stream))
			}
		})
	}
}

func TestRowsEndWithTheServersError(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	payload, _ := randomRow(rng, 10)
	seq := uint8(1)
	stream := appendPayload(nil, &seq, payload)
	stream = appendPayload(stream, &seq, append([]byte{0xff, 0x25, 0x05}, "#70100Query execution was interrupted"...))
	c := scripted(bytes.NewReader(stream), 0, 1<<20)
	_, err := readAll(t, scriptedRows(t, c, true, TypeLongLong, TypeBlob, TypeDatetime), 1<<20)
	var server *ServerError
	if !errors.As(err, &server) || server.Code != 1317 || server.State != "70100" {
		t.Fatalf("error %v", err)
	}
	if c.Closed() || c.rows != nil {
		t.Error("a server's error must leave the connection usable")
	}
}

func TestWriteSplitsLongPayloads(t *testing.T) {
	if testing.Short() {
		t.Skip("giant values go through one goroutine")
	}
	for _, n := range []int{0, 1, 0xffffff - 1, 0xffffff, 0xffffff + 1, 2*0xffffff + 5} {
		payload := make([]byte, n)
		_, _ = rand.NewChaCha8([32]byte{1}).Read(payload) // never fails
		c := scripted(bytes.NewReader(nil), 0, 1<<30)
		c.s.begin()
		c.s.wbuf = append(c.s.wbuf, payload...)
		if err := c.s.flush(); err != nil {
			t.Fatal(err)
		}
		seq := uint8(0)
		want := appendPayload(nil, &seq, payload)
		if got := c.nc.(*scriptConn).out.Bytes(); !bytes.Equal(got, want) {
			t.Errorf("payload of %d bytes: wrong packets", n)
		}
		// And back through the reader.
		back := scripted(bytes.NewReader(want), 0, 1<<30)
		got, err := back.s.readPacket()
		if err != nil || !bytes.Equal(got, payload) {
			t.Errorf("payload of %d bytes: read back %d bytes, error %v", n, len(got), err)
		}
	}
}

func TestNoAllocationPerRow(t *testing.T) {
	const rows = 20_000
	rng := rand.New(rand.NewPCG(7, 8))
	var stream []byte
	seq := uint8(1)
	for range rows {
		payload, _ := randomRow(rng, 90)
		stream = appendPayload(stream, &seq, payload)
	}
	stream = appendPayload(stream, &seq, endOfRows)
	var b change.Batch
	src := bytes.NewReader(stream)
	c := scripted(src, 0, 1<<30)
	r := scriptedRows(t, c, true, TypeLongLong, TypeBlob, TypeDatetime)
	allocs := testing.AllocsPerRun(5, func() {
		src.Reset(stream)
		c.rows, c.s.seq, r.done = r, 1, false
		for {
			err := r.ReadBatch(t.Context(), 1<<18, &b)
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	})
	if perRow := allocs / rows; perRow > 0.01 {
		t.Errorf("%.3f allocations per row (%v for %d rows)", perRow, allocs, rows)
	}
}

func TestLostPacketsAndFramesAreNoticed(t *testing.T) {
	var packets [][]byte
	seq := uint8(1)
	rng := rand.New(rand.NewPCG(9, 9))
	for range 5 {
		payload, _ := randomRow(rng, 100)
		packets = append(packets, appendPayload(nil, &seq, payload))
	}
	packets = append(packets, appendPayload(nil, &seq, endOfRows))
	for lost := range packets[:5] {
		var stream, framed bytes.Buffer
		out := newFrames(&framed, &zlibCodec{})
		for i, p := range packets {
			before := framed.Len()
			if _, err := out.Write(p); err != nil {
				t.Fatal(err)
			}
			if i == lost {
				framed.Truncate(before)
				continue
			}
			stream.Write(p)
		}
		c := scripted(&stream, 0, 1<<20)
		_, err := readAll(t, scriptedRows(t, c, true, TypeLongLong, TypeBlob, TypeDatetime), 1<<20)
		var violation *ProtocolError
		if !errors.As(err, &violation) {
			t.Errorf("packet %d lost: %v", lost, err)
		}
		if _, err := io.Copy(io.Discard, newFrames(&framed, &zlibCodec{})); !errors.As(err, &violation) {
			t.Errorf("frame %d lost: %v", lost, err)
		}
	}
}

func TestDataBeforeTLSIsRefused(t *testing.T) {
	greet := append([]byte{10}, "9.7.4\x00"...)
	greet = append(greet, 7, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0x05, 0xaa, 255, 2, 0, 0x38, 0x01, 21, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	greet = append(greet, "abcdefghijkl\x00caching_sha2_password\x00"...)
	injected := append(appendPayload(nil, new(uint8), greet), 7, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		nc, err := ln.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		if _, err := nc.Write(injected); err != nil {
			t.Error(err)
		}
		_, _ = io.Copy(io.Discard, nc) // until the client closes
	}()
	cfg := Config{Address: ln.Addr().String(), TLSMode: TLSRequired, TLS: &tls.Config{InsecureSkipVerify: true}}
	_, err = Connect(t.Context(), cfg)
	if _, ok := errors.AsType[*ProtocolError](err); !ok {
		t.Errorf("error %v", err)
	}
	ln.Close()
	<-served
}
