package mysql

import (
	"context"
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
	"github.com/bascule/bascule/internal/servertest"
)

// TestPlanned alters columns after the table was inspected: rows that no longer are what the plan says are refused, and others
// are read. TestTypes reads unaltered columns of every type.
func TestPlanned(t *testing.T) {
	cases := []struct {
		before, after string
		refused       string // what the message says the server sends; empty when it is read
		only          schema.Dialect
	}{
		{before: "INT", after: "INT UNSIGNED", refused: "INT UNSIGNED"},
		{before: "INT", after: "BIGINT", refused: "BIGINT"},
		{before: "INT", after: "FLOAT", refused: "FLOAT"},
		{before: "FLOAT", after: "INT", refused: "INT"},
		{before: "DOUBLE", after: "FLOAT", refused: "FLOAT"},
		{before: "DECIMAL(10,2)", after: "DECIMAL(10,4)", refused: "DECIMAL of 4 decimals"},
		{before: "BIT(8)", after: "BIT(9)", refused: "BIT(9)"},
		{before: "BINARY(3)", after: "BINARY(5)", refused: "BINARY(5)"},
		{before: "BINARY(3)", after: "VARBINARY(3)", refused: "bytes"},
		{before: "VARBINARY(3)", after: "VARCHAR(3)", refused: "text"},
		{before: "VARCHAR(3)", after: "BLOB", refused: "bytes"},
		{before: "VARCHAR(3)", after: "ENUM('','a')", refused: "ENUM"},
		{before: "ENUM('a')", after: "SET('a')", refused: "SET"},
		{before: "DATETIME(3)", after: "TIMESTAMP(3) NULL", refused: "TIMESTAMP(3)"},
		{before: "DATETIME", after: "DATETIME(6)", refused: "DATETIME(6)"},
		{before: "TIME", after: "TIME(3)", refused: "TIME(3)"},
		{before: "YEAR", after: "SMALLINT UNSIGNED", refused: "SMALLINT UNSIGNED"},
		{before: "UUID", after: "CHAR(36)", refused: "text", only: schema.MariaDB},
		{before: "VARCHAR(45)", after: "INET6", refused: "INET6", only: schema.MariaDB},
		{before: "JSON", after: "TEXT", refused: "text", only: schema.MySQL},
		{before: "VARCHAR(3)", after: "VARCHAR(30) CHARACTER SET latin1 NOT NULL"},
		{before: "CHAR(3)", after: "LONGTEXT"},
		{before: "VARBINARY(3)", after: "BLOB"},
		{before: "ENUM('a')", after: "ENUM('b','a')"},
	}
	onSources(t, func(t *testing.T, s *servertest.Server) {
		src := open(t, s)
		for _, c := range cases {
			if c.only != "" && c.only != src.end.Dialect() {
				continue
			}
			s.Exec(t, src.url, "DROP TABLE IF EXISTS t", "CREATE TABLE t (k INT PRIMARY KEY, v "+c.before+")", "INSERT INTO t (k) VALUES (1)")
			sel := selectOf(inspect(t, src).Table("t"), "")
			s.Exec(t, src.url, "DELETE FROM t", "ALTER TABLE t MODIFY v "+c.after, "INSERT IGNORE INTO t VALUES (1, '')")
			var n int
			err := src.end.Lane(t.Context(), "none:", func(ctx context.Context, r change.Reader) error {
				_, err := r.Read(ctx, sel, change.Range{}, 0, func(b *change.Batch) (*change.Batch, error) {
					if b != nil {
						n += b.Rows
					}
					return &change.Batch{}, nil
				})
				return err
			})
			switch {
			case c.refused == "" && (err != nil || n != 1):
				t.Errorf("%s to %s: %d rows, %v", c.before, c.after, n, err)
			case c.refused != "" && (n > 0 || fault.ClassOf(err) != fault.Refused || fault.HintOf(err) == "" || !strings.HasSuffix(err.Error(), "the server sends "+c.refused)):
				t.Errorf("%s to %s: %d rows, %v", c.before, c.after, n, err)
			}
		}
	})
}
