package dependency_test

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/kube/dependency"
	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/profile"
	"github.com/bascule/bascule/internal/kube/story"
)

var update = flag.Bool("update", false, "rewrite testdata")

// TestStories maps the objects of each story.
//
//	in.yaml     the manifests
//	databases   those of bascule.yaml: NAME HOST, one a line
//	map         what is found
func TestStories(t *testing.T) {
	p, err := profile.Load()
	if err != nil {
		t.Fatal(err)
	}
	story.Each(t, "testdata/*.txtar", func(t *testing.T, s *story.Story) {
		in := dependency.Input{Profile: p, Set: read(t, s.Parts["in.yaml"])}
		for line := range strings.Lines(s.Parts["databases"]) {
			name, host, _ := strings.Cut(strings.TrimSpace(line), " ")
			in.Databases = append(in.Databases, dependency.Known{Name: name, Host: host})
		}
		s.Compare(t, *update, map[string]string{"map": told(dependency.New(in))}, "map")
	})
}

func read(t testing.TB, text string) *manifest.Set {
	t.Helper()
	set, err := manifest.Read(strings.NewReader(text), "-")
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// told writes a map as stories tell it.
func told(m *dependency.Map) string {
	var b strings.Builder
	for _, e := range m.Edges {
		reads := ""
		if e.Reads {
			reads = ", reads"
		}
		fmt.Fprintf(&b, "%s -> %s (%s%s)\n", e.From, e.To, e.Sure, reads)
		for _, f := range e.Found {
			fmt.Fprintf(&b, "  %s %s\n", f.Object, f.Path)
		}
	}
	for _, n := range m.Nodes {
		if n.Note != "" {
			fmt.Fprintf(&b, "%s: %s\n", n.ID, n.Note)
		}
	}
	for _, g := range m.Groups {
		fmt.Fprintf(&b, "group %s by %s, %d bridges\n", strings.Join(g.Workloads, ", "), strings.Join(g.State, ", "), g.Bridges)
		if g.Cut != nil {
			fmt.Fprintf(&b, "  cut %s -> %s: %s | %s\n", g.Cut.Workload, g.Cut.State, strings.Join(g.Cut.Apart, ", "), strings.Join(g.Cut.Rest, ", "))
		}
	}
	for _, h := range m.Hidden {
		fmt.Fprintf(&b, "node's role: %s by %s\n", h.Workload, h.Sign)
	}
	for _, u := range m.Unknown {
		fmt.Fprintf(&b, "unknown: %s: %s\n", u.Workload, u.What)
	}
	for _, a := range m.Addons {
		fmt.Fprintf(&b, "add-on: %s\n", a)
	}
	return b.String()
}
