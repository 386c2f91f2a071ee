package cutover

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/event"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/journal"
)

// calm plays fn, as an operator, in a world without faults.
func calm(t *testing.T, fn func(w *world)) {
	t.Helper()
	w := newWorld(t.Context(), 1)
	w.calm = true
	defer func() {
		for _, a := range w.actors {
			a.stop()
		}
	}()
	w.start(nil, w.application)
	w.start(nil, w.feed(journal.Forward))
	w.start(nil, w.feed(journal.Back))
	over := false
	w.start(nil, func(*actor) { fn(w); over = true })
	w.run(func() bool { return over })
	if w.wrong != "" {
		t.Error(w.wrong)
	}
}

// told are events as words.
type told struct {
	words  []string
	frozen []event.Frozen
}

func (s *told) event(e event.Event) {
	switch e := e.(type) {
	case event.StepDone:
		word := e.Step
		if e.Undo {
			word = "-" + word
		}
		if e.Elapsed < 0 {
			word += " before it began"
		}
		s.words = append(s.words, word)
	case event.StepFailed:
		s.words = append(s.words, "!"+e.Step)
	case event.Frozen:
		s.frozen = append(s.frozen, e)
		s.words = append(s.words, "frozen")
	case event.Unwatched, event.TookOver, event.Retried:
		s.words = append(s.words, e.Name())
	}
}

const (
	before  = "gates arm intent fence prove drain proof prepare "
	after   = "switch open hooks frozen reverse validate done"
	undoing = "-prepare -fence frozen -arm"
)

// story runs a driver and says what it told.
func (w *world) story(name string, g Goal, change func(*Driver)) (told, State, error) {
	var s told
	var state State
	err := w.launch(name, nil, func(d *Driver, p *process) (err error) {
		d.Events = s.event
		if change != nil {
			change(d)
		}
		state, err = d.Run(p.ctx, g)
		return err
	})
	return s, state, err
}

func TestThereAndBack(t *testing.T) {
	t.Parallel()
	calm(t, func(w *world) {
		w.pass(5 * time.Second)
		for i, g := range []Goal{ToNew, ToNew, ToOld, ToNew, ToFinish, ToOld} {
			s, state, err := w.story(fmt.Sprint("ann ", i), g, func(d *Driver) { d.Finisher = finisher{} })
			want := map[int]string{1: "", 4: "finish", 5: ""}
			text, ok := want[i]
			if !ok {
				text = "unwatched " + before + after
			}
			if got := strings.Join(s.words, " "); got != text {
				t.Errorf("%d, %s: %s\nwant: %s", i, g, got, text)
			}
			if i == 5 {
				if fault.ClassOf(err) != fault.Refused || state.Phase != Finished {
					t.Errorf("a fallback after the finish: %v, in phase %s", err, state.Phase)
				}
				return
			}
			if err != nil {
				t.Errorf("%d, %s: %v", i, g, err)
			}
			for _, f := range s.frozen {
				if !f.Switched || f.Elapsed <= 0 || f.Elapsed > 10*time.Second {
					t.Errorf("%d, %s: frozen for %s, switched: %v", i, g, f.Elapsed, f.Switched)
				}
			}
			w.pass(5 * time.Second)
		}
	})
}

type finisher struct{}

func (finisher) Finish(context.Context, change.Token) error { return nil }

func TestRehearsalAndFailuresAreUndone(t *testing.T) {
	t.Parallel()
	fail := fault.New(fault.Data, "prove", errors.New("on purpose"), "look there")
	for name, c := range map[string]struct {
		change func(*Driver)
		words  string
		class  fault.Class
		says   string
	}{
		"rehearsal": {func(d *Driver) { d.Rehearse = true }, before + undoing, fault.Internal, "rehearsal"},
		"shut gate": {func(d *Driver) { d.Forward.Gates = shut{} }, "!gates", fault.Refused, "lag: 9 s, wanted: 1 s"},
		"proof":     {func(d *Driver) { d.Forward.Proof = unequal{err: fail} }, "gates arm intent fence prove drain !proof -fence frozen -arm", fault.Data, "on purpose"},
		"unequal":   {func(d *Driver) { d.Forward.Proof = unequal{} }, "gates arm intent fence prove drain !proof -fence frozen -arm", fault.Difference, "1 of 7 rows"},
		"budget":    {func(d *Driver) { d.Budget = 100 * time.Millisecond }, "", fault.Resource, "100ms were not enough"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calm(t, func(w *world) {
				s, state, err := w.story("ann", ToNew, c.change)
				if got := strings.Join(s.words, " "); c.words != "" && got != "unwatched "+c.words {
					t.Errorf("it told: %s\nwant: %s", got, c.words)
				}
				if fault.ClassOf(err) != c.class || err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("its error is %v (%s), want %s, %q", err, fault.ClassOf(err), c.class, c.says)
				}
				if state.Phase != Idle || state.Live != Old || !w.old.open || w.new.open || w.new.slot >= 0 || w.new.prepared {
					t.Errorf("it left %+v and %+v in state %s", w.old, w.new, state.Text())
				}
				// It can be tried again at once.
				if _, _, err := w.story("bob", ToNew, nil); err != nil || !w.new.open {
					t.Errorf("the second try: %v", err)
				}
			})
		})
	}
}

type shut struct{}

func (shut) Look(context.Context) ([]Gate, error) {
	return []Gate{{Name: "verified", Open: true}, {Name: "lag", Saw: "9 s", Wants: "1 s", Do: "wait"}}, nil
}

type unequal struct{ err error }

func (u unequal) Prove(context.Context) (Proved, error) {
	return Proved{Keys: 7, Differences: 1}, u.err
}

// blind is a journal that cannot be reached any more once the switch was sent.
type blind struct {
	journal.Store
	p       *process
	commits bool
	gone    bool
}

func (b *blind) Switch(ctx context.Context, c journal.Claim, e journal.Entry) error {
	if b.commits {
		if err := b.Store.Switch(ctx, c, e); err != nil {
			return err
		}
	}
	b.gone = true
	// The person gives up a while later.
	b.p.w.start(nil, func(*actor) {
		b.p.w.pass(30 * time.Second)
		b.p.cancel(errInterrupted)
	})
	return lost("commit")
}

func (b *blind) Read(ctx context.Context) (*journal.Log, error) {
	if b.gone {
		return nil, errors.Join(lost("read"), b.p.w.sleep(ctx, b.p, time.Second))
	}
	return b.Store.Read(ctx)
}

func (b *blind) Renew(ctx context.Context, id string, lease time.Duration) error {
	if b.gone {
		return lost("renew")
	}
	return b.Store.Renew(ctx, id, lease)
}

// TestUnknownSwitch: nothing is decided as long as the journal cannot be read, whatever became of the switch.
func TestUnknownSwitch(t *testing.T) {
	t.Parallel()
	for _, commits := range []bool{true, false} {
		calm(t, func(w *world) {
			var s told
			err := w.launch("ann", nil, func(d *Driver, p *process) error {
				d.Events = s.event
				d.Journal = &blind{Store: d.Journal, p: p, commits: commits}
				_, err := d.Run(p.ctx, ToNew)
				return err
			})
			if _, ok := errors.AsType[*SwitchUnknownError](err); !ok || fault.ClassOf(err) != fault.Ambiguous || !strings.Contains(fault.HintOf(err), "--abort") {
				t.Errorf("its error is %v (%s)", err, fault.ClassOf(err))
			}
			if w.old.open || w.new.open != commits {
				t.Errorf("it was guessed: old side open: %v, new side open: %v, committed: %v", w.old.open, w.new.open, commits)
			}
			if !slices.Contains(s.words, "retried") {
				t.Errorf("nobody was told that it asks: %s", s.words)
			}
			// Another process finds out.
			w.pass(DefaultLease)
			var state State
			err = w.launch("bob", nil, func(d *Driver, p *process) (err error) {
				state, err = d.Abort(p.ctx)
				return err
			})
			if err != nil || w.new.open != commits || w.old.open == commits || (state.Live == New) != commits {
				t.Errorf("after an abort, committed: %v: %v, %s", commits, err, state.Text())
			}
		})
	}
}

func TestSecondDriverIsTold(t *testing.T) {
	t.Parallel()
	calm(t, func(w *world) {
		first := false
		w.start(nil, func(*actor) { _, _, _ = w.story("ann@ops, process 7", ToNew, nil); first = true })
		w.pass(300 * time.Millisecond)
		_, _, err := w.story("bob", ToOld, nil)
		if fault.ClassOf(err) == fault.Busy && strings.Contains(err.Error(), "ann@ops, process 7 drives it since 2026-01-01 00:00:00") {
			w.await(func() bool { return first })
			return
		}
		t.Errorf("the second driver gets %v", err)
	})
}

// TestWatcher kills a driver with the fence up, and looks at how long writes are stopped.
func TestWatcher(t *testing.T) {
	t.Parallel()
	calm(t, func(w *world) {
		watcher := w.process("watcher")
		var s told
		var ended []State
		w.start(watcher, func(*actor) {
			d := watcher.driver(nil)
			d.Events = s.event
			_ = d.Watch(watcher.ctx, func(st State, err error) {
				if err != nil {
					t.Error(err)
				}
				ended = append(ended, st)
			})
		})
		w.pass(time.Second)
		driver := w.process("ann")
		w.start(driver, func(*actor) { _, _ = driver.driver(nil).Run(driver.ctx, ToNew) })
		w.await(func() bool { return !w.old.open })
		began := w.now
		driver.die()
		w.await(func() bool { return w.old.open })
		if took := w.now.Sub(began); took > DefaultLease+5*time.Second {
			t.Errorf("writes were stopped for %s", took)
		}
		w.await(func() bool { return len(ended) > 0 })
		if st := ended[0]; st.Phase != Idle || st.Live != Old || !strings.Contains(st.Why, "ann stopped answering; watcher took over") {
			t.Errorf("it ended as %s", st.Text())
		}
		if diff := cmp.Diff([]string{"took_over", "-fence", "frozen", "-arm"}, s.words); diff != "" {
			t.Errorf("it told:\n%s", diff)
		}
		watcher.cancel(errInterrupted)
	})
}

// TestFoldRefuses shows that a journal that is not understood decides nothing.
func TestFoldRefuses(t *testing.T) {
	t.Parallel()
	e := func(seq int64, s journal.Step, m journal.Mark) journal.Entry {
		return journal.Entry{Seq: seq, Direction: journal.Forward, Step: s, Mark: m, Epoch: 1}
	}
	begun := e(1, journal.StepGates, journal.MarkBegun)
	for name, list := range map[string][]journal.Entry{
		"gap":            {begun, e(3, journal.StepGates, journal.MarkDone)},
		"unknown step":   {begun, e(2, "teleport", journal.MarkBegun)},
		"unknown mark":   {begun, e(2, journal.StepGates, "doubted")},
		"no direction":   {{Seq: 1, Step: journal.StepGates, Mark: journal.MarkBegun}},
		"back from old":  {{Seq: 1, Direction: journal.Back, Step: journal.StepGates, Mark: journal.MarkBegun}},
		"switch at once": {begun, e(2, journal.StepSwitch, journal.MarkBegun)},
		"older epoch":    {begun, {Seq: 2, Direction: journal.Forward, Step: journal.StepGates, Mark: journal.MarkDone}},
		"finish of old":  {e(1, journal.StepFinish, journal.MarkBegun)},
		"undone at rest": {e(1, journal.StepFence, journal.MarkUndone)},
	} {
		if s, err := Fold(list); fault.ClassOf(err) != fault.Unsupported {
			t.Errorf("%s: %s, %v", name, s.Text(), err)
		}
	}
}
