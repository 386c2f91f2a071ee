package check

import (
	"cmp"

	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/plain"
	"github.com/bascule/bascule/internal/kube/translate"
)

// key tells objects apart. What lives in no namespace has the namespace default here: whether a kind has namespaces is not always known.
type key struct{ group, kind, namespace, name string }

// pod is what the pods of one workload have in common.
type pod struct {
	o         *manifest.Object
	path      []string // of its specification
	spec      map[string]any
	namespace string
	labels    map[string]string
	account   string
}

// world is one view, with what is looked up in it.
type world struct {
	*run
	view    *View
	objects map[key]*manifest.Object
	pods    []*pod
	// labelled are the pods by namespace, and by namespace and each of their labels, so that few are looked at for a selector.
	labelled map[string][]*pod
	// made are the Secrets and ConfigMaps that controllers make.
	made  map[key]bool
	notes []note
}

func namespaceOf(o *manifest.Object) string { return cmp.Or(o.Namespace, "default") }

func newWorld(r *run, v *View) *world {
	w := &world{run: r, view: v, objects: make(map[key]*manifest.Object, len(v.Objects)), labelled: map[string][]*pod{}, made: map[key]bool{}}
	for _, o := range v.Objects {
		w.objects[key{o.Group, o.Kind, namespaceOf(o), o.Name}] = o
		w.makes(o)
		for _, path := range translate.PodSpecs(o.Value) {
			w.pod(o, path)
		}
	}
	return w
}

func (w *world) pod(o *manifest.Object, path []string) {
	spec := mapping(o.Value, path...)
	p := &pod{
		o: o, path: path, spec: spec, namespace: namespaceOf(o), labels: texts(mapping(o.Value, join(path[:len(path)-1], "metadata", "labels")...)),
		account: cmp.Or(text(spec, "serviceAccountName"), text(spec, "serviceAccount"), "default"),
	}
	w.pods = append(w.pods, p)
	w.labelled[p.namespace] = append(w.labelled[p.namespace], p)
	for k, v := range p.labels {
		by := pair(p.namespace, k, v)
		w.labelled[by] = append(w.labelled[by], p)
	}
}

func pair(namespace, k, v string) string { return namespace + "\x00" + k + "\x00" + v }

// podsOf returns the pods of a namespace that a selector (matchLabels, matchExpressions) selects.
func (w *world) podsOf(namespace string, selector map[string]any) []*pod {
	candidates := w.labelled[namespace]
	for k, v := range mapping(selector, "matchLabels") {
		s, ok := v.(string)
		if few := w.labelled[pair(namespace, k, s)]; ok && len(few) < len(candidates) {
			candidates = few
		}
	}
	var out []*pod
	for _, p := range candidates {
		if plain.Selects(selector, p.labels) {
			out = append(out, p)
		}
	}
	return out
}

// makes notes the Secrets and ConfigMaps that a controller makes for an object.
func (w *world) makes(o *manifest.Object) {
	ns := namespaceOf(o)
	add := func(kind, namespace, name string) {
		if name != "" {
			w.made[key{"", kind, cmp.Or(namespace, ns), name}] = true
		}
	}
	switch o.Kind {
	case "ExternalSecret":
		add("Secret", "", cmp.Or(text(o.Value, "spec", "target", "name"), o.Name))
	case "SealedSecret":
		add("Secret", "", cmp.Or(text(o.Value, "spec", "template", "metadata", "name"), o.Name))
	case "Certificate":
		add("Secret", "", text(o.Value, "spec", "secretName"))
	case "SecretProviderClass":
		each(o.Value, []string{"spec", "secretObjects"}, func(_ []string, m map[string]any) { add("Secret", "", text(m, "secretName")) })
	case "VaultStaticSecret", "VaultDynamicSecret", "VaultPKISecret":
		add("Secret", "", text(o.Value, "spec", "destination", "name"))
	case "Bundle":
		w.made[key{"", "ConfigMap", "", o.Name}] = true // of trust-manager, in every namespace
	case "Ingress":
		if meta := mapping(o.Value, "metadata", "annotations"); meta["cert-manager.io/cluster-issuer"] != nil || meta["cert-manager.io/issuer"] != nil {
			each(o.Value, []string{"spec", "tls"}, func(_ []string, m map[string]any) { add("Secret", "", text(m, "secretName")) })
		}
	case "Gateway":
		if meta := mapping(o.Value, "metadata", "annotations"); meta["cert-manager.io/cluster-issuer"] != nil || meta["cert-manager.io/issuer"] != nil {
			each(o.Value, []string{"spec", "listeners"}, func(_ []string, l map[string]any) {
				each(l, []string{"tls", "certificateRefs"}, func(_ []string, m map[string]any) { add("Secret", text(m, "namespace"), text(m, "name")) })
			})
		}
	}
	// What Crossplane writes the coordinates of a service to.
	add("Secret", text(o.Value, "spec", "writeConnectionSecretToRef", "namespace"), text(o.Value, "spec", "writeConnectionSecretToRef", "name"))
}

// find returns an object of the view.
func (w *world) find(group, kind, namespace, name string) *manifest.Object {
	return w.objects[key{group, kind, cmp.Or(namespace, "default"), name}]
}

// there says whether an object is in the view, is made by a controller, is part of every cluster, or was said to exist.
func (w *world) there(group, kind, namespace, name string) bool {
	ns := cmp.Or(namespace, "default")
	switch {
	case w.objects[key{group, kind, ns, name}] != nil, w.made[key{group, kind, ns, name}], w.made[key{group, kind, "", name}]:
		return true
	case w.Profile.Has(kind, namespace, name):
		return true
	}
	return w.exists[full(kind, namespace, name)]
}

// full names an object as --exists does.
func full(kind, namespace, name string) string {
	if namespace == "" {
		return kind + " " + name
	}
	return kind + " " + namespace + "/" + name
}

func (w *world) add(code finding.Code, severity finding.Severity, o *manifest.Object, path []string, what, do, owner string) {
	w.notes = append(w.notes, note{code: code, severity: severity, o: o, path: path, what: what, do: do, owner: owner})
}

// wants reports an object that is referred to and not there. It says whether it is there.
func (w *world) wants(o *manifest.Object, path []string, severity finding.Severity, group, kind, namespace, name string) bool {
	if name == "" || w.there(group, kind, namespace, name) {
		return true
	}
	f := full(kind, namespace, name)
	w.add(missing(kind), severity, o, path, "It refers to "+f+", which is not there.", "add it, or mend the name; where it is made elsewhere, say so: --exists \""+f+"\"", application)
	return false
}
