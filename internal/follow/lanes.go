package follow

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
)

const (
	// defaultLaneRows is from how many changes a unit is worth a lane of its own. Smaller ones wait for the one before them, and grow meanwhile.
	defaultLaneRows = 1000
	// hinderEvery is how often a unit that waits for the commit of the one before it looks whether that waits for it.
	hinderEvery = 50 * time.Millisecond
	// grounded is how many units are applied one after the other once lanes have failed: the same again would fail again.
	grounded = 100
)

// lanes carries out whole units beside each other, as far as they touch different rows, and commits them in the feed's order. What
// becomes of the rows is therefore what would become of them one unit after the other; where two units meet all the same,
// by a unique value or by keys that only the target takes for equal, the later one is taken back and applied behind the earlier.
// Only the applying side's goroutine touches it.
type lanes struct {
	session change.Parallel
	rows    int64 // from how many changes a unit is worth a lane
	look    time.Duration
	most    int       // 0 before it was asked for
	aloft   []*flight // the oldest first
}

// flight is a unit in its lane.
type flight struct {
	unit  *unit
	lane  change.Lane
	look  time.Duration // see hinderEvery
	after *flight       // is committed first; nil when it had landed before this one began
	done  chan struct{} // closed behind err
	err   error
	began time.Time
}

// newLanes carries out units in the lanes of a session, if it has some.
func newLanes(s change.Session, f *Follower) lanes {
	parallel, _ := s.(change.Parallel)
	return lanes{session: parallel, rows: cmp.Or(f.LaneRows, defaultLaneRows), look: cmp.Or(f.hinderEvery, hinderEvery)}
}

// next is the oldest flight, out of those aloft once it has ended.
func (l *lanes) next() *flight {
	f := l.aloft[0]
	<-f.done
	l.aloft = slices.Delete(l.aloft, 0, 1)
	f.after = nil // which would hold on to all before it
	return f
}

// takes reports whether a unit may run in a lane: it is worth it, and only rows with keys are touched, each by itself. What is part of a
// transaction, as units with cascades are, has no mark.
func (l *lanes) takes(ctx context.Context, u *unit) bool {
	if l.session == nil || u.mark == nil || u.rows < l.rows {
		return false
	}
	for _, p := range u.order {
		if p.truncate || len(p.table.key) == 0 {
			return false
		}
	}
	if l.most == 0 {
		l.most = l.session.Lanes(ctx)
	}
	return l.most > 1
}

// behind returns how many of those aloft may stay so when u begins: those behind the last one that touches a row of u.
func (l *lanes) behind(u *unit) int {
	for i, f := range slices.Backward(l.aloft) {
		if u.meets(f.unit) {
			return len(l.aloft) - 1 - i
		}
	}
	return l.most - 1
}

// meets reports whether two units touch the same row.
func (u *unit) meets(o *unit) bool {
	for _, p := range u.order {
		have := o.tables[p.table.Select]
		if have == nil || !have.used {
			continue
		}
		few, many := p, have
		if few.keys.Rows > many.keys.Rows {
			few, many = many, few
		}
		for i := range few.keys.Rows {
			if many.slots.find(&many.keys, few.keys.Data, few.keys.Row(i)) >= 0 {
				return true
			}
		}
	}
	return false
}

// launch begins to carry out a unit.
func (l *lanes) launch(ctx context.Context, u *unit) error {
	lane, err := l.session.Fork(ctx)
	if err != nil {
		return err
	}
	f := &flight{unit: u, lane: lane, look: l.look, done: make(chan struct{}), began: time.Now()}
	if n := len(l.aloft); n > 0 {
		f.after = l.aloft[n-1]
	}
	l.aloft = append(l.aloft, f)
	go func() {
		defer close(f.done)
		f.err = f.fly(ctx)
	}()
	return nil
}

// landed is closed when the oldest flight has ended; nil without one.
func (l *lanes) landed() <-chan struct{} {
	if len(l.aloft) == 0 {
		return nil
	}
	return l.aloft[0].done
}

// wait waits until nothing is aloft, whatever becomes of it.
func (l *lanes) wait() {
	for _, f := range l.aloft {
		<-f.done
	}
	l.aloft = nil
}

// fly applies the unit and commits it behind the one before it.
func (f *flight) fly(ctx context.Context) error {
	if f.after == nil {
		return f.finish(ctx, false)
	}
	applied := false
	if err := f.apply(ctx); err == nil {
		if applied, err = f.yield(ctx); err != nil {
			return err
		}
	}
	if !applied {
		// Whatever the error was, it may be due to what the one before had not committed yet: it says nothing.
		if err := f.lane.Undo(ctx); err != nil {
			return err
		}
	}
	<-f.after.done
	if f.after.err != nil {
		return f.after.err
	}
	return f.finish(ctx, applied)
}

// finish commits the unit, with everything before it committed. Of a deadlock with the one behind it the server may have chosen this one as the
// victim: then it is applied once more, for the other has what it waited for, or gives way.
func (f *flight) finish(ctx context.Context, applied bool) error {
	if !applied {
		err := f.apply(ctx)
		if fault.ClassOf(err) == fault.Connect && f.lane.Undo(ctx) == nil {
			err = f.apply(ctx)
		}
		if err != nil {
			return err
		}
	}
	return f.lane.Commit(ctx, *f.unit.mark)
}

func (f *flight) apply(ctx context.Context) error {
	if err := f.lane.Apply(ctx, &f.unit.step); err != nil {
		return err
	}
	return f.lane.Flush(ctx)
}

// yield waits for the flight before this one. It returns false when that one waits for this one.
func (f *flight) yield(ctx context.Context) (bool, error) {
	look := time.NewTicker(f.look)
	defer look.Stop()
	for {
		select {
		case <-f.after.done:
			return true, nil
		case <-look.C:
			if hinders, err := f.lane.Hinders(ctx); err != nil || hinders {
				return false, err
			}
		}
	}
}
