package tree_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/tree"
)

// TestIdleOverrides: a patch that no object is for is named; one that another phase has an object for is not, nor anything where the other phase is not known.
func TestIdleOverrides(t *testing.T) {
	t.Parallel()
	const component = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
	const both = head + "components: [../all]\n"
	patch := func(target string) string {
		return "patches:\n- target: {" + target + "}\n  patch: '[{\"op\": \"add\", \"path\": \"/metadata/annotations\", \"value\": {\"a\": \"b\"}}]'\n"
	}
	onlyLive := head + "- more.yaml\ncomponents: [../all]\n"
	const more = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: more, namespace: shop}\n"
	standbyOf := strings.Replace(both, "/live", "/standby", 1)
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"Met":   {map[string]string{"all/kustomization.yaml": component + patch("kind: Deployment, name: web")}, "[]"},
		"Name":  {map[string]string{"all/kustomization.yaml": component + patch("kind: Deployment, name: w")}, "[{overrides/preprod/all/kustomization.yaml kind: Deployment, name: w true}]"},
		"Kind":  {map[string]string{"all/kustomization.yaml": component + patch("kind: Job")}, "[{overrides/preprod/all/kustomization.yaml kind: Job false}]"},
		"Phase": {map[string]string{"all/kustomization.yaml": component + patch("name: more"), "live/kustomization.yaml": onlyLive, "live/more.yaml": more, "standby/kustomization.yaml": standbyOf}, "[]"},
		"Path": {map[string]string{
			"live/kustomization.yaml": head + "patches:\n- {path: p.yaml, target: {name: gone.*}}\n- {path: p.yaml, target: {name: none}}\n",
			"live/p.yaml":             "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: any}\ndata: {x: y}\n",
		}, "[{overrides/preprod/live/p.yaml name: none true}]"},
		"Without target": {map[string]string{"live/kustomization.yaml": head + "patches:\n- patch: '{apiVersion: v1, kind: ConfigMap, metadata: {name: none, namespace: shop}}'\n"}, "[{overrides/preprod/live/kustomization.yaml ConfigMap shop/none true}]"},
		"Not known":      {map[string]string{"all/kustomization.yaml": component + patch("name: more"), "live/kustomization.yaml": both + "images: [{name: web, newTag: '2'}]\n"}, "[]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := overridden(t, c.files)
			phases := loaded(t, dir)
			var read []tree.Idle
			for _, phase := range tree.Phases() {
				for _, of := range phases[phase].Idle {
					if len(read) == 0 || read[len(read)-1] != of {
						read = append(read, of)
					}
				}
			}
			if got := fmt.Sprint(read); got != c.want {
				t.Errorf("read: %s, want %s", got, c.want)
			}
			before, err := tree.IdleOverrides(dir, "preprod", render(t, shop), nil)
			if err != nil || !cmp.Equal(before, read) {
				t.Errorf("before it is written: %v, %v", before, err)
			}
		})
	}
	if got, err := tree.IdleOverrides(filepath.Join(t.TempDir(), "none"), "preprod", render(t, shop), nil); err != nil || got != nil {
		t.Error(got, err)
	}
	if os.Getuid() != 0 {
		dir := overridden(t, nil)
		if err := os.Chmod(filepath.Join(dir, "overrides/preprod/all"), 0); err != nil {
			t.Fatal(err)
		}
		if _, err := tree.IdleOverrides(dir, "preprod", render(t, shop), nil); err == nil {
			t.Error("overrides that cannot be read are taken for none")
		}
	}
}

// TestIdleOverridesOfReleases: what people change of a release is held to what Helm renders for it, in its phases together; where nobody says what that is nothing is told, of the
// patches for plain manifests neither, for they may be for what it brings along.
func TestIdleOverridesOfReleases(t *testing.T) {
	t.Parallel()
	rendered, decisions, images := stored(t)
	out := released(t, rendered, decisions, images)
	const component = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\npatches:\n"
	patch := func(target string) string {
		return "- target: {" + target + "}\n  patch: '[{\"op\": \"add\", \"path\": \"/metadata/annotations\", \"value\": {\"a\": \"b\"}}]'\n"
	}
	const all, own = "overrides/preprod/all/kustomization.yaml", "overrides/preprod/releases/shop/web/all/kustomization.yaml"
	put(t, filepath.Join(out, own), component+patch("kind: Deployment, name: web")+patch("kind: Job")+patch("kind: Deployment, name: gone"))
	put(t, filepath.Join(out, all), component+patch("kind: Deployment, name: web"))
	r := translateSet(t, readRelease(t, rendered), decisions, images)
	files, err := tree.Render(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		rendered map[string]*manifest.Set
		want     []tree.Idle
	}{
		{map[string]*manifest.Set{"shop/web": readRelease(t, rendered)}, []tree.Idle{{File: all, Target: "kind: Deployment, name: web", Named: true}, {File: own, Target: "kind: Deployment, name: gone", Named: true}}},
		{nil, nil},
	} {
		got, err := tree.IdleOverrides(out, "preprod", files, c.rendered)
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		phases, err := tree.Load(out, c.rendered)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range phases {
			if diff := cmp.Diff(c.want, p.Idle); diff != "" {
				t.Errorf("%s (-want +got):\n%s", p.Name, diff)
			}
		}
	}
}
