package gateway

import (
	"cmp"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/kube/manifest"
)

// at walks plain values: maps by key. What is not there is nil.
func at(v any, path ...string) any {
	for _, key := range path {
		m, _ := v.(map[string]any)
		v = m[key]
	}
	return v
}

func str(v any, path ...string) string {
	s, _ := at(v, path...).(string)
	return s
}

func list(v any, path ...string) []any {
	l, _ := at(v, path...).([]any)
	return l
}

func texts(v any, path ...string) []string {
	var out []string
	for _, x := range list(v, path...) {
		if s, ok := x.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// annotations are those of an object that are text.
func annotations(o *manifest.Object) map[string]string {
	out := map[string]string{}
	if o == nil {
		return out
	}
	m, _ := at(o.Value, "metadata", "annotations").(map[string]any)
	for k, v := range m {
		if s, ok := v.(string); ok {
			out[k] = s
		}
	}
	return out
}

// namespaceOf is where an object lives: what leaves it open lives in default.
func namespaceOf(o *manifest.Object) string { return cmp.Or(o.Namespace, "default") }

func keyOf(o *manifest.Object) string { return namespaceOf(o) + "/" + o.Name }

// ingress is an Ingress of any version, as far as routing goes.
type ingress struct {
	o           *manifest.Object
	annotations map[string]string
	class       string
	rules       []hostRule
	backend     *backend // the default one
	tlsHosts    []string
}

type hostRule struct {
	host  string
	paths []pathRule
}

type pathRule struct {
	path, kind string // Exact, Prefix, ImplementationSpecific
	backend    backend
}

// backend is a Service and its port: a number, or a name. The name use-annotation means an action of that name.
type backend struct {
	service  string
	number   int64
	portName string
	resource bool
}

// isIngress says whether an object is an Ingress: of networking.k8s.io, or of the groups that were before it.
func isIngress(o *manifest.Object) bool {
	return o.Kind == "Ingress" && (o.Group == "networking.k8s.io" || o.Group == "extensions")
}

func readIngress(o *manifest.Object) *ingress {
	in := &ingress{o: o, annotations: annotations(o), class: str(o.Value, "spec", "ingressClassName")}
	for _, key := range []string{"defaultBackend", "backend"} {
		if b := at(o.Value, "spec", key); b != nil {
			in.backend = new(readBackend(b))
		}
	}
	for _, r := range list(o.Value, "spec", "rules") {
		h := hostRule{host: strings.ToLower(str(r, "host"))}
		for _, p := range list(r, "http", "paths") {
			h.paths = append(h.paths, pathRule{
				path: str(p, "path"), kind: cmp.Or(str(p, "pathType"), "ImplementationSpecific"), backend: readBackend(at(p, "backend")),
			})
		}
		in.rules = append(in.rules, h)
	}
	for _, t := range list(o.Value, "spec", "tls") {
		in.tlsHosts = append(in.tlsHosts, texts(t, "hosts")...)
	}
	return in
}

// readBackend reads both forms: service.name and service.port, and the older serviceName and servicePort.
func readBackend(v any) backend {
	b := backend{service: str(v, "service", "name"), portName: str(v, "service", "port", "name"), resource: at(v, "resource") != nil}
	b.number, _ = at(v, "service", "port", "number").(int64)
	if name := str(v, "serviceName"); name != "" {
		b.service = name
		switch p := at(v, "servicePort").(type) {
		case int64:
			b.number = p
		case string:
			b.portName = p
		}
	}
	return b
}

// hosts are all hosts of an Ingress, sorted.
func (in *ingress) hosts() []string {
	var out []string
	for _, r := range in.rules {
		if r.host != "" {
			out = append(out, r.host)
		}
	}
	out = append(out, in.tlsHosts...)
	slices.Sort(out)
	return slices.Compact(out)
}

// servicePort is one port of a Service.
type servicePort struct {
	name, protocol, appProtocol string
	number                      int64
	target                      any // int64, a name, or nil for the port's own number
}

func servicePorts(o *manifest.Object) []servicePort {
	var out []servicePort
	for _, p := range list(o.Value, "spec", "ports") {
		s := servicePort{name: str(p, "name"), protocol: cmp.Or(str(p, "protocol"), "TCP"), appProtocol: str(p, "appProtocol"), target: at(p, "targetPort")}
		s.number, _ = at(p, "port").(int64)
		out = append(out, s)
	}
	return out
}
