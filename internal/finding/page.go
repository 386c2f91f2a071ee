package finding

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
)

//go:embed page.html
var pageHTML string

var pageTemplate = template.Must(template.New("page").Parse(pageHTML))

// Part is the report of one thing among several: of a database, of an environment's workloads.
type Part struct {
	// Title says what it is about.
	Title string
	Report
}

// group is the findings of one severity.
type group struct {
	Title    string
	Severity Severity
	Open     bool
	Findings []Finding
}

// columns are what Numbers counts.
var columns = []string{"blockers", "warnings", "info", "questions", "opportunities"}

// Numbers counts what a table of several parts compares: see columns.
func (p Part) Numbers() []int {
	out := make([]int, len(columns))
	for _, f := range p.Findings {
		out[rank(f.Severity)]++
		switch f.Kind {
		case Question:
			out[3]++
		case Opportunity:
			out[4]++
		case Problem, Loss:
		}
	}
	return out
}

// Groups are the findings by severity. Those that only inform stay folded.
func (p Part) Groups() []group {
	var out []group
	for i, s := range severities {
		g := group{Severity: s, Open: s != Info}
		for _, f := range p.Findings {
			if rank(f.Severity) == i {
				f.Severity = s
				g.Findings = append(g.Findings, f)
			}
		}
		if n := len(g.Findings); n > 0 {
			g.Title = plural(n, string(s))
			out = append(out, g)
		}
	}
	return out
}

// WriteHTML writes several reports as one page, which needs nothing else: it can be mailed, printed, and read without a network.
func WriteHTML(w io.Writer, title string, parts []Part) error {
	all := Joined(parts)
	view := struct {
		Title, Verdict, Counts string
		Blocking               int
		Parts                  []Part
		Columns                []string
	}{Title: title, Columns: columns, Blocking: len(all.Blocking()), Parts: parts, Counts: strings.TrimSuffix(strings.SplitAfter(all.headline(), ". ")[0], " ")}
	view.Verdict = "Nothing stands in the way."
	if view.Blocking > 0 {
		view.Verdict = fmt.Sprintf("%s to settle first.", plural(view.Blocking, "finding"))
	}
	return pageTemplate.Execute(w, view)
}

// Joined is one report of several, each finding's object with the title of its part.
func Joined(parts []Part) Report {
	var all []Finding
	for _, p := range parts {
		for _, f := range p.Findings {
			if len(parts) > 1 {
				f.Object = strings.TrimSuffix(p.Title+": "+f.Object, ": ")
			}
			all = append(all, f)
		}
	}
	return NewReport(slices.Clip(all))
}
