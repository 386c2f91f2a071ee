package translate

import (
	"slices"
	"strconv"
)

// podSpecs finds the paths of all specifications of pods in an object, in any kind: a specification is what has a list of containers.
func podSpecs(v map[string]any) [][]string {
	if v["kind"] == "CustomResourceDefinition" {
		return nil // it describes values, and holds none
	}
	var out [][]string
	walk(v, nil, func(path []string, x any) bool {
		m, ok := x.(map[string]any)
		if !ok {
			return true
		}
		if l, ok := m["containers"].([]any); ok && len(path) > 0 && path[len(path)-1] == "spec" && len(l) > 0 {
			out = append(out, slices.Clone(path))
			return false
		}
		return true
	})
	return out
}

// pods returns the paths of the object's specifications of pods. No rule makes one or moves it.
func (w *work) pods() [][]string {
	if !w.looked {
		w.specs, w.looked = podSpecs(w.Value), true
	}
	return w.specs
}

// podMeta is where the metadata of a pod stands beside its specification.
func podMeta(spec []string) []string { return join(spec[:len(spec)-1], "metadata") }

// walk visits values from the outside in, mappings in the order of their keys, until visit says false for what holds them.
// The path is only good during the visit.
func walk(v any, path []string, visit func(path []string, v any) bool) {
	if !visit(path, v) {
		return
	}
	switch x := v.(type) {
	case map[string]any:
		for _, k := range keys(x) {
			switch x[k].(type) {
			case map[string]any, []any, string:
				walk(x[k], append(path, k), visit)
			}
		}
	case []any:
		for i, y := range x {
			walk(y, append(path, strconv.Itoa(i)), visit)
		}
	}
}

// containers visits all containers of all pods, with their paths.
func (w *work) containers(visit func(path []string, c map[string]any)) {
	for _, spec := range w.pods() {
		for _, list := range []string{"initContainers", "containers", "ephemeralContainers"} {
			for i := range w.list(join(spec, list)...) {
				path := join(spec, list, strconv.Itoa(i))
				if c := w.mapping(path...); c != nil {
					visit(path, c)
				}
			}
		}
	}
}

// env visits the variables of all containers, the last first, so that one may be removed.
func (w *work) env(visit func(path []string, name, value string)) {
	w.containers(func(c []string, _ map[string]any) {
		for i := range slices.Backward(w.list(join(c, "env")...)) {
			path := join(c, "env", strconv.Itoa(i))
			visit(path, w.text(join(path, "name")...), w.text(join(path, "value")...))
		}
	})
}

// accountOf is the service account of a pod.
func (w *work) accountOf(spec []string) string {
	if name := w.text(join(spec, "serviceAccountName")...); name != "" {
		return name
	}
	if name := w.text(join(spec, "serviceAccount")...); name != "" {
		return name
	}
	return "default"
}
