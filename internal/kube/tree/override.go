package tree

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"

	"sigs.k8s.io/kustomize/kyaml/yaml"
	"sigs.k8s.io/kustomize/kyaml/yaml/merge2"

	"github.com/bascule/bascule/internal/kube/manifest"
)

// kustomizations are the names by which Kustomize knows its own files.
var kustomizations = []string{kustomization, "kustomization.yml", "Kustomization"}

// mostNested is how far kustomizations may name one another.
const mostNested = 20

// kustomized does what a kustomization says: of Kustomize's many fields those that people use to change what bascule has written, namely resources,
// components and patches. Whatever else one has is an error that names it, for the result would be another.
type kustomized struct {
	files Files // by their paths in the tree
	// generated is the folder whose objects are known already, and objects what was put together so far.
	generated string
	objects   []*manifest.Object
	nested    int
	// met counts for each patch with a target the objects that it selects; absent are those that name an object which is not there.
	met    map[Idle]int
	absent []Idle
}

// folder does what the kustomization of a folder says, a path in the tree.
func (k *kustomized) folder(dir string) error {
	if k.nested++; k.nested > mostNested {
		return fmt.Errorf("%s: kustomizations name one another more than %d deep", dir, mostNested)
	}
	defer func() { k.nested-- }()
	name, text := k.file(dir)
	if name == "" {
		return fmt.Errorf("%s has no %s", dir, kustomization)
	}
	var fields map[string]yaml.Node
	if err := yaml.Unmarshal(text, &fields); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for _, f := range slices.Sorted(maps.Keys(fields)) {
		if !slices.Contains([]string{"apiVersion", "kind", "metadata", "generatorOptions", "resources", "components", "patches"}, f) {
			return fmt.Errorf("%s uses %s", name, f)
		}
	}
	var l struct {
		Resources, Components []string
		Patches               []struct {
			Path, Patch string
			Target      map[string]string
			Options     map[string]bool
		}
	}
	if err := yaml.Unmarshal(text, &l); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for _, r := range slices.Concat(l.Resources, l.Components) {
		if err := k.resource(path.Join(dir, r), r, name); err != nil {
			return err
		}
	}
	for _, p := range l.Patches {
		text, file := []byte(p.Patch), name
		if p.Path != "" {
			file = path.Join(dir, p.Path)
			var ok bool
			if text, ok = k.files[path.Join(dir, p.Path)]; !ok {
				return fmt.Errorf("%s names %q, which is not in overrides", name, p.Path)
			}
		}
		if len(p.Options) > 0 {
			return fmt.Errorf("%s uses options of patches", name)
		}
		if err := k.patch(text, file, p.Target); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// file finds the kustomization of a folder.
func (k *kustomized) file(dir string) (name string, text []byte) {
	for _, n := range kustomizations {
		if text, ok := k.files[path.Join(dir, n)]; ok {
			return path.Join(dir, n), text
		}
	}
	return "", nil
}

// resource takes in what a kustomization names: the objects that are known, another folder, or a file.
func (k *kustomized) resource(at, said, by string) error {
	if at == k.generated {
		return nil // they came first
	}
	if text, ok := k.files[at]; ok {
		set, err := manifest.ReadTexts([]manifest.Text{{Name: at, Text: text}})
		if err != nil {
			return err
		}
		for _, o := range set.Objects {
			if k.find(o) >= 0 {
				return fmt.Errorf("%s: %s is there already", at, o)
			}
			k.objects = append(k.objects, o)
		}
		return nil
	}
	if name, _ := k.file(at); name == "" {
		return fmt.Errorf("%s names %q, which is not in overrides", by, said)
	}
	return k.folder(at)
}

func (k *kustomized) find(o *manifest.Object) int {
	return slices.IndexFunc(k.objects, func(x *manifest.Object) bool {
		return x != nil && x.Group == o.Group && x.Version == o.Version && x.Kind == o.Kind && x.Name == o.Name && spaceOf(x) == spaceOf(o)
	})
}

// spaceOf is what Kustomize takes for a namespace where none is named.
func spaceOf(o *manifest.Object) string {
	if o.Namespace == "" || o.Unplaced {
		return "default"
	}
	return o.Namespace
}

// patch applies a JSON Patch, or a strategic merge patch, to what it is for.
func (k *kustomized) patch(text []byte, file string, target map[string]string) error {
	selected, err := selector(target)
	if err != nil {
		return err
	}
	if target != nil {
		n := 0
		for _, o := range k.objects {
			if selected(o) {
				n++
			}
		}
		k.met[targeted(file, target)] += n
	}
	var ops []step
	if yaml.Unmarshal(text, &ops) == nil {
		if target == nil {
			return errors.New("a JSON Patch without a target")
		}
		for i, o := range k.objects {
			if !selected(o) {
				continue
			}
			value, err := annotatedWhile(o.Value, ops)
			if err != nil {
				return fmt.Errorf("the patch of %s: %w", o, err)
			}
			if err := k.replace(i, value); err != nil {
				return err
			}
		}
		return nil
	}
	for doc := range bytes.SplitSeq(append([]byte("\n"), text...), []byte("\n---")) {
		if len(bytes.TrimSpace(doc)) == 0 {
			continue
		}
		if err := k.merge(doc, file, target, selected); err != nil {
			return err
		}
	}
	k.objects = slices.DeleteFunc(k.objects, func(o *manifest.Object) bool { return o == nil }) // what patches have deleted
	return nil
}

// annotatedWhile patches an object that has annotations meanwhile, as each has in Kustomize.
func annotatedWhile(object map[string]any, ops []step) (map[string]any, error) {
	meta, ok := object["metadata"].(map[string]any)
	if !ok {
		return applied(object, ops)
	}
	if _, there := meta["annotations"]; !there {
		object = maps.Clone(object)
		meta = maps.Clone(meta)
		meta["annotations"] = map[string]any{}
		object["metadata"] = meta
	}
	out, err := applied(object, ops)
	if meta, _ := out["metadata"].(map[string]any); meta != nil {
		if a, ok := meta["annotations"].(map[string]any); ok && len(a) == 0 {
			delete(meta, "annotations")
		}
	}
	return out, err
}

// merge applies one strategic merge patch: to what it names, or to what a target selects.
func (k *kustomized) merge(text []byte, file string, target map[string]string, selected func(*manifest.Object) bool) error {
	patch, err := yaml.Parse(string(text))
	if err != nil {
		return err
	}
	set, err := manifest.ReadTexts([]manifest.Text{{Name: "a patch", Text: text}})
	if err != nil {
		return err
	}
	if target == nil {
		if len(set.Objects) != 1 {
			return errors.New("a patch that names no object, and has no target")
		}
		i := k.find(set.Objects[0])
		if i < 0 {
			k.absent = append(k.absent, Idle{File: file, Target: set.Objects[0].String(), Named: true})
			return fmt.Errorf("a patch for %s, which is not there", set.Objects[0])
		}
		return k.merged(i, patch)
	}
	for i, o := range k.objects {
		if selected(o) {
			if err := k.merged(i, patch); err != nil {
				return err
			}
		}
	}
	return nil
}

// merged merges a patch into one object. Its identity stays.
func (k *kustomized) merged(i int, patch *yaml.RNode) error {
	o := k.objects[i]
	text, err := yaml.Marshal(o.Value)
	if err != nil {
		return err
	}
	into, err := yaml.Parse(string(text))
	if err != nil {
		return err
	}
	patch = patch.Copy()
	for _, f := range [][]string{{"apiVersion", o.APIVersion()}, {"kind", o.Kind}, {"metadata", "name", o.Name}, {"metadata", "namespace", o.Namespace}} {
		set := yaml.SetField(f[len(f)-2], yaml.NewStringRNode(f[len(f)-1]))
		if f[len(f)-1] == "" {
			set.Value = nil // removes it
		}
		if err := patch.PipeE(yaml.LookupCreate(yaml.MappingNode, f[:len(f)-2]...), set); err != nil {
			return err
		}
	}
	out, err := merge2.Merge(patch, into, yaml.MergeOptions{ListIncreaseDirection: yaml.MergeOptionsListPrepend})
	if err != nil {
		return fmt.Errorf("the patch of %s: %w", o, err)
	}
	if out == nil {
		k.objects[i] = nil // $patch: delete
		return nil
	}
	text2, err := out.String()
	if err != nil {
		return err
	}
	set, err := manifest.ReadTexts([]manifest.Text{{Name: o.File, Text: []byte(text2)}})
	if err != nil || len(set.Objects) != 1 {
		return errors.Join(err, fmt.Errorf("the patch of %s leaves no object", o))
	}
	return k.replace(i, set.Objects[0].Value)
}

// replace gives an object another value. It refuses one that has another name: references to it would have to follow.
func (k *kustomized) replace(i int, value map[string]any) error {
	was := k.objects[i]
	o, ok := was.With(value)
	if !ok || o.Name != was.Name || o.Namespace != was.Namespace {
		return fmt.Errorf("a patch gives %s another name", was)
	}
	k.objects[i] = o
	return nil
}

// plainKey is a selector that asks for nothing but a key.
var plainKey = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9./_-]*$`)

func annotationsOf(o *manifest.Object) map[string]any {
	meta, _ := o.Value["metadata"].(map[string]any)
	annotations, _ := meta["annotations"].(map[string]any)
	return annotations
}

// selector reads a target: regular expressions that have to match the whole; what is left out matches everything.
func selector(target map[string]string) (func(*manifest.Object) bool, error) {
	res := map[string]*regexp.Regexp{}
	annotation := target["annotationSelector"]
	if annotation != "" && !plainKey.MatchString(annotation) {
		return nil, fmt.Errorf("the annotationSelector %q, which is more than a key", annotation)
	}
	for field, text := range target {
		if field == "annotationSelector" {
			continue
		}
		if !slices.Contains([]string{"group", "version", "kind", "name", "namespace"}, field) {
			return nil, fmt.Errorf("a target with %s", field)
		}
		if text == "" {
			continue
		}
		re, err := regexp.Compile("^(?:" + text + ")$")
		if err != nil {
			return nil, err
		}
		res[field] = re
	}
	is := func(field string, values ...string) bool {
		re := res[field]
		return re == nil || slices.ContainsFunc(values, re.MatchString)
	}
	return func(o *manifest.Object) bool {
		if o == nil {
			return false // deleted
		}
		if _, has := annotationsOf(o)[annotation]; annotation != "" && !has {
			return false
		}
		spaces := []string{o.Namespace}
		if o.Namespace == "" {
			spaces = []string{"default", "_non_namespaceable_"}
		}
		return is("group", o.Group) && is("version", o.Version) && is("kind", o.Kind) && is("name", o.Name) && is("namespace", spaces...)
	}, nil
}
