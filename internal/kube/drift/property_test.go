package drift_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/bascule/bascule/internal/kube/decision"
	"github.com/bascule/bascule/internal/kube/drift"
	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/profile"
	"github.com/bascule/bascule/internal/kube/translate"
	"github.com/bascule/bascule/internal/kube/tree"
)

// anyValue draws values as manifests have them.
func anyValue(t *rapid.T, depth int) any {
	word := rapid.SampledFrom([]string{"a", "b", "name", "value", "x.y/z", "eu", "eu-west-1a", "--flag=x", "--other", "shop.eu", "10.0.0.1", "r/app:1.2", "line\nline", ""})
	kinds := 3
	if depth > 0 {
		kinds = 6
	}
	switch rapid.IntRange(0, kinds).Draw(t, "kind") {
	case 0:
		return rapid.Int64Range(-3, 3).Draw(t, "int")
	case 1:
		return rapid.Bool().Draw(t, "bool")
	case 2, 3:
		return word.Draw(t, "text")
	case 4:
		l := []any{}
		for range rapid.IntRange(0, 3).Draw(t, "length") {
			l = append(l, anyValue(t, depth-1))
		}
		return l
	case 5:
		l := []any{}
		for range rapid.IntRange(0, 3).Draw(t, "length") {
			l = append(l, map[string]any{"name": word.Draw(t, "name"), "value": anyValue(t, depth-1)})
		}
		return l
	}
	m := map[string]any{}
	for range rapid.IntRange(0, 3).Draw(t, "size") {
		m[word.Draw(t, "key")] = anyValue(t, depth-1)
	}
	return m
}

func anyObject(t *rapid.T, kind, name string) string {
	o := map[string]any{"apiVersion": "shop.example/v1", "kind": kind, "metadata": map[string]any{"name": name, "namespace": "shop"}, "spec": anyValue(t, 4)}
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestARegionDoesNotDifferFromItself lays random objects beside themselves, and beside themselves with all keys in another order.
func TestARegionDoesNotDifferFromItself(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var texts []string
		for i := range rapid.IntRange(1, 4).Draw(t, "objects") {
			texts = append(texts, anyObject(t, "Thing", fmt.Sprintf("thing-%d", i)))
		}
		set := parsed(t, strings.Join(texts, "\n---\n"))
		slices.Reverse(texts)
		r := drift.Compare([]drift.Region{{Name: "eu", Set: set}, {Name: "na", Set: parsed(t, strings.Join(texts, "\n---\n"))}, {Name: "ap", Set: set}}, nil)
		if len(r.Differences) > 0 || r.Proposal != nil {
			t.Fatalf("%s", told(r))
		}
	})
}

func parsed(t *rapid.T, text string) *manifest.Set {
	set, err := manifest.Read(strings.NewReader(text), "-")
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// TestFollowedDecisionsLeaveNoDrift writes down what is suggested for random regions, translates each of them, and compares what Kustomize builds: where an
// answer stands, nothing differs any more.
func TestFollowedDecisionsLeaveNoDrift(t *testing.T) {
	p, err := profile.Load()
	if err != nil {
		t.Fatal(err)
	}
	followed, runs := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		if runs++; runs > 25 {
			return // Kustomize takes its time
		}
		names := []string{"eu", "na", "ap"}
		var regions []drift.Region
		common := anyObject(t, "Thing", "shared")
		for _, n := range names {
			texts := []string{common}
			if rapid.Bool().Draw(t, "drifts") {
				texts[0] = anyObject(t, "Thing", "shared")
			}
			texts = append(texts, deployment(t))
			regions = append(regions, drift.Region{Name: n, Set: parsed(t, strings.Join(texts, "\n---\n"))})
		}
		r := drift.Compare(regions, nil)
		text, err := decision.Extend(nil, r.Questions(nil))
		if err != nil {
			t.Fatal(err)
		}
		d, err := decision.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		var after []drift.Region
		for _, region := range regions {
			after = append(after, drift.Region{Name: region.Name, Set: parsed(t, live(t, translate.Translate(translate.Input{
				Environment: region.Name, Set: region.Set, Decisions: d, File: "harmonise.yaml", Profile: p,
			})))})
		}
		answered := map[string]bool{}
		for _, x := range d.Harmonise.Differences {
			answered[x.Path] = !x.Open()
		}
		for _, x := range drift.Compare(after, nil).Differences {
			if answered[x.Path] {
				t.Fatalf("%s still differs: %s\ndecisions:\n%s", x.Path, told(&drift.Report{Differences: []*drift.Difference{x}}), text)
			}
		}
		// Running it again says that all of it is decided or asked, and has nothing to add.
		again := drift.Compare(regions, d)
		if add := again.Questions(d); len(add.Questions) > 0 || len(add.Words) > 0 {
			t.Fatalf("there is more to ask: %+v", add)
		}
		if again.Count(drift.Drift, drift.Open)+again.Count(drift.Missing, drift.Open) > 0 {
			t.Fatalf("%s", told(again))
		}
		followed += again.Count(drift.Drift, drift.Decided)
	})
	if followed < 25 {
		t.Errorf("only %d differences were decided: this shows nothing", followed)
	}
}

func deployment(t *rapid.T) string {
	pick := func(values ...any) any { return rapid.SampledFrom(values).Draw(t, "value") }
	env := []any{}
	for _, n := range rapid.Permutation([]string{"A", "B", "C", "D"}).Draw(t, "env")[:rapid.IntRange(0, 4).Draw(t, "variables")] {
		env = append(env, map[string]any{"name": n, "value": pick("1", "2")})
	}
	c := map[string]any{
		"name": "app", "image": pick("r.example/app:1.9", "r.example/app:1.10", "r.example/app:1.9.1"), "env": env,
		"args":      pick([]any{"--a=1", "--b"}, []any{"--b", "--a=2"}, []any{"--b"}, []any{"run"}),
		"resources": map[string]any{"limits": map[string]any{"memory": pick("1Gi", "1024Mi", "2Gi"), "cpu": pick(1, "1000m")}},
	}
	if rapid.Bool().Draw(t, "secured") {
		c["securityContext"] = map[string]any{"runAsNonRoot": pick(true, false), "privileged": pick(true, false)}
	}
	containers := []any{c}
	if rapid.Bool().Draw(t, "proxied") {
		containers = append([]any{map[string]any{"name": "proxy", "image": "proxy:1", "args": pick([]any{"a"}, []any{"b"})}}, containers...)
	}
	text, err := json.Marshal(map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": "web", "namespace": "shop"},
		"spec": map[string]any{"replicas": pick(1, 2), "minReadySeconds": pick(1, 2), "template": map[string]any{"spec": map[string]any{"containers": containers}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// live lets Kustomize build the tree.
func live(t *rapid.T, r *translate.Result) string {
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
	m, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(disk, "/t/live")
	if err != nil {
		t.Fatal(err)
	}
	text, err := m.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
