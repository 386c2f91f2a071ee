package postgres

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/journal"
)

// TestToken shows an older token to everything that changes something for a cutover.
func TestToken(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, d *database) {
		w := d.planned(t, "CREATE TABLE item (id integer PRIMARY KEY)")
		e, r, ctx := w.end, w.record, t.Context()
		exec(t, d.owner, "UPDATE bascule.ledger_version SET version = 3", "DROP TABLE bascule.token, bascule.fence")
		f := e.Fence(r, change.FenceOrder{Who: "one"})
		if err := f.Lower(ctx, 5); err != nil {
			t.Fatalf("a token in a ledger of version 3: %v", err)
		}
		db, err := e.Inspect(ctx, change.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		o := e.Opening(r, db)
		all := map[string]func(change.Token) error{
			"raise":    func(t change.Token) error { return f.Raise(ctx, t) },
			"prove":    func(t change.Token) error { _, err := f.Prove(ctx, t); return err },
			"lower":    func(t change.Token) error { return f.Lower(ctx, t) },
			"prepare":  func(t change.Token) error { return o.Prepare(ctx, t, nil) },
			"restore":  func(t change.Token) error { return o.Restore(ctx, t) },
			"validate": func(t change.Token) error { return o.Validate(ctx, t) },
			"arm":      func(t change.Token) error { _, err := e.Arm(ctx, r, t, w.tables, nil); return err },
			"disarm":   func(t change.Token) error { return e.Disarm(ctx, r, t) },
			"start":    func(t change.Token) error { return e.Start(ctx, r, t, change.Mark{Position: "p"}) },
			"release":  func(t change.Token) error { return e.Release(ctx, r, t) },
		}
		const left = `SELECT (SELECT count(*) FROM pg_replication_slots WHERE database = current_database()), (SELECT count(*) FROM pg_trigger),
			(SELECT count(*) FROM pg_publication), (SELECT count(*) FROM bascule.apply), (SELECT epoch FROM bascule.token)`
		before := query(t, d.owner, left)[0]
		for name, call := range all {
			if err := call(4); !errors.Is(err, journal.ErrStale) || fault.ClassOf(err) != fault.Busy {
				t.Errorf("%s with an older token: %v", name, err)
			}
		}
		if after := query(t, d.owner, left)[0]; after != before {
			t.Errorf("stale calls changed %s to %s", before, after)
		}
		if err := f.Raise(ctx, 6); err != nil {
			t.Error(err)
		}
		for name, call := range all {
			if err := call(5); !errors.Is(err, journal.ErrStale) {
				t.Errorf("%s with the token before: %v", name, err)
			}
		}
		if err := f.Lower(ctx, 6); err != nil {
			t.Error(err)
		}
		if _, err := e.Drop(ctx, "app", false); err != nil {
			t.Fatal(err)
		}
		if err := f.Raise(ctx, 7); fault.ClassOf(err) != fault.Refused {
			t.Errorf("a fence of a migration that was dropped: %v", err)
		}
	})
}

// TestTokenOfStalled stops a process at work: who shows a higher token waits for it, and not for ever; what it does afterwards fails.
func TestTokenOfStalled(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, d *database) {
		w := d.planned(t, "CREATE TABLE item (id integer PRIMARY KEY)")
		w.end.stall = 200 * time.Millisecond
		work := map[string]func(fn func(pgx.Tx) error) error{
			"token": func(fn func(pgx.Tx) error) error { return w.end.guarded(t.Context(), w.record, 1, fn) },
			"slot":  func(fn func(pgx.Tx) error) error { return w.end.withSlot(t.Context(), w.record, 3, time.Minute, fn) },
		}
		// In this order: a token counts for both.
		for i, name := range []string{"token", "slot"} {
			then := change.Token(2 * (i + 1))
			inside, goOn, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
			begin := func() {
				done <- work[name](func(tx pgx.Tx) error {
					close(inside)
					<-goOn
					_, err := tx.Exec(context.WithoutCancel(t.Context()), "CREATE TABLE app."+name+" ()")
					return err
				})
			}
			go begin()
			for at := false; !at; {
				select {
				case <-inside:
					at = true
				case err := <-done:
					if errors.Is(err, journal.ErrStale) {
						t.Fatalf("%s: it is stale before it begins: %v", name, err)
					}
					go begin() // a slow machine: it counted as stalled before it came to its work
				}
			}
			if err := d.open(t).withSlot(t.Context(), w.record, then, time.Minute, func(pgx.Tx) error { return nil }); err != nil {
				t.Errorf("%s: who takes over: %v", name, err)
			}
			close(goOn)
			if err := <-done; err == nil {
				t.Errorf("%s: who was stopped went on", name)
			}
		}
		if got := query(t, d.owner, "SELECT count(*) FROM pg_class WHERE relname IN ('token', 'slot') AND relnamespace = 'app'::regnamespace")[0]; got != "0" {
			t.Errorf("who was stopped made %s tables", got)
		}
	})
}
