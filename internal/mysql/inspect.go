package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
)

// Inspect reads the catalog of the database: a fixed number of queries however many tables there are, and one more for each view,
// trigger, routine and event.
func (e *End) Inspect(ctx context.Context, f change.Filter) (*schema.Database, error) {
	in := inspection{e: e, filter: f, tables: map[string]*schema.Table{}, has: map[string]bool{}}
	err := in.run(ctx)
	if err != nil {
		return nil, e.explain("inspect "+string(e.cfg.Database), err)
	}
	return in.db, nil
}

// inspection is one Inspect at work.
type inspection struct {
	e      *End
	filter change.Filter
	db     *schema.Database
	tables map[string]*schema.Table
	// has tells which columns the server's information_schema has, as TABLE.COLUMN.
	has map[string]bool
	// jsonChecks are MariaDB's checks that make a column JSON, as table.column.
	jsonChecks map[string]bool
}

func (in *inspection) run(ctx context.Context) error {
	steps := []func(context.Context) error{
		in.catalog, in.database, in.baseTables, in.checks, in.columns, in.lostDefaults, in.indexes, in.foreignKeys, in.hiddenForeignKeys, in.cascades, in.partitions, in.objects,
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// each runs a query and gives each row by column name, upper-case: the two dialects name the same things, and differ in what they leave out.
func (in *inspection) each(ctx context.Context, what, query string, fn func(r row) error) error {
	rows, err := in.e.db.QueryContext(ctx, query)
	if err != nil {
		return fmt.Errorf("read %s: %w", what, err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return err
	}
	values := make([]sql.NullString, len(names))
	into := make([]any, len(names))
	for i := range values {
		into[i] = &values[i]
	}
	r := row{}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return fmt.Errorf("read %s: %w", what, err)
		}
		for i, n := range names {
			r[strings.ToUpper(n)] = values[i]
		}
		if err := fn(r); err != nil {
			return fmt.Errorf("read %s: %w", what, err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read %s: %w", what, err)
	}
	return nil
}

// row is one row of a catalog table.
type row map[string]sql.NullString

func (r row) text(name string) string { return r[name].String }

// whole reads a number that may be NULL or absent, then 0. Estimates beyond int64 do not occur.
func (r row) whole(name string) int64 {
	var n int64
	_, _ = fmt.Sscan(r[name].String, &n)
	return n
}

// catalog learns what the server's catalog can say.
func (in *inspection) catalog(ctx context.Context) error {
	const q = "SELECT TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = 'information_schema'" +
		" AND TABLE_NAME IN ('COLUMNS', 'STATISTICS', 'CHECK_CONSTRAINTS', 'TABLE_CONSTRAINTS', 'PARTITIONS')"
	return in.each(ctx, "the catalog's own columns", q, func(r row) error {
		in.has[strings.ToUpper(r.text("TABLE_NAME"))] = true
		in.has[strings.ToUpper(r.text("TABLE_NAME")+"."+r.text("COLUMN_NAME"))] = true
		return nil
	})
}

// optional returns a column's name where the catalog has it, else NULL under that name.
func (in *inspection) optional(table, column string) string {
	if in.has[table+"."+column] {
		return column
	}
	return "NULL AS " + column
}

// here is the condition on the database's name.
func (in *inspection) here(column string) string {
	return column + " = " + quoteString(string(in.e.cfg.Database))
}

func (in *inspection) database(ctx context.Context) error {
	found := false
	q := "SELECT SCHEMA_NAME, DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE " + in.here("SCHEMA_NAME")
	err := in.each(ctx, "the database", q, func(r row) error {
		found = true
		in.db = &schema.Database{
			Name: schema.Name(r.text("SCHEMA_NAME")), Dialect: in.e.server.dialect, Version: in.e.server.version,
			Charset: r.text("DEFAULT_CHARACTER_SET_NAME"), Collation: r.text("DEFAULT_COLLATION_NAME"),
		}
		return nil
	})
	if err == nil && !found {
		err = fault.New(fault.Login, "find the database", fmt.Errorf("there is no database %q", in.e.cfg.Database), "check the name and its case")
	}
	return err
}

// wanted applies the filter to a table's name.
func wanted(f change.Filter, name string) (bool, error) {
	for _, p := range f.Exclude {
		if ok, err := path.Match(p, name); ok || err != nil {
			return false, patternError(p, err)
		}
	}
	for _, p := range f.Include {
		if ok, err := path.Match(p, name); ok || err != nil {
			return ok, patternError(p, err)
		}
	}
	return len(f.Include) == 0, nil
}

func patternError(p string, err error) error {
	return fault.New(fault.Usage, fmt.Sprintf("read the table pattern %q", p), err, "patterns are names with *, ? and [a-z]")
}

func (in *inspection) baseTables(ctx context.Context) error {
	matched := map[string]bool{}
	q := "SELECT TABLE_NAME, TABLE_TYPE, ENGINE, TABLE_COLLATION, TABLE_COMMENT, TABLE_ROWS, DATA_LENGTH, AUTO_INCREMENT" +
		" FROM information_schema.TABLES WHERE " + in.here("TABLE_SCHEMA") + " ORDER BY TABLE_NAME"
	err := in.each(ctx, "tables", q, func(r row) error {
		name := r.text("TABLE_NAME")
		switch kind := r.text("TABLE_TYPE"); kind {
		case "BASE TABLE", "SYSTEM VERSIONED":
		case "SEQUENCE": // of MariaDB, whose catalog shows it among the tables
			in.db.Objects = append(in.db.Objects, schema.Object{Kind: schema.Sequence, Name: schema.Name(name)})
			return nil
		default:
			return nil
		}
		for _, p := range in.filter.Include {
			ok, err := path.Match(p, name)
			if err != nil {
				return patternError(p, err)
			}
			matched[p] = matched[p] || ok
		}
		if ok, err := wanted(in.filter, name); !ok || err != nil {
			return err
		}
		t := &schema.Table{
			Name: schema.Name(name), Engine: r.text("ENGINE"), Collation: r.text("TABLE_COLLATION"), Comment: r.text("TABLE_COMMENT"),
			Rows: r.whole("TABLE_ROWS"), Bytes: r.whole("DATA_LENGTH"),
		}
		_, _ = fmt.Sscan(r.text("AUTO_INCREMENT"), &t.NextIdentity) // NULL is 0: there is no counter
		if t.Engine == "" {                                         // a table that the server cannot open says why in its comment
			return fmt.Errorf("table %q: %s", name, t.Comment)
		}
		in.tables[name] = t
		in.db.Tables = append(in.db.Tables, t)
		return nil
	})
	if err != nil {
		return err
	}
	var unmatched []error
	for _, p := range in.filter.Include {
		if !matched[p] {
			unmatched = append(unmatched, fmt.Errorf("no table matches %q", p))
		}
	}
	slices.SortFunc(in.db.Tables, func(a, b *schema.Table) int { return strings.Compare(string(a.Name), string(b.Name)) })
	return fault.New(fault.Usage, "apply the table filter", errors.Join(unmatched...), "check the names given to --include and their case")
}

// partitions describes partitioned tables; partitions come in their order.
func (in *inspection) partitions(ctx context.Context) error {
	q := "SELECT TABLE_NAME, PARTITION_NAME, SUBPARTITION_NAME, PARTITION_METHOD, PARTITION_EXPRESSION, SUBPARTITION_METHOD, SUBPARTITION_EXPRESSION, PARTITION_DESCRIPTION" +
		" FROM information_schema.PARTITIONS WHERE " + in.here("TABLE_SCHEMA") + " AND PARTITION_NAME IS NOT NULL" +
		" ORDER BY TABLE_NAME, PARTITION_ORDINAL_POSITION, SUBPARTITION_ORDINAL_POSITION"
	return in.each(ctx, "partitions", q, func(r row) error {
		t := in.tables[r.text("TABLE_NAME")]
		if t == nil {
			return nil
		}
		if t.Partition == nil {
			p := &schema.Partition{Method: r.text("PARTITION_METHOD"), Expr: r.text("PARTITION_EXPRESSION")}
			if r["SUBPARTITION_METHOD"].Valid {
				p.Method += " / " + r.text("SUBPARTITION_METHOD")
				p.Expr += " / " + r.text("SUBPARTITION_EXPRESSION")
			}
			t.Partition = p
		}
		name := r.text("PARTITION_NAME")
		if d := r.text("PARTITION_DESCRIPTION"); d != "" {
			name += " " + d
		}
		// Subpartitions repeat their partition's row.
		if p := t.Partition; len(p.Partitions) == 0 || p.Partitions[len(p.Partitions)-1] != name {
			p.Partitions = append(p.Partitions, name)
		}
		return nil
	})
}
