package drift

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/kube/decision"
	"github.com/bascule/bascule/internal/kube/manifest"
)

// comparison is one comparison of regions.
type comparison struct {
	names   []*naming
	decided *decision.Harmonise
	plain   []string
	about   map[[2]string]*decision.Difference
	report  *Report
	groups  map[string]*Difference
}

// Compare lays regions side by side. Decisions may be nil.
func Compare(regions []Region, d *decision.Decisions) *Report {
	if d == nil {
		d = &decision.Decisions{}
	}
	c := &comparison{
		names: learnNames(regions, d.Harmonise.Words), decided: &d.Harmonise, plain: d.Plain, about: answers(&d.Harmonise),
		report: &Report{Differences: []*Difference{}}, groups: map[string]*Difference{},
	}
	for _, r := range regions {
		c.report.Regions = append(c.report.Regions, r.Name)
	}
	objects := c.index(regions)
	partial := slices.DeleteFunc(slices.Clone(objects), func(m matched) bool { return !slices.Contains(m, nil) })
	c.report.Partial = len(partial)
	c.propose(regions, partial)
	for _, m := range objects {
		if slices.Contains(m, nil) {
			c.missing(m)
		}
		if len(m)-count(m, nil) > 1 {
			c.object(m)
		}
	}
	slices.SortStableFunc(c.report.Differences, func(a, b *Difference) int {
		return cmp.Or(rank(a.Class)-rank(b.Class), len(b.Objects)-len(a.Objects), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Objects[0].Name(), b.Objects[0].Name()))
	})
	return c.report
}

func count(m matched, what *manifest.Object) int {
	n := 0
	for _, o := range m {
		if o == what {
			n++
		}
	}
	return n
}

func rank(c Class) int { return slices.Index([]Class{Drift, Missing, Expected}, c) }

// answers finds what was decided by path and object; an answer comes before an open question.
func answers(h *decision.Harmonise) map[[2]string]*decision.Difference {
	out := map[[2]string]*decision.Difference{}
	for i := range h.Differences {
		d := &h.Differences[i]
		for _, o := range d.Objects {
			k := [2]string{d.Path, o}
			if out[k] == nil || out[k].Open() {
				out[k] = d
			}
		}
	}
	return out
}

// decision finds what was decided about an object's path, by any of its names.
func (c *comparison) decision(path string, o Object) *decision.Difference {
	var open *decision.Difference
	for _, n := range o.Names {
		switch d := c.about[[2]string{path, n}]; {
		case d == nil:
		case !d.Open():
			return d
		default:
			open = d
		}
	}
	return open
}

// missing notes an object that some regions do not have.
func (c *comparison) missing(m matched) {
	d := &Difference{Class: Missing, Objects: []Object{named(m)}}
	for _, o := range m {
		d.Cells = append(d.Cells, Cell{Absent: o == nil})
	}
	d.NoSuggestion = "whether the others need it is for people to say"
	if c.report.Proposal.holds(d.Objects[0]) {
		d.NoSuggestion = "it may be an object that the others call otherwise"
	}
	c.file(d, c.decision("", d.Objects[0]))
}

// object compares one object as the regions have it.
func (c *comparison) object(m matched) {
	cells := make([]Cell, len(m))
	kind := ""
	for i, o := range m {
		if o == nil {
			cells[i] = Cell{Outside: true}
			continue
		}
		cells[i] = Cell{Value: o.Value}
		kind = o.Kind
	}
	if !slices.Contains(m, nil) {
		c.report.Shared++
	}
	w := &differ{}
	w.compare(nil, cells)
	names := named(m)
	for _, f := range w.out {
		f.cells = c.hide(kind, names, f)
		d := &Difference{Path: f.path.String(), Class: Drift, Objects: []Object{names}, Cells: f.cells}
		if d.Why = c.expected(kind, f.path, f.cells); d.Why != "" {
			d.Class = Expected
		} else {
			d.Suggestion, d.NoSuggestion = c.suggest(kind, f)
			d.Tags = c.imageTags(f)
		}
		c.file(d, c.decision(d.Path, names))
	}
}

// file puts a difference to those that are like it.
func (c *comparison) file(d *Difference, answer *decision.Difference) {
	d.State = Open
	switch {
	case answer != nil && answer.Open():
		d.State = Asked
	case answer != nil:
		d.State, d.Decision, d.Answer = Decided, answer, said(answer)
		d.Suggestion, d.NoSuggestion = nil, ""
	case d.Class == Expected:
		d.State = Settled
	}
	k := c.like(d)
	for i := range d.Cells {
		if d.Cells[i].Hidden {
			d.Cells[i].Value = nil
		}
	}
	if before := c.groups[k]; before != nil {
		before.Objects = append(before.Objects, d.Objects...)
		return
	}
	c.groups[k] = d
	c.report.Differences = append(c.report.Differences, d)
}

// like is the same for differences that are alike: the same path with the same values. Expected ones are alike by their path and reason.
func (c *comparison) like(d *Difference) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n%s\n%s\n%s\n%s", d.Path, d.Class, d.Why, d.State, d.Answer, d.NoSuggestion)
	if d.Suggestion != nil {
		fmt.Fprintf(&b, "\n%s", canonical(d.Suggestion))
	}
	if d.Class == Expected {
		return b.String()
	}
	if d.Tags != nil {
		return b.String() + "\n" + canonical(d.Tags)
	}
	hidden := map[string]int{}
	for _, x := range d.Cells {
		switch {
		case x.Absent:
			b.WriteString("\nabsent")
		case x.Outside:
			b.WriteString("\noutside")
		case x.Hidden:
			text := canonical(x.Value)
			if _, seen := hidden[text]; !seen {
				hidden[text] = len(hidden)
			}
			fmt.Fprintf(&b, "\nhidden %d", hidden[text])
		default:
			b.WriteString("\n=" + canonical(x.Value))
		}
	}
	return b.String()
}

// said says an answer in a few words.
func said(d *decision.Difference) string {
	var text string
	switch {
	case d.Keep != "":
		return "stays different: " + d.Keep
	case d.Remove:
		text = "removed"
	case d.Tag != "":
		text = "tag " + d.Tag
	case answersSecret(d):
		text = "a value that looks like a secret"
	default:
		text = canonical(d.Value)
	}
	if d.Reason != "" {
		text += " (" + d.Reason + ")"
	}
	return text
}
