package postgres

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/schema"
)

// keys adds the indexes of a table, the slowest to build first, then what takes them over: as many are built at once as there are
// lanes, and a slow one that began last would keep one lane busy while the others have nothing left.
func (r *renderer) keys(t *schema.Table) {
	for _, x := range slowestFirst(t) {
		what := "index " + string(x.Name)
		if x == t.PrimaryKey {
			what = "primary key index"
		}
		r.add(change.StageIndex, t.Name, what, r.index(t, x, x == t.PrimaryKey), x.Name)
	}
	if pk := t.PrimaryKey; pk != nil {
		r.add(change.StageKey, t.Name, "primary key",
			fmt.Sprintf("ALTER TABLE %s ADD CONSTRAINT %s PRIMARY KEY USING INDEX %s", r.name(t.Name), quote(pk.Name), quote(pk.Name)))
	}
	for _, c := range t.Columns {
		if c.Identity {
			r.add(change.StageKey, t.Name, "identity "+string(c.Name), r.identity(t, c))
		}
	}
}

// slowestFirst orders the indexes of a table by what their builds cost.
func slowestFirst(t *schema.Table) []*schema.Index {
	all := slices.Clone(t.Indexes)
	if t.PrimaryKey != nil {
		all = append(all, t.PrimaryKey)
	}
	slices.SortStableFunc(all, func(a, b *schema.Index) int { return buildCost(t, b) - buildCost(t, a) })
	return all
}

// buildCost compares the builds of one table's indexes: seconds for two million rows, times ten, as they were measured. Sorting is
// what takes the time. Texts are compared by the locale's rules, one call each; a second column is compared whenever the first
// is equal, and is looked up in the row each time. Rows come in the primary key's order, which makes its sort one pass.
func buildCost(t *schema.Table, x *schema.Index) int {
	switch {
	case x.Method == schema.FullText:
		return 200
	case x.Method == schema.Spatial:
		return 100
	case x == t.PrimaryKey:
		return 12
	}
	cost := 5
	for _, p := range x.Parts {
		cost += partCost(t, p)
	}
	return cost
}

func partCost(t *schema.Table, p schema.IndexPart) int {
	c := t.Column(p.Column)
	if p.Expr != "" || p.Prefix > 0 || c == nil {
		return 40
	}
	switch c.Type.(type) {
	case schema.Int, schema.Bool, schema.Date, schema.DateTime, schema.Timestamp, schema.Float, schema.UUID:
		return 15
	case schema.Text:
		return 30
	default:
		return 20
	}
}

// index writes CREATE INDEX. A primary key's index takes the plain order, since
// only such an index can become a key.
func (r *renderer) index(t *schema.Table, x *schema.Index, key bool) string {
	method, parts := "btree", make([]string, 0, len(x.Parts))
	switch x.Method {
	case schema.FullText:
		method = "gin"
	case schema.Spatial:
		method = "gist"
	case schema.BTree, schema.Hash:
	}
	if x.Method == schema.FullText && !hasExpr(x) {
		parts = append(parts, fullText(x))
	} else {
		for _, p := range x.Parts {
			parts = append(parts, indexPart(t, p, key || method != "btree"))
		}
	}
	unique := ""
	if x.Unique || key {
		unique = "UNIQUE "
	}
	return fmt.Sprintf("CREATE %sINDEX %s ON %s USING %s (%s)", unique, quote(x.Name), r.name(t.Name), method, strings.Join(parts, ", "))
}

func hasExpr(x *schema.Index) bool {
	for _, p := range x.Parts {
		if p.Expr != "" {
			return true
		}
	}
	return false
}

// fullText is the expression that queries must repeat to use the index.
func fullText(x *schema.Index) string {
	cols := make([]string, len(x.Parts))
	for i, p := range x.Parts {
		cols[i] = "COALESCE(" + quote(p.Column) + ", '')"
	}
	return "to_tsvector('simple'::regconfig, " + strings.Join(cols, " || ' ' || ") + ")"
}

func indexPart(t *schema.Table, p schema.IndexPart, plain bool) string {
	s := quote(p.Column)
	switch {
	case p.Expr != "":
		s = "(" + p.Expr + ")"
	case p.Prefix > 0:
		s = prefix(t.Column(p.Column), p)
	}
	if p.Desc && !plain {
		// No NULLS LAST, though MySQL sorts that way: an ORDER BY uses an index only when both place NULLs alike.
		s += " DESC"
	}
	return s
}

func prefix(c *schema.Column, p schema.IndexPart) string {
	if c != nil {
		if _, ok := c.Type.(schema.Binary); ok {
			return fmt.Sprintf("substring(%s, 1, %d)", quote(p.Column), p.Prefix)
		}
	}
	return fmt.Sprintf("\"left\"(%s, %d)", quote(p.Column), p.Prefix)
}

// identity sets the next value past every value that was loaded, and past those
// that the source had handed out and deleted.
func (r *renderer) identity(t *schema.Table, c *schema.Column) string {
	last := uint64(0)
	if t.NextIdentity > 0 {
		last = min(t.NextIdentity-1, maxInt(c.Type))
	}
	// Whatever its name, the sequence that the column owns.
	seq := fmt.Sprintf("pg_catalog.pg_get_serial_sequence(%s, %s)", literal(r.name(t.Name)), literal(string(c.Name)))
	// setval refuses 0, and with false the next value is the value given.
	return fmt.Sprintf("SELECT pg_catalog.setval(%s, GREATEST(last, 1), last > 0) FROM (SELECT GREATEST(COALESCE(max(%s), 0), %d) AS last FROM %s) AS l",
		seq, quote(c.Name), last, r.name(t.Name))
}

// maxInt is the largest value of an identity's type.
func maxInt(t schema.Type) uint64 {
	switch sqlType(t) {
	case "smallint":
		return 1<<15 - 1
	case "integer":
		return 1<<31 - 1
	default:
		return 1<<63 - 1
	}
}

func (r *renderer) foreignKeys(t *schema.Table) {
	for _, k := range t.ForeignKeys {
		parent := r.schema
		if k.ParentSchema != "" {
			parent = k.ParentSchema
		}
		var b strings.Builder
		// Both tables are locked in one order by all, or two of these could wait for each other.
		first, second := r.name(t.Name), qualify(parent, k.Parent)
		if second < first {
			first, second = second, first
		}
		fmt.Fprintf(&b, "LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE; ", first)
		if first != second {
			fmt.Fprintf(&b, "LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE; ", second)
		}
		fmt.Fprintf(&b, "ALTER TABLE %s ADD CONSTRAINT %s FOREIGN KEY (%s) REFERENCES %s (%s)%s%s NOT VALID",
			r.name(t.Name), quote(k.Name), quoteList(k.Columns), qualify(parent, k.Parent), quoteList(k.ParentColumns),
			action("DELETE", k.OnDelete), action("UPDATE", k.OnUpdate))
		r.out = append(r.out, change.Statement{
			Stage: change.StageForeignKey, Table: t.Name, Parent: k.Parent, What: "foreign key " + string(k.Name), SQL: b.String(),
		})
	}
}

func action(event string, a schema.Action) string {
	if a == "" || a == schema.NoAction {
		return ""
	}
	return " ON " + event + " " + string(a)
}

// finish validates, describes and counts a table in one task: each of these locks
// it against the others anyway. Statistics come first, for the join that validates.
func (r *renderer) finish(t *schema.Table) {
	what := []string{"statistics"}
	sql := []string{"ANALYZE " + r.name(t.Name)}
	for _, k := range t.ForeignKeys {
		sql = append(sql, fmt.Sprintf("ALTER TABLE %s VALIDATE CONSTRAINT %s", r.name(t.Name), quote(k.Name)))
	}
	if len(t.ForeignKeys) > 0 {
		what = append(what, "foreign keys validated")
	}
	comments := r.comments(t)
	if len(comments) > 0 {
		what = append(what, "comments")
	}
	sql = append(sql, comments...)
	r.add(change.StageFinish, t.Name, strings.Join(what, ", "), strings.Join(sql, ";\n"))
}

func (r *renderer) comments(t *schema.Table) []string {
	var sql []string
	if t.Comment != "" {
		sql = append(sql, fmt.Sprintf("COMMENT ON TABLE %s IS %s", r.name(t.Name), literal(t.Comment)))
	}
	for _, c := range t.Columns {
		if c.Comment != "" {
			sql = append(sql, fmt.Sprintf("COMMENT ON COLUMN %s.%s IS %s", r.name(t.Name), quote(c.Name), literal(c.Comment)))
		}
	}
	for _, x := range t.Indexes {
		if x.Comment != "" {
			sql = append(sql, fmt.Sprintf("COMMENT ON INDEX %s IS %s", r.name(x.Name), literal(x.Comment)))
		}
	}
	return sql
}
