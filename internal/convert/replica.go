package convert

import (
	"fmt"
	"strings"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
)

// Replicas returns the plan's tables as changes of the source are applied to them, in the order of Tables, with codecs that
// count no losses, so that lanes may share them. Their actions are the source's foreign keys, which the target does not have
// while changes are applied.
//
// A row is found by the chunking key, else by the primary key, else by all its columns. A foreign key whose action cannot be
// reproduced, because the source would act on a followed table on behalf of one that is not, is fault.Refused.
func (p *Plan) Replicas() ([]*change.Replica, error) {
	replicas := make([]*change.Replica, len(p.Tables))
	by := map[schema.Name]*change.Replica{}
	for i, t := range p.Tables {
		into, err := t.Into(nil)
		if err != nil {
			return nil, err
		}
		replicas[i] = &change.Replica{Into: into, Key: t.applyKey()}
		by[t.Select.Table.Name] = replicas[i]
	}
	for i, child := range p.Tables {
		for _, fk := range child.Select.Table.ForeignKeys {
			if err := p.wire(child, replicas[i], fk, by); err != nil {
				return nil, err
			}
		}
	}
	return replicas, nil
}

// wire enters a foreign key of child with its parent.
func (p *Plan) wire(child *Table, replica *change.Replica, fk *schema.ForeignKey, by map[schema.Name]*change.Replica) error {
	if !writes(fk.OnDelete) && !writes(fk.OnUpdate) {
		return nil
	}
	op := fmt.Sprintf("follow table %q", child.Select.Table.Name)
	parent := parentTable(p.Source, fk)
	if parent == nil {
		return fault.New(fault.Refused, op,
			fmt.Errorf("its foreign key %q changes rows when %q loses some, which may not be in the source's log and which is not part of the move", fk.Name, parentName(fk)),
			"include that table too, or change the foreign key's action to RESTRICT on the source")
	}
	a := change.ForeignAction{Child: replica, OnDelete: fk.OnDelete, OnUpdate: fk.OnUpdate}
	of := p.table(parent.Name)
	for i, name := range fk.Columns {
		c, r := child.travelling(name), of.travelling(fk.ParentColumns[i])
		if c < 0 || r < 0 {
			return fault.New(fault.Refused, op, fmt.Errorf("its foreign key %q acts through a generated column", fk.Name),
				"drop that foreign key on the source, or change its action to RESTRICT")
		}
		a.Columns, a.Parent = append(a.Columns, c), append(a.Parent, r)
	}
	by[parent.Name].Actions = append(by[parent.Name].Actions, a)
	return nil
}

func writes(a schema.Action) bool {
	return a == schema.Cascade || a == schema.SetNull || a == schema.SetDefault
}

func (p *Plan) table(source schema.Name) *Table {
	for _, t := range p.Tables {
		if t.Select.Table.Name == source {
			return t
		}
	}
	return nil
}

// travelling returns the position of a source column among those that travel, -1 when it is not one of them.
func (t *Table) travelling(name schema.Name) int {
	for i, c := range t.Select.Columns {
		if strings.EqualFold(string(c.Name), string(name)) {
			return i
		}
	}
	return -1
}

// applyKey returns the positions of the columns that identify a row, nil when only all of them together do.
func (t *Table) applyKey() []int {
	if key := t.positions(columnNames(t.Select.Key)); len(key) > 0 {
		return key
	}
	pk := t.Select.Table.PrimaryKey
	if pk == nil {
		return nil
	}
	var names []schema.Name
	for _, p := range pk.Parts {
		if p.Prefix > 0 || p.Expr != "" {
			return nil
		}
		names = append(names, p.Column)
	}
	return t.positions(names)
}

func columnNames(cs []*schema.Column) []schema.Name {
	names := make([]schema.Name, len(cs))
	for i, c := range cs {
		names[i] = c.Name
	}
	return names
}

// positions returns nil when one of the columns does not travel.
func (t *Table) positions(names []schema.Name) []int {
	var at []int
	for _, n := range names {
		i := t.travelling(n)
		if i < 0 {
			return nil
		}
		at = append(at, i)
	}
	return at
}

// Late tells which of the target's indexes must wait until the replay of the source's changes has passed all that the copy
// read, and returns the database without them: rows that were copied at different moments may share a value of any unique index but
// the one by which the table was cut, and even that one when its collation holds different texts for equal. Where the
// index that waits is the one by which rows are found, a plain one stands in for it; instead names it.
func (p *Plan) Late() (early *schema.Database, late map[schema.Name]bool, instead map[schema.Name]schema.Name) {
	db := *p.Target
	db.Tables = nil
	late, instead = map[schema.Name]bool{}, map[schema.Name]schema.Name{}
	taken := map[schema.Name]bool{}
	for _, t := range p.Target.Tables {
		for _, x := range t.Indexes {
			taken[x.Name] = true
		}
	}
	for _, t := range p.Tables {
		target := *t.Target
		target.Indexes = nil
		for _, x := range t.Target.Indexes {
			if x.Unique && t.waits(x) {
				late[x.Name] = true
				target.Indexes = append(target.Indexes, t.standIn(x, taken, instead)...)
				continue
			}
			target.Indexes = append(target.Indexes, x)
		}
		if pk := target.PrimaryKey; pk != nil && t.waits(pk) {
			late[pk.Name] = true
			target.PrimaryKey, target.Indexes = nil, append(target.Indexes, t.standIn(pk, taken, instead)...)
		}
		db.Tables = append(db.Tables, &target)
	}
	return &db, late, instead
}

// waits reports whether a unique index could meet rows of different moments that share its values. A table that was not cut was
// read at one moment.
func (t *Table) waits(x *schema.Index) bool {
	return len(t.Select.Key) > 0 && (!t.isChunkKey(x) || t.fuzzyKey(x))
}

// standIn returns a plain index for a unique one by which rows are found.
func (t *Table) standIn(x *schema.Index, taken map[schema.Name]bool, instead map[schema.Name]schema.Name) []*schema.Index {
	if !t.isChunkKey(x) {
		return nil
	}
	plain := *x
	plain.Unique, plain.Name = false, freeName(x.Name, taken)
	instead[x.Name] = plain.Name
	return []*schema.Index{&plain}
}

// freeName shortens a name so that a suffix fits PostgreSQL's 63 bytes, and is nobody else's.
func freeName(name schema.Name, taken map[schema.Name]bool) schema.Name {
	const most = 63
	for i := 0; ; i++ {
		suffix := schema.Name("_follow")
		if i > 0 {
			suffix += schema.Name(fmt.Sprint(i))
		}
		n := name
		for len(n)+len(suffix) > most {
			r := []rune(string(n))
			n = schema.Name(string(r[:len(r)-1]))
		}
		if n += suffix; !taken[n] {
			taken[n] = true
			return n
		}
	}
}

// isChunkKey reports whether an index is over the columns by which the table was cut.
func (t *Table) isChunkKey(x *schema.Index) bool {
	if len(x.Parts) != len(t.Select.Key) {
		return false
	}
	for i, k := range t.Select.Key {
		if c := t.columnOf(k.Name); c == nil || c.Target.Name != x.Parts[i].Column || x.Parts[i].Expr != "" {
			return false
		}
	}
	return true
}

// fuzzyKey reports whether an index holds text whose collation can call different texts equal.
func (t *Table) fuzzyKey(x *schema.Index) bool {
	for _, p := range x.Parts {
		if c := t.Target.Column(p.Column); c != nil {
			if text, ok := c.Type.(schema.Text); ok && (text.Collation == CollationCI || text.Collation == CollationCIAI) {
				return true
			}
		}
	}
	return false
}
