package platform

import (
	"slices"

	"github.com/bascule/bascule/internal/round"
)

// graph is who needs whom.
type graph struct {
	tasks []round.Task
	needs map[round.StepID][]round.StepID // what a step names
	later map[round.StepID][]round.StepID // who names it
}

func newGraph(tasks []round.Task) *graph {
	g := &graph{tasks: tasks, needs: map[round.StepID][]round.StepID{}, later: map[round.StepID][]round.StepID{}}
	for i := range tasks {
		s := &tasks[i].Step
		g.needs[s.ID] = s.Needs
		for _, n := range s.Needs {
			g.later[n] = append(g.later[n], s.ID)
		}
	}
	return g
}

// reach returns what can be reached along edges from the tasks that are meant, themselves included.
func (g *graph) reach(edges map[round.StepID][]round.StepID, from func(*round.Task) bool) map[round.StepID]bool {
	seen := map[round.StepID]bool{}
	var visit func(round.StepID)
	visit = func(id round.StepID) {
		if seen[id] {
			return
		}
		seen[id] = true
		for _, n := range edges[id] {
			visit(n)
		}
	}
	for i := range g.tasks {
		if from(&g.tasks[i]) {
			visit(g.tasks[i].Step.ID)
		}
	}
	return seen
}

func role(roles ...round.Role) func(*round.Task) bool {
	return func(t *round.Task) bool { return slices.Contains(roles, t.Step.Role) }
}

// parting is what serves nothing but the finish: gates and what only says or waits, when whatever needs them leads there; and all between such a gate and the
// finish. What leads to a switch is none of it.
func (g *graph) parting() map[round.StepID]bool {
	out := g.reach(nil, role(round.RoleFinish))
	if len(out) == 0 {
		return out
	}
	kept := g.reach(g.needs, role(round.RoleClose, round.RoleOpen))
	elsewhere := g.reach(g.needs, func(t *round.Task) bool { // a step that nothing needs, and what leads to it
		return len(g.later[t.Step.ID]) == 0 && t.Step.Role != round.RoleFinish
	})
	only := func(t *round.Task) bool { return !kept[t.Step.ID] && !elsewhere[t.Step.ID] }
	behind := g.reach(g.later, func(t *round.Task) bool { return only(t) && t.Step.Kind == round.KindGate })
	for i := range g.tasks {
		t := &g.tasks[i]
		idle := t.Step.Kind == round.KindWait || t.Step.Kind == round.KindMessage
		if only(t) && (idle || behind[t.Step.ID]) {
			out[t.Step.ID] = true
		}
	}
	return out
}

// apart makes of a live round's tasks those of a round that is not live, and lists what it leaves out for want of a form.
func (m *maker) apart(purpose Purpose) (tasks []round.Task, unrehearsed []round.StepID) {
	g := newGraph(m.tasks)
	out := map[round.StepID]bool{}
	if purpose == Rehearsal {
		out = g.parting()
	}
	behind := g.reach(g.later, role(round.RoleOpen))
	for i := range m.tasks {
		t := &m.tasks[i]
		id := t.Step.ID
		switch {
		case out[id]:
		case purpose == PoC && (t.Step.Role == round.RoleOpen || t.Step.Role == round.RoleFinish):
			out[id] = true
		case purpose == PoC && behind[id] && t.Rehearse == "" && t.Step.Kind != round.KindGate && t.Step.Kind != round.KindAuto,
			purpose == Rehearsal && m.uncopied(t),
			t.Rehearse == "" && (formal(t.Step.Kind) || t.Step.Undo == round.UndoImpossible && t.Step.Kind != round.KindAuto):
			out[id] = true
			unrehearsed = append(unrehearsed, id)
		}
	}
	for i := range m.tasks {
		if t := m.tasks[i]; !out[t.Step.ID] {
			m.form(&t, purpose)
			t.Step.Needs = g.bridge(t.Step.Needs, out)
			t.Step.Acknowledges = slices.DeleteFunc(slices.Clone(t.Step.Acknowledges), func(id round.StepID) bool { return out[id] })
			tasks = append(tasks, t)
		}
	}
	return tasks, unrehearsed
}

// formal reports whether steps of a kind reach out, so that they are done in a rehearsal only where they have a form for it.
func formal(k round.Kind) bool {
	return k == round.KindHook || k == round.KindMessage || k == round.KindTraffic
}

// uncopied reports whether a step is about a database that has no scratch copy. Gates ask people, and stay.
func (m *maker) uncopied(t *round.Task) bool {
	db := m.database[t.Step.ID]
	return db != nil && db.Rehearsal == "" && t.Step.Kind != round.KindGate
}

// form gives a task what it does in a round that is not live.
func (m *maker) form(t *round.Task, purpose Purpose) {
	if db := m.database[t.Step.ID]; db != nil && purpose == Rehearsal {
		t.Config = db.Rehearsal
	}
	if purpose == PoC {
		if t.Step.Role == round.RoleClose {
			t.Do, t.Back, t.Step.Undo = phaseRehearse, "", round.UndoNothing
		}
		t.Step.Role = ""
	}
	if t.Rehearse == "" {
		return
	}
	if t.Step.Kind == round.KindWait && t.For > 0 {
		t.For = soak(t.Rehearse)
		return
	}
	// What says whether the step is done, and what undoes it, is about the live side.
	t.Do, t.Check, t.Back, t.Step.Undo = t.Rehearse, "", m.undo[t.Step.ID], undo(m.undo[t.Step.ID])
}

// bridge puts in the place of steps that are left out what those needed.
func (g *graph) bridge(needs []round.StepID, out map[round.StepID]bool) (bridged []round.StepID) {
	seen := map[round.StepID]bool{}
	var visit func([]round.StepID)
	visit = func(ids []round.StepID) {
		for _, id := range ids {
			switch {
			case seen[id]:
			case out[id]:
				seen[id] = true
				visit(g.needs[id])
			default:
				seen[id] = true
				bridged = append(bridged, id)
			}
		}
	}
	visit(needs)
	return bridged
}
