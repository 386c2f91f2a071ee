package binlog

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
)

// lenenc is a length-encoded number of 8 bytes.
func lenenc(n int) []byte {
	return []byte{0xfe, byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24), byte(n >> 32), 0, 0, 0}
}

// transaction is a TRANSACTION_PAYLOAD.
func transaction(algorithm byte, packed []byte, size int) []byte {
	body := bytes.Join([][]byte{{1, 9}, lenenc(len(packed)), {2, 3, 0xfc, algorithm, 0, 3, 9}, lenenc(size), {0}, packed}, nil)
	return event(typeTransactionPayload, 0, body...)
}

func zipped(t testing.TB, events ...[]byte) (p []byte, size int) {
	t.Helper()
	var b bytes.Buffer
	z, err := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		n, err := z.Write(e)
		if err != nil {
			t.Fatal(err)
		}
		size += n
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), size
}

func TestPayload(t *testing.T) {
	inside := [][]byte{tableMap([]byte{3}, nil), insert(1, 0, 5, 0, 0, 0), event(typeXID, 0, 1, 2, 3, 4, 5, 6, 7, 8)}
	inside[1] = slices.Clip(inside[1])
	plain := bytes.Join(inside, nil)
	whole, size := zipped(t, inside...)
	nested, nestedSize := zipped(t, transaction(255, nil, 0))
	const rows = "rows 1  05000000,;|6 :0   end 0"
	cases := map[string]struct {
		event []byte
		want  string // or the error
	}{
		"Zstd":      {transaction(0, whole, size), rows},
		"Plain":     {transaction(255, plain, len(plain)), rows},
		"Algorithm": {transaction(1, whole, size), "algorithm 1"},
		"Size":      {transaction(0, whole, size+1), "instead of"},
		"Cut":       {transaction(255, plain[:len(plain)-1], len(plain)), "unexpected EOF"},
		"CutZstd":   {transaction(0, whole[:len(whole)-5], size), "expand its payload"},
		"Nested":    {transaction(0, nested, nestedSize), "must not contain"},
		"Fields":    {event(typeTransactionPayload, 0, 2, 1, 0), "within a field"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			d := decoderOf(layoutOf(schema.Int{Bits: 32}), false)
			out, err := all(d, tc.event)
			if err != nil && !strings.Contains(err.Error(), tc.want) || err == nil && strings.Join(out, "|") != tc.want {
				t.Errorf("%v, %v, want %s", out, err, tc.want)
			}
			if err != nil && fault.ClassOf(err) != fault.Data && fault.ClassOf(err) != fault.Unsupported {
				t.Errorf("class %s", fault.ClassOf(err))
			}
			// The next event is decoded whatever happened to this one.
			if out, err := all(d, event(typeStop, 0)); len(out) != 1 || err != nil {
				t.Errorf("afterwards %v, %v", out, err)
			}
		})
	}
}

// TestPayloadMemory reads a transaction that expands to 4 GiB of zeros.
func TestPayloadMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("expands 4 GiB")
	}
	const chunk, count = 1 << 20, 4 << 10
	zeros := append([]byte{0, byte(chunk & 255), byte(chunk >> 8 & 255), byte(chunk >> 16), 0}, make([]byte, chunk)...)
	inner := insert(1, zeros...)
	first := tableMap([]byte{252}, []byte{4})
	b, size := zipped(t, first)
	// 64 frames of 64 events: zstd's frames may follow each other.
	frame, frameSize := zipped(t, slices.Repeat([][]byte{inner}, 64)...)
	b = append(b, bytes.Repeat(frame, count/64)...)
	size += frameSize * count / 64
	d := decoderOf(layoutOf(schema.Binary{MaxBytes: 1<<32 - 1}), false)
	if err := d.Push(transaction(0, b, size)); err != nil {
		t.Fatal(err)
	}
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var most, total uint64
	for n := 0; ; n++ {
		e, err := d.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		total += uint64(len(e.Rows.New.Data))
		if n%500 == 0 {
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapAlloc-min(now.HeapAlloc, before.HeapAlloc))
		}
	}
	if total != chunk*count || most > 32<<20 {
		t.Errorf("%d bytes of rows took %d bytes of heap", total, most)
	}
	t.Logf("%d MiB of rows, %d KiB more heap", total>>20, most>>10)
}
