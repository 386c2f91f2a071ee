package check_test

import (
	"path/filepath"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/bascule/bascule/internal/kube/check"
	"github.com/bascule/bascule/internal/kube/crd"
	"github.com/bascule/bascule/internal/kube/manifest"
)

// FuzzRun holds a check to findings, whatever stands in the manifests: fields of any type, where others are expected.
func FuzzRun(f *testing.F) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, part := range archive.Files {
			if part.Name == "in.yaml" {
				f.Add(part.Data)
			}
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
