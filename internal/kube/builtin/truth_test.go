package builtin_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
	admission "k8s.io/api/admissionregistration/v1"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	rbac "k8s.io/api/rbac/v1"
	scheduling "k8s.io/api/scheduling/v1"
	storage "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/runtime"
	serializer "k8s.io/apimachinery/pkg/runtime/serializer/json"

	"github.com/bascule/bascule/internal/kube/builtin"
	"github.com/bascule/bascule/internal/kube/manifest"
)

// strict is the decoder of an API server for Kubernetes' own Go types: it refuses unknown fields and wrong types. It shares nothing with the
// schemas but their common origin.
func strict(t testing.TB) func(object map[string]any) error {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		core.AddToScheme, apps.AddToScheme, batch.AddToScheme, networking.AddToScheme, policy.AddToScheme, rbac.AddToScheme, storage.AddToScheme,
		autoscaling.AddToScheme, scheduling.AddToScheme, admission.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	decoder := serializer.NewSerializerWithOptions(serializer.DefaultMetaFactory, scheme, scheme, serializer.SerializerOptions{Strict: true})
	return func(object map[string]any) error {
		text, err := json.Marshal(object)
		if err != nil {
			return err
		}
		_, _, err = decoder.Decode(text, nil, nil)
		return err
	}
}

// good are the manifests of the project's tests, of kinds that the decoder knows too, one of each form.
func good(t testing.TB, set *builtin.Set, decode func(map[string]any) error) []*manifest.Object {
	t.Helper()
	files, err := filepath.Glob("../*/testdata/*.txtar")
	if err != nil || len(files) < 50 {
		t.Fatal(len(files), err)
	}
	text, err := os.ReadFile("testdata/good.yaml")
	if err != nil {
		t.Fatal(err)
	}
	texts := [][]byte{text}
	for _, f := range files {
		archive, err := txtar.ParseFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range archive.Files {
			if part.Name == "live.yaml" {
				texts = append(texts, part.Data)
			}
		}
	}
	var out []*manifest.Object
	seen := map[string]bool{}
	for _, text := range texts {
		parsed, err := manifest.ReadTexts([]manifest.Text{{Name: "good", Text: text}})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range parsed.Objects {
			found, served := set.Check(o.Group, o.Version, o.Kind, o.Value)
			if !served || seen[shape(o.Value)] {
				continue
			}
			seen[shape(o.Value)] = true
			if err := decode(o.Value); err != nil || len(found) > 0 {
				t.Errorf("%s: %v, %v", o, found, err)
				continue
			}
			out = append(out, o)
		}
	}
	if len(out) < 60 {
		t.Fatalf("only %d", len(out))
	}
	return out
}

// shape is an object without its values.
func shape(v any) string {
	switch x := v.(type) {
	case map[string]any:
		var b strings.Builder
		for _, k := range slices.Sorted(maps.Keys(x)) {
			b.WriteString(k + "(" + shape(x[k]) + ")")
		}
		if x["kind"] != nil {
			fmt.Fprint(&b, x["apiVersion"], x["kind"])
		}
		return b.String()
	case []any:
		return fmt.Sprint(len(x))
	}
	return ""
}

// TestMutilations breaks known-good objects in every place, in every way, and holds the verdict to that of the decoder: what it refuses is found,
// and what is found for a type or a name of a field is refused.
func TestMutilations(t *testing.T) {
	t.Parallel()
	set, err := builtin.Load("1.37") // that of go.mod's k8s.io/api
	if err != nil {
		t.Fatal(err)
	}
	decode := strict(t)
	n, refused := 0, 0
	for _, o := range good(t, set, decode) {
		places(o.Value, nil, func(path []string, broken func(any) map[string]any, old any) {
			for _, v := range mutants(old) {
				object := broken(v)
				want := decode(object)
				found, served := set.Check(o.Group, o.Version, o.Kind, object)
				if !served {
					t.Fatal(o)
				}
				n++
				if want != nil {
					refused++
				}
				if want != nil && len(found) == 0 {
					t.Errorf("%s: %v = %v is refused, and not found: %v", o, path, v, want)
				}
				for _, p := range found {
					if _, bytes := v.([]any); bytes && strings.Contains(p.What, "has to be text") {
						continue // Go's decoder takes a list of numbers for bytes
					}
					if typed(p.What) && want == nil {
						t.Errorf("%s: %v = %v is taken, and found: %v: %s", o, path, v, p.Path, p.What)
					}
				}
			}
		})
		if t.Failed() {
			break
		}
	}
	t.Logf("%d mutilations, of which the decoder refuses %d", n, refused)
}

// typed says whether a problem is one that a decoder would meet.
func typed(what string) bool {
	return strings.HasPrefix(what, "unknown field") || strings.Contains(what, "has to be") || strings.Contains(what, "no quantity")
}

// mutants are what is put in the place of a value.
func mutants(old any) []any {
	out := []any{"text", "", int64(7), 1.5, true, map[string]any{"unknownField": "x"}, []any{"x"}, []any{int64(1)}, int64(1) << 40}
	if m, ok := old.(map[string]any); ok {
		c := maps.Clone(m)
		c["unknownField"] = "x"
		out = append(out, c)
	}
	return out
}

// places visits all values below the top, with a function that returns the object with another value there.
func places(object map[string]any, path []string, visit func(path []string, broken func(any) map[string]any, old any)) {
	var walk func(v any, path []string, put func(any) map[string]any)
	walk = func(v any, path []string, put func(any) map[string]any) {
		if len(path) > 0 && path[0] != "apiVersion" && path[0] != "kind" && path[0] != "status" {
			visit(path, put, v)
		}
		switch x := v.(type) {
		case map[string]any:
			for k, e := range x {
				walk(e, append(slices.Clone(path), k), func(v any) map[string]any {
					c := maps.Clone(x)
					c[k] = v
					return put(c)
				})
			}
		case []any:
			for i, e := range x {
				walk(e, append(slices.Clone(path), fmt.Sprint(i)), func(v any) map[string]any {
					c := slices.Clone(x)
					c[i] = v
					return put(c)
				})
			}
		}
	}
	walk(object, path, func(v any) map[string]any { m, _ := v.(map[string]any); return m })
}
