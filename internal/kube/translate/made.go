package translate

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/kube/manifest"
)

// Made is an object of bascule's own.
type Made struct {
	Value map[string]any
	Reason
	// For names the object that it was made for, the first by name of several.
	For string
	// Standby comes on top of it in standby; Idle says why it is not there.
	Standby []Op
	Idle    *Reason

	source *manifest.Object // that of For; nil where it is none of the source
	others []*Made          // of the same name, with something else in them
}

// Object is the object as others see objects.
func (m *Made) Object() *manifest.Object { return manifest.Of(m.Value) }

// placed is the object where what it was made for stands: people mend it there.
func (m *Made) placed() *manifest.Object {
	o := m.Object()
	if m.source != nil {
		o.File, o.Line = m.source.File, m.source.Line
	}
	return o
}

// ID tells one object from another.
func (m *Made) ID() string {
	return strings.Join([]string{text(m.Value, "apiVersion"), text(m.Value, "kind"), text(m.Value, "metadata", "namespace"), text(m.Value, "metadata", "name")}, " ")
}

// variants are all that were made by this name, each by itself.
func (m *Made) variants() []*Made {
	all := append([]*Made{m}, m.others...)
	m.others = nil
	return all
}

// addMade adds an object. What another rule or another object has had made already is made once; what differs from that waits for settleMade.
func (out *Result) addMade(m *Made) {
	if out.made == nil {
		out.made = map[string]*Made{}
	}
	first := out.made[m.ID()]
	if first == nil {
		out.made[m.ID()] = m
		out.Made = append(out.Made, m)
		return
	}
	for _, same := range append([]*Made{first}, first.others...) {
		if !reflect.DeepEqual(same.Value, m.Value) {
			continue
		}
		if m.For < same.For {
			same.For, same.source = m.For, m.source
		}
		return
	}
	first.others = append(first.others, m)
}

// settleMade keeps one of the objects that were made by one name and differ: the first by the name of what it was made for, for in which order these stand says nothing. Which
// of them is right only people know, so each of the others is a blocker.
func (out *Result) settleMade() {
	for _, m := range out.Made {
		if len(m.others) == 0 {
			continue
		}
		all := m.variants()
		slices.SortStableFunc(all, func(a, b *Made) int { return cmp.Or(cmp.Compare(a.For, b.For), cmp.Compare(a.written(), b.written())) })
		kept := *all[0]
		for _, other := range all[1:] {
			out.Findings = append(out.Findings, kept.against(other))
		}
		*m = kept
	}
}

// written is the object as text, by which what stands twice for one object has an order.
func (m *Made) written() string {
	text, err := yaml.Marshal(m.Value)
	if err != nil {
		return fmt.Sprint(m.Value)
	}
	return string(text)
}

// against tells of an object of the same name that is left out. No value of either is told.
func (m *Made) against(other *Made) finding.Finding {
	f := finding.Finding{
		Code: other.Rule.ID, Kind: finding.Problem, Severity: finding.Blocker, Object: m.Object().String(), Owner: "operator",
		What: fmt.Sprintf("It is to be made for %s and for %s, and the two differ in %s. The one for %s is made, the other left out.", m.For, other.For, strings.Join(differing(m.Value, other.Value), ", "), m.For),
		Do:   "let both say the same in the source, or give each a name of its own",
	}
	for _, of := range []*Made{m, other} {
		place := of.For
		if of.source != nil {
			place += ", " + of.source.Where()
		}
		f.Evidence = append(f.Evidence, place)
	}
	return f
}

// differing are the paths at which two mappings differ, down to what is no mapping in one of them.
func differing(a, b map[string]any) (paths []string) {
	every := maps.Clone(a)
	maps.Copy(every, b)
	for _, k := range keys(every) {
		x, y := a[k], b[k]
		inner, ok := x.(map[string]any)
		other, too := y.(map[string]any)
		switch {
		case ok && too:
			for _, p := range differing(inner, other) {
				paths = append(paths, k+"."+p)
			}
		case !reflect.DeepEqual(x, y):
			paths = append(paths, k)
		}
	}
	return paths
}
