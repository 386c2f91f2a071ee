package gateway

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/bascule/bascule/internal/kube/manifest"
)

// world is what a translation looks things up in.
type world struct {
	facts    *Facts
	notes    *notes
	services map[string]*manifest.Object
	classes  map[string]*manifest.Object
	params   map[string]*manifest.Object
}

// member is an Ingress of a group.
type member struct {
	in *ingress
	// over are the settings of its IngressClassParams, by suffix; they win over every annotation.
	over      map[string]string
	order     int64
	listeners []listener
}

// group is what the controller makes one ALB of.
type group struct {
	// id is the group's name, or namespace/name of the Ingress that is one by itself.
	id        string
	explicit  bool
	namespace string // where its Gateway lives
	name      string // of its Gateway
	members   []*member
}

const albController = "ingress.k8s.aws/alb"

// value is a setting of an Ingress: IngressClassParams before the annotation.
func (m *member) value(suffix string) string {
	if v, ok := m.over[suffix]; ok {
		return v
	}
	return m.in.annotations[ingressPrefix+suffix]
}

// setting is a setting of a Service behind an Ingress, and where it is said: IngressClassParams, the Service, the Ingress.
func (m *member) setting(svc *manifest.Object, suffix string) (value string, by *manifest.Object) {
	if v, ok := m.over[suffix]; ok {
		return v, nil
	}
	if v, ok := annotations(svc)[ingressPrefix+suffix]; ok {
		return v, svc
	}
	if v, ok := m.in.annotations[ingressPrefix+suffix]; ok {
		return v, m.in.o
	}
	return "", nil
}

// mine says whether the controller takes an Ingress, and by which class.
func (w *world) mine(in *ingress) (class *manifest.Object, ok bool) {
	if said, ok := in.annotations["kubernetes.io/ingress.class"]; ok {
		return nil, slices.Contains(w.classNames(), said)
	}
	if in.class != "" {
		if c := w.classes[in.class]; c != nil {
			return c, str(c.Value, "spec", "controller") == albController
		}
		return nil, slices.Contains(w.classNames(), in.class)
	}
	for _, name := range slices.Sorted(maps.Keys(w.classes)) {
		c := w.classes[name]
		if annotations(c)["ingressclass.kubernetes.io/is-default-class"] == "true" {
			return c, str(c.Value, "spec", "controller") == albController
		}
	}
	return nil, w.facts.Classless
}

func (w *world) classNames() []string {
	if len(w.facts.Classes) > 0 {
		return w.facts.Classes
	}
	return []string{"alb"}
}

// groups sorts the controller's Ingresses into groups: by the class's group, the annotation, or each by itself; the members in the order in
// which their rules are tried.
func (w *world) groups(ingresses []*ingress) []*group {
	byID := map[string]*group{}
	for _, in := range ingresses {
		class, ok := w.mine(in)
		if !ok {
			w.foreign(in)
			continue
		}
		m := &member{in: in, over: w.classSettings(in, class)}
		w.orderOf(m)
		id, explicit := w.groupOf(m)
		if byID[id] == nil {
			byID[id] = &group{id: id, explicit: explicit}
		}
		byID[id].members = append(byID[id].members, m)
	}
	var out []*group
	for _, g := range byID {
		slices.SortFunc(g.members, func(a, b *member) int {
			return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(keyOf(a.in.o), keyOf(b.in.o)))
		})
		out = append(out, g)
	}
	slices.SortFunc(out, func(a, b *group) int { return cmp.Compare(a.id, b.id) })
	taken := map[string]bool{}
	for _, explicit := range []bool{true, false} { // a group's name is known to people; it wins
		for _, g := range out {
			if g.explicit == explicit {
				w.place(g, taken)
			}
		}
	}
	return out
}

// place decides where a group's Gateway lives and what it is called.
func (w *world) place(g *group, taken map[string]bool) {
	g.namespace, g.name = namespaceOf(g.members[0].in.o), g.members[0].in.o.Name
	if g.explicit {
		g.namespace, g.name = cmp.Or(w.facts.GatewayNamespace, g.namespace), g.id
	}
	for taken[g.namespace+"/"+g.name] {
		g.name += "-ingress"
	}
	taken[g.namespace+"/"+g.name] = true
}

// foreign notes keys of the controller on an Ingress that another controller serves, or perhaps nobody.
func (w *world) foreign(in *ingress) {
	for key := range in.annotations {
		if !strings.HasPrefix(key, ingressPrefix) {
			continue
		}
		w.notes.add(in.o, key, remark{
			verdict: Changed, code: "ingress-of-another-class", row: "scheme-external",
			what: "The Ingress is not of a class that the ALB controller takes, so the annotation does nothing, or its IngressClass was not read.",
			do:   "Remove the annotation, read the IngressClass too, or name the class under classes in the facts (classless: true for Ingresses without one).",
		})
	}
}

var groupName = regexp.MustCompile(`^([a-z0-9][-a-z0-9.]*)?[a-z0-9]$`)

func (w *world) groupOf(m *member) (id string, explicit bool) {
	name := m.value("group.name")
	if name == "" {
		return keyOf(m.in.o), false
	}
	if !groupName.MatchString(name) || len(name) > 63 {
		w.notes.on(m.in.o, ingressPrefix+"group.name", remark{verdict: None, code: "annotation-invalid", what: fmt.Sprintf("%q is no name of a group; the controller leaves the Ingress out.", name), do: "Mend it at the source."})
		return keyOf(m.in.o), false
	}
	return name, true
}

func (w *world) orderOf(m *member) {
	said := m.in.annotations[ingressPrefix+"group.order"]
	if said == "" {
		return
	}
	n, err := strconv.ParseInt(said, 10, 64)
	if err != nil || n < -1000 || n > 1000 {
		w.notes.on(m.in.o, ingressPrefix+"group.order", remark{verdict: None, code: "annotation-invalid", what: fmt.Sprintf("%q is no number from -1000 to 1000; the controller refuses the whole group.", said), do: "Mend it at the source."})
		return
	}
	m.order = n
}

// hosts are the hosts that a group's rules name, the most telling first, and at last the empty one: any other host.
func hostsOf(rules []*rule) []string {
	var out []string
	for _, r := range rules {
		out = append(out, r.hosts...)
	}
	slices.Sort(out)
	return append(slices.Compact(out), "")
}

// namespaces are those of a group's members, sorted.
func (g *group) namespaces() []string {
	var out []string
	for _, m := range g.members {
		out = append(out, namespaceOf(m.in.o))
	}
	slices.Sort(out)
	return slices.Compact(out)
}
