package expr

import (
	"maps"
	"strconv"

	"github.com/pingcap/tidb/pkg/parser/ast"
)

// function is the translation of a MySQL function of min to max arguments
// (max -1: any number). Its arguments are already translated.
type function struct {
	min, max int
	of       func(t *translator, a []value) (value, error)
}

// functions by MySQL's lower-case name. The map is built once and never changed.
var functions = merge(controlFunctions, textFunctions, numberFunctions, timeFunctions, jsonFunctions, nowFunctions)

func merge(tables ...map[string]function) map[string]function {
	all := map[string]function{}
	for _, table := range tables {
		maps.Copy(all, table)
	}
	return all
}

// function translates a call. Those whose arguments are not all expressions
// (units, directions) are translated from the tree.
func (t *translator) function(n *ast.FuncCallExpr) (value, error) {
	if n.Schema.L != "" {
		return value{}, refuse("stored functions are not translated")
	}
	switch n.FnName.L {
	case "trim":
		return t.trim(n)
	case "date_add", "adddate", "date_sub", "subdate":
		return t.dateAdd(n)
	case "extract":
		return t.extract(n)
	case "timestampdiff":
		return t.timestampDiff(n)
	case "convert":
		return t.convertUsing(n)
	case "regexp_like":
		return t.regexpLike(n)
	case "nextval", "lastval", "setval":
		return value{}, refuse("sequences are not moved")
	}
	f, ok := functions[n.FnName.L]
	if !ok {
		return value{}, refuse("the function %s has no translation", n.FnName.L)
	}
	if len(n.Args) < f.min || (f.max >= 0 && len(n.Args) > f.max) {
		return value{}, refuse("%s with %d arguments has no translation", n.FnName.L, len(n.Args))
	}
	a, err := t.nodes(n.Args...)
	if err != nil {
		return value{}, err
	}
	return f.of(t, a)
}

// count is a literal that is not negative and fits an integer.
func count(v value) (int, error) {
	n, err := strconv.ParseInt(v.num, 10, 32)
	if err != nil || n < 0 || v.kind != integer {
		return 0, refuse("it is translated only with a literal count that is not negative")
	}
	return int(n), nil
}

var controlFunctions = map[string]function{
	"if":       {3, 3, (*translator).ifThen},
	"ifnull":   {2, 2, (*translator).coalesce},
	"nvl":      {2, 2, (*translator).coalesce},
	"coalesce": {1, -1, (*translator).coalesce},
	"nullif":   {2, 2, (*translator).nullIf},
	"isnull":   {1, 1, isNullCall},
	"greatest": {2, -1, extreme("greatest")},
	"least":    {2, -1, extreme("least")},
}

func (t *translator) ifThen(a []value) (value, error) {
	c, err := t.truth(a[0])
	if err != nil {
		return value{}, err
	}
	return t.choose([]value{c}, a[1:])
}

func (t *translator) coalesce(a []value) (value, error) {
	vs, proto, err := t.unify(a)
	if err != nil {
		return value{}, err
	}
	if proto.kind == null {
		return proto, nil
	}
	notNull := false
	for _, v := range vs {
		notNull = notNull || v.notNull
	}
	c := call(proto.kind, "coalesce", vs...)
	proto.sql, proto.prec, proto.notNull = c.sql, c.prec, notNull
	return proto, nil
}

// nullIf renders NULLIF. PostgreSQL's takes the type of both arguments together,
// MySQL's that of the first, so mixed kinds are spelt out; so are quotients, which = rounds.
func (t *translator) nullIf(a []value) (value, error) {
	v := a[0]
	if v.kind == null {
		return v, nil
	}
	equal, err := t.compare("=", a[0], a[1])
	if err != nil {
		return value{}, err
	}
	exact := v.fracHigh <= v.scale && a[1].fracHigh <= a[1].scale
	if a[1].kind == v.kind && a[1].big == v.big && exact {
		v.sql = call(v.kind, "nullif", a...).sql
	} else {
		v.sql = "CASE WHEN " + equal.sql + " THEN NULL ELSE " + v.sql + " END"
	}
	v.prec, v.notNull, v.lit, v.num, v.column = pAtom, false, nil, "", ""
	return v, nil
}

func isNullCall(_ *translator, a []value) (value, error) {
	return value{sql: a[0].in(pIs+1) + " IS NULL", prec: pIs, kind: boolean, notNull: true}, nil
}

// extreme renders GREATEST and LEAST. MySQL's are NULL when any argument is;
// PostgreSQL's ignore NULL.
func extreme(name string) func(*translator, []value) (value, error) {
	return func(t *translator, a []value) (value, error) {
		vs, proto, err := t.unify(a)
		if err != nil {
			return value{}, err
		}
		switch proto.kind {
		case null:
			return proto, nil
		case boolean:
			for i := range vs {
				if vs[i], err = t.number(vs[i]); err != nil {
					return value{}, err
				}
			}
			proto.kind, proto.width = integer, 32
		case text:
			if vs, err = t.collated(vs, true); err != nil {
				return value{}, err
			}
		case integer, decimal, float, date, datetime:
		default:
			return value{}, refuse("the two servers order %s differently", proto.kind)
		}
		c := call(proto.kind, name, vs...)
		guard := ""
		for _, v := range vs {
			if v.notNull {
				continue
			}
			if guard != "" {
				guard += " AND "
			}
			guard += v.in(pIs+1) + " IS NOT NULL"
		}
		proto.sql, proto.prec, proto.notNull = c.sql, c.prec, guard == ""
		if guard != "" {
			proto.sql = "CASE WHEN " + guard + " THEN " + c.sql + " END"
		}
		return proto, nil
	}
}
