package expr

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// comparable brings values that are compared with each other (the operands of
// =, BETWEEN, IN, NULLIF) to kinds that PostgreSQL compares as MySQL does.
// Ordered says that their order matters and not only their equality.
func (t *translator) comparable(vs []value, ordered bool) ([]value, error) {
	vs = slices.Clone(vs)
	if err := t.flagsToNumbers(vs); err != nil {
		return nil, err
	}
	lead := leader(vs)
	if slices.ContainsFunc(vs, value.year) && slices.ContainsFunc(vs, shortYear) {
		return nil, refuse("MySQL reads a YEAR of two digits as 1970 to 2069")
	}
	for i, v := range vs {
		w, err := t.against(v, lead, ordered)
		if err != nil {
			return nil, err
		}
		vs[i] = w
	}
	if lead.kind == text {
		return t.collated(vs, ordered)
	}
	return vs, nil
}

func (v value) year() bool { return v.source == fromYear }

// shortYear reports whether a literal that meets a YEAR is not one in full.
func shortYear(v value) bool {
	digits := v.num
	if v.kind == text && v.lit != nil {
		digits = *v.lit
	}
	return v.literal() && v.kind != null && (len(digits) != 4 || strings.Trim(digits, "0123456789") != "")
}

// flagsToNumbers makes numbers of booleans that are compared with numbers.
func (t *translator) flagsToNumbers(vs []value) error {
	numbers := slices.ContainsFunc(vs, value.numeric)
	for i, v := range vs {
		if !numbers || v.kind != boolean {
			continue
		}
		n, err := t.number(v)
		if err != nil {
			return err
		}
		vs[i] = n
	}
	return nil
}

// leader is the value that decides how the others are compared: MySQL gives a
// literal the type of what it meets.
func leader(vs []value) value {
	best, rank := nullValue(), -1
	for _, v := range vs {
		var r int
		switch {
		case v.kind == null:
			r = -1
		case v.lit != nil:
			r = 1
		case v.num != "":
			r = 2
		case v.kind == boolean:
			r = 3
		case v.kind == integer:
			r = 4
		case v.kind == date:
			r = 5
		default:
			r = 6
		}
		if r > rank {
			best, rank = v, r
		}
	}
	return best
}

// against brings one value to the kind of the leading one.
func (t *translator) against(v, lead value, ordered bool) (value, error) {
	if v.kind == null {
		return v, nil
	}
	switch lead.kind {
	case boolean, integer, decimal, float:
		return t.againstNumber(v, lead)
	case text:
		if lead.source == fromEnum && (ordered || v.kind != text) {
			return value{}, refuse("MySQL compares an ENUM by its position in the list here")
		}
		if v.numeric() || v.kind == boolean {
			return value{}, refuse("MySQL compares text with a number as floats, and '10abc' equals 10 there")
		}
		if v.kind == text {
			return v, nil
		}
	case date, datetime, clock, span:
		return againstTime(v, lead)
	case instant:
		if v.kind == instant {
			return v, nil
		}
		return value{}, refuse("what a TIMESTAMP is equal to depends on the session's time zone")
	case bytes:
		return againstBytes(v)
	case bits:
		return againstBits(v, lead, ordered)
	case choice:
		return againstChoice(v, lead, ordered)
	case members:
		return againstMembers(v, lead, ordered)
	case uuid:
		if (v.kind == uuid || (v.lit != nil && v.kind == text)) && !ordered {
			return v, nil
		}
	case document:
		return t.againstDocument(v, lead, ordered)
	default: // refused below
	}
	return value{}, refuse("MySQL compares %s with %s by rules that PostgreSQL has not", lead.kind, v.kind)
}

func (t *translator) againstNumber(v, lead value) (value, error) {
	switch {
	case v.kind == text && v.lit != nil:
		return textNumber(v)
	case v.kind == text:
		return value{}, refuse("MySQL compares text with a number as floats, and '10abc' equals 10 there")
	case v.kind == boolean && lead.kind == boolean:
		return v, nil
	case v.kind == float:
		return v, nil // numbers meet a float as floats on both sides
	}
	return t.number(v)
}

func againstTime(v, lead value) (value, error) {
	if v.lit != nil && v.kind == text {
		return timeLiteral(*v.lit, lead.kind)
	}
	days := func(k kind) bool { return k == date || k == datetime }
	if v.kind == lead.kind || (days(v.kind) && days(lead.kind)) {
		return v, nil
	}
	return value{}, refuse("MySQL compares %s with %s by rules that PostgreSQL has not", lead.kind, v.kind)
}

// timeLiteral reads a string as MySQL does where it meets a date or a time.
// Only the full forms are taken; of the abbreviated ones MySQL has too many.
func timeLiteral(s string, k kind) (value, error) {
	forms := map[kind][]string{
		date:     {"2006-01-02", "2006-01-02 15:04:05.999999"},
		datetime: {"2006-01-02", "2006-01-02 15:04:05.999999"},
		clock:    {"15:04:05.999999"},
		span:     {"15:04:05.999999"},
	}
	for _, f := range forms[k] {
		at, err := time.Parse(f, s)
		if err != nil || at.Year() < 1 && k != clock && k != span || strings.Contains(s, ",") {
			continue
		}
		typ, out := "DATE", date
		switch {
		case k == clock:
			typ, out = "TIME", clock
		case k == span:
			typ, out = "INTERVAL", span
		case f != forms[date][0] || k == datetime:
			typ, out = "TIMESTAMP", datetime
		}
		return value{sql: typ + " " + quote(s), prec: pAtom, kind: out, notNull: true}, nil
	}
	return value{}, refuse("%q is not written in full as %s that exists", s, k)
}

func againstBytes(v value) (value, error) {
	switch {
	case v.kind == bytes:
		return v, nil
	case v.kind == text && v.lit != nil:
		return bytesLiteral(*v.lit), nil
	}
	return value{}, refuse("MySQL compares bytes with %s by rules that PostgreSQL has not", v.kind)
}

func againstBits(v, lead value, ordered bool) (value, error) {
	switch {
	case v.kind == bits && v.width == lead.width && !ordered:
		return v, nil
	case v.kind == bytes && v.lit != nil:
		n, err := bytesNumber(v)
		if err != nil {
			return value{}, err
		}
		return againstBits(n, lead, ordered)
	case v.kind == integer && v.num != "" && !v.big && v.num[0] != '-':
		var n uint64
		if _, err := fmt.Sscan(v.num, &n); err != nil || (lead.width < 64 && n>>lead.width != 0) {
			return value{}, refuse("%s does not fit %d bits", v.num, lead.width)
		}
		return bitLiteral(n, lead.width), nil
	}
	return value{}, refuse("MySQL compares bits with %s as numbers", v.kind)
}

func bitLiteral(n uint64, width int) value {
	return value{sql: fmt.Sprintf("B'%0*b'", width, n), prec: pAtom, kind: bits, width: width, notNull: true}
}

func againstChoice(v, lead value, ordered bool) (value, error) {
	if ordered || v.lit == nil || v.kind != text {
		if v.kind == choice && v.column == lead.column {
			return v, nil
		}
		return value{}, refuse("an enum can only be compared for equality with one of its members")
	}
	if !slices.Contains(lead.members, *v.lit) {
		return value{}, refuse("%q is not a member of the enum", *v.lit)
	}
	return v, nil
}

func againstMembers(v, lead value, ordered bool) (value, error) {
	if v.kind == members && v.column == lead.column {
		return v, nil
	}
	if ordered || v.lit == nil || v.kind != text {
		return value{}, refuse("a set can only be compared for equality with a list of its members")
	}
	return setLiteral(*v.lit, lead.members)
}

// setLiteral is a list of members as an array. Only the order of the set's
// definition is taken: it is how MySQL keeps a set, and 'b,a' equals none.
func setLiteral(list string, all []string) (value, error) {
	var have []string
	if list != "" {
		have = strings.Split(list, ",")
	}
	var sorted []string
	for _, m := range all {
		if slices.Contains(have, m) {
			sorted = append(sorted, quote(m))
		}
	}
	if len(sorted) != len(have) || !slices.IsSortedFunc(have, func(a, b string) int { return slices.Index(all, a) - slices.Index(all, b) }) {
		return value{}, refuse("%q is not a list of members of the set in the order of its definition", list)
	}
	return value{sql: "ARRAY[" + strings.Join(sorted, ", ") + "]::text[]", prec: pCast, kind: members, notNull: true}, nil
}

// againstDocument compares JSON with a literal for equality: JSON text with
// JSON text and JSON numbers with numbers, as MySQL's JSON type does.
func (t *translator) againstDocument(v, lead value, ordered bool) (value, error) {
	switch {
	case t.Dialect != "mysql":
		return value{}, refuse("MariaDB compares JSON as text")
	case ordered || !lead.jsonb:
		return value{}, refuse("the two servers order JSON differently")
	case v.kind == document && v.jsonb:
		return v, nil
	case v.kind == text && v.lit != nil:
		return raw(document, quote(jsonString(*v.lit))+"::jsonb"), nil
	case v.num != "" && v.kind != float:
		return raw(document, quote(v.num)+"::jsonb"), nil
	}
	return value{}, refuse("MySQL compares JSON with %s by rules that PostgreSQL has not", v.kind)
}
