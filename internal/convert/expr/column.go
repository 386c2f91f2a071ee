package expr

import (
	"strings"

	"github.com/bascule/bascule/internal/schema"
)

// column translates a reference to a column of the same table.
func (t *translator) column(name string) (value, error) {
	c, ok := t.Columns[strings.ToLower(name)]
	if !ok {
		return value{}, refuse("the table has no column %q on the target", name)
	}
	if t.Use == Default {
		return value{}, refuse("a default on PostgreSQL cannot name a column")
	}
	if c.Generated != "" && t.Use == Generated {
		return t.inlined(c, name)
	}
	v := columnValue(c)
	v.sql, v.prec, v.notNull, v.column = quoteName(string(c.Name)), pAtom, c.NotNull, name
	return v, nil
}

// inlined puts a generated column's expression in its place.
func (t *translator) inlined(c Column, name string) (value, error) {
	if t.inline >= maxInline {
		return value{}, refuse("generated columns name each other more than %d deep", maxInline)
	}
	t.inline++
	into := t.Into
	t.Into = &c
	defer func() { t.inline, t.Into = t.inline-1, into }()
	v, err := t.whole(c.Generated)
	if err != nil {
		return value{}, err
	}
	if v, err = t.finish(v); err != nil {
		return value{}, err
	}
	typ, ok := typeName(c.Target)
	if !ok {
		return value{}, refuse("it names the generated column %q, whose type %s cannot be cast to", name, c.Target.Kind())
	}
	out := columnValue(c)
	out.sql, out.prec, out.column = v.in(pCast)+"::"+typ, pCast, name
	return out, nil
}

// columnValue tells what a column is, by its type on the target; what MySQL
// knows about it comes from its type on the source.
func columnValue(c Column) value {
	v := targetValue(c.Target)
	switch s := c.Source.(type) {
	case schema.Int:
		v.unsigned, v.bits32 = s.Unsigned, s.Bits <= 32
		if v.kind == decimal { // bigint unsigned is numeric(20,0)
			v.kind, v.big, v.width = integer, true, 64
		}
	case schema.Year:
		v.source = fromYear
	case schema.Decimal:
		v.unsigned = s.Unsigned
	case schema.Text:
		v.charset, v.collation = s.Charset, s.Collation
	case schema.Enum:
		v.source, v.charset, v.collation, v.members = fromEnum, s.Charset, s.Collation, s.Members
	case schema.Set:
		v.source, v.charset, v.collation, v.members = fromSet, s.Charset, s.Collation, s.Members
	case schema.Time:
		v.source = fromTime
	}
	if !faithful(c.Source, v.kind) {
		return value{kind: opaque}
	}
	return v
}

func targetValue(t schema.Type) value {
	switch t := t.(type) {
	case schema.Bool:
		return value{kind: boolean}
	case schema.Int:
		return value{kind: integer, width: t.Bits}
	case schema.Decimal:
		return value{kind: decimal, scale: t.Scale, fracLow: t.Scale, fracHigh: t.Scale}
	case schema.Float:
		return value{kind: float, width: t.Bits}
	case schema.Text:
		return value{kind: text, ownCollation: t.Collation != ""}
	case schema.Binary:
		return value{kind: bytes}
	case schema.Date:
		return value{kind: date}
	case schema.DateTime:
		return value{kind: datetime}
	case schema.Timestamp:
		return value{kind: instant}
	case schema.Time:
		return value{kind: clock}
	case schema.Interval:
		return value{kind: span}
	case schema.JSON:
		return value{kind: document, jsonb: t.Parsed}
	case schema.Bit:
		return value{kind: bits, width: t.N}
	case schema.Enum:
		return value{kind: choice}
	case schema.TextArray:
		return value{kind: members}
	case schema.UUID:
		return value{kind: uuid}
	}
	return value{kind: opaque}
}

// faithful reports whether a source type keeps its meaning as kind k, so that
// MySQL's rules for the type can be rendered. What a person chose by hand (an
// integer kept as text, say) often does not.
func faithful(s schema.Type, k kind) bool {
	switch s.(type) {
	case schema.Int:
		return k == integer || k == boolean
	case schema.Year:
		return k == integer
	case schema.Decimal:
		return k == decimal
	case schema.Float:
		return k == float
	case schema.Text:
		return k == text || k == uuid
	case schema.Binary:
		return k == bytes
	case schema.Enum:
		return k == text || k == choice
	case schema.Set:
		return k == text || k == members
	case schema.JSON:
		return k == document
	case schema.Date:
		return k == date
	case schema.DateTime, schema.Timestamp:
		return k == datetime || k == instant
	case schema.Time:
		return k == clock || k == span
	case schema.Bit:
		return k == bits || k == boolean
	case schema.UUID:
		return k == uuid
	}
	return false
}
