// Package finding owns what a person must know: findings with stable codes,
// and their reports as text and JSON. It never reads a database and never
// decides whether to go on; it only tells.
package finding

// Code is a finding's stable name, in kebab case. Scripts and --accept use it,
// so a code is never renamed.
type Code string

// Kind tells what a finding asks of its reader.
type Kind string

// The kinds.
const (
	Problem     Kind = "problem"
	Opportunity Kind = "opportunity"
	// Loss is about values that cannot arrive unchanged.
	Loss     Kind = "loss"
	Question Kind = "question"
)

// Severity orders findings. Only Blocker stops a copy.
type Severity string

// The severities, worst first.
const (
	Blocker Severity = "blocker"
	Warning Severity = "warning"
	Info    Severity = "info"
)

// Finding is one thing a person must know.
type Finding struct {
	Code     Code     `json:"code"`
	Kind     Kind     `json:"kind"`
	Severity Severity `json:"severity"`
	// Object is what it is about: table, table.column, table.index, or a server
	// parameter; empty for the whole database.
	Object string `json:"object"`
	// What says what is the case, in one sentence.
	What string `json:"what"`
	// Do says what to do about it: the exact statement, setting or flag.
	Do string `json:"do,omitempty"`
	// Evidence is what was measured: counts, samples, settings.
	Evidence []string `json:"evidence,omitempty"`
	// Count is how many values or objects are concerned, 0 when not counted.
	Count int64 `json:"count,omitempty"`
	// Owner is who decides: "dba", "application", "operator".
	Owner string `json:"owner,omitempty"`
	// Accepted is set on a loss that the operator named.
	Accepted bool `json:"accepted,omitempty"`
}

// The codes of losses: each is also what --accept names, as CODE:table.column.
// The comment says what arrives instead once it is accepted.
const (
	LossZeroDate    Code = "zero-date"    // NULL
	LossPartialDate Code = "partial-date" // NULL
	LossNulByte     Code = "nul-byte"     // the text without its 0x00 bytes
	LossJSONNul     Code = "json-nul"     // the document without its \u0000 escapes
)
