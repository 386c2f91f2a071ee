package mysql

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"time"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/mysql/binlog"
	"github.com/bascule/bascule/internal/mysql/wire"
	"github.com/bascule/bascule/internal/schema"
)

// idleEvery is how long Next goes without an event, past transactions of others, before it says so.
const idleEvery = time.Second

// rawEvents is where a feed reads: a dump of the server, or the server's spool.
type rawEvents interface {
	// Next returns the next event as the log has it, valid until the next call of Next or Buffered.
	Next(ctx context.Context) ([]byte, error)
	// Buffered reports whether Next returns without waiting.
	Buffered() bool
	Close() error
}

// A feed implements change.Feed on one dump of a server's binlog, or on what the spool has of it and then on a dump.
type feed struct {
	e      *End
	conn   *wire.Conn // of the dump; nil while the spool is read
	dump   rawEvents
	dec    *binlog.Decoder
	follow *followed
	lag    *lag
	held   held

	// at is where a new feed would go on.
	at spot
	// server, file and off are how far whose log was read.
	server string
	file   string
	off    uint64
	// from is where the event begins that was read last.
	from uint64
	// skipTo is the offset up to which events are dropped: COM_BINLOG_DUMP cannot begin beyond 4 GiB.
	skipTo uint64

	txn      txn
	queue    []change.Event // what is to be returned before anything else is read
	replay   *replay        // the rows of an XA transaction that is being delivered
	out      change.Event
	last     time.Time // when Next returned
	promised bool      // Buffered said that more was there
	passed   bool      // the position has moved since Next returned
	failed   error
	// blind says that nobody wants rows: only the position counts.
	blind bool
	// suspects says that a transaction whose rows are not at hand is told of without them: it may have any.
	suspects bool
	// until, when it is set, is where Next says at once that it is there, though only transactions of others led to it.
	until gtidSet
}

// A txn is the transaction whose events are being read.
type txn struct {
	open  bool
	gtid  string // empty for an anonymous one
	file  string // where it begins
	off   uint64
	time  time.Time
	begun bool // EventBegin was returned
	// inside says that a terminator will come; else the next statement is all there is.
	inside bool
	hold   *hold // where the rows of an XA transaction go
	xa     binlog.XAID
	ddl    *change.DDL // a CREATE TABLE ... SELECT, delivered at its end
	events int         // row events so far
	// applied says that this program applied the transaction to this end: nothing of it is shown.
	applied bool
	saves   map[string]int
	undone  []undoing
}

// name says which transaction it is.
func (t *txn) name() string {
	if t.gtid != "" {
		return t.gtid
	}
	return fmt.Sprintf("%s:%d", t.file, t.off)
}

// place is where the transaction begins, whatever its GTID: a server that went down may use that for another one.
func (f *feed) place() string { return fmt.Sprintf("%s:%s:%d", f.server, f.txn.file, f.txn.off) }

// Position is where Stream would go on.
func (f *feed) Position() change.Position { return f.at.position() }

// Lag is how many bytes of the log were written and not read.
func (f *feed) Lag() int64 { return f.lag.behind(f.file, f.off) }

// Confirm lets the spool forget. A server keeps its binlog as long as it is told to, whoever has read it.
func (f *feed) Confirm(p change.Position) { f.e.confirm(p) }

// Buffered reports whether Next returns without waiting. A transaction that has begun is on its way.
func (f *feed) Buffered() bool {
	f.promised = f.failed != nil || len(f.queue) > 0 || f.replay != nil || f.txn.begun || f.dump.Buffered()
	return f.promised
}

// Next returns the next event.
func (f *feed) Next(ctx context.Context) (*change.Event, error) {
	if f.failed != nil {
		return nil, f.failed
	}
	err := f.next(ctx)
	if err != nil {
		f.failed = f.explain(err)
		return nil, f.failed
	}
	f.last, f.passed = time.Now(), false
	return &f.out, nil
}

// next fills f.out.
func (f *feed) next(ctx context.Context) error {
	for {
		if len(f.queue) > 0 {
			f.out = f.queue[0]
			f.queue = f.queue[1:]
			return f.committed()
		}
		if f.replay != nil {
			if err := f.replayed(); err != nil {
				return err
			}
			return f.committed()
		}
		if f.until != nil && f.at.set.contains(f.until) {
			f.out, f.until = change.Event{Kind: change.EventIdle}, nil
			return nil
		}
		ev, err := f.dec.Next()
		if errors.Is(err, io.EOF) {
			if f.idle() {
				f.out = change.Event{Kind: change.EventIdle}
				return nil
			}
			if err := f.pull(ctx); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		if done, err := f.handle(ctx, ev); err != nil || done {
			return err
		}
	}
}

// committed moves the position when the event that is about to be returned ends a transaction.
func (f *feed) committed() error {
	if f.out.Kind != change.EventCommit {
		return nil
	}
	return f.pass()
}

// idle reports whether it is time to say that nothing came: before waiting for what Buffered seemed to promise, before waiting behind
// transactions of others, lest whoever waits for the end of the log waits for a heartbeat, and every while.
func (f *feed) idle() bool {
	if f.txn.begun {
		return false
	}
	if (f.promised || f.passed) && !f.txn.open {
		f.promised = f.dump.Buffered()
		if !f.promised {
			return true
		}
	}
	return time.Since(f.last) >= idleEvery
}

// Types of events and their flags that matter before decoding (Log_event_type, LOG_EVENT_ARTIFICIAL_F).
const (
	eventRotate      = 4
	eventFormat      = 15
	eventHeartbeat   = 27
	eventHeartbeat2  = 41
	flagArtificial   = 0x20
	eventHeaderBytes = 19
)

// pull reads one event of the server and gives it to the decoder.
func (f *feed) pull(ctx context.Context) error {
	for {
		raw, err := f.dump.Next(ctx)
		if errors.Is(err, errSpoolEnd) {
			if err = f.goLive(ctx); err == nil {
				continue
			}
		}
		if err != nil {
			return err
		}
		f.e.received.Add(int64(len(raw)))
		if len(raw) >= eventHeaderBytes {
			f.locate(raw)
			if typ := raw[4]; f.off <= f.skipTo && typ != eventRotate && typ != eventFormat {
				continue
			}
		}
		return f.dec.Push(raw)
	}
}

// locate counts the offset, which the log has modulo 2^32, and not at all in the events that MariaDB 11.4 logs within a transaction.
func (f *feed) locate(raw []byte) {
	size, end := binary.LittleEndian.Uint32(raw[9:]), binary.LittleEndian.Uint32(raw[13:])
	artificial := binary.LittleEndian.Uint16(raw[17:])&flagArtificial != 0
	switch typ := raw[4]; {
	case artificial, typ == eventRotate, typ == eventHeartbeat, typ == eventHeartbeat2, typ == eventFormat && end == 0:
	case end == 0:
		f.from = f.off
		f.off += uint64(size)
	default:
		f.off = widen(f.off, end)
		f.from = f.off - min(f.off, uint64(size))
	}
}

// widen returns the smallest offset from off on whose low 32 bits are end.
func widen(off uint64, end uint32) uint64 {
	return off + uint64(end-uint32(off))
}

// handle takes one decoded event and reports whether it filled f.out.
func (f *feed) handle(ctx context.Context, ev *binlog.Event) (bool, error) {
	switch ev.Kind {
	case binlog.KindRotate:
		return f.rotate(ev)
	case binlog.KindHeartbeat:
		if ev.File == f.file {
			f.off = max(f.off, widen(f.off, uint32(ev.Pos)))
		}
		f.settle()
		if f.txn.begun {
			return false, nil
		}
		f.out = change.Event{Kind: change.EventIdle}
		return true, nil
	case binlog.KindGTID:
		if f.txn.begun {
			return false, f.unfinished()
		}
		f.open(ev)
		f.txn.gtid = ev.GTID.Text
		f.txn.inside = f.at.kind == positionSnapshot && !ev.GTID.Standalone
		if ev.GTID.XAPrepared {
			f.beginXA(ev.GTID.XA)
		}
		return false, nil
	case binlog.KindQuery:
		return f.query(ctx, ev)
	case binlog.KindRows:
		return f.rows(ev)
	case binlog.KindXID:
		return f.commit(ev.Time)
	case binlog.KindXAPrepare:
		return f.prepared(ev)
	case binlog.KindIncident:
		return false, fault.New(fault.Refused, "read the binlog", fmt.Errorf("the source lost events (incident: %s)", ev.Message),
			"changes are missing from the log: copy again (bascule db drop, then bascule db copy)")
	case binlog.KindStop:
		return false, nil
	}
	return false, fault.New(fault.Unsupported, "read the binlog", fmt.Errorf("event of kind %d", ev.Kind), "")
}

func (f *feed) rotate(ev *binlog.Event) (bool, error) {
	switch {
	case f.txn.begun:
		return false, f.unfinished()
	case f.skipTo > 0 && f.file != "" && ev.File != f.file:
		return false, fault.New(fault.Refused, "read the binlog", fmt.Errorf("%s ends before offset %d", f.file, f.skipTo), lostHint)
	}
	if ev.File != f.file {
		f.txn = txn{} // no transaction spans files
	}
	f.file, f.off = ev.File, ev.Pos
	f.settle()
	return false, nil
}

// settle moves the position's place in the files, where it stands outside a transaction.
func (f *feed) settle() {
	if f.txn.open || f.off <= f.skipTo {
		return
	}
	// A server that looks for GTIDs begins to tell where it is at the start of a file, which may be behind us.
	if f.at.server == f.server && (fileAfter(f.at.file, f.file) || f.at.file == f.file && f.at.off > f.off) {
		return
	}
	f.at.server, f.at.file, f.at.off = f.server, f.file, f.off
	if f.server == f.e.server.id {
		f.e.reach.note(f.file, f.off)
	}
}

// open begins to read a transaction, with its first event. The position may be far behind it: what was left out between them, because
// the position includes it, has moved nothing.
func (f *feed) open(ev *binlog.Event) {
	f.txn = txn{open: true, file: f.file, off: f.from, time: ev.Time}
	if u, ok := f.e.undone.Load(f.place()); ok && !f.blind {
		f.txn.undone = u.([]undoing)
	}
}

// rows delivers changes, or holds them.
func (f *feed) rows(ev *binlog.Event) (bool, error) {
	if !f.txn.open {
		return false, fault.New(fault.Data, "read the binlog", errors.New("rows outside a transaction"), "")
	}
	if f.txn.applied {
		return false, nil
	}
	if ev.Rows.Layout == f.follow.mark {
		return false, f.marked()
	}
	i := f.txn.events
	f.txn.events++
	sel, ok := ev.Rows.Layout.Tag.(*change.Select)
	switch {
	case !ok:
		return false, fmt.Errorf("rows of table %q, which is not followed", ev.Rows.Layout.Table)
	case f.txn.ddl != nil, f.txn.skips(i, sel), ev.Rows.Old.Rows == 0 && ev.Rows.New.Rows == 0:
		return false, nil
	}
	r := change.Rows{
		Table: sel, Op: ev.Rows.Op, Old: ev.Rows.Old, New: ev.Rows.New,
		Cascades: ev.Rows.Op != change.Insert && !ev.Rows.NoForeignKeyChecks && !ev.Rows.CascadesLogged,
	}
	if f.txn.hold != nil {
		return false, f.txn.hold.add(&r)
	}
	rows := change.Event{Kind: change.EventRows, Rows: r}
	if f.txn.begun {
		f.out = rows
		return true, nil
	}
	f.queue = append(f.queue[:0], rows)
	f.out = f.begin()
	return true, nil
}

// marked meets a change of the ledger's table that says what this program applied: it comes before all others, or what came before was
// taken for the application's.
func (f *feed) marked() error {
	if f.txn.events > 0 {
		return fault.New(fault.Internal, "read transaction "+f.txn.name(),
			fmt.Errorf("it changes %s.%s, but not first: some of what bascule applied was taken for the application's", f.follow.mark.Schema, f.follow.mark.Table), "")
	}
	f.txn.applied = true
	return nil
}

// begin is the event that opens the transaction.
func (f *feed) begin() change.Event {
	f.txn.begun = true
	return change.Event{Kind: change.EventBegin, Txn: f.txn.name(), Time: f.txn.time}
}

func (f *feed) end() change.Event {
	return change.Event{Kind: change.EventCommit, Txn: f.txn.name(), Time: f.txn.time}
}

// commit ends the transaction that is being read. at is when its last event was written.
func (f *feed) commit(at time.Time) (bool, error) {
	switch {
	case !f.txn.open:
		return false, nil // nothing but a stray COMMIT
	case f.txn.ddl != nil:
		return f.deliverDDL()
	case !f.txn.begun:
		return false, f.pass()
	}
	if f.txn.time.IsZero() {
		f.txn.time = at
	}
	f.out = f.end()
	return true, f.pass()
}

// pass moves the position behind the transaction.
func (f *feed) pass() error {
	if err := f.at.add(f.txn.gtid); err != nil {
		return err
	}
	if len(f.txn.undone) > 0 {
		f.e.undone.Delete(f.place())
	}
	f.txn, f.passed = txn{}, true
	f.settle()
	return nil
}

// deliverDDL returns the statement, and leaves the position before it.
func (f *feed) deliverDDL() (bool, error) {
	after := f.at.clone()
	if err := after.add(f.txn.gtid); err != nil {
		return false, err
	}
	after.file, after.off = f.file, f.off
	f.txn.ddl.After = after.position()
	f.out = change.Event{Kind: change.EventDDL, Txn: f.txn.name(), Time: f.txn.time, DDL: *f.txn.ddl}
	f.failed = fault.New(fault.Internal, "read the binlog", fmt.Errorf("the feed ended at a statement that alters %v", f.txn.ddl.Tables), "")
	return true, nil
}

// A spot is a place in the log, kept so that moving on costs little.
type spot struct {
	kind, server string
	set          gtidSet
	list         gtidList
	file         string
	off          uint64
}

// newSpot parses a position's GTIDs.
func newSpot(p position) (s spot, err error) {
	s = spot{kind: p.kind, server: p.server, file: p.file, off: p.pos}
	switch p.kind {
	case positionGTID:
		s.set, err = parseGTIDSet(p.gtids)
	case positionSnapshot:
		s.list, err = parseGTIDList(p.gtids)
	}
	return s, err
}

// add takes a transaction in; an anonymous one is known by its place alone.
func (s *spot) add(gtid string) error {
	switch s.kind {
	case positionGTID:
		if gtid == "" {
			return fault.New(fault.Unsupported, "read the binlog", errors.New("a transaction has no GTID although the position counts them"),
				"set gtid_mode = ON on the source")
		}
		id, n, err := parseGTID(gtid)
		if err != nil {
			return err
		}
		s.set.add(id, n)
	case positionSnapshot:
		if gtid == "" {
			return nil
		}
		d, g, err := parseDomainGTID(gtid)
		if err != nil {
			return err
		}
		s.list[d] = g
	}
	return nil
}

func (s *spot) clone() spot {
	c := *s
	c.set = s.set.clone()
	c.list = maps.Clone(s.list)
	return c
}

func (s *spot) position() change.Position {
	p := position{kind: s.kind, server: s.server, file: s.file, pos: s.off}
	switch s.kind {
	case positionGTID:
		p.gtids = s.set.String()
	case positionSnapshot:
		p.gtids = s.list.String()
	}
	return change.Position(p.String())
}

var _ change.Feed = (*feed)(nil)

// nameTexts are the tables of a statement, for messages.
func nameTexts(list []schema.Name) []string {
	out := make([]string, len(list))
	for i, n := range list {
		out[i] = string(n)
	}
	return out
}
