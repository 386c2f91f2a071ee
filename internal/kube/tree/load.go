package tree

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/kube/manifest"
)

// Phase is what one phase of one environment comes to: what GitOps applies.
type Phase struct {
	Environment, Name string
	// Objects are those of the base with their patches, those that were made, and what people have changed. An object that is the same in two
	// phases of an environment is one object.
	Objects []*manifest.Object
	// Aside is what lies in the tree and is no object.
	Aside []manifest.Aside
	// Releases are the releases of Helm in the environment, and Missing those of them whose objects are not here, for nobody said what Helm renders.
	Releases, Missing []string
	// NotApplied says why what people have written for the phase could not be put on top; the objects are then without it.
	NotApplied string
	// Idle are patches of the phase that change nothing.
	Idle []Idle
	// Changed are files below generated/ENVIRONMENT that are not as bascule has written them.
	Changed []string
}

// Phases are the names of an environment's phases, in their order.
func Phases() []string { return []string{standby, live} }

// Environments are the names of those that a tree holds, in their order.
func Environments(dir string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(dir, generated))
	if err != nil {
		return nil, fault.New(fault.Usage, fmt.Sprintf("read the tree %q", dir), err, "")
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			out = append(out, e.Name())
		}
	}
	return out, nil
}

// Releases are the releases of Helm, NAMESPACE/NAME, of which a tree has patches for an environment.
func Releases(dir, environment string) ([]string, error) {
	folder := filepath.Join(dir, generated, environment, releases)
	files, err := read(folder)
	if err != nil {
		return nil, fault.New(fault.Resource, fmt.Sprintf("read %q", folder), err, "")
	}
	var out []string
	for _, name := range files.names() {
		if id, ok := strings.CutSuffix(name, "/"+path.Join(live, kustomization)); ok && strings.Count(id, "/") == 1 {
			out = append(out, id)
		}
	}
	return out, nil
}

// Is says whether a folder holds a tree.
func Is(dir string) bool {
	found, err := filepath.Glob(filepath.Join(dir, generated, "*", base))
	return err == nil && len(found) > 0
}

// Load reads a tree: the phases of all its environments, in the order of their names, standby before live. What bascule has written it puts together
// itself, and what people have written, on top, as far as it knows what Kustomize would do with it: a phase says so where it does not. Nothing outside of the folder is read.
//
// Of releases of Helm a tree has patches only. The objects are those of rendered, by NAMESPACE/NAME, or by ENVIRONMENT/NAMESPACE/NAME where environments differ.
func Load(dir string, rendered map[string]*manifest.Set) ([]Phase, error) {
	environments, err := Environments(dir)
	if err != nil {
		return nil, err
	}
	var out []Phase
	for _, name := range environments {
		phases, err := loaded(dir, name, rendered)
		if err != nil {
			return nil, err
		}
		out = append(out, phases...)
	}
	return out, nil
}

func loaded(dir, environment string, rendered map[string]*manifest.Set) ([]Phase, error) {
	op := fmt.Sprintf("read the tree %q", dir)
	files, err := read(filepath.Join(dir, generated, environment))
	if err != nil {
		return nil, fault.New(fault.Resource, op, err, "")
	}
	written, err := read(filepath.Join(dir, overrides))
	if err != nil {
		return nil, fault.New(fault.Resource, op, err, "")
	}
	return phases(environment, files, written, rendered)
}

// phases puts the phases of an environment together, from its files, from all that people have written, and from what Helm renders.
func phases(environment string, files, written Files, rendered map[string]*manifest.Set) ([]Phase, error) {
	a := &assembly{files: files, prefix: path.Join(generated, environment)}
	if err := a.whole(); err != nil {
		return nil, err
	}
	all := Files{}
	for name, text := range written {
		all[path.Join(overrides, name)] = text
	}
	for name, text := range files {
		if strings.HasPrefix(name, releases+"/") {
			all[path.Join(generated, environment, name)] = text
		}
	}
	var out []Phase
	var people []*kustomized
	for _, name := range Phases() {
		objects, err := a.phase(name)
		if err != nil {
			return nil, err
		}
		p := Phase{Environment: environment, Name: name, Objects: objects, Aside: a.aside, Changed: changed(files)}
		k := &kustomized{files: all, generated: path.Join(generated, environment, name), objects: slices.Clone(p.Objects), met: map[Idle]int{}}
		people = append(people, k)
		if !ours(environment, name, written) {
			if err := k.folder(path.Join(overrides, environment, name)); err != nil {
				p.NotApplied = err.Error()
			} else {
				p.Objects = k.objects
			}
		}
		if err := p.release(k, rendered); err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	idle(out, people)
	return out, nil
}

// release adds the objects of releases, with the patches of the phase and what people have written on top, whose patches are counted where all of theirs are.
func (p *Phase) release(people *kustomized, rendered map[string]*manifest.Set) error {
	folder := path.Join(generated, p.Environment, releases)
	for _, name := range people.files.names() {
		id, ok := strings.CutSuffix(strings.TrimPrefix(name, folder+"/"), "/"+path.Join(p.Name, kustomization))
		if !ok || !strings.HasPrefix(name, folder+"/") || strings.Count(id, "/") != 1 {
			continue
		}
		p.Releases = append(p.Releases, id)
		set := rendered[p.Environment+"/"+id]
		if set == nil {
			set = rendered[id]
		}
		if set == nil {
			p.Missing = append(p.Missing, id)
			continue
		}
		k := &kustomized{files: people.files, objects: slices.Clone(set.Objects), met: map[Idle]int{}}
		if err := k.folder(path.Join(folder, id, p.Name)); err != nil {
			return fault.New(fault.Data, fmt.Sprintf("put the patches of %s onto the release %s", p.Name, id), err, "translate again: Helm renders something else than the patches were written for")
		}
		own := &kustomized{files: people.files, objects: slices.Clone(k.objects), met: people.met}
		dir := path.Join(overrides, p.Environment, releases, id, "all")
		if _, text := own.file(dir); text != nil {
			if err := own.folder(dir); err != nil {
				p.NotApplied = cmp.Or(p.NotApplied, err.Error())
				own.objects = k.objects
			}
		}
		people.absent = append(people.absent, own.absent...)
		p.Objects = append(p.Objects, own.objects...)
	}
	return nil
}

// ours says whether the overrides of a phase are as they were created: then they add nothing.
func ours(environment, phase string, written Files) bool {
	created := people(environment)
	for _, part := range []string{"all", phase} {
		for name, text := range written {
			if strings.HasPrefix(name, environment+"/"+part+"/") && !bytes.Equal(text, created[path.Join(overrides, name)]) {
				return false
			}
		}
	}
	return true
}

// oursOfReleases says whether what people may change of releases in every phase is as it was created.
func oursOfReleases(environment string, written Files) bool {
	for name, text := range written {
		id, rest, ok := releaseOf(environment, name)
		if ok && strings.HasPrefix(rest, "all/") && !bytes.Equal(text, releaseText(environment, id)) {
			return false
		}
	}
	return true
}

// releaseOf takes the release out of a path in overrides, and the rest of it: ENVIRONMENT/releases/NAMESPACE/NAME/REST.
func releaseOf(environment, name string) (id, rest string, ok bool) {
	below, ok := strings.CutPrefix(name, path.Join(environment, releases)+"/")
	parts := strings.SplitN(below, "/", 3)
	if !ok || len(parts) != 3 {
		return "", "", false
	}
	return path.Join(parts[0], parts[1]), parts[2], true
}

// assembly puts together what bascule has written.
type assembly struct {
	files  Files
	prefix string
	aside  []manifest.Aside
	// objects are those that hold in every phase, by the name of their file in base or made.
	objects []assembled
}

type assembled struct {
	file string // in base or made, by which its patches are known
	*manifest.Object
}

// whole reads the base, applies the patches that hold in every phase, and adds what was made.
func (a *assembly) whole() error {
	set, err := a.parse(base + "/")
	if err != nil {
		return err
	}
	a.aside = set.Aside
	for _, o := range set.Objects {
		file := strings.TrimPrefix(o.File, a.prefix+"/"+base+"/")
		o, err := a.patched(o, translated, file)
		if err != nil {
			return err
		}
		if o != nil {
			a.objects = append(a.objects, assembled{file, o})
		}
	}
	set, err = a.parse(translated + "/made/")
	if err != nil {
		return err
	}
	a.aside = append(a.aside, set.Aside...)
	for _, o := range set.Objects {
		a.objects = append(a.objects, assembled{strings.TrimPrefix(o.File, a.prefix+"/"+translated+"/made/"), o})
	}
	return nil
}

func (a *assembly) parse(prefix string) (*manifest.Set, error) {
	var files []manifest.Text
	for _, name := range a.files.names() {
		if strings.HasPrefix(name, prefix) && path.Base(name) != kustomization {
			files = append(files, manifest.Text{Name: a.prefix + "/" + name, Text: a.files[name]})
		}
	}
	return manifest.ReadTexts(files)
}

// phase returns the objects of a phase.
func (a *assembly) phase(name string) ([]*manifest.Object, error) {
	var out []*manifest.Object
	for _, o := range a.objects {
		p, err := a.patched(o.Object, name, o.file)
		if err != nil {
			return nil, err
		}
		if p != nil {
			out = append(out, p)
		}
	}
	return out, nil
}

// patched returns an object with the patch that a layer has for it: the object itself where there is none, and nothing where the patch deletes it.
func (a *assembly) patched(o *manifest.Object, layer, file string) (*manifest.Object, error) {
	name := path.Join(layer, "patches", file)
	text, ok := a.files[name]
	if !ok {
		return o, nil
	}
	fail := func(err error) error {
		return fault.New(fault.Data, fmt.Sprintf("apply %q to %s", path.Join(a.prefix, name), o), err, "translate again: the tree is not as bascule has written it")
	}
	var ops []step
	if err := yaml.Unmarshal(text, &ops); err != nil {
		var deletion map[string]any
		if yaml.Unmarshal(text, &deletion) == nil && deletion["$patch"] == "delete" {
			return nil, nil
		}
		return nil, fail(err)
	}
	value, err := applied(o.Value, ops)
	if err != nil {
		return nil, fail(err)
	}
	p, ok := o.With(value)
	if !ok {
		return nil, fail(errors.New("nothing is left that is an object"))
	}
	return p, nil
}
