package tree

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/kube/manifest"
)

// overridden lets Kustomize put what people have written on top of a phase's objects, all of it in memory. The lines of objects that it changes
// are those of what it prints.
func overridden(environment, phase string, objects []*manifest.Object, people Files) ([]*manifest.Object, error) {
	where := path.Join(overrides, environment, phase)
	fail := func(err error) error {
		return fault.New(fault.Data, fmt.Sprintf("build %q", where), err, "kustomize build "+where+" has to work; bascule reads nothing outside of the tree for it")
	}
	disk := filesys.MakeFsInMemory()
	put := func(name string, text []byte) error { return disk.WriteFile("/"+name, text) }
	var all bytes.Buffer
	for _, o := range objects {
		text, err := yaml.Marshal(o.Value)
		if err != nil {
			return nil, fail(err)
		}
		all.WriteString("---\n")
		all.Write(text)
	}
	list := "resources: [objects.yaml]\n"
	if len(objects) == 0 {
		list = "generatorOptions: {disableNameSuffixHash: true}\n"
	}
	folder := path.Join(generated, environment, phase)
	err := errors.Join(put(path.Join(folder, kustomization), []byte(list)), put(path.Join(folder, "objects.yaml"), all.Bytes()))
	for name, text := range people {
		err = errors.Join(err, put(path.Join(overrides, name), text))
	}
	if err != nil {
		return nil, fail(err)
	}
	if err := within(disk, people); err != nil {
		return nil, fail(err)
	}
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(disk, "/"+where)
	if err != nil {
		return nil, fail(err)
	}
	text, err := built.AsYaml()
	if err != nil {
		return nil, fail(err)
	}
	set, err := manifest.Parse([]manifest.File{{Name: "kustomize build " + where, Text: text}})
	if err != nil {
		return nil, fail(err)
	}
	return kept(set.Objects, objects), nil
}

// kept takes, of the objects that Kustomize built, those that it did not change from what they were before, with their lines.
func kept(built, before []*manifest.Object) []*manifest.Object {
	type key struct{ group, kind, namespace, name string }
	of := func(o *manifest.Object) key { return key{o.Group, o.Kind, o.Namespace, o.Name} }
	was := make(map[key]*manifest.Object, len(before))
	for _, o := range before {
		was[of(o)] = o
	}
	for i, o := range built {
		if b := was[of(o)]; b != nil && reflect.DeepEqual(b.Value, o.Value) {
			built[i] = b
		}
	}
	return built
}

// folders are the fields of a kustomization that name files and folders, which Kustomize would also fetch from a repository; files are those that
// name files, which it would fetch from a server.
var (
	folders = []string{"resources", "components", "bases", "generators", "transformers", "validators"}
	single  = []string{"crds", "configurations", "openapi", "patches", "patchesStrategicMerge", "patchesJson6902", "configMapGenerator", "secretGenerator", "replacements"}
)

// within refuses what Kustomize would fetch from elsewhere: whatever a kustomization names has to lie in the tree.
func within(disk filesys.FileSystem, people Files) error {
	for _, name := range people.names() {
		if !slices.Contains([]string{kustomization, "kustomization.yml", "Kustomization"}, path.Base(name)) {
			continue
		}
		var k map[string]any
		if err := yaml.Unmarshal(people[name], &k); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for _, field := range folders {
			entries, _ := k[field].([]any)
			for _, e := range entries {
				s, _ := e.(string)
				if !strings.Contains(s, "\n") && !disk.Exists("/"+path.Join(overrides, path.Dir(name), s)) {
					return fmt.Errorf("%s names %q, which is not in the tree", path.Join(overrides, name), s)
				}
			}
		}
		for _, field := range single {
			if far := elsewhere(k[field]); far != "" {
				return fmt.Errorf("%s names %q, which is not in the tree", path.Join(overrides, name), far)
			}
		}
	}
	return nil
}

// elsewhere finds an address where a kustomization names a file. A text of several lines is a patch in place, and literals are values.
func elsewhere(v any) string {
	switch x := v.(type) {
	case string:
		if !strings.Contains(x, "\n") && strings.Contains(x, "://") {
			return x
		}
	case []any:
		for _, e := range x {
			if far := elsewhere(e); far != "" {
				return far
			}
		}
	case map[string]any:
		for _, key := range []string{"path", "files", "envs", "env"} {
			if far := elsewhere(x[key]); far != "" {
				return far
			}
		}
	}
	return ""
}
