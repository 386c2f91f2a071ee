package postgres

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/schema"
)

// TestSlowIndexesFirst holds that a table's indexes are built in the order of what they cost, and that only the primary key's is
// taken over as a key.
func TestSlowIndexesFirst(t *testing.T) {
	on := func(name string, columns ...schema.Name) *schema.Index {
		x := &schema.Index{Name: schema.Name(name)}
		for _, c := range columns {
			x.Parts = append(x.Parts, schema.IndexPart{Column: c})
		}
		return x
	}
	full := on("found", "note")
	full.Method = schema.FullText
	table := &schema.Table{
		Name: "orders",
		Columns: []*schema.Column{
			{Name: "id", Type: schema.Int{Bits: 64}},
			{Name: "customer", Type: schema.Int{Bits: 64}},
			{Name: "number", Type: schema.Text{Length: 20}},
			{Name: "note", Type: schema.Text{}},
			{Name: "created", Type: schema.DateTime{}},
		},
		PrimaryKey: on("orders_pkey", "id"),
		Indexes:    []*schema.Index{on("by_customer", "customer"), on("by_number", "number"), full, on("by_note_created", "note", "created")},
	}
	r := &renderer{schema: "app"}
	r.keys(table)
	var got []string
	for _, s := range r.out {
		if s.Stage == change.StageIndex {
			got = append(got, s.What)
		}
	}
	want := []string{"index found", "index by_note_created", "index by_number", "index by_customer", "primary key index"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	last := r.out[len(r.out)-1]
	if last.Stage != change.StageKey || !strings.HasSuffix(last.SQL, `PRIMARY KEY USING INDEX "orders_pkey"`) && !strings.HasSuffix(last.SQL, `PRIMARY KEY USING INDEX orders_pkey`) {
		t.Errorf("the key is %q", last.SQL)
	}
	if !strings.HasPrefix(r.out[4].SQL, "CREATE UNIQUE INDEX") {
		t.Errorf("the primary key's index is not unique: %s", r.out[4].SQL)
	}
}
