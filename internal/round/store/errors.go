package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/bascule/bascule/internal/fault"
)

// commitError is a commit of which the answer is not known.
type commitError struct{ err error }

// Error returns the cause.
func (l *commitError) Error() string { return l.err.Error() }

// Unwrap returns the cause.
func (l *commitError) Unwrap() error { return l.err }

// fail gives an error its class and a hint. One that has a class, and a cancelled context, keep what they are.
func (s *Store) fail(op string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return fmt.Errorf("%s: %w", op, err)
	}
	if class, hint, ok := verdict(err); ok {
		return fault.New(class, op, err, hint)
	}
	if class, hint, ok := s.dialect.judge(s.place, err); ok {
		return fault.New(class, op, err, hint)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fault.New(fault.Connect, op, err, "the journal at "+s.place+" did not answer in time: check that it can be reached, then run the same command again")
	}
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("%s: %w", op, err)
	}
	return fault.New(fault.Internal, op, err, "")
}

// verdict knows the errors of this package.
func verdict(err error) (class fault.Class, hint string, ok bool) {
	switch {
	case errors.Is(err, ErrBehind):
		return fault.Busy, "read the round again, and decide anew", true
	case errors.Is(err, ErrStale):
		return fault.Busy, "this driver stops; to drive the round from here again, take it over", true
	case errors.Is(err, ErrHeld):
		return fault.Busy, "wait until that driver is done, or, when it is known to be dead, take the round over", true
	case errors.Is(err, ErrChain):
		return fault.Difference, "somebody changed the journal by other means, or its disk did: compare it with a backup and with the hashes in the messages " +
			"before the round goes on", true
	case errors.Is(err, ErrNone):
		return fault.Usage, "", true
	}
	return "", "", false
}

// none makes ErrNone of a query without a row.
func none(err error, what, name string) error {
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("%s %s: %w", what, name, ErrNone)
	}
	return err
}
