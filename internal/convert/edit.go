package convert

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/convert/alter"
	"github.com/bascule/bascule/internal/schema"
)

// Difference is what turns the target of one plan into that of another.
type Difference struct {
	Edits []change.Edit
	// Tables are the target's tables whose name changes or that go.
	Tables []change.Renamed
	// Kept names, for every index that stays, what it is called afterwards.
	Kept map[schema.Name]schema.Name
}

// UnprovenError says that what a statement did to rows that are there cannot be repeated on the target with proof.
type UnprovenError struct{ Object, Why string }

// Error says what and why.
func (e *UnprovenError) Error() string { return e.Object + ": " + e.Why }

// Differ compares the plans before and after a statement of the source and returns what it asks of the target. tables is
// what became of the source's tables; those that it does not name stay as they are. began is when the statement began, by the
// source's clock, to the second; zero when nobody knows.
//
// Only a change that leaves every value what it was, or gives all rows one known value, has a Difference; any other is an
// *UnprovenError. Unique indexes that must wait (see Late) are left to whoever builds those.
func Differ(before, after *Plan, tables []alter.Table, began time.Time) (*Difference, error) {
	early, _, _ := after.Late()
	earlier, _, _ := before.Late()
	d := &differ{before: before, after: after, early: early, earlier: earlier, began: began, kept: map[schema.Name]schema.Name{}}
	if err := d.tables(tables); err != nil {
		return nil, err
	}
	return &Difference{Edits: d.sorted(), Tables: d.renamed, Kept: d.kept}, nil
}

// The order in which edits are made, whatever table they are about.
const (
	orderDrop    = iota // what stands in the way of the rest: checks and indexes; under the old names
	orderGone           // tables
	orderTables         // their names
	orderColumns        // their columns, in the order in which they were found
	orderNames          // of indexes, sequences, types
	orderMade           // checks, tables, indexes
	orders
)

// differ is one Differ at work.
type differ struct {
	before, after  *Plan
	earlier, early *schema.Database
	began          time.Time
	edits          [orders][]change.Edit
	renamed        []change.Renamed
	kept           map[schema.Name]schema.Name
	// names are the renamings of indexes and sequences, tableNames those of tables.
	names, tableNames []change.Edit
}

func (d *differ) add(order int, e change.Edit) { d.edits[order] = append(d.edits[order], e) }

func (d *differ) sorted() []change.Edit {
	d.edits[orderTables] = inTurn(d.tableNames, func(e *change.Edit) *schema.Name { return &e.Table })
	d.edits[orderNames] = append(d.edits[orderNames], inTurn(d.names, func(e *change.Edit) *schema.Name { return &e.Column })...)
	return slices.Concat(d.edits[:]...)
}

// inTurn orders renamings so that none takes a name that another has yet to give up.
func inTurn(es []change.Edit, from func(*change.Edit) *schema.Name) []change.Edit {
	held := map[schema.Name]bool{}
	for i := range es {
		held[*from(&es[i])] = true
	}
	var first, last []change.Edit
	for i, e := range es {
		if held[e.Name] {
			aside := schema.Name(fmt.Sprintf("bascule_aside_%d", i))
			away := e
			away.Name = aside
			first = append(first, away)
			*from(&e) = aside
		}
		last = append(last, e)
	}
	return append(first, last...)
}

// tables pairs the tables of both plans.
func (d *differ) tables(changed []alter.Table) error {
	was := map[schema.Name]alter.Table{}
	gone := map[schema.Name]bool{}
	for _, c := range changed {
		if c.After == "" {
			gone[c.Before] = true
		} else {
			was[c.After] = c
		}
	}
	for _, t := range d.after.Tables {
		c, ok := was[t.Select.Table.Name]
		if !ok {
			c = alter.Table{Before: t.Select.Table.Name, After: t.Select.Table.Name, Columns: sameNames(t.Select.Table)}
		}
		if c.Before == "" {
			d.add(orderMade, change.Edit{Kind: change.EditCreateTable, Table: t.Target.Name, New: d.early.Table(t.Target.Name)})
			continue
		}
		old := d.before.table(c.Before)
		if old == nil {
			return fmt.Errorf("table %q was %q, which is not planned", c.After, c.Before)
		}
		p := &pairing{differ: d, before: old, after: t, was: c.Columns}
		if err := p.run(); err != nil {
			return err
		}
	}
	for _, t := range d.before.Tables {
		if gone[t.Select.Table.Name] {
			d.add(orderGone, change.Edit{Kind: change.EditDropTable, Table: t.Target.Name})
			d.renamed = append(d.renamed, change.Renamed{From: t.Target.Name})
			for _, c := range t.Columns {
				if e, ok := c.Target.Type.(schema.Enum); ok {
					d.add(orderGone, change.Edit{Kind: change.EditDropType, Name: e.Name})
				}
			}
		}
	}
	return nil
}

func sameNames(t *schema.Table) map[schema.Name]schema.Name {
	m := map[schema.Name]schema.Name{}
	for _, c := range t.Columns {
		m[c.Name] = c.Name
	}
	return m
}

// pairing compares one table before and after.
type pairing struct {
	*differ
	before, after *Table
	was           map[schema.Name]schema.Name // source columns: after → before
	// to are the target's columns that stay, by their names before.
	to map[schema.Name]schema.Name
}

func (p *pairing) run() error {
	from, to := p.before.Target.Name, p.after.Target.Name
	if from != to {
		p.tableNames = append(p.tableNames, change.Edit{Kind: change.EditRenameTable, Table: from, Name: to})
		p.renamed = append(p.renamed, change.Renamed{From: from, To: to})
	}
	p.to = map[schema.Name]schema.Name{}
	var pairs [][2]*Column
	var fresh []*Column
	for i := range p.after.Columns {
		c := &p.after.Columns[i]
		was, ok := p.was[c.Source.Name]
		if !ok {
			fresh = append(fresh, c)
			continue
		}
		old := p.before.columnOf(was)
		if old == nil {
			return fmt.Errorf("column %q of table %q was %q, which is not planned", c.Source.Name, to, was)
		}
		p.to[old.Target.Name] = c.Target.Name
		pairs = append(pairs, [2]*Column{old, c})
	}
	p.checks()
	p.indexes()
	p.columnsGone()
	p.columnNames()
	for _, pair := range pairs {
		if err := p.column(pair[0], pair[1]); err != nil {
			return err
		}
	}
	for _, c := range fresh {
		if err := p.fresh(c); err != nil {
			return err
		}
	}
	if p.before.Target.Comment != p.after.Target.Comment {
		p.add(orderColumns, change.Edit{Kind: change.EditComment, Table: to, Text: p.after.Target.Comment})
	}
	return nil
}

// unproven names a column of the source.
func (p *pairing) unproven(c *Column, why string, args ...any) error {
	return &UnprovenError{Object: ref{p.after.Select.Table.Name, c.Source.Name}.String(), Why: fmt.Sprintf(why, args...)}
}

func (p *pairing) columnsGone() {
	for i := range p.before.Columns {
		c := p.before.Columns[i].Target
		if _, stays := p.to[c.Name]; stays {
			continue
		}
		p.add(orderColumns, change.Edit{Kind: change.EditDropColumn, Table: p.after.Target.Name, Column: c.Name})
		if e, ok := c.Type.(schema.Enum); ok {
			p.add(orderColumns, change.Edit{Kind: change.EditDropType, Name: e.Name})
		}
	}
}

func (p *pairing) columnNames() {
	var es []change.Edit
	for _, from := range slices.Sorted(maps.Keys(p.to)) {
		if to := p.to[from]; to != from {
			es = append(es, change.Edit{Kind: change.EditRenameColumn, Table: p.after.Target.Name, Column: from, Name: to})
		}
	}
	for _, e := range inTurn(es, func(e *change.Edit) *schema.Name { return &e.Column }) {
		p.add(orderColumns, e)
	}
}

// checks pairs checks by what they say.
func (p *pairing) checks() {
	left := slices.Clone(p.before.Target.Checks)
	for _, c := range p.after.Target.Checks {
		i := slices.IndexFunc(left, func(o schema.Check) bool { return o.Expr == c.Expr && o.Name == c.Name })
		if i < 0 {
			i = slices.IndexFunc(left, func(o schema.Check) bool { return o.Expr == c.Expr })
		}
		if i < 0 {
			p.add(orderMade, change.Edit{Kind: change.EditAddCheck, Table: p.after.Target.Name, Check: c})
			continue
		}
		if left[i].Name != c.Name {
			p.add(orderColumns, change.Edit{Kind: change.EditRenameCheck, Table: p.after.Target.Name, Column: left[i].Name, Name: c.Name})
		}
		left = slices.Delete(left, i, i+1)
	}
	for _, c := range left {
		p.add(orderDrop, change.Edit{Kind: change.EditDropCheck, Table: p.before.Target.Name, Name: c.Name})
	}
}

// keyed is an index and whether it is the primary key.
type keyed struct {
	*schema.Index
	primary bool
}

// allIndexes are the table's indexes and those that stand in for some that wait.
func allIndexes(full, early *schema.Table) (out []keyed) {
	if full.PrimaryKey != nil {
		out = append(out, keyed{full.PrimaryKey, true})
	}
	for _, x := range full.Indexes {
		out = append(out, keyed{x, false})
	}
	for _, x := range early.Indexes {
		if !slices.ContainsFunc(out, func(k keyed) bool { return k.Name == x.Name }) {
			out = append(out, keyed{x, false})
		}
	}
	return out
}

// indexes pairs indexes by what they are over.
func (p *pairing) indexes() {
	early := p.early.Table(p.after.Target.Name)
	left := allIndexes(p.before.Target, p.earlier.Table(p.before.Target.Name))
	for _, x := range allIndexes(p.after.Target, early) {
		want := x.definition(nil)
		equal := func(o keyed) bool { return o.definition(p.to) == want }
		i := slices.IndexFunc(left, func(o keyed) bool { return o.Name == x.Name && equal(o) })
		if i < 0 {
			i = slices.IndexFunc(left, equal)
		}
		if i >= 0 {
			p.kept[left[i].Name] = x.Name
			if left[i].Name != x.Name {
				p.names = append(p.names, change.Edit{Kind: change.EditRenameIndex, Table: p.after.Target.Name, Column: left[i].Name, Name: x.Name})
			}
			left = slices.Delete(left, i, i+1)
			continue
		}
		now := early.PrimaryKey == x.Index || slices.Contains(early.Indexes, x.Index)
		if now {
			p.add(orderMade, change.Edit{Kind: change.EditCreateIndex, Table: p.after.Target.Name, Index: x.Index, Primary: x.primary, New: p.after.Target})
		}
	}
	for _, x := range left {
		p.add(orderDrop, change.Edit{Kind: change.EditDropIndex, Table: p.before.Target.Name, Name: x.Name, Primary: x.primary})
	}
}

// definition spells what an index is over, with columns by their later names.
func (k keyed) definition(to map[schema.Name]schema.Name) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%t %t %s", k.primary, k.Unique, k.Method)
	for _, part := range k.Parts {
		c := part.Column
		if to != nil && c != "" {
			later, stays := to[c]
			if !stays {
				return "" // a column of it is gone, and it with it
			}
			c = later
		}
		fmt.Fprintf(&b, " (%q %q %d %t)", c, part.Expr, part.Prefix, part.Desc)
	}
	return b.String()
}
