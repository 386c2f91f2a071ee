package account

import (
	"slices"
	"time"

	"github.com/bascule/bascule/internal/round"
)

// graph is what a plan says of when steps may run: what needs what, and what is shared.
type graph struct {
	needs, after [][]int
	uses         [][]int // what each step shares, as places in limits
	limits       []int
	order        []int // each step behind all that it needs
}

// newGraph reads a plan. An edge that leads nowhere, or in a circle, is left out: a plan that passes its Check has none.
func newGraph(p *round.Plan) *graph {
	n := len(p.Steps)
	g := &graph{needs: make([][]int, n), after: make([][]int, n), uses: make([][]int, n)}
	at, closes := map[round.StepID]int{}, map[string][]int{}
	for i := range p.Steps {
		s := &p.Steps[i]
		at[s.ID] = i
		if s.Role == round.RoleClose && s.Group != "" {
			closes[s.Group] = append(closes[s.Group], i)
		}
	}
	shared := map[string]int{}
	for i := range p.Steps {
		s := &p.Steps[i]
		for _, id := range s.Needs {
			if j, ok := at[id]; ok {
				g.needs[i] = append(g.needs[i], j)
			}
		}
		if s.Role == round.RoleOpen && s.Group != "" { // it opens when all of its group are closed
			g.needs[i] = append(g.needs[i], closes[s.Group]...)
		}
		slices.Sort(g.needs[i])
		g.needs[i] = slices.Compact(g.needs[i])
		for _, name := range s.Uses {
			k, ok := shared[name]
			if !ok {
				k = len(g.limits)
				shared[name], g.limits = k, append(g.limits, max(1, p.Limits[name]))
			}
			if !slices.Contains(g.uses[i], k) {
				g.uses[i] = append(g.uses[i], k)
			}
		}
	}
	g.sort()
	return g
}

// sort finds an order, and what comes after each step.
func (g *graph) sort() {
	const visiting, visited = 1, 2
	state := make([]int, len(g.needs))
	var visit func(i int)
	visit = func(i int) {
		state[i] = visiting
		g.needs[i] = slices.DeleteFunc(g.needs[i], func(j int) bool {
			if state[j] == 0 {
				visit(j)
			}
			return state[j] == visiting
		})
		state[i], g.order = visited, append(g.order, i)
	}
	for i := range g.needs {
		if state[i] == 0 {
			visit(i)
		}
	}
	for i, needs := range g.needs {
		for _, j := range needs {
			g.after[j] = append(g.after[j], i)
		}
	}
}

// reversed is the graph of undoing: a step's turn comes when all that needed it are out of the way.
func (g *graph) reversed() *graph {
	r := &graph{needs: g.after, after: g.needs, uses: g.uses, limits: g.limits, order: slices.Clone(g.order)}
	slices.Reverse(r.order)
	return r
}

// tails is for each step the longest path from its beginning to the end.
func (g *graph) tails(took []time.Duration) []time.Duration {
	tails := make([]time.Duration, len(took))
	for _, i := range slices.Backward(g.order) {
		for _, j := range g.after[i] {
			tails[i] = max(tails[i], tails[j])
		}
		tails[i] += took[i]
	}
	return tails
}

// critical says of each step whether it is on a longest path. Where nothing takes any time, none is.
func (g *graph) critical(took []time.Duration) (is []bool, total time.Duration) {
	tails := g.tails(took)
	heads := make([]time.Duration, len(took)) // the longest path to its beginning
	for _, i := range g.order {
		for _, j := range g.needs[i] {
			heads[i] = max(heads[i], heads[j]+took[j])
		}
		total = max(total, heads[i]+took[i])
	}
	is = make([]bool, len(took))
	for i := range is {
		is[i] = total > 0 && heads[i]+tails[i] == total
	}
	return is, total
}
