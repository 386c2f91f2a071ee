package crossplane

import (
	"context"
	"testing"

	"github.com/google/cel-go/cel"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	k8s "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	api "k8s.io/apiserver/pkg/admission"
	plugin "k8s.io/apiserver/pkg/admission/plugin/cel"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/cel/environment"
)

// expression is the policy's, as the API server's own package takes it.
type expression string

// GetExpression returns the text.
func (e expression) GetExpression() string { return string(e) }

// ReturnTypes says that it is true or false.
func (expression) ReturnTypes() []*cel.Type { return []*cel.Type{cel.BoolType} }

// TestAdmission evaluates the admission policy as an API server does: only who may adopt decides whose thing on Google Cloud an object stands for.
func TestAdmission(t *testing.T) {
	t.Parallel()
	d, _ := shop(t)
	policy := admission(d)[0]
	text := fieldOf(policy, "spec", "validations").(list)[0].(object)["expression"].(string)
	compiler := plugin.NewConditionCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()))
	condition := compiler.CompileCondition([]plugin.ExpressionAccessor{expression(text)}, plugin.OptionalVariableDeclarations{HasParams: false, HasAuthorizer: true}, environment.NewExpressions)
	if errs := condition.CompilationErrors(); len(errs) > 0 {
		t.Fatal(errs)
	}
	cases := map[string]struct {
		before, after object // specs; nil before is a new object
		adopter       bool
		want          bool
	}{
		"New":                {nil, object{"adopt": "No"}, false, true},
		"NewWithoutDefaults": {nil, object{}, false, true},
		"NewNamed":           {nil, object{"adopt": "No", "name": "orders-eu"}, false, false},
		"NewObserving":       {nil, object{"adopt": "Observe"}, false, false},
		"NewManaging":        {nil, object{"adopt": "Manage"}, false, false},
		"Adopting":           {nil, object{"adopt": "Observe", "name": "orders-eu"}, true, true},
		"Resized":            {object{"adopt": "Observe", "name": "orders-eu", "size": "small"}, object{"adopt": "Observe", "name": "orders-eu", "size": "large"}, false, true},
		"Renamed":            {object{"adopt": "Observe", "name": "orders-eu"}, object{"adopt": "Observe", "name": "stock-eu"}, false, false},
		"NamedLater":         {object{"adopt": "No"}, object{"adopt": "No", "name": "stock-eu"}, false, false},
		"Promoted":           {object{"adopt": "Observe"}, object{"adopt": "Manage"}, false, false},
		"PromotedByAdopter":  {object{"adopt": "Observe"}, object{"adopt": "Manage"}, true, true},
		"MadeOwn":            {object{"adopt": "Manage"}, object{"adopt": "No"}, false, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := admitted(t, d, condition, tc.before, tc.after, tc.adopter)
			if got != tc.want {
				t.Errorf("admitted: %v, want %v", got, tc.want)
			}
		})
	}
}

func admitted(t *testing.T, d *Definition, condition plugin.ConditionEvaluator, before, after object, adopter bool) bool {
	t.Helper()
	kind := schema.GroupVersionKind{Group: d.Group, Version: Version, Kind: "PostgreSQL"}
	resource := schema.GroupVersionResource{Group: d.Group, Version: Version, Resource: "postgresqls"}
	made := &unstructured.Unstructured{Object: asked(d, "PostgreSQL", "shop", "orders", after)}
	operation, old := api.Create, k8s.Object(nil)
	if before != nil {
		operation, old = api.Update, &unstructured.Unstructured{Object: asked(d, "PostgreSQL", "shop", "orders", before)}
	}
	versioned := &api.VersionedAttributes{
		VersionedKind: kind, VersionedObject: api.NewLazyObject(made), VersionedOldObject: api.NewLazyObject(old),
		Attributes: api.NewAttributesRecord(made, old, kind, "shop", "orders", resource, "", operation, nil, false, &user.DefaultInfo{Name: "ann"}),
	}
	may := authorizer.AuthorizerFunc(func(_ context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
		if adopter && a.GetVerb() == "adopt" && a.GetAPIGroup() == d.Group && a.GetResource() == "postgresqls" && a.GetNamespace() == "shop" {
			return authorizer.DecisionAllow, "", nil
		}
		return authorizer.DecisionDeny, "", nil
	})
	request := plugin.CreateAdmissionRequest(versioned.Attributes, metav1.GroupVersionResource(resource), metav1.GroupVersionKind(kind))
	results, _, err := condition.ForInput(t.Context(), versioned, request, plugin.OptionalVariableBindings{Authorizer: may}, nil, celconfig.RuntimeCELCostBudget)
	if err != nil {
		t.Fatal(err)
	}
	if results[0].Error != nil {
		t.Fatal(results[0].Error)
	}
	return results[0].EvalResult.Value() == true
}
