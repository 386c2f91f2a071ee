package expr

import (
	"fmt"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/opcode"

	"github.com/bascule/bascule/internal/schema"
)

// maxScale is how many digits MySQL keeps after the point at most.
const maxScale = 30

func (t *translator) arithmetic(op opcode.Op, a, b value) (value, error) {
	a, err := t.number(a)
	if err != nil {
		return value{}, err
	}
	b, err = t.number(b)
	if err != nil {
		return value{}, err
	}
	if a.kind == null || b.kind == null {
		return nullValue(), nil
	}
	if a.kind == float || b.kind == float {
		return t.floatArithmetic(op, a, b)
	}
	switch op {
	case opcode.Div:
		return t.divide(a, b)
	case opcode.IntDiv, opcode.Mod:
		return t.remainder(op, a, b)
	}
	symbol, prec := map[opcode.Op]string{opcode.Plus: "+", opcode.Minus: "-", opcode.Mul: "*"}[op], pAdd
	if op == opcode.Mul {
		prec = pMultiply
	}
	if op == opcode.Minus && (a.unsigned || b.unsigned) {
		t.note("MySQL refuses a row whose unsigned subtraction is negative, PostgreSQL computes it")
	}
	if a.kind == integer && b.kind == integer {
		if op == opcode.Mul && (a.unsigned || b.unsigned) && a.num == "" && b.num == "" && !a.big {
			// MySQL's unsigned product has 64 bits, one more than a bigint.
			a = a.as("numeric", integer)
			a.big, a.width, a.unsigned = true, 64, true
		}
		if !a.big && !b.big && a.width < 64 && b.width < 64 {
			a = wide(a)
		}
		v := binary(integer, a, symbol, b, prec)
		v.width, v.big, v.unsigned = 64, a.big || b.big, a.unsigned || b.unsigned
		return v, nil
	}
	v := binary(decimal, a, symbol, b, prec)
	if op == opcode.Mul {
		v.scale, v.fracLow, v.fracHigh = a.scale+b.scale, a.fracLow+b.fracLow, a.fracHigh+b.fracHigh
	} else {
		v.scale = max(a.scale, b.scale)
		v.fracLow, v.fracHigh = max(a.fracLow, b.fracLow), max(a.fracHigh, b.fracHigh)
	}
	if v.scale > maxScale || v.fracHigh > maxScale {
		return value{}, refuse("MySQL cuts its result after %d digits", maxScale)
	}
	v.unsigned = a.unsigned || b.unsigned
	return v, nil
}

func (t *translator) floatArithmetic(op opcode.Op, a, b value) (value, error) {
	symbol, ok := map[opcode.Op]string{opcode.Plus: "+", opcode.Minus: "-", opcode.Mul: "*", opcode.Div: "/"}[op]
	if !ok {
		return value{}, refuse("a remainder of floats depends on how each server rounds")
	}
	a, err := t.into(a, float)
	if err != nil {
		return value{}, err
	}
	if b, err = t.into(b, float); err != nil {
		return value{}, err
	}
	prec := pAdd
	if op == opcode.Mul || op == opcode.Div {
		prec = pMultiply
	}
	if op == opcode.Div {
		b = nonZero(b)
	}
	v := binary(float, a, symbol, b, prec)
	v.width = 64
	return v, nil
}

// divide renders MySQL's /, which is never an integer division: it shows
// div_precision_increment (4, the default of both servers) digits more than
// the dividend has. MySQL rounds to them (measured on 9.7.4). MariaDB (10.11.19)
// computes in words of nine digits, cuts after the last one and goes on with
// that; only =, < and their like and what prints rounds, BETWEEN and IN do not. Multiplying before and after an
// integer division gives each exactly, where PostgreSQL's own / chooses how many
// digits to keep by the size of the quotient.
func (t *translator) divide(a, b value) (value, error) {
	scale := min(a.scale+4, maxScale)
	digits := divisionDigits(a.fracLow, b.fracLow)
	if t.Dialect == schema.MySQL {
		digits = scale + 1
	}
	for _, f := range [][2]int{{a.fracLow, b.fracHigh}, {a.fracHigh, b.fracLow}, {a.fracHigh, b.fracHigh}} {
		if t.Dialect != schema.MySQL && divisionDigits(f[0], f[1]) != digits {
			return value{}, refuse("how many digits MariaDB computes differs from row to row")
		}
	}
	if digits > maxScale {
		return value{}, refuse("the source cuts its result after %d digits", maxScale)
	}
	up := value{sql: fmt.Sprintf("1e%d", digits), prec: pAtom, kind: decimal, notNull: true}
	down := value{sql: fmt.Sprintf("1e-%d", digits), prec: pAtom, kind: decimal, notNull: true}
	v := binary(decimal, call(decimal, "div", binary(decimal, a, "*", up, pMultiply), nonZero(b)), "*", down, pMultiply)
	v.scale, v.fracLow, v.fracHigh = scale, digits, digits
	if t.Dialect == schema.MySQL {
		v = shown(v)
	}
	return v, nil
}

// shown rounds a decimal to the digits that the source shows of it.
func shown(v value) value {
	if v.kind != decimal || v.fracHigh <= v.scale {
		return v
	}
	r := call(decimal, "round", v, intLiteral(int64(v.scale)))
	r.scale, r.fracLow, r.fracHigh = v.scale, v.scale, v.scale
	return r
}

// noteHidden notes quotients that are compared by BETWEEN or IN: MariaDB does not
// round them there, and one that is cut to a negative zero equals no zero.
func (t *translator) noteHidden(vs []value) {
	for _, v := range vs {
		if v.kind == decimal && v.fracHigh > v.scale {
			t.note("MariaDB compares a quotient here with digits that it does not show, and takes one just below zero as less than 0")
			return
		}
	}
}

// divisionDigits is how many digits after the point a division of numbers
// with so many of them is carried to: whole words of nine, enough for
// div_precision_increment (4, the default of both servers) more than asked for.
func divisionDigits(a, b int) int {
	const word, increment = 9, 4
	up := func(n int) int { return (n + word - 1) / word * word }
	more := max(0, increment-(up(a)-a)-(up(b)-b))
	return up(up(a) + up(b) + more)
}

// nonZero makes a divisor of zero NULL, which is what MySQL makes of the quotient.
func nonZero(v value) value {
	if v.num != "" {
		if strings.Trim(v.num, "-0.") != "" {
			return v
		}
		return value{sql: "NULL::int", prec: pCast, kind: integer, width: 32}
	}
	z := call(v.kind, "nullif", v, intLiteral(0))
	z.width, z.big, z.unsigned = v.width, v.big, v.unsigned
	z.scale, z.fracLow, z.fracHigh, z.notNull = v.scale, v.fracLow, v.fracHigh, false
	return z
}

// remainder renders DIV and MOD, which truncate toward zero on both servers.
func (t *translator) remainder(op opcode.Op, a, b value) (value, error) {
	ints := a.kind == integer && b.kind == integer
	if ints && !a.big && !b.big && a.width < 64 && b.width < 64 {
		a = wide(a) // -2147483648 / -1 does not fit an integer
	}
	if op == opcode.Mod {
		v := binary(a.kind, a, "%", nonZero(b), pMultiply)
		if !ints {
			v.kind = decimal
			if t.Dialect == schema.MariaDB {
				t.note("MariaDB's remainder of a negative decimal can be a negative zero, which it does not take as equal to 0")
			}
		}
		v.width, v.big, v.unsigned = 64, a.big || b.big, a.unsigned
		v.scale, v.fracLow, v.fracHigh = max(a.scale, b.scale), max(a.fracLow, b.fracLow), max(a.fracHigh, b.fracHigh)
		return v, nil
	}
	if ints && !a.big && !b.big {
		v := binary(integer, a, "/", nonZero(b), pMultiply)
		v.width, v.unsigned = 64, a.unsigned || b.unsigned
		return v, nil
	}
	v := call(integer, "div", a, nonZero(b))
	v.width, v.big, v.notNull = 64, true, false
	return v, nil
}

// bitwise renders the bit operators where MySQL's unsigned 64-bit result is
// sure to be below 2^63, so that a bigint holds it.
func (t *translator) bitwise(op opcode.Op, a, b value) (value, error) {
	a, err := t.number(a)
	if err != nil {
		return value{}, err
	}
	b, err = t.number(b)
	if err != nil {
		return value{}, err
	}
	if a.kind != integer || b.kind != integer || a.big || b.big {
		return value{}, refuse("MySQL computes bits as unsigned 64-bit numbers, and these are not integers on PostgreSQL")
	}
	small := func(v value) bool { // at most 32 bits and never negative
		return (v.num != "" && v.num[0] != '-' && v.width == 32) || (v.num == "" && v.unsigned && v.column != "" && v.bits32)
	}
	count := shiftCount(b)
	switch {
	case op == opcode.And && (positive(a) || positive(b)):
		return bit(wide(a), "&", b), nil
	case op == opcode.Or && small(a) && small(b):
		return bit(wide(a), "|", b), nil
	case op == opcode.Xor && small(a) && small(b):
		return bit(wide(a), "#", b), nil
	case op == opcode.RightShift && count >= 0 && positive(a):
		return bit(wide(a), ">>", b), nil
	case op == opcode.LeftShift && count >= 0 && count < 31 && small(a):
		return bit(wide(a), "<<", b), nil
	}
	return value{}, refuse("MySQL's result can be an unsigned 64-bit number, which PostgreSQL has not")
}

func bit(a value, op string, b value) value {
	v := binary(integer, a, op, b, pOther)
	v.width, v.unsigned = 64, true
	return v
}

// positive reports whether a value is known to be at least zero and below 2^63.
func positive(v value) bool {
	if v.num != "" {
		return v.num[0] != '-' && !v.big
	}
	return v.unsigned && !v.big
}

// shiftCount is the count of a shift by a literal, -1 when it is none below 64.
func shiftCount(v value) int {
	n := -1
	if v.num != "" && v.width == 32 {
		if _, err := fmt.Sscan(v.num, &n); err != nil || n > 63 {
			return -1
		}
	}
	return n
}
