package convert

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bascule/bascule/internal/schema"
)

func TestExact(t *testing.T) {
	table := func(name schema.Name, fks ...*schema.ForeignKey) *schema.Table {
		return &schema.Table{
			Name: name, Engine: "InnoDB", PrimaryKey: primary("id"), ForeignKeys: fks,
			Columns: []*schema.Column{col("id", bigID), col("a_id", bigID, null), col("b_id", bigID, null)},
		}
	}
	keyless := func(name schema.Name, fks ...*schema.ForeignKey) *schema.Table {
		tb := table(name, fks...)
		tb.PrimaryKey = nil
		return tb
	}
	n := 0
	fk := func(parent schema.Name, del, upd schema.Action) *schema.ForeignKey {
		n++
		return &schema.ForeignKey{Name: schema.Name(fmt.Sprint("fk", n)), Columns: []schema.Name{"a_id"}, Parent: parent, ParentColumns: []schema.Name{"id"}, OnDelete: del, OnUpdate: upd}
	}
	const no = schema.NoAction
	for name, c := range map[string]struct {
		tables []*schema.Table
		logs   bool
		want   [][]schema.Name
	}{
		"keys and no actions":             {tables: []*schema.Table{table("a"), table("b", fk("a", no, schema.Restrict))}},
		"one level":                       {tables: []*schema.Table{table("a"), table("b", fk("a", schema.Cascade, no)), table("c", fk("a", schema.SetNull, no))}},
		"two levels":                      {tables: []*schema.Table{table("a"), table("b", fk("a", schema.Cascade, no)), table("c", fk("b", schema.SetNull, no)), table("d")}, want: [][]schema.Name{{"a", "b", "c"}}},
		"two levels that are logged":      {logs: true, tables: []*schema.Table{table("a"), table("b", fk("a", schema.Cascade, no)), table("c", fk("b", schema.SetNull, no))}},
		"a second level without action":   {tables: []*schema.Table{table("a"), table("b", fk("a", schema.Cascade, no)), table("c", fk("b", no, no))}},
		"itself":                          {tables: []*schema.Table{table("a", fk("a", schema.Cascade, no)), table("b")}, want: [][]schema.Name{{"a"}}},
		"a changed key":                   {tables: []*schema.Table{table("a"), table("b", fk("a", no, schema.Cascade))}, want: [][]schema.Name{{"a", "b"}}},
		"no key":                          {tables: []*schema.Table{table("a"), keyless("b")}, want: [][]schema.Name{{"b"}}},
		"no key below an action":          {tables: []*schema.Table{table("a"), keyless("b", fk("a", schema.Cascade, no)), table("c", fk("a", schema.Cascade, no))}, want: [][]schema.Name{{"a", "b", "c"}}},
		"no key below a logged action":    {logs: true, tables: []*schema.Table{table("a"), keyless("b", fk("a", schema.Cascade, no))}, want: [][]schema.Name{{"b"}}},
		"two groups":                      {tables: []*schema.Table{table("a", fk("b", no, schema.SetNull)), table("b"), table("c", fk("d", schema.Cascade, no)), table("d", fk("e", schema.Cascade, no)), table("e")}, want: [][]schema.Name{{"a", "b"}, {"c", "d", "e"}}},
		"a parent that is not moved":      {tables: []*schema.Table{table("b", fk("a", schema.Cascade, schema.Cascade))}},
		"levels that a keyless one joins": {tables: []*schema.Table{table("a"), table("b", fk("a", schema.SetNull, no)), keyless("c", fk("b", no, no))}, want: [][]schema.Name{{"c"}}},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := New(Input{Source: &schema.Database{Name: "shop", Dialect: schema.MySQL, LogsCascades: c.logs, Tables: c.tables}, Options: Options{ForFollow: true}})
			if err != nil {
				t.Fatal(err)
			}
			var got [][]schema.Name
			for _, g := range p.Exact() {
				var names []schema.Name
				for _, tb := range g {
					names = append(names, tb.Select.Table.Name)
				}
				got = append(got, names)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
