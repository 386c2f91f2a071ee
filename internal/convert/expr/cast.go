package expr

import (
	"fmt"
	"slices"

	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/mysql"
	"github.com/pingcap/tidb/pkg/parser/types"
)

// cast translates CAST(x AS type) and CONVERT(x, type).
func (t *translator) cast(n *ast.FuncCastExpr) (value, error) {
	v, err := t.node(n.Expr)
	if err != nil {
		return value{}, err
	}
	if n.Tp.IsArray() {
		return value{}, refuse("it is a multi-valued index part; on PostgreSQL a GIN index on the jsonb column finds members")
	}
	switch n.Tp.GetType() {
	case mysql.TypeLonglong:
		if n.Tp.GetFlag()&mysql.UnsignedFlag != 0 {
			return t.castUnsigned(v)
		}
		return t.castSigned(v)
	case mysql.TypeNewDecimal:
		return t.castDecimal(v, n.Tp.GetFlen(), n.Tp.GetDecimal())
	case mysql.TypeDouble, mysql.TypeFloat:
		return t.castFloat(v, n.Tp.GetType() == mysql.TypeFloat)
	case mysql.TypeVarString, mysql.TypeString:
		return t.castText(v, n.Tp)
	case mysql.TypeDate:
		return t.castTime(v, "date", date)
	case mysql.TypeDatetime:
		return t.castTime(v, fmt.Sprintf("timestamp(%d)", n.Tp.GetDecimal()), datetime)
	case mysql.TypeDuration:
		return t.castTime(v, fmt.Sprintf("time(%d)", n.Tp.GetDecimal()), clock)
	case mysql.TypeJSON:
		return t.document(v)
	}
	return value{}, refuse("a cast to this type has no translation")
}

// numberOf is what a cast to a number starts from. Text is cast as a whole:
// MySQL in strict mode refuses a row whose text is not a number, as PostgreSQL does.
func (t *translator) numberOf(v value, what string) (value, error) {
	if v.kind == text && v.lit != nil {
		return textNumber(v)
	}
	if v.kind == text && v.source == plain {
		t.note("text that is not %s stops the row on PostgreSQL; without strict mode MySQL takes its leading digits", what)
		return v, nil
	}
	return t.number(v)
}

func (t *translator) castSigned(v value) (value, error) {
	v, err := t.numberOf(v, "a whole number")
	if err != nil || v.kind == null {
		return v, err
	}
	if v.kind == integer && v.big && v.unsigned {
		return value{}, refuse("MySQL makes negative numbers of those above 2^63")
	}
	if v.kind == integer && !v.big {
		return wide(v), nil
	}
	s := v.as("bigint", integer)
	s.width = 64
	return s, nil
}

func (t *translator) castUnsigned(v value) (value, error) {
	v, err := t.numberOf(v, "a whole number that is not negative")
	if err != nil || v.kind == null {
		return v, err
	}
	switch {
	case v.kind == integer && (v.unsigned || (v.num != "" && v.num[0] != '-')):
		w := wide(v)
		w.unsigned = true
		return w, nil
	case v.kind == integer && !v.big:
		// MySQL takes the bits of a negative number as they are.
		sql := "CASE WHEN " + v.in(pCompare+1) + " < 0 THEN " + v.in(pAdd) + " + 18446744073709551616 ELSE " + v.sql + " END"
		return value{sql: sql, prec: pAtom, kind: integer, big: true, width: 64, unsigned: true, notNull: v.notNull}, nil
	case v.kind == text:
		u := v.as("numeric(20,0)", integer)
		u.big, u.width, u.unsigned = true, 64, true
		return u, nil
	case v.kind == decimal && v.unsigned:
		u := v.as("numeric(20,0)", integer)
		u.big, u.width, u.unsigned = true, 64, true
		return u, nil
	}
	return value{}, refuse("MySQL's rules for negative numbers have no translation here")
}

func (t *translator) castDecimal(v value, precision, scale int) (value, error) {
	v, err := t.numberOf(v, "a number")
	if err != nil || v.kind == null {
		return v, err
	}
	if v.kind == float {
		return value{}, refuse("the two servers round a float to a decimal differently")
	}
	if scale < 0 {
		scale = 0
	}
	d := v.as(fmt.Sprintf("numeric(%d,%d)", precision, scale), decimal)
	d.scale, d.fracLow, d.fracHigh = scale, scale, scale
	return d, nil
}

func (t *translator) castFloat(v value, single bool) (value, error) {
	v, err := t.numberOf(v, "a number")
	if err != nil || v.kind == null {
		return v, err
	}
	typ, width := "float8", 64
	if single {
		typ, width = "real", 32
	}
	f := v.as(typ, float)
	f.width = width
	return f, nil
}

func (t *translator) castText(v value, tp *types.FieldType) (value, error) {
	if tp.GetCharset() == "binary" {
		cs := charsetOf(v)
		if v.kind != text || v.source != plain || tp.GetFlen() >= 0 || (cs != "utf8mb4" && cs != "utf8mb3" && cs != "utf8" && cs != "ascii") {
			return value{}, refuse("text as bytes has no immutable form on PostgreSQL")
		}
		v.charset, v.collation, v.column = "binary", "binary", ""
		return v, nil
	}
	if v.kind != text && v.kind != document {
		w, err := t.toText(v)
		if err != nil {
			return value{}, err
		}
		v = w
	}
	if v.kind == document {
		t.noteJSONText()
		v = v.as("text", text)
	}
	v, err := t.intoCharset(v, tp.GetCharset())
	if err != nil || v.kind == null || tp.GetFlen() < 0 {
		return v, err
	}
	return textOf(call(text, "left", v, intLiteral(int64(tp.GetFlen()))), v), nil
}

func (t *translator) castTime(v value, typ string, k kind) (value, error) {
	if v.kind == null {
		return v, nil
	}
	if v.lit != nil && v.kind == text {
		return timeLiteral(*v.lit, k)
	}
	from := map[kind][]kind{date: {date, datetime}, datetime: {date, datetime}, clock: {clock, datetime}}[k]
	if slices.Contains(from, v.kind) {
		return v.as(typ, k), nil
	}
	return value{}, refuse("MySQL's cast of %s to %s has no immutable translation", v.kind, k)
}
