package cutover

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bascule/bascule/internal/journal"
)

// holding is a process whose attempt moves together with others, which are not here: they are what says that the switch may come.
type holding struct {
	holds, turns, stays bool
	wentFor             int // the attempt that was let go on, at wentAt
	wentAt              time.Time
	boundFor            int // the attempt of which it was said that it may switch, be it its turn or not
	keptFor             int // the attempt of another process that this one goes on with
	waited              time.Duration
}

// together makes a process's attempts move together with others, more often than not.
func (p *process) together(d *Driver, dir journal.Direction) {
	w := p.w
	x := way{p, dir}
	if p.holds = w.rng.IntN(3) > 0; p.holds {
		d.Hold = x.hold
	}
	if w.rng.IntN(2) == 0 {
		d.Keep = x.keepOn
	}
	if d.Stay = w.rng.IntN(2) == 0; d.Stay && !d.Rehearse && w.rng.IntN(2) == 0 {
		d.Turn, p.turns = x.turn, true
	}
	p.stays = d.Stay && !d.Rehearse
	if w.flaws.hasty {
		d.Stay = false
	}
}

// current reports whether nobody has taken over from the process.
func (p *process) current() bool { return p.w.journal.driver.ID == p.name }

// closed looks whether nobody can write to the source.
func (x way) closed(what string) {
	if e := x.src(); x.current() && (e.open || len(e.sessions) > 0) {
		x.w.violate("%s: the %s side is open: %v, with %d sessions", what, e.name, e.open, len(e.sessions))
	}
}

// hold waits for the others. Meanwhile the process may die, and somebody may write past the fence.
func (x way) hold(ctx context.Context, s State) error {
	w := x.w
	w.held++
	x.wentFor = 0
	x.closed("it holds")
	for _, r := range x.src().log[w.applied[x.d]:] {
		if r.app && x.current() {
			w.violate("it holds before the %s side has everything", x.dst().name)
		}
	}
	if x.current() && (x.dst().open || !x.dst().prepared) {
		w.violate("it holds while the %s side is open: %v, prepared: %v", x.dst().name, x.dst().open, x.dst().prepared)
	}
	began := w.now
	err := x.wait(ctx, w.millis([]int{200, 5_000, 50_000}[w.rng.IntN(3)]), true)
	x.waited += w.now.Sub(began)
	switch {
	case errors.Is(err, errGone):
		return err
	case err != nil && w.rng.IntN(3) > 0:
		return err // else it was not heard that it is over
	case w.chance(150):
		err = fmt.Errorf("another one is not as far: %w", ErrDeclined)
	case w.chance(50):
		err = lost("ask the others") // which must not be asked again
	default:
		w.went++
		x.boundFor, x.wentAt = s.Attempt, w.now
		if !x.turns {
			x.wentFor = s.Attempt
		}
		return nil
	}
	if w.flaws.deaf {
		return nil
	}
	x.stays = x.stays && !errors.Is(err, ErrDeclined)
	return err
}

// turn waits until it is this one's turn, however long.
func (x way) turn(ctx context.Context) error {
	w := x.w
	x.closed("it waits for its turn")
	if err := x.wait(ctx, w.millis(50_000), true); err != nil {
		return err
	}
	if w.chance(150) {
		x.stays = false
		return fmt.Errorf("the others are undone: %w", ErrDeclined)
	}
	x.wentFor = x.boundFor
	return nil
}

// wait lets others act for a while, as long as ctx lives.
func (x way) wait(ctx context.Context, d time.Duration, leaks bool) error {
	w := x.w
	for end := w.now.Add(d); w.now.Before(end); {
		if err := w.sleep(ctx, x.process, min(end.Sub(w.now), w.millis(3_000))); err != nil {
			return err
		}
		if w.chance(w.crash) {
			x.die()
			return errGone
		}
		if src := x.src(); leaks && x.current() && !src.open && w.chance(20) {
			w.writes++
			w.leaked++
			src.write(row{0, w.writes, true})
			w.truth[0] = w.writes
		}
	}
	return nil
}

// keepOn catches up and compares, behind a fence that another process has left.
func (x way) keepOn(ctx context.Context) error {
	w := x.w
	x.closed("it goes on from a fence")
	if x.current() && x.dst().prepared {
		w.violate("it catches up with a %s side that is fit for the application", x.dst().name)
	}
	if w.state.Attempt != x.keptFor {
		w.kept++
		x.keptFor, w.keptFor, w.keptAt = w.state.Attempt, w.state.Attempt, w.now
	}
	if err := x.wait(ctx, w.millis(20_000), false); err != nil {
		return err
	}
	if w.chance(50) {
		return lost("compare")
	}
	return nil
}

// mayCome looks whether a switch was let come, and at how long writes have been stopped: no longer than the budget and the time that a commit may be on its
// way, or, where others may have switched, than the budget when the word was given.
func (p *process) mayCome() {
	w := p.w
	if p.holds && p.wentFor != w.state.Attempt {
		w.violate("it switches before it was told to")
	}
	since := w.state.Frozen
	if w.keptFor == w.state.Attempt {
		since = w.keptAt
	}
	took := w.now.Sub(since) - 6*time.Second
	if p.stays && p.boundFor == w.state.Attempt {
		took = p.wentAt.Sub(since)
	}
	if took > DefaultBudget {
		w.violate("it switches when writes have been stopped for %s", w.now.Sub(since))
	}
}

// mayLower looks whether a fence may be lowered: not when others that move together may have switched meanwhile.
func (p *process) mayLower() {
	if a := p.w.state.Attempt; p.stays && (p.boundFor == a || p.keptFor == a) {
		p.w.violate("it lowers the fence of one of several, of which others may be open")
	}
}
