package pipeline_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"

	"github.com/bascule/bascule/internal/crossplane/pipeline"
)

func object(t *testing.T, text string) (o map[string]any) {
	t.Helper()
	js, err := yaml.YAMLToJSON([]byte(text))
	if err == nil {
		err = utiljson.Unmarshal(js, &o)
	}
	if err != nil {
		t.Fatal(err)
	}
	return o
}

const xr = `
apiVersion: example.org/v1
kind: Shop
metadata: {name: corner, namespace: street}
spec: {size: small, count: 3, share: 0.5, open: true, names: [ann, bob], code: abc-42}
`

// composition is one whose only resource has the patches.
func composition(patches string) string {
	return `
apiVersion: apiextensions.crossplane.io/v1
kind: Composition
metadata: {name: shop}
spec:
  compositeTypeRef: {apiVersion: example.org/v1, kind: Shop}
  mode: Pipeline
  pipeline:
    - step: compose
      functionRef: {name: function-patch-and-transform}
      input:
        apiVersion: pt.fn.crossplane.io/v1beta1
        kind: Resources
        patchSets:
          - {name: common, patches: [{fromFieldPath: spec.size, toFieldPath: spec.common}]}
        resources:
          - name: thing
            base: {apiVersion: v1, kind: Thing, spec: {list: [{a: 1}]}}
            patches: ` + patches + `
    - step: ready
      functionRef: {name: function-auto-ready}
`
}

func render(t *testing.T, patches string, observed map[string]map[string]any) (*pipeline.Result, error) {
	t.Helper()
	c, err := pipeline.Read(object(t, composition(patches)))
	if err != nil {
		return nil, err
	}
	return c.Render(object(t, xr), observed)
}

// TestPatches holds each patch to what the function's documentation says of it.
func TestPatches(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ patches, want string }{
		"Copy":           {`[{fromFieldPath: spec.count, toFieldPath: spec.val}]`, `{list: [{a: 1}], val: 3}`},
		"SamePath":       {`[{fromFieldPath: spec.size}]`, `{list: [{a: 1}], size: small}`},
		"IntoList":       {`[{fromFieldPath: "spec.names[1]", toFieldPath: "spec.list[2].b"}]`, `{list: [{a: 1}, null, {b: bob}]}`},
		"Object":         {`[{fromFieldPath: spec.names, toFieldPath: spec.list}]`, `{list: [ann, bob]}`},
		"OptionalAbsent": {`[{fromFieldPath: spec.none, toFieldPath: spec.val}]`, `{list: [{a: 1}]}`},
		"Later":          {`[{fromFieldPath: spec.size, toFieldPath: spec.val}, {fromFieldPath: spec.count, toFieldPath: spec.val}]`, `{list: [{a: 1}], val: 3}`},
		"PatchSet":       {`[{type: PatchSet, patchSetName: common}]`, `{list: [{a: 1}], common: small}`},
		"Combine": {
			`[{type: CombineFromComposite, combine: {strategy: string, string: {fmt: "%s-%d"}, variables: [{fromFieldPath: metadata.name}, {fromFieldPath: spec.count}]}, toFieldPath: spec.val}]`,
			`{list: [{a: 1}], val: corner-3}`,
		},
		"CombineAbsent": {
			`[{type: CombineFromComposite, combine: {strategy: string, string: {fmt: "%s-%s"}, variables: [{fromFieldPath: metadata.name}, {fromFieldPath: spec.none}]}, toFieldPath: spec.val}]`,
			`{list: [{a: 1}]}`,
		},
		"Map":          {`[{fromFieldPath: spec.size, toFieldPath: spec.val, transforms: [{type: map, map: {small: {cpu: 1}}}]}]`, `{list: [{a: 1}], val: {cpu: 1}}`},
		"MapToList":    {`[{fromFieldPath: spec.size, toFieldPath: spec.val, transforms: [{type: map, map: {small: [x]}}]}]`, `{list: [{a: 1}], val: [x]}`},
		"MatchLiteral": {`[{fromFieldPath: spec.size, toFieldPath: spec.val, transforms: [{type: match, match: {patterns: [{type: literal, literal: small, result: 7}]}}]}]`, `{list: [{a: 1}], val: 7}`},
		"MatchRegexp":  {`[{fromFieldPath: spec.code, toFieldPath: spec.val, transforms: [{type: match, match: {patterns: [{type: regexp, regexp: "^abc", result: yes it is}]}}]}]`, `{list: [{a: 1}], val: yes it is}`},
		"MatchValue":   {`[{fromFieldPath: spec.size, toFieldPath: spec.val, transforms: [{type: match, match: {fallbackValue: none}}]}]`, `{list: [{a: 1}], val: none}`},
		"MatchInput":   {`[{fromFieldPath: spec.size, toFieldPath: spec.val, transforms: [{type: match, match: {fallbackTo: Input}}]}]`, `{list: [{a: 1}], val: small}`},
		"MatchNothing": {`[{fromFieldPath: spec.size, toFieldPath: spec.val, transforms: [{type: match, match: {}}]}]`, `{list: [{a: 1}], val: null}`},
		"Multiply":     {`[{fromFieldPath: spec.count, toFieldPath: spec.val, transforms: [{type: math, math: {multiply: 4}}]}]`, `{list: [{a: 1}], val: 12}`},
		"MultiplyPart": {`[{fromFieldPath: spec.share, toFieldPath: spec.val, transforms: [{type: math, math: {multiply: 5}}]}]`, `{list: [{a: 1}], val: 2.5}`},
		"ClampMin":     {`[{fromFieldPath: spec.count, toFieldPath: spec.val, transforms: [{type: math, math: {type: ClampMin, clampMin: 10}}]}]`, `{list: [{a: 1}], val: 10}`},
		"ClampMax":     {`[{fromFieldPath: spec.count, toFieldPath: spec.val, transforms: [{type: math, math: {type: ClampMax, clampMax: 2}}]}]`, `{list: [{a: 1}], val: 2}`},
		"Format":       {`[{fromFieldPath: spec.count, toFieldPath: spec.val, transforms: [{type: string, string: {fmt: "n=%03d"}}]}]`, `{list: [{a: 1}], val: n=003}`},
		"Upper":        {`[{fromFieldPath: spec.size, toFieldPath: spec.val, transforms: [{type: string, string: {type: Convert, convert: ToUpper}}]}]`, `{list: [{a: 1}], val: SMALL}`},
		"Base64":       {`[{fromFieldPath: spec.size, toFieldPath: spec.val, transforms: [{type: string, string: {type: Convert, convert: ToBase64}}, {type: string, string: {type: TrimSuffix, trim: "bGw="}}]}]`, `{list: [{a: 1}], val: c21h}`},
		"Regexp":       {`[{fromFieldPath: spec.code, toFieldPath: spec.val, transforms: [{type: string, string: {type: Regexp, regexp: {match: "([a-z]+)-([0-9]+)", group: 2}}}, {type: convert, convert: {toType: int}}]}]`, `{list: [{a: 1}], val: 42}`},
		"ConvertBool":  {`[{fromFieldPath: spec.open, toFieldPath: spec.val, transforms: [{type: convert, convert: {toType: string}}]}]`, `{list: [{a: 1}], val: "true"}`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := render(t, tc.patches, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(object(t, tc.want), got.Resources[0].Object["spec"]); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestRefuses: what is not known is named, and what the function refuses is refused.
func TestRefuses(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ patches, want string }{
		"Type":       {`[{type: FromEnvironmentFieldPath, fromFieldPath: a}]`, `patch 0: type "FromEnvironmentFieldPath" is not supported`},
		"Field":      {`[{fromFieldPath: spec.size, mergeOptions: {}}]`, `unknown field "mergeOptions"`},
		"Merge":      {`[{fromFieldPath: spec.size, policy: {toFieldPath: MergeObjects}}]`, `policy toFieldPath "MergeObjects" is not supported`},
		"Wildcard":   {`[{fromFieldPath: spec.size, toFieldPath: "spec.list[*].b"}]`, `the wildcard [*] is not supported`},
		"Quantity":   {`[{fromFieldPath: spec.size, transforms: [{type: convert, convert: {toType: float64, format: quantity}}]}]`, `convert with format "quantity" is not supported`},
		"Hash":       {`[{fromFieldPath: spec.size, transforms: [{type: string, string: {type: Convert, convert: ToSha1}}]}]`, `string convert "ToSha1" is not supported`},
		"Join":       {`[{fromFieldPath: spec.names, transforms: [{type: string, string: {type: Join, join: {separator: a}}}]}]`, `unknown field "join"`},
		"MapKey":     {`[{fromFieldPath: spec.size, transforms: [{type: map, map: {large: 1}}]}]`, `map has no key "small"`},
		"Verb":       {`[{fromFieldPath: spec.size, transforms: [{type: string, string: {fmt: "%d"}}]}]`, `does not fit its values`},
		"NoMatch":    {`[{fromFieldPath: spec.size, transforms: [{type: string, string: {type: Regexp, regexp: {match: "^x"}}}]}]`, `does not match ^x`},
		"WrongPath":  {`[{fromFieldPath: "spec.size[0]", toFieldPath: spec.val}]`, `has no fields`},
		"NoPatchSet": {`[{type: PatchSet, patchSetName: none}]`, `there is no patch set "none"`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := render(t, tc.patches, nil)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
	for from, to := range map[string]string{
		"function-auto-ready": "function-go-templating",
		"mode: Pipeline":      "mode: Resources",
		"kind: Shop":          "kind: Stall",
		"- step: ready":       "- credentials: []\n      step: ready",
	} {
		text := strings.Replace(composition("[]"), from, to, 1)
		c, err := pipeline.Read(object(t, text))
		if err == nil {
			_, err = c.Render(object(t, xr), nil)
		}
		if err == nil {
			t.Errorf("%q is taken", to)
		}
	}
}

// TestRequired: a resource waits for a required field, unless it exists already.
func TestRequired(t *testing.T) {
	t.Parallel()
	const patches = `[{fromFieldPath: status.address, toFieldPath: spec.val, policy: {fromFieldPath: Required}}]`
	got, err := render(t, patches, nil)
	if err != nil || len(got.Resources) != 0 || len(got.Waiting) != 1 || got.Ready {
		t.Fatalf("%+v, %v", got, err)
	}
	got, err = render(t, patches, map[string]map[string]any{"thing": object(t, "{metadata: {name: old}}")})
	if err != nil || len(got.Resources) != 1 || len(got.Waiting) != 0 {
		t.Fatalf("%+v, %v", got, err)
	}
	if name := got.Resources[0].Object["metadata"].(map[string]any)["name"]; name != "old" {
		t.Errorf("what exists is called %v", name)
	}
}

// TestStatus: what is observed comes into the status, and decides about readiness.
func TestStatus(t *testing.T) {
	t.Parallel()
	const patches = `[{type: ToCompositeFieldPath, fromFieldPath: "status.list[0].ip", toFieldPath: status.address}]`
	got, err := render(t, patches, nil)
	if err != nil || got.Status != nil || got.Ready {
		t.Fatalf("%+v, %v", got, err)
	}
	for status, ready := range map[string]bool{"True": true, "False": false} {
		seen := object(t, `{metadata: {name: old}, status: {list: [{ip: 192.0.2.1}], conditions: [{type: Ready, status: "`+status+`"}]}}`)
		got, err = render(t, patches, map[string]map[string]any{"thing": seen})
		if err != nil || got.Ready != ready {
			t.Fatalf("%s: %+v, %v", status, got, err)
		}
		if diff := cmp.Diff(map[string]any{"address": "192.0.2.1"}, got.Status); diff != "" {
			t.Error(diff)
		}
	}
}

// TestChecks holds the readiness checks to their names.
func TestChecks(t *testing.T) {
	t.Parallel()
	seen := map[string]map[string]any{"thing": object(t, `{status: {phase: up, num: 2, yea: true, nay: false, conditions: [{type: Synced, status: "True"}]}}`)}
	for checks, want := range map[string]bool{
		`[{type: None}]`: true,
		`[{type: NonEmpty, fieldPath: status.num}]`:                                                                true,
		`[{type: NonEmpty, fieldPath: status.m}]`:                                                                  false,
		`[{type: MatchString, fieldPath: status.phase, matchString: up}]`:                                          true,
		`[{type: MatchString, fieldPath: status.phase, matchString: down}]`:                                        false,
		`[{type: MatchInteger, fieldPath: status.num, matchInteger: 2}]`:                                           true,
		`[{type: MatchTrue, fieldPath: status.nay}]`:                                                               false,
		`[{type: MatchFalse, fieldPath: status.nay}]`:                                                              true,
		`[{type: MatchCondition, matchCondition: {type: Synced, status: "True"}}]`:                                 true,
		`[{type: MatchTrue, fieldPath: status.yea}, {type: MatchCondition, matchCondition: {type: A, status: B}}]`: false,
	} {
		c, err := pipeline.Read(object(t, composition("[]\n            readinessChecks: "+checks)))
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Render(object(t, xr), seen)
		if err != nil || got.Ready != want {
			t.Errorf("%s: ready %v, want %v (%v)", checks, got != nil && got.Ready, want, err)
		}
	}
}

// TestBelongs: Crossplane marks what it makes, and puts it beside the composite resource.
func TestBelongs(t *testing.T) {
	t.Parallel()
	got, err := render(t, "[]", nil)
	if err != nil {
		t.Fatal(err)
	}
	want := object(t, `{namespace: street, generateName: corner-, labels: {crossplane.io/composite: corner}, annotations: {crossplane.io/composition-resource-name: thing}}`)
	if diff := cmp.Diff(want, got.Resources[0].Object["metadata"]); diff != "" {
		t.Error(diff)
	}
}
