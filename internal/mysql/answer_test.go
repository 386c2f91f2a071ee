package mysql

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bascule/bascule/internal/schema"
	"github.com/bascule/bascule/internal/servertest"
)

func TestAnswer(t *testing.T) {
	type question struct {
		column string // definition
		values []string
		ask    schema.Ask
		count  int64
		max    string
		sample string // value of the first sample
	}
	cases := []question{
		{column: "BIGINT UNSIGNED", values: []string{"7", "18446744073709551615", "NULL"}, ask: schema.AskMax, max: "18446744073709551615"},
		{column: "INT", values: []string{"-7", "-8", "NULL"}, ask: schema.AskMax, max: "-7"},
		{column: "INT", values: []string{"NULL", "NULL", "NULL"}, ask: schema.AskMax},
		{column: "TINYINT(1)", values: []string{"0", "1", "NULL"}, ask: schema.AskNotBoolean},
		{column: "TINYINT(1)", values: []string{"2", "-1", "1"}, ask: schema.AskNotBoolean, count: 2, sample: "2"},
		{column: "TIME(3)", values: []string{"'23:59:59.999'", "'00:00:00'", "NULL"}, ask: schema.AskOutOfDay},
		{column: "TIME(3)", values: []string{"'24:00:00'", "'-00:00:00.001'", "'838:59:59'"}, ask: schema.AskOutOfDay, count: 3, sample: "24:00:00.000"},
		{column: "DATE", values: []string{"'0000-00-00'", "'2024-05-00'", "'2024-05-01'"}, ask: schema.AskZeroDate, count: 1, sample: "0000-00-00"},
		{column: "DATE", values: []string{"'0000-00-00'", "'2024-05-00'", "'2024-05-01'"}, ask: schema.AskPartialDate, count: 1, sample: "2024-05-00"},
		{column: "DATETIME(6)", values: []string{"'0000-05-01 01:02:03'", "'2023-02-29'", "'2024-02-29'"}, ask: schema.AskPartialDate, count: 2, sample: "0000-05-01 01:02:03.000000"},
		{column: "DATETIME", values: []string{"'0000-00-00'", "'0000-00-00'", "NULL"}, ask: schema.AskZeroDate, count: 2, sample: "0000-00-00 00:00:00"},
		{column: "ENUM('a','b')", values: []string{"'a'", "'bad'", "NULL"}, ask: schema.AskEmptyEnum, count: 1, sample: "0="},
		{column: "VARCHAR(20) COLLATE utf8mb4_unicode_ci", values: []string{"'abc'", "CONCAT('a', CHAR(0))", "''"}, ask: schema.AskNulByte, count: 1, sample: "a\x00"},
		{column: "VARCHAR(20) CHARACTER SET utf16", values: []string{"'abc'", "'é'", "''"}, ask: schema.AskNulByte},
		{column: "JSON", values: []string{`'["\\\\u0000"]'`, `'["\\u0000"]'`, "NULL"}, ask: schema.AskJSONNul, count: 1, sample: `["\u0000"]`},
		{column: "VARCHAR(20) CHARACTER SET latin1", values: []string{"_latin1 0xE9E9", "'abc'", "NULL"}, ask: schema.AskMaxBytes, max: "4"},
		{column: "LONGBLOB", values: []string{"REPEAT('x', 70000)", "''", "NULL"}, ask: schema.AskMaxBytes, max: "70000"},
		{column: "VARCHAR(40)", values: []string{"CONVERT(_latin1 0xC3A9 USING utf8mb4)", "'é'", "'plain'"}, ask: schema.AskDoubleEncoded, count: 1, sample: "Ã©"},
		{column: "VARCHAR(40) CHARACTER SET latin1", values: []string{"_latin1 0xC3A9", "_latin1 0xE9", "'plain'"}, ask: schema.AskDoubleEncoded, count: 1, sample: "Ã©"},
		{column: "VARCHAR(40)", values: []string{"'😀'", "'日本'", "'Ã'"}, ask: schema.AskDoubleEncoded},
	}
	onSources(t, func(t *testing.T, s *servertest.Server) {
		src := open(t, s)
		var ddl []string
		rows := make([]string, 3)
		for i, c := range cases {
			ddl = append(ddl, fmt.Sprintf("c%d %s", i, c.column))
			for r := range rows {
				rows[r] += ", " + c.values[r]
			}
		}
		s.Exec(t, src.url, "SET NAMES utf8mb4, sql_mode = 'ALLOW_INVALID_DATES'",
			"CREATE TABLE t (id INT PRIMARY KEY, "+strings.Join(ddl, ", ")+", KEY (c1)) DEFAULT CHARSET utf8mb4",
			"INSERT INTO t VALUES (1"+rows[0]+"), (2"+rows[1]+"), (3"+rows[2]+")")
		var qs []schema.Question
		for i, c := range cases {
			qs = append(qs, schema.Question{Table: "t", Column: schema.Name(fmt.Sprintf("c%d", i)), Ask: c.ask})
		}
		db := inspect(t, src)
		answers, err := src.end.Answer(t.Context(), db, qs)
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range cases {
			a := answers[i]
			sample := ""
			if len(a.Samples) > 0 {
				sample = a.Samples[0].Value
			}
			if a.Question != qs[i] || a.Count != c.count || a.Max != c.max || sample != c.sample || int64(len(a.Samples)) != min(c.count, samples) {
				t.Errorf("%s of %s %v:\n got %+v\nwant count %d, max %q, sample %q", c.ask, c.column, c.values, a, c.count, c.max, c.sample)
			}
		}
		if _, err := src.end.Answer(t.Context(), db, []schema.Question{{Table: "t", Column: "gone", Ask: schema.AskMax}}); err == nil {
			t.Error("a question about no column was answered")
		}
	})
}

// TestAnswerRanges gives the same answers whether a table is read at once or in ranges.
func TestAnswerRanges(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		src := open(t, s, "CREATE TABLE t (id BIGINT PRIMARY KEY, b TINYINT)",
			"INSERT INTO t SELECT CAST(ORDINAL_POSITION AS SIGNED) * 1000003 - 9000000, ORDINAL_POSITION % 5 FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = 'information_schema' AND TABLE_NAME = 'COLUMNS'")
		tb := inspect(t, src).Table("t")
		q := []schema.Question{{Table: "t", Column: "b", Ask: schema.AskNotBoolean}, {Table: "t", Column: "b", Ask: schema.AskMax}}
		once, err := src.end.Answer(t.Context(), src.db, q)
		if err != nil {
			t.Fatal(err)
		}
		tb.Bytes = 9 * rangeBytes // as a table of ten ranges would say
		parts, err := (&tableScan{e: src.end, table: tb}).ranges(t.Context())
		if err != nil || len(parts) != 10 {
			t.Fatalf("%d ranges %v, %v", len(parts), parts, err)
		}
		cut, err := src.end.Answer(t.Context(), src.db, q)
		if err != nil {
			t.Fatal(err)
		}
		want := s.Query(t, src.url, "SELECT SUM(b > 1), MAX(b) FROM t")[0]
		if d := cmp.Diff(once, cut); d != "" || strconv.FormatInt(cut[0].Count, 10) != want[0] || cut[1].Max != want[1] {
			t.Errorf("want %v, got %+v (-once +cut):\n%s", want, cut, d)
		}
	})
}

func TestCut(t *testing.T) {
	big64, _ := new(big.Int).SetString("18446744073709551615", 10)
	for _, c := range []struct {
		from, to *big.Int
		n        int64
		want     []string
	}{
		{big.NewInt(0), big.NewInt(9), 3, []string{"k < 3", "k >= 3 AND k < 6", "k >= 6"}},
		{big.NewInt(-10), big.NewInt(10), 2, []string{"k < 0", "k >= 0"}},
		{big.NewInt(0), big64, 2, []string{"k < 9223372036854775807", "k >= 9223372036854775807"}},
		{big.NewInt(5), big.NewInt(6), 4, []string{""}},
	} {
		if d := cmp.Diff(c.want, cut("k", c.from, c.to, c.n)); d != "" {
			t.Errorf("%v to %v: %s", c.from, c.to, d)
		}
	}
}
