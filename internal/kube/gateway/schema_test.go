package gateway_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/util/json"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"

	"github.com/bascule/bascule/internal/kube/gateway"
)

// kindSchema is one version of a CRD.
type kindSchema struct {
	structural *schema.Structural
	validator  validation.SchemaValidator
	rules      *cel.Validator
}

// crds are gateway-api's own CRDs, from its module, and GKE's, where they lie beside the project.
var crds = sync.OnceValue(func() map[string]*kindSchema {
	out := map[string]*kindSchema{}
	module, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api").Output()
	if err != nil {
		panic(err)
	}
	dirs := []string{filepath.Join(strings.TrimSpace(string(module)), "config/crd/standard"), gkeCRDs()}
	for _, dir := range dirs {
		files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
		if err != nil {
			panic(err)
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				panic(err)
			}
			loadCRD(text, out)
		}
	}
	return out
})

func gkeCRDs() string {
	if dir := os.Getenv("BASCULE_TEST_CRDS"); dir != "" {
		return filepath.Join(dir, "gke")
	}
	return "../../../../shared/crds/gke"
}

func loadCRD(text []byte, out map[string]*kindSchema) {
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.Unmarshal(text, crd); err != nil {
		panic(err)
	}
	if crd.Kind != "CustomResourceDefinition" {
		return
	}
	for _, v := range crd.Spec.Versions {
		internal := &apiextensions.CustomResourceValidation{}
		if err := apiextensionsv1.Convert_v1_CustomResourceValidation_To_apiextensions_CustomResourceValidation(v.Schema, internal, nil); err != nil {
			panic(err)
		}
		s, err := schema.NewStructural(internal.OpenAPIV3Schema)
		if err != nil {
			panic(err)
		}
		validator, _, err := validation.NewSchemaValidator(internal.OpenAPIV3Schema)
		if err != nil {
			panic(err)
		}
		out[crd.Spec.Group+"/"+v.Name+" "+crd.Spec.Names.Kind] = &kindSchema{s, validator, cel.NewValidator(s, true, celconfig.PerCallLimit)}
	}
}

// valid checks an object as an API server would: no unknown field, the schema, the rules in CEL. It returns whether there was a schema.
func valid(t testing.TB, o *gateway.Object) bool {
	t.Helper()
	s := crds()[o.APIVersion+" "+o.Kind]
	if s == nil {
		return false
	}
	object := plainObject(t, o)
	options := schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}
	for _, path := range pruning.PruneWithOptions(object, s.structural, true, options) {
		t.Errorf("%s %s/%s: unknown field %s", o.Kind, o.Namespace, o.Name, path)
	}
	defaulting.Default(object, s.structural)
	for _, e := range validation.ValidateCustomResource(nil, object, s.validator) {
		t.Errorf("%s %s/%s: %s", o.Kind, o.Namespace, o.Name, e)
	}
	errs, _ := s.rules.Validate(t.Context(), nil, s.structural, object, nil, celconfig.RuntimeCELCostBudget)
	for _, e := range errs {
		t.Errorf("%s %s/%s: %s", o.Kind, o.Namespace, o.Name, e)
	}
	return true
}

func plainObject(t testing.TB, o *gateway.Object) map[string]any {
	t.Helper()
	text, err := o.Text()
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		t.Fatalf("%s %s/%s: %s", o.Kind, o.Namespace, o.Name, err)
	}
	var object map[string]any
	if err := json.Unmarshal(asJSON, &object); err != nil {
		t.Fatal(err)
	}
	return object
}

// TestSchemasRefuse proves that the check can fail: by its schema, by a rule in CEL, by an unknown field.
func TestSchemasRefuse(t *testing.T) {
	for name, c := range map[string]struct{ kind, text, want string }{
		"enumeration": {"gateway.networking.k8s.io/v1 HTTPRoute", "spec: {rules: [{matches: [{method: BREW}]}]}", "Unsupported value"},
		"cel":         {"gateway.networking.k8s.io/v1 HTTPRoute", "spec: {rules: [{matches: [{path: {type: PathPrefix, value: a//b}}]}]}", "absolute path"},
	} {
		t.Run(name, func(t *testing.T) {
			s := crds()[c.kind]
			var object map[string]any
			if err := yaml.Unmarshal([]byte(c.text), &object); err != nil {
				t.Fatal(err)
			}
			defaulting.Default(object, s.structural)
			errs := validation.ValidateCustomResource(nil, object, s.validator)
			more, _ := s.rules.Validate(t.Context(), nil, s.structural, object, nil, celconfig.RuntimeCELCostBudget)
			if all := append(errs, more...).ToAggregate(); all == nil || !strings.Contains(all.Error(), c.want) {
				t.Errorf("got %v, want %q", all, c.want)
			}
		})
	}
}
