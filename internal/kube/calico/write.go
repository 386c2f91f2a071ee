package calico

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/kube/plain"
)

// write makes the NetworkPolicies that stand for a policy in a namespace: one for each selector that its pods need, and more for rules that hold for some of them.
func (w *world) write(q *policy, n *namespace) {
	base, err := q.selects(n, nil)
	if err != nil {
		q.leave([]string{"spec", "selector"}, "Its selector cannot be said by labels: "+err.Error()+".", rewrite)
		return
	}
	if len(base) == 0 {
		return
	}
	rules := map[string]map[string][]any{} // by the pods for which they hold, and the direction
	formulas := map[string]formula{}
	for _, d := range directions {
		if !q.directs[d] {
			continue
		}
		for _, a := range w.allowances(q, n, d) {
			written := w.rule(q, n, &a, pick(d == "Ingress", "from", "to"))
			if written == nil || len(a.pods) == 0 {
				continue
			}
			k := fmt.Sprint(a.pods)
			if rules[k] == nil {
				rules[k], formulas[k] = map[string][]any{}, a.pods
			}
			rules[k][d] = append(rules[k][d], written)
		}
	}
	var limits []any
	for _, d := range directions {
		if q.directs[d] {
			limits = append(limits, d)
		}
	}
	own := fmt.Sprint(base)
	for _, term := range base {
		w.add(q, n, term, limits, rules[own])
	}
	for _, k := range sorted(rules) {
		for _, term := range formulas[k] {
			if k != own {
				w.add(q, n, term, limitsOf(rules[k]), rules[k])
			}
		}
	}
}

func limitsOf(rules map[string][]any) []any {
	var out []any
	for _, d := range directions {
		if len(rules[d]) > 0 {
			out = append(out, d)
		}
	}
	return out
}

// add makes one NetworkPolicy, under a name that is free.
func (w *world) add(q *policy, n *namespace, term []requirement, limits []any, rules map[string][]any) {
	spec := map[string]any{"podSelector": labelSelector(term), "policyTypes": limits}
	for _, d := range directions {
		if len(rules[d]) > 0 {
			spec[strings.ToLower(d)] = rules[d]
		}
	}
	name := q.name
	for i := 2; w.taken[n.name+"/"+name]; i++ {
		name = fmt.Sprintf("%s-%d", q.name, i)
	}
	w.taken[n.name+"/"+name] = true
	meta := map[string]any{"name": name}
	if n.name != "" {
		meta["namespace"] = n.name
	}
	q.out.Objects = append(q.out.Objects, map[string]any{"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": spec})
}

// rule writes what an allowance allows; nil where that is nothing.
func (w *world) rule(q *policy, n *namespace, a *allowance, side string) map[string]any {
	out := map[string]any{}
	if !a.peer.anybody() {
		peers, err := w.peers(q, n, &a.peer)
		if err != nil {
			q.block(a.path, "A rule that allows is left out, so what it allowed is cut: "+err.Error()+".", rewrite)
			return nil
		}
		if len(peers) == 0 {
			return nil
		}
		out[side] = peers
	}
	written, some := portsOf(&a.traffic)
	if !some {
		return nil
	}
	if len(written) > 0 {
		out["ports"] = written
	}
	return out
}

// portsOf writes ports; it says false where no packet can have them.
func portsOf(t *traffic) ([]any, bool) {
	if s := t.peer.service; s != nil {
		var out []any
		for _, p := range plain.List(s.Value, "spec", "ports") {
			target, protocol := plain.At(p, "targetPort"), plain.Text(p, "protocol")
			if target == nil {
				target = plain.At(p, "port")
			}
			if protocol == "" {
				protocol = "TCP"
			}
			out = append(out, map[string]any{"protocol": protocol, "port": target})
		}
		return out, len(out) > 0
	}
	if t.protocol == "" {
		return nil, true
	}
	if len(t.ports) == 0 {
		return []any{map[string]any{"protocol": t.protocol}}, true
	}
	var out []any
	for _, p := range t.ports {
		one := map[string]any{"protocol": t.protocol}
		switch {
		case p.name != "":
			one["port"] = p.name
		case p.first > p.last:
			continue
		default:
			one["port"] = p.first
			if p.last > p.first {
				one["endPort"] = p.last
			}
		}
		out = append(out, one)
	}
	return out, len(out) > 0
}

// peers writes the other side, as a list of which one has to fit. It is empty where nobody fits.
func (w *world) peers(q *policy, n *namespace, p *peer) ([]any, error) {
	switch {
	case p.service != nil:
		s := p.service
		return []any{map[string]any{"namespaceSelector": map[string]any{"matchLabels": map[string]any{nameLabel: s.Namespace}}, "podSelector": map[string]any{"matchLabels": plain.Mapping(s.Value, "spec", "selector")}}}, nil
	case !p.bySelector():
		nets := p.nets
		if len(nets) == 0 {
			nets = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
		}
		return q.blocks(nets, p.except), nil
	}
	nets, err := w.setsOf(q, n, p)
	if err != nil {
		return nil, err
	}
	pods, err := w.podPeers(q, n, p)
	return append(pods, q.blocks(nets, nil)...), err
}

// blocks writes ranges. A range of all addresses is one of all pods too, which have to be named: some data planes do not count pods among addresses.
func (p *policy) blocks(nets, except []netip.Prefix) []any {
	var out []any
	everyPod := false
	for _, n := range nets {
		var less []any
		covered := false
		for _, e := range except {
			covered = covered || e.Bits() <= n.Bits() && e.Contains(n.Addr())
			if e.Bits() > n.Bits() && n.Contains(e.Addr()) {
				less = append(less, e.String())
			}
		}
		if covered {
			continue
		}
		block := map[string]any{"cidr": n.String()}
		if len(less) > 0 {
			block["except"] = less
		}
		out = append(out, map[string]any{"ipBlock": block})
		everyPod = everyPod || n.Bits() == 0 && n.Addr().Is4() && !slices.ContainsFunc(except, func(e netip.Prefix) bool { return !outside(e) })
		if !outside(n) && (n.Bits() > 0 || len(less) > 0 && !everyPod) {
			p.note(nil, "It is about ranges that pods may have. On Dataplane V2 a range is about what is outside of the cluster only: pods are not meant by it.", "where pods of this cluster are meant, say so by their labels")
		}
	}
	if everyPod {
		out = append(out, map[string]any{"namespaceSelector": map[string]any{}})
	}
	return out
}

// podPeers writes selectors of pods and namespaces.
func (w *world) podPeers(q *policy, n *namespace, p *peer) ([]any, error) {
	selector := p.pods
	if selector == nil {
		selector = everything
	}
	var out []any
	if p.within == nil && q.within == nil { // the policy's own namespace
		f, err := selector.formula(false, inNamespace(n))
		for _, term := range f {
			out = append(out, map[string]any{"podSelector": labelSelector(term)})
		}
		return out, err
	}
	namespaces := always
	if p.within != nil {
		f, err := p.within.formula(false, ofNamespaces)
		if err != nil {
			return nil, err
		}
		namespaces = f
	}
	f, err := selector.formula(false, anywhere)
	if err != nil {
		return nil, err
	}
	for _, where := range namespaces {
		for _, term := range f {
			var pods []requirement
			all := slices.Clone(where)
			for _, r := range term {
				if key, its := strings.CutPrefix(r.key, ofNamespace); its {
					r.key = key
					all = append(all, r)
				} else {
					pods = append(pods, r)
				}
			}
			all, possible := simplified(all)
			if !possible {
				continue
			}
			one := map[string]any{"namespaceSelector": labelSelector(all)}
			if len(pods) > 0 {
				one["podSelector"] = labelSelector(pods)
			}
			out = append(out, one)
		}
	}
	return out, nil
}

// ofNamespaces says what labels of namespaces are for Kubernetes.
func ofNamespaces(key string) (string, bool, string, truth, error) {
	if key == "projectcalico.org/name" {
		key = nameLabel
	}
	return key, false, "", no, nil
}

// anywhere says what labels of pods are where their namespace is not known.
func anywhere(key string) (string, bool, string, truth, error) {
	own, its := strings.CutPrefix(key, "pcns.")
	switch {
	case key == "projectcalico.org/namespace":
		return ofNamespace + nameLabel, false, "", no, nil
	case its:
		key, _, _, _, _ := ofNamespaces(own)
		return ofNamespace + key, false, "", no, nil
	}
	return inNamespace(&namespace{})(key)
}

// setsOf are the ranges of the sets of networks that a selector means.
func (w *world) setsOf(q *policy, n *namespace, p *peer) ([]netip.Prefix, error) {
	selector := p.pods
	if selector == nil {
		selector = everything
	}
	var out []netip.Prefix
	for _, s := range w.sets {
		is := min(w.meant(q, n, p, s), selector.holds(w.labelOf(s), false))
		switch {
		case is == no:
		case is == maybe:
			return nil, errors.New("whether it means a set of networks depends on a namespace whose labels are not at hand")
		case s.names:
			return nil, errors.New("it means a set of networks with names of hosts (FQDNNetworkPolicy, enableFqdnNetworkPolicy)")
		default:
			out = append(out, s.nets...)
		}
	}
	return out, nil
}

// meant says whether a set is where a peer looks.
func (w *world) meant(q *policy, n *namespace, p *peer, s *networkSet) truth {
	switch {
	case p.within == nil && q.within == nil:
		return map[bool]truth{true: yes, false: no}[s.namespace == n.name]
	case p.within == nil:
		return yes
	case s.namespace == "":
		if p.within.op == opAll {
			return no
		}
		return p.within.holds(func(string) (string, truth) { return "", no }, true)
	}
	return p.within.holds(w.namespace(s.namespace).label, false)
}

func (w *world) namespace(name string) *namespace {
	for _, n := range w.namespaces {
		if n.name == name {
			return n
		}
	}
	return &namespace{name: name}
}

// labelOf looks up the labels of a set, those that it has by its namespace included.
func (w *world) labelOf(s *networkSet) func(string) (string, truth) {
	return func(key string) (string, truth) {
		if v, there := s.labels[key]; there {
			return v, yes
		}
		if s.namespace == "" {
			return "", no
		}
		if own, its := strings.CutPrefix(key, "pcns."); its {
			return w.namespace(s.namespace).label(own)
		}
		if key == "projectcalico.org/namespace" {
			return s.namespace, yes
		}
		return "", no
	}
}

// trafficsOf reads what a rule of a NetworkPolicy of Kubernetes allows, as far as it tells one from another.
func trafficsOf(rule any, side string) []traffic {
	peers := plain.List(rule, side)
	if len(peers) == 0 {
		peers = []any{nil}
	}
	var out []traffic
	for _, v := range peers {
		var t traffic
		switch n, ok := prefix(plain.Text(v, "ipBlock", "cidr")); {
		case ok:
			t.peer.nets = []netip.Prefix{n}
		case v != nil && plain.At(v, "ipBlock") == nil:
			t.peer.pods = everything
		}
		out = append(out, t)
	}
	return out
}
