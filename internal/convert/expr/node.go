package expr

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"
	driver "github.com/pingcap/tidb/pkg/parser/test_driver"
)

// node translates one node; a refusal names the innermost node that caused it.
func (t *translator) node(n ast.ExprNode) (value, error) {
	v, err := t.dispatch(n)
	if r, ok := err.(*refusal); ok && r.node == "" { //nolint:errorlint // refusals are never wrapped
		r.node = source(n)
	}
	if err == nil && len(v.sql) > maxResult {
		return value{}, refuse("its translation is longer than a mebibyte")
	}
	return v, err
}

func (t *translator) dispatch(n ast.ExprNode) (value, error) {
	switch n := n.(type) {
	case *driver.ValueExpr:
		return t.literal(n)
	case *ast.ColumnNameExpr:
		return t.column(n.Name.Name.O)
	case *ast.ParenthesesExpr:
		return t.node(n.Expr)
	case *ast.BinaryOperationExpr:
		return t.binary(n)
	case *ast.UnaryOperationExpr:
		return t.unary(n)
	case *ast.IsNullExpr:
		return t.isNull(n)
	case *ast.IsTruthExpr:
		return t.isTruth(n)
	case *ast.BetweenExpr:
		return t.between(n)
	case *ast.PatternInExpr:
		return t.inList(n)
	case *ast.PatternLikeOrIlikeExpr:
		return t.like(n)
	case *ast.PatternRegexpExpr:
		return t.regexpNode(n.Expr, n.Pattern, n.Not)
	case *ast.CaseExpr:
		return t.caseWhen(n)
	case *ast.FuncCallExpr:
		return t.function(n)
	case *ast.FuncCastExpr:
		return t.cast(n)
	case *ast.SetCollationExpr:
		return t.collate(n)
	case *ast.VariableExpr:
		return value{}, refuse("PostgreSQL has no user or system variables in expressions")
	case *ast.SubqueryExpr, *ast.ExistsSubqueryExpr, *ast.CompareSubqueryExpr:
		return value{}, refuse("a subquery cannot stand in this place")
	}
	return value{}, refuse("this form has no translation")
}

func (t *translator) nodes(ns ...ast.ExprNode) ([]value, error) {
	vs := make([]value, len(ns))
	for i, n := range ns {
		v, err := t.node(n)
		if err != nil {
			return nil, err
		}
		vs[i] = v
	}
	return vs, nil
}

func (t *translator) isNull(n *ast.IsNullExpr) (value, error) {
	v, err := t.node(n.Expr)
	if err != nil {
		return value{}, err
	}
	op := " IS NULL"
	if n.Not {
		op = " IS NOT NULL"
	}
	// A column's NULL is the same on both sides except for dates: zero dates
	// arrive as NULL, and on a NOT NULL column MySQL's IS NULL finds them too.
	return value{sql: v.in(pIs+1) + op, prec: pIs, kind: boolean, notNull: true}, nil
}

func (t *translator) isTruth(n *ast.IsTruthExpr) (value, error) {
	v, err := t.node(n.Expr)
	if err != nil {
		return value{}, err
	}
	v, err = t.truth(v)
	if err != nil {
		return value{}, err
	}
	op := " IS "
	if n.Not {
		op += "NOT "
	}
	if n.True != 0 {
		op += "TRUE"
	} else {
		op += "FALSE"
	}
	return value{sql: v.in(pIs+1) + op, prec: pIs, kind: boolean, notNull: true}, nil
}

func (t *translator) between(n *ast.BetweenExpr) (value, error) {
	vs, err := t.nodes(n.Expr, n.Left, n.Right)
	if err != nil {
		return value{}, err
	}
	t.noteHidden(vs)
	vs, err = t.comparable(vs, true)
	if err != nil {
		return value{}, err
	}
	op := " BETWEEN "
	if n.Not {
		op = " NOT BETWEEN "
	}
	return value{
		sql:  vs[0].in(pLike+1) + op + vs[1].in(pLike+1) + " AND " + vs[2].in(pLike+1),
		prec: pLike, kind: boolean, notNull: vs[0].notNull && vs[1].notNull && vs[2].notNull,
	}, nil
}

func (t *translator) inList(n *ast.PatternInExpr) (value, error) {
	if n.Sel != nil {
		return value{}, refuse("a subquery cannot stand in this place")
	}
	vs, err := t.nodes(append([]ast.ExprNode{n.Expr}, n.List...)...)
	if err != nil {
		return value{}, err
	}
	t.noteHidden(vs)
	vs, err = t.comparable(vs, false)
	if err != nil {
		return value{}, err
	}
	op, list, notNull := " IN (", make([]string, len(vs)-1), vs[0].notNull
	if n.Not {
		op = " NOT IN ("
	}
	for i, v := range vs[1:] {
		list[i] = v.sql
		notNull = notNull && v.notNull
	}
	return value{sql: vs[0].in(pLike+1) + op + strings.Join(list, ", ") + ")", prec: pLike, kind: boolean, notNull: notNull}, nil
}

func (t *translator) caseWhen(n *ast.CaseExpr) (value, error) {
	conditions := make([]value, 0, len(n.WhenClauses))
	var results []value
	for _, w := range n.WhenClauses {
		c, err := t.when(n.Value, w.Expr)
		if err != nil {
			return value{}, err
		}
		r, err := t.node(w.Result)
		if err != nil {
			return value{}, err
		}
		conditions, results = append(conditions, c), append(results, r)
	}
	if n.ElseClause != nil {
		r, err := t.node(n.ElseClause)
		if err != nil {
			return value{}, err
		}
		results = append(results, r)
	}
	return t.choose(conditions, results)
}

// when is the condition of one branch: its expression, or the CASE's value equal to it.
func (t *translator) when(of, expr ast.ExprNode) (value, error) {
	if of == nil {
		v, err := t.node(expr)
		if err != nil {
			return value{}, err
		}
		return t.truth(v)
	}
	vs, err := t.nodes(of, expr)
	if err != nil {
		return value{}, err
	}
	return t.compare("=", vs[0], vs[1])
}

// choose renders CASE: one result more than conditions is the ELSE.
func (t *translator) choose(conditions, results []value) (value, error) {
	results, proto, err := t.unify(results)
	if err != nil {
		return value{}, err
	}
	if proto.kind == null {
		return proto, nil // a CASE of nothing but NULL would be text on PostgreSQL
	}
	proto.notNull = len(results) > len(conditions)
	var b strings.Builder
	b.WriteString("CASE")
	for i, c := range conditions {
		b.WriteString(" WHEN " + c.sql + " THEN " + results[i].sql)
	}
	if len(results) > len(conditions) {
		b.WriteString(" ELSE " + results[len(results)-1].sql)
	}
	b.WriteString(" END")
	for _, r := range results {
		proto.notNull = proto.notNull && r.notNull
	}
	proto.sql, proto.prec = b.String(), pAtom
	return proto, nil
}

func (t *translator) collate(n *ast.SetCollationExpr) (value, error) {
	v, err := t.node(n.Expr)
	if err != nil {
		return value{}, err
	}
	if v, err = t.toText(v); err != nil {
		return value{}, err
	}
	v.collation, v.ownCollation = strings.ToLower(n.Collate), false
	return v, nil
}
