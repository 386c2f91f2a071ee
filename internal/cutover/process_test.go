package cutover

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/journal"
)

// memory is a journal store.
type memory struct {
	w       *world
	entries []journal.Entry
	epoch   int64
	driver  journal.Holder
	watcher journal.Holder
	// pending is a transaction whose outcome is open. It holds the lock on the epoch.
	pending func()
	changed bool
}

// settle ends what is under way, one way or the other.
func (m *memory) settle() {
	if m.pending == nil {
		return
	}
	if m.w.rng.IntN(2) == 0 {
		m.pending()
	}
	m.pending = nil
}

// network brings what was under way to its end.
func (w *world) network(*actor) {
	for {
		w.await(func() bool { return w.journal.pending != nil || w.old.pending != nil || w.new.pending != nil })
		w.pass(w.millis(5_000))
		w.journal.settle()
		w.old.settle(w)
		w.new.settle(w)
	}
}

// process is one run of the program.
type process struct {
	w      *world
	name   string
	ctx    context.Context //nolint:containedctx // it is the process's
	cancel context.CancelCauseFunc
	dead   bool
	// stalled is until when nothing of the process runs.
	stalled time.Time
	holding
}

var errInterrupted = errors.New("interrupted")

func (w *world) process(name string) *process {
	p := &process{w: w, name: name}
	p.ctx, p.cancel = context.WithCancelCause(w.ctx)
	return p
}

func (p *process) die() {
	p.dead = true
	p.cancel(errGone)
}

func lost(what string) error {
	return fault.New(fault.Connect, what, errors.New("connection reset"), "")
}

// call is one call over a network: the process may die before and after its effect, the request or the reply may be lost, and time passes.
func (p *process) call(ctx context.Context, what string, effect func() error) error {
	w := p.w
	if w.chance(w.stall) {
		p.stalled = w.now.Add(w.millis(40_000)) // all of it: a virtual machine that is moved
	}
	if err := w.sleep(ctx, p, w.millis(40)); err != nil {
		return err
	}
	if w.chance(w.crash) {
		p.die()
		return errGone
	}
	if w.chance(w.lose) {
		return lost(what)
	}
	err := effect()
	if w.chance(w.crash) {
		p.die()
		return errGone
	}
	w.pass(w.millis(5))
	if p.dead {
		return errGone
	}
	if w.chance(w.lose) {
		return lost(what)
	}
	return err
}

// Now, Sleep and WithTimeout make a process its own clock.
func (p *process) Now() time.Time {
	if p.w.flaws.patient {
		return p.w.now.Add(-p.waited)
	}
	return p.w.now
}

func (p *process) Sleep(ctx context.Context, d time.Duration) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return p.w.sleep(ctx, p, d)
}

func (p *process) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	if p.w.flaws.patient {
		return ctx, func() { cancel(context.Canceled) }
	}
	t := &timer{p.w.now.Add(d), cancel}
	p.w.timers = append(p.w.timers, t)
	return ctx, func() {
		t.cancel = nil
		cancel(context.Canceled)
	}
}

// ledger is the journal as a process reaches it.
type ledger struct {
	*process
	m *memory
}

func (l ledger) Read(ctx context.Context) (log *journal.Log, err error) {
	err = l.call(ctx, "read", func() error {
		log = &journal.Log{Entries: append([]journal.Entry(nil), l.m.entries...), Epoch: l.m.epoch, Driver: l.m.driver, Watcher: l.m.watcher, Now: l.w.now}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return log, nil
}

func (l ledger) Claim(ctx context.Context, who, id string, seen int64, lease time.Duration) (c journal.Claim, err error) {
	err = l.call(ctx, "claim", func() error {
		if !l.w.flaws.noWait {
			l.m.settle()
		}
		if d := l.m.driver; d.Who != "" && d.ID != id && d.Until.After(l.w.now) {
			return busy(&d)
		}
		if l.m.epoch != seen {
			return fault.New(fault.Busy, "claim", errors.New("the epoch has moved"), "")
		}
		l.m.epoch++
		l.m.driver = journal.Holder{Who: who, ID: id, Since: l.w.now, Until: l.w.now.Add(lease)}
		c = journal.Claim{Epoch: l.m.epoch, Who: who, ID: id}
		return nil
	})
	return c, err
}

func (l ledger) Renew(ctx context.Context, id string, lease time.Duration) error {
	return l.call(ctx, "renew", func() error {
		if l.m.driver.ID != id {
			if l.w.flaws.noClaim {
				return nil
			}
			return journal.ErrStale
		}
		l.m.driver.Until = l.w.now.Add(lease)
		return nil
	})
}

func (l ledger) Release(ctx context.Context, c journal.Claim) error {
	return l.call(ctx, "release", func() error {
		if l.m.epoch == c.Epoch {
			l.m.driver = journal.Holder{}
		}
		return nil
	})
}

func (l ledger) Watch(ctx context.Context, who string, lease time.Duration) error {
	return l.call(ctx, "watch", func() error {
		l.m.watcher = journal.Holder{Who: who, Until: l.w.now.Add(lease)}
		return nil
	})
}

func (l ledger) add(c journal.Claim, e journal.Entry) {
	e.Seq, e.At, e.Epoch, e.Who = int64(len(l.m.entries))+1, l.w.now, c.Epoch, c.Who
	l.m.entries = append(l.m.entries, e)
	l.m.changed = true
}

// write adds an entry, and may leave open whether it does.
func (l ledger) write(ctx context.Context, c journal.Claim, check bool, commit func()) error {
	return l.call(ctx, "write", func() error {
		l.m.settle()
		if check && l.m.epoch != c.Epoch {
			return journal.ErrStale
		}
		if l.w.chance(l.w.lose) {
			l.m.pending = commit
			return lost("commit")
		}
		commit()
		return nil
	})
}

func (l ledger) Append(ctx context.Context, c journal.Claim, e journal.Entry) error {
	return l.write(ctx, c, !l.w.flaws.noClaim, func() { l.add(c, e) })
}

func (l ledger) Switch(ctx context.Context, c journal.Claim, e journal.Entry) error {
	put := func() error {
		return l.write(ctx, c, !l.w.flaws.noEpoch && !l.w.flaws.noClaim, func() {
			l.mayCome()
			l.add(c, e)
			n := l.w.new
			if e.Direction == journal.Forward {
				n.open, n.raised = true, false
			} else if n.open {
				l.w.violate("the switch back finds the new side open")
			}
			n.changed = true
			l.w.flips++
		})
	}
	err := put()
	for l.w.flaws.retry && fault.ClassOf(err) == fault.Connect {
		err = put()
	}
	return err
}

// way is one direction as a process reaches it.
type way struct {
	*process
	d journal.Direction
}

func (x way) src() *end { return x.w.end(from(x.d)) }
func (x way) dst() *end { return x.w.end(to(x.d)) }

// guarded is a call that changes an end.
func (x way) guarded(ctx context.Context, what string, e *end, t change.Token, effect func()) error {
	return x.call(ctx, what, func() error {
		e.settle(x.w)
		if t < e.token && !x.w.flaws.noToken {
			return fmt.Errorf("%s: %w", what, journal.ErrStale)
		}
		e.token = max(e.token, t)
		if x.w.chance(x.w.refuse) {
			return fault.New(fault.Data, what, errors.New("no"), "")
		}
		if x.w.chance(x.w.lose) {
			e.pending = func() { effect(); e.changed = true }
			return lost(what)
		}
		effect()
		e.changed = true
		return nil
	})
}

func position(n int) change.Position { return change.Position(strconv.Itoa(n)) }

func (x way) Look(ctx context.Context) ([]Gate, error) {
	gates := []Gate{{Name: "lag", Open: true}}
	return gates, x.call(ctx, "gates", func() error {
		gates[0].Open = !x.w.chance(x.w.refuse)
		return nil
	})
}

func (x way) Arm(ctx context.Context, t change.Token) (p change.Position, err error) {
	err = x.guarded(ctx, "arm", x.dst(), t, func() {
		e := x.dst()
		if e == x.w.new && e.slot < 0 {
			e.slot = len(e.log)
		}
		p = position(len(e.log))
		if e == x.w.new {
			p = position(e.slot)
		}
	})
	return p, err
}

func (x way) Disarm(ctx context.Context, t change.Token) error {
	return x.guarded(ctx, "disarm", x.dst(), t, func() {
		if x.dst() == x.w.new {
			x.w.new.slot = -1
			x.w.enabled[journal.Back] = false
		}
	})
}

func (x way) Feed(ctx context.Context, t change.Token, p change.Position) error {
	at, err := strconv.Atoi(string(p))
	if err != nil {
		return err
	}
	return x.guarded(ctx, "feed", x.src(), t, func() {
		x.src().prepared = false
		back := opposite(x.d)
		if x.w.flaws.late && !x.w.enabled[back] {
			at = len(x.dst().log)
		}
		x.w.enabled[x.d], x.w.enabled[back], x.w.paused[back] = false, true, false
		x.w.applied[back] = max(x.w.applied[back], at)
	})
}

func (x way) Raise(ctx context.Context, t change.Token) error {
	e := x.src()
	err := x.guarded(ctx, "raise", e, t, func() {
		if e.open {
			e.open, e.raised = false, true
		}
	})
	if err != nil {
		return err
	}
	return x.guarded(ctx, "evict", e, t, func() { clear(e.sessions) })
}

type fenceOf struct{ way }

// Prove stands apart from the proof's method of the same name.
func (f fenceOf) Prove(ctx context.Context, t change.Token) (p change.Position, err error) {
	err = f.guarded(ctx, "prove", f.src(), t, func() { p = position(len(f.src().log)) })
	if err == nil && f.w.chance(50) {
		err = fault.New(fault.Busy, "prove", errors.New("somebody has a transaction open"), "")
	}
	return p, err
}

func (x way) Lower(ctx context.Context, t change.Token) error {
	e := x.src()
	return x.guarded(ctx, "lower", e, t, func() {
		x.mayLower()
		if e.raised {
			e.open, e.raised = true, false
		}
	})
}

func (x way) Drain(ctx context.Context, p change.Position) (change.Mark, error) {
	at, err := strconv.Atoi(string(p))
	for err == nil {
		reached := 0
		if err = x.call(ctx, "drain", func() error { reached = x.w.applied[x.d]; return nil }); err == nil && reached >= at {
			return change.Mark{Position: position(reached)}, nil
		}
	}
	return change.Mark{}, err
}

func (x way) Still(ctx context.Context, p change.Position) error {
	at, err := strconv.Atoi(string(p))
	if err != nil {
		return err
	}
	return x.call(ctx, "still", func() error {
		if x.w.applied[x.d] < at && !x.w.flaws.blind {
			return fault.New(fault.Refused, "still", errors.New("somebody has written"), "")
		}
		return nil
	})
}

// Prove compares nothing: nothing but the order of the steps must keep the two sides equal.
func (x way) Prove(ctx context.Context) (p Proved, err error) {
	return p, x.call(ctx, "proof", func() error {
		if x.w.chance(x.w.refuse) {
			p.Differences = 1
		}
		return nil
	})
}

func (x way) Prepare(ctx context.Context, t change.Token) error {
	return x.guarded(ctx, "prepare", x.dst(), t, func() { x.dst().prepared, x.w.paused[x.d] = true, true })
}

func (x way) Restore(ctx context.Context, t change.Token) error {
	return x.guarded(ctx, "restore", x.dst(), t, func() { x.dst().prepared, x.w.paused[x.d] = x.w.flaws.noRestore, false })
}

func (x way) Validate(ctx context.Context, t change.Token) error {
	return x.guarded(ctx, "validate", x.dst(), t, func() {})
}

func (x way) Open(ctx context.Context, t change.Token) error {
	return x.guarded(ctx, "open", x.dst(), t, func() {
		if e := x.dst(); e == x.w.old {
			e.open, e.raised = true, false
		} else if !e.open {
			x.w.violate("the switch did not open the new side")
		}
	})
}

func (x way) Run(ctx context.Context, _ Moved) error {
	return x.call(ctx, "hook", func() error {
		if !x.w.chance(x.w.refuse) {
			return nil
		}
		if x.w.flaws.lower {
			x.src().open = true
		}
		return errors.New("the hook fails")
	})
}

func (x way) String() string { return "hook" }

func (p *process) way(d journal.Direction) *Way {
	x := way{p, d}
	return &Way{Gates: x, Reverse: x, Fence: fenceOf{x}, Drain: x, Proof: x, Target: x, Opener: x, Hooks: []Hook{x}}
}

func (p *process) driver(r *rules) *Driver {
	return &Driver{
		Journal: ledger{p, p.w.journal}, Forward: p.way(journal.Forward), Back: p.way(journal.Back), Who: p.name, ID: p.name, Clock: p, rules: r,
		spawn: func(fn func()) Wait {
			a := p.w.start(p, func(*actor) { fn() })
			return func() { p.w.await(func() bool { return a.done }) }
		},
	}
}
