package mysql

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/journal"
)

const (
	// guardPolite is how many seconds somebody who is at work is given to end by himself.
	guardPolite = 1
	// guardPatience bounds the wait until a connection that was killed is gone.
	guardPatience = 30 * time.Second
)

// guard lets one driver at a time change something for a migration: the one with the highest token.
//
// The order of its steps makes looking at the token and working one thing:
//
//  1. show: raise the epoch in the ledger. From now on a lower token finds a higher epoch wherever it looks.
//  2. lock: take the server's user lock, on the connection that will do everything. Somebody who has it, and keeps it, is killed. He can
//     not come back: he needs a new connection, on which he begins at 1 and is refused. Were he killed before the epoch
//     was raised, he could take the lock again first.
//  3. show again: while this one waited, or was stalled between 1 and 2, another may have done all of it.
//  4. work, on the connection that has the lock alone. A driver with a higher token that comes meanwhile is stuck at 2 until this
//     connection is gone; the server lets go of the lock only when the statement that it runs has ended. So nothing that a lower
//     token does happens after anything that a higher one does.
type guard struct {
	e         *End
	w         *reader
	migration int64
	token     change.Token
	op        string
}

// guarded runs fn on a connection on which nobody with another token changes anything meanwhile. Every statement of fn that
// changes something has to run there.
func (e *End) guarded(ctx context.Context, r *change.Record, t change.Token, op string, fn func(context.Context, *reader) error) error {
	return e.withWriter(ctx, func(ctx context.Context, w *reader) error {
		if err := e.makeLedger(ctx, w); err != nil {
			return err
		}
		g := &guard{e: e, w: w, migration: inLedger(r), token: t, op: op}
		if err := g.show(ctx); err != nil {
			return err
		}
		if err := g.lock(ctx); err != nil {
			return err
		}
		defer w.unlock(ctx, g.name())
		if err := g.show(ctx); err != nil {
			return err
		}
		return fn(ctx, w)
	})
}

func (g *guard) name() string { return "bascule cutover/" + strconv.FormatInt(g.migration, 10) }

// show raises the epoch to the token, and refuses when it is higher.
func (g *guard) show(ctx context.Context) error {
	err := g.w.exec(ctx, fmt.Sprintf("INSERT INTO %s (migration, epoch) VALUES (%d, %d) ON DUPLICATE KEY UPDATE epoch = GREATEST(epoch, VALUES(epoch))",
		g.e.ledger("token"), g.migration, g.token))
	if err != nil {
		return g.e.failLedger(g.op, err)
	}
	row, err := g.w.row(ctx, fmt.Sprintf("SELECT epoch FROM %s WHERE migration = %d", g.e.ledger("token"), g.migration))
	if err != nil {
		return g.e.explain(g.op, err)
	}
	epoch, err := strconv.ParseInt(row[0], 10, 64)
	if err != nil {
		return fmt.Errorf("%s: read the epoch %q: %w", g.op, row[0], err)
	}
	if epoch > int64(g.token) {
		return fault.New(fault.Busy, g.op, fmt.Errorf("%w: %s has seen epoch %d, and this process drives epoch %d", journal.ErrStale, g.e.cfg.label(), epoch, g.token),
			"bascule db status says who drives now and how far it is")
	}
	return nil
}

// lock takes the user lock, if need be from somebody who drives no more, or from a call of this driver that was given up and whose
// statement still runs.
func (g *guard) lock(ctx context.Context) error {
	until := time.Now().Add(guardPatience)
	name := quoteString(g.name())
	for {
		got, err := g.w.row(ctx, fmt.Sprintf("SELECT GET_LOCK(%s, %d)", name, guardPolite))
		if err != nil {
			return g.e.explain(g.op, err)
		}
		if got[0] == "1" {
			return nil
		}
		holder, err := g.w.row(ctx, "SELECT IS_USED_LOCK("+name+")")
		if err != nil {
			return g.e.explain(g.op, err)
		}
		if holder[0] == "" {
			continue
		}
		if time.Now().After(until) {
			return fault.New(fault.Busy, g.op, fmt.Errorf("session %s works for an earlier process of the cutover and does not end although it was killed", holder[0]),
				"SHOW PROCESSLIST says what it does; try again when it is gone")
		}
		// Whoever had the lock when it was looked at has raised the epoch before; if his is the higher one, this says so.
		if err := g.show(ctx); err != nil {
			return err
		}
		if err := g.e.kill(ctx, g.w, holder[0]); err != nil {
			return err
		}
	}
}

// unlock lets go of a user lock at once: the server may take a moment to notice that the connection is closed.
func (r *reader) unlock(ctx context.Context, name string) {
	if r.conn.Closed() {
		return
	}
	// The work is over however its context ended.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	if _, err := r.rows(ctx, "DO RELEASE_LOCK("+quoteString(name)+")"); err != nil {
		r.e.log.DebugContext(ctx, "release a lock", "lock", name, "error", err)
	}
}
