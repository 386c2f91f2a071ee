package alter

import (
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"github.com/bascule/bascule/internal/schema"
)

// inline is what a column's own clause says of the table.
type inline struct {
	primary, unique bool
	checks          []*ast.ColumnOption
}

// columnOf reads a column's definition.
func (s *server) columnOf(t *schema.Table, d *ast.ColumnDef) (*schema.Column, inline, error) {
	c := &schema.Column{Name: schema.Name(d.Name.Name.O), Nullable: true}
	var in inline
	collate := ""
	for _, o := range d.Options {
		if o.Tp == ast.ColumnOptionCollate {
			collate = o.StrValue
		}
	}
	by := words{s.charsetOf(t.Collation), t.Collation}
	var err error
	if c.Type, err = s.columnType(d, collate, by); err != nil {
		return nil, in, err
	}
	said := false // NULL, NOT NULL or DEFAULT, without which a TIMESTAMP may mean another column
	for _, o := range d.Options {
		switch o.Tp { //nolint:exhaustive // the others are not its business
		case ast.ColumnOptionNotNull, ast.ColumnOptionNull, ast.ColumnOptionDefaultValue:
			said = true
		}
		if err := s.option(c, o, &in, string(c.Name)); err != nil {
			return nil, in, err
		}
	}
	if _, ts := c.Type.(schema.Timestamp); ts && (!said || !c.Nullable && c.Default == nil) && !s.explicitTimestamps() {
		return nil, in, unsupported(string(c.Name)+" TIMESTAMP", "what it means without NULL and DEFAULT depends on explicit_defaults_for_timestamp")
	}
	if in.primary {
		c.Nullable = false
	}
	return c, in, nil
}

// option takes one clause of a column.
func (s *server) option(c *schema.Column, o *ast.ColumnOption, in *inline, where string) (err error) {
	switch o.Tp {
	case ast.ColumnOptionNoOption, ast.ColumnOptionCollate, ast.ColumnOptionColumnFormat, ast.ColumnOptionStorage:
	case ast.ColumnOptionPrimaryKey:
		in.primary = true
	case ast.ColumnOptionUniqKey:
		in.unique = true
	case ast.ColumnOptionNotNull:
		c.Nullable = false
	case ast.ColumnOptionNull:
		c.Nullable = true
	case ast.ColumnOptionAutoIncrement:
		c.Identity, c.Nullable = true, false
	case ast.ColumnOptionDefaultValue:
		c.Default, err = s.defaultOf(o.Expr, c.Type, where)
	case ast.ColumnOptionOnUpdate:
		c.OnUpdateNow = true
	case ast.ColumnOptionComment:
		text, kind, ok := constant(o.Expr)
		if !ok || kind != constantText {
			return unsupported(where+" COMMENT", "it is no text")
		}
		c.Comment = text
	case ast.ColumnOptionGenerated:
		var sql string
		sql, err = expression(o.Expr, where+" AS")
		c.Generated = &schema.Generated{Expr: sql, Stored: o.Stored}
	case ast.ColumnOptionCheck:
		in.checks = append(in.checks, o)
	case ast.ColumnOptionReference:
		return unsupported(where+" REFERENCES", "whether a column's own REFERENCES makes a foreign key depends on the server")
	case ast.ColumnOptionFulltext:
		return unsupported(where+" FULLTEXT", "it is no clause of a column")
	default:
		return unsupported(where, "one of its clauses is not known")
	}
	return err
}

// uses reports whether an expression names the column.
func uses(expr string, name schema.Name) (bool, error) {
	st, err := Parse("SELECT "+simple(expr), "")
	if err != nil {
		return false, unsupported("the expression "+expr, "it is not understood")
	}
	v := &columnNames{want: string(name)}
	st.node.Accept(v)
	return v.found, nil
}

// simple drops the introducers that MySQL's catalog prints before strings.
func simple(expr string) string {
	return strings.NewReplacer("_utf8mb4'", "'", "_utf8mb3'", "'", `_utf8mb4\'`, `\'`).Replace(expr)
}

type columnNames struct {
	want  string
	found bool
}

// Enter implements ast.Visitor.
func (v *columnNames) Enter(n ast.Node) (ast.Node, bool) {
	if c, ok := n.(*ast.ColumnName); ok && strings.EqualFold(c.Name.O, v.want) {
		v.found = true
	}
	return n, false
}

// Leave implements ast.Visitor.
func (v *columnNames) Leave(n ast.Node) (ast.Node, bool) { return n, true }

// unused refuses to rename a column that an expression of the table names: whether the server follows depends on it.
func unused(t *schema.Table, name schema.Name) error {
	var exprs []string
	for _, c := range t.Columns {
		if c.Generated != nil {
			exprs = append(exprs, c.Generated.Expr)
		}
		if c.Default != nil && c.Default.Expr != "" {
			exprs = append(exprs, c.Default.Expr)
		}
	}
	for _, k := range t.Checks {
		exprs = append(exprs, k.Expr)
	}
	for _, x := range t.Indexes {
		for _, p := range x.Parts {
			if p.Expr != "" {
				exprs = append(exprs, p.Expr)
			}
		}
	}
	for _, e := range exprs {
		if used, err := uses(e, name); err != nil || used {
			return unsupported("rename "+string(name), "the expression %s may name it", e)
		}
	}
	return nil
}
