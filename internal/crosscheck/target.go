package crosscheck

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/jackc/pgx/v5"
)

// target is the PostgreSQL side.
type target struct {
	conn   *pgx.Conn
	schema string
}

type targetColumn struct {
	name     string
	typeName string // pg_type.typname of the type, or of a domain's base
	category string // pg_type.typcategory: 'E' for enumerations
}

func asError[T error](err error, to *T) bool { return errors.As(err, to) }

func openTarget(ctx context.Context, url, schema string) (*target, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("parse target URL: %w", err)
	}
	maps.Copy(cfg.RuntimeParams, map[string]string{
		"timezone": "UTC", "datestyle": "ISO, YMD", "bytea_output": "hex",
		"extra_float_digits": "3", "client_encoding": "UTF8",
	})
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("connect to target: %w", err)
	}
	return &target{conn: conn, schema: schema}, nil
}

func (t *target) close(ctx context.Context) { _ = t.conn.Close(context.WithoutCancel(ctx)) }

// tables gives the columns of every table of the schema.
func (t *target) tables(ctx context.Context) (map[string][]targetColumn, error) {
	rows, err := t.conn.Query(ctx, `
SELECT c.relname::text, a.attname::text, coalesce(b.typname, y.typname)::text, coalesce(b.typcategory, y.typcategory)::text
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_type y ON y.oid = a.atttypid
LEFT JOIN pg_catalog.pg_type b ON b.oid = y.typbasetype
WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND NOT c.relispartition
ORDER BY c.relname, a.attnum`, t.schema)
	if err != nil {
		return nil, fmt.Errorf("list target columns: %w", err)
	}
	defer rows.Close()
	tables := map[string][]targetColumn{}
	for rows.Next() {
		var name string
		var c targetColumn
		if err := rows.Scan(&name, &c.name, &c.typeName, &c.category); err != nil {
			return nil, fmt.Errorf("read target columns: %w", err)
		}
		tables[name] = append(tables[name], c)
	}
	return tables, rows.Err()
}

func quoteTarget(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// read is the target's counterpart of source.read: every value comes as text.
func (t *target) read(ctx context.Context, table string, pairs []pair, each func([][]byte) error) error {
	expressions := make([]string, len(pairs))
	for i, p := range pairs {
		expressions[i] = p.target
	}
	query := "SELECT " + strings.Join(expressions, ", ") + " FROM " + quoteTarget(t.schema) + "." + quoteTarget(table)
	rows, err := t.conn.Query(ctx, query, pgx.QueryResultFormats{pgx.TextFormatCode})
	if err != nil {
		return fmt.Errorf("read target: %w", err)
	}
	defer rows.Close()
	values := make([][]byte, len(pairs))
	for rows.Next() {
		for i, v := range rows.RawValues() {
			if values[i], err = canonical(pairs[i].canon.target, v); err != nil {
				return fmt.Errorf("read target column %q: %w", pairs[i].name, err)
			}
		}
		if err := each(values); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read target: %w", err)
	}
	return nil
}
