// Package expr owns the translation of MySQL and MariaDB scalar expressions
// (defaults, checks, generated columns, index parts) into PostgreSQL's SQL. It
// parses, infers types and renders; it never matches text by pattern, never
// guesses and never connects to a server. What has no exact counterpart is
// refused, and what differs in a way that a person may accept carries a note.
package expr

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/schema"
)

// Use tells where an expression stands, which decides what it may contain.
type Use string

// The uses. Generated columns and indexes must be immutable on PostgreSQL, and
// checks are held to the same rule because MySQL holds them to it.
const (
	Default   Use = "default"
	Check     Use = "check"
	Generated Use = "generated"
	Index     Use = "index"
)

// Column is a column that an expression may name, on both sides.
type Column struct {
	Name   schema.Name // its name on PostgreSQL
	Source schema.Type // its type on the source
	Target schema.Type // its type on PostgreSQL
	// NotNull says that the column holds no NULL on the target. False is always safe.
	NotNull bool
	// Generated is the source's expression when the column is itself generated.
	// PostgreSQL forbids a generated column to name another, so it is put in its place.
	Generated string
}

// Context is what Translate must know about an expression's surroundings.
type Context struct {
	Dialect schema.Dialect // MySQL or MariaDB
	Use     Use
	// Columns are the table's columns by lower-case source name.
	Columns map[string]Column
	// Into is the column that takes the value of a Default or a Generated
	// expression; nil leaves the value in the type it has.
	Into *Column
	// Version is PostgreSQL's major version, for instance 15; 0 means the oldest supported.
	Version int
}

// Result is an expression in PostgreSQL's SQL, without outer parentheses.
type Result struct {
	SQL string
	// Notes say, one sentence each, in what the result differs from the source.
	// No notes means that it is the same for every row that the source accepts.
	Notes []string
}

// UntranslatableError is the error for an expression that PostgreSQL cannot compute
// alike. The planner makes a finding of it.
type UntranslatableError struct {
	Expr string // the whole expression as the source printed it
	Node string // the part of it that has no translation, as MySQL's SQL
	Why  string // one sentence without a full stop
}

// Error returns one line that names the part and the reason.
func (u *UntranslatableError) Error() string {
	return fmt.Sprintf("translate expression %q: %s: %s", u.Expr, u.Node, u.Why)
}

// limits keep a hostile or broken definition from exhausting memory: MySQL
// itself stops at 65,535 bytes of expression, and inlined generated columns
// can name each other in a circle only when the input is not from a server.
const (
	maxLength = 1 << 16
	maxInline = 16
	maxResult = 1 << 20
)

// Translate returns sql, a scalar expression as information_schema prints it,
// in PostgreSQL's dialect. Its error is always an *UntranslatableError.
func Translate(sql string, c Context) (Result, error) {
	t := &translator{Context: c, expr: sql}
	v, err := t.whole(sql)
	if err == nil {
		v, err = t.finish(v)
	}
	if err == nil && len(v.sql) > maxResult {
		err = refuse("its translation is longer than a mebibyte")
	}
	if err != nil {
		return Result{}, t.untranslatable(sql, err)
	}
	return Result{SQL: v.sql, Notes: t.notes}, nil
}

// translator carries the state of one translation.
type translator struct {
	Context
	expr   string
	inline int // depth of generated columns put in place
	notes  []string
}

// whole parses and translates sql without regard to where its value goes.
func (t *translator) whole(sql string) (value, error) {
	node, err := parse(sql, t.Dialect)
	if err != nil {
		return value{}, err
	}
	return t.node(node)
}

// note records a difference once.
func (t *translator) note(format string, args ...any) {
	n := fmt.Sprintf(format, args...)
	if !slices.Contains(t.notes, n) {
		t.notes = append(t.notes, n)
	}
}

// refusal is why a node has no translation, before the node is known.
type refusal struct{ node, why string }

func (r *refusal) Error() string { return r.why }

func refuse(format string, args ...any) error {
	return &refusal{why: fmt.Sprintf(format, args...)}
}

func (t *translator) untranslatable(sql string, err error) error {
	u := &UntranslatableError{Expr: t.expr, Node: strings.TrimSpace(sql), Why: err.Error()}
	if r, ok := err.(*refusal); ok && r.node != "" { //nolint:errorlint // refusals are never wrapped
		u.Node = r.node
	}
	return u
}
