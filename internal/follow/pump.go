package follow

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/bascule/bascule/internal/change"
)

const (
	// unitsInFlight are one that is filled, one that waits and one that is applied; every lane beside the first has one more.
	unitsInFlight = 3
	// mostLanes bounds how many units are applied at once, and so the memory for them.
	mostLanes = 16
	// saveEvery is how often a position that moved without changes is saved: often enough that a source which forgets its log
	// after an hour never forgets what is needed, rarely enough that an idle target stays idle.
	saveEvery = 2 * time.Second
	// tellEvery is how often progress is told.
	tellEvery = time.Second
)

// pump reads the feed on one side and applies on the other until the feed ends, a statement alters a table, or the
// position to stop at is committed.
type pump struct {
	f       *Follower
	feed    change.Feed
	session change.Session
	build   *builder
	units   chan *unit
	free    chan *unit
	lanes   lanes
	done    chan change.Mark // the latest mark that is durable on the target; holds one

	applied change.Mark // the last one, known to the applying side

	saved  time.Time       // when the reading side last handed over a mark
	handed change.Position // the last one handed over
	ended  error           // why the reading side stopped in good order, with all that it read handed over
	stats  stats
	commit func(change.Mark) error // sees every durable mark
}

func newPump(f *Follower, feed change.Feed, s change.Session, from change.Mark) *pump {
	p := &pump{
		f: f, feed: feed, session: s,
		units: make(chan *unit), free: make(chan *unit, unitsInFlight+mostLanes), done: make(chan change.Mark, 1),
		applied: from, saved: time.Now(), stats: newStats(from), lanes: newLanes(s, f),
	}
	for range unitsInFlight {
		p.free <- newUnit()
	}
	p.build = &builder{tables: f.bySelect(), limits: f.limits(), within: f.Source.Within, mark: from, skip: map[*Table]bool{}}
	return p
}

func (p *pump) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(p.units)
		return p.read(ctx)
	})
	g.Go(func() error { return p.apply(ctx) })
	if err := g.Wait(); err != nil {
		return err
	}
	return p.ended
}

// read folds the feed into units and hands them over: when they are full, and when the feed has nothing more at hand.
func (p *pump) read(ctx context.Context) error {
	p.build.fresh = func() *unit {
		select {
		case u := <-p.free:
			return u
		case <-ctx.Done():
			return newUnit() // nobody will apply it: the next hand-over fails
		}
	}
	hand := func(u *unit) error {
		if u.mark != nil {
			p.saved, p.handed = time.Now(), u.mark.Position
		}
		select {
		case p.units <- u:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	for {
		if stop, err := p.reached(ctx); stop || err != nil {
			if err == nil {
				err = p.build.flush(hand)
			}
			return err
		}
		e, err := p.feed.Next(ctx)
		if err != nil {
			return err
		}
		if err := p.build.give(e, p.feed.Position, hand); err != nil {
			return err
		}
		if e.Kind == change.EventDDL {
			p.ended = newDDLError(&e.DDL)
			return nil
		}
		if !p.build.open && !p.feed.Buffered() && (p.build.waiting() || p.build.mark.Position != p.handed && (p.f.Prompt || time.Since(p.saved) > saveEvery)) {
			if err := p.build.flush(hand); err != nil {
				return err
			}
		}
		p.confirm()
		p.stats.lagBytes.Store(p.feed.Lag())
	}
}

// confirm tells the feed what is durable on the target.
func (p *pump) confirm() {
	select {
	case m := <-p.done:
		p.feed.Confirm(m.Position)
	default:
	}
}

// reached reports whether the feed stands at the position to stop at, outside a transaction.
func (p *pump) reached(ctx context.Context) (bool, error) {
	if p.f.Until == nil || p.build.open || p.feed.Buffered() {
		return false, nil
	}
	until := p.f.Until()
	if until == "" {
		return false, nil
	}
	return p.f.Source.Includes(ctx, p.feed.Position(), until)
}

// apply carries out units, in lanes where that is worth it. A transaction of the target stays open until a unit brings a mark; only between two
// of them are rows mended.
func (p *pump) apply(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer p.lanes.wait()
	defer cancel()
	var tx change.Applying
	for {
		var asks chan *mending
		if tx == nil {
			asks = p.f.askers()
		}
		var err error
		select {
		case <-p.lanes.landed():
			err = p.land(ctx, len(p.lanes.aloft)-1)
		case ask := <-asks:
			err = p.mend(ctx, ask)
		case u, ok := <-p.units:
			switch {
			case !ok:
				// By an error on the reading side, which is the one to tell, or where it was told to stop, which is never inside a transaction.
				if err := p.land(ctx, 0); err != nil {
					return err
				}
				return p.rolledBack(ctx, nil)
			case tx == nil && p.fits(ctx, u):
				err = p.launch(ctx, u)
			default:
				if err = p.land(ctx, 0); err == nil {
					tx, err = p.carry(ctx, tx, u)
				}
			}
		}
		if err != nil {
			return err
		}
	}
}

// carry carries out a unit, in tx if that is open. It returns the transaction if it stays open.
func (p *pump) carry(ctx context.Context, tx change.Applying, u *unit) (change.Applying, error) {
	if tx == nil {
		var err error
		if tx, err = p.session.Begin(ctx); err != nil {
			return nil, err
		}
	}
	began := time.Now()
	if !u.empty() {
		p.touch(u)
		if err := tx.Apply(ctx, &u.step); err != nil {
			return nil, p.rolledBack(ctx, err)
		}
	}
	if u.mark != nil {
		if err := tx.Commit(ctx, *u.mark); err != nil {
			return nil, err
		}
		tx = nil
	}
	return tx, p.carried(u, began)
}

// touch tells what a unit is about to touch.
func (p *pump) touch(u *unit) {
	if p.f.Touch == nil {
		return
	}
	for i := range u.step.Cascades {
		u.step.Cascades[i].Reached = p.f.Reached
	}
	p.f.Touch(&u.step)
}

// carried notes that a unit was carried out, and frees it.
func (p *pump) carried(u *unit, began time.Time) error {
	if u.mark != nil {
		p.applied = *u.mark
		if err := p.committed(*u.mark); err != nil {
			return err
		}
	}
	p.stats.add(u, time.Since(began))
	p.stats.tell(p.f)
	u.reset()
	p.free <- u
	return nil
}

// fits reports whether a unit goes into a lane.
func (p *pump) fits(ctx context.Context, u *unit) bool {
	had := p.lanes.most
	takes := p.lanes.takes(ctx, u)
	if had == 0 {
		for range p.lanes.most - 1 {
			p.free <- newUnit()
		}
	}
	if takes && p.f.grounded > 0 {
		p.f.grounded--
		return false
	}
	return takes
}

// launch begins to carry out a unit in a lane, once the units that it must come after are committed.
func (p *pump) launch(ctx context.Context, u *unit) error {
	if err := p.land(ctx, p.lanes.behind(u)); err != nil {
		return err
	}
	p.touch(u)
	return p.lanes.launch(ctx, u)
}

// land waits until no more than keep of the units in lanes are open.
func (p *pump) land(ctx context.Context, keep int) error {
	for len(p.lanes.aloft) > keep {
		f := p.lanes.next()
		if f.err != nil {
			if ctx.Err() == nil {
				p.f.grounded = grounded
			}
			return f.err
		}
		if err := p.carried(f.unit, f.began); err != nil {
			return err
		}
	}
	return nil
}

// rolledBack ends an open transaction and returns err.
func (p *pump) rolledBack(ctx context.Context, err error) error {
	undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if e := p.session.Rollback(undo); e != nil && err == nil {
		return e
	}
	return err
}

func (p *pump) committed(m change.Mark) error {
	select {
	case <-p.done: // an older one
	default:
	}
	p.done <- m
	return p.commit(m)
}
