package monitor

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// at walks plain values: maps by key, lists by index. What is not there is nil.
func at(v any, path ...string) any {
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

func str(v any, path ...string) string { s, _ := at(v, path...).(string); return s }

func dict(v any, path ...string) map[string]any {
	m, _ := at(v, path...).(map[string]any)
	return m
}

func list(v any, path ...string) []any { l, _ := at(v, path...).([]any); return l }

// texts are the elements of a list that are text.
func texts(v any, path ...string) []string {
	var out []string
	for _, x := range list(v, path...) {
		if s, ok := x.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// labelsOf are the labels or annotations at a path, as text.
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

// labelName writes a key of Kubernetes as Prometheus does: what no name of a label has becomes _.
func labelName(key string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, key)
}

// selects says whether a selector of labels takes an object with these.
func selects(selector map[string]any, labels map[string]string) bool {
	for k, v := range dict(selector, "matchLabels") {
		if have, there := labels[k]; !there || have != fmt.Sprint(v) {
			return false
		}
	}
	for _, e := range list(selector, "matchExpressions") {
		have, there := labels[str(e, "key")]
		in := slices.Contains(texts(e, "values"), have)
		switch str(e, "operator") {
		case "In":
			if !there || !in {
				return false
			}
		case "NotIn":
			if there && in {
				return false
			}
		case "Exists":
			if !there {
				return false
			}
		case "DoesNotExist":
			if there {
				return false
			}
		default:
			return false
		}
	}
	return true
}
