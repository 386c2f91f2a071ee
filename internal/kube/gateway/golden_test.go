package gateway_test

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/kube/gateway"
	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/story"
)

var update = flag.Bool("update", false, "rewrite testdata")

func read(t testing.TB, text string) []*manifest.Object {
	t.Helper()
	set, err := manifest.Read(strings.NewReader(text), "-")
	if err != nil {
		t.Fatal(err)
	}
	return set.Objects
}

// TestStories tells a story for each row of the mapping tables, and some more: manifests and facts go in, objects, patches, needs and findings
// come out. Every object that has a schema is held against it.
func TestStories(t *testing.T) {
	unchecked := map[string]bool{}
	story.Each(t, "testdata/*.txtar", func(t *testing.T, s *story.Story) { tell(t, s, unchecked) })
	if len(unchecked) > 0 {
		t.Logf("not checked for want of schemas in %s: %v", gkeCRDs(), unchecked)
	}
}

func tell(t *testing.T, s *story.Story, unchecked map[string]bool) {
	t.Helper()
	facts, err := gateway.ParseFacts([]byte(s.Parts["facts.yaml"]))
	if err != nil {
		t.Fatal(err)
	}
	objects := read(t, s.Parts["in.yaml"])
	results := []*gateway.Result{gateway.Translate(objects, facts), gateway.Balancers(objects, facts)}
	about := false
	for _, r := range results {
		for i := range r.Objects {
			if !valid(t, &r.Objects[i]) {
				unchecked[r.Objects[i].Kind] = true
			}
		}
		about = about || slices.ContainsFunc(r.Findings, func(f gateway.Finding) bool { return f.Row == s.Name })
	}
	if isRow(t, s.Name) && !about {
		t.Errorf("no finding of the story is of the row %s", s.Name)
	}
	s.Compare(t, *update, map[string]string{"objects.yaml": string(objectsText(t, results)), "findings.txt": string(findingsText(results))}, "objects.yaml", "findings.txt")
}

func isRow(t *testing.T, id string) bool {
	t.Helper()
	parsed, err := gateway.ReadTable(table(t))
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(parsed.Rows, func(r gateway.Row) bool { return r.ID == id })
}

// TestEveryRowHasAStory: a row without one is a promise that nobody keeps.
func TestEveryRowHasAStory(t *testing.T) {
	parsed, err := gateway.ReadTable(table(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range parsed.Rows {
		if _, err := os.Stat("testdata/" + r.ID + ".txtar"); err != nil {
			t.Errorf("the row %s has no story", r.ID)
		}
	}
}

func objectsText(t *testing.T, results []*gateway.Result) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, r := range results {
		for i := range r.Objects {
			text, err := r.Objects[i].Text()
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&out, "---\n%s", text)
		}
		for i := range r.Patches {
			text, err := r.Patches[i].Text()
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&out, "---\n# patch: %s\n%s", r.Patches[i].Why, text)
		}
	}
	return out.Bytes()
}

func findingsText(results []*gateway.Result) []byte {
	var out bytes.Buffer
	for _, r := range results {
		for i := range r.Findings {
			f := &r.Findings[i]
			fmt.Fprintf(&out, "%s %s %s [%s, %s, %s] %s\n  %s\n", f.Verdict, f.Object, cmp.Or(f.Annotation, "-"), f.Code, f.Kind, f.Row, f.Where, f.What)
			if f.Do != "" {
				fmt.Fprintf(&out, "  do: %s\n", f.Do)
			}
			for _, e := range f.Evidence {
				fmt.Fprintf(&out, "  evidence: %s\n", e)
			}
		}
		for _, o := range r.Replaced {
			fmt.Fprintf(&out, "replaced: %s\n", o)
		}
		for _, n := range r.Needs {
			fmt.Fprintf(&out, "needs: %s %s, %s, for %v: %v\n", n.Kind, n.Name, n.Scope, n.For, n.Detail)
		}
	}
	return out.Bytes()
}
