package convert

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/schema"
)

// indexFindings tells what a query or a person must know about an index.
func (t *tablePlan) indexFindings(src, ix *schema.Index) {
	object := string(t.source.Name) + "." + string(src.Name)
	if src.Invisible {
		t.find(finding.Finding{
			Code: CodeIndexInvisible, Kind: finding.Problem, Severity: finding.Info, Object: object,
			What: "It is INVISIBLE on the source; PostgreSQL's planner uses every index.",
			Do:   fmt.Sprintf("DROP INDEX %s.%s, if nothing misses it on the source.", quoteName(t.opt.Schema), quoteName(ix.Name)), Owner: "dba",
		})
	}
	if ix.Method == schema.FullText {
		t.find(finding.Finding{
			Code: CodeFullText, Kind: finding.Problem, Severity: finding.Warning, Object: object,
			What: "FULLTEXT becomes a GIN index over to_tsvector; MATCH ... AGAINST does not exist on PostgreSQL, and words are neither stemmed nor stopped.",
			Do:   fmt.Sprintf("Write the index's expression in the query: WHERE %s @@ websearch_to_tsquery('simple', $1).", ix.Parts[0].Expr), Owner: "application",
		})
		return
	}
	t.prefixFindings(object, src, ix)
	t.lengthFinding(object, src)
}

// prefixFindings tells how a query must be written to use an expression in
// place of a prefix.
func (t *tablePlan) prefixFindings(object string, src, ix *schema.Index) {
	var exprs []string
	for i, p := range ix.Parts {
		if p.Expr != "" && src.Parts[i].Prefix > 0 {
			exprs = append(exprs, p.Expr)
		}
	}
	if len(exprs) == 0 {
		return
	}
	f := finding.Finding{
		Code: CodeIndexPrefix, Kind: finding.Problem, Severity: finding.Info, Object: object,
		What: fmt.Sprintf("Its prefix becomes an expression: %s.", strings.Join(exprs, ", ")),
		Do:   fmt.Sprintf("Repeat the expression in queries that should use the index, beside the whole comparison: WHERE %s = ...", exprs[0]), Owner: "application",
	}
	if src.Unique {
		f.What += " It stays unique by that prefix."
	}
	t.find(f)
}

// lengthFinding warns when values may exceed what a B-tree entry holds, for
// then the index cannot be built, or a later insert fails.
func (t *tablePlan) lengthFinding(object string, src *schema.Index) {
	var possible, measured int64
	known := true
	for _, p := range src.Parts {
		n, m, ok := t.partBytes(p)
		possible, measured, known = possible+n, measured+m, known && ok
	}
	if possible <= btreeEntry {
		return
	}
	f := finding.Finding{
		Code: CodeIndexTooLong, Kind: finding.Problem, Severity: finding.Info, Object: object,
		What: fmt.Sprintf("Its entries may have %d bytes and PostgreSQL's B-tree holds %d after compression; today's values fit, a longer one will be refused.", possible, btreeEntry),
		Do:   "Index left(column, n), or md5(column) when only equality is asked for.", Owner: "dba",
	}
	switch {
	case !known:
		f.Severity = finding.Warning
		f.What = fmt.Sprintf("Its entries may have %d bytes and PostgreSQL's B-tree holds %d after compression; the longest value was not measured.", possible, btreeEntry)
	case measured > btreeEntry:
		f.Severity = finding.Warning
		f.What = fmt.Sprintf("Its entries have up to %d bytes and PostgreSQL's B-tree holds %d after compression, so building it may fail.", measured, btreeEntry)
	}
	if known {
		f.Evidence = []string{fmt.Sprintf("longest entry: %d bytes", measured)}
	}
	t.find(f)
}

// partBytes returns how long an index part can be, and how long it was measured.
func (t *tablePlan) partBytes(p schema.IndexPart) (possible, measured int64, known bool) {
	c := t.source.Column(p.Column)
	if c == nil {
		return 0, 0, true
	}
	possible = maxBytes(c.Type)
	if possible == 0 {
		return 8, 8, true // a number or a date
	}
	if p.Prefix > 0 {
		possible = min(possible, 4*int64(p.Prefix))
	}
	a, ok := t.evidence.answer(ref{t.source.Name, c.Name}, schema.AskMaxBytes)
	if !ok || a.Estimated {
		return possible, possible, possible <= btreeEntry
	}
	n, err := strconv.ParseInt(a.Max, 10, 64)
	if err != nil && a.Max != "" {
		return possible, possible, false
	}
	return possible, min(n, possible), true
}

func (t *tablePlan) indexDropped(src *schema.Index, s finding.Severity, why string) {
	what := fmt.Sprintf("It is left out: %s.", why)
	if src.Unique {
		what += " It was unique, so PostgreSQL will accept duplicates that MySQL refuses."
	}
	t.find(finding.Finding{
		Code: CodeIndexDropped, Kind: finding.Problem, Severity: s, Object: string(t.source.Name) + "." + string(src.Name),
		What: what, Do: "Create one that serves the same queries after the move.", Owner: "dba",
	})
}
