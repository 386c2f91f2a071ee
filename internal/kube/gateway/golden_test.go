package gateway_test

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/bascule/bascule/internal/kube/gateway"
	"github.com/bascule/bascule/internal/kube/manifest"
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
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no stories", err)
	}
	unchecked := map[string]bool{}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txtar"), func(t *testing.T) { story(t, f, unchecked) })
	}
	if len(unchecked) > 0 {
		t.Logf("not checked for want of schemas in %s: %v", gkeCRDs(), unchecked)
	}
}

func story(t *testing.T, name string, unchecked map[string]bool) {
	t.Helper()
	archive, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string][]byte{}
	for _, f := range archive.Files {
		parts[f.Name] = f.Data
	}
	facts, err := gateway.ParseFacts(parts["facts.yaml"])
	if err != nil {
		t.Fatal(err)
	}
	objects := read(t, string(parts["in.yaml"]))
	results := []*gateway.Result{gateway.Translate(objects, facts), gateway.Balancers(objects, facts)}
	row := strings.TrimSuffix(filepath.Base(name), ".txtar")
	about := false
	for _, r := range results {
		for i := range r.Objects {
			if !valid(t, &r.Objects[i]) {
				unchecked[r.Objects[i].Kind] = true
			}
		}
		about = about || slices.ContainsFunc(r.Findings, func(f gateway.Finding) bool { return f.Row == row })
	}
	if isRow(t, row) && !about {
		t.Errorf("no finding of the story is of the row %s", row)
	}
	got := []txtar.File{{Name: "objects.yaml", Data: objectsText(t, results)}, {Name: "findings.txt", Data: findingsText(results)}}
	if *update {
		var kept []txtar.File
		for _, f := range archive.Files {
			if f.Name == "in.yaml" || f.Name == "facts.yaml" {
				kept = append(kept, f)
			}
		}
		archive.Files = slices.Concat(kept, got)
		if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, f := range got {
		if diff := gocmp.Diff(string(parts[f.Name]), string(f.Data)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", f.Name, diff)
		}
	}
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
