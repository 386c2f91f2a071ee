package manifest

import (
	"bytes"
	"cmp"
	"regexp"
	"slices"
)

// Release is what Helm renders for one release.
type Release struct {
	Namespace, Name string
	// File stands for the name of a file.
	File string
	Text []byte
}

// ID names a release: NAMESPACE/NAME, for Helm knows a name once in each namespace.
func (r *Release) ID() string { return r.Namespace + "/" + r.Name }

// hookKey is how Helm knows a hook: something that it applies before or behind everything else, and does not count as part of the release.
const hookKey = "helm.sh/hook"

// source is the comment in which Helm names the template of a document.
var source = regexp.MustCompile(`(?m)^# Source: (\S+/\S+)\s*$`)

// Template is the template of a chart that a document comes from, as Helm says it above it; empty for what Helm has not printed.
func (o *Object) Template() string {
	head := o.Text
	if i := bytes.Index(head, []byte("\napiVersion:")); i >= 0 {
		head = head[:i+1]
	}
	if m := source.FindSubmatch(head); m != nil && !bytes.HasPrefix(o.Text, []byte("apiVersion:")) {
		return string(m[1])
	}
	return ""
}

// Hook returns the events at which Helm runs the object as a hook; empty for one that is none.
func (o *Object) Hook() string {
	meta, _ := o.Value["metadata"].(map[string]any)
	annotations, _ := meta["annotations"].(map[string]any)
	s, _ := annotations[hookKey].(string)
	return s
}

// ReadRelease reads what Helm renders for a release. An object that leaves its namespace to Helm is in the release's namespace from here on, and says
// so by Unplaced, if namespaced says that its kind lives in one. A hook that has the name of another object is put aside.
func ReadRelease(rel Release, namespaced func(*Object) bool) (*Set, error) {
	r := &reading{set: &Set{}}
	r.file(rel.File, rel.Text)
	r.parsed()
	for _, o := range r.set.Objects {
		o.Release = rel.ID()
		if meta, _ := o.Value["metadata"].(map[string]any); o.Namespace == "" && meta != nil && namespaced(o) {
			meta["namespace"] = rel.Namespace
			o.Namespace, o.Unplaced = rel.Namespace, true
		}
	}
	r.hooks()
	return r.done()
}

// hooks puts those aside that share their name with an object that is no hook, or with a hook before them: charts do so for what a hook needs early. Helm applies one
// after the other; what reads both in one stream takes them for one object.
func (r *reading) hooks() {
	first := map[identity]*Object{}
	for _, o := range r.set.Objects {
		if same := first[o.identity()]; same == nil || same.Hook() != "" && o.Hook() == "" {
			first[o.identity()] = o
		}
	}
	r.set.Objects = slices.DeleteFunc(r.set.Objects, func(o *Object) bool {
		if o.Name == "" || o.Hook() == "" || first[o.identity()] == o {
			return false
		}
		r.set.Aside = append(r.set.Aside, Aside{Where: o.Where(), What: "a hook of Helm that has the name of another object, " + o.String() + "; Kustomize refuses both in one stream, and so do Helm 4 and Flux with it"})
		return true
	})
}

// Join makes one set of several. An object that two of them have is a mistake, as it is within one.
func Join(sets ...*Set) (*Set, error) {
	r := &reading{set: &Set{}}
	for _, s := range sets {
		r.set.Objects = append(r.set.Objects, s.Objects...)
		r.set.Aside = append(r.set.Aside, s.Aside...)
	}
	return r.done()
}

// identity is what tells an object from others.
type identity struct{ group, kind, namespace, name string }

func (o *Object) identity() identity {
	return identity{o.Group, o.Kind, cmp.Or(o.Namespace, "default"), o.Name}
}
