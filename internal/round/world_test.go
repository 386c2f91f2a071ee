package round_test

import (
	"maps"
	"slices"

	"github.com/bascule/bascule/internal/round"
)

// begin starts an action, as an executor does: first the event, then the act.
func (w *world) begin(a round.Action) {
	step := w.plan.Step(a.Step)
	switch a.Verb {
	case round.Check:
		w.check(step)
		return
	case round.Stop:
		if _, runs := w.running[a.Step]; runs {
			w.end(a.Step)
		} else { // a gate that waits for people
			w.tell(round.Event{What: round.Failed, Step: a.Step, Reason: "stopped"})
		}
		return
	case round.Do:
		w.mayBegin(step)
		w.votes[a.Step] = map[string]bool{}
		w.tell(round.Event{What: round.Started, Step: a.Step})
	default:
		w.mayUndo(step, a.Verb)
		w.tell(round.Event{What: round.UndoBegun, Step: a.Step})
	}
	if other, twice := w.running[a.Step]; twice {
		w.fail("%s of %s begins while %s runs", a.Verb, a.Step, other.verb)
	}
	w.running[a.Step] = run{verb: a.Verb, ok: w.calm || w.r.IntN(6) > 0}
	if a.Verb == round.Do && step.Undo == round.UndoAction {
		w.effect[a.Step] = true // part of it, whatever comes of it
	}
	w.limits()
}

// mayBegin holds the order against the plan as it is written down.
func (w *world) mayBegin(step *round.Step) {
	for _, n := range step.Needs {
		if !w.ended[n] || len(w.votes[n]) < w.plan.Step(n).Quorum {
			w.fail("%s begins before %s", step.ID, n)
		}
	}
	if step.Role != round.RoleOpen {
		return
	}
	for _, other := range w.plan.Steps {
		if other.Role == round.RoleClose && other.Group == step.Group && step.Group != "" && !w.closed[other.Database] && !w.opening[other.Database] {
			w.fail("%s opens before %s of its group is closed", step.Database, other.Database)
		}
	}
	if !w.closed[step.Database] {
		w.fail("%s opens and is not closed", step.Database)
	}
}

// mayUndo fails when something stands that was built upon the step.
func (w *world) mayUndo(step *round.Step, v round.Verb) {
	for i := range w.plan.Steps {
		if later := &w.plan.Steps[i]; w.needs(later, step.ID) && (w.effect[later.ID] || w.running[later.ID].verb != "") {
			w.fail("%s is undone before %s", step.ID, later.ID)
		}
	}
	if v != round.UndoStep || step.Role != round.RoleOpen {
		return
	}
	for _, other := range w.plan.Steps {
		if other.Role == round.RoleOpen && other.Group == step.Group && (step.Group != "" || other.ID == step.ID) && w.opened[other.Database] {
			w.fail("the old side of %s opens while the new side of %s is open", step.Database, other.Database)
		}
	}
}

func (w *world) needs(later *round.Step, id round.StepID) bool {
	return slices.ContainsFunc(later.Needs, func(n round.StepID) bool { return n == id || w.needs(w.plan.Step(n), id) })
}

func (w *world) limits() {
	used := map[string]int{}
	for id := range w.running {
		for _, u := range w.plan.Step(id).Uses {
			if used[u]++; used[u] > max(1, w.plan.Limits[u]) {
				w.fail("%d steps use %s", used[u], u)
			}
		}
	}
}

// end lets something that runs come to its end.
func (w *world) end(id round.StepID) {
	step, x := w.plan.Step(id), w.running[id]
	delete(w.running, id)
	w.act(step, x)
	w.tell(w.told(step, x))
}

// act is what a step does to the databases.
func (w *world) act(step *round.Step, x run) {
	db := step.Database
	switch {
	case !x.ok && x.verb == round.Do && step.Role == round.RoleOpen:
		w.effect[step.ID] = false // what fails to open has not opened
	case !x.ok && x.verb == round.Do && step.Role == round.RoleClose:
		w.closed[db] = true // writes may be stopped
	case !x.ok:
	case x.verb == round.CloseBack:
		w.opened[db] = false
	case x.verb == round.UndoStep:
		w.effect[step.ID] = false
		if step.Role == round.RoleClose || step.Role == round.RoleOpen {
			w.closed[db] = false
		}
		w.oneSide(db)
	case step.Role == round.RoleClose:
		w.closed[db] = true
	case step.Role == round.RoleOpen:
		w.opened[db], w.opening[db] = true, true
		w.oneSide(db)
	}
}

func (w *world) oneSide(db string) {
	if w.opened[db] && !w.closed[db] {
		w.fail("both sides of %s are open", db)
	}
}

// told is what an executor says of what has ended.
func (w *world) told(step *round.Step, x run) round.Event {
	e := round.Event{Step: step.ID}
	switch {
	case x.verb == round.Do && x.ok:
		e.What = round.Done
		w.ended[step.ID] = true // of a gate: its criteria hold
	case x.verb == round.Do:
		e.What, e.Reason = round.Failed, "it did not work"
		w.ended[step.ID] = step.Kind == round.KindMessage
	case !x.ok:
		e.What, e.Reason = round.UndoFailed, "it did not work"
	case x.verb == round.CloseBack:
		e.What = round.ClosedBack
	default:
		e.What = round.Undone
	}
	return e
}

// crash loses the driver. Whatever ran had come to its end, or to nothing.
func (w *world) crash() {
	for _, id := range slices.Sorted(maps.Keys(w.running)) {
		x := w.running[id]
		delete(w.running, id)
		w.tell(round.Event{What: round.Lost, Step: id})
		if x.none = w.r.IntN(2) == 0; !x.none {
			w.act(w.plan.Step(id), x)
		}
		w.lost[id] = x
	}
}

// check looks what came of a step that was lost.
func (w *world) check(step *round.Step) {
	x, was := w.lost[step.ID]
	if !was {
		w.fail("%s is to be looked at, and was never lost", step.ID)
	}
	delete(w.lost, step.ID)
	if !x.none {
		w.tell(w.told(step, x))
		return
	}
	if x.verb == round.Do && step.Role == round.RoleOpen {
		w.effect[step.ID] = false
	}
	w.tell(round.Event{What: round.Absent, Step: step.ID})
}

// person does something that somebody may do at any time, wise or not.
func (w *world) person() {
	id := w.plan.Steps[w.r.IntN(len(w.plan.Steps))].ID
	who := []string{"ann", "bob", "eve"}[w.r.IntN(3)]
	what := []round.What{round.Go, round.Go, round.Go, round.NoGo, round.Skipped, round.Retried, round.Retried}[w.r.IntN(7)]
	step := w.plan.Step(id)
	if what == round.Skipped {
		before := w.state.Steps[id].Status
		w.try(round.Event{What: what, Step: id, Who: who, Reason: "by hand"})
		if now := w.state.Steps[id].Status; now != before {
			w.ended[id] = now == round.StatusSkipped
			if now == round.StatusUndone { // a person did it
				w.effect[id] = false
				if step.Role == round.RoleClose {
					w.closed[step.Database] = false
				}
			}
		}
		return
	}
	if w.try(round.Event{What: what, Step: id, Who: who, Reason: "it seems so"}) && what == round.Go {
		w.votes[id][who] = true
	}
	if what == round.NoGo && w.state.Steps[id].Status == round.StatusFailed {
		delete(w.running, id) // nobody measures for a gate that is shut
	}
}

// decide brings what concerns the round.
func (w *world) decide() {
	what := []round.What{round.Breached, round.Paused, round.Resumed, round.Aborted, round.Forward, round.Fallback, round.Noted}[w.r.IntN(7)]
	w.try(round.Event{What: what, Who: "ann", Reason: "it seems so"})
}
