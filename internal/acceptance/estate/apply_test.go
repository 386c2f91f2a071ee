package estate

import (
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/bascule/bascule/internal/kube/manifest"
)

// An applier builds a side from the files as Kustomize would, in a fiftieth of its time. TestKustomizeBuildsTheSame compares the two. It is stricter:
// a patch has to match exactly one object. It shares no code with package tree, on purpose: what is proved here must not be what the program itself makes of
// its tree. It builds the old side with the mirror too, which the program never reads.
type applier struct {
	files   map[string][]byte
	objects []map[string]any
}

type kustomization struct {
	Resources, Components []string
	Patches               []struct {
		Path   string
		Target map[string]string
	}
}

type operation struct {
	Op, Path string
	Value    any
}

// folder adds what a folder's kustomization says.
func (a *applier) folder(dir string) error {
	var k kustomization
	if err := yaml.Unmarshal(a.files[path.Join(dir, "kustomization.yaml")], &k); err != nil {
		return err
	}
	for _, r := range k.Resources {
		name := path.Join(dir, r)
		text, file := a.files[name]
		if !file {
			if err := a.folder(name); err != nil {
				return err
			}
			continue
		}
		set, err := manifest.Read(strings.NewReader(string(text)), "-")
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for _, o := range set.Objects {
			value, _ := clone(o.Value).(map[string]any)
			a.objects = append(a.objects, value)
		}
	}
	for _, c := range k.Components {
		if err := a.folder(path.Join(dir, c)); err != nil {
			return err
		}
	}
	for _, p := range k.Patches {
		if err := a.patch(path.Join(dir, p.Path), p.Target); err != nil {
			return fmt.Errorf("%s: %w", path.Join(dir, p.Path), err)
		}
	}
	return nil
}

func (a *applier) patch(name string, target map[string]string) error {
	text := a.files[name]
	if target == nil { // what goes
		var gone map[string]any
		if err := yaml.Unmarshal(text, &gone); err != nil {
			return err
		}
		if gone["$patch"] != "delete" {
			return fmt.Errorf("a patch without a target that deletes nothing")
		}
		target = identity(gone)
		for k, v := range target {
			target[k] = regexp.QuoteMeta(v)
		}
	}
	patterns := map[string]*regexp.Regexp{}
	for k, pattern := range target {
		patterns[k] = regexp.MustCompile("^(?:" + pattern + ")$")
	}
	is := func(o map[string]any) bool { return matches(o, patterns) }
	matched := slices.IndexFunc(a.objects, is)
	if matched < 0 {
		return fmt.Errorf("nothing is %v", target)
	}
	if slices.ContainsFunc(a.objects[matched+1:], is) {
		return fmt.Errorf("several are %v", target)
	}
	var ops []operation
	if err := yaml.Unmarshal(text, &ops); err != nil {
		a.objects = slices.Delete(a.objects, matched, matched+1) // no list: what goes
		return nil                                               //nolint:nilerr // it was read above
	}
	for _, op := range ops {
		if _, err := changed(a.objects[matched], steps(op.Path), op); err != nil {
			return err
		}
	}
	return nil
}

func identity(o map[string]any) map[string]string {
	group, version, ok := strings.Cut(text(o, "apiVersion"), "/")
	if !ok {
		group, version = "", group
	}
	return map[string]string{"group": group, "version": version, "kind": text(o, "kind"), "namespace": text(o, "metadata", "namespace"), "name": text(o, "metadata", "name")}
}

func matches(o map[string]any, target map[string]*regexp.Regexp) bool {
	if !target["kind"].MatchString(text(o, "kind")) {
		return false
	}
	id := identity(o)
	for k, pattern := range target {
		if k == "namespace" && id[k] == "" && strings.Contains(pattern.String(), "_non_namespaceable_") {
			continue
		}
		if !pattern.MatchString(id[k]) {
			return false
		}
	}
	return true
}

func steps(pointer string) []string {
	out := strings.Split(pointer, "/")[1:]
	for i := range out {
		out[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(out[i])
	}
	return out
}

// changed is v with an operation of RFC 6902 done in it.
func changed(v any, path []string, op operation) (any, error) {
	last := len(path) == 1
	switch x := v.(type) {
	case map[string]any:
		inner, there := x[path[0]]
		switch {
		case !there && (!last || op.Op != "add"):
			return nil, fmt.Errorf("%s %s: it is not there", op.Op, op.Path)
		case last && op.Op == "remove":
			delete(x, path[0])
			return x, nil
		case last:
			x[path[0]] = clone(op.Value)
			return x, nil
		}
		var err error
		x[path[0]], err = changed(inner, path[1:], op)
		return x, err
	case []any:
		if last && op.Op == "add" && path[0] == "-" {
			return append(x, clone(op.Value)), nil
		}
		i, err := strconv.Atoi(path[0])
		switch {
		case err != nil || i < 0 || i >= len(x):
			return nil, fmt.Errorf("%s %s: it is not there", op.Op, op.Path)
		case last && op.Op == "remove":
			return slices.Delete(x, i, i+1), nil
		case last && op.Op == "add":
			return slices.Insert(x, i, clone(op.Value)), nil
		case last:
			x[i] = clone(op.Value)
			return x, nil
		}
		x[i], err = changed(x[i], path[1:], op)
		return x, err
	}
	return nil, fmt.Errorf("%s %s: nothing can be there", op.Op, op.Path)
}

// clone copies plain values. Numbers of patches are float64 as JSON decodes them; those of objects are int64.
func clone(v any) any {
	switch x := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(x))
		for k, v := range x {
			m[k] = clone(v)
		}
		return m
	case []any:
		l := make([]any, len(x))
		for i, v := range x {
			l[i] = clone(v)
		}
		return l
	case float64:
		if x == float64(int64(x)) {
			return int64(x)
		}
	}
	return v
}

// built are the objects, as manifests read them.
func (a *applier) built() ([]*manifest.Object, error) {
	var out []*manifest.Object
	for _, v := range a.objects {
		if notes, ok := at(v, "metadata", "annotations").(map[string]any); ok && len(notes) == 0 {
			delete(mapping(v, "metadata"), "annotations") // as Kustomize does
		}
		o := &manifest.Object{Value: v, Kind: text(v, "kind"), Namespace: text(v, "metadata", "namespace"), Name: text(v, "metadata", "name")}
		o.Group, o.Version = identity(v)["group"], identity(v)["version"]
		var err error
		if o.Text, err = json.Marshal(v); err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	return out, nil
}

// TestKustomizeBuildsTheSame compares what the tests look at with what GitOps would apply.
func TestKustomizeBuildsTheSame(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("Kustomize takes its time")
	}
	e := environment(t, "ap")
	want, got := byID(t, e.kustomized(t, standby)), byID(t, e.build(t, standby))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-kustomize +test):\n%s", diff)
	}
}

func byID(t *testing.T, objects []*manifest.Object) map[string]any {
	t.Helper()
	out := map[string]any{}
	for _, o := range objects {
		id := o.APIVersion() + " " + o.String()
		if out[id] != nil {
			t.Errorf("%s is there twice", id)
		}
		out[id] = clone(o.Value)
	}
	return out
}
