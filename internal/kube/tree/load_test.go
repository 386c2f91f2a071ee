package tree_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/story"
	"github.com/bascule/bascule/internal/kube/tree"
)

// values are objects by what tells them apart.
func values(objects []*manifest.Object) map[string]any {
	out := map[string]any{}
	for _, o := range objects {
		if meta, ok := o.Value["metadata"].(map[string]any); ok {
			for _, k := range []string{"labels", "annotations"} {
				if m, ok := meta[k].(map[string]any); ok && len(m) == 0 {
					delete(meta, k) // as Kustomize does; a server makes no difference
				}
			}
		}
		out[o.APIVersion()+" "+o.String()] = o.Value
	}
	return out
}

// built is what Kustomize itself makes of a phase's overrides.
func built(t *testing.T, dir, phase string) map[string]any {
	t.Helper()
	m, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(dir, "overrides", "preprod", phase))
	if err != nil {
		t.Fatal(err)
	}
	text, err := m.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	set, err := manifest.ReadTexts([]manifest.Text{{Name: "built", Text: text}})
	if err != nil {
		t.Fatal(err)
	}
	return values(set.Objects)
}

// loaded reads a tree, and compares phases with what Kustomize builds: those that are named, or all.
func loaded(t *testing.T, dir string, compared ...string) map[string]tree.Phase {
	t.Helper()
	if !tree.Is(dir) {
		t.Fatal("it is no tree")
	}
	phases, err := tree.Load(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]tree.Phase{}
	for _, p := range phases {
		out[p.Name] = p
		if p.NotApplied != "" || len(compared) > 0 && !slices.Contains(compared, p.Name) {
			continue
		}
		if diff := cmp.Diff(built(t, dir, p.Name), values(p.Objects)); diff != "" {
			t.Errorf("%s (-Kustomize +read):\n%s", p.Name, diff)
		}
	}
	return out
}

// TestLoadIsWhatKustomizeBuilds translates the source of every story of the rules, and reads the trees.
func TestLoadIsWhatKustomizeBuilds(t *testing.T) {
	t.Parallel()
	stories := story.All(t, "../translate/testdata/*.txtar")
	if len(stories) < 50 {
		t.Fatal(len(stories))
	}
	for _, s := range stories {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, render(t, s.Parts["in.yaml"]))
			if strings.HasPrefix(s.Name, "phase-") {
				loaded(t, dir)
			} else {
				loaded(t, dir, "live") // of standby the stories of phases have it all
			}
		})
	}
}

const shop = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: app, image: "web:1", env: [{name: A, value: "1"}]}
      - {name: side, image: "side:1"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: web, namespace: shop}
data: {mode: a, old: b}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: gone, namespace: shop}
data: {mode: a}
---
apiVersion: example.org/v1
kind: Thing
metadata: {name: t, namespace: shop}
spec: {list: [{name: a, x: 1}, {name: b}], keep: {y: 1}}
`

const head = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n- ../../../generated/preprod/live\n"

// TestOverrides holds what is put on top to Kustomize itself.
func TestOverrides(t *testing.T) {
	t.Parallel()
	cases := map[string]map[string]string{
		"Strategic": {"live/kustomization.yaml": head + `patches:
- patch: |
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web, namespace: shop}
    spec:
      template:
        spec:
          containers:
          - {name: app, image: "web:2", env: [{name: B, value: "2"}]}
          - {name: new, image: "new:1"}
    ---
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: web, namespace: shop}
    data: {mode: c, old: null}
- path: thing.yaml
`, "live/thing.yaml": "apiVersion: example.org/v1\nkind: Thing\nmetadata: {name: t, namespace: shop}\nspec: {list: [{name: c}], keep: {z: 2}}\n"},
		"Delete": {"live/kustomization.yaml": head + "patches:\n- patch: |\n    apiVersion: v1\n    kind: ConfigMap\n    metadata: {name: gone, namespace: shop}\n    $patch: delete\n"},
		"JSON": {"live/kustomization.yaml": head + `patches:
- target: {kind: Deployment, name: "w.*"}
  patch: |
    - {op: replace, path: /spec/replicas, value: 7}
    - {op: add, path: /spec/template/spec/containers/0/env/0, value: {name: Z, value: "0"}}
    - {op: remove, path: /spec/template/spec/containers/1}
    - {op: add, path: /metadata/annotations, value: {a~b/c: d}}
    - {op: replace, path: /metadata/annotations/a~0b~1c, value: e}
`},
		"Target": {"live/kustomization.yaml": head + "patches:\n- target: {kind: ConfigMap}\n  patch: |\n    apiVersion: v1\n    kind: ConfigMap\n    metadata: {name: any}\n    data: {more: x}\n"},
		"Component": {
			"live/kustomization.yaml": head + "components: [../all]\npatches:\n- target: {kind: Deployment}\n  patch: '[{\"op\": \"replace\", \"path\": \"/spec/replicas\", \"value\": 9}]'\n",
			"all/kustomization.yaml":  "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [more.yaml]\npatches:\n- target: {kind: Deployment}\n  patch: '[{\"op\": \"replace\", \"path\": \"/spec/replicas\", \"value\": 8}]'\n",
			"all/more.yaml":           "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: more, namespace: shop}\ndata: {a: b}\n",
		},
		"Folder": {
			"live/kustomization.yaml":     head + "- ../extra\n",
			"extra/kustomization.yaml":    "resources: [sub, one.yaml]\n",
			"extra/one.yaml":              "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n",
			"extra/sub/kustomization.yml": "resources: [two.yaml]\n",
			"extra/sub/two.yaml":          "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: two}\n",
		},
	}
	for name, files := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := overridden(t, files)
			p := loaded(t, dir)["live"]
			if p.NotApplied != "" {
				t.Error(p.NotApplied)
			}
			if n := len(p.Changed); n > 0 {
				t.Error("changed:", p.Changed)
			}
		})
	}
}

func overridden(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, render(t, shop))
	for name, text := range files {
		name = filepath.Join(dir, "overrides", "preprod", name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestOverridesThatAreNotApplied: what is not known is said, and the rest is there.
func TestOverridesThatAreNotApplied(t *testing.T) {
	t.Parallel()
	for want, text := range map[string]string{
		"uses images":          head + "images: [{name: web, newTag: '2'}]\n",
		"uses namePrefix":      head + "namePrefix: a-\n",
		"not in overrides":     "resources: ['https://example.org/x.yaml']\n",
		"which is not in":      "resources: [../../../../etc]\n",
		"more than 20 deep":    "resources: [../live]\n",
		"there is no":          head + "patches:\n- target: {kind: Deployment}\n  patch: '[{\"op\": \"replace\", \"path\": \"/spec/nothing\", \"value\": 1}]'\n",
		"none of add, replace": head + "patches:\n- target: {kind: Deployment}\n  patch: '[{\"op\": \"move\", \"path\": \"/spec/replicas\", \"value\": 1}]'\n",
		"which is not there":   head + "patches:\n- patch: '{apiVersion: v1, kind: ConfigMap, metadata: {name: none}}'\n",
		"another name":         head + "patches:\n- target: {kind: Deployment}\n  patch: '[{\"op\": \"replace\", \"path\": \"/metadata/name\", \"value\": \"x\"}]'\n",
		"labelSelector":        head + "patches:\n- target: {labelSelector: a=b}\n  patch: '[{op: remove, path: /spec}]'\n",
		"there already":        head + "- again.yaml\n",
		"cannot":               head + "patches: 1\n",
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			dir := overridden(t, map[string]string{"live/kustomization.yaml": text, "live/again.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web, namespace: shop}\n"})
			p := loaded(t, dir)["live"]
			if !strings.Contains(p.NotApplied, want) || len(p.Objects) != 4 {
				t.Errorf("said %q, of %d objects", p.NotApplied, len(p.Objects))
			}
		})
	}
}

// TestLoadSeesForeignFiles: what somebody changed below generated/ is named, and what is no tree of bascule's is an error.
func TestLoadSeesForeignFiles(t *testing.T) {
	t.Parallel()
	dir := overridden(t, nil)
	file := filepath.Join(dir, "generated/preprod/base/shop/configmap-web.yaml")
	if err := os.WriteFile(file, []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web, namespace: shop}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if p := loaded(t, dir)["standby"]; !cmp.Equal(p.Changed, []string{"base/shop/configmap-web.yaml"}) {
		t.Errorf("changed: %v", p.Changed)
	}
	patch := filepath.Join(dir, "generated/preprod/standby/patches/shop/deployment-web.yaml")
	if err := os.WriteFile(patch, []byte("- {op: replace, path: /spec/none, value: 1}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := tree.Load(dir, nil); err == nil || !strings.Contains(err.Error(), `there is no "none"`) {
		t.Errorf("got %v", err)
	}
}
