package pipeline

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
)

// transform changes a value on its way from one object to the other.
type transform struct {
	Type    string                     `json:"type"`
	Map     map[string]json.RawMessage `json:"map,omitempty"`
	Match   *match                     `json:"match,omitempty"`
	Math    *math                      `json:"math,omitempty"`
	String  *text                      `json:"string,omitempty"`
	Convert *struct {
		ToType string `json:"toType"`
		Format string `json:"format,omitempty"`
	} `json:"convert,omitempty"`
}

type match struct {
	Patterns []struct {
		Type    string          `json:"type"`
		Literal *string         `json:"literal,omitempty"`
		Regexp  *string         `json:"regexp,omitempty"`
		Result  json.RawMessage `json:"result"`
	} `json:"patterns,omitempty"`
	FallbackValue json.RawMessage `json:"fallbackValue,omitempty"`
	FallbackTo    string          `json:"fallbackTo,omitempty"`
}

type math struct {
	Type     string `json:"type,omitempty"`
	Multiply *int64 `json:"multiply,omitempty"`
	ClampMin *int64 `json:"clampMin,omitempty"`
	ClampMax *int64 `json:"clampMax,omitempty"`
}

func (t *transform) apply(in any) (any, error) {
	switch {
	case t.Type == "map" && t.Map != nil:
		return t.lookUp(in)
	case t.Type == "match" && t.Match != nil:
		return t.Match.apply(in)
	case t.Type == "math" && t.Math != nil:
		return t.Math.apply(in)
	case t.Type == "string" && t.String != nil:
		return t.String.apply(in)
	case t.Type == "convert" && t.Convert != nil:
		if f := t.Convert.Format; f != "" && f != "none" {
			return nil, fmt.Errorf("convert with format %q is not supported", f)
		}
		return convert(in, t.Convert.ToType)
	}
	return nil, fmt.Errorf("transform %q is not supported, or lacks what it needs", t.Type)
}

func (t *transform) lookUp(in any) (out any, err error) {
	key, ok := in.(string)
	if !ok {
		return nil, fmt.Errorf("map takes a text, not %T", in)
	}
	v, ok := t.Map[key]
	if !ok {
		return nil, fmt.Errorf("map has no key %q", key)
	}
	return out, json.Unmarshal(v, &out)
}

// apply returns the result of the first pattern that matches, or the fallback; without one that is nil.
func (m *match) apply(in any) (out any, err error) {
	for i, p := range m.Patterns {
		s, ok := in.(string)
		if !ok {
			return nil, fmt.Errorf("match takes a text, not %T", in)
		}
		var hit bool
		switch {
		case p.Type == "literal" && p.Literal != nil:
			hit = s == *p.Literal
		case p.Type == "regexp" && p.Regexp != nil:
			if hit, err = regexp.MatchString(*p.Regexp, s); err != nil {
				return nil, err
			}
		default:
			return nil, fmt.Errorf("pattern %d: type %q is not supported, or lacks what it needs", i, p.Type)
		}
		if hit {
			return out, json.Unmarshal(p.Result, &out)
		}
	}
	switch {
	case m.FallbackTo == "Input" && m.FallbackValue != nil:
		return nil, errors.New("match has a fallback value and falls back to its input")
	case m.FallbackTo == "Input":
		return in, nil
	case m.FallbackValue == nil:
		return nil, nil
	}
	return out, json.Unmarshal(m.FallbackValue, &out)
}

func (m *math) apply(in any) (any, error) {
	n, isWhole := in.(int64)
	f, isFloat := in.(float64)
	if isFloat {
		n = int64(f)
	}
	switch {
	case !isWhole && !isFloat:
		return nil, fmt.Errorf("math takes a number, not %T", in)
	case (m.Type == "" || m.Type == "Multiply") && m.Multiply != nil && isFloat:
		return f * float64(*m.Multiply), nil
	case (m.Type == "" || m.Type == "Multiply") && m.Multiply != nil:
		return n * *m.Multiply, nil
	case m.Type == "ClampMin" && m.ClampMin != nil:
		if n < *m.ClampMin {
			return *m.ClampMin, nil
		}
		return in, nil
	case m.Type == "ClampMax" && m.ClampMax != nil:
		if n > *m.ClampMax {
			return *m.ClampMax, nil
		}
		return in, nil
	}
	return nil, fmt.Errorf("math %q is not supported, or lacks what it needs", m.Type)
}

// convert changes the type of a scalar.
func convert(in any, to string) (any, error) {
	if to == "int" {
		to = "int64"
	}
	switch v := in.(type) {
	case string:
		switch to {
		case "string":
			return v, nil
		case "int64":
			return strconv.ParseInt(v, 10, 64)
		case "float64":
			return strconv.ParseFloat(v, 64)
		case "bool":
			return strconv.ParseBool(v)
		}
	case int64:
		switch to {
		case "string":
			return strconv.FormatInt(v, 10), nil
		case "int64":
			return v, nil
		case "float64":
			return float64(v), nil
		case "bool":
			return v == 1, nil
		}
	case float64:
		switch to {
		case "string":
			return strconv.FormatFloat(v, 'f', -1, 64), nil
		case "int64":
			return int64(v), nil
		case "float64":
			return v, nil
		case "bool":
			return v == 1, nil
		}
	case bool:
		return convertBool(v, to)
	}
	return nil, fmt.Errorf("convert from %T to %q is not supported", in, to)
}

func convertBool(v bool, to string) (any, error) {
	n := 0
	if v {
		n = 1
	}
	switch to {
	case "string":
		return strconv.FormatBool(v), nil
	case "int64":
		return int64(n), nil
	case "float64":
		return float64(n), nil
	case "bool":
		return v, nil
	}
	return nil, fmt.Errorf("convert from bool to %q is not supported", to)
}
