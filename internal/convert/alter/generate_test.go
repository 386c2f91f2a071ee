package alter_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/bascule/bascule/internal/schema"
	"github.com/bascule/bascule/internal/servertest"
)

// generator makes statements about one table.
type generator struct {
	t     *rapid.T
	table string
	n     int
}

func (g *generator) pick(label string, from ...string) string {
	return rapid.SampledFrom(from).Draw(g.t, label)
}

func (g *generator) create() string {
	return fmt.Sprintf("CREATE TABLE %s (id INT PRIMARY KEY, a %s, b %s, c %s, KEY k1 (a), UNIQUE KEY k2 (id, b)) DEFAULT CHARSET %s", g.table,
		g.pick("a", "INT", "BIGINT NOT NULL", "VARCHAR(20)", "CHAR(9) NOT NULL DEFAULT ''"), g.pick("b", "INT", "DATETIME", "ENUM('x','y')"),
		g.pick("c", "TEXT", "VARCHAR(30) CHARACTER SET latin1", "DECIMAL(8,2)"), g.pick("charset", "utf8mb4", "latin1", "ascii"))
}

func (g *generator) fresh() string {
	g.n++
	return fmt.Sprintf("n%d", g.n)
}

func (g *generator) column(t *schema.Table) string {
	var names []string
	for _, c := range t.Columns {
		names = append(names, string(c.Name))
	}
	return g.pick("column", names...)
}

func (g *generator) typ() string {
	s := g.pick("type", "INT DEFAULT 3", "INT NOT NULL", "TINYINT(1)", "BIGINT UNSIGNED NOT NULL DEFAULT 0", "SMALLINT UNSIGNED", "VARCHAR(7) DEFAULT 'abc '", "VARCHAR(300)", "CHAR(5) NOT NULL DEFAULT 'x'",
		"VARCHAR(12) CHARACTER SET latin1 NOT NULL", "VARCHAR(6) COLLATE utf8mb4_unicode_ci", "DECIMAL(9,3) DEFAULT 1.25", "DOUBLE", "FLOAT", "DATE", "DATETIME(2) NOT NULL", "TIMESTAMP NULL DEFAULT NULL",
		"TIME", "TEXT", "MEDIUMTEXT CHARACTER SET utf8mb3", "BLOB", "VARBINARY(20) DEFAULT 'q'", "BINARY(3)", "ENUM('a','b','it''s') DEFAULT 'b'", "SET('p','q') NOT NULL", "JSON", "BIT(9)", "YEAR")
	if g.pick("commented", "", "y") != "" {
		s += " COMMENT 'c'"
	}
	return s
}

func (g *generator) place(t *schema.Table) string {
	switch g.pick("place", "", "", "first", "after") {
	case "first":
		return " FIRST"
	case "after":
		return " AFTER " + g.column(t)
	}
	return ""
}

// alter makes an ALTER TABLE of one to three clauses.
func (g *generator) alter(t *schema.Table) string {
	var clauses []string
	for range rapid.IntRange(1, 3).Draw(g.t, "clauses") {
		clauses = append(clauses, g.clause(t))
	}
	return "ALTER TABLE " + g.table + " " + strings.Join(clauses, ", ")
}

func (g *generator) clause(t *schema.Table) string {
	var indexes []string
	for _, x := range t.Indexes {
		indexes = append(indexes, string(x.Name))
	}
	switch g.pick("clause", "add", "add", "modify", "change", "rename", "drop", "index", "unique", "drop index", "rename index", "key", "default") {
	case "add":
		return "ADD COLUMN " + g.fresh() + " " + g.typ() + g.place(t)
	case "modify":
		return "MODIFY COLUMN " + g.column(t) + " " + g.typ() + g.place(t)
	case "change":
		return "CHANGE COLUMN " + g.column(t) + " " + g.fresh() + " " + g.typ() + g.place(t)
	case "rename":
		return "RENAME COLUMN " + g.column(t) + " TO " + g.fresh()
	case "drop":
		return "DROP COLUMN " + g.column(t)
	case "unique":
		return "ADD UNIQUE (" + g.column(t) + ")"
	case "drop index":
		if len(indexes) > 0 {
			return "DROP INDEX " + g.pick("index", indexes...)
		}
	case "rename index":
		if len(indexes) > 0 {
			return "RENAME INDEX " + g.pick("index", indexes...) + " TO " + g.fresh()
		}
	case "key":
		return g.pick("primary", "DROP PRIMARY KEY", "ADD PRIMARY KEY ("+g.column(t)+")", "DROP PRIMARY KEY, ADD PRIMARY KEY ("+g.column(t)+")")
	case "default":
		return "ALTER COLUMN " + g.column(t) + g.pick("default", " DROP DEFAULT", " SET DEFAULT 5", " SET DEFAULT 'a'", " SET DEFAULT NULL")
	}
	return "ADD INDEX " + g.pick("name", "", g.fresh()) + " (" + g.column(t) + g.pick("prefix", "", "(4)", "(20)", " DESC") + ")"
}

// try runs a statement that may fail.
func (b *bench) try(t *testing.T, statement string) error {
	t.Helper()
	db, err := sql.Open("mysql", servertest.MySQLConfig(t, b.url).FormatDSN())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_, err = db.ExecContext(t.Context(), statement)
	return err
}
