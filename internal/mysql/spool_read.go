package mysql

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/mysql/binlog"
	"github.com/bascule/bascule/internal/mysql/spool"
)

// errSpoolEnd says that the spool holds no more: what follows is the server's to send.
var errSpoolEnd = errors.New("the spool has been read to its end")

// connect opens what has the log behind the position: the spool, or the server.
func (f *feed) connect(ctx context.Context, p position) error {
	s, err := f.e.readSpool(p, f.at)
	if err != nil {
		return err
	}
	if s == nil {
		return f.start(ctx, p)
	}
	f.server, f.dump = f.e.server.id, s
	return nil
}

// goLive goes over from the spool to the server, where the feed stands.
func (f *feed) goLive(ctx context.Context) error {
	f.disconnect()
	f.dec = f.follow.decoder() // a dump begins with a format of its own
	p, err := parsePosition(f.at.position())
	if err != nil {
		return err
	}
	return f.start(ctx, p)
}

// disconnect closes what is being read.
func (f *feed) disconnect() {
	if f.dump != nil {
		_ = f.dump.Close() // nothing was written
		f.dump = nil
	}
}

// A spoolEvents is the spool as a server would send it: without the transactions that a position includes.
type spoolEvents struct {
	r *spool.Reader
	// known reports whether a transaction is to be left out.
	known    func(gtid, file string, off uint64) (bool, error)
	dec      *binlog.Decoder
	at       feed // counts file and offset
	skipping bool
}

// readSpool opens the server's spool behind a position, or returns nil when it does not reach back to that.
func (e *End) readSpool(p position, at spot) (*spoolEvents, error) {
	if e.spool == nil {
		return nil, nil
	}
	r, err := spool.Read(e.spoolDir(), e.spool.Key, p.follows)
	if errors.Is(err, spool.ErrNotCovered) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if empty, err := r.Empty(); err != nil || empty {
		r.Close()
		return nil, err
	}
	return &spoolEvents{r: r, known: at.knows(p), dec: e.blindDecoder()}, nil
}

func (e *End) blindDecoder() *binlog.Decoder {
	return (&followed{mariaDB: isMaria(e.server.dialect)}).decoder()
}

// follows reports whether a spool that begins at s has everything behind p.
func (p position) follows(s spool.Place) (bool, error) {
	q, err := parsePosition(change.Position(s.Position))
	if err != nil {
		return false, err
	}
	if p.kind == positionSnapshot && q.kind == positionSnapshot && p.gtids != "" {
		have, err := parseGTIDList(p.gtids)
		if err != nil {
			return false, err
		}
		want, err := parseGTIDList(q.gtids)
		return err == nil && have.includes(want), err
	}
	return p.kind == q.kind && p.includes(q), nil
}

// knows returns what tells whether a transaction, that begins there in the server's files, is within the position.
func (s *spot) knows(p position) func(gtid, file string, off uint64) (bool, error) {
	known := s.clone() // the feed's goes on
	switch {
	case p.kind == positionGTID:
		return func(gtid, _ string, _ uint64) (bool, error) {
			if gtid == "" {
				return false, nil // the feed says what is wrong with it
			}
			id, n, err := parseGTID(gtid)
			return err == nil && known.set.contains(gtidSet{id: {{n, n + 1}}}), err
		}
	case p.gtids != "":
		return func(gtid, _ string, _ uint64) (bool, error) {
			one, err := parseGTIDList(gtid)
			return err == nil && known.list.includes(one), err
		}
	}
	return func(_, file string, off uint64) (bool, error) {
		return fileAfter(p.file, file) || p.file == file && off < p.pos, nil
	}
}

// Next returns the next event, or errSpoolEnd.
func (s *spoolEvents) Next(ctx context.Context) ([]byte, error) {
	for {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		raw, err := s.r.Next()
		if errors.Is(err, io.EOF) {
			return nil, errSpoolEnd
		}
		if err != nil {
			return nil, err
		}
		skip, err := s.look(raw)
		if err != nil {
			return nil, err
		}
		if !skip {
			return raw, nil
		}
	}
}

// Types of events that begin a transaction, or concern none.
const (
	eventIncident    = 26
	eventGTID        = 33
	eventAnonymous   = 34
	eventGTIDTagged  = 42
	eventMariaDBGTID = 162
)

// look reports whether an event is part of a transaction that is to be left out.
func (s *spoolEvents) look(raw []byte) (bool, error) {
	s.at.locate(raw)
	switch raw[4] {
	case eventRotate, eventFormat:
		s.skipping = false
	case eventGTID, eventAnonymous, eventGTIDTagged, eventMariaDBGTID:
	case eventIncident:
		return false, nil // whoever it concerns must know
	default:
		return s.skipping, nil
	}
	if err := s.dec.Push(raw); err != nil {
		return false, err
	}
	for {
		ev, err := s.dec.Next()
		if errors.Is(err, io.EOF) {
			return s.skipping, nil
		}
		if err != nil {
			return false, err
		}
		switch ev.Kind { //nolint:exhaustive // no others were pushed
		case binlog.KindRotate:
			s.at.file, s.at.off = ev.File, ev.Pos
		case binlog.KindGTID:
			if s.skipping, err = s.known(ev.GTID.Text, s.at.file, s.at.from); err != nil {
				return false, err
			}
		}
	}
}

// Buffered reports whether the spool has more.
func (s *spoolEvents) Buffered() bool { return s.r.Ready() }

// Close closes the spool.
func (s *spoolEvents) Close() error {
	s.r.Close()
	return nil
}

// seekSpool looks in the spool for the rows of a transaction that was prepared before the feed began, from where the feed is
// backwards. Without them there it returns nil.
func (f *feed) seekSpool(ctx context.Context, id binlog.XAID) (*hold, error) {
	if f.e.spool == nil || f.server != f.e.server.id {
		return nil, nil
	}
	all, err := spool.Segments(f.e.spoolDir())
	if err != nil {
		return nil, err
	}
	for _, seg := range slices.Backward(all) {
		first := seg.First
		if fileAfter(first.File, f.txn.file) || first.File == f.txn.file && first.Off >= f.txn.off {
			continue
		}
		x, over, err := f.seekSegment(ctx, id, seg)
		if err != nil || x != nil || over {
			return x, err
		}
	}
	return nil, nil
}

func (f *feed) seekSegment(ctx context.Context, id binlog.XAID, seg spool.Segment) (*hold, bool, error) {
	r, err := spool.ReadSegment(f.e.spoolDir(), f.e.spool.Key, seg.Number)
	if errors.Is(err, os.ErrNotExist) { // trimmed since it was listed: the server's own log is asked next
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	defer r.Close()
	s := scan{f: f, id: id, file: seg.First.File, from: seg.First.Off}
	if s.file == f.txn.file {
		s.end = f.txn.off
	}
	return s.through(ctx, wholeSegment{r})
}

// wholeSegment is one segment of a spool as a dump that ends.
type wholeSegment struct{ r *spool.Reader }

// Next returns the next event, or io.EOF.
func (w wholeSegment) Next(ctx context.Context) ([]byte, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return w.r.Next()
}

// Buffered reports whether there is more.
func (w wholeSegment) Buffered() bool { return w.r.Ready() }

// Close closes the segment.
func (w wholeSegment) Close() error {
	w.r.Close()
	return nil
}
