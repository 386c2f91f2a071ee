package calico

import (
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/kube/manifest"
)

// Outcome is what becomes of one policy.
type Outcome struct {
	// Objects are the NetworkPolicies that stand for it.
	Objects []map[string]any
	// Blocks says what cannot be kept: what would be allowed that was denied, or is cut that was allowed. Notes says what means something else.
	Blocks, Notes []Remark
	// Left says that nothing stands for it.
	Left bool
}

// Remark is something to tell, and what to do about it.
type Remark struct {
	// Path is the place in the object.
	Path     []string
	What, Do string
}

// Translate works out what becomes of the policies of Calico among some objects. The others say which namespaces, Services, sets of networks and
// NetworkPolicies there are. Policies of the cluster are written for each namespace at hand.
func Translate(objects []*manifest.Object) map[*manifest.Object]*Outcome {
	w := look(objects)
	for _, o := range objects {
		if slices.Contains(groups, o.Group) && (o.Kind == "NetworkPolicy" || o.Kind == "GlobalNetworkPolicy") && o.Name != "" {
			w.policies = append(w.policies, w.readPolicy(o))
		}
	}
	sortPolicies(w.policies)
	for _, p := range w.policies {
		if slices.ContainsFunc(slices.Concat(p.ingress, p.egress), func(r *rule) bool { return r.action == "Deny" }) {
			w.denying = append(w.denying, p)
		}
	}
	w.leaveUnknown()
	w.overruled()
	out := make(map[*manifest.Object]*Outcome, len(w.policies))
	for _, p := range w.policies {
		if !p.left && !p.discarded {
			w.place(p)
		}
		p.out.Left = p.left || p.discarded
		if p.left {
			p.out.Objects, p.out.Notes = nil, nil
		}
		p.out.Blocks, p.out.Notes = once(p.out.Blocks), once(p.out.Notes)
		out[p.o] = p.out
	}
	return out
}

// leaveUnknown leaves policies whose pods cannot be said, before others rely on them.
func (w *world) leaveUnknown() {
	for _, p := range w.policies {
		if p.left || p.discarded {
			continue
		}
		for _, n := range w.namespaces {
			if _, err := p.selects(n, nil); err != nil && p.applies(n) == yes && !p.skips(n) {
				p.leave([]string{"spec", "selector"}, "Its selector cannot be said by labels: "+err.Error()+".", rewrite)
				break
			}
		}
	}
}

// skips says whether a policy of the cluster leaves a namespace alone.
func (p *policy) skips(n *namespace) bool { return p.within != nil && (system(n.name) || n.name == "") }

// place writes a policy for its namespaces.
func (w *world) place(p *policy) {
	var unknown []string
	for _, n := range w.namespaces {
		if p.skips(n) {
			continue
		}
		switch p.applies(n) {
		case yes:
			w.write(p, n)
		case no:
		case maybe:
			unknown = append(unknown, n.name)
		}
	}
	if len(unknown) > 0 {
		p.block([]string{"spec", "namespaceSelector"}, "Whether it is about the namespaces "+strings.Join(unknown, ", ")+" depends on their labels, which are not at hand: there it is not written.", "add the Namespace objects to the source")
	}
	if p.within != nil {
		p.note(nil, "It was about the whole cluster, and is written for each namespace at hand that it meant. Namespaces that come later, and those of the cluster's maker, are without it.",
			"let whoever makes a namespace put the policy there; or write a CiliumClusterwideNetworkPolicy (enableCiliumClusterwideNetworkPolicy of the cluster) into overrides/")
	}
}

func once(in []Remark) []Remark {
	var out []Remark
	for _, r := range in {
		if !slices.ContainsFunc(out, func(s Remark) bool { return s.What == r.What && s.Do == r.Do && slices.Equal(s.Path, r.Path) }) {
			out = append(out, r)
		}
	}
	return out
}
