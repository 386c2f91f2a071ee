package migration

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/convert"
	"github.com/bascule/bascule/internal/event"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/schema"
)

// CodeTableAdded marks a table that the source got after the copy was planned.
const CodeTableAdded finding.Code = "table-added"

// stored is the plan as the ledger holds it, in one JSON object: all that the plan
// depends on, and how its tables were chosen.
type stored struct {
	convert.Input
	Filter change.Filter `json:"filter"`
	// Shadows are tables that a tool for schema changes fills while the source is followed.
	Shadows []*shadow `json:"shadows,omitempty"`
}

func (s *stored) marshal() (json.RawMessage, error) {
	b, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("store the plan: %w", err)
	}
	return b, nil
}

// recorded returns the plan that the ledger holds.
func recorded(r *change.Record) (*stored, *convert.Plan, error) {
	var s stored
	if err := json.Unmarshal(r.Plan, &s); err != nil {
		return nil, nil, fmt.Errorf("read the plan in the ledger of schema %q: %w", r.Schema, err)
	}
	p, err := convert.New(s.Input)
	return &s, p, err
}

// sameSource refuses any source but the one that the record is about.
func (m *Migration) sameSource(ctx context.Context, rec *change.Record, op string) error {
	id, label, err := m.Source.Identity(ctx)
	if err != nil || id == rec.SourceID {
		return err
	}
	return fault.New(fault.Refused, op,
		fmt.Errorf("schema %q is filled from %s (%s), and this is %s (%s)", rec.Schema, rec.Source, rec.SourceID, label, id),
		"use the same source, another --schema, or remove the old copy with: bascule db drop")
}

// unaltered inspects the source once more and refuses when a planned table is not what
// it was: rows would be read by other columns than those they are loaded into, or a column
// that nobody copied would count as equal. Tables that came since are only told.
func (m *Migration) unaltered(ctx context.Context, f change.Filter, plan *convert.Plan, op string) error {
	const hint = "undo that on the source, or begin anew: bascule db drop, then bascule db copy"
	now, err := m.Source.Inspect(ctx, f)
	if fault.ClassOf(err) == fault.Usage {
		// The filter was good when the copy began, so what it names has gone since.
		return fault.New(fault.Refused, op, fmt.Errorf("the source has changed since the copy was planned: %w", err), hint)
	}
	if err != nil {
		return err
	}
	var altered []string
	planned := map[schema.Name]bool{}
	for _, t := range plan.Tables {
		planned[t.Select.Table.Name] = true
		altered = append(altered, tableAltered(&t.Select, now.Table(t.Select.Table.Name))...)
	}
	for _, t := range now.Tables {
		if !planned[t.Name] {
			m.emit(event.Found{Finding: tableAdded(t.Name)})
		}
	}
	if len(altered) == 0 {
		return nil
	}
	return fault.New(fault.Refused, op, fmt.Errorf("the source has changed since the copy was planned: %s", strings.Join(altered, "; ")), hint)
}

func tableAdded(t schema.Name) finding.Finding {
	return finding.Finding{
		Code: CodeTableAdded, Kind: finding.Problem, Severity: finding.Warning, Object: string(t),
		What: "The source got this table after the copy was planned; it is neither copied nor compared.",
		Do:   "Copy it by itself into another schema with --include and --schema, or begin anew: bascule db drop, then bascule db copy.", Owner: "operator",
	}
}

// tableAltered lists what of a planned table differs now, which is nil when it is gone.
func tableAltered(s *change.Select, now *schema.Table) (altered []string) {
	then := s.Table
	if now == nil {
		return []string{fmt.Sprintf("table %q is gone", then.Name)}
	}
	differs := func(format string, args ...any) {
		altered = append(altered, fmt.Sprintf("table %q: ", then.Name)+fmt.Sprintf(format, args...))
	}
	for _, c := range then.Columns {
		switch is := now.Column(c.Name); {
		case is == nil:
			differs("column %q is gone", c.Name)
		case typeText(is) != typeText(c):
			differs("column %q is %s and was %s", c.Name, spelt(is, c), spelt(c, is))
		case (is.Generated == nil) != (c.Generated == nil):
			differs("column %q is generated now, or was", c.Name)
		}
	}
	for _, c := range now.Columns {
		if then.Column(c.Name) == nil {
			differs("column %q was added", c.Name)
		}
	}
	for _, k := range s.Key {
		if is := now.Column(k.Name); is != nil && is.Nullable && !k.Nullable {
			differs("column %q, by which its rows are read, may be NULL now", k.Name)
		}
	}
	if len(s.Key) > 0 && !slices.Equal(keyParts(then, s.Index), keyParts(now, s.Index)) {
		differs("index %q, by which its rows are read, is not what it was", s.Index)
	}
	return altered
}

// typeText is a type with all that belongs to it, as the ledger has it.
func typeText(c *schema.Column) string {
	b, err := schema.MarshalType(c.Type)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// spelt is a type for people, as MySQL spells it unless that hides how it differs.
func spelt(c, other *schema.Column) string {
	if s := convert.SourceType(c.Type); s != convert.SourceType(other.Type) {
		return s
	}
	return typeText(c)
}

// keyParts returns the parts of the index of that name, nil when there is none.
func keyParts(t *schema.Table, name schema.Name) []schema.IndexPart {
	for _, i := range append([]*schema.Index{t.PrimaryKey}, t.Indexes...) {
		if i != nil && i.Name == name && (i.Unique || i == t.PrimaryKey) {
			return i.Parts
		}
	}
	return nil
}
