package builtin_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bascule/bascule/internal/kube/builtin"
	"github.com/bascule/bascule/internal/kube/manifest"
)

func load(t testing.TB, version string) *builtin.Set {
	t.Helper()
	s, err := builtin.Load(version)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// said is what is wrong with an object, as path: what.
func said(t testing.TB, set *builtin.Set, text string) []string {
	t.Helper()
	parsed, err := manifest.ReadTexts([]manifest.Text{{Name: "a", Text: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	o := parsed.Objects[0]
	found, served := set.Check(o.Group, o.Version, o.Kind, o.Value)
	if !served {
		t.Fatalf("%s is not served", o)
	}
	var out []string
	for _, p := range found {
		line := strings.Join(p.Path, "/") + ": " + p.What
		if p.Tolerated {
			line += " (tolerated)"
		}
		out = append(out, line)
	}
	slices.Sort(out)
	return out
}

const pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: c, image: i}]}\n"

func TestCheck(t *testing.T) {
	t.Parallel()
	set := load(t, "1.36")
	service := "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: "
	for name, tc := range map[string]struct {
		text string
		want []string
	}{
		"Right":       {pod, nil},
		"Unknown":     {strings.Replace(pod, "image: i", "image: i, imagePullPolcy: Never, envv: [], zzz: 1", 1), []string{"spec/containers/0/envv: unknown field", "spec/containers/0/imagePullPolcy: unknown field; imagePullPolicy may be meant", "spec/containers/0/zzz: unknown field"}},
		"Case":        {strings.Replace(pod, "spec: {", "spec: {hostnetwork: true, ", 1), []string{"spec/hostnetwork: unknown field; hostNetwork may be meant"}},
		"Swapped":     {strings.Replace(pod, "spec: {", "spec: {hostNetwrok: true, ", 1), []string{"spec/hostNetwrok: unknown field; hostNetwork may be meant"}},
		"Type":        {strings.Replace(pod, "image: i", "image: i, env: [{name: A, value: 1}, {name: B, value: true}]", 1), []string{"spec/containers/0/env/0/value: it is a whole number, and has to be text: set it in quotes", "spec/containers/0/env/1/value: it is true or false, and has to be text: set it in quotes"}},
		"Null":        {strings.Replace(pod, "image: i", "image: i, env: null, resources: null", 1), nil},
		"NullElement": {strings.Replace(pod, "image: i", "image: i, env: [null]", 1), []string{"spec/containers/0/env/0: an element of the list is empty"}},
		"Required":    {strings.Replace(pod, "name: c, ", "", 1), []string{"spec/containers/0/name: it is required, and not there"}},
		"NoSpec":      {"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n", []string{"spec/selector: it is required, and not there", "spec/template: it is required, and not there"}},
		"NoPodSpec":   {"apiVersion: batch/v1\nkind: Job\nmetadata: {name: a}\nspec: {template: {}}\n", []string{"spec/template/spec/containers: it is required, and not there"}},
		"NoTemplate":  {"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {}\n", []string{"spec/selector: it is required, and not there", "spec/template: it is required, and not there"}},
		"Enum":        {strings.Replace(pod, "image: i", "image: i, imagePullPolicy: Sometimes", 1), []string{`spec/containers/0/imagePullPolicy: "Sometimes" is not one of Always, IfNotPresent, Never`}},
		"EnumEmpty":   {strings.Replace(pod, "image: i", `image: i, imagePullPolicy: ""`, 1), nil},
		"EnumInList":  {"apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: a}\nspec: {accessModes: [ReadWrite]}\n", []string{`spec/accessModes/0: "ReadWrite" is not one of ReadOnlyMany, ReadWriteMany, ReadWriteOnce, ReadWriteOncePod`}},
		"Quantity":    {strings.Replace(pod, "image: i", "image: i, resources: {limits: {memory: 1GB, cpu: 1.5}}", 1), []string{"spec/containers/0/resources/limits/memory: it is no quantity, such as 500m, 1Gi or 2"}},
		"Base64":      {"apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {a: hunter2!}\n", []string{"data/a: it is not base64"}},
		"Time":        {strings.Replace(pod, "{name: a}", "{name: a, creationTimestamp: yesterday}", 1), []string{"metadata/creationTimestamp: it is no time, such as 2026-01-31T12:00:00Z"}},
		"Containers":  {"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: c, image: i}, {name: c, image: j}]}\n", []string{"spec/containers/1: another element, number 0, has the same name"}},
		"Env":         {strings.Replace(pod, "image: i", "image: i, env: [{name: A}, {name: A}]", 1), []string{"spec/containers/0/env/1: another element, number 0, has the same name (tolerated)"}},
		"Ports":       {service + "{ports: [{port: 80}, {port: 80, protocol: TCP}, {port: 80, protocol: UDP}]}\n", []string{"spec/ports/1: another element, number 0, has the same port and protocol"}},
		"Set":         {strings.Replace(pod, "{name: a}", "{name: a, finalizers: [x/y, x/y]}", 1), []string{"metadata/finalizers/1: the element stands twice (tolerated)"}},
		"Bits":        {service + "{ports: [{port: 3000000000}]}\n", []string{"spec/ports/0/port: it has to be a whole number of 32 bits"}},
		"Status":      {pod + "status: {whatever: 1}\n", nil},
		"Name":        {strings.Replace(pod, "{name: a}", "{name: A_b}", 1), []string{"metadata/name: no server takes this name: " + subdomain}},
		"NoName":      {strings.Replace(pod, "{name: a}", "{}", 1), []string{"metadata/name: it is required, and not there"}},
		"Generated":   {strings.Replace(pod, "{name: a}", "{generateName: a-}", 1), nil},
		"Role":        {"apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: 'system:Node_x'}\n", nil},
		"Namespaced":  {"apiVersion: v1\nkind: Namespace\nmetadata: {name: a, namespace: b}\n", []string{"metadata/namespace: a Namespace lives in no namespace"}},
		"Label": {strings.Replace(pod, "{name: a}", "{name: a, labels: {a: 'b c', 'd e': f}, annotations: {A/B: ok, '!': no}}", 1), []string{
			"metadata/annotations/!: no server takes this key: " + qualified, "metadata/labels/a: no server takes this value of a label: " + label, "metadata/labels/d e: no server takes this key: " + qualified,
		}},
		"Template": {"apiVersion: batch/v1\nkind: Job\nmetadata: {name: a}\nspec: {template: {metadata: {labels: {a: ' '}}, spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}\n", []string{"spec/template/metadata/labels/a: no server takes this value of a label: " + label}},
		"Secret":   {"apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ntype: 5\ndata: [hunter2]\n", []string{"data: it is a list, and has to be a mapping", "type: it is a whole number, and has to be text: set it in quotes"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, said(t, set, tc.text)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What apimachinery says of names.
const (
	subdomain = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
	label     = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
	qualified = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)

// TestVersions: each version has its own kinds, and one that is not at hand is stood for by the nearest, which says so.
func TestVersions(t *testing.T) {
	t.Parallel()
	versions := builtin.Versions()
	if len(versions) < 4 || !slices.Contains(versions, "1.34") {
		t.Fatal(versions)
	}
	for _, v := range versions {
		s := load(t, v)
		if s.Minor != v || !strings.HasPrefix(s.Release, "v"+v+".") || s.Source == "" {
			t.Errorf("%s: %s %s %s", v, s.Minor, s.Release, s.Source)
		}
		if namespaced, has := s.Has("apps", "v1", "Deployment"); !has || !namespaced {
			t.Errorf("%s has no Deployment", v)
		}
		if namespaced, has := s.Has("", "v1", "Namespace"); !has || namespaced {
			t.Errorf("%s has no Namespace", v)
		}
		if _, has := s.Has("policy", "v1beta1", "PodSecurityPolicy"); has || !s.Group("policy") || s.Group("example.org") {
			t.Errorf("%s has what is no more", v)
		}
	}
	for asked, want := range map[string]string{"1.20": "1.34", "1.35.9": "1.35", "1.99": versions[len(versions)-1], "": "1.34", "x": "1.34"} {
		if s := load(t, asked); s.Minor != want {
			t.Errorf("%q: %s", asked, s.Minor)
		}
	}
	if text, err := builtin.Definitions(); err != nil || strings.Count(string(text), "\nkind: CustomResourceDefinition") < 8 {
		t.Errorf("the definitions of Gateway API: %d bytes, %v", len(text), err)
	}
}

// BenchmarkCheck is one pod of many fields.
func BenchmarkCheck(b *testing.B) {
	set := load(b, "1.36")
	parsed, err := manifest.Read(nil, "testdata/good.yaml")
	if err != nil {
		b.Fatal(err)
	}
	o := parsed.Objects[0]
	for b.Loop() {
		if found, _ := set.Check(o.Group, o.Version, o.Kind, o.Value); len(found) > 0 {
			b.Fatal(found)
		}
	}
}

// BenchmarkLoad reads the schemas of one version.
func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		load(b, "1.36")
	}
}
