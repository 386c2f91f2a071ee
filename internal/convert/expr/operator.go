package expr

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/opcode"
)

var comparisons = map[opcode.Op]string{
	opcode.EQ: "=", opcode.NE: "<>", opcode.LT: "<", opcode.LE: "<=", opcode.GT: ">", opcode.GE: ">=",
	opcode.NullEQ: "IS NOT DISTINCT FROM",
}

func (t *translator) binary(n *ast.BinaryOperationExpr) (value, error) {
	vs, err := t.nodes(n.L, n.R)
	if err != nil {
		return value{}, err
	}
	a, b := vs[0], vs[1]
	if op, ok := comparisons[n.Op]; ok {
		return t.compare(op, a, b)
	}
	switch n.Op {
	case opcode.LogicAnd, opcode.LogicOr, opcode.LogicXor:
		return t.logic(n.Op, a, b)
	case opcode.Plus, opcode.Minus, opcode.Mul, opcode.Div, opcode.IntDiv, opcode.Mod:
		return t.arithmetic(n.Op, a, b)
	case opcode.And, opcode.Or, opcode.Xor, opcode.LeftShift, opcode.RightShift:
		return t.bitwise(n.Op, a, b)
	}
	return value{}, refuse("the operator %s has no translation", n.Op)
}

func (t *translator) logic(op opcode.Op, a, b value) (value, error) {
	a, err := t.truth(a)
	if err != nil {
		return value{}, err
	}
	b, err = t.truth(b)
	if err != nil {
		return value{}, err
	}
	switch op {
	case opcode.LogicAnd:
		return binary(boolean, a, "AND", b, pAnd), nil
	case opcode.LogicOr:
		return binary(boolean, a, "OR", b, pOr), nil
	}
	return binary(boolean, a, "<>", b, pCompare), nil // XOR; NULL with anything is NULL on both sides
}

func (t *translator) unary(n *ast.UnaryOperationExpr) (value, error) {
	v, err := t.node(n.V)
	if err != nil {
		return value{}, err
	}
	switch n.Op {
	case opcode.Not, opcode.Not2:
		if v, err = t.truth(v); err != nil {
			return value{}, err
		}
		return value{sql: "NOT " + v.in(pNot), prec: pNot, kind: boolean, notNull: v.notNull}, nil
	case opcode.Plus:
		return v, nil
	case opcode.Minus:
		return t.negate(v)
	}
	return value{}, refuse("%s gives an unsigned 64-bit number, which PostgreSQL has not", n.Op)
}

func (t *translator) negate(v value) (value, error) {
	v, err := t.number(v)
	if err != nil || v.kind == null {
		return v, err
	}
	if v.num != "" && v.kind != float {
		if digits, ok := strings.CutPrefix(v.num, "-"); ok {
			return numberLiteral(digits), nil
		}
		return numberLiteral("-" + v.num), nil
	}
	if v.kind == integer {
		if v.unsigned && v.width == 64 {
			t.note("MySQL refuses a row whose %s is above 2^63, PostgreSQL negates it", v.sql)
		}
		v = wide(v)
	}
	v.sql, v.prec, v.num = "-"+v.in(pCast), pMinus, ""
	v.column, v.unsigned, v.source = "", false, plain
	return v, nil
}

// compare renders a comparison of two values of any kinds as MySQL would compare them.
func (t *translator) compare(op string, a, b value) (value, error) {
	if v, ok := flag(op, a, b); ok {
		return v, nil
	}
	vs, err := t.comparable([]value{a, b}, op != "=" && op != "<>" && op != "IS NOT DISTINCT FROM")
	if err != nil {
		return value{}, err
	}
	if vs[0].kind != float && vs[1].kind != float {
		vs[0], vs[1] = shown(vs[0]), shown(vs[1])
	}
	if op == "IS NOT DISTINCT FROM" {
		v := binary(boolean, vs[0], op, vs[1], pIs)
		v.notNull = true
		return v, nil
	}
	return binary(boolean, vs[0], op, vs[1], pCompare), nil
}

// flag renders a boolean compared with 0 or 1 as the boolean itself.
func flag(op string, a, b value) (value, bool) {
	if a.kind != boolean {
		a, b = b, a
	}
	if a.kind != boolean || (b.num != "0" && b.num != "1") || (op != "=" && op != "<>") {
		return value{}, false
	}
	if (op == "=") == (b.num == "1") {
		return a, true
	}
	return value{sql: "NOT " + a.in(pNot), prec: pNot, kind: boolean, notNull: a.notNull}, true
}
