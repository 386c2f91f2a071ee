package crd_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/kube/crd"
)

// given are the definitions of real packages, which lie beside the project on some machines.
const given = "../../../../shared/crds"

func shelf(t *testing.T) *crd.Set {
	t.Helper()
	set, err := crd.Load("testdata")
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func packages(tb testing.TB) *crd.Set {
	tb.Helper()
	if _, err := os.Stat(given); err != nil {
		tb.Skipf("the real definitions are not here: %v", err)
	}
	set, err := crd.Load(given)
	if err != nil {
		tb.Fatal(err)
	}
	return set
}

func object(tb testing.TB, text string) map[string]any {
	tb.Helper()
	var o map[string]any
	if err := yaml.Unmarshal([]byte(text), &o); err != nil {
		tb.Fatal(err)
	}
	return o
}

// check returns the problems as path: what.
func check(t *testing.T, set *crd.Set, text string) (problems []string, v crd.Verdict) {
	t.Helper()
	v, err := set.Check(t.Context(), "shelf.yaml", object(t, text))
	if err != nil {
		t.Fatal(err)
	}
	if !v.Checked {
		t.Fatal("not checked")
	}
	for _, p := range v.Problems {
		problems = append(problems, p.String())
	}
	return problems, v
}

const head = "apiVersion: store.example.org/v1\nkind: Shelf\nmetadata: {name: tall, namespace: shop}\n"

func TestCheck(t *testing.T) {
	t.Parallel()
	const at = "shelf.yaml: Shelf/shop/tall: "
	cases := map[string]struct {
		text string
		want []string
	}{
		"Right":         {head + "spec: {boards: 3, height: 60, free: {any: [thing]}}", nil},
		"UnknownField":  {head + "spec: {boards: 3, heigth: 60}", []string{at + "spec.heigth: unknown field"}},
		"UnknownNested": {head + "spec: {boards: 3, labels: [{name: a, txt: b}]}", []string{at + "spec.labels[0].txt: unknown field"}},
		"UnknownRoot":   {head + "spec: {boards: 3}\nspek: {}", []string{at + "spek: unknown field"}},
		"UnknownMeta":   {strings.Replace(head, "name: tall", "name: tall, lables: {a: b}", 1) + "spec: {boards: 3}", []string{at + "metadata.lables: unknown field"}},
		"Rule":          {head + "spec: {boards: 3, height: 59}", []string{at + `spec: Invalid value: a board needs 20 cm`}},
		"Type":          {head + "spec: {boards: three}", []string{at + `spec.boards: Invalid value: "string": spec.boards in body must be of type integer: "string"`}},
		"Enum":          {head + "spec: {boards: 3, wood: ash}", []string{at + `spec.wood: Unsupported value: "ash": supported values: "oak", "pine"`}},
		"NoMetadata":    {"apiVersion: store.example.org/v1\nkind: Shelf\nspec: {boards: 3}\n", []string{"shelf.yaml: Shelf: metadata: Required value"}},
		"Missing":       {head, []string{at + "spec: Required value"}},
		"Twice":         {head + "spec: {boards: 3, labels: [{name: a}, {name: a}]}", []string{at + `spec.labels[1]: Duplicate value: {"name":"a"}`}},
		"Name":          {strings.Replace(head, "tall", "Tall_1", 1) + "spec: {boards: 3}", []string{`shelf.yaml: Shelf/shop/Tall_1: metadata.name: Invalid value: "Tall_1": a lowercase RFC 1123 subdomain`}},
		"Label":         {strings.Replace(head, "name: tall", `name: tall, labels: {a: "b c"}`, 1) + "spec: {boards: 3}", []string{at + `metadata.labels: Invalid value: "b c": a valid label must be`}},
	}
	set := shelf(t)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, _ := check(t, set, tc.text)
			if len(got) != len(tc.want) {
				t.Fatalf("got %q, want %q", got, tc.want)
			}
			for i := range got {
				if !strings.HasPrefix(got[i], tc.want[i]) {
					t.Errorf("got  %q\nwant %q", got[i], tc.want[i])
				}
			}
		})
	}
}

// TestDefaults also holds that what is given stays as it is.
func TestDefaults(t *testing.T) {
	t.Parallel()
	text := head + "spec: {boards: 3, labels: [{name: a}], surplus: 1}"
	given := object(t, text)
	v, err := shelf(t).Check(t.Context(), "", given)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"boards": int64(3), "wood": "pine", "labels": []any{map[string]any{"name": "a", "text": "none"}}}
	if diff := cmp.Diff(want, v.Object["spec"]); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(object(t, text), given); diff != "" {
		t.Errorf("the object itself was changed: %s", diff)
	}
}

// TestNotChecked: what has no schema is never valid.
func TestNotChecked(t *testing.T) {
	t.Parallel()
	set := shelf(t)
	for _, text := range []string{
		"apiVersion: store.example.org/v1\nkind: Cupboard\nmetadata: {name: a}",
		"apiVersion: store.example.org/v2\nkind: Shelf\nmetadata: {name: a}", // not served
		"apiVersion: v1\nkind: Secret\nmetadata: {name: a}",
		"{}",
	} {
		v, err := set.Check(t.Context(), "", object(t, text))
		if err != nil || v.Checked || v.Problems != nil {
			t.Errorf("%s: %+v, %v", text, v, err)
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	cases := map[string]string{
		"NoDefinition": "apiVersion: v1\nkind: ConfigMap\n",
		"NoYAML":       "kind: CustomResourceDefinition\n\tspec: {",
		"NoVersion":    "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a.b}\nspec: {group: b, names: {kind: A}}\n",
	}
	for name, text := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "a.yaml"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := crd.Load(dir); fault.ClassOf(err) != fault.Usage {
				t.Errorf("got %v", err)
			}
		})
	}
	if _, err := crd.Load(filepath.Join(t.TempDir(), "none")); fault.ClassOf(err) != fault.Usage {
		t.Errorf("got %v", err)
	}
}

// TestList reads what kubectl get crd -o yaml prints, and several documents.
func TestList(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/shelf.yaml")
	if err != nil {
		t.Fatal(err)
	}
	indented := "  - " + strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", "\n    ")
	set := crd.New()
	if err := set.Add("list", []byte("kind: ConfigMap\n---\napiVersion: v1\nkind: List\nitems:\n"+indented+"\n")); err != nil {
		t.Fatal(err)
	}
	if got, _ := check(t, set, head+"spec: {boards: 0}"); len(got) != 1 {
		t.Errorf("got %q", got)
	}
}

// TestBroken: a schema that no server would take is an error, not a verdict.
func TestBroken(t *testing.T) {
	t.Parallel()
	set := crd.New()
	err := set.Add("broken", []byte(`{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: as.b.c},
  spec: {group: b.c, scope: Namespaced, names: {kind: A, plural: as}, versions: [{name: v1, served: true, storage: true,
    schema: {openAPIV3Schema: {type: object, properties: {spec: {properties: {a: {type: string}}}}}}}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	_, err = set.Check(t.Context(), "", object(t, "{apiVersion: b.c/v1, kind: A, metadata: {name: a}}"))
	if err == nil || !strings.Contains(err.Error(), "compile the schema of A.b.c/v1") || !strings.Contains(err.Error(), "properties[spec].type") {
		t.Errorf("got %v", err)
	}
}

// instance is a database server whose tier is misspelt and whose required version is missing.
const instance = `
apiVersion: sql.gcp.m.upbound.io/v1beta1
kind: DatabaseInstance
metadata: {name: orders, namespace: shop}
spec:
  forProvider:
    region: europe-west1
    settings: {teir: db-custom-2-7680}
`

// TestReal holds a real definition's own words.
func TestReal(t *testing.T) {
	t.Parallel()
	set := packages(t)
	got, v := check(t, set, instance)
	want := []string{
		"shelf.yaml: DatabaseInstance/shop/orders: spec.forProvider.settings.teir: unknown field",
		"shelf.yaml: DatabaseInstance/shop/orders: spec: Invalid value: spec.forProvider.databaseVersion is a required parameter",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	spec := v.Object["spec"].(map[string]any)
	if diff := cmp.Diff(map[string]any{"kind": "ClusterProviderConfig", "name": "default"}, spec["providerConfigRef"]); diff != "" {
		t.Errorf("default: %s", diff)
	}
}

// BenchmarkCheck is held to a millisecond an object.
func BenchmarkCheck(b *testing.B) {
	set := packages(b)
	o := object(b, instance)
	if _, err := set.Check(b.Context(), "", o); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := set.Check(b.Context(), "", o); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLoad reads all real definitions.
func BenchmarkLoad(b *testing.B) {
	packages(b)
	for b.Loop() {
		if _, err := crd.Load(given); err != nil {
			b.Fatal(err)
		}
	}
}
