package tree

import (
	"bytes"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/translate"
)

// The layers of an environment. Each is a folder with a kustomization; standby and live build on translated, and that on base.
const (
	base       = "base"
	translated = "translated"
	standby    = "standby"
	live       = "live"
	mirror     = "mirror"
)

const kustomization = "kustomization.yaml"

// Files are the files of a folder, by their path in it with slashes.
type Files map[string][]byte

// Render lays a translation out: the files of generated/ENVIRONMENT. It is the same for the same translation, and a change of one
// object changes the files of that object alone, besides the lists that name them.
func Render(r *translate.Result) (Files, error) {
	steps := []func(*layout) error{(*layout).base, (*layout).translated, (*layout).standby, (*layout).live, (*layout).mirror}
	layers := make([]*layout, len(steps))
	known := shared(r)
	var all errgroup.Group
	for i, step := range steps {
		layers[i] = &layout{files: Files{}, result: r, shared: known}
		all.Go(func() error { return step(layers[i]) })
	}
	if err := all.Wait(); err != nil {
		return nil, err
	}
	files, err := renderReleases(r, known)
	if err != nil {
		return nil, err
	}
	if len(r.Releases) > 0 {
		maps.Copy(files, postRenderer(r.Environment))
	}
	for _, l := range layers {
		maps.Copy(files, l.files)
	}
	return files, nil
}

// layout is one layer.
type layout struct {
	files  Files
	result *translate.Result
	// shared are kinds and names that objects of several groups have: a patch for one of them has to say its group, even if that is empty.
	shared map[string]bool
}

func shared(r *translate.Result) map[string]bool {
	groups, out := map[string]string{}, map[string]bool{}
	add := func(o *manifest.Object) {
		k := o.Kind + " " + o.Name
		if g, seen := groups[k]; seen && g != o.Group {
			out[k] = true
		}
		groups[k] = o.Group
	}
	for _, o := range r.Objects {
		add(o.Object)
	}
	for _, m := range r.Made {
		add(m.Object())
	}
	return out
}

// list is a kustomization.
type list struct {
	APIVersion string   `yaml:"apiVersion"`
	Kind       string   `yaml:"kind"`
	Resources  []string `yaml:"resources,omitempty"`
	Components []string `yaml:"components,omitempty"`
	Patches    []patch  `yaml:"patches,omitempty"`
	// Options say nothing; they are there where a kustomization would be empty, which Kustomize refuses.
	Options map[string]bool `yaml:"generatorOptions,omitempty"`
}

type patch struct {
	Path   string            `yaml:"path"`
	Target map[string]string `yaml:"target,omitempty"`
}

func newList() *list {
	return &list{APIVersion: "kustomize.config.k8s.io/v1beta1", Kind: "Kustomization"}
}

func (l *layout) put(folder, comment string, k *list) error {
	slices.Sort(k.Resources)
	slices.SortFunc(k.Patches, func(a, b patch) int { return strings.Compare(a.Path, b.Path) })
	if len(k.Resources)+len(k.Components)+len(k.Patches) == 0 {
		k.Options = map[string]bool{"disableNameSuffixHash": true}
	}
	text, err := yaml.Marshal(k)
	if err != nil {
		return fmt.Errorf("write the kustomization of %s: %w", folder, err)
	}
	l.files[path.Join(folder, kustomization)] = append([]byte("# Written by bascule kube translate, which writes it anew: change it in overrides/.\n# "+comment+"\n"), text...)
	return nil
}

func (l *layout) base() error {
	k := newList()
	for _, o := range l.result.Objects {
		if o.Held != nil || o.Release != "" {
			continue
		}
		name := fileName(o.Namespace, o.Group, o.Kind, o.Name)
		k.Resources = append(k.Resources, name)
		l.files[path.Join(base, name)] = o.Text
	}
	return l.put(base, "The objects of the source, byte for byte.", k)
}

func (l *layout) translated() error {
	k := newList()
	k.Resources = []string{"../" + base}
	for _, o := range l.result.Objects {
		if o.Held != nil || o.Release != "" {
			continue
		}
		if err := l.patch(k, translated, o.Object, o.APIVersion(), o.Ops, o.Dropped); err != nil {
			return err
		}
	}
	for _, m := range l.result.Made {
		id := identity(m.Value)
		name := path.Join("made", fileName(id.namespace, id.group, id.kind, id.name))
		text, err := yaml.Marshal(m.Value)
		if err != nil {
			return fmt.Errorf("write %s: %w", m.ID(), err)
		}
		head := fmt.Sprintf("# Made for %s.\n%s", comment(m.For), reason(m.Rule, m.Why))
		l.files[path.Join(translated, name)] = append([]byte(head), text...)
		k.Resources = append(k.Resources, name)
	}
	return l.put(translated, "What holds in every phase: a patch for each object that changes, and the objects that the source does not have.", k)
}

func (l *layout) standby() error {
	k := newList()
	k.Resources = []string{"../" + translated}
	for _, o := range l.result.Objects {
		if o.Held != nil || o.Dropped != nil || o.Release != "" {
			continue
		}
		if err := l.patch(k, standby, o.Object, o.TargetAPIVersion, o.Standby, o.Idle); err != nil {
			return err
		}
	}
	for _, m := range l.result.Made {
		o := m.Object()
		if err := l.patch(k, standby, o, o.APIVersion(), m.Standby, m.Idle); err != nil {
			return err
		}
	}
	return l.put(standby, "Before the switch: nothing runs, consumes, or writes records.", k)
}

func (l *layout) live() error {
	k := newList()
	k.Resources = []string{"../" + translated}
	return l.put(live, "Behind the switch.", k)
}

func (l *layout) mirror() error {
	k := newList()
	k.APIVersion, k.Kind = "kustomize.config.k8s.io/v1alpha1", "Component"
	for _, o := range l.result.Objects {
		if o.Release != "" {
			continue
		}
		if err := l.patch(k, mirror, o.Object, o.APIVersion(), o.Mirror, o.Quiet); err != nil {
			return err
		}
	}
	return l.put(mirror, "For the old side, behind the switch: add it to the components of the source's own kustomization.", k)
}

// patch writes one object's patch of a layer, if it has any.
func (l *layout) patch(k *list, layer string, o *manifest.Object, apiVersion string, ops []translate.Op, dropped *translate.Reason) error {
	if dropped == nil && len(ops) == 0 {
		return nil
	}
	p := patch{Path: path.Join("patches", fileName(o.Namespace, o.Group, o.Kind, o.Name))}
	text, err := deletion(o, apiVersion, dropped)
	if dropped == nil {
		p.Target = l.target(o, apiVersion)
		text, err = operations(o, ops)
	}
	if err != nil {
		return fmt.Errorf("write the patch of %s: %w", o, err)
	}
	l.files[path.Join(layer, p.Path)] = text
	k.Patches = append(k.Patches, p)
	return nil
}

// target selects exactly one object. Kustomize takes regular expressions, and takes one that is left out for any.
func (l *layout) target(o *manifest.Object, apiVersion string) map[string]string {
	group, version, ok := strings.Cut(apiVersion, "/")
	if !ok {
		group, version = "", apiVersion
	}
	t := map[string]string{"version": version, "kind": o.Kind, "name": regexp.QuoteMeta(o.Name), "namespace": regexp.QuoteMeta(o.Namespace)}
	switch {
	case o.Namespace == "":
		t["namespace"] = "default|_non_namespaceable_" // what Kustomize calls none
	case o.Unplaced:
		t["namespace"] += "|default|_non_namespaceable_" // with and without the namespace that Helm gives it
	}
	if group != "" {
		t["group"] = regexp.QuoteMeta(group)
	} else if l.shared[o.Kind+" "+o.Name] {
		t["group"] = "()" // empty, and no other
	}
	return t
}

func deletion(o *manifest.Object, apiVersion string, why *translate.Reason) ([]byte, error) {
	if why == nil {
		return nil, nil
	}
	meta := map[string]string{"name": o.Name}
	if o.Namespace != "" && !o.Unplaced {
		meta["namespace"] = o.Namespace
	}
	text, err := yaml.Marshal(map[string]any{"apiVersion": apiVersion, "kind": o.Kind, "metadata": meta, "$patch": "delete"})
	return append([]byte("# "+comment(o.String())+"\n"+reason(why.Rule, why.Why)), text...), err
}

// operations writes a JSON Patch, with the reason before each operation.
func operations(o *manifest.Object, ops []translate.Op) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("# " + comment(o.String()) + "\n")
	last := ""
	for _, op := range ops {
		if r := reason(op.Rule, op.Why); r != last {
			b.WriteString(r)
			last = r
		}
		entry := []any{&operation{Op: op.Do, Path: pointer(op.Path)}}
		if op.Do != "remove" {
			entry[0] = &operationWithValue{Op: op.Do, Path: pointer(op.Path), Value: op.Value}
		}
		text, err := yaml.Marshal(entry)
		if err != nil {
			return nil, err
		}
		b.Write(text)
	}
	return b.Bytes(), nil
}

type operation struct {
	Op   string `yaml:"op"`
	Path string `yaml:"path"`
}

type operationWithValue struct {
	Op    string `yaml:"op"`
	Path  string `yaml:"path"`
	Value any    `yaml:"value"`
}

var escape = strings.NewReplacer("~", "~0", "/", "~1")

// pointer is a path as a JSON Pointer (RFC 6901).
func pointer(steps []string) string {
	var b strings.Builder
	for _, s := range steps {
		b.WriteByte('/')
		b.WriteString(escape.Replace(s))
	}
	return b.String()
}

func reason(r *translate.Rule, why string) string {
	return fmt.Sprintf("# %s %s %s\n", r.Verdict, r.ID, comment(why))
}

// comment makes text fit into a comment.
func comment(s string) string { return strings.Join(strings.Fields(s), " ") }

type id struct{ group, kind, namespace, name string }

func identity(v map[string]any) id {
	var out id
	api, _ := v["apiVersion"].(string)
	if g, _, ok := strings.Cut(api, "/"); ok {
		out.group = g
	}
	out.kind, _ = v["kind"].(string)
	meta, _ := v["metadata"].(map[string]any)
	out.name, _ = meta["name"].(string)
	out.namespace, _ = meta["namespace"].(string)
	return out
}

// fileName is where an object lies: NAMESPACE/KIND-NAME.yaml, with the group where Kubernetes itself does not have the kind. Different objects have
// different names, also where a file system does not tell letters by their case, and no name leads out of its folder.
func fileName(namespace, group, kind, name string) string {
	folder := "_no-namespace"
	if namespace != "" {
		folder = safe(namespace)
	}
	kind = strings.ToLower(kind)
	if strings.Contains(group, ".") && !strings.HasSuffix(group, ".k8s.io") {
		kind += "." + group
	}
	return path.Join(folder, safe(kind)+"-"+safe(name)+".yaml")
}

// safe writes every byte but small letters, digits, dashes and inner dots as _ and two digits.
func safe(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '.' && i > 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "_%02x", c)
		}
	}
	return b.String()
}

// names returns the files' paths in order.
func (f Files) names() []string { return slices.Sorted(maps.Keys(f)) }
