package postgres

import (
	"fmt"
	"strings"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/schema"
)

// edit writes one edit.
func (r *renderer) edit(e *change.Edit) []string {
	switch e.Kind {
	case change.EditCreateTable:
		return r.newTable(e.New)
	case change.EditDropTable:
		return []string{"DROP TABLE " + r.name(e.Table)}
	case change.EditRenameTable:
		return []string{fmt.Sprintf("ALTER TABLE %s RENAME TO %s", r.name(e.Table), quote(e.Name))}
	case change.EditAddColumn:
		return r.addColumn(e)
	case change.EditDropColumn:
		return r.alterTable(e, "DROP COLUMN "+quote(e.Column))
	case change.EditRenameColumn:
		return r.alterTable(e, fmt.Sprintf("RENAME COLUMN %s TO %s", quote(e.Column), quote(e.Name)))
	case change.EditType, change.EditNullable, change.EditDefault, change.EditIdentity:
		return r.alterColumn(e)
	case change.EditComment:
		on := "TABLE " + r.name(e.Table)
		if e.Column != "" {
			on = "COLUMN " + r.name(e.Table) + "." + quote(e.Column)
		}
		return []string{"COMMENT ON " + on + " IS " + literal(e.Text)}
	case change.EditAddCheck:
		return r.alterTable(e, fmt.Sprintf("ADD CONSTRAINT %s CHECK (%s)", quote(e.Check.Name), e.Check.Expr))
	case change.EditDropCheck:
		return r.alterTable(e, "DROP CONSTRAINT IF EXISTS "+quote(e.Name))
	case change.EditRenameCheck:
		return r.alterTable(e, fmt.Sprintf("RENAME CONSTRAINT %s TO %s", quote(e.Column), quote(e.Name)))
	case change.EditCreateIndex:
		return r.newIndex(e)
	case change.EditDropIndex:
		var out []string
		if e.Primary {
			out = r.alterTable(e, "DROP CONSTRAINT IF EXISTS "+quote(e.Name))
		}
		return append(out, "DROP INDEX IF EXISTS "+r.name(e.Name))
	case change.EditRenameIndex:
		return []string{fmt.Sprintf("ALTER INDEX IF EXISTS %s RENAME TO %s", r.name(e.Column), quote(e.Name))}
	case change.EditRenameSequence:
		return []string{fmt.Sprintf("ALTER SEQUENCE IF EXISTS %s RENAME TO %s", r.name(e.Column), quote(e.Name))}
	case change.EditAddLabel:
		return []string{fmt.Sprintf("ALTER TYPE %s ADD VALUE %s", r.name(e.Name), literal(e.Text))}
	case change.EditDropType:
		return []string{"DROP TYPE " + r.name(e.Name)}
	case change.EditRenameType:
		return []string{fmt.Sprintf("ALTER TYPE %s RENAME TO %s", r.name(e.Column), quote(e.Name))}
	}
	panic(fmt.Sprintf("postgres: no SQL for edit %d", e.Kind))
}

func (r *renderer) alterTable(e *change.Edit, what string) []string {
	return []string{"ALTER TABLE " + r.name(e.Table) + " " + what}
}

// newTable makes a table with everything of its own, and what its columns need.
func (r *renderer) newTable(t *schema.Table) []string {
	own := renderer{schema: r.schema}
	db := &schema.Database{Name: r.schema, Tables: []*schema.Table{t}}
	own.extensions(db)
	own.enums(db)
	out := r.newCollations(t.Columns...)
	for _, s := range own.out {
		out = append(out, s.SQL)
	}
	out = append(out, r.table(t))
	keys := renderer{schema: r.schema}
	keys.keys(t)
	for _, s := range keys.out {
		if !strings.HasPrefix(s.What, "identity ") { // there is no value yet
			out = append(out, s.SQL)
		}
	}
	return append(out, r.comments(t)...)
}

// newCollations makes the collations of columns that are not there yet.
func (r *renderer) newCollations(cs ...*schema.Column) (out []string) {
	for _, c := range cs {
		if t, ok := c.Type.(schema.Text); ok && t.Collation != "" && !ownCollation(t.Collation) {
			out = append(out, fmt.Sprintf("CREATE COLLATION IF NOT EXISTS %s (provider = icu, locale = %s, deterministic = false)",
				r.name(schema.Name(t.Collation)), literal(t.Collation)))
		}
	}
	return out
}

// addColumn adds a column whose rows that are there take Fill, or the default.
func (r *renderer) addColumn(e *change.Edit) []string {
	c := e.NewColumn
	out := r.newCollations(c)
	if t, ok := c.Type.(schema.Enum); ok && t.Name != "" {
		own := renderer{schema: r.schema}
		own.enums(&schema.Database{Tables: []*schema.Table{{Columns: []*schema.Column{c}}}})
		out = append(out, own.out[0].SQL)
	}
	if e.Fill == nil {
		return append(out, r.alterTable(e, "ADD COLUMN "+r.column(c))...)
	}
	filled := *c
	filled.Default = e.Fill
	out = append(out, r.alterTable(e, "ADD COLUMN "+r.column(&filled))...)
	return append(out, r.setDefault(e)...)
}

func (r *renderer) setDefault(e *change.Edit) []string {
	if e.NewColumn.Default == nil {
		return r.alterTable(e, "ALTER COLUMN "+quote(e.Column)+" DROP DEFAULT")
	}
	return r.alterTable(e, "ALTER COLUMN "+quote(e.Column)+" SET DEFAULT "+defaultSQL(e.NewColumn))
}

func (r *renderer) alterColumn(e *change.Edit) []string {
	c := e.NewColumn
	column := "ALTER COLUMN " + quote(e.Column)
	switch e.Kind {
	case change.EditNullable:
		if c.Nullable {
			return r.alterTable(e, column+" DROP NOT NULL")
		}
		return r.alterTable(e, column+" SET NOT NULL")
	case change.EditDefault:
		return r.setDefault(e)
	case change.EditIdentity:
		if !c.Identity {
			return r.alterTable(e, column+" DROP IDENTITY IF EXISTS")
		}
		sequence := ""
		if c.Sequence != "" {
			sequence = " (SEQUENCE NAME " + r.name(c.Sequence) + ")"
		}
		return append(r.alterTable(e, column+" ADD GENERATED BY DEFAULT AS IDENTITY"+sequence), r.identity(&schema.Table{Name: e.Table}, c))
	default:
		typ := r.typeName(c.Type)
		collate := ""
		if t, ok := c.Type.(schema.Text); ok && t.Collation != "" {
			collate = " COLLATE " + r.collation(t.Collation)
		}
		sql := r.alterTable(e, fmt.Sprintf("%s TYPE %s%s USING %s::%s", column, typ, collate, quote(e.Column), typ))
		return append(r.newCollations(c), sql...)
	}
}

// newIndex makes an index and, where it is the primary key, the key.
func (r *renderer) newIndex(e *change.Edit) []string {
	out := []string{r.index(e.New, e.Index, e.Primary)}
	if e.Primary {
		out = append(out, r.alterTable(e, fmt.Sprintf("ADD CONSTRAINT %s PRIMARY KEY USING INDEX %s", quote(e.Index.Name), quote(e.Index.Name)))...)
	}
	if e.Index.Comment != "" {
		out = append(out, fmt.Sprintf("COMMENT ON INDEX %s IS %s", r.name(e.Index.Name), literal(e.Index.Comment)))
	}
	return out
}
