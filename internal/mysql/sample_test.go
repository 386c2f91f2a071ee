package mysql

import (
	"testing"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/schema"
	"github.com/bascule/bascule/internal/servertest"
)

// TestSamples inspects, checks and sums real schemas; the counts are those that the samples' authors publish.
func TestSamples(t *testing.T) {
	for name, want := range map[string]struct {
		tables, views, triggers, routines, foreignKeys int
		table                                          schema.Name
		rows                                           int64
	}{
		"sakila":  {tables: 16, views: 7, triggers: 6, routines: 6, foreignKeys: 22, table: "rental", rows: 16044},
		"chinook": {tables: 11, foreignKeys: 11, table: "Track", rows: 3503},
	} {
		t.Run(name, func(t *testing.T) {
			onSources(t, func(t *testing.T, s *servertest.Server) {
				url := s.Database(t)
				s.LoadFile(t, url, servertest.Samples(t, name)...)
				src := &source{Server: s, url: url, end: openURL(t, url)}
				db := inspect(t, src)
				count := map[schema.ObjectKind]int{}
				for _, o := range db.Objects {
					if o.Definition == "" {
						t.Errorf("%s %s has no definition", o.Kind, o.Name)
					}
					count[o.Kind]++
				}
				keys := 0
				for _, tb := range db.Tables {
					keys += len(tb.ForeignKeys)
				}
				got := []int{len(db.Tables), count[schema.View], count[schema.Trigger], count[schema.Procedure] + count[schema.Function], keys}
				for i, n := range []int{want.tables, want.views, want.triggers, want.routines, want.foreignKeys} {
					if got[i] != n {
						t.Errorf("tables, views, triggers, routines, foreign keys: %v, want %+v", got, want)
						break
					}
				}
				fs, err := src.end.Check(t.Context(), db)
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range fs {
					if f.Severity == finding.Blocker {
						t.Errorf("%+v", f)
					}
				}
				tb := db.Table(want.table)
				id := change.SumColumn{Column: tb.Columns[0], Form: form(change.FormInteger, 0)}
				sums, err := src.end.Sums(t.Context(), &change.SumQuery{Table: tb.Name, Columns: []change.SumColumn{id}, Key: []change.SumColumn{id}})
				if err != nil || len(sums) != 1 || sums[0].Rows != want.rows {
					t.Errorf("sums of %s: %+v, %v", tb.Name, sums, err)
				}
			})
		})
	}
}
