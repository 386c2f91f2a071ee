package expr

import (
	"strconv"
	"strings"
)

// step is one leg of a JSON path: a key, or an index of an array.
type step struct {
	key   string
	index int
	array bool
}

// sql is the step as the right operand of -> and ->>. A text operand finds keys
// of objects only and an integer one elements of arrays only, as in MySQL's paths.
func (s step) sql() string {
	if s.array {
		return strconv.Itoa(s.index)
	}
	return quote(s.key)
}

// parsePath reads a MySQL JSON path of keys and indexes: $.a."b c"[0][last].
// Wildcards and ranges make many values of one and are refused.
func parsePath(path string) ([]step, error) {
	rest := strings.TrimSpace(path)
	if !strings.HasPrefix(rest, "$") {
		return nil, refuse("the JSON path %q does not begin with $", path)
	}
	rest = rest[1:]
	var steps []step
	for rest = strings.TrimLeft(rest, " "); rest != ""; rest = strings.TrimLeft(rest, " ") {
		var s step
		var ok bool
		switch rest[0] {
		case '.':
			s, rest, ok = parseKey(strings.TrimLeft(rest[1:], " "))
		case '[':
			s, rest, ok = parseIndex(rest[1:])
		}
		if !ok {
			return nil, refuse("the JSON path %q is more than keys and indexes", path)
		}
		steps = append(steps, s)
	}
	return steps, nil
}

func parseKey(rest string) (step, string, bool) {
	if strings.HasPrefix(rest, `"`) {
		key, after, ok := strings.Cut(rest[1:], `"`)
		return step{key: key}, after, ok && !strings.Contains(key, `\`)
	}
	end := strings.IndexAny(rest, ".[ *")
	if end < 0 {
		end = len(rest)
	}
	return step{key: rest[:end]}, rest[end:], end > 0 && !strings.ContainsAny(rest[:end], `"\]`)
}

func parseIndex(rest string) (step, string, bool) {
	inside, after, ok := strings.Cut(rest, "]")
	inside = strings.TrimSpace(inside)
	if inside == "last" {
		return step{array: true, index: -1}, after, ok
	}
	n, err := strconv.ParseUint(inside, 10, 31)
	return step{array: true, index: int(n)}, after, ok && err == nil
}
