// Package alter owns what a statement of MySQL or MariaDB makes of a database's definition: CREATE, ALTER, RENAME and DROP
// TABLE, CREATE and DROP INDEX. It is pure: a definition and a statement go in, the definition that the server's
// catalog shows afterwards comes out. What it cannot tell exactly is an error that names the clause; it never guesses,
// never asks a server and knows nothing of the target.
package alter

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pingcap/tidb/pkg/parser"
	"github.com/pingcap/tidb/pkg/parser/ast"
	// The parser builds its literals through this driver.
	_ "github.com/pingcap/tidb/pkg/parser/test_driver"

	"github.com/bascule/bascule/internal/schema"
)

// Result is what a statement makes of a database.
type Result struct {
	// After shares with the database before whatever the statement leaves as it is.
	After *schema.Database
	// Tables are those that the statement names and the database had or has.
	Tables []Table
}

// Table says what became of one table.
type Table struct {
	// Before is empty when the statement made the table, After when it dropped it.
	Before, After schema.Name
	// Columns names, for every column after, the one before that it was; one that the statement added is not in it.
	Columns map[schema.Name]schema.Name
	// Like is the table whose definition a new one took.
	Like schema.Name
}

// UnsupportedError says which part of a statement cannot be told exactly.
type UnsupportedError struct {
	Clause string
	Why    string
}

// Error names the clause.
func (e *UnsupportedError) Error() string { return fmt.Sprintf("%s: %s", e.Clause, e.Why) }

func unsupported(clause, why string, args ...any) error {
	return &UnsupportedError{Clause: clause, Why: fmt.Sprintf(why, args...)}
}

// Statement is one parsed statement.
type Statement struct {
	node ast.StmtNode
	// database is where it ran: names without one mean it.
	database schema.Name
	selects  bool
}

// longest bounds what is given to the parser, deepest how often it may recurse.
const (
	longest = 1 << 20
	deepest = 500
)

// Parse reads one statement that ran with that default database.
func Parse(sql string, database schema.Name) (*Statement, error) {
	if len(sql) > longest || strings.Count(sql, "(") > deepest {
		return nil, unsupported("the statement", "it is too long to be read")
	}
	// What MySQL appends to a CREATE TABLE whose rows follow in the same transaction is no SQL.
	text, selects := strings.CutSuffix(strings.TrimRight(sql, " \t\r\n;"), "START TRANSACTION")
	nodes, _, err := parser.New().ParseSQL(text)
	if err != nil || len(nodes) != 1 {
		return nil, unsupported("the statement", "it is not understood")
	}
	return &Statement{node: nodes[0], database: database, selects: selects}, nil
}

// Made returns the table of the database that the statement creates, if it is a CREATE TABLE, and the one whose definition it takes.
func (s *Statement) Made(db schema.Name) (made, like schema.Name) {
	n, ok := s.node.(*ast.CreateTableStmt)
	if !ok {
		return "", ""
	}
	made, _ = s.local(db, n.Table)
	if n.ReferTable != nil {
		like, _ = s.local(db, n.ReferTable)
	}
	return made, like
}

// local returns a table's name when it is one of the database.
func (s *Statement) local(db schema.Name, t *ast.TableName) (schema.Name, bool) {
	in := t.Schema.O
	if in == "" {
		in = string(s.database)
	}
	return schema.Name(t.Name.O), strings.EqualFold(in, string(db))
}

// Apply returns what the statement makes of db. Tables that db does not have are none of its business, unless one of
// them takes a name that it has.
func (s *Statement) Apply(db *schema.Database) (*Result, error) {
	after := *db
	after.Tables = slices.Clone(db.Tables)
	p := &patch{st: s, before: db, db: &after, server: newServer(db)}
	var err error
	switch n := s.node.(type) {
	case *ast.CreateTableStmt:
		err = p.create(n)
	case *ast.DropTableStmt:
		p.drop(n)
	case *ast.RenameTableStmt:
		err = p.rename(n)
	case *ast.AlterTableStmt:
		err = p.alter(n)
	case *ast.CreateIndexStmt:
		err = p.createIndex(n)
	case *ast.DropIndexStmt:
		err = p.dropIndex(n)
	default:
		err = unsupported("the statement", "it is none that alters tables one by one")
	}
	if err != nil {
		return nil, err
	}
	slices.SortFunc(after.Tables, func(a, b *schema.Table) int { return strings.Compare(string(a.Name), string(b.Name)) })
	r := &Result{After: &after}
	for _, t := range p.tables {
		if p.server.mariaDB && t.After != "" {
			if err := hashed(after.Table(t.After)); err != nil {
				return nil, err
			}
		}
		r.Tables = append(r.Tables, *t)
	}
	return r, nil
}

// patch is one Apply at work.
type patch struct {
	st     *Statement
	before *schema.Database
	db     *schema.Database
	server server
	tables []*Table
}

// find returns the table of that name, or nil. Names of a server that folds them may differ in case.
func (p *patch) find(t *ast.TableName) *schema.Table {
	name, ok := p.st.local(p.db.Name, t)
	if !ok {
		return nil
	}
	if known := p.db.Table(name); known != nil {
		return known
	}
	var found *schema.Table
	for _, known := range p.db.Tables {
		if strings.EqualFold(string(known.Name), string(name)) {
			if found != nil {
				return nil
			}
			found = known
		}
	}
	return found
}

// edit puts a copy of a table in its place, and enters it in the result with all its columns.
func (p *patch) edit(t *schema.Table) (*schema.Table, *Table) {
	c := clone(t)
	p.db.Tables[slices.Index(p.db.Tables, t)] = c
	m := &Table{Before: t.Name, After: t.Name, Columns: identity(t)}
	p.tables = append(p.tables, m)
	return c, m
}

// touch puts a copy of a table in its place because another one took it along.
func (p *patch) touch(t *schema.Table) *schema.Table {
	for _, known := range p.tables {
		if known.After == t.Name {
			return t // a copy already
		}
	}
	c, _ := p.edit(t)
	return c
}

func identity(t *schema.Table) map[schema.Name]schema.Name {
	m := map[schema.Name]schema.Name{}
	for _, c := range t.Columns {
		m[c.Name] = c.Name
	}
	return m
}

// clone copies a table as deep as an alteration goes.
func clone(t *schema.Table) *schema.Table {
	c := *t
	c.Columns = nil
	for _, col := range t.Columns {
		own := *col
		c.Columns = append(c.Columns, &own)
	}
	c.PrimaryKey = cloneIndex(t.PrimaryKey)
	c.Indexes = nil
	for _, x := range t.Indexes {
		c.Indexes = append(c.Indexes, cloneIndex(x))
	}
	c.ForeignKeys = nil
	for _, fk := range t.ForeignKeys {
		own := *fk
		own.Columns, own.ParentColumns = slices.Clone(fk.Columns), slices.Clone(fk.ParentColumns)
		c.ForeignKeys = append(c.ForeignKeys, &own)
	}
	c.Checks = slices.Clone(t.Checks)
	return &c
}

func cloneIndex(x *schema.Index) *schema.Index {
	if x == nil {
		return nil
	}
	c := *x
	c.Parts = slices.Clone(x.Parts)
	return &c
}

func same(a, b schema.Name) bool { return strings.EqualFold(string(a), string(b)) }

// column returns the column of that name, whose case does not matter.
func column(t *schema.Table, name string) *schema.Column {
	for _, c := range t.Columns {
		if strings.EqualFold(string(c.Name), name) {
			return c
		}
	}
	return nil
}
