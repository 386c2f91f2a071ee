package postgres

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/schema"
)

// everything is a schema with every type, index, key and default that a plan can hold,
// written the way the server prints it, so that what comes back can be compared.
func everything() *schema.Database {
	awkward := &schema.Table{
		Name: `odd "name" \ 'q'`, Comment: "it's \\ odd",
		Columns: []*schema.Column{
			{Name: `select`, Type: schema.Int{Bits: 64}, Identity: true, Comment: `50% "of" '`},
			{Name: `Ü"ber`, Type: schema.Text{}, Nullable: true, Default: &schema.Default{Literal: `a'b\c`}},
			{Name: "order", Type: schema.Int{Bits: 32}},
		},
		PrimaryKey:   &schema.Index{Name: `odd pk`, Unique: true, Parts: []schema.IndexPart{{Column: "select"}}},
		NextIdentity: 78,
		ForeignKeys: []*schema.ForeignKey{{
			Name: "odd_parent", Columns: []schema.Name{"order"}, Parent: "types", ParentColumns: []schema.Name{"id"},
			OnDelete: schema.Cascade, OnUpdate: schema.Restrict,
		}},
	}
	return &schema.Database{Name: "app", Tables: []*schema.Table{awkward, typesTable()}}
}

func typesTable() *schema.Table {
	col := func(n schema.Name, ty schema.Type, d *schema.Default) *schema.Column {
		return &schema.Column{Name: n, Type: ty, Nullable: true, Default: d}
	}
	lit := func(s string) *schema.Default { return &schema.Default{Literal: s} }
	t := &schema.Table{Name: "types", Columns: []*schema.Column{
		{Name: "id", Type: schema.Int{Bits: 32}, Identity: true},
		col("b", schema.Bool{}, lit("true")),
		col("i2", schema.Int{Bits: 16}, lit("-5")),
		col("i8", schema.Int{Bits: 64}, nil),
		col("bits", schema.Bit{N: 5}, nil),
		col("d", schema.Decimal{Precision: 20, Scale: 3}, lit("1.500")),
		col("f4", schema.Float{Bits: 32}, nil),
		col("f8", schema.Float{Bits: 64}, nil),
		col("v", schema.Text{Length: 40}, lit("")),
		col("t", schema.Text{}, lit("it's")),
		col("ci", schema.Text{Collation: "und-u-ks-level1"}, nil),
		col("c", schema.Text{Length: 3, Collation: "C"}, nil),
		col("bin", schema.Binary{}, nil),
		col("e", schema.Enum{Name: "types_e", Members: []string{"", "it's", "a b"}}, nil),
		col("s", schema.TextArray{}, nil),
		col("j", schema.JSON{Parsed: true}, nil),
		col("jt", schema.JSON{}, nil),
		col("day", schema.Date{}, nil),
		col("tm", schema.Time{Precision: 3}, nil),
		col("iv", schema.Interval{Precision: 6}, nil),
		col("dt", schema.DateTime{}, nil),
		col("ts", schema.Timestamp{Precision: 6}, &schema.Default{Expr: "CURRENT_TIMESTAMP(6)"}),
		col("u", schema.UUID{}, nil),
		col("ip", schema.Inet{}, nil),
		col("g", schema.Int{Bits: 64}, nil),
	}}
	t.Column("g").Generated = &schema.Generated{Expr: "(i8 + 1)", Stored: true}
	t.Column("t").Comment = "free text"
	t.NextIdentity = 1
	t.PrimaryKey = &schema.Index{Name: "types_pkey", Unique: true, Parts: []schema.IndexPart{{Column: "id"}}}
	part := func(n schema.Name) schema.IndexPart { return schema.IndexPart{Column: n} }
	t.Indexes = []*schema.Index{
		{Name: "types_ci", Unique: true, Parts: []schema.IndexPart{part("ci")}, Comment: "loose"},
		{Name: "types_desc", Parts: []schema.IndexPart{{Column: "i2", Desc: true}, part("v")}},
		{Name: "types_expr", Parts: []schema.IndexPart{{Expr: "lower(v::text)"}}},
		{Name: "types_full", Method: schema.FullText, Parts: []schema.IndexPart{part("t"), part("v")}},
		{Name: "types_hash", Method: schema.Hash, Parts: []schema.IndexPart{part("i8")}},
		{Name: "types_prefix", Parts: []schema.IndexPart{{Column: "t", Prefix: 10}, {Column: "bin", Prefix: 4}}},
	}
	t.Checks = []schema.Check{
		{Name: "types_b", Expr: "(i2 >= '-100'::integer)", Enforced: true},
		{Name: "types_v", Expr: "((v)::text <> 'x'::text)", Enforced: true},
	}
	return t
}

func TestRoundTrip(t *testing.T) {
	onEachServer(t, func(t *testing.T, d *database) {
		e := d.open(t)
		want := everything()
		if _, err := e.Create(t.Context(), change.Record{Schema: "app"}, e.Render(want), nil); err != nil {
			t.Fatal(err)
		}
		if n := drain(t, e); n == 0 {
			t.Fatal("no statement ran")
		}
		got, err := e.Inspect(t.Context(), change.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		asPrinted(want)
		diff := cmp.Diff(want, got, cmpopts.IgnoreFields(schema.Database{}, "Dialect", "Version", "Charset", "Collation"),
			cmpopts.IgnoreFields(schema.Table{}, "Rows", "Bytes"), cmpopts.EquateEmpty())
		if diff != "" {
			t.Errorf("rendered (-) and inspected (+) differ:\n%s", diff)
		}
		bad := query(t, d.owner, "SELECT conname FROM pg_constraint WHERE NOT convalidated AND connamespace = 'app'::regnamespace")
		if len(bad) > 0 {
			t.Errorf("not validated: %v", bad)
		}
	})
}

// asPrinted changes what the server is expected to print differently: methods and
// prefixes that PostgreSQL has in another form.
func asPrinted(db *schema.Database) {
	for _, t := range db.Tables {
		t.PrimaryKey.Method = schema.BTree
		for _, x := range t.Indexes {
			switch x.Name {
			case "types_full":
				x.Parts = []schema.IndexPart{{Expr: `to_tsvector('simple'::regconfig, (COALESCE(t, ''::text) || ' '::text) || COALESCE(v, ''::character varying)::text)`}}
			case "types_prefix":
				x.Parts = []schema.IndexPart{{Expr: `"left"(t, 10)`}, {Expr: `"substring"(bin, 1, 4)`}}
				x.Method = schema.BTree
			default:
				x.Method = schema.BTree
			}
		}
	}
}

// drain runs every statement that is left and returns how many.
func drain(t *testing.T, e *End) int {
	t.Helper()
	q := queueOf(t, e)
	for n := 0; ; n++ {
		ok, err := q.Claim(t.Context(), func(ctx context.Context, task *change.Task, w change.Work) (change.Done, error) {
			if err := w.Exec(ctx, task.SQL); err != nil {
				return change.Done{}, fmt.Errorf("%s of %s: %w\n%s", task.What, task.Table, err, task.SQL)
			}
			return change.Done{}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			continue
		}
		if left, err := q.Left(t.Context()); err != nil || left != 0 {
			t.Fatalf("%d tasks cannot run: %v", left, err)
		}
		return n
	}
}
