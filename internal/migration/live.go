package migration

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/convert"
	"github.com/bascule/bascule/internal/cutover"
	"github.com/bascule/bascule/internal/event"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/follow"
	"github.com/bascule/bascule/internal/verify"
)

// LiveOptions say how a live verification goes on.
type LiveOptions struct {
	// Passes is how many full passes are made; 0 means until ctx ends.
	Passes int
	// Repair copies the rows again that a pass finds different, and ends at the first pass that finds none. No other process may follow.
	Repair bool
}

// VerifyLive compares every table while both sides change, pass after pass, and tells each pass's verdict by an event. It follows the
// side that the application lives on itself, unless another process does. It returns the report of the last full pass.
func (m *Migration) VerifyLive(ctx context.Context, o LiveOptions) (*verify.Report, error) {
	var last *verify.Report
	err := m.beside(ctx, o.Repair, func(ctx context.Context, b *besides) error {
		if o.Repair {
			b.verifier.Keep = repairKeys
		}
		for n := 1; o.more(n, last); n++ {
			began := time.Now()
			err := m.phase("verify", func() (err error) {
				last, err = b.Pass(ctx)
				return err
			})
			if err != nil {
				return err
			}
			m.emit(passed(n, last, b.at(), time.Since(began)))
			if o.Repair && !last.Equal {
				if err := m.repair(ctx, b, last); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return last, nil
}

// besides is what runs beside a follow.
type besides struct {
	*lastProof
	follower *follow.Follower
	plan     *convert.Plan
}

// beside runs fn while the side that the application lives on is followed: by this process, which then tells the proof what it touches, or,
// unless alone is set, by another one that does so already.
func (m *Migration) beside(ctx context.Context, alone bool, fn func(context.Context, *besides) error) error {
	rec, plan, err := m.following(ctx)
	if err != nil {
		return err
	}
	c, err := m.crossing(ctx, SwitchOptions{})
	if err != nil {
		return err
	}
	s, _, err := c.driver.Look(ctx)
	if err != nil {
		return err
	}
	f, p, applied := c.forward, c.forwardProof, m.Applier
	if s.Live == cutover.New {
		if alone {
			return fault.New(fault.Refused, "copy rows again", errors.New("the application lives on the target since a cutover"),
				"touch the rows on the target that differ: UPDATE ... SET a = a lets them travel to the source")
		}
		f, p, applied = c.back, c.backProof, m.Old
	}
	at := newMarks(f.log)
	p.verifier.Barrier = func(ctx context.Context) error {
		end, err := f.log.End(ctx)
		if err != nil {
			return err
		}
		return at.wait(ctx, end)
	}
	p.at = at.last
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make(chan struct{})
	go func() {
		defer close(done)
		m.keepCurrent(ctx, cancel, at, alone, func(ctx context.Context) error { return f.run(ctx, at.reached) }, rec, applied)
	}()
	err = fn(ctx, &besides{p, f.follower, plan})
	cause := context.Cause(ctx)
	cancel(nil)
	<-done
	if err != nil && cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

// passed tells what a pass has proved, and up to which position.
func passed(n int, r *verify.Report, at change.Mark, took time.Duration) event.Passed {
	e := event.Passed{Pass: n, Equal: r.Equal, Position: string(at.Position), Elapsed: took}
	for _, t := range r.Tables {
		e.Rows += t.RowsSource
		e.Differences += t.Differences
		e.Unproved += t.Unproved
	}
	return e
}

// keepCurrent follows until ctx ends. When another process follows already, it reads from the ledger how far that one is, unless it must be alone.
func (m *Migration) keepCurrent(ctx context.Context, fail context.CancelCauseFunc, at *marks, alone bool, run func(context.Context) error,
	rec *change.Record, applied change.Applier,
) {
	err := run(ctx)
	if fault.ClassOf(err) == fault.Busy && !alone {
		err = m.watch(ctx, at, rec, applied)
	}
	if met, ok := errors.AsType[*follow.DDLError](err); ok {
		err = fault.New(fault.Refused, "verify while the source changes", met, "let bascule db follow come past that statement, then verify again")
	}
	if err != nil && ctx.Err() == nil {
		fail(err)
	}
}

// watchEvery is how often the ledger is asked how far another process has come.
const watchEvery = 50 * time.Millisecond

func (m *Migration) watch(ctx context.Context, at *marks, rec *change.Record, applied change.Applier) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		mark, err := applied.Applied(ctx, rec)
		if err != nil {
			return err
		}
		if err := at.reached(mark); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// marks lets others wait until a position is applied.
type marks struct {
	changes interface {
		Includes(ctx context.Context, a, b change.Position) (bool, error)
	}
	mu   sync.Mutex
	mark change.Mark
	next chan struct{} // closed when a newer mark is there
}

func newMarks(changes change.Streamer) *marks {
	return &marks{changes: changes, next: make(chan struct{})}
}

// reached takes a newer mark.
func (m *marks) reached(mark change.Mark) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if mark.Position == m.mark.Position {
		return nil
	}
	m.mark = mark
	close(m.next)
	m.next = make(chan struct{})
	return nil
}

func (m *marks) last() change.Mark {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mark
}

// wait returns when everything up to p is applied.
func (m *marks) wait(ctx context.Context, p change.Position) error {
	for {
		m.mu.Lock()
		mark, next := m.mark, m.next
		m.mu.Unlock()
		if mark.Position != "" {
			in, err := m.changes.Includes(ctx, mark.Position, p)
			if err != nil || in {
				return err
			}
		}
		select {
		case <-next:
		case <-ctx.Done():
			return fmt.Errorf("wait for the target to catch up: %w", context.Cause(ctx))
		}
	}
}
