package account

import (
	"fmt"
	"strings"
	"time"

	"github.com/bascule/bascule/internal/round"
)

// turning says what turning back is now, and what it costs.
func (b *builder) turning() string {
	s := b.state
	switch s.Phase {
	case round.PhaseAborting, round.PhaseFallingBack:
		return fmt.Sprintf("%s: %s", s.Phase, b.cost(s))
	case round.PhaseAborted, round.PhaseFellBack:
		return "none: everything is undone"
	case round.PhaseRunning, round.PhaseAsking, round.PhaseDone:
	}
	switch {
	case s.Finished():
		return "none: the way back is given up"
	case b.opening():
		return "not known: a database is opening"
	case s.Switched():
		return "fall back: " + b.cost(s)
	case s.Phase == round.PhaseDone:
		return "none: the round has ended"
	default:
		return "abort: " + b.cost(s)
	}
}

// opening reports whether nobody knows yet whether a database opens.
func (b *builder) opening() bool {
	for i := range b.tasks {
		st := b.state.Steps[b.tasks[i].Step.ID]
		if b.tasks[i].Step.Role == round.RoleOpen && !st.Backward && (st.Status == round.StatusRunning || st.Status == round.StatusUnsure) {
			return true
		}
	}
	return false
}

// cost says how many steps are undone, and in what time.
func (b *builder) cost(s *round.State) string {
	took, undo := b.back(s, b.since(b.a.Now))
	if len(undo) == 0 {
		return "there is nothing to undo"
	}
	var out strings.Builder
	fmt.Fprintf(&out, "undo %s", count(len(undo), "step"))
	unknown := 0
	for _, i := range undo {
		if !b.undos[i].Known() {
			unknown++
		}
	}
	switch {
	case unknown == len(undo):
		out.WriteString(", in a time that nobody knows yet")
	case unknown > 0:
		fmt.Fprintf(&out, ", about %s, not counting %s of a time that nobody knows yet", took, count(unknown, "step"))
	default:
		fmt.Fprintf(&out, ", about %s", took)
	}
	if stay := b.stays(); len(stay) > 0 {
		fmt.Fprintf(&out, "; what %s did stays", strings.Join(stay, ", "))
	}
	return out.String()
}

// stays lists the steps that have begun and have no undo.
func (b *builder) stays() (ids []string) {
	for i := range b.tasks {
		step := &b.tasks[i].Step
		if step.Undo == round.UndoImpossible && step.Role != round.RoleFinish && b.state.Steps[step.ID].Attempts > 0 {
			ids = append(ids, string(step.ID))
		}
	}
	return ids
}

// back estimates how long undoing takes from now on, and lists the steps that it undoes, by their places.
func (b *builder) back(s *round.State, now time.Duration) (Estimate, []int) {
	jobs := make([]job, len(b.tasks))
	var undo []int
	for i := range b.tasks {
		j, step := &jobs[i], &b.tasks[i].Step
		st := s.Steps[step.ID]
		switch {
		case st.Backward && (st.Status == round.StatusUndoing || st.Status == round.StatusUnsure):
			undo = append(undo, i)
			if lap := b.watch.tracks[step.ID].running(); lap != nil {
				j.runs, j.start = true, b.since(lap.from)
				j.end = j.start + b.undos[i].at(0, now-j.start)
			}
		case undoes(step, st):
			undo = append(undo, i)
			j.took = b.undos[i].Expected
		default:
			j.over = true
		}
	}
	return b.graph.reversed().simulate(jobs, b.undos, now), undo
}

// undoes reports whether a step is undone when the round turns back. What runs is stopped first, and undone like what has failed.
func undoes(step *round.Step, st *round.StepState) bool {
	if step.Undo != round.UndoAction {
		return false
	}
	switch st.Status {
	case round.StatusUndone:
		return false
	case round.StatusWaiting, round.StatusFailed, round.StatusSkipped, round.StatusRunning, round.StatusUnsure:
		return step.Role != round.RoleOpen && st.Attempts > 0
	default:
		return true
	}
}

// count is a number with its word.
func count(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
