package check_test

import (
	"testing"

	"github.com/bascule/bascule/internal/kube/check"
	"github.com/bascule/bascule/internal/kube/crd"
	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/story"
)

// FuzzRun holds a check to findings, whatever stands in the manifests: fields of any type, where others are expected.
func FuzzRun(f *testing.F) {
	for _, s := range story.All(f, "testdata/*.txtar") {
		if text, ok := s.Parts["in.yaml"]; ok {
			f.Add([]byte(text))
		}
	}
	f.Add([]byte("{apiVersion: apps/v1, kind: Deployment, metadata: [], spec: {template: {spec: {containers: [1, {env: {}, envFrom: [[]]}]}}}}"))
	f.Add([]byte("{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: 1}, spec: {podSelector: [], egress: [1, {to: {}, ports: [[]]}], policyTypes: {}}}"))
	f.Add([]byte("{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, spec: {parentRefs: {a: b}, rules: [{matches: [[]], filters: 1}]}}"))
	shared := input(f, "1.36", nil)
	f.Fuzz(func(t *testing.T, text []byte) {
		set, err := manifest.ReadTexts([]manifest.Text{{Name: "in.yaml", Text: text}})
		if err != nil {
			return
		}
		in := *shared
		in.Definitions = crd.New()
		in.Views = []check.View{{Objects: set.Objects, Aside: set.Aside}}
		if r, err := check.Run(t.Context(), &in); err == nil && r.Objects != len(set.Objects) {
			t.Errorf("%d of %d objects", r.Objects, len(set.Objects))
		}
	})
}
