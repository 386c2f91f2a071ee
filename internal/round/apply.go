package round

import (
	"errors"
	"fmt"
	"slices"
)

// ErrNot is wrapped by what Apply returns for an event that cannot be now.
var ErrNot = errors.New("not now")

func not(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrNot, fmt.Sprintf(format, args...))
}

// Apply makes of the state what an event makes of it. An event that cannot be, as things stand, is an error that wraps ErrNot, and changes nothing.
func (s *State) Apply(e Event) error {
	var err error
	if e.Step == "" {
		err = s.applyRound(&e)
	} else {
		i := slices.IndexFunc(s.Plan.Steps, func(step Step) bool { return step.ID == e.Step })
		if i < 0 {
			return not("there is no step %s", e.Step)
		}
		err = s.applyStep(&e, i)
	}
	if err == nil {
		s.settle()
	}
	return err
}

func (s *State) applyRound(e *Event) error {
	switch e.What {
	case Noted:
		return nil
	case Breached:
		if s.ended() {
			return not("the round has ended")
		}
		s.trouble(e.Reason)
		return nil
	case Paused:
		if s.Phase != PhaseRunning || s.Frozen() {
			return not("only a round that runs, and has stopped no writes, can be paused")
		}
		s.Paused = true
		return nil
	case Resumed:
		if !s.Paused {
			return not("the round is not paused")
		}
		s.Paused = false
		return nil
	default:
		return s.decide(e)
	}
}

// decide takes what a person chooses for the round.
func (s *State) decide(e *Event) error {
	switch e.What {
	case Aborted:
		if s.Phase != PhaseRunning || s.Switched() || s.switching() || s.Finished() {
			return not("a round can be aborted while it runs, and before a database may have opened")
		}
		s.Phase, s.Trouble, s.Paused = PhaseAborting, e.Reason, false
	case Forward:
		if s.Phase != PhaseAsking {
			return not("nobody asks whether to go on")
		}
		s.Phase, s.Trouble = PhaseRunning, ""
	case Fallback:
		if s.Phase != PhaseAsking && s.Phase != PhaseRunning && s.Phase != PhaseDone || !s.Switched() || s.switching() || s.Finished() {
			return not("a round can fall back between the switch and the finish")
		}
		s.Phase, s.Trouble, s.Paused = PhaseFallingBack, e.Reason, false
	default:
		return not("%q says nothing of a round", e.What)
	}
	return nil
}

func (s *State) applyStep(e *Event, i int) error {
	step, st := &s.Plan.Steps[i], s.of[i]
	switch e.What {
	case Started:
		if s.next(i) != Do {
			return not("step %s is not due", step.ID)
		}
		st.Status, st.Reason = StatusRunning, ""
		st.Attempts++
	case Done, Failed:
		return s.ends(e, step, st)
	case Go, NoGo:
		return s.votes(e, step, st)
	case Lost:
		if st.Status != StatusRunning && st.Status != StatusUndoing {
			return not("step %s does not run", step.ID)
		}
		st.Status = StatusUnsure
	case Absent:
		if st.Status != StatusUnsure {
			return not("what became of step %s is known", step.ID)
		}
		st.absent()
	case Skipped:
		return s.skip(e, step, st)
	case Retried:
		return s.retry(step, st)
	case Slipped:
		return s.slipped(e, step, st)
	case Noted:
	default:
		return s.applyUndo(e, i)
	}
	return nil
}

// absent puts a step, or its undo, back to where it was before it ran.
func (st *StepState) absent() {
	switch {
	case !st.Backward:
		st.Status, st.Measured, st.Votes = StatusWaiting, false, nil
	case st.Closed:
		st.Status = StatusClosed
	default:
		st.Status, st.Backward = StatusDone, false
	}
}

// ends takes what became of a step that ran.
func (s *State) ends(e *Event, step *Step, st *StepState) error {
	if st.Backward || st.Status != StatusRunning && st.Status != StatusUnsure {
		return not("step %s does not run", step.ID)
	}
	if e.What == Failed {
		st.Status, st.Reason, st.Measured, st.Votes = StatusFailed, e.Reason, false, nil
		s.failed(step, e.Reason)
		return nil
	}
	st.Evidence = e.Evidence
	if step.Kind == KindGate {
		st.Measured, st.Status = true, StatusRunning
		s.pass(step, st)
		return nil
	}
	st.Status = StatusDone
	return nil
}

// votes takes what a person says at a gate.
func (s *State) votes(e *Event, step *Step, st *StepState) error {
	if step.Kind != KindGate || st.Status != StatusRunning {
		return not("step %s asks nobody", step.ID)
	}
	if e.Who == "" {
		return not("who says %s to %s?", e.What, step.ID)
	}
	if e.What == NoGo {
		st.Status, st.Reason, st.Measured, st.Votes = StatusFailed, e.Who+": "+e.Reason, false, nil
		s.failed(step, st.Reason)
		return nil
	}
	if slices.Contains(st.Votes, e.Who) {
		return not("%s has said so", e.Who)
	}
	st.Votes = append(st.Votes, e.Who)
	s.pass(step, st)
	return nil
}

// pass opens a gate whose criteria hold and whose people agree.
func (s *State) pass(step *Step, st *StepState) {
	if st.Measured && len(st.Votes) >= step.Quorum {
		st.Status = StatusDone
	}
}

// failed decides what a failure means for the round: nothing else, while a person can repair it at leisure; trouble, while an application may be without
// a database or the switch is behind.
func (s *State) failed(step *Step, reason string) {
	if step.Kind != KindMessage && !s.Finished() && (s.Frozen() || s.Switched()) {
		s.trouble(fmt.Sprintf("step %s: %s", step.ID, reason))
	}
}

func (s *State) trouble(reason string) {
	if s.Phase == PhaseRunning && s.Trouble == "" && !s.Finished() {
		s.Trouble = reason
	}
}

// settle lets trouble decide, once nothing is in the balance: before the switch the round aborts; behind it a person is asked. And it ends what has
// nothing left to do.
func (s *State) settle() {
	if s.Phase == PhaseRunning && s.Trouble != "" && !s.switching() {
		s.Phase, s.Paused = PhaseAborting, false
		if s.Switched() {
			s.Phase = PhaseAsking
		}
	}
	switch s.Phase {
	case PhaseRunning:
		if s.all(s.over) {
			s.Phase = PhaseDone
		}
	case PhaseAborting:
		if s.all(s.clear) {
			s.Phase = PhaseAborted
		}
	case PhaseFallingBack:
		if s.all(s.clear) {
			s.Phase = PhaseFellBack
		}
	default: // nothing ends by itself
	}
}

func (s *State) all(is func(i int) bool) bool {
	for i := range s.Plan.Steps {
		if !is(i) {
			return false
		}
	}
	return true
}

func (s *State) ended() bool {
	return s.Phase == PhaseAborted || s.Phase == PhaseFellBack || s.Phase == PhaseDone
}

// skip leaves a step out, or takes it that its undo, which has failed, was done by hand. What an application's data depends on cannot be left out, and no
// gate.
func (s *State) skip(e *Event, step *Step, st *StepState) error {
	switch {
	case st.Status == StatusStuck && step.Role != RoleOpen && e.Reason != "":
		st.Status, st.Reason = StatusUndone, e.Reason // by hand
		return nil
	case s.Phase != PhaseRunning || st.Status != StatusWaiting && st.Status != StatusFailed:
		return not("step %s is %s", step.ID, st.Status)
	case step.Role != "" || step.Kind == KindGate:
		return not("step %s cannot be left out", step.ID)
	case e.Reason == "":
		return not("why is step %s left out?", step.ID)
	}
	st.Status, st.Reason = StatusSkipped, e.Reason
	return nil
}

// retry lets a step, or its undo, be tried again. Where nobody knows what became of it, it is a person's word that nothing did.
func (s *State) retry(step *Step, st *StepState) error {
	switch {
	case st.Status == StatusUnsure && step.Role == "":
		st.absent()
	case st.Status == StatusFailed && s.Phase == PhaseRunning:
		st.Status = StatusWaiting
	case st.Status == StatusStuck && st.Closed:
		st.Status = StatusClosed
	case st.Status == StatusStuck:
		st.Status, st.Backward = StatusDone, false
	default:
		return not("step %s is %s", step.ID, st.Status)
	}
	return nil
}

// slipped lets a database be closed again, unless somebody begins to open it, or has to undo the closing anyway.
func (s *State) slipped(e *Event, step *Step, st *StepState) error {
	if step.Role != RoleClose || st.Status != StatusDone || s.Phase != PhaseRunning && s.Phase != PhaseAsking {
		return not("step %s has closed nothing", step.ID)
	}
	for i := range s.Plan.Steps {
		open := &s.Plan.Steps[i]
		if open.Role == RoleOpen && open.Database == step.Database && s.of[i].Status != StatusWaiting && s.of[i].Status != StatusFailed {
			return not("step %s is %s", open.ID, s.of[i].Status)
		}
	}
	st.Status, st.Reason = StatusWaiting, e.Reason
	if s.Switched() {
		s.trouble(fmt.Sprintf("step %s: %s", step.ID, e.Reason))
	}
	return nil
}

func (s *State) applyUndo(e *Event, i int) error {
	step, st := &s.Plan.Steps[i], s.of[i]
	switch e.What {
	case UndoBegun:
		if v := s.next(i); v != UndoStep && v != CloseBack {
			return not("step %s is not to be undone", step.ID)
		}
		st.Status, st.Backward = StatusUndoing, true
		return nil
	case ClosedBack, Undone, UndoFailed:
		if !st.Backward || st.Status != StatusUndoing && st.Status != StatusUnsure {
			return not("step %s is not being undone", step.ID)
		}
		closing := step.Role == RoleOpen && !st.Closed
		switch {
		case e.What == UndoFailed:
			st.Status, st.Reason = StatusStuck, e.Reason
		case closing != (e.What == ClosedBack):
			return not("step %s: %s", step.ID, e.What)
		case closing:
			st.Status, st.Closed = StatusClosed, true
		default:
			st.Status = StatusUndone
		}
		return nil
	default:
		return not("%q says nothing of a step", e.What)
	}
}
