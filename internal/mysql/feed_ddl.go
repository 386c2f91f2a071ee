package mysql

import (
	"slices"
	"strings"

	"github.com/pingcap/tidb/pkg/parser"
	"github.com/pingcap/tidb/pkg/parser/ast"
	// The parser builds its literals through this driver.
	_ "github.com/pingcap/tidb/pkg/parser/test_driver"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/mysql/binlog"
	"github.com/bascule/bascule/internal/schema"
)

// A touch is what a statement does to followed tables.
type touch struct {
	tables []schema.Name
	// known says that one of them is followed.
	known bool
	// truncate says that the statement removes every row of its only table and does nothing else.
	truncate bool
}

// longestParsed bounds what is given to the parser; longer statements are scanned for names.
const longestParsed = 1 << 20

// followed are the tables that a feed delivers.
type followed struct {
	database schema.Name
	// fold says that the server compares names without regard to case.
	fold    bool
	tables  map[schema.Name]*change.Select
	layouts map[*change.Select]*binlog.Layout
	mariaDB bool
	// mark is the ledger's table that every transaction which this program applied changes first; nil where nobody looks at rows.
	mark *binlog.Layout
}

// marks reports whether a table is the mark.
func (f *followed) marks(database, table schema.Name) bool {
	if f.mark == nil {
		return false
	}
	if f.fold {
		return strings.EqualFold(string(table), string(f.mark.Table)) && strings.EqualFold(string(database), string(f.mark.Schema))
	}
	return table == f.mark.Table && database == f.mark.Schema
}

// table returns the followed table of that name, or nil.
func (f *followed) table(database, name string) *change.Select {
	if !strings.EqualFold(database, string(f.database)) || !f.fold && database != string(f.database) {
		return nil
	}
	if s := f.tables[schema.Name(name)]; s != nil || !f.fold {
		return s
	}
	for n, s := range f.tables {
		if strings.EqualFold(string(n), name) {
			return s
		}
	}
	return nil
}

// ours reports whether a database is the followed one.
func (f *followed) ours(database string) bool {
	return database == string(f.database) || f.fold && strings.EqualFold(database, string(f.database))
}

// follows reports whether a table of a statement is followed.
func (f *followed) follows(t *ast.TableName, database schema.Name) bool {
	in := t.Schema.O
	if in == "" {
		in = string(database)
	}
	return f.table(in, t.Name.O) != nil
}

// all returns the names of all tables.
func (f *followed) all() []schema.Name {
	var out []schema.Name
	for n := range f.tables {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// touched returns what a statement, run in that default database, does to followed tables. A statement that cannot be parsed touches those
// that it may name.
func (f *followed) touched(st *statement, sql string, database schema.Name) touch {
	if len(sql) <= longestParsed && !nested(sql) {
		if nodes, _, err := parser.New().ParseSQL(sql); err == nil && len(nodes) == 1 {
			if t, ok := f.parsed(nodes[0], database); ok {
				return t
			}
		}
	}
	return f.scanned(st, database)
}

// nested reports whether the parser, which is recursive, had better not see it.
func nested(sql string) bool {
	const most = 500
	return strings.Count(sql, "(") > most
}

// parsed looks at a parsed statement; it knows those that change tables or their rows.
func (f *followed) parsed(n ast.StmtNode, database schema.Name) (t touch, known bool) {
	add := func(tables ...*ast.TableName) {
		for _, name := range tables {
			in := name.Schema.O
			if in == "" {
				in = string(database)
			}
			if s := f.table(in, name.Name.O); s != nil && !slices.Contains(t.tables, s.Table.Name) {
				t.tables, t.known = append(t.tables, s.Table.Name), true
			}
		}
	}
	// What alters a table of the database that is not followed may make one that has to be.
	define := func(tables ...*ast.TableName) {
		add(tables...)
		for _, name := range tables {
			in := name.Schema.O
			if in == "" {
				in = string(database)
			}
			own := schema.Name(name.Name.O)
			if f.table(in, name.Name.O) == nil && f.ours(in) && !slices.Contains(t.tables, own) {
				t.tables = append(t.tables, own)
			}
		}
	}
	switch n := n.(type) {
	case *ast.CreateTableStmt:
		// A followed table exists, so that IF NOT EXISTS does nothing.
		if n.TemporaryKeyword == ast.TemporaryNone && (!n.IfNotExists || !f.follows(n.Table, database)) {
			define(n.Table)
		}
	case *ast.DropTableStmt:
		if !n.IsView && n.TemporaryKeyword == ast.TemporaryNone {
			define(n.Tables...)
		}
	case *ast.RenameTableStmt:
		for _, r := range n.TableToTables {
			define(r.OldTable, r.NewTable)
		}
	case *ast.AlterTableStmt:
		if countsOnly(n) {
			break
		}
		define(n.Table)
		for _, spec := range n.Specs {
			if spec.NewTable != nil { // renamed, or partitions exchanged
				define(spec.NewTable)
			}
		}
	case *ast.CreateIndexStmt:
		define(n.Table)
	case *ast.DropIndexStmt:
		define(n.Table)
	case *ast.TruncateTableStmt:
		add(n.Table)
		t.truncate = len(t.tables) == 1
	case *ast.DropDatabaseStmt:
		if n.Name.O == string(f.database) || f.fold && strings.EqualFold(n.Name.O, string(f.database)) {
			t.tables, t.known = f.all(), true
		}
	case *ast.CreateDatabaseStmt, *ast.AlterDatabaseStmt: // the defaults of tables to come
	case *ast.DeleteStmt:
		names := &tableNames{}
		n.Accept(names)
		add(names.list...)
		// What a server logs for a MEMORY table that a restart emptied.
		t.truncate = len(names.list) == 1 && len(t.tables) == 1 && n.Where == nil && n.Limit == nil
	case *ast.InsertStmt, *ast.UpdateStmt, *ast.LoadDataStmt:
		names := &tableNames{}
		n.Accept(names)
		add(names.list...)
	default:
		return t, false
	}
	return t, true
}

// countsOnly reports whether an ALTER TABLE does no more than set the next number that the table hands out, which no row shows.
func countsOnly(n *ast.AlterTableStmt) bool {
	for _, spec := range n.Specs {
		if spec.Tp != ast.AlterTableOption || slices.ContainsFunc(spec.Options, func(o *ast.TableOption) bool { return o.Tp != ast.TableOptionAutoIncrement }) {
			return false
		}
	}
	return len(n.Specs) > 0
}

// tableNames collects the tables of a statement, those that it only reads included.
type tableNames struct{ list []*ast.TableName }

// Enter implements ast.Visitor.
func (v *tableNames) Enter(n ast.Node) (ast.Node, bool) {
	if t, ok := n.(*ast.TableName); ok {
		v.list = append(v.list, t)
	}
	return n, false
}

// Leave implements ast.Visitor.
func (v *tableNames) Leave(n ast.Node) (ast.Node, bool) { return n, true }

// scanned takes every word that is the name of a followed table for one, if the statement ran in its database or names that.
func (f *followed) scanned(st *statement, database schema.Name) (t touch) {
	same := func(a string, b schema.Name) bool { return a == string(b) || f.fold && strings.EqualFold(a, string(b)) }
	ours := same(string(database), f.database)
	for _, w := range st.words {
		ours = ours || same(w.text, f.database)
	}
	if !ours {
		return t
	}
	if st.at(0).is("CREATE") && st.contains("IF", "NOT", "EXISTS") {
		return t // a followed table exists
	}
	if st.at(0).is("DROP") && (st.at(1).is("DATABASE") || st.at(1).is("SCHEMA")) {
		for _, w := range st.words[2:] {
			if same(w.text, f.database) {
				return touch{tables: f.all(), known: true}
			}
		}
		return t
	}
	for _, w := range st.words {
		if s := f.table(string(f.database), w.text); s != nil && !slices.Contains(t.tables, s.Table.Name) {
			t.tables, t.known = append(t.tables, s.Table.Name), true
		}
	}
	return t
}

// contains reports whether those keywords follow one another.
func (s *statement) contains(keywords ...string) bool {
	for i := range s.words {
		found := true
		for j, k := range keywords {
			found = found && s.at(i+j).is(k)
		}
		if found {
			return true
		}
	}
	return false
}
