package convert

import (
	"github.com/bascule/bascule/internal/schema"
)

// components groups columns that foreign keys tie together. A type is decided
// for the whole group, because PostgreSQL accepts a foreign key from bigint to
// numeric and refuses the one from numeric to bigint, and compares neither at
// the speed of equal types.
type components struct {
	parent  map[ref]ref
	members map[ref][]ref
}

func newComponents(db *schema.Database) *components {
	c := &components{parent: map[ref]ref{}, members: map[ref][]ref{}}
	for _, t := range db.Tables {
		for _, fk := range t.ForeignKeys {
			c.joinKey(db, t, fk)
		}
	}
	for _, r := range allColumns(db) {
		root := c.root(r)
		c.members[root] = append(c.members[root], r)
	}
	return c
}

func (c *components) joinKey(db *schema.Database, t *schema.Table, fk *schema.ForeignKey) {
	p := parentTable(db, fk)
	if p == nil || len(fk.Columns) != len(fk.ParentColumns) {
		return
	}
	for i, name := range fk.Columns {
		if t.Column(name) != nil && p.Column(fk.ParentColumns[i]) != nil {
			c.parent[c.root(ref{t.Name, name})] = c.root(ref{p.Name, fk.ParentColumns[i]})
		}
	}
}

// parentTable returns the table that fk refers to, or nil when it is not among
// those that move.
func parentTable(db *schema.Database, fk *schema.ForeignKey) *schema.Table {
	if fk.ParentSchema != "" && fk.ParentSchema != db.Name {
		return nil
	}
	return db.Table(fk.Parent)
}

func (c *components) root(r ref) ref {
	for {
		p, ok := c.parent[r]
		if !ok || p == r {
			return r
		}
		r = p
	}
}

// of returns the columns of r's group, r itself included, in the order of the
// database.
func (c *components) of(r ref) []ref { return c.members[c.root(r)] }
