package calico

import (
	"fmt"
	"maps"
	"slices"
)

// at walks plain values: maps by key. What is not there is nil.
func at(v any, path ...string) any {
	for _, key := range path {
		m, _ := v.(map[string]any)
		v = m[key]
	}
	return v
}

func str(v any, path ...string) string { s, _ := at(v, path...).(string); return s }

func dict(v any, path ...string) map[string]any {
	m, _ := at(v, path...).(map[string]any)
	return m
}

func list(v any, path ...string) []any { l, _ := at(v, path...).([]any); return l }

func texts(v any, path ...string) []string {
	var out []string
	for _, x := range list(v, path...) {
		if s, ok := x.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

func labelsOf(v any, path ...string) map[string]string {
	out := map[string]string{}
	for k, x := range dict(v, path...) {
		if x != nil {
			out[k] = fmt.Sprint(x)
		}
	}
	return out
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func anys(texts []string) []any {
	var out []any
	for _, t := range texts {
		out = append(out, t)
	}
	return out
}
