package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/plain"
	"github.com/bascule/bascule/internal/kube/profile"
)

// routes looks at everything that leads requests from outside to Services.
func (w *world) routes() {
	for _, o := range w.view.Objects {
		switch {
		case o.Kind == "Ingress" && o.Group == ingress:
			w.ingress(o)
		case o.Group != gateways:
		case o.Kind == "Gateway":
			w.gateway(o)
		case strings.HasSuffix(o.Kind, "Route"):
			w.route(o)
		}
	}
}

// ofGKE are the values of an Ingress's class that GKE's own controller reads, in the annotation only.
var ofGKE = []string{"gce", "gce-internal"}

const classAnnotation = "kubernetes.io/ingress.class"

func (w *world) ingress(o *manifest.Object) {
	ns := namespaceOf(o)
	if class := text(o.Value, "spec", "ingressClassName"); slices.Contains(ofGKE, class) {
		w.add("ingress-class", blocks, o, []string{"spec", "ingressClassName"}, "GKE's controller does not read ingressClassName: this Ingress would get no load balancer.", "annotate it with "+classAnnotation+": "+class+", and remove the field", application)
	} else {
		w.wants(o, []string{"spec", "ingressClassName"}, blocks, ingress, "IngressClass", "", class)
	}
	backend := func(path []string, b map[string]any) {
		port := mapping(b, "service", "port")
		name := text(b, "service", "name")
		if w.wants(o, path, blocks, "", "Service", ns, name) && port != nil {
			w.port(o, path, ns, name, port["number"], text(port, "name"))
		}
	}
	if b := mapping(o.Value, "spec", "defaultBackend"); b != nil {
		backend([]string{"spec", "defaultBackend"}, b)
	}
	each(o.Value, []string{"spec", "rules"}, func(rule []string, r map[string]any) {
		each(r, []string{"http", "paths"}, func(path []string, p map[string]any) {
			if b := mapping(p, "backend"); b != nil {
				backend(join(join(rule, path...), "backend"), b)
			}
		})
	})
	each(o.Value, []string{"spec", "tls"}, func(path []string, m map[string]any) {
		w.wants(o, path, blocks, "", "Secret", ns, text(m, "secretName"))
	})
}

// port looks for a port of a Service, by number or by name.
func (w *world) port(o *manifest.Object, path []string, ns, service string, number any, name string) {
	s := w.find("", "Service", ns, service)
	if s == nil || number == nil && name == "" {
		return
	}
	for _, p := range list(s.Value, "spec", "ports") {
		m, _ := p.(map[string]any)
		if name != "" && text(m, "name") == name || name == "" && m["port"] == number {
			return
		}
	}
	wanted := name
	if wanted == "" {
		wanted = fmt.Sprint(number)
	}
	w.add("missing-port", blocks, o, path, "It refers to the port "+wanted+" of Service "+ns+"/"+service+", which has no such port.", "name a port of the Service (port, not targetPort)", application)
}

// gateway looks at a Gateway: its class, its certificates, and what GKE does not do.
func (w *world) gateway(o *manifest.Object) {
	class := text(o.Value, "spec", "gatewayClassName")
	w.wants(o, []string{"spec", "gatewayClassName"}, blocks, gateways, "GatewayClass", "", class)
	own := strings.HasPrefix(class, "gke-l7-")
	certificates := 0
	each(o.Value, []string{"spec", "listeners"}, func(path []string, l map[string]any) {
		each(l, []string{"tls", "certificateRefs"}, func(at []string, ref map[string]any) {
			certificates++
			if cmp.Or(text(ref, "kind"), "Secret") != "Secret" || text(ref, "group") != "" {
				return
			}
			space := cmp.Or(text(ref, "namespace"), namespaceOf(o))
			if w.wants(o, join(path, at...), blocks, "", "Secret", space, text(ref, "name")) {
				w.granted(o, join(path, at...), "Secret", space, text(ref, "name"))
			}
		})
		if limit := w.Profile.Limit("protocol", text(l, "protocol")); own && limit != nil && text(l, "protocol") != "" {
			w.limit(o, join(path, "protocol"), limit)
		}
		if text(l, "tls", "mode") == "Passthrough" && own {
			w.limit(o, join(path, "tls", "mode"), w.Profile.Limit("passthrough", ""))
		}
	})
	if !own {
		return
	}
	if limit := w.Profile.Limit("certificates", ""); limit != nil && certificates > limit.Most {
		w.limit(o, []string{"spec", "listeners"}, limit)
	}
	if mapping(o.Value, "metadata", "annotations")["networking.gke.io/certmap"] != nil && !strings.Contains(class, "-global-") && !strings.Contains(class, "gxlb") {
		w.limit(o, []string{"metadata", "annotations", "networking.gke.io/certmap"}, w.Profile.Limit("certmap", ""))
	}
}

// route looks at a route: its Gateways, its Services, and what GKE does not do.
func (w *world) route(o *manifest.Object) {
	own, attached := false, false
	each(o.Value, []string{"spec", "parentRefs"}, func(path []string, ref map[string]any) {
		if cmp.Or(text(ref, "kind"), "Gateway") != "Gateway" || cmp.Or(text(ref, "group"), gateways) != gateways {
			return
		}
		attached = true
		space := cmp.Or(text(ref, "namespace"), namespaceOf(o))
		if !w.wants(o, path, blocks, gateways, "Gateway", space, text(ref, "name")) {
			own = true
			return
		}
		g := w.find(gateways, "Gateway", space, text(ref, "name"))
		if g == nil {
			own = true // said to exist, and on GKE
			return
		}
		own = own || strings.HasPrefix(text(g.Value, "spec", "gatewayClassName"), "gke-l7-")
		w.listened(o, path, g, text(ref, "sectionName"))
	})
	each(o.Value, []string{"spec", "rules"}, func(path []string, r map[string]any) {
		each(r, []string{"backendRefs"}, func(at []string, ref map[string]any) { w.backend(o, join(path, at...), ref) })
		each(r, []string{"filters"}, func(at []string, f map[string]any) {
			if ref := mapping(f, "requestMirror", "backendRef"); ref != nil {
				w.backend(o, join(path, at...), ref)
			}
		})
		if own && attached {
			w.ruleLimits(o, path, r)
		}
	})
	if limit := w.Profile.Limit("route", o.Kind); own && attached && limit != nil {
		w.limit(o, []string{"kind"}, limit)
	}
}

// limit reports what a Gateway of GKE does not do.
func (w *world) limit(o *manifest.Object, path []string, l *profile.Limit) {
	if l != nil {
		w.add(finding.Code("gateway-"+l.Code), blocks, o, path, l.What, l.Do, application)
	}
}

// ruleLimits looks at one rule of a route.
func (w *world) ruleLimits(o *manifest.Object, path []string, r map[string]any) {
	if r["timeouts"] != nil {
		w.limit(o, join(path, "timeouts"), w.Profile.Limit("timeouts", ""))
	}
	for _, field := range []string{"retry", "sessionPersistence"} {
		if r[field] != nil {
			w.limit(o, join(path, field), w.Profile.Limit("field", field))
		}
	}
	filters := func(at []string, f map[string]any) {
		if kind := text(f, "type"); kind != "" {
			w.limit(o, at, w.Profile.Limit("filter", kind))
		}
	}
	each(r, []string{"filters"}, func(at []string, f map[string]any) { filters(join(path, at...), f) })
	each(r, []string{"backendRefs"}, func(ref []string, b map[string]any) {
		each(b, []string{"filters"}, func(at []string, f map[string]any) { filters(join(join(path, ref...), at...), f) })
	})
	each(r, []string{"matches"}, func(at []string, m map[string]any) {
		at = join(path, at...)
		if text(m, "path", "type") == "RegularExpression" {
			w.limit(o, join(at, "path"), w.Profile.Limit("regex-path", ""))
		}
		for _, part := range []string{"headers", "queryParams"} {
			each(m, []string{part}, func(in []string, h map[string]any) {
				if text(h, "type") == "RegularExpression" {
					w.limit(o, join(at, in...), w.Profile.Limit("regex-match", ""))
				}
			})
		}
		if text(m, "method", "type") == "RegularExpression" {
			w.limit(o, join(at, "method"), w.Profile.Limit("regex-path", ""))
		}
	})
}

// backend looks for the Service that a route leads to, its port, and the grant where it lives elsewhere.
func (w *world) backend(o *manifest.Object, path []string, ref map[string]any) {
	if cmp.Or(text(ref, "kind"), "Service") != "Service" || text(ref, "group") != "" {
		return
	}
	space := cmp.Or(text(ref, "namespace"), namespaceOf(o))
	if !w.wants(o, path, blocks, "", "Service", space, text(ref, "name")) {
		return
	}
	w.port(o, path, space, text(ref, "name"), ref["port"], "")
	w.granted(o, path, "Service", space, text(ref, "name"))
}

// granted looks for the ReferenceGrant that a reference into another namespace takes.
func (w *world) granted(o *manifest.Object, path []string, kind, space, name string) {
	if space == namespaceOf(o) {
		return
	}
	for _, g := range w.view.Objects {
		if g.Kind != "ReferenceGrant" || namespaceOf(g) != space {
			continue
		}
		from, to := false, false
		each(g.Value, []string{"spec", "from"}, func(_ []string, m map[string]any) {
			from = from || text(m, "kind") == o.Kind && text(m, "group") == o.Group && text(m, "namespace") == namespaceOf(o)
		})
		each(g.Value, []string{"spec", "to"}, func(_ []string, m map[string]any) {
			to = to || text(m, "kind") == kind && text(m, "group") == "" && (text(m, "name") == "" || text(m, "name") == name)
		})
		if from && to {
			return
		}
	}
	w.add("missing-referencegrant", blocks, o, path, "It refers to "+full(kind, space, name)+" in another namespace, and no ReferenceGrant there allows it.", "add a ReferenceGrant in "+space+", from "+o.Kind+" in "+namespaceOf(o)+" to "+kind, application)
}

// listened looks whether a Gateway has the listener that a route names, and lets the route's namespace in.
func (w *world) listened(o *manifest.Object, path []string, g *manifest.Object, section string) {
	found, allowed := section == "", false
	each(g.Value, []string{"spec", "listeners"}, func(_ []string, l map[string]any) {
		if section != "" && text(l, "name") != section {
			return
		}
		found = true
		switch cmp.Or(text(l, "allowedRoutes", "namespaces", "from"), "Same") {
		case "All":
			allowed = true
		case "Same":
			allowed = allowed || namespaceOf(o) == namespaceOf(g)
		case "Selector":
			allowed = allowed || plain.Selects(mapping(l, "allowedRoutes", "namespaces", "selector"), w.namespaceLabels(namespaceOf(o)))
		}
	})
	name := full("Gateway", namespaceOf(g), g.Name)
	switch {
	case !found:
		w.add("missing-listener", blocks, o, path, name+" has no listener named "+section+".", "name one of its listeners, or leave sectionName out", application)
	case !allowed:
		w.add("route-not-allowed", blocks, o, path, name+" lets no routes of the namespace "+namespaceOf(o)+" in.", "let allowedRoutes.namespaces of the listener say so", operator)
	}
}

// namespaceLabels are those of a namespace, with the one that every namespace has.
func (w *world) namespaceLabels(name string) map[string]string {
	labels := map[string]string{}
	if o := w.find("", "Namespace", "", name); o != nil {
		labels = texts(mapping(o.Value, "metadata", "labels"))
	}
	labels["kubernetes.io/metadata.name"] = name
	return labels
}
