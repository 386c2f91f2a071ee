package pipeline

import (
	"errors"
	"fmt"
)

// The names that Crossplane itself gives to what it makes.
const (
	// ResourceAnnotation names the resource of the composition that an object is.
	ResourceAnnotation = "crossplane.io/composition-resource-name"
	compositeLabel     = "crossplane.io/composite"
)

// Resource is one object that a composite resource becomes.
type Resource struct {
	// Name is what the composition calls it.
	Name string
	// Object is what Crossplane would apply.
	Object map[string]any
	// Ready is whether what was observed of it is.
	Ready bool
}

// Result is what becomes of a composite resource.
type Result struct {
	Resources []Resource
	// Status is what is written into the status of the composite resource.
	Status map[string]any
	// Waiting are resources that are not made yet, and why.
	Waiting []string
	// Ready is whether every resource is there and ready.
	Ready bool
}

// Render runs the pipeline for a composite resource, as its API server would hand it out, with defaults. Observed are the objects that it has become so far, by
// the resource's name in the composition; nil where there are none. Nothing that is given is changed.
func (c *Composition) Render(composite map[string]any, observed map[string]map[string]any) (*Result, error) {
	xr, err := duplicate(composite)
	if err != nil {
		return nil, err
	}
	if xr["apiVersion"] != c.Spec.CompositeTypeRef.APIVersion || xr["kind"] != c.Spec.CompositeTypeRef.Kind {
		return nil, fmt.Errorf("composition %s is for %s of %s, not for %v of %v", c.Metadata.Name,
			c.Spec.CompositeTypeRef.Kind, c.Spec.CompositeTypeRef.APIVersion, xr["kind"], xr["apiVersion"])
	}
	r := &run{xr: xr, observed: observed, changed: map[string]any{}, autoReady: map[string]bool{}, result: &Result{}}
	for i := range c.Spec.Pipeline {
		if err := r.step(&c.Spec.Pipeline[i]); err != nil {
			return nil, fmt.Errorf("composition %s, step %s: %w", c.Metadata.Name, c.Spec.Pipeline[i].Step, err)
		}
	}
	r.result.Status, _ = r.changed["status"].(map[string]any)
	r.result.Ready = len(r.result.Waiting) == 0
	for _, x := range r.result.Resources {
		r.result.Ready = r.result.Ready && x.Ready
	}
	return r.result, nil
}

// run is one run of a pipeline.
type run struct {
	xr        map[string]any
	observed  map[string]map[string]any
	changed   map[string]any
	autoReady map[string]bool // resources about whose readiness no step has said anything
	result    *Result
}

func (r *run) step(s *step) error {
	switch s.FunctionRef.Name {
	case PatchAndTransform:
		in, err := s.input()
		if err != nil {
			return err
		}
		for i := range in.Resources {
			if err := r.resource(&in.Resources[i]); err != nil {
				return fmt.Errorf("resource %s: %w", in.Resources[i].Name, err)
			}
		}
		return nil
	case AutoReady:
		if len(s.Input) > 0 {
			return fmt.Errorf("an input of %s is not supported", AutoReady)
		}
		for i, x := range r.result.Resources {
			if r.autoReady[x.Name] {
				r.result.Resources[i].Ready = condition(r.observed[x.Name], "Ready") == "True"
			}
		}
		return nil
	}
	return fmt.Errorf("function %q is not supported, only %s and %s", s.FunctionRef.Name, PatchAndTransform, AutoReady)
}

func (r *run) resource(t *template) error {
	base, err := duplicate(t.Base)
	if err != nil {
		return err
	}
	s := &sides{composite: r.xr, status: r.changed, composed: base, observed: r.observed[t.Name]}
	for i := range t.Patches {
		err := t.Patches[i].apply(s)
		if errors.Is(err, errSkip) {
			r.result.Waiting = append(r.result.Waiting, fmt.Sprintf("%s: patch %d: %v", t.Name, i, err))
			return nil
		}
		if err != nil {
			return fmt.Errorf("patch %d: %w", i, err)
		}
	}
	ready := false
	if s.observed != nil {
		if ready, err = t.ready(s.observed); err != nil {
			return err
		}
	}
	// A step says that a resource is ready, or nothing.
	r.autoReady[t.Name] = !ready
	if err := r.finish(t.Name, s); err != nil {
		return err
	}
	r.result.Resources = append(r.result.Resources, Resource{t.Name, s.composed, ready})
	return nil
}

// finish adds what Crossplane adds when it applies an object: it belongs to the composite resource, and lies in its namespace.
func (r *run) finish(name string, s *sides) error {
	meta := func(path string) any {
		v, _ := get(s.composed, path)
		return v
	}
	if s.observed != nil {
		if v, err := get(s.observed, "metadata.name"); err == nil {
			if err := set(s.composed, "metadata.name", v); err != nil {
				return err
			}
		}
	}
	owner, _ := get(r.xr, "metadata.name")
	for path, v := range map[string]any{
		"metadata.annotations[" + ResourceAnnotation + "]": name,
		"metadata.labels[" + compositeLabel + "]":          owner,
	} {
		if err := set(s.composed, path, v); err != nil {
			return err
		}
	}
	if meta("metadata.name") == nil {
		if err := set(s.composed, "metadata.generateName", fmt.Sprint(owner, "-")); err != nil {
			return err
		}
	}
	if ns, err := get(r.xr, "metadata.namespace"); err == nil {
		return set(s.composed, "metadata.namespace", ns)
	}
	return nil
}
