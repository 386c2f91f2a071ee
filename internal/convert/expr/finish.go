package expr

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/bascule/bascule/internal/schema"
)

// finish gives a whole expression the form that its use needs: a condition for
// a check, the column's type for a default or a generated column.
func (t *translator) finish(v value) (value, error) {
	if t.Use == Check && t.inline == 0 {
		return t.truth(v)
	}
	if t.Into == nil || t.Use == Index {
		return t.anywhere(v)
	}
	if v.kind == null {
		return v, nil
	}
	switch typ := t.Into.Target.(type) {
	case schema.Bool:
		return t.intoBool(v)
	case schema.Int, schema.Decimal, schema.Float:
		return t.intoNumber(v, typ)
	case schema.Text:
		return t.intoText(v, typ.Length)
	case schema.Date:
		return t.intoDate(v)
	case schema.DateTime:
		return t.intoDateTime(v)
	case schema.Timestamp:
		return t.intoInstant(v)
	case schema.Time:
		return t.intoTime(v, clock)
	case schema.Interval:
		return t.intoTime(v, span)
	case schema.JSON:
		return t.intoDocument(v, typ.Parsed)
	case schema.Binary:
		return intoBytes(v, t.Into.Source)
	case schema.Bit:
		return againstBits(v, value{kind: bits, width: typ.N}, false)
	case schema.Enum:
		return againstChoice(v, value{kind: choice, members: typ.Members}, false)
	case schema.TextArray:
		if s, ok := t.Into.Source.(schema.Set); ok {
			return againstMembers(v, value{kind: members, members: s.Members}, false)
		}
	case schema.UUID:
		return intoUUID(v)
	}
	return value{}, refuse("a value of %s cannot become %s", v.kind, t.Into.Target.Kind())
}

// anywhere is a value whose column is not known: an index part.
func (t *translator) anywhere(v value) (value, error) {
	if v.kind == opaque {
		return value{}, refuse("the type of the column is not one that expressions are translated for")
	}
	if v.kind == uuid && v.column == "" {
		return t.toText(v)
	}
	return v, nil
}

func (t *translator) intoBool(v value) (value, error) {
	if v.kind == boolean || v.num == "0" || v.num == "1" {
		return t.truth(v)
	}
	if v.kind == bytes && v.lit != nil {
		return t.truth(v)
	}
	return value{}, refuse("the column is boolean on the target, and %s may be more than 0 or 1", v.kind)
}

// intoNumber leaves the last step, rounding to the column's type, to
// PostgreSQL's assignment, which rounds as MySQL's does.
func (t *translator) intoNumber(v value, typ schema.Type) (value, error) {
	switch {
	case v.kind == text && v.lit == nil && v.source == plain:
		t.note("text that is not a number stops the row on PostgreSQL; without strict mode MySQL takes its leading digits")
		if _, ok := typ.(schema.Float); ok {
			return v.as("float8", float), nil
		}
		return v.as("numeric", decimal), nil
	case v.kind == text && v.lit != nil:
		return textNumber(v)
	case v.kind == document:
		// MySQL makes a number of JSON numbers, booleans and strings alike; a
		// boolean stops the row here.
		t.note("a JSON value that is not a number stops the row on PostgreSQL")
		return t.intoNumber(jsonText(v), typ)
	case v.kind == float:
		if _, ok := typ.(schema.Decimal); ok {
			return value{}, refuse("the two servers round a float to a decimal differently")
		}
		return v, nil
	case t.Into.Source != nil && t.Into.Source.Kind() == "year" && len(v.num) != 4:
		return value{}, refuse("MySQL reads a number below 100 as a year from 1970 to 2069")
	}
	return t.number(v)
}

func (t *translator) intoText(v value, length int) (value, error) {
	switch {
	case v.kind == document:
		t.noteJSONText()
		return v.as("text", text), nil
	case v.kind == uuid:
		return v.as("text", text), nil
	case v.kind == bytes && v.lit != nil:
		return stringLiteral(*v.lit, "utf8mb4")
	case v.kind == instant, v.kind == datetime:
		return value{}, refuse("a date and time as text depends on settings of the session on PostgreSQL")
	}
	if s, ok := t.Into.Source.(schema.Enum); ok && v.lit != nil && !slices.Contains(s.Members, *v.lit) {
		return value{}, refuse("%q is not a member of the enum", *v.lit)
	}
	v, err := t.toText(v)
	if err == nil && v.lit != nil && length > 0 && utf8.RuneCountInString(*v.lit) > length {
		return value{}, refuse("the text is longer than the column's %d characters", length)
	}
	return v, err
}

func (t *translator) intoDate(v value) (value, error) {
	if v.kind == instant && t.Use == Default {
		return v.as("date", date), nil
	}
	if v.lit != nil && v.kind == text {
		return timeLiteral(*v.lit, date)
	}
	if v.kind == datetime && t.Dialect == schema.MySQL {
		// MySQL rounds fractions of a second when it stores a DATE, up to the next
		// day; CAST and MariaDB cut.
		v = v.as("timestamp(0)", datetime)
	}
	return t.dateOf([]value{v})
}

func (t *translator) intoDateTime(v value) (value, error) {
	if v.kind == instant && t.Use == Default {
		return v.as("timestamp", datetime), nil
	}
	if v.lit != nil && v.kind == text {
		return timeLiteral(*v.lit, datetime)
	}
	return day(v)
}

// intoInstant takes instants only: what else MySQL stores in a TIMESTAMP depends
// on the time zone of the session that writes.
func (t *translator) intoInstant(v value) (value, error) {
	if v.kind == instant {
		return v, nil
	}
	return value{}, refuse("the instant that %s is depends on the session's time zone", v.kind)
}

func (t *translator) intoTime(v value, k kind) (value, error) {
	if v.lit != nil && v.kind == text {
		return timeLiteral(*v.lit, k)
	}
	if k == span && v.kind == span {
		return v, nil
	}
	return t.timeOf([]value{v})
}

func (t *translator) intoDocument(v value, jsonb bool) (value, error) {
	v, err := t.document(v)
	if err != nil || v.jsonb == jsonb {
		return v, err
	}
	typ := "json"
	if jsonb {
		typ = "jsonb"
	}
	d := v.as(typ, document)
	d.jsonb = jsonb
	return d, nil
}

func intoBytes(v value, source schema.Type) (value, error) {
	v, err := againstBytes(v)
	if b, ok := source.(schema.Binary); ok && err == nil && v.lit != nil && b.Fixed && len(*v.lit) < b.Length {
		return bytesLiteral(*v.lit + strings.Repeat("\x00", b.Length-len(*v.lit))), nil
	}
	return v, err
}

func intoUUID(v value) (value, error) {
	if v.kind == uuid || (v.kind == text && v.lit != nil) {
		return v, nil
	}
	return value{}, refuse("%s is no UUID", v.kind)
}

// typeName is how a cast spells a type. Lengths of text are left out: a cast
// would cut silently where the column refuses.
func typeName(t schema.Type) (string, bool) {
	switch t := t.(type) {
	case schema.Bool:
		return "boolean", true
	case schema.Int:
		return map[int]string{16: "smallint", 32: "integer", 64: "bigint"}[t.Bits], t.Bits >= 16
	case schema.Decimal:
		return fmt.Sprintf("numeric(%d,%d)", t.Precision, t.Scale), true
	case schema.Float:
		return "float" + strconv.Itoa(t.Bits/8), true
	case schema.Text:
		return "text", true
	case schema.Binary:
		return "bytea", true
	case schema.Date:
		return "date", true
	case schema.DateTime:
		return fmt.Sprintf("timestamp(%d)", t.Precision), true
	case schema.Time:
		return fmt.Sprintf("time(%d)", t.Precision), true
	case schema.JSON:
		if t.Parsed {
			return "jsonb", true
		}
		return "json", true
	}
	return "", false
}
