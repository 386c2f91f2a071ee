package monitor

import (
	"cmp"
	"slices"

	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/plain"
)

// group is the API of the Prometheus operator.
const group = "monitoring.coreos.com"

// managed is that of Managed Prometheus.
const managed = "monitoring.googleapis.com"

// kinds are those of the operator that are translated.
var kinds = []string{"ServiceMonitor", "PodMonitor", "Probe", "PrometheusRule"}

// world is what monitors refer to.
type world struct {
	services   map[string][]*service // by namespace, in the order of their names
	labelled   map[string][]*service // by key=value of each of their labels, in the order of their namespaces and names
	pods       map[string][]pod
	configMaps map[string]*manifest.Object // by namespace/name
	// interval and evaluation are how often Prometheus scrapes and evaluates where nothing else is said.
	interval, evaluation string
	taken                map[string]bool // identities of what has been made
	// prometheuses are those of the operator, which choose what they read; labels are those of namespaces.
	prometheuses []*manifest.Object
	labels       map[string]map[string]string
}

// service is a Service and its labels.
type service struct {
	*manifest.Object
	labels map[string]string
}

// pod is what a workload says of its pods.
type pod struct {
	labels map[string]string
	ports  []port
}

type port struct {
	name   string
	number int64
}

// usual is how often the operator lets Prometheus scrape and evaluate where it is not told.
const usual = "30s"

func look(objects []*manifest.Object) *world {
	w := &world{services: map[string][]*service{}, labelled: map[string][]*service{}, pods: map[string][]pod{}, configMaps: map[string]*manifest.Object{}, taken: map[string]bool{}, labels: map[string]map[string]string{}}
	var intervals, evaluations []string
	for _, o := range objects {
		switch {
		case o.Kind == "Service" && o.Group == "":
			w.services[o.Namespace] = append(w.services[o.Namespace], &service{o, plain.Labels(o.Value, "metadata", "labels")})
		case o.Group == managed:
			w.taken[id(o.Value)] = true
		case o.Kind == "ConfigMap" && o.Group == "":
			w.configMaps[o.Namespace+"/"+o.Name] = o
		case o.Group == group && (o.Kind == "Prometheus" || o.Kind == "PrometheusAgent"):
			intervals = append(intervals, cmp.Or(plain.Text(o.Value, "spec", "scrapeInterval"), usual))
			evaluations = append(evaluations, cmp.Or(plain.Text(o.Value, "spec", "evaluationInterval"), usual))
			w.prometheuses = append(w.prometheuses, o)
		case o.Kind == "Namespace" && o.Group == "":
			w.labels[o.Name] = plain.Labels(o.Value, "metadata", "labels")
		}
		if specs := podSpecs(o); len(specs) > 0 {
			w.pods[o.Namespace] = append(w.pods[o.Namespace], specs...)
		}
	}
	for _, n := range sorted(w.services) {
		slices.SortStableFunc(w.services[n], func(a, b *service) int { return cmp.Compare(a.Name, b.Name) })
		for _, s := range w.services[n] {
			for k, v := range s.labels {
				w.labelled[k+"="+v] = append(w.labelled[k+"="+v], s)
			}
		}
	}
	w.interval, w.evaluation = only(intervals), only(evaluations)
	return w
}

// only returns what all say, and otherwise what is usual.
func only(all []string) string {
	if len(slices.Compact(slices.Clone(all))) == 1 {
		return all[0]
	}
	return usual
}

// read says whether some Prometheus at hand reads a monitor: each says by labels which objects it reads, and of which namespaces. Where it does not say
// which objects, it reads none; where it does not say of which namespaces, those of its own.
func (w *world) read(o *manifest.Object) bool {
	field := map[string]string{"ServiceMonitor": "serviceMonitor", "PodMonitor": "podMonitor", "Probe": "probe", "PrometheusRule": "rule"}[o.Kind]
	labels := plain.Labels(o.Value, "metadata", "labels")
	return slices.ContainsFunc(w.prometheuses, func(p *manifest.Object) bool {
		which, where := plain.Mapping(p.Value, "spec", field+"Selector"), plain.Mapping(p.Value, "spec", field+"NamespaceSelector")
		own := w.labels[o.Namespace]
		if own == nil {
			own = map[string]string{}
		}
		own["kubernetes.io/metadata.name"] = o.Namespace
		return which != nil && plain.Selects(which, labels) && (where == nil && p.Namespace == o.Namespace || where != nil && plain.Selects(where, own))
	})
}

// podSpecs are the pods that an object specifies: its own, those of its template, those of the job that it starts.
func podSpecs(o *manifest.Object) []pod {
	var out []pod
	for _, path := range [][]string{{}, {"spec", "template"}, {"spec", "jobTemplate", "spec", "template"}} {
		containers := plain.List(o.Value, append(slices.Clone(path), "spec", "containers")...)
		if len(containers) == 0 {
			continue
		}
		p := pod{labels: plain.Labels(o.Value, append(slices.Clone(path), "metadata", "labels")...)}
		for _, c := range containers {
			for _, x := range plain.List(c, "ports") {
				number, _ := plain.At(x, "containerPort").(int64)
				p.ports = append(p.ports, port{plain.Text(x, "name"), number})
			}
		}
		out = append(out, p)
	}
	return out
}

// selected are the Services in some namespaces that a selector takes, in the order of their namespaces and names.
func (w *world) selected(namespaces []string, selector map[string]any) []*service {
	var among []*service
	if want := plain.Labels(selector, "matchLabels"); len(want) > 0 {
		k := sorted(want)[0]
		among = w.labelled[k+"="+want[k]]
	} else {
		for _, n := range namespaces {
			among = append(among, w.services[n]...)
		}
	}
	var out []*service
	for _, s := range among {
		if _, in := slices.BinarySearch(namespaces, s.Namespace); in && plain.Selects(selector, s.labels) {
			out = append(out, s)
		}
	}
	return out
}

// named returns the name by which all pods that labels select know a port, so that series keep the name of their container; nothing where they do not agree.
func (w *world) named(namespace string, selector map[string]any, number int64) string {
	name, some := "", false
	for _, p := range w.pods[namespace] {
		if !plain.Selects(selector, p.labels) {
			continue
		}
		has := ""
		for _, x := range p.ports {
			if x.number == number {
				has = x.name
			}
		}
		if has == "" || some && has != name {
			return ""
		}
		name, some = has, true
	}
	return name
}

// namespaces are those that have Services or pods.
func (w *world) namespaces() []string {
	all := map[string]bool{}
	for n := range w.services {
		all[n] = true
	}
	for n := range w.pods {
		all[n] = true
	}
	return sorted(all)
}
