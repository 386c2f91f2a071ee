package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/postgres/logical"
)

const (
	// Rows of one table and operation that have already arrived come in one event, up to this many rows or bytes.
	mergedRows  = 1000
	mergedBytes = 1 << 20
)

// feed is a change.Feed of a slot.
type feed struct {
	end     *End
	conn    *replication
	op      string
	slot    string
	targets map[string]*followed // by name
	from    logical.LSN          // transactions that end there or before are not shown

	dec       logical.Decoder
	msg       *logical.Message
	held      bool // msg is still to be looked at
	relations map[uint32]*relation

	pos    logical.LSN
	inTx   bool
	begun  bool // EventBegin was returned
	skip   bool // the transaction is none to show
	begin  logical.Begin
	done   int // how many tables of a Truncate were shown
	ev     change.Event
	failed error
}

// Next implements change.Feed.
func (f *feed) Next(ctx context.Context) (*change.Event, error) {
	for f.failed == nil {
		ev, err := f.advance(ctx)
		switch {
		case err != nil && ctx.Err() != nil:
			return nil, fmt.Errorf("%s: %w", f.op, ctx.Err())
		case err != nil:
			f.failed = f.end.fail(f.op+fmt.Sprintf(", behind %s", f.pos), f.end.slotError(f.slot, err))
		case ev != nil:
			return ev, nil
		}
	}
	return nil, f.failed
}

// Buffered implements change.Feed.
func (f *feed) Buffered() bool { return f.failed != nil || f.held || f.conn.ready() }

// Position implements change.Feed.
func (f *feed) Position() change.Position { return position(f.pos) }

// Lag implements change.Feed.
func (f *feed) Lag() int64 {
	end := f.conn.end.Load()
	if end == 0 {
		return -1
	}
	return max(0, int64(end)-int64(f.conn.received.Load()))
}

// Confirm implements change.Feed. A position that this feed has not reached ends it: the server would let go of what
// nobody has seen.
func (f *feed) Confirm(p change.Position) {
	l, err := parsePosition(p)
	if err == nil && l > f.pos {
		err = fmt.Errorf("position %s is ahead of the feed, which is at %s", p, f.Position())
	}
	if err != nil {
		f.failed = fault.New(fault.Internal, f.op+": confirm what is saved", err, "")
		return
	}
	if uint64(l) > f.conn.flushed.Load() {
		f.conn.flushed.Store(uint64(l))
	}
}

// event fills the event that is returned.
func (f *feed) event(k change.EventKind) *change.Event {
	f.ev.Kind, f.ev.Txn, f.ev.Time = k, "", f.begin.Time
	if k != change.EventIdle {
		f.ev.Txn = f.begin.Commit.String()
	}
	return &f.ev
}

// advance takes one step and returns the event that it brought, if any.
func (f *feed) advance(ctx context.Context) (*change.Event, error) {
	if !f.held {
		if ev, err := f.receive(ctx); ev != nil || err != nil || !f.held {
			return ev, err
		}
	}
	f.held = false
	return f.look(ctx)
}

// receive reads one message: of the plugin, then held is set, or of the protocol around it.
func (f *feed) receive(ctx context.Context) (*change.Event, error) {
	kind, body, err := f.conn.read(ctx)
	if errors.Is(err, errQuiet) {
		return f.idle(), nil
	}
	if err != nil {
		return nil, err
	}
	switch kind {
	case 'd':
	case 'E':
		return nil, serverSays(body)
	case 'N', 'S': // a notice, a setting that changed
		return nil, nil
	case 'c':
		return nil, fault.New(fault.Connect, "read the stream", errors.New("the server has ended it"), "run the same command again")
	default:
		return nil, fault.New(fault.Internal, "read the stream", fmt.Errorf("a message of the unknown kind %q", kind), "")
	}
	frame, err := logical.DecodeFrame(body)
	if err != nil {
		return nil, fault.New(fault.Unsupported, "read the stream", err, "")
	}
	if frame.Kind == logical.FrameKeepalive {
		return f.keepalive(frame)
	}
	f.saw(frame.Start)
	if f.msg, err = f.dec.Decode(frame.Payload); err != nil {
		return nil, fault.New(fault.Unsupported, fmt.Sprintf("read the log at %s", frame.Start), err, "")
	}
	f.held, f.done = true, 0
	return nil, nil
}

// saw notes how far the log was received.
func (f *feed) saw(l logical.LSN) {
	if uint64(l) > f.conn.received.Load() {
		f.conn.received.Store(uint64(l))
	}
}

// keepalive answers, and moves on: what was committed before its end has been sent.
func (f *feed) keepalive(frame logical.Frame) (*change.Event, error) {
	f.saw(frame.End)
	if !f.inTx {
		f.pos = max(f.pos, frame.End)
	}
	if frame.Reply {
		if err := f.conn.status(false); err != nil {
			return nil, err
		}
	}
	return f.idle(), nil
}

// idle returns EventIdle, but nothing inside a transaction that is being shown.
func (f *feed) idle() *change.Event {
	if f.begun {
		return nil
	}
	return f.event(change.EventIdle)
}

// look does what a message of the plugin asks for.
func (f *feed) look(ctx context.Context) (*change.Event, error) {
	m := f.msg
	switch m.Kind {
	case logical.KindBegin:
		if f.inTx {
			return nil, f.disorder("a transaction begins within another")
		}
		f.begin, f.inTx, f.begun = m.Begin, true, false
		// A commit that begins before a place between two records has ended there.
		f.skip = m.Begin.Commit < f.from
	case logical.KindCommit:
		return f.commit(m.Commit)
	case logical.KindOrigin:
		f.skip = f.skip || m.Origin.Name == f.slot
	case logical.KindRelation:
		return nil, f.describe(&m.Relation)
	case logical.KindInsert, logical.KindUpdate, logical.KindDelete:
		return f.rows(ctx)
	case logical.KindTruncate:
		return f.truncate()
	case logical.KindType, logical.KindLogical:
		// The types of followed columns were looked up, by OID; a marker has done its work when its transaction ends.
	}
	return nil, nil
}

func (f *feed) disorder(what string) error {
	return fault.New(fault.Internal, fmt.Sprintf("read transaction %s", f.begin.Commit), errors.New(what), "")
}

func (f *feed) commit(c logical.Commit) (*change.Event, error) {
	if !f.inTx || c.Commit != f.begin.Commit {
		return nil, f.disorder(fmt.Sprintf("a commit of %s ends it", c.Commit))
	}
	kind := change.EventIdle
	if f.begun {
		kind = change.EventCommit
	}
	f.inTx, f.begun, f.skip = false, false, false
	f.pos = max(f.pos, c.End)
	f.saw(c.End)
	return f.event(kind), nil
}

// enter says what a change of a table means for its transaction: show it, skip it, or, first, open the transaction.
func (f *feed) enter(r *relation) (begin *change.Event, show bool, err error) {
	switch {
	case !f.inTx:
		return nil, false, f.disorder("rows change behind its end")
	case f.skip:
		return nil, false, nil
	case r.mark && f.begun:
		return nil, false, f.disorder("it changes bascule.apply, but not first: some of what bascule applied was taken for the application's")
	case r.mark:
		f.skip = true
		return nil, false, nil
	case !f.begun:
		f.begun, f.held = true, true // the change comes next
		return f.event(change.EventBegin), false, nil
	}
	return nil, true, nil
}

// relation returns what was described before.
func (f *feed) relation(id uint32) (*relation, error) {
	r := f.relations[id]
	if r == nil {
		return nil, f.disorder(fmt.Sprintf("it changes relation %d, which the server has not described", id))
	}
	return r, nil
}

// truncate shows the tables of a TRUNCATE one by one.
func (f *feed) truncate() (*change.Event, error) {
	ids := f.msg.Truncate.Relations
	for f.done < len(ids) {
		r, err := f.relation(ids[f.done])
		if err != nil {
			return nil, err
		}
		begin, show, err := f.enter(r)
		if begin != nil || err != nil {
			return begin, err
		}
		f.done++
		if !show {
			continue
		}
		f.held = f.done < len(ids)
		rows := &f.ev.Rows
		rows.Table, rows.Op, rows.OldKeyOnly = r.table.sel, change.Truncate, false
		f.reset(len(r.table.sel.Columns))
		return f.event(change.EventRows), nil
	}
	return nil, nil
}

func (f *feed) reset(columns int) {
	for _, b := range []*change.Batch{&f.ev.Rows.Old, &f.ev.Rows.New} {
		if cap(b.Data) > keepBuffer {
			b.Data = nil
		}
		b.Reset(columns)
	}
}

// rows shows a change, with those of the same kind that have arrived behind it.
func (f *feed) rows(ctx context.Context) (*change.Event, error) {
	kind, id := f.msg.Kind, f.msg.Change.Relation
	r, err := f.relation(id)
	if err != nil {
		return nil, err
	}
	begin, show, err := f.enter(r)
	if begin != nil || err != nil || !show {
		return begin, err
	}
	rows := &f.ev.Rows
	rows.Table, rows.Op = r.table.sel, operation(kind)
	rows.OldKeyOnly = !r.full && rows.Op != change.Insert
	f.reset(len(r.table.sel.Columns))
	for n := 1; ; n++ {
		if err := r.append(rows, &f.msg.Change); err != nil {
			return nil, fmt.Errorf("read transaction %s: %w", f.begin.Commit, err)
		}
		if n == mergedRows || len(rows.Old.Data)+len(rows.New.Data) > mergedBytes {
			break
		}
		for !f.held && f.conn.ready() {
			if _, err := f.receive(ctx); err != nil {
				return nil, err
			}
		}
		if !f.held || f.msg.Kind != kind || f.msg.Change.Relation != id {
			break
		}
		f.held = false
	}
	return f.event(change.EventRows), nil
}

func operation(k logical.Kind) change.Op {
	switch k {
	case logical.KindInsert:
		return change.Insert
	case logical.KindUpdate:
		return change.Update
	default:
		return change.Delete
	}
}
