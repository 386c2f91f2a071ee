package expr

import (
	"fmt"
	"strings"
)

// truth renders a value as a condition. MySQL takes every number but zero as true.
func (t *translator) truth(v value) (value, error) {
	switch v.kind {
	case boolean:
		return v, nil
	case null:
		return value{sql: "NULL::boolean", prec: pCast, kind: boolean}, nil
	case integer, decimal, float:
		if v.num != "" {
			zero := strings.Trim(v.num, "-0.") == ""
			return value{sql: fmt.Sprint(!zero), prec: pAtom, kind: boolean, notNull: true}, nil
		}
		return binary(boolean, v, "<>", intLiteral(0), pCompare), nil
	case bits:
		return binary(boolean, v, "<>", bitLiteral(0, v.width), pCompare), nil
	case bytes:
		if v.lit != nil {
			n, err := bytesNumber(v)
			if err != nil {
				return value{}, err
			}
			return t.truth(n)
		}
	default: // refused below
	}
	return value{}, refuse("MySQL turns %s into a number to use it as a condition", v.kind)
}

// number renders a value as MySQL's number. Only what is exactly a number is taken.
func (t *translator) number(v value) (value, error) {
	switch v.kind {
	case integer, decimal, null:
		return v, nil
	case float:
		if v.width == 32 {
			w := v.as("float8", float)
			w.width = 64
			return w, nil
		}
		return v, nil
	case boolean:
		w := v.as("int", integer)
		w.width = 32
		return w, nil
	case bytes:
		if v.lit != nil {
			return bytesNumber(v)
		}
	default: // refused below
	}
	return value{}, refuse("MySQL turns %s into a number here, by rules that PostgreSQL has not", v.kind)
}

// toText renders a value as the text that MySQL makes of it.
func (t *translator) toText(v value) (value, error) {
	switch v.kind {
	case text, null:
		if v.charset == "binary" {
			return value{}, refuse("a binary string can only be compared")
		}
		if v.source == fromEnum || v.source == fromSet {
			v.source, v.members = plain, nil
		}
		return v, nil
	case boolean:
		n, _ := t.number(v)
		return t.toText(n)
	case integer:
		if v.source == fromYear {
			return value{sql: "lpad(" + v.in(pCast) + "::text, 4, '0')", prec: pAtom, kind: text, notNull: v.notNull}, nil
		}
		return v.as("text", text), nil
	case decimal:
		if v.num != "" {
			return textLiteral(v.num), nil
		}
		if v.fracLow != v.scale || v.fracHigh != v.scale {
			v = call(decimal, "round", v, intLiteral(int64(v.scale))) // which also adds zeros
		}
		return v.as("text", text), nil
	case date:
		return dateFormat(v, "%Y-%m-%d")
	case uuid:
		return v.as("text", text), nil
	case members:
		return value{sql: "array_to_string(" + v.sql + ", ',')", prec: pAtom, kind: text, notNull: v.notNull}, refuseUnless(t.Use == Default, "array_to_string is not immutable")
	case float:
		return value{}, refuse("the two servers write floats differently")
	case bytes:
		return value{}, refuse("MySQL makes a binary string of it, PostgreSQL's text and bytea do not mix")
	default:
		return value{}, refuse("%s as text depends on settings of the session on PostgreSQL", v.kind)
	}
}

func refuseUnless(ok bool, why string) error {
	if ok {
		return nil
	}
	return refuse("%s", why)
}

// wide casts an integer to bigint, in which MySQL computes.
func wide(v value) value {
	if v.big || v.width == 64 {
		return v
	}
	w := v.as("bigint", integer)
	w.width, w.unsigned = 64, v.unsigned
	return w
}

// unify brings the branches of CASE, COALESCE and their like to one kind.
func (t *translator) unify(vs []value) ([]value, value, error) {
	var proto value
	seen := map[kind]bool{}
	for _, v := range vs {
		if v.kind != null {
			seen[v.kind] = true
		}
	}
	if len(seen) == 0 {
		return vs, nullValue(), nil
	}
	goal, err := common(seen)
	if err != nil {
		return nil, value{}, err
	}
	out, first := make([]value, len(vs)), true
	for i, v := range vs {
		out[i] = v
		if v.kind == null {
			continue
		}
		if out[i], err = t.into(v, goal); err != nil {
			return nil, value{}, err
		}
		if first {
			proto, first = out[i], false
			continue
		}
		proto = widen(proto, out[i])
	}
	proto.kind = goal
	proto.lit, proto.num, proto.column, proto.base, proto.steps, proto.members = nil, "", "", nil, nil, nil
	return out, proto, nil
}

// common is the kind that MySQL gives to a mix of kinds.
func common(seen map[kind]bool) (kind, error) {
	if len(seen) == 1 {
		for k := range seen {
			return k, nil
		}
	}
	only := func(ks ...kind) bool {
		n := 0
		for _, k := range ks {
			if seen[k] {
				n++
			}
		}
		return n == len(seen)
	}
	switch {
	case only(boolean, integer):
		return integer, nil
	case only(boolean, integer, decimal):
		return decimal, nil
	case only(boolean, integer, decimal, float):
		return float, nil
	case only(date, datetime):
		return datetime, nil
	case only(text, boolean, integer, decimal, uuid):
		return text, nil
	}
	names := []string{}
	for k := null; k <= opaque; k++ {
		if seen[k] {
			names = append(names, k.String())
		}
	}
	return 0, refuse("its branches are %s", strings.Join(names, " and "))
}

func (t *translator) into(v value, goal kind) (value, error) {
	switch {
	case v.kind == goal && v.source == fromSet && v.kind == text, v.kind == goal && goal != float:
		return v, nil
	case goal == text:
		return t.toText(v)
	case goal == integer, goal == decimal:
		n, err := t.number(v)
		if goal == decimal && n.kind == integer {
			n.scale, n.fracLow, n.fracHigh = 0, 0, 0
		}
		return n, err
	case goal == float:
		n, err := t.number(v)
		if err != nil || n.kind == float {
			return n, err
		}
		f := n.as("float8", float)
		f.width = 64
		return f, nil
	case goal == datetime:
		return v.as("timestamp", datetime), nil
	}
	return v, nil
}

// widen is what is known of a value that is either a or b.
func widen(a, b value) value {
	a.width = max(a.width, b.width)
	a.big = a.big || b.big
	a.unsigned = a.unsigned && b.unsigned
	a.scale = max(a.scale, b.scale)
	a.fracLow, a.fracHigh = min(a.fracLow, b.fracLow), max(a.fracHigh, b.fracHigh)
	if a.lit != nil && b.lit == nil {
		a.charset, a.collation, a.ownCollation = b.charset, b.collation, b.ownCollation
	} else if b.lit == nil && a.charset != b.charset {
		a.charset = mixed
	}
	a.jsonb = a.jsonb && b.jsonb
	if a.source != b.source {
		a.source = plain
	}
	a.lit = nil
	return a
}

// mixed is the character set of text that was put together from several.
const mixed = "?"
