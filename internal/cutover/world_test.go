package cutover

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"time"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/journal"
)

// The simulation: two ends in memory, an application that writes and remembers what was acknowledged, feeds between the ends, and
// processes that drive, watch and die. Everything happens in one thread, in an order and with delays that a seed decides, in a time
// of its own.

// flaws are what mutants do wrong in the world around the machine.
type flaws struct {
	noEpoch   bool // the journal takes a switch of any epoch
	noToken   bool // the ends take calls of any epoch
	noWait    bool // a claim does not wait for what is under way
	retry     bool // a switch of which nobody knows is tried again
	late      bool // the way back begins at the end of the log when the feed is turned on
	noRestore bool // a target stays as it was prepared
	lower     bool // whoever fails lowers the fence, wherever it stands
	noClaim   bool // nobody is told that another has taken over
	deaf      bool // a hold's no is taken for a yes
	patient   bool // the budget does not count while an attempt holds
	blind     bool // nobody looks whether the fence has held
	hasty     bool // what should stay as it is is undone
}

// world is everything.
type world struct {
	ctx    context.Context //nolint:containedctx // that of the test, for waits that nothing ends
	rng    *rand.Rand
	now    time.Time
	actors []*actor
	ready  []*actor
	timers []*timer
	cur    *actor
	flaws  flaws
	wrong  string // the first violation

	// state is what the journal amounts to, by these rules.
	state State
	rules *rules

	old, new *end
	enabled  map[journal.Direction]bool // feeds that run
	applied  map[journal.Direction]int  // how far
	truth    map[int]int                // what was acknowledged, by key
	writes   int
	stopped  bool // the application writes no more
	journal  *memory
	calm     bool // no more faults
	// Chances in a thousand, at each call.
	crash, lose, stall, refuse int
	flips                      int
	took                       int
	// How often an attempt held, was let go on, went on from another's fence, and was left fenced for a person.
	held, went, kept, stayed int
	leaked                   int // writes that passed the fence of an attempt that held
	// keptAt is when somebody went on from the fence of the attempt keptFor.
	keptAt  time.Time
	keptFor int
	// paused are feeds that stand still because the end they lead to was made fit for the application.
	paused map[journal.Direction]bool
}

type timer struct {
	at     time.Time
	cancel context.CancelCauseFunc
}

// actor is a thread of the simulation.
type actor struct {
	w    *world
	p    *process
	next func() (struct{}, bool)
	stop func()
	out  func(struct{}) bool
	wake time.Time
	ctx  context.Context //nolint:containedctx // an actor that waits wakes up when the context of its wait ends
	done bool
	gone bool
	// until, where it is set, is what the actor waits for, however long.
	until func() bool
}

// await lets the others go on until cond holds.
func (w *world) await(cond func() bool) {
	w.cur.until = cond
	w.pass(0)
	w.cur.until = nil
}

func (w *world) violate(format string, args ...any) {
	if w.wrong == "" {
		w.wrong = fmt.Sprintf(format, args...)
	}
}

func (w *world) start(p *process, fn func(a *actor)) *actor {
	a := &actor{w: w, p: p, wake: w.now}
	a.next, a.stop = iter.Pull(func(yield func(struct{}) bool) {
		defer func() {
			if r := recover(); r != nil && !a.gone {
				panic(r)
			}
		}()
		a.out = yield
		fn(a)
		a.done = true
	})
	w.actors = append(w.actors, a)
	return a
}

var errGone = errors.New("this process is dead")

// pass lets the others go on for d.
func (w *world) pass(d time.Duration) { _ = w.sleep(w.ctx, nil, d) }

// sleep lets the others go on for d, or until ctx ends.
func (w *world) sleep(ctx context.Context, p *process, d time.Duration) error {
	a := w.cur
	a.wake, a.ctx = w.now.Add(d), ctx
	if a.gone || !a.out(struct{}{}) {
		a.gone = true
		panic(errGone) // the simulation is over
	}
	w.cur = a
	switch {
	case p != nil && p.dead:
		return errGone
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return nil
}

// run lets actors act until fn says so, and looks at the invariants behind each of them.
func (w *world) run(until func() bool) {
	for steps := 0; w.wrong == "" && !until(); steps++ {
		if steps > 100_000 {
			w.violate("it does not come to an end")
			return
		}
		ready := w.ready[:0]
		var first *actor
		live := w.actors[:0]
		for _, a := range w.actors {
			if a.done {
				continue
			}
			live = append(live, a)
			if a.p != nil && a.p.stalled.After(w.now) {
				a.wake = maxTime(a.wake, a.p.stalled)
				if first == nil || a.wake.Before(first.wake) {
					first = a
				}
				continue
			}
			if a.until != nil {
				if a.until() {
					ready = append(ready, a)
				}
				continue
			}
			if !a.wake.After(w.now) || a.ctx != nil && a.ctx.Err() != nil || a.p != nil && a.p.dead {
				ready = append(ready, a)
			}
			if first == nil || a.wake.Before(first.wake) {
				first = a
			}
		}
		w.actors, w.ready = live, ready
		if len(ready) == 0 {
			w.advance(first.wake)
			continue
		}
		a := ready[w.rng.IntN(len(ready))]
		w.cur = a
		a.next()
		w.check()
	}
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (w *world) advance(to time.Time) {
	for {
		var next *timer
		for _, t := range w.timers {
			if t.cancel != nil && !t.at.After(to) && (next == nil || t.at.Before(next.at)) {
				next = t
			}
		}
		if next == nil {
			break
		}
		w.now = next.at
		next.cancel(context.DeadlineExceeded)
		next.cancel = nil
	}
	w.now = to
	kept := w.timers[:0]
	for _, t := range w.timers {
		if t.cancel != nil {
			kept = append(kept, t)
		}
	}
	w.timers = kept
}

// check looks at what must hold at every moment.
func (w *world) check() {
	if w.old.open && w.new.open {
		w.violate("both sides are open")
	}
	if !w.old.changed && !w.new.changed && !w.journal.changed {
		return
	}
	w.old.changed, w.new.changed, w.journal.changed = false, false, false
	s := &w.state
	for _, e := range w.journal.entries[s.Last.Seq:] {
		if err := w.rules.add(s, e); err != nil {
			w.violate("the journal cannot be read: %v", err)
			return
		}
	}
	switch {
	case w.new.open && s.Live != New, w.old.open && s.Live != Old:
		w.violate("old side open: %v, new side open: %v, but the journal says that %s is live", w.old.open, w.new.open, s.Live)
	case s.Live == New && !w.new.open && !w.new.raised:
		w.violate("the switch is in the journal, and the new side is neither open nor fenced")
	}
	for _, e := range []*end{w.old, w.new} {
		if e.open && !maps.Equal(e.data, w.truth) {
			w.violate("the %s side is open and does not hold what was acknowledged: %s", e.name, differs(e.data, w.truth))
		}
	}
}

func differs(got, want map[int]int) string {
	for k := range want {
		if got[k] != want[k] {
			return fmt.Sprintf("key %d is %d, acknowledged was %d", k, got[k], want[k])
		}
	}
	return fmt.Sprintf("%d keys, acknowledged were %d", len(got), len(want))
}

// end is a database.
type end struct {
	name     Side
	open     bool // to the application
	raised   bool // a fence stands
	prepared bool // triggers and foreign keys are live
	token    change.Token
	slot     int // from where on the log is kept; -1 when it is not
	data     map[int]int
	log      []row
	sessions map[*session]bool
	changed  bool
	// pending is a call that is under way there although its caller has given it up. It holds a lock that the next call waits for.
	pending func()
}

// settle ends what is under way, one way or the other.
func (e *end) settle(w *world) {
	if e.pending != nil && w.rng.IntN(2) == 0 {
		e.pending()
	}
	e.pending = nil
}

type row struct {
	key, value int
	app        bool
}

type session struct{}

func newWorld(ctx context.Context, seed uint64) *world {
	w := &world{
		ctx: ctx,
		rng: rand.New(rand.NewPCG(seed, 1)), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), truth: map[int]int{},
		enabled: map[journal.Direction]bool{journal.Forward: true}, applied: map[journal.Direction]int{}, paused: map[journal.Direction]bool{},
	}
	w.state, w.rules = State{Phase: Idle, Live: Old}, standard
	w.old = &end{name: Old, open: true, prepared: true, data: map[int]int{}, sessions: map[*session]bool{}}
	w.new = &end{name: New, slot: -1, data: map[int]int{}, sessions: map[*session]bool{}}
	w.journal = &memory{w: w}
	w.crash, w.lose, w.stall, w.refuse = w.rng.IntN(12), w.rng.IntN(20), w.rng.IntN(6), w.rng.IntN(6)
	if w.rng.IntN(8) == 0 {
		w.crash, w.lose, w.stall, w.refuse = 0, 0, 0, 0
	}
	return w
}

func (w *world) millis(n int) time.Duration { return time.Duration(w.rng.IntN(n)+1) * time.Millisecond }

func (w *world) chance(thousandth int) bool { return !w.calm && w.rng.IntN(1000) < thousandth }

// application writes wherever it is let.
func (w *world) application(*actor) {
	for {
		w.await(func() bool { return w.old.open || w.new.open || w.stopped })
		w.pass(w.millis(400))
		if w.stopped || w.writes >= 400 {
			return
		}
		e := w.old
		if w.rng.IntN(2) == 0 {
			e = w.new
		}
		if !e.open {
			continue
		}
		s := new(session)
		e.sessions[s] = true
		w.pass(w.millis(600))
		if e.sessions[s] {
			w.writes++
			key := w.rng.IntN(6)
			e.write(row{key, w.writes, true})
			w.truth[key] = w.writes
			delete(e.sessions, s)
		}
	}
}

func (e *end) write(r row) {
	e.log = append(e.log, r)
	e.data[r.key] = r.value
	e.changed = true
}

func (w *world) end(s Side) *end {
	if s == New {
		return w.new
	}
	return w.old
}

// feed applies one end's changes to the other.
func (w *world) feed(d journal.Direction) func(*actor) {
	return func(*actor) {
		for {
			w.await(func() bool { return w.enabled[d] && !w.paused[d] && w.applied[d] < len(w.end(from(d)).log) })
			w.pass(w.millis(120))
			w.deliver(d)
			if w.chance(30) {
				w.pass(w.millis(6_000)) // it lags
			}
		}
	}
}

func (w *world) deliver(d journal.Direction) {
	src, dst := w.end(from(d)), w.end(to(d))
	for w.enabled[d] && !w.paused[d] && w.applied[d] < len(src.log) {
		if src == w.new && (src.slot < 0 || w.applied[d] < src.slot) {
			w.violate("the log that the feed %s needs is not kept", d)
		}
		r := src.log[w.applied[d]]
		w.applied[d]++
		if !r.app {
			continue // the other feed wrote it
		}
		if dst.open || dst.prepared {
			w.violate("a change is applied to the %s side while it is open: %v, or fit for the application: %v", dst.name, dst.open, dst.prepared)
		}
		dst.write(row{r.key, r.value, false})
		return
	}
}
