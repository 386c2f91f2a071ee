package spool

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bascule/bascule/internal/fault"
)

// event makes bytes with a header, as far as a spool looks.
func event(typ byte, body string) []byte {
	b := make([]byte, headerBytes, headerBytes+len(body))
	b[4] = typ
	binary.LittleEndian.PutUint32(b[9:], uint32(headerBytes+len(body)))
	return append(b, body...)
}

var formatEvent = event(15, strings.Repeat("f", minFormat-headerBytes-5)+"\x01cccc")

func at(n int) Place {
	return Place{Position: fmt.Sprintf("p:%d", n), File: "binlog.000001", Off: uint64(n) * 100, Time: time.Unix(int64(n)+1, 0).UTC()}
}

func number(t testing.TB, p Place) int {
	t.Helper()
	var n int
	if _, err := fmt.Sscanf(p.Position, "p:%d", &n); err != nil {
		t.Fatal(err)
	}
	return n
}

func testKey(t testing.TB, b byte) *Key {
	t.Helper()
	k, err := newKey(bytes.Repeat([]byte{b}, keySize))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// txn is a transaction of several events: what its number says, so that a reader can be held to it.
func txn(n int) [][]byte {
	out := [][]byte{event(33, fmt.Sprintf("gtid %d", n))}
	for i := range n % 4 {
		out = append(out, event(30, strings.Repeat(fmt.Sprintf("row %d %d,", n, i), 1+(n*37)%200)))
	}
	return append(out, event(16, fmt.Sprintf("xid %d", n)))
}

func write(t testing.TB, w *Writer, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		for _, e := range txn(n) {
			if err := w.Append(e); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Mark(at(n + 1)); err != nil {
			t.Fatal(err)
		}
	}
}

var small = Options{FrameBytes: 2000, SegmentBytes: 20000, Who: "a test"}

// begin opens a spool for writing behind what it has, or from place 0.
func begin(t testing.TB, dir string, o Options) *Writer {
	t.Helper()
	w, err := Write(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	p, ok := w.End()
	if !ok {
		p = at(0)
	}
	if err := w.Begin(p, formatEvent); err != nil {
		t.Fatal(err)
	}
	return w
}

func until(n int) func(Place) (bool, error) {
	return func(p Place) (bool, error) {
		var at int
		_, err := fmt.Sscanf(p.Position, "p:%d", &at)
		return at <= n, err
	}
}

// readAll returns the numbers of the whole transactions behind a place, and what ended the reading.
func readAll(dir string, key *Key, from int) ([]int, error) {
	r, err := Read(dir, key, until(from))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var out []int
	var pending [][]byte
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			if len(pending) > 0 {
				return out, fmt.Errorf("it ends within a transaction, of which there are %d events", len(pending))
			}
			return out, nil
		}
		if err != nil {
			return out, err
		}
		if e[4] == typeRotate || e[4] == 15 {
			continue
		}
		pending = append(pending, bytes.Clone(e))
		if e[4] != 16 {
			continue
		}
		var n int
		if _, err := fmt.Sscanf(string(e[headerBytes:]), "xid %d", &n); err != nil {
			return out, err
		}
		if want := bytes.Join(txn(n), nil); !bytes.Equal(want, bytes.Join(pending, nil)) {
			return out, fmt.Errorf("transaction %d is not what was written", n)
		}
		out, pending = append(out, n), nil
	}
}

// expect reads behind a place and wants what was written up to another one; earlier transactions of the same frame may come too.
func expect(t *testing.T, dir string, key *Key, from, to int) {
	t.Helper()
	got, err := readAll(dir, key, from)
	if err != nil {
		t.Fatalf("from %d: %v (%s)", from, err, fault.HintOf(err))
	}
	for i, n := range got {
		if i > 0 && n != got[i-1]+1 {
			t.Fatalf("from %d: %d comes after %d", from, n, got[i-1])
		}
	}
	if from < to && (len(got) == 0 || got[0] > from || got[len(got)-1] != to-1) || from == to && len(got) > 0 {
		t.Fatalf("from %d to %d: %v", from, to, got)
	}
}

func TestWriteAndRead(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]*Key{"plain": nil, "encrypted": testKey(t, 1)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "spool")
			o := small
			o.Key = key
			w := begin(t, dir, o)
			write(t, w, 0, 300)
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			w = begin(t, dir, o)
			write(t, w, 300, 400)
			if err := w.Append(event(33, "unfinished")); err != nil {
				t.Fatal(err)
			}
			if err := w.Sync(); err != nil {
				t.Fatal(err)
			}
			for _, from := range []int{0, 1, 150, 299, 300, 301, 399, 400} {
				expect(t, dir, key, from, 400)
			}
			st, err := Look(dir)
			if err != nil || st.Segments < 5 || st.First != at(0) || st.Last != at(400) || st.Encrypted != (key != nil) || st.Writer == nil || st.Writer.Who != "a test" {
				t.Errorf("status %+v, %v", st, err)
			}
			raw := 0
			for n := range 400 {
				raw += len(bytes.Join(txn(n), nil))
			}
			if st.Raw != int64(raw) {
				t.Errorf("%d bytes of events, want %d", st.Raw, raw)
			}
			if _, err := Write(dir, o); fault.ClassOf(err) != fault.Busy {
				t.Errorf("a second writer: %v", err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if st, err := Look(dir); err != nil || st.Writer != nil {
				t.Errorf("a writer that is gone: %+v, %v", st, err)
			}
			text, err := os.ReadFile(segmentPath(dir, 1))
			if err != nil || bytes.Contains(text, []byte("row 1 0")) && key != nil {
				t.Errorf("a row stands there in clear, %v", err)
			}
		})
	}
}

// TestOtherKeys refuses every key but the one that the spool was begun with, and says so.
func TestOtherKeys(t *testing.T) {
	t.Parallel()
	right, other := testKey(t, 1), testKey(t, 2)
	for name, c := range map[string]struct{ with, then *Key }{
		"another": {right, other}, "none": {right, nil}, "one for a plain spool": {nil, right},
	} {
		dir := t.TempDir()
		o := small
		o.Key = c.with
		w := begin(t, dir, o)
		write(t, w, 0, 10)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := readAll(dir, c.then, 0); fault.ClassOf(err) != fault.Refused {
			t.Errorf("read with %s: %v", name, err)
		}
		o.Key = c.then
		if _, err := Write(dir, o); fault.ClassOf(err) != fault.Refused {
			t.Errorf("write with %s: %v", name, err)
		}
		expect(t, dir, c.with, 0, 10)
	}
	if _, err := ParseKey("00"); fault.ClassOf(err) != fault.Usage {
		t.Errorf("a short key: %v", err)
	}
	a, err1 := ParseKey(strings.Repeat("01", 32))
	b, err2 := ParseKey("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=")
	if err1 != nil || err2 != nil || a.id != b.id || a.id != right.id {
		t.Errorf("one key spelled twice: %v, %v", err1, err2)
	}
}

// copySpool copies the files of a spool.
func copySpool(t testing.TB, from string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// TestCutAtEveryByte ends the last file at each of its bytes: what was complete up to there is read back, nothing else, and the writer
// goes on behind it.
func TestCutAtEveryByte(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := Options{FrameBytes: 300, SegmentBytes: 9000, Key: testKey(t, 1)}
	w := begin(t, dir, o)
	write(t, w, 0, 20)
	if err := w.Sync(); err != nil {
		t.Fatal(err)
	}
	// Where transactions end in the last file: what counts must be exactly that.
	ends := map[int64]int{}
	all, err := segments(dir)
	if err != nil || len(all) < 3 {
		t.Fatalf("%v, %v", all, err)
	}
	last := all[len(all)-1]
	s, err := openSegment(dir, last, os.O_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	ends[s.start()] = number(t, s.first.place)
	if _, err := s.walk(s.start(), 1, true, func(f frame) {
		if f.end() {
			ends[f.at+f.size] = number(t, f.place)
		}
	}); err != nil {
		t.Fatal(err)
	}
	start := s.start()
	size, err := s.size()
	s.close()
	if err != nil || len(ends) < 3 {
		t.Fatalf("%v, %v", ends, err)
	}
	first := ends[start]
	shrinks := copySpool(t, dir)
	for cut := size; cut >= start; cut-- {
		complete := first
		for at, n := range ends {
			if at <= cut {
				complete = max(complete, n)
			}
		}
		if err := os.Truncate(segmentPath(shrinks, last), cut); err != nil {
			t.Fatal(err)
		}
		expect(t, shrinks, o.Key, first, complete)
		if cut%50 != 0 && ends[cut] == 0 {
			continue // writing costs syncs
		}
		torn := copySpool(t, shrinks)
		again, err := Write(torn, o)
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		p, ok := again.End()
		if !ok || number(t, p) != complete {
			t.Fatalf("cut at %d: the writer is at %+v, want %d", cut, p, complete)
		}
		if err := again.Begin(p, formatEvent); err != nil {
			t.Fatal(err)
		}
		write(t, again, complete, 25)
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
		expect(t, torn, o.Key, 0, 25)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestDamage changes each byte that was durable when more was written: that is an error which names the file, or a transaction less, never
// another transaction.
func TestDamage(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]*Key{"plain": nil, "encrypted": testKey(t, 1)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			o := Options{FrameBytes: 300, SegmentBytes: 1600, Key: key}
			w := begin(t, dir, o)
			for n := range 14 {
				write(t, w, n, n+1)
				if err := w.Sync(); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			all, err := segments(dir)
			if err != nil || len(all) < 3 {
				t.Fatalf("%v, %v", all, err)
			}
			for _, n := range all {
				path := segmentPath(dir, n)
				whole, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				s, err := openSegment(dir, n, os.O_RDONLY)
				if err != nil {
					t.Fatal(err)
				}
				synced := uint64(s.start())
				if _, err := s.walk(s.start(), 1, false, func(f frame) { synced = max(synced, f.synced) }); err != nil {
					t.Fatal(err)
				}
				s.close()
				for i := 0; i < len(whole); i += 1 + i/200*3 { // every byte of the first header, and of the others some
					b := bytes.Clone(whole)
					b[i] ^= 0x41
					if err := os.WriteFile(path, b, 0o600); err != nil {
						t.Fatal(err)
					}
					got, err := readAll(dir, key, 0)
					unsynced := n == all[len(all)-1] && uint64(i) >= synced
					switch {
					case err == nil && !unsynced:
						t.Fatalf("file %d, byte %d: no error, %v", n, i, got)
					case err == nil && len(got) != 13:
						t.Fatalf("file %d, byte %d of the last frame: %v", n, i, got)
					case err != nil && fault.ClassOf(err) == fault.Data && !strings.Contains(err.Error(), path):
						t.Fatalf("file %d, byte %d: the error names no file: %v", n, i, err)
					}
				}
				if err := os.WriteFile(path, whole, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Remove(segmentPath(dir, all[1])); err != nil {
				t.Fatal(err)
			}
			if _, err := readAll(dir, key, 0); fault.ClassOf(err) != fault.Data {
				t.Errorf("without a file: %v", err)
			}
		})
	}
}

// TestForgery exchanges bytes together with their checksum, which only a key detects.
func TestForgery(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := small
	o.Key = testKey(t, 1)
	w := begin(t, dir, o)
	write(t, w, 0, 5)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := openSegment(dir, 1, os.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	size, err := s.size()
	if err != nil {
		t.Fatal(err)
	}
	f, headBytes, _, err := readFrame(s.f, size, s.start(), &s.buf, true)
	if err != nil {
		t.Fatal(err)
	}
	moved := f.head
	moved.place = at(9) // as if more had been spooled
	forged := appendHead(nil, &moved)
	if len(forged) != len(headBytes) {
		t.Fatalf("the forged header has %d bytes, not %d", len(forged), len(headBytes))
	}
	if err := writeAt(s.f, forged, f.at); err != nil {
		t.Fatal(err)
	}
	if got, err := readAll(dir, o.Key, 0); fault.ClassOf(err) != fault.Data || !strings.Contains(err.Error(), "authentication") {
		t.Errorf("a forged header: %v, %v", got, err)
	}
}

// TestReadWhileWritten reads along, through new segments, what the writer abandons, and what it trims.
func TestReadWhileWritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := begin(t, dir, small)
	defer func() { _ = w.Close() }()
	r, err := Read(dir, nil, until(0))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if empty, err := r.Empty(); err != nil || !empty {
		t.Fatalf("empty: %v, %v", empty, err)
	}
	next := 0
	drain := func() {
		for {
			e, err := r.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if e[4] == 16 {
				if want := fmt.Sprintf("xid %d", next); string(e[headerBytes:]) != want {
					t.Fatalf("%s where %s is due", e[headerBytes:], want)
				}
				next++
			}
		}
	}
	for n := 0; n < 200; n += 5 {
		write(t, w, n, n+5)
		for range 30 { // of a transaction whose connection breaks
			if err := w.Append(event(30, strings.Repeat("gone", 50))); err != nil {
				t.Fatal(err)
			}
		}
		drain()
		if err := w.Abandon(); err != nil {
			t.Fatal(err)
		}
		drain()
		if next != n+5 {
			t.Fatalf("%d transactions were read of %d", next, n+5)
		}
		p, _ := w.End()
		if err := w.Begin(p, formatEvent); err != nil {
			t.Fatal(err)
		}
	}
}

func TestHoldsAndTrim(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := begin(t, dir, small)
	write(t, w, 0, 400)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	all, err := Segments(dir)
	if err != nil || len(all) < 5 {
		t.Fatalf("%v, %v", all, err)
	}
	needless := func(held string, end Place) (bool, error) { return until(number(t, Place{Position: held}))(end) }
	third := number(t, all[2].First)
	for _, h := range []Hold{{Migration: "a", Position: "p:400"}, {Migration: "b", Position: "p:0"}, {Migration: "b", Position: fmt.Sprint("p:", third)}} {
		if err := Keep(dir, h); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := Trim(dir, 0, needless); err != nil || n != 2 {
		t.Errorf("%d trimmed, %v", n, err)
	}
	expect(t, dir, nil, third, 400)
	if _, err := readAll(dir, nil, third-1); !errors.Is(err, ErrNotCovered) {
		t.Errorf("before it: %v", err)
	}
	if was, err := Release(dir, "b"); err != nil || !was {
		t.Errorf("released: %v, %v", was, err)
	}
	if n, err := Trim(dir, time.Hour, needless); err != nil || n != 0 {
		t.Errorf("%d trimmed that are new, %v", n, err)
	}
	if n, err := Trim(dir, 0, needless); err != nil || n != len(all)-3 {
		t.Errorf("%d trimmed of %d, %v", n, len(all)-2, err)
	}
	w = begin(t, dir, small)
	write(t, w, 400, 500)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	expect(t, dir, nil, 400, 500)
}

// TestLimit stops where the limit is, with everything before it readable, and goes on when there is room.
func TestLimit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := small
	o.Limit = 10000
	w := begin(t, dir, o)
	var err error
	n := 0
	for ; err == nil && n < 5000; n++ {
		for _, e := range txn(n) {
			err = errors.Join(err, w.Append(e))
		}
		err = errors.Join(err, w.Mark(at(n+1)))
	}
	if fault.ClassOf(err) != fault.Resource || !strings.Contains(fault.HintOf(err), "--spool-limit") {
		if e, ok := errors.AsType[*fault.Error](err); !ok || e.Class != fault.Resource {
			t.Fatalf("at the limit: %v", err)
		}
	}
	_ = w.Close() // says the same
	st, err := Look(dir)
	if err != nil || st.Disk > o.Limit || st.Disk < o.Limit/2 {
		t.Fatalf("%+v, %v", st, err)
	}
	end := number(t, st.Last)
	expect(t, dir, nil, 0, end)
	o.Limit = 0
	w = begin(t, dir, o)
	write(t, w, end, end+100)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	expect(t, dir, nil, 0, end+100)
}

func TestRotate(t *testing.T) {
	t.Parallel()
	b := rotate(at(7), true)
	if n := binary.LittleEndian.Uint32(b[9:]); int(n) != len(b) || crc32.ChecksumIEEE(b[:len(b)-4]) != binary.LittleEndian.Uint32(b[len(b)-4:]) {
		t.Errorf("%x", b)
	}
	if got, want := string(b[headerBytes+8:len(b)-4]), "binlog.000001"; got != want {
		t.Errorf("it names %q", got)
	}
}
