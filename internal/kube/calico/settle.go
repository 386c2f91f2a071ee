package calico

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/plain"
)

// An allowance is a rule that lets traffic through, once all that Calico asks before it has been taken out.
type allowance struct {
	pods formula // of the policy's own pods, those for which it holds
	path []string
	traffic
}

// earlier is a Deny that Calico asks before a rule, and the pods for which it does so.
type earlier struct {
	policy *policy
	rule   *rule
	pods   formula
	same   bool // of the same policy
	sure   bool // it is asked before, and not only perhaps
}

// allowances are what a policy lets through in a namespace, in one direction.
func (w *world) allowances(q *policy, n *namespace, direction string) []allowance {
	var out []allowance
	for i, r := range q.rules(direction) {
		if r.action != "Allow" || r.strange != "" {
			q.unlike(r)
			continue
		}
		pods, err := q.selects(n, r.own)
		if err != nil {
			q.block(r.path, "A rule that allows is left out, so what it allowed is cut: "+err.Error()+".", rewrite)
			continue
		}
		all := []allowance{{pods, r.path, r.traffic}}
		for _, d := range w.earlier(q, n, direction, i) {
			if d.rule.apart(&r.traffic, w) {
				continue
			}
			all = q.without(all, d)
		}
		out = append(out, all...)
	}
	return out
}

// unlike says what becomes of a rule that is not written: one that denies needs nothing, for what no rule allows is denied.
func (p *policy) unlike(r *rule) {
	switch {
	case r.action == "Log":
		p.note(r.path, "It logs traffic; NetworkPolicies do not.", "turn on network policy logging of the cluster: a NetworkLogging object")
	case r.action == "Metadata":
		p.note(r.path, "It kept pods from the metadata server of AWS, which gave them the role of their node. On GKE that address gives each pod its own identity and nothing of the node's, so they are not kept from it.", "")
	case r.action == "Pass":
		p.block(r.path, "A rule passes traffic on to the next tier ("+pick(r.strange != "", r.strange, "Pass")+"). NetworkPolicies have no tiers, so what it let through is cut.", rewrite)
	case r.action == "Allow" && r.icmp:
		p.note(r.path, "A rule allows ICMP alone, which NetworkPolicies cannot; it is left out, so ping and the like are cut.", "allow all traffic of these peers where it is needed, in overrides/")
	case r.action == "Allow":
		p.block(r.path, "A rule that allows cannot be said by a NetworkPolicy ("+r.strange+"), and is left out: what it allowed is cut.", advice(r))
	}
}

func advice(r *rule) string {
	if r.peer.service == nil && slices.Contains([]string{"domains of its own side", "domains"}, r.strange) {
		return "write a FQDNNetworkPolicy for the names (enableFqdnNetworkPolicy of the cluster) into overrides/"
	}
	return rewrite
}

// earlier lists the Denies that Calico may ask before a policy's rule.
func (w *world) earlier(q *policy, n *namespace, direction string, index int) []earlier {
	var out []earlier
	for _, p := range w.denying {
		rules := p.rules(direction)
		switch {
		case p == q:
			rules = rules[:index]
		case !p.before(q), p.left, p.discarded, !p.directs[direction], p.applies(n) == no:
			continue
		}
		for _, r := range rules {
			if r.action != "Deny" {
				continue
			}
			pods, err := p.selects(n, r.own)
			if err != nil || p == q && r.own == nil {
				pods = always
			}
			out = append(out, earlier{p, r, pods, p == q, p == q || p.order < q.order})
		}
	}
	return out
}

// without takes what a Deny denies out of allowances: exactly where that can be said, and more than it where it cannot, which is then told.
func (p *policy) without(in []allowance, d earlier) []allowance {
	var out []allowance
	for _, a := range in {
		hit, errHit := all(a.pods, d.pods)
		if errHit == nil && len(hit) == 0 {
			out = append(out, a)
			continue
		}
		rest, errRest := negated(d.pods)
		if errRest == nil {
			rest, errRest = all(a.pods, rest)
		}
		if errRest == nil && len(rest) > 0 {
			out = append(out, allowance{rest, a.path, a.traffic})
		}
		if !d.sure {
			p.block(a.path, d.policy.o.String()+" has a Deny about what this rule allows, and both policies have the same order, so their names decide which of them is asked first. Here it is the Deny, so more may be cut than before.", "give them different orders, in the source")
		}
		switch {
		case d.rule.strange == "" && errHit == nil && d.rule.ranges() && a.lessRanges(d.rule.peer.nets):
			less := a
			less.pods = hit
			less.peer.except = slices.Concat(a.peer.except, d.rule.peer.nets)
			out = append(out, less)
		case d.rule.strange == "" && errHit == nil && d.rule.someports() && a.lessPorts(d.rule):
			less := a
			less.pods, less.ports = hit, minus(a.ports, d.rule.ports)
			if len(less.ports) > 0 {
				out = append(out, less)
			}
		case d.rule.strange == "" && errHit == nil && errRest == nil && d.rule.covers(&a.traffic):
		default:
			whose := "this policy"
			if !d.same {
				whose = d.policy.o.String()
			}
			p.block(a.path, fmt.Sprintf("A Deny of %s is asked before this rule and is about a part of it. NetworkPolicies cannot take a part out of what they allow, so for its pods the rule is left out, and more is cut than before.", whose), rewrite)
		}
	}
	return out
}

// apart says whether a Deny and what a rule allows are never about the same.
func (r *rule) apart(t *traffic, w *world) bool {
	if r.strange != "" {
		return r.icmp && t.protocol != ""
	}
	return !r.meets(t, w)
}

// ranges says whether a Deny is about ranges of addresses, and all traffic with them.
func (r *rule) ranges() bool {
	p := &r.peer
	return r.protocol == "" && len(r.ports) == 0 && len(p.nets) > 0 && len(p.except) == 0 && !p.bySelector()
}

// someports says whether a Deny is about ports of one protocol, by their numbers, whoever is at the other side.
func (r *rule) someports() bool {
	return r.protocol != "" && len(r.ports) > 0 && !named(r.ports) && r.peer.anybody()
}

func named(all []ports) bool {
	return slices.ContainsFunc(all, func(p ports) bool { return p.name != "" })
}

// lessPorts says whether the ports of a Deny can be taken out of what is allowed.
func (a *allowance) lessPorts(d *rule) bool {
	return a.protocol == d.protocol && !named(a.ports) && a.peer.service == nil
}

// minus takes ports out of others, or out of all where there are none.
func minus(from, less []ports) []ports {
	if len(from) == 0 {
		from = []ports{{first: 1, last: highest}}
	}
	for _, l := range less {
		var next []ports
		for _, p := range from {
			if l.first > l.last || l.first > p.last || l.last < p.first {
				next = append(next, p)
				continue
			}
			if p.first < l.first {
				next = append(next, ports{first: p.first, last: l.first - 1})
			}
			if p.last > l.last {
				next = append(next, ports{first: l.last + 1, last: p.last})
			}
		}
		from = next
	}
	return from
}

// lessRanges says whether ranges can be taken out of what is allowed. Where that is anybody, pods stand beside ranges, so the ranges may be none that pods have.
func (a *allowance) lessRanges(nets []netip.Prefix) bool {
	if a.peer.bySelector() {
		return false
	}
	return len(a.peer.nets) > 0 || !slices.ContainsFunc(nets, func(n netip.Prefix) bool { return !outside(n) })
}

// kubernetes is the order in which Calico asks NetworkPolicies of Kubernetes.
const kubernetes = 1000

// overruled finds Denies that held against NetworkPolicies of Kubernetes, which stay as they are.
func (w *world) overruled() {
	for _, o := range w.others {
		for _, n := range w.namespaces {
			if n.name != o.Namespace {
				continue
			}
			for _, direction := range directions {
				w.overruledBy(o, n, direction)
			}
		}
	}
}

func (w *world) overruledBy(o *manifest.Object, n *namespace, direction string) {
	key, side := pick(direction == "Ingress", "ingress", "egress"), pick(direction == "Ingress", "from", "to")
	for _, v := range plain.List(o.Value, "spec", key) {
		allowed := trafficsOf(v, side)
		for _, p := range w.denying {
			if p.left || p.discarded || p.order > kubernetes || !p.directs[direction] || p.applies(n) == no {
				continue
			}
			for _, d := range p.rules(direction) {
				if d.action != "Deny" {
					continue
				}
				pods, err := p.selects(n, d.own)
				if err == nil {
					pods, err = all(pods, formula{termOf(plain.Mapping(o.Value, "spec", "podSelector"))})
				}
				if err == nil && len(pods) == 0 {
					continue
				}
				if slices.ContainsFunc(allowed, func(t traffic) bool { return !d.apart(&t, w) }) {
					p.block(d.path, "Its Deny held against NetworkPolicy "+o.Namespace+"/"+o.Name+", which allows some of that. NetworkPolicies know no Deny: it would be allowed.", "let that policy allow less, in the source: it leaves out what is denied here")
				}
			}
		}
	}
}
