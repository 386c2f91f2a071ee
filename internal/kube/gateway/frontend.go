package gateway

import (
	"fmt"
	"slices"
	"strings"
)

// class is a GatewayClass of GKE, and what follows from it.
type class struct {
	name   string
	global bool
	public bool
}

func (c class) scope() string {
	if c.global {
		return "global"
	}
	return "regional"
}

// classOf chooses a group's class by its scheme; internal is what an ALB is when nobody says anything.
func (t *translation) classOf(g *group) class {
	scheme, by := t.merged(g, "scheme")
	c := class{name: "gke-l7-rilb"}
	r := remark{verdict: Resource, code: "scheme-internal", row: "scheme-internal", what: "The load balancer is internal, so the class is gke-l7-rilb, which needs a proxy-only subnet in the region.", do: "Create the subnet (purpose REGIONAL_MANAGED_PROXY) before the Gateway."}
	switch scheme {
	case "internet-facing":
		c = class{name: "gke-l7-global-external-managed", global: true, public: true}
		r = remark{verdict: Same, what: "The scheme becomes the class gke-l7-global-external-managed, of one global load balancer."}
		if t.facts.External == "regional" {
			c = class{name: "gke-l7-regional-external-managed", public: true}
			r = remark{verdict: Resource, what: "The scheme becomes the class gke-l7-regional-external-managed, which needs a proxy-only subnet in the region.", do: "Create the subnet (purpose REGIONAL_MANAGED_PROXY) before the Gateway."}
		}
	case "", "internal":
		t.need(Need{Kind: "subnet", Name: "proxy-only", Scope: "regional", For: []string{"Gateway " + g.namespace + "/" + g.name}, Detail: []string{"purpose REGIONAL_MANAGED_PROXY"}})
	default:
		r = remark{verdict: None, code: "annotation-invalid", what: fmt.Sprintf("%q is no scheme; the controller refuses the group.", scheme), do: "Mend it at the source."}
	}
	if scheme == "internet-facing" && !c.global {
		t.need(Need{Kind: "subnet", Name: "proxy-only", Scope: "regional", For: []string{"Gateway " + g.namespace + "/" + g.name}, Detail: []string{"purpose REGIONAL_MANAGED_PROXY"}})
	}
	if by == nil {
		r.what = "Nobody says a scheme, and internal is the ALB's default: the class is gke-l7-rilb, which needs a proxy-only subnet in the region."
		t.notes.about(g.members[0].in.o, r)
		return c
	}
	for _, m := range g.members {
		if _, said := m.in.annotations[ingressPrefix+"scheme"]; said && m.value("scheme") == scheme {
			t.notes.on(m.in.o, ingressPrefix+"scheme", r)
		}
	}
	return c
}

// gateway writes a group's Gateway, and its policy.
func (t *translation) gateway(g *group, c class, listeners []listener) {
	notes := mapping()
	needsMap := false
	var ls []any
	for _, l := range listeners {
		f := mapping().set("name", l.section()).set("port", l.port).set("protocol", l.protocol)
		if l.protocol == "HTTPS" {
			tls, byMap := t.tls(g, c)
			f.set("tls", tls)
			needsMap = needsMap || byMap
		}
		ls = append(ls, f.set("allowedRoutes", mapping().set("namespaces", t.allowed(g))))
	}
	if needsMap {
		notes.set("networking.gke.io/certmap", t.certificateMap(g))
	}
	spec := mapping().set("gatewayClassName", c.name).set("listeners", ls)
	if name := t.facts.Addresses[g.id]; name != "" {
		spec.set("addresses", []any{mapping().set("type", "NamedAddress").set("value", name)})
		t.need(Need{Kind: "address", Name: name, Scope: c.scope(), For: []string{"Gateway " + g.namespace + "/" + g.name}})
	}
	t.result.Objects = append(t.result.Objects, object(gatewayAPI, "Gateway", g.namespace, g.name, notes, spec, g.sources()...))
	t.sslPolicy(g, c)
}

// sources names a group's Ingresses.
func (g *group) sources() []string {
	var out []string
	for _, m := range g.members {
		out = append(out, m.in.o.String())
	}
	return out
}

// allowed lets the members' namespaces attach routes, and no other.
func (t *translation) allowed(g *group) fields {
	names := g.namespaces()
	if len(names) == 1 && names[0] == g.namespace {
		return mapping().set("from", "Same")
	}
	return mapping().set("from", "Selector").set("selector", mapping().set("matchExpressions", []any{
		mapping().set("key", "kubernetes.io/metadata.name").set("operator", "In").set("values", names),
	}))
}

// sslPolicy writes the policy that names the group's SSL policy.
func (t *translation) sslPolicy(g *group, c class) {
	aws, by := t.merged(g, "ssl-policy")
	if by == nil {
		return
	}
	name, known := t.facts.SSLPolicies[aws]
	if !known {
		name = strings.ToLower(strings.ReplaceAll(aws, "_", "-"))
		name = strings.TrimPrefix(name, "elbsecuritypolicy-")
		if !strings.HasPrefix(name, "tls") {
			name = "tls-" + name
		}
	}
	t.need(Need{Kind: "ssl-policy", Name: name, Scope: c.scope(), For: []string{"Gateway " + g.namespace + "/" + g.name}, Detail: []string{"minimal version " + minimalTLS(aws), "stands for " + aws}})
	ref := mapping().set("group", "gateway.networking.k8s.io").set("kind", "Gateway").set("name", g.name)
	spec := mapping().set("default", mapping().set("sslPolicy", name)).set("targetRef", ref)
	t.result.Objects = append(t.result.Objects, object(gkeAPI, "GCPGatewayPolicy", g.namespace, g.name, mapping(), spec, g.sources()...))
}

// minimalTLS is the lowest version that a policy of AWS accepts, as its name says it.
func minimalTLS(policy string) string {
	for _, v := range []struct{ part, version string }{
		{"TLS13-1-3", "TLS 1.3"},
		{"TLS13-1-2", "TLS 1.2"},
		{"TLS13-1-1", "TLS 1.1"},
		{"TLS13-1-0", "TLS 1.0"},
		{"TLS-1-2", "TLS 1.2"},
		{"FS-1-2", "TLS 1.2"},
		{"TLS-1-1", "TLS 1.1"},
		{"FS-1-1", "TLS 1.1"},
	} {
		if strings.Contains(policy, v.part) {
			return v.version
		}
	}
	return "TLS 1.0"
}

// certificates are what a group's listeners serve: the ARNs that its members name, and for members that name none the hosts by which the
// controller looks for some.
func (g *group) certificates() []string {
	var out []string
	for _, m := range g.members {
		if !slices.ContainsFunc(m.listeners, func(l listener) bool { return l.protocol == "HTTPS" }) {
			continue
		}
		arns := csv(m.value("certificate-arn"))
		if len(arns) == 0 {
			arns = m.in.hosts()
		}
		out = append(out, arns...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
