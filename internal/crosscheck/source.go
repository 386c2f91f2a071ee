package crosscheck

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// source is the MySQL or MariaDB side.
type source struct{ db *sql.DB }

type sourceTable struct {
	name    string
	rows    int64 // the server's estimate
	columns []sourceColumn
	key     []string // primary key, else a unique key without NULLs, else empty
}

type sourceColumn struct {
	name       string
	dataType   string // "bigint"
	columnType string // "bigint(20) unsigned"
	binary     bool   // a string type without a character set
}

func openSource(ctx context.Context, url string) (*source, error) {
	cfg, err := SourceConfig(url)
	if err != nil {
		return nil, err
	}
	if cfg.Params == nil {
		cfg.Params = map[string]string{}
	}
	// TIMESTAMP is read in UTC; no mode pads CHAR or refuses a date; ANSI_QUOTES off.
	cfg.Params["time_zone"] = "'+00:00'"
	cfg.Params["sql_mode"] = "''"
	cfg.ParseTime = false
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, fmt.Errorf("configure source connection: %w", err)
	}
	s := &source{db: sql.OpenDB(connector)}
	// One session: the settings below hold for all that follows.
	s.db.SetMaxOpenConns(1)
	if err := s.db.PingContext(ctx); err != nil {
		s.db.Close()
		return nil, fmt.Errorf("connect to source %s: %w", cfg.Addr, err)
	}
	// MySQL can hide generated invisible primary keys here; MariaDB has no such variable.
	if _, err := s.db.ExecContext(ctx, "SET SESSION show_gipk_in_create_table_and_information_schema = ON"); err != nil && !isUnknownVariable(err) {
		s.db.Close()
		return nil, fmt.Errorf("show generated invisible primary keys: %w", err)
	}
	return s, nil
}

func isUnknownVariable(err error) bool {
	const unknownSystemVariable = 1193
	var me *mysql.MySQLError
	return asError(err, &me) && me.Number == unknownSystemVariable
}

func quoteSource(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

func (s *source) tables(ctx context.Context) ([]sourceTable, error) {
	rows, err := s.db.QueryContext(ctx, `
SELECT t.table_name, coalesce(t.table_rows, 0), c.column_name, lower(c.data_type), lower(c.column_type), c.character_set_name IS NULL
FROM information_schema.tables t
JOIN information_schema.columns c ON c.table_schema = t.table_schema AND c.table_name = t.table_name
WHERE t.table_schema = database() AND t.table_type IN ('BASE TABLE', 'SYSTEM VERSIONED')
ORDER BY t.table_name, c.ordinal_position`)
	if err != nil {
		return nil, fmt.Errorf("list source columns: %w", err)
	}
	defer rows.Close()
	var tables []sourceTable
	for rows.Next() {
		var t sourceTable
		var c sourceColumn
		if err := rows.Scan(&t.name, &t.rows, &c.name, &c.dataType, &c.columnType, &c.binary); err != nil {
			return nil, fmt.Errorf("read source columns: %w", err)
		}
		if n := len(tables); n == 0 || tables[n-1].name != t.name {
			tables = append(tables, t)
		}
		last := &tables[len(tables)-1]
		last.columns = append(last.columns, c)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read source columns: %w", err)
	}
	if err := rows.Close(); err != nil {
		return nil, fmt.Errorf("read source columns: %w", err)
	}
	for i := range tables {
		if tables[i].key, err = s.key(ctx, tables[i].name); err != nil {
			return nil, fmt.Errorf("read keys of %q: %w", tables[i].name, err)
		}
	}
	return tables, nil
}

// key finds the columns that tell one row from another.
func (s *source) key(ctx context.Context, table string) ([]string, error) {
	rows, err := s.db.QueryContext(ctx, `
SELECT index_name, column_name, nullable = 'YES' OR sub_part IS NOT NULL OR column_name IS NULL
FROM information_schema.statistics
WHERE table_schema = database() AND table_name = ? AND non_unique = 0
ORDER BY index_name <> 'PRIMARY', index_name, seq_in_index`, table)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var names []string
	keys, unfit := map[string][]string{}, map[string]bool{}
	for rows.Next() {
		var index string
		var column sql.NullString
		var bad bool
		if err := rows.Scan(&index, &column, &bad); err != nil {
			return nil, err
		}
		if _, seen := keys[index]; !seen {
			names = append(names, index)
		}
		keys[index] = append(keys[index], column.String)
		unfit[index] = unfit[index] || bad && index != "PRIMARY"
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	for _, n := range names {
		if !unfit[n] {
			return keys[n], nil
		}
	}
	return nil, nil
}

// read calls each with every row's canonical values; nil is NULL. The slice is
// reused. The prepared statement makes the server send floating-point numbers
// as their bits instead of as rounded text.
func (s *source) read(ctx context.Context, table string, pairs []pair, each func([][]byte) error) error {
	expressions := make([]string, len(pairs))
	for i, p := range pairs {
		expressions[i] = p.source
	}
	stmt, err := s.db.PrepareContext(ctx, "SELECT "+strings.Join(expressions, ", ")+" FROM "+quoteSource(table))
	if err != nil {
		return fmt.Errorf("prepare read of source: %w", err)
	}
	defer stmt.Close()
	rows, err := stmt.QueryContext(ctx)
	if err != nil {
		return fmt.Errorf("read source: %w", err)
	}
	defer rows.Close()
	raw := make([]sql.RawBytes, len(pairs))
	into := make([]any, len(pairs))
	for i := range raw {
		into[i] = &raw[i]
	}
	values := make([][]byte, len(pairs))
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return fmt.Errorf("read source row: %w", err)
		}
		for i, v := range raw {
			if values[i], err = canonical(pairs[i].canon.source, v); err != nil {
				return fmt.Errorf("read source column %q: %w", pairs[i].name, err)
			}
		}
		if err := each(values); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read source: %w", err)
	}
	return nil
}
