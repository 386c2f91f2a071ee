package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/bascule/bascule/internal/storefront"
)

// shop is the application of one database.
type shop struct {
	name string
	app  storefront.App
}

// orders is how many a second each application makes, by how many clients.
const (
	orders  = 8
	clients = 3
)

// open lets an application work on every database.
func (s *stage) open(ctx context.Context, names ...string) error {
	s.shops = map[string]*shop{}
	for _, name := range names {
		old, err := as(s.old, name, "shop")
		if err != nil {
			return err
		}
		fresh, err := as(s.new, name, "shop")
		if err != nil {
			return err
		}
		x := &shop{name: name, app: storefront.App{Old: old, New: fresh, Schema: "public", Clients: clients, Rate: orders, Accounts: accounts, NoteBytes: 60}}
		if err := x.app.Start(ctx); err != nil {
			return err
		}
		s.shops[name] = x
	}
	return nil
}

// as is the URL of a server's database for the account of that name.
func as(server, name, password string) (string, error) {
	u, err := url.Parse(server)
	if err != nil {
		return "", err
	}
	u.User, u.Path = url.UserPassword(name, password), "/"+name
	return u.String(), nil
}

// sells waits until an application has been told of so many more orders: it works, wherever it is.
func (x *shop) sells(ctx context.Context, n int64) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute, fmt.Errorf("the application of %s has made no %d orders in a minute", x.name, n))
	defer cancel()
	for until := x.app.Acked() + n; x.app.Acked() < until; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// works says on which side an application makes its orders, by what is in the databases.
func (s *stage) works(ctx context.Context, on string, names ...string) error {
	for _, name := range names {
		x := s.shops[name]
		was, err := s.count(ctx, on, name)
		if err != nil {
			return err
		}
		if err := x.sells(ctx, 2*clients); err != nil {
			return err
		}
		is, err := s.count(ctx, on, name)
		if err != nil {
			return err
		}
		if is <= was {
			return fmt.Errorf("the application of %s does not work on the %s side", name, on)
		}
		s.say("  the application of %s works on the %s side: %d orders there; its longest pause was %s", name, on, is, short(x.app.Gap()))
		x.app.ResetGap()
	}
	return nil
}

// count counts the orders on a side.
func (s *stage) count(ctx context.Context, side, name string) (n int64, err error) {
	var db *sql.DB
	if side == "old" {
		db, err = oldSide(s.old, name)
	} else {
		db, err = sql.Open("pgx", s.new+"/"+name)
	}
	if err != nil {
		return 0, err
	}
	defer db.Close()
	err = db.QueryRowContext(ctx, "SELECT COUNT(*) FROM entry").Scan(&n)
	return n, err
}

// judge ends the applications, and asks of each whether the new side holds just what was acknowledged to it.
func (s *stage) judge(ctx context.Context, names ...string) error {
	var bad error
	for _, name := range names {
		x := s.shops[name]
		if err := x.app.Stop(); err != nil {
			bad = errors.Join(bad, fmt.Errorf("the application of %s met what none should: %w", name, err))
		}
		u, err := as(s.new, name, "shop")
		if err != nil {
			return err
		}
		v, err := x.app.Judge(ctx, u)
		if err != nil {
			return err
		}
		s.say("  %-18s %5d orders acknowledged: %d missing, %d twice, %d invented; %d wrong balances", name, v.Orders, v.Missing, v.Twice, v.Invented, v.Balances)
		if !v.Good() {
			bad = errors.Join(bad, fmt.Errorf("%s does not hold what was acknowledged to its application", name))
		}
	}
	return bad
}

// importer is a program that nobody thinks of: by an account of its own it writes lines into the old side, all of them in one transaction.
type importer struct {
	db    *sql.DB
	lines int
	end   chan struct{}
	over  chan struct{}
	err   error
}

// imports lets an importer begin, and returns when it has written something.
func (s *stage) imports(ctx context.Context, name string) (*importer, error) {
	u, err := url.Parse(s.old)
	if err != nil {
		return nil, err
	}
	u.User = url.UserPassword("importer", "shop")
	x := &importer{end: make(chan struct{}), over: make(chan struct{})}
	if x.db, err = oldSide(u.String(), name); err != nil {
		return nil, err
	}
	tx, err := x.db.BeginTx(ctx, nil)
	if err == nil {
		err = x.line(ctx, tx)
	}
	if err != nil {
		return nil, err
	}
	go func() {
		defer close(x.over)
		x.err = x.work(ctx, tx)
	}()
	return x, nil
}

func (x *importer) line(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO import (line) VALUES (?)", fmt.Sprintf("line %d", x.lines+1))
	if err == nil {
		x.lines++
	}
	return err
}

// work writes lines until it is told to end, and commits.
func (x *importer) work(ctx context.Context, tx *sql.Tx) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), tx.Rollback())
		case <-x.end:
			return tx.Commit()
		case <-tick.C:
		}
		if err := x.line(ctx, tx); err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
}

// finish lets the importer come to its end.
func (x *importer) finish() error {
	close(x.end)
	<-x.over
	return errors.Join(x.err, x.db.Close())
}

// arrived compares what the importer has committed with what the new side holds.
func (x *importer) arrived(ctx context.Context, s *stage, name string) error {
	db, err := sql.Open("pgx", s.new+"/"+name)
	if err != nil {
		return err
	}
	defer db.Close()
	var n int
	if err := db.QueryRowContext(ctx, "SELECT COUNT(*) FROM import").Scan(&n); err != nil {
		return err
	}
	s.say("  the importer committed %d lines; the new side holds %d", x.lines, n)
	if n != x.lines {
		return errors.New("lines of the importer are missing")
	}
	return nil
}
