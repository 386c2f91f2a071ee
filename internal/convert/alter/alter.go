package alter

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"github.com/bascule/bascule/internal/schema"
)

// alteration is one ALTER TABLE at work. Servers carry out its clauses in an order of their own: columns go and change in
// their places first, then those that are new or move are put where they say, in the order of the clauses; keys likewise.
type alteration struct {
	*patch
	t *schema.Table
	m *Table
	// columns are those of the table that stay where they are, as long as the first round goes on.
	columns []*schema.Column
}

func (p *patch) alter(n *ast.AlterTableStmt) error {
	t := p.find(n.Table)
	if t == nil {
		return nil
	}
	if err := mixes(n.Specs); err != nil {
		return err
	}
	own, m := p.edit(t)
	a := &alteration{patch: p, t: own, m: m}
	rounds := []func(*ast.AlterTableSpec) error{a.check, a.leave, a.change, a.place, a.keys, a.rest}
	for i, round := range rounds {
		if i == 3 {
			if err := a.settle(n.Specs); err != nil {
				return err
			}
		}
		for _, spec := range n.Specs {
			if err := round(spec); err != nil {
				return err
			}
		}
	}
	return nil
}

// mixes refuses a character set for the table beside columns that would take it.
func mixes(specs []*ast.AlterTableSpec) error {
	charset, columns := false, false
	for _, s := range specs {
		columns = columns || len(s.NewColumns) > 0
		for _, o := range s.Options {
			charset = charset || o.Tp == ast.TableOptionCharset || o.Tp == ast.TableOptionCollate
		}
	}
	if charset && columns {
		return unsupported("CHARACTER SET", "in one statement with columns, which of them take it is not known")
	}
	return nil
}

// check refuses what the rounds do not know.
func (a *alteration) check(s *ast.AlterTableSpec) error {
	switch s.Tp {
	case ast.AlterTableOption, ast.AlterTableAddColumns, ast.AlterTableAddConstraint, ast.AlterTableDropColumn, ast.AlterTableDropPrimaryKey,
		ast.AlterTableDropIndex, ast.AlterTableDropForeignKey, ast.AlterTableModifyColumn, ast.AlterTableChangeColumn, ast.AlterTableRenameColumn,
		ast.AlterTableRenameTable, ast.AlterTableAlterColumn, ast.AlterTableRenameIndex, ast.AlterTableAlterCheck, ast.AlterTableDropCheck,
		ast.AlterTableIndexInvisible:
	case ast.AlterTableLock, ast.AlterTableAlgorithm, ast.AlterTableForce, ast.AlterTableEnableKeys, ast.AlterTableDisableKeys,
		ast.AlterTableWithValidation, ast.AlterTableWithoutValidation, ast.AlterTableOrderByColumns: // how, not what
	case ast.AlterTableAddPartitions, ast.AlterTableCoalescePartitions, ast.AlterTableReorganizePartition, ast.AlterTableRebuildPartition,
		ast.AlterTableOptimizePartition, ast.AlterTableRepairPartition, ast.AlterTableCheckPartitions: // no row comes or goes
	case ast.AlterTableRemovePartitioning:
		a.t.Partition = nil
	case ast.AlterTableDropPartition, ast.AlterTableTruncatePartition, ast.AlterTableExchangePartition:
		return unsupported("ALTER TABLE ... PARTITION", "it removes or replaces rows that the log does not name")
	default:
		return unsupported("ALTER TABLE "+string(a.t.Name), "one of its clauses (kind %d) is not known", s.Tp)
	}
	return nil
}

// leave takes away what goes.
func (a *alteration) leave(s *ast.AlterTableSpec) error {
	t := a.t
	switch s.Tp { //nolint:exhaustive // the others are not its business
	case ast.AlterTableDropColumn:
		return a.dropColumn(s)
	case ast.AlterTableDropPrimaryKey:
		return dropIndexFrom(t, primary, s.IfExists)
	case ast.AlterTableDropIndex:
		return dropIndexFrom(t, s.Name, s.IfExists)
	case ast.AlterTableDropForeignKey:
		return dropNamed(s, "DROP FOREIGN KEY", t, &t.ForeignKeys, func(fk *schema.ForeignKey) schema.Name { return fk.Name })
	case ast.AlterTableDropCheck:
		return a.dropConstraint(s)
	}
	return nil
}

func dropNamed[T any](s *ast.AlterTableSpec, clause string, t *schema.Table, from *[]T, name func(T) schema.Name) error {
	wanted := s.Name
	if s.Constraint != nil {
		wanted = s.Constraint.Name
	}
	i := slices.IndexFunc(*from, func(x T) bool { return same(name(x), schema.Name(wanted)) })
	if i < 0 {
		if s.IfExists {
			return nil
		}
		return unsupported(clause+" "+wanted, "table %q has none of that name", t.Name)
	}
	*from = slices.Delete(*from, i, i+1)
	return nil
}

// dropConstraint is DROP CHECK, and DROP CONSTRAINT, which may name anything.
func (a *alteration) dropConstraint(s *ast.AlterTableSpec) error {
	t, name := a.t, schema.Name(s.Constraint.Name)
	if slices.ContainsFunc(t.Checks, func(c schema.Check) bool { return same(c.Name, name) }) {
		return dropNamed(s, "DROP CHECK", t, &t.Checks, func(c schema.Check) schema.Name { return c.Name })
	}
	if slices.ContainsFunc(t.ForeignKeys, func(fk *schema.ForeignKey) bool { return same(fk.Name, name) }) {
		return dropNamed(s, "DROP CONSTRAINT", t, &t.ForeignKeys, func(fk *schema.ForeignKey) schema.Name { return fk.Name })
	}
	return dropIndexFrom(t, string(name), s.IfExists)
}

// dropColumn takes a column out of the table, its keys, and the checks that are about nothing else.
func (a *alteration) dropColumn(s *ast.AlterTableSpec) error {
	t, c := a.t, column(a.t, s.OldColumnName.Name.O)
	if c == nil {
		if s.IfExists {
			return nil
		}
		return unsupported("DROP COLUMN "+s.OldColumnName.Name.O, "table %q has none of that name", t.Name)
	}
	t.Columns = slices.DeleteFunc(t.Columns, func(x *schema.Column) bool { return x == c })
	delete(a.m.Columns, c.Name)
	var err error
	t.Checks = slices.DeleteFunc(t.Checks, func(k schema.Check) bool {
		used, e := uses(k.Expr, c.Name)
		if e != nil {
			err = e
		}
		return used
	})
	if err != nil {
		return err
	}
	if t.PrimaryKey != nil && without(t.PrimaryKey, c.Name) {
		t.PrimaryKey = nil
	}
	t.Indexes = slices.DeleteFunc(t.Indexes, func(x *schema.Index) bool { return without(x, c.Name) })
	if c.Identity {
		t.NextIdentity = 0
	}
	return nil
}

// without takes a column out of an index and reports whether nothing is left of it.
func without(x *schema.Index, c schema.Name) bool {
	x.Parts = slices.DeleteFunc(x.Parts, func(p schema.IndexPart) bool { return p.Column != "" && same(p.Column, c) })
	return len(x.Parts) == 0
}

// change gives columns their new definitions, in their places.
func (a *alteration) change(s *ast.AlterTableSpec) error {
	switch s.Tp { //nolint:exhaustive // the others are not its business
	case ast.AlterTableModifyColumn:
		return a.redefine(s.NewColumns[0].Name.Name.O, s)
	case ast.AlterTableChangeColumn:
		return a.redefine(s.OldColumnName.Name.O, s)
	case ast.AlterTableRenameColumn:
		return a.renaming(s.OldColumnName.Name.O, schema.Name(s.NewColumnName.Name.O))
	case ast.AlterTableAlterColumn:
		return a.alterDefault(s)
	}
	return nil
}

// was returns the column that had that name when the statement began.
func (a *alteration) was(name string) *schema.Column {
	for _, c := range a.t.Columns {
		if was, ok := a.m.Columns[c.Name]; ok && strings.EqualFold(string(was), name) {
			return c
		}
	}
	return nil
}

func (a *alteration) redefine(name string, s *ast.AlterTableSpec) error {
	c := a.was(name)
	if c == nil {
		if s.IfExists {
			return nil
		}
		return unsupported("MODIFY COLUMN "+name, "table %q has none of that name", a.t.Name)
	}
	now, in, err := a.server.columnOf(a.t, s.NewColumns[0])
	if err != nil {
		return err
	}
	if a.t.PrimaryKey != nil && slices.ContainsFunc(a.t.PrimaryKey.Parts, func(p schema.IndexPart) bool { return same(p.Column, c.Name) }) {
		now.Nullable = false
	}
	if (c.Generated == nil) != (now.Generated == nil) {
		return unsupported("MODIFY COLUMN "+name, "a generated column becomes a plain one, or the other way round")
	}
	if now.Name != c.Name {
		if err := a.renaming(name, now.Name); err != nil {
			return err
		}
	}
	*c = *now
	a.shorten(c)
	return a.inlineKeys(a.t, c, in)
}

// shorten makes prefixes that cover all of a column into the column.
func (a *alteration) shorten(c *schema.Column) {
	for _, x := range append([]*schema.Index{a.t.PrimaryKey}, a.t.Indexes...) {
		if x == nil {
			continue
		}
		for i, p := range x.Parts {
			if same(p.Column, c.Name) && p.Prefix >= lengthOf(c.Type) {
				x.Parts[i].Prefix = 0
			}
		}
	}
}

// renaming gives a column another name wherever it stands.
func (a *alteration) renaming(name string, to schema.Name) error {
	c := a.was(name)
	if c == nil {
		return unsupported("RENAME COLUMN "+name, "table %q has none of that name", a.t.Name)
	}
	if !same(c.Name, to) {
		if err := unused(a.t, c.Name); err != nil {
			return err
		}
		if column(a.t, string(to)) != nil {
			return unsupported("RENAME COLUMN "+name, "table %q has a column %q", a.t.Name, to)
		}
	}
	from := c.Name
	a.m.Columns[to] = a.m.Columns[from]
	if to != from {
		delete(a.m.Columns, from)
	}
	c.Name = to
	for _, x := range append([]*schema.Index{a.t.PrimaryKey}, a.t.Indexes...) {
		if x == nil {
			continue
		}
		for i := range x.Parts {
			if same(x.Parts[i].Column, from) {
				x.Parts[i].Column = to
			}
		}
	}
	for _, fk := range a.t.ForeignKeys {
		renameIn(fk.Columns, from, to)
	}
	a.eachReference(a.t.Name, func(fk *schema.ForeignKey) { renameIn(fk.ParentColumns, from, to) })
	return nil
}

func renameIn(names []schema.Name, from, to schema.Name) {
	for i, n := range names {
		if same(n, from) {
			names[i] = to
		}
	}
}

func (a *alteration) alterDefault(s *ast.AlterTableSpec) (err error) {
	d := s.NewColumns[0]
	c := a.was(d.Name.Name.O)
	if c == nil {
		return unsupported("ALTER COLUMN "+d.Name.Name.O, "table %q has none of that name", a.t.Name)
	}
	c.Default = nil
	if len(d.Options) == 1 {
		c.Default, err = a.server.defaultOf(d.Options[0].Expr, c.Type, string(c.Name))
	}
	return err
}

// settle takes the columns that move out of their places, before the next round puts them where they say.
func (a *alteration) settle(specs []*ast.AlterTableSpec) error {
	for _, s := range specs {
		if s.Position == nil || s.Position.Tp == ast.ColumnPositionNone || len(s.NewColumns) != 1 {
			continue
		}
		if s.Tp == ast.AlterTableModifyColumn || s.Tp == ast.AlterTableChangeColumn {
			c := column(a.t, s.NewColumns[0].Name.Name.O)
			if c == nil {
				continue // IF EXISTS
			}
			a.columns = append(a.columns, c)
			a.t.Columns = slices.DeleteFunc(a.t.Columns, func(x *schema.Column) bool { return x == c })
		}
	}
	return nil
}

// place puts columns that are new or move.
func (a *alteration) place(s *ast.AlterTableSpec) error {
	switch s.Tp { //nolint:exhaustive // the others are not its business
	case ast.AlterTableModifyColumn, ast.AlterTableChangeColumn:
		name := s.NewColumns[0].Name.Name.O
		i := slices.IndexFunc(a.columns, func(c *schema.Column) bool { return strings.EqualFold(string(c.Name), name) })
		if i < 0 {
			return nil
		}
		at, err := a.at(s.Position)
		if err != nil {
			return err
		}
		a.t.Columns = slices.Insert(a.t.Columns, at, a.columns[i])
	case ast.AlterTableAddColumns:
		for _, d := range s.NewColumns {
			if s.IfNotExists && column(a.t, d.Name.Name.O) != nil {
				continue
			}
			at, err := a.at(s.Position)
			if err != nil {
				return err
			}
			if err := a.addColumn(a.t, d, at); err != nil {
				return err
			}
		}
		for _, k := range s.NewConstraints {
			if err := a.constraint(a.t, k); err != nil {
				return err
			}
		}
	}
	return nil
}

// at is where a position clause points to.
func (a *alteration) at(p *ast.ColumnPosition) (int, error) {
	switch {
	case p == nil || p.Tp == ast.ColumnPositionNone:
		return len(a.t.Columns), nil
	case p.Tp == ast.ColumnPositionFirst:
		return 0, nil
	}
	c := column(a.t, p.RelativeColumn.Name.O)
	if c == nil {
		return 0, unsupported("AFTER "+p.RelativeColumn.Name.O, "table %q has none of that name at this point", a.t.Name)
	}
	return slices.Index(a.t.Columns, c) + 1, nil
}

// keys adds and renames keys, those that foreign keys rely on first.
func (a *alteration) keys(s *ast.AlterTableSpec) error {
	switch s.Tp { //nolint:exhaustive // the others are not its business
	case ast.AlterTableAddConstraint:
		if s.Constraint.Tp != ast.ConstraintForeignKey {
			return a.constraint(a.t, s.Constraint)
		}
	case ast.AlterTableRenameIndex:
		i := indexAt(a.t, schema.Name(s.FromKey.O))
		if i < 0 {
			return unsupported("RENAME INDEX "+s.FromKey.O, "table %q has none of that name", a.t.Name)
		}
		a.t.Indexes[i].Name = schema.Name(s.ToKey.O)
		sortIndexes(a.t)
	case ast.AlterTableIndexInvisible:
		i := indexAt(a.t, schema.Name(s.IndexName.O))
		if i < 0 {
			return unsupported("ALTER INDEX "+s.IndexName.O, "table %q has none of that name", a.t.Name)
		}
		a.t.Indexes[i].Invisible = s.Visibility == ast.IndexVisibilityInvisible
	case ast.AlterTableAlterCheck:
		for i, c := range a.t.Checks {
			if same(c.Name, schema.Name(s.Constraint.Name)) {
				a.t.Checks[i].Enforced = s.Constraint.Enforced
			}
		}
	}
	return nil
}

// rest does what comes last: foreign keys, options, the table's own name.
func (a *alteration) rest(s *ast.AlterTableSpec) error {
	switch s.Tp { //nolint:exhaustive // the others are not its business
	case ast.AlterTableAddConstraint:
		if s.Constraint.Tp == ast.ConstraintForeignKey {
			return a.constraint(a.t, s.Constraint)
		}
	case ast.AlterTableOption:
		return a.options(a.t, s.Options)
	case ast.AlterTableRenameTable:
		old := &ast.TableName{Schema: ast.NewCIStr(string(a.db.Name)), Name: ast.NewCIStr(string(a.t.Name))}
		if name, here := a.st.local(a.db.Name, s.NewTable); here && name == a.t.Name {
			return nil
		}
		if err := a.renameTable(old, s.NewTable); err != nil {
			return err
		}
		a.t = a.db.Table(a.m.After)
	}
	if a.t == nil {
		return fmt.Errorf("alter table %q: it is gone", a.m.Before)
	}
	return nil
}
