package cli

import (
	"slices"
	"strings"
	"time"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/convert"
	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/schema"
)

// planDoc is a plan as it is printed: the text and --json show the same document.
type planDoc struct {
	Source     sourceDoc          `json:"source"`
	Target     targetDoc          `json:"target"`
	Estimate   estimateDoc        `json:"estimate"`
	Tables     []tableDoc         `json:"tables"`
	Findings   []finding.Finding  `json:"findings"`
	Statements []change.Statement `json:"statements"`
	Next       []string           `json:"next"`
}

type sourceDoc struct {
	Address  string         `json:"address"`
	Database schema.Name    `json:"database"`
	Dialect  schema.Dialect `json:"dialect"`
	Version  string         `json:"version"`
}

type targetDoc struct {
	// Address is empty when the plan was made without a target.
	Address string      `json:"address,omitempty"`
	Schema  schema.Name `json:"schema"`
}

// estimateDoc adds up what the source believes to hold, and the time to copy it between
// the two rates below.
type estimateDoc struct {
	Tables  int           `json:"tables"`
	Rows    int64         `json:"rows"`
	Bytes   int64         `json:"bytes"`
	Fastest time.Duration `json:"fastest_ns"`
	Slowest time.Duration `json:"slowest_ns"`
}

// The rates of the estimate, in bytes of the source's data a second, indexes and keys
// included: from a line of 100 Mbit/s that nothing compresses to two cores and no network.
const (
	slowRate = 10 << 20
	fastRate = 40 << 20
)

// tableDoc says what becomes of one table.
type tableDoc struct {
	Source schema.Name `json:"source"`
	Target schema.Name `json:"target"`
	Rows   int64       `json:"rows"`
	Bytes  int64       `json:"bytes"`
	// CutBy are the source's columns that the copy cuts the table by; none means one
	// exact snapshot.
	CutBy   []schema.Name `json:"cut_by"`
	Columns []columnDoc   `json:"columns"`
	// Keys are the primary key, indexes, foreign keys and checks, in this order.
	Keys []keyDoc `json:"keys,omitempty"`
}

type columnDoc struct {
	Source     schema.Name     `json:"source"`
	Target     schema.Name     `json:"target"`
	SourceType string          `json:"source_type"`
	TargetType string          `json:"target_type"`
	Nullable   bool            `json:"nullable"`
	Identity   bool            `json:"identity,omitempty"`
	Default    *schema.Default `json:"default,omitempty"`
	Generated  string          `json:"generated,omitempty"`
	Why        string          `json:"why"`
}

// keyDoc pairs what the source has with what the target gets; one side may be empty:
// an index that has no form on the target, or one that only the target needs.
type keyDoc struct {
	Source string `json:"source,omitempty"`
	Target string `json:"target,omitempty"`
}

// newPlanDoc describes a plan. It asks no server.
func newPlanDoc(p *convert.Plan, stmts []change.Statement, source, target string) *planDoc {
	d := &planDoc{
		Source:   sourceDoc{Address: source, Database: p.Source.Name, Dialect: p.Source.Dialect, Version: p.Source.Version},
		Target:   targetDoc{Address: target, Schema: p.Target.Name},
		Findings: sorted(p.Findings), Statements: stmts,
	}
	d.Estimate.Tables = len(p.Tables)
	for _, t := range p.Tables {
		d.Tables = append(d.Tables, newTableDoc(t))
		d.Estimate.Rows += t.Select.Table.Rows
		d.Estimate.Bytes += t.Select.Table.Bytes
	}
	d.Estimate.Fastest = span(d.Estimate.Bytes, fastRate)
	d.Estimate.Slowest = span(d.Estimate.Bytes, slowRate)
	return d
}

// span is the time for n bytes at a rate, a second at least.
func span(n, rate int64) time.Duration {
	return max(time.Duration(float64(n)/float64(rate)*float64(time.Second)).Round(time.Second), time.Second)
}

func newTableDoc(t *convert.Table) tableDoc {
	src := t.Select.Table
	d := tableDoc{Source: src.Name, Target: t.Target.Name, Rows: src.Rows, Bytes: src.Bytes, CutBy: []schema.Name{}}
	for _, k := range t.Select.Key {
		d.CutBy = append(d.CutBy, k.Name)
	}
	renamed := map[schema.Name]schema.Name{}
	for _, c := range t.Columns {
		renamed[c.Source.Name] = c.Target.Name
		col := columnDoc{
			Source: c.Source.Name, Target: c.Target.Name,
			SourceType: convert.SourceType(c.Source.Type), TargetType: convert.TargetType(c.Target.Type),
			Nullable: c.Target.Nullable, Identity: c.Target.Identity, Default: c.Target.Default, Why: c.Why,
		}
		if c.Target.Generated != nil {
			col.Generated = c.Target.Generated.Expr
		}
		d.Columns = append(d.Columns, col)
	}
	d.Keys = append(pairIndexes(src, t.Target, renamed), pairForeignKeys(src, t.Target, renamed)...)
	for _, c := range t.Target.Checks {
		d.Keys = append(d.Keys, keyDoc{Target: "check " + string(c.Name) + ": " + c.Expr})
	}
	return d
}

// pairIndexes finds for each index of the source the target's index over the same
// columns. What is left over on either side stands alone; findings say why.
func pairIndexes(src, dst *schema.Table, renamed map[schema.Name]schema.Name) []keyDoc {
	var out []keyDoc
	left := slices.Clone(dst.Indexes)
	if src.PrimaryKey != nil || dst.PrimaryKey != nil {
		k := keyDoc{}
		if src.PrimaryKey != nil {
			k.Source = "primary key " + partsText(src.PrimaryKey)
		}
		if dst.PrimaryKey != nil {
			k.Target = "primary key " + string(dst.PrimaryKey.Name) + " " + partsText(dst.PrimaryKey)
		}
		out = append(out, k)
	}
	for _, i := range src.Indexes {
		k := keyDoc{Source: indexText(i)}
		at := slices.IndexFunc(left, func(o *schema.Index) bool { return sameColumns(i, o, renamed) })
		if at >= 0 {
			k.Target = indexText(left[at])
			left = slices.Delete(left, at, at+1)
		}
		out = append(out, k)
	}
	for _, o := range left {
		out = append(out, keyDoc{Target: indexText(o)})
	}
	return out
}

// sameColumns compares the columns of two indexes; a part that is an expression on the
// target (a prefix, a word search) fits any column.
func sameColumns(src, dst *schema.Index, renamed map[schema.Name]schema.Name) bool {
	if src.Unique != dst.Unique {
		return false
	}
	if len(dst.Parts) == 1 && dst.Parts[0].Expr != "" && src.Method == schema.FullText {
		return true
	}
	return slices.EqualFunc(src.Parts, dst.Parts, func(a, b schema.IndexPart) bool {
		return b.Expr != "" || a.Column != "" && renamed[a.Column] == b.Column
	})
}

func indexText(i *schema.Index) string {
	what := "index "
	if i.Unique {
		what = "unique index "
	}
	text := what + string(i.Name) + " "
	if i.Method != "" && i.Method != schema.BTree {
		text += string(i.Method) + " "
	}
	return text + partsText(i)
}

func partsText(i *schema.Index) string {
	parts := make([]string, len(i.Parts))
	for n, p := range i.Parts {
		parts[n] = string(p.Column)
		if p.Expr != "" {
			parts[n] = p.Expr
		}
		if p.Prefix > 0 {
			parts[n] += "(" + count(int64(p.Prefix)) + ")"
		}
		if p.Desc {
			parts[n] += " desc"
		}
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

func pairForeignKeys(src, dst *schema.Table, renamed map[schema.Name]schema.Name) []keyDoc {
	var out []keyDoc
	left := slices.Clone(dst.ForeignKeys)
	for _, f := range src.ForeignKeys {
		k := keyDoc{Source: foreignKeyText(f)}
		at := slices.IndexFunc(left, func(o *schema.ForeignKey) bool {
			return slices.EqualFunc(f.Columns, o.Columns, func(a, b schema.Name) bool { return renamed[a] == b }) &&
				strings.EqualFold(string(f.Parent), string(o.Parent))
		})
		if at >= 0 {
			k.Target = foreignKeyText(left[at])
			left = slices.Delete(left, at, at+1)
		}
		out = append(out, k)
	}
	for _, o := range left {
		out = append(out, keyDoc{Target: foreignKeyText(o)})
	}
	return out
}

func foreignKeyText(f *schema.ForeignKey) string {
	text := "foreign key " + string(f.Name) + " (" + names(f.Columns) + ") to " + string(f.Parent) + " (" + names(f.ParentColumns) + ")"
	if f.OnDelete != "" && f.OnDelete != schema.NoAction && f.OnDelete != schema.Restrict {
		text += " on delete " + strings.ToLower(string(f.OnDelete))
	}
	if f.OnUpdate != "" && f.OnUpdate != schema.NoAction && f.OnUpdate != schema.Restrict {
		text += " on update " + strings.ToLower(string(f.OnUpdate))
	}
	return text
}

func names(ns []schema.Name) string {
	s := make([]string, len(ns))
	for i, n := range ns {
		s[i] = string(n)
	}
	return strings.Join(s, ", ")
}
