package tree_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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
