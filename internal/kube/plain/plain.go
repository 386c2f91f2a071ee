package plain

import (
	"fmt"
	"slices"
	"strconv"
)

// At walks the plain values of objects: mappings by key, lists by index. What is not there is nil.
func At(v any, path ...string) any {
	for _, step := range path {
		switch x := v.(type) {
		case map[string]any:
			v = x[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

// Text is At for text; empty where there is none.
func Text(v any, path ...string) string { s, _ := At(v, path...).(string); return s }

// Mapping is At for a mapping; nil where there is none.
func Mapping(v any, path ...string) map[string]any {
	m, _ := At(v, path...).(map[string]any)
	return m
}

// List is At for a list; nil where there is none.
func List(v any, path ...string) []any { l, _ := At(v, path...).([]any); return l }

// Texts are the elements of a list that are text.
func Texts(v any, path ...string) []string {
	var out []string
	for _, x := range List(v, path...) {
		if s, ok := x.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// Labels are labels or annotations as text; never nil.
func Labels(v any, path ...string) map[string]string {
	out := map[string]string{}
	for k, x := range Mapping(v, path...) {
		if x != nil {
			out[k] = fmt.Sprint(x)
		}
	}
	return out
}

// Selects says whether a selector (matchLabels, matchExpressions) takes an object with these labels. An empty one takes every object, and one with an
// operator that Kubernetes does not have, or a label that is no text, none.
func Selects(selector map[string]any, labels map[string]string) bool {
	for k, v := range Mapping(selector, "matchLabels") {
		want, text := v.(string)
		if have, there := labels[k]; !text || !there || have != want {
			return false
		}
	}
	for _, e := range List(selector, "matchExpressions") {
		have, there := labels[Text(e, "key")]
		in := slices.Contains(Texts(e, "values"), have)
		var takes bool
		switch Text(e, "operator") {
		case "In":
			takes = there && in
		case "NotIn":
			takes = !there || !in
		case "Exists":
			takes = there
		case "DoesNotExist":
			takes = !there
		}
		if !takes {
			return false
		}
	}
	return true
}
