package mysql

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"unsafe"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/mysql/binlog"
)

// heldInMemory bounds what prepared transactions take of memory, all together.
const heldInMemory = 16 << 20

// held are the prepared transactions whose rows wait for XA COMMIT.
type held struct {
	all    map[binlog.XAID]*hold
	memory int
	tables []*change.Select
}

// A hold is the rows of one prepared transaction, in memory or in a file that has no name any more.
type hold struct {
	of   *held
	mem  bytes.Buffer
	file *os.File
	w    *bufio.Writer
	rows int // row events
}

// start returns an empty hold.
func (h *held) start() *hold { return &hold{of: h} }

// keep remembers a prepared transaction.
func (h *held) keep(id binlog.XAID, x *hold) {
	h.drop(id)
	if h.all == nil {
		h.all = map[binlog.XAID]*hold{}
	}
	h.all[id] = x
}

// take hands a transaction over, or nil.
func (h *held) take(id binlog.XAID) *hold {
	x := h.all[id]
	delete(h.all, id)
	return x
}

// drop forgets a transaction.
func (h *held) drop(id binlog.XAID) {
	if x := h.take(id); x != nil {
		x.close()
	}
}

func (h *held) close() {
	for id := range h.all {
		h.drop(id)
	}
}

func (x *hold) close() {
	x.of.memory -= x.mem.Len()
	x.mem = bytes.Buffer{}
	if x.file != nil {
		_ = x.file.Close() // it has no name, and nobody reads it again
		x.file = nil
	}
}

// add appends rows: the table's number, the operation and whether there were cascades, then each batch with its counts.
func (x *hold) add(r *change.Rows) error {
	table := -1
	for i, t := range x.of.tables {
		if t == r.Table {
			table = i
		}
	}
	head := binary.LittleEndian.AppendUint32(nil, uint32(table))
	head = append(head, byte(r.Op), 0)
	if r.Cascades {
		head[5] = 1
	}
	x.rows++
	if err := x.write(head); err != nil {
		return err
	}
	for _, b := range []*change.Batch{&r.Old, &r.New} {
		counts := binary.LittleEndian.AppendUint32(nil, uint32(b.Rows))
		counts = binary.LittleEndian.AppendUint32(counts, uint32(b.Columns))
		counts = binary.LittleEndian.AppendUint32(counts, uint32(len(b.Data)))
		if err := errors.Join(x.write(counts), x.write(spanBytes(b.Spans[:b.Rows*b.Columns])), x.write(b.Data)); err != nil {
			return err
		}
	}
	return nil
}

// spanBytes is the memory of spans: they come back in this very process.
func spanBytes(s []change.Span) []byte {
	if len(s) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&s[0])), len(s)*int(unsafe.Sizeof(s[0]))) //nolint:gosec // two uint32 without padding
}

// write appends bytes, and moves to a file when memory has no room.
func (x *hold) write(p []byte) error {
	if x.file == nil && x.of.memory+len(p) > heldInMemory {
		if err := x.spill(); err != nil {
			return fault.New(fault.Resource, "hold a prepared transaction", err, "make room in the folder for temporary files (TMPDIR)")
		}
	}
	if x.file == nil {
		x.of.memory += len(p)
		x.mem.Write(p)
		return nil
	}
	_, err := x.w.Write(p)
	return fault.New(fault.Resource, "hold a prepared transaction", err, "make room in the folder for temporary files (TMPDIR)")
}

func (x *hold) spill() error {
	f, err := os.CreateTemp("", "bascule-xa-*")
	if err != nil {
		return err
	}
	os.Remove(f.Name()) // it lives as long as it is open
	x.file, x.w = f, bufio.NewWriterSize(f, 1<<20)
	_, err = x.w.Write(x.mem.Bytes())
	x.of.memory -= x.mem.Len()
	x.mem = bytes.Buffer{}
	return err
}

// A replay reads a hold.
type replay struct {
	x     *hold
	r     io.Reader
	begun bool
	done  int // row events
	rows  change.Rows
}

func (x *hold) replay() (*replay, error) {
	if x.file == nil {
		return &replay{x: x, r: &x.mem}, nil
	}
	if err := x.w.Flush(); err != nil {
		return nil, err
	}
	if _, err := x.file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return &replay{x: x, r: bufio.NewReaderSize(x.file, 1<<20)}, nil
}

// next reads the next row event.
func (p *replay) next() (*change.Rows, error) {
	var head [6]byte
	if err := p.read(head[:]); err != nil {
		return nil, err
	}
	p.rows.Table = p.x.of.tables[binary.LittleEndian.Uint32(head[:])]
	p.rows.Op, p.rows.Cascades = change.Op(head[4]), head[5] != 0
	p.done++
	return &p.rows, errors.Join(p.batch(&p.rows.Old), p.batch(&p.rows.New))
}

func (p *replay) batch(b *change.Batch) error {
	var counts [12]byte
	if err := p.read(counts[:]); err != nil {
		return err
	}
	b.Rows, b.Columns = int(binary.LittleEndian.Uint32(counts[:])), int(binary.LittleEndian.Uint32(counts[4:]))
	b.Spans = make([]change.Span, b.Rows*b.Columns)
	b.Data = make([]byte, binary.LittleEndian.Uint32(counts[8:]))
	return errors.Join(p.read(spanBytes(b.Spans)), p.read(b.Data))
}

// read fills b; what leaves memory is given back to the budget.
func (p *replay) read(b []byte) error {
	n, err := io.ReadFull(p.r, b)
	if p.x.file == nil {
		p.x.of.memory -= n
	}
	return err
}

// beginXA lets the rows that follow wait.
func (f *feed) beginXA(id binlog.XAID) {
	f.txn.inside, f.txn.xa = true, id
	if f.txn.hold == nil {
		f.txn.hold = f.held.start()
	}
}

// prepared ends the first phase of an XA transaction, or with OnePhase the whole.
func (f *feed) prepared(ev *binlog.Event) (bool, error) {
	x := f.txn.hold
	if x == nil {
		return false, fault.New(fault.Data, "read the binlog", fmt.Errorf("XA PREPARE of %s without its XA START", xaText(ev.XA.ID)), "")
	}
	if ev.XA.OnePhase {
		return false, f.deliver(x)
	}
	f.held.keep(ev.XA.ID, x)
	return false, f.pass()
}

// completed takes XA COMMIT.
func (f *feed) completed(ctx context.Context, id binlog.XAID) (bool, error) {
	x := f.held.take(id)
	if x == nil && f.blind {
		return false, f.pass()
	}
	if x == nil && f.suspects {
		f.out, f.queue = f.begin(), append(f.queue[:0], f.end())
		return true, nil
	}
	if x == nil {
		var err error
		if x, err = f.seek(ctx, id); err != nil {
			return false, err
		}
	}
	return false, f.deliver(x)
}

// deliver begins to replay held rows within the current transaction.
func (f *feed) deliver(x *hold) (err error) {
	if x.rows == 0 {
		x.close()
		return f.pass()
	}
	f.replay, err = x.replay()
	return err
}

// replayed fills f.out with the next event of a replay.
func (f *feed) replayed() error {
	p := f.replay
	switch {
	case !p.begun:
		p.begun = true
		f.out = f.begin()
		return nil
	case p.done < p.x.rows:
		rows, err := p.next()
		if err != nil {
			return fault.New(fault.Resource, "read a held transaction", err, "")
		}
		f.out = change.Event{Kind: change.EventRows, Rows: *rows}
		return nil
	}
	p.x.close()
	f.replay = nil
	f.out = f.end()
	return nil
}

// xaText prints an XID as SQL takes it.
func xaText(id binlog.XAID) string {
	return fmt.Sprintf("X'%x',X'%x',%d", id.Global, id.Branch, id.Format)
}

// seek looks for the rows of a transaction that was prepared before the feed began: in the file where its XA COMMIT stands, then in
// the one before, and so on.
func (f *feed) seek(ctx context.Context, id binlog.XAID) (*hold, error) {
	op := "look for the XA transaction " + xaText(id)
	if x, err := f.seekSpool(ctx, id); err != nil || x != nil {
		return x, f.e.explain(op, err)
	}
	files, err := f.e.binlogFiles(ctx)
	if err != nil {
		return nil, f.e.explain(op, err)
	}
	f.e.log.InfoContext(ctx, "an XA transaction is committed whose rows were logged before the position: looking for them", "xid", xaText(id), "file", f.txn.file)
	for _, file := range slices.Backward(files) {
		if fileAfter(file.name, f.txn.file) {
			continue
		}
		s := scan{f: f, id: id, file: file.name}
		if s.file == f.txn.file {
			s.end = f.txn.off
		}
		x, over, err := s.run(ctx)
		if err != nil || x != nil {
			return x, f.e.explain(op, err)
		}
		if over {
			return nil, fault.New(fault.Refused, op, errors.New("it had ended, by an XA COMMIT or an XA ROLLBACK that is logged too, and was not prepared again"),
				"the source's log contradicts itself, as after a crash or a failover that lost transactions: copy again (bascule db drop, then bascule db copy)")
		}
	}
	return nil, fault.New(fault.Refused, op, errors.New("its XA PREPARE is in no binlog file that the source still has"),
		"its rows cannot be had from the log: copy again (bascule db drop, then bascule db copy), and "+f.e.retentionHint(ctx))
}

// A scan reads one file for one prepared transaction.
type scan struct {
	f    *feed
	id   binlog.XAID
	file string
	from uint64 // offset where the events begin, unless they say so themselves
	end  uint64 // offset to stop at, 0 for the end of the file
}

// run returns the rows of the last XA PREPARE, or nil; over says that the transaction ended in this file, so that none before counts.
func (s *scan) run(ctx context.Context) (found *hold, over bool, err error) {
	c, err := s.f.e.dumpConn(ctx)
	if err != nil {
		return nil, false, err
	}
	defer c.Close()
	req := dumpRequest()
	req.File, req.Pos, req.ToEnd = s.file, firstEvent, true
	d, err := c.Dump(ctx, req)
	if err != nil {
		return nil, false, err
	}
	return s.through(ctx, d)
}

// through reads the events of the file.
func (s *scan) through(ctx context.Context, d rawEvents) (found *hold, over bool, err error) {
	var current *hold
	p := &feed{e: s.f.e, dump: d, dec: s.f.follow.decoderWhile(func() bool { return current != nil }), follow: s.f.follow, at: spot{kind: s.f.at.kind}, file: s.file, off: s.from}
	p.held.tables = s.f.held.tables
	for {
		ev, err := p.dec.Next()
		if errors.Is(err, io.EOF) {
			if s.end > 0 && p.off >= s.end {
				return s.handOver(found), over, nil
			}
			err = p.pull(ctx)
			if errors.Is(err, io.EOF) {
				return s.handOver(found), over, nil
			}
			if err != nil {
				return nil, false, err
			}
			continue
		}
		if err != nil {
			return nil, false, err
		}
		switch ev.Kind {
		case binlog.KindRotate:
			if ev.File != s.file {
				return s.handOver(found), over, nil
			}
			p.file, p.off = ev.File, ev.Pos
		case binlog.KindGTID:
			current = nil
			p.txn = txn{open: true}
			if ev.GTID.XAPrepared && ev.GTID.XA == s.id {
				current = p.held.start()
				p.txn.hold = current
				p.dec.Forget()
			}
		case binlog.KindQuery:
			st := statement{}
			if len(ev.Query.SQL) > 3 && ev.Query.SQL[:3] == "XA " {
				st = classify(ev.Query.SQL)
			}
			if st.xa != s.id {
				continue
			}
			switch st.verb {
			case verbXAStart:
				if current == nil {
					current = p.held.start()
					p.txn = txn{open: true, hold: current}
					p.dec.Forget()
				}
			case verbXACommit, verbXARollback:
				found, over = nil, true
			default: // XA END
			}
		case binlog.KindRows:
			if current != nil {
				if _, err := p.rows(ev); err != nil {
					return nil, false, err
				}
			}
		case binlog.KindXAPrepare:
			if ev.XA.ID == s.id && current != nil {
				found, over = current, ev.XA.OnePhase
				if over {
					found = nil
				}
			}
			current = nil
		default: // neither begins nor ends an XA transaction
		}
	}
}

// handOver puts what was found on the account of the feed that looks.
func (s *scan) handOver(x *hold) *hold {
	if x != nil {
		x.of = &s.f.held
		x.of.memory += x.mem.Len()
	}
	return x
}
