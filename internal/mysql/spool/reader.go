package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"slices"

	"github.com/bascule/bascule/internal/fault"
)

// ErrNotCovered says that a spool begins too late, or that there is none.
var ErrNotCovered = errors.New("the spool does not reach back to the position")

// A Reader reads events from a spool, also while another process writes it. It is not safe for concurrent use.
type Reader struct {
	dir   string
	open  *opener
	seg   *segment
	at    int64 // of the frame that comes next
	index uint32
	ready []frame // frames up to an end frame
	buf   []byte  // events
	used  int     // bytes of buf that were returned
	queue [][]byte
	place Place // of the last end frame that was taken in
	only  bool  // no segment but this one
	crc   int   // whether events that were returned have checksums: 1 yes, 0 no, -1 nobody knows yet
}

// Read opens a spool at the last of its places that within reports true for, which must be true for all places before one for which it is
// true. It is ErrNotCovered when there is none.
func Read(dir string, key *Key, within func(Place) (bool, error)) (*Reader, error) {
	all, err := segments(dir)
	if err != nil {
		return nil, err
	}
	for _, n := range slices.Backward(all) {
		s, err := openSegment(dir, n, os.O_RDONLY)
		if errors.Is(err, os.ErrNotExist) { // trimmed meanwhile
			return nil, ErrNotCovered
		}
		if err != nil {
			return nil, err
		}
		in, err := within(s.first.place)
		if err == nil && in {
			return newReader(dir, key, s, within)
		}
		s.close()
		if err != nil {
			return nil, err
		}
	}
	return nil, ErrNotCovered
}

// ReadSegment opens one segment of a spool, by the number that Segments gives it. Next returns io.EOF at its end.
func ReadSegment(dir string, key *Key, n uint64) (*Reader, error) {
	s, err := openSegment(dir, n, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	r, err := newReader(dir, key, s, func(Place) (bool, error) { return false, nil })
	if err == nil {
		r.only = true
	}
	return r, err
}

func newReader(dir string, key *Key, s *segment, within func(Place) (bool, error)) (*Reader, error) {
	o, err := newOpener(key)
	if err != nil {
		s.close()
		return nil, err
	}
	r := &Reader{dir: dir, open: o, crc: -1}
	at, index, place := s.start(), uint32(1), s.first.place
	var failed error
	_, why := s.walk(at, index, false, func(f frame) {
		if failed != nil || !f.end() {
			return
		}
		in, err := within(f.place)
		if failed = err; in {
			at, index, place = f.at+f.size, f.index+1, f.place
		}
	})
	if why != nil && !errors.Is(why, errShort) && !errors.Is(why, errBad) { // what is broken is met again, if it matters
		failed = errors.Join(failed, why)
	}
	if failed == nil {
		failed = r.enter(s, at, index, place)
	} else {
		s.close()
	}
	if failed != nil {
		r.Close()
		return nil, failed
	}
	return r, nil
}

// enter begins to read a segment, with events that say where that is.
func (r *Reader) enter(s *segment, at int64, index uint32, place Place) error {
	var format []byte
	size, err := s.size()
	if err == nil {
		err = r.take(s, size, s.first, &format)
	}
	if err != nil {
		s.close()
		return err
	}
	if len(format) < minFormat {
		s.close()
		return damaged(s.path, s.first.at, errors.New("it holds no FORMAT_DESCRIPTION"))
	}
	if r.seg != nil {
		r.seg.close()
	}
	r.buf, r.used = r.buf[:0], 0 // all of it was returned; what was returned last stays as it is until Next reads on
	r.seg, r.at, r.index, r.place = s, at, index, place
	own := int(format[len(format)-checkSize-1] & 1)
	if r.crc < 0 {
		r.crc = own
	}
	r.queue = [][]byte{rotate(place, r.crc == 1), format}
	r.crc = own
	return nil
}

// take appends the events of a frame.
func (r *Reader) take(s *segment, size int64, f frame, into *[]byte) error {
	again, headBytes, payload, err := readFrame(s.f, size, f.at, &s.buf, true)
	if err == nil && (again.index != f.index || again.segment != s.n) {
		err = errBad
	}
	if err == nil {
		*into, err = r.open.open(*into, &again.head, headBytes, payload)
		if fault.ClassOf(err) == fault.Refused {
			return err
		}
	}
	if err != nil {
		return damaged(s.path, f.at, err)
	}
	return nil
}

// Next returns the next event, valid until the next call, or io.EOF at the end of what is complete now; more may come later. Events
// that say from which file those behind them are, and in which format, come as a server sends them.
func (r *Reader) Next() ([]byte, error) {
	for {
		if len(r.queue) > 0 {
			e := r.queue[0]
			r.queue = r.queue[1:]
			return e, nil
		}
		if e, ok := r.whole(); ok {
			r.used += len(e)
			return e, nil
		}
		if more, err := r.more(); err != nil {
			return nil, err
		} else if !more {
			return nil, io.EOF
		}
	}
}

// whole returns the next event of what was read, if all of it is there.
func (r *Reader) whole() ([]byte, bool) {
	b := r.buf[r.used:]
	if len(b) < headerBytes {
		return nil, false
	}
	n := uint64(binary.LittleEndian.Uint32(b[9:]))
	if n < headerBytes || n > uint64(len(b)) {
		return nil, false
	}
	return b[:n], true
}

// Ready reports whether Next has an event.
func (r *Reader) Ready() bool {
	if len(r.queue) > 0 || len(r.ready) > 0 {
		return true
	}
	if _, ok := r.whole(); ok {
		return true
	}
	more, err := r.look()
	return more || err != nil
}

// Empty reports whether Next has nothing yet but what says where the reader stands.
func (r *Reader) Empty() (bool, error) {
	for {
		queue := r.queue
		r.queue = nil
		more, err := r.look()
		entered := len(r.queue) > 0
		if !entered {
			r.queue = queue
		}
		if err != nil || !more || !entered {
			return !more, err
		}
	}
}

// more takes in a frame, or moves on to the next segment. It reports false at the end.
func (r *Reader) more() (bool, error) {
	if more, err := r.look(); err != nil || !more {
		return false, err
	}
	if len(r.queue) > 0 { // a segment was entered
		return true, nil
	}
	f := r.ready[0]
	size, err := r.seg.size()
	if err != nil {
		return false, err
	}
	r.buf = r.buf[:copy(r.buf, r.buf[r.used:])]
	r.used = 0
	if err := r.take(r.seg, size, f, &r.buf); err != nil {
		return false, err
	}
	r.ready = r.ready[1:]
	r.at, r.index = f.at+f.size, f.index+1
	if f.end() {
		r.place = f.place
		return true, r.checkEnd(f)
	}
	return true, nil
}

// checkEnd makes sure that the events that were taken in end where the frame does.
func (r *Reader) checkEnd(f frame) error {
	at := r.used
	for at < len(r.buf) {
		rest := r.buf[at:]
		if len(rest) < headerBytes {
			break
		}
		n := int(binary.LittleEndian.Uint32(rest[9:]))
		if n < headerBytes || n > len(rest) {
			break
		}
		at += n
	}
	if at != len(r.buf) {
		return damaged(r.seg.path, f.at, errors.New("its last event is not whole"))
	}
	return nil
}

// look finds frames up to an end frame, or enters the next segment when this one is read to its end. It reports whether there is more.
func (r *Reader) look() (bool, error) {
	if len(r.ready) > 0 || len(r.queue) > 0 {
		return true, nil
	}
	// Asked before the frames: what the writer adds between the two belongs to this segment then.
	_, err := os.Stat(segmentPath(r.dir, r.seg.n+1))
	last := errors.Is(err, os.ErrNotExist)
	if err != nil && !last {
		return false, diskFault("read the spool "+r.dir, err)
	}
	var found []frame
	complete := 0
	at, why := r.seg.walk(r.at, r.index, false, func(f frame) {
		found = append(found, f)
		if f.end() {
			complete = len(found)
		}
	})
	if complete > 0 {
		r.ready = found[:complete]
		return true, nil
	}
	if why != nil || len(found) > 0 || last {
		return false, r.broken(at, why, last)
	}
	if r.only {
		return false, nil
	}
	s, err := openSegment(r.dir, r.seg.n+1, os.O_RDONLY)
	if err != nil {
		return false, err
	}
	if s.first.place.Position != r.place.Position {
		defer s.close()
		return false, damaged(s.path, s.first.at, fmt.Errorf("it begins at %s, and the file before it ends at %s", s.first.place.Position, r.place.Position))
	}
	return true, r.enter(s, s.start(), 1, s.first.place)
}

// broken says what it means that no more frames can be read: nothing at the end of the last segment, damage elsewhere.
func (r *Reader) broken(at int64, why error, last bool) error {
	switch {
	case why == nil && last:
		return nil
	case why == nil:
		why = errors.New("it ends within a transaction, and another file follows")
	case !errors.Is(why, errShort) && !errors.Is(why, errBad):
		return why
	case last:
		if _, err := r.seg.tail(true, false); err != nil {
			return err
		}
		return nil
	}
	return damaged(r.seg.path, at, why)
}

// Close closes the spool.
func (r *Reader) Close() {
	if r.seg != nil {
		r.seg.close()
	}
	r.open.dec.Close()
}

const (
	// headerBytes is the length of an event's header: time 4, type 1, server 4, size 4, end position 4, flags 2.
	headerBytes = 19
	// minFormat is the least that a FORMAT_DESCRIPTION has.
	minFormat = headerBytes + 2 + 50 + 4 + 1 + 1 + checkSize

	typeRotate     = 4
	flagArtificial = 0x20
)

// rotate makes the event with which a server says where what it sends comes from: position 8, name.
func rotate(p Place, checked bool) []byte {
	n := headerBytes + 8 + len(p.File)
	if checked {
		n += checkSize
	}
	le := binary.LittleEndian
	b := append(make([]byte, 0, n), 0, 0, 0, 0, typeRotate, 0, 0, 0, 0)
	b = le.AppendUint32(b, uint32(n))
	b = le.AppendUint32(b, 0)
	b = le.AppendUint16(b, flagArtificial)
	b = le.AppendUint64(b, p.Off)
	b = append(b, p.File...)
	if checked {
		b = le.AppendUint32(b, crc32.ChecksumIEEE(b))
	}
	return b
}
