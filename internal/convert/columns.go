package convert

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/convert/expr"
	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/schema"
)

// columns plans the columns of a table: first the types, because expressions
// need all of them, then what hangs on a type.
func (t *tablePlan) columns() error {
	for _, c := range t.source.Columns {
		if c.Type == nil {
			return fmt.Errorf("plan column %q of table %q: it has no type", c.Name, t.source.Name)
		}
		t.planColumn(c)
	}
	for i := range t.plan.Columns {
		c := &t.plan.Columns[i]
		t.generated(c)
		t.defaultOf(c)
		t.identity(c)
		t.onUpdate(c)
		t.invisible(c)
		t.target.Columns = append(t.target.Columns, c.Target)
		if c.Travels {
			t.plan.Select.Columns = append(t.plan.Select.Columns, c.Source)
		}
	}
	return nil
}

// planColumn gives a column its target type and everything that follows from it.
func (t *tablePlan) planColumn(src *schema.Column) {
	name := t.column[src.Name]
	d := t.decide(src, quoteName(name))
	d.typ = t.collate(src.Type, d.typ)
	c := Column{
		Source:  src,
		Target:  &schema.Column{Name: name, Type: d.typ, Nullable: src.Nullable, Comment: src.Comment},
		Travels: true, Form: formOf(src.Type, d.typ), Why: d.why,
		table: t.source.Name, accepted: map[finding.Code]bool{},
	}
	if e, ok := d.typ.(schema.Enum); ok {
		e.Name = t.planner.names.take(t.target.Name+"_"+name, ref{t.source.Name, src.Name}.String())
		c.Target.Type = e
	}
	if d.check != "" {
		t.addCheck(t.target.Name+"_"+name+"_check", d.check)
	}
	t.losses(&c)
	t.dataFindings(ref{t.source.Name, src.Name})
	t.plan.Columns = append(t.plan.Columns, c)
}

// addCheck adds a check whose name is its own in the table.
func (t *tablePlan) addCheck(name schema.Name, sql string) {
	t.target.Checks = append(t.target.Checks, schema.Check{Name: t.names.take(name, string(name)), Expr: sql, Enforced: true})
}

// context is what an expression of this table may rely on.
func (t *tablePlan) context(use expr.Use, into *Column) expr.Context {
	c := expr.Context{Dialect: t.planner.source.Dialect, Use: use, Columns: map[string]expr.Column{}, Version: t.able.Version / 10000}
	for i := range t.plan.Columns {
		c.Columns[strings.ToLower(string(t.plan.Columns[i].Source.Name))] = exprColumn(&t.plan.Columns[i])
	}
	if into != nil {
		e := exprColumn(into)
		c.Into = &e
	}
	return c
}

func exprColumn(c *Column) expr.Column {
	e := expr.Column{Name: c.Target.Name, Source: c.Source.Type, Target: c.Target.Type, NotNull: !c.Target.Nullable}
	// A generated column that arrived as a plain one may be named like any other.
	if c.Source.Generated != nil && c.Target.Generated != nil {
		e.Generated = c.Source.Generated.Expr
	}
	return e
}

// express translates an expression and tells its notes. On failure it returns
// an empty string and why; the caller says what is lost.
func (t *tablePlan) express(object, sql string, c expr.Context) (pg, why string) {
	res, err := expr.Translate(sql, c)
	if u, ok := errors.AsType[*expr.UntranslatableError](err); ok {
		return "", fmt.Sprintf("%s: %s", u.Node, u.Why)
	}
	if err != nil {
		return "", err.Error()
	}
	if len(res.Notes) > 0 {
		t.find(finding.Finding{
			Code: CodeExpression, Kind: finding.Problem, Severity: finding.Info, Object: object,
			What: fmt.Sprintf("%s became %s, which differs: %s", sql, res.SQL, strings.Join(res.Notes, " ")),
			Do:   "Check that the difference does not matter to the application.", Owner: "application",
		})
	}
	return res.SQL, ""
}

// generated carries over the expression of a generated column. Where it
// cannot, the values travel like those of any column: nothing is lost, but the
// target no longer computes them.
func (t *tablePlan) generated(c *Column) {
	g := c.Source.Generated
	if g == nil {
		return
	}
	r := ref{t.source.Name, c.Source.Name}
	sql, why := t.express(r.String(), g.Expr, t.context(expr.Generated, c))
	if why != "" {
		c.Why += " Its expression cannot be translated, so its values are copied."
		t.find(finding.Finding{
			Code: CodeGeneratedPlain, Kind: finding.Problem, Severity: finding.Warning, Object: r.String(),
			What: fmt.Sprintf("It is generated AS (%s), which PostgreSQL cannot compute alike (%s); it becomes a plain column and its values are copied.", g.Expr, why),
			Do:   "Write a BEFORE INSERT OR UPDATE trigger on the target that computes it, or let the application do so.", Owner: "dba",
		})
		return
	}
	c.Travels = false
	c.Target.Generated = &schema.Generated{Expr: sql, Stored: g.Stored || !t.mayBeVirtual(c)}
	if !g.Stored && c.Target.Generated.Stored {
		t.find(finding.Finding{
			Code: CodeGeneratedStored, Kind: finding.Problem, Severity: finding.Info, Object: r.String(),
			What: "It is VIRTUAL on the source and stored on the target, so it takes space there.",
			Do:   "PostgreSQL 18 and later can keep it virtual unless an index or a key uses it.", Owner: "dba",
		})
	}
}

// mayBeVirtual reports whether PostgreSQL 18's virtual columns can hold c: no
// index, key or user-defined type.
func (t *tablePlan) mayBeVirtual(c *Column) bool {
	if _, enum := c.Target.Type.(schema.Enum); enum || t.able.Version < 180000 {
		return false
	}
	return !t.indexed(c.Source.Name)
}

// indexed reports whether an index or a foreign key of the table uses a column.
func (t *tablePlan) indexed(c schema.Name) bool {
	uses := func(i *schema.Index) bool {
		return slices.ContainsFunc(i.Parts, func(p schema.IndexPart) bool { return p.Column == c || p.Expr != "" })
	}
	return t.inPrimaryKey(c) || slices.ContainsFunc(t.source.Indexes, uses) ||
		slices.ContainsFunc(t.source.ForeignKeys, func(fk *schema.ForeignKey) bool { return slices.Contains(fk.Columns, c) })
}

// identity turns AUTO_INCREMENT into an identity. Its sequence shares the schema's space
// of names and is named here, because the server would take a table's or an index's name
// that is yet to be made.
func (t *tablePlan) identity(c *Column) {
	if !c.Source.Identity {
		return
	}
	if _, ok := c.Target.Type.(schema.Int); ok {
		c.Target.Identity, c.Target.Nullable, c.Target.Default = true, false, nil
		c.Target.Sequence = t.planner.names.take(t.target.Name+"_"+c.Target.Name+"_seq", ref{t.source.Name, c.Source.Name}.String())
		return
	}
	t.target.NextIdentity = 0
	t.find(finding.Finding{
		Code: CodeIdentityDropped, Kind: finding.Problem, Severity: finding.Warning, Object: ref{t.source.Name, c.Source.Name}.String(),
		What: fmt.Sprintf("It is AUTO_INCREMENT and becomes %s, which PostgreSQL does not number by itself. %s", spell(c.Target.Type), c.Why),
		Do:   "Name the type bigint for it when its values allow that, or create a sequence and a default after the move.", Owner: "dba",
	})
}

// onUpdate tells about ON UPDATE CURRENT_TIMESTAMP, which only a trigger can do.
func (t *tablePlan) onUpdate(c *Column) {
	if !c.Source.OnUpdateNow {
		return
	}
	c.Target.OnUpdateNow = true
	t.find(finding.Finding{
		Code: CodeOnUpdateNow, Kind: finding.Problem, Severity: finding.Info, Object: ref{t.source.Name, c.Source.Name}.String(),
		What: "It is set to the time of every change ON UPDATE, which on PostgreSQL takes a trigger; the copy makes none, because a trigger must be off while changes are applied.",
		Do: "Nothing for bascule db cutover, which makes it. Without one, create a BEFORE UPDATE trigger that sets it when the row changed and the column did not. " +
			"Unlike MySQL, it cannot see that the same value was assigned on purpose.", Owner: "dba",
	})
}

// invisible tells that SELECT * will show a column.
func (t *tablePlan) invisible(c *Column) {
	if !c.Source.Invisible {
		return
	}
	t.find(finding.Finding{
		Code: CodeInvisibleColumn, Kind: finding.Problem, Severity: finding.Info, Object: ref{t.source.Name, c.Source.Name}.String(),
		What: "It is INVISIBLE on the source; on the target SELECT * shows it and INSERT without a column list meets it.",
		Do:   "List the columns in the application's SQL.", Owner: "application",
	})
}
