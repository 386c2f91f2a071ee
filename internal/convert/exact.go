package convert

import (
	"github.com/bascule/bascule/internal/schema"
)

// Exact returns the tables that must be read from one exact snapshot when the source is written to while they are copied, group by
// group, in the order of Tables. Changes up to the snapshot are applied to none of a group, and changes after it to all of them.
//
// Those are tables without a key by which a row that was read could be told from the one that a change means, and tables that
// a foreign key ties together whose actions the source does not log, where these reach further than from a parent to a child
// that is nobody's parent: over rows of different moments an action would change what later changes do not mend. Foreign keys without
// actions tie nothing together, since the target has none of them while changes are applied.
func (p *Plan) Exact() [][]*Table {
	g := actions{root: map[schema.Name]schema.Name{}, exact: map[schema.Name]bool{}}
	if !p.Source.LogsCascades {
		g.read(p)
	}
	for _, t := range p.Tables {
		if len(t.Select.Key) == 0 {
			g.exact[g.of(t.Select.Table.Name)] = true
		}
	}
	var out [][]*Table
	place := map[schema.Name]int{}
	for _, t := range p.Tables {
		root := g.of(t.Select.Table.Name)
		if !g.exact[root] {
			continue
		}
		i, ok := place[root]
		if !ok {
			i = len(out)
			place[root] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], t)
	}
	return out
}

// actions groups tables by the foreign keys whose actions write.
type actions struct {
	root  map[schema.Name]schema.Name
	exact map[schema.Name]bool // by root
}

func (g *actions) of(t schema.Name) schema.Name {
	for g.root[t] != "" {
		t = g.root[t]
	}
	return t
}

// read joins parents and children, and marks the groups in which an action reaches further than one level, or follows a changed key.
func (g *actions) read(p *Plan) {
	child, parent := map[schema.Name]bool{}, map[schema.Name]bool{}
	var far []schema.Name
	for _, t := range p.Tables {
		for _, fk := range t.Select.Table.ForeignKeys {
			of := parentTable(p.Source, fk)
			if of == nil || !writes(fk.OnDelete) && !writes(fk.OnUpdate) {
				continue
			}
			child[t.Select.Table.Name], parent[of.Name] = true, true
			if writes(fk.OnUpdate) {
				far = append(far, of.Name)
			}
			if a, b := g.of(t.Select.Table.Name), g.of(of.Name); a != b {
				g.root[a] = b
			}
		}
	}
	for name := range child {
		if parent[name] { // itself, too
			far = append(far, name)
		}
	}
	for _, name := range far {
		g.exact[g.of(name)] = true
	}
}
