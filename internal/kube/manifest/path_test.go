package manifest_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/bascule/bascule/internal/kube/manifest"
)

func TestPathsAreReadAsTheyAreWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"name", "a.b/c", "--x", "", "1", `"`, "a=b", "]", "é"}))
		step := rapid.Custom(func(t *rapid.T) manifest.Step {
			switch rapid.IntRange(0, 3).Draw(t, "form") {
			case 0:
				return manifest.Key(text.Draw(t, "key"))
			case 1:
				return manifest.Element(text.Draw(t, "by"), text.Draw(t, "is"))
			case 2:
				return manifest.Flag("-" + text.Draw(t, "flag"))
			}
			return manifest.Index(rapid.IntRange(0, 1000).Draw(t, "index"))
		})
		p := manifest.Path(rapid.SliceOf(step).Draw(t, "path"))
		got, err := manifest.ParsePath(p.String())
		if err != nil {
			t.Fatal(err)
		}
		if p.String() != got.String() || len(p) != len(got) {
			t.Fatalf("%q becomes %q", p, got)
		}
		for i := range p {
			if p[i] != got[i] {
				t.Fatalf("step %d of %q: %+v becomes %+v", i, p, p[i], got[i])
			}
		}
	})
}

func FuzzParsePath(f *testing.F) {
	for _, s := range []string{"a.b[name=c].d", `["a.b"][0]`, "args[--x]", `a[-"- b"]`, "[", "a..b", "a[b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := manifest.ParsePath(text)
		if err != nil {
			return
		}
		if again, err := manifest.ParsePath(p.String()); err != nil || again.String() != p.String() {
			t.Errorf("%q reads as %q, and that as %q, %v", text, p, again, err)
		}
	})
}

func TestPathsFindByName(t *testing.T) {
	set, err := read(t, "apiVersion: v1\nkind: Pod\nmetadata: {name: a, annotations: {x.y/z: v}}\nspec:\n  containers:\n  - {name: log}\n  - name: app\n    args: [--level=info, --fast]\n    ports: [{containerPort: 80}, {containerPort: 81, name: m}]\n")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]struct {
		steps []string
		value any
		left  int
	}{
		`metadata.annotations["x.y/z"]`:                        {[]string{"metadata", "annotations", "x.y/z"}, "v", 0},
		"spec.containers[name=app].args[--level]":              {[]string{"spec", "containers", "1", "args", "0"}, "--level=info", 0},
		"spec.containers[1].ports[containerPort=81].name":      {[]string{"spec", "containers", "1", "ports", "1", "name"}, "m", 0},
		"spec.containers[name=app].env[name=X].value":          {[]string{"spec", "containers", "1"}, nil, 3},
		"spec.containers[name=app].ports[containerPort=82]":    {[]string{"spec", "containers", "1", "ports"}, nil, 1},
		"spec.containers[name=app].ports[containerPort=80].by": {[]string{"spec", "containers", "1", "ports", "0"}, nil, 1},
	} {
		p, err := manifest.ParsePath(text)
		if err != nil {
			t.Fatal(err)
		}
		steps, found := p.Find(set.Objects[0].Value)
		value, ok := p.Value(set.Objects[0].Value)
		if diff := cmp.Diff(want.steps, steps); diff != "" || len(p)-found != want.left || value != want.value || ok != (want.left == 0) {
			t.Errorf("%s: %v, %d left, %v, %v", text, steps, len(p)-found, value, ok)
		}
	}
}
