package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/journal"
)

// TestFence closes the fence while eight sessions of the tables' owner write: after the proof nothing that was acknowledged is missing and
// nothing can be written, but by appliers; the switch opens it at its commit.
func TestFence(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, d *database) {
		w := d.planned(t, "CREATE TABLE app.t (w int, n int, PRIMARY KEY (w, n))", `CREATE TABLE app."Odd ""one" (id int)`)
		e, ctx := w.end, t.Context()
		f, j := e.Fence(w.record, change.FenceOrder{Who: "one"}), e.Journal(w.record)
		id := fmt.Sprint(w.record.ID)
		if _, err := f.Prove(ctx, 1); fault.ClassOf(err) != fault.Refused {
			t.Errorf("proof of a fence that does not stand: %v", err)
		}
		if err := f.Lower(ctx, 1); err != nil {
			t.Error(err)
		}
		forward := journal.Entry{Direction: journal.Forward, Step: journal.StepSwitch, Mark: journal.MarkDone}
		if err := j.Switch(ctx, claim(t, e.journal(w.record), "ann", 0), forward); fault.ClassOf(err) != fault.Refused || !strings.Contains(err.Error(), "never raised") {
			t.Errorf("a switch to a side that was never closed: %v", err)
		}
		for i := range 2 {
			acked, stop := writers(t, d.owner)
			waitFor(t, func() bool { return acked.Load() >= 200 })
			// A transaction whose snapshot is older than the fence.
			old, err := pgx.Connect(ctx, d.owner)
			if err != nil {
				t.Fatal(err)
			}
			run(t, old, "BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT count(*) FROM pg_class")
			if err := f.Raise(ctx, 1); err != nil {
				t.Fatal(err)
			}
			pos, err := f.Prove(ctx, 1)
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
			run(t, c, "SET bascule.applier = '"+id+"'", "INSERT INTO app.t VALUES (-2, -2)", "DELETE FROM app.t", "RESET bascule.applier")

			last := claim(t, e.journal(w.record), "ann", int64(2*i)+1)
			if err := j.Switch(ctx, last, journal.Entry{Direction: journal.Back, Step: journal.StepSwitch, Mark: journal.MarkDone}); err != nil {
				t.Errorf("the switch back from a closed side: %v", err)
			}
			refused(t, c, "INSERT INTO app.t VALUES (-3, -3)")
			last = claim(t, e.journal(w.record), "ann", int64(2*i)+2)
			if err := j.Switch(ctx, last, forward); err != nil {
				t.Fatal(err)
			}
			run(t, c, "INSERT INTO app.t VALUES (-3, -3)", "DELETE FROM app.t")
			if _, err := f.Prove(ctx, 1); fault.ClassOf(err) != fault.Refused {
				t.Errorf("proof of an open fence: %v", err)
			}
			if err := j.Switch(ctx, last, journal.Entry{Direction: journal.Back, Step: journal.StepSwitch, Mark: journal.MarkDone}); fault.ClassOf(err) != fault.Refused {
				t.Errorf("the switch back from an open side: %v", err)
			}
			for range 2 {
				if err := f.Lower(ctx, 1); err != nil {
					t.Fatal(err)
				}
			}
			_ = c.Close(ctx)
		}
		if got := query(t, d.owner, "SELECT raised, who FROM bascule.fence WHERE migration = "+id)[0]; got != "t|one" {
			t.Errorf("the ledger says of the fence %s", got)
		}
	})
}

// TestFenceInterrupted leaves a fence half raised; it can be lowered, and raised to its end. A table that came later is found.
func TestFenceInterrupted(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, d *database) {
		w := d.planned(t, "CREATE TABLE app.a (id int)", "CREATE TABLE app.b (id int)")
		ctx := t.Context()
		f := w.end.Fence(w.record, change.FenceOrder{Who: "one"}).(*fence)
		for _, again := range []bool{false, true} {
			err := w.end.guarded(ctx, w.record, 1, func(tx pgx.Tx) error {
				if _, err := tx.Exec(ctx, f.functionSQL(true)); err != nil {
					return err
				}
				return f.arm(ctx, tx, "app.a")
			})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.Prove(ctx, 1); fault.ClassOf(err) != fault.Refused || !strings.Contains(err.Error(), "app.b") {
				t.Errorf("proof of half a fence: %v", err)
			}
			if again {
				if err := f.Raise(ctx, 1); err != nil {
					t.Fatal(err)
				}
				if _, err := f.Prove(ctx, 1); err != nil {
					t.Error(err)
				}
				exec(t, d.owner, "CREATE TABLE app.c (id int)")
				if _, err := f.Prove(ctx, 1); fault.ClassOf(err) != fault.Refused || !strings.Contains(err.Error(), "app.c") {
					t.Errorf("proof with a new table: %v", err)
				}
			}
			if err := f.Lower(ctx, 1); err != nil {
				t.Fatal(err)
			}
			exec(t, d.owner, "INSERT INTO app.a VALUES (1)", "INSERT INTO app.b VALUES (1)")
		}
	})
}

// TestFenceLetsBasculeThrough copies, applies and alters while the fence is closed.
func TestFenceLetsBasculeThrough(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, d *database) {
		e, ctx := d.open(t), t.Context()
		r, err := e.Create(ctx, change.Record{Schema: "app", Source: "s", SourceID: "s", Position: "p0"}, tables(1), []change.Task{{Kind: change.TaskChunk, Table: "t0"}})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Fence(r, change.FenceOrder{Who: "one"}).Raise(ctx, 1); err != nil {
			t.Fatal(err)
		}
		did, err := e.Queue(r).Claim(ctx, func(ctx context.Context, _ *change.Task, w change.Work) (change.Done, error) {
			_, err := w.(*work).conn.Exec(ctx, "INSERT INTO app.t0 (id) VALUES (1)")
			return change.Done{}, err
		})
		if err != nil || !did {
			t.Errorf("a task behind a closed fence: %v, %v", did, err)
		}
		c, err := pgx.Connect(ctx, d.owner)
		if err != nil {
			t.Fatal(err)
		}
		refused(t, c, "INSERT INTO app.t0 (id) VALUES (1)")
		_ = c.Close(ctx)
		if got := query(t, d.owner, "SELECT count(*) FROM app.t0")[0]; got != "1" {
			t.Errorf("%s rows", got)
		}
	})
}

func TestPlanFence(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, d *database) {
		w := d.planned(t, "CREATE TABLE app.t (id int)")
		ctx := t.Context()
		c, err := pgx.Connect(ctx, d.owner)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close(context.WithoutCancel(ctx)) }()
		run(t, c, "BEGIN", "INSERT INTO app.t VALUES (1)")
		p, err := w.end.PlanFence(ctx, w.record, change.FenceOrder{})
		if err != nil || p.Kind != change.FenceTrigger || len(p.Leaks) == 0 || len(p.Prepared) > 0 || p.Replicates != "" {
			t.Errorf("%+v, %v", p, err)
		}
		if len(p.Sessions) != 1 || !strings.HasPrefix(p.Sessions[0], d.role+"@") {
			t.Errorf("sessions that use the tables: %q", p.Sessions)
		}
		if _, err := w.end.PlanFence(ctx, w.record, change.FenceOrder{Kind: change.FenceLock}); fault.ClassOf(err) != fault.Usage {
			t.Errorf("another kind of fence: %v", err)
		}
		exec(t, d.admin.String(), "CREATE TABLE app.foreign (id int)")
		if _, err := w.end.PlanFence(ctx, w.record, change.FenceOrder{}); fault.ClassOf(err) != fault.Privilege || !strings.Contains(err.Error(), "app.\"foreign\"") {
			t.Errorf("a table of somebody else: %v", err)
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
