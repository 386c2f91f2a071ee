// Package convert owns the plan from MySQL or MariaDB to PostgreSQL: names,
// tables, types, keys, one codec a column with its inverse where one exists, and
// the findings. It is pure: the same Input gives the same Plan in every process,
// and it never connects to a server.
package convert

import (
	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/schema"
)

// Options are the operator's choices. The zero value is the default plan.
type Options struct {
	// Schema is the target schema; empty means public.
	Schema schema.Name `json:"schema,omitempty"`
	// KeepCase keeps names as the source has them instead of folding to lower case.
	KeepCase bool `json:"keep_case,omitempty"`
	// Accept names losses as CODE:table.column; table and column may be *.
	Accept []string `json:"accept,omitempty"`
	// Types names target types for source columns, "table.column": "boolean". See
	// docs/types.md for which type can become which.
	Types map[string]string `json:"types,omitempty"`
	// Collation is "plain" (the target's default collation; the default) or "icu"
	// (a nondeterministic ICU collation for case-insensitive columns).
	Collation string `json:"collation,omitempty"`
	// ForFollow leaves foreign keys out, because a follow will create them at the switch.
	ForFollow bool `json:"for_follow,omitempty"`
}

// Input is all a plan depends on. It is stored in the ledger as JSON.
type Input struct {
	Source  *schema.Database    `json:"source"`
	Answers []schema.Answer     `json:"answers,omitempty"`
	Options Options             `json:"options"`
	Target  change.Capabilities `json:"target"`
}

// Plan says what becomes of a database.
type Plan struct {
	Source *schema.Database
	// Target is ready to be rendered: names, types, expressions in PostgreSQL's dialect.
	Target   *schema.Database
	Tables   []*Table // in source order
	Findings []finding.Finding
}

// Table says what becomes of one table.
type Table struct {
	// Select is what is read from the source: the columns that travel (generated
	// columns do not) and the chunking key.
	Select change.Select
	// Target is the table as it will be.
	Target *schema.Table
	// Columns pairs every source column that exists on the target, generated ones included,
	// in source order.
	Columns []Column
}

// Column says what becomes of one column.
type Column struct {
	Source, Target *schema.Column
	// Travels is false for generated columns, which the target computes itself.
	Travels bool
	// Form is the canonical text for verification.
	Form change.Form
	// Why says why this type was chosen, with the data that decided it.
	Why string

	table    schema.Name
	accepted map[finding.Code]bool
}
