package dependency

import (
	"cmp"
	"maps"
	"slices"
)

// Group is workloads that must move together, because they share state.
type Group struct {
	Workloads []string `json:"workloads"`
	// State is what ties them: what at least two of them use.
	State []string `json:"state"`
	// Ties are the edges between the two.
	Ties []Tie `json:"ties"`
	// Bridges counts the edges each of which, once cut, would split the group. Cut is the one that splits it best; nothing where no single edge does.
	Bridges int  `json:"bridges"`
	Cut     *Cut `json:"cut,omitempty"`
}

// Tie is an edge that ties a workload to shared state.
type Tie struct {
	Workload string `json:"workload"`
	State    string `json:"state"`
	Sure     Sure   `json:"sure"`
	Reads    bool   `json:"reads,omitempty"`
}

// Cut is a tie that, once cut, leaves two groups.
type Cut struct {
	Tie
	// Apart are the workloads on the tie's own side, Rest those on the side of the state.
	Apart []string `json:"apart"`
	Rest  []string `json:"rest"`
}

// groups are the connected components of workloads over the state that they share.
func groups(m *Map) []Group {
	writers := map[string]bool{}
	for _, e := range m.Edges {
		if kindOf(e.From) == Workload && (kindOf(e.To) != Bucket || !e.Reads) {
			writers[e.To] = true
		}
	}
	g := &graph{next: map[string][]string{}, ties: map[[2]string]Tie{}}
	for _, e := range m.Edges {
		if kindOf(e.From) != Workload || !ties[kindOf(e.To)] || !writers[e.To] {
			continue
		}
		g.next[e.From] = append(g.next[e.From], e.To)
		g.next[e.To] = append(g.next[e.To], e.From)
		g.ties[[2]string{e.From, e.To}] = Tie{Workload: e.From, State: e.To, Sure: e.Sure, Reads: e.Reads}
	}
	out := []Group{}
	seen := map[string]bool{}
	for _, n := range m.Of(Workload) {
		if seen[n.ID] {
			continue
		}
		all := g.reach(n.ID, [2]string{})
		for id := range all {
			seen[id] = true
		}
		if x := g.group(all); len(x.Workloads) > 1 {
			out = append(out, x)
		}
	}
	slices.SortStableFunc(out, func(a, b Group) int {
		return cmp.Or(len(b.Workloads)-len(a.Workloads), cmp.Compare(a.Workloads[0], b.Workloads[0]))
	})
	return out
}

// graph is workloads and state, joined by ties.
type graph struct {
	next map[string][]string
	ties map[[2]string]Tie
}

// reach are the nodes that can be reached without one of the ties.
func (g *graph) reach(from string, without [2]string) map[string]bool {
	seen := map[string]bool{from: true}
	for todo := []string{from}; len(todo) > 0; {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, to := range g.next[at] {
			if !seen[to] && [2]string{at, to} != without && [2]string{to, at} != without {
				seen[to] = true
				todo = append(todo, to)
			}
		}
	}
	return seen
}

func (g *graph) group(all map[string]bool) Group {
	var x Group
	for _, id := range slices.Sorted(maps.Keys(all)) {
		switch {
		case kindOf(id) == Workload:
			x.Workloads = append(x.Workloads, id)
		case len(g.next[id]) > 1:
			x.State = append(x.State, id)
		}
	}
	slices.SortFunc(x.State, func(a, b string) int { return compareID(a, kindOf(a), b) })
	for _, s := range x.State {
		for _, w := range slices.Sorted(slices.Values(g.next[s])) {
			x.Ties = append(x.Ties, g.ties[[2]string{w, s}])
		}
	}
	if len(x.Workloads) < 2 {
		return x
	}
	best := 0
	var at [2]string
	for _, b := range g.bridges(x.Workloads[0]) {
		less := min(b.below, len(x.Workloads)-b.below)
		if less > 0 {
			x.Bridges++
		}
		if less > best {
			best, at = less, b.tie
		}
	}
	if best > 0 {
		x.Cut = &Cut{Tie: g.ties[at], Apart: workloadsOf(g.reach(at[0], at)), Rest: workloadsOf(g.reach(at[1], at))}
	}
	return x
}

func workloadsOf(nodes map[string]bool) []string {
	var out []string
	for id := range nodes {
		if kindOf(id) == Workload {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// bridge is a tie without which its component falls apart, with how many workloads are on one of its sides.
type bridge struct {
	tie   [2]string
	below int
}

// bridges finds the bridges of a component, in order (R. Tarjan, A note on finding the bridges of a graph, 1974).
func (g *graph) bridges(root string) []bridge {
	entered, low, below := map[string]int{}, map[string]int{}, map[string]int{}
	type frame struct {
		at, from string
		next     int
	}
	enter := func(at string) {
		entered[at] = len(entered) + 1
		low[at] = entered[at]
		if kindOf(at) == Workload {
			below[at] = 1
		}
	}
	var out []bridge
	enter(root)
	for stack := []frame{{at: root}}; len(stack) > 0; {
		f := &stack[len(stack)-1]
		if f.next < len(g.next[f.at]) {
			to := g.next[f.at][f.next]
			f.next++
			switch {
			case to == f.from: // two nodes share one tie at most
			case entered[to] > 0:
				low[f.at] = min(low[f.at], entered[to])
			default:
				enter(to)
				stack = append(stack, frame{at: to, from: f.at})
			}
			continue
		}
		at, from := f.at, f.from
		stack = stack[:len(stack)-1]
		if from == "" {
			continue
		}
		low[from] = min(low[from], low[at])
		below[from] += below[at]
		if low[at] > entered[from] {
			tie := [2]string{from, at}
			if kindOf(from) != Workload {
				tie = [2]string{at, from}
			}
			out = append(out, bridge{tie, below[at]})
		}
	}
	slices.SortFunc(out, func(a, b bridge) int {
		return cmp.Or(cmp.Compare(a.tie[0], b.tie[0]), cmp.Compare(a.tie[1], b.tie[1]))
	})
	return out
}
