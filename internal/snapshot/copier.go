// Package snapshot owns the copy: it cuts tables into tasks and runs lanes that
// claim them from the ledger until none is left. It knows ports only, never a
// dialect, never builds SQL, and never decides what a value becomes.
package snapshot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/event"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
)

// Table is one table to copy.
type Table struct {
	Select change.Select
	Target schema.Name
	// Into plans fresh codecs that count accepted losses into the map given.
	Into func(change.Losses) (*change.Into, error)
	// Exact says that the table is to be read from one exact snapshot; a table without a key is in any case.
	Exact bool
	// With are the targets of the tables that are read from the same exact snapshot, by this table's only chunk.
	With []schema.Name
	// Leader is the target of the table that names this one in With.
	Leader schema.Name
}

// whole tells whether the table is read at one moment.
func (t *Table) whole() bool { return len(t.Select.Key) == 0 || t.Exact }

// Copier copies tables. All fields but Events and Log are required. Run may be
// called by any number of processes at once for the same ledger, and again after
// any failure.
type Copier struct {
	Source change.Rower
	Queue  change.Queue
	Tables []Table
	// At is P0: every lane proves that it sees it.
	At change.Position
	// Exact refuses tables that are read at one moment when their snapshot has no exact position: what changed after it could not
	// be told from what changed before.
	Exact bool
	// Lanes is how many connection pairs work at once.
	Lanes int
	// Retry is how long a lost server is waited for before Run gives up.
	Retry  time.Duration
	Events event.Sink
	Log    *slog.Logger
}

// Result is what this process did.
type Result struct {
	Rows, Bytes int64
	Chunks      int64
	// Aborted counts chunks that were started and rolled back, whose work is redone.
	Aborted int64
}

// counters are shared by the lanes of one Run.
type counters struct {
	rows, bytes, chunks, aborted atomic.Int64
}

// Run works until the ledger has no task left. It returns the first error that
// is not a lost connection, or a lost connection that Retry did not outlast.
func (c *Copier) Run(ctx context.Context) (Result, error) {
	var n counters
	byName := make(map[schema.Name]*Table, len(c.Tables))
	for i := range c.Tables {
		byName[c.Tables[i].Target] = &c.Tables[i]
	}
	g, ctx := errgroup.WithContext(ctx)
	for i := range c.Lanes {
		l := &lane{copier: c, number: i, tables: byName, counters: &n, into: map[schema.Name]*loading{}}
		g.Go(func() error { return l.run(ctx) })
	}
	err := g.Wait()
	return Result{n.rows.Load(), n.bytes.Load(), n.chunks.Load(), n.aborted.Load()}, err
}

func (c *Copier) emit(e event.Event) {
	if c.Events != nil {
		c.Events(e)
	}
}

// lane is one pair of connections and the codecs that belong to it.
type lane struct {
	copier   *Copier
	number   int
	tables   map[schema.Name]*Table
	counters *counters
	into     map[schema.Name]*loading
	// progress is when a task last ended; a lost server is waited for from there on.
	progress time.Time
}

// loading is a lane's own codecs for one table and the losses they count.
type loading struct {
	into   *change.Into
	losses change.Losses
}

// run keeps a lane alive: a connection that breaks is opened again, with
// growing pauses, until Retry has passed without a finished task.
func (l *lane) run(ctx context.Context) error {
	l.progress = time.Now()
	pause := firstPause
	for {
		before := l.progress
		err := l.copier.Source.Lane(ctx, l.copier.At, l.work)
		if err == nil || ctx.Err() != nil || fault.ClassOf(err) != fault.Connect {
			return err
		}
		if l.progress != before {
			pause = firstPause
		}
		if time.Since(l.progress) > l.copier.Retry {
			return fmt.Errorf("lane %d: no server for %s: %w", l.number, l.copier.Retry, err)
		}
		l.copier.emit(event.Retried{What: fmt.Sprintf("lane %d", l.number), Error: err.Error(), After: pause})
		if !wait(ctx, pause) {
			return context.Cause(ctx)
		}
		pause = min(pause*2, longestPause)
	}
}

const (
	// A server that restarts answers again within seconds; asking ten times a second costs nothing.
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
	// idle is how long a lane waits for other lanes before it looks again by itself.
	idle = time.Second
)

func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// work claims tasks until none is left.
func (l *lane) work(ctx context.Context, r change.Reader) error {
	for {
		claimed, err := l.claim(ctx, r)
		if err != nil {
			return err
		}
		if claimed {
			l.progress = time.Now()
			continue
		}
		left, err := l.copier.Queue.Left(ctx)
		if err != nil || left == 0 {
			return err
		}
		// Somebody else holds what is left: that is progress too, however long it takes.
		l.progress = time.Now()
		if err := l.copier.Queue.Idle(ctx, idle); err != nil {
			return err
		}
	}
}

// claim runs one task. Its events are sent only once the ledger has committed.
func (l *lane) claim(ctx context.Context, r change.Reader) (bool, error) {
	var committed func()
	claimed, err := l.copier.Queue.Claim(ctx, func(ctx context.Context, t *change.Task, w change.Work) (change.Done, error) {
		began := time.Now()
		if l.copier.Log != nil {
			l.copier.Log.DebugContext(ctx, "claimed", "task", t.ID, "kind", string(t.Kind), "table", string(t.Table), "lane", l.number)
		}
		switch t.Kind {
		case change.TaskStatement:
			committed = func() {
				l.copier.emit(event.StatementRun{Table: string(t.Table), What: t.What, Elapsed: time.Since(began)})
			}
			return change.Done{}, w.Exec(ctx, t.SQL)
		case change.TaskWalk:
			return l.walk(ctx, r, t)
		case change.TaskChunk:
			done, err := l.chunk(ctx, r, t, w)
			if err != nil {
				l.counters.aborted.Add(1)
				return change.Done{}, err
			}
			committed = func() { l.copied(t, &done, time.Since(began)) }
			return done, nil
		default:
			return change.Done{}, fmt.Errorf("task %d has the unknown kind %q: was it made by a newer version?", t.ID, t.Kind)
		}
	})
	if claimed && err == nil && committed != nil {
		committed()
	}
	return claimed, err
}

func (l *lane) copied(t *change.Task, done *change.Done, elapsed time.Duration) {
	l.counters.chunks.Add(1)
	for _, s := range append([]change.Share{{Table: t.Table, Rows: done.Rows, Bytes: done.Bytes}}, done.With...) {
		l.counters.rows.Add(s.Rows)
		l.counters.bytes.Add(s.Bytes)
		l.copier.emit(event.ChunkCopied{
			Table: string(s.Table), Chunk: t.ID, Rows: s.Rows, Bytes: s.Bytes, Elapsed: elapsed, Lane: l.number,
		})
	}
}

func (l *lane) table(name schema.Name) (*Table, error) {
	if t := l.tables[name]; t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("the ledger has a task for table %q, which the plan does not know", name)
}

// walk finds the next boundary: the chunk up to it becomes a task, and so does
// the next step.
func (l *lane) walk(ctx context.Context, r change.Reader, t *change.Task) (change.Done, error) {
	tb, err := l.table(t.Table)
	if err != nil {
		return change.Done{}, err
	}
	next, err := r.Walk(ctx, &tb.Select, t.Range.After, t.Limit)
	if err != nil {
		return change.Done{}, fmt.Errorf("walk %s after %q: %w", t.Table, t.Range.After, err)
	}
	chunk := change.Task{
		Kind: change.TaskChunk, Table: t.Table, Stage: change.StageCopy,
		Range: change.Range{After: t.Range.After, UpTo: next}, Limit: slack * t.Limit,
	}
	if next == nil {
		return change.Done{Add: []change.Task{chunk}}, nil
	}
	step := *t
	step.Range.After = next
	return change.Done{Add: []change.Task{chunk, step}}, nil
}

// chunk copies one range.
func (l *lane) chunk(ctx context.Context, r change.Reader, t *change.Task, w change.Work) (change.Done, error) {
	tb, err := l.table(t.Table)
	switch {
	case err != nil:
		return change.Done{}, err
	case tb.whole():
		return l.exact(ctx, tb, t, w)
	}
	return l.load(ctx, r, tb, t, w)
}

// load streams a range from the reader into the transaction. Reading and
// loading overlap; the transaction ends only after the reader has.
func (l *lane) load(ctx context.Context, r change.Reader, tb *Table, t *change.Task, w change.Work) (change.Done, error) {
	ld, err := l.loading(tb)
	if err != nil {
		return change.Done{}, err
	}
	clear(ld.losses)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p := newPipe()
	var last change.Key
	var readErr error
	read := make(chan struct{})
	go func() {
		defer close(read)
		last, readErr = r.Read(ctx, &tb.Select, t.Range, t.Limit, func(b *change.Batch) (*change.Batch, error) { return p.swap(ctx, b) })
		p.end(readErr)
	}()
	rows, err := w.Load(ctx, ld.into, p.batches())
	cancel(errLoadEnded)
	<-read
	switch {
	case err != nil:
		return change.Done{}, fmt.Errorf("copy %s: %w", tb.Select.Table.Name, err)
	case readErr != nil && !errors.Is(readErr, errLoadEnded):
		return change.Done{}, fmt.Errorf("copy %s: %w", tb.Select.Table.Name, readErr)
	}
	done := change.Done{Rows: rows, Bytes: p.bytes, Losses: copyLosses(ld.losses)}
	if last != nil {
		done.Add = []change.Task{{
			Kind: change.TaskChunk, Table: t.Table, Stage: change.StageCopy,
			Range: change.Range{After: last, UpTo: t.Range.UpTo}, Limit: t.Limit,
		}}
	}
	return done, nil
}

// errLoadEnded cancels a reader whose rows nobody takes any more.
var errLoadEnded = errors.New("the loading side has ended")

func (l *lane) loading(tb *Table) (*loading, error) {
	if ld := l.into[tb.Target]; ld != nil {
		return ld, nil
	}
	ld := &loading{losses: change.Losses{}}
	var err error
	if ld.into, err = tb.Into(ld.losses); err != nil {
		return nil, fmt.Errorf("plan codecs of %s: %w", tb.Target, err)
	}
	l.into[tb.Target] = ld
	return ld, nil
}

func copyLosses(l change.Losses) change.Losses {
	if len(l) == 0 {
		return nil
	}
	return maps.Clone(l)
}
