package check

import (
	"cmp"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/kube/manifest"
)

// claim is one object that wants the requests for a host.
type claim struct {
	o         *manifest.Object
	path      []string
	namespace string
	// behind are the load balancers by which requests arrive; takes are the paths, with what else they ask for.
	behind, takes []string
}

// hosts looks for names that objects of different namespaces claim: whoever is asked for them by DNS is a matter of chance, or of who came first.
func (w *world) hosts() {
	by := map[string][]*claim{}
	for _, o := range w.view.Objects {
		switch {
		case o.Kind == "Ingress" && o.Group == ingress:
			w.ingressHosts(o, by)
		case o.Group == gateways && (o.Kind == "HTTPRoute" || o.Kind == "GRPCRoute"):
			w.routeHosts(o, by)
		}
	}
	for _, host := range keys(by) {
		w.claimed(host, by[host])
	}
}

func (w *world) ingressHosts(o *manifest.Object, by map[string][]*claim) {
	class := cmp.Or(text(o.Value, "spec", "ingressClassName"), text(o.Value, "metadata", "annotations", classAnnotation))
	each(o.Value, []string{"spec", "rules"}, func(path []string, r map[string]any) {
		host := strings.ToLower(text(r, "host"))
		if host == "" {
			return
		}
		c := &claim{o: o, path: join(path, "host"), namespace: namespaceOf(o), behind: []string{"Ingress " + class}}
		each(r, []string{"http", "paths"}, func(_ []string, p map[string]any) {
			c.takes = append(c.takes, text(p, "pathType")+" "+cmp.Or(text(p, "path"), "/"))
		})
		by[host] = append(by[host], c)
	})
}

func (w *world) routeHosts(o *manifest.Object, by map[string][]*claim) {
	c := &claim{o: o, path: []string{"spec", "hostnames"}, namespace: namespaceOf(o)}
	each(o.Value, []string{"spec", "parentRefs"}, func(_ []string, ref map[string]any) {
		c.behind = append(c.behind, "Gateway "+cmp.Or(text(ref, "namespace"), namespaceOf(o))+"/"+text(ref, "name")+" "+text(ref, "sectionName"))
	})
	each(o.Value, []string{"spec", "rules"}, func(_ []string, r map[string]any) {
		if len(list(r, "matches")) == 0 {
			c.takes = append(c.takes, "PathPrefix /")
		}
		each(r, []string{"matches"}, func(_ []string, m map[string]any) {
			if m["headers"] != nil || m["queryParams"] != nil || m["method"] != nil {
				return // whether two such meet is not looked at
			}
			c.takes = append(c.takes, cmp.Or(text(m, "path", "type"), "PathPrefix")+" "+cmp.Or(text(m, "path", "value"), "/"))
		})
	})
	for _, h := range list(o.Value, "spec", "hostnames") {
		if host, ok := h.(string); ok {
			by[strings.ToLower(host)] = append(by[strings.ToLower(host)], c)
		}
	}
}

// claimed compares the claims to one host.
func (w *world) claimed(host string, claims []*claim) {
	for i, c := range claims {
		for _, before := range claims[:i] {
			if c.namespace == before.namespace {
				continue
			}
			severity, what := warns, "The host "+host+" is claimed here and by "+before.o.String()+", in another namespace."
			if both(c.behind, before.behind) && both(c.takes, before.takes) {
				severity, what = blocks, "The host "+host+" is claimed here and by "+before.o.String()+", in another namespace, with the same path at the same load balancer: one of them gets no requests."
			}
			w.add("host-twice", severity, c.o, c.path, what, "decide whose it is; or give each its paths, behind one load balancer", operator)
			break
		}
	}
}

func both(a, b []string) bool {
	return slices.ContainsFunc(a, func(x string) bool { return slices.Contains(b, x) })
}
