package manifest_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bascule/bascule/internal/kube/manifest"
)

func release(t *testing.T, text string) *manifest.Set {
	t.Helper()
	set, err := manifest.ReadRelease(manifest.Release{Namespace: "shop", Name: "web", File: "web.yaml", Text: []byte(text)}, func(o *manifest.Object) bool { return o.Kind != "ClusterRole" })
	if err != nil {
		t.Fatal(err)
	}
	return set
}

const printed = `---
# Source: web/templates/a.yaml
apiVersion: v1
kind: ConfigMap
metadata:
  name: a
data:
  text: |
    # Source: none/of/this
---
# Source: web/charts/sub/templates/b.yaml
# a comment
kind: ConfigMap
apiVersion: v1
metadata: {name: b, namespace: other}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: c}
# Source: behind/it
`

func TestReadRelease(t *testing.T) {
	type read struct {
		Name, Release, Template string
		Unplaced                bool
	}
	var got []read
	for _, o := range release(t, printed).Objects {
		got = append(got, read{o.String(), o.Release, o.Template(), o.Unplaced})
		meta := o.Value["metadata"].(map[string]any)
		if n, _ := meta["namespace"].(string); n != o.Namespace {
			t.Errorf("%s: its value says %q", o, n)
		}
	}
	want := []read{
		{"ConfigMap shop/a", "shop/web", "web/templates/a.yaml", true},
		{"ConfigMap other/b", "shop/web", "web/charts/sub/templates/b.yaml", false},
		{"ClusterRole c", "shop/web", "", false},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if text := string(release(t, printed).Objects[0].Text); strings.Contains(text, "namespace") {
		t.Errorf("the text is another: %s", text)
	}
}

// TestHooksThatShareAName: a chart may have an object twice, as a hook and not, for hooks come first. The one that is no hook stays, wherever it stands.
func TestHooksThatShareAName(t *testing.T) {
	hook := "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a, annotations: {helm.sh/hook: pre-install}}\n"
	plain := "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a}\n"
	for name, text := range map[string]string{"before": hook + "---\n" + plain, "behind": plain + "---\n" + hook, "two hooks": hook + "---\n" + hook + "---\n" + plain} {
		set := release(t, text)
		if len(set.Objects) != 1 || set.Objects[0].Hook() != "" || len(set.Aside) != strings.Count(text, "hook") || !strings.Contains(set.Aside[0].What, "ServiceAccount shop/a") {
			t.Errorf("%s: %v, %v", name, set.Objects, set.Aside)
		}
	}
	if _, err := manifest.ReadRelease(manifest.Release{Namespace: "shop", Name: "web", File: "web.yaml", Text: []byte(plain + "---\n" + plain)}, func(*manifest.Object) bool { return true }); err == nil || !strings.Contains(err.Error(), "stands twice") {
		t.Errorf("twice: %v", err)
	}
}

func TestJoin(t *testing.T) {
	set, err := manifest.ReadTexts([]manifest.Text{{Name: "a.yaml", Text: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: shop}\n---\nno: object\n")}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := manifest.Join(set, release(t, printed)); err == nil || !strings.Contains(err.Error(), "ConfigMap shop/a stands twice: first at a.yaml:1") {
		t.Errorf("one object in manifests and in a release: %v", err)
	}
	joined, err := manifest.Join(set, release(t, strings.ReplaceAll(printed, "name: a", "name: d")))
	if err != nil || len(joined.Objects) != 4 || len(joined.Aside) != 1 {
		t.Errorf("%v, %v", joined, err)
	}
}
