package tree

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// step is one operation of a JSON Patch, of those that operations writes.
type step struct {
	Op    string `yaml:"op"`
	Path  string `yaml:"path"`
	Value any    `yaml:"value"`
}

var unescape = strings.NewReplacer("~1", "/", "~0", "~")

// applied returns a copy of an object with operations of RFC 6902 done to it.
func applied(object map[string]any, ops []step) (map[string]any, error) {
	out := copied(object)
	for _, op := range ops {
		steps := strings.Split(op.Path, "/")
		if len(steps) < 2 || steps[0] != "" {
			return nil, fmt.Errorf("%q is no path within an object", op.Path)
		}
		for i, s := range steps {
			steps[i] = unescape.Replace(s)
		}
		op.Value = plainNumbers(op.Value)
		var err error
		if out, err = op.do(out, steps[1:]); err != nil {
			return nil, fmt.Errorf("%s %s: %w", op.Op, op.Path, err)
		}
	}
	m, ok := out.(map[string]any)
	if !ok {
		return nil, errors.New("no mapping is left")
	}
	return m, nil
}

func (op *step) do(v any, path []string) (any, error) {
	key, last := path[0], len(path) == 1
	switch x := v.(type) {
	case map[string]any:
		was, there := x[key]
		switch {
		case last && op.Op == "test":
			return x, op.test(was)
		case !there && (!last || op.Op != "add"):
			return nil, fmt.Errorf("there is no %q", key)
		case last && op.Op == "remove":
			delete(x, key)
		case last && (op.Op == "add" || op.Op == "replace"):
			x[key] = copied(op.Value)
		case last:
			return nil, fmt.Errorf("the operation %q is none of add, replace, remove, test", op.Op)
		default:
			inner, err := op.do(x[key], path[1:])
			if err != nil {
				return nil, err
			}
			x[key] = inner
		}
		return x, nil
	case []any:
		return op.list(x, key, path)
	}
	return nil, fmt.Errorf("nothing stands below %q", key)
}

// test compares what stands there with the value; nothing there is equal to null.
func (op *step) test(was any) error {
	if !reflect.DeepEqual(was, op.Value) {
		return errors.New("something else stands there")
	}
	return nil
}

func (op *step) list(x []any, key string, path []string) (any, error) {
	last := len(path) == 1
	if last && op.Op == "add" && key == "-" {
		return append(x, copied(op.Value)), nil
	}
	i, err := strconv.Atoi(key)
	if err != nil || i < 0 || i > len(x) || i == len(x) && (!last || op.Op != "add") {
		return nil, fmt.Errorf("there is no element %q", key)
	}
	switch {
	case last && op.Op == "test":
		return x, op.test(x[i])
	case last && op.Op == "add":
		return slices.Insert(x, i, copied(op.Value)), nil
	case last && op.Op == "remove":
		return slices.Delete(x, i, i+1), nil
	case last && op.Op == "replace":
		x[i] = copied(op.Value)
		return x, nil
	case last:
		return nil, fmt.Errorf("the operation %q is none of add, replace, remove, test", op.Op)
	}
	x[i], err = op.do(x[i], path[1:])
	return x, err
}

func copied(v any) any {
	switch x := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(x))
		for k, v := range x {
			m[k] = copied(v)
		}
		return m
	case []any:
		l := make([]any, len(x))
		for i, v := range x {
			l[i] = copied(v)
		}
		return l
	}
	return v
}

// plainNumbers makes int64 of int, as objects have it.
func plainNumbers(v any) any {
	switch x := v.(type) {
	case map[string]any:
		for k, v := range x {
			x[k] = plainNumbers(v)
		}
	case []any:
		for i, v := range x {
			x[i] = plainNumbers(v)
		}
	case int:
		return int64(x)
	}
	return v
}
