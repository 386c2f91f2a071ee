package cli

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/convert"
	"github.com/bascule/bascule/internal/schema"
)

// shop is a small source with what plans must show: a renamed table, a key of its own,
// a prefix index, a table without a key, a loss.
func shop() convert.Input {
	name := strings.Repeat("a_very_long_name_", 3) + "indeed"
	orders := &schema.Table{
		Name: "Orders", Rows: 2_000_000, Bytes: 250 << 20, Engine: "InnoDB", NextIdentity: 2_000_001,
		Columns: []*schema.Column{
			{Name: "Id", Type: schema.Int{Bits: 32, Unsigned: true}, Identity: true},
			{Name: "customer_id", Type: schema.Int{Bits: 32, Unsigned: true}},
			{Name: "paid", Type: schema.Int{Bits: 8, Width: 1}, Default: &schema.Default{Literal: "0"}},
			{Name: "shipped", Type: schema.Date{}, Nullable: true},
			{Name: schema.Name(name), Type: schema.Text{Length: 40, Charset: "utf8mb4", Collation: "utf8mb4_bin"}, Nullable: true},
		},
		PrimaryKey: &schema.Index{Name: "PRIMARY", Unique: true, Parts: []schema.IndexPart{{Column: "Id"}}},
		Indexes: []*schema.Index{
			{Name: "by_customer", Parts: []schema.IndexPart{{Column: "customer_id"}, {Column: "shipped", Desc: true}}},
			{Name: "by_name", Parts: []schema.IndexPart{{Column: schema.Name(name), Prefix: 10}}},
		},
		ForeignKeys: []*schema.ForeignKey{{
			Name: "orders_customer", Columns: []schema.Name{"customer_id"}, Parent: "customer", ParentColumns: []schema.Name{"id"},
			OnDelete: schema.Cascade, OnUpdate: schema.Restrict,
		}},
	}
	customer := &schema.Table{
		Name: "customer", Rows: 20_000, Bytes: 3 << 20, Engine: "InnoDB",
		Columns:    []*schema.Column{{Name: "id", Type: schema.Int{Bits: 32, Unsigned: true}}},
		PrimaryKey: &schema.Index{Name: "PRIMARY", Unique: true, Parts: []schema.IndexPart{{Column: "id"}}},
	}
	log := &schema.Table{
		Name: "log", Rows: 10, Bytes: 16 << 10, Engine: "InnoDB",
		Columns: []*schema.Column{{Name: "line", Type: schema.Text{MaxBytes: 65535, Charset: "utf8mb4", Collation: "utf8mb4_bin"}, Nullable: true}},
	}
	in := convert.Input{
		Source: &schema.Database{Name: "shop", Dialect: schema.MariaDB, Version: "10.11.19-MariaDB", Tables: []*schema.Table{orders, customer, log}},
		Target: change.Capabilities{Version: 150018, ICU: true},
	}
	for _, q := range convert.Questions(in.Source, in.Options) {
		a := schema.Answer{Question: q}
		switch q.Ask { //nolint:exhaustive // all others find nothing
		case schema.AskZeroDate:
			a.Count = 2
			a.Samples = []schema.Sample{{Key: "7", Value: "0000-00-00"}}
		case schema.AskMax:
			a.Max = "2000000"
		}
		in.Answers = append(in.Answers, a)
	}
	return in
}

func shopPlan(t *testing.T) *planDoc {
	t.Helper()
	plan, err := convert.New(shop())
	if err != nil {
		t.Fatal(err)
	}
	d := newPlanDoc(plan, statements(plan), "mysql://app@db:3306/shop", "postgres://app@pg:5432/shop")
	d.Next = []string{"bascule db check --config shop.yaml", "bascule db copy --config shop.yaml"}
	return d
}

func TestPlanText(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := shopPlan(t).writeText(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "plan.txt", b.String())
	for line := range strings.Lines(b.String()) {
		if strings.HasPrefix(line, "    do ") {
			continue // never broken: it is there to be copied
		}
		if w := wide(line) - 1; w > planWidth {
			t.Errorf("%d columns: %q", w, line)
		}
	}
}

// TestPlanJSON reads the document as a script would and finds in it what the text says.
func TestPlanJSON(t *testing.T) {
	t.Parallel()
	b, err := marshal(shopPlan(t))
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Estimate struct{ Tables, Rows, Bytes int64 }
		Tables   []struct {
			Source, Target string
			CutBy          []string `json:"cut_by"`
			Columns        []struct {
				Source     string
				TargetType string `json:"target_type"`
			}
			Keys []struct{ Source, Target string }
		}
		Findings   []struct{ Code, Severity, Object string }
		Statements []struct{ SQL string }
	}
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	if d.Estimate.Tables != 3 || d.Estimate.Rows != 2_020_010 {
		t.Errorf("estimate of %+v", d.Estimate)
	}
	orders := d.Tables[0]
	if orders.Source != "Orders" || orders.Target != "orders" || len(orders.CutBy) != 1 || orders.CutBy[0] != "Id" {
		t.Errorf("orders: %s to %s, cut by %v", orders.Source, orders.Target, orders.CutBy)
	}
	for _, k := range orders.Keys {
		if k.Source != "" && k.Target == "" {
			t.Errorf("%q has no counterpart", k.Source)
		}
	}
	if log := d.Tables[2]; len(log.CutBy) != 0 {
		t.Errorf("a table without a key is cut by %v", log.CutBy)
	}
	loss := false
	for _, f := range d.Findings {
		loss = loss || f.Code == "zero-date" && f.Severity == "blocker" && f.Object == "Orders.shipped"
	}
	if !loss {
		t.Errorf("no zero-date among the findings: %v", d.Findings)
	}
	if len(d.Statements) == 0 || !strings.Contains(d.Statements[0].SQL, "CREATE TABLE") {
		t.Error("the DDL is missing")
	}
}

func TestNextCommand(t *testing.T) {
	t.Parallel()
	root := tree()
	plan, _, err := root.Find([]string{"db", "plan"})
	if err != nil {
		t.Fatal(err)
	}
	err = plan.ParseFlags([]string{
		"--source", "mysql://app:geheim@db/shop", "--target", "env:TARGET", "--exclude", "tmp_*,log", "--keep-case", "--sql",
		"--type", "orders.total=numeric(10, 2)",
	})
	if err != nil {
		t.Fatal(err)
	}
	for command, want := range map[string]string{
		"db copy": `bascule db copy --exclude 'tmp_*' --exclude log --keep-case --source 'mysql://app:***@db/shop' --target env:TARGET ` +
			`--type 'orders.total=numeric(10, 2)' --accept zero-date:orders.shipped`,
		"db verify": `bascule db verify --source 'mysql://app:***@db/shop' --target env:TARGET --accept zero-date:orders.shipped`,
	} {
		if got := next(plan, command, "--accept zero-date:orders.shipped"); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
