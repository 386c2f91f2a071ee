package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/finding"
)

// findingsText writes the report of findings, worst first, or that there are none.
func findingsText(p *printer, fs []finding.Finding) {
	if len(fs) == 0 {
		p.line("findings: none")
		return
	}
	p.line("findings: %s", findingsCount(fs))
	sorted := slices.Clone(fs)
	slices.SortStableFunc(sorted, func(a, b finding.Finding) int { return cmp.Compare(rank(a), rank(b)) })
	for i := range sorted {
		p.line("")
		findingText(p, &sorted[i])
	}
}

// severities are worst first.
var severities = []finding.Severity{finding.Blocker, finding.Warning, finding.Info}

func rank(f finding.Finding) int { return slices.Index(severities, f.Severity) }

func findingsCount(fs []finding.Finding) string {
	var said []string
	for _, s := range severities {
		n := 0
		for _, f := range fs {
			if f.Severity == s {
				n++
			}
		}
		switch {
		case n > 0 && s == finding.Info:
			said = append(said, count(int64(n))+" for information")
		case n > 0:
			said = append(said, plural(int64(n), string(s)))
		}
	}
	return strings.Join(said, ", ")
}

// findingText writes severity, code and object, then what is the case and what to do.
func findingText(p *printer, f *finding.Finding) {
	head := fmt.Sprintf("%-7s  %s", f.Severity, f.Code)
	if f.Object != "" {
		head += "  " + clean(f.Object)
	}
	if f.Count > 0 {
		head += "  (" + count(f.Count) + ")"
	}
	if f.Accepted {
		head += "  accepted"
	}
	p.line("%s", head)
	p.wrapped("         ", clean(f.What))
	if f.Do != "" {
		p.wrapped("         ", "do: "+clean(f.Do))
	}
	for _, e := range f.Evidence {
		p.wrapped("         ", "- "+clean(e))
	}
}
