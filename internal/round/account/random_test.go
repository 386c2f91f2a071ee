package account_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/account"
	"github.com/bascule/bascule/internal/round/store"
)

var everything = []round.What{
	round.Started, round.Done, round.Failed, round.Lost, round.Absent, round.Go, round.NoGo, round.Skipped, round.Retried, round.UndoBegun, round.ClosedBack,
	round.Undone, round.UndoFailed, round.Slipped, round.Breached, round.Paused, round.Resumed, round.Aborted, round.Forward, round.Fallback, round.Noted, "nonsense",
}

// FuzzOf reads bytes as a journal: most of them say what may happen next, some say anything. An account is drawn up of just those journals that the state
// allows, and then agrees with it.
func FuzzOf(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x10\x01\x00\x00\x00\x00\x10\x01\x00\x00\x02\x03"))
	f.Add([]byte(strings.Repeat("\x01\x04\x21\x05\x00\x31\x01\x08\x02\x40", 30)))
	f.Add([]byte(strings.Repeat("\x00\x01\x00\x11", 60)))
	f.Add([]byte(strings.Repeat("\x00\x01\x00\x11", 30) + "\xf0\x11\x00" + strings.Repeat("\x00\x01\x00\x11", 40)))
	f.Fuzz(func(t *testing.T, data []byte) { journal(t, data) })
}

// TestRandomJournals is the same with journals that chance wrote, and looks that they reach every end.
func TestRandomJournals(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	reached := map[round.Phase]int{}
	for range 700 {
		data := make([]byte, 3*r.IntN(200))
		for i := range data {
			data[i] = byte(r.IntN(256))
		}
		reached[journal(t, data)]++
	}
	t.Logf("%v", reached)
	for _, p := range []round.Phase{
		"", round.PhaseRunning, round.PhaseAborting, round.PhaseAborted, round.PhaseAsking, round.PhaseFallingBack, round.PhaseFellBack, round.PhaseDone,
	} {
		if reached[p] == 0 {
			t.Errorf("no journal ends as %q", p)
		}
	}
}

// journal reads bytes as one, and returns the phase that it ends at, or nothing where the state refuses it.
func journal(t *testing.T, data []byte) round.Phase {
	t.Helper()
	if len(data) > 600 {
		return ""
	}
	r := moving("preprod", "a", "b")
	s, now := round.New(r.Script.Plan()), r.Began
	var entries []store.Entry
	var wrong error
	for len(data) >= 3 && wrong == nil {
		e := next(s, data)
		now = now.Add(time.Duration(int8(data[1])+100) * time.Second)
		keep := data[1] == 7
		data = data[3:]
		wrong = s.Apply(e)
		if wrong != nil && !keep {
			wrong = nil // most of what cannot be is left out
			continue
		}
		entries = append(entries, store.Entry{Seq: int64(len(entries) + 1), At: now, Event: e})
	}
	learned := newTale(t, named(moving("other", "a", "b"), "other-1")).tell(group).past
	a, err := account.Of(r, entries, []account.Past{learned}, nil, nil, now)
	if (err != nil) != (wrong != nil) {
		t.Fatalf("the state says %v, the account %v", wrong, err)
	}
	if err != nil {
		return ""
	}
	agrees(t, a, s)
	if len(a.HTML()) == 0 || a.Markdown() == "" || account.Curve([]account.Past{{Round: r, Entries: entries}}, nil).Text() == "" {
		t.Fatal("nothing is written")
	}
	return a.Phase
}

// next is what some bytes say happens: an action that may be started, the end of one that runs, or anything.
func next(s *round.State, data []byte) round.Event {
	what, which := data[0], int(data[2])
	e := round.Event{Who: fmt.Sprint("voter ", which%3), Reason: "so it is"}
	steps := s.Plan.Steps
	if actions := s.Next(); what < 100 && len(actions) > 0 {
		a := actions[which%len(actions)]
		e.Step, e.What = a.Step, map[round.Verb]round.What{
			round.Do: round.Started, round.Stop: round.Failed, round.Check: round.Absent, round.CloseBack: round.UndoBegun, round.UndoStep: round.UndoBegun,
		}[a.Verb]
		return e
	}
	if what < 220 {
		for i := range steps {
			step := &steps[(i+which)%len(steps)]
			switch st := s.Steps[step.ID]; {
			case st.Status == round.StatusRunning && st.Measured:
				e.Step, e.What = step.ID, round.Go
			case st.Status == round.StatusRunning:
				e.Step, e.What = step.ID, round.Done
			case st.Status == round.StatusUndoing && step.Role == round.RoleOpen && !st.Closed:
				e.Step, e.What = step.ID, round.ClosedBack
			case st.Status == round.StatusUndoing:
				e.Step, e.What = step.ID, round.Undone
			default:
				continue
			}
			if fails := what%8 == 3; fails && s.Steps[step.ID].Backward {
				e.What = round.UndoFailed
			} else if fails && e.What == round.Done {
				e.What = round.Failed
			}
			return e
		}
	}
	k := which % len(everything)
	e.Who, e.What = "anyone", everything[k]
	if k < slices.Index(everything, round.Breached) || data[1]%8 == 0 {
		e.Step = steps[int(data[1])%len(steps)].ID
	}
	return e
}

// agrees compares an account with the state that the same journal led to, and with a state that then turns back.
func agrees(t *testing.T, a *account.Account, s *round.State) {
	t.Helper()
	ended := a.Phase == round.PhaseDone || a.Phase == round.PhaseAborted || a.Phase == round.PhaseFellBack
	if a.Phase != s.Phase || ended == a.Ended.IsZero() || s.Frozen() && !a.Frozen || ended && a.Frozen || a.Elapsed < 0 || a.Left.Low < 0 {
		t.Fatalf("phase %s, ended %v, frozen %v, left %v; the state: %s, frozen %v", a.Phase, a.Ended, a.Frozen, a.Left, s.Phase, s.Frozen())
	}
	for i := range a.Steps {
		x, st := &a.Steps[i], s.Steps[a.Steps[i].Task.Step.ID]
		busy := st.Status == round.StatusRunning || st.Status == round.StatusUnsure || st.Status == round.StatusUndoing
		if busy && (x.Began.IsZero() || !x.Ended.IsZero()) || !busy && st.Attempts > 0 && x.Ended.IsZero() {
			t.Fatalf("step %s is %s, and ran from %v to %v", x.Task.Step.ID, st.Status, x.Began, x.Ended)
		}
		if x.Took < 0 || x.Waited > x.Took || x.End < x.Start || x.PlannedEnd < x.PlannedStart || st.Attempts == 0 && x.Took > 0 {
			t.Fatalf("step %s: took %v, waited %v, %v to %v", x.Task.Step.ID, x.Took, x.Waited, x.Start, x.End)
		}
	}
	for db, d := range a.Freezes {
		if d > a.Freeze || a.Freeze > a.Now.Sub(a.Round.Began) {
			t.Fatalf("database %s was frozen for %v, of %v", db, d, a.Freeze)
		}
	}
	turns(t, a, s)
}

// turns lets the state turn back, and counts what it undoes: as many steps as the account has said.
func turns(t *testing.T, a *account.Account, s *round.State) {
	t.Helper()
	verb, cost, _ := strings.Cut(a.Turning, ": ")
	switch verb {
	case "none", "not known":
		for _, w := range []round.What{round.Aborted, round.Fallback} {
			if err := s.Apply(round.Event{What: w, Who: "ann", Reason: "back"}); err == nil {
				t.Fatalf("turning back is %q, and can be", a.Turning)
			}
		}
		return
	case "abort", "fall back":
		what := map[string]round.What{"abort": round.Aborted, "fall back": round.Fallback}[verb]
		if err := s.Apply(round.Event{What: what, Who: "ann", Reason: "back"}); err != nil {
			t.Fatalf("turning back is %q: %v", a.Turning, err)
		}
	}
	undone := 0
	for s.Phase == round.PhaseAborting || s.Phase == round.PhaseFallingBack {
		e, again := back(s)
		if again {
			undone++
		}
		if err := s.Apply(e); err != nil {
			t.Fatalf("%+v: %v", e, err)
		}
	}
	want := 0
	if _, err := fmt.Sscanf(cost, "undo %d step", &want); err != nil && cost != "there is nothing to undo" {
		t.Fatalf("turning back: %q", a.Turning)
	}
	if undone != want {
		t.Fatalf("turning back is %q, and undoes %d", a.Turning, undone)
	}
}

// back is what happens next when a round turns back and nothing goes wrong, and whether a step is undone by it.
func back(s *round.State) (e round.Event, undone bool) {
	e.Who = "ann"
	for _, step := range s.Plan.Steps {
		st := s.Steps[step.ID]
		e.Step = step.ID
		switch {
		case st.Status == round.StatusStuck:
			e.What = round.Retried
			return e, false
		case st.Status == round.StatusUndoing && step.Role == round.RoleOpen && !st.Closed:
			e.What = round.ClosedBack
			return e, false
		case st.Status == round.StatusUndoing:
			e.What = round.Undone
			return e, true
		}
	}
	a := s.Next()[0]
	e.Step, e.What = a.Step, round.UndoBegun
	switch a.Verb {
	case round.Stop:
		e.What = round.Failed
	case round.Check:
		e.What = round.Absent
	case round.Do, round.CloseBack, round.UndoStep:
	}
	return e, false
}
