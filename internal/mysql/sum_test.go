package mysql

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/schema"
	"github.com/bascule/bascule/internal/servertest"
)

// null is NULL among a case's texts.
const null = "\x00NULL"

// sumCase is a column of some type, values as SQL, and the text that each must have by the definition of its form.
type sumCase struct {
	sql    string
	form   change.Form
	values []string
	texts  []string
	only   schema.Dialect
}

func form(k change.FormKind, precision int) change.Form {
	return change.Form{Kind: k, Precision: precision}
}

func long(k change.FormKind) change.Form { return change.Form{Kind: k, Long: true} }

func accept(f change.Form, codes ...finding.Code) change.Form {
	for _, c := range codes {
		f.Accepted = append(f.Accepted, string(c))
	}
	return f
}

var sumCases = []sumCase{
	{sql: "BIGINT UNSIGNED", form: form(change.FormInteger, 0), values: []string{"0", "18446744073709551615", "NULL"}, texts: []string{"0", "18446744073709551615", null}},
	{sql: "TINYINT NOT NULL", form: form(change.FormInteger, 0), values: []string{"-128", "0", "127"}, texts: []string{"-128", "0", "127"}},
	{sql: "INT(8) ZEROFILL", form: form(change.FormInteger, 0), values: []string{"42", "0", "NULL"}, texts: []string{"42", "0", null}},
	{sql: "YEAR", form: form(change.FormInteger, 0), values: []string{"'0000'", "1901", "2155"}, texts: []string{"0", "1901", "2155"}},
	{sql: "BIT(1)", form: form(change.FormInteger, 0), values: []string{"0", "1", "NULL"}, texts: []string{"0", "1", null}},
	{sql: "BIT(10)", form: form(change.FormBits, 10), values: []string{"5", "1023", "0"}, texts: []string{"0000000101", "1111111111", "0000000000"}},
	{sql: "BIT(64)", form: form(change.FormBits, 64), values: []string{"18446744073709551615", "1", "NULL"}, texts: []string{strings.Repeat("1", 64), strings.Repeat("0", 63) + "1", null}},
	{
		sql: "DECIMAL(65,30)", form: form(change.FormDecimal, 30), values: []string{"-0.5", "12345678901234567890123456789012345.000000000000000000000000000001", "0"},
		texts: []string{"-0.500000000000000000000000000000", "12345678901234567890123456789012345.000000000000000000000000000001", "0.000000000000000000000000000000"},
	},
	{sql: "DECIMAL(8,2) ZEROFILL", form: form(change.FormDecimal, 2), values: []string{"1.5", "0", "NULL"}, texts: []string{"1.50", "0.00", null}},
	{sql: "FLOAT", form: form(change.FormFloat, 0), values: []string{"16777217", "0.1", "-1.5e20", "-1.1754943508222875e-38", "-100", "0"}, texts: []string{"16777216", "0.10000000149011612", "-1.500000030061316e20", "-1.1754943508222875e-38", "-100", "0"}},
	{sql: "DOUBLE(10,3)", form: form(change.FormFloat, 0), values: []string{"-0.5", "12345.625", "NULL"}, texts: []string{"-0.5", "12345.625", null}},
	{sql: "FLOAT(7,2)", form: form(change.FormFloat, 0), values: []string{"0.25", "1.1", "NULL"}, texts: []string{"0.25", "1.100000023841858", null}},
	{sql: "DOUBLE", form: form(change.FormFloat, 0), values: []string{"1e300", "0.1", "5e-324", "-2.2250738585072014e-308"}, texts: []string{"1e300", "0.1", "5e-324", "-2.2250738585072014e-308"}},
	{sql: "VARCHAR(90)", form: form(change.FormText, 0), values: []string{"''", "'é 😀 \\\\ '''", "NULL"}, texts: []string{"", "é 😀 \\ '", null}},
	{sql: "VARCHAR(9) COLLATE utf8mb4_bin NOT NULL", form: form(change.FormText, 0), values: []string{"'A'", "'b'", "''"}, texts: []string{"A", "b", ""}},
	{sql: "VARCHAR(9) COLLATE utf8mb4_general_ci NOT NULL", form: form(change.FormText, 0), values: []string{"'A'", "'b'", "''"}, texts: []string{"A", "b", ""}},
	{sql: "CHAR(9) NOT NULL", form: form(change.FormText, 0), values: []string{"'a  '", "''", "' b'"}, texts: []string{"a", "", " b"}},
	{sql: "VARCHAR(20) CHARACTER SET latin1", form: form(change.FormText, 0), values: []string{"_latin1 0x80E9", "_latin1 0x81", "'x '"}, texts: []string{"€é", "\u0081", "x "}},
	{sql: "VARCHAR(20) CHARACTER SET utf16", form: form(change.FormText, 0), values: []string{"'a😀'", "''", "NULL"}, texts: []string{"a😀", "", null}},
	{sql: "VARCHAR(20)", form: accept(form(change.FormText, 0), finding.LossNulByte), values: []string{"CONCAT('a', CHAR(0), 'b')", "CHAR(0)", "'c'"}, texts: []string{"ab", "", "c"}},
	{sql: "MEDIUMTEXT CHARACTER SET latin1", form: long(change.FormText), values: []string{"REPEAT('é', 1000)", "''", "NULL"}, texts: []string{strings.Repeat("é", 1000), "", null}},
	{sql: "VARBINARY(9)", form: form(change.FormBytes, 0), values: []string{"0x00FF", "''", "NULL"}, texts: []string{"00ff", "", null}},
	{sql: "BINARY(3)", form: form(change.FormBytes, 0), values: []string{"'a'", "0x000000", "NULL"}, texts: []string{"610000", "000000", null}},
	{sql: "LONGBLOB", form: long(change.FormBytes), values: []string{"REPEAT(0xAB00, 3)", "''", "NULL"}, texts: []string{"ab00ab00ab00", "", null}},
	{sql: "DATE", form: form(change.FormDate, 0), values: []string{"'2024-02-29'", "'9999-12-31'", "NULL"}, texts: []string{"2024-02-29", "9999-12-31", null}},
	{sql: "DATE NOT NULL", form: accept(form(change.FormDate, 0), finding.LossZeroDate, finding.LossPartialDate), values: []string{"'0000-00-00'", "'2024-05-00'", "'2024-05-01'"}, texts: []string{null, null, "2024-05-01"}},
	{sql: "DATE", form: accept(form(change.FormDate, 0), finding.LossPartialDate), values: []string{"'2023-02-29'", "'2100-02-29'", "'2000-02-29'"}, texts: []string{null, null, "2000-02-29"}},
	{sql: "DATETIME", form: form(change.FormDateTime, 0), values: []string{"'2024-02-29 23:59:59'", "'1000-01-01'", "NULL"}, texts: []string{"2024-02-29 23:59:59", "1000-01-01 00:00:00", null}},
	{sql: "DATETIME(3)", form: form(change.FormDateTime, 3), values: []string{"'2024-02-29 23:59:59.007'", "'1000-01-01'", "NULL"}, texts: []string{"2024-02-29 23:59:59.007000", "1000-01-01 00:00:00.000000", null}},
	{sql: "DATETIME(6)", form: accept(form(change.FormDateTime, 6), finding.LossZeroDate), values: []string{"'2024-02-29 23:59:59.000001'", "'0000-00-00'", "NULL"}, texts: []string{"2024-02-29 23:59:59.000001", null, null}},
	{sql: "TIMESTAMP(6) NULL", form: form(change.FormDateTime, 6), values: []string{"'2024-07-01 10:00:00.5'", "'1970-01-01 00:00:01'", "NULL"}, texts: []string{"2024-07-01 10:00:00.500000", "1970-01-01 00:00:01.000000", null}},
	{sql: "TIME(6)", form: form(change.FormMicros, 6), values: []string{"'-00:00:00.5'", "'838:59:59'", "'-838:59:58.999999'"}, texts: []string{"-500000", "3020399000000", "-3020398999999"}},
	{sql: "TIME", form: form(change.FormMicros, 0), values: []string{"'00:00:00'", "'-01:00:01'", "NULL"}, texts: []string{"0", "-3601000000", null}},
	{sql: "SET('b','a b','c')", form: form(change.FormLabels, 0), values: []string{"'c,b'", "''", "NULL"}, texts: []string{"b,c", "", null}},
	{sql: "ENUM('x','it''s') CHARACTER SET latin1", form: form(change.FormText, 0), values: []string{"'it''s'", "'bad'", "NULL"}, texts: []string{"it's", "", null}},
	{sql: "BINARY(16)", form: form(change.FormUUID, 0), values: []string{"0x00112233445566778899AABBCCDDEEFF", "NULL", "0x00112233445566778899AABBCCDDEEFE"}, texts: []string{"00112233-4455-6677-8899-aabbccddeeff", null, "00112233-4455-6677-8899-aabbccddeefe"}},
	{sql: "UUID", form: form(change.FormUUID, 0), values: []string{"'00112233-4455-6677-8899-AABBCCDDEEFF'", "NULL", "'00000000-0000-0000-0000-000000000000'"}, texts: []string{"00112233-4455-6677-8899-aabbccddeeff", null, "00000000-0000-0000-0000-000000000000"}, only: schema.MariaDB},
	{
		sql: "INET6", form: form(change.FormBytes, 0), values: []string{"'2001:db8:0:1:1:1:1:1'", "'::ffff:1.2.3.4'", "NULL"},
		texts: []string{"20010db8000000010001000100010001", "00000000000000000000ffff01020304", null}, only: schema.MariaDB,
	},
	{sql: "INET4", form: form(change.FormBytes, 0), values: []string{"'1.2.3.4'", "'255.0.0.0'", "NULL"}, texts: []string{"01020304", "ff000000", null}, only: schema.MariaDB},
	{sql: "VARCHAR(20) CHARACTER SET latin1", form: form(change.FormBytes, 0), values: []string{"'é'", "_latin1 0x80", "NULL"}, texts: []string{"c3a9", "e282ac", null}},
	{sql: "TEXT CHARACTER SET utf16", form: long(change.FormBytes), values: []string{"'é'", "''", "NULL"}, texts: []string{"c3a9", "", null}},
	{sql: "ENUM('é') CHARACTER SET latin1", form: form(change.FormBytes, 0), values: []string{"'é'", "1", "NULL"}, texts: []string{"c3a9", "c3a9", null}},
	{sql: "DECIMAL(10,2)", form: form(change.FormDecimal, 4), values: []string{"-1.5", "0", "NULL"}, texts: []string{"-1.5000", "0.0000", null}},
	{sql: "DECIMAL(5) ZEROFILL", form: form(change.FormDecimal, 2), values: []string{"12", "0", "NULL"}, texts: []string{"12.00", "0.00", null}},
	{
		sql: "DECIMAL(65,1)", form: form(change.FormDecimal, 40), values: []string{strings.Repeat("9", 64) + ".5", "0.1", "NULL"},
		texts: []string{strings.Repeat("9", 64) + ".5" + strings.Repeat("0", 39), "0.1" + strings.Repeat("0", 39), null},
	},
	{
		sql: "LONGTEXT CHARACTER SET latin1", form: long(change.FormText), values: []string{"REPEAT('é', 32768)", "REPEAT('é', 32769)", "NULL"},
		texts: []string{strings.Repeat("é", 32768), strings.Repeat("é", 32769), null},
	},
	{
		sql: "LONGBLOB", form: long(change.FormBytes), values: []string{"REPEAT(0xAB, 32768)", "REPEAT(0xAB, 32769)", "NULL"},
		texts: []string{strings.Repeat("ab", 32768), strings.Repeat("ab", 32769), null},
	},
	{sql: "INET6", form: form(change.FormText, 0), values: []string{"'::1'", "'2001:DB8::'", "NULL"}, texts: []string{"::1", "2001:db8::", null}, only: schema.MariaDB},
	{
		sql: "POINT", form: form(change.FormGeometry, 0), values: []string{"ST_GeomFromText('POINT(1 2)')", "NULL", "ST_GeomFromText('POINT(1 2)', 0)"},
		texts: []string{pointHex, null, pointHex},
	},
	{sql: "GEOMETRY", form: long(change.FormGeometry), values: []string{"ST_GeomFromText('POINT(1 2)')", "NULL", "NULL"}, texts: []string{pointHex, null, null}},
	{sql: "JSON", form: form(change.FormJSON, 0), values: []string{`'{"b":1,"a":[true,null]}'`, "'1'", "NULL"}, texts: []string{`{"a": [true, null], "b": 1}`, "1", null}, only: schema.MySQL},
	{sql: "JSON", form: long(change.FormJSON), values: []string{`'{"b":1, "a":2}'`, "'1'", "NULL"}, texts: []string{`{"b":1, "a":2}`, "1", null}, only: schema.MariaDB},
	{sql: "JSON", form: accept(form(change.FormJSON, 0), finding.LossJSONNul), values: []string{`'["a\\u0000b", "\\\\u0000"]'`, `'"\\\\\\u0000"'`, "NULL"}, texts: []string{`["ab", "\\u0000"]`, `"\\"`, null}},
}

const pointHex = "000000000101000000000000000000f03f0000000000000040"

// shownText is what Values gives for a text: the text, or the hash and the length of a long value's bytes.
func shownText(c *sumCase, text string) string {
	if !c.form.Long || len(text) <= 65536 {
		return text
	}
	raw := []byte(text)
	if c.form.Kind == change.FormBytes {
		raw, _ = hex.DecodeString(text)
	}
	return fmt.Sprintf("sha256:%x (%d bytes)", sha256.Sum256(raw), len(raw))
}

// hashOf is the rule in Go.
func hashOf(cases []sumCase, row int) uint64 {
	var b strings.Builder
	for _, c := range cases {
		text := c.texts[row]
		switch c.form.Kind {
		case change.FormInteger, change.FormDecimal, change.FormDate, change.FormDateTime, change.FormMicros, change.FormBits, change.FormUUID:
			if text == null {
				text = "N"
			}
			b.WriteString(text + ";")
			continue
		default: // the texts of the other forms may hold anything
		}
		if text == null {
			b.WriteString("N")
			continue
		}
		if c.form.Long {
			raw := []byte(text)
			if c.form.Kind == change.FormBytes || c.form.Kind == change.FormGeometry {
				raw, _ = hex.DecodeString(text)
			}
			sum := sha256.Sum256(raw)
			text = hex.EncodeToString(sum[:])
		}
		fmt.Fprintf(&b, "%d:%s", len(text), text)
	}
	sum := sha256.Sum256([]byte(b.String()))
	return binary.BigEndian.Uint64(sum[:]) >> 4
}

// sumTable makes a table of the cases that a dialect has, with an id of 1 to 3.
func sumTable(t *testing.T, s *servertest.Server) (*source, []sumCase, *change.SumQuery) {
	t.Helper()
	src := open(t, s)
	cases := []sumCase{{sql: "INT NOT NULL PRIMARY KEY", form: form(change.FormInteger, 0), values: []string{"-7", "1", "2"}, texts: []string{"-7", "1", "2"}}}
	for _, c := range sumCases {
		if c.only == "" || c.only == src.end.Dialect() {
			cases = append(cases, c)
		}
	}
	var ddl, rows []string
	for i, c := range cases {
		ddl = append(ddl, fmt.Sprintf("c%d %s", i, c.sql))
	}
	for r := range 3 {
		var vs []string
		for _, c := range cases {
			vs = append(vs, c.values[r])
		}
		rows = append(rows, "("+strings.Join(vs, ", ")+")")
	}
	s.Exec(t, src.url, "SET NAMES utf8mb4, sql_mode = 'ALLOW_INVALID_DATES', time_zone = '+00:00'",
		"CREATE TABLE t ("+strings.Join(ddl, ", ")+") DEFAULT CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci", "INSERT INTO t VALUES "+strings.Join(rows, ", "))
	q := &change.SumQuery{Table: "t"}
	for i, c := range inspect(t, src).Table("t").Columns {
		q.Columns = append(q.Columns, change.SumColumn{Column: c, Form: cases[i].form})
	}
	q.Key = q.Columns[:1]
	return src, cases, q
}

func TestSums(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		src, cases, q := sumTable(t, s)
		// Values first: a wrong text is easier to read than a wrong hash.
		var rows []change.RowSum
		var want []change.RowValues
		total := change.Sum{Rows: 3}
		for r := range 3 {
			row := change.RowSum{Key: []string{cases[0].texts[r]}, Hash: hashOf(cases, r), Rows: 1}
			rows = append(rows, row)
			v := change.RowValues{RowSum: row}
			for _, c := range cases {
				if c.texts[r] == null {
					v.Values = append(v.Values, change.Value{Null: true})
				} else {
					v.Values = append(v.Values, change.Value{Text: shownText(&c, c.texts[r])})
				}
			}
			want = append(want, v)
			total.Hash += row.Hash
		}
		got, err := src.end.Values(t.Context(), q, rows)
		if err != nil {
			t.Fatal(err)
		}
		for r := range min(len(got), 3) {
			for i := range cases {
				if d := cmp.Diff(want[r].Values[i], got[r].Values[i]); d != "" {
					t.Errorf("row %d, %s as %s (-want +got):\n%s", r, cases[i].sql, cases[i].form.Kind, d)
				}
			}
		}
		if d := cmp.Diff(want, got); d != "" && !t.Failed() {
			t.Errorf("values (-want +got):\n%s", d)
		}
		sums, err := src.end.RowSums(t.Context(), q)
		if d := cmp.Diff(rows, sums); d != "" || err != nil {
			t.Errorf("row sums %v (-want +got):\n%s", err, d)
		}
		all, err := src.end.Sums(t.Context(), q)
		if d := cmp.Diff([]change.Sum{total}, all); d != "" || err != nil {
			t.Errorf("sum %v (-want +got):\n%s", err, d)
		}
	})
}

func TestSumGroups(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		src := open(t, s, "CREATE TABLE t (k INT PRIMARY KEY, v INT)", "CREATE TABLE nokey (v INT)",
			"INSERT INTO t SELECT a.ORDINAL_POSITION * 100 + b.ORDINAL_POSITION, 5 FROM information_schema.COLUMNS a, information_schema.COLUMNS b"+
				" WHERE a.TABLE_SCHEMA = 'information_schema' AND a.TABLE_NAME = 'COLUMNS' AND b.TABLE_SCHEMA = 'information_schema' AND b.TABLE_NAME = 'COLUMNS'",
			"INSERT INTO nokey VALUES (1), (1), (2)")
		db := inspect(t, src)
		cols := func(table string) (out []change.SumColumn) {
			for _, c := range db.Table(schema.Name(table)).Columns {
				out = append(out, change.SumColumn{Column: c, Form: form(change.FormInteger, 0)})
			}
			return out
		}
		q := change.SumQuery{Table: "t", Columns: cols("t"), Key: cols("t")[:1], Lo: "203", Hi: "1502"}
		hash := func(text string) uint64 {
			sum := sha256.Sum256([]byte(text))
			return binary.BigEndian.Uint64(sum[:]) >> 4
		}
		for _, c := range []struct{ mod, rem, buckets uint64 }{{0, 0, 0}, {0, 0, 1}, {0, 0, 7}, {3, 2, 5}, {4, 1, 1}} {
			q.Mod, q.Rems, q.Buckets = c.mod, []uint64{c.rem}, c.buckets
			want := map[uint64]change.Sum{}
			for _, r := range src.Query(t, src.url, "SELECT k FROM t WHERE k BETWEEN 203 AND 1502") {
				h := hash(r[0] + ";")
				if c.mod > 0 && h%c.mod != c.rem {
					continue
				}
				g := h / max(c.mod, 1) % max(c.buckets, 1)
				w := want[g]
				want[g] = change.Sum{Group: g, Rows: w.Rows + 1, Hash: w.Hash + hash(r[0]+";5;")}
			}
			got, err := src.end.Sums(t.Context(), &q)
			if err != nil {
				t.Fatal(err)
			}
			have := map[uint64]change.Sum{}
			for _, g := range got {
				have[g.Group] = g
			}
			if d := cmp.Diff(want, have); d != "" || len(want) == 0 {
				t.Errorf("%+v (-want +got):\n%s", c, d)
			}
		}
		nokey := &change.SumQuery{Table: "nokey", Columns: cols("nokey")}
		rows, err := src.end.RowSums(t.Context(), nokey)
		slices.SortFunc(rows, func(a, b change.RowSum) int { return int(b.Rows - a.Rows) })
		want := []change.RowSum{{Hash: hash("1;"), Rows: 2}, {Hash: hash("2;"), Rows: 1}}
		if d := cmp.Diff(want, rows); d != "" || err != nil {
			t.Errorf("rows without a key %v (-want +got):\n%s", err, d)
		}
		values, err := src.end.Values(t.Context(), nokey, rows[:1])
		if d := cmp.Diff([]change.RowValues{{RowSum: want[0], Values: []change.Value{{Text: "1"}}}}, values); d != "" || err != nil {
			t.Errorf("values without a key %v (-want +got):\n%s", err, d)
		}
		empty, err := src.end.Sums(t.Context(), &change.SumQuery{Table: "t", Columns: cols("t"), Key: cols("t")[:1], Lo: "9999999"})
		if len(empty) != 0 || err != nil {
			t.Errorf("an empty range gives %v, %v", empty, err)
		}
	})
}

// TestKeylessValues asks for every row of a table without a key. Matched by one comparison a row with a hash made for each, this
// took the square of the rows.
func TestKeylessValues(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		src := open(t, s, "CREATE TABLE t (v INT, w DOUBLE)")
		s.Exec(t, src.url, "INSERT INTO t SELECT n.a * 100 + m.a, 1e-300 FROM (SELECT ORDINAL_POSITION - 1 AS a FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = 'mysql'"+
			" AND TABLE_NAME = 'user' AND ORDINAL_POSITION <= 20) n, (SELECT ORDINAL_POSITION - 1 AS a FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = 'mysql' AND TABLE_NAME = 'user' AND ORDINAL_POSITION <= 40) m")
		cols := inspect(t, src).Table("t").Columns
		q := &change.SumQuery{Table: "t", Columns: []change.SumColumn{{Column: cols[0], Form: form(change.FormInteger, 0)}, {Column: cols[1], Form: form(change.FormFloat, 0)}}}
		rows, err := src.end.RowSums(t.Context(), q)
		if err != nil || len(rows) != 800 {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
		hash, err := src.end.rowHash(q.Columns)
		if err != nil {
			t.Fatal(err)
		}
		where, err := matches(q, hash, nil, rows)
		if err != nil || strings.Count(where, "SHA2(") != 1 {
			t.Errorf("the condition makes %d hashes a row (%v)", strings.Count(where, "SHA2("), err)
		}
		values, err := src.end.Values(t.Context(), q, rows)
		if err != nil || len(values) != len(rows) {
			t.Fatalf("values of %d rows, %v", len(values), err)
		}
		got := map[string]bool{}
		for _, v := range values {
			got[v.Values[0].Text] = true
		}
		for n := range 20 {
			for m := range 40 {
				if !got[strconv.Itoa(n*100+m)] {
					t.Errorf("row %d is missing", n*100+m)
				}
			}
		}
	})
}

// TestNullInKey reads rows whose key has a NULL: that is a text of its own.
func TestNullInKey(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		src := open(t, s, "CREATE TABLE t (k INT, v INT)", "INSERT INTO t VALUES (1, 10), (NULL, 20), (NULL, 30)")
		q := &change.SumQuery{Table: "t"}
		for _, c := range inspect(t, src).Table("t").Columns {
			q.Columns = append(q.Columns, change.SumColumn{Column: c, Form: form(change.FormInteger, 0)})
		}
		q.Key = q.Columns[:1]
		rows, err := src.end.RowSums(t.Context(), q)
		if err != nil || len(rows) != 3 {
			t.Fatalf("rows %+v, %v", rows, err)
		}
		nulls := 0
		for _, r := range rows {
			if r.Key[0] == "\x00" {
				nulls++
			}
		}
		values, err := src.end.Values(t.Context(), q, []change.RowSum{{Key: []string{"\x00"}}})
		if err != nil || nulls != 2 || len(values) != 2 || values[0].Values[1].Text == values[1].Values[1].Text {
			t.Errorf("%d keys are NULL; values %+v, %v", nulls, values, err)
		}
	})
}

// TestSumTooLong sums a row whose text outgrows max_allowed_packet: that is an error, never a NULL that passes for equal.
func TestSumTooLong(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		src := open(t, s, "CREATE TABLE t (k INT PRIMARY KEY, a LONGBLOB, b LONGBLOB)")
		packet, err := strconv.Atoi(s.Query(t, src.url, "SELECT @@max_allowed_packet")[0][0])
		if err != nil || packet > 128<<20 {
			t.Skipf("max_allowed_packet is %d bytes: too large a row", packet)
		}
		half := packet * 3 / 4
		s.Exec(t, src.url, "INSERT INTO t VALUES (1, 'x', NULL), (2, NULL, NULL)", fmt.Sprintf("UPDATE t SET a = REPEAT('x', %d) WHERE k = 2", half))
		cols := inspect(t, src).Table("t").Columns
		for reason, c := range map[string]struct {
			form change.Form
			want fault.Class
		}{
			"hex in the row is too long":  {form(change.FormBytes, 0), fault.Resource},
			"hashed singly there is room": {long(change.FormBytes), ""},
		} {
			q := &change.SumQuery{Table: "t", Columns: []change.SumColumn{{Column: cols[0], Form: form(change.FormInteger, 0)}, {Column: cols[1], Form: c.form}}}
			q.Key = q.Columns[:1]
			_, err := src.end.Sums(t.Context(), q)
			if c.want == "" && err != nil || c.want != "" && fault.ClassOf(err) != c.want {
				t.Errorf("%s: %v", reason, err)
			}
			values, err := src.end.Values(t.Context(), q, []change.RowSum{{Key: []string{"2"}}})
			if c.want != "" {
				if fault.ClassOf(err) != c.want {
					t.Errorf("%s: values %+v, %v", reason, values, err)
				}
				continue
			}
			want := change.Value{Text: fmt.Sprintf("sha256:%x (%d bytes)", sha256.Sum256(bytes.Repeat([]byte("x"), half)), half)}
			if err != nil || len(values) != 1 || values[0].Values[1] != want {
				t.Errorf("%s: values %+v, %v", reason, values, err)
			}
		}
	})
}
