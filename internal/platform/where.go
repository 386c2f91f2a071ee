package platform

import (
	"slices"

	"github.com/bascule/bascule/internal/round"
)

// The environments that a step can be for alone.
const (
	// whereWorkloads are those whose rounds bring workloads to the new side by their tree.
	whereWorkloads = "workloads"
	// whereNone are the others.
	whereNone = "no-workloads"
)

// in reports whether an environment's rounds have a step.
func (s *Step) in(e *Environment) bool {
	switch s.Where {
	case whereWorkloads:
		return e.deploys()
	case whereNone:
		return !e.deploys()
	default:
		return true
	}
}

// has reports whether an environment's rounds have the step at least once: one of each database needs a database.
func (e *Environment) has(s *Step) bool {
	return s.in(e) && (s.Each != eachDatabase || len(e.Databases) > 0)
}

// steps are those of the template that an environment's rounds have.
func (p *Platform) steps(e *Environment) []Step {
	return slices.DeleteFunc(slices.Clone(p.template()), func(s Step) bool { return !s.in(e) })
}

// through lists, for a step that the environment does not have, what that would need. So what stands behind a gate stays behind it, also where there is no
// database that would have to open in between.
func (m *maker) through(name string, db *Database, seen map[string]bool) (ids []round.StepID) {
	for _, s := range m.p.template() {
		if s.Name != name || m.e.has(&s) || seen[name] {
			continue
		}
		seen[name] = true
		of := db
		if s.Each != eachDatabase {
			of = nil
		}
		for _, n := range s.Needs {
			ids = append(ids, m.p.named(m.e, n, of)...)
			ids = append(ids, m.through(n, of, seen)...)
		}
	}
	return ids
}

// bridge lets each step need what steps would have needed that it names and that the environment does not have. What it needs already, if only by way of
// others, is not named again.
func (m *maker) bridge() {
	for i := range m.tasks {
		s := &m.tasks[i].Step
		for _, id := range m.absent[s.ID] {
			g := newGraph(m.tasks)
			before := g.reach(g.needs, func(t *round.Task) bool { return t.Step.ID == s.ID })
			if !before[id] {
				s.Needs = append(slices.Clone(s.Needs), id)
			}
		}
	}
}
