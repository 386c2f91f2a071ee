package convert

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/schema"
	"github.com/bascule/bascule/internal/servertest"
)

// guarded is a column of the source, and literals of the target that have a form there, and that have none.
type guarded struct {
	src       schema.Type
	fit, none []string
}

var guardCases = []guarded{
	{schema.Int{Bits: 8}, []string{"-128", "127"}, []string{"-129", "128"}},
	{schema.Int{Bits: 16}, []string{"-32768"}, nil},
	{schema.Int{Bits: 24}, []string{"-8388608", "8388607"}, []string{"-8388609", "8388608"}},
	{schema.Int{Bits: 32, Unsigned: true}, []string{"0", "4294967295"}, []string{"4294967296"}},
	{schema.Decimal{Precision: 8, Scale: 2}, []string{"999999.99"}, []string{"'NaN'"}},
	{schema.Float{Bits: 64, Digits: -1, Scale: -1}, []string{"1e308", "-1e308"}, []string{"'NaN'", "'Infinity'", "'-Infinity'"}},
	{schema.Date{}, []string{"'0001-01-01'", "'9999-12-31'"}, []string{"'infinity'", "'10000-01-01'", "'0001-12-31 BC'"}},
	{schema.DateTime{Precision: 6}, []string{"'9999-12-31 23:59:59.999999'"}, []string{"'infinity'", "'-infinity'", "'10000-01-01'"}},
	{schema.Timestamp{Precision: 6}, []string{"'1970-01-01 00:00:01Z'", "'2038-01-19 03:14:07.999999Z'"}, []string{"'1970-01-01 00:00:00Z'", "'2038-01-19 03:14:08Z'", "'infinity'"}},
	{schema.Time{}, []string{"'838:59:59'", "'-838:59:59'", "'34 days'"}, []string{"'839:00:00'", "'1 month'", "'-839:00:00'"}},
	{schema.Text{Length: 4, Fixed: true, Charset: "utf8mb4"}, []string{"''", "' ab'"}, []string{"'ab '"}},
	{schema.Text{MaxBytes: 255, Charset: "utf8mb4"}, []string{"repeat('é', 127)"}, []string{"repeat('é', 128)"}},
	{schema.Text{MaxBytes: 255, Charset: "latin1"}, []string{"repeat('é', 255)"}, []string{"repeat('é', 256)", "'ł'"}},
	{schema.Text{Length: 9, Charset: "utf8mb3"}, []string{"'ł€'"}, []string{"'😀'"}},
	{schema.Text{Length: 9, Charset: "ascii"}, []string{"'az~'"}, []string{"'é'"}},
	{schema.Binary{Length: 3, Fixed: true}, []string{`'\x010203'`}, []string{`'\x0102'`, `'\x01020304'`}},
	{schema.Binary{Length: 3}, []string{`'\x'`, `'\x010203'`}, []string{`'\x01020304'`}},
	{schema.Binary{MaxBytes: 255}, nil, []string{`decode(repeat('00', 256), 'hex')`}},
	{schema.Set{Members: []string{"b", "a", "it''s"}}, []string{"''", "'b,a'", "'a'"}, []string{"'a,b'", "'a,a'", "'x'"}},
	{schema.Inet{Version: 4}, []string{"'10.0.0.1'"}, []string{"'10.0.0.0/8'", "'::1'"}},
	{schema.Inet{Version: 6}, []string{"'::1'"}, []string{"'10.0.0.1'", "'::/64'"}},
}

// TestGuards lets PostgreSQL judge values by the conditions. NULL and what is in the table already pass in any case.
func TestGuards(t *testing.T) {
	server := servertest.Targets(t)[0]
	url := server.Database(t)
	conn, err := pgconn.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	passes := func(literal, column, cond string) bool {
		sql := "SELECT (" + strings.ReplaceAll(cond, quoteName("c"), "v.c") + ") IS NOT FALSE FROM (SELECT CAST(" + literal + " AS " + column + ") AS c) AS v"
		res, err := conn.Exec(t.Context(), sql).ReadAll()
		if err != nil {
			if !strings.Contains(err.Error(), "22P05") { // a character that the source's character set does not have
				t.Errorf("%s: %v", sql, err)
			}
			return false
		}
		return string(res[0].Rows[0][0]) == "t"
	}
	for _, c := range guardCases {
		t.Run(spellSource(c.src), func(t *testing.T) {
			p, err := New(Input{
				Source: &schema.Database{Name: "shop", Dialect: schema.MySQL, Version: "9.7.0", Tables: []*schema.Table{
					{Name: "t", Columns: []*schema.Column{col("c", c.src, null)}},
				}},
				Target: change.Capabilities{Version: 150018, ICU: true},
			})
			if err != nil {
				t.Fatal(err)
			}
			cond := "true"
			if guards := p.Guards(); len(guards) > 0 {
				cond = guards[0].SQL
			}
			column := spell(p.Tables[0].Target.Columns[0].Type)
			for _, v := range append(c.fit, "NULL") {
				if !passes(v, column, cond) {
					t.Errorf("%s is kept out by %s", v, cond)
				}
			}
			for _, v := range c.none {
				if passes(v, column, cond) {
					t.Errorf("%s passes %s", v, cond)
				}
			}
		})
	}
}
