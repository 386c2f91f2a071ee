package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/round"
)

// Entries returns the entries of a round with a Seq above after, in order. With after 0 the whole chain is checked, from the round itself; else that the
// entries chain onto entry after. ErrChain names the first entry that is wrong or gone, a last one that is gone too; ErrNone: there is no such round.
func (s *Store) Entries(ctx context.Context, id string, after int64) (entries []Entry, err error) {
	err = s.view(ctx, "read the journal of round "+id, func(ctx context.Context, t *tx) error {
		entries, err = readEntries(ctx, t, id, after)
		return err
	})
	return entries, err
}

func readEntries(ctx context.Context, t *tx, id string, after int64) ([]Entry, error) {
	var body, head string
	var last int64
	if err := t.row(ctx, `SELECT body, seq, head FROM @rounds WHERE id = $1`, id).Scan(&body, &last, &head); err != nil {
		return nil, none(err, "round", id)
	}
	if _, err := decode(id, body); err != nil {
		return nil, err
	}
	c := chain{id: id, hash: root(body)}
	if after > 0 {
		c.seq, c.hash = after-1, ""
	}
	if after > last {
		return nil, c.broken(after, "is gone")
	}
	// Entry after comes too: the next one chains onto it.
	rows, err := t.rows(ctx, `SELECT seq, at, epoch, event, hash FROM @entries WHERE round = $1 AND seq >= $2 ORDER BY seq`, id, after)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var entries []Entry
	for rows.Next() {
		e, err := c.next(rows)
		if err != nil {
			return nil, err
		}
		if e.Seq > after {
			entries = append(entries, *e)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if err := c.end(last, head); err != nil {
		return nil, err
	}
	return entries, nil
}

// chain checks entries as they come.
type chain struct {
	id   string
	seq  int64  // of the entry before
	hash string // of the entry before; empty where it is not known
}

func (c *chain) broken(seq int64, why string) error {
	return fmt.Errorf("entry %d of round %s %s: %w", seq, c.id, why, ErrChain)
}

func (c *chain) next(rows *sql.Rows) (*Entry, error) {
	var e Entry
	var at int64
	var event string
	if err := rows.Scan(&e.Seq, &at, &e.Epoch, &event, &e.Hash); err != nil {
		return nil, err
	}
	e.At = stamp(at)
	if e.Seq != c.seq+1 {
		return nil, c.broken(c.seq+1, "is gone")
	}
	if c.hash != "" && link(c.hash, e.Seq, e.At, e.Epoch, event) != e.Hash {
		return nil, c.broken(e.Seq, "does not fit its hash")
	}
	if err := json.Unmarshal([]byte(event), &e.Event); err != nil {
		return nil, c.broken(e.Seq, "cannot be read ("+err.Error()+")")
	}
	c.seq, c.hash = e.Seq, e.Hash
	return &e, nil
}

// end compares with what the round says of its last entry.
func (c *chain) end(last int64, head string) error {
	switch {
	case c.seq < last:
		return c.broken(c.seq+1, "is gone")
	case c.seq > last:
		return c.broken(last+1, "was put there")
	case c.hash == head:
		return nil
	case last == 0:
		return fmt.Errorf("round %s does not fit its hash: %w", c.id, ErrChain)
	}
	return c.broken(c.seq, "does not fit the round's last hash")
}

// Append writes an event down as the round's next entry, durably, and returns it. after is the Seq of the last entry that the caller knows; where another
// was written since, nothing is, and the error is ErrBehind. An epoch other than 0 must be the round's: else it is ErrStale. A person's entry has none. The
// time is the store's, and never before the last entry's.
//
// When the answer to the commit is lost it looks whether the entry is there, for at most 25 seconds, even when ctx has ended. An error other than ErrUnsure
// means that nothing was written.
func (s *Store) Append(ctx context.Context, id string, after, epoch int64, e round.Event) (*Entry, error) {
	op := "write the journal of round " + id
	event, err := json.Marshal(e)
	if err != nil {
		return nil, fault.New(fault.Internal, op, err, "")
	}
	n := Entry{Seq: after + 1, Epoch: epoch}
	err = s.change(ctx, op, func(ctx context.Context, t *tx) error {
		var seq, now, at, current int64
		var head, who string
		if err := t.row(ctx, `SELECT seq, head, at, epoch, who, CLOCK FROM @rounds WHERE id = $1 LOCKED`, id).Scan(&seq, &head, &at, &current, &who, &now); err != nil {
			return none(err, "round", id)
		}
		if epoch != 0 && epoch != current {
			return fmt.Errorf("epoch %d is over: %s drives with epoch %d: %w", epoch, who, current, ErrStale)
		}
		if seq != after {
			return fmt.Errorf("entry %d is the last, not %d: %w", seq, after, ErrBehind)
		}
		at = max(at, s.clock(now))
		n.At = stamp(at)
		n.Hash = link(head, n.Seq, n.At, epoch, string(event))
		if err := t.exec(ctx, `INSERT INTO @entries VALUES ($1, $2, $3, $4, $5, $6)`, id, n.Seq, at, epoch, string(event), n.Hash); err != nil {
			return err
		}
		return t.exec(ctx, `UPDATE @rounds SET seq = $1, head = $2, at = $3 WHERE id = $4`, n.Seq, n.Hash, at, id)
	}, func(ctx context.Context, t *tx) (bool, error) { return written(ctx, t, id, &n) })
	if err != nil {
		return nil, err
	}
	// What a later reader gets, to the byte.
	return &n, json.Unmarshal(event, &n.Event)
}

// written reports whether an entry is in the journal.
func written(ctx context.Context, t *tx, id string, e *Entry) (bool, error) {
	var seq int64
	if err := t.row(ctx, `SELECT seq FROM @rounds WHERE id = $1 LOCKED`, id).Scan(&seq); err != nil {
		return false, err
	}
	var hash string
	err := t.row(ctx, `SELECT hash FROM @entries WHERE round = $1 AND seq = $2`, id, e.Seq).Scan(&hash)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return hash == e.Hash, err
}

// Wait returns when the round has an entry with a Seq above after, or with an error when ctx ends. It looks five times a second.
func (s *Store) Wait(ctx context.Context, id string, after int64) error {
	for {
		var seq int64
		err := s.view(ctx, "wait for an entry of round "+id, func(ctx context.Context, t *tx) error {
			return none(t.row(ctx, `SELECT seq FROM @rounds WHERE id = $1`, id).Scan(&seq), "round", id)
		})
		if err != nil || seq > after {
			return err
		}
		if err := s.rest(ctx); err != nil {
			return fmt.Errorf("wait for an entry of round %s: %w", id, err)
		}
	}
}
