package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/bascule/bascule/internal/fault"
)

// Sign overwrites the sign of life of a part of a round. It is cheap: a crash of the machine may lose the last ones. ErrNone: there is no such round.
func (s *Store) Sign(ctx context.Context, id, name string, body json.RawMessage) error {
	op := fmt.Sprintf("write the sign of life of %s in round %s", name, id)
	if !json.Valid(body) {
		return fault.New(fault.Internal, op, fmt.Errorf("its body is no JSON: %.80q", body), "")
	}
	return s.bounded(ctx, op, func(ctx context.Context) error {
		return s.in(ctx, s.loose, nil, func(ctx context.Context, t *tx) error { return sign(ctx, t, id, name, string(body)) })
	})
}

func sign(ctx context.Context, t *tx, id, name, body string) error {
	if hurry := t.s.dialect.hurry; hurry != "" {
		if err := t.exec(ctx, hurry); err != nil {
			return err
		}
	}
	var there, now int64
	if err := t.row(ctx, `SELECT seq, CLOCK FROM @rounds WHERE id = $1`, id).Scan(&there, &now); err != nil {
		return none(err, "round", id)
	}
	return t.exec(ctx, `INSERT INTO @signs VALUES ($1, $2, $3, $4) ON CONFLICT (round, name) DO UPDATE SET at = excluded.at, body = excluded.body`,
		id, name, t.s.clock(now), body)
}

// Signs returns the signs of life of a round by their names.
func (s *Store) Signs(ctx context.Context, id string) (signs map[string]Sign, err error) {
	signs = map[string]Sign{}
	err = s.view(ctx, "read the signs of life of round "+id, func(ctx context.Context, t *tx) error {
		rows, err := t.rows(ctx, `SELECT name, at, body FROM @signs WHERE round = $1`, id)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var name, body string
			var at int64
			if err := rows.Scan(&name, &at, &body); err != nil {
				return err
			}
			signs[name] = Sign{At: stamp(at), Body: json.RawMessage(body)}
		}
		return rows.Err()
	})
	return signs, err
}
