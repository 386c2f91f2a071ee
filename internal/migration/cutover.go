package migration

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bascule/bascule/internal/cutover"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/journal"
)

const (
	opCutover  = "cut over"
	opFallback = "fall back"
	opFinish   = "finish"
)

// Cutover brings the application from the source to the target. It follows the source itself, compares every row while both sides live,
// and stops writes only when every gate is open. When it fails before the switch, or ctx ends, everything is as it was. It may be run
// again after a crash: what an attempt has left is undone, or, after the switch, completed.
//
// When it returns, the target's changes have flowed back to the source once; Fallback keeps them flowing.
func (m *Migration) Cutover(ctx context.Context, o SwitchOptions) (cutover.State, error) {
	c, err := m.crossing(ctx, o)
	if err != nil {
		return cutover.State{}, err
	}
	defer c.close()
	return c.to(ctx, cutover.ToNew, cutover.New, c.forward, c.forwardProof)
}

// SwitchBack is Cutover in the other direction.
func (m *Migration) SwitchBack(ctx context.Context, o SwitchOptions) (cutover.State, error) {
	c, err := m.crossing(ctx, o)
	if err != nil {
		return cutover.State{}, err
	}
	defer c.close()
	return c.to(ctx, cutover.ToOld, cutover.Old, c.back, c.backProof)
}

// to brings the application to a side.
func (c *crossing) to(ctx context.Context, g cutover.Goal, side cutover.Side, f *feed, p *lastProof) (cutover.State, error) {
	s, log, err := c.driver.Look(ctx)
	if err != nil {
		return s, err
	}
	if log.Driven() || s.Phase == cutover.Finishing || s.Phase == cutover.Finished || s.Live == side {
		return c.driver.Run(ctx, g) // which says so, or completes what follows the switch
	}
	if c.o.Keep && s.Phase == cutover.Running && s.Fenced() && s.Direction == g.Direction() {
		c.driver.Keep = func(ctx context.Context) error { return c.ready(ctx, f, p) }
	} else if err := c.fresh(ctx, &s, f, p); err != nil {
		return s, err
	}
	s, err = c.driver.Run(ctx, g)
	if errors.Is(err, cutover.ErrRehearsed) {
		return s, nil
	}
	return s, err
}

// fresh undoes what an earlier attempt has left, and makes both sides ready for another.
func (c *crossing) fresh(ctx context.Context, s *cutover.State, f *feed, p *lastProof) (err error) {
	if s.Phase != cutover.Idle {
		if *s, err = c.driver.Abort(ctx); err != nil {
			return err
		}
	}
	if err := c.ready(ctx, f, p); err != nil || c.o.Meet == nil {
		return err
	}
	if err := c.phase("wait for the others", func() error { return c.o.Meet(ctx) }); err != nil {
		return err
	}
	return c.settled(ctx, p) // the others may have taken long
}

// ready follows, builds what had to wait for that, and compares every row.
func (c *crossing) ready(ctx context.Context, f *feed, p *lastProof) error {
	f.start(ctx)
	if err := c.phase("catch up", func() error {
		if err := f.catchUp(ctx); err != nil {
			return err
		}
		return c.built(ctx, f)
	}); err != nil {
		return err
	}
	if err := c.compared(ctx, p); err != nil {
		return err
	}
	return c.settled(ctx, p)
}

// settled compares what has changed until that takes little time.
func (c *crossing) settled(ctx context.Context, p *lastProof) error {
	return c.phase("compare what changed", func() error {
		_, err := p.Settle(ctx)
		return err
	})
}

// compared compares every row, unless that is left out.
func (c *crossing) compared(ctx context.Context, p *lastProof) error {
	if c.o.Unproved {
		p.Waive()
		return nil
	}
	return c.phase("verify", func() error {
		rep, err := p.Pass(ctx)
		if err != nil {
			return err
		}
		if !rep.Equal {
			var n int64
			for _, t := range rep.Tables {
				n += t.Differences + t.Unproved
			}
			hint := "bascule db verify --live --repair copies what differs again; then run the same command again"
			if p == c.backProof {
				hint += "; when there is no time for that, --unproved leaves the comparison out"
			}
			return fault.New(fault.Difference, "compare both sides before the switch", fmt.Errorf("%d differences", n), hint)
		}
		return nil
	})
}

// built waits until the indexes are built that had to wait for the replay.
func (c *crossing) built(ctx context.Context, f *feed) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		left, err := c.Target.Queue(c.rec).Left(ctx)
		if err != nil || left == 0 {
			return err
		}
		if err := f.failed(); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Gates looks at the gates of a direction and changes nothing. Somebody else may follow meanwhile.
func (m *Migration) Gates(ctx context.Context, o SwitchOptions, g cutover.Goal) ([]cutover.Gate, error) {
	c, err := m.crossing(ctx, o)
	if err != nil {
		return nil, err
	}
	c.dry = true
	side, op, hint := cutover.Old, opCutover, "bascule db fallback --switch brings it back"
	if g == cutover.ToOld {
		side, op, hint = cutover.New, opFallback, "bascule db cutover brings it to the target first"
	}
	s, _, err := c.driver.Look(ctx)
	if err != nil {
		return nil, err
	}
	if err := livesOn(&s, side, op, hint); err != nil {
		return nil, err
	}
	return c.driver.Gates(ctx, g)
}

// Fallback lets the target's changes flow to the source, so that the application can come back, until ctx ends or until returns a
// position that is reached.
func (m *Migration) Fallback(ctx context.Context, untilNow bool) error {
	c, err := m.crossing(ctx, SwitchOptions{})
	if err != nil {
		return err
	}
	defer c.close()
	s, _, err := c.driver.Look(ctx)
	if err != nil {
		return err
	}
	if s.Phase == cutover.Switched && s.Direction == journal.Forward {
		return fault.New(fault.Refused, opFallback, errors.New("the cutover is not at its end"), "complete it first: bascule db cutover")
	}
	if err := livesOn(&s, cutover.New, opFallback, "bascule db cutover brings it to the target first"); err != nil {
		return err
	}
	c.back.start(ctx)
	if untilNow {
		return c.back.catchUp(ctx)
	}
	return c.back.wait(ctx)
}

// Abort leaves nothing open: an attempt is undone, or completed after its switch.
func (m *Migration) Abort(ctx context.Context, o SwitchOptions) (cutover.State, error) {
	c, err := m.crossing(ctx, o)
	if err != nil {
		return cutover.State{}, err
	}
	defer c.close()
	return c.driver.Abort(ctx)
}

// WatchCutover is the second process beside a cutover: it takes over when that one dies. It returns when ctx ends.
func (m *Migration) WatchCutover(ctx context.Context, o SwitchOptions, acted func(cutover.State, error)) error {
	c, err := m.crossing(ctx, o)
	if err != nil {
		return err
	}
	defer c.close()
	return c.driver.Watch(ctx, acted)
}

// Finish declares that there is no way back any more, and removes what only that needed.
func (m *Migration) Finish(ctx context.Context) (cutover.State, error) {
	c, err := m.crossing(ctx, SwitchOptions{})
	if err != nil {
		return cutover.State{}, err
	}
	defer c.close()
	s, _, err := c.driver.Look(ctx)
	if err != nil {
		return s, err
	}
	if s.Phase != cutover.Finishing && s.Phase != cutover.Finished {
		if err := livesOn(&s, cutover.New, opFinish, "there is nothing to finish before the cutover; bascule db drop removes the copy"); err != nil {
			return s, err
		}
	}
	return c.driver.Run(ctx, cutover.ToFinish)
}
