package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/schema"
)

func nameOf(s string) schema.Name { return schema.Name(s) }

// queueOf is the queue of the migration into schema app that the ledger has now. Callers
// of other goroutines see a failure as an error of the test.
func queueOf(t *testing.T, e *End) change.Queue {
	t.Helper()
	for {
		r, err := e.Open(t.Context(), "app")
		switch {
		case fault.ClassOf(err) == fault.Connect: // somebody kills connections
		case err != nil || r == nil:
			t.Errorf("open the ledger: %v, %v", r, err)
			return e.Queue(&change.Record{Schema: "app"})
		default:
			return e.Queue(r)
		}
	}
}

func chunk(table string, n int) change.Task {
	return change.Task{
		Kind: change.TaskChunk, Table: nameOf(table), Stage: change.StageCopy, Limit: int64(n),
		Range: change.Range{After: change.Key{{0, 0xff}, {}}, UpTo: change.Key{[]byte(fmt.Sprint(n))}},
	}
}

// TestKilledWorkers has three workers do 200 tasks while their connections are
// killed at random. Each task inserts one row: at the end there is one of each.
func TestKilledWorkers(t *testing.T) {
	onEachServer(t, func(t *testing.T, d *database) {
		const tasks = 200
		var list []change.Task
		for i := range tasks {
			list = append(list, chunk("t0", i))
		}
		if _, err := d.open(t).Create(t.Context(), change.Record{Schema: "app"}, tables(1), list); err != nil {
			t.Fatal(err)
		}
		stop := make(chan struct{})
		var killer, workers sync.WaitGroup
		killed, lost := 0, make([]int, 3)
		ends := []*End{d.open(t), d.open(t), d.open(t)} // before anybody kills
		killer.Go(func() { killed = killAtRandom(t, d, stop) })
		for i, e := range ends {
			workers.Go(func() { lost[i] = insertAll(t, e) })
		}
		workers.Wait()
		close(stop)
		killer.Wait()
		got := query(t, d.owner, "SELECT count(*), count(DISTINCT id), min(id), max(id) FROM app.t0")
		if got[0] != "200|200|0|199" {
			t.Errorf("rows|distinct|min|max = %s", got[0])
		}
		e := d.open(t)
		attempts, err := e.Attempts(t.Context())
		if err != nil || attempts < tasks {
			t.Errorf("attempts = %d, %v", attempts, err)
		}
		losses, err := e.Losses(t.Context(), "app")
		want := change.Losses{{Code: finding.LossZeroDate, Table: "T", Column: "c"}: tasks}
		if diff := cmp.Diff(want, losses); diff != "" || err != nil {
			t.Errorf("losses (-want +got):\n%s%v", diff, err)
		}
		p, err := e.Progress(t.Context(), "app")
		if diff := cmp.Diff([]change.Progress{{Table: "t0", Rows: tasks, Bytes: 8 * tasks, Chunks: tasks, ChunksDone: tasks}}, p); diff != "" || err != nil {
			t.Errorf("progress (-want +got):\n%s%v", diff, err)
		}
		t.Logf("%d connections killed, workers met %v, %d claims for %d tasks", killed, lost, attempts, tasks)
		if lost[0]+lost[1]+lost[2] == 0 {
			t.Error("no worker ever lost its connection: the test tested nothing")
		}
	})
}

// insertAll claims until nothing is left and returns how often it lost its connection.
func insertAll(t *testing.T, e *End) (lost int) {
	t.Helper()
	q := queueOf(t, e)
	for {
		ok, err := q.Claim(t.Context(), func(ctx context.Context, task *change.Task, w change.Work) (change.Done, error) {
			err := w.Exec(ctx, fmt.Sprintf("INSERT INTO app.t0 VALUES (%d); SELECT pg_sleep(0.005)", task.Limit))
			return change.Done{Rows: 1, Bytes: 8, Losses: change.Losses{{Code: finding.LossZeroDate, Table: "T", Column: "c"}: 1}}, err
		})
		var left int64 = 1
		if err == nil && !ok {
			left, err = q.Left(t.Context())
			if err == nil && left > 0 {
				err = q.Idle(t.Context(), 100*time.Millisecond)
			}
		}
		if err != nil {
			if fault.ClassOf(err) != fault.Connect {
				t.Errorf("a killed connection gave %v, class %s", err, fault.ClassOf(err))
				return lost
			}
			lost++
			continue
		}
		if left == 0 {
			return lost
		}
	}
}

// killAtRandom ends one connection of the owner about every 20 ms.
func killAtRandom(t *testing.T, d *database, stop chan struct{}) (killed int) {
	t.Helper()
	for {
		select {
		case <-stop:
			return killed
		case <-time.After(time.Duration(10+rand.IntN(20)) * time.Millisecond):
		}
		killed += len(query(t, d.admin.String(), fmt.Sprintf(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE usename = '%s' AND backend_type = 'client backend' ORDER BY random() LIMIT 1`, d.role)))
	}
}

// TestOrder claims everything one by one and sees each rule of the order.
func TestOrder(t *testing.T) {
	onEachServer(t, func(t *testing.T, d *database) {
		e := d.open(t)
		stmt := func(stage change.Stage, table, parent, what string) change.Statement {
			return change.Statement{Stage: stage, Table: nameOf(table), Parent: nameOf(parent), What: what, SQL: "SELECT 1"}
		}
		stmts := append(tables(2),
			stmt(change.StageFinish, "t0", "", "finish"), stmt(change.StageForeignKey, "t0", "t1", "fk"), stmt(change.StageKey, "t0", "", "key"),
			stmt(change.StageIndex, "t0", "", "index"), stmt(change.StageIndex, "t1", "", "index"), stmt(change.StageKey, "t1", "", "key"))
		tasks := []change.Task{chunk("t0", 1), chunk("t0", 2), {Kind: change.TaskWalk, Table: "t1", Stage: change.StageCopy, Limit: 7}}
		if _, err := e.Create(t.Context(), change.Record{Schema: "app"}, stmts, tasks); err != nil {
			t.Fatal(err)
		}
		var order []string
		walks := 0
		q := queueOf(t, e)
		for {
			ok, err := q.Claim(t.Context(), func(_ context.Context, task *change.Task, _ change.Work) (change.Done, error) {
				order = append(order, strings.TrimSpace(fmt.Sprintf("%s %s %s", task.Table, task.Kind, task.What)))
				if task.Kind != change.TaskWalk || walks == 2 {
					return change.Done{}, nil
				}
				walks++
				next := *task
				next.Range.After = change.Key{fmt.Append(nil, walks)}
				return change.Done{Add: []change.Task{chunk("t1", 1), chunk("t1", 2), chunk("t1", 3), next}}, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
		}
		want := []string{
			"t0 chunk", "t0 chunk", "t0 statement index", "t0 statement key",
			// The second walk goes ahead of three chunks; then six are ready, and the third waits.
			"t1 walk", "t1 walk", "t1 chunk", "t1 chunk", "t1 chunk", "t1 walk", "t1 chunk", "t1 chunk", "t1 chunk",
			"t1 statement index", "t1 statement key", "t0 statement fk", "t0 statement finish",
		}
		if diff := cmp.Diff(want, order); diff != "" {
			t.Errorf("order of claims (-want +got):\n%s", diff)
		}
		if left, err := q.Left(t.Context()); left != 0 || err != nil {
			t.Errorf("left = %d, %v", left, err)
		}
	})
}

// TestLoadedTogether loads three tables by the chunk of one, twice since the first attempt fails, and sees that nobody else is given the others.
func TestLoadedTogether(t *testing.T) {
	onEachServer(t, func(t *testing.T, d *database) {
		e := d.open(t)
		with := func(name string) change.Task {
			c := chunk(name, 0)
			c.Parent = "t1"
			return c
		}
		index := change.Statement{Stage: change.StageIndex, Table: "t2", What: "index", SQL: "SELECT 1"}
		if _, err := e.Create(t.Context(), change.Record{Schema: "app"}, append(tables(3), index), []change.Task{with("t0"), chunk("t1", 0), with("t2")}); err != nil {
			t.Fatal(err)
		}
		q := queueOf(t, e)
		work := func(end error) func(context.Context, *change.Task, change.Work) (change.Done, error) {
			return func(ctx context.Context, task *change.Task, w change.Work) (change.Done, error) {
				if task.Table != "t1" || task.Kind != change.TaskChunk {
					t.Fatalf("the queue gave %s %s", task.Kind, task.Table)
				}
				if ok, err := q.Claim(ctx, nil); ok || err != nil {
					t.Errorf("another task was given: %v, %v", ok, err)
				}
				if err := w.Empty(ctx, []schema.Name{"t1", "t0", "t2"}); err != nil {
					return change.Done{}, err
				}
				if err := w.Exec(ctx, "INSERT INTO app.t0 VALUES (1); INSERT INTO app.t1 VALUES (1), (2); INSERT INTO app.t2 VALUES (1), (2), (3)"); err != nil {
					return change.Done{}, err
				}
				return change.Done{Rows: 2, Bytes: 20, At: "here", With: []change.Share{{Table: "t0", Rows: 1, Bytes: 10}, {Table: "t2", Rows: 3, Bytes: 30}}}, end
			}
		}
		if _, err := q.Claim(t.Context(), work(errBoom)); !errors.Is(err, errBoom) {
			t.Fatal(err)
		}
		if ok, err := q.Claim(t.Context(), work(nil)); !ok || err != nil {
			t.Fatal(ok, err)
		}
		got := query(t, d.owner, "SELECT (SELECT count(*) FROM app.t0), (SELECT count(*) FROM app.t1), (SELECT count(*) FROM app.t2)")
		if got[0] != "1|2|3" {
			t.Errorf("rows: %s", got[0])
		}
		p, err := e.Progress(t.Context(), "app")
		want := []change.Progress{
			{Table: "t0", Rows: 1, Bytes: 10, Chunks: 1, ChunksDone: 1},
			{Table: "t1", Rows: 2, Bytes: 20, Chunks: 1, ChunksDone: 1},
			{Table: "t2", Rows: 3, Bytes: 30, Chunks: 1, ChunksDone: 1, Statements: 1},
		}
		if diff := cmp.Diff(want, p); diff != "" || err != nil {
			t.Errorf("progress (-want +got):\n%s%v", diff, err)
		}
		rec, err := e.Open(t.Context(), "app")
		if err != nil {
			t.Fatal(err)
		}
		since, err := e.Snapshots(t.Context(), rec)
		if diff := cmp.Diff(map[schema.Name]change.Position{"t0": "here", "t1": "here", "t2": "here"}, since); diff != "" || err != nil {
			t.Errorf("snapshots (-want +got):\n%s%v", diff, err)
		}
	})
}

// TestHeldTasks holds a task and sees what others can and cannot claim meanwhile,
// that a failed task comes back whole, and that its end wakes who waits.
func TestHeldTasks(t *testing.T) {
	onEachServer(t, func(t *testing.T, d *database) {
		e := d.open(t)
		index := change.Statement{Stage: change.StageIndex, Table: "t0", What: "index", SQL: "SELECT 1"}
		if _, err := e.Create(t.Context(), change.Record{Schema: "app"}, append(tables(1), index), []change.Task{chunk("t0", 1)}); err != nil {
			t.Fatal(err)
		}
		q := queueOf(t, e)
		nothing := func(context.Context, *change.Task, change.Work) (change.Done, error) { return change.Done{}, nil }
		ok, err := q.Claim(t.Context(), func(ctx context.Context, got *change.Task, w change.Work) (change.Done, error) {
			want := chunk("t0", 1)
			want.ID = got.ID
			if diff := cmp.Diff(&want, got); diff != "" {
				t.Errorf("task (-stored +claimed):\n%s", diff)
			}
			if err := w.Exec(ctx, "INSERT INTO app.t0 VALUES (1)"); err != nil {
				t.Error(err)
			}
			return change.Done{Add: []change.Task{chunk("t0", 2)}}, errBoom
		})
		if !ok || !errors.Is(err, errBoom) || err.Error() != errBoom.Error() {
			t.Fatalf("Claim = %v, %v, want fn's own error", ok, err)
		}
		if got := query(t, d.owner, "SELECT count(*) FROM app.t0"); got[0] != "0" {
			t.Errorf("a failed task left %s rows", got[0])
		}
		idle := make(chan error)
		ok, err = q.Claim(t.Context(), func(ctx context.Context, _ *change.Task, _ change.Work) (change.Done, error) {
			if ok, err := q.Claim(ctx, nothing); ok || err != nil {
				t.Errorf("claimed %v, %v while the only chunk is held", ok, err)
			}
			if left, err := q.Left(ctx); left != 2 || err != nil {
				t.Errorf("left = %d, %v", left, err)
			}
			listening := make(chan struct{})
			go func() { close(listening); idle <- q.Idle(t.Context(), time.Minute) }()
			<-listening
			waitFor(t, func() bool {
				return query(t, d.admin.String(), "SELECT count(*) FROM pg_stat_activity WHERE query = 'LISTEN bascule' AND datname = current_database()")[0] == "1"
			})
			return change.Done{}, nil
		})
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
		began := time.Now()
		if err := <-idle; err != nil || time.Since(began) > 20*time.Second {
			t.Errorf("Idle = %v after %s: the end of the copy did not wake it", err, time.Since(began))
		}
		if ok, err := q.Claim(t.Context(), nothing); !ok || err != nil {
			t.Errorf("the index cannot be claimed: %v, %v", ok, err)
		}
		if got := query(t, d.owner, "SELECT finished IS NULL FROM bascule.migration"); got[0] != "t" {
			t.Error("finished before anybody asked")
		}
		if left, err := q.Left(t.Context()); left != 0 || err != nil {
			t.Errorf("left = %d, %v", left, err)
		}
		if got := query(t, d.owner, "SELECT finished IS NULL FROM bascule.migration"); got[0] != "f" {
			t.Error("the end is not noted")
		}
		short, cancel := context.WithTimeoutCause(t.Context(), 10*time.Millisecond, errBoom)
		defer cancel()
		// What was said before is heard first; then only the context can end the waiting.
		err = nil
		for range 10 {
			if err = q.Idle(short, time.Minute); err != nil {
				break
			}
		}
		if !errors.Is(err, errBoom) {
			t.Errorf("Idle under an ended context = %v", err)
		}
		if err := q.Idle(t.Context(), time.Millisecond); err != nil {
			t.Errorf("Idle after its time = %v", err)
		}
	})
}

// waitFor polls a condition until it holds.
func waitFor(t *testing.T, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("the condition never held")
		}
	}
}

// TestClaimCost sees that claims among 10,000 chunks of 100 tables stay cheap, at the
// start and in the worst case: nearly all are done, and a transaction that was open all
// the while keeps their dead index entries from being skipped.
func TestClaimCost(t *testing.T) {
	onEachServer(t, func(t *testing.T, d *database) {
		const perTable, nTables = 100, 100
		e := d.open(t)
		var tasks []change.Task
		stmts := tables(nTables)
		for i := range nTables {
			name := fmt.Sprintf("t%d", i)
			for n := range perTable {
				tasks = append(tasks, chunk(name, n))
			}
			for range 3 {
				stmts = append(stmts, change.Statement{Stage: change.StageIndex, Table: nameOf(name), What: "index", SQL: "SELECT 1"})
			}
			stmts = append(stmts, change.Statement{Stage: change.StageForeignKey, Table: nameOf(name), Parent: "t99", What: "fk", SQL: "SELECT 1"})
		}
		if _, err := e.Create(t.Context(), change.Record{Schema: "app"}, stmts, tasks); err != nil {
			t.Fatal(err)
		}
		q := queueOf(t, e)
		median := func() time.Duration {
			took := make([]time.Duration, 50)
			for i := range took {
				began := time.Now()
				ok, err := q.Claim(t.Context(), func(context.Context, *change.Task, change.Work) (change.Done, error) { return change.Done{}, nil })
				if took[i] = time.Since(began); !ok || err != nil {
					t.Fatal(ok, err)
				}
			}
			slices.Sort(took)
			return took[len(took)/2]
		}
		_, err := q.Claim(t.Context(), func(_ context.Context, held *change.Task, _ change.Work) (change.Done, error) {
			first := median()
			exec(t, d.owner, fmt.Sprintf("UPDATE bascule.task SET done = true WHERE tbl NOT IN ('t98', 't99') AND id <> %d", held.ID))
			last := median()
			t.Logf("a claim with its end: %s at the start, %s at the end", first, last)
			// Each chunk takes some hundred milliseconds to copy.
			if limit := 30 * time.Millisecond; first > limit || last > limit {
				t.Errorf("claims take %s and %s, more than %s", first, last, limit)
			}
			return change.Done{}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// TestStaleQueue drops a migration under a worker and makes another into the same
// schema: the worker's queue must not hand out the new one's tasks.
func TestStaleQueue(t *testing.T) {
	nothing := func(context.Context, *change.Task, change.Work) (change.Done, error) { return change.Done{}, nil }
	refused := func(t *testing.T, q change.Queue) {
		t.Helper()
		ok, err := q.Claim(t.Context(), nothing)
		if ok || err != nil && fault.ClassOf(err) != fault.Refused {
			t.Errorf("claimed with a stale queue: %v, %v", ok, err)
		}
		if n, err := q.Left(t.Context()); fault.ClassOf(err) != fault.Refused || fault.HintOf(err) == "" {
			t.Errorf("left of a dropped migration = %d, %v", n, err)
		}
		if err := q.Idle(t.Context(), time.Millisecond); err != nil {
			t.Errorf("Idle = %v", err)
		}
	}
	onEachServer(t, func(t *testing.T, d *database) {
		// Beside another migration the ledger stays when this one is dropped; alone it goes with it.
		for _, alone := range []bool{true, false} {
			e, worker := d.open(t), d.open(t)
			if !alone {
				if _, err := e.Create(t.Context(), change.Record{Schema: "other"}, nil, nil); err != nil {
					t.Fatal(err)
				}
			}
			old, err := e.Create(t.Context(), change.Record{Schema: "app", SourceID: "old"}, tables(1), []change.Task{chunk("t0", 1), chunk("t0", 2)})
			if err != nil {
				t.Fatal(err)
			}
			stale := worker.Queue(old)
			if ok, err := stale.Claim(t.Context(), nothing); !ok || err != nil {
				t.Fatal(ok, err)
			}
			if _, err := e.Drop(t.Context(), "app", false); err != nil {
				t.Fatal(err)
			}
			refused(t, stale)
			if _, err := e.Create(t.Context(), change.Record{Schema: "app", SourceID: "new"}, tables(1), []change.Task{chunk("t0", 1)}); err != nil {
				t.Fatal(err)
			}
			refused(t, stale)
			if left, err := queueOf(t, worker).Left(t.Context()); left != 1 || err != nil {
				t.Errorf("left of the new migration = %d, %v", left, err)
			}
			if _, err := e.Drop(t.Context(), "app", false); err != nil {
				t.Fatal(err)
			}
		}
	})
}
