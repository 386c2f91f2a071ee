package tree_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/translate"
	"github.com/bascule/bascule/internal/kube/tree"
)

// TestFluxComesToTheSame takes the patches out of the HelmRelease that its component makes, as Flux does.
func TestFluxComesToTheSame(t *testing.T) {
	rendered, decisions, images := stored(t)
	out := released(t, rendered, decisions, images)
	const release = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: web, namespace: flux-system}\nspec: {interval: 1m"
	build := func(phase, more string) (map[string]any, error) {
		folder := filepath.Join(out, "flux")
		put(t, filepath.Join(folder, "release.yaml"), release+more+"}\n")
		put(t, filepath.Join(folder, "kustomization.yaml"), "resources: [release.yaml]\ncomponents: [../generated/preprod/releases/shop/web/flux/"+phase+"]\n")
		m, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
		if err != nil {
			return nil, err
		}
		return m.Resources()[0].Map()
	}
	for _, phase := range []string{"live", "standby"} {
		object, err := build(phase, "")
		if err != nil {
			t.Fatal(err)
		}
		off, _ := translate.At(object, "spec", "upgrade", "disableHooks").(bool)
		if off != (phase == "standby") {
			t.Errorf("%s: hooks are off: %v", phase, off)
		}
		patches, err := yaml.Marshal(map[string]any{"resources": []string{"rendered.yaml"}, "patches": translate.At(object, "spec", "postRenderers", "0", "kustomize", "patches")})
		if err != nil {
			t.Fatal(err)
		}
		folder := filepath.Join(out, "inline")
		put(t, filepath.Join(folder, "rendered.yaml"), rendered)
		put(t, filepath.Join(folder, "kustomization.yaml"), string(patches))
		m, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
		if err != nil {
			t.Fatal(err)
		}
		text, err := m.AsYaml()
		if err != nil {
			t.Fatal(err)
		}
		want, err := onto(t, out, phase, rendered)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, inShop(t, text)); diff != "" {
			t.Errorf("%s (-component +Flux):\n%s", phase, diff)
		}
	}
	if _, err := build("live", ", postRenderers: [{kustomize: {images: []}}]"); err == nil || !strings.Contains(err.Error(), "/spec/postRenderers failed") {
		t.Errorf("post-renderers of its own: %v", err)
	}
	put(t, filepath.Join(out, "flux", "release.yaml"), strings.Replace(release, "name: web", "name: other", 1)+"}\n")
	if _, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(out, "flux")); err == nil {
		t.Error("a HelmRelease that is not there is passed over")
	}
}

// TestThePostRenderer runs the script as Helm does: rendered objects in, patched ones out, with what people have changed.
func TestThePostRenderer(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no sh here")
	}
	rendered, decisions, images := stored(t)
	out := filepath.Join(t.TempDir(), "a folder")
	releaseInto(t, out, rendered, decisions, images)
	put(t, filepath.Join(out, "overrides/preprod/releases/shop/web/all/kustomization.yaml"),
		"apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\npatches:\n- target: {kind: Deployment}\n  patch: '[{\"op\": \"add\", \"path\": \"/metadata/labels/ours\", \"value\": \"yes\"}]'\n")
	bin := t.TempDir()
	put(t, filepath.Join(bin, "kustomize"), fmt.Sprintf("#!%s\nTREE_TEST_KUSTOMIZE=1 exec '%s' \"$@\"\n", sh, os.Args[0]))
	if err := os.Chmod(filepath.Join(bin, "kustomize"), 0o755); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) (string, string, error) {
		cmd := exec.CommandContext(t.Context(), filepath.Join(out, "generated/preprod/helm/post-render"), args...)
		cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
		cmd.Stdin = strings.NewReader(rendered)
		var said, failed bytes.Buffer
		cmd.Stdout, cmd.Stderr = &said, &failed
		err := cmd.Run()
		return said.String(), failed.String(), err
	}
	for _, phase := range []string{"live", "standby", "mirror"} {
		said, failed, err := run("shop/web", phase)
		if err != nil {
			t.Fatal(phase, err, failed)
		}
		want, err := onto(t, out, phase, rendered)
		if err != nil {
			t.Fatal(err)
		}
		if d, ok := want["apps/v1 Deployment shop/web"].(map[string]any); ok && phase != "mirror" {
			d["metadata"].(map[string]any)["labels"].(map[string]any)["ours"] = "yes"
		}
		if diff := cmp.Diff(want, inShop(t, []byte(said))); diff != "" {
			t.Errorf("%s (-Kustomize +script):\n%s", phase, diff)
		}
	}
	for want, args := range map[string][]string{"say which release": {"shop/web"}, "there is no": {"shop/other", "live"}, "or phase": {"shop/web", "lively"}} {
		if said, failed, err := run(args...); err == nil || said != "" || !strings.Contains(failed, want) {
			t.Errorf("%v: %v, %q, %q", args, err, said, failed)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "tmp.*", "rendered.yaml")); len(left) > 0 {
		t.Log("folders of others, or left behind:", left)
	}
}

// TestLoadIsWhatKustomizeBuildsOfReleases holds what is read again to Kustomize itself, overrides included.
func TestLoadIsWhatKustomizeBuildsOfReleases(t *testing.T) {
	rendered, decisions, images := stored(t)
	rendered += fresh
	out := released(t, rendered, decisions, images)
	phases, err := tree.Load(out, map[string]*manifest.Set{"shop/web": readRelease(t, rendered)})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range phases {
		want, err := onto(t, out, p.Name, rendered)
		if err != nil {
			t.Fatal(err)
		}
		got := values(p.Objects)
		for k := range got {
			if want[k] == nil && made(out, k) {
				delete(got, k)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-Kustomize +read):\n%s", p.Name, diff)
		}
		if len(p.Missing) > 0 || !slices.Equal(p.Releases, []string{"shop/web"}) || p.NotApplied != "" {
			t.Errorf("%s: %v, %v, %q", p.Name, p.Releases, p.Missing, p.NotApplied)
		}
	}
	if phases, err = tree.Load(out, nil); err != nil || !slices.Equal(phases[0].Missing, []string{"shop/web"}) {
		t.Errorf("%v, %v", phases[0].Missing, err)
	}
	other := strings.ReplaceAll(rendered, "shop/web:7.1", "shop/web:7.2")
	if _, err := tree.Load(out, map[string]*manifest.Set{"preprod/shop/web": readRelease(t, other)}); err == nil || !strings.Contains(err.Error(), "put the patches of standby onto the release shop/web") {
		t.Errorf("another image: %v", err)
	}
}

// made says whether an object is one that the source does not have.
func made(out, k string) bool {
	fields := strings.Fields(k)
	_, name, _ := strings.Cut(fields[2], "/")
	found, _ := filepath.Glob(filepath.Join(out, "generated/preprod/translated/made/*/"+strings.ToLower(fields[1])+"*-"+name+".yaml"))
	other, _ := filepath.Glob(filepath.Join(out, "generated/preprod/translated/made/_no-namespace/"+strings.ToLower(fields[1])+"-"+fields[2]+".yaml"))
	return len(found)+len(other) > 0
}

// TestAReleaseKeepsToItsOwnFiles: another version of a chart changes the files of what differs, and no copy of what Helm renders is in the tree.
func TestAReleaseKeepsToItsOwnFiles(t *testing.T) {
	rendered, decisions, images := stored(t)
	out := t.TempDir()
	releaseInto(t, out, rendered, decisions, images)
	if again := releaseInto(t, out, rendered, decisions, images); len(again) > 0 {
		t.Errorf("nothing changed, and it did %v", again)
	}
	for name, text := range everything(t, out) {
		for _, of := range []string{"helm.sh/chart", "docker.io/library/nginx", "0 3 * * *"} {
			if strings.Contains(text, of) {
				t.Errorf("%s has what only the chart says: %s", name, of)
			}
		}
	}
	mine := filepath.Join(out, "overrides/preprod/releases/shop/web/all/kustomization.yaml")
	put(t, mine, "# mine\n")
	const folder = "change generated/preprod/releases/shop/web/"
	for name, c := range map[string]struct {
		now  string
		want []string
	}{
		"what no patch speaks of": {strings.NewReplacer("web-1.2.0", "web-1.3.0", "replicas: 3", "replicas: 5", "nginx:1.29", "nginx:1.30").Replace(rendered), nil},
		"a role": {strings.Replace(rendered, "role/shop-web", "role/shop-other", 1), []string{
			"change generated/preprod/files.sha256", folder + "flux/live/patches/postrenderers.yaml", folder + "flux/standby/patches/postrenderers.yaml",
			folder + "translated/patches/shop/serviceaccount-web.yaml",
		}},
	} {
		did := releaseInto(t, out, c.now, decisions, images)
		slices.Sort(did)
		if diff := cmp.Diff(c.want, did); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		releaseInto(t, out, rendered, decisions, images)
	}
	if got := file(t, mine); got != "# mine\n" {
		t.Errorf("the override is %q", got)
	}
	info, err := os.Stat(filepath.Join(out, "generated/preprod/helm/post-render"))
	if err != nil || info.Mode().Perm()&0o111 == 0 {
		t.Errorf("the script cannot be run: %v", err)
	}
}

// TestNoSecretEntersTheTree: a value of the chart that looks like a secret stands in no patch and in no test.
func TestNoSecretEntersTheTree(t *testing.T) {
	const secret = "hunter2hunter2"
	in := `apiVersion: apps/v1
kind: Deployment
metadata: {name: a}
spec:
  template:
    spec:
      containers:
      - image: a
        env: [{name: AWS_REGION, value: eu-west-1}, {name: DB_PASSWORD, value: ` + secret + `}]
---
apiVersion: v1
kind: Secret
metadata: {name: b}
stringData: {password: ` + secret + `}
`
	for _, decisions := range []string{"", "secret-store: gcp"} {
		out := released(t, in, decisions, nil)
		for name, text := range everything(t, out) {
			if strings.Contains(text, secret) {
				t.Errorf("%s has it", name)
			}
		}
		got, err := onto(t, out, "standby", in)
		if err != nil {
			t.Fatal(err)
		}
		if n := translate.At(got["apps/v1 Deployment shop/a"], "spec", "replicas"); n != int64(0) {
			t.Errorf("what has no patch of its own runs in standby: %v", n)
		}
		if there := got["v1 Secret shop/b"] != nil; there != (decisions == "") {
			t.Errorf("%q: the Secret is there: %v", decisions, there)
		}
	}
}

// TestTheChartForKustomize writes what Kustomize inflates once, where the chart is in a repository.
func TestTheChartForKustomize(t *testing.T) {
	r := translateSet(t, readRelease(t, fresh), "releases: {shop/web: {chart: 'oci://registry.example.com/charts/web', version: '1.2.0'}}", nil)
	files := tree.Overrides(r)
	name := "overrides/preprod/releases/shop/web/standby/kustomization.yaml"
	var k struct {
		HelmCharts []map[string]any
		Components []string
	}
	if err := yaml.UnmarshalStrict(dropped(files[name], "apiVersion", "kind"), &k); err != nil {
		t.Fatal(err)
	}
	want := []map[string]any{{"name": "web", "repo": "oci://registry.example.com/charts", "version": "1.2.0", "releaseName": "web", "namespace": "shop", "skipTests": true}}
	if diff := cmp.Diff(want, k.HelmCharts); diff != "" {
		t.Error(diff)
	}
	for i, c := range k.Components {
		k.Components[i] = path.Join(path.Dir(name), c)
	}
	if !slices.Equal(k.Components, []string{"generated/preprod/releases/shop/web/standby", "overrides/preprod/releases/shop/web/all"}) {
		t.Error(k.Components)
	}
}

func dropped(text []byte, keys ...string) []byte {
	var out []byte
	for line := range bytes.Lines(text) {
		if !slices.ContainsFunc(keys, func(k string) bool { return bytes.HasPrefix(line, []byte(k+":")) }) {
			out = append(out, line...)
		}
	}
	return out
}
