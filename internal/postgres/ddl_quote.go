package postgres

import (
	"strings"

	"github.com/bascule/bascule/internal/schema"
)

// quote is the one place where a name becomes SQL.
func quote(n schema.Name) string { return quoteText(string(n)) }

func quoteText(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// qualify returns schema.name, both quoted.
func qualify(s, n schema.Name) string { return quote(s) + "." + quote(n) }

// literal returns a string constant that reads the same whatever
// standard_conforming_strings says.
func literal(s string) string {
	q := "'" + strings.ReplaceAll(s, "'", "''") + "'"
	if strings.Contains(s, `\`) {
		return "E" + strings.ReplaceAll(q, `\`, `\\`)
	}
	return q
}

// quoteList quotes names and joins them with commas.
func quoteList(ns []schema.Name) string {
	qs := make([]string, len(ns))
	for i, n := range ns {
		qs[i] = quote(n)
	}
	return strings.Join(qs, ", ")
}
