package mysql

import (
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/servertest"
)

// TestLostDefaults reads defaults that the catalogs cut, as a row that takes them shows them, and from an empty table.
func TestLostDefaults(t *testing.T) {
	columns := []struct{ sql, want string }{
		{"BINARY(3) NOT NULL DEFAULT 0x00FF41", "\x00\xffA"},
		{"BINARY(3) DEFAULT 0xFF0041", "\xff\x00A"},
		{"BINARY(4) NOT NULL DEFAULT 0x61", "a\x00\x00\x00"},
		{"BINARY(4) NOT NULL DEFAULT 0xE961", "\xe9a\x00\x00"},
		{"VARBINARY(9) DEFAULT 0x410042", "A\x00B"},
		{"VARBINARY(9) NOT NULL DEFAULT 0x4100", "A\x00"},
		{"VARBINARY(9) NOT NULL DEFAULT '?'", "?"},
		{"VARBINARY(3) NOT NULL DEFAULT 0xE9E9E9", "\xe9\xe9\xe9"},
		{"VARBINARY(9) NOT NULL DEFAULT 0xC3A9F09F9880", "é😀"},
		{"VARCHAR(9) NOT NULL DEFAULT '😀?'", "😀?"},
		{"VARCHAR(9) CHARACTER SET utf16 DEFAULT 'é?'", "é?"},
		{"ENUM('a?','b') NOT NULL DEFAULT 'a?'", "a?"},
		{"SET('a?','b') DEFAULT 'a?,b'", "a?,b"},
	}
	onSources(t, func(t *testing.T, s *servertest.Server) {
		var ddl []string
		for i, c := range columns {
			ddl = append(ddl, "c"+string(rune('a'+i))+" "+c.sql)
		}
		create := " (id INT PRIMARY KEY, " + strings.Join(ddl, ", ") + ") DEFAULT CHARSET utf8mb4"
		src := open(t, s, "SET NAMES utf8mb4", "CREATE TABLE bare"+create, "CREATE TABLE filled"+create, "INSERT INTO filled (id) VALUES (1)")
		stored := s.Query(t, src.url, "SELECT * FROM filled")[0][1:]
		db := inspect(t, src)
		for i, c := range columns {
			d := db.Table("filled").Columns[i+1].Default
			if d == nil || d.Expr != "" || d.Literal != c.want {
				t.Errorf("%s: default %+v, want %q", c.sql, d, c.want)
			}
			if stored[i] != c.want {
				t.Errorf("%s: a row has %q, want %q", c.sql, stored[i], c.want)
			}
			// An empty table shows the value, or an expression that nothing translates; never a wrong value.
			d = db.Table("bare").Columns[i+1].Default
			unknown := isMariaDB(s) && strings.Contains(c.sql, "NOT NULL") && d != nil && strings.Contains(d.Expr, "cut by the catalog")
			if d == nil || !unknown && (d.Expr != "" || d.Literal != c.want) {
				t.Errorf("%s in an empty table: default %+v, want %q", c.sql, d, c.want)
			}
		}
	})
}
