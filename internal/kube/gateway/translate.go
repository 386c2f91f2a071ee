package gateway

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bascule/bascule/internal/kube/manifest"
)

// Result is what becomes of Ingresses and of Services of type LoadBalancer. Everything in it is in a fixed order.
type Result struct {
	// Objects are wanted on GKE, by namespace, kind and name.
	Objects []Object
	// Patches are wanted on objects that stay.
	Patches []Patch
	// Replaced are the objects that the new ones stand for: Ingresses, and the classes that nothing else uses.
	Replaced []*manifest.Object
	// Needs are resources in Google Cloud that the objects name or rely on.
	Needs []Need
	// Findings say what is different, missing or to be decided, by object and annotation.
	Findings []Finding
}

// Patch is a strategic merge patch.
type Patch struct {
	Kind, Namespace, Name string
	Node                  *yaml.Node
	// Why says for what it is wanted.
	Why string
}

// Text is the patch's YAML.
func (p *Patch) Text() ([]byte, error) { return yaml.Marshal(p.Node) }

// Need is a resource in Google Cloud.
type Need struct {
	// Kind is security-policy, ssl-policy, certificate-map, certificate, address or server-tls-policy.
	Kind string `json:"kind"`
	Name string `json:"name"`
	// Scope is global or regional.
	Scope string `json:"scope"`
	// For names the objects that rely on it; Detail says what it must contain, as far as the sources tell.
	For    []string `json:"for"`
	Detail []string `json:"detail,omitempty"`
}

// Translate turns the Ingresses among objects that the AWS Load Balancer Controller serves into a Gateway for each of its load balancers,
// with routes and policies. Other objects are only looked up: IngressClasses, IngressClassParams, Services. Facts may be nil. It changes nothing
// that it is given, and the same input gives the same result.
func Translate(objects []*manifest.Object, facts *Facts) *Result {
	w := newWorld(objects, facts)
	var ingresses []*ingress
	for _, o := range objects {
		if isIngress(o) {
			ingresses = append(ingresses, readIngress(o))
		}
	}
	t := &translation{world: w, result: &Result{}}
	for _, g := range w.groups(ingresses) {
		t.group(g)
	}
	t.policies()
	t.classesReplaced()
	for _, o := range objects {
		if o.Kind == "Service" && o.Group == "" && !slices.Contains(t.read, o) {
			t.read = append(t.read, o)
		}
	}
	t.remaining()
	t.sort()
	return t.result
}

func newWorld(objects []*manifest.Object, facts *Facts) *world {
	w := &world{
		facts: facts, notes: &notes{table: embedded()},
		services: map[string]*manifest.Object{}, classes: map[string]*manifest.Object{}, params: map[string]*manifest.Object{},
	}
	if facts == nil {
		w.facts = &Facts{}
	}
	for _, o := range objects {
		switch {
		case o.Kind == "Service" && o.Group == "":
			w.services[keyOf(o)] = o
		case o.Kind == "IngressClass" && o.Group == "networking.k8s.io":
			w.classes[o.Name] = o
		case o.Kind == "IngressClassParams" && o.Group == "elbv2.k8s.aws":
			w.params[o.Name] = o
		}
	}
	return w
}

// translation is one Translate.
type translation struct {
	*world
	result *Result
	// uses are the Services behind the groups, in the order in which they were met.
	uses []*use
	// armorNames says for what each name of a Cloud Armor policy stands.
	armorNames map[string]string
	// read are the objects whose keys of the controller have to be accounted for.
	read []*manifest.Object
}

// group translates one load balancer.
func (t *translation) group(g *group) {
	class := t.classOf(g)
	listeners := t.listenersOfGroup(g)
	rules := map[*member][]*rule{}
	for _, m := range g.members {
		rules[m] = t.rulesOf(m)
		t.result.Replaced = append(t.result.Replaced, m.in.o)
		t.read = append(t.read, m.in.o)
	}
	t.defaults(g, rules)
	t.close(g, rules)
	t.restrict(g, class, rules)
	if len(listeners) > 0 {
		t.gateway(g, class, listeners)
		t.routes(g, listeners, rules, t.mutualTLS(g, class))
		t.neverServed(g, rules)
	}
	t.balancer(g, class, rules)
}

// defaults adds the default backend as the last rule. The controller refuses a group with several.
func (t *translation) defaults(g *group, rules map[*member][]*rule) {
	var with []*member
	for _, m := range g.members {
		if m.in.backend != nil {
			with = append(with, m)
		}
	}
	if len(with) > 1 {
		for _, m := range with {
			t.notes.about(m.in.o, remark{verdict: None, code: "default-backend-conflict", row: "paths", what: fmt.Sprintf("%d Ingresses of the group have a default backend; the controller refuses the whole group. None is written.", len(with)), do: "Keep one."})
		}
		return
	}
	for _, m := range with {
		act := t.actionOf(m, m.in.backend)
		if act == nil {
			continue
		}
		r := &rule{m: m, act: act, matches: []match{everything}, backend: m.in.backend.service, label: "default → " + m.in.backend.service, last: true}
		rules[m] = append(rules[m], r)
	}
}

// neverServed notes rules that the ALB never reaches; no route carries them.
func (t *translation) neverServed(g *group, rules map[*member][]*rule) {
	for _, m := range g.members {
		for _, r := range rules[m] {
			if !r.served && !r.omitted && len(m.listeners) > 0 {
				t.notes.about(m.in.o, remark{
					verdict: Same, code: "rule-never-reached", row: "paths", what: fmt.Sprintf("The rule %s never gets a request: rules before it take them all. It is left out.", r.label),
					do: "Remove it, or, if it was meant to serve, move it before the others.",
				})
			}
		}
	}
}

// classesReplaced lists the classes and their parameters that only translated Ingresses use.
func (t *translation) classesReplaced() {
	for _, c := range t.classes {
		if str(c.Value, "spec", "controller") != albController {
			continue
		}
		t.result.Replaced = append(t.result.Replaced, c)
		if p := t.params[str(c.Value, "spec", "parameters", "name")]; p != nil && !slices.Contains(t.result.Replaced, p) {
			t.result.Replaced = append(t.result.Replaced, p)
		}
	}
}

// remaining accounts for every key of the controller that nothing was said about yet: from the table, or as unknown.
func (t *translation) remaining() {
	for _, o := range t.read {
		for key := range annotations(o) {
			if strings.HasPrefix(key, ingressPrefix) {
				t.notes.remaining(o, key)
			}
		}
	}
}

// remaining notes what the table says of a key of which nothing was said, or that the table does not know it.
func (n *notes) remaining(o *manifest.Object, key string) {
	if n.said(o, key) {
		return
	}
	if _, ok := n.table.lookup(key); ok {
		n.on(o, key, remark{})
		return
	}
	n.add(o, key, remark{
		verdict: None, code: "annotation-unknown", row: "unknown",
		what: fmt.Sprintf("Neither the controller's source of %s nor this translation knows the key.", n.table.Date),
		do:   "Correct its spelling, or remove it; if it is new, say by hand what it means for the Gateway.",
	})
}

func (t *translation) sort() {
	r := t.result
	slices.SortStableFunc(r.Objects, func(a, b Object) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	slices.SortStableFunc(r.Patches, func(a, b Patch) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	slices.SortStableFunc(r.Replaced, func(a, b *manifest.Object) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(keyOf(a), keyOf(b)))
	})
	slices.SortStableFunc(r.Needs, func(a, b Need) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Scope, b.Scope))
	})
	r.Findings = t.notes.sorted()
}

// need asks for a resource in Google Cloud; asked for twice, it serves both.
func (t *translation) need(n Need) {
	for i := range t.result.Needs {
		if have := &t.result.Needs[i]; have.Kind == n.Kind && have.Name == n.Name && have.Scope == n.Scope {
			have.For = joined(have.For, n.For)
			have.Detail = joined(have.Detail, n.Detail)
			return
		}
	}
	n.For, n.Detail = joined(nil, n.For), joined(nil, n.Detail)
	t.result.Needs = append(t.result.Needs, n)
}

// joined is the union of two lists, sorted.
func joined(a, b []string) []string {
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}
