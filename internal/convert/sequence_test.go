package convert

import (
	"testing"

	"github.com/bascule/bascule/internal/schema"
)

// TestSequenceNames makes a database in which the servers' own choice of sequence
// names would collide: PostgreSQL names them when it makes a table, before it
// knows of the tables, indexes and types that follow.
func TestSequenceNames(t *testing.T) {
	long := schema.Name("a_table_whose_name_leaves_no_room_for_that_of_its_sequence_at_a")
	numbered := func(name schema.Name) *schema.Table {
		return &schema.Table{Name: name, Columns: []*schema.Column{col("id", int32s, identity)}, PrimaryKey: primary("id")}
	}
	db := &schema.Database{Name: "shop", Dialect: schema.MySQL, Tables: []*schema.Table{
		numbered(long), numbered(long[:62] + "b"), numbered("lines"), numbered("orders"),
		{Name: "orders_id_seq", Columns: []*schema.Column{col("id", int32s)}, PrimaryKey: primary("id"), Indexes: []*schema.Index{index("lines_id_seq", "id")}},
		{Name: "plain", Columns: []*schema.Column{col("id", int32s)}, PrimaryKey: primary("id")},
	}}
	plan, err := New(Input{Source: db})
	if err != nil {
		t.Fatal(err)
	}
	taken := map[schema.Name]string{}
	take := func(name schema.Name, what string) {
		if name == "" || len(name) > maxName {
			t.Errorf("%s is called %q, want 1 to %d bytes", what, name, maxName)
		}
		if other := taken[name]; other != "" {
			t.Errorf("%s and %s are both called %q", what, other, name)
		}
		taken[name] = what
	}
	sequences := map[schema.Name]schema.Name{}
	for _, table := range plan.Target.Tables {
		take(table.Name, "table "+string(table.Name))
		take(table.PrimaryKey.Name, "key of "+string(table.Name))
		for _, i := range table.Indexes {
			take(i.Name, "index of "+string(table.Name))
		}
		for _, c := range table.Columns {
			if c.Identity {
				take(c.Sequence, "sequence of "+string(table.Name))
			} else if c.Sequence != "" {
				t.Errorf("%s.%s is no identity and has the sequence %q", table.Name, c.Name, c.Sequence)
			}
			sequences[table.Name] = c.Sequence
		}
	}
	if sequences["lines"] != "lines_id_seq" {
		t.Errorf("the free name was not taken: %q", sequences["lines"])
	}
}
