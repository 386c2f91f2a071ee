package alter

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"github.com/bascule/bascule/internal/schema"
)

const primary = "PRIMARY"

// constraint adds a key, an index, a foreign key or a check.
func (p *patch) constraint(t *schema.Table, k *ast.Constraint) error {
	switch k.Tp { //nolint:exhaustive // the others are not its business
	case ast.ConstraintPrimaryKey:
		return p.addIndex(t, indexSpec{name: primary, unique: true, parts: k.Keys, option: k.Option})
	case ast.ConstraintKey, ast.ConstraintIndex:
		return p.addIndex(t, indexSpec{name: k.Name, parts: k.Keys, option: k.Option, ifNotExists: k.IfNotExists})
	case ast.ConstraintUniq, ast.ConstraintUniqKey, ast.ConstraintUniqIndex:
		return p.addIndex(t, indexSpec{name: k.Name, unique: true, parts: k.Keys, option: k.Option, ifNotExists: k.IfNotExists})
	case ast.ConstraintFulltext:
		return p.addIndex(t, indexSpec{name: k.Name, method: schema.FullText, parts: k.Keys, option: k.Option})
	case ast.ConstraintForeignKey:
		return p.foreignKey(t, k)
	case ast.ConstraintCheck:
		return p.check(t, k.Name, k.Expr, k.Enforced)
	}
	return unsupported("ADD CONSTRAINT "+k.Name, "its kind is not known")
}

// indexSpec is what a statement says of an index.
type indexSpec struct {
	name        string
	unique      bool
	method      schema.IndexMethod
	parts       []*ast.IndexPartSpecification
	option      *ast.IndexOption
	ifNotExists bool
}

func (p *patch) addIndex(t *schema.Table, spec indexSpec) error {
	x := &schema.Index{Name: schema.Name(spec.name), Unique: spec.unique, Method: spec.method}
	for _, part := range spec.parts {
		ip, err := indexPart(t, part, x)
		if err != nil {
			return err
		}
		x.Parts = append(x.Parts, ip)
	}
	if o := spec.option; o != nil {
		if o.Condition != nil {
			return unsupported("INDEX "+spec.name, "a condition is no clause of it")
		}
		x.Comment, x.Invisible = o.Comment, o.Visibility == ast.IndexVisibilityInvisible
		if o.Tp == ast.IndexTypeHash && !strings.EqualFold(t.Engine, "InnoDB") {
			x.Method = schema.Hash
		}
	}
	if x.Name == "" {
		x.Name = freeName(t, x)
	}
	if x.Name == primary {
		if t.PrimaryKey != nil {
			return unsupported("PRIMARY KEY", "table %q has one already", t.Name)
		}
		x.Invisible = false
		t.PrimaryKey = x
		for _, part := range x.Parts {
			column(t, string(part.Column)).Nullable = false
		}
		return nil
	}
	if indexAt(t, x.Name) >= 0 {
		if spec.ifNotExists {
			return nil
		}
		return unsupported("ADD INDEX "+string(x.Name), "table %q has one of that name", t.Name)
	}
	t.Indexes = append(t.Indexes, x)
	sortIndexes(t)
	return nil
}

// sortIndexes puts them in the catalog's order, which knows no case.
func sortIndexes(t *schema.Table) {
	slices.SortStableFunc(t.Indexes, func(a, b *schema.Index) int {
		return strings.Compare(strings.ToLower(string(a.Name)), strings.ToLower(string(b.Name)))
	})
}

func indexPart(t *schema.Table, part *ast.IndexPartSpecification, x *schema.Index) (schema.IndexPart, error) {
	if part.Expr != nil {
		sql, err := expression(part.Expr, "INDEX "+string(x.Name))
		return schema.IndexPart{Expr: sql, Desc: part.Desc}, err
	}
	c := column(t, part.Column.Name.O)
	if c == nil {
		return schema.IndexPart{}, unsupported("INDEX "+string(x.Name), "table %q has no column %q", t.Name, part.Column.Name.O)
	}
	ip := schema.IndexPart{Column: c.Name, Desc: part.Desc}
	if part.Length > 0 && x.Method != schema.FullText && part.Length < lengthOf(c.Type) {
		ip.Prefix = part.Length // a prefix of all of the column is none
	}
	if x.Method == schema.FullText {
		ip.Desc = false
	}
	return ip, nil
}

// lengthOf is the declared length of a string type, more than any prefix where it has none; a prefix of anything else is all of it.
func lengthOf(t schema.Type) int {
	switch t := t.(type) {
	case schema.Text:
		if t.Length > 0 {
			return t.Length
		}
	case schema.Binary:
		if t.Length > 0 {
			return t.Length
		}
	case schema.Geometry:
	default:
		return 0
	}
	return 1 << 30
}

// freeName is the name that servers give: the first column's, with _2, _3 ... when it is taken.
func freeName(t *schema.Table, x *schema.Index) schema.Name {
	base := x.Parts[0].Column
	if x.Parts[0].Expr != "" {
		base = "functional_index"
	}
	name := base
	for i := 2; indexAt(t, name) >= 0 || same(name, primary); i++ {
		name = schema.Name(fmt.Sprintf("%s_%d", base, i))
	}
	return name
}

// indexAt returns where the index of that name stands, or -1.
func indexAt(t *schema.Table, name schema.Name) int {
	return slices.IndexFunc(t.Indexes, func(x *schema.Index) bool { return same(x.Name, name) })
}

func dropIndexFrom(t *schema.Table, name string, ifExists bool) error {
	if strings.EqualFold(name, primary) {
		if t.PrimaryKey == nil && !ifExists {
			return unsupported("DROP PRIMARY KEY", "table %q has none", t.Name)
		}
		t.PrimaryKey = nil
		return nil
	}
	i := indexAt(t, schema.Name(name))
	if i < 0 {
		if ifExists {
			return nil
		}
		return unsupported("DROP INDEX "+name, "table %q has none of that name", t.Name)
	}
	t.Indexes = slices.Delete(t.Indexes, i, i+1)
	return nil
}

// check adds a CHECK; servers number those without a name.
func (p *patch) check(t *schema.Table, name string, e ast.ExprNode, enforced bool) error {
	sql, err := expression(e, "CHECK")
	if err != nil {
		return err
	}
	if name == "" {
		base := "CONSTRAINT_"
		if !p.server.mariaDB {
			base = string(t.Name) + "_chk_"
		}
		name = base + fmt.Sprint(1+lastNumber(base, checkNames(t)))
	}
	t.Checks = append(t.Checks, schema.Check{Name: schema.Name(name), Expr: sql, Enforced: enforced || p.server.mariaDB})
	sortChecks(t)
	return nil
}

func sortChecks(t *schema.Table) {
	slices.SortStableFunc(t.Checks, func(a, b schema.Check) int {
		return strings.Compare(strings.ToLower(string(a.Name)), strings.ToLower(string(b.Name)))
	})
}

func checkNames(t *schema.Table) (names []schema.Name) {
	for _, c := range t.Checks {
		names = append(names, c.Name)
	}
	return names
}

// lastNumber is the highest number behind base among names.
func lastNumber(base string, names []schema.Name) (last int) {
	for _, name := range names {
		rest, ok := strings.CutPrefix(strings.ToLower(string(name)), strings.ToLower(base))
		n := 0
		if _, err := fmt.Sscan(rest, &n); ok && err == nil {
			last = max(last, n)
		}
	}
	return last
}

var actions = map[ast.ReferOptionType]schema.Action{
	ast.ReferOptionRestrict: schema.Restrict, ast.ReferOptionCascade: schema.Cascade, ast.ReferOptionSetNull: schema.SetNull,
	ast.ReferOptionNoAction: schema.NoAction, ast.ReferOptionSetDefault: schema.SetDefault,
}

// foreignKey adds a foreign key, and the index that the server makes for it when none begins with its columns.
func (p *patch) foreignKey(t *schema.Table, k *ast.Constraint) error {
	fk := &schema.ForeignKey{Name: schema.Name(k.Name), OnDelete: p.noAction(), OnUpdate: p.noAction()}
	clause := "FOREIGN KEY " + k.Name
	for _, part := range k.Keys {
		c := column(t, part.Column.Name.O)
		if c == nil {
			return unsupported(clause, "table %q has no column %q", t.Name, part.Column.Name.O)
		}
		fk.Columns = append(fk.Columns, c.Name)
	}
	parent, here := p.st.local(p.db.Name, k.Refer.Table)
	if fk.Parent = parent; !here {
		fk.ParentSchema = schema.Name(k.Refer.Table.Schema.O)
	} else if known := p.find(k.Refer.Table); known != nil {
		fk.Parent = known.Name
	}
	for _, part := range k.Refer.IndexPartSpecifications {
		name := schema.Name(part.Column.Name.O)
		if known := p.db.Table(fk.Parent); known != nil && here {
			if c := column(known, string(name)); c != nil {
				name = c.Name
			}
		}
		fk.ParentColumns = append(fk.ParentColumns, name)
	}
	if o := k.Refer.OnDelete; o != nil && o.ReferOpt != ast.ReferOptionNoOption {
		fk.OnDelete = actions[o.ReferOpt]
	}
	if o := k.Refer.OnUpdate; o != nil && o.ReferOpt != ast.ReferOptionNoOption {
		fk.OnUpdate = actions[o.ReferOpt]
	}
	if fk.Name == "" {
		base := string(t.Name) + "_ibfk_"
		fk.Name = schema.Name(base + fmt.Sprint(1+lastNumber(base, foreignKeyNames(t))))
	}
	t.ForeignKeys = append(t.ForeignKeys, fk)
	sortForeignKeys(t)
	if begins(t, fk.Columns) {
		return nil
	}
	x := &schema.Index{Name: schema.Name(k.Name)}
	for _, c := range fk.Columns {
		x.Parts = append(x.Parts, schema.IndexPart{Column: c})
	}
	if x.Name == "" || indexAt(t, x.Name) >= 0 {
		x.Name = freeName(t, x)
	}
	t.Indexes = append(t.Indexes, x)
	sortIndexes(t)
	return nil
}

// noAction is what the catalog shows when no action is declared.
func (p *patch) noAction() schema.Action {
	if p.server.mariaDB {
		return schema.Restrict
	}
	return schema.NoAction
}

func sortForeignKeys(t *schema.Table) {
	slices.SortStableFunc(t.ForeignKeys, func(a, b *schema.ForeignKey) int { return strings.Compare(string(a.Name), string(b.Name)) })
}

func foreignKeyNames(t *schema.Table) (names []schema.Name) {
	for _, fk := range t.ForeignKeys {
		names = append(names, fk.Name)
	}
	return names
}

// begins reports whether an index begins with exactly those columns.
func begins(t *schema.Table, columns []schema.Name) bool {
	for _, x := range append([]*schema.Index{t.PrimaryKey}, t.Indexes...) {
		if x == nil || len(x.Parts) < len(columns) || x.Method == schema.FullText || x.Method == schema.Spatial {
			continue
		}
		ok := true
		for i, c := range columns {
			ok = ok && same(x.Parts[i].Column, c) && x.Parts[i].Prefix == 0
		}
		if ok {
			return true
		}
	}
	return false
}

// longestKey is the most bytes of an index entry of InnoDB.
const longestKey = 3072

// hashed gives MariaDB's unique indexes the method that it chooses for them: what no entry can hold is kept as a hash.
func hashed(t *schema.Table) error {
	for _, x := range t.Indexes {
		if x.Method == schema.FullText || x.Method == schema.Spatial {
			continue
		}
		bytes := int64(0)
		for _, p := range x.Parts {
			if c := column(t, string(p.Column)); c != nil {
				bytes += entryBytes(c.Type, int64(p.Prefix))
			}
		}
		switch {
		case bytes > longestKey && !x.Unique:
			return unsupported("INDEX "+string(x.Name), "it is longer than an entry can be, and the server chose the prefix")
		case bytes > longestKey:
			x.Method = schema.Hash
		case x.Unique:
			x.Method = ""
		}
	}
	return nil
}

// entryBytes is how long a value, or its prefix, may be in an index.
func entryBytes(t schema.Type, prefix int64) int64 {
	switch t := t.(type) {
	case schema.Text:
		switch {
		case prefix > 0:
			return prefix * width(t.Charset)
		case t.MaxBytes > 0:
			return longestKey + 1
		}
		return int64(t.Length) * width(t.Charset)
	case schema.Binary:
		switch {
		case prefix > 0:
			return prefix
		case t.MaxBytes > 0:
			return longestKey + 1
		}
		return int64(t.Length)
	case schema.JSON:
		return longestKey + 1
	}
	return 0
}
