package account_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/account"
	"github.com/bascule/bascule/internal/round/store"
)

// abort is a round that is aborted right before the switch: undoing the closing takes 30 s, quiescing 2 min.
const abort = head + `
	0s started: close a
	4s failed: close a | a row is missing
	0s undo started: close a
	30s undone: close a
	0s undo started: quiesce
	2m undone: quiesce
	`

func TestPlan(t *testing.T) {
	past := []account.Past{
		newTale(t, named(moving("preprod", "a"), "preprod-0")).tell(whole).past,
		newTale(t, named(moving("preprod", "a"), "preprod-1")).tell(slower(whole, "12m")).past,
		newTale(t, named(moving("preprod", "a"), "preprod-2")).tell(slower(whole, "14m")).past,
		newTale(t, named(moving("preprod", "a"), "preprod-3")).tell(abort).past,
	}
	r := named(moving("preprod", "a"), "preprod-4")
	r.WindowTo = began.Add(4 * time.Hour)
	f := account.Plan(r, past)
	var order []string
	for i := range f.Steps {
		s := &f.Steps[i]
		order = append(order, string(s.Task.Step.ID))
		if i > 0 && s.Start != f.Steps[i-1].End {
			t.Errorf("step %s starts at %v, the one before ends at %v", s.Task.Step.ID, s.Start, f.Steps[i-1].End)
		}
	}
	equal(t, "order", strings.Join(order, ", "), "copy a, gate, quiesce, close a, open a, traffic, finish")
	equal(t, "critical", len(f.Critical), 7)
	end := f.Steps[len(f.Steps)-1].End
	if f.Total.Low >= end || f.Total.High <= end || f.Total.Low < 10*time.Minute || f.Total.High > time.Hour {
		t.Errorf("it takes %v, the schedule says %v", f.Total, end)
	}
	equal(t, "freeze", f.Freeze.Expected.Round(time.Millisecond), 840*time.Millisecond)
	equal(t, "freeze from", f.Freeze.From, 3)
	equal(t, "no undo", len(f.NoUndo), 1)
	equal(t, "no undo of", f.NoUndo[0].Step, "finish")
	equal(t, "manual", f.Manual[0], account.Manual{Step: "quiesce", Owner: "carol"})
	equal(t, "unrehearsed", f.Unrehearsed[0], "traffic")
	// Quiescing by itself saves 5 minutes; the copy, as fast as it ever was, half a minute or so.
	equal(t, "save", *f.Save, account.Saving{Step: "quiesce", Saves: f.Steps[2].Expected.Expected, Automate: true})
	if u := f.Undo.Expected.Round(time.Second); u < 150*time.Second*9/10 || u > 150*time.Second*11/10 {
		t.Errorf("an abort takes %v", f.Undo)
	}
	equal(t, "last turn", f.LastTurn, r.WindowTo.Add(-f.Undo.High))
	equal(t, "unknown", len(f.Unknown)+len(f.UndoUnknown), 0)
}

// TestPlanOfNothing: without a past nothing is known, and it says so.
func TestPlanOfNothing(t *testing.T) {
	r := moving("preprod", "a", "b")
	r.WindowTo = began.Add(time.Hour)
	f := account.Plan(r, nil)
	equal(t, "total", f.Total, account.Estimate{})
	equal(t, "total, as text", f.Total.String(), "not known")
	equal(t, "unknown", len(f.Unknown), len(r.Script.Tasks))
	equal(t, "last turn", f.LastTurn, time.Time{})
	equal(t, "critical", len(f.Critical), 0)
	if f.Save != nil || !slices.Equal(f.UndoUnknown, []round.StepID{"quiesce", "close a", "close b"}) {
		t.Errorf("save %v, unknown undos %v", f.Save, f.UndoUnknown)
	}
}

// TestPlannedFreeze: without a freeze to learn from, it is by the steps: from the first closing to the last opening.
func TestPlannedFreeze(t *testing.T) {
	r := named(moving("preprod", "a"), "preprod-1")
	past := newTale(t, named(moving("preprod", "a"), "preprod-0")).tell(whole).past
	// A database that the past does not know keeps the past's freeze from being one of all.
	past.Round.Script.Tasks = slices.Clone(past.Round.Script.Tasks)
	never := round.Task{Step: round.Step{ID: "open z", Role: round.RoleOpen, Database: "z"}}
	past.Round.Script.Tasks = append(past.Round.Script.Tasks, never)
	f := account.Plan(r, []account.Past{past})
	if got := f.Freeze.Expected; !f.FreezePlanned || got < 4*time.Second || got > 6*time.Second {
		t.Errorf("freeze %v", f.Freeze)
	}
}

// TestTurningCosts: what turning back costs is known when it has been done before.
func TestTurningCosts(t *testing.T) {
	past := []account.Past{newTale(t, named(moving("preprod", "a"), "preprod-0")).tell(abort).past}
	x := newTale(t, moving("preprod", "a")).tell(head)
	turning := func() string { return x.of(past, 0).Turning }
	if got := turning(); !strings.HasPrefix(got, "abort: undo 1 step, about 2 min") {
		t.Errorf("quiesced: %s", got)
	}
	x.tell("0s started: close a\n4s done: close a")
	if got := turning(); !strings.HasPrefix(got, "abort: undo 2 steps, about 2 min 4") {
		t.Errorf("closed: %s", got)
	}
	x.tell("0s started: open a")
	equal(t, "opening", turning(), "not known: a database is opening")
	x.tell("1s done: open a")
	if got := turning(); !strings.HasPrefix(got, "fall back: undo 3 steps, about 2 min 4") || !strings.HasSuffix(got, "), not counting 1 step of a time that nobody knows yet") {
		t.Errorf("open: %s", got)
	}
	x.tell("0s fallback\n0s undo started: open a\n1m closed back: open a")
	if got := turning(); !strings.HasPrefix(got, "falling back: undo 3 steps") {
		t.Errorf("falling back: %s", got)
	}
	if a := x.of(past, 0); a.Left.Expected < 2*time.Minute || a.Left.Expected > 3*time.Minute || !a.Frozen {
		t.Errorf("left %v, frozen %v", a.Left, a.Frozen)
	}
}

func TestFindings(t *testing.T) {
	r := moving("poc", "a")
	r.Kind = store.PoC
	r.Script.Task("copy a").Owner = "dana"
	x := newTale(t, r).tell("0s started: copy a\n1m failed: copy a | no space")
	x.event(round.Event{What: round.Noted, Who: "ann", Reason: "a remark"})
	x.event(round.Event{What: round.Noted, Who: "bob", Reason: "use the replica", Kind: "opportunity", Owner: "erin", Step: "copy a"})
	live := newTale(t, moving("live", "a")).tell("0s started: copy a\n1m failed: copy a | no space")
	got := account.Findings([]account.Past{live.past, x.past})
	if len(got) != 2 {
		t.Fatalf("%+v", got)
	}
	equal(t, "the failure", got[0], account.Lesson{
		ID: "poc-1/2", Round: "poc-1", Environment: "poc", Kind: "problem", Step: "copy a", Text: "no space", Owner: "dana", Who: "ann", When: began.Add(time.Minute),
	})
	equal(t, "the note", got[1], account.Lesson{
		ID: "poc-1/4", Round: "poc-1", Environment: "poc", Kind: "opportunity", Step: "copy a", Text: "use the replica", Owner: "erin", Who: "bob",
		When: began.Add(time.Minute),
	})
}
