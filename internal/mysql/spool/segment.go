package spool

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/bascule/bascule/internal/fault"
)

const (
	segmentSuffix = ".seg"
	indexSuffix   = ".idx"
	newSuffix     = ".new"
)

func segmentName(n uint64) string { return fmt.Sprintf("%08d%s", n, segmentSuffix) }

func segmentPath(dir string, n uint64) string { return filepath.Join(dir, segmentName(n)) }

func indexPath(dir string, n uint64) string {
	return strings.TrimSuffix(segmentPath(dir, n), segmentSuffix) + indexSuffix
}

// segments lists the numbers of a spool's segments in rising order. A number that is missing among them is damage.
func segments(dir string) ([]uint64, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, diskFault("read the spool "+dir, err)
	}
	var out []uint64
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), segmentSuffix)
		if !ok {
			continue
		}
		if n, err := strconv.ParseUint(name, 10, 64); err == nil && segmentName(n) == e.Name() {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	for i := range out {
		if want := out[0] + uint64(i); out[i] != want {
			return nil, damaged(segmentPath(dir, want), 0, errors.New("it is missing"))
		}
	}
	return out, nil
}

// damageHint is what helps when what was spooled is damaged: nothing but another copy, or the file from elsewhere.
const damageHint = "the spool cannot be trusted: bring the file back from a backup of it; or begin anew: remove the spool's folder, then bascule db drop and bascule db copy"

// damaged says which bytes cannot be trusted.
func damaged(path string, at int64, err error) error {
	return fault.New(fault.Data, fmt.Sprintf("read the spool's file %s at offset %d", path, at), err, damageHint)
}

// A segment is an open file and what its first frame says.
type segment struct {
	n    uint64
	path string
	f    *os.File
	// first is the place where it begins.
	first frame
	buf   []byte
}

// openSegment opens a file and reads where it begins. Its first frame was durable before the file had its name.
func openSegment(dir string, n uint64, mode int) (*segment, error) {
	s := &segment{n: n, path: segmentPath(dir, n)}
	var err error
	if s.f, err = os.OpenFile(s.path, mode, 0); err != nil {
		return nil, diskFault("open the spool's file "+s.path, err)
	}
	if err = s.begin(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *segment) close() { _ = s.f.Close() } // what matters was synced

func (s *segment) begin() error {
	magic := make([]byte, len(segmentMagic))
	if _, err := s.f.ReadAt(magic, 0); err != nil || string(magic) != segmentMagic {
		return damaged(s.path, 0, cmp.Or(err, errors.New("it is no file of a spool that this version knows")))
	}
	size, err := s.size()
	if err != nil {
		return err
	}
	at := int64(len(segmentMagic))
	f, _, _, err := readFrame(s.f, size, at, &s.buf, true)
	if err == nil && (f.flags&flagContext == 0 || f.segment != s.n || f.index != 0) {
		err = errors.New("it does not begin the segment")
	}
	if err != nil {
		return damaged(s.path, at, err)
	}
	s.first = f
	return nil
}

func (s *segment) size() (int64, error) {
	info, err := s.f.Stat()
	if err != nil {
		return 0, diskFault("read the spool's file "+s.path, err)
	}
	return info.Size(), nil
}

// walk calls fn for each frame from one on, up to the end of the file or to the first that is not whole, and returns where that is and
// why. With verify the payloads' checksums count.
func (s *segment) walk(at int64, index uint32, verify bool, fn func(frame)) (int64, error) {
	size, err := s.size()
	if err != nil {
		return at, err
	}
	for at < size {
		f, _, _, err := readFrame(s.f, size, at, &s.buf, verify)
		if err != nil {
			return at, err
		}
		if f.segment != s.n || f.index != index {
			return at, errBad
		}
		fn(f)
		at += f.size
		index++
	}
	return at, nil
}

// start is where the frame behind the first one is.
func (s *segment) start() int64 { return s.first.at + s.first.size }

// A tail is how a segment ends.
type tail struct {
	last    frame  // the last end frame
	raw     int64  // bytes of events up to its end
	frames  uint32 // up to and including it
	size    int64  // where it ends
	removes bool   // bytes follow that do not count
}

// tail finds the last end frame. What stands behind it and was never durable is not damage when the segment is the spool's last.
func (s *segment) tail(last, verify bool) (tail, error) {
	t := tail{last: s.first, frames: 1, size: s.start()}
	raw, synced := int64(0), uint64(0)
	at, why := s.walk(s.start(), 1, verify, func(f frame) {
		raw += int64(f.raw)
		synced = max(synced, f.synced)
		if f.end() {
			t.last, t.raw, t.frames, t.size = f, raw, f.index+1, f.at+f.size
		}
	})
	if why != nil && !errors.Is(why, errShort) && !errors.Is(why, errBad) {
		return t, why
	}
	size, err := s.size()
	if err != nil {
		return t, err
	}
	if why != nil {
		later, err := laterSynced(s.f, size, at)
		if err != nil {
			return t, diskFault("read the spool's file "+s.path, err)
		}
		synced = max(synced, later)
	}
	t.removes = t.size < size
	switch {
	case why != nil && (!last || synced > uint64(at)):
		return t, damaged(s.path, at, why)
	case !last && t.removes:
		return t, damaged(s.path, t.size, errors.New("it ends within a transaction, and another file follows"))
	}
	return t, nil
}

// A Summary is what a segment, or several, hold.
type Summary struct {
	First Place `json:"first"`
	Last  Place `json:"last"`
	// Raw are bytes of events, Disk those of files.
	Raw  int64 `json:"raw_bytes"`
	Disk int64 `json:"disk_bytes"`
}

// summary reads the index of a finished segment, or the segment.
func summary(dir string, n uint64, last bool) (Summary, error) {
	var sum Summary
	info, err := os.Stat(segmentPath(dir, n))
	if err != nil {
		return sum, diskFault("read the spool", err)
	}
	if text, err := os.ReadFile(indexPath(dir, n)); err == nil && json.Unmarshal(text, &sum) == nil && sum.Disk == info.Size() {
		return sum, nil
	}
	s, err := openSegment(dir, n, os.O_RDONLY)
	if err != nil {
		return sum, err
	}
	defer s.close()
	t, err := s.tail(last, false)
	return Summary{First: s.first.place, Last: t.last.place, Raw: t.raw, Disk: t.size}, err
}

// syncDir makes the names in a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// replaceFile writes a file whole and durably, or not at all. Several processes may write the same one.
func replaceFile(path string, write func(io.Writer) error) error {
	part := fmt.Sprintf("%s.%d%s", path, os.Getpid(), newSuffix)
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(write(f), f.Sync(), f.Close()); err != nil {
		_ = os.Remove(part) // the error above is the one that matters
		return err
	}
	if err := os.Rename(part, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}
