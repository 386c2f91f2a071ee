package check

import (
	"cmp"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/kube/manifest"
)

// Who decides.
const (
	operator    = "operator"
	application = "application"
)

// note is a finding before those that say the same are one, and before anybody has looked up its line.
type note struct {
	code     finding.Code
	severity finding.Severity
	o        *manifest.Object
	path     []string
	// object and where stand for o and path where there is no object.
	object, where   string
	what, do, owner string
}

// log collects the notes about one object.
type log struct {
	o     *manifest.Object
	notes []note
}

func (l *log) add(code finding.Code, severity finding.Severity, path []string, what, do, owner string) {
	l.notes = append(l.notes, note{code: code, severity: severity, o: l.o, path: slices.Clone(path), what: what, do: do, owner: owner})
}

// mostPlaces is how many places one finding names.
const mostPlaces = 5

// merger makes one finding of notes that say the same of several objects, or of one object in several views.
type merger struct {
	views int
	at    map[same]*merged
	order []*merged
}

type same struct {
	code     finding.Code
	what, do string
}

type merged struct {
	note
	first  []note // of the objects that are named
	known  map[string]bool
	views  []string
	viewed int // the view that was seen last, and 1
}

func newMerger(views int) *merger { return &merger{views: views, at: map[same]*merged{}} }

func (m *merger) add(index int, view string, notes []note) {
	for _, n := range notes {
		k := same{n.code, n.what, n.do}
		g := m.at[k]
		if g == nil {
			g = &merged{note: n, known: map[string]bool{}}
			m.at[k] = g
			m.order = append(m.order, g)
		}
		if g.viewed != index+1 {
			g.viewed = index + 1
			g.views = append(g.views, view)
		}
		name := n.named()
		if g.known[name] {
			continue
		}
		g.known[name] = true
		if len(g.first) <= mostPlaces {
			g.first = append(g.first, n)
		}
		if rank(n.severity) < rank(g.severity) {
			g.severity = n.severity
		}
	}
}

func rank(s finding.Severity) int {
	return slices.Index([]finding.Severity{finding.Blocker, finding.Warning, finding.Info}, s)
}

func (n *note) named() string {
	if n.o == nil {
		return n.object
	}
	return n.o.String()
}

func (n *note) place() string {
	if n.o == nil {
		return n.where
	}
	return n.o.Places().Of(n.path...)
}

// findings looks up the lines of what is told.
func (m *merger) findings() []finding.Finding {
	var out []finding.Finding
	for _, g := range m.order {
		slices.SortStableFunc(g.first, func(a, b note) int { return cmp.Compare(a.named(), b.named()) })
		f := finding.Finding{Code: g.code, Kind: finding.Problem, Severity: g.severity, Object: g.first[0].named(), What: g.what, Do: g.do, Owner: g.owner}
		f.Evidence = append(f.Evidence, g.first[0].place())
		for _, n := range g.first[1:] {
			f.Evidence = append(f.Evidence, n.named()+", "+n.place())
		}
		if n := len(g.known); n > 1 {
			f.Count = int64(n)
		}
		if len(g.views) < m.views {
			f.Evidence = append(f.Evidence, "only in "+strings.Join(g.views, ", "))
		}
		out = append(out, f)
	}
	return out
}
