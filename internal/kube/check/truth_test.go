package check

import (
	"encoding/json"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"pgregory.net/rapid"

	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/profile"
)

// TestSelectorsAreThoseOfKubernetes holds selects, and the lookup by the rarest label, to apimachinery's own selectors.
func TestSelectorsAreThoseOfKubernetes(t *testing.T) {
	t.Parallel()
	word := rapid.SampledFrom([]string{"a", "b", "c"})
	rapid.Check(t, func(t *rapid.T) {
		w := &world{run: &run{}, labelled: map[string][]*pod{}}
		for range rapid.IntRange(0, 6).Draw(t, "pods") {
			l := map[string]any{}
			for k, v := range rapid.MapOfN(word, word, 0, 3).Draw(t, "labels") {
				l[k] = v
			}
			o := &manifest.Object{Kind: "Pod", Namespace: rapid.SampledFrom([]string{"n", "m"}).Draw(t, "namespace"), Value: map[string]any{"metadata": map[string]any{"labels": l}, "spec": map[string]any{}}}
			w.pod(o, []string{"spec"})
		}
		selector := map[string]any{}
		if m := rapid.MapOfN(word, word, 0, 2).Draw(t, "matchLabels"); len(m) > 0 {
			l := map[string]any{}
			for k, v := range m {
				l[k] = v
			}
			selector["matchLabels"] = l
		}
		var expressions []any
		for range rapid.IntRange(0, 2).Draw(t, "expressions") {
			e := map[string]any{"key": word.Draw(t, "key"), "operator": rapid.SampledFrom([]string{"In", "NotIn", "Exists", "DoesNotExist"}).Draw(t, "operator")}
			if op := e["operator"]; op == "In" || op == "NotIn" {
				var values []any
				for _, v := range rapid.SliceOfN(word, 1, 2).Draw(t, "values") {
					values = append(values, v)
				}
				e["values"] = values
			}
			expressions = append(expressions, e)
		}
		if expressions != nil {
			selector["matchExpressions"] = expressions
		}
		text, err := json.Marshal(selector)
		if err != nil {
			t.Fatal(err)
		}
		var theirs metav1.LabelSelector
		if err := json.Unmarshal(text, &theirs); err != nil {
			t.Fatal(err)
		}
		s, err := metav1.LabelSelectorAsSelector(&theirs)
		if err != nil {
			t.Fatal(err)
		}
		found := map[*pod]bool{}
		for _, p := range w.podsOf("n", selector) {
			found[p] = true
		}
		for _, p := range w.pods {
			if want := p.namespace == "n" && s.Matches(labels.Set(p.labels)); want != found[p] {
				t.Fatalf("%s selects %v of %s: %t", text, p.labels, p.namespace, found[p])
			}
		}
	})
}

// TestRegions: every region of AWS that the profile knows is recognised, its zones too, and none of Google's is.
func TestRegions(t *testing.T) {
	t.Parallel()
	p, err := profile.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range p.Regions.Entries {
		for _, s := range []string{r.From, r.From + "a"} {
			if !mayBePlace(s) || region.FindString("in "+s+" now") != s {
				t.Errorf("%s is not recognised", s)
			}
		}
		for _, to := range append(r.To, r.Zones...) {
			if region.MatchString(to) {
				t.Errorf("%s counts as a place of AWS", to)
			}
		}
	}
	for _, s := range []string{"us-gov-west-1", "us-iso-east-1", "ap-southeast-2", "cn-north-1", "mx-central-1"} {
		if !mayBePlace(s) || !region.MatchString(s) {
			t.Errorf("%s is not recognised", s)
		}
	}
	for _, s := range []string{"us-east1", "x-us-east", "menu-east-1", "us-east-1abc", "northamerica-northeast1"} {
		if region.MatchString(s) {
			t.Errorf("%s counts as a place of AWS", s)
		}
	}
}

// FuzzSteps: a path that is written and read again is the same place.
func FuzzSteps(f *testing.F) {
	for _, s := range []string{"spec.labels[0].text", "metadata.annotations[a.b/c]", "[", "a[[", ".", "a..b", "]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, step := range steps(s) {
			if len(step) > len(s) {
				t.Errorf("%q holds %q", s, step)
			}
		}
	})
}
