package translate_test

import (
	"bytes"
	"flag"
	"fmt"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/kube/decision"
	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/profile"
	"github.com/bascule/bascule/internal/kube/story"
	"github.com/bascule/bascule/internal/kube/translate"
	"github.com/bascule/bascule/internal/kube/tree"
)

var update = flag.Bool("update", false, "rewrite testdata")

// TestStories translates the objects of each story and compares what Kustomize builds from the tree, and the findings, with what
// the story tells. A story is named for its rule, and has to meet it.
//
//	in.yaml        the source
//	release        the release, NAMESPACE/NAME, for which Helm renders it
//	decisions.yaml what people have decided
//	images         verified copies
//	live.yaml      what Kustomize builds for the phase live; also standby.yaml and mirror.yaml
//	findings       what people are told
func TestStories(t *testing.T) {
	story.Each(t, "testdata/*.txtar", func(t *testing.T, s *story.Story) {
		r := translatedOf(t, strings.TrimSpace(s.Parts["release"]), s.Parts["in.yaml"], s.Parts["decisions.yaml"], s.Parts["images"])
		if !met(r)[finding.Code(s.Name)] {
			t.Errorf("the story does not meet its rule")
		}
		got := map[string]string{"findings": told(r.Findings)}
		var phases []string
		for _, name := range s.Names {
			if phase, ok := strings.CutSuffix(name, ".yaml"); ok && name != "in.yaml" && name != "decisions.yaml" {
				phases = append(phases, phase)
			}
		}
		for phase, text := range build(t, r, phases...) {
			got[phase+".yaml"] = text
		}
		s.Compare(t, *update, got, "findings")
	})
}

func translated(t *testing.T, in, decisions, images string) *translate.Result {
	t.Helper()
	return translatedOf(t, "", in, decisions, images)
}

// translatedOf translates manifests, or what Helm renders for a release.
func translatedOf(t *testing.T, release, in, decisions, images string) *translate.Result {
	t.Helper()
	set, err := manifest.Read(strings.NewReader(in), "-")
	if namespace, name, ok := strings.Cut(release, "/"); ok {
		set, err = manifest.ReadRelease(manifest.Release{Namespace: namespace, Name: name, File: "-", Text: []byte(in)}, func(*manifest.Object) bool { return true })
	}
	if err != nil {
		t.Fatal(err)
	}
	d, err := decision.Parse([]byte(decisions))
	if err != nil {
		t.Fatal(err)
	}
	m, err := translate.ParseImages([]byte(images))
	if err != nil {
		t.Fatal(err)
	}
	p, err := profile.Load()
	if err != nil {
		t.Fatal(err)
	}
	return translate.Translate(translate.Input{Environment: "preprod", Set: set, Decisions: d, File: "kube.yaml", Profile: p, Images: m})
}

// build lets Kustomize build phases.
func build(t *testing.T, r *translate.Result, phases ...string) map[string]string {
	t.Helper()
	files, err := tree.Render(r)
	if err != nil {
		t.Fatal(err)
	}
	disk := filesys.MakeFsInMemory()
	for name, text := range files {
		if err := disk.WriteFile("/t/"+name, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := disk.WriteFile("/old/kustomization.yaml", []byte("resources: [../t/base]\ncomponents: [../t/mirror]\n")); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, phase := range phases {
		folder := map[string]string{"live": "/t/live", "standby": "/t/standby", "mirror": "/old"}[phase]
		m, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(disk, folder)
		if phase == "mirror" && err != nil {
			continue // quiets what base does not hold
		}
		if err != nil {
			t.Fatalf("build %s: %v", phase, err)
		}
		text, err := m.AsYaml()
		if err != nil {
			t.Fatal(err)
		}
		out[phase] = string(text)
	}
	return out
}

// met lists the rules that had something to do.
func met(r *translate.Result) map[finding.Code]bool {
	out := map[finding.Code]bool{}
	reason := func(x *translate.Reason) {
		if x != nil {
			out[x.Rule.ID] = true
		}
	}
	for _, o := range r.Objects {
		for _, ops := range [][]translate.Op{o.Ops, o.Standby, o.Mirror} {
			for _, op := range ops {
				out[op.Rule.ID] = true
			}
		}
		reason(o.Dropped)
		reason(o.Held)
		reason(o.Idle)
		reason(o.Quiet)
	}
	for _, m := range r.Made {
		out[m.Rule.ID] = true
	}
	for _, f := range r.Findings {
		out[f.Code] = true
	}
	return out
}

// told writes findings as stories tell them.
func told(findings []finding.Finding) string {
	var b bytes.Buffer
	for _, f := range findings {
		fmt.Fprintf(&b, "%s %s %s: %s (%s)\n  %s\n", f.Severity, f.Kind, f.Code, f.Object, strings.Join(f.Evidence, ", "), f.What)
		for line := range strings.Lines(f.Do) {
			fmt.Fprintf(&b, "  -> %s\n", strings.TrimSuffix(line, "\n"))
		}
	}
	return b.String()
}
