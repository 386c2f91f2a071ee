package pipeline

import (
	"errors"
	"fmt"
)

// ready says whether an observed resource is ready by the checks of its template; without any, by its condition Ready.
func (t *template) ready(observed map[string]any) (bool, error) {
	if len(t.ReadinessChecks) == 0 {
		return condition(observed, "Ready") == "True", nil
	}
	for i := range t.ReadinessChecks {
		ok, err := t.ReadinessChecks[i].holds(observed)
		if err != nil {
			return false, fmt.Errorf("resource %s: readiness check %d: %w", t.Name, i, err)
		}
		if !ok {
			return false, nil
		}
	}
	return true, nil
}

func (c *check) holds(observed map[string]any) (bool, error) {
	switch {
	case c.Type == "None":
		return true, nil
	case c.Type == "MatchCondition" && c.MatchCondition != nil:
		return condition(observed, c.MatchCondition.Type) == c.MatchCondition.Status, nil
	}
	v, err := get(observed, c.FieldPath)
	if errors.Is(err, errNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	switch c.Type {
	case "NonEmpty":
		return true, nil
	case "MatchString":
		return v == c.MatchString, nil
	case "MatchInteger":
		return v == c.MatchInteger, nil
	case "MatchTrue":
		return v == true, nil
	case "MatchFalse":
		return v == false, nil
	}
	return false, fmt.Errorf("type %q is not supported", c.Type)
}

// condition returns the status of a condition, Unknown where there is none.
func condition(object map[string]any, kind string) string {
	list, _ := get(object, "status.conditions")
	conditions, _ := list.([]any)
	for _, c := range conditions {
		if m, ok := c.(map[string]any); ok && m["type"] == kind {
			s, _ := m["status"].(string)
			return s
		}
	}
	return "Unknown"
}
