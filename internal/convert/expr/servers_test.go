package expr_test

import (
	"context"
	"database/sql"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/bascule/bascule/internal/convert/expr"
	"github.com/bascule/bascule/internal/schema"
	"github.com/bascule/bascule/internal/servertest"
)

// pair is one source and one target with the same table and the same rows.
type pair struct {
	source  *servertest.Server
	target  *servertest.Server
	dialect schema.Dialect
	version int
	db      *sql.Conn
	pg      *pgconn.PgConn
}

// pairs opens every source with every target, each with fresh databases.
func pairs(t *testing.T, run func(t *testing.T, p *pair)) {
	t.Helper()
	for _, s := range servertest.Sources(t) {
		for _, g := range servertest.Targets(t) {
			t.Run(s.Name+"/"+g.Name, func(t *testing.T) {
				p := &pair{source: s, target: g, dialect: schema.MySQL, version: 15}
				if s.Kind == servertest.KindMariaDB {
					p.dialect = schema.MariaDB
				}
				if g.Kind != servertest.KindPostgres15 {
					p.version = 18
				}
				p.open(t)
				run(t, p)
			})
		}
	}
}

func (p *pair) open(t *testing.T) {
	t.Helper()
	c := servertest.MySQLConfig(t, p.source.Database(t))
	connector, err := mysql.NewConnector(c)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { db.Close() })
	if p.db, err = db.Conn(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.db.Close() })
	if p.pg, err = pgconn.Connect(t.Context(), p.target.Database(t)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.pg.Close(context.WithoutCancel(t.Context())) })
	// Strict, but dividing by zero is NULL and not an error.
	p.must(t, "SET NAMES utf8mb4", "SET sql_mode = 'STRICT_TRANS_TABLES'", "SET time_zone = '+00:00'")
	p.mustTarget(t, "SET timezone = 'UTC'")
}

func (p *pair) must(t *testing.T, statements ...string) {
	t.Helper()
	for _, q := range statements {
		if _, err := p.db.ExecContext(t.Context(), q); err != nil {
			t.Fatalf("%s: %s: %v", p.source.Name, q, err)
		}
	}
}

func (p *pair) mustTarget(t *testing.T, statements ...string) {
	t.Helper()
	for _, q := range statements {
		if _, err := p.pg.Exec(t.Context(), q).ReadAll(); err != nil {
			t.Fatalf("%s: %s: %v", p.target.Name, q, err)
		}
	}
}

// ask returns one column of the source as text.
func (p *pair) ask(ctx context.Context, q string) ([]string, error) {
	rows, err := p.db.QueryContext(ctx, q)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var s sql.NullString
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		if !s.Valid {
			s.String = servertest.Null
		}
		out = append(out, s.String)
	}
	return out, rows.Err()
}

// askTarget returns one column of the target as text.
func (p *pair) askTarget(ctx context.Context, q string) ([]string, error) {
	results, err := p.pg.Exec(ctx, q).ReadAll()
	if err != nil {
		return nil, err
	}
	var out []string
	for _, row := range results[len(results)-1].Rows {
		if row[0] == nil {
			out = append(out, servertest.Null)
			continue
		}
		out = append(out, string(row[0]))
	}
	return out, nil
}

// sample is a column of the table that expressions are tried on: its
// declaration on both sides and values of it, as MySQL literals and as
// PostgreSQL ones where they differ.
type sample struct {
	name           string
	mysql, pg      string
	source, target schema.Type
	values         []string
	pgValues       []string
}

func samples(d schema.Dialect) []sample {
	exact := " CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin"
	collation := "utf8mb4_0900_bin"
	if d == schema.MariaDB {
		exact, collation = " CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin", "utf8mb4_nopad_bin"
	}
	text := schema.Text{Length: 40, Charset: "utf8mb4", Collation: collation}
	words := []string{"NULL", "''", "'a'", "'A'", "'abc'", "'x_y%z'", "'  pad '", "'été 🚲'", "'xx-12-xx'", "'a@b.example'", "'back\\\\slash'", "'O''Neil'"}
	pgWords := []string{"NULL", "''", "'a'", "'A'", "'abc'", "'x_y%z'", "'  pad '", "'été 🚲'", "'xx-12-xx'", "'a@b.example'", "'back\\slash'", "'O''Neil'"}
	integers := []string{"NULL", "0", "1", "-1", "2", "3", "5", "7", "-12", "100", "30000", "-32768"}
	return []sample{
		{name: "i", mysql: "INT", pg: "integer", source: schema.Int{Bits: 32}, target: schema.Int{Bits: 32}, values: append([]string{"2147483647", "-2147483648"}, integers...)},
		{name: "k", mysql: "SMALLINT", pg: "smallint", source: schema.Int{Bits: 16}, target: schema.Int{Bits: 16}, values: integers},
		{name: "b", mysql: "BIGINT", pg: "bigint", source: schema.Int{Bits: 64}, target: schema.Int{Bits: 64}, values: append([]string{"1000000000000", "-4000000000000"}, integers...)},
		{name: "u", mysql: "INT UNSIGNED", pg: "bigint", source: schema.Int{Bits: 32, Unsigned: true}, target: schema.Int{Bits: 64}, values: []string{"NULL", "0", "1", "2", "4", "6", "255", "4294967295"}},
		{name: "ub", mysql: "BIGINT UNSIGNED", pg: "numeric(20,0)", source: schema.Int{Bits: 64, Unsigned: true}, target: schema.Decimal{Precision: 20}, values: []string{"NULL", "0", "1", "3", "9000000000000000000"}},
		{name: "flag", mysql: "TINYINT(1)", pg: "smallint", source: schema.Int{Bits: 8, Width: 1}, target: schema.Int{Bits: 16}, values: []string{"NULL", "0", "1", "1", "0", "2"}},
		{name: "ok", mysql: "TINYINT(1)", pg: "boolean", source: schema.Int{Bits: 8, Width: 1}, target: schema.Bool{}, values: []string{"NULL", "0", "1"}, pgValues: []string{"NULL", "false", "true"}},
		{name: "n", mysql: "DECIMAL(10,2)", pg: "numeric(10,2)", source: schema.Decimal{Precision: 10, Scale: 2}, target: schema.Decimal{Precision: 10, Scale: 2}, values: []string{"NULL", "0", "0.00", "1.50", "-1.50", "2.25", "0.01", "12345678.91", "-0.99", "3"}},
		{name: "m", mysql: "DECIMAL(12,4)", pg: "numeric(12,4)", source: schema.Decimal{Precision: 12, Scale: 4}, target: schema.Decimal{Precision: 12, Scale: 4}, values: []string{"NULL", "0", "0.5", "2.5", "-2.5", "1.2345", "99999.9999", "3", "7"}},
		{name: "x", mysql: "DOUBLE", pg: "double precision", source: schema.Float{Bits: 64, Digits: -1, Scale: -1}, target: schema.Float{Bits: 64}, values: []string{"NULL", "0", "0.1", "-2.5", "1e10", "3"}},
		{name: "f", mysql: "FLOAT", pg: "real", source: schema.Float{Bits: 32, Digits: -1, Scale: -1}, target: schema.Float{Bits: 32}, values: []string{"NULL", "0", "0.5", "0.1", "-3.25", "16777216"}},
		{name: "t", mysql: "VARCHAR(40)" + exact, pg: "varchar(40)", source: text, target: schema.Text{Length: 40}, values: words, pgValues: pgWords},
		{name: "c", mysql: "VARCHAR(40)" + exact, pg: "varchar(40)", source: text, target: schema.Text{Length: 40}, values: words, pgValues: pgWords},
		{name: "l", mysql: "VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_swedish_ci", pg: "varchar(20)", source: schema.Text{Length: 20, Charset: "latin1", Collation: "latin1_swedish_ci"}, target: schema.Text{Length: 20}, values: []string{"NULL", "'plain'", "'é'", "'aß'"}},
		{name: "e", mysql: "ENUM('new','used','broken')" + exact, pg: "text", source: schema.Enum{Members: []string{"new", "used", "broken"}, Charset: "utf8mb4", Collation: collation}, target: schema.Text{}, values: []string{"NULL", "'new'", "'used'", "'broken'"}},
		{name: "st", mysql: "SET('red','green','blue')" + exact, pg: "text[]", source: schema.Set{Members: []string{"red", "green", "blue"}, Charset: "utf8mb4", Collation: collation}, target: schema.TextArray{}, values: []string{"NULL", "''", "'green'", "'red,blue'"}, pgValues: []string{"NULL", "'{}'", "'{green}'", "'{red,blue}'"}},
		{name: "d", mysql: "DATE", pg: "date", source: schema.Date{}, target: schema.Date{}, values: []string{"NULL", "'2024-02-29'", "'2023-12-31'", "'2024-01-31'", "'2000-01-01'", "'2024-03-03'"}},
		{name: "d2", mysql: "DATE", pg: "date", source: schema.Date{}, target: schema.Date{}, values: []string{"NULL", "'2024-02-28'", "'2023-11-30'", "'2024-02-29'", "'1999-12-31'", "'2025-05-15'"}},
		{name: "dt", mysql: "DATETIME(3)", pg: "timestamp(3)", source: schema.DateTime{Precision: 3}, target: schema.DateTime{Precision: 3}, values: []string{"NULL", "'2024-02-29 23:59:59.999'", "'2023-01-31 00:00:00'", "'2024-03-31 12:34:56.789'", "'2000-01-01 01:02:03.004'"}},
		{name: "dt2", mysql: "DATETIME", pg: "timestamp(0)", source: schema.DateTime{}, target: schema.DateTime{}, values: []string{"NULL", "'2024-03-01 00:00:00'", "'2022-01-31 00:00:01'", "'2024-12-30 12:34:57'", "'2030-07-04 18:00:00'"}},
		{name: "tm", mysql: "TIME", pg: "time(0)", source: schema.Time{}, target: schema.Time{}, values: []string{"NULL", "'00:00:00'", "'23:59:59'", "'12:30:15'"}},
		{name: "y", mysql: "YEAR", pg: "smallint", source: schema.Year{}, target: schema.Int{Bits: 16}, values: []string{"NULL", "1999", "2024", "2155"}},
		{name: "bi", mysql: "BIT(5)", pg: "bit(5)", source: schema.Bit{N: 5}, target: schema.Bit{N: 5}, values: []string{"NULL", "b'00000'", "b'10101'", "b'00001'"}, pgValues: []string{"NULL", "B'00000'", "B'10101'", "B'00001'"}},
		{name: "bn", mysql: "VARBINARY(10)", pg: "bytea", source: schema.Binary{Length: 10}, target: schema.Binary{}, values: []string{"NULL", "''", "x'41'", "x'00ff10'"}, pgValues: []string{"NULL", "''", `'\x41'`, `'\x00ff10'`}},
		{name: "j", mysql: "JSON", pg: "jsonb", source: schema.JSON{Parsed: d == schema.MySQL}, target: schema.JSON{Parsed: true}, values: documents, pgValues: documents},
	}
}

var documents = []string{
	"NULL", `'{}'`, `'[]'`, `'{"a": "x", "n": 5, "deep": {"b c": [10, 20]}}'`, `'{"a": null, "n": -7}'`,
	`'{"a": "it is \u00e9t\u00e9", "n": 12, "deep": {"b c": []}}'`, `'{"a": true, "n": 0, "deep": {"b c": "text"}}'`, `'{"a": "12", "deep": []}'`, `'{"a": 1.5, "n": 100}'`,
}

func columns(d schema.Dialect) map[string]expr.Column {
	m := map[string]expr.Column{}
	for _, c := range samples(d) {
		m[c.name] = expr.Column{Name: schema.Name(c.name), Source: c.source, Target: c.target}
	}
	return m
}

// same compares values as the two servers print them: numbers by value, all else by text.
func same(t *testing.T, of string, source, target []string) {
	t.Helper()
	if len(source) != len(target) {
		t.Fatalf("%s: %d rows on the source, %d on the target", of, len(source), len(target))
	}
	for i := range source {
		source[i], target[i] = canonical(source[i]), canonical(target[i])
	}
	if diff := cmp.Diff(source, target); diff != "" {
		t.Errorf("%s (-source +target):\n%s", of, diff)
	}
}

func canonical(s string) string {
	switch s {
	case "t":
		return "1"
	case "f":
		return "0"
	}
	if n, err := strconv.ParseFloat(s, 64); err == nil && !math.IsInf(n, 0) && strings.ContainsAny(s, "0123456789") {
		// 15 digits tell any two decimals of these tables apart; floats are exact.
		if n == 0 {
			n = 0 // minus zero
		}
		return strconv.FormatFloat(n, 'g', 15, 64)
	}
	return s
}
