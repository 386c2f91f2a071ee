package check

import (
	"maps"
	"slices"
	"strconv"

	"github.com/bascule/bascule/internal/kube/translate"
)

func mapping(v any, path ...string) map[string]any {
	m, _ := translate.At(v, path...).(map[string]any)
	return m
}

func list(v any, path ...string) []any {
	l, _ := translate.At(v, path...).([]any)
	return l
}

func text(v any, path ...string) string {
	s, _ := translate.At(v, path...).(string)
	return s
}

func texts(m map[string]any) map[string]string {
	out := make(map[string]string, len(m))
	for k, v := range m {
		if s, ok := v.(string); ok {
			out[k] = s
		}
	}
	return out
}

// join makes a path of its own.
func join(path []string, more ...string) []string { return append(slices.Clone(path), more...) }

// each visits the elements of a list that are mappings, with their paths.
func each(v any, path []string, visit func(path []string, m map[string]any)) {
	for i, e := range list(v, path...) {
		if m, ok := e.(map[string]any); ok {
			visit(join(path, strconv.Itoa(i)), m)
		}
	}
}

func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
