package crossplane

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/bascule/bascule/internal/crossplane/pipeline"
	"github.com/bascule/bascule/internal/kube/crd"
)

// Rendered is what an object of a kind becomes.
type Rendered struct {
	// Composite is the object with defaults.
	Composite map[string]any
	// Composition is the one that made it.
	Composition string
	*pipeline.Result
	// Problems are what an API server would say of the objects.
	Problems []crd.Problem
	// NotChecked are the kinds of objects of which no definition is at hand.
	NotChecked []string
}

// ProblemsError is an object that its kind's definition refuses.
type ProblemsError struct{ Problems []crd.Problem }

// Error lists the problems, each on a line.
func (p *ProblemsError) Error() string {
	var lines []string
	for _, x := range p.Problems {
		lines = append(lines, x.String())
	}
	return strings.Join(lines, "\n")
}

// Render expands an object of a kind in an environment: it fills in the defaults of the kind's definition, runs the composition, and holds the result to the
// definitions in known (which may be nil: nothing is checked then). Observed is what the object became so far, by the names of the composition's resources. An
// object that its own kind's definition refuses is a *ProblemsError.
func Render(ctx context.Context, d *Definition, e *Environment, composite map[string]any, observed map[string]map[string]any, known *crd.Set) (*Rendered, error) {
	name, _ := composite["kind"].(string)
	k, ok := byName(name)
	if version, _ := composite["apiVersion"].(string); !ok || version != d.apiVersion() {
		return nil, fmt.Errorf("%s of %v is no kind that is generated: those are of %s", name, composite["apiVersion"], d.apiVersion())
	}
	out := &Rendered{}
	if err := out.accept(ctx, d, &k, composite); err != nil {
		return nil, err
	}
	c, err := choose(d, e, &k, out.Composite)
	if err != nil {
		return nil, err
	}
	out.Composition = c.Metadata.Name
	if out.Result, err = c.Render(out.Composite, observed); err != nil {
		return nil, err
	}
	for _, r := range out.Resources {
		if err := out.check(ctx, r, known); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// accept holds the object to its kind's own definition, and fills in defaults.
func (out *Rendered) accept(ctx context.Context, d *Definition, k *kind, composite map[string]any) error {
	derived, err := Derive(k.definition(d))
	if err != nil {
		return err
	}
	own := crd.New()
	if err := own.Define(derived); err != nil {
		return err
	}
	v, err := own.Check(ctx, "", composite)
	if err != nil {
		return err
	}
	if len(v.Problems) > 0 {
		return &ProblemsError{v.Problems}
	}
	out.Composite = v.Object
	return nil
}

// choose returns the composition that an object names, or the default one.
func choose(d *Definition, e *Environment, k *kind, composite map[string]any) (*pipeline.Composition, error) {
	compositions := k.compositions(e, d)
	chosen := compositions[0]
	spec, _ := composite["spec"].(map[string]any)
	machinery, _ := spec["crossplane"].(map[string]any)
	if _, ok := machinery["compositionSelector"]; ok {
		return nil, errors.New("spec.crossplane.compositionSelector is not supported: name a composition by compositionRef")
	}
	ref, _ := machinery["compositionRef"].(map[string]any)
	if name, ok := ref["name"].(string); ok {
		var names []string
		found := false
		for _, c := range compositions {
			names = append(names, c.name)
			if c.name == name {
				chosen, found = c, true
			}
		}
		if !found {
			return nil, fmt.Errorf("%s has no composition %q: there are %s", k.name, name, strings.Join(names, ", "))
		}
	}
	return pipeline.Read(chosen.object(k, d))
}

// check holds a resource to its definition.
func (out *Rendered) check(ctx context.Context, r pipeline.Resource, known *crd.Set) error {
	if known == nil {
		known = crd.New()
	}
	v, err := known.Check(ctx, r.Name, r.Object)
	if err != nil {
		return err
	}
	if !v.Checked {
		out.NotChecked = append(out.NotChecked, v.Kind.String())
	}
	out.Problems = append(out.Problems, v.Problems...)
	if name := external(r.Object); strings.Contains(name, tooLong) {
		out.Problems = append(out.Problems, crd.Problem{
			File: r.Name, Object: fmt.Sprint(r.Object["kind"]), Path: externalName,
			What: "the namespace and the name make a name that Google Cloud refuses: shorten one, or set spec.name",
		})
	}
	return nil
}

// external returns the name that an object has on Google Cloud.
func external(o map[string]any) string {
	meta, _ := o["metadata"].(map[string]any)
	annotations, _ := meta["annotations"].(map[string]any)
	name, _ := annotations["crossplane.io/external-name"].(string)
	return name
}

// Check holds every object of files to the definitions in known, and to those that the files themselves bring.
func Check(ctx context.Context, files []File, known *crd.Set) (problems []crd.Problem, checked, notChecked int, err error) {
	brought := crd.New()
	for _, f := range files {
		for _, o := range f.Objects {
			if o["kind"] != "CompositeResourceDefinition" {
				continue
			}
			derived, err := Derive(o)
			if err != nil {
				return nil, 0, 0, err
			}
			if err := brought.Define(derived); err != nil {
				return nil, 0, 0, err
			}
		}
	}
	for _, f := range files {
		for _, o := range f.Objects {
			v, err := brought.Check(ctx, f.Path, o)
			if err == nil && !v.Checked && known != nil {
				v, err = known.Check(ctx, f.Path, o)
			}
			if err != nil {
				return nil, 0, 0, err
			}
			if v.Checked {
				checked++
			} else {
				notChecked++
			}
			problems = append(problems, v.Problems...)
		}
	}
	return problems, checked, notChecked, nil
}
