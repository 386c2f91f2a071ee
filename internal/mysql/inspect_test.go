package mysql

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
	"github.com/bascule/bascule/internal/servertest"
)

// columnCase is one column definition and what it must be read as.
type columnCase struct {
	sql  string
	want schema.Column // Name is filled in
	// only is the dialect that has such a column; empty means both.
	only schema.Dialect
}

func literalDefault(s string) *schema.Default { return &schema.Default{Literal: s} }

const collation4 = "utf8mb4_unicode_ci"

func text4(n int) schema.Text {
	return schema.Text{Length: n, Charset: "utf8mb4", Collation: collation4}
}

var columnCases = []columnCase{
	{sql: "TINYINT(1) NOT NULL DEFAULT 1", want: schema.Column{Type: schema.Int{Bits: 8, Width: 1}, Default: literalDefault("1")}},
	{sql: "TINYINT UNSIGNED", want: schema.Column{Type: schema.Int{Bits: 8, Unsigned: true}, Nullable: true}},
	{sql: "SMALLINT NOT NULL DEFAULT -7", want: schema.Column{Type: schema.Int{Bits: 16}, Default: literalDefault("-7")}},
	{sql: "MEDIUMINT UNSIGNED NOT NULL", want: schema.Column{Type: schema.Int{Bits: 24, Unsigned: true}}},
	{sql: "INT(5) ZEROFILL NOT NULL", want: schema.Column{Type: schema.Int{Bits: 32, Unsigned: true}}},
	{sql: "BIGINT UNSIGNED NOT NULL DEFAULT 18446744073709551615", want: schema.Column{Type: schema.Int{Bits: 64, Unsigned: true}, Default: literalDefault("18446744073709551615")}},
	{sql: "BIT(3) NOT NULL DEFAULT b'101'", want: schema.Column{Type: schema.Bit{N: 3}, Default: literalDefault("\x05")}},
	{sql: "BIT(64) DEFAULT b'0'", want: schema.Column{Type: schema.Bit{N: 64}, Nullable: true, Default: literalDefault("\x00")}},
	{sql: "DECIMAL(65,30) NOT NULL DEFAULT 1.5", want: schema.Column{Type: schema.Decimal{Precision: 65, Scale: 30}, Default: literalDefault("1.500000000000000000000000000000")}},
	{sql: "DECIMAL(5) UNSIGNED", want: schema.Column{Type: schema.Decimal{Precision: 5, Unsigned: true}, Nullable: true}},
	{sql: "FLOAT NOT NULL", want: schema.Column{Type: schema.Float{Bits: 32, Digits: -1, Scale: -1}}},
	{sql: "FLOAT(7,2) NOT NULL DEFAULT 0.25", want: schema.Column{Type: schema.Float{Bits: 32, Digits: 7, Scale: 2}, Default: literalDefault("0.25")}},
	{sql: "DOUBLE UNSIGNED", want: schema.Column{Type: schema.Float{Bits: 64, Digits: -1, Scale: -1, Unsigned: true}, Nullable: true}},
	{sql: "CHAR(7) NOT NULL DEFAULT ''", want: schema.Column{Type: schema.Text{Length: 7, Fixed: true, Charset: "utf8mb4", Collation: collation4}, Default: literalDefault("")}},
	{sql: "VARCHAR(30) DEFAULT 'null'", want: schema.Column{Type: text4(30), Nullable: true, Default: literalDefault("null")}},
	{sql: "VARCHAR(30) NOT NULL DEFAULT 'NULL'", want: schema.Column{Type: text4(30), Default: literalDefault("NULL")}},
	{sql: "VARCHAR(30) DEFAULT NULL", want: schema.Column{Type: text4(30), Nullable: true}},
	{sql: "VARCHAR(30) DEFAULT 'it''s \\\\ \"q\" é 😀'", want: schema.Column{Type: text4(30), Nullable: true, Default: literalDefault(`it's \ "q" é 😀`)}},
	{sql: "VARCHAR(30) NOT NULL DEFAULT 'current_timestamp()'", want: schema.Column{Type: text4(30), Default: literalDefault("current_timestamp()")}},
	{sql: "VARCHAR(30) NOT NULL DEFAULT '0'", want: schema.Column{Type: text4(30), Default: literalDefault("0")}},
	{sql: "VARCHAR(9) CHARACTER SET latin1 COLLATE latin1_german2_ci COMMENT 'it''s'", want: schema.Column{Type: schema.Text{Length: 9, Charset: "latin1", Collation: "latin1_german2_ci"}, Nullable: true, Comment: "it's"}},
	{sql: "TINYTEXT", want: schema.Column{Type: schema.Text{MaxBytes: 255, Charset: "utf8mb4", Collation: collation4}, Nullable: true}},
	{sql: "TEXT", want: schema.Column{Type: schema.Text{MaxBytes: 65535, Charset: "utf8mb4", Collation: collation4}, Nullable: true}},
	{sql: "MEDIUMTEXT", want: schema.Column{Type: schema.Text{MaxBytes: 16777215, Charset: "utf8mb4", Collation: collation4}, Nullable: true}},
	{sql: "LONGTEXT", want: schema.Column{Type: schema.Text{MaxBytes: 4294967295, Charset: "utf8mb4", Collation: collation4}, Nullable: true}},
	{sql: "BINARY(4) NOT NULL DEFAULT 'ab'", want: schema.Column{Type: schema.Binary{Length: 4, Fixed: true}, Default: literalDefault("ab\x00\x00")}},
	{sql: "VARBINARY(9) NOT NULL DEFAULT 'ab'", want: schema.Column{Type: schema.Binary{Length: 9}, Default: literalDefault("ab")}},
	{sql: "LONGBLOB", want: schema.Column{Type: schema.Binary{MaxBytes: 4294967295}, Nullable: true}},
	{sql: "ENUM('a','it''s','c,d','(e)','','\\\\x') NOT NULL DEFAULT 'it''s'", want: schema.Column{Type: schema.Enum{Members: []string{"a", "it's", "c,d", "(e)", "", `\x`}, Charset: "utf8mb4", Collation: collation4}, Default: literalDefault("it's")}},
	{sql: "SET('b','a b','é') NOT NULL DEFAULT 'b,é'", want: schema.Column{Type: schema.Set{Members: []string{"b", "a b", "é"}, Charset: "utf8mb4", Collation: collation4}, Default: literalDefault("b,é")}},
	{sql: "JSON", want: schema.Column{Type: schema.JSON{Parsed: true}, Nullable: true}, only: schema.MySQL},
	{sql: "JSON", want: schema.Column{Type: schema.JSON{}, Nullable: true}, only: schema.MariaDB},
	{sql: "DATE DEFAULT '2024-02-29'", want: schema.Column{Type: schema.Date{}, Nullable: true, Default: literalDefault("2024-02-29")}},
	{sql: "TIME(3)", want: schema.Column{Type: schema.Time{Precision: 3}, Nullable: true}},
	{sql: "DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6)", want: schema.Column{Type: schema.DateTime{Precision: 6}, Default: &schema.Default{Expr: "CURRENT_TIMESTAMP(6)"}, OnUpdateNow: true}, only: schema.MySQL},
	{sql: "DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6)", want: schema.Column{Type: schema.DateTime{Precision: 6}, Default: &schema.Default{Expr: "current_timestamp(6)"}, OnUpdateNow: true}, only: schema.MariaDB},
	{sql: "TIMESTAMP NULL", want: schema.Column{Type: schema.Timestamp{}, Nullable: true}},
	{sql: "YEAR NOT NULL DEFAULT 2024", want: schema.Column{Type: schema.Year{}, Default: literalDefault("2024")}},
	{sql: "VARCHAR(40) DEFAULT (concat('it\\'s',_latin1'x'))", want: schema.Column{Type: text4(40), Nullable: true, Default: &schema.Default{Expr: `concat(_utf8mb4'it\'s',_latin1'x')`}}, only: schema.MySQL},
	{sql: "VARCHAR(40) DEFAULT (concat('it''s','x'))", want: schema.Column{Type: text4(40), Nullable: true, Default: &schema.Default{Expr: `concat('it\'s','x')`}}, only: schema.MariaDB},
	{sql: "VARCHAR(40) DEFAULT (uuid())", want: schema.Column{Type: text4(40), Nullable: true, Default: &schema.Default{Expr: "uuid()"}}},
	{sql: "INT GENERATED ALWAYS AS (id + 1) VIRTUAL", want: schema.Column{Type: schema.Int{Bits: 32}, Nullable: true, Generated: &schema.Generated{Expr: "(`id` + 1)"}}, only: schema.MySQL},
	{sql: "INT GENERATED ALWAYS AS (id + 1) STORED", want: schema.Column{Type: schema.Int{Bits: 32}, Nullable: true, Generated: &schema.Generated{Expr: "`id` + 1", Stored: true}}, only: schema.MariaDB},
	{sql: "VARCHAR(20) GENERATED ALWAYS AS (concat(id,'a''b\\\\')) STORED", want: schema.Column{Type: text4(20), Nullable: true, Generated: &schema.Generated{Expr: `concat(` + "`id`" + `,_utf8mb4'a\'b\\')`, Stored: true}}, only: schema.MySQL},
	{sql: "INT INVISIBLE DEFAULT 3", want: schema.Column{Type: schema.Int{Bits: 32}, Nullable: true, Invisible: true, Default: literalDefault("3")}},
	{sql: "POINT SRID 4326", want: schema.Column{Type: schema.Geometry{Shape: "POINT", SRID: 4326}, Nullable: true}, only: schema.MySQL},
	{sql: "GEOMETRYCOLLECTION", want: schema.Column{Type: schema.Geometry{Shape: "GEOMETRYCOLLECTION", SRID: -1}, Nullable: true}},
	{sql: "VECTOR(3)", want: schema.Column{Type: schema.Vector{N: 3}, Nullable: true}, only: schema.MySQL},
	{sql: "UUID NOT NULL DEFAULT UUID()", want: schema.Column{Type: schema.UUID{}, Default: &schema.Default{Expr: "uuid()"}}, only: schema.MariaDB},
	{sql: "INET4", want: schema.Column{Type: schema.Inet{Version: 4}, Nullable: true}, only: schema.MariaDB},
	{sql: "INET6 DEFAULT '::1'", want: schema.Column{Type: schema.Inet{Version: 6}, Nullable: true, Default: literalDefault("::1")}, only: schema.MariaDB},
}

func TestInspectColumns(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		src := open(t, s)
		ddl := []string{"id INT NOT NULL PRIMARY KEY"}
		var cases []columnCase
		for _, c := range columnCases {
			if c.only == "" || c.only == src.end.Dialect() {
				c.want.Name = schema.Name(fmt.Sprintf("c%d", len(cases)))
				ddl = append(ddl, string(c.want.Name)+" "+c.sql)
				cases = append(cases, c)
			}
		}
		s.Exec(t, src.url, "SET SESSION sql_mode = ''", "CREATE TABLE t ("+strings.Join(ddl, ", ")+") DEFAULT CHARSET utf8mb4 COLLATE "+collation4)
		cols := inspect(t, src).Table("t").Columns[1:]
		if len(cols) != len(cases) {
			t.Fatalf("%d columns, want %d", len(cols), len(cases))
		}
		for i, c := range cases {
			if d := cmp.Diff(&c.want, cols[i]); d != "" {
				t.Errorf("%s (-want +got):\n%s", c.sql, d)
			}
		}
	})
}

func inspect(t *testing.T, src *source) *schema.Database {
	t.Helper()
	db, err := src.end.Inspect(t.Context(), change.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	src.db = db
	return db
}

func TestInspectTables(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		maria := isMariaDB(s)
		child := "CREATE TABLE child (id BIGINT NOT NULL AUTO_INCREMENT, a INT UNSIGNED NOT NULL, b VARCHAR(200) NOT NULL, g POINT NOT NULL," +
			" doc TEXT, CONSTRAINT positive CHECK (a > 0 AND b <> 'it''s \\\\'), PRIMARY KEY (id, b DESC), UNIQUE KEY pre (b(10)), KEY mixed (a DESC, b)," +
			" FULLTEXT KEY ft (doc), SPATIAL KEY sp (g)," +
			" CONSTRAINT fk FOREIGN KEY (a) REFERENCES parent (id) ON DELETE CASCADE ON UPDATE SET NULL) COMMENT 'kids'"
		child = strings.Replace(child, "ON UPDATE SET NULL", "ON UPDATE RESTRICT", 1)
		src := open(t, s, "CREATE TABLE parent (id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, x INT) AUTO_INCREMENT = 42", child,
			"CREATE TABLE part (d DATE NOT NULL, n INT) PARTITION BY RANGE (YEAR(d)) (PARTITION p0 VALUES LESS THAN (2020), PARTITION p1 VALUES LESS THAN MAXVALUE)",
			"CREATE VIEW v AS SELECT id FROM parent",
			"CREATE TRIGGER tr BEFORE INSERT ON parent FOR EACH ROW SET NEW.x = 1",
			"CREATE PROCEDURE pr() SELECT 1", "CREATE FUNCTION fu() RETURNS INT DETERMINISTIC RETURN 1",
			"CREATE EVENT ev ON SCHEDULE EVERY 1 YEAR STARTS '2037-01-01' DISABLE DO SELECT 1",
			"INSERT INTO parent VALUES (1000, 1)")
		if maria {
			s.Exec(t, src.url, "CREATE SEQUENCE sq", "ALTER TABLE child ALTER INDEX mixed IGNORED")
		} else {
			s.Exec(t, src.url, "ALTER TABLE child ADD KEY fn ((lower(b)), (concat(b, 'x''y'))), ALTER INDEX mixed INVISIBLE",
				"SET sql_generate_invisible_primary_key = ON", "CREATE TABLE nokey (a INT)")
		}
		db := inspect(t, src)
		parent, c := db.Table("parent"), db.Table("child")
		if parent.NextIdentity != 1001 {
			t.Errorf("next identity %d, want 1001", parent.NextIdentity)
		}
		if d := cmp.Diff(&schema.Index{Name: "PRIMARY", Unique: true, Parts: []schema.IndexPart{{Column: "id"}, {Column: "b", Desc: true}}}, c.PrimaryKey); d != "" {
			t.Errorf("primary key (-want +got):\n%s", d)
		}
		want := []*schema.Index{
			{Name: "ft", Method: schema.FullText, Parts: []schema.IndexPart{{Column: "doc"}}},
			{Name: "mixed", Invisible: true, Parts: []schema.IndexPart{{Column: "a", Desc: true}, {Column: "b"}}},
			{Name: "pre", Unique: true, Parts: []schema.IndexPart{{Column: "b", Prefix: 10}}},
			{Name: "sp", Method: schema.Spatial, Parts: []schema.IndexPart{{Column: "g"}}},
		}
		if !maria {
			want = append([]*schema.Index{{Name: "fn", Parts: []schema.IndexPart{{Expr: "lower(`b`)"}, {Expr: "concat(`b`,_utf8mb4'x\\'y')"}}}}, want...)
		}
		// The servers add an index for the foreign key where none serves.
		var got []*schema.Index
		for _, ix := range c.Indexes {
			if ix.Name != "fk" {
				got = append(got, ix)
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("indexes (-want +got):\n%s", d)
		}
		fk := []*schema.ForeignKey{{Name: "fk", Columns: []schema.Name{"a"}, Parent: "parent", ParentColumns: []schema.Name{"id"}, OnDelete: schema.Cascade, OnUpdate: schema.Restrict}}
		if d := cmp.Diff(fk, c.ForeignKeys); d != "" {
			t.Errorf("foreign keys (-want +got):\n%s", d)
		}
		check := "((`a` > 0) and (`b` <> _utf8mb4'it\\'s \\\\'))"
		if maria {
			check = "`a` > 0 and `b` <> 'it\\'s \\\\'"
		}
		if d := cmp.Diff([]schema.Check{{Name: "positive", Expr: check, Enforced: true}}, c.Checks); d != "" {
			t.Errorf("checks (-want +got):\n%s", d)
		}
		p := db.Table("part").Partition
		if p == nil || p.Method != "RANGE" || len(p.Partitions) != 2 || p.Partitions[1] != "p1 MAXVALUE" || !strings.Contains(p.Expr, "year(`d`)") {
			t.Errorf("partition %+v", p)
		}
		kinds := map[schema.ObjectKind]string{
			schema.View: "v", schema.Trigger: "tr", schema.Procedure: "pr", schema.Function: "fu", schema.Event: "ev",
		}
		if maria {
			kinds[schema.Sequence] = "sq"
		} else if pk := db.Table("nokey").PrimaryKey; pk == nil || pk.Parts[0].Column != "my_row_id" || !db.Table("nokey").Columns[0].Invisible {
			t.Errorf("the invisible primary key is not seen: %+v", pk)
		}
		for _, o := range db.Objects {
			if kinds[o.Kind] != string(o.Name) || !strings.HasPrefix(o.Definition, "CREATE ") {
				t.Errorf("object %+v", o)
			}
			delete(kinds, o.Kind)
		}
		if len(kinds) > 0 {
			t.Errorf("objects not seen: %v", kinds)
		}
	})
}

func TestInspectFilter(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		src := open(t, s, "CREATE TABLE a1 (id INT)", "CREATE TABLE a2 (id INT)", "CREATE TABLE b (id INT)")
		for _, c := range []struct {
			f    change.Filter
			want string
		}{
			{change.Filter{}, "a1 a2 b"},
			{change.Filter{Include: []string{"a*"}}, "a1 a2"},
			{change.Filter{Include: []string{"a*", "b"}, Exclude: []string{"?2"}}, "a1 b"},
		} {
			db, err := src.end.Inspect(t.Context(), c.f)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, tb := range db.Tables {
				names = append(names, string(tb.Name))
			}
			if got := strings.Join(names, " "); got != c.want {
				t.Errorf("%+v: %s, want %s", c.f, got, c.want)
			}
		}
		for _, f := range []change.Filter{{Include: []string{"a1", "nothing"}}, {Include: []string{"[a"}}} {
			if _, err := src.end.Inspect(t.Context(), f); fault.ClassOf(err) != fault.Usage {
				t.Errorf("%+v: %v, want a usage error", f, err)
			}
		}
	})
}
