package monitor

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/plain"
)

// Outcome is what becomes of one object.
type Outcome struct {
	// Objects stand for it. There are none where something is in the way.
	Objects []map[string]any
	// Blocks says what is in the way of a translation that scrapes and alerts as before: then the object stays as it is.
	Blocks []Remark
	// Notes says what means something else from now on, or is lost. Needs says what has to be made beside the objects.
	Notes, Needs []Remark
	// Read says that a Prometheus at hand reads the object, so that it goes on being read where it stays.
	Read bool
}

// Remark is something to tell, and what to do about it.
type Remark struct {
	// Path is the place in the object.
	Path     []string
	What, Do string
}

// Translate works out what becomes of the monitors and rules among some objects. The others are there to resolve what these name. The result is the same
// in whatever order the objects stand; values of objects are not changed, and what is returned shares nothing with them that is written to later.
func Translate(objects []*manifest.Object) map[*manifest.Object]*Outcome {
	w := look(objects)
	var all []*manifest.Object
	for _, o := range objects {
		if o.Group == group && slices.Contains(kinds, o.Kind) && o.Name != "" {
			all = append(all, o)
		}
	}
	slices.SortStableFunc(all, func(a, b *manifest.Object) int { return cmp.Compare(a.String(), b.String()) })
	out := make(map[*manifest.Object]*Outcome, len(all))
	for _, o := range all {
		m := &making{world: w, o: o, out: &Outcome{}}
		switch o.Kind {
		case "ServiceMonitor":
			m.serviceMonitor()
		case "PodMonitor":
			m.podMonitor()
		case "Probe":
			m.probe()
		default:
			m.rules()
		}
		m.out.Read = w.read(o)
		if !m.out.Read && len(w.prometheuses) > 0 {
			m.note(nil, "No Prometheus at hand selects it by its labels and namespace, so perhaps it is not read today; from now on it is, and costs what it finds.", "remove it in the source, if nobody misses it")
		}
		m.settle()
		out[o] = m.out
	}
	return out
}

// making is one object on its way.
type making struct {
	*world
	o   *manifest.Object
	out *Outcome
}

func (m *making) block(path []string, what, do string) {
	m.out.Blocks = append(m.out.Blocks, Remark{slices.Clone(path), what, do})
}

func (m *making) note(path []string, what, do string) {
	m.out.Notes = append(m.out.Notes, Remark{slices.Clone(path), what, do})
}

func (m *making) need(what, do string) {
	m.out.Needs = append(m.out.Needs, Remark{What: what, Do: do})
}

// settle takes everything back where something is in the way, and says nothing twice.
func (m *making) settle() {
	once := func(in []Remark) []Remark {
		var out []Remark
		for _, r := range in {
			if !slices.ContainsFunc(out, func(s Remark) bool { return s.What == r.What && s.Do == r.Do }) {
				out = append(out, r)
			}
		}
		return out
	}
	m.out.Blocks, m.out.Notes, m.out.Needs = once(m.out.Blocks), once(m.out.Notes), once(m.out.Needs)
	if len(m.out.Blocks) == 0 {
		return
	}
	for _, o := range m.out.Objects {
		delete(m.taken, id(o))
	}
	m.out.Objects, m.out.Notes, m.out.Needs = nil, nil, nil
}

func id(o map[string]any) string {
	return plain.Text(o, "kind") + " " + plain.Text(o, "metadata", "namespace") + "/" + plain.Text(o, "metadata", "name")
}

// make adds an object of Managed Prometheus, under the first name that is free: the one that is wanted, with that of its monitor, with a number.
func (m *making) make(kind, namespace, name string, spec map[string]any) (called string) {
	meta := map[string]any{}
	if namespace != "" {
		meta["namespace"] = namespace
	}
	o := map[string]any{"apiVersion": managed + "/v1", "kind": kind, "metadata": meta, "spec": spec}
	called = name
	for n := 2; ; n++ {
		meta["name"] = called
		if !m.taken[id(o)] {
			break
		}
		called = fmt.Sprintf("%s-%s-%d", name, m.o.Name, n)
		if n == 2 {
			called = name + "-" + m.o.Name
		}
	}
	m.taken[id(o)] = true
	m.out.Objects = append(m.out.Objects, o)
	return called
}
