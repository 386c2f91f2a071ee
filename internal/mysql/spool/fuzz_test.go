package spool

import (
	"errors"
	"os"
	"testing"

	"github.com/bascule/bascule/internal/fault"
)

// FuzzSegment takes any bytes for the last file of a spool: no panic, and nothing that was not written under the key.
func FuzzSegment(f *testing.F) {
	dir := f.TempDir()
	w := begin(f, dir, Options{FrameBytes: 300, SegmentBytes: 1 << 20})
	write(f, w, 0, 6)
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	whole, err := os.ReadFile(segmentPath(dir, 1))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte(segmentMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(segmentPath(dir, 1), b, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := Read(dir, nil, func(Place) (bool, error) { return true, nil })
		if err == nil {
			for range 1000 {
				if _, err = r.Next(); err != nil {
					break
				}
			}
			r.Close()
		}
		if r, err = ReadSegment(dir, nil, 1); err == nil {
			for range 1000 {
				if _, err = r.Next(); err != nil {
					break
				}
			}
			r.Close()
		}
		if _, err := Look(dir); err != nil && fault.ClassOf(err) == fault.Internal {
			t.Errorf("look: %v", err)
		}
		if w, err := Write(dir, Options{}); err == nil {
			if p, ok := w.End(); !ok || p.Position == "" && len(b) < len(segmentMagic) {
				t.Errorf("a spool ends at %+v", p)
			}
			_ = w.Close() // only that it does not panic
		}
	})
}

// FuzzHead holds the header's two directions together.
func FuzzHead(f *testing.F) {
	f.Add([]byte("gtid:1-3"), "binlog.000001", uint64(7), uint32(3))
	f.Fuzz(func(t *testing.T, position []byte, file string, off uint64, index uint32) {
		h := head{flags: flagEnd, index: index, segment: off / 2, synced: off / 3, stored: index, raw: index % maxRaw, place: Place{Position: string(position), File: file, Off: off}}
		b := appendHead([]byte("before"), &h)[len("before"):]
		got, n, err := parseHead(append(b, "after"...))
		if err != nil || n != len(b) || got != h {
			t.Errorf("%+v became %+v, %v", h, got, err)
		}
		for _, cut := range []int{0, 7, 8, n - 1} {
			if _, _, err := parseHead(b[:cut]); !errors.Is(err, errShort) {
				t.Errorf("cut at %d: %v", cut, err)
			}
		}
	})
}
