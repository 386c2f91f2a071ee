package pipeline

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// text is a transform into a text.
type text struct {
	Type    string  `json:"type,omitempty"`
	Format  *string `json:"fmt,omitempty"`
	Convert string  `json:"convert,omitempty"`
	Trim    *string `json:"trim,omitempty"`
	Regexp  *struct {
		Match string `json:"match"`
		Group int    `json:"group,omitempty"`
	} `json:"regexp,omitempty"`
}

func (t *text) apply(in any) (any, error) {
	switch {
	case (t.Type == "" || t.Type == "Format") && t.Format != nil:
		return format(*t.Format, in)
	case t.Type == "Convert":
		return t.convert(in)
	case t.Type == "TrimPrefix" && t.Trim != nil:
		return strings.TrimPrefix(fmt.Sprint(in), *t.Trim), nil
	case t.Type == "TrimSuffix" && t.Trim != nil:
		return strings.TrimSuffix(fmt.Sprint(in), *t.Trim), nil
	case t.Type == "Regexp" && t.Regexp != nil:
		re, err := regexp.Compile(t.Regexp.Match)
		if err != nil {
			return nil, err
		}
		groups := re.FindStringSubmatch(fmt.Sprint(in))
		if t.Regexp.Group < 0 || t.Regexp.Group >= len(groups) {
			return nil, fmt.Errorf("%q does not match %s (group %d)", fmt.Sprint(in), t.Regexp.Match, t.Regexp.Group)
		}
		return groups[t.Regexp.Group], nil
	}
	return nil, fmt.Errorf("string %q is not supported, or lacks what it needs", t.Type)
}

func (t *text) convert(in any) (any, error) {
	s := fmt.Sprint(in)
	switch t.Convert {
	case "ToUpper":
		return strings.ToUpper(s), nil
	case "ToLower":
		return strings.ToLower(s), nil
	case "ToBase64":
		return base64.StdEncoding.EncodeToString([]byte(s)), nil
	case "FromBase64":
		b, err := base64.StdEncoding.DecodeString(s)
		return string(b), err
	case "ToJson":
		b, err := json.Marshal(in)
		return string(b), err
	}
	return nil, fmt.Errorf("string convert %q is not supported", t.Convert)
}

// format writes values by a format of Go. The function itself would go on with the complaint that Go writes into the text where a verb and a value do not fit.
func format(how string, values ...any) (any, error) {
	s := fmt.Sprintf(how, values...)
	if strings.Contains(s, "%!") {
		return nil, fmt.Errorf("format %q does not fit its values: %s", how, s)
	}
	return s, nil
}
