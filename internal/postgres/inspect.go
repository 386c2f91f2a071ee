package postgres

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
)

// Inspect reads the End's schema from the catalog: tables in name order with
// columns, indexes, keys and checks, expressions as the server prints them. A
// schema that does not exist reads as one without tables.
func (e *End) Inspect(ctx context.Context, f change.Filter) (*schema.Database, error) {
	db := &schema.Database{Name: e.schema, Dialect: schema.PostgreSQL}
	op := fmt.Sprintf("inspect schema %q of %s", e.schema, e.config.Redacted())
	// One snapshot, so that a table dropped meanwhile is either whole or absent.
	opts := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, e.control, opts, func(tx pgx.Tx) error {
		in := inspection{tx: tx, db: db, filter: f, tables: map[uint32]*schema.Table{}}
		for _, step := range []func(context.Context) error{in.server, in.readTables, in.columns, in.indexes, in.constraints, in.identities} {
			if err := step(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, e.fail(op, err)
	}
	return db, missing(db, f)
}

// missing refuses patterns that match no table.
func missing(db *schema.Database, f change.Filter) error {
	for _, p := range f.Include {
		if !slices.ContainsFunc(db.Tables, func(t *schema.Table) bool { return matches([]string{p}, string(t.Name)) }) {
			return fault.New(fault.Usage, "select tables", fmt.Errorf("no table of schema %q matches %q", db.Name, p),
				"names are matched exactly, as path.Match does; exclusions win over inclusions")
		}
	}
	return nil
}

func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(p, name)
		return err == nil && ok
	})
}

// inspection is one reading of a schema.
type inspection struct {
	tx     pgx.Tx
	db     *schema.Database
	filter change.Filter
	tables map[uint32]*schema.Table // by OID
	attrs  map[uint32]map[int16]*schema.Column
}

func (in *inspection) server(ctx context.Context) error {
	return in.tx.QueryRow(ctx, `SELECT current_setting('server_version'), current_setting('server_encoding'), datcollate
		FROM pg_database WHERE datname = current_database()`).Scan(&in.db.Version, &in.db.Charset, &in.db.Collation)
}

func (in *inspection) readTables(ctx context.Context) error {
	rows, err := in.tx.Query(ctx, `SELECT c.oid, c.relname, COALESCE(obj_description(c.oid, 'pg_class'), ''),
			GREATEST(c.reltuples, 0)::bigint, pg_table_size(c.oid)
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND NOT c.relispartition
			AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
		ORDER BY c.relname COLLATE "C"`, string(in.db.Name))
	if err != nil {
		return err
	}
	var (
		oid uint32
		t   schema.Table
	)
	_, err = pgx.ForEachRow(rows, []any{&oid, &t.Name, &t.Comment, &t.Rows, &t.Bytes}, func() error {
		if n := string(t.Name); len(in.filter.Include) > 0 && !matches(in.filter.Include, n) || matches(in.filter.Exclude, n) {
			return nil
		}
		one := t
		in.tables[oid] = &one
		in.db.Tables = append(in.db.Tables, &one)
		return nil
	})
	return err
}

func (in *inspection) oids() []uint32 {
	oids := make([]uint32, 0, len(in.tables))
	for o := range in.tables {
		oids = append(oids, o)
	}
	return oids
}

func (in *inspection) columns(ctx context.Context) error {
	rows, err := in.tx.Query(ctx, `SELECT a.attrelid, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull,
			COALESCE(pg_get_expr(d.adbin, d.adrelid), ''), a.attidentity <> '', a.attgenerated::text,
			COALESCE(col_description(a.attrelid, a.attnum), ''),
			CASE WHEN a.attcollation NOT IN (0, t.typcollation) THEN COALESCE(
				(SELECT collname FROM pg_collation WHERE oid = a.attcollation), '') ELSE '' END,
			CASE WHEN t.typtype = 'e' THEN t.typname::text ELSE '' END,
			CASE WHEN t.typtype = 'e' THEN ARRAY(SELECT enumlabel::text FROM pg_enum WHERE enumtypid = t.oid ORDER BY enumsortorder) END
		FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
		LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
		WHERE a.attrelid = ANY($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum`, in.oids())
	if err != nil {
		return err
	}
	in.attrs = map[uint32]map[int16]*schema.Column{}
	var (
		oid                              uint32
		num                              int16
		c                                schema.Column
		sql, expr, generated, coll, enum string
		labels                           []string
	)
	_, err = pgx.ForEachRow(rows, []any{&oid, &num, &c.Name, &sql, &c.Nullable, &expr, &c.Identity, &generated, &c.Comment, &coll, &enum, &labels}, func() error {
		one := c
		one.Type = parseType(sql, coll)
		if enum != "" {
			one.Type = schema.Enum{Name: schema.Name(enum), Members: slices.Clone(labels)}
		}
		switch {
		case generated != "":
			one.Generated = &schema.Generated{Expr: expr, Stored: generated == "s"}
		case expr != "":
			one.Default = parseDefault(expr)
		}
		in.tables[oid].Columns = append(in.tables[oid].Columns, &one)
		if in.attrs[oid] == nil {
			in.attrs[oid] = map[int16]*schema.Column{}
		}
		in.attrs[oid][num] = &one
		return nil
	})
	return err
}

func (in *inspection) indexes(ctx context.Context) error {
	rows, err := in.tx.Query(ctx, `SELECT i.indrelid, c.relname, am.amname, i.indisunique, i.indisprimary,
			ARRAY(SELECT COALESCE(i.indkey[k], 0)::int2 FROM generate_series(0, i.indnkeyatts - 1) k),
			ARRAY(SELECT CASE WHEN i.indkey[k] = 0 THEN pg_get_indexdef(i.indexrelid, k + 1, true) ELSE '' END FROM generate_series(0, i.indnkeyatts - 1) k),
			ARRAY(SELECT i.indoption[k] & 1 = 1 FROM generate_series(0, i.indnkeyatts - 1) k),
			COALESCE(obj_description(c.oid, 'pg_class'), '')
		FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am am ON am.oid = c.relam
		WHERE i.indrelid = ANY($1) AND i.indisvalid ORDER BY i.indrelid, c.relname COLLATE "C"`, in.oids())
	if err != nil {
		return err
	}
	var (
		oid     uint32
		x       schema.Index
		am      string
		primary bool
		keys    []int16
		exprs   []string
		desc    []bool
	)
	_, err = pgx.ForEachRow(rows, []any{&oid, &x.Name, &am, &x.Unique, &primary, &keys, &exprs, &desc, &x.Comment}, func() error {
		one := x
		one.Method, one.Parts = indexMethod(am), nil
		for i, k := range keys {
			p := schema.IndexPart{Expr: exprs[i], Desc: desc[i]}
			if k != 0 {
				p.Column = in.attrs[oid][k].Name
			}
			one.Parts = append(one.Parts, p)
		}
		if t := in.tables[oid]; primary {
			t.PrimaryKey = &one
		} else {
			t.Indexes = append(t.Indexes, &one)
		}
		return nil
	})
	return err
}

func indexMethod(am string) schema.IndexMethod {
	switch am {
	case "gin":
		return schema.FullText
	case "gist":
		return schema.Spatial
	case "hash":
		return schema.Hash
	default:
		return schema.BTree
	}
}

func (in *inspection) constraints(ctx context.Context) error {
	rows, err := in.tx.Query(ctx, `SELECT k.conrelid, k.conname, k.contype::text, k.convalidated,
			COALESCE(CASE WHEN k.contype = 'c' THEN pg_get_expr(k.conbin, k.conrelid) END, ''),
			k.conkey, COALESCE(pn.nspname, ''), COALESCE(pc.relname, ''),
			ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY u(n, o) JOIN pg_attribute a
				ON a.attrelid = k.confrelid AND a.attnum = u.n ORDER BY u.o),
			k.confdeltype::text, k.confupdtype::text
		FROM pg_constraint k LEFT JOIN pg_class pc ON pc.oid = k.confrelid AND k.contype = 'f'
		LEFT JOIN pg_namespace pn ON pn.oid = pc.relnamespace
		WHERE k.conrelid = ANY($1) AND k.contype IN ('c', 'f') ORDER BY k.conrelid, k.conname COLLATE "C"`, in.oids())
	if err != nil {
		return err
	}
	var (
		oid                            uint32
		name, parentSchema, parent     schema.Name
		kind, expr, onDelete, onUpdate string
		validated                      bool
		key                            []int16
		parentColumns                  []string
	)
	_, err = pgx.ForEachRow(rows, []any{&oid, &name, &kind, &validated, &expr, &key, &parentSchema, &parent, &parentColumns, &onDelete, &onUpdate}, func() error {
		t := in.tables[oid]
		if kind == "c" {
			t.Checks = append(t.Checks, schema.Check{Name: name, Expr: expr, Enforced: validated})
			return nil
		}
		fk := &schema.ForeignKey{Name: name, Parent: parent, OnDelete: actionOf(onDelete), OnUpdate: actionOf(onUpdate)}
		if parentSchema != in.db.Name {
			fk.ParentSchema = parentSchema
		}
		for i, k := range key {
			fk.Columns = append(fk.Columns, in.attrs[oid][k].Name)
			fk.ParentColumns = append(fk.ParentColumns, schema.Name(parentColumns[i]))
		}
		t.ForeignKeys = append(t.ForeignKeys, fk)
		return nil
	})
	return err
}

// actionOf reads pg_constraint's one-letter actions.
func actionOf(letter string) schema.Action {
	switch letter {
	case "r":
		return schema.Restrict
	case "c":
		return schema.Cascade
	case "n":
		return schema.SetNull
	case "d":
		return schema.SetDefault
	default:
		return schema.NoAction
	}
}

// identities reads the next value of every identity column, where the account may.
func (in *inspection) identities(ctx context.Context) error {
	rows, err := in.tx.Query(ctx, `SELECT d.refobjid, quote_ident(n.nspname) || '.' || quote_ident(s.relname)
		FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' JOIN pg_namespace n ON n.oid = s.relnamespace
		WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'i'
			AND d.refobjid = ANY($1) AND CASE s.relkind WHEN 'S' THEN has_sequence_privilege(s.oid, 'SELECT') END`, in.oids())
	if err != nil {
		return err
	}
	sequences := map[uint32]string{}
	var (
		oid uint32
		seq string
	)
	if _, err := pgx.ForEachRow(rows, []any{&oid, &seq}, func() error { sequences[oid] = seq; return nil }); err != nil {
		return err
	}
	for oid, seq := range sequences {
		var next int64
		sql := "SELECT last_value + is_called::int FROM " + seq
		if err := in.tx.QueryRow(ctx, sql).Scan(&next); err != nil {
			return fmt.Errorf("read sequence %s: %w", seq, err)
		}
		in.tables[oid].NextIdentity = uint64(next)
	}
	return nil
}

// parseDefault takes apart a default that is one constant; everything else stays
// an expression as the server prints it.
func parseDefault(expr string) *schema.Default {
	s := expr
	if strings.HasPrefix(s, "'") {
		end := strings.LastIndex(s, "'")
		body, cast := s[1:max(end, 1)], s[end+1:]
		constant := !strings.Contains(strings.ReplaceAll(body, "''", ""), "'")
		if constant && (cast == "" || strings.HasPrefix(cast, "::") && !strings.ContainsAny(cast, "()+|") || typmodCast(cast)) {
			return &schema.Default{Literal: strings.ReplaceAll(body, "''", "'")}
		}
		return &schema.Default{Expr: expr}
	}
	switch s {
	case "true", "false":
		return &schema.Default{Literal: s}
	}
	if strings.HasPrefix(s, "NULL::") {
		return &schema.Default{Null: true}
	}
	if s != "" && strings.Trim(s, "0123456789.-") == "" {
		return &schema.Default{Literal: s}
	}
	return &schema.Default{Expr: expr}
}

// typmodCast recognises ::type(n) and ::type(n,m).
func typmodCast(cast string) bool {
	open := strings.IndexByte(cast, '(')
	return strings.HasPrefix(cast, "::") && open > 0 && strings.HasSuffix(cast, ")") &&
		strings.Trim(cast[open+1:len(cast)-1], "0123456789,") == ""
}
