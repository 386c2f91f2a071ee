package mysql

import (
	"slices"
	"testing"

	"github.com/bascule/bascule/internal/schema"
	"github.com/bascule/bascule/internal/servertest"
)

// TestDatabases: what was made is listed, and what belongs to the server is not.
func TestDatabases(t *testing.T) {
	onSources(t, func(t *testing.T, s *servertest.Server) {
		src := open(t, s)
		names, err := src.end.Databases(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(names, src.end.cfg.Database) {
			t.Errorf("%q is not among %q", src.end.cfg.Database, names)
		}
		for _, own := range []schema.Name{"mysql", "information_schema", "performance_schema", "sys"} {
			if slices.Contains(names, own) {
				t.Errorf("%q is among %q", own, names)
			}
		}
		if !slices.IsSorted(names) {
			t.Errorf("they are in no order: %q", names)
		}
	})
}
