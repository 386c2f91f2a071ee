package apiserver

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/crossplane"
)

// shop describes the platform that the kinds are generated for, and prodEU an environment of it.
const (
	shop   = "../../crossplane/testdata/bascule.yaml"
	prodEU = "prod-eu"
)

// platform applies what crossplane generate writes for one environment, asks for everything as a developer does, applies what each becomes, and does
// the same with the cluster that makes clusters.
func platform(t *testing.T, d *definitions, p *program) {
	t.Helper()
	dir := t.TempDir()
	p.run(t, "crossplane", "generate", "--file", shop, "--out", dir)
	here := append(read(t, filepath.Join(dir, "base")), read(t, filepath.Join(dir, "environments", prodEU))...)
	var seen tally
	d.generated(t, here, &seen)
	d.renders(t, p, filepath.Join(dir, "environments", prodEU, "objects"), &seen)
	t.Run("Developer", func(t *testing.T) { d.developer(t, p, filepath.Join(dir, "examples"), &seen) })
	d.removeAll(t, inOrder(here))

	there := read(t, filepath.Join(dir, "management"))
	d.generated(t, there, &seen)
	d.renders(t, p, filepath.Join(dir, "management", "objects"), &seen)
	d.removeAll(t, inOrder(there))
	t.Log(&seen)
}

// generated applies a folder of what is generated, with the definitions that Crossplane would make of its own.
func (d *definitions) generated(t *testing.T, objects []object, seen *tally) {
	t.Helper()
	var made []object
	for _, o := range objects {
		if word(o, "kind") != "CompositeResourceDefinition" {
			continue
		}
		derived, err := crossplane.Derive(o)
		if err != nil {
			t.Fatal(err)
		}
		crd := plain(t, object{"spec": derived.Spec, "metadata": object{"name": derived.Name}})
		crd["apiVersion"], crd["kind"] = "apiextensions.k8s.io/v1", "CustomResourceDefinition"
		made = append(made, crd)
	}
	d.define(t, made)
	seen.objects += len(objects)
	seen.standIns += d.standIn(t, objects)
	d.namespaces(t, objects)
	d.settle(t, inOrder(objects), seen, nil)
}

// renders applies what each object of a folder becomes.
func (d *definitions) renders(t *testing.T, p *program, folder string, seen *tally) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatal(folder, files, err)
	}
	for _, file := range files {
		objects := documents(t, file, p.run(t, "crossplane", "render", "--file", shop, "--environment", prodEU, file))
		seen.objects += len(objects)
		seen.standIns += d.standIn(t, objects)
		d.namespaces(t, objects)
		d.settle(t, objects, seen, nil)
		d.removeAll(t, objects)
	}
}

// developer asks for each kind of thing in the ten lines of the example, as one of the people who may, and must not get what is somebody else's.
func (d *definitions) developer(t *testing.T, p *program, folder string, seen *tally) {
	t.Helper()
	ann := []string{"ann", "developers@shop.example"}
	examples := read(t, folder)
	for _, o := range examples {
		// The platform's own shop has things that are called like those of the examples.
		at(o, "metadata").(object)["namespace"] = "checkout"
		var first object
		wait(t, "the roles to be known", func(ctx context.Context) (err error) {
			first, err = d.apply(ctx, o, false, ann...)
			return err
		})
		d.unchanged(t, o, first, seen)
		seen.objects++
		for field, value := range map[string]string{"name": "orders-eu", "adopt": "Observe"} {
			greedy := maps.Clone(o)
			greedy["metadata"] = object{"name": "another", "namespace": "checkout"}
			spec := maps.Clone(at(o, "spec").(object))
			spec[field] = value
			greedy["spec"] = spec
			// The policy is known a moment after it was applied.
			wait(t, title(o)+" with "+field+" to be refused", func(ctx context.Context) error {
				_, err := d.apply(ctx, greedy, true, ann...)
				if r, ok := errors.AsType[*refusal](err); ok && r.Code == http.StatusUnprocessableEntity && strings.Contains(r.Message, "bascule-adopt") {
					return nil
				}
				return errors.Join(errors.New("it was not"), err)
			})
		}
		if _, err := d.apply(t.Context(), o, true, "bob", "others@shop.example"); err == nil {
			t.Errorf("%s: anybody may have it", title(o))
		}
	}
	d.renders(t, p, folder, seen)
	d.removeAll(t, examples)
}

// invented lists the kinds that took a stand-in.
func (d *definitions) invented() []string { return slices.Sorted(maps.Keys(d.standIns)) }
