package drive

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/store"
)

// pause lies between two attempts at the same thing.
const pause = 500 * time.Millisecond

// drive goes on from whatever an earlier driver has left.
func (x *run) drive(ctx context.Context) error {
	if err := x.read(ctx); err != nil {
		return err
	}
	x.inherit()
	wctx, end := context.WithCancel(ctx)
	news := x.listen(wctx)
	breaches := x.watches(wctx)
	err := x.loop(ctx, news, breaches)
	end()
	if err != nil {
		err = x.stop(ctx, err)
	}
	x.endKeepers()
	return err
}

// inherit says what nobody knows of the steps that an earlier driver has left: those that people do go on.
func (x *run) inherit() {
	for i := range x.plan.Steps {
		step := &x.plan.Steps[i]
		st := x.state.Steps[step.ID]
		if (st.Status == round.StatusRunning || st.Status == round.StatusUndoing) && !x.byPeople(step) {
			x.pending = append(x.pending, round.Event{What: round.Lost, Step: step.ID})
		}
	}
}

// byPeople reports whether a step goes on without its driver. A gate does, and is measured anew.
func (x *run) byPeople(step *round.Step) bool {
	return step.Kind == round.KindManual || step.Kind == round.KindGate
}

// loop does what the state says until the round ends or ctx does.
func (x *run) loop(ctx context.Context, news <-chan struct{}, breaches <-chan round.Event) error {
	// What waits for a time, such as a window's, is looked at with every tick.
	tick := time.NewTicker(2 * pause)
	defer tick.Stop()
	for {
		if err := x.advance(ctx); err != nil {
			switch {
			case errors.Is(err, store.ErrStale):
				return store.ErrStale
			case context.Cause(ctx) != nil:
				return context.Cause(ctx)
			case fault.ClassOf(err) == fault.Unsupported, errors.Is(err, store.ErrChain):
				return err
			}
			x.trouble("the journal cannot be written or read, so nothing starts: " + err.Error())
		} else if ended(x.state) && len(x.running) == 0 && len(x.pending) == 0 {
			return nil
		}
		select {
		case r := <-x.results:
			x.came(&r)
		case <-news:
		case s := <-x.Slips:
			x.slipped(s)
		case e := <-breaches:
			x.pending = append(x.pending, e)
		case why := <-x.Breaches:
			x.pending = append(x.pending, round.Event{What: round.Breached, Reason: why})
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// advance lets the state follow the journal, and starts what may start.
func (x *run) advance(ctx context.Context) error {
	for {
		if err := x.read(ctx); err != nil {
			return err
		}
		x.timeBox()
		if err := x.flush(ctx); err != nil {
			return err
		}
		x.reconcile(ctx)
		began, err := x.start(ctx)
		if err != nil {
			return err
		}
		if !began && len(x.pending) == 0 {
			return nil
		}
	}
}

// timeBox makes a breach of a window that ends while writes are stopped. Behind the switch it means nothing any more.
func (x *run) timeBox() {
	r := x.round
	if r.WindowTo.IsZero() || r.Override != "" || x.now().Before(r.WindowTo) {
		return
	}
	if s := x.state; s.Phase == round.PhaseRunning && s.Trouble == "" && s.Frozen() && !s.Switched() {
		x.pending = append(x.pending, round.Event{What: round.Breached, Reason: "the window has ended, at " + x.local(r.WindowTo)})
	}
}

func ended(s *round.State) bool {
	return s.Phase == round.PhaseDone || s.Phase == round.PhaseAborted || s.Phase == round.PhaseFellBack
}

// read lets the state follow the entries that it does not hold yet.
func (x *run) read(ctx context.Context) error {
	entries, err := x.Journal.Entries(ctx, x.round.ID, x.seq.Load())
	if err != nil {
		return err
	}
	for i := range entries {
		if err := x.follow(&entries[i]); err != nil {
			return err
		}
	}
	return nil
}

func (x *run) follow(e *store.Entry) error {
	if err := x.state.Apply(e.Event); err != nil {
		return fault.New(fault.Unsupported, fmt.Sprintf("read entry %d of round %s", e.Seq, x.round.ID), err,
			"a newer bascule may have written it: use that one; nothing was started")
	}
	x.seq.Store(e.Seq)
	switch e.Event.What {
	case round.Started:
		if _, known := x.since[e.Event.Step]; !known {
			x.since[e.Event.Step] = e.At
		}
	case round.Failed, round.Retried, round.Slipped:
		delete(x.since, e.Event.Step)
	default:
	}
	if x.Observer != nil {
		x.Observer.Entry(e, x.state)
	}
	return nil
}

// errMoot says that an event has become impossible since, by what others have written.
var errMoot = errors.New("it has become moot")

// write makes an event durable and lets the state follow it. errMoot: as things stand by now, it cannot be.
func (x *run) write(ctx context.Context, e round.Event) error {
	if e.Who == "" {
		e.Who = x.Who
	}
	for {
		if err := x.state.Clone().Apply(e); err != nil {
			return fmt.Errorf("%w: %w", errMoot, err)
		}
		entry, err := x.Journal.Append(ctx, x.round.ID, x.seq.Load(), x.epoch, e)
		switch {
		case err == nil:
			return x.follow(entry)
		case errors.Is(err, store.ErrUnsure):
			before := x.seq.Load()
			if err := x.read(ctx); err != nil {
				return err
			}
			if x.holds(ctx, before, e) {
				return nil
			}
		case errors.Is(err, store.ErrBehind):
			if err := x.read(ctx); err != nil {
				return err
			}
		default:
			return err
		}
	}
}

// holds reports whether an event was written after all, since an entry.
func (x *run) holds(ctx context.Context, since int64, e round.Event) bool {
	entries, err := x.Journal.Entries(ctx, x.round.ID, since)
	if err != nil {
		return false // the event is tried again, and refused if it is there
	}
	for i := range entries {
		if entries[i].Event == e && entries[i].Epoch == x.epoch {
			return true
		}
	}
	return false
}

// flush writes down what has happened.
func (x *run) flush(ctx context.Context) error {
	for len(x.pending) > 0 {
		if err := x.write(ctx, x.pending[0]); err != nil && !errors.Is(err, errMoot) {
			return err
		}
		x.pending = x.pending[1:]
	}
	return nil
}

// listen tells when somebody else has written.
func (x *run) listen(ctx context.Context) <-chan struct{} {
	news := make(chan struct{})
	go func() {
		for ctx.Err() == nil {
			if err := x.Journal.Wait(ctx, x.round.ID, x.seq.Load()); err != nil {
				wait(ctx, pause)
				continue
			}
			select {
			case news <- struct{}{}:
			case <-ctx.Done():
			}
			// The loop reads it; until it has, Wait would return at once.
			wait(ctx, pause/10)
		}
	}()
	return news
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// trouble tells, once, what is tried again or waits.
func (x *run) trouble(what string) {
	if what != x.told && x.Observer != nil {
		x.Observer.Trouble(what)
	}
	x.told = what
}
