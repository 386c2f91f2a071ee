package pipeline

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// errNotFound is a path that leads to nothing: an optional patch is left out then.
var errNotFound = errors.New("no such field")

// segment is one step of a path: the name of a field, or the index of an element.
type segment struct {
	name  string
	index int // -1 for a name
}

// parsePath reads a path as Crossplane writes it: spec.disks[0].size, metadata.annotations[crossplane.io/external-name].
func parsePath(path string) ([]segment, error) {
	var out []segment
	rest := path
	for rest != "" {
		if rest[0] == '[' {
			inner, after, ok := strings.Cut(rest[1:], "]")
			switch {
			case !ok || inner == "":
				return nil, fmt.Errorf("path %q: a bracket does not end", path)
			case inner == "*":
				return nil, fmt.Errorf("path %q: the wildcard [*] is not supported", path)
			case strings.ContainsAny(inner, `'"`):
				return nil, fmt.Errorf("path %q: a name in brackets stands without quotes", path)
			}
			if n, err := strconv.ParseUint(inner, 10, 16); err == nil {
				out = append(out, segment{index: int(n)})
			} else {
				out = append(out, segment{inner, -1})
			}
			rest = strings.TrimPrefix(after, ".")
			continue
		}
		end := strings.IndexAny(rest, ".[")
		if end < 0 {
			end = len(rest)
		}
		if end == 0 {
			return nil, fmt.Errorf("path %q: a name is missing", path)
		}
		out = append(out, segment{rest[:end], -1})
		rest = strings.TrimPrefix(rest[end:], ".")
	}
	if len(out) == 0 {
		return nil, errors.New("an empty path")
	}
	return out, nil
}

// get returns what stands at a path. The error is errNotFound where nothing does, and another where the path contradicts the object.
func get(object map[string]any, path string) (any, error) {
	segments, err := parsePath(path)
	if err != nil {
		return nil, err
	}
	var at any = object
	for _, s := range segments {
		switch v := at.(type) {
		case map[string]any:
			next, ok := v[s.name]
			if s.index >= 0 {
				return nil, fmt.Errorf("%s: an object is no list", path)
			}
			if !ok {
				return nil, fmt.Errorf("%s: %w", path, errNotFound)
			}
			at = next
		case []any:
			if s.index < 0 {
				return nil, fmt.Errorf("%s: a list has no field %q", path, s.name)
			}
			if s.index >= len(v) {
				return nil, fmt.Errorf("%s: %w", path, errNotFound)
			}
			at = v[s.index]
		case nil:
			return nil, fmt.Errorf("%s: %w", path, errNotFound)
		default:
			return nil, fmt.Errorf("%s: %T has no fields", path, at)
		}
	}
	return at, nil
}

// set puts a value at a path, and makes the objects and lists on the way.
func set(object map[string]any, path string, value any) error {
	segments, err := parsePath(path)
	if err != nil {
		return err
	}
	if segments[0].index >= 0 {
		return fmt.Errorf("%s: an object is no list", path)
	}
	_, err = put(object, segments, value)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// put returns what at has become.
func put(at any, segments []segment, value any) (any, error) {
	if len(segments) == 0 {
		return value, nil
	}
	s := segments[0]
	if s.index < 0 {
		m, ok := at.(map[string]any)
		if at != nil && !ok {
			return nil, fmt.Errorf("%T has no field %q", at, s.name)
		}
		if m == nil {
			m = map[string]any{}
		}
		next, err := put(m[s.name], segments[1:], value)
		m[s.name] = next
		return m, err
	}
	l, ok := at.([]any)
	if at != nil && !ok {
		return nil, fmt.Errorf("%T has no element %d", at, s.index)
	}
	for len(l) <= s.index {
		l = append(l, nil)
	}
	next, err := put(l[s.index], segments[1:], value)
	l[s.index] = next
	return l, err
}
