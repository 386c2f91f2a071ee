package mysql

import (
	"testing"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/schema"
	"github.com/bascule/bascule/internal/servertest"
)

// TestSizes asks for sizes before and after a table has grown, on one connection pool: a server that remembers old figures for a day must not.
func TestSizes(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		src := open(t, s, "CREATE TABLE small (k INT PRIMARY KEY)", "CREATE TABLE grows (k INT PRIMARY KEY, v VARCHAR(2000))", "CREATE VIEW seen AS SELECT k FROM grows")
		sizes := func() map[schema.Name]change.Size {
			s.Exec(t, src.url, "ANALYZE TABLE small, grows")
			out, err := src.end.Sizes(t.Context())
			if err != nil || len(out) != 2 {
				t.Fatalf("sizes %v, %v; want those of two tables", out, err)
			}
			return out
		}
		before := sizes()
		s.Exec(t, src.url, "INSERT INTO grows SELECT ORDINAL_POSITION, REPEAT('x', 2000) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = 'mysql' AND TABLE_NAME = 'user' AND ORDINAL_POSITION <= 40")
		after := sizes()
		if after["small"] != before["small"] || before["grows"].Rows != 0 || after["grows"].Rows != 40 || after["grows"].Bytes < 80_000 {
			t.Errorf("sizes before %v and after %v", before, after)
		}
	})
}
