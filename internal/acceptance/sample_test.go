package acceptance

import (
	"testing"

	"github.com/bascule/bascule/internal/crosscheck"
	"github.com/bascule/bascule/internal/servertest"
)

// TestSamples moves real schemas from every source to every target and compares
// every value by both paths.
func TestSamples(t *testing.T) {
	for _, name := range []string{"sakila", "chinook"} {
		t.Run(name, func(t *testing.T) {
			files := servertest.Samples(t, name)
			pairs(t, func(t *testing.T, s, d *servertest.Server) {
				from, into := s.Database(t), d.Database(t)
				s.LoadFile(t, from, files...)
				must(t, "db", "copy", "--source", from, "--target", into)
				must(t, "db", "verify", "--source", from, "--target", into)
				r := crosschecked(t, from, into, crosscheck.Options{Schema: "public"})
				t.Logf("%d tables, %d values equal", len(r.Tables), r.Values())
				// The same command again finds nothing left to do.
				must(t, "db", "copy", "--source", from, "--target", into)
				must(t, "db", "drop", "--target", into, "--yes")
				left := d.Query(t, into, "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname IN ('public', 'bascule')")
				if left[0][0] != "0" {
					t.Errorf("drop left %s relations behind", left[0][0])
				}
			})
		})
	}
}
