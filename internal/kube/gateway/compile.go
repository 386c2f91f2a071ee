package gateway

import (
	"slices"
)

// A rule is one rule of the ALB's listener: hosts and matches are alternatives; no host is every host.
type rule struct {
	m       *member
	hosts   []string
	matches []match
	act     *action
	// sources are the addresses that it is for, if it is not for all.
	sources []string
	// backend is the name of the Ingress's backend: a Service, or an action of an annotation.
	backend string
	// label says which rule it is, to people.
	label string
	// last marks a default backend, which comes after the rules of all members.
	last bool
	// served is set when any route carries it, omitted when it is left out for a reason that is told.
	served, omitted bool
	// of is the rule that it stands for on a port that is closed.
	of *rule
}

// placed is one match of a route and the rule whose action it takes.
type placed struct {
	rule  *rule
	index int // the rule's place among the listener's rules
	match match
}

// mostMatches bounds what the rules of one host may come to.
const mostMatches = 512

// compile turns a listener's rules, in the ALB's order, into matches among which Gateway API's precedence gives every request of a host the
// same action. It says false when they would be too many.
//
// The matches of all rules are closed under intersection, so that of all matches of a request there is one that lies within all
// others; it wins in Gateway API, whose order never prefers a larger match. It takes the action of the first rule that covers it, which is
// the first that the ALB finds. docs/design/gateway.md has the proof.
func compile(rules []*rule, host string) ([]placed, bool) {
	var originals []placed
	for i, r := range rules {
		if len(r.hosts) > 0 && !slices.ContainsFunc(r.hosts, func(p string) bool { return hostCovers(p, host) }) {
			continue
		}
		for _, m := range r.matches {
			originals = append(originals, placed{r, i, m})
		}
	}
	elements, ok := closure(originals)
	if !ok {
		return nil, false
	}
	slices.SortStableFunc(elements, func(a, b match) int { return prefer(&b, &a) }) // the largest first
	var kept []placed
	for _, e := range elements {
		first := slices.IndexFunc(originals, func(p placed) bool { return p.match.covers(&e) })
		if first < 0 {
			continue
		}
		p := placed{originals[first].rule, originals[first].index, e}
		own := slices.ContainsFunc(p.rule.matches, func(m match) bool { return m.key() == e.key() })
		if above := winner(kept, &e); own || above == nil || above.rule.act.key != p.rule.act.key {
			kept = append(kept, p)
		}
	}
	slices.SortStableFunc(kept, func(a, b placed) int {
		if a.index != b.index {
			return a.index - b.index
		}
		return prefer(&a.match, &b.match)
	})
	return kept, true
}

// closure returns the matches of rules, what open prefixes leave out, and all intersections of these, each once.
func closure(originals []placed) ([]match, bool) {
	var elements []match
	seen := map[string]bool{}
	add := func(m match) {
		m.open = false
		if k := m.key(); !seen[k] {
			seen[k] = true
			elements = append(elements, m)
		}
	}
	for _, p := range originals {
		add(p.match)
		if p.match.open {
			hole := p.match
			hole.exact = true
			add(hole)
		}
	}
	for i := 0; i < len(elements); i++ {
		for j := range i {
			if m, ok := intersect(&elements[i], &elements[j]); ok {
				add(m)
			}
		}
		if len(elements) > mostMatches {
			return nil, false
		}
	}
	return elements, true
}

// winner is the match that gets the requests of e when e is left out: the preferred one of those that contain it.
func winner(kept []placed, e *match) *placed {
	var best *placed
	for i := range kept {
		k := &kept[i]
		if m, ok := intersect(&k.match, e); !ok || m.key() != e.key() {
			continue
		}
		if best == nil || prefer(&k.match, &best.match) < 0 {
			best = k
		}
	}
	return best
}

// orderMatters finds the pairs of rules of different members whose order decides: the one that comes first in the ALB's order would come
// second in Gateway API's.
func orderMatters(rules []*rule, host string) [][2]*rule {
	var out [][2]*rule
	for i, a := range rules {
		for _, b := range rules[i+1:] {
			if a.m != b.m && a.act.key != b.act.key && a.on(host) && b.on(host) && swapped(a, b) {
				out = append(out, [2]*rule{a, b})
			}
		}
	}
	return out
}

func (r *rule) on(host string) bool {
	return len(r.hosts) == 0 || slices.ContainsFunc(r.hosts, func(p string) bool { return hostCovers(p, host) })
}

func swapped(a, b *rule) bool {
	for _, x := range a.matches {
		for _, y := range b.matches {
			if _, ok := intersect(&x, &y); ok && prefer(&y, &x) <= 0 {
				return true
			}
		}
	}
	return false
}
