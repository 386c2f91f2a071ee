package convert

import (
	"fmt"
	"math"
	"strings"

	"github.com/bascule/bascule/internal/schema"
)

// col declares a column: NOT NULL unless an option says otherwise.
func col(name schema.Name, t schema.Type, options ...func(*schema.Column)) *schema.Column {
	c := &schema.Column{Name: name, Type: t}
	for _, o := range options {
		o(c)
	}
	return c
}

func null(c *schema.Column)      { c.Nullable = true }
func identity(c *schema.Column)  { c.Identity = true }
func invisible(c *schema.Column) { c.Invisible = true }
func onUpdate(c *schema.Column)  { c.OnUpdateNow = true }

func literalOf(s string) func(*schema.Column) {
	return func(c *schema.Column) { c.Default = &schema.Default{Literal: s} }
}

func exprOf(s string) func(*schema.Column) {
	return func(c *schema.Column) { c.Default = &schema.Default{Expr: s} }
}

func generated(s string, stored bool) func(*schema.Column) {
	return func(c *schema.Column) { c.Generated = &schema.Generated{Expr: s, Stored: stored} }
}

func index(name schema.Name, columns ...schema.Name) *schema.Index {
	i := &schema.Index{Name: name, Method: schema.BTree}
	for _, c := range columns {
		i.Parts = append(i.Parts, schema.IndexPart{Column: c})
	}
	return i
}

func unique(name schema.Name, columns ...schema.Name) *schema.Index {
	i := index(name, columns...)
	i.Unique = true
	return i
}

func primary(columns ...schema.Name) *schema.Index { return unique("PRIMARY", columns...) }

func with(i *schema.Index, change func(*schema.Index)) *schema.Index { change(i); return i }

func ci(length int) schema.Text {
	return schema.Text{Length: length, Charset: "utf8mb4", Collation: "utf8mb4_0900_ai_ci"}
}

var (
	bigID  = schema.Int{Bits: 64, Unsigned: true}
	int32s = schema.Int{Bits: 32}
)

// shop is a MySQL database with at least one of everything that a plan must tell.
func shop() *schema.Database {
	latin := schema.Text{Length: 20, Charset: "latin1", Collation: "latin1_bin"}
	text := schema.Text{MaxBytes: 1<<16 - 1, Charset: "utf8mb4", Collation: "utf8mb4_0900_ai_ci"}
	long := schema.Name(strings.Repeat("x", 63))
	return &schema.Database{
		Name: "shop", Dialect: schema.MySQL, Version: "9.7.4", Charset: "utf8mb4", Collation: "utf8mb4_0900_ai_ci",
		Tables: []*schema.Table{
			{
				Name: "Customer", NextIdentity: 1001, Comment: "who buys", Rows: 1000, Collation: "utf8mb4_0900_ai_ci",
				Columns: []*schema.Column{
					col("ID", bigID, identity),
					col("Email", ci(255)),
					col("Born", schema.Date{}, literalOf("0000-00-00")),
					col("Vip", schema.Int{Bits: 8, Width: 1}, literalOf("0")),
					col("Tags", schema.Set{Members: []string{"new", "it's"}}, literalOf("new")),
					col("Mask", schema.Bit{N: 3}, literalOf("\x05")),
					col("Token", schema.Binary{Length: 4, Fixed: true}, literalOf("ab")),
					col("Profile", schema.JSON{Parsed: true}, null),
					col("Joined", schema.Timestamp{Precision: 3}, exprOf("CURRENT_TIMESTAMP(3)"), onUpdate),
					col("Secret", latin, null, invisible),
				},
				PrimaryKey: primary("ID"),
				Indexes: []*schema.Index{
					unique("email", "Email"), index("idx_born", "Born"),
					with(index("hidden", "Vip"), func(i *schema.Index) { i.Invisible = true }),
				},
				Checks: []schema.Check{
					{Name: "vip_check", Expr: "(`Vip` in (0,1))", Enforced: true},
					{Name: "later", Expr: "(`Vip` > 7)", Enforced: false},
					{Name: "odd", Expr: "(json_schema_valid('{}',`Profile`))", Enforced: true},
				},
			},
			{
				Name: "order", NextIdentity: 77,
				Columns: []*schema.Column{
					col("id", schema.Int{Bits: 32, Unsigned: true}, identity),
					col("customer_id", bigID),
					col("state", schema.Enum{Members: []string{"new", "paid"}, Collation: "utf8mb4_0900_ai_ci"}, literalOf("new")),
					col("qty", int32s, literalOf("1")),
					col("price", schema.Decimal{Precision: 10, Scale: 2, Unsigned: true}, literalOf("0.00")),
					col("total", schema.Decimal{Precision: 20, Scale: 2}, null, generated("(`qty` * `price`)", true)),
					col("twice", schema.Decimal{Precision: 20, Scale: 2}, null, generated("(`total` * 2)", false)),
					col("secret", schema.Text{MaxBytes: 1 << 16}, null, generated("aes_encrypt(`note`,'k')", false)),
					col("note", text, null),
					col("wait", schema.Time{}, null),
					col("seen", schema.DateTime{}, null),
					col("ratio", schema.Float{Bits: 32, Digits: 7, Scale: 2}, null),
				},
				PrimaryKey: primary("id"),
				Indexes: []*schema.Index{
					index("idx_born", "seen"),
					with(index("note_words", "note"), func(i *schema.Index) { i.Method = schema.FullText }),
					with(index("note_start", "note"), func(i *schema.Index) { i.Parts[0].Prefix = 20 }),
					with(index("newest", "seen", "id"), func(i *schema.Index) { i.Parts[0].Desc = true }),
					{Name: "fn", Method: schema.BTree, Parts: []schema.IndexPart{{Expr: "lower(`note`)"}}},
					index("customer", "customer_id"),
				},
				ForeignKeys: []*schema.ForeignKey{
					{Name: "order_customer", Columns: []schema.Name{"customer_id"}, Parent: "Customer", ParentColumns: []schema.Name{"ID"}, OnDelete: schema.Cascade, OnUpdate: schema.Restrict},
					{Name: "order_born", Columns: []schema.Name{"seen"}, Parent: "place", ParentColumns: []schema.Name{"since"}, OnDelete: schema.NoAction, OnUpdate: schema.NoAction},
					{Name: "order_far", Columns: []schema.Name{"qty"}, ParentSchema: "elsewhere", Parent: "t", ParentColumns: []schema.Name{"id"}},
				},
			},
			{
				Name: "orders_" + long, Columns: []*schema.Column{col("xmin", int32s, null), col(long+"é", int32s, null)},
				Partition: &schema.Partition{Method: "HASH", Expr: "`xmin`", Partitions: []string{"p0", "p1"}},
			},
			{
				Name: "place",
				Columns: []*schema.Column{
					col("my_row_id", schema.Int{Bits: 64, Unsigned: true}, identity, invisible),
					col("at", schema.Geometry{Shape: "POINT", SRID: 4326}),
					col("since", schema.DateTime{}),
					col("shape", schema.Other{SQL: "point_cloud"}, null),
					col("meaning", schema.Vector{N: 3}, null),
				},
				NextIdentity: math.MaxInt64,
				PrimaryKey:   primary("my_row_id"),
				Indexes:      []*schema.Index{with(index("at", "at"), func(i *schema.Index) { i.Method = schema.Spatial })},
			},
		},
		Objects: []schema.Object{
			{Kind: schema.View, Name: "v", Definition: "select 1", Definer: "root@%"},
			{Kind: schema.Trigger, Name: "tr", Table: "order", Definition: "begin end"},
			{Kind: schema.Procedure, Name: "pr", Definition: "begin end"},
			{Kind: schema.Event, Name: "ev", Definition: "do 1"},
		},
	}
}

// bazaar is a MariaDB database with what only MariaDB has, and names that collide.
func bazaar() *schema.Database {
	old := schema.Text{Length: 10, Fixed: true, Charset: "utf8mb3", Collation: "utf8mb3_general_ci"}
	return &schema.Database{
		Name: "bazaar", Dialect: schema.MariaDB, Version: "10.11.19-MariaDB",
		Tables: []*schema.Table{
			{
				Name: "Item",
				Columns: []*schema.Column{
					col("id", schema.UUID{}, exprOf("uuid()")), col("doc", schema.JSON{}, null), col("ip", schema.Inet{Version: 6}, null),
					col("code", old, literalOf("a\\b")), col("year", schema.Year{}, literalOf("2024")), col("stamp", schema.DateTime{}, exprOf("current_timestamp()")),
					col("span", schema.Time{Precision: 6}, literalOf("-01:00:00")),
				},
				PrimaryKey: primary("id"), Indexes: []*schema.Index{unique("code", "code")},
				Checks: []schema.Check{{Name: "doc", Expr: "json_valid(`doc`)", Enforced: true}},
			},
			{
				Name: "item", Columns: []*schema.Column{col("kind", schema.Enum{Members: []string{"a", "?", ""}}), col("n", schema.Int{Bits: 64}), col("m", schema.Int{Bits: 64}, null)},
				PrimaryKey: primary("kind", "n"), Indexes: []*schema.Index{unique("nm", "n", "m"), unique("n", "n")},
			},
			{
				Name: "log", Columns: []*schema.Column{col("line", schema.Text{MaxBytes: 1<<32 - 1}), col("key", schema.Text{Length: 700}), col("raw", schema.Binary{MaxBytes: 1 << 16})},
				Indexes: []*schema.Index{
					index("key", "key"), with(unique("start", "line"), func(i *schema.Index) { i.Parts[0].Prefix = 8 }),
					with(unique("raws", "raw"), func(i *schema.Index) { i.Parts[0].Prefix = 9 }),
				},
			},
			{Name: "day", Columns: []*schema.Column{col("day", schema.Date{}), col("n", int32s)}, PrimaryKey: primary("day")},
			{
				Name: "prefixed", Columns: []*schema.Column{col("t", schema.Text{MaxBytes: 255})},
				PrimaryKey: with(primary("t"), func(i *schema.Index) { i.Parts[0].Prefix = 5 }),
			},
		},
		Objects: []schema.Object{{Kind: schema.Sequence, Name: "numbers", Definition: "CREATE SEQUENCE `numbers`"}},
	}
}

// tell writes a plan as text, so that a person can read what a change of the
// converter does to it.
func tell(p *Plan) string {
	var b strings.Builder
	for _, t := range p.Tables {
		fmt.Fprintf(&b, "table %s = %s\n", t.Select.Table.Name, t.Target.Name)
		fmt.Fprintf(&b, "  chunks by %s:", t.Select.Index)
		for _, k := range t.Select.Key {
			fmt.Fprintf(&b, " %s", k.Name)
		}
		fmt.Fprintf(&b, "; next identity %d\n", t.Target.NextIdentity)
		for _, c := range t.Columns {
			b.WriteString(tellColumn(c))
		}
		if t.Target.PrimaryKey != nil {
			fmt.Fprintf(&b, "  primary key %s\n", tellIndex(t.Target.PrimaryKey))
		}
		for _, i := range t.Target.Indexes {
			fmt.Fprintf(&b, "  index %s\n", tellIndex(i))
		}
		for _, c := range t.Target.Checks {
			fmt.Fprintf(&b, "  check %s: %s\n", c.Name, c.Expr)
		}
		for _, fk := range t.Target.ForeignKeys {
			fmt.Fprintf(&b, "  foreign key %s %v to %s %v, delete %s, update %s\n", fk.Name, fk.Columns, fk.Parent, fk.ParentColumns, fk.OnDelete, fk.OnUpdate)
		}
	}
	for _, f := range p.Findings {
		fmt.Fprintf(&b, "%s %s %s: %s\n", f.Severity, f.Code, f.Object, f.What)
		for _, e := range f.Evidence {
			fmt.Fprintf(&b, "    %s\n", e)
		}
	}
	return b.String()
}

func tellColumn(c Column) string {
	s := fmt.Sprintf("  %s = %s %s", c.Source.Name, c.Target.Name, spell(c.Target.Type))
	if t, ok := c.Target.Type.(schema.Text); ok && t.Collation != "" {
		s += " collate " + t.Collation
	}
	if !c.Target.Nullable {
		s += " not null"
	}
	if d := c.Target.Default; d != nil {
		s += fmt.Sprintf(" default %q%s", d.Literal, d.Expr)
	}
	if c.Target.Identity {
		s += " identity " + string(c.Target.Sequence)
	}
	if g := c.Target.Generated; g != nil {
		s += fmt.Sprintf(" generated (%s) stored %t", g.Expr, g.Stored)
	}
	return s + fmt.Sprintf("; form %s %d %v %v; %s\n", c.Form.Kind, c.Form.Precision, c.Form.Long, c.Form.Accepted, c.Why)
}

func tellIndex(i *schema.Index) string {
	s := fmt.Sprintf("%s %s unique %t:", i.Name, i.Method, i.Unique)
	for _, p := range i.Parts {
		s += fmt.Sprintf(" %s%s", p.Column, p.Expr)
		if p.Desc {
			s += " desc"
		}
	}
	return s
}
