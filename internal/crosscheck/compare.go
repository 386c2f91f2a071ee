package crosscheck

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Options say how the two sides correspond.
type Options struct {
	// Schema is the target's schema; empty means public.
	Schema string
	// Rename gives the target's name for a source table ("orders") or column
	// ("orders.Total"), where it is not the source's name in lower case.
	Rename map[string]string
	// NullDates expects NULL where the source has a date that does not exist:
	// a zero month or day, or the year 0000.
	NullDates bool
	// MaxDifferences bounds what is kept per table; all are counted. Zero means 20.
	MaxDifferences int
	// Only names the source tables to compare; empty means all.
	Only []string
	// Exclude holds patterns of path.Match for source tables to leave out.
	Exclude []string
}

// Kind says in what way the sides differ.
type Kind string

// The kinds of differences.
const (
	MissingTable  Kind = "missing table"
	MissingColumn Kind = "missing column"
	MissingRow    Kind = "missing row"
	ExtraRow      Kind = "extra row"
	ChangedValue  Kind = "changed value"
)

// Difference is one value, row, column or table that did not arrive as it was.
// Source and Target are canonical texts; nil is NULL, or nothing there at all.
type Difference struct {
	Table  string  `json:"table"`
	Kind   Kind    `json:"kind"`
	Key    string  `json:"key,omitempty"`
	Column string  `json:"column,omitempty"`
	Source *string `json:"source,omitempty"`
	Target *string `json:"target,omitempty"`
}

// Table is what was compared of one source table.
type Table struct {
	Source      string       `json:"source"`
	Target      string       `json:"target"`
	SourceRows  int64        `json:"source_rows"`
	TargetRows  int64        `json:"target_rows"`
	Values      int64        `json:"values"`
	Different   int64        `json:"different"`
	Differences []Difference `json:"differences,omitempty"`
}

// Report is the result of a comparison.
type Report struct {
	Tables []Table `json:"tables"`
	// Notes name tables and columns that only the target has.
	Notes []string `json:"notes,omitempty"`
}

// Different counts the differences of all tables.
func (r *Report) Different() int64 {
	var n int64
	for _, t := range r.Tables {
		n += t.Different
	}
	return n
}

// Values counts the pairs of values that were compared, NULLs included.
func (r *Report) Values() int64 {
	var n int64
	for _, t := range r.Tables {
		n += t.Values
	}
	return n
}

// Compare reads both databases and returns what differs. Differences are not
// an error: an error means that something could not be compared, and then
// nothing is known. The databases must not be written to meanwhile.
func Compare(ctx context.Context, sourceURL, targetURL string, o Options) (*Report, error) {
	if o.Schema == "" {
		o.Schema = "public"
	}
	for _, pattern := range o.Exclude {
		if _, err := path.Match(pattern, ""); err != nil {
			return nil, fmt.Errorf("read pattern %q: %w", pattern, err)
		}
	}
	if o.MaxDifferences == 0 {
		o.MaxDifferences = 20
	}
	src, err := openSource(ctx, sourceURL)
	if err != nil {
		return nil, err
	}
	defer src.db.Close()
	dst, err := openTarget(ctx, targetURL, o.Schema)
	if err != nil {
		return nil, err
	}
	defer dst.close(ctx)
	tables, err := src.tables(ctx)
	if err != nil {
		return nil, err
	}
	there, err := dst.tables(ctx)
	if err != nil {
		return nil, err
	}
	report := &Report{}
	matched := map[string]bool{}
	for _, t := range tables {
		name := o.targetName(t.name, "")
		matched[name] = true
		if !o.wants(t.name) {
			continue
		}
		columns, ok := there[name]
		if !ok {
			report.Tables = append(report.Tables, missingTable(t.name, name))
			continue
		}
		result, notes, err := compareTable(ctx, src, dst, t, name, columns, o)
		if err != nil {
			return nil, fmt.Errorf("compare table %q with %q: %w", t.name, name, err)
		}
		report.Tables = append(report.Tables, result)
		report.Notes = append(report.Notes, notes...)
	}
	for name := range there {
		if !matched[name] {
			report.Notes = append(report.Notes, fmt.Sprintf("table %q is on the target only", name))
		}
	}
	slices.Sort(report.Notes)
	return report, nil
}

func (o Options) wants(table string) bool {
	for _, pattern := range o.Exclude {
		if ok, _ := path.Match(pattern, table); ok { // Compare has checked the pattern
			return false
		}
	}
	return len(o.Only) == 0 || slices.Contains(o.Only, table)
}

func (o Options) targetName(table, column string) string {
	key, name := table, table
	if column != "" {
		key, name = table+"."+column, column
	}
	if to, ok := o.Rename[key]; ok {
		return to
	}
	return strings.ToLower(name)
}

func missingTable(source, target string) Table {
	return Table{
		Source: source, Target: target, Different: 1,
		Differences: []Difference{{Table: source, Kind: MissingTable}},
	}
}

// pair is one column as both sides have it.
type pair struct {
	name           string
	source, target string // SQL expressions
	canon          canon
}

func compareTable(ctx context.Context, src *source, dst *target, t sourceTable, name string, there []targetColumn, o Options) (Table, []string, error) {
	result := Table{Source: t.name, Target: name}
	var pairs []pair
	used := map[string]bool{}
	for _, c := range t.columns {
		want := o.targetName(t.name, c.name)
		i := slices.IndexFunc(there, func(tc targetColumn) bool { return tc.name == want })
		if i < 0 {
			result.Different++
			result.Differences = append(result.Differences, Difference{Table: t.name, Kind: MissingColumn, Column: c.name})
			continue
		}
		used[want] = true
		p, err := plan(c, there[i], o)
		if err != nil {
			return result, nil, err
		}
		pairs = append(pairs, p)
	}
	var notes []string
	for _, tc := range there {
		if !used[tc.name] {
			notes = append(notes, fmt.Sprintf("column %q.%q is on the target only", name, tc.name))
		}
	}
	if len(pairs) == 0 {
		return result, notes, nil
	}
	keys := keyPositions(t, pairs)
	return result, notes, compareRows(ctx, src, dst, &result, pairs, keys, o)
}

// keyPositions gives the places of the key's columns in pairs, or all places
// for a table without a key, whose rows are compared as a multiset.
func keyPositions(t sourceTable, pairs []pair) []int {
	var at []int
	for _, k := range t.key {
		if i := slices.IndexFunc(pairs, func(p pair) bool { return p.name == k }); i >= 0 {
			at = append(at, i)
		}
	}
	if len(at) == len(t.key) && len(at) > 0 {
		return at
	}
	at = at[:0]
	for i := range pairs {
		at = append(at, i)
	}
	return at
}
