package migration

import (
	"slices"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/convert"
	"github.com/bascule/bascule/internal/schema"
)

// statements returns what a copy runs, and what has to wait until a follow has caught up. Without a follow to come
// nothing waits.
func (m *Migration) statements(plan *convert.Plan, o convert.Options) (now, later []change.Statement) {
	all := m.Target.Render(plan.Target)
	if !o.ForFollow {
		return all, nil
	}
	early, _, instead := plan.Late()
	now = m.Target.Render(early)
	later = without(all, now)
	for _, t := range plan.Target.Tables {
		for _, x := range append(slices.Clone(t.Indexes), t.PrimaryKey) {
			if x != nil && instead[x.Name] != "" {
				later = append(later, m.Target.DropIndex(plan.Target.Name, t.Name, instead[x.Name]))
			}
		}
	}
	return now, later
}

// without returns the statements of all that are not among some.
func without(all, some []change.Statement) []change.Statement {
	type key struct {
		table schema.Name
		sql   string
	}
	known := map[key]bool{}
	for _, s := range some {
		known[key{s.Table, s.SQL}] = true
	}
	var out []change.Statement
	for _, s := range all {
		if !known[key{s.Table, s.SQL}] {
			out = append(out, s)
		}
	}
	return out
}
