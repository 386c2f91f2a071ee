package round

import "slices"

// Verb is what is to be done with a step.
type Verb string

// The verbs.
const (
	Do Verb = "do"
	// Stop a step that runs while nothing may go on: it ends, done or not, and says which.
	Stop Verb = "stop"
	// Check whether a step is done that was running when its driver died.
	Check Verb = "check"
	// CloseBack closes the new side of a database that has opened, and proves that the old side holds all.
	CloseBack Verb = "close back"
	// UndoStep undoes a step. Of one that has opened a database it opens the old side, when all of its group are closed.
	UndoStep Verb = "undo"
)

// Action is something that may be started now.
type Action struct {
	Verb Verb
	Step StepID
}

// Next lists what may be started now, in the plan's order. Each of them may be started alone; whoever has started one, and told Apply, asks again.
func (s *State) Next() (out []Action) {
	for i := range s.Plan.Steps {
		if v := s.next(i); v != "" {
			out = append(out, Action{v, s.Plan.Steps[i].ID})
		}
	}
	return out
}

func (s *State) next(i int) Verb {
	st := s.of[i]
	if st.Status == StatusUnsure {
		return Check
	}
	switch s.Phase {
	case PhaseRunning:
		if st.Status == StatusWaiting && s.mayStart(i) {
			return Do
		}
	case PhaseAborting, PhaseFallingBack:
		if st.Status == StatusRunning {
			return Stop
		}
		return s.nextUndo(i, st)
	default: // a person's turn, or nobody's
	}
	return ""
}

func (s *State) mayStart(i int) bool {
	if s.Paused || s.Trouble != "" {
		return false
	}
	for _, n := range s.needs[i] {
		if !s.over(n) {
			return false
		}
	}
	return s.room(&s.Plan.Steps[i])
}

// room reports whether what a step uses has room for one more.
func (s *State) room(step *Step) bool {
	for _, used := range step.Uses {
		n := 0
		for i := range s.Plan.Steps {
			if other := &s.Plan.Steps[i]; s.of[i].busy() && slices.Contains(other.Uses, used) {
				n++
			}
		}
		if n >= max(1, s.Plan.Limits[used]) {
			return false
		}
	}
	return true
}

// nextUndo undoes in the reverse order: a step's turn comes when whatever needed it is out of the way.
func (s *State) nextUndo(i int, st *StepState) Verb {
	step := &s.Plan.Steps[i]
	if !s.toUndo(i) || st.Status == StatusStuck || !s.room(step) {
		return ""
	}
	for _, l := range s.later[i] {
		if !s.clear(l) {
			return ""
		}
	}
	if step.Role != RoleOpen {
		return UndoStep
	}
	if st.Status != StatusClosed {
		return CloseBack
	}
	if s.groupClosed(step) {
		return UndoStep
	}
	return ""
}

// toUndo reports whether a step has left something that is to be undone and is not being undone.
func (s *State) toUndo(i int) bool {
	step, st := &s.Plan.Steps[i], s.of[i]
	switch st.Status {
	case StatusFailed, StatusWaiting, StatusSkipped: // an attempt may have left something; what failed to open has not opened
		return step.Undo == UndoAction && step.Role != RoleOpen && st.Attempts > 0
	case StatusDone, StatusClosed, StatusStuck:
		return step.Undo == UndoAction
	default:
		return false
	}
}

// clear reports whether nothing of a step stands in the way of undoing what it needed.
func (s *State) clear(i int) bool {
	return !s.of[i].busy() && !s.toUndo(i)
}

// groupClosed reports whether every database of the group that had opened is closed on its new side again.
func (s *State) groupClosed(step *Step) bool {
	for i := range s.Plan.Steps {
		other := &s.Plan.Steps[i]
		if other.Role != RoleOpen || step.Group == "" || other.Group != step.Group {
			continue
		}
		if st := s.of[i]; st.Status == StatusDone || st.busy() && !st.Closed || st.Status == StatusStuck && !st.Closed {
			return false
		}
	}
	return true
}
