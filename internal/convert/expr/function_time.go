package expr

import (
	"fmt"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
)

var timeFunctions = map[string]function{
	"year":        {1, 1, part("year")},
	"month":       {1, 1, part("month")},
	"day":         {1, 1, part("day")},
	"dayofmonth":  {1, 1, part("day")},
	"quarter":     {1, 1, part("quarter")},
	"hour":        {1, 1, part("hour")},
	"minute":      {1, 1, part("minute")},
	"second":      {1, 1, part("second")},
	"microsecond": {1, 1, part("microsecond")},
	"dayofyear":   {1, 1, part("doy")},
	"dayofweek":   {1, 1, part("dayofweek")},
	"weekday":     {1, 1, part("weekday")},
	"weekofyear":  {1, 1, part("week")},
	"week":        {1, 2, (*translator).week},
	"date":        {1, 1, (*translator).dateOf},
	"time":        {1, 1, (*translator).timeOf},
	"datediff":    {2, 2, (*translator).dateDiff},
	"to_days":     {1, 1, (*translator).toDays},
	"last_day":    {1, 1, (*translator).lastDay},
	"date_format": {2, 2, (*translator).formatDate},

	"'tidb`.(dateliteral":      {1, 1, typedLiteral(date)},
	"'tidb`.(timestampliteral": {1, 1, typedLiteral(datetime)},
	"'tidb`.(timeliteral":      {1, 1, typedLiteral(clock)},
}

// typedLiteral renders DATE '…', TIMESTAMP '…' and TIME '…', which the parser
// keeps as functions of these names.
func typedLiteral(k kind) func(*translator, []value) (value, error) {
	return func(_ *translator, a []value) (value, error) {
		if a[0].lit == nil {
			return value{}, refuse("it is not a literal")
		}
		return timeLiteral(*a[0].lit, k)
	}
}

// day takes a value that has a date, without a time zone to decide which.
func day(v value) (value, error) {
	switch v.kind {
	case date, datetime:
		return v, nil
	case instant:
		return value{}, refuse("the date of a TIMESTAMP depends on the session's time zone, and PostgreSQL wants it immutable")
	default:
		return value{}, refuse("MySQL reads a date out of %s by rules that PostgreSQL has not", v.kind)
	}
}

// part renders one field of a date or a time as an integer.
func part(name string) func(*translator, []value) (value, error) {
	return func(_ *translator, a []value) (value, error) {
		if a[0].kind == null {
			return a[0], nil
		}
		var v value
		var err error
		switch name {
		case "hour", "minute", "second", "microsecond":
			v, err = timeOfDay(a[0])
		default:
			v, err = day(a[0])
		}
		if err != nil {
			return value{}, err
		}
		return field(name, v), nil
	}
}

// timeOfDay takes a value that has hours. A TIME kept as an interval may be
// negative, and MySQL's HOUR then gives the positive number.
func timeOfDay(v value) (value, error) {
	switch v.kind {
	case datetime, clock:
		return v, nil
	case date:
		return v.as("timestamp", datetime), nil
	default:
		return value{}, refuse("the hours of %s are not the same on both servers", v.kind)
	}
}

func field(name string, v value) value {
	extract := func(f string) value {
		return value{sql: "extract(" + f + " FROM " + v.sql + ")", prec: pAtom, kind: decimal, notNull: v.notNull}
	}
	number := func(x value) value {
		n := x.as("int", integer)
		n.width = 32
		return n
	}
	switch name {
	case "second":
		return number(call(decimal, "floor", extract(name)))
	case "microsecond":
		return number(binary(decimal, extract("microseconds"), "%", intLiteral(1000000), pMultiply))
	case "dayofweek":
		return number(binary(decimal, extract("dow"), "+", intLiteral(1), pAdd))
	case "weekday":
		return number(binary(decimal, extract("isodow"), "-", intLiteral(1), pAdd))
	}
	return number(extract(name))
}

// week renders WEEK in the modes that count as ISO 8601 does.
func (t *translator) week(a []value) (value, error) {
	if len(a) != 2 || a[1].num != "3" {
		return value{}, refuse("PostgreSQL counts weeks as mode 3 does only")
	}
	return part("week")(t, a[:1])
}

func (t *translator) extract(n *ast.FuncCallExpr) (value, error) {
	unit, ok := n.Args[0].(*ast.TimeUnitExpr)
	if !ok {
		return value{}, refuse("this form of EXTRACT has no translation")
	}
	v, err := t.node(n.Args[1])
	if err != nil {
		return value{}, err
	}
	switch u := strings.ToLower(unit.Unit.String()); u {
	case "year", "month", "day", "quarter", "hour", "minute", "second", "microsecond":
		return part(u)(t, []value{v})
	}
	return value{}, refuse("the unit %s has no translation", unit.Unit)
}

func (t *translator) dateOf(a []value) (value, error) {
	if a[0].kind == date || a[0].kind == null {
		return a[0], nil
	}
	v, err := day(a[0])
	if err != nil {
		return value{}, err
	}
	return v.as("date", date), nil
}

func (t *translator) timeOf(a []value) (value, error) {
	switch a[0].kind {
	case clock, null:
		return a[0], nil
	case datetime:
		return a[0].as("time", clock), nil
	default:
		return value{}, refuse("the time of %s depends on the session or on rules that PostgreSQL has not", a[0].kind)
	}
}

func (t *translator) dateDiff(a []value) (value, error) {
	var ds [2]value
	for i := range ds {
		v, err := t.dateOf(a[i : i+1])
		if err != nil || v.kind == null {
			return v, err
		}
		ds[i] = v
	}
	v := binary(integer, ds[0], "-", ds[1], pAdd)
	v.width = 32
	return v, nil
}

// toDays counts from MySQL's year 0; 1970-01-01 is its day 719528.
func (t *translator) toDays(a []value) (value, error) {
	v, err := t.dateOf(a)
	if err != nil || v.kind == null {
		return v, err
	}
	epoch := raw(date, "DATE '1970-01-01'")
	n := binary(integer, binary(integer, v, "-", epoch, pAdd), "+", intLiteral(719528), pAdd)
	n.width, n.notNull = 32, v.notNull
	return n, nil
}

func (t *translator) lastDay(a []value) (value, error) {
	v, err := day(a[0])
	if err != nil {
		return value{}, err
	}
	if v.kind == date {
		v = v.as("timestamp", datetime)
	}
	sql := "(date_trunc('month', " + v.sql + ") + INTERVAL '1 month -1 day')::date"
	return value{sql: sql, prec: pCast, kind: date, notNull: v.notNull}, nil
}

// formatDate renders DATE_FORMAT by fields, because to_char is not immutable.
func (t *translator) formatDate(a []value) (value, error) {
	if a[1].lit == nil || a[1].kind != text {
		return value{}, refuse("it is translated only with a literal format")
	}
	v, err := day(a[0])
	if err != nil {
		return value{}, err
	}
	return dateFormat(v, *a[1].lit)
}

// dateFormat puts the fields of a date together as DATE_FORMAT does.
func dateFormat(v value, format string) (value, error) {
	fields := map[byte]struct {
		name  string
		width int
	}{
		'Y': {"year", 4}, 'm': {"month", 2}, 'd': {"day", 2}, 'H': {"hour", 2}, 'i': {"minute", 2},
		's': {"second", 2}, 'S': {"second", 2}, 'f': {"microsecond", 6}, 'j': {"doy", 3},
		'c': {"month", 0}, 'e': {"day", 0}, 'k': {"hour", 0},
	}
	shorthand := strings.NewReplacer("%%", "%%", "%T", "%H:%i:%s").Replace(format)
	var parts []value
	var plainText strings.Builder
	flush := func() {
		if plainText.Len() > 0 {
			parts = append(parts, textLiteral(plainText.String()))
			plainText.Reset()
		}
	}
	for i := 0; i < len(shorthand); i++ {
		c := shorthand[i]
		if c != '%' || i+1 == len(shorthand) {
			plainText.WriteByte(c)
			continue
		}
		i++
		f, ok := fields[shorthand[i]]
		if !ok {
			if shorthand[i] != '%' {
				return value{}, refuse("the format %%%c has no immutable form", shorthand[i])
			}
			plainText.WriteByte('%')
			continue
		}
		flush()
		one, err := fieldText(v, f.name, f.width)
		if err != nil {
			return value{}, err
		}
		parts = append(parts, one)
	}
	flush()
	if len(parts) == 0 {
		return value{}, refuse("the format is empty")
	}
	out := parts[0]
	if out.lit != nil {
		out = out.as("text", text)
	}
	for _, p := range parts[1:] {
		out = binary(text, out, "||", p, pOther)
	}
	out.notNull = v.notNull
	return out, nil
}

func fieldText(v value, name string, width int) (value, error) {
	switch name {
	case "hour", "minute", "second", "microsecond":
		at, err := timeOfDay(v)
		if err != nil {
			return value{}, err
		}
		v = at
	}
	s := field(name, v).as("text", text)
	if width == 0 {
		return s, nil
	}
	return call(text, "lpad", s, intLiteral(int64(width)), textLiteral("0")), nil
}

var intervalUnits = map[ast.TimeUnitType]struct {
	name string
	time bool
}{
	ast.TimeUnitMicrosecond: {"microsecond", true}, ast.TimeUnitSecond: {"second", true},
	ast.TimeUnitMinute: {"minute", true}, ast.TimeUnitHour: {"hour", true},
	ast.TimeUnitDay: {"day", false}, ast.TimeUnitWeek: {"week", false},
	ast.TimeUnitMonth: {"month", false}, ast.TimeUnitQuarter: {"quarter", false}, ast.TimeUnitYear: {"year", false},
}

// dateAdd renders DATE_ADD and DATE_SUB. Both servers clip the 31st to a
// shorter month's end.
func (t *translator) dateAdd(n *ast.FuncCallExpr) (value, error) {
	if len(n.Args) != 3 {
		return value{}, refuse("this form has no translation")
	}
	unit, ok := n.Args[2].(*ast.TimeUnitExpr)
	if !ok {
		return value{}, refuse("this form has no translation")
	}
	u, ok := intervalUnits[unit.Unit]
	if !ok {
		return value{}, refuse("the unit %s has no translation", unit.Unit)
	}
	vs, err := t.nodes(n.Args[:2]...)
	if err != nil {
		return value{}, err
	}
	v := vs[0]
	if v.kind != instant || t.Use != Default {
		if v, err = day(v); err != nil {
			return value{}, err
		}
	}
	by, err := t.interval(vs[1], u.name)
	if err != nil {
		return value{}, err
	}
	sign := "+"
	if n.FnName.L == "date_sub" || n.FnName.L == "subdate" {
		sign = "-"
	}
	k := v.kind
	if k == date {
		k = datetime
	}
	out := binary(k, v, sign, by, pAdd)
	if v.kind == date && !u.time {
		out = out.as("date", date) // MySQL's DATE stays a DATE unless hours are added
	}
	return out, nil
}

// interval is n units. A fraction of a unit is rounded by MySQL, so only whole numbers are taken.
func (t *translator) interval(n value, unit string) (value, error) {
	if n.lit != nil && n.kind == text {
		var err error
		if n, err = textNumber(n); err != nil {
			return value{}, err
		}
	}
	n, err := t.number(n)
	if err != nil {
		return value{}, err
	}
	if n.kind != integer {
		return value{}, refuse("it is translated only with a whole number of units")
	}
	factor := 1
	if unit == "quarter" {
		unit, factor = "month", 3
	}
	one := value{sql: fmt.Sprintf("INTERVAL '%d %s'", factor, unit), prec: pAtom, kind: span, notNull: true}
	if n.num == "1" {
		return one, nil
	}
	return binary(span, n, "*", one, pMultiply), nil
}

// timestampDiff renders TIMESTAMPDIFF(unit, a, b): whole units from a to b, toward zero.
func (t *translator) timestampDiff(n *ast.FuncCallExpr) (value, error) {
	unit, ok := n.Args[0].(*ast.TimeUnitExpr)
	if !ok || len(n.Args) != 3 {
		return value{}, refuse("this form has no translation")
	}
	vs, err := t.nodes(n.Args[1:]...)
	if err != nil {
		return value{}, err
	}
	for i := range vs {
		if vs[i], err = day(vs[i]); err != nil {
			return value{}, err
		}
		if vs[i].kind == date {
			vs[i] = vs[i].as("timestamp", datetime)
		}
	}
	if months := map[ast.TimeUnitType]int{ast.TimeUnitMonth: 1, ast.TimeUnitQuarter: 3, ast.TimeUnitYear: 12}[unit.Unit]; months > 0 {
		return monthsBetween(vs[0], vs[1], months), nil
	}
	seconds := map[ast.TimeUnitType]int64{
		ast.TimeUnitSecond: 1, ast.TimeUnitMinute: 60, ast.TimeUnitHour: 3600, ast.TimeUnitDay: 86400, ast.TimeUnitWeek: 604800,
	}[unit.Unit]
	if seconds == 0 {
		return value{}, refuse("the unit %s has no translation", unit.Unit)
	}
	between := binary(span, vs[1], "-", vs[0], pAdd)
	epoch := value{sql: "extract(epoch FROM " + between.sql + ")", prec: pAtom, kind: decimal, notNull: between.notNull}
	if seconds == 1 {
		epoch = call(decimal, "trunc", epoch)
	} else {
		epoch = call(decimal, "div", epoch, intLiteral(seconds))
	}
	v := epoch.as("bigint", integer)
	v.width, v.notNull = 64, between.notNull
	return v, nil
}

// monthsBetween counts months by fields, one less when the day and the time of
// the later one come before those of the earlier one. PostgreSQL's age borrows
// days from months and differs at their ends.
func monthsBetween(a, b value, months int) value {
	count := func(v value) string {
		return "extract(year FROM " + v.sql + ") * 12 + extract(month FROM " + v.sql + ")"
	}
	rest := func(v value) string { return v.in(pAdd) + " - date_trunc('month', " + v.sql + ")" }
	sql := fmt.Sprintf("(%[2]s) - (%[1]s) + CASE WHEN %[4]s >= %[3]s AND %[6]s < %[5]s THEN -1 WHEN %[4]s < %[3]s AND %[6]s > %[5]s THEN 1 ELSE 0 END",
		count(a), count(b), a.in(pCompare+1), b.in(pCompare+1), rest(a), rest(b))
	v := value{sql: sql, prec: pAdd, kind: decimal, notNull: a.notNull && b.notNull}
	if months > 1 {
		v = call(decimal, "div", v, intLiteral(int64(months)))
	}
	n := v.as("int", integer)
	n.width = 32
	return n
}
