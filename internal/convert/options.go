package convert

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/schema"
)

// losses are the codes that --accept can name.
var losses = []finding.Code{
	finding.LossZeroDate, finding.LossPartialDate, finding.LossNulByte, finding.LossJSONNul,
	CodeBackDate, CodeBackText, CodeBackUnique,
}

// withDefaults returns the options with every empty choice made.
func (o Options) withDefaults() Options {
	if o.Schema == "" {
		o.Schema = "public"
	}
	if o.Collation == "" {
		o.Collation = CollationPlain
	}
	return o
}

// What Options.Collation can be.
const (
	// CollationPlain keeps the target's default collation.
	CollationPlain = "plain"
	// CollationICU gives case-insensitive columns a nondeterministic ICU collation.
	CollationICU = "icu"
)

// validate refuses options that name nothing: a misspelt loss or column would
// otherwise be found out only after hours of copying.
func (o Options) validate(db *schema.Database) error {
	refuse := func(format string, args ...any) error {
		return fault.New(fault.Usage, "read the options of the plan", fmt.Errorf(format, args...), "")
	}
	if o.Collation != "" && o.Collation != CollationPlain && o.Collation != CollationICU {
		return refuse("unknown collation %q: it can be %s or %s", o.Collation, CollationPlain, CollationICU)
	}
	for _, a := range o.Accept {
		code, what, ok := strings.Cut(a, ":")
		if !ok || !slices.Contains(losses, finding.Code(code)) {
			return refuse("%q is not CODE:table.column with one of the codes %v", a, losses)
		}
		if !namesSomething(db, what) {
			return refuse("%q names no column of database %q", a, db.Name)
		}
	}
	for name := range o.Types {
		if !slices.ContainsFunc(allColumns(db), func(r ref) bool { return r.String() == name }) {
			return refuse("a type is named for %q, which is no column of database %q", name, db.Name)
		}
	}
	return nil
}

// namesSomething reports whether a pattern of --accept fits at least one
// column. A pattern of stars alone is always sensible.
func namesSomething(db *schema.Database, pattern string) bool {
	return pattern == "*.*" || slices.ContainsFunc(allColumns(db), func(r ref) bool {
		return slices.Contains(r.patterns(), pattern)
	})
}

// ref names one column of the source.
type ref struct {
	table, column schema.Name
}

// String returns table.column.
func (r ref) String() string { return string(r.table) + "." + string(r.column) }

// patterns are the ways in which --accept can name the column, most exact first.
func (r ref) patterns() []string {
	return []string{r.String(), string(r.table) + ".*", "*." + string(r.column), "*.*"}
}

func allColumns(db *schema.Database) []ref {
	var rs []ref
	for _, t := range db.Tables {
		for _, c := range t.Columns {
			rs = append(rs, ref{t.Name, c.Name})
		}
	}
	return rs
}

// accepts reports whether --accept names that loss of that column, and whether
// it does so with table and column spelt out.
func (o Options) accepts(code finding.Code, r ref) (accepted, exact bool) {
	for i, p := range r.patterns() {
		if slices.Contains(o.Accept, string(code)+":"+p) {
			return true, i == 0
		}
	}
	return false, false
}
