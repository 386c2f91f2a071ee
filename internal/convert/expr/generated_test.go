package expr_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/convert/expr"
	"github.com/bascule/bascule/internal/schema"
)

// exprCase is an expression as a person writes it on MySQL.
type exprCase struct {
	sql string
	// typ is the generated column's type on both sides: see generatedTypes.
	typ string
	// only names the one dialect that knows the expression.
	only schema.Dialect
}

var generatedTypes = map[string]struct {
	mysql, pg      string
	source, target schema.Type
}{
	"int":    {"INT", "integer", schema.Int{Bits: 32}, schema.Int{Bits: 32}},
	"bigint": {"BIGINT", "bigint", schema.Int{Bits: 64}, schema.Int{Bits: 64}},
	"bool":   {"TINYINT(1)", "boolean", schema.Int{Bits: 8, Width: 1}, schema.Bool{}},
	"big":    {"BIGINT UNSIGNED", "numeric(20,0)", schema.Int{Bits: 64, Unsigned: true}, schema.Decimal{Precision: 20}},
	"dec2":   {"DECIMAL(30,2)", "numeric(30,2)", schema.Decimal{Precision: 30, Scale: 2}, schema.Decimal{Precision: 30, Scale: 2}},
	"dec8":   {"DECIMAL(40,8)", "numeric(40,8)", schema.Decimal{Precision: 40, Scale: 8}, schema.Decimal{Precision: 40, Scale: 8}},
	"double": {"DOUBLE", "double precision", schema.Float{Bits: 64}, schema.Float{Bits: 64}},
	"text":   {"VARCHAR(200) CHARACTER SET utf8mb4", "varchar(200)", schema.Text{Length: 200, Charset: "utf8mb4"}, schema.Text{Length: 200}},
	"date":   {"DATE", "date", schema.Date{}, schema.Date{}},
	"ts":     {"DATETIME(6)", "timestamp(6)", schema.DateTime{Precision: 6}, schema.DateTime{Precision: 6}},
	"time":   {"TIME", "time(0)", schema.Time{}, schema.Time{}},
	"bytes":  {"VARBINARY(40)", "bytea", schema.Binary{Length: 40}, schema.Binary{}},
}

var generated = []exprCase{
	// Arithmetic: MySQL computes in 64 bits and divides exactly.
	{sql: "i + 1", typ: "bigint"},
	{sql: "i * k", typ: "bigint"},
	{sql: "-i", typ: "bigint"},
	{sql: "i - k - 1", typ: "bigint"},
	{sql: "i - (k - 1)", typ: "bigint"},
	{sql: "-(-i)", typ: "bigint"},
	{sql: "- -5 + k", typ: "int"},
	{sql: "k * k * k", typ: "bigint"},
	{sql: "5 / 2", typ: "dec8"},
	{sql: "i / 3", typ: "dec8"},
	{sql: "i / k", typ: "dec2"},
	{sql: "n / m", typ: "dec8"},
	{sql: "n / i", typ: "dec8"},
	{sql: "i / 3 * 3", typ: "dec8"},
	{sql: "i / 2", typ: "bigint"},
	{sql: "n * m + i", typ: "dec8"},
	{sql: "(n + 1) / (m * 2)", typ: "dec8"},
	{sql: "k / 0", typ: "dec2"},
	{sql: "k / -0", typ: "dec2"},
	{sql: "n / 0.00", typ: "dec2"},
	{sql: "k div -0", typ: "int"},
	{sql: "k % 0", typ: "int"},
	{sql: "x / 0e0", typ: "double"},
	{sql: "n / -2.5", typ: "dec8"},
	{sql: "i div k", typ: "bigint"},
	{sql: "i div 3", typ: "bigint"},
	{sql: "n div 2", typ: "bigint"},
	{sql: "n div m", typ: "bigint"},
	{sql: "i % k", typ: "bigint"},
	{sql: "mod(i, 7)", typ: "int"},
	{sql: "n % 2", typ: "dec8"},
	{sql: "n mod m", typ: "dec8"},
	{sql: "k % -3", typ: "int"},
	{sql: "x * 2", typ: "double"},
	{sql: "f + x", typ: "double"},
	{sql: "f * 3", typ: "double"},
	{sql: "x / k", typ: "double"},
	{sql: "x + n", typ: "double"},
	{sql: "ub + 1", typ: "big"},
	{sql: "ub div 7", typ: "big"},
	{sql: "ub % 7", typ: "big"},
	{sql: "u * 2", typ: "big"},
	{sql: "x", typ: "bigint"},
	{sql: "n", typ: "bigint"},
	{sql: "m", typ: "int"},
	// Bits.
	{sql: "u & 6", typ: "bigint"},
	{sql: "i & 3", typ: "bigint"},
	{sql: "u | 8", typ: "bigint"},
	{sql: "u ^ 5", typ: "bigint"},
	{sql: "u << 3", typ: "bigint"},
	{sql: "u >> 1", typ: "bigint"},
	{sql: "(u & 4) = 4", typ: "bool"},
	{sql: "u & x'0f'", typ: "bigint", only: schema.MySQL},
	{sql: "bi = b'10101'", typ: "int"},
	// Numbers.
	{sql: "abs(i)", typ: "bigint"},
	{sql: "abs(n)", typ: "dec2"},
	{sql: "sign(n)", typ: "int"},
	{sql: "sign(x)", typ: "int"},
	{sql: "floor(n)", typ: "bigint"},
	{sql: "ceil(m)", typ: "bigint"},
	{sql: "ceiling(-m)", typ: "bigint"},
	{sql: "floor(i)", typ: "bigint"},
	{sql: "floor(x)", typ: "double"},
	{sql: "round(n)", typ: "bigint"},
	{sql: "round(m, 1)", typ: "dec8"},
	{sql: "round(n, 5)", typ: "dec8"},
	{sql: "round(i, -2)", typ: "bigint"},
	{sql: "round(x)", typ: "double"},
	{sql: "round(n / 3, 2)", typ: "dec8"},
	{sql: "round(i / 7)", typ: "bigint"},
	{sql: "truncate(m, 1)", typ: "dec8"},
	{sql: "truncate(i, -1)", typ: "bigint"},
	{sql: "round(m, -1)", typ: "bigint"},
	{sql: "sqrt(abs(k))", typ: "double"},
	{sql: "sqrt(x)", typ: "double"},
	{sql: "greatest(i, k)", typ: "bigint"},
	{sql: "least(i, k, 5)", typ: "bigint"},
	{sql: "greatest(n, 0)", typ: "dec2"},
	{sql: "greatest(n, m)", typ: "dec8"},
	{sql: "greatest(t, c)", typ: "text"},
	{sql: "least(d, d2)", typ: "date"},
	{sql: "greatest(i > 1, k)", typ: "int"},
	// Conditions as values.
	{sql: "i > k", typ: "int"},
	{sql: "i > k", typ: "bool"},
	{sql: "not flag", typ: "bool"},
	{sql: "flag", typ: "int"},
	{sql: "flag and i > 3", typ: "int"},
	{sql: "flag or n", typ: "bool"},
	{sql: "i xor k", typ: "bool"},
	{sql: "i is null", typ: "int"},
	{sql: "i <=> k", typ: "bool"},
	{sql: "i <=> null", typ: "bool"},
	{sql: "(i > 1) + (k > 1)", typ: "int"},
	{sql: "(i > 1) = (k > 1)", typ: "bool"},
	{sql: "ok", typ: "bool"},
	{sql: "ok = 1", typ: "bool"},
	{sql: "not ok", typ: "bool"},
	{sql: "ok = 0 and i > 1", typ: "bool"},
	{sql: "ok + 1", typ: "int"},
	{sql: "i in (1, 2, null)", typ: "bool"},
	{sql: "i not in (1, 2)", typ: "bool"},
	{sql: "i between k and 100", typ: "bool"},
	{sql: "n not between 0 and 2.25", typ: "bool"},
	{sql: "flag is true", typ: "bool"},
	{sql: "n is not false", typ: "bool"},
	{sql: "i = '5'", typ: "bool"},
	{sql: "n > '1.5'", typ: "bool"},
	{sql: "ok in (0, 1)", typ: "bool"},
	{sql: "i / 2 > 1.5", typ: "bool"},
	{sql: "n > x", typ: "bool"},
	{sql: "f = 0.1", typ: "bool"},
	{sql: "f = 0.5", typ: "bool"},
	{sql: "y > 2000", typ: "bool"},
	{sql: "2 / 3 = 0.666666666", typ: "bool"},
	{sql: "k / 3 < 0.6667", typ: "bool"},
	// Choice.
	{sql: "if(i > 3, 'big', 'small')", typ: "text"},
	{sql: "if(flag, i, n)", typ: "dec2"},
	{sql: "ifnull(i, 0)", typ: "int"},
	{sql: "coalesce(t, c, '-')", typ: "text"},
	{sql: "nullif(i, 0)", typ: "int"},
	{sql: "nullif(t, '')", typ: "text"},
	{sql: "case when i > 3 then 1 when k > 1 then 2 else 3 end", typ: "int"},
	{sql: "case e when 'new' then 'N' when 'used' then 'U' end", typ: "text"},
	{sql: "case when i > 3 then t else i end", typ: "text"},
	{sql: "ifnull(n, 0) / 3", typ: "dec8"},
	{sql: "coalesce(d, dt)", typ: "ts"},
	{sql: "if(t is null, null, 1)", typ: "int"},
	{sql: "concat(coalesce(n, 0), '')", typ: "text"},
	{sql: "isnull(t)", typ: "bool"},
	// Text.
	{sql: "concat(t, ' ', c)", typ: "text"},
	{sql: "concat(t, i)", typ: "text"},
	{sql: "concat(n, '/', m)", typ: "text"},
	{sql: "concat(n / 3, '')", typ: "text"},
	{sql: "concat(n * m, 'x')", typ: "text"},
	{sql: "concat('it''s \\\\ \"q\" é\\n', t)", typ: "text"},
	{sql: "concat_ws(', ', t, c)", typ: "text"},
	{sql: "concat_ws('', t, i)", typ: "text"},
	{sql: "concat_ws('-', t, c, i, n)", typ: "text"},
	{sql: "concat(i > 1, flag)", typ: "text"},
	{sql: "concat(d, '')", typ: "text"},
	{sql: "concat(y, '')", typ: "text"},
	{sql: "lower(t)", typ: "text"},
	{sql: "upper(t)", typ: "text"},
	{sql: "length(t)", typ: "int"},
	{sql: "char_length(t)", typ: "int"},
	{sql: "length(l)", typ: "int"},
	{sql: "length(i)", typ: "int"},
	{sql: "length(bn)", typ: "int"},
	{sql: "bit_length(t)", typ: "int"},
	{sql: "octet_length(concat(t, c))", typ: "int"},
	{sql: "left(t, 3)", typ: "text"},
	{sql: "right(t, 2)", typ: "text"},
	{sql: "left(i, 2)", typ: "text"},
	{sql: "left(t, 0)", typ: "text"},
	{sql: "substr(t, 2)", typ: "text"},
	{sql: "substr(t, 2, 3)", typ: "text"},
	{sql: "substring(t from 2 for 1)", typ: "text"},
	{sql: "substr(t, -2)", typ: "text"},
	{sql: "substr(t, -3, 2)", typ: "text"},
	{sql: "substr(t, 0)", typ: "text"},
	{sql: "substr(t, 0, 2)", typ: "text"},
	{sql: "substr(t, 2, -1)", typ: "text"},
	{sql: "mid(t, 2, 2)", typ: "text"},
	{sql: "substr(t, 5, 0)", typ: "text"},
	{sql: "substr(bn, 2, 1)", typ: "bytes"},
	{sql: "trim(t)", typ: "text"},
	{sql: "ltrim(t)", typ: "text"},
	{sql: "rtrim(t)", typ: "text"},
	{sql: "trim(both 'x' from t)", typ: "text"},
	{sql: "trim(leading 'x' from t)", typ: "text"},
	{sql: "trim(trailing 'x' from t)", typ: "text"},
	{sql: "trim('a' from t)", typ: "text"},
	{sql: "replace(t, 'a', 'zz')", typ: "text"},
	{sql: "lpad(t, 6, '*')", typ: "text"},
	{sql: "rpad(i, 8, '0')", typ: "text"},
	{sql: "lpad(t, 2, 'x')", typ: "text"},
	{sql: "lpad(k, 6, '0')", typ: "text"},
	{sql: "repeat(t, 2)", typ: "text"},
	{sql: "repeat('ab', 0)", typ: "text"},
	{sql: "reverse(t)", typ: "text"},
	{sql: "locate('a', t)", typ: "int"},
	{sql: "instr(t, 'b')", typ: "int"},
	{sql: "position('x' in t)", typ: "int"},
	{sql: "substring_index(t, '@', 1)", typ: "text"},
	{sql: "substring_index(t, '@', -1)", typ: "text"},
	{sql: "substring_index(t, '-', -1)", typ: "text"},
	{sql: "find_in_set('blue', st)", typ: "int"},
	{sql: "find_in_set('green', st) > 0", typ: "bool"},
	{sql: "st = 'red,blue'", typ: "bool"},
	{sql: "field(e, 'used', 'new')", typ: "int"},
	{sql: "field(i, 1, 2, 3)", typ: "int"},
	{sql: "elt(k, 'one', 'two')", typ: "text"},
	{sql: "strcmp(t, c)", typ: "int"},
	{sql: "hex(bn)", typ: "text"},
	{sql: "hex(i)", typ: "text"},
	{sql: "hex(u)", typ: "text"},
	{sql: "md5(t)", typ: "text", only: schema.MariaDB},
	{sql: "t like 'a%'", typ: "bool"},
	{sql: "t not like '%\\\\_y\\\\%%'", typ: "bool"},
	{sql: "t like 'x|_y|%z' escape '|'", typ: "bool"},
	{sql: "i like '1%'", typ: "bool"},
	{sql: "t like '%\\\\\\\\%'", typ: "bool"},
	{sql: "t = 'abc'", typ: "bool"},
	{sql: "t < c", typ: "bool"},
	{sql: "t in ('a', 'abc', '')", typ: "bool"},
	{sql: "t between 'a' and 'b'", typ: "bool"},
	{sql: "t <> ''", typ: "bool"},
	{sql: "bn = 'A'", typ: "bool"},
	{sql: "bn > x'40'", typ: "bool"},
	{sql: "t = _utf8mb4 x'616263'", typ: "bool"},
	{sql: "e in ('new', 'used')", typ: "bool"},
	{sql: "e = 'new'", typ: "bool"},
	{sql: "t regexp '^[a-z]+$'", typ: "bool"},
	{sql: "t not regexp '[0-9]'", typ: "bool"},
	{sql: "t rlike '^[^@]+@[^@]+\\\\.[a-z]{2,}$'", typ: "bool"},
	{sql: "t regexp '\\\\d+'", typ: "bool"},
	{sql: "t regexp '\\\\bpad\\\\b'", typ: "bool"},
	// Casts.
	{sql: "cast(i as char)", typ: "text"},
	{sql: "cast(k as char(8))", typ: "text"},
	{sql: "cast(n as signed)", typ: "bigint"},
	{sql: "cast(x as signed)", typ: "bigint"},
	{sql: "cast(i as unsigned)", typ: "big"},
	{sql: "cast(m as decimal(10,1))", typ: "dec8"},
	{sql: "cast(i as decimal(12,2)) / 7", typ: "dec8"},
	{sql: "cast(dt as date)", typ: "date"},
	{sql: "cast(d as datetime)", typ: "ts"},
	{sql: "cast(dt as datetime)", typ: "ts", only: schema.MySQL},
	{sql: "cast(dt as datetime(3))", typ: "ts"},
	{sql: "cast(dt2 as time)", typ: "time"},
	{sql: "cast(t as binary) = 'abc'", typ: "bool"},
	{sql: "cast(k as double)", typ: "double"},
	{sql: "convert(t using utf8mb4)", typ: "text"},
	{sql: "binary t = 'A'", typ: "bool"},
	// Dates.
	{sql: "year(d)", typ: "int"},
	{sql: "month(dt)", typ: "int"},
	{sql: "day(d)", typ: "int"},
	{sql: "dayofmonth(dt)", typ: "int"},
	{sql: "quarter(d)", typ: "int"},
	{sql: "hour(dt)", typ: "int"},
	{sql: "minute(dt)", typ: "int"},
	{sql: "second(dt)", typ: "int"},
	{sql: "microsecond(dt)", typ: "int"},
	{sql: "hour(tm)", typ: "int"},
	{sql: "hour(d)", typ: "int"},
	{sql: "dayofweek(d)", typ: "int"},
	{sql: "weekday(d)", typ: "int"},
	{sql: "dayofyear(dt)", typ: "int"},
	{sql: "week(d, 3)", typ: "int"},
	{sql: "weekofyear(dt)", typ: "int"},
	{sql: "extract(year from dt)", typ: "int"},
	{sql: "extract(second from dt)", typ: "int"},
	{sql: "date(dt)", typ: "date"},
	{sql: "time(dt2)", typ: "time"},
	{sql: "last_day(d)", typ: "date"},
	{sql: "last_day(dt)", typ: "date"},
	{sql: "datediff(d, d2)", typ: "int"},
	{sql: "datediff(dt, d2)", typ: "int"},
	{sql: "to_days(d)", typ: "int"},
	{sql: "d + interval 1 day", typ: "date"},
	{sql: "d + interval 1 month", typ: "date"},
	{sql: "date_sub(d, interval 2 week)", typ: "date"},
	{sql: "dt + interval 36 hour", typ: "ts"},
	{sql: "d + interval 3 hour", typ: "ts"},
	{sql: "d + interval k div 1000 day", typ: "date"},
	{sql: "date_add(dt, interval 1 quarter)", typ: "ts"},
	{sql: "dt - interval 1 year", typ: "ts"},
	{sql: "dt + interval 1500 microsecond", typ: "ts"},
	{sql: "timestampdiff(second, dt, dt2)", typ: "bigint"},
	{sql: "timestampdiff(minute, dt, dt2)", typ: "bigint"},
	{sql: "timestampdiff(hour, dt2, dt)", typ: "bigint"},
	{sql: "timestampdiff(day, d, dt)", typ: "bigint"},
	{sql: "timestampdiff(week, d, d2)", typ: "bigint"},
	{sql: "timestampdiff(month, d, d2)", typ: "int"},
	{sql: "timestampdiff(month, dt, dt2)", typ: "int"},
	{sql: "timestampdiff(year, d2, d)", typ: "int"},
	{sql: "timestampdiff(quarter, dt2, dt)", typ: "int"},
	{sql: "date_format(d, '%Y-%m')", typ: "text", only: schema.MySQL},
	{sql: "date_format(dt, '%d/%m/%Y %H:%i:%s %% %e.%c')", typ: "text", only: schema.MySQL},
	{sql: "date_format(dt, '%T')", typ: "text", only: schema.MySQL},
	{sql: "dt", typ: "date"},
	{sql: "d", typ: "ts"},
	{sql: "d > '2024-01-01'", typ: "bool"},
	{sql: "dt >= '2024-01-01 00:00:00'", typ: "bool"},
	{sql: "d < dt", typ: "bool"},
	{sql: "d between '2023-01-01' and '2024-02-29'", typ: "bool"},
	{sql: "tm > '12:00:00'", typ: "bool"},
	{sql: "d in ('2024-02-29', '2000-01-01')", typ: "bool"},
	{sql: "dt > date '2024-01-01'", typ: "bool"},
	// JSON.
	{sql: "json_unquote(json_extract(j, '$.a'))", typ: "text"},
	{sql: "json_unquote(json_extract(j, '$.deep.\"b c\"[1]'))", typ: "text"},
	{sql: "json_value(j, '$.n')", typ: "text", only: schema.MariaDB},
	{sql: "json_value(j, '$.deep')", typ: "text", only: schema.MariaDB},
	{sql: "json_value(j, '$.a')", typ: "text", only: schema.MariaDB},
	{sql: "json_extract(j, '$.n')", typ: "int"},
	{sql: "json_unquote(json_extract(j, '$.n'))", typ: "int"},
	{sql: "cast(json_unquote(json_extract(j, '$.n')) as signed)", typ: "bigint"},
	{sql: "cast(json_unquote(json_extract(j, '$.n')) as decimal(10,2))", typ: "dec8"},
	{sql: "json_length(j)", typ: "int"},
	{sql: "json_length(j, '$.deep')", typ: "int"},
	{sql: "json_length(j, '$.deep.\"b c\"')", typ: "int"},
	{sql: "json_extract(j, '$.a') = 'x'", typ: "bool", only: schema.MySQL},
	{sql: "json_extract(j, '$.n') = 5", typ: "bool", only: schema.MySQL},
	{sql: "json_unquote(json_extract(j, '$.a')) = 'x'", typ: "bool"},
	{sql: "json_valid(j)", typ: "bool"},
	{sql: "json_unquote(json_extract(json_extract(j, '$.deep'), '$.\"b c\"'))", typ: "text"},
	{sql: "length(json_unquote(json_extract(j, '$.a')))", typ: "int"},
}

// TestGenerated makes each expression a stored generated column on a real
// source, translates it as information_schema prints it, makes the same column
// on a real target and compares every value over the same random rows.
func TestGenerated(t *testing.T) {
	pairs(t, func(t *testing.T, p *pair) {
		rows := fill(t, p, 60)
		var cases []exprCase
		for _, c := range generated {
			if c.only == "" || c.only == p.dialect {
				cases = append(cases, c)
			}
		}
		// MySQL's rows hold 65,535 bytes, so the columns are tried some at a time.
		for batch := range slices.Chunk(cases, 30) {
			together(t, p, batch, rows)
		}
	})
}

// together makes a table with one generated column for each case on both sides.
func together(t *testing.T, p *pair, cases []exprCase, rows int) {
	t.Helper()
	create := "CREATE TABLE g ("
	for _, c := range samples(p.dialect) {
		create += c.name + " " + c.mysql + ", "
	}
	for i, c := range cases {
		create += fmt.Sprintf("g%d %s GENERATED ALWAYS AS (%s) STORED, ", i, generatedTypes[c.typ].mysql, c.sql)
	}
	p.must(t, "DROP TABLE IF EXISTS g", create+"id INT PRIMARY KEY)",
		"INSERT INTO g ("+names(p)+") SELECT "+names(p)+" FROM r")
	printed, err := p.ask(t.Context(), "SELECT generation_expression FROM information_schema.columns"+
		" WHERE table_schema = database() AND table_name = 'g' AND generation_expression <> '' ORDER BY ordinal_position")
	if err != nil || len(printed) != len(cases) {
		t.Fatalf("%d expressions of %d: %v", len(printed), len(cases), err)
	}
	translated := make([]string, len(cases))
	target := "CREATE TABLE g (LIKE r"
	for i, c := range cases {
		typ := generatedTypes[c.typ]
		into := expr.Column{Name: "g", Source: typ.source, Target: typ.target}
		got, err := expr.Translate(printed[i], expr.Context{Dialect: p.dialect, Use: expr.Generated, Columns: columns(p.dialect), Into: &into, Version: p.version})
		if err != nil {
			t.Fatalf("%s: %v", c.sql, err)
		}
		translated[i] = got.SQL
		target += fmt.Sprintf(", g%d %s GENERATED ALWAYS AS (%s) STORED", i, typ.pg, got.SQL)
	}
	p.mustTarget(t, "DROP TABLE IF EXISTS g", target+")", "INSERT INTO g SELECT * FROM r")
	for i, c := range cases {
		compareColumn(t, p, fmt.Sprintf("g%d", i), c, printed[i]+" → "+translated[i], rows)
	}
}

func compareColumn(t *testing.T, p *pair, column string, c exprCase, what string, rows int) {
	t.Helper()
	source, target := column, column
	switch c.typ {
	case "ts":
		source, target = "date_format("+column+", '%Y-%m-%d %H:%i:%s.%f')", "to_char("+column+", 'YYYY-MM-DD HH24:MI:SS.US')"
	case "bytes":
		source, target = "lower(hex("+column+"))", "encode("+column+", 'hex')"
	}
	want, err := p.ask(t.Context(), "SELECT "+source+" FROM g ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	have, err := p.askTarget(t.Context(), "SELECT "+target+" FROM g ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	if len(want) != rows {
		t.Fatalf("the source has %d rows of %d", len(want), rows)
	}
	same(t, c.sql+": "+what, want, have)
}

func names(p *pair) string {
	out := []string{"id"}
	for _, c := range samples(p.dialect) {
		out = append(out, c.name)
	}
	return strings.Join(out, ", ")
}

// fill makes table r with n rows of random values on both sides.
func fill(t *testing.T, p *pair, n int) int {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	mysqlColumns, pgColumns := []string{"id INT PRIMARY KEY"}, []string{"id integer PRIMARY KEY"}
	for _, c := range samples(p.dialect) {
		mysqlColumns = append(mysqlColumns, c.name+" "+c.mysql)
		pgColumns = append(pgColumns, c.name+" "+c.pg)
	}
	p.must(t, "CREATE TABLE r ("+strings.Join(mysqlColumns, ", ")+")")
	p.mustTarget(t, "CREATE TABLE r ("+strings.Join(pgColumns, ", ")+")")
	for id := range n {
		a, b := []string{fmt.Sprint(id)}, []string{fmt.Sprint(id)}
		for _, c := range samples(p.dialect) {
			k := random.IntN(len(c.values))
			if id < len(c.values) {
				k = id // every value once
			}
			a = append(a, c.values[k])
			if c.pgValues != nil {
				b = append(b, c.pgValues[k])
			} else {
				b = append(b, c.values[k])
			}
		}
		// MySQL reads backslashes in literals, JSON's among them.
		p.must(t, "INSERT INTO r VALUES ("+strings.ReplaceAll(strings.Join(a, ", "), `\u`, `\\u`)+")")
		p.mustTarget(t, "INSERT INTO r VALUES ("+strings.Join(b, ", ")+")")
	}
	return n
}
