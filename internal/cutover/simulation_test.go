package cutover

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bascule/bascule/internal/journal"
)

var (
	seeds   = flag.Uint64("seeds", 10_000, "how many seeds the simulation runs")
	oneSeed = flag.Uint64("seed", 0, "run this seed alone, and show what happened")
)

// simulate plays a story: an operator moves the application to and fro, with rivals, a watcher, and processes that die. It returns
// what was violated.
func simulate(ctx context.Context, seed uint64, r *rules, f flaws) *world {
	w := newWorld(ctx, seed)
	w.flaws = f
	if r != nil {
		w.rules = r
	}
	defer func() {
		for _, a := range w.actors {
			a.stop()
		}
	}()
	w.start(nil, w.application)
	w.start(nil, w.feed(journal.Forward))
	w.start(nil, w.feed(journal.Back))
	w.start(nil, w.network)
	if w.rng.IntN(2) == 0 {
		p := w.process("watcher")
		w.start(p, func(*actor) {
			_ = p.driver(r).Watch(p.ctx, func(State, error) { w.took++ })
		})
	}
	over := false
	w.start(nil, func(*actor) { w.operate(r); over = true })
	w.run(func() bool { return over })
	return w
}

// launch runs a process to its end.
func (w *world) launch(name string, r *rules, fn func(*Driver, *process) error) error {
	p := w.process(name)
	var err error
	a := w.start(p, func(*actor) { err = fn(p.driver(r), p) })
	if w.chance(40) {
		w.pass(w.millis(10_000))
		p.cancel(errInterrupted)
	}
	w.await(func() bool { return a.done })
	return err
}

// operate is what people do: five flips, each tried until it succeeds or patience ends; then quiet, and the system has to come to rest.
func (w *world) operate(r *rules) {
	n := 0
	name := func(who string) string { n++; return fmt.Sprintf("%s %d", who, n) }
	if w.rng.IntN(3) == 0 {
		w.start(nil, func(*actor) {
			for range 6 {
				w.pass(w.millis(30_000))
				if w.calm {
					return
				}
				goal := []Goal{ToNew, ToOld, ToRest}[w.rng.IntN(3)]
				_ = w.launch(name("rival"), r, func(d *Driver, p *process) error {
					_, err := d.drive(p.ctx, goal, "a rival wants it")
					return err
				})
			}
		})
	}
	for flip := range 5 {
		goal := []Goal{ToNew, ToOld}[flip%2]
		for range 6 {
			w.pass(w.millis(3_000))
			err := w.launch(name("operator"), r, func(d *Driver, p *process) error {
				d.Rehearse = w.rng.IntN(8) == 0
				p.together(d, goal.Direction())
				s, err := d.Run(p.ctx, goal)
				if err != nil && d.Stay && s.Fenced() && p.current() {
					w.stayed++
				}
				return err
			})
			if err == nil {
				break
			}
		}
	}
	w.calm = true
	w.rest(r, name)
}

// rest: with every fault gone, somebody who runs it again finds or makes exactly one open side.
func (w *world) rest(r *rules, name func(string) string) {
	var last error
	for range 30 {
		var s State
		last = w.launch(name("closer"), r, func(d *Driver, p *process) (err error) {
			s, err = d.Abort(p.ctx)
			return err
		})
		if last == nil && s.Phase == Idle {
			break
		}
		w.pass(5 * time.Second)
	}
	if last != nil {
		w.violate("it does not come to rest: %v", last)
	}
	if w.old.open == w.new.open {
		w.violate("at rest, old side open: %v, new side open: %v", w.old.open, w.new.open)
	}
	w.stopped = true
	d := journal.Forward
	if w.state.Live == New {
		d = journal.Back
	}
	w.pass(2 * time.Second)
	for w.wrong == "" && w.enabled[d] && !w.paused[d] && w.applied[d] < len(w.end(from(d)).log) {
		w.deliver(d)
	}
	if other := w.end(to(d)); !maps.Equal(other.data, w.truth) {
		w.violate("the %s side, which could be gone back to, does not hold what was acknowledged: %s", other.name, differs(other.data, w.truth))
	}
}

func count(t *testing.T) uint64 {
	t.Helper()
	if testing.Short() {
		return *seeds / 20
	}
	return *seeds
}

// each runs seeds on all cores until fn says stop.
func each(n uint64, fn func(seed uint64) bool) {
	var next atomic.Uint64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				seed := next.Add(1)
				if seed > n || !fn(seed) {
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestSimulation(t *testing.T) {
	t.Parallel()
	if *oneSeed != 0 {
		w := simulate(t.Context(), *oneSeed, nil, flaws{})
		for _, e := range w.journal.entries {
			t.Logf("%s %3d %s: %s %s %s %s", e.At.Format("04:05.000"), e.Epoch, e.Who, e.Direction, e.Step, e.Mark, e.Evidence)
		}
		if w.wrong != "" {
			t.Fatal(w.wrong)
		}
		return
	}
	var flips, took, undone, held, went, kept, stayed, leaked atomic.Int64
	each(count(t), func(seed uint64) bool {
		w := simulate(t.Context(), seed, nil, flaws{})
		if w.wrong != "" {
			t.Errorf("seed %d: %s", seed, w.wrong)
			return false
		}
		flips.Add(int64(w.flips))
		took.Add(int64(w.took))
		held.Add(int64(w.held))
		went.Add(int64(w.went))
		kept.Add(int64(w.kept))
		stayed.Add(int64(w.stayed))
		leaked.Add(int64(w.leaked))
		for _, e := range w.journal.entries {
			if e.Mark == journal.MarkUndone && e.Step == journal.StepFence {
				undone.Add(1)
			}
		}
		return true
	})
	t.Logf("%d seeds: %d switches, %d fences lowered again, %d takeovers, %d holds of which %d were let go on, %d writes past a fence, %d gone on with from another's fence, %d left fenced",
		count(t), flips.Load(), undone.Load(), took.Load(), held.Load(), went.Load(), leaked.Load(), kept.Load(), stayed.Load())
	for what, n := range map[string]int64{
		"switches": flips.Load(), "fences lowered": undone.Load(), "takeovers": took.Load(), "holds": held.Load(), "holds that went on": went.Load(),
		"writes past a fence": leaked.Load(), "fences gone on from": kept.Load(), "left fenced": stayed.Load(),
	} {
		if n < int64(count(t))/10 {
			t.Errorf("only %d %s: the simulation does not reach what it is for", n, what)
		}
	}
}

// TestMutants shows that the simulation would find what it is there to find.
func TestMutants(t *testing.T) {
	t.Parallel()
	moved := func(step, before journal.Step) *rules {
		o := slices.DeleteFunc(slices.Clone(order), func(s journal.Step) bool { return s == step })
		return &rules{order: slices.Insert(o, slices.Index(o, before), step), undoable: undoable, optional: optional}
	}
	for name, m := range map[string]struct {
		rules *rules
		flaws flaws
	}{
		"position before the fence":             {rules: moved(journal.StepProve, journal.StepFence)},
		"opened before the drain":               {rules: moved(journal.StepSwitch, journal.StepDrain)},
		"unknown switch retried":                {flaws: flaws{retry: true}},
		"no epoch at the switch":                {flaws: flaws{noEpoch: true}},
		"no epoch at the ends":                  {flaws: flaws{noToken: true}},
		"claim does not wait for a commit":      {flaws: flaws{noWait: true}},
		"way back begins after the first write": {flaws: flaws{late: true}},
		"target not made passive again":         {flaws: flaws{noRestore: true}},
		"armed after the switch":                {rules: moved(journal.StepArm, journal.StepReverse)},
		"fence lowered after the switch":        {flaws: flaws{lower: true}},
		"holds before it is prepared":           {rules: moved(journal.StepHold, journal.StepPrepare)},
		"holds before the proof":                {rules: moved(journal.StepHold, journal.StepProve)},
		"a hold's no is not heard":              {flaws: flaws{deaf: true}},
		"a lost claim is not noticed":           {flaws: flaws{noClaim: true, noToken: true}},
		"the budget stands still in a hold":     {flaws: flaws{patient: true}},
		"the fence is not looked at again":      {flaws: flaws{blind: true}},
		"undone when others may be open":        {flaws: flaws{hasty: true}},
		"undone in the order of doing":          {rules: &rules{order: order, undoable: []journal.Step{journal.StepPrepare, journal.StepFence, journal.StepArm}, optional: optional}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var found atomic.Uint64
			var what atomic.Value
			each(*seeds, func(seed uint64) bool {
				if w := simulate(t.Context(), seed, m.rules, m.flaws); w.wrong != "" {
					found.CompareAndSwap(0, seed)
					what.Store(w.wrong)
				}
				return found.Load() == 0
			})
			if found.Load() == 0 {
				t.Fatalf("%d seeds did not notice", *seeds)
			}
			t.Logf("seed %d: %s", found.Load(), what.Load())
		})
	}
}
