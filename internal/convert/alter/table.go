package alter

import (
	"slices"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"github.com/bascule/bascule/internal/schema"
)

// create makes a table.
func (p *patch) create(n *ast.CreateTableStmt) error {
	name, here := p.st.local(p.db.Name, n.Table)
	switch {
	case !here || n.TemporaryKeyword != ast.TemporaryNone:
		return nil
	case p.find(n.Table) != nil:
		if n.IfNotExists {
			return nil
		}
		return unsupported("CREATE TABLE", "there is a table %q already", name)
	case n.Select != nil || p.st.selects:
		return unsupported("CREATE TABLE ... SELECT", "the rows that it made are not in the log as changes")
	case n.Partition != nil:
		return unsupported("PARTITION BY", "how the catalog shows partitions is not known")
	}
	if n.ReferTable != nil {
		return p.createLike(name, n)
	}
	t := &schema.Table{Name: name, Engine: "InnoDB", Collation: p.db.Collation}
	if err := p.options(t, n.Options); err != nil {
		return err
	}
	for _, d := range n.Cols {
		if err := p.addColumn(t, d, len(t.Columns)); err != nil {
			return err
		}
	}
	for _, k := range sorted(n.Constraints) {
		if err := p.constraint(t, k); err != nil {
			return err
		}
	}
	if hasIdentity(t) && t.NextIdentity == 0 {
		t.NextIdentity = 1
	}
	p.db.Tables = append(p.db.Tables, t)
	p.tables = append(p.tables, &Table{After: name, Columns: map[schema.Name]schema.Name{}})
	return nil
}

// sorted puts keys before foreign keys: those look for an index that serves them.
func sorted(ks []*ast.Constraint) []*ast.Constraint {
	out := slices.Clone(ks)
	slices.SortStableFunc(out, func(a, b *ast.Constraint) int { return rank(a) - rank(b) })
	return out
}

func rank(k *ast.Constraint) int {
	switch k.Tp { //nolint:exhaustive // the others are not its business
	case ast.ConstraintPrimaryKey:
		return 0
	case ast.ConstraintForeignKey:
		return 2
	}
	return 1
}

func hasIdentity(t *schema.Table) bool {
	return slices.ContainsFunc(t.Columns, func(c *schema.Column) bool { return c.Identity })
}

// createLike copies a definition: everything but foreign keys, whose names and parents stay where they are.
func (p *patch) createLike(name schema.Name, n *ast.CreateTableStmt) error {
	from := p.find(n.ReferTable)
	if from == nil {
		return unsupported("CREATE TABLE ... LIKE", "table %q is not known", n.ReferTable.Name.O)
	}
	t := clone(from)
	t.Name, t.ForeignKeys, t.Rows, t.Bytes = name, nil, 0, 0
	if hasIdentity(t) {
		t.NextIdentity = 1
	}
	p.renumberChecks(t, from.Name)
	p.db.Tables = append(p.db.Tables, t)
	p.tables = append(p.tables, &Table{After: name, Columns: map[schema.Name]schema.Name{}, Like: from.Name})
	return nil
}

// renumberChecks gives checks that MySQL named the names that they have in another table.
func (p *patch) renumberChecks(t *schema.Table, was schema.Name) {
	if p.server.mariaDB {
		return
	}
	for i, c := range t.Checks {
		if rest, ok := strings.CutPrefix(string(c.Name), string(was)+"_chk_"); ok && strings.Trim(rest, "0123456789") == "" {
			t.Checks[i].Name = t.Name + "_chk_" + schema.Name(rest)
		}
	}
	sortChecks(t)
}

var engines = map[string]string{"innodb": "InnoDB", "myisam": "MyISAM", "memory": "MEMORY", "heap": "MEMORY", "aria": "Aria", "archive": "ARCHIVE", "csv": "CSV"}

// options takes a table's options. What concerns only how the source stores rows means nothing here.
func (p *patch) options(t *schema.Table, os []*ast.TableOption) error {
	charset, collate, convert := "", "", false
	for _, o := range os {
		switch o.Tp {
		case ast.TableOptionCharset:
			charset, convert = o.StrValue, convert || o.UintValue == ast.TableOptionCharsetWithConvertTo
			if o.Default || strings.EqualFold(charset, "default") {
				return unsupported("CHARACTER SET DEFAULT", "it is the database's, which an ALTER DATABASE may have changed")
			}
		case ast.TableOptionCollate:
			collate = o.StrValue
		case ast.TableOptionEngine:
			known, ok := engines[strings.ToLower(o.StrValue)]
			if !ok {
				return unsupported("ENGINE "+o.StrValue, "it is not known")
			}
			t.Engine = known
		case ast.TableOptionComment:
			t.Comment = o.StrValue
		case ast.TableOptionAutoIncrement:
			t.NextIdentity = o.UintValue
		case ast.TableOptionAvgRowLength, ast.TableOptionCheckSum, ast.TableOptionCompression, ast.TableOptionKeyBlockSize, ast.TableOptionMaxRows,
			ast.TableOptionMinRows, ast.TableOptionDelayKeyWrite, ast.TableOptionRowFormat, ast.TableOptionStatsPersistent, ast.TableOptionStatsAutoRecalc,
			ast.TableOptionPackKeys, ast.TableOptionTablespace, ast.TableOptionDataDirectory, ast.TableOptionIndexDirectory, ast.TableOptionStatsSamplePages,
			ast.TableOptionTableCheckSum, ast.TableOptionEncryption, ast.TableOptionAutoextendSize, ast.TableOptionPageChecksum,
			ast.TableOptionPageCompressed, ast.TableOptionPageCompressionLevel, ast.TableOptionTransactional:
		default:
			return unsupported("a table option", "number %d is not known", o.Tp)
		}
	}
	if charset == "" && collate == "" {
		return nil
	}
	w, err := p.server.resolve(charset, collate, words{})
	if err != nil {
		return err
	}
	t.Collation = w.collation
	if !convert {
		return nil
	}
	for _, c := range t.Columns {
		if c.Type, err = converted(c.Type, w); err != nil {
			return err
		}
	}
	return nil
}

// addColumn puts a new column at a place, with what its clause says of the table.
func (p *patch) addColumn(t *schema.Table, d *ast.ColumnDef, at int) error {
	c, in, err := p.server.columnOf(t, d)
	if err != nil {
		return err
	}
	if column(t, string(c.Name)) != nil {
		return unsupported("ADD COLUMN "+string(c.Name), "table %q has one of that name", t.Name)
	}
	t.Columns = slices.Insert(t.Columns, at, c)
	return p.inlineKeys(t, c, in)
}

func (p *patch) inlineKeys(t *schema.Table, c *schema.Column, in inline) error {
	parts := []*ast.IndexPartSpecification{{Column: &ast.ColumnName{Name: ast.NewCIStr(string(c.Name))}, Length: -1}}
	if in.primary {
		if err := p.addIndex(t, indexSpec{name: primary, unique: true, parts: parts}); err != nil {
			return err
		}
	}
	if in.unique {
		if err := p.addIndex(t, indexSpec{unique: true, parts: parts}); err != nil {
			return err
		}
	}
	for _, o := range in.checks {
		name := o.ConstraintName
		if name == "" && p.server.mariaDB {
			name = string(c.Name) // a column's own check has no other name
		}
		if err := p.check(t, name, o.Expr, o.Enforced); err != nil {
			return err
		}
	}
	return nil
}

func (p *patch) drop(n *ast.DropTableStmt) {
	if n.IsView || n.TemporaryKeyword != ast.TemporaryNone {
		return
	}
	for _, name := range n.Tables {
		t := p.find(name)
		if t == nil {
			continue
		}
		p.db.Tables = slices.Delete(p.db.Tables, slices.Index(p.db.Tables, t), slices.Index(p.db.Tables, t)+1)
		p.tables = append(p.tables, &Table{Before: t.Name})
	}
}

func (p *patch) rename(n *ast.RenameTableStmt) error {
	for _, pair := range n.TableToTables {
		if err := p.renameTable(pair.OldTable, pair.NewTable); err != nil {
			return err
		}
	}
	return nil
}

// renameTable moves one table, with everything that is named after it or refers to it.
func (p *patch) renameTable(from, to *ast.TableName) error {
	name, here := p.st.local(p.db.Name, to)
	t := p.find(from)
	switch {
	case t == nil && here:
		return unsupported("RENAME TABLE "+from.Name.O+" TO "+to.Name.O, "the rows of %q are not known", from.Name.O)
	case t == nil:
		return nil
	case !here:
		return unsupported("RENAME TABLE "+from.Name.O, "the table leaves the database")
	}
	if other := p.find(to); other != nil && other != t {
		return unsupported("RENAME TABLE", "there is a table %q", name)
	}
	was := t.Name
	t = p.touch(t)
	p.result(was).After = name
	t.Name = name
	p.renumberChecks(t, was)
	for _, fk := range t.ForeignKeys {
		if rest, ok := strings.CutPrefix(string(fk.Name), string(was)+"_ibfk_"); ok && strings.Trim(rest, "0123456789") == "" {
			fk.Name = name + "_ibfk_" + schema.Name(rest)
		}
	}
	sortForeignKeys(t)
	p.eachReference(was, func(fk *schema.ForeignKey) { fk.Parent = name })
	return nil
}

// result returns the entry of the table that has that name now.
func (p *patch) result(now schema.Name) *Table {
	for _, m := range p.tables {
		if m.After == now {
			return m
		}
	}
	return nil
}

// eachReference visits the foreign keys that refer to a table.
func (p *patch) eachReference(parent schema.Name, fn func(*schema.ForeignKey)) {
	for _, child := range slices.Clone(p.db.Tables) {
		for i, fk := range child.ForeignKeys {
			if fk.ParentSchema == "" && same(fk.Parent, parent) {
				child = p.touch(child)
				fn(child.ForeignKeys[i])
			}
		}
	}
}

func (p *patch) createIndex(n *ast.CreateIndexStmt) error {
	t := p.find(n.Table)
	if t == nil {
		return nil
	}
	spec := indexSpec{name: n.IndexName, parts: n.IndexPartSpecifications, option: n.IndexOption, ifNotExists: n.IfNotExists}
	switch n.KeyType {
	case ast.IndexKeyTypeNone:
	case ast.IndexKeyTypeUnique:
		spec.unique = true
	case ast.IndexKeyTypeFulltext:
		spec.method = schema.FullText
	case ast.IndexKeyTypeSpatial:
		spec.method = schema.Spatial
	default:
		return unsupported("CREATE INDEX "+n.IndexName, "its kind is not known")
	}
	t, _ = p.edit(t)
	return p.addIndex(t, spec)
}

func (p *patch) dropIndex(n *ast.DropIndexStmt) error {
	t := p.find(n.Table)
	if t == nil {
		return nil
	}
	t, _ = p.edit(t)
	return dropIndexFrom(t, n.IndexName, n.IfExists)
}
