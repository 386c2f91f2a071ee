package follow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/event"
	"github.com/bascule/bascule/internal/fault"
)

// Table is one followed table.
type Table struct {
	// Select is the table where changes come from: Columns are those of the replica, in the same order.
	Select *change.Select
	// Replica is the table that they are applied to.
	Replica *change.Replica
	// Since, where it is set, is the position of the exact snapshot that the table was copied from: transactions within it are
	// not applied to this table again.
	Since change.Position

	key []int // positions in Select.Columns of the key's columns: those of the replica
}

// Follower applies one end's changes to the other. Source, Target, Record, From and Tables are required.
type Follower struct {
	Source change.Log
	Target change.Applier
	Record *change.Record
	// Who names this process for people: USER@HOST, process 4711.
	Who string
	// From is where to begin when the target has no mark yet.
	From   change.Position
	Tables []*Table
	// Until returns the position to stop at, or nothing; it is asked again and again. nil never stops.
	Until func() change.Position
	// Prompt saves a position that moved without changes at once: somebody waits for it.
	Prompt bool
	// Committed, if set, sees every mark that is durable on the target. An error from it ends the follow.
	Committed func(change.Mark) error
	// Touch, if set, sees every step before it is applied, also those that a broken connection undoes and that come again. A step is
	// Touch's only until it returns. See Touched.
	Touch func(*change.Step)
	// Reached, if set beside Touch, is told which rows the actions of foreign keys reach: see change.Cascade.
	Reached func(child *change.Replica, keys *change.Batch)
	// Retry is how long a lost server is waited for before Run gives up.
	Retry  time.Duration
	Events event.Sink
	// Pass, if set, is asked before Run ends with a *DDLError. It returns true when the statement is none of the tables' and the target's
	// mark stands behind it: then the follow goes on.
	Pass func(context.Context, *change.DDL) (bool, error)
	// StepRows and StepBytes bound what is applied at once; 0 means 20,000 changes and 8 MiB.
	StepRows  int64
	StepBytes int
	// LaneRows is from how many changes units are applied beside each other, where the target can; 0 means 1,000.
	LaneRows int64

	open     sync.Once
	asks     chan *mending // see askers
	grounded int           // how many units go without lanes, since one has failed

	hinderEvery time.Duration // 0 means the constant of that name
}

// DDLError says that the feed stands before a statement that alters a followed table. Everything before it is applied.
type DDLError struct {
	DDL change.DDL
}

func newDDLError(d *change.DDL) *DDLError { return &DDLError{DDL: *d} }

// Error names the tables and shows the statement.
func (e *DDLError) Error() string {
	return fmt.Sprintf("the source altered %v: %s", e.DDL.Tables, e.DDL.SQL)
}

func (f *Follower) emit(e event.Event) {
	if f.Events != nil {
		f.Events(e)
	}
}

func (f *Follower) limits() limits {
	l := defaultLimits
	if f.StepRows > 0 {
		l.rows = f.StepRows
	}
	if f.StepBytes > 0 {
		l.bytes = f.StepBytes
	}
	return l
}

func (f *Follower) bySelect() map[*change.Select]*Table {
	m := make(map[*change.Select]*Table, len(f.Tables))
	for _, t := range f.Tables {
		t.key = t.Replica.Key
		m[t.Select] = t
	}
	return m
}

const (
	firstPause = 100 * time.Millisecond
	lastPause  = 5 * time.Second
)

// Run follows until ctx ends, the position to stop at is committed, or something stands in the way: a *DDLError, a value without a
// target form, a lost server that Retry did not outlast. A connection that breaks, or a commit of which nobody knows what
// became, is begun again from the mark that the target has.
func (f *Follower) Run(ctx context.Context) error {
	progress, pause := time.Now(), firstPause
	for {
		err := f.once(ctx, func() { progress, pause = time.Now(), firstPause })
		if met, ok := errors.AsType[*DDLError](err); ok && f.Pass != nil {
			passed, e := f.Pass(ctx, &met.DDL)
			if e == nil && passed {
				continue
			}
			err = cmp.Or(e, err)
		}
		if err == nil || ctx.Err() != nil || fault.ClassOf(err) != fault.Connect {
			return err
		}
		if time.Since(progress) > f.Retry {
			return fmt.Errorf("follow: no server for %s: %w", f.Retry, err)
		}
		f.emit(event.Retried{What: "follow", Error: err.Error(), After: pause})
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
		pause = min(2*pause, lastPause)
	}
}

// once opens both ends and follows until one of them breaks. It calls alive at every durable commit.
func (f *Follower) once(ctx context.Context, alive func()) error {
	replicas := make([]*change.Replica, len(f.Tables))
	selects := make([]*change.Select, len(f.Tables))
	for i, t := range f.Tables {
		replicas[i], selects[i] = t.Replica, t.Select
	}
	return f.Target.Applying(ctx, f.Record, f.Who, replicas, func(ctx context.Context, s change.Session) error {
		mark, err := s.Mark(ctx)
		if err != nil {
			return err
		}
		if mark.Position == "" {
			mark.Position = f.From
		}
		return f.Source.Stream(ctx, mark.Position, selects, func(ctx context.Context, feed change.Feed) error {
			p := newPump(f, feed, s, mark)
			p.commit = func(m change.Mark) error {
				alive()
				if f.Committed == nil {
					return nil
				}
				return f.Committed(m)
			}
			return p.run(ctx)
		})
	})
}
