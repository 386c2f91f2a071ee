package postgres

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/schema"
)

// Render returns every statement that makes db, whose Name is the target schema,
// in an order in which they can run. Expressions in db are PostgreSQL's.
//
// A table is created with its checks but without any index or key. Checks that are
// evaluated while rows arrive cost what the scan that validates them later would (three of
// them 0.3 µs a row, measured either way on 2 million rows), and name the row that breaks one.
// A primary key takes over an index that was built like any other, because ADD PRIMARY
// KEY would lock the table for as long as the build runs. Foreign keys are added NOT VALID,
// which holds its locks for an instant, and validated in StageFinish.
//
// A Text column's Collation on the target is the name of one of PostgreSQL's own
// collations (C, POSIX, default, ucs_basic, unicode, pg_c_utf8 ...), or an ICU locale
// such as und-u-ks-level1: then a nondeterministic collation of that name is made in the schema.
func (e *End) Render(db *schema.Database) []change.Statement {
	r := renderer{schema: db.Name}
	if db.Name != "public" {
		r.add(change.StageSchema, "", "schema "+string(db.Name), "CREATE SCHEMA IF NOT EXISTS "+quote(db.Name))
	}
	r.extensions(db)
	r.collations(db)
	r.enums(db)
	for _, t := range db.Tables {
		r.add(change.StageSchema, t.Name, "table "+string(t.Name), r.table(t), append(sequences(t), t.Name)...)
	}
	for _, t := range db.Tables {
		r.keys(t)
	}
	for _, t := range db.Tables {
		r.foreignKeys(t)
	}
	for _, t := range db.Tables {
		r.finish(t)
	}
	return r.out
}

// renderer collects the statements of one schema.
type renderer struct {
	schema schema.Name
	out    []change.Statement
}

func (r *renderer) add(stage change.Stage, table schema.Name, what, sql string, makes ...schema.Name) {
	r.out = append(r.out, change.Statement{Stage: stage, Table: table, What: what, SQL: sql, Makes: makes})
}

func (r *renderer) name(n schema.Name) string { return qualify(r.schema, n) }

// eachColumn visits the columns of all tables in order.
func eachColumn(db *schema.Database, fn func(*schema.Column)) {
	for _, t := range db.Tables {
		for _, c := range t.Columns {
			fn(c)
		}
	}
}

func (r *renderer) extensions(db *schema.Database) {
	spatial := false
	eachColumn(db, func(c *schema.Column) {
		_, ok := c.Type.(schema.Geometry)
		spatial = spatial || ok
	})
	if spatial {
		// The statements after this one find its schema: see findPostGIS.
		r.add(change.StageSchema, "", "extension postgis", "CREATE EXTENSION IF NOT EXISTS postgis WITH SCHEMA public")
	}
}

func (r *renderer) collations(db *schema.Database) {
	seen := map[string]bool{}
	eachColumn(db, func(c *schema.Column) {
		t, ok := c.Type.(schema.Text)
		if !ok || t.Collation == "" || ownCollation(t.Collation) || seen[t.Collation] {
			return
		}
		seen[t.Collation] = true
		r.add(change.StageSchema, "", "collation "+t.Collation, fmt.Sprintf(
			"CREATE COLLATION %s (provider = icu, locale = %s, deterministic = false)", r.name(schema.Name(t.Collation)), literal(t.Collation)), schema.Name(t.Collation))
	})
}

// ownCollation tells PostgreSQL's own collations from ICU locales.
func ownCollation(name string) bool {
	return slices.Contains([]string{"C", "POSIX", "default", "ucs_basic", "unicode", "C.UTF-8", "pg_c_utf8", "pg_unicode_fast"}, name)
}

func (r *renderer) enums(db *schema.Database) {
	seen := map[schema.Name]bool{}
	eachColumn(db, func(c *schema.Column) {
		t, ok := c.Type.(schema.Enum)
		if !ok || t.Name == "" || seen[t.Name] {
			return
		}
		seen[t.Name] = true
		members := make([]string, len(t.Members))
		for i, m := range t.Members {
			members[i] = literal(m)
		}
		r.add(change.StageSchema, "", "type "+string(t.Name),
			fmt.Sprintf("CREATE TYPE %s AS ENUM (%s)", r.name(t.Name), strings.Join(members, ", ")), t.Name)
	})
}

// sequences are the names of identities' sequences that the plan chose.
func sequences(t *schema.Table) []schema.Name {
	var names []schema.Name
	for _, c := range t.Columns {
		if c.Identity && c.Sequence != "" {
			names = append(names, c.Sequence)
		}
	}
	return names
}

func (r *renderer) table(t *schema.Table) string {
	var lines []string
	for _, c := range t.Columns {
		lines = append(lines, r.column(c))
	}
	for _, c := range t.Checks {
		if c.Enforced {
			lines = append(lines, fmt.Sprintf("CONSTRAINT %s CHECK (%s)", quote(c.Name), c.Expr))
		}
	}
	return fmt.Sprintf("CREATE TABLE %s (\n\t%s\n)", r.name(t.Name), strings.Join(lines, ",\n\t"))
}

func (r *renderer) column(c *schema.Column) string {
	var b strings.Builder
	b.WriteString(quote(c.Name) + " " + r.typeName(c.Type))
	if t, ok := c.Type.(schema.Text); ok && t.Collation != "" {
		b.WriteString(" COLLATE " + r.collation(t.Collation))
	}
	switch {
	case c.Generated != nil && c.Generated.Stored:
		b.WriteString(" GENERATED ALWAYS AS (" + c.Generated.Expr + ") STORED")
	case c.Generated != nil:
		b.WriteString(" GENERATED ALWAYS AS (" + c.Generated.Expr + ") VIRTUAL")
	case c.Identity:
		b.WriteString(" GENERATED BY DEFAULT AS IDENTITY")
		if c.Sequence != "" {
			b.WriteString(" (SEQUENCE NAME " + r.name(c.Sequence) + ")")
		}
	case c.Default != nil:
		b.WriteString(" DEFAULT " + defaultSQL(c))
	}
	if !c.Nullable {
		b.WriteString(" NOT NULL")
	}
	return b.String()
}

func (r *renderer) collation(name string) string {
	if ownCollation(name) {
		return "pg_catalog." + quoteText(name)
	}
	return r.name(schema.Name(name))
}

// defaultSQL writes a default. A literal is a quoted string that PostgreSQL reads
// as the column's type; bytes and bits take their own notation.
func defaultSQL(c *schema.Column) string {
	d := c.Default
	switch {
	case d.Null:
		return "NULL"
	case d.Expr != "":
		return "(" + d.Expr + ")"
	}
	switch t := c.Type.(type) {
	case schema.Binary:
		return fmt.Sprintf(`'\x%x'::bytea`, d.Literal)
	case schema.Bit:
		return "B'" + bitText(d.Literal, t.N) + "'"
	default:
		return literal(d.Literal)
	}
}

// bitText returns the last n bits of big-endian bytes. Text that is already n
// digits of 0 and 1 is taken as it is.
func bitText(raw string, n int) string {
	if len(raw) == n && strings.Trim(raw, "01") == "" {
		return raw
	}
	var b strings.Builder
	for i := range len(raw) {
		fmt.Fprintf(&b, "%08b", raw[i])
	}
	s := b.String()
	if len(s) < n {
		return strings.Repeat("0", n-len(s)) + s
	}
	return s[len(s)-n:]
}

// typeName returns the type as SQL.
func (r *renderer) typeName(t schema.Type) string {
	switch t := t.(type) {
	case schema.Enum:
		if t.Name != "" {
			return r.name(t.Name)
		}
		return "text"
	default:
		return sqlType(t)
	}
}

// sqlType returns the SQL of a type that no schema owns.
func sqlType(t schema.Type) string {
	switch t := t.(type) {
	case schema.Bool:
		return "boolean"
	case schema.Int:
		return intType(t)
	case schema.Year:
		return "smallint"
	case schema.Bit:
		return fmt.Sprintf("bit(%d)", t.N)
	case schema.Decimal:
		if t.Precision == 0 {
			return "numeric"
		}
		return fmt.Sprintf("numeric(%d,%d)", t.Precision, t.Scale)
	case schema.Float:
		if t.Bits == 32 {
			return "real"
		}
		return "double precision"
	case schema.Text:
		return textType(t)
	case schema.Binary:
		return "bytea"
	case schema.Enum, schema.Set:
		return "text"
	case schema.TextArray:
		return "text[]"
	case schema.JSON:
		if t.Parsed {
			return "jsonb"
		}
		return "json"
	case schema.Date:
		return "date"
	case schema.Time:
		return fmt.Sprintf("time(%d)", t.Precision)
	case schema.Interval:
		return fmt.Sprintf("interval(%d)", t.Precision)
	case schema.DateTime:
		return fmt.Sprintf("timestamp(%d)", t.Precision)
	case schema.Timestamp:
		return fmt.Sprintf("timestamptz(%d)", t.Precision)
	case schema.UUID:
		return "uuid"
	case schema.Inet:
		return "inet"
	case schema.Geometry:
		return geometryType(t)
	case schema.Vector:
		return "real[]"
	case schema.Other:
		return t.SQL
	default:
		panic(fmt.Sprintf("postgres: no SQL for type %T", t))
	}
}

func intType(t schema.Int) string {
	bits := t.Bits
	if t.Unsigned {
		bits++
	}
	switch {
	case bits <= 16:
		return "smallint"
	case bits <= 32:
		return "integer"
	default:
		return "bigint"
	}
}

func textType(t schema.Text) string {
	switch {
	case t.Length == 0:
		return "text"
	case t.Fixed:
		return fmt.Sprintf("char(%d)", t.Length)
	default:
		return fmt.Sprintf("varchar(%d)", t.Length)
	}
}

func geometryType(t schema.Geometry) string {
	shape := t.Shape
	if shape == "" {
		shape = "GEOMETRY"
	}
	if t.SRID < 0 {
		return fmt.Sprintf("geometry(%s)", shape)
	}
	return fmt.Sprintf("geometry(%s,%d)", shape, t.SRID)
}
