package schema

import (
	"encoding/json"
	"fmt"
	"reflect"
)

// kinds lists one zero value of every Type, so that JSON can be read back.
var kinds = []Type{
	Bool{},
	Int{},
	Bit{},
	Decimal{},
	Float{},
	Text{},
	Binary{},
	Enum{},
	Set{},
	TextArray{},
	JSON{},
	Date{},
	Time{},
	Interval{},
	DateTime{},
	Timestamp{},
	Year{},
	UUID{},
	Inet{},
	Geometry{},
	Vector{},
	Other{},
}

// columnJSON is Column without its methods, and with the type spelled out.
type columnJSON struct {
	*columnFields
	Type json.RawMessage `json:"type"`
}

type columnFields Column

// MarshalJSON writes the column with its type as {"kind": ..., fields}.
func (c *Column) MarshalJSON() ([]byte, error) {
	t, err := MarshalType(c.Type)
	if err != nil {
		return nil, fmt.Errorf("marshal column %q: %w", c.Name, err)
	}
	return json.Marshal(columnJSON{(*columnFields)(c), t})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (c *Column) UnmarshalJSON(b []byte) error {
	j := columnJSON{columnFields: (*columnFields)(c)}
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	t, err := UnmarshalType(j.Type)
	if err != nil {
		return fmt.Errorf("unmarshal column %q: %w", c.Name, err)
	}
	c.Type = t
	return nil
}

// MarshalType writes a type as one JSON object whose "kind" names it.
func MarshalType(t Type) ([]byte, error) {
	if t == nil {
		return []byte("null"), nil
	}
	b, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	head := fmt.Appendf(nil, `{"kind":%q`, t.Kind())
	if len(b) > 2 {
		head = append(head, ',')
	}
	return append(head, b[1:]...), nil
}

// UnmarshalType reads what MarshalType wrote; an unknown kind is an error.
func UnmarshalType(b []byte) (Type, error) {
	var k struct {
		Kind string `json:"kind"`
	}
	if err := json.Unmarshal(b, &k); err != nil {
		return nil, err
	}
	if k.Kind == "" {
		return nil, nil
	}
	for _, zero := range kinds {
		if zero.Kind() != k.Kind {
			continue
		}
		v := reflect.New(reflect.TypeOf(zero))
		if err := json.Unmarshal(b, v.Interface()); err != nil {
			return nil, fmt.Errorf("unmarshal type %q: %w", k.Kind, err)
		}
		return v.Elem().Interface().(Type), nil
	}
	return nil, fmt.Errorf("unknown type kind %q", k.Kind)
}
