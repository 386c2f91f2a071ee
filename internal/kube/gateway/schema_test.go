package gateway_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/bascule/bascule/internal/kube/crd"
	"github.com/bascule/bascule/internal/kube/gateway"
)

// crds are gateway-api's own CRDs, from its module, and GKE's, where they lie beside the project.
var crds = sync.OnceValues(func() (*crd.Set, error) {
	module, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api").Output()
	if err != nil {
		return nil, err
	}
	set, err := crd.Load(filepath.Join(strings.TrimSpace(string(module)), "config/crd/standard"))
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(gkeCRDs(), "*.yaml"))
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err == nil {
			err = set.Add(f, text)
		}
		if err != nil {
			return nil, err
		}
	}
	return set, err
})

func gkeCRDs() string {
	if dir := os.Getenv("BASCULE_TEST_CRDS"); dir != "" {
		return filepath.Join(dir, "gke")
	}
	return "../../../../shared/crds/gke"
}

func check(t testing.TB, object map[string]any) crd.Verdict {
	t.Helper()
	set, err := crds()
	if err != nil {
		t.Fatal(err)
	}
	v, err := set.Check(t.Context(), "", object)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// valid checks an object as an API server would. It returns whether there was a schema.
func valid(t testing.TB, o *gateway.Object) bool {
	t.Helper()
	v := check(t, plainObject(t, o))
	for _, p := range v.Problems {
		t.Error(p)
	}
	return v.Checked
}

func plainObject(t testing.TB, o *gateway.Object) map[string]any {
	t.Helper()
	text, err := o.Text()
	if err != nil {
		t.Fatal(err)
	}
	var object map[string]any
	if err := yaml.UnmarshalStrict(text, &object); err != nil {
		t.Fatalf("%s %s/%s: %s", o.Kind, o.Namespace, o.Name, err)
	}
	return object
}

// TestSchemasRefuse proves that gateway-api's own definitions are at hand, and that they refuse something, by a rule too.
func TestSchemasRefuse(t *testing.T) {
	for _, bad := range []string{"method: BREW", "path: {type: PathPrefix, value: a//b}", "paths: 1"} {
		text := "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: a, namespace: b}, spec: {rules: [{matches: [{" + bad + "}]}]}}"
		var object map[string]any
		if err := yaml.Unmarshal([]byte(text), &object); err != nil {
			t.Fatal(err)
		}
		field, _, _ := strings.Cut(bad, ":")
		if v := check(t, object); !slices.ContainsFunc(v.Problems, func(p crd.Problem) bool { return strings.Contains(p.Path, field) }) {
			t.Errorf("%s is not refused: %v", bad, v.Problems)
		}
	}
}
