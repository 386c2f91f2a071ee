package round_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/round"
)

// story plays a round by its script: a line is an event, with the step behind a colon, or what may start next behind "next", or the phase behind "phase".
func story(t *testing.T, p *round.Plan, script string) *round.State {
	t.Helper()
	if err := p.Check(); err != nil {
		t.Fatal(err)
	}
	s := round.New(p)
	for line := range strings.Lines(script) {
		line = strings.TrimSpace(line)
		what, about, _ := strings.Cut(line, ": ")
		switch what {
		case "":
		case "next":
			var got []string
			for _, a := range s.Next() {
				got = append(got, string(a.Verb)+" "+string(a.Step))
			}
			if want := strings.Split(about, ", "); !slices.Equal(got, want) && (about != "nothing" || len(got) > 0) {
				t.Fatalf("%s: next is %q", line, got)
			}
		case "phase":
			if string(s.Phase) != about {
				t.Fatalf("%s: it is %s", line, s.Phase)
			}
		default:
			what, refused := strings.CutPrefix(what, "not ")
			err := s.Apply(round.Event{What: round.What(what), Step: round.StepID(about), Who: "ann", Reason: "so it is"})
			if (err != nil) != refused || err != nil && !errors.Is(err, round.ErrNot) {
				t.Fatalf("%s: %v", line, err)
			}
		}
	}
	return s
}

// done is a script that does steps one after the other.
func done(steps ...string) (script string) {
	for _, s := range steps {
		script += fmt.Sprintf("started: %s\ndone: %s\n", s, s)
		if s == "gate" {
			script += "go: gate\n"
		}
	}
	return script
}

// TestGroupOfThree: the third cannot be closed, and all are open on their old sides again.
func TestGroupOfThree(t *testing.T) {
	s := story(t, moving("a", "b", "c"), done("copy", "gate", "quiesce")+`
		next: do close a, do close b, do close c
		`+done("close a", "close b")+`
		next: do close c
		started: close c
		failed: close c
		phase: aborting
		next: undo close a, undo close b, undo close c
		undo started: close b
		undone: close b
		undo started: close a
		undo started: close c
		undo failed: close c
		next: nothing
		undone: close a
		phase: aborting
		retried: close c
		undo started: close c
		undone: close c
		next: undo quiesce
		undo started: quiesce
		undone: quiesce
		phase: aborted`)
	if s.Switched() || s.Frozen() || !strings.Contains(s.Trouble, "close c") {
		t.Errorf("the round ends as %+v", s)
	}
}

// TestOpeningFails: one of a group is open on its new side, the other is not, and a person is asked.
func TestOpeningFails(t *testing.T) {
	head := done("copy", "gate", "quiesce", "close a", "close b", "open a") + `
		started: open b
		failed: open b
		phase: asking
		next: nothing
		not aborted
		`
	s := story(t, moving("a", "b"), head)
	if open := s.Open(); !slices.Equal(open, []string{"a"}) || !s.Frozen() {
		t.Errorf("open on the new side: %v, frozen %v", open, s.Frozen())
	}
	story(t, moving("a", "b"), head+`
		forward
		retried: open b
		`+done("open b")+`
		phase: done`)
	story(t, moving("a", "b"), head+`
		fallback
		next: close back open a
		undo started: open a
		closed back: open a
		next: undo open a
		undo started: open a
		undone: open a
		next: undo close a, undo close b
		undo started: close a
		undone: close a
		undo started: close b
		undone: close b
		undo started: quiesce
		undone: quiesce
		phase: fell back`)
}

// TestBreach waits until it is known whether a database has opened before it decides.
func TestBreach(t *testing.T) {
	head := done("copy", "gate", "quiesce", "close a") + `
		not paused
		started: open a
		breached
		phase: running
		lost: open a
		next: check open a
		`
	story(t, moving("a"), head+"absent: open a\nphase: aborting\nnot fallback\n")
	story(t, moving("a"), head+"done: open a\nphase: asking\nforward\nphase: done\n")
	story(t, moving("a"), done("copy", "gate")+"breached\nphase: aborted\nnot breached\n")
	story(t, moving("a"), "started: copy\nfailed: copy\nphase: running\nskipped: copy\n"+done("gate")+"not skipped: close a\nnot skipped: gate\n")
}
