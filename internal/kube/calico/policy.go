package calico

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/plain"
)

// A policy of Calico.
type policy struct {
	o         *manifest.Object
	name      string  // without the prefix that the store gives it
	order     float64 // what is lower is asked first; without one it is asked last
	pods      *selector
	within    *selector // which namespaces; nil for a policy of one
	ingress   []*rule
	egress    []*rule
	directs   map[string]bool // Ingress, Egress: what it limits
	out       *Outcome
	left      bool // it cannot be translated: which pods it selects is not known
	discarded bool // it never did anything
}

// A rule of a policy.
type rule struct {
	path   []string
	action string // Allow, Deny, Log, Pass; Metadata for a Deny of the metadata server, which is not kept
	traffic
	// strange says what of it has no counterpart. Such an Allow is left out; such a Deny may be about anything.
	strange string
	icmp    bool // that is only ICMP
}

// directions are those of traffic, as NetworkPolicy calls them.
var directions = []string{"Ingress", "Egress"}

func (p *policy) rules(direction string) []*rule {
	if direction == "Ingress" {
		return p.ingress
	}
	return p.egress
}

func (p *policy) block(path []string, what, do string) {
	p.out.Blocks = append(p.out.Blocks, Remark{slices.Clone(path), what, do})
}

func (p *policy) note(path []string, what, do string) {
	p.out.Notes = append(p.out.Notes, Remark{slices.Clone(path), what, do})
}

// leave says why a policy is not translated at all.
func (p *policy) leave(path []string, what, do string) {
	p.left = true
	p.block(path, what+" What this policy forbids would be allowed.", do)
}

const rewrite = "say it by labels of pods and namespaces, ports and ranges, in the source; or write a policy for the new side into overrides/"

var policyFields = []string{"order", "selector", "namespaceSelector", "types", "ingress", "egress", "tier", "applyOnForward", "serviceAccountSelector", "doNotTrack", "preDNAT", "performanceHints"}

// readPolicy reads a NetworkPolicy or GlobalNetworkPolicy of Calico.
func (w *world) readPolicy(o *manifest.Object) *policy {
	p := &policy{o: o, name: strings.TrimPrefix(o.Name, "default."), order: math.Inf(1), out: &Outcome{}, directs: map[string]bool{}, pods: everything}
	spec := plain.Mapping(o.Value, "spec")
	switch n := spec["order"].(type) {
	case int64:
		p.order = float64(n)
	case float64:
		p.order = n
	}
	if strings.HasPrefix(o.Name, "knp.default.") {
		p.discarded = true
		return p
	}
	p.selectors(spec)
	for _, k := range sorted(spec) {
		if !slices.Contains(policyFields, k) && spec[k] != nil {
			p.leave([]string{"spec", k}, "Nobody here knows "+k+".", rewrite)
		}
	}
	if t := plain.Text(spec, "tier"); t != "" && t != "default" {
		p.leave([]string{"spec", "tier"}, "It is of the tier "+t+", which is asked before or behind all others. NetworkPolicies have no tiers.", rewrite)
	}
	for _, k := range []string{"doNotTrack", "preDNAT"} {
		if spec[k] == true {
			p.leave([]string{"spec", k}, "It is about nodes ("+k+").", "write firewall rules of the network for what nodes take in")
		}
	}
	if plain.Text(spec, "serviceAccountSelector") != "" {
		p.leave([]string{"spec", "serviceAccountSelector"}, "It selects pods by their service accounts.", rewrite)
	}
	p.ingress = p.readRules(w, spec, "ingress")
	p.egress = p.readRules(w, spec, "egress")
	p.limits(spec)
	return p
}

func (p *policy) selectors(spec map[string]any) {
	read := func(key string) *selector {
		s, err := parse(plain.Text(spec, key))
		if err != nil {
			p.leave([]string{"spec", key}, "Its selector cannot be read: "+err.Error()+".", "correct it in the source")
			return everything
		}
		return s
	}
	p.pods = read("selector")
	if p.o.Kind == "GlobalNetworkPolicy" {
		p.within = read("namespaceSelector")
	} else if plain.Text(spec, "namespaceSelector") != "" {
		p.leave([]string{"spec", "namespaceSelector"}, "A NetworkPolicy of one namespace has no namespaceSelector.", "correct it in the source")
	}
}

// limits reads what a policy limits: what it says, or what it has rules for.
func (p *policy) limits(spec map[string]any) {
	for _, t := range plain.Texts(spec, "types") {
		for _, d := range directions {
			if strings.EqualFold(t, d) {
				p.directs[d] = true
			}
		}
	}
	if len(p.directs) == 0 {
		p.directs["Egress"] = len(p.egress) > 0
		p.directs["Ingress"] = len(p.ingress) > 0 || len(p.egress) == 0
	}
}

func (p *policy) readRules(w *world, spec map[string]any, direction string) []*rule {
	var out []*rule
	for i, v := range plain.List(spec, direction) {
		r := &rule{path: []string{"spec", direction, strconv.Itoa(i)}}
		m, _ := v.(map[string]any)
		r.action = word(plain.Text(m, "action"))
		if !slices.Contains([]string{"Allow", "Deny", "Log", "Pass"}, r.action) {
			r.strange, r.action = "an action that is none of Allow, Deny, Log, Pass", "Pass"
		}
		if r.action != "Log" && r.strange == "" {
			r.read(w, p, m, direction)
		}
		if r.action == "Deny" && r.strange == "" && r.own == nil && slices.Equal(r.peer.nets, metadata) {
			r.action = "Metadata"
		}
		out = append(out, r)
	}
	return out
}

// metadata is where a node's metadata server answers. On AWS it gave pods the role of their node, so policies kept them from it; on GKE it gives each pod its own
// identity, and nothing of the node, and without it a pod has none.
var metadata = []netip.Prefix{netip.MustParsePrefix("169.254.169.254/32")}

// word writes the first letter large, for older versions wrote it small.
func word(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// sortPolicies brings policies into the order in which Calico asks them.
func sortPolicies(all []*policy) {
	slices.SortStableFunc(all, func(a, b *policy) int {
		return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.o.String(), b.o.String()))
	})
}

// before says whether Calico may ask a policy before another. Of one order, their names decide, in a way that is not relied on.
func (p *policy) before(q *policy) bool { return p != q && p.order <= q.order }

// applies says whether a policy is about pods of a namespace.
func (p *policy) applies(n *namespace) truth {
	if p.within == nil {
		if p.o.Namespace == n.name {
			return yes
		}
		return no
	}
	return p.within.holds(n.label, false)
}

// selects is what a policy selects in a namespace.
func (p *policy) selects(n *namespace, more *selector) (formula, error) {
	if p.applies(n) == no {
		return nil, nil
	}
	f, err := p.pods.formula(false, inNamespace(n))
	if err != nil || more == nil {
		return f, err
	}
	g, err := more.formula(false, inNamespace(n))
	if err != nil {
		return nil, err
	}
	return all(f, g)
}

// inNamespace says what labels of pods are, those that Calico gives them by their namespace included, in one namespace.
func inNamespace(n *namespace) meaning {
	return func(key string) (string, bool, string, truth, error) {
		own, its := strings.CutPrefix(key, "pcns.")
		switch {
		case key == "projectcalico.org/namespace":
			return "", true, n.name, yes, nil
		case key == "projectcalico.org/orchestrator":
			return "", true, "k8s", yes, nil
		case its:
			v, there := n.label(own)
			return "", true, v, there, nil
		case strings.HasPrefix(key, "pcsa.") || strings.HasPrefix(key, "projectcalico.org/"):
			return "", false, "", no, fmt.Errorf("the label %s is Calico's own", key)
		}
		return key, false, "", no, nil
	}
}
