package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
)

// TestFence closes the fence while eight sessions of the tables' owner write: after the proof nothing that was acknowledged is missing and
// nothing can be written, but by appliers; a transaction that opens it opens it at its commit.
func TestFence(t *testing.T) {
	onEachServer(t, func(t *testing.T, d *database) {
		exec(t, d.owner, "CREATE SCHEMA bascule", "CREATE SCHEMA app", "CREATE TABLE app.t (w int, n int, PRIMARY KEY (w, n))", `CREATE TABLE app."Odd ""one" (id int)`)
		e, ctx := d.open(t), t.Context()
		rec := &change.Record{ID: 42, Schema: "app"}
		f, other := e.Fence(rec, "one"), e.Fence(rec, "other")
		if _, err := f.Prove(ctx); fault.ClassOf(err) != fault.Refused {
			t.Errorf("proof of a fence that does not stand: %v", err)
		}
		if err := f.Lower(ctx); err != nil {
			t.Error(err)
		}
		for range 2 {
			acked, stop := writers(t, d.owner)
			for acked.Load() < 200 {
				if ctx.Err() != nil {
					t.Fatal("nothing was written")
				}
				<-time.After(time.Millisecond)
			}
			// A transaction whose snapshot is older than the fence.
			old, err := pgx.Connect(ctx, d.owner)
			if err != nil {
				t.Fatal(err)
			}
			run(t, old, "BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT count(*) FROM pg_class")
			if err := f.Raise(ctx, time.Minute); err != nil {
				t.Fatal(err)
			}
			pos, err := f.Prove(ctx)
			if err != nil {
				t.Fatal(err)
			}
			seen := map[string]bool{}
			for _, r := range query(t, d.owner, "SELECT w, n FROM app.t") {
				seen[r] = true
			}
			refused(t, old, "INSERT INTO app.t VALUES (-1, -1)")
			_ = old.Close(ctx)
			c, err := pgx.Connect(ctx, d.owner)
			if err != nil {
				t.Fatal(err)
			}
			for _, q := range []string{"INSERT INTO app.t VALUES (-1, -1)", "UPDATE app.t SET n = 0 WHERE false", "DELETE FROM app.t", "TRUNCATE app.t", `INSERT INTO app."Odd ""one" VALUES (1)`} {
				refused(t, c, q)
			}
			for row := range stop() {
				if !seen[row] {
					t.Errorf("row %s was acknowledged and not seen after the proof", row)
				}
			}
			if got := query(t, d.owner, "SELECT count(*), '"+string(pos[4:])+"'::pg_lsn <= pg_current_wal_insert_lsn() FROM app.t")[0]; got != fmt.Sprintf("%d|t", len(seen)) {
				t.Errorf("%d rows at the proof, later %s", len(seen), got)
			}
			run(t, c, "SET bascule.applier = '42'", "INSERT INTO app.t VALUES (-2, -2)", "DELETE FROM app.t", "RESET bascule.applier")

			if err := other.Raise(ctx, time.Minute); fault.ClassOf(err) != fault.Busy {
				t.Errorf("another driver: %v", err)
			}
			if s, err := f.State(ctx); err != nil || !s.Raised || s.Driver != "one" || !s.Lease.After(s.Since) {
				t.Errorf("state %+v, %v", s, err)
			}
			tx, err := e.control.Begin(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if err := f.Open(ctx, tx); err != nil {
				t.Fatal(err)
			}
			refused(t, c, "INSERT INTO app.t VALUES (-3, -3)")
			if err := tx.Commit(ctx); err != nil {
				t.Fatal(err)
			}
			run(t, c, "INSERT INTO app.t VALUES (-3, -3)", "DELETE FROM app.t")
			if _, err := f.Prove(ctx); fault.ClassOf(err) != fault.Refused {
				t.Errorf("proof of an open fence: %v", err)
			}
			for range 2 {
				if err := f.Lower(ctx); err != nil {
					t.Fatal(err)
				}
			}
			if got := query(t, d.owner, "SELECT (SELECT count(*) FROM pg_trigger WHERE tgname = 'bascule_fence'), to_regproc('bascule.fence_42') IS NULL"); got[0] != "0|t" {
				t.Errorf("left behind: %s", got)
			}
			_ = c.Close(ctx)
		}
	})
}

// TestFenceInterrupted leaves a fence half raised; it can be lowered, and raised to its end.
func TestFenceInterrupted(t *testing.T) {
	onEachServer(t, func(t *testing.T, d *database) {
		exec(t, d.owner, "CREATE SCHEMA bascule", "CREATE SCHEMA app", "CREATE TABLE app.a (id int)", "CREATE TABLE app.b (id int)")
		e, ctx := d.open(t), t.Context()
		f := e.Fence(&change.Record{ID: 7, Schema: "app"}, "one")
		for _, again := range []bool{false, true} {
			if err := f.intend(ctx, time.Minute); err != nil {
				t.Fatal(err)
			}
			if err := f.arm(ctx, "app.a"); err != nil {
				t.Fatal(err)
			}
			if _, err := f.Prove(ctx); fault.ClassOf(err) != fault.Refused {
				t.Errorf("proof of half a fence: %v", err)
			}
			if again {
				if err := f.Raise(ctx, time.Minute); err != nil {
					t.Fatal(err)
				}
				if _, err := f.Prove(ctx); err != nil {
					t.Error(err)
				}
			}
			if err := f.Lower(ctx); err != nil {
				t.Fatal(err)
			}
			exec(t, d.owner, "INSERT INTO app.a VALUES (1)", "INSERT INTO app.b VALUES (1)")
		}
	})
}

func run(t *testing.T, c *pgx.Conn, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := c.Exec(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func refused(t *testing.T, c *pgx.Conn, statement string) {
	t.Helper()
	_, err := c.Exec(t.Context(), statement)
	if p := unwrapPg(err); p == nil || p.Code != "25006" {
		t.Errorf("%s: %v", statement, err)
	}
}

// writers insert rows by eight sessions until stop is called, which returns what was acknowledged, as w|n.
func writers(t *testing.T, dsn string) (acked *atomic.Int64, stop func() map[string]bool) {
	t.Helper()
	p, err := pgxpool.New(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	acked = &atomic.Int64{}
	rows := map[string]bool{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				if _, err := p.Exec(ctx, "INSERT INTO app.t VALUES ($1, $2)", w, n); err != nil {
					continue
				}
				acked.Add(1)
				mu.Lock()
				rows[fmt.Sprintf("%d|%d", w, n)] = true
				mu.Unlock()
			}
		})
	}
	return acked, func() map[string]bool { cancel(errors.New("enough")); wg.Wait(); p.Close(); return rows }
}
