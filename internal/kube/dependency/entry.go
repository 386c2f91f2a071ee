package dependency

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/translate"
)

// entry notes by which hosts clients come to which workloads.
func (r *reading) entry(o *manifest.Object) {
	switch o.Kind {
	case "Ingress":
		r.ingress(o)
	case "HTTPRoute", "GRPCRoute", "TLSRoute":
		hosts := texts(translate.At(o.Value, "spec", "hostnames"))
		r.backends(o, hosts, []string{"spec", "rules"})
	case "VirtualService":
		hosts := texts(translate.At(o.Value, "spec", "hosts"))
		for _, part := range []string{"http", "tls", "tcp"} {
			r.backends(o, hosts, []string{"spec", part})
		}
	case "Service":
		for _, k := range []string{"external-dns.alpha.kubernetes.io/hostname", "external-dns.kubernetes.io/hostname"} {
			for h := range strings.SplitSeq(translate.Text(o.Value, "metadata", "annotations", k), ",") {
				r.serve(strings.TrimSpace(h), o.Namespace, o.Name, evidence(o, "metadata", "annotations", k))
			}
		}
	}
}

func texts(v any) []string {
	var out []string
	list, _ := v.([]any)
	for _, x := range list {
		if s, is := x.(string); is {
			out = append(out, s)
		}
	}
	return out
}

func (r *reading) ingress(o *manifest.Object) {
	name := func(backend any) string {
		return cmp.Or(translate.Text(backend, "service", "name"), translate.Text(backend, "serviceName"))
	}
	rules, _ := translate.At(o.Value, "spec", "rules").([]any)
	fallback := name(cmp.Or(translate.At(o.Value, "spec", "defaultBackend"), translate.At(o.Value, "spec", "backend")))
	for i, rule := range rules {
		host := translate.Text(rule, "host")
		at := evidence(o, "spec", "rules", strconv.Itoa(i), "host")
		paths, _ := translate.At(rule, "http", "paths").([]any)
		for _, p := range paths {
			r.serve(host, o.Namespace, name(translate.At(p, "backend")), at)
		}
		if fallback != "" {
			r.serve(host, o.Namespace, fallback, at)
		}
	}
}

// backends finds the Services that routes lead to, wherever in them they stand.
func (r *reading) backends(o *manifest.Object, hosts, path []string) {
	var visit func(v any)
	visit = func(v any) {
		switch x := v.(type) {
		case map[string]any:
			refs, _ := x["backendRefs"].([]any)
			for _, b := range refs {
				if kind := translate.Text(b, "kind"); kind == "" || kind == "Service" {
					for _, h := range hosts {
						r.serve(h, cmp.Or(translate.Text(b, "namespace"), o.Namespace), translate.Text(b, "name"), evidence(o, path...))
					}
				}
			}
			if to := translate.Text(x, "destination", "host"); to != "" {
				labels := strings.Split(to, ".")
				ns := o.Namespace
				if len(labels) > 1 {
					ns = labels[1]
				}
				for _, h := range hosts {
					r.serve(h, ns, labels[0], evidence(o, path...))
				}
			}
			for k, y := range x {
				if k != "backendRefs" {
					visit(y)
				}
			}
		case []any:
			for _, y := range x {
				visit(y)
			}
		}
	}
	visit(translate.At(o.Value, path...))
}

// serve notes that a host leads to the workloads behind a Service.
func (r *reading) serve(host, namespace, service string, at Evidence) {
	if host == "" || service == "" || !strings.Contains(host, ".") || strings.Contains(host, ".svc") {
		return
	}
	o := r.index[key{"Service", cmp.Or(namespace, "default"), service}]
	if o == nil {
		return
	}
	selector, _ := translate.At(o.Value, "spec", "selector").(map[string]any)
	for _, w := range r.behind[cmp.Or(namespace, "default")] {
		if len(selector) > 0 && w.selected(selector) {
			r.edge(r.node(Host, host), w.node, Declared, false, at)
		}
	}
}

func (w *worker) selected(selector map[string]any) bool {
	for k, v := range selector {
		if w.labels[k] != v {
			return false
		}
	}
	return true
}
