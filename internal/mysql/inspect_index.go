package mysql

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/schema"
)

func (in *inspection) indexes(ctx context.Context) error {
	q := "SELECT TABLE_NAME, INDEX_NAME, NON_UNIQUE, COLUMN_NAME, COLLATION, SUB_PART, INDEX_TYPE, INDEX_COMMENT, " +
		in.optional("STATISTICS", "IS_VISIBLE") + ", " + in.optional("STATISTICS", "IGNORED") + ", " + in.optional("STATISTICS", "EXPRESSION") +
		" FROM information_schema.STATISTICS WHERE " + in.here("TABLE_SCHEMA") + " ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX"
	return in.each(ctx, "indexes", q, func(r row) error {
		t := in.tables[r.text("TABLE_NAME")]
		if t == nil {
			return nil
		}
		ix := in.index(t, r)
		part := schema.IndexPart{
			Column: schema.Name(r.text("COLUMN_NAME")), Prefix: int(r.whole("SUB_PART")), Desc: r.text("COLLATION") == "D",
			Expr: in.expression(r.text("EXPRESSION")),
		}
		if ix.Method == schema.Spatial {
			part.Prefix = 0 // the catalog shows the 32 bytes of a bounding box
		}
		ix.Parts = append(ix.Parts, part)
		return nil
	})
}

// index returns the index that a row belongs to, and adds it to the table when the row is its first.
func (in *inspection) index(t *schema.Table, r row) *schema.Index {
	name := schema.Name(r.text("INDEX_NAME"))
	if name == "PRIMARY" {
		if t.PrimaryKey == nil {
			t.PrimaryKey = &schema.Index{Name: name, Unique: true, Comment: r.text("INDEX_COMMENT")}
		}
		return t.PrimaryKey
	}
	if n := len(t.Indexes); n > 0 && t.Indexes[n-1].Name == name {
		return t.Indexes[n-1]
	}
	ix := &schema.Index{
		Name: name, Unique: r.text("NON_UNIQUE") == "0", Comment: r.text("INDEX_COMMENT"),
		Invisible: r.text("IS_VISIBLE") == "NO" || r.text("IGNORED") == "YES",
	}
	switch strings.ToUpper(r.text("INDEX_TYPE")) {
	case "HASH":
		ix.Method = schema.Hash
	case "FULLTEXT":
		ix.Method = schema.FullText
	case "SPATIAL", "RTREE":
		ix.Method = schema.Spatial
	}
	t.Indexes = append(t.Indexes, ix)
	return ix
}

// foreignKeys reads rules and columns apart: a join of the two catalog tables opens every table for every row on servers
// before MySQL 8.
func (in *inspection) foreignKeys(ctx context.Context) error {
	keys := map[[2]string]*schema.ForeignKey{}
	q := "SELECT TABLE_NAME, CONSTRAINT_NAME, UNIQUE_CONSTRAINT_SCHEMA, REFERENCED_TABLE_NAME, UPDATE_RULE, DELETE_RULE" +
		" FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE " + in.here("CONSTRAINT_SCHEMA") + " ORDER BY TABLE_NAME, CONSTRAINT_NAME"
	err := in.each(ctx, "foreign keys", q, func(r row) error {
		t := in.tables[r.text("TABLE_NAME")]
		if t == nil {
			return nil
		}
		fk := &schema.ForeignKey{
			Name: schema.Name(r.text("CONSTRAINT_NAME")), Parent: schema.Name(r.text("REFERENCED_TABLE_NAME")),
			OnDelete: schema.Action(r.text("DELETE_RULE")), OnUpdate: schema.Action(r.text("UPDATE_RULE")),
		}
		if s := schema.Name(r.text("UNIQUE_CONSTRAINT_SCHEMA")); !strings.EqualFold(string(s), string(in.e.cfg.Database)) {
			fk.ParentSchema = s
		}
		keys[[2]string{r.text("TABLE_NAME"), r.text("CONSTRAINT_NAME")}] = fk
		t.ForeignKeys = append(t.ForeignKeys, fk)
		return nil
	})
	if err != nil {
		return err
	}
	q = "SELECT TABLE_NAME, CONSTRAINT_NAME, COLUMN_NAME, REFERENCED_COLUMN_NAME FROM information_schema.KEY_COLUMN_USAGE WHERE " +
		in.here("TABLE_SCHEMA") + " AND REFERENCED_TABLE_NAME IS NOT NULL ORDER BY TABLE_NAME, CONSTRAINT_NAME, ORDINAL_POSITION"
	return in.each(ctx, "foreign key columns", q, func(r row) error {
		if fk := keys[[2]string{r.text("TABLE_NAME"), r.text("CONSTRAINT_NAME")}]; fk != nil {
			fk.Columns = append(fk.Columns, schema.Name(r.text("COLUMN_NAME")))
			fk.ParentColumns = append(fk.ParentColumns, schema.Name(r.text("REFERENCED_COLUMN_NAME")))
		}
		return nil
	})
}

// name matches an identifier as SHOW CREATE TABLE quotes it.
const name = "`((?:[^`]|``)+)`"

var (
	foreignKeyLine = regexp.MustCompile("(?m)^ *CONSTRAINT " + name + ` FOREIGN KEY \((.+?)\) REFERENCES (?:` + name + `\.)?` + name +
		` \((.+?)\)(?: ON DELETE (CASCADE|SET NULL|SET DEFAULT|NO ACTION|RESTRICT))?(?: ON UPDATE (CASCADE|SET NULL|SET DEFAULT|NO ACTION|RESTRICT))?,?$`)
	oneName = regexp.MustCompile(name)
)

// hiddenForeignKeys reads what MariaDB, and MySQL before 8, keep from the catalog of an account that has no more than SELECT: foreign keys.
// SHOW CREATE TABLE shows them to anyone who may read the table. Only tables with an index can have one.
func (in *inspection) hiddenForeignKeys(ctx context.Context) error {
	if in.e.server.atLeast(schema.MySQL, 80000) {
		return nil
	}
	for _, t := range in.db.Tables {
		if len(t.ForeignKeys) > 0 || t.PrimaryKey == nil && len(t.Indexes) == 0 || !transactional(t.Engine) {
			continue
		}
		err := in.each(ctx, "the definition of "+string(t.Name), "SHOW CREATE TABLE "+quote(t.Name), func(r row) error {
			t.ForeignKeys = parseForeignKeys(r.text("CREATE TABLE"))
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func parseForeignKeys(create string) (out []*schema.ForeignKey) {
	for _, m := range foreignKeyLine.FindAllStringSubmatch(create, -1) {
		fk := &schema.ForeignKey{
			Name: unquote(m[1]), Columns: names(m[2]), ParentSchema: unquote(m[3]), Parent: unquote(m[4]), ParentColumns: names(m[5]),
			OnDelete: schema.Restrict, OnUpdate: schema.Restrict, // what no clause means
		}
		if m[6] != "" {
			fk.OnDelete = schema.Action(m[6])
		}
		if m[7] != "" {
			fk.OnUpdate = schema.Action(m[7])
		}
		out = append(out, fk)
	}
	slices.SortFunc(out, func(a, b *schema.ForeignKey) int { return strings.Compare(string(a.Name), string(b.Name)) })
	return out
}

func unquote(s string) schema.Name { return schema.Name(strings.ReplaceAll(s, "``", "`")) }

func names(list string) (out []schema.Name) {
	for _, m := range oneName.FindAllStringSubmatch(list, -1) {
		out = append(out, unquote(m[1]))
	}
	return out
}

// checks reads CHECK constraints. MySQL has them since 8.0.16; MariaDB names the table beside each and makes a JSON column of
// LONGTEXT with json_valid, which is kept as the type.
func (in *inspection) checks(ctx context.Context) error {
	in.jsonChecks = map[string]bool{}
	if !in.has["CHECK_CONSTRAINTS"] {
		return nil
	}
	if in.e.server.dialect == schema.MariaDB {
		q := "SELECT TABLE_NAME, CONSTRAINT_NAME, CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS WHERE " +
			in.here("CONSTRAINT_SCHEMA") + " ORDER BY TABLE_NAME, CONSTRAINT_NAME"
		return in.each(ctx, "checks", q, func(r row) error {
			if t := in.tables[r.text("TABLE_NAME")]; t != nil {
				name, clause := r.text("CONSTRAINT_NAME"), r.text("CHECK_CLAUSE")
				if clause == "json_valid("+quote(schema.Name(name))+")" {
					in.jsonChecks[string(t.Name)+"."+name] = true
					return nil
				}
				t.Checks = append(t.Checks, schema.Check{Name: schema.Name(name), Expr: clause, Enforced: true})
			}
			return nil
		})
	}
	q := "SELECT t.TABLE_NAME, t.CONSTRAINT_NAME, t.ENFORCED, c.CHECK_CLAUSE FROM information_schema.TABLE_CONSTRAINTS t" +
		" JOIN information_schema.CHECK_CONSTRAINTS c ON c.CONSTRAINT_SCHEMA = t.CONSTRAINT_SCHEMA AND c.CONSTRAINT_NAME = t.CONSTRAINT_NAME" +
		" WHERE t.CONSTRAINT_TYPE = 'CHECK' AND " + in.here("t.CONSTRAINT_SCHEMA") + " ORDER BY t.TABLE_NAME, t.CONSTRAINT_NAME"
	return in.each(ctx, "checks", q, func(r row) error {
		if t := in.tables[r.text("TABLE_NAME")]; t != nil {
			t.Checks = append(t.Checks, schema.Check{
				Name: schema.Name(r.text("CONSTRAINT_NAME")), Expr: in.expression(r.text("CHECK_CLAUSE")), Enforced: r.text("ENFORCED") == "YES",
			})
		}
		return nil
	})
}

// cascades asks who carries out the actions of foreign keys: the engine, whose changes nobody logs, or since MySQL 9.6 the server.
func (in *inspection) cascades(ctx context.Context) error {
	if !in.e.server.atLeast(schema.MySQL, 90600) {
		return nil
	}
	return in.each(ctx, "who carries out foreign keys", "SHOW GLOBAL VARIABLES LIKE 'innodb_native_foreign_keys'", func(r row) error {
		in.db.LogsCascades = strings.EqualFold(r.text("VALUE"), "OFF")
		return nil
	})
}
