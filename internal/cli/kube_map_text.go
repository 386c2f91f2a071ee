package cli

import (
	"fmt"
	"strings"

	"github.com/bascule/bascule/internal/kube/dependency"
)

// mapText writes a map for people.
type mapText struct {
	p *printer
	m *dependency.Map
}

func (t *mapText) print() {
	counts := []string{}
	for _, k := range dependency.Kinds {
		if n := len(t.m.Of(k)); n > 0 {
			counts = append(counts, kindPlural(n, k))
		}
	}
	t.p.wrapped("", strings.Join(counts, ", "))
	t.groups()
	t.hidden()
	t.uses()
	t.hosts()
	if len(t.m.Unknown) > 0 {
		t.p.line("\nNOT KNOWN\n")
		for _, u := range t.m.Unknown {
			t.p.wrapped("  ", clean(u.Workload+": "+u.What))
		}
	}
	if len(t.m.Addons) > 0 {
		t.p.line("\nLEFT BEHIND\n")
		t.p.wrapped("  ", "These belong to add-ons of the old platform and stand in no map: "+clean(strings.Join(t.m.Addons, ", "))+".")
	}
}

// kindPlural counts nodes of a kind.
func kindPlural(n int, k dependency.Kind) string {
	word := string(k)
	switch k { //nolint:exhaustive // the others need no other word
	case dependency.Outside:
		word = "outside host"
	case dependency.Search:
		word = "search domain"
	}
	return plural(int64(n), word)
}

// name is a node without its kind.
func (t *mapText) name(id string) string {
	if n := t.m.Node(id); n != nil {
		return clean(n.Name)
	}
	return clean(id)
}

func (t *mapText) names(ids []string) string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = t.name(id)
	}
	return strings.Join(out, ", ")
}

func (t *mapText) groups() {
	t.p.line("\nMUST MOVE TOGETHER")
	if len(t.m.Groups) == 0 {
		t.p.line("\n  no two workloads share state, as far as the manifests tell")
	}
	grouped := map[string]bool{}
	for i, g := range t.m.Groups {
		t.p.line("\n  group %d: %s by %s", i+1, plural(int64(len(g.Workloads)), "workload"), plural(int64(len(g.State)), "shared resource"))
		for _, w := range g.Workloads {
			grouped[w] = true
		}
		for _, s := range g.State {
			var users []string
			for _, tie := range g.Ties {
				if tie.State == s {
					users = append(users, t.name(tie.Workload)+note(tie))
				}
			}
			t.p.line("    %s", clean(s))
			t.p.wrapped("      ", strings.Join(users, ", "))
		}
		t.cut(g)
	}
	var alone []string
	for _, w := range t.m.Of(dependency.Workload) {
		if !grouped[w.ID] {
			alone = append(alone, clean(w.Name))
		}
	}
	if len(alone) > 0 {
		t.p.line("\nMOVE ALONE\n")
		t.p.wrapped("  ", strings.Join(alone, ", "))
	}
}

// note says of a tie what weakens it.
func note(t dependency.Tie) string {
	var what []string
	if t.Reads {
		what = append(what, "reads")
	}
	if t.Sure == dependency.Naming {
		what = append(what, string(t.Sure))
	}
	if len(what) == 0 {
		return ""
	}
	return " (" + strings.Join(what, ", ") + ")"
}

func (t *mapText) cut(g dependency.Group) {
	if g.Cut == nil {
		t.p.wrapped("    ", "cut: no single tie would part them")
		return
	}
	less, more := g.Cut.Apart, g.Cut.Rest
	if len(more) < len(less) {
		less, more = more, less
	}
	t.p.wrapped("    ", fmt.Sprintf("cut: without the tie of %s to %s, %s would be parted from the other %d", t.name(g.Cut.Workload), clean(g.Cut.State), t.names(less), len(more)))
	if g.Bridges > 1 {
		t.p.wrapped("    ", fmt.Sprintf("of %s that part it, this one does so most evenly", plural(int64(g.Bridges), "tie")))
	}
}

func (t *mapText) hidden() {
	if len(t.m.Hidden) == 0 {
		return
	}
	t.p.line("\nSEEM TO USE THE ROLE OF THEIR NODE, WHICH NO POD CAN ON GKE\n")
	for _, h := range t.m.Hidden {
		t.p.line("  %s, by its variable %s", clean(h.Workload), clean(h.Sign))
	}
}

// uses lists for each workload what it uses.
func (t *mapText) uses() {
	t.p.line("\nWHO USES WHAT")
	by := map[string][]dependency.Edge{}
	for _, e := range t.m.Edges {
		by[e.From] = append(by[e.From], e)
	}
	for _, w := range t.m.Of(dependency.Workload) {
		t.p.line("\n  %s", clean(w.Name))
		if len(by[w.ID]) == 0 {
			t.p.line("    nothing that its manifests name")
		}
		for _, e := range by[w.ID] {
			n := t.m.Node(e.To)
			sure := string(e.Sure)
			if e.Reads {
				sure += ", reads"
			}
			text := fmt.Sprintf("%s %s  (%s)", left(string(n.Kind), 8), clean(n.Name), sure)
			t.p.line("    %s", text)
			if n.Note != "" {
				t.p.wrapped("             ", clean(n.Note))
			}
			t.p.line("             %s", where(w.Name, e))
		}
	}
}

// where is the first place at which something was found, and how many more there are. Places of the workload's own object leave out its name.
func where(workload string, e dependency.Edge) string {
	f := e.Found[0]
	text := f.Path
	if f.Object != workload {
		text = f.Object + " " + f.Path
	}
	if n := len(e.Found) - 1; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return clean(text)
}

func (t *mapText) hosts() {
	hosts := t.m.Of(dependency.Host)
	if len(hosts) == 0 {
		return
	}
	t.p.line("\nHOSTS\n")
	for _, h := range hosts {
		var to []string
		for _, e := range t.m.Edges {
			if e.From == h.ID {
				to = append(to, t.name(e.To))
			}
		}
		t.p.wrapped("  ", clean(h.Name)+" → "+strings.Join(to, ", "))
	}
}
