package mysql

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/mysql/spool"
)

// A spooler writes one server's log into its spool.
type spooler struct {
	e     *End
	w     *spool.Writer
	from  position
	ready func() error
	// resumed says that the migration needed the spool before this process did: then what is in it was read from a log that the server must still have. A
	// copy that begins anew, as after the loss of a log's end, owes it nothing.
	resumed bool
	f       *feed     // reads the dump for its positions alone
	time    time.Time // of the last event
	alive   time.Time // when an event came
	began   bool      // the server sends what was asked for
}

// keep spools until ctx ends. A connection that breaks is opened again behind the last transaction that is spooled.
func (s *spooler) keep(ctx context.Context) error {
	const firstPause, lastPause = 100 * time.Millisecond, 5 * time.Second
	s.alive = time.Now()
	pause := firstPause
	for {
		before := s.alive
		err := s.once(ctx)
		if s.alive != before {
			pause = firstPause
		}
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // it was told to end
		case fault.ClassOf(err) != fault.Connect || time.Since(s.alive) > spoolPatience:
			return err
		}
		s.e.log.WarnContext(ctx, "spool the binlog: connect again", "error", err, "after", pause)
		if err := s.w.Abandon(); err != nil {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
		pause = min(2*pause, lastPause)
	}
}

// once opens a dump and spools it until it breaks.
func (s *spooler) once(ctx context.Context) error {
	follow, err := s.e.follow(ctx, nil)
	if err != nil {
		return s.e.explain("spool the binlog", err)
	}
	p, anew, err := s.begin()
	if err != nil {
		return err
	}
	err = s.dump(ctx, follow, p, anew)
	if errors.Is(err, errLostEnd) {
		return err // the spool stays: it is what the next process knows it by
	}
	if fault.ClassOf(err) != fault.Refused || s.began || p.String() == s.from.String() {
		return err
	}
	end, some := s.w.End()
	if !some {
		return err
	}
	// The server no longer has what follows the spool. Whoever needs nothing of the spool can do without it.
	needs, failed := s.needed(end)
	switch {
	case failed != nil:
		return failed
	case needs != "":
		return fault.New(fault.Refused, "go on behind the spool's end "+shorten(end.Position), err,
			fmt.Sprintf("changes that %s needs are lost: copy it again (bascule db drop, then bascule db copy)", needs))
	}
	return s.dump(ctx, follow, s.from, true)
}

// begin returns where to go on: behind what is spooled, or anew, when nobody but this migration needs a spool and it needs nothing of that.
func (s *spooler) begin() (p position, anew bool, err error) {
	end, some := s.w.End()
	if !some {
		return s.from, false, nil
	}
	if p, err = parsePosition(change.Position(end.Position)); err != nil {
		return p, false, err
	}
	holds, err := spool.Holds(s.e.spoolDir())
	if err != nil {
		return p, false, err
	}
	if s.resumed || len(holds) > 1 {
		s.e.reach.note(end.File, end.Off)
	}
	past, err := s.from.follows(end)
	if err != nil || len(holds) > 1 || !past || p.String() == s.from.String() {
		return p, false, err
	}
	return s.from, true, nil
}

// needed names a migration that has not got everything up to a place, or nobody.
func (s *spooler) needed(end spool.Place) (string, error) {
	holds, err := spool.Holds(s.e.spoolDir())
	if err != nil {
		return "", err
	}
	for _, h := range holds {
		p, err := parsePosition(change.Position(h.Position))
		if err != nil {
			return "", err
		}
		if past, err := p.follows(end); err != nil || !past {
			return h.Migration, err
		}
	}
	return "", nil
}

// dump spools what follows a position until the dump breaks. Anew is without what was spooled before, once the server has shown that it goes on there.
func (s *spooler) dump(ctx context.Context, follow *followed, p position, anew bool) error {
	s.began = false
	f := &feed{e: s.e, follow: follow, dec: follow.decoder(), blind: true}
	var err error
	if f.at, err = newSpot(p); err != nil {
		return err
	}
	if err := f.start(ctx, p); err != nil {
		return f.explain(err)
	}
	defer f.held.close()
	defer f.disconnect()
	if f.server != s.e.server.id {
		return fault.New(fault.Refused, "spool the binlog", fmt.Errorf("the address led to server %s and leads to %s now", s.e.server.id, f.server),
			"run the same command again: it begins a spool of that server")
	}
	if anew {
		if err := s.w.Clear(); err != nil {
			return err
		}
	}
	s.f = f
	for {
		raw, err := f.dump.Next(ctx)
		if err != nil {
			return f.explain(err)
		}
		s.alive = time.Now()
		s.e.received.Add(int64(len(raw)))
		if err := s.take(ctx, raw); err != nil {
			return f.explain(err)
		}
	}
}

// take spools one event.
func (s *spooler) take(ctx context.Context, raw []byte) error {
	f := s.f
	typ := byte(0)
	if len(raw) >= eventHeaderBytes {
		typ = raw[4]
		f.locate(raw)
		if f.off <= f.skipTo && typ != eventRotate && typ != eventFormat {
			return nil
		}
	}
	if err := f.dec.Push(raw); err != nil {
		return err
	}
	for {
		ev, err := f.dec.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if _, err := f.handle(ctx, ev); err != nil {
			return err
		}
	}
	if seconds := binary.LittleEndian.Uint32(raw); seconds > 0 && typ != eventFormat {
		s.time = time.Unix(int64(seconds), 0).UTC()
	}
	switch typ {
	case eventFormat:
		return s.segment(raw)
	case eventHeartbeat, eventHeartbeat2:
		return s.w.Sync()
	case eventRotate:
		// Where a reader finds what follows is told by the segment that begins then.
		return s.w.Mark(s.place())
	}
	if err := s.w.Append(raw); err != nil {
		return err
	}
	if f.txn.open {
		return nil
	}
	return s.w.Mark(s.place())
}

// place is where the log was read to.
func (s *spooler) place() spool.Place {
	return spool.Place{Position: string(s.f.Position()), File: s.f.file, Off: s.f.off, Time: s.time}
}

// segment begins one with a FORMAT_DESCRIPTION.
func (s *spooler) segment(raw []byte) error {
	s.began = true
	if err := s.w.Mark(s.place()); err != nil {
		return err
	}
	if err := s.w.Begin(s.place(), spooledFormat(raw)); err != nil {
		return err
	}
	if err := s.ready(); err != nil {
		return err
	}
	_, err := TrimSpool(s.e.spoolDir(), TrimAfter)
	return err
}

// spooledFormat is a FORMAT_DESCRIPTION that stands nowhere in a file, as servers send it in front of what they send from the middle of one.
func spooledFormat(raw []byte) []byte {
	const at, flags, inUse = 13, 17, 1
	b := append([]byte(nil), raw...)
	binary.LittleEndian.PutUint32(b[at:], 0)
	b[flags] &^= inUse
	sum := len(b) - crc32.Size
	if b[sum-1] == 1 { // its algorithm is CRC32
		binary.LittleEndian.PutUint32(b[sum:], crc32.ChecksumIEEE(b[:sum]))
	}
	return b
}
