package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/bascule/bascule/internal/fault"
)

// tokenSQL reads tokens in the order that scan takes them.
const tokenSQL = `SELECT id, person, hash, created, expires, revoked FROM @tokens` //nolint:gosec // no secret is in it

type scanner interface{ Scan(into ...any) error }

func scanToken(row scanner, more ...any) (*Token, error) {
	var k Token
	var created, expires, revoked int64
	if err := row.Scan(append([]any{&k.ID, &k.Person, &k.Hash, &created, &expires, &revoked}, more...)...); err != nil {
		return nil, err
	}
	k.Created, k.Expires, k.Revoked = stamp(created), stamp(expires), stamp(revoked)
	return &k, nil
}

// AddToken keeps a token. Where Created is zero it is the store's time. Another of the same ID or hash is refused, and so is one that never expires.
func (s *Store) AddToken(ctx context.Context, k Token) error {
	op := fmt.Sprintf("keep token %s of %s", k.ID, k.Person)
	if k.ID == "" || k.Person == "" || k.Hash == "" || k.Expires.IsZero() {
		return fault.New(fault.Internal, op, errors.New("a token needs an ID, a person, a hash and an end"), "")
	}
	return s.change(ctx, op, func(ctx context.Context, t *tx) error {
		var version, now, same int64
		if err := t.row(ctx, `SELECT version, CLOCK FROM @meta LOCKED`).Scan(&version, &now); err != nil {
			return err
		}
		if err := t.row(ctx, `SELECT count(*) FROM @tokens WHERE id = $1 OR hash = $2`, k.ID, k.Hash).Scan(&same); err != nil {
			return err
		}
		if same > 0 {
			return fault.New(fault.Refused, op, errors.New("there is one of this ID or secret already"), "make another")
		}
		created := micros(k.Created)
		if created == 0 {
			created = s.clock(now)
		}
		return t.exec(ctx, `INSERT INTO @tokens VALUES ($1, $2, $3, $4, $5, $6)`, k.ID, k.Person, k.Hash, created, micros(k.Expires), micros(k.Revoked))
	}, func(ctx context.Context, t *tx) (bool, error) {
		var version, n int64
		if err := t.row(ctx, `SELECT version FROM @meta LOCKED`).Scan(&version); err != nil {
			return false, err
		}
		err := t.row(ctx, `SELECT count(*) FROM @tokens WHERE id = $1 AND hash = $2`, k.ID, k.Hash).Scan(&n)
		return n == 1, err
	})
}

// Tokens returns all tokens, the oldest first, with those that are revoked or have run out.
func (s *Store) Tokens(ctx context.Context) (tokens []Token, err error) {
	err = s.view(ctx, "read the tokens", func(ctx context.Context, t *tx) error {
		rows, err := t.rows(ctx, tokenSQL+` ORDER BY created, id`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			k, err := scanToken(rows)
			if err != nil {
				return err
			}
			tokens = append(tokens, *k)
		}
		return rows.Err()
	})
	return tokens, err
}

// RevokeToken lets a token count no more. ErrNone: there is none of this ID. Once more does no harm.
func (s *Store) RevokeToken(ctx context.Context, id string) error {
	return s.change(ctx, "revoke token "+id, func(ctx context.Context, t *tx) error {
		var revoked, now int64
		if err := t.row(ctx, `SELECT revoked, CLOCK FROM @tokens WHERE id = $1 LOCKED`, id).Scan(&revoked, &now); err != nil || revoked != 0 {
			return none(err, "token", id)
		}
		return t.exec(ctx, `UPDATE @tokens SET revoked = $1 WHERE id = $2`, s.clock(now), id)
	}, nil)
}

// TokenByHash returns the token whose secret has this SHA-256. ErrNone: there is none, or it was revoked, or it has run out.
func (s *Store) TokenByHash(ctx context.Context, hash string) (k *Token, err error) {
	err = s.view(ctx, "look a token up", func(ctx context.Context, t *tx) error {
		var now int64
		k, err = scanToken(t.row(ctx, `SELECT id, person, hash, created, expires, revoked, CLOCK FROM @tokens WHERE hash = $1`, hash), &now)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return ErrNone
		case err != nil:
			return err
		case !k.Revoked.IsZero():
			return fmt.Errorf("token %s of %s was revoked: %w", k.ID, k.Person, ErrNone)
		case micros(k.Expires) <= s.clock(now):
			return fmt.Errorf("token %s of %s has run out: %w", k.ID, k.Person, ErrNone)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return k, nil
}
