package cutover

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bascule/bascule/internal/journal"
)

// Goal is what somebody wants.
type Goal string

// The goals.
const (
	// ToNew wants the application on the new side: a cutover.
	ToNew Goal = "to-new"
	// ToOld wants it on the old side: a fallback.
	ToOld Goal = "to-old"
	// ToFinish wants to let the old side go.
	ToFinish Goal = "finish"
	// ToRest wants nothing to be open: before the switch an attempt is undone, after it the attempt is completed.
	ToRest Goal = "rest"
)

// Direction returns which way a goal goes, empty where it does not matter.
func (g Goal) Direction() journal.Direction {
	switch g {
	case ToNew:
		return journal.Forward
	case ToOld:
		return journal.Back
	case ToFinish, ToRest:
	}
	return ""
}

// Policy is what the machine has to know beside the journal.
type Policy struct {
	Goal Goal
	// Epoch is the driver's own.
	Epoch int64
	// Frozen is for how long the source has been fenced by now; Budget is for how long it may be, until the switch.
	Frozen, Budget time.Duration
	// Rehearse stops before the switch, and undoes.
	Rehearse bool
	// Hold waits before the switch until somebody says that it may come.
	Hold bool
	// Keep goes on from the fence that another driver has left, whatever that one came to.
	Keep bool
	// Stay leaves the fence up when something fails, for a person to choose.
	Stay bool
	// Decided says that the switch was let come in time, and that others may have switched: the budget does not matter any more.
	Decided bool
	// Why is why nothing is to be left open, for the journal; for ToRest.
	Why string
}

// Kind is what an action is.
type Kind uint8

// The kinds of actions.
const (
	// Do carries out Step.
	Do Kind = iota + 1
	// Undo takes Step back.
	Undo
	// Fail decides that the attempt is undone, at Step, because of Why.
	Fail
	// Rest says that there is nothing to do.
	Rest
	// Ask says that a person has to do something first: Why says what.
	Ask
)

// Action is what comes next.
type Action struct {
	Kind Kind
	Step journal.Step
	Why  string
	// Over says that the budget is the reason.
	Over bool
}

// next says what comes next. It is a pure function: whoever asks it with the same journal gets the same answer.
func (r *rules) next(s State, p Policy) Action {
	switch s.Phase {
	case Idle:
		return r.start(s, p)
	case Running:
		return r.run(s, p)
	case Undoing:
		return Action{Kind: Undo, Step: r.toUndo(&s)}
	case Switched:
		return r.after(s, p)
	case Finishing:
		if done := s.Steps[journal.StepFinish]; done.Mark == journal.MarkFailed && done.Epoch == p.Epoch {
			return Action{Kind: Ask, Step: journal.StepFinish, Why: reason(done.Evidence)}
		}
		return Action{Kind: Do, Step: journal.StepFinish}
	case Finished:
		if p.Goal == ToOld {
			return Action{Kind: Ask, Why: "bascule db finish has declared the point of no return: there is no way back"}
		}
	}
	return Action{Kind: Rest}
}

func (r *rules) start(s State, p Policy) Action {
	switch p.Goal {
	case ToNew, ToOld:
		if s.Live == from(p.Goal.Direction()) {
			return Action{Kind: Do, Step: r.order[0]}
		}
	case ToFinish:
		if s.Live == Old {
			return Action{Kind: Ask, Why: "the application lives on the old side: there is nothing to finish"}
		}
		return Action{Kind: Do, Step: journal.StepFinish}
	case ToRest:
	}
	return Action{Kind: Rest}
}

func (r *rules) run(s State, p Policy) Action {
	fail := func(why string) Action { return Action{Kind: Fail, Step: s.Last.Step, Why: why} }
	stop := fail
	if p.Stay {
		stop = func(why string) Action { return Action{Kind: Ask, Why: why} }
	}
	sw := s.Steps[journal.StepSwitch]
	switch {
	case p.Goal == ToFinish:
		return Action{Kind: Ask, Why: "a cutover is open: " + s.Text() + ". Abort it first, or complete it"}
	case p.Goal.Direction() != s.Direction:
		if p.Why == "" {
			p.Why = "asked for"
		}
		return fail(p.Why)
	case sw.Mark == journal.MarkBegun && sw.Epoch < p.Epoch && !p.Keep:
		// This driver's claim has waited for whatever was under way, and there is no record: it can never come.
		return stop("the switch was begun and did not become durable")
	case s.Fenced() && p.Frozen >= p.Budget && !p.Decided:
		a := stop(fmt.Sprintf("writes have been stopped for %s, and may be for %s", p.Frozen.Round(time.Millisecond), p.Budget))
		a.Over = true
		return a
	case r.toRepeat(&s, p.Epoch) != "":
		return Action{Kind: Undo, Step: r.toRepeat(&s, p.Epoch)}
	}
	step := r.following(s, p)
	if step == journal.StepSwitch && p.Rehearse {
		return fail(ErrRehearsed.Error())
	}
	return Action{Kind: Do, Step: step}
}

// following is the first step that this epoch has not done. What an earlier driver found may not hold any more: with the fence
// up it begins again there, else at the gates.
func (r *rules) following(s State, p Policy) journal.Step {
	i := 0
	if s.Fenced() {
		i = r.at(journal.StepFence)
	}
	for _, step := range r.order[i:] {
		if r.leavesOut(step, p) {
			continue
		}
		if done := s.Steps[step]; done.Mark != journal.MarkDone || done.Epoch < p.Epoch {
			return step
		}
	}
	return journal.StepSwitch
}

// leavesOut reports whether a step is none of the wanted ones.
func (r *rules) leavesOut(step journal.Step, p Policy) bool {
	return step == journal.StepHold && !p.Hold && slices.Contains(r.optional, step)
}

// after goes on behind the switch, where there is no return: each step is tried even when another has failed, so that a broken
// webhook does not keep the way back from being made.
func (r *rules) after(s State, p Policy) Action {
	var failed []string
	for _, step := range r.order[r.at(journal.StepSwitch)+1:] {
		if step == journal.StepDone {
			break
		}
		done := s.Steps[step]
		switch {
		case done.Mark == journal.MarkDone, r.leavesOut(step, p):
			continue
		case done.Mark != journal.MarkFailed || done.Epoch != p.Epoch:
			return Action{Kind: Do, Step: step}
		}
		failed = append(failed, reason(done.Evidence)) // which names the step
		if step == journal.StepOpen {
			break // nobody must be sent to a side that is closed
		}
	}
	if done := s.Steps[journal.StepDone]; done.Mark == journal.MarkFailed && done.Epoch == p.Epoch {
		return Action{Kind: Ask, Step: journal.StepDone, Why: reason(done.Evidence)}
	}
	if len(failed) == 0 || s.returns() && p.Goal.Direction() == opposite(s.Direction) {
		return Action{Kind: Do, Step: journal.StepDone}
	}
	return Action{Kind: Ask, Why: fmt.Sprintf("the application lives on the %s side, but not all that follows was done: %s", s.Live, strings.Join(failed, "; "))}
}

// left lists the steps behind the switch that are not done.
func (r *rules) left(s State) []journal.Step {
	var out []journal.Step
	for _, step := range r.order[r.at(journal.StepSwitch)+1:] {
		if step != journal.StepDone && s.Steps[step].Mark != journal.MarkDone {
			out = append(out, step)
		}
	}
	return out
}

// frozen reports whether a step stands within the write freeze.
func frozen(s journal.Step) bool {
	i := slices.Index(order, s)
	return i >= slices.Index(order, journal.StepFence) && i <= slices.Index(order, journal.StepSwitch)
}
