package convert

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/schema"
)

func ask(table, column schema.Name, a schema.Ask, count int64, largest string) schema.Answer {
	return schema.Answer{Question: schema.Question{Table: table, Column: column, Ask: a}, Count: count, Max: largest}
}

// spelling has a foreign key that acts between texts of a case-insensitive, padding collation.
func spelling() *schema.Database {
	text := schema.Text{Length: 10, MaxBytes: 40, Charset: "utf8mb4", Collation: "utf8mb4_general_ci"}
	code := func() *schema.Column { return &schema.Column{Name: "code", Type: text} }
	key := &schema.Index{Name: "PRIMARY", Unique: true, Parts: []schema.IndexPart{{Column: "code"}}}
	id := &schema.Column{Name: "id", Type: schema.Int{Bits: 32}}
	return &schema.Database{Name: "spelling", Dialect: schema.MariaDB, Version: "10.11.19-MariaDB", Tables: []*schema.Table{
		{
			Name: "child", Columns: []*schema.Column{id, code()}, PrimaryKey: &schema.Index{Name: "PRIMARY", Unique: true, Parts: []schema.IndexPart{{Column: "id"}}},
			ForeignKeys: []*schema.ForeignKey{{Name: "fk_code", Columns: []schema.Name{"code"}, Parent: "parent", ParentColumns: []schema.Name{"code"}, OnDelete: schema.Cascade, OnUpdate: schema.NoAction}},
		},
		{Name: "parent", Columns: []*schema.Column{code()}, PrimaryKey: key},
	}}
}

// stories are whole databases and their plans, kept in testdata as text.
func stories() map[string]Input {
	answered := []schema.Answer{
		ask("Customer", "ID", schema.AskMax, 0, "1000"), ask("order", "customer_id", schema.AskMax, 0, "990"),
		ask("place", "my_row_id", schema.AskMax, 0, "12"),
		{Question: schema.Question{Table: "Customer", Column: "Born", Ask: schema.AskZeroDate}, Count: 2, Samples: []schema.Sample{{Key: "7", Value: "0000-00-00"}}},
		ask("Customer", "Born", schema.AskPartialDate, 0, ""), ask("order", "state", schema.AskEmptyEnum, 0, ""),
		ask("order", "wait", schema.AskOutOfDay, 0, ""), ask("Customer", "Vip", schema.AskNotBoolean, 0, ""),
	}
	return map[string]Input{
		"shop": {Source: shop(), Answers: answered, Target: change.Capabilities{Version: 150018, ICU: true}},
		"shop-choices": {
			Source: shop(), Answers: answered, Target: change.Capabilities{Version: 180001, PostGIS: true, ICU: true},
			Options: Options{
				Schema: "market", KeepCase: true, Accept: []string{"zero-date:Customer.*"}, Collation: CollationICU, ForFollow: true,
				Types: map[string]string{"Customer.Vip": "boolean", "Customer.Tags": "text[]", "order.state": "enum", "order.wait": "interval", "place.shape": "bytea", "Customer.ID": "numeric"},
			},
		},
		"spelling":     {Source: spelling(), Target: change.Capabilities{Version: 150018, ICU: true}, Options: Options{ForFollow: true}},
		"shop-unknown": {Source: shop(), Target: change.Capabilities{Version: 150018}, Options: Options{Collation: CollationICU}},
		"bazaar-trouble": {
			Source: bazaar(), Target: change.Capabilities{Version: 150018, ICU: true},
			Options: Options{Collation: CollationICU, Accept: []string{"zero-date:day.day", "nul-byte:*.*"}, Types: map[string]string{"item.m": "boolean"}},
			Answers: []schema.Answer{
				ask("item", "m", schema.AskNotBoolean, 3, ""), ask("day", "day", schema.AskZeroDate, 1, ""), ask("item", "kind", schema.AskEmptyEnum, 1, ""),
				ask("log", "key", schema.AskDoubleEncoded, 5, ""), ask("log", "line", schema.AskNulByte, 6, ""),
			},
		},
		"bazaar": {
			Source: bazaar(), Target: change.Capabilities{Version: 150018, ICU: true},
			Answers: []schema.Answer{ask("Item", "span", schema.AskOutOfDay, 3, ""), ask("log", "key", schema.AskMaxBytes, 0, "2800")},
		},
	}
}

// TestStories compares whole plans with the ones that were read and approved.
func TestStories(t *testing.T) {
	for name, in := range stories() {
		t.Run(name, func(t *testing.T) {
			plan, err := New(in)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", name+".plan")
			if *update {
				if err := os.WriteFile(file, []byte(tell(plan)), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), tell(plan)); diff != "" {
				t.Errorf("the plan changed (-want +got):\n%s", diff)
			}
		})
	}
}

// TestPlanIsPure plans twice from the ledger's JSON: every process that joins
// must come to the same plan.
func TestPlanIsPure(t *testing.T) {
	for name, in := range stories() {
		stored, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		want, err := New(in)
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			var again Input
			if err := json.Unmarshal(stored, &again); err != nil {
				t.Fatal(err)
			}
			got, err := New(again)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tell(want), tell(got)); diff != "" {
				t.Fatalf("%s: the plan from the ledger differs:\n%s", name, diff)
			}
		}
		if after, _ := json.Marshal(in); string(after) != string(stored) {
			t.Errorf("%s: planning changed its input", name)
		}
	}
}
