package check_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/kube/check"
	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/story"
)

func objects(t testing.TB, text string) []*manifest.Object {
	t.Helper()
	set, err := manifest.ReadTexts([]manifest.Text{{Name: "in.yaml", Text: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	return set.Objects
}

const claims = `apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: both, namespace: shop}
spec: {storageClassName: gp2, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: tls, namespace: shop}
spec: {secretName: tls, issuerRef: {name: lets}}
`

// TestViews: what holds in several views is told once, what holds in one says in which, and what a view leaves out on purpose is not missed.
func TestViews(t *testing.T) {
	t.Parallel()
	in := input(t, "1.36", nil)
	shared := objects(t, claims)
	extra := objects(t, "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: live, namespace: shop}\nspec: {storageClassName: gp3, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n")
	in.Views = []check.View{
		{Name: "preprod standby", Objects: shared, Standby: true, Changed: []string{"base/a.yaml"}, Idle: []check.Override{{File: "overrides/all/web.yaml", Target: "kind: Job, name: web", Named: true}, {File: "overrides/all/web.yaml", Target: "kind: Job"}}},
		{Name: "preprod live", Objects: slices.Concat(shared, extra), Changed: []string{"base/a.yaml"}, NotApplied: "overrides/a uses images", Build: "kustomize build overrides/preprod/live"},
	}
	r := checked(t, in)
	want := `blocker missing-issuer: Certificate shop/tls (in.yaml:9; only in preprod live)
blocker missing-storageclass: PersistentVolumeClaim shop/both (in.yaml:4)
blocker missing-storageclass: PersistentVolumeClaim shop/live (in.yaml:4; only in preprod live)
blocker override-without-object: overrides/all/web.yaml (overrides/all/web.yaml; only in preprod standby)
blocker override-not-checked: preprod live (overrides; only in preprod live)
warning not-checked: Certificate cert-manager.io/v1 ()
warning tree-changed: base/a.yaml (base/a.yaml)
warning override-without-object: overrides/all/web.yaml (overrides/all/web.yaml; only in preprod standby)
`
	var got strings.Builder
	for line := range strings.Lines(told(r.Findings)) {
		if !strings.HasPrefix(line, " ") {
			got.WriteString(line)
		}
	}
	if got.String() != want || r.Objects != 3 || r.Checked != 2 || r.NotChecked["Certificate cert-manager.io/v1"] != 1 {
		t.Errorf("%d objects, %d checked, %v\n%s", r.Objects, r.Checked, r.NotChecked, got.String())
	}
}

// TestManyAreOne: two hundred objects that say the same are one finding, with their number and some of their places.
func TestManyAreOne(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 200 {
		b.WriteString("---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: c" + strings.Repeat("x", i) + ", namespace: shop}\nspec: {storageClassName: gp2, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n")
	}
	in := input(t, "1.36", nil)
	in.Views = []check.View{{Objects: objects(t, b.String())}}
	r := checked(t, in)
	i := slices.IndexFunc(r.Findings, func(f finding.Finding) bool { return f.Code == "missing-storageclass" })
	if i < 0 || r.Findings[i].Count != 200 || len(r.Findings[i].Evidence) != 6 {
		t.Errorf("%+v", r.Findings)
	}
}

// TestNothingIsTold: no finding of any story repeats what stands for a secret's value there.
func TestNothingIsTold(t *testing.T) {
	t.Parallel()
	n := 0
	for _, s := range story.All(t, "testdata/*.txtar") {
		for name, text := range s.Parts {
			if name != "findings" {
				n += strings.Count(strings.ToLower(text), "hunter")
			}
		}
		if said := told(checked(t, input(t, "1.36", s.Parts)).Findings); strings.Contains(strings.ToLower(said), "hunter") {
			t.Errorf("%s:\n%s", s.Name, said)
		}
	}
	if n < 8 {
		t.Errorf("only %d secrets stand in the stories", n)
	}
}

// TestTwiceTheSame: a check says the same in the same order, whatever the goroutines do.
func TestTwiceTheSame(t *testing.T) {
	t.Parallel()
	parts := story.All(t, "testdata/missing.txtar")[0].Parts
	first := told(checked(t, input(t, "1.36", parts)).Findings)
	for range 20 {
		if again := told(checked(t, input(t, "1.36", parts)).Findings); again != first {
			t.Fatalf("%s\n%s", first, again)
		}
	}
}

// TestCancelled: a check that nobody waits for ends.
func TestCancelled(t *testing.T) {
	t.Parallel()
	in := input(t, "1.36", nil)
	in.Views = []check.View{{Objects: objects(t, claims)}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := check.Run(ctx, in); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestVersion: an API that the version does not have yet, or any more.
func TestVersion(t *testing.T) {
	t.Parallel()
	text := "apiVersion: storage.k8s.io/v1\nkind: VolumeAttributesClass\nmetadata: {name: a}\ndriverName: b\n---\napiVersion: flowcontrol.apiserver.k8s.io/v1beta3\nkind: FlowSchema\nmetadata: {name: a}\n"
	for version, want := range map[string][]finding.Code{"1.34": {"api-removed"}, "1.37": {"api-removed"}} {
		in := input(t, version, map[string]string{"in.yaml": text})
		var got []finding.Code
		for _, f := range checked(t, in).Findings {
			got = append(got, f.Code)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v", version, got)
		}
	}
}

// TestAReleaseThatNobodyRendered is told once for all phases, and is a blocker: nothing of it was looked at.
func TestAReleaseThatNobodyRendered(t *testing.T) {
	t.Parallel()
	in := input(t, "1.36", nil)
	in.Views = []check.View{{Name: "preprod standby", NotRendered: []string{"shop/web"}}, {Name: "preprod live", NotRendered: []string{"shop/web"}}}
	r := checked(t, in)
	if len(r.Findings) != 1 || r.Findings[0].Code != "release-not-checked" || r.Findings[0].Severity != finding.Blocker || !strings.Contains(r.Findings[0].Do, "--release shop/web=FILE") {
		t.Errorf("%s", told(r.Findings))
	}
}
