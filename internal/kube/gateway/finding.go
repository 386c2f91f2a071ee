package gateway

import (
	"cmp"
	"slices"

	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/kube/manifest"
)

// Verdict says how faithful a translation is.
type Verdict string

// The verdicts, best first.
const (
	// Same is mechanical.
	Same Verdict = "="
	// Changed is mechanical with a changed meaning: the finding says which.
	Changed Verdict = "≈"
	// Resource needs something in the cloud that the objects alone do not make.
	Resource Verdict = "R"
	// None has no equivalent: somebody has to decide, and the gate stays closed until then.
	None Verdict = "✗"
)

// Finding is one thing a person must know about one object, and about one annotation of it where Annotation is set.
type Finding struct {
	finding.Finding
	// Annotation is the whole key; empty for what is not said by an annotation.
	Annotation string `json:"annotation,omitempty"`
	// Row is the line of the mapping table that it belongs to: an id of annotations.yaml.
	Row     string  `json:"row"`
	Verdict Verdict `json:"verdict"`
	// Where is file:line.
	Where string `json:"where,omitempty"`
}

// kindOf and severityOf are what a verdict means in a report.
func kindOf(v Verdict) finding.Kind {
	if v == Resource {
		return finding.Question
	}
	return finding.Problem
}

func severityOf(v Verdict) finding.Severity {
	switch v {
	case Same:
		return finding.Info
	case Changed, Resource:
		return finding.Warning
	case None:
	}
	return finding.Blocker
}

// notes collects findings; what is noted twice is kept once.
type notes struct {
	table *Table
	all   []Finding
	seen  map[noteKey]bool
	told  map[[2]string]bool // objects and their annotations of which something was noted
}

type noteKey struct {
	object, annotation, what string
	code                     finding.Code
}

// remark is what a finding says where it differs from its row in the table: an empty field takes the table's.
type remark struct {
	verdict  Verdict
	code     finding.Code
	kind     finding.Kind
	severity finding.Severity
	row      string
	what, do string
	evidence []string
}

// on notes something about an annotation of an object.
func (n *notes) on(o *manifest.Object, annotation string, r remark) {
	n.add(o, annotation, n.filled(annotation, r))
}

// filled completes a remark by what the table says of the annotation.
func (n *notes) filled(annotation string, r remark) remark {
	if e, ok := n.table.lookup(annotation); ok {
		r.verdict = cmp.Or(r.verdict, e.Verdict)
		r.code = cmp.Or(r.code, finding.Code(e.Code))
		r.what = cmp.Or(r.what, e.What)
		if r.verdict != Same || e.Verdict == Same {
			r.do = cmp.Or(r.do, e.Do)
		}
		r.row = cmp.Or(r.row, e.Row)
	}
	return r
}

// about notes something that no annotation says.
func (n *notes) about(o *manifest.Object, r remark) { n.add(o, "", r) }

func (n *notes) add(o *manifest.Object, annotation string, r remark) {
	key := noteKey{o.String(), annotation, r.what, r.code}
	if n.seen[key] {
		return
	}
	if n.seen == nil {
		n.seen, n.told = map[noteKey]bool{}, map[[2]string]bool{}
	}
	n.seen[key], n.told[[2]string{key.object, annotation}] = true, true
	f := Finding{Annotation: annotation, Row: r.row, Verdict: r.verdict, Where: o.Where()}
	f.Code, f.What, f.Do, f.Object, f.Evidence = r.code, r.what, r.do, o.String(), r.evidence
	f.Kind = cmp.Or(r.kind, kindOf(r.verdict))
	f.Severity = cmp.Or(r.severity, severityOf(r.verdict))
	f.Owner = "platform"
	if annotation != "" {
		f.Where = o.Places().Of("metadata", "annotations", annotation)
	}
	n.all = append(n.all, f)
}

// said tells whether anything was noted about an annotation of an object.
func (n *notes) said(o *manifest.Object, annotation string) bool {
	return n.told[[2]string{o.String(), annotation}]
}

// sorted returns the findings by object, annotation and code, so that two runs say the same.
func (n *notes) sorted() []Finding {
	slices.SortStableFunc(n.all, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Object, b.Object), cmp.Compare(a.Annotation, b.Annotation), cmp.Compare(a.Code, b.Code))
	})
	return n.all
}
