package change

import (
	"fmt"

	"github.com/bascule/bascule/internal/finding"
)

// LossError says that a value has no unchanged form at the destination and
// that the loss was not accepted. The copy branches on it: it stops and counts
// all such values of the column.
type LossError struct {
	Code   finding.Code
	Table  string
	Column string
	Value  string // as a person would write it, shortened
}

// Error says what and where, and how to accept it.
func (e *LossError) Error() string {
	return fmt.Sprintf("%s.%s: the value %s cannot arrive unchanged (%s); accept it with --accept %s:%s.%s",
		e.Table, e.Column, e.Value, e.Code, e.Code, e.Table, e.Column)
}

// Losses counts accepted losses of one lane, by code and table.column. The
// ledger adds them up in the transaction that loads the chunk.
type Losses map[LossKey]int64

// LossKey names a loss: its code and the source's table and column.
type LossKey struct {
	Code          finding.Code
	Table, Column string
}
