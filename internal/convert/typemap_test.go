package convert

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/schema"
)

var update = flag.Bool("update", false, "rewrite the tables of docs/types.md")

const typesPage = "../../docs/types.md"

// planColumnOf plans a database of one column.
func planColumnOf(t *testing.T, c *schema.Column, in Input) (*Column, *Plan) {
	t.Helper()
	table := &schema.Table{Name: "t", Columns: []*schema.Column{
		{Name: "id", Type: schema.Int{Bits: 32}}, c,
	}, PrimaryKey: &schema.Index{Name: "PRIMARY", Unique: true, Parts: []schema.IndexPart{{Column: "id"}}}}
	in.Source = &schema.Database{Name: "shop", Dialect: schema.MySQL, Tables: []*schema.Table{table}}
	plan, err := New(in)
	if err != nil {
		t.Fatal(err)
	}
	return plan.Tables[0].columnOf(c.Name), plan
}

func answer(ask schema.Ask, count int64, largest string) schema.Answer {
	return schema.Answer{Question: schema.Question{Table: "t", Column: "c", Ask: ask}, Count: count, Max: largest}
}

// typeRows are the rows of the page's table, each with the answers that decide it.
func typeRows() []struct {
	src     schema.Type
	answers []schema.Answer
	able    change.Capabilities
} {
	type row = struct {
		src     schema.Type
		answers []schema.Answer
		able    change.Capabilities
	}
	gis := change.Capabilities{PostGIS: true}
	clean := answer(schema.AskEmptyEnum, 0, "")
	var rows []row
	for _, bits := range []int{8, 16, 24, 32, 64} {
		rows = append(rows, row{src: schema.Int{Bits: bits}})
		if bits < 64 {
			rows = append(rows, row{src: schema.Int{Bits: bits, Unsigned: true}})
		}
	}
	big := schema.Int{Bits: 64, Unsigned: true}
	return append(rows,
		row{src: schema.Int{Bits: 8, Width: 1}},
		row{src: big, answers: []schema.Answer{answer(schema.AskMax, 0, "123456")}},
		row{src: big, answers: []schema.Answer{answer(schema.AskMax, 0, "9223372036854775808")}},
		row{src: big},
		row{src: schema.Bit{N: 1}}, row{src: schema.Bit{N: 12}},
		row{src: schema.Decimal{Precision: 12, Scale: 2}}, row{src: schema.Decimal{Precision: 12, Scale: 2, Unsigned: true}},
		row{src: schema.Float{Bits: 32}}, row{src: schema.Float{Bits: 64}},
		row{src: schema.Text{Length: 10, Fixed: true}}, row{src: schema.Text{Length: 36, Fixed: true}}, row{src: schema.Text{Length: 255}},
		row{src: schema.Text{MaxBytes: 1<<16 - 1}}, row{src: schema.Text{MaxBytes: 1<<32 - 1}},
		row{src: schema.Binary{Length: 16, Fixed: true}}, row{src: schema.Binary{Length: 255}}, row{src: schema.Binary{MaxBytes: 1<<32 - 1}},
		row{src: schema.Enum{Members: []string{"new", "used"}}, answers: []schema.Answer{clean}},
		row{src: schema.Enum{Members: []string{"new", "used"}}, answers: []schema.Answer{answer(schema.AskEmptyEnum, 3, "")}},
		row{src: schema.Set{Members: []string{"a", "b"}}},
		row{src: schema.JSON{Parsed: true}}, row{src: schema.JSON{Parsed: true}, answers: []schema.Answer{answer(schema.AskJSONNul, 2, "")}},
		row{src: schema.JSON{}},
		row{src: schema.Year{}}, row{src: schema.Date{}},
		row{src: schema.Time{Precision: 3}, answers: []schema.Answer{answer(schema.AskOutOfDay, 0, "")}},
		row{src: schema.Time{Precision: 3}, answers: []schema.Answer{answer(schema.AskOutOfDay, 4, "")}}, row{src: schema.Time{}},
		row{src: schema.DateTime{Precision: 6}}, row{src: schema.Timestamp{}},
		row{src: schema.UUID{}}, row{src: schema.Inet{Version: 4}}, row{src: schema.Inet{Version: 6}},
		row{src: schema.Geometry{Shape: "POINT", SRID: 4326}, able: gis}, row{src: schema.Geometry{Shape: "POINT", SRID: 4326}},
		row{src: schema.Vector{N: 3}},
	)
}

// namable are the type names that Options.Types knows.
var namable = []string{
	"boolean", "smallint", "integer", "bigint", "numeric", "real", "double precision", "bit", "text", "bytea",
	"json", "jsonb", "text[]", "enum", "uuid", "inet", "date", "time", "interval", "timestamp", "timestamptz", "geometry",
}

func typeTable(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("| source | target | why | check | can be named instead |\n|---|---|---|---|---|\n")
	for _, r := range typeRows() {
		c, plan := planColumnOf(t, &schema.Column{Name: "c", Type: r.src, Nullable: true}, Input{Answers: r.answers, Target: r.able})
		check := ""
		for _, k := range plan.Target.Tables[0].Checks {
			check = "`" + strings.ReplaceAll(k.Expr, "|", `\|`) + "`"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", spellSource(r.src), spell(c.Target.Type), c.Why, check, strings.Join(alternatives(t, r.src, c.Target.Type), ", "))
	}
	return b.String()
}

// alternatives are the names that a column can be given and that change its type.
func alternatives(t *testing.T, src, chosen schema.Type) (names []string) {
	t.Helper()
	for _, n := range namable {
		dst, err := parseType(n, src)
		if err != nil {
			t.Fatal(err)
		}
		if convertible(src, dst) && spell(dst) != spell(chosen) {
			names = append(names, n)
		}
	}
	return names
}

// TestTypesPage keeps docs/types.md true: its table is what the code decides.
func TestTypesPage(t *testing.T) {
	page, err := os.ReadFile(typesPage)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- types: generated -->\n", "<!-- end -->"
	head, rest, ok := strings.Cut(string(page), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s lacks the marks %q and %q", typesPage, begin, end)
	}
	want := head + begin + typeTable(t) + end + tail
	if want == string(page) {
		return
	}
	if *update {
		if err := os.WriteFile(typesPage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("%s is not what the code decides; run go test ./internal/convert -run TestTypesPage -update", typesPage)
}

// TestEveryNamedTypeHasCodecs holds convertible, the codecs and their inverses
// together: whatever an operator may name can be copied and brought back.
func TestEveryNamedTypeHasCodecs(t *testing.T) {
	sources := []schema.Type{schema.Other{SQL: "thing"}}
	for _, r := range typeRows() {
		sources = append(sources, r.src)
	}
	tested := 0
	for _, src := range sources {
		for _, n := range namable {
			dst, err := parseType(n, src)
			if err != nil || !convertible(src, dst) {
				continue
			}
			in := Input{
				Options: Options{Types: map[string]string{"t.c": n}}, Target: change.Capabilities{PostGIS: true},
				Answers: []schema.Answer{answer(schema.AskNotBoolean, 0, "")},
			}
			c, plan := planColumnOf(t, &schema.Column{Name: "c", Type: src}, in)
			if got := spell(c.Target.Type); got != spell(dst) {
				t.Errorf("%s named %s became %s", spellSource(src), n, got)
			}
			if _, err := plan.Tables[0].Into(change.Losses{}); err != nil {
				t.Error(err)
			}
			if _, err := plan.Tables[0].Back(); err != nil {
				t.Error(err)
			}
			if slices.ContainsFunc(plan.Findings, func(f finding.Finding) bool { return f.Severity == finding.Blocker }) {
				t.Errorf("%s named %s blocks: %v", spellSource(src), n, plan.Findings)
			}
			tested++
		}
	}
	if tested < 80 {
		t.Errorf("only %d pairs were tested", tested)
	}
}
