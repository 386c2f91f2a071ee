package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/postgres/logical"
)

// streams is the way back of one migration: the changes of its tables in the target, from the slot that Arm made. It
// implements change.Log. It is safe for concurrent use, but a slot feeds one Stream at a time.
//
// Values are what the types' send functions return, which is the payload of COPY BINARY. Positions are places in the
// write-ahead log, as in "lsn:16/B374D848"; everything whose commit ends there or before is within one.
type streams struct {
	end    *End
	record *change.Record
}

// Streams returns the way back of a migration that Open or Create returned.
func (e *End) Streams(r *change.Record) change.Log { return &streams{end: e, record: r} }

// slotName names the publication and the slot of a migration. The id tells it from those of migrations before and after.
func slotName(r *change.Record) string { return fmt.Sprintf("bascule_%d", r.ID) }

// markPrefix is the prefix of the messages that Emit and End write into the log.
const markPrefix = "bascule"

const positionPrefix = "lsn:"

func position(l logical.LSN) change.Position { return change.Position(positionPrefix + l.String()) }

func parsePosition(p change.Position) (logical.LSN, error) {
	text, ok := strings.CutPrefix(string(p), positionPrefix)
	if !ok {
		return 0, fmt.Errorf("position %q is not one of PostgreSQL, which begins with %q", p, positionPrefix)
	}
	l, err := logical.ParseLSN(text)
	if err == nil && l == 0 {
		err = errors.New("it is no place in the log")
	}
	if err != nil {
		return 0, fmt.Errorf("position %q: %w", p, err)
	}
	return l, nil
}

// End implements change.Streamer: it writes a marker into the log and returns its place. Whatever was committed before stands
// before it, and a feed passes it at once, since the marker's commit follows: where nobody else writes, a feed would
// otherwise wait for the server's own housekeeping to get beyond the end of the log.
func (s *streams) End(ctx context.Context) (change.Position, error) {
	return s.end.Emit(ctx, markPrefix, "end")
}

// Emit writes a message into the write-ahead log, in a transaction of its own that is committed when Emit returns, and
// returns the place behind the message. It changes no table and needs no privilege.
func (e *End) Emit(ctx context.Context, prefix, content string) (change.Position, error) {
	var at string
	// A transactional message assigns a transaction id, so that its commit is flushed: others may stay
	// in memory for as long as nobody commits, out of a feed's sight.
	err := e.control.QueryRow(ctx, "SELECT pg_logical_emit_message(true, $1, $2)::text", prefix, content).Scan(&at)
	if err != nil {
		return "", e.fail("write a marker into the log of "+e.config.Redacted(), err)
	}
	l, err := logical.ParseLSN(at)
	if err != nil {
		return "", fmt.Errorf("write a marker into the log of %s: %w", e.config.Redacted(), err)
	}
	return position(l), nil
}

// Includes implements change.Streamer.
func (s *streams) Includes(_ context.Context, a, b change.Position) (bool, error) {
	la, err := parsePosition(a)
	if err != nil {
		return false, err
	}
	lb, err := parsePosition(b)
	return err == nil && la >= lb, err
}

// Stream implements change.Streamer. The feed shows neither what bascule itself applied, which it recognises by the
// ledger's table bascule.apply that such a transaction changes first, nor transactions whose replication origin has the
// slot's name; its position moves past them. Confirm a position only when it, too, is saved on the other side: the
// server lets go of its log up to there, and Stream then refuses an earlier one.
func (s *streams) Stream(ctx context.Context, at change.Position, tables []*change.Select, fn func(context.Context, change.Feed) error) error {
	e, name := s.end, slotName(s.record)
	op := fmt.Sprintf("follow %s from %s", e.config.Redacted(), at)
	from, err := parsePosition(at)
	if err != nil {
		return fault.New(fault.Refused, op, err, "give a position that this end has returned")
	}
	slot, err := e.Armed(ctx, s.record)
	if err != nil {
		return err
	}
	if err := slot.usable(); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	if kept, err := parsePosition(slot.Confirmed); err != nil || from < kept {
		if err == nil {
			err = fmt.Errorf("slot %s has let go of everything before %s, because that was confirmed as saved", name, slot.Confirmed)
		}
		return fault.New(fault.Refused, op, err, rearm)
	}
	targets, err := e.followed(ctx, s.record, tables)
	if err != nil {
		return e.fail(op, err)
	}
	c, err := e.replicate(ctx, name, from)
	if err != nil {
		return e.fail(op, err)
	}
	f := &feed{end: e, conn: c, op: op, slot: name, targets: targets, from: from, pos: from}
	ctx, cancel := context.WithCancel(ctx)
	stop := c.keepAlive(ctx, func() (logical.LSN, error) { return e.written(ctx) })
	defer func() {
		cancel()
		stop()
		c.close()
	}()
	return fn(ctx, f)
}

// written returns the end of the log.
func (e *End) written(ctx context.Context) (logical.LSN, error) {
	var text string
	if err := e.control.QueryRow(ctx, "SELECT pg_current_wal_insert_lsn()::text").Scan(&text); err != nil {
		return 0, err
	}
	return logical.ParseLSN(text)
}

// Within implements change.Log: a transaction is named by the place of its commit.
func (s *streams) Within(at change.Position, txn string) (bool, error) {
	l, err := parsePosition(at)
	if err != nil {
		return false, err
	}
	commit, err := logical.ParseLSN(txn)
	// A commit that begins before a place between two records has ended there.
	return err == nil && commit < l, err
}
