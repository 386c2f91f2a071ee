package crossplane

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/bascule/bascule/internal/crossplane/pipeline"
	"github.com/bascule/bascule/internal/kube/crd"
)

// Difference is a field that is declared otherwise than it is.
type Difference struct {
	// Resource is what the composition calls it; Path the field below spec.forProvider.
	Resource string `json:"resource"`
	Path     string `json:"path"`
	// Is is what Google Cloud has, nil where that was not told; Declared what it would become.
	Is       any `json:"is"`
	Declared any `json:"declared"`
}

// Comparison is what the promotion of an object would change.
type Comparison struct {
	// Unseen are resources that were not observed yet: nothing can be said of them.
	Unseen []string
	// Equal counts the fields that are as they are declared.
	Equal       int
	Differences []Difference
}

// notCompared are fields that say what the provider does, and nothing that Google Cloud has.
var notCompared = []string{"deletionPolicy", "forceDestroy", "passwordSecretRef", "initialNodeCount", "removeDefaultNodePool", "retainBackupsOnDelete"}

// Compare renders an object as if it were promoted, and lays what its managed resources declare beside what was observed of them.
func Compare(ctx context.Context, d *Definition, e *Environment, composite map[string]any, observed map[string]map[string]any, known *crd.Set) (*Comparison, error) {
	spec, _ := composite["spec"].(map[string]any)
	promoted := maps.Clone(composite)
	spec = maps.Clone(spec)
	if spec == nil {
		spec = object{}
	}
	spec["adopt"] = "Manage"
	promoted["spec"] = spec
	r, err := Render(ctx, d, e, promoted, observed, known)
	if err != nil {
		return nil, err
	}
	out := &Comparison{}
	for _, x := range r.Resources {
		declared, _ := fieldOf(x.Object, "spec", "forProvider").(map[string]any)
		if kind, _ := x.Object["kind"].(string); declared == nil || strings.HasSuffix(kind, "IAMMember") {
			continue // what lives in the cluster is no matter of adoption, and adding a member that is there changes nothing
		}
		is, ok := fieldOf(observed[x.Name], "status", "atProvider").(map[string]any)
		if !ok {
			out.Unseen = append(out.Unseen, x.Name)
			continue
		}
		out.compare(x.Name, "", declared, is)
	}
	return out, nil
}

func fieldOf(o map[string]any, path ...string) any {
	var at any = o
	for _, p := range path {
		m, _ := at.(map[string]any)
		at = m[p]
	}
	return at
}

// compare looks at what is declared only: what nobody declares stays as it is.
func (c *Comparison) compare(resource, path string, declared, is any) {
	m, ok := declared.(map[string]any)
	if !ok {
		if same(path, declared, is) {
			c.Equal++
			return
		}
		c.Differences = append(c.Differences, Difference{resource, path, is, declared})
		return
	}
	have, _ := is.(map[string]any)
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if slices.Contains(notCompared, k) {
			continue
		}
		c.compare(resource, strings.TrimPrefix(path+"."+k, "."), m[k], have[k])
	}
}

// same compares values as Google Cloud does: numbers by their value, links by their path, locations without their case.
func same(path string, declared, is any) bool {
	if reflect.DeepEqual(declared, is) {
		return true
	}
	a, b := fmt.Sprint(declared), fmt.Sprint(is)
	switch declared.(type) {
	case int64, float64:
		return a == b
	case string:
		if path == "location" {
			return strings.EqualFold(a, b)
		}
		return is != nil && strings.HasPrefix(a, "projects/") && strings.HasSuffix(b, "/"+a)
	case bool:
		return declared == false && is == nil // left out where it is not so
	}
	return false
}

// Observed finds, among objects that a cluster was asked for, those that a composite resource became, by the names of the composition's resources.
func Observed(composite map[string]any, objects []map[string]any) map[string]map[string]any {
	out := map[string]map[string]any{}
	for _, o := range objects {
		name, _ := fieldOf(o, "metadata", "annotations", pipeline.ResourceAnnotation).(string)
		if name != "" && fieldOf(o, "metadata", "labels", "crossplane.io/composite") == fieldOf(composite, "metadata", "name") &&
			fieldOf(o, "metadata", "namespace") == fieldOf(composite, "metadata", "namespace") {
			out[name] = o
		}
	}
	return out
}

// Keep takes over from a file that was there before what people decide in it: the phase of an adoption.
func (f *File) Keep(before []byte) error {
	if len(f.Objects) != 1 || fieldOf(f.Objects[0], "spec", "adopt") == nil {
		return nil
	}
	var old map[string]any
	if err := yaml.Unmarshal(before, &old); err != nil {
		return fmt.Errorf("read %s: %w", f.Path, err)
	}
	o := f.Objects[0]
	phase, ok := fieldOf(old, "spec", "adopt").(string)
	if !ok || fieldOf(old, "kind") != o["kind"] || fieldOf(old, "spec", "name") != fieldOf(o, "spec", "name") || !slices.Contains([]string{"Observe", "Manage"}, phase) {
		return nil // another thing goes by this name now, and begins anew
	}
	spec := o["spec"].(object)
	was := fmt.Sprintf("adopt: %s\n", spec["adopt"])
	spec["adopt"] = phase
	f.Text = []byte(strings.Replace(string(f.Text), was, "adopt: "+phase+"\n", 1))
	return nil
}
