package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/bascule/bascule/internal/fault"
)

// Create writes a round down, gives it its Number and ID, and, where it has none, its Began. A number whose ID another environment's round already has (that
// of prod's first rehearsal is that of prod-rehearsal's first round) is left out.
func (s *Store) Create(ctx context.Context, r *Round) error {
	op := "begin a round of " + r.Environment
	if r.Environment == "" || r.Kind != Live && r.Kind != PoC && r.Kind != Rehearsal {
		return fault.New(fault.Internal, op, fmt.Errorf("a round needs an environment and a kind, and has %q and %q", r.Environment, r.Kind), "")
	}
	c := *r
	var body string
	err := s.change(ctx, op, func(ctx context.Context, t *tx) error {
		var version, server, place int64
		// The one row of meta is the lock of all who create.
		if err := t.row(ctx, `SELECT version, CLOCK FROM @meta LOCKED`).Scan(&version, &server); err != nil {
			return err
		}
		if err := s.number(ctx, t, &c, &place); err != nil {
			return err
		}
		if c.Began.IsZero() {
			c.Began = stamp(s.clock(server))
		}
		c.Began = c.Began.UTC().Round(0)
		b, err := json.Marshal(&c)
		if err != nil {
			return fault.New(fault.Internal, op, err, "")
		}
		body = string(b)
		return t.exec(ctx, `INSERT INTO @rounds VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9, '', 0, 0, 0, 0, 0)`,
			c.ID, place, c.Environment, string(c.Kind), c.Number, micros(c.Began), body, root(body), micros(c.Began))
	}, func(ctx context.Context, t *tx) (bool, error) {
		var version int64
		if err := t.row(ctx, `SELECT version FROM @meta LOCKED`).Scan(&version); err != nil {
			return false, err
		}
		var there string
		err := t.row(ctx, `SELECT body FROM @rounds WHERE id = $1`, c.ID).Scan(&there)
		if errors.Is(err, sql.ErrNoRows) {
			return false, nil
		}
		return there == body, err
	})
	if err == nil {
		*r = c
	}
	return err
}

// number finds the next free number, the ID that it makes, and the round's place among all.
func (s *Store) number(ctx context.Context, t *tx, r *Round, place *int64) error {
	if err := t.row(ctx, `SELECT COALESCE(max(place), 0) + 1 FROM @rounds`).Scan(place); err != nil {
		return err
	}
	if err := t.row(ctx, `SELECT COALESCE(max(number), 0) FROM @rounds WHERE environment = $1 AND kind = $2`, r.Environment, string(r.Kind)).Scan(&r.Number); err != nil {
		return err
	}
	for {
		r.Number++
		r.ID = fmt.Sprintf("%s-%d", r.Environment, r.Number)
		if r.Kind != Live {
			r.ID = fmt.Sprintf("%s-%s-%d", r.Environment, r.Kind, r.Number)
		}
		var n int64
		if err := t.row(ctx, `SELECT count(*) FROM @rounds WHERE id = $1`, r.ID).Scan(&n); err != nil || n == 0 {
			return err
		}
	}
}

// Rounds returns all rounds, the oldest first.
func (s *Store) Rounds(ctx context.Context) (rounds []Round, err error) {
	err = s.view(ctx, "read the rounds", func(ctx context.Context, t *tx) error {
		rows, err := t.rows(ctx, `SELECT id, body FROM @rounds ORDER BY began, place`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id, body string
			if err := rows.Scan(&id, &body); err != nil {
				return err
			}
			r, err := decode(id, body)
			if err != nil {
				return err
			}
			rounds = append(rounds, *r)
		}
		return rows.Err()
	})
	return rounds, err
}

// Round returns a round, or ErrNone.
func (s *Store) Round(ctx context.Context, id string) (r *Round, err error) {
	err = s.view(ctx, "read round "+id, func(ctx context.Context, t *tx) error {
		var body string
		if err := t.row(ctx, `SELECT body FROM @rounds WHERE id = $1`, id).Scan(&body); err != nil {
			return none(err, "round", id)
		}
		r, err = decode(id, body)
		return err
	})
	return r, err
}

func decode(id, body string) (*Round, error) {
	r := new(Round)
	if err := json.Unmarshal([]byte(body), r); err != nil {
		return nil, fmt.Errorf("round %s: %w: %w", id, ErrChain, err)
	}
	if r.ID != id {
		return nil, fmt.Errorf("round %s calls itself %q: %w", id, r.ID, ErrChain)
	}
	return r, nil
}
