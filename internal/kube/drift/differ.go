package drift

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/bascule/bascule/internal/kube/manifest"
)

// found is one difference in one object.
type found struct {
	path  manifest.Path
	cells []Cell
	// divided says that some regions lack it, and those that have it do not agree on it.
	divided bool
}

// differ finds the differences in one object.
type differ struct {
	out []found
}

// ignored are what a cluster writes into an object by itself: nobody has decided about them.
var ignored = map[string]bool{
	"status": true, "metadata.uid": true, "metadata.resourceVersion": true, "metadata.generation": true, "metadata.creationTimestamp": true,
	"metadata.managedFields": true, "metadata.selfLink": true, "metadata.annotations.kubectl.kubernetes.io/last-applied-configuration": true,
	"metadata.annotations.deployment.kubernetes.io/revision": true, "spec.clusterIP": true, "spec.clusterIPs": true,
	// By these the objects were found to be one.
	"metadata.name": true, "metadata.namespace": true, "kind": true,
}

func (d *differ) leaf(path manifest.Path, cells []Cell, divided bool) {
	d.out = append(d.out, found{path: slices.Clone(path), cells: slices.Clone(cells), divided: divided})
}

// compare finds the differences at and below a path.
func (d *differ) compare(path manifest.Path, cells []Cell) {
	if len(path) <= 3 && ignored[dotted(path)] || d.equal(path, cells) {
		return
	}
	if some(cells, func(c Cell) bool { return c.Absent }) {
		d.absent(path, cells)
		return
	}
	switch {
	case each[map[string]any](cells):
		d.mappings(path, cells)
	case each[[]any](cells):
		d.lists(path, cells)
	default:
		d.leaf(path, cells, false)
	}
}

func dotted(path manifest.Path) string {
	keys := make([]string, len(path))
	for i, s := range path {
		keys[i] = s.Name()
	}
	return strings.Join(keys, ".")
}

// equal says whether all regions that have a part in it have the same.
func (d *differ) equal(path manifest.Path, cells []Cell) bool {
	var first *Cell
	for i := range cells {
		c := &cells[i]
		switch {
		case c.Outside:
		case first == nil:
			first = c
		case c.Absent != first.Absent || !sameValue(path, c.Value, first.Value):
			return false
		}
	}
	return true
}

// sameValue compares two values. Of resources 1 and 1000m are the same.
func sameValue(path manifest.Path, a, b any) bool {
	if reflect.DeepEqual(a, b) {
		return true
	}
	x, y := manifest.Scalar(a), manifest.Scalar(b)
	if x == "" || y == "" || len(path) < 2 || !isResource(path) {
		return false
	}
	p, errP := resource.ParseQuantity(x)
	q, errQ := resource.ParseQuantity(y)
	return errP == nil && errQ == nil && p.Cmp(q) == 0
}

// isResource says whether a path is that of an amount of a resource.
func isResource(path manifest.Path) bool {
	n := len(path)
	return n > 2 && (path[n-2].Key == "limits" || path[n-2].Key == "requests") && path[n-3].Key == "resources"
}

// fewLeaves is how many values a part may have to be compared as a whole where some regions lack it.
const fewLeaves = 4

// absent sees to what some regions do not have.
func (d *differ) absent(path manifest.Path, cells []Cell) {
	present := slices.Clone(cells)
	small := true
	for i := range present {
		if present[i].Absent {
			present[i] = Cell{Outside: true}
		} else if !present[i].Outside {
			small = small && leaves(present[i].Value) <= fewLeaves
		}
	}
	agreed := d.equal(path, present)
	d.leaf(path, cells, !agreed)
	if !agreed && !small {
		d.compare(path, present)
	}
}

func leaves(v any) int {
	n := 0
	switch x := v.(type) {
	case map[string]any:
		for _, y := range x {
			n += leaves(y)
		}
		return n
	case []any:
		for _, y := range x {
			n += leaves(y)
		}
		return n
	}
	return 1
}

// each says whether all values are of a type.
func each[T any](cells []Cell) bool {
	for _, c := range cells {
		if _, is := c.Value.(T); !is && !c.Outside {
			return false
		}
	}
	return true
}

func (d *differ) mappings(path manifest.Path, cells []Cell) {
	keys := map[string]bool{}
	for _, c := range cells {
		m, _ := c.Value.(map[string]any)
		for k := range m {
			keys[k] = true
		}
	}
	below := make([]Cell, len(cells))
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		for i, c := range cells {
			below[i] = Cell{Outside: c.Outside}
			if m, ok := c.Value.(map[string]any); ok {
				v, there := m[k]
				below[i] = Cell{Value: v, Absent: !there}
			}
		}
		d.compare(append(path, manifest.Key(k)), below)
	}
}

// mergeKeys are the keys by which elements of lists are told apart, the best first.
var mergeKeys = []string{"name", "containerPort", "mountPath", "devicePath", "port", "topologyKey", "secretKey", "key", "ip", "path", "type"}

func (d *differ) lists(path manifest.Path, cells []Cell) {
	for _, by := range mergeKeys {
		if steps, ok := elements(cells, func(x any) (manifest.Step, bool) {
			m, _ := x.(map[string]any)
			is := manifest.Scalar(m[by])
			return manifest.Element(by, is), is != ""
		}); ok {
			d.steps(path, cells, steps)
			return
		}
	}
	if steps, ok := elements(cells, func(x any) (manifest.Step, bool) {
		s, _ := x.(string)
		flag := manifest.FlagOf(s)
		return manifest.Flag(flag), strings.HasPrefix(flag, "--") && len(flag) > 2
	}); ok {
		d.steps(path, cells, steps)
		return
	}
	length, mappings := -1, true
	for _, c := range cells {
		if c.Outside {
			continue
		}
		l, _ := c.Value.([]any)
		if length < 0 {
			length = len(l)
		}
		mappings = mappings && len(l) == length && !slices.ContainsFunc(l, func(x any) bool { _, is := x.(map[string]any); return !is })
	}
	if !mappings {
		d.leaf(path, cells, false)
		return
	}
	var steps []manifest.Step
	for i := range length {
		steps = append(steps, manifest.Index(i))
	}
	d.steps(path, cells, steps)
}

// elements are the steps to all elements of lists, in the order in which they first stand. ok is false where they do not tell all elements apart.
func elements(cells []Cell, step func(any) (manifest.Step, bool)) (steps []manifest.Step, ok bool) {
	all := map[manifest.Step]bool{}
	for _, c := range cells {
		l, _ := c.Value.([]any)
		mine := map[manifest.Step]bool{}
		for _, x := range l {
			s, ok := step(x)
			if !ok || mine[s] {
				return nil, false
			}
			mine[s] = true
			if !all[s] {
				all[s] = true
				steps = append(steps, s)
			}
		}
	}
	return steps, len(steps) > 0
}

func (d *differ) steps(path manifest.Path, cells []Cell, steps []manifest.Step) {
	below := make([]Cell, len(cells))
	for _, s := range steps {
		for i, c := range cells {
			below[i] = Cell{Outside: c.Outside}
			if !c.Outside {
				v, there := manifest.Path{s}.Value(c.Value)
				below[i] = Cell{Value: v, Absent: !there}
			}
		}
		d.compare(append(path, s), below)
	}
}
