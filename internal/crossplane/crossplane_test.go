package crossplane

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	admission1 "k8s.io/api/admissionregistration/v1"
	core "k8s.io/api/core/v1"
	rbac1 "k8s.io/api/rbac/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	v1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	crdvalidation "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	"sigs.k8s.io/yaml"

	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/kube/crd"
	"github.com/bascule/bascule/internal/platform"
)

// given are the definitions of real packages, which lie beside the project on some machines.
const given = "../../../shared/crds"

func packagesOf(t testing.TB) *crd.Set {
	t.Helper()
	if _, err := os.Stat(given); err != nil {
		t.Skipf("the real definitions are not here: %v", err)
	}
	set, err := loaded()
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// loaded is them, read once: that takes a second.
var loaded = sync.OnceValues(func() (*crd.Set, error) { return crd.Load(given) })

func shop(t testing.TB) (*Definition, []finding.Finding) {
	t.Helper()
	p, err := platform.Read("testdata/bascule.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return Define(p)
}

func generated(t testing.TB) (*Definition, []File) {
	t.Helper()
	d, _ := shop(t)
	files, err := Generate(d)
	if err != nil {
		t.Fatal(err)
	}
	return d, files
}

// builtIn decodes what has no CustomResourceDefinition into Kubernetes' own types, strictly.
var builtIn = map[string]func() any{
	"ClusterRole":                      func() any { return &rbac1.ClusterRole{} },
	"RoleBinding":                      func() any { return &rbac1.RoleBinding{} },
	"Namespace":                        func() any { return &core.Namespace{} },
	"ConfigMap":                        func() any { return &core.ConfigMap{} },
	"ValidatingAdmissionPolicy":        func() any { return &admission1.ValidatingAdmissionPolicy{} },
	"ValidatingAdmissionPolicyBinding": func() any { return &admission1.ValidatingAdmissionPolicyBinding{} },
}

// elsewhere are kinds whose definitions lie neither here nor among the real ones.
var elsewhere = []string{"ClusterProviderConfig", "DeploymentRuntimeConfig", "ClusterGenerator"}

// TestValid holds every object that is written to its definition: a real one, one that the files bring, or Kubernetes' own types.
func TestValid(t *testing.T) {
	t.Parallel()
	known := packagesOf(t)
	_, files := generated(t)
	problems, checked, notChecked, err := Check(t.Context(), files, known)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Error(p)
	}
	counted := 0
	for _, f := range files {
		for _, o := range f.Objects {
			name := o["kind"].(string)
			kind, ok := builtIn[name]
			if !ok {
				if slices.Contains(elsewhere, name) {
					counted++
				}
				continue
			}
			counted++
			text, err := json.Marshal(o)
			if err != nil {
				t.Fatal(err)
			}
			dec := json.NewDecoder(bytes.NewReader(text))
			dec.DisallowUnknownFields()
			if err := dec.Decode(kind()); err != nil {
				t.Errorf("%s: %v", f.Path, err)
			}
		}
	}
	if counted != notChecked {
		t.Errorf("%d objects were not checked by any definition, of which %d are known to have none", notChecked, counted)
	}
	if checked < 60 {
		t.Errorf("only %d objects were checked", checked)
	}
}

// TestDefinitions: an API server would take what Crossplane makes of the kinds.
func TestDefinitions(t *testing.T) {
	t.Parallel()
	d, files := generated(t)
	seen := 0
	for _, f := range files {
		for _, o := range f.Objects {
			if o["kind"] != "CompositeResourceDefinition" {
				continue
			}
			seen++
			derived, err := Derive(o)
			if err != nil {
				t.Fatal(err)
			}
			derived.Spec.Conversion = &v1.CustomResourceConversion{Strategy: v1.NoneConverter}
			derived.Spec.Names.ListKind, derived.Spec.Names.Singular = derived.Spec.Names.Kind+"List", strings.ToLower(derived.Spec.Names.Kind)
			derived.Status.StoredVersions = []string{Version}
			var internal apiextensions.CustomResourceDefinition
			if err := v1.Convert_v1_CustomResourceDefinition_To_apiextensions_CustomResourceDefinition(derived, &internal, nil); err != nil {
				t.Fatal(err)
			}
			if errs := crdvalidation.ValidateCustomResourceDefinition(t.Context(), &internal); len(errs) > 0 {
				t.Errorf("%s: %v", f.Path, errs)
			}
			if want := derived.Spec.Names.Plural + "." + d.Group; derived.Name != want {
				t.Errorf("%s is named %s", want, derived.Name)
			}
		}
	}
	if seen != 9 {
		t.Errorf("%d kinds are defined, not 9", seen)
	}
}

// TestActivation: what the compositions use, and nothing else, is activated, and the provider of each is installed.
func TestActivation(t *testing.T) {
	t.Parallel()
	_, files := generated(t)
	for _, folder := range []string{"base", "management"} {
		used, active, installed := map[string]bool{}, map[string]bool{}, map[string]bool{}
		for _, f := range files {
			environment := strings.HasPrefix(f.Path, "environments/")
			if !strings.HasPrefix(f.Path, folder+"/") && (folder != "base" || !environment) {
				continue
			}
			for _, o := range f.Objects {
				switch o["kind"] {
				case "Composition":
					for _, group := range basesOf(t, o) {
						used[group] = true
					}
				case "ManagedResourceActivationPolicy":
					for _, a := range o["spec"].(object)["activate"].(list) {
						active[a.(string)] = true
					}
				case "Provider":
					installed[strings.TrimPrefix(o["metadata"].(object)["name"].(string), "provider-gcp-")] = true
				}
			}
		}
		activeKinds, services := map[string]bool{}, map[string]bool{}
		for name := range active {
			plural, group, _ := strings.Cut(name, ".")
			activeKinds[kindOfPlural(t, plural, group)] = true
			service, _, _ := strings.Cut(group, ".")
			services[service] = true
		}
		if diff := cmp.Diff(used, activeKinds); diff != "" {
			t.Errorf("%s: used and active: %s", folder, diff)
		}
		if diff := cmp.Diff(services, installed); diff != "" {
			t.Errorf("%s: active and installed: %s", folder, diff)
		}
	}
}

// basesOf returns the kinds of managed resources of a composition, as Kind.group.
func basesOf(t *testing.T, composition object) (kinds []string) {
	t.Helper()
	first := composition["spec"].(object)["pipeline"].(list)[0].(object)
	for _, r := range first["input"].(object)["resources"].(list) {
		base := r.(object)["base"].(object)
		group, _, _ := strings.Cut(base["apiVersion"].(string), "/")
		if strings.HasSuffix(group, "upbound.io") {
			kinds = append(kinds, base["kind"].(string)+"."+group)
		}
	}
	return kinds
}

// kindOfPlural reads from the real definition what a plural is the plural of.
func kindOfPlural(t *testing.T, plural, group string) string {
	t.Helper()
	text, err := os.ReadFile(given + "/gcp/" + group + "_" + plural + ".yaml")
	if err != nil {
		t.Skipf("the real definition of %s.%s is not here: %v", plural, group, err)
	}
	var d v1.CustomResourceDefinition
	if err := yaml.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d.Spec.Names.Kind + "." + d.Spec.Group
}

// TestPinned: every package is named whole, with its registry and an exact version.
func TestPinned(t *testing.T) {
	t.Parallel()
	_, files := generated(t)
	seen := 0
	for _, f := range files {
		for _, o := range f.Objects {
			spec, _ := o["spec"].(object)
			image, ok := spec["package"].(string)
			if !ok {
				continue
			}
			seen++
			name, version, _ := strings.Cut(image, ":")
			if !strings.HasPrefix(name, "xpkg.") || strings.Count(version, ".") != 2 || !strings.HasPrefix(version, "v") {
				t.Errorf("%s: package %s", f.Path, image)
			}
		}
	}
	if seen != 7+2+1+2 {
		t.Errorf("%d packages", seen)
	}
}

// TestDeterministic: the same definition makes the same bytes, and what is read back is what was written.
func TestDeterministic(t *testing.T) {
	t.Parallel()
	_, first := generated(t)
	_, second := generated(t)
	for i, f := range first {
		if f.Path != second[i].Path || !bytes.Equal(f.Text, second[i].Text) {
			t.Errorf("%s differs", f.Path)
		}
		if !bytes.Contains(bytes.SplitN(f.Text, []byte("\n"), 2)[0], []byte(Mark)) {
			t.Errorf("%s does not say who wrote it", f.Path)
		}
		docs := strings.Split(string(f.Text), "\n---\n")
		for j, o := range f.Objects {
			var back map[string]any
			if err := yaml.Unmarshal([]byte(docs[j]), &back); err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(o)
			if err != nil {
				t.Fatal(err)
			}
			var want map[string]any
			if err := json.Unmarshal(text, &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, back); diff != "" {
				t.Errorf("%s: %s", f.Path, diff)
			}
		}
	}
}

// TestQuestions: what is not known is asked for by its key, and nothing is written in its place.
func TestQuestions(t *testing.T) {
	t.Parallel()
	d, found := shop(t)
	var got []string
	for _, f := range found {
		got = append(got, string(f.Code)+" "+f.Object)
	}
	want := []string{
		"crossplane-missing crossplane.environments.preprod.project",
		"crossplane-missing crossplane.environments.preprod.region",
		"crossplane-missing crossplane.environments.preprod.network",
		"crossplane-missing crossplane.environments.preprod.namespace",
		"crossplane-password crossplane.environments.prod-eu.databases.stock",
		"crossplane-missing crossplane.environments.prod-ap.databases.orders.instance",
		"crossplane-missing crossplane.environments.prod-ap.databases.orders.tier",
		"crossplane-missing crossplane.environments.prod-ap.databases.orders.version",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	files, err := Generate(d)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if strings.Contains(f.Path, "preprod") || strings.HasPrefix(f.Path, "environments/prod-ap/objects/") {
			t.Errorf("%s was written, and what stands in it was guessed", f.Path)
		}
	}
	d, found = Define(&platform.Platform{Name: "p", Environments: []platform.Environment{{Name: "e"}}})
	if len(d.Environments) != 0 || len(found) != 6 || found[0].Severity != finding.Blocker {
		t.Errorf("without a word: %v, %v", d, found)
	}
}

// TestNames: what Google Cloud would refuse is a finding.
func TestNames(t *testing.T) {
	t.Parallel()
	p, err := platform.Read("testdata/bascule.yaml")
	if err != nil {
		t.Fatal(err)
	}
	l := p.Crossplane.Environments["prod-eu"]
	l.Buckets = map[string]platform.LandedBucket{"pictures": {Bucket: "Pictures_EU"}}
	l.Identities = map[string]platform.LandedIdentity{"me": {}}
	p.Crossplane.Environments["prod-eu"] = l
	_, found := Define(p)
	var got []string
	for _, f := range found {
		if f.Code == CodeName {
			got = append(got, f.Object)
		}
	}
	want := []string{"crossplane.environments.prod-eu.buckets.pictures.bucket", "crossplane.environments.prod-eu.identities.me"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
