package expr_test

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bascule/bascule/internal/convert/expr"
	"github.com/bascule/bascule/internal/schema"
)

// shop is a table whose text compares without case, as most of MySQL's does.
func shop() map[string]expr.Column {
	ci := schema.Text{Length: 40, Charset: "utf8mb4", Collation: "utf8mb4_0900_ai_ci"}
	return map[string]expr.Column{
		"name":  {Name: "name", Source: ci, Target: schema.Text{Length: 40}},
		"email": {Name: "Order", Source: ci, Target: schema.Text{Length: 40, Collation: "und-x-icu"}},
		"code":  {Name: "code", Source: schema.Text{Length: 9, Charset: "utf8mb4", Collation: "utf8mb4_bin"}, Target: schema.Text{Length: 9}},
		"qty":   {Name: "qty", Source: schema.Int{Bits: 32}, Target: schema.Int{Bits: 32}, NotNull: true},
		"price": {Name: "price", Source: schema.Decimal{Precision: 10, Scale: 2}, Target: schema.Decimal{Precision: 10, Scale: 2}},
		"live":  {Name: "live", Source: schema.Int{Bits: 8, Width: 1}, Target: schema.Bool{}},
		"at":    {Name: "at", Source: schema.Timestamp{}, Target: schema.Timestamp{}},
		"born":  {Name: "born", Source: schema.Date{}, Target: schema.Date{}},
		"doc":   {Name: "doc", Source: schema.JSON{Parsed: true}, Target: schema.JSON{Parsed: true}},
		"raw":   {Name: "raw", Source: schema.JSON{}, Target: schema.JSON{}},
		"note":  {Name: "note", Source: schema.Text{MaxBytes: 65535, Charset: "utf8mb4", Collation: "utf8mb4_0900_bin"}, Target: schema.Text{}},
		"kind":  {Name: "kind", Source: schema.Enum{Members: []string{"a", "b"}}, Target: schema.Enum{Name: "shop_kind", Members: []string{"a", "b"}}},
		"span":  {Name: "span", Source: schema.Time{}, Target: schema.Interval{}},
		"shape": {Name: "shape", Source: schema.Geometry{Shape: "POINT"}, Target: schema.Geometry{Shape: "POINT"}},
		"total": {Name: "total", Source: schema.Decimal{Precision: 12, Scale: 2}, Target: schema.Decimal{Precision: 12, Scale: 2}, Generated: "(`price` * `qty`)"},
		"loop":  {Name: "loop", Source: schema.Int{Bits: 32}, Target: schema.Int{Bits: 32}, Generated: "(`loop` + 1)"},
	}
}

func TestTranslate(t *testing.T) {
	tests := map[string]struct {
		reason string
		sql    string
		use    expr.Use
		into   *expr.Column
		want   string
		notes  []string // parts of the notes, in order
	}{
		"escaped literal": {
			reason: "MySQL's dictionary escapes the quotes of a literal once more",
			sql:    `(_utf8mb4\'it\\\'s\' = ` + "`note`)", use: expr.Check, want: `'it''s' = "note"`,
		},
		"twice encoded literal": {
			reason: "information_schema of MySQL prints UTF-8 as if it were latin1",
			sql:    `(_utf8mb4\'Ã©\' = ` + "`note`)", use: expr.Check, want: `'é' = "note"`,
		},
		"case": {
			reason: "a comparison stays plain, and says that it ignored case",
			sql:    "(`name` = 'x')", use: expr.Check, want: `"name" = 'x'`, notes: []string{"case, accents"},
		},
		"case by collation": {
			reason: "a target column with a collation of its own needs no note",
			sql:    "(`email` <> '')", use: expr.Check, want: `"Order" <> ''`,
		},
		"padding": {
			reason: "the old _bin collations ignore trailing spaces",
			sql:    "(`code` <> '')", use: expr.Check, want: `"code" <> ''`, notes: []string{"trailing spaces"},
		},
		"like":           {reason: "LIKE does not pad", sql: "(`code` like 'a%')", use: expr.Check, want: `"code" LIKE 'a%'`},
		"flag":           {reason: "a boolean column compared with 1 is the column", sql: "(`live` = 1)", use: expr.Check, want: `"live"`},
		"number as flag": {reason: "MySQL takes any number but 0 as true", sql: "(`qty` and `live`)", use: expr.Check, want: `"qty" <> 0 AND "live"`},
		"precedence":     {reason: "parentheses stay where they matter", sql: "((`qty` > 1) or (`qty` < 0)) and (not (`live`))", use: expr.Check, want: `("qty" > 1 OR "qty" < 0) AND NOT "live"`},
		"boolean into integer": {
			reason: "MySQL's comparisons are integers",
			sql:    "(`qty` > 3)", use: expr.Generated, into: &expr.Column{Source: schema.Int{Bits: 32}, Target: schema.Int{Bits: 32}}, want: `("qty" > 3)::int`,
		},
		"concat": {reason: "|| gives NULL for NULL as MySQL's CONCAT does", sql: "concat(`note`,'-',`qty`)", use: expr.Generated, want: `"note" || '-' || "qty"::text`},
		"generated inside": {
			reason: "PostgreSQL forbids a generated column to name another",
			sql:    "(`total` * 2)", use: expr.Generated, want: `("price" * "qty")::numeric(12,2) * 2`,
		},
		"generated in a check": {reason: "a check may name a generated column", sql: "(`total` > 0)", use: expr.Check, want: `"total" > 0`},
		"greatest":             {reason: "only what can be NULL is guarded", sql: "greatest(`qty`,`price`,0)", use: expr.Index, want: `CASE WHEN "price" IS NOT NULL THEN greatest("qty", "price", 0) END`},
		"lower index":          {reason: "the usual functional index", sql: "lower(`email`)", use: expr.Index, want: `lower("Order")`, notes: []string{"locale"}},
		"json":                 {reason: "->> makes NULL of JSON's null where MySQL makes the text null", sql: "json_unquote(json_extract(`doc`,_utf8mb4'$.a[0]'))", use: expr.Index, want: `coalesce("doc" -> 'a' ->> 0, ("doc" -> 'a' -> 0)::text)`, notes: []string{"no array", "JSON as text"}},
		"json valid":           {reason: "every jsonb value is valid", sql: "json_valid(`raw`)", use: expr.Check, want: `"raw" IS NOT NULL OR NULL`},
		"now into timestamp":   {reason: "NOW is the statement's start, cut to seconds", sql: "current_timestamp()", use: expr.Default, into: &expr.Column{Target: schema.Timestamp{}}, want: `date_trunc('second', statement_timestamp())`},
		"now(6) into datetime": {reason: "DATETIME has no zone", sql: "CURRENT_TIMESTAMP(6)", use: expr.Default, into: &expr.Column{Target: schema.DateTime{Precision: 6}}, want: `statement_timestamp()::timestamp`},
		"now(2)":               {reason: "PostgreSQL rounds", sql: "now(2)", use: expr.Default, into: &expr.Column{Target: schema.Timestamp{Precision: 2}}, want: `statement_timestamp()::timestamptz(2)`, notes: []string{"rounds"}},
		"today":                {reason: "a date of the session", sql: "curdate()", use: expr.Default, into: &expr.Column{Target: schema.Date{}}, want: `statement_timestamp()::date`},
		"utc":                  {reason: "a date and time in UTC", sql: "utc_timestamp()", use: expr.Default, into: &expr.Column{Target: schema.DateTime{}}, want: `timezone('UTC', date_trunc('second', statement_timestamp()))`},
		"uuid into text":       {reason: "a new UUID as text", sql: "uuid()", use: expr.Default, into: &expr.Column{Target: schema.Text{Length: 36}}, want: `gen_random_uuid()::text`, notes: []string{"version 1"}},
		"uuid into uuid":       {reason: "no cast", sql: "uuid()", use: expr.Default, into: &expr.Column{Target: schema.UUID{}}, want: `gen_random_uuid()`, notes: []string{"version 1"}},
		"uuid into bytes":      {reason: "16 bytes", sql: "uuid_to_bin(uuid(),1)", use: expr.Default, into: &expr.Column{Source: schema.Binary{Length: 16, Fixed: true}, Target: schema.Binary{}}, want: `uuid_send(gen_random_uuid())`, notes: []string{"version 1", "random"}},
		"random":               {reason: "a default may change from row to row", sql: "rand()", use: expr.Default, into: &expr.Column{Target: schema.Float{Bits: 64}}, want: "random()"},
		"expression default":   {reason: "constants compute alike", sql: "(1 + 2)", use: expr.Default, into: &expr.Column{Target: schema.Int{Bits: 32}}, want: `1::bigint + 2`},
		"empty document":       {reason: "a new document", sql: "json_object()", use: expr.Default, into: &expr.Column{Target: schema.JSON{}}, want: `'{}'::jsonb::json`},
		"bit default":          {reason: "a number of bits as wide as the column", sql: "b'101'", use: expr.Default, into: &expr.Column{Target: schema.Bit{N: 5}}, want: `B'00101'`},
		"bytes default":        {reason: "BINARY(n) is padded with zeros", sql: "x'41'", use: expr.Default, into: &expr.Column{Source: schema.Binary{Length: 3, Fixed: true}, Target: schema.Binary{}}, want: `'\x410000'::bytea`},
		"set default":          {reason: "a set is an array", sql: "'a,c'", use: expr.Default, into: &expr.Column{Source: schema.Set{Members: []string{"a", "b", "c"}}, Target: schema.TextArray{}}, want: `ARRAY['a', 'c']::text[]`},
		"boolean default":      {reason: "1 is true", sql: "1", use: expr.Default, into: &expr.Column{Target: schema.Bool{}}, want: "true"},
		"date default":         {reason: "a literal in full", sql: "'2024-02-29'", use: expr.Default, into: &expr.Column{Target: schema.Date{}}, want: "DATE '2024-02-29'"},
		"null default":         {reason: "NULL is NULL", sql: "null", use: expr.Default, into: &expr.Column{Target: schema.Date{}}, want: "NULL"},
		"unsigned difference":  {reason: "MySQL refuses negative ones", sql: "(cast(`qty` as unsigned) - 1 > 0)", use: expr.Check, want: `CASE WHEN "qty" < 0 THEN "qty" + 18446744073709551616 ELSE "qty" END - 1 > 0`, notes: []string{"unsigned subtraction"}},
		"regular expression":   {reason: "a case-insensitive collation matches without case", sql: "regexp_like(`name`,_utf8mb4'^[a-z]+\\\\b')", use: expr.Check, want: `"name" ~* '^[a-z]+\y'`, notes: []string{"line break"}},
		"native enum":          {reason: "a member is a literal of the enum", sql: "(`kind` in ('a','b'))", use: expr.Check, want: `"kind" IN ('a', 'b')`},
		"opaque is null":       {reason: "NULL can be asked of any type", sql: "(`shape` is not null)", use: expr.Check, want: `"shape" IS NOT NULL`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := expr.Translate(test.sql, expr.Context{Dialect: schema.MySQL, Use: test.use, Columns: shop(), Into: test.into, Version: 15})
			if err != nil {
				t.Fatalf("%s: %v", test.reason, err)
			}
			if diff := cmp.Diff(test.want, got.SQL); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
			if len(got.Notes) != len(test.notes) {
				t.Fatalf("%s: notes %q, want %q", test.reason, got.Notes, test.notes)
			}
			for i, n := range test.notes {
				if !strings.Contains(got.Notes[i], n) {
					t.Errorf("%s: note %q does not say %q", test.reason, got.Notes[i], n)
				}
			}
		})
	}
}

func TestRefused(t *testing.T) {
	text := &expr.Column{Target: schema.Text{}}
	tests := map[string]struct {
		reason string
		sql    string
		use    expr.Use
		into   *expr.Column
		node   string
		why    string
	}{
		"multi-valued":       {reason: "PostgreSQL indexes members with GIN", sql: "(cast(json_extract(`doc`,_utf8mb4'$.a') as char(10) array))", use: expr.Index, node: "array", why: "multi-valued"},
		"volatile check":     {reason: "a check must not change its mind", sql: "(`qty` > rand())", use: expr.Check, node: "rand()", why: "only a default may"},
		"volatile generated": {reason: "generated columns are immutable", sql: "now()", use: expr.Generated, into: text, node: "now()", why: "only a default may"},
		"zone":               {reason: "the year of an instant depends on the zone", sql: "year(`at`)", use: expr.Generated, into: text, node: "year(`at`)", why: "time zone"},
		"instant literal":    {reason: "an instant literal too", sql: "(`at` > '2024-01-01')", use: expr.Check, why: "time zone"},
		"text as number":     {reason: "'10abc' equals 10 on MySQL", sql: "(`note` = 10)", use: expr.Check, why: "10abc"},
		"text as condition":  {reason: "MySQL reads a number out of it", sql: "`note`", use: expr.Check, why: "condition"},
		"column in default":  {reason: "PostgreSQL's defaults name no column", sql: "(`qty` + 1)", use: expr.Default, into: text, node: "`qty`", why: "cannot name a column"},
		"unknown function":   {reason: "stored functions are not moved", sql: "f(`qty`)", use: expr.Check, node: "f(`qty`)", why: "f has no translation"},
		"unknown column":     {reason: "a typo is not guessed", sql: "(`nope` > 1)", use: expr.Check, node: "`nope`", why: "no column"},
		"bit complement":     {reason: "PostgreSQL has no unsigned 64-bit number", sql: "(~`qty`)", use: expr.Check, why: "unsigned 64-bit"},
		"bit or":             {reason: "a signed operand can be negative", sql: "(`qty` | 1)", use: expr.Check, why: "unsigned 64-bit"},
		"json order":         {reason: "the servers order JSON differently", sql: "(json_extract(`doc`,'$.a') > 5)", use: expr.Check, why: "order JSON"},
		"json wildcard":      {reason: "many values of one", sql: "json_extract(`doc`,'$.a[*]')", use: expr.Index, why: "more than keys"},
		"regexp look-ahead":  {reason: "not the same on PostgreSQL", sql: "(`note` regexp '(?=a)')", use: expr.Check, why: "look-around"},
		"regexp lazy":        {reason: "PostgreSQL makes the whole pattern lazy", sql: "(`note` regexp 'a+?b')", use: expr.Check, why: "lazy"},
		"partial date":       {reason: "there is no day 0", sql: "(`born` > '2024-00-00')", use: expr.Check, why: "not written in full"},
		"enum order":         {reason: "by position", sql: "(`kind` < 'b')", use: expr.Check, why: "equality"},
		"enum stranger":      {reason: "PostgreSQL refuses the literal", sql: "(`kind` = 'z')", use: expr.Check, why: "not a member"},
		"trim string":        {reason: "PostgreSQL trims characters", sql: "trim(both 'ab' from `note`)", use: expr.Index, why: "one literal character"},
		"generated circle":   {reason: "cannot come from a server, must not hang", sql: "`loop`", use: expr.Generated, into: text, why: "deep"},
		"subquery":           {reason: "MySQL refuses it too", sql: "(select 1)", use: expr.Check, why: "subquery"},
		"two expressions":    {reason: "nothing is smuggled in", sql: "1) from t where (1", use: expr.Check, why: "not one expression"},
		"two statements":     {reason: "nothing is smuggled in", sql: "1); drop table t; select (1", use: expr.Check, why: "not one expression"},
		"comment":            {reason: "nothing is cut off", sql: "1) -- ", use: expr.Check, why: "parsed"},
		"nul":                {reason: "PostgreSQL's text holds no byte 0", sql: `(` + "`note`" + ` = 'a\0')`, use: expr.Check, why: "0x00"},
		"geometry":           {reason: "not a scalar", sql: "(`shape` = 1)", use: expr.Check, why: "rules"},
		"float text":         {reason: "digits differ", sql: "concat(1e0)", use: expr.Generated, into: text, why: "floats"},
		"two into boolean":   {reason: "2 is not a boolean", sql: "(`qty` + 1)", use: expr.Generated, into: &expr.Column{Target: schema.Bool{}}, why: "more than 0 or 1"},
		"utc into timestamp": {reason: "MySQL would shift it", sql: "utc_timestamp()", use: expr.Default, into: &expr.Column{Target: schema.Timestamp{}}, why: "time zone"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := expr.Translate(test.sql, expr.Context{Dialect: schema.MySQL, Use: test.use, Columns: shop(), Into: test.into, Version: 15})
			u, ok := errors.AsType[*expr.UntranslatableError](err)
			if !ok {
				t.Fatalf("%s: got %q and error %v, want an *UntranslatableError", test.reason, got.SQL, err)
			}
			if u.Expr != test.sql {
				t.Errorf("the error is about %q, want %q", u.Expr, test.sql)
			}
			if !strings.Contains(u.Node, test.node) || !strings.Contains(u.Why, test.why) {
				t.Errorf("%s: node %q, why %q; want %q, %q", test.reason, u.Node, u.Why, test.node, test.why)
			}
		})
	}
}

// FuzzTranslate looks for panics and for results that no parser would take as
// one expression: unbalanced quotes or parentheses.
func FuzzTranslate(f *testing.F) {
	for _, c := range generated {
		f.Add(c.sql)
	}
	for _, s := range []string{`_utf8mb4\'a\'`, "json_value(`doc`,'$.a')", "`a", "((((", "interval (1) day + `born`", "'\\", "0x", "case when", "1e999", "-", "@a", "cast(1 as char(3) array)"} {
		f.Add(s)
	}
	text := &expr.Column{Target: schema.Text{}}
	f.Fuzz(func(t *testing.T, sql string) {
		for _, d := range []schema.Dialect{schema.MySQL, schema.MariaDB} {
			cols := columns(d)
			maps.Copy(cols, shop())
			for _, use := range []expr.Use{expr.Default, expr.Check, expr.Generated, expr.Index} {
				got, err := expr.Translate(sql, expr.Context{Dialect: d, Use: use, Columns: cols, Into: text, Version: 18})
				if err != nil {
					if _, ok := errors.AsType[*expr.UntranslatableError](err); !ok {
						t.Fatalf("%q: the error is no *UntranslatableError: %v", sql, err)
					}
					continue
				}
				if !balanced(got.SQL) {
					t.Fatalf("%q → %q: quotes or parentheses do not match", sql, got.SQL)
				}
			}
		}
	})
}

// balanced reads SQL as PostgreSQL's lexer does with standard_conforming_strings.
func balanced(sql string) bool {
	depth := 0
	var quote rune
	for _, r := range sql {
		switch {
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == '\'' || r == '"':
			quote = r
		case r == '(':
			depth++
		case r == ')':
			depth--
			if depth < 0 {
				return false
			}
		case r == ';':
			return false
		}
	}
	return depth == 0 && quote == 0 && sql != "" && !strings.Contains(sql, "\x00")
}
