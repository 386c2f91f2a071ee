package check_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/kube/builtin"
	"github.com/bascule/bascule/internal/kube/check"
	"github.com/bascule/bascule/internal/kube/crd"
	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/profile"
	"github.com/bascule/bascule/internal/kube/story"
)

var update = flag.Bool("update", false, "rewrite testdata")

// input is what a check of these texts takes, by name: *.yaml is manifests, crds.yaml definitions that lie beside them, exists a list.
func input(t testing.TB, version string, parts map[string]string) *check.Input {
	t.Helper()
	p, err := profile.Load()
	if err != nil {
		t.Fatal(err)
	}
	kinds, err := builtin.Load(version)
	if err != nil {
		t.Fatal(err)
	}
	in := &check.Input{Profile: p, Kinds: kinds, Version: version, Definitions: crd.New()}
	text, err := builtin.Definitions()
	if err == nil {
		err = in.Definitions.Add("gateway", text)
	}
	if err == nil {
		err = in.Definitions.Add("crds.yaml", []byte(parts["crds.yaml"]))
	}
	if err != nil {
		t.Fatal(err)
	}
	in.Exists = strings.FieldsFunc(parts["exists"], func(r rune) bool { return r == '\n' })
	var files []manifest.Text
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		if strings.HasSuffix(name, ".yaml") && name != "crds.yaml" {
			files = append(files, manifest.Text{Name: name, Text: []byte(parts[name])})
		}
	}
	set, err := manifest.ReadTexts(files)
	if err != nil {
		t.Fatal(err)
	}
	in.Views = []check.View{{Objects: set.Objects, Aside: set.Aside}}
	return in
}

func checked(t testing.TB, in *check.Input) *check.Result {
	t.Helper()
	r, err := check.Run(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// told writes findings as stories tell them.
func told(findings []finding.Finding) string {
	var b bytes.Buffer
	for _, f := range finding.NewReport(findings).Findings {
		fmt.Fprintf(&b, "%s %s: %s (%s)\n  %s\n", f.Severity, f.Code, f.Object, strings.Join(f.Evidence, "; "), f.What)
		for line := range strings.Lines(f.Do) {
			fmt.Fprintf(&b, "  -> %s\n", strings.TrimSuffix(line, "\n"))
		}
	}
	return b.String()
}

// TestStories checks the objects of each story, and compares the findings with those that it tells. Together they show every code of docs/kube.md,
// which has every code that the package has.
func TestStories(t *testing.T) {
	shown := map[string]bool{}
	story.Each(t, "testdata/*.txtar", func(t *testing.T, s *story.Story) {
		r := checked(t, input(t, "1.36", s.Parts))
		for _, f := range r.Findings {
			shown[string(f.Code)] = true
		}
		s.Compare(t, *update, map[string]string{"findings": told(r.Findings)}, "findings")
	})
	// Of the trees alone, which views_test.go tells.
	for _, code := range []string{"tree-changed", "override-not-checked", "override-without-object", "release-not-checked"} {
		shown[code] = true
	}
	documented := documentedCodes(t)
	for code := range shown {
		if !documented[code] && (!strings.HasPrefix(code, "missing-") || !documented["missing-KIND"]) {
			t.Errorf("docs/kube.md does not have %s", code)
		}
	}
	for code := range documented {
		if !shown[code] && code != "missing-KIND" {
			t.Errorf("no story shows %s", code)
		}
	}
	for _, code := range programCodes(t) {
		if !documented[code] {
			t.Errorf("docs/kube.md does not have %s, which the program has", code)
		}
	}
}

// documentedCodes are the codes of the table in docs/kube.md.
func documentedCodes(t *testing.T) map[string]bool {
	t.Helper()
	text, err := os.ReadFile("../../../docs/kube.md")
	if err != nil {
		t.Fatal(err)
	}
	_, part, ok := strings.Cut(string(text), "## What is checked\n")
	if !ok {
		t.Fatal("docs/kube.md has no part about what is checked")
	}
	part, _, _ = strings.Cut(part, "\n## ")
	part, _, _ = strings.Cut(part, "\n<!--")
	out := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-zA-Z-]+)` \\|").FindAllStringSubmatch(part, -1) {
		out[m[1]] = true
	}
	return out
}

// programCodes are the codes that stand in the package's text, and those that its data makes.
func programCodes(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	code := regexp.MustCompile(`(?:\badd\(|\btell\(|code: |Code: |return |code, severity = )"([a-z]+(?:-[a-z]+)+)"`)
	var out []string
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range code.FindAllStringSubmatch(string(text), -1) {
			out = append(out, m[1])
		}
	}
	p, err := profile.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range p.Gateways.Entries {
		out = append(out, "gateway-"+l.Code)
	}
	if len(out) < 40 {
		t.Fatalf("only %d codes", len(out))
	}
	return out
}
