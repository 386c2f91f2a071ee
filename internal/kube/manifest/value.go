package manifest

import (
	"fmt"
	"math"
	"strconv"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// The limits of one document. An object in a cluster has at most 1.5 MiB (etcd's limit of a request); a List of all objects of a
// namespace may have more.
const (
	// Largest is how many bytes a document may have: parsed it takes some fifteen times as much memory.
	Largest = 16 << 20
	// mostAliased is how many values the aliases of a document may stand for, however small its text is.
	mostAliased = 100_000
	// deepest is how far values may stand within one another.
	deepest = 200
)

// A reader turns parsed nodes into plain values: map[string]any, []any, string, int64, float64, bool, nil.
type reader struct {
	// aliased counts the values that stand below an alias.
	aliased int
	// open are the anchored nodes that are being read: an alias to one of them would never end.
	open map[*yaml.Node]bool
}

// mistake is what is wrong, and on which line of the document.
type mistake struct {
	line int
	what string
}

// Error says what is wrong; the caller says where.
func (m *mistake) Error() string { return m.what }

func wrong(n *yaml.Node, format string, args ...any) error {
	return &mistake{line: n.Line, what: fmt.Sprintf(format, args...)}
}

func (r *reader) value(n *yaml.Node, depth int, alias bool) (any, error) {
	if depth > deepest {
		return nil, wrong(n, "values stand more than %d deep within one another", deepest)
	}
	if alias {
		if r.aliased++; r.aliased > mostAliased {
			return nil, wrong(n, "its aliases stand for more than %d values", mostAliased)
		}
	}
	switch n.Kind { //nolint:exhaustive // the parser makes them all; its names for one kind are several constants
	case yaml.DocumentNode:
		if len(n.Content) == 0 {
			return nil, nil
		}
		return r.value(n.Content[0], depth, alias)
	case yaml.AliasNode:
		return r.target(n, depth)
	case yaml.MappingNode:
		return r.mapping(n, depth, alias)
	case yaml.SequenceNode:
		out := make([]any, 0, len(n.Content))
		for _, c := range n.Content {
			v, err := r.value(c, depth+1, alias)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		return out, nil
	case yaml.ScalarNode:
		return scalar(n)
	}
	return nil, wrong(n, "a node of kind %d", n.Kind)
}

// target reads what an alias stands for.
func (r *reader) target(n *yaml.Node, depth int) (any, error) {
	if r.open[n.Alias] {
		return nil, wrong(n, "the alias *%s stands within what it names", n.Value)
	}
	if r.open == nil {
		r.open = map[*yaml.Node]bool{}
	}
	r.open[n.Alias] = true
	defer delete(r.open, n.Alias)
	return r.value(n.Alias, depth+1, true)
}

func (r *reader) mapping(n *yaml.Node, depth int, alias bool) (any, error) {
	if n.Anchor != "" && !alias {
		if r.open == nil {
			r.open = map[*yaml.Node]bool{}
		}
		r.open[n] = true
		defer delete(r.open, n)
	}
	out := make(map[string]any, len(n.Content)/2)
	lines := make(map[string]int, len(n.Content)/2)
	var merged []map[string]any
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind == yaml.AliasNode {
			k = k.Alias
		}
		if k.Kind != yaml.ScalarNode {
			return nil, wrong(k, "a key that is no text")
		}
		if k.ShortTag() == "!!merge" {
			ms, err := r.merged(v, depth, alias)
			if err != nil {
				return nil, err
			}
			merged = append(merged, ms...)
			continue
		}
		if first, twice := lines[k.Value]; twice {
			return nil, wrong(k, "the key %q stands twice: first on line %d of the document", k.Value, first)
		}
		lines[k.Value] = k.Line
		value, err := r.value(v, depth+1, alias)
		if err != nil {
			return nil, err
		}
		out[k.Value] = value
	}
	for _, m := range merged { // what is said in place, or earlier, wins
		for k, v := range m {
			if _, said := out[k]; !said {
				out[k] = v
			}
		}
	}
	return out, nil
}

// merged reads what stands behind the key <<.
func (r *reader) merged(n *yaml.Node, depth int, alias bool) ([]map[string]any, error) {
	v, err := r.value(n, depth+1, alias)
	if err != nil {
		return nil, err
	}
	list, many := v.([]any)
	if !many {
		list = []any{v}
	}
	var out []map[string]any
	for _, x := range list {
		m, ok := x.(map[string]any)
		if !ok {
			return nil, wrong(n, "<< merges something that is no mapping")
		}
		out = append(out, m)
	}
	return out, nil
}

// scalar reads a scalar as Kubernetes does: what is no number, no boolean and no null is text, dates too.
func scalar(n *yaml.Node) (any, error) {
	switch n.ShortTag() {
	case "!!null":
		return nil, nil
	case "!!bool":
		var b bool
		err := n.Decode(&b)
		return b, err
	case "!!int":
		if i, err := strconv.ParseInt(n.Value, 0, 64); err == nil {
			return i, nil
		}
		var i int64
		if err := n.Decode(&i); err == nil {
			return i, nil
		}
		return n.Value, nil // larger than 64 bits: no field of Kubernetes holds it as a number
	case "!!float":
		var f float64
		if n.Decode(&f) == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
			return f, nil
		}
	}
	return n.Value, nil
}
