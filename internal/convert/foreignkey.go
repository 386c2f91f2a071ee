package convert

import (
	"fmt"
	"slices"

	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/schema"
)

// foreignKeys carries over the foreign keys, unless a follow will create them
// at the switch: while changes are applied, an action that fires on the target
// would be applied twice.
func (p *planner) foreignKeys() {
	var later int64
	for _, t := range p.indexPlans() {
		if t.target.PrimaryKey != nil {
			t.names[t.target.PrimaryKey.Name] = true
		}
		for _, src := range t.source.ForeignKeys {
			fk, why := t.foreignKey(src)
			switch {
			case why != "":
				t.foreignKeyDropped(src, why)
			case p.opt.ForFollow:
				later++
				t.foreignKeySpelling(src)
			default:
				fk.Name = t.names.take(p.opt.fold(src.Name), string(t.source.Name)+"."+string(src.Name))
				t.target.ForeignKeys = append(t.target.ForeignKeys, fk)
			}
		}
	}
	if later > 0 {
		p.find(finding.Finding{
			Code: CodeForeignKeyLater, Kind: finding.Problem, Severity: finding.Info,
			What: fmt.Sprintf("%d foreign keys are left out until the switch, so that no action fires while changes are applied.", later),
			Do:   "Nothing: the switch creates and validates them.", Count: later, Owner: "operator",
		})
	}
}

// foreignKeySpelling tells about an action between texts that the source compares more loosely than the target: where its log
// does not show what the action did, rows whose text is spelt otherwise than the parent's are not found on the target.
func (t *tablePlan) foreignKeySpelling(fk *schema.ForeignKey) {
	if !writes(fk.OnDelete) && !writes(fk.OnUpdate) {
		return
	}
	for _, name := range fk.Columns {
		c := t.plan.columnOf(name)
		loose := looseOf(collationOf(c.Source.Type))
		if loose == (looseness{}) {
			continue
		}
		t.find(finding.Finding{
			Code: CodeForeignKeySpelling, Kind: finding.Problem, Severity: finding.Warning, Object: ref{t.source.Name, name}.String(),
			What: fmt.Sprintf("The foreign key %s acts on rows whose text may be spelt otherwise than the parent's (the source ignores %s); where the source does not log what it did, a follow finds only those spelt alike.", fk.Name, loose),
			Do:   "Spell the children as their parents on the source, or run bascule db verify --live and mend what it finds.", Owner: "dba",
		})
	}
}

// foreignKey translates a foreign key but its name, or says why PostgreSQL
// would refuse it.
func (t *tablePlan) foreignKey(src *schema.ForeignKey) (fk *schema.ForeignKey, why string) {
	source := parentTable(t.planner.source, src)
	if source == nil {
		return nil, fmt.Sprintf("its parent %q is not part of the move", parentName(src))
	}
	parent := t.planOf(source.Name)
	fk = &schema.ForeignKey{Parent: parent.Target.Name, OnDelete: action(src.OnDelete), OnUpdate: action(src.OnUpdate)}
	for i, name := range src.Columns {
		c, p := t.plan.columnOf(name), parent.columnOf(src.ParentColumns[i])
		if c == nil || p == nil {
			return nil, "one of its columns is not known"
		}
		if a, b := spellKey(c.Target.Type), spellKey(p.Target.Type); a != b {
			return nil, fmt.Sprintf("%s is %s and %s is %s", name, a, src.ParentColumns[i], b)
		}
		if c.Target.Generated != nil && writesChild(fk) {
			return nil, fmt.Sprintf("%s is generated, so no action can change it", name)
		}
		fk.Columns = append(fk.Columns, c.Target.Name)
		fk.ParentColumns = append(fk.ParentColumns, p.Target.Name)
	}
	if !uniqueOn(parent.Target, fk.ParentColumns) {
		return nil, fmt.Sprintf("no unique key of %q covers exactly its parent columns", src.Parent)
	}
	return fk, ""
}

// spellKey is a type as far as a foreign key cares: lengths may differ, and so
// may the names of numeric types that compare exactly.
func spellKey(t schema.Type) string {
	switch t := t.(type) {
	case schema.Text:
		return "text"
	case schema.Int:
		return "integer"
	case schema.Decimal:
		return "numeric"
	case schema.DateTime:
		return "timestamp"
	case schema.Timestamp:
		return "timestamptz"
	case schema.Enum:
		return "enum " + string(t.Name)
	default:
		return spell(t)
	}
}

// writesChild reports whether an action of fk assigns the child's columns.
func writesChild(fk *schema.ForeignKey) bool {
	sets := func(a schema.Action) bool { return a == schema.SetNull || a == schema.SetDefault }
	return sets(fk.OnDelete) || sets(fk.OnUpdate) || fk.OnUpdate == schema.Cascade
}

// action keeps an action; an empty one is MySQL's default. RESTRICT and NO
// ACTION are the same to MySQL and stay what they were declared as.
func action(a schema.Action) schema.Action {
	if a == "" {
		return schema.NoAction
	}
	return a
}

// uniqueOn reports whether a key of t has exactly those columns, in any order.
func uniqueOn(t *schema.Table, columns []schema.Name) bool {
	want := slices.Sorted(slices.Values(columns))
	exact := func(i *schema.Index) bool {
		var have []schema.Name
		for _, p := range i.Parts {
			if p.Expr != "" {
				return false
			}
			have = append(have, p.Column)
		}
		return i.Unique && slices.Equal(slices.Sorted(slices.Values(have)), want)
	}
	return t.PrimaryKey != nil && exact(t.PrimaryKey) || slices.ContainsFunc(t.Indexes, exact)
}

func parentName(fk *schema.ForeignKey) schema.Name {
	if fk.ParentSchema != "" {
		return fk.ParentSchema + "." + fk.Parent
	}
	return fk.Parent
}

func (t *tablePlan) foreignKeyDropped(src *schema.ForeignKey, why string) {
	t.find(finding.Finding{
		Code: CodeForeignKeyDropped, Kind: finding.Problem, Severity: finding.Warning, Object: string(t.source.Name) + "." + string(src.Name),
		What: fmt.Sprintf("The foreign key to %s is left out: %s.", parentName(src), why),
		Do:   "Mend the key on the source, or enforce it otherwise on the target.", Owner: "dba",
	})
}
