package migration

import (
	"context"
	"fmt"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/cutover"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
)

// forwardWay leads from the source to the target.
func (c *crossing) forwardWay() *cutover.Way {
	w := &cutover.Way{
		Reverse: armed{c}, Fence: c.Old.Fence(c.rec, c.order()), Drain: drain{c.forward}, Proof: c.forwardProof,
		Target: &stand{
			opening: c.New.Opening(c.rec, c.whole.Target), leave: c.forward,
			next: func(ctx context.Context) (map[schema.Name]uint64, error) {
				n, err := c.Old.NextIdentities(ctx, c.rec, c.plan.Source)
				return c.renamed(n, true), err
			},
		},
		Opener: opener{c.New.Fence(c.rec, c.order())}, Hooks: c.o.Hooks,
	}
	w.Gates = &gates{crossing: c, way: w, fencer: c.Old, feed: c.forward, applied: c.Applier, side: cutover.Old, proof: c.forwardProof}
	return w
}

// backWay leads from the target to the source.
func (c *crossing) backWay() *cutover.Way {
	w := &cutover.Way{
		Reverse: kept{c}, Fence: c.New.Fence(c.rec, c.order()), Drain: drain{c.back}, Proof: c.backProof,
		Target: &stand{
			opening: c.Old.Opening(c.rec, c.plan.Source), leave: c.back, next: c.sourceNext,
		},
		Opener: opener{c.Old.Fence(c.rec, c.order())}, Hooks: c.o.Hooks,
	}
	w.Gates = &gates{crossing: c, way: w, fencer: c.New, feed: c.back, applied: c.Old, side: cutover.New, proof: c.backProof}
	return w
}

// armed is the way back from the target: a slot keeps its changes.
type armed struct{ *crossing }

// Arm closes the target, so that nobody writes there before the switch, and makes it keep its changes.
func (a armed) Arm(ctx context.Context, t change.Token) (change.Position, error) {
	if err := a.New.Fence(a.rec, a.order()).Raise(ctx, t); err != nil {
		return "", err
	}
	return a.New.Arm(ctx, a.rec, t, a.selects, a.plan.Guards())
}

// Disarm lets the changes go. The target stays closed: nobody has written there.
func (a armed) Disarm(ctx context.Context, t change.Token) error { return a.New.Disarm(ctx, a.rec, t) }

// Feed makes the source passive and lets the target's changes flow there.
func (a armed) Feed(ctx context.Context, t change.Token, from change.Position) error {
	if err := a.Old.Opening(a.rec, a.plan.Source).Restore(ctx, t); err != nil {
		return err
	}
	if err := a.begin(ctx, a.back, a.Old, a.Old, t, from); err != nil {
		return err
	}
	return a.back.catchUp(ctx)
}

// kept is the way back from the source: its own log keeps its changes.
type kept struct{ *crossing }

// Arm returns the end of the source's log: nobody but the replay writes there, and what that writes does not come back. It moves the source's counters of
// keys too, which would take a while when nobody may write.
func (k kept) Arm(ctx context.Context, t change.Token) (change.Position, error) {
	next, err := k.sourceNext(ctx)
	if err != nil {
		return "", err
	}
	if err := k.Old.Reserve(ctx, k.rec, t, k.plan.Source, next); err != nil {
		return "", err
	}
	return k.Changes.End(ctx)
}

// Disarm has nothing to take back.
func (k kept) Disarm(context.Context, change.Token) error { return nil }

// Feed ends the feed of the other direction, makes the target passive and lets the source's changes flow there.
func (k kept) Feed(ctx context.Context, t change.Token, from change.Position) error {
	k.back.stop()
	if err := k.New.Disarm(ctx, k.rec, t); err != nil {
		return err
	}
	if err := k.New.Opening(k.rec, k.whole.Target).Restore(ctx, t); err != nil {
		return err
	}
	if err := k.begin(ctx, k.forward, k.Applier, k.New, t, from); err != nil {
		return err
	}
	return k.forward.catchUp(ctx)
}

// begin starts a feed at a position, unless it has come past it already: after a crash this is called again.
func (c *crossing) begin(ctx context.Context, f *feed, applied change.Applier, s change.Starter, t change.Token, from change.Position) error {
	mark, err := applied.Applied(ctx, c.rec)
	if err != nil {
		return err
	}
	past := false
	if mark.Position != "" {
		if past, err = f.log.Includes(ctx, mark.Position, from); err != nil {
			return err
		}
	}
	if !past {
		mark.Position = from
		if err := s.Start(ctx, c.rec, t, mark); err != nil {
			return err
		}
	}
	f.start(ctx)
	return nil
}

// drain waits for a feed.
type drain struct{ feed *feed }

// Drain implements cutover.Drain.
func (d drain) Drain(ctx context.Context, p change.Position) (change.Mark, error) {
	d.feed.resume(ctx)
	return d.feed.reach(ctx, p)
}

// Still implements cutover.Drain: it reads the log again, from what is applied on.
func (d drain) Still(ctx context.Context, p change.Position) error {
	const op = "look whether the fence has held"
	log, tables := d.feed.log, make([]*change.Select, 0, len(d.feed.follower.Tables))
	for _, t := range d.feed.follower.Tables {
		tables = append(tables, t.Select)
	}
	return log.Stream(ctx, d.feed.last().Position, tables, func(ctx context.Context, feed change.Feed) error {
		for {
			if past, err := log.Includes(ctx, feed.Position(), p); past || err != nil {
				return err
			}
			e, err := feed.Next(ctx)
			if err != nil {
				return err
			}
			var what string
			switch e.Kind {
			case change.EventRows:
				what = fmt.Sprintf("rows of %s were written", e.Rows.Table.Table.Name)
			case change.EventDDL:
				what = fmt.Sprintf("%v were altered", e.DDL.Tables)
			case change.EventBegin, change.EventCommit, change.EventIdle:
				continue
			}
			return fault.New(fault.Refused, op, fmt.Errorf("%s while writes were stopped, in %s or before it", what, p),
				"find out which account passes the fence (bascule db cutover --dry-run names those that it does not stop), then try again")
		}
	})
}

// stand is the end that will be opened. leave is the feed that has led to it.
type stand struct {
	opening change.Opening
	leave   *feed
	next    func(context.Context) (map[schema.Name]uint64, error)
}

// Prepare implements cutover.Target: nothing is applied from now on.
func (s *stand) Prepare(ctx context.Context, t change.Token) error {
	s.leave.stop()
	next, err := s.next(ctx)
	if err != nil {
		return err
	}
	return s.opening.Prepare(ctx, t, next)
}

// Restore implements cutover.Target.
func (s *stand) Restore(ctx context.Context, t change.Token) error { return s.opening.Restore(ctx, t) }

// Validate implements cutover.Target.
func (s *stand) Validate(ctx context.Context, t change.Token) error {
	return s.opening.Validate(ctx, t)
}

// opener opens an end by lowering its fence.
type opener struct{ fence change.Fence }

// Open implements cutover.Opener.
func (o opener) Open(ctx context.Context, t change.Token) error { return o.fence.Lower(ctx, t) }
