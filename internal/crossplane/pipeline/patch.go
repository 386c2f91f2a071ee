package pipeline

import (
	"errors"
	"fmt"
)

// errSkip is a required field that is not there: the resource is not made yet.
var errSkip = errors.New("a required field is not there yet")

// sides are the objects between which patches run.
type sides struct {
	composite map[string]any // as it is
	status    map[string]any // what becomes of it: an object with a status only
	composed  map[string]any // what is made
	observed  map[string]any // what was made before; nil where nothing was
}

// apply carries out a patch. It returns errSkip for a resource that must wait.
func (p *patch) apply(s *sides) error {
	if p.Policy != nil && p.Policy.ToFieldPath != "" && p.Policy.ToFieldPath != "Replace" {
		return fmt.Errorf("policy toFieldPath %q is not supported", p.Policy.ToFieldPath)
	}
	var from, to map[string]any
	combined := false
	switch p.Type {
	case "", "FromCompositeFieldPath":
		from, to = s.composite, s.composed
	case "CombineFromComposite":
		from, to, combined = s.composite, s.composed, true
	case "ToCompositeFieldPath":
		from, to = s.observed, s.status
	case "CombineToComposite":
		from, to, combined = s.observed, s.status, true
	default:
		return fmt.Errorf("type %q is not supported", p.Type)
	}
	if from == nil {
		return nil // what is made now has nothing to say yet
	}
	v, err := p.value(from, combined)
	if errors.Is(err, errNotFound) {
		return p.missing(s, err)
	}
	if err != nil {
		return err
	}
	path := p.ToFieldPath
	if path == "" && !combined {
		path = p.FromFieldPath
	}
	return set(to, path, v)
}

// missing decides about a patch whose field is not there. What exists already is kept as it is.
func (p *patch) missing(s *sides, err error) error {
	policy := ""
	if p.Policy != nil {
		policy = p.Policy.FromFieldPath
	}
	toComposed := p.Type == "" || p.Type == "FromCompositeFieldPath" || p.Type == "CombineFromComposite"
	switch {
	case policy == "" || policy == "Optional":
		return nil
	case policy != "Required":
		return fmt.Errorf("policy fromFieldPath %q is not supported", policy)
	case toComposed && s.observed == nil:
		return fmt.Errorf("%w: %w", errSkip, err)
	}
	return nil
}

func (p *patch) value(from map[string]any, combined bool) (v any, err error) {
	if combined {
		v, err = p.Combine.value(from)
	} else {
		v, err = get(from, p.FromFieldPath)
	}
	if err != nil {
		return nil, err
	}
	for i := range p.Transforms {
		if v, err = duplicate(v); err != nil {
			return nil, err
		}
		if v, err = p.Transforms[i].apply(v); err != nil {
			return nil, fmt.Errorf("transform %d: %w", i, err)
		}
	}
	return duplicate(v)
}

func (c *combine) value(from map[string]any) (any, error) {
	if c == nil || c.Strategy != "string" || c.String == nil || len(c.Variables) == 0 {
		return nil, errors.New("combine has no variables or no format, or another strategy than string")
	}
	values := make([]any, len(c.Variables))
	for i, v := range c.Variables {
		var err error
		if values[i], err = get(from, v.FromFieldPath); err != nil {
			return nil, err
		}
	}
	return format(c.String.Format, values...)
}
