package migration

import (
	"slices"
	"testing"

	"github.com/bascule/bascule/internal/convert"
	"github.com/bascule/bascule/internal/schema"
	"github.com/bascule/bascule/internal/snapshot"
)

// TestTogether: a group may be one table alone, which refers to itself; it has nobody to be copied with, and yet has to be of one moment.
func TestTogether(t *testing.T) {
	var tables []snapshot.Table
	planned := map[schema.Name]*convert.Table{}
	for _, name := range []schema.Name{"other", "tree", "parent", "child"} {
		tables = append(tables, snapshot.Table{Target: name})
		planned[name] = &convert.Table{Target: &schema.Table{Name: name}}
	}
	together(tables, [][]*convert.Table{{planned["tree"]}, {planned["parent"], planned["child"]}})
	for i, want := range []snapshot.Table{
		{Target: "other"},
		{Target: "tree", Exact: true},
		{Target: "parent", Exact: true, With: []schema.Name{"child"}},
		{Target: "child", Exact: true, Leader: "parent"},
	} {
		got := tables[i]
		if got.Exact != want.Exact || got.Leader != want.Leader || !slices.Equal(got.With, want.With) {
			t.Errorf("%s: exact %v, with %v, led by %q; want %v, %v, %q", want.Target, got.Exact, got.With, got.Leader, want.Exact, want.With, want.Leader)
		}
	}
}
