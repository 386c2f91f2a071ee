package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/bascule/bascule/internal/fault"
)

const (
	// patience is how long one call may take, so that a server that has vanished holds nobody up for ever.
	patience = 30 * time.Second
	// settling is how long it is tried to find out what became of a commit whose answer was lost. It is longer than a session of PostgreSQL may stand idle
	// in a transaction (see idle), since until then the commit may still arrive there.
	settling = 25 * time.Second
	// pause is between two looks.
	pause = 200 * time.Millisecond
)

// Store is the journal of all rounds. It is safe for concurrent use, by many processes too.
type Store struct {
	// write has transactions that wait for their turn, read only looks, and loose need not be durable. With PostgreSQL they are the same.
	write, read, loose *sql.DB
	dialect            dialect
	// place is the file or the server, without a password, for people.
	place string
	// now is the machine's clock; nil where the server's is asked.
	now                       func() time.Time
	patience, settling, pause time.Duration
}

// dialect is what SQLite and PostgreSQL do differently.
type dialect struct {
	shared bool
	// words makes of a query as it stands in this package what the server understands: @ before a table's name is its schema, LOCKED holds a row until the
	// transaction ends, and CLOCK is the server's time in microseconds, or 0 where the machine's is taken.
	words *strings.Replacer
	// looks are the options of a transaction that sees one state throughout.
	looks sql.TxOptions
	// hurry lets a transaction commit without waiting for the disk; empty where the connection does.
	hurry string
	// judge gives an error of the driver its class and a hint; ok says that it knows it.
	judge func(place string, err error) (class fault.Class, hint string, ok bool)
}

// Open opens the store at a URL, postgres://user@host:port/database?sslmode=…, or in a file of SQLite, as a path or as sqlite:PATH, and makes it where there
// is none. The file and its folder are for the user alone. A store that a newer program made is refused with fault.Unsupported. The Store must be closed.
func Open(ctx context.Context, url string) (*Store, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://") {
		return openPostgres(ctx, url)
	}
	path := strings.TrimPrefix(url, "sqlite:")
	if path == "" || strings.Contains(path, "://") {
		return nil, fault.New(fault.Usage, "open the journal of rounds", errors.New("it is neither a path nor a URL of PostgreSQL"),
			"name a file, such as .bascule/rounds.db, or postgres://user@host:5432/database")
	}
	return openSQLite(ctx, path)
}

// Close ends every connection. Calls that are under way end first.
func (s *Store) Close() error {
	var errs []error
	for _, db := range []*sql.DB{s.loose, s.read, s.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return s.fail("close the journal at "+s.place, errors.Join(errs...))
}

// Shared reports whether another machine can take a round over.
func (s *Store) Shared() bool { return s.dialect.shared }

// tx is a transaction in the store's dialect.
type tx struct {
	*sql.Tx
	s *Store
}

func (t *tx) exec(ctx context.Context, query string, args ...any) error {
	_, err := t.ExecContext(ctx, t.s.dialect.words.Replace(query), args...)
	return err
}

func (t *tx) row(ctx context.Context, query string, args ...any) *sql.Row {
	return t.QueryRowContext(ctx, t.s.dialect.words.Replace(query), args...)
}

func (t *tx) rows(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return t.QueryContext(ctx, t.s.dialect.words.Replace(query), args...)
}

// work is what is done in a transaction.
type work func(ctx context.Context, t *tx) error

// view looks at one state of the store.
func (s *Store) view(ctx context.Context, op string, do work) error {
	return s.bounded(ctx, op, func(ctx context.Context) error { return s.in(ctx, s.read, &s.dialect.looks, do) })
}

// bounded calls do with a limited time, and gives its error a class and a hint. What ends with ctx says so.
func (s *Store) bounded(ctx context.Context, op string, do func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	err := do(limited)
	if _, _, ours := verdict(err); err == nil || ours {
		return s.fail(op, err)
	}
	// A driver may say of an interrupted call what it likes.
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", op, ctx.Err())
	}
	if limited.Err() != nil {
		err = fmt.Errorf("no answer within %s: %w", s.patience, limited.Err())
	}
	return s.fail(op, err)
}

// in carries do out in a transaction and ends it. Where the commit fails, what became of it is open: the error is a *commitError.
func (s *Store) in(ctx context.Context, db *sql.DB, opts *sql.TxOptions, do work) error {
	t, err := db.BeginTx(ctx, opts)
	if err != nil {
		return err
	}
	defer t.Rollback() //nolint:errcheck // after a commit it does nothing, and before one the first error says more
	if err := do(ctx, &tx{Tx: t, s: s}); err != nil {
		return err
	}
	if err := t.Commit(); err != nil {
		return &commitError{err}
	}
	return nil
}

// change carries do out durably. Where the answer to the commit is lost, landed says whether it is there; nil where the same call again does no harm.
func (s *Store) change(ctx context.Context, op string, do work, landed func(ctx context.Context, t *tx) (bool, error)) error {
	var lost *commitError
	err := s.bounded(ctx, op, func(ctx context.Context) error {
		err := s.in(ctx, s.write, nil, do)
		if landed != nil && errors.As(err, &lost) {
			return nil
		}
		return err
	})
	if lost == nil {
		return err
	}
	return s.settle(ctx, op, lost, landed)
}

// settle finds out what became of a commit whose answer was lost, even when ctx has ended: what was written decides what has to be done.
func (s *Store) settle(ctx context.Context, op string, lost *commitError, landed func(ctx context.Context, t *tx) (bool, error)) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.settling)
	defer cancel()
	for {
		var there bool
		// landed takes the row's lock, and so waits until the session of before has ended.
		err := s.in(ctx, s.write, nil, func(ctx context.Context, t *tx) (err error) {
			there, err = landed(ctx, t)
			return err
		})
		switch {
		case err == nil && there:
			return nil
		case err == nil && !unsynced(lost.err):
			return s.fail(op, fmt.Errorf("it was not written: %w", lost.err))
		case err == nil || s.rest(ctx) != nil:
			return fault.New(fault.Ambiguous, op, fmt.Errorf("%w: %w", ErrUnsure, lost.err),
				"do nothing by hand yet: once the journal at "+s.place+" answers again, run the same command, which reads it first")
		}
	}
}

// rest waits a moment, or until ctx ends.
func (s *Store) rest(ctx context.Context) error {
	timer := time.NewTimer(s.pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// clock is the store's time, in microseconds since 1970; server is what the server said it is.
func (s *Store) clock(server int64) int64 {
	if s.now != nil {
		return s.now().UnixMicro()
	}
	return server
}

// stamp makes a time of microseconds; 0 is the zero time.
func stamp(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

// micros is stamp's inverse.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}
