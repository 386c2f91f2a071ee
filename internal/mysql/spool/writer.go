package spool

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bascule/bascule/internal/fault"
)

const (
	// frameBytes is about how many bytes of events a frame holds; segmentBytes the same for a segment.
	frameBytes   = 1 << 20
	segmentBytes = 64 << 20
	// syncBytes and syncEvery bound what a power cut takes away; it is read again from the server.
	syncBytes = 16 << 20
	syncEvery = time.Second
	// spare is what a spool leaves free on its disk, for everybody else who writes there.
	spare = 256 << 20
)

// Options say how a spool is written. The zero value works.
type Options struct {
	// Key encrypts it; nil does not.
	Key *Key
	// Who says who writes, for people.
	Who string
	// Limit is how many bytes of files it may have; 0 is as many as the disk has, less some 256 MiB.
	Limit int64
	// FrameBytes and SegmentBytes are 1 MiB and 64 MiB unless set.
	FrameBytes, SegmentBytes int
}

// A Writer appends to a spool. It is not safe for concurrent use.
type Writer struct {
	dir  string
	o    Options
	lock *os.File
	seal *sealer

	seg    *segment
	tail   tail // up to the last end frame that was written
	size   int64
	index  uint32
	synced int64
	when   time.Time // of the last sync
	before int64     // bytes of all finished segments
	asked  int64     // bytes written since the disk was asked for its room

	buf      []byte // events that are in no frame
	mark     int    // bytes of buf up to the last place
	place    Place  // there
	pending  bool   // the last place is in no frame
	rawSeg   int64  // bytes of events in the segment's frames
	format   []byte // the FORMAT_DESCRIPTION of the segment
	finished bool   // the segment has room no more
}

// Write takes a spool for this process, makes its folder if there is none, cuts off what a process that died had not finished, and
// proves that the key is the one that it was begun with. When another process has it, the error is fault.Busy and says who.
func Write(dir string, o Options) (*Writer, error) {
	if o.FrameBytes == 0 {
		o.FrameBytes = frameBytes
	}
	if o.SegmentBytes == 0 {
		o.SegmentBytes = segmentBytes
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, diskFault("make the spool "+dir, err)
	}
	l, err := lock(dir, o.Who)
	if err != nil {
		return nil, err
	}
	w := &Writer{dir: dir, o: o, lock: l, when: time.Now()}
	if err := w.recover(); err != nil {
		_ = w.Close() // the error above is the one that matters
		return nil, err
	}
	return w, nil
}

func (w *Writer) recover() (err error) {
	if w.seal, err = newSealer(w.o.Key); err != nil {
		return err
	}
	all, err := segments(w.dir)
	if err != nil || len(all) == 0 {
		return err
	}
	if w.seg, err = openSegment(w.dir, all[len(all)-1], os.O_RDWR); err != nil {
		return err
	}
	if err := w.o.Key.fits(&w.seg.first.head); err != nil {
		return err
	}
	if w.tail, err = w.seg.tail(true, true); err != nil {
		return err
	}
	w.finished = true // a connection begins with a FORMAT_DESCRIPTION of its own
	if err := w.cut(); err != nil {
		return err
	}
	return w.count()
}

// count adds up the files of all segments before this one: others may have trimmed them.
func (w *Writer) count() error {
	all, err := segments(w.dir)
	if err != nil {
		return err
	}
	w.before = 0
	for _, n := range all {
		info, err := os.Stat(segmentPath(w.dir, n))
		switch {
		case errors.Is(err, os.ErrNotExist) || n == w.seg.n:
		case err != nil:
			return diskFault("read the spool "+w.dir, err)
		default:
			w.before += info.Size()
		}
	}
	return nil
}

// cut ends the segment behind the last end frame.
func (w *Writer) cut() error {
	w.buf, w.mark, w.place, w.pending = w.buf[:0], 0, w.tail.last.place, false
	w.size, w.index, w.rawSeg = w.tail.size, w.tail.frames, w.tail.raw
	if err := w.seg.f.Truncate(w.size); err != nil {
		return diskFault("cut the spool's file "+w.seg.path, err)
	}
	w.synced = min(w.synced, w.size)
	return w.sync()
}

// End returns the place behind all that is in frames, or false for an empty spool.
func (w *Writer) End() (Place, bool) {
	if w.seg == nil {
		return Place{}, false
	}
	return w.tail.last.place, true
}

// Abandon forgets the events behind the last place, which will come again.
func (w *Writer) Abandon() error {
	if w.seg == nil {
		return nil
	}
	if err := w.flush(); err != nil {
		return err
	}
	w.finished = true
	return w.cut()
}

// Clear removes every segment: nobody needs them, and what comes next does not join them.
func (w *Writer) Clear() error {
	if w.seg != nil {
		w.seg.close()
	}
	w.seg, w.tail, w.before = nil, tail{}, 0
	w.buf, w.mark, w.pending = w.buf[:0], 0, false
	all, err := segments(w.dir)
	if err != nil {
		return err
	}
	for _, n := range all { // oldest first, so that what a crash leaves is whole
		if err := remove(w.dir, n); err != nil {
			return err
		}
	}
	return diskFault("clear the spool "+w.dir, syncDir(w.dir))
}

// Begin starts a segment: the events that follow come from that place, and are of that FORMAT_DESCRIPTION, whose end position is 0. It is
// durable when Begin returns.
func (w *Writer) Begin(at Place, format []byte) error {
	n := uint64(1)
	if w.seg != nil {
		if err := w.Sync(); err != nil {
			return err
		}
		if len(w.buf) > 0 || w.tail.size != w.size {
			return fault.New(fault.Internal, "spool the binlog", fmt.Errorf("a segment would begin within a transaction behind %s", w.tail.last.place.Position), "")
		}
		if end := w.tail.last.place; end.Position != at.Position {
			return fault.New(fault.Internal, "spool the binlog", fmt.Errorf("%s does not follow %s", at.Position, end.Position), "")
		}
		if err := w.close(); err != nil {
			return err
		}
		n = w.seg.n + 1
	}
	h := head{flags: flagEnd | flagContext, segment: n, place: at}
	framed, err := w.seal.seal(&h, format)
	if err != nil {
		return err
	}
	if err := w.room(int64(len(framed))); err != nil {
		return err
	}
	err = replaceFile(segmentPath(w.dir, n), func(f io.Writer) error {
		_, err := f.Write(append([]byte(segmentMagic), framed...))
		return err
	})
	if err != nil {
		return diskFault("begin the spool's file "+segmentPath(w.dir, n), err)
	}
	if w.seg, err = openSegment(w.dir, n, os.O_RDWR); err != nil {
		return err
	}
	w.tail = tail{last: w.seg.first, frames: 1, size: w.seg.start()}
	w.size, w.index, w.rawSeg = w.tail.size, 1, 0
	w.synced, w.place, w.finished = w.size, at, false
	w.format = append(w.format[:0], format...)
	return w.count()
}

// close writes the segment's index.
func (w *Writer) close() error {
	s := w.seg
	defer s.close()
	sum := Summary{First: s.first.place, Last: w.tail.last.place, Raw: w.tail.raw, Disk: w.size}
	w.size, w.synced = 0, 0
	err := replaceFile(indexPath(w.dir, s.n), func(f io.Writer) error { return json.NewEncoder(f).Encode(sum) })
	return diskFault("index the spool's file "+s.path, err)
}

// Append takes one event as the server sent it.
func (w *Writer) Append(event []byte) error {
	if w.seg == nil || w.finished {
		return fault.New(fault.Internal, "spool the binlog", errors.New("an event comes before its segment"), "")
	}
	w.buf = append(w.buf, event...)
	for len(w.buf) >= w.o.FrameBytes {
		if err := w.flush(); err != nil {
			return err
		}
		if n := w.o.FrameBytes; len(w.buf) >= n {
			if err := w.frame(w.buf[:n], 0, w.tail.last.place); err != nil {
				return err
			}
			w.buf = w.buf[:copy(w.buf, w.buf[n:])]
		}
	}
	return nil
}

// Mark says that what was appended last ends a transaction, and where the log stands behind it.
func (w *Writer) Mark(at Place) error {
	if w.seg == nil {
		return nil // nothing has begun
	}
	w.mark, w.place, w.pending = len(w.buf), at, true
	due := time.Since(w.when) >= syncEvery
	if len(w.buf) < w.o.FrameBytes/2 && !due {
		return nil
	}
	if err := w.flush(); err != nil {
		return err
	}
	if w.rawSeg >= int64(w.o.SegmentBytes) {
		return w.Begin(at, w.format)
	}
	if due || w.size-w.synced >= syncBytes {
		return w.sync()
	}
	return nil
}

// Sync makes everything up to the last place durable, and visible to readers.
func (w *Writer) Sync() error {
	if w.seg == nil {
		return nil
	}
	if err := w.flush(); err != nil {
		return err
	}
	return w.sync()
}

// flush writes what is complete into a frame.
func (w *Writer) flush() error {
	if !w.pending {
		return nil
	}
	if w.mark > 0 || w.tail.size != w.size || !w.place.same(w.tail.last.place) {
		if err := w.frame(w.buf[:w.mark], flagEnd, w.place); err != nil {
			return err
		}
	}
	w.buf = w.buf[:copy(w.buf, w.buf[w.mark:])]
	w.mark, w.pending = 0, false
	return nil
}

// frame writes a frame behind the last one.
func (w *Writer) frame(events []byte, flags byte, at Place) error {
	h := head{flags: flags, index: w.index, segment: w.seg.n, synced: uint64(w.synced), place: at}
	b, err := w.seal.seal(&h, events)
	if err != nil {
		return err
	}
	if err := w.room(int64(len(b))); err != nil {
		return err
	}
	if _, err := w.seg.f.WriteAt(b, w.size); err != nil {
		return diskFault("write the spool's file "+w.seg.path, err)
	}
	f := frame{head: h, at: w.size, size: int64(len(b))}
	w.size += f.size
	w.index++
	w.rawSeg += int64(len(events))
	if f.end() {
		w.tail = tail{last: f, raw: w.rawSeg, frames: w.index, size: w.size}
	}
	return nil
}

func (w *Writer) sync() error {
	w.when = time.Now()
	if w.synced == w.size {
		return nil
	}
	if err := w.seg.f.Sync(); err != nil {
		return diskFault("make the spool's file "+w.seg.path+" durable", err)
	}
	w.synced = w.size
	return nil
}

// room refuses what would pass the limit, or leave others nothing of the disk.
func (w *Writer) room(n int64) error {
	op := "spool the binlog into " + w.dir
	if has := w.before + w.size + n; w.o.Limit > 0 && has > w.o.Limit {
		return fault.New(fault.Resource, op, fmt.Errorf("it may have %d bytes and needs more", w.o.Limit), roomHint)
	}
	if w.asked -= n; w.asked > 0 {
		return nil
	}
	free, err := Free(w.dir)
	if err != nil {
		return diskFault(op, err)
	}
	if free < spare+n {
		return fault.New(fault.Resource, op, fmt.Errorf("its disk has %d bytes left, and %d are left to others", free, int64(spare)), roomHint)
	}
	w.asked = min((free-spare)/2, syncBytes)
	return nil
}

// Close ends the work, with everything up to the last place durable unless an earlier error stands in the way, and lets another process write.
func (w *Writer) Close() error {
	var err error
	if w.seg != nil {
		if !w.finished {
			err = w.Sync()
		}
		w.seg.close()
	}
	if w.seal != nil {
		err = errors.Join(err, w.seal.enc.Close())
	}
	return errors.Join(err, w.lock.Close())
}

// Free is how many bytes a user may still write to the disk of a folder.
func Free(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * int64(st.Bsize), nil //nolint:unconvert // both have other types elsewhere
}
