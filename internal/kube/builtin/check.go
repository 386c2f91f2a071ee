package builtin

import (
	"encoding/base64"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
)

// Problem is one thing for which an API server would refuse an object, or lose a part of it.
type Problem struct {
	// Path is where: keys, and indexes in decimal.
	Path []string
	// What says what is wrong there.
	What string
	// Tolerated says that a server takes it from a client that creates or updates, and refuses it where it is applied server-side.
	Tolerated bool
}

const (
	objectMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
	quantity   = "quantity"
)

// tolerated are the lists, by the type that has them, in which the server's own code allows what stands twice.
var tolerated = map[string]bool{
	"io.k8s.api.core.v1.Container env": true, "io.k8s.api.core.v1.EphemeralContainer env": true, "io.k8s.api.core.v1.Container ports": true,
	"io.k8s.api.core.v1.EphemeralContainer ports": true, "io.k8s.api.core.v1.PodSpec imagePullSecrets": true, "io.k8s.api.core.v1.PodSpec hostAliases": true,
	"io.k8s.api.core.v1.ServiceAccount secrets": true, objectMeta + " ownerReferences": true, objectMeta + " finalizers": true,
}

// Check holds an object, as plain values (map[string]any, []any, string, int64, float64, bool, nil), to the schema of its kind. It says false where
// the version does not serve the kind. What a server fills in by itself, the status, is not looked at.
func (s *Set) Check(group, version, kind string, object map[string]any) (found []Problem, served bool) {
	k, ok := s.kinds[Kind{group, version, kind}]
	if !ok {
		return nil, false
	}
	c := &check{secret: kind == "Secret" && group == ""}
	c.object(k.node, object, true)
	c.identity(kind, group, object, k.namespaced)
	return c.found, true
}

// check is one object.
type check struct {
	path   []string
	found  []Problem
	secret bool
}

func (c *check) add(format string, args ...any) {
	c.found = append(c.found, Problem{Path: slices.Clone(c.path), What: fmt.Sprintf(format, args...)})
}

func (c *check) below(step string, do func()) {
	c.path = append(c.path, step)
	do()
	c.path = c.path[:len(c.path)-1]
}

// value holds a value to a schema. What is null counts as not there, as it does for the server.
func (c *check) value(n *node, v any) {
	n = n.to
	if v == nil {
		return
	}
	switch n.Format {
	case quantity:
		c.quantity(v)
		return
	case "int-or-string":
		switch x := v.(type) {
		case string:
		case int64:
			c.bits32(x)
		default:
			c.add("it is %s, and has to be a whole number or text", named(v))
		}
		return
	}
	switch n.Type {
	case "object":
		m, ok := v.(map[string]any)
		if !ok {
			c.add("it is %s, and has to be a mapping", named(v))
			return
		}
		c.object(n, m, false)
	case "array":
		l, ok := v.([]any)
		if !ok {
			c.add("it is %s, and has to be a list", named(v))
			return
		}
		c.list(n, l)
	case "string":
		s, ok := v.(string)
		if !ok {
			c.add("it is %s, and has to be text: set it in quotes", named(v))
			return
		}
		c.text(n, s)
	case "integer":
		c.integer(n, v)
	case "number":
		switch v.(type) {
		case int64, float64:
		default:
			c.add("it is %s, and has to be a number", named(v))
		}
	case "boolean":
		if _, ok := v.(bool); !ok {
			c.add("it is %s, and has to be true or false, without quotes", named(v))
		}
	}
}

// named says what a value is, and not which.
func named(v any) string {
	switch x := v.(type) {
	case map[string]any:
		return "a mapping"
	case []any:
		return "a list"
	case string:
		return "text"
	case bool:
		return "true or false"
	case int64:
		return "a whole number"
	case float64:
		if x == math.Trunc(x) {
			return "a whole number"
		}
		return "a number"
	}
	return "nothing"
}

func (c *check) object(n *node, m map[string]any, top bool) {
	if n.Props == nil {
		if n.Values != nil {
			for _, k := range slices.Sorted(maps.Keys(m)) {
				c.below(k, func() { c.value(n.Values, m[k]) })
			}
		}
		return // any content
	}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		p := n.Props[k]
		switch {
		case p == nil:
			c.below(k, func() { c.unknown(n, k) })
		case top && k == "status":
		default:
			c.below(k, func() {
				if l, ok := m[k].([]any); ok && p.to.Type == "array" {
					c.duplicates(n, k, p.to, l)
				}
				c.value(p, m[k])
			})
		}
	}
	for _, k := range n.Required {
		if m[k] == nil {
			c.below(k, func() { c.add("it is required, and not there") })
		}
	}
	for _, k := range n.structs {
		if p := n.Props[k].to; m[k] == nil && (!top || k != "status") {
			for _, field := range p.Required {
				c.below(k, func() { c.below(field, func() { c.add("it is required, and not there") }) })
			}
		}
	}
	if n.name == objectMeta {
		c.metadata(m)
	}
}

// unknown reports a field that the schema does not have, with the one that may be meant.
func (c *check) unknown(n *node, k string) {
	meant := ""
	for _, name := range slices.Sorted(maps.Keys(n.Props)) {
		if strings.EqualFold(name, k) || near(name, k) {
			meant = "; " + name + " may be meant"
			break
		}
	}
	c.add("unknown field%s", meant)
}

// near says whether two names of more than three letters differ by one letter, or by two that changed places.
func near(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(a) < 4 || len(b)-len(a) > 1 {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	if len(b) > len(a) {
		return a[i:] == b[i+1:]
	}
	if i+1 >= len(a) {
		return true
	}
	return a[i+1:] == b[i+1:] || a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
}

func (c *check) list(n *node, l []any) {
	if n.Items == nil {
		return
	}
	for i, v := range l {
		c.below(strconv.Itoa(i), func() {
			if v == nil {
				c.add("an element of the list is empty")
				return
			}
			c.value(n.Items, v)
		})
	}
}

// duplicates reports elements that stand twice in a list that is a set, or a map by keys.
func (c *check) duplicates(parent *node, field string, n *node, l []any) {
	if n.List == "" || len(l) < 2 || n.Items == nil {
		return
	}
	seen := make(map[string]int, len(l))
	for i, v := range l {
		key, ok := identity(n, v)
		if !ok {
			continue
		}
		first, twice := seen[key]
		if !twice {
			seen[key] = i
			continue
		}
		what := "the element stands twice"
		if n.List == "map" {
			what = fmt.Sprintf("another element, number %d, has the same %s", first, strings.Join(n.Keys, " and "))
		}
		c.found = append(c.found, Problem{Path: append(slices.Clone(c.path), strconv.Itoa(i)), What: what, Tolerated: tolerated[parent.name+" "+field]})
	}
}

// identity is by what an element is known in its list.
func identity(n *node, v any) (string, bool) {
	if n.List == "set" {
		return fmt.Sprint(v), v != nil
	}
	m, ok := v.(map[string]any)
	if !ok {
		return "", false
	}
	var b strings.Builder
	for _, k := range n.Keys {
		x := m[k]
		if p := n.Items.to.Props[k]; x == nil && p != nil {
			x = p.Default
		}
		fmt.Fprintf(&b, "%v\x00", x)
	}
	return b.String(), true
}

func (c *check) text(n *node, s string) {
	switch n.Format {
	case "byte":
		if _, err := base64.StdEncoding.DecodeString(s); err != nil {
			c.add("it is not base64")
		}
	case "date-time":
		if _, err := time.Parse(time.RFC3339, s); err != nil {
			c.add("it is no time, such as 2026-01-31T12:00:00Z")
		}
	}
	if len(n.Enum) == 0 || s == "" || slices.Contains(n.Enum, s) {
		return
	}
	what := "it"
	if !c.secret && len(s) <= 40 {
		what = strconv.Quote(s)
	}
	known := slices.DeleteFunc(slices.Clone(n.Enum), func(e string) bool { return e == "" })
	c.add("%s is not one of %s", what, strings.Join(known, ", "))
}

func (c *check) integer(n *node, v any) {
	var i int64
	switch x := v.(type) {
	case int64:
		i = x
	case float64:
		if x != math.Trunc(x) || math.Abs(x) > 1<<53 {
			c.add("it has to be a whole number")
			return
		}
		i = int64(x)
	case string:
		c.add("it is text, and has to be a whole number, without quotes")
		return
	default:
		c.add("it is %s, and has to be a whole number", named(v))
		return
	}
	if n.Format == "int32" {
		c.bits32(i)
	}
}

func (c *check) bits32(i int64) {
	if i > math.MaxInt32 || i < math.MinInt32 {
		c.add("it has to be a whole number of 32 bits")
	}
}

// quantity reads what stands for an amount of memory, CPU or bytes.
func (c *check) quantity(v any) {
	switch x := v.(type) {
	case int64, float64:
	case string:
		if _, err := resource.ParseQuantity(x); err != nil {
			c.add("it is no quantity, such as 500m, 1Gi or 2")
		}
	default:
		c.add("it is %s, and has to be a quantity, such as 500m, 1Gi or 2", named(v))
	}
}
