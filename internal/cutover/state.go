package cutover

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/journal"
)

// Side is one of the two places where an application can live.
type Side string

// The sides.
const (
	Old Side = "old"
	New Side = "new"
)

// Phase is where a cutover stands.
type Phase string

// The phases.
const (
	// Idle: no attempt is open; exactly the live side is open to the application.
	Idle Phase = "idle"
	// Running: an attempt is open, and may still be undone.
	Running Phase = "running"
	// Undoing: it was decided to undo the attempt, and that is not at its end.
	Undoing Phase = "undoing"
	// Switched: the other side is live by a durable record; what follows the switch is not at its end.
	Switched Phase = "switched"
	// Finishing: there is no way back any more; cleaning up is not at its end.
	Finishing Phase = "finishing"
	// Finished: nothing more can happen.
	Finished Phase = "finished"
)

// Progress is how far one step of the present attempt is.
type Progress struct {
	// Mark is what was written of it last; empty when it has not begun, or has to begin again.
	Mark journal.Mark `json:"mark"`
	// Touched says that it may have had an effect that nobody has undone.
	Touched  bool            `json:"-"`
	Epoch    int64           `json:"epoch"`
	Began    time.Time       `json:"began"`
	Ended    time.Time       `json:"ended"`
	Evidence json.RawMessage `json:"evidence,omitempty"`
}

// State is what a journal amounts to.
type State struct {
	Phase Phase `json:"phase"`
	// Live is the side that the last switch opened: the old one before the first.
	Live Side `json:"live"`
	// Attempt counts attempts in both directions; Direction is that of the last one.
	Attempt   int               `json:"attempt"`
	Direction journal.Direction `json:"direction,omitempty"`
	// Steps are those of the last attempt.
	Steps map[journal.Step]Progress `json:"steps,omitempty"`
	// Frozen is when the attempt began to fence the source; zero before.
	Frozen time.Time `json:"frozen"`
	// Thawed is when the application could write again: the fence was lowered, or the other side was open and the hooks had been called; zero before.
	Thawed time.Time `json:"thawed"`
	// Why is why the attempt was, or is being, undone.
	Why string `json:"why,omitempty"`
	// Last is the last entry.
	Last journal.Entry `json:"last"`
}

// order is the order of the steps of a direction.
var order = []journal.Step{
	journal.StepGates, journal.StepArm, journal.StepIntent, journal.StepFence, journal.StepProve, journal.StepDrain, journal.StepProof,
	journal.StepPrepare, journal.StepHold, journal.StepSwitch, journal.StepOpen, journal.StepHooks, journal.StepReverse, journal.StepValidate,
	journal.StepDone,
}

// undoable are the steps that leave something to undo, in the order of the steps.
var undoable = []journal.Step{journal.StepArm, journal.StepFence, journal.StepPrepare}

// optional are the steps that an attempt may leave out.
var optional = []journal.Step{journal.StepHold}

// rules are the machine: the order of the steps is data, so that tests can show what a wrong one does.
type rules struct {
	order, undoable, optional []journal.Step
}

var standard = &rules{order: order, undoable: undoable, optional: optional}

func (r *rules) at(s journal.Step) int { return slices.Index(r.order, s) }

// Fold reads a journal. Entries that cannot follow each other, and words that this program does not know, are errors: nothing must
// be decided on a journal that is not understood.
func Fold(entries []journal.Entry) (State, error) { return standard.fold(entries) }

func (r *rules) fold(entries []journal.Entry) (State, error) {
	s := State{Phase: Idle, Live: Old, Steps: map[journal.Step]Progress{}}
	for _, e := range entries {
		if err := r.add(&s, e); err != nil {
			return s, err
		}
	}
	return s, nil
}

// add lets the next entry follow a state.
func (r *rules) add(s *State, e journal.Entry) error {
	err := r.apply(s, e)
	if err == nil && e.Seq != s.Last.Seq+1 {
		err = fmt.Errorf("its number should be %d", s.Last.Seq+1)
	}
	if err == nil && e.Epoch < s.Last.Epoch {
		err = fmt.Errorf("its epoch %d is older than that of the entry before it, %d", e.Epoch, s.Last.Epoch)
	}
	s.Last = e
	if err == nil {
		return nil
	}
	return fault.New(fault.Unsupported, fmt.Sprintf("read entry %d (%s %s %s) of the cutover journal", e.Seq, e.Direction, e.Step, e.Mark), err,
		"a newer bascule may have written it: use that one; otherwise show bascule.journal to somebody who knows it before anything is opened")
}

// from is the side that a direction leaves, to the one that it leads to.
func from(d journal.Direction) Side {
	if d == journal.Back {
		return New
	}
	return Old
}

func to(d journal.Direction) Side { return from(opposite(d)) }

func opposite(d journal.Direction) journal.Direction {
	if d == journal.Back {
		return journal.Forward
	}
	return journal.Back
}

// apply lets an entry follow a state.
func (r *rules) apply(s *State, e journal.Entry) error {
	if e.Direction != journal.Forward && e.Direction != journal.Back {
		return fmt.Errorf("direction %q is not known", e.Direction)
	}
	if e.Step == journal.StepFinish {
		return s.finish(e)
	}
	if r.at(e.Step) < 0 {
		return fmt.Errorf("step %q is not known", e.Step)
	}
	if s.Phase == Idle && e.Step == r.order[0] && e.Mark == journal.MarkBegun {
		if s.Live != from(e.Direction) {
			return fmt.Errorf("the %s side is live already", s.Live)
		}
		s.Phase, s.Direction, s.Why, s.Frozen, s.Thawed = Running, e.Direction, "", time.Time{}, time.Time{}
		s.Attempt++
		s.Steps = map[journal.Step]Progress{}
	}
	if s.Direction != e.Direction {
		return fmt.Errorf("the open attempt goes %s", s.Direction)
	}
	switch e.Mark {
	case journal.MarkBegun:
		return r.begun(s, e)
	case journal.MarkDone:
		return r.done(s, e)
	case journal.MarkFailed:
		return r.failed(s, e)
	case journal.MarkUndone:
		return r.undone(s, e)
	}
	return fmt.Errorf("mark %q is not known", e.Mark)
}

func (s *State) finish(e journal.Entry) error {
	switch {
	case e.Mark == journal.MarkBegun && (s.Phase == Idle && s.Live == New || s.Phase == Finishing):
		s.Phase = Finishing
	case e.Mark == journal.MarkFailed && s.Phase == Finishing:
	case e.Mark == journal.MarkDone && s.Phase == Finishing:
		s.Phase = Finished
	default:
		return fmt.Errorf("in phase %s, with the %s side live", s.Phase, s.Live)
	}
	s.note(e)
	return nil
}

func (s *State) note(e journal.Entry) {
	p := s.Steps[e.Step]
	p.Mark, p.Epoch = e.Mark, e.Epoch
	if e.Mark == journal.MarkBegun {
		p.Began, p.Ended, p.Touched, p.Evidence = e.At, time.Time{}, true, nil
	} else {
		p.Ended = e.At
	}
	if len(e.Evidence) > 0 {
		p.Evidence = e.Evidence
	}
	s.Steps[e.Step] = p
}

func (r *rules) begun(s *State, e journal.Entry) error {
	i, sw := r.at(e.Step), r.at(journal.StepSwitch)
	switch {
	case s.Phase == Running && i <= sw:
		for _, before := range r.order[:i] {
			mark := s.Steps[before].Mark
			if mark != journal.MarkDone && (mark != "" || !slices.Contains(r.optional, before)) {
				return fmt.Errorf("step %s is not done", before)
			}
		}
		// What was found after it does not hold any more when a step begins again.
		for _, later := range r.order[i+1:] {
			if p, ok := s.Steps[later]; ok {
				p.Mark = ""
				s.Steps[later] = p
			}
		}
		if e.Step == journal.StepFence && s.Frozen.IsZero() {
			s.Frozen = e.At
		}
	case s.Phase == Switched && i > sw:
	default:
		return fmt.Errorf("it cannot begin in phase %s", s.Phase)
	}
	s.note(e)
	return nil
}

func (r *rules) done(s *State, e journal.Entry) error {
	if s.Steps[e.Step].Mark != journal.MarkBegun {
		return fmt.Errorf("it has not begun")
	}
	s.note(e)
	s.thaw(e)
	switch {
	case e.Step == journal.StepSwitch && s.Phase == Running:
		s.Phase, s.Live = Switched, to(s.Direction)
	case e.Step == journal.StepDone && s.Phase == Switched:
		if !s.returns() {
			return fmt.Errorf("the new side is not open, or nothing flows back from it")
		}
		s.Phase = Idle
	case s.Phase != Running && s.Phase != Switched:
		return fmt.Errorf("it cannot end in phase %s", s.Phase)
	}
	return nil
}

// thaw notes when the other side is open and whoever had to know has been told.
func (s *State) thaw(e journal.Entry) {
	told := s.Steps[journal.StepHooks].Mark
	if s.Phase == Switched && s.Thawed.IsZero() && s.Steps[journal.StepOpen].Mark == journal.MarkDone && (told == journal.MarkDone || told == journal.MarkFailed) {
		s.Thawed = e.At
	}
}

// returns reports whether the switch is complete as far as the way back needs it.
func (s *State) returns() bool {
	return s.Steps[journal.StepOpen].Mark == journal.MarkDone && s.Steps[journal.StepReverse].Mark == journal.MarkDone
}

func (r *rules) failed(s *State, e journal.Entry) error {
	switch s.Phase {
	case Running:
		s.note(e)
		s.Phase, s.Why = Undoing, reason(e.Evidence)
		if r.toUndo(s) == "" {
			s.Phase = Idle
		}
	case Switched:
		if r.at(e.Step) <= r.at(journal.StepSwitch) {
			return fmt.Errorf("it is decided: the %s side is live", s.Live)
		}
		s.note(e)
		s.thaw(e)
	default:
		return fmt.Errorf("it cannot fail in phase %s", s.Phase)
	}
	return nil
}

func (r *rules) undone(s *State, e journal.Entry) error {
	due := r.toUndo(s)
	if s.Phase == Running {
		due = r.toRepeat(s, e.Epoch)
	}
	if s.Phase != Undoing && s.Phase != Running || due == "" || due != e.Step {
		return fmt.Errorf("what has to be undone next in phase %s is %q", s.Phase, due)
	}
	s.note(e)
	if e.Step == journal.StepFence {
		s.Thawed = e.At
	}
	p := s.Steps[e.Step]
	p.Touched = false
	s.Steps[e.Step] = p
	if s.Phase == Undoing && r.toUndo(s) == "" {
		s.Phase = Idle
	}
	return nil
}

// toRepeat is a step behind the fence that a driver before this epoch has left something of. It is undone before this one goes on from the
// fence: to a target that is fit for the application nothing must be applied.
func (r *rules) toRepeat(s *State, epoch int64) journal.Step {
	step := r.toUndo(s)
	if step == "" || !s.Fenced() || r.at(step) <= r.at(journal.StepFence) || s.Steps[step].Epoch >= epoch {
		return ""
	}
	return step
}

// toUndo is the step to undo next: the last one that left something.
func (r *rules) toUndo(s *State) journal.Step {
	for _, step := range slices.Backward(r.undoable) {
		if s.Steps[step].Touched {
			return step
		}
	}
	return ""
}

// Fenced reports whether the source may be fenced by an attempt that has not switched.
func (s *State) Fenced() bool {
	return (s.Phase == Running || s.Phase == Undoing) && s.Steps[journal.StepFence].Touched
}

// Holds reports whether the attempt waits, with everything before its switch done, for somebody to say that it may come.
func (s *State) Holds() bool {
	return s.Phase == Running && s.Steps[journal.StepHold].Mark == journal.MarkBegun
}

// Stopped is for how long the last attempt has kept the application from writing, by the store's clock; 0 while it does, and when it never did.
func (s *State) Stopped() time.Duration {
	if s.Frozen.IsZero() || s.Thawed.IsZero() {
		return 0
	}
	return s.Thawed.Sub(s.Frozen)
}

// Text says the state in one sentence for a person.
func (s *State) Text() string {
	live := "the application lives on the " + string(s.Live) + " side"
	switch s.Phase {
	case Idle:
		if s.Why != "" {
			return live + "; the last attempt was undone: " + s.Why
		}
		return live
	case Running:
		text := fmt.Sprintf("%s; a cutover %s is at step %s", live, s.Direction, s.Last.Step)
		if s.Holds() {
			text = fmt.Sprintf("%s; a cutover %s holds right before its switch", live, s.Direction)
		}
		if s.Fenced() {
			text += ", and writes are stopped"
		}
		return text
	case Undoing:
		return fmt.Sprintf("%s; a cutover %s is being undone: %s", live, s.Direction, s.Why)
	case Switched:
		return live + ", by a durable record; what follows the switch is not complete: run the same command again"
	case Finishing:
		return live + " for good; cleaning up is not complete: run bascule db finish again"
	case Finished:
		return live + " for good"
	}
	return string(s.Phase)
}

// failure is the evidence of MarkFailed.
type failure struct {
	Why string `json:"why"`
}

func reason(evidence json.RawMessage) string {
	var f failure
	if json.Unmarshal(evidence, &f) != nil || f.Why == "" {
		return "no reason was recorded"
	}
	return f.Why
}
