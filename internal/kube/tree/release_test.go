package tree_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"github.com/bascule/bascule/internal/kube/decision"
	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/profile"
	"github.com/bascule/bascule/internal/kube/story"
	"github.com/bascule/bascule/internal/kube/translate"
	"github.com/bascule/bascule/internal/kube/tree"
)

// TestMain is Kustomize where the script of the post-renderer runs this program as such.
func TestMain(m *testing.M) {
	if os.Getenv("TREE_TEST_KUSTOMIZE") == "" {
		m.Run()
		return
	}
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), os.Args[len(os.Args)-1])
	if err != nil {
		panic(err) // which ends it as a failure
	}
	text, err := built.AsYaml()
	if err != nil {
		panic(err)
	}
	_, _ = os.Stdout.Write(text)
}

// namespaced is true of what the tests have in namespaces.
func namespaced(o *manifest.Object) bool {
	return !strings.HasPrefix(o.Kind, "Cluster") && !slices.Contains([]string{"Namespace", "StorageClass", "PersistentVolume", "IngressClass", "CSIDriver", "PodSecurityPolicy", "ComputeClass"}, o.Kind)
}

func readRelease(t testing.TB, text string) *manifest.Set {
	t.Helper()
	set, err := manifest.ReadRelease(manifest.Release{Namespace: "shop", Name: "web", File: "web.yaml", Text: []byte(text)}, namespaced)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func translateSet(t testing.TB, set *manifest.Set, decisions string, images translate.Images) *translate.Result {
	t.Helper()
	d, err := decision.Parse([]byte(decisions))
	if err != nil {
		t.Fatal(err)
	}
	p, err := profile.Load()
	if err != nil {
		t.Fatal(err)
	}
	return translate.Translate(translate.Input{Environment: "preprod", Set: set, Decisions: d, File: "kube.yaml", Profile: p, Images: images})
}

// released is a tree of the release shop/web on disk.
func released(t testing.TB, rendered, decisions string, images translate.Images) string {
	t.Helper()
	out := t.TempDir()
	releaseInto(t, out, rendered, decisions, images)
	return out
}

func releaseInto(t testing.TB, out, rendered, decisions string, images translate.Images) []string {
	t.Helper()
	r := translateSet(t, readRelease(t, rendered), decisions, images)
	files, err := tree.Render(r)
	if err != nil {
		t.Fatal(err)
	}
	changes, err := tree.Write(out, "preprod", files, false)
	if err != nil {
		t.Fatal(err)
	}
	first, err := tree.Create(out, tree.Overrides(r), false)
	if err != nil {
		t.Fatal(err)
	}
	var did []string
	for _, c := range append(changes, first...) {
		did = append(did, c.Do+" "+c.Path)
	}
	return did
}

// onto lets Kustomize put a phase of the release onto what Helm renders.
func onto(t testing.TB, out, phase, rendered string) (map[string]any, error) {
	t.Helper()
	folder := filepath.Join(out, "built")
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(folder, "rendered.yaml"), rendered)
	put(t, filepath.Join(folder, "kustomization.yaml"), "resources: [rendered.yaml]\ncomponents: [../generated/preprod/releases/shop/web/"+phase+"]\n")
	m, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		return nil, err
	}
	text, err := m.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	return inShop(t, text), nil
}

func put(t testing.TB, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// inShop reads objects as Helm applies them: into its namespace.
func inShop(t testing.TB, text []byte) map[string]any {
	t.Helper()
	return values(readRelease(t, string(text)).Objects)
}

const chart = "../helm/testdata/"

func file(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// stored is what Helm renders for the chart of package helm, what people have decided, and copies of its images.
func stored(t testing.TB) (rendered, decisions string, images translate.Images) {
	t.Helper()
	images, err := translate.ReadImages(chart + "images")
	if err != nil {
		t.Fatal(err)
	}
	return file(t, chart+"rendered.yaml"), file(t, chart+"decisions.yaml"), images
}

// plain is what the same objects come to as plain manifests, of which the tree has copies: what Kustomize builds, without what was made.
func plain(t testing.TB, rendered, decisions string, images translate.Images, phase string) map[string]any {
	t.Helper()
	var docs []string
	for _, o := range readRelease(t, rendered).Objects {
		text, err := yaml.Marshal(o.Value)
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, string(text))
	}
	set, err := manifest.Read(strings.NewReader(strings.Join(docs, "---\n")), "-")
	if err != nil {
		t.Fatal(err)
	}
	r := translateSet(t, set, decisions, images)
	files, err := tree.Render(r)
	if err != nil {
		t.Fatal(err)
	}
	disk := filesys.MakeFsInMemory()
	for name, text := range files {
		if err := disk.WriteFile("/"+name, text); err != nil {
			t.Fatal(err)
		}
	}
	m, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(disk, "/"+phase)
	if err != nil {
		t.Fatal(err)
	}
	text, err := m.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	out := inShop(t, text)
	for _, made := range r.Made {
		o := made.Object()
		delete(out, o.APIVersion()+" "+o.String())
	}
	for _, o := range r.Objects {
		if o.Held != nil { // stays as the chart renders it, where a copy is not written
			delete(out, o.APIVersion()+" "+o.String())
		}
	}
	return out
}

// TestAReleaseComesToWhatItsObjectsComeTo puts the patches onto what Helm renders, and compares with the translation of the same objects as plain manifests. In standby there is more:
// what external-dns is to leave alone is every Service.
func TestAReleaseComesToWhatItsObjectsComeTo(t *testing.T) {
	rendered, decisions, images := stored(t)
	out := released(t, rendered, decisions, images)
	for _, phase := range []string{"live", "standby"} {
		got, err := onto(t, out, phase, rendered)
		if err != nil {
			t.Fatal(err)
		}
		want := plain(t, rendered, decisions, images, phase)
		if phase == "standby" {
			unmarked(got)
			unmarked(want)
		}
		if diff := cmp.Diff(want, got); diff != "" || len(got) < 5 {
			t.Errorf("%s (-plain +release):\n%s", phase, diff)
		}
	}
}

// unmarked takes away by what external-dns leaves objects alone.
func unmarked(objects map[string]any) {
	for _, o := range objects {
		meta, _ := o.(map[string]any)["metadata"].(map[string]any)
		a, _ := meta["annotations"].(map[string]any)
		delete(a, "external-dns.alpha.kubernetes.io/controller")
		delete(a, "external-dns.kubernetes.io/controller")
		if len(a) == 0 {
			delete(meta, "annotations")
		}
	}
}

// TestEveryRuleHoldsForReleases takes the source of each story of the rules for what Helm renders.
func TestEveryRuleHoldsForReleases(t *testing.T) {
	t.Parallel()
	if n := len(story.All(t, "../translate/testdata/*.txtar")); n < 50 {
		t.Fatal(n)
	}
	story.Each(t, "../translate/testdata/*.txtar", func(t *testing.T, s *story.Story) {
		t.Parallel()
		images, err := translate.ParseImages([]byte(s.Parts["images"]))
		if err != nil {
			t.Fatal(err)
		}
		in, decisions := normal(t, s.Parts["in.yaml"]), s.Parts["decisions.yaml"]
		if in == "" {
			t.Skip("nothing that Kustomize takes")
		}
		held := map[string]bool{}
		for _, o := range translateSet(t, readRelease(t, in), decisions, images).Objects {
			if o.Held != nil {
				held[o.APIVersion()+" "+o.String()] = true
			}
		}
		out := released(t, in, decisions, images)
		for _, phase := range []string{"live", "standby"} {
			got, err := onto(t, out, phase, in)
			if err != nil {
				t.Fatal(err)
			}
			want := plain(t, in, decisions, images, phase)
			maps.DeleteFunc(got, func(k string, _ any) bool { return held[k] })
			maps.DeleteFunc(want, func(k string, _ any) bool { return held[k] })
			unmarked(got)
			unmarked(want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-plain +release):\n%s", phase, diff)
			}
		}
	})
}

// normal takes out of a story what no chart renders: objects without a name, and documents that are none. Lists come as their elements.
func normal(t *testing.T, in string) string {
	t.Helper()
	var docs []string
	for _, o := range readRelease(t, in).Objects {
		if o.Name == "" {
			continue
		}
		text, err := yaml.Marshal(o.Value)
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, string(text))
	}
	return strings.Join(docs, "---\n")
}
