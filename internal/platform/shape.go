package platform

import (
	"cmp"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// duration is how durations are written: 90s, 1h30m. A bare number would be nanoseconds, which nobody means.
var duration = regexp.MustCompile(`^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+$`)

// deepest is how far a file may be nested; what it describes is five levels deep, and aliases may go in circles.
const deepest = 20

// shape looks whether a file has the keys and the sorts of values of the types, and remembers where everything stands. The YAML library would stop at the
// first mistake, and know no better key.
type shape struct {
	at      map[string]*token.Position
	anchors map[string]ast.Node
	errs    []*MistakeError
}

func (s *shape) add(node ast.Node, path, format string, args ...any) {
	m := &MistakeError{Line: 1, Column: 1, Path: path, What: fmt.Sprintf(format, args...)}
	if pos := position(node); pos != nil {
		m.Line, m.Column = pos.Line, pos.Column
	}
	s.errs = append(s.errs, m)
}

func position(node ast.Node) *token.Position {
	if node == nil || node.GetToken() == nil {
		return nil
	}
	return node.GetToken().Position
}

// walk looks at a node that stands for a value of a type.
func (s *shape) walk(node ast.Node, t reflect.Type, path string, depth int) {
	if depth > deepest {
		s.add(node, path, "too much stands within another")
		return
	}
	if _, known := s.at[path]; !known {
		s.at[path] = position(node)
	}
	switch n := node.(type) {
	case *ast.AnchorNode:
		s.anchors[n.Name.String()] = n.Value
		s.walk(n.Value, t, path, depth+1)
		return
	case *ast.AliasNode:
		if to, ok := s.anchors[n.Value.String()]; ok {
			s.walk(to, t, path, depth+1)
		} else {
			s.add(node, path, "nothing before is called &%s", n.Value)
		}
		return
	case nil, *ast.NullNode:
		s.add(node, path, "nothing stands here: leave the key out, or give it a value")
		return
	case *ast.TagNode:
		s.add(node, path, "tags such as %s have no meaning here", n.Start.Value)
		return
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Struct:
		s.object(node, t, path, depth)
	case reflect.Map:
		s.names(node, t, path, depth)
	case reflect.Slice:
		s.list(node, t, path, depth)
	default:
		s.scalar(node, t, path)
	}
}

// pairs returns the keys and values of a mapping. ok is false when it is none.
func pairs(node ast.Node) (values []*ast.MappingValueNode, ok bool) {
	switch n := node.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	default:
		return nil, false
	}
}

func (s *shape) object(node ast.Node, t reflect.Type, path string, depth int) {
	values, ok := pairs(node)
	if !ok {
		s.add(node, path, "%s stands where keys and values are expected: %s", sortOf(node), strings.Join(keys(t), ", "))
		return
	}
	for _, pair := range values {
		key, merge := keyText(pair)
		if merge {
			s.walk(pair.Value, t, path, depth+1)
			continue
		}
		f, ok := field(t, key)
		if !ok {
			s.unknown(pair.Key, path, key, keys(t))
			continue
		}
		s.walk(pair.Value, f.Type, path+"."+key, depth+1)
	}
}

// unknown refuses a key: a misspelt one would otherwise change nothing, silently.
func (s *shape) unknown(key ast.Node, path, name string, known []string) {
	hint := "there are " + strings.Join(known, ", ")
	if near := nearest(name, known); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	s.add(key, path, "unknown key %q: %s", name, hint)
}

func (s *shape) names(node ast.Node, t reflect.Type, path string, depth int) {
	values, ok := pairs(node)
	if !ok {
		s.add(node, path, "%s stands where names and values are expected", sortOf(node))
		return
	}
	for _, pair := range values {
		key, merge := keyText(pair)
		if merge {
			s.walk(pair.Value, t, path, depth+1)
			continue
		}
		if _, text := pair.Key.(*ast.StringNode); !text {
			s.add(pair.Key, path, "%s stands where a name is expected; write it in quotes", sortOf(pair.Key))
			continue
		}
		s.walk(pair.Value, t.Elem(), path+"."+key, depth+1)
	}
}

func keyText(pair *ast.MappingValueNode) (text string, merge bool) {
	if n, ok := pair.Key.(*ast.StringNode); ok {
		return n.Value, false
	}
	return pair.Key.String(), pair.Key.IsMergeKey()
}

func (s *shape) list(node ast.Node, t reflect.Type, path string, depth int) {
	n, ok := node.(*ast.SequenceNode)
	if !ok {
		s.add(node, path, "%s stands where a list is expected", sortOf(node))
		return
	}
	for i, v := range n.Values {
		s.walk(v, t.Elem(), fmt.Sprintf("%s[%d]", path, i), depth+1)
	}
}

func (s *shape) scalar(node ast.Node, t reflect.Type, path string) {
	text, isText := textOf(node)
	switch {
	case t == reflect.TypeFor[time.Duration]():
		if _, err := time.ParseDuration(text); !isText || !duration.MatchString(text) || err != nil {
			s.add(node, path, "%s is no duration such as 90s, 10m or 1h30m", cmp.Or(text, sortOf(node)))
		}
	case t.Kind() == reflect.String && !isText:
		s.add(node, path, "%s stands where a text is expected; write it in quotes", sortOf(node))
	case t.Kind() == reflect.Bool && node.Type() != ast.BoolType:
		s.add(node, path, "%s stands where true or false is expected", sortOf(node))
	case t.Kind() == reflect.Int && !whole(node):
		s.add(node, path, "%s stands where a whole number is expected", sortOf(node))
	case t.Kind() == reflect.Float64 && !number(node):
		s.add(node, path, "%s stands where a number is expected", sortOf(node))
	}
}

// whole reports whether a node is a number that an int of 32 bits holds, too.
func whole(node ast.Node) bool {
	n, ok := node.(*ast.IntegerNode)
	if !ok {
		return false
	}
	switch v := n.Value.(type) {
	case int64:
		return v >= -1<<31 && v < 1<<31
	case uint64:
		return v < 1<<31
	default:
		return false
	}
}

// exponent is a number that the YAML library takes for a text, and writes.
var exponent = regexp.MustCompile(`^[0-9]+[eE][+-]?[0-9]+$`)

// number reports whether a node is a finite number.
func number(node ast.Node) bool {
	if n, ok := node.(*ast.StringNode); ok && n.Token.Type == token.StringType && exponent.MatchString(n.Value) {
		_, err := strconv.ParseFloat(n.Value, 64)
		return err == nil
	}
	return node.Type() == ast.IntegerType || node.Type() == ast.FloatType
}

func textOf(node ast.Node) (text string, ok bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	default:
		return "", false
	}
}

// sortOf says what stands somewhere. It never shows a text: that may be a secret in a wrong place.
func sortOf(node ast.Node) string {
	if _, ok := pairs(node); ok {
		return "a group of keys"
	}
	switch n := node.(type) {
	case *ast.SequenceNode:
		return "a list"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "the number " + n.String()
	case *ast.BoolNode:
		return n.String()
	case *ast.StringNode, *ast.LiteralNode:
		return "a text"
	case *ast.AliasNode, *ast.AnchorNode:
		return "a reference"
	default:
		return "something else"
	}
}

// keys lists the keys of a type, in the order in which they are documented.
func keys(t reflect.Type) (names []string) {
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		names = append(names, name)
	}
	return names
}

func field(t reflect.Type, key string) (reflect.StructField, bool) {
	i := slices.Index(keys(t), key)
	if i < 0 {
		return reflect.StructField{}, false
	}
	return t.Field(i), true
}

// nearest returns the name that is the fewest edits away, when those are few for its length.
func nearest(name string, names []string) (near string) {
	least := min(max(2, len(name)/3)+1, len(name))
	for _, n := range names {
		if d := edits(name, n); d < least {
			near, least = n, d
		}
	}
	return near
}

// edits counts the letters to insert, delete, replace, or swap with the next, that make b of a (optimal string alignment).
func edits(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		for j := range rows[i] {
			switch {
			case i == 0:
				rows[i][j] = j
			case j == 0:
				rows[i][j] = i
			default:
				differ := 1
				if a[i-1] == b[j-1] {
					differ = 0
				}
				rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+differ)
				if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
					rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
				}
			}
		}
	}
	return rows[len(a)][len(b)]
}
