package dependency

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/translate"
)

type key struct{ kind, namespace, name string }

// reading is one map in the making.
type reading struct {
	builder
	in    *Input
	out   *Map
	index map[key]*manifest.Object
	roles *translate.Roles
	// external are the objects that fill a Secret, by it.
	external map[key]*manifest.Object
	// known gives for a host the database of bascule.yaml.
	known map[string]string
	works []*worker
	// behind are the workloads of a namespace.
	behind map[string][]*worker
	noted  map[Unknown]bool
	// scalers are KEDA's objects, by the workload that they scale.
	scalers map[key][]*manifest.Object
}

// worker is a workload with one of its specifications of pods.
type worker struct {
	*manifest.Object
	node *Node
	spec []string
	// labels are those of its pods.
	labels map[string]any
	// vars are the variables of its containers whose values are known.
	vars []variable
}

type variable struct {
	name, value string
	at          Evidence
	// secret says that it is the value of a Secret.
	secret bool
}

// New makes the map of an environment.
func New(in Input) *Map {
	r := &reading{
		builder: builder{nodes: map[string]*Node{}, edges: map[[2]string]*Edge{}}, in: &in,
		out:   &Map{Nodes: []Node{}, Edges: []Edge{}, Groups: []Group{}, Hidden: []Hidden{}, Unknown: []Unknown{}, Addons: []string{}},
		index: map[key]*manifest.Object{}, external: map[key]*manifest.Object{}, known: map[string]string{}, scalers: map[key][]*manifest.Object{},
		roles: translate.NewRoles(in.Set), behind: map[string][]*worker{}, noted: map[Unknown]bool{},
	}
	for _, k := range in.Databases {
		r.known[endpoint(k.Host)] = k.Name
	}
	for _, o := range in.Set.Objects {
		r.learn(o)
	}
	for _, o := range in.Set.Objects {
		r.workload(o)
	}
	for _, w := range r.works {
		r.pod(w)
	}
	for _, o := range in.Set.Objects {
		r.entry(o)
	}
	for _, a := range in.Set.Aside {
		r.out.Unknown = append(r.out.Unknown, Unknown{Workload: a.Where, What: a.What})
	}
	r.build(r.out)
	r.out.Groups = groups(r.out)
	return r.out
}

func (r *reading) learn(o *manifest.Object) {
	ns := cmp.Or(o.Namespace, "default")
	r.index[key{o.Kind, ns, o.Name}] = o
	switch o.Kind {
	case "ExternalSecret":
		r.external[key{"Secret", ns, cmp.Or(translate.Text(o.Value, "spec", "target", "name"), o.Name)}] = o
	case "SealedSecret":
		r.external[key{"Secret", ns, o.Name}] = o
	case "ScaledObject":
		k := key{cmp.Or(translate.Text(o.Value, "spec", "scaleTargetRef", "kind"), "Deployment"), ns, translate.Text(o.Value, "spec", "scaleTargetRef", "name")}
		r.scalers[k] = append(r.scalers[k], o)
	}
}

func (r *reading) workload(o *manifest.Object) {
	specs := translate.PodSpecs(o.Value)
	if len(specs) == 0 {
		return
	}
	if r.in.Profile != nil && r.in.Profile.Addon(o.Name) != nil {
		r.out.Addons = append(r.out.Addons, o.String())
		return
	}
	node := r.node(Workload, o.String())
	for _, spec := range specs {
		w := &worker{Object: o, node: node, spec: spec}
		w.labels, _ = translate.At(o.Value, steps(spec[:len(spec)-1], "metadata", "labels")...).(map[string]any)
		r.works = append(r.works, w)
		r.behind[w.namespace()] = append(r.behind[w.namespace()], w)
	}
}

func (w *worker) namespace() string { return cmp.Or(w.Namespace, "default") }

// evidence says where in an object something stands. The steps are keys and indexes.
func evidence(o *manifest.Object, steps ...string) Evidence {
	return Evidence{Object: o.String(), Path: elementPath(o.Value, steps).String(), Where: o.Where()}
}

// elementPath names the elements of lists in a path by their name, where they have one.
func elementPath(v any, steps []string) manifest.Path {
	var p manifest.Path
	for _, s := range steps {
		list, isList := v.([]any)
		i, err := strconv.Atoi(s)
		switch {
		case !isList || err != nil || i >= len(list):
			p = append(p, manifest.Key(s))
		case translate.Text(list[i], "name") != "":
			p = append(p, manifest.Element("name", translate.Text(list[i], "name")))
		default:
			p = append(p, manifest.Index(i))
		}
		v = translate.At(v, s)
	}
	return p
}

func steps(path []string, more ...string) []string { return append(slices.Clone(path), more...) }

// pod reads one specification of pods.
func (r *reading) pod(w *worker) {
	for _, list := range []string{"initContainers", "containers", "ephemeralContainers"} {
		all, _ := translate.At(w.Value, steps(w.spec, list)...).([]any)
		for i := range all {
			r.container(w, steps(w.spec, list, strconv.Itoa(i)))
		}
	}
	r.volumes(w)
	expand(w.vars)
	for _, v := range w.vars {
		r.value(w, v)
	}
	if role := r.roles.Of(w.Object, w.spec); role != "" {
		name := role[strings.LastIndexAny(role, "/:")+1:]
		r.edge(w.node, r.node(Role, name), Declared, false, r.roleEvidence(w))
	} else if sign := translate.NodeRole(w.variables); sign != "" {
		h := Hidden{Workload: w.String(), Sign: sign}
		if !slices.Contains(r.out.Hidden, h) {
			r.out.Hidden = append(r.out.Hidden, h)
		}
	}
	for _, o := range r.scalers[key{w.Kind, w.namespace(), w.Name}] {
		r.texts(w, o, []string{"spec", "triggers"}, Declared)
	}
	if translate.Text(w.Value, "kind") == "ScaledJob" {
		r.texts(w, w.Object, []string{"spec", "triggers"}, Declared)
	}
}

func (w *worker) variables(yield func(name, value string) bool) {
	for _, v := range w.vars {
		if !yield(v.name, v.value) {
			return
		}
	}
}

func (r *reading) roleEvidence(w *worker) Evidence {
	account := cmp.Or(translate.Text(w.Value, steps(w.spec, "serviceAccountName")...), "default")
	if o := r.index[key{"ServiceAccount", w.namespace(), account}]; o != nil && translate.Text(o.Value, "metadata", "annotations", "eks.amazonaws.com/role-arn") != "" {
		return evidence(o, "metadata", "annotations", "eks.amazonaws.com/role-arn")
	}
	return evidence(w.Object, steps(w.spec[:len(w.spec)-1], "metadata", "annotations", "iam.amazonaws.com/role")...)
}

func (r *reading) container(w *worker, path []string) {
	from, _ := translate.At(w.Value, steps(path, "envFrom")...).([]any)
	for i, f := range from {
		at := evidence(w.Object, steps(path, "envFrom", strconv.Itoa(i))...)
		prefix := translate.Text(f, "prefix")
		if name := translate.Text(f, "configMapRef", "name"); name != "" {
			r.configMap(w, name, "", at, func(k, value string, found Evidence) { w.set(prefix+k, value, found) })
		}
		if name := translate.Text(f, "secretRef", "name"); name != "" {
			r.secret(w, name, "", "", at, func(k, value string, found Evidence) {
				w.vars = append(w.vars, variable{prefix + k, value, found, true})
			})
		}
	}
	env, _ := translate.At(w.Value, steps(path, "env")...).([]any)
	for i, e := range env {
		at := evidence(w.Object, steps(path, "env", strconv.Itoa(i))...)
		name := translate.Text(e, "name")
		if value := manifest.Scalar(translate.At(e, "value")); value != "" {
			at.Path += ".value"
			w.set(name, value, at)
		} else {
			w.set(name, "", at) // what it holds comes below, if anybody knows it
		}
		if m := translate.Text(e, "valueFrom", "configMapKeyRef", "name"); m != "" {
			r.configMap(w, m, translate.Text(e, "valueFrom", "configMapKeyRef", "key"), at, func(_, value string, found Evidence) { w.set(name, value, found) })
		}
		if s := translate.Text(e, "valueFrom", "secretKeyRef", "name"); s != "" {
			r.secret(w, s, translate.Text(e, "valueFrom", "secretKeyRef", "key"), name, at, func(_, value string, found Evidence) {
				w.vars = append(w.vars, variable{name, value, found, true})
			})
		}
	}
	for _, list := range []string{"command", "args"} {
		all, _ := translate.At(w.Value, steps(path, list)...).([]any)
		before := ""
		for i, a := range all {
			text, _ := a.(string)
			name, value, ok := strings.Cut(text, "=")
			if !ok || !strings.HasPrefix(name, "-") {
				name, value = before, text
			}
			w.vars = append(w.vars, variable{strings.ReplaceAll(strings.TrimLeft(name, "-"), "-", "_"), value, evidence(w.Object, steps(path, list, strconv.Itoa(i))...), false})
			before = ""
			if strings.HasPrefix(text, "-") && !ok {
				before = text
			}
		}
	}
}

// set notes a variable. One that is set twice has the value that is set last, as in a container.
func (w *worker) set(name, value string, at Evidence) {
	w.vars = append(w.vars, variable{name, value, at, false})
}

var reference = regexp.MustCompile(`\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)`)

// mostReferences bounds what one value may grow to.
const mostReferences = 64

// expand puts the values of variables in the place of $(NAME), one level deep, as Kubernetes does for those that stand before.
func expand(vars []variable) {
	values := map[string]*variable{}
	for i := range vars {
		v := &vars[i]
		if n := strings.Count(v.value, "$("); n > 0 && n < mostReferences {
			v.value = reference.ReplaceAllStringFunc(v.value, func(s string) string {
				to := values[s[2:len(s)-1]]
				if to == nil || len(to.value) > 1024 {
					return s
				}
				v.secret = v.secret || to.secret
				return to.value
			})
		}
		values[v.name] = v
	}
}

func (r *reading) missing(w *worker, what string) {
	u := Unknown{Workload: w.String(), What: what}
	if !r.noted[u] {
		r.noted[u] = true
		r.out.Unknown = append(r.out.Unknown, u)
	}
}

// configMap visits the values of a ConfigMap, or of one key of it.
func (r *reading) configMap(w *worker, name, only string, at Evidence, visit func(k, value string, found Evidence)) {
	o := r.index[key{"ConfigMap", w.namespace(), name}]
	if o == nil {
		r.missing(w, "ConfigMap "+w.namespace()+"/"+name+" is not in the manifests ("+at.Path+")")
		return
	}
	data, _ := o.Value["data"].(map[string]any)
	for _, k := range slices.Sorted(maps.Keys(data)) {
		if only == "" || k == only {
			visit(k, manifest.Scalar(data[k]), evidence(o, "data", k))
		}
	}
}

// value notes what a value names.
func (r *reading) value(w *worker, v variable) {
	find := refs
	if v.secret {
		find = guardedRefs
	}
	for _, x := range find(v.name, v.value) {
		r.uses(w, x, v.at)
	}
}

// uses notes that a workload uses what a value names, once it is clear what stands behind a name in the cluster.
func (r *reading) uses(w *worker, x ref, at Evidence) {
	if x.host != "" {
		x = r.resolve(w, x)
	}
	if x.kind == "" {
		return
	}
	if name := r.known[endpoint(x.host)]; name != "" {
		n := r.node(Database, name)
		n.Note = "of bascule.yaml"
		r.edge(w.node, n, Declared, x.reads, at)
		return
	}
	r.edge(w.node, r.node(x.kind, x.name), x.sure, x.reads, at)
}

// resolve says what stands behind a host: a Service of the cluster, or what a Service of type ExternalName names, or a database of bascule.yaml.
func (r *reading) resolve(w *worker, x ref) ref {
	if r.known[endpoint(x.host)] != "" {
		x.kind = Database
		return x
	}
	o := r.service(w, x.host)
	if o == nil {
		switch inCluster := strings.HasSuffix(x.host, ".svc") || strings.Contains(x.host, ".svc."); {
		case inCluster && (x.kind == Service || x.kind == Outside):
			r.missing(w, "Service "+x.host+" is not in the manifests")
			return ref{}
		case x.kind == Service: // any word with a port
			return ref{}
		}
		return x
	}
	if translate.Text(o.Value, "spec", "type") == "ExternalName" {
		to := ofHost(strings.ToLower(translate.Text(o.Value, "spec", "externalName")), "")
		if to.kind == Outside && x.kind != Service {
			to.kind = x.kind
		}
		to.sure, to.reads = x.sure, to.reads || x.reads
		return to
	}
	name := o.Namespace + "/" + o.Name
	if o.Namespace == "" {
		name = o.Name
	}
	if x.kind == Service || x.kind == Outside {
		return ref{kind: Service, name: name, sure: x.sure}
	}
	return ref{kind: x.kind, name: name + " (in the cluster)", sure: x.sure, reads: x.reads}
}

// service finds the Service that a host names, as pods of the workload resolve it.
func (r *reading) service(w *worker, host string) *manifest.Object {
	labels := strings.Split(host, ".")
	switch {
	case len(labels) == 1:
		return r.index[key{"Service", w.namespace(), labels[0]}]
	case len(labels) == 2 || labels[2] == "svc":
		return r.index[key{"Service", labels[1], labels[0]}]
	}
	return nil
}

// texts notes what the texts below a path of an object name.
func (r *reading) texts(w *worker, o *manifest.Object, path []string, sure Sure) {
	var visit func(path []string, v any)
	visit = func(path []string, v any) {
		switch x := v.(type) {
		case string:
			for _, ref := range refs(path[len(path)-1], x) {
				ref.sure = sure
				r.uses(w, ref, evidence(o, path...))
			}
		case map[string]any:
			for _, k := range slices.Sorted(maps.Keys(x)) {
				visit(steps(path, k), x[k])
			}
		case []any:
			for i, y := range x {
				visit(steps(path, strconv.Itoa(i)), y)
			}
		}
	}
	visit(path, translate.At(o.Value, path...))
}
