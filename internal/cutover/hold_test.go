package cutover

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/journal"
)

const (
	held  = before + "hold "
	again = "-prepare fence prove drain proof prepare hold "
)

// lasting is a hold that says, after a while, what it is told to.
func (w *world) lasting(d time.Duration, word error) func(context.Context, State) error {
	return func(ctx context.Context, _ State) error {
		if err := w.sleep(ctx, nil, d); err != nil {
			return err
		}
		return word
	}
}

// equals says what differs from the words that were wanted, behind "unwatched".
func (s *told) equals(t *testing.T, want string) {
	t.Helper()
	if got := strings.TrimPrefix(strings.Join(s.words, " "), "unwatched "); got != want {
		t.Errorf("it told: %s\nwant:    %s", got, want)
	}
}

func TestHoldGoesOn(t *testing.T) {
	t.Parallel()
	calm(t, func(w *world) {
		watcher := w.process("watcher")
		w.start(watcher, func(*actor) {
			_ = watcher.driver(nil).Watch(watcher.ctx, func(State, error) { t.Error("the watcher took over") })
		})
		const lasts = 25 * time.Second // longer than the lease
		var seen State
		s, state, err := w.story("ann", ToNew, func(d *Driver) {
			d.Hold = func(ctx context.Context, s State) error {
				seen = s
				if w.old.open || w.new.open || !w.new.prepared {
					t.Errorf("it holds with %+v and %+v", w.old, w.new)
				}
				return w.lasting(lasts, nil)(ctx, s)
			}
		})
		if err != nil || state.Live != New || state.Phase != Idle {
			t.Errorf("it ended as %s, %v", state.Text(), err)
		}
		s.equals(t, held+after)
		if !seen.Holds() || !seen.Fenced() || !strings.Contains(seen.Text(), "holds right before its switch, and writes are stopped") {
			t.Errorf("while it held its state was %s", seen.Text())
		}
		if took := state.Stopped(); took < lasts || took > lasts+5*time.Second || seen.Stopped() != 0 {
			t.Errorf("writes were stopped for %s, and while it held for %s", took, seen.Stopped())
		}
		watcher.cancel(errInterrupted)
	})
}

func TestHoldEnds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*world, *Driver)
		class  fault.Class
		says   string
	}{
		"declined": {func(w *world, d *Driver) {
			d.Hold = w.lasting(time.Second, fmt.Errorf("orders is not as far: %w", ErrDeclined))
		}, fault.Internal, "orders is not as far"},
		"declined where it would stay": {func(w *world, d *Driver) {
			d.Stay, d.Hold = true, w.lasting(time.Second, fmt.Errorf("orders is not as far: %w", ErrDeclined))
		}, fault.Internal, "orders is not as far"},
		"busy others": {func(w *world, d *Driver) {
			d.Hold = w.lasting(time.Second, fault.New(fault.Busy, "ask the others", errors.New("not now"), ""))
		}, fault.Busy, "not now"},
		"budget": {func(w *world, d *Driver) {
			d.Hold = w.lasting(time.Hour, nil)
		}, fault.Resource, "30s were not enough"},
		"a word that comes too late": {func(w *world, d *Driver) {
			d.Hold = func(context.Context, State) error { w.pass(31 * time.Second); return nil }
		}, fault.Resource, "30s were not enough"},
		"lifted fence": {func(w *world, d *Driver) {
			d.Hold = func(context.Context, State) error {
				w.writes++
				w.old.write(row{1, w.writes, true})
				w.truth[1] = w.writes
				return nil
			}
		}, fault.Refused, "somebody has written"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calm(t, func(w *world) {
				s, state, err := w.story("ann", ToNew, func(d *Driver) { c.change(w, d) })
				s.equals(t, before+"!hold "+undoing)
				if err == nil || fault.ClassOf(err) != c.class || !strings.Contains(err.Error(), c.says) {
					t.Errorf("its error is %v (%s), want %s, %q", err, fault.ClassOf(err), c.class, c.says)
				}
				if state.Phase != Idle || state.Live != Old || !w.old.open || w.new.prepared || state.Stopped() == 0 {
					t.Errorf("it left %+v and %+v in state %s", w.old, w.new, state.Text())
				}
			})
		})
	}
}

// mute is a journal that cannot be reached for a while from when a hold begins.
type mute struct {
	journal.Store
	w     *world
	until time.Time
}

func (m *mute) Renew(ctx context.Context, id string, lease time.Duration) error {
	if m.w.now.Before(m.until) {
		return lost("renew")
	}
	return m.Store.Renew(ctx, id, lease)
}

// TestHoldWithoutJournal: a hold ends before another process could take over.
func TestHoldWithoutJournal(t *testing.T) {
	t.Parallel()
	calm(t, func(w *world) {
		m := &mute{w: w}
		began, ended := time.Time{}, time.Time{}
		_, state, err := w.story("ann", ToNew, func(d *Driver) {
			m.Store, d.Journal = d.Journal, m
			d.Hold = func(ctx context.Context, s State) error {
				began, m.until = w.now, w.now.Add(time.Minute)
				defer func() { ended = w.now }()
				return w.lasting(time.Hour, nil)(ctx, s)
			}
		})
		if took := ended.Sub(began); took == 0 || took >= DefaultLease {
			t.Errorf("it held for %s without a journal, the lease is %s", took, DefaultLease)
		}
		if fault.ClassOf(err) != fault.Connect || !strings.Contains(err.Error(), "another process may take over") || state.Phase != Idle || !w.old.open {
			t.Errorf("it ended as %s, %v", state.Text(), err)
		}
	})
}

// dies runs a driver that dies while it holds.
func (w *world) dies(name string) {
	p := w.process(name)
	holds := false
	w.start(p, func(*actor) {
		d := p.driver(nil)
		d.Hold = func(ctx context.Context, _ State) error {
			holds = true
			return w.sleep(ctx, p, time.Hour)
		}
		_, _ = d.Run(p.ctx, ToNew)
	})
	w.await(func() bool { return holds })
	p.die()
	w.pass(DefaultLease + time.Second)
}

func TestKeep(t *testing.T) {
	t.Parallel()
	calm(t, func(w *world) {
		w.dies("ann")
		// The budget counts from the take-over: three times this are more than it.
		const lasts = 12 * time.Second
		kept := 0
		s, state, err := w.story("bob", ToNew, func(d *Driver) {
			d.Hold = w.lasting(lasts, nil)
			d.Keep = func(ctx context.Context) error {
				w.keptFor, w.keptAt = w.state.Attempt, w.now
				if kept++; w.old.open || w.new.prepared {
					t.Errorf("it goes on from the fence with %+v and %+v", w.old, w.new)
				}
				return w.sleep(ctx, nil, lasts)
			}
		})
		if err != nil || state.Live != New || kept != 1 || state.Stopped() < 3*lasts-time.Second {
			t.Errorf("it ended as %s, %v, kept %d times, writes stopped for %s", state.Text(), err, kept, state.Stopped())
		}
		s.equals(t, "took_over "+again+after)
	})
}

// TestKeepFails: what goes on from a fence and finds a difference undoes it; where others may have switched it stays fenced.
func TestKeepFails(t *testing.T) {
	t.Parallel()
	for _, stays := range []bool{false, true} {
		calm(t, func(w *world) {
			w.dies("ann")
			s, state, err := w.story("bob", ToNew, func(d *Driver) {
				d.Stay = stays
				d.Keep = func(context.Context) error {
					return fault.New(fault.Difference, "compare", errors.New("3 differences"), "")
				}
			})
			if fault.ClassOf(err) != fault.Difference || w.old.open == stays || state.Fenced() != stays {
				t.Errorf("stays %v: it ended as %s, %v", stays, state.Text(), err)
			}
			want := "took_over -prepare !fence"
			if !stays {
				want += " -fence frozen -arm"
			}
			s.equals(t, want)
		})
	}
}

// TestStay: what fails when others may have switched leaves the fence to a person, who goes on or undoes.
func TestStay(t *testing.T) {
	t.Parallel()
	for name, hold := range map[string]func(*world) func(context.Context, State) error{
		"late": func(w *world) func(context.Context, State) error {
			return func(context.Context, State) error { w.pass(31 * time.Second); return nil }
		},
		"fence": func(w *world) func(context.Context, State) error {
			return func(context.Context, State) error { w.old.write(row{1, 0, true}); return nil }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calm(t, func(w *world) {
				_, state, err := w.story("ann", ToNew, func(d *Driver) { d.Stay, d.Hold = true, hold(w) })
				if err == nil || !strings.Contains(err.Error(), "both sides are closed") || !strings.Contains(fault.HintOf(err), "--abort") {
					t.Errorf("its error is %v (%s)", err, fault.HintOf(err))
				}
				if !state.Fenced() || w.old.open || w.new.open || w.journal.driver.Who != "" {
					t.Errorf("it left %+v and %+v in state %s, driven by %q", w.old, w.new, state.Text(), w.journal.driver.Who)
				}
				// Nobody has to wait for a lease, and nobody interferes.
				if abandoned(&state, &journal.Log{Driver: w.journal.driver, Now: w.now}) {
					t.Error("a watcher would take over")
				}
				if name == "fence" { // the row that slipped through has no value that was acknowledged
					w.truth[1] = 0
				}
				_, state, err = w.story("bob", ToNew, func(d *Driver) { d.Keep = func(context.Context) error { return nil } })
				if err != nil || !w.new.open {
					t.Errorf("to go on: %s, %v", state.Text(), err)
				}
			})
		})
	}
}

// slow is a drain that takes its time to look at the fence again.
type slow struct {
	of Drain
	w  *world
}

func (s slow) Drain(ctx context.Context, p change.Position) (change.Mark, error) {
	return s.of.Drain(ctx, p)
}

func (s slow) Still(ctx context.Context, p change.Position) error {
	if err := s.w.sleep(ctx, nil, 40*time.Second); err != nil {
		return err
	}
	return s.of.Still(ctx, p)
}

// TestTurn: while it waits for its turn it is neither undone nor anybody else's, unless it is told to.
func TestTurn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		word error
		open bool
	}{
		"undone": {fmt.Errorf("the others are undone: %w", ErrDeclined), true},
		"failed": {errors.New("a person went home"), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calm(t, func(w *world) {
				_, state, err := w.story("ann", ToNew, func(d *Driver) {
					d.Stay, d.Hold = true, w.lasting(time.Second, nil)
					d.Turn = func(ctx context.Context) error {
						if err := w.sleep(ctx, nil, time.Minute); err != nil {
							t.Errorf("its turn did not come: %v", err)
						}
						return c.word
					}
				})
				if !errors.Is(err, c.word) || w.old.open != c.open || state.Fenced() == c.open {
					t.Errorf("it ended as %s, %v", state.Text(), err)
				}
			})
		})
	}
}

// TestBudgetIsOverWithTheWord where others may have switched, and only there.
func TestBudgetIsOverWithTheWord(t *testing.T) {
	t.Parallel()
	for _, stays := range []bool{false, true} {
		calm(t, func(w *world) {
			_, state, err := w.story("ann", ToNew, func(d *Driver) {
				p := d.Clock.(*process)
				d.Stay, p.stays = stays, stays
				d.Hold = func(_ context.Context, s State) error {
					p.boundFor, p.wentFor, p.wentAt = s.Attempt, s.Attempt, w.now
					return nil
				}
				d.Turn = func(ctx context.Context) error { return w.sleep(ctx, nil, 40*time.Second) }
				d.Forward.Drain = slow{d.Forward.Drain, w}
			})
			if (err == nil) != stays || w.new.open != stays || w.old.open == stays {
				t.Errorf("stays %v: it ended as %s, %v", stays, state.Text(), err)
			}
		})
	}
}

func TestHeldRehearsal(t *testing.T) {
	t.Parallel()
	calm(t, func(w *world) {
		s, _, err := w.story("ann", ToNew, func(d *Driver) { d.Rehearse, d.Stay, d.Hold = true, true, w.lasting(time.Second, nil) })
		if !errors.Is(err, ErrRehearsed) || !w.old.open {
			t.Errorf("it ended with %v", err)
		}
		s.equals(t, held+undoing)
	})
}

// TestFoldHold: a hold that has begun and did not end keeps the switch from beginning.
func TestFoldHold(t *testing.T) {
	t.Parallel()
	var list []journal.Entry
	add := func(s journal.Step, m journal.Mark) {
		list = append(list, journal.Entry{Seq: int64(len(list) + 1), Direction: journal.Forward, Step: s, Mark: m, Epoch: 1})
	}
	for _, s := range order[:len(order)-7] {
		add(s, journal.MarkBegun)
		add(s, journal.MarkDone)
	}
	for _, extra := range []journal.Mark{"", journal.MarkBegun} {
		if extra != "" {
			add(journal.StepHold, extra)
		}
		switching := append(slices.Clone(list), journal.Entry{Seq: int64(len(list) + 1), Direction: journal.Forward, Step: journal.StepSwitch, Mark: journal.MarkBegun, Epoch: 1})
		if _, err := Fold(switching); (err == nil) != (extra == "") {
			t.Errorf("the switch begins behind hold %q: %v", extra, err)
		}
	}
}
