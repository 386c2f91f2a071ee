package calico

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/bascule/bascule/internal/kube/plain"
)

// A requirement is what selectors of Kubernetes can ask of one label.
type requirement struct {
	key    string
	op     string // In, NotIn, Exists, DoesNotExist
	values []string
}

// A formula is a choice of conjunctions: what several selectors of Kubernetes select together. Without any it selects nothing.
type formula [][]requirement

// mostTerms bounds a formula: each term becomes an object or a peer of its own.
const mostTerms = 48

var (
	errLarge = errors.New("it comes to too many cases")
	always   = formula{{}}
)

// ofNamespace stands before the key of a label that the namespace of a pod has, and not the pod.
const ofNamespace = "\x00"

// meaning says what a label of Calico is for Kubernetes: the key of a label; or, where fixed says so, a value that is known, which is absent where there is false.
type meaning func(key string) (as string, fixed bool, value string, there truth, err error)

// formula brings an expression into the form that selectors of Kubernetes have.
func (s *selector) formula(not bool, mean meaning) (formula, error) {
	switch s.op {
	case opAll:
		return constant(!not), nil
	case opGlobal:
		return constant(not), nil // nothing in a namespace is global
	case opNot:
		return s.parts[0].formula(!not, mean)
	case opAnd, opOr:
		parts := make([]formula, len(s.parts))
		for i, p := range s.parts {
			f, err := p.formula(not, mean)
			if err != nil {
				return nil, err
			}
			parts[i] = f
		}
		if (s.op == opAnd) != not {
			return all(parts...)
		}
		return either(parts...)
	default:
		return s.literal(not, mean)
	}
}

func constant(is bool) formula {
	if is {
		return always
	}
	return nil
}

func (s *selector) literal(not bool, mean meaning) (formula, error) {
	key, fixed, value, there, err := mean(s.key)
	if err != nil {
		return nil, err
	}
	if fixed {
		switch (&selector{op: s.op, key: s.key, values: s.values}).holds(func(string) (string, truth) { return value, there }, false) {
		case yes:
			return constant(!not), nil
		case no:
			return constant(not), nil
		case maybe:
		}
		return nil, fmt.Errorf("nobody knows the label %s here", s.key)
	}
	if len(validation.IsQualifiedName(strings.TrimPrefix(key, ofNamespace))) > 0 {
		return constant(not), nil // no object has it
	}
	switch s.op {
	case opHas:
		return formula{{{key: key, op: pick(not, "DoesNotExist", "Exists")}}}, nil
	case opIn:
		var values []string
		for _, v := range s.values {
			if len(validation.IsValidLabelValue(v)) == 0 {
				values = append(values, v)
			}
		}
		if len(values) == 0 {
			return constant(not), nil
		}
		slices.Sort(values)
		return formula{{{key: key, op: pick(not, "NotIn", "In"), values: slices.Compact(values)}}}, nil
	default:
		return nil, fmt.Errorf("the label %s is compared by a part of its value, which selectors of Kubernetes do not do", s.key)
	}
}

func pick(is bool, yes, no string) string {
	if is {
		return yes
	}
	return no
}

// either selects what one of several formulas does.
func either(parts ...formula) (formula, error) {
	var out formula
	for _, p := range parts {
		for _, term := range p {
			if t := fmt.Sprint(term); !slices.ContainsFunc(out, func(u []requirement) bool { return fmt.Sprint(u) == t }) {
				out = append(out, term)
			}
		}
	}
	for _, term := range out {
		if len(term) == 0 {
			return always, nil
		}
	}
	if out = merged(out); len(out) > mostTerms {
		return nil, errLarge
	}
	return out, nil
}

// merged makes one of terms that differ in the values of one label only, as people would write them.
func merged(f formula) formula {
	if len(f) > mostTerms*2 {
		return f
	}
	for i := 0; i < len(f); i++ {
		for j := i + 1; j < len(f); j++ {
			if one := union(f[i], f[j]); one != nil {
				f = slices.Delete(slices.Clone(f), j, j+1)
				f[i] = one
				j = i
			}
		}
	}
	return f
}

func union(a, b []requirement) []requirement {
	if len(a) != len(b) {
		return nil
	}
	differs := -1
	for i := range a {
		switch {
		case a[i].key != b[i].key || a[i].op != b[i].op:
			return nil
		case slices.Equal(a[i].values, b[i].values):
		case a[i].op != "In" || differs >= 0:
			return nil
		default:
			differs = i
		}
	}
	if differs < 0 {
		return a
	}
	values := slices.Concat(a[differs].values, b[differs].values)
	slices.Sort(values)
	out := slices.Clone(a)
	out[differs].values = slices.Compact(values)
	return out
}

// all selects what all of several formulas do.
func all(parts ...formula) (formula, error) {
	out := always
	for _, p := range parts {
		var next []formula
		for _, a := range out {
			for _, b := range p {
				if term, ok := simplified(append(slices.Clone(a), b...)); ok {
					next = append(next, formula{term})
				}
				if len(next) > mostTerms*mostTerms {
					return nil, errLarge
				}
			}
		}
		joined, err := either(next...)
		if err != nil {
			return nil, err
		}
		out = joined
	}
	return out, nil
}

// negated selects what a formula does not.
func negated(f formula) (formula, error) {
	var parts []formula
	for _, term := range f {
		var one []formula
		for _, r := range term {
			r.op = map[string]string{"In": "NotIn", "NotIn": "In", "Exists": "DoesNotExist", "DoesNotExist": "Exists"}[r.op]
			one = append(one, formula{{r}})
		}
		part, err := either(one...)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return all(parts...)
}

// simplified joins what is asked of one label. It says false where that cannot be.
func simplified(term []requirement) ([]requirement, bool) {
	byKey := map[string][]requirement{}
	var keys []string
	for _, r := range term {
		if byKey[r.key] == nil {
			keys = append(keys, r.key)
		}
		byKey[r.key] = append(byKey[r.key], r)
	}
	slices.Sort(keys)
	var out []requirement
	for _, k := range keys {
		rs, ok := joined(byKey[k])
		if !ok {
			return nil, false
		}
		out = append(out, rs...)
	}
	return out, true
}

func joined(rs []requirement) ([]requirement, bool) {
	var in, notIn []string
	hasIn, exists, absent := false, false, false
	for _, r := range rs {
		switch r.op {
		case "In":
			if !hasIn {
				in = slices.Clone(r.values)
			}
			hasIn = true
			in = slices.DeleteFunc(in, func(v string) bool { return !slices.Contains(r.values, v) })
		case "NotIn":
			notIn = append(notIn, r.values...)
		case "Exists":
			exists = true
		default:
			absent = true
		}
	}
	in = slices.DeleteFunc(in, func(v string) bool { return slices.Contains(notIn, v) })
	slices.Sort(notIn)
	notIn = slices.Compact(notIn)
	key := rs[0].key
	switch {
	case absent && (hasIn || exists), hasIn && len(in) == 0:
		return nil, false
	case hasIn:
		return []requirement{{key, "In", in}}, true
	case absent:
		return []requirement{{key: key, op: "DoesNotExist"}}, true
	}
	var out []requirement
	if exists {
		out = append(out, requirement{key: key, op: "Exists"})
	}
	if len(notIn) > 0 {
		out = append(out, requirement{key, "NotIn", notIn})
	}
	return out, true
}

// labelSelector writes a term as Kubernetes has it.
func labelSelector(term []requirement) map[string]any {
	labels, out := map[string]any{}, map[string]any{}
	var expressions []any
	for _, r := range term {
		if r.op == "In" && len(r.values) == 1 {
			labels[r.key] = r.values[0]
			continue
		}
		e := map[string]any{"key": r.key, "operator": r.op}
		if len(r.values) > 0 {
			e["values"] = anys(r.values)
		}
		expressions = append(expressions, e)
	}
	if len(labels) > 0 {
		out["matchLabels"] = labels
	}
	if len(expressions) > 0 {
		out["matchExpressions"] = expressions
	}
	return out
}

// termOf reads a selector of Kubernetes.
func termOf(v any) []requirement {
	var out []requirement
	for k, x := range plain.Mapping(v, "matchLabels") {
		out = append(out, requirement{k, "In", []string{fmt.Sprint(x)}})
	}
	for _, e := range plain.List(v, "matchExpressions") {
		out = append(out, requirement{plain.Text(e, "key"), plain.Text(e, "operator"), plain.Texts(e, "values")})
	}
	slices.SortFunc(out, func(a, b requirement) int { return cmp.Or(cmp.Compare(a.key, b.key), strings.Compare(a.op, b.op)) })
	return out
}
