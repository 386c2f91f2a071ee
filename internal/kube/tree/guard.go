package tree

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/translate"
)

// guard makes of an object's operations a patch that is right on another version of its chart too, or is refused there. Base and patch of plain manifests are
// written together; a chart goes on without its patches. So a test (RFC 6902) before an operation says what it relies on: which element of a list it means, and, if
// strict, which value it was made for.
type guard struct {
	now    map[string]any
	strict bool
	ops    []translate.Op
	tested map[string]bool
}

// op adds one operation.
func (g *guard) op(op *translate.Op) {
	defer func() { g.now, g.tested = translate.Applied(g.now, []translate.Op{*op}), g.kept(op) }()
	if whole, ok := op.Value.(map[string]any); ok && op.Do == "add" && slices.Equal(op.Path, []string{"metadata", "annotations"}) {
		g.annotate(op, whole)
		return
	}
	g.elements(op)
	last := op.Path[len(op.Path)-1]
	listed := isIndex(last)
	was := translate.At(g.now, op.Path...)
	switch {
	case op.Do == "add" && was == nil && composed(op.Value) && !listed && last != "-":
		g.test(op, op.Path, nil) // what is put there whole would replace what the chart has there by then
	case op.Do != "add" && g.strict && !composed(was):
		g.test(op, op.Path, was)
	}
	do := *op
	if !g.strict && op.Do == "replace" && !listed {
		do.Do = "add" // also where the chart leaves it out by then
	}
	g.ops = append(g.ops, do)
}

// annotate adds annotations one by one, to an object that has none: its chart may give it some. Kustomize has always some of its own while it patches.
func (g *guard) annotate(op *translate.Op, whole map[string]any) {
	for _, k := range slices.Sorted(maps.Keys(whole)) {
		g.ops = append(g.ops, translate.Op{Do: "add", Path: append(slices.Clone(op.Path), k), Value: whole[k], Rule: op.Rule, Why: op.Why})
	}
}

// madeFrom tests all that an object says which goes for that: its fields, and the annotations that it has. Annotations that come are not seen, for Kustomize and Helm have some of their own.
func madeFrom(object map[string]any, why *translate.Reason) []translate.Op {
	if !why.ByContent() {
		return nil
	}
	g := &guard{now: object}
	op := &translate.Op{Rule: why.Rule, Why: why.Why}
	for _, k := range slices.Sorted(maps.Keys(object)) {
		if !slices.Contains([]string{"apiVersion", "kind", "metadata", "status"}, k) {
			g.test(op, []string{k}, object[k])
		}
	}
	annotations, _ := translate.At(object, "metadata", "annotations").(map[string]any)
	for _, k := range slices.Sorted(maps.Keys(annotations)) {
		g.test(op, []string{"metadata", "annotations", k}, annotations[k])
	}
	return g.ops
}

// kept are the tests that still say something behind an operation: those about other places.
func (g *guard) kept(op *translate.Op) map[string]bool {
	out := map[string]bool{}
	at := pointer(op.Path)
	if isIndex(op.Path[len(op.Path)-1]) {
		at = pointer(op.Path[:len(op.Path)-1]) // the others move up
	}
	for p := range g.tested {
		if p != at && !strings.HasPrefix(p, at+"/") {
			out[p] = true
		}
	}
	return out
}

// elements tests for each element of a list on the way that it is the one that was meant: by its name, or else by all of it.
func (g *guard) elements(op *translate.Op) {
	for i, step := range op.Path {
		if i == 0 || !isIndex(step) {
			continue
		}
		list, _ := translate.At(g.now, op.Path[:i]...).([]any)
		if list == nil || i == len(op.Path)-1 && op.Do == "add" {
			continue
		}
		at := op.Path[:i+1]
		element := translate.At(g.now, at...)
		if name, ok := translate.At(element, "name").(string); ok {
			g.test(op, append(slices.Clone(at), "name"), name)
			continue
		}
		g.test(op, at, element)
	}
}

// isIndex says whether a step is into a list, as far as a step alone tells: what is tested takes the list too.
func isIndex(step string) bool {
	i, err := strconv.Atoi(step)
	return err == nil && i >= 0
}

func composed(v any) bool {
	switch v.(type) {
	case map[string]any, []any:
		return true
	}
	return false
}

// test adds a test, unless it is there already, or would write down what looks like a secret.
func (g *guard) test(op *translate.Op, at []string, value any) {
	p := pointer(at)
	if g.tested[p] || secret(at, value) {
		return
	}
	if g.tested == nil {
		g.tested = map[string]bool{}
	}
	g.tested[p] = true
	g.ops = append(g.ops, translate.Op{Do: "test", Path: at, Value: value, Rule: op.Rule, Why: op.Why})
}

func secret(at []string, v any) bool {
	switch x := v.(type) {
	case map[string]any:
		name, _ := x["name"].(string)
		value, _ := x["value"].(string)
		if translate.SecretByName(name, value) {
			return true
		}
		for k, inner := range x {
			if secret([]string{k}, inner) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(x, func(inner any) bool { return secret(at, inner) })
	case string:
		return translate.SecretByForm(x) || translate.SecretByName(at[len(at)-1], x)
	}
	return false
}

// mergeKeys are the fields by which Kustomize tells the elements of a list apart when it merges.
var mergeKeys = []string{"port", "containerPort", "name", "mountPath", "devicePath", "ip", "uid", "key", "topologyKey", "type", "resourceName"}

// mergeable says whether Kustomize can merge something into an object without losing any of it. It takes two elements of a list with one key for one, such as the same
// port by TCP and UDP, also where the patch does not speak of that list.
func mergeable(v any) bool {
	switch x := v.(type) {
	case map[string]any:
		for _, inner := range x {
			if !mergeable(inner) {
				return false
			}
		}
	case []any:
		seen := map[string]bool{}
		for _, e := range x {
			for _, k := range mergeKeys {
				v := translate.At(e, k)
				if id := fmt.Sprint(k, v); v != nil {
					if seen[id] {
						return false
					}
					seen[id] = true
				}
			}
			if !mergeable(e) {
				return false
			}
		}
	}
	return true
}

// present writes a patch that changes nothing, and is refused where its object is not there.
func present(o *manifest.Object, apiVersion string) ([]byte, error) {
	meta := map[string]any{"name": o.Name}
	if o.Namespace != "" && !o.Unplaced {
		meta["namespace"] = o.Namespace
	}
	return yaml.Marshal(map[string]any{"apiVersion": apiVersion, "kind": o.Kind, "metadata": meta})
}
