package change

import (
	"context"
	"encoding/json"

	"github.com/bascule/bascule/internal/schema"
)

// EditKind tells what an Edit does.
type EditKind uint8

// The kinds of edits. Column names one column of Table as it is then; Name what else is meant.
const (
	EditCreateTable    EditKind = iota + 1 // New, with all its columns, checks, keys and indexes
	EditDropTable                          // Table
	EditRenameTable                        // Table becomes Name
	EditAddColumn                          // NewColumn; Fill is what the rows that are there get, beside a default
	EditDropColumn                         // Column
	EditRenameColumn                       // Column becomes Name
	EditType                               // Column takes NewColumn's type
	EditNullable                           // Column may be NULL, or not, as NewColumn says
	EditDefault                            // Column takes NewColumn's default, or none
	EditIdentity                           // Column is numbered, or not, as NewColumn says
	EditComment                            // of Column or, without one, of Table: Text
	EditAddCheck                           // Check
	EditDropCheck                          // Name
	EditRenameCheck                        // Column's place holds the old name, Name the new one
	EditCreateIndex                        // Index; Primary makes it the primary key
	EditDropIndex                          // Name; Primary says that it is the primary key
	EditRenameIndex                        // Column's place holds the old name, Name the new one
	EditRenameSequence                     // likewise
	EditAddLabel                           // the enum type Name gets the label Text at its end
	EditDropType                           // the enum type Name
	EditRenameType                         // Column's place holds the old name, Name the new one
)

// Edit is one change of the target's definition. Names and expressions are the target's.
type Edit struct {
	Kind      EditKind
	Table     schema.Name
	Column    schema.Name
	Name      schema.Name
	Text      string
	New       *schema.Table
	NewColumn *schema.Column
	Fill      *schema.Default
	Check     schema.Check
	Index     *schema.Index
	Primary   bool
}

// Alteration is what one statement of the source asks of the target, carried out in one transaction with the mark's new position: so
// nobody ever sees one without the other.
type Alteration struct {
	// Before is the mark's position that it starts from, and After the one behind the source's statement.
	Before, After Position
	// Edits are made in order.
	Edits []Edit
	// Plan replaces the record's plan.
	Plan json.RawMessage
	// Tables says which of the migration's tables are called otherwise now; To is empty for one that is gone.
	Tables []Renamed
	// Tasks says what became of the ledger's statements.
	Tasks []Retask
}

// Renamed is a table's name before and after.
type Renamed struct{ From, To schema.Name }

// Retask changes a statement of the ledger, whether it has run or not: From becomes To. Without To it is gone; without From it
// is one that the alteration itself has carried out.
type Retask struct{ From, To *Statement }

// Alterer is an end whose definition follows the other's.
type Alterer interface {
	// Spell returns the statements that make the edits in a schema, in order.
	Spell(in schema.Name, edits []Edit) []string
	// Alter carries out an alteration, durably and wholly or not at all. When the mark is not where it begins, or another process applies
	// (fault.Busy), it changes nothing.
	Alter(ctx context.Context, r *Record, who string, a *Alteration) error
}
