package gateway

import (
	"fmt"
	"slices"

	"github.com/bascule/bascule/internal/kube/manifest"
)

// use is a Service behind an Ingress: what the ALB makes a target group of. GKE's policies belong to the Service.
type use struct {
	m               *member
	namespace, name string
	svc             *manifest.Object // nil where it was not read
	ports           []int64
	// armor guards its load balancer, own the Service alone; securityPolicy is what comes of them.
	armor, own     *armor
	scope          string
	securityPolicy string
	timeout        int64 // of the load balancer
	logging        bool
	// proxy says that it authenticates for the Services behind it; the Ingress's settings are theirs.
	proxy bool
}

func (u *use) String() string { return "Service " + u.namespace + "/" + u.name }

// use finds or makes the use of a Service by a member.
func (t *translation) use(m *member, service string) *use {
	namespace := namespaceOf(m.in.o)
	for _, u := range t.uses {
		if u.m == m && u.name == service {
			return u
		}
	}
	u := &use{m: m, namespace: namespace, name: service, svc: t.services[namespace+"/"+service]}
	t.uses = append(t.uses, u)
	return u
}

// balancer reads what is set for a whole load balancer, and hands it to the Services behind it.
func (t *translation) balancer(g *group, c class, rules map[*member][]*rule) {
	policy := t.groupPolicy(g, c)
	timeout, logging := t.loadBalancer(g)
	t.notes.about(g.members[0].in.o, remark{
		verdict: Changed, code: "request-headers", row: "headers", severity: "info",
		what: "X-Amzn-Trace-Id is gone (X-Cloud-Trace-Context and traceparent take its place), and X-Forwarded-For ends with the client and the load balancer.",
		do:   "Search the application's settings for trusted proxies and trace headers; NetworkPolicies must let 35.191.0.0/16 and 130.211.0.0/22 in, where health checks and requests come from.",
	})
	for _, m := range g.members {
		for _, r := range rules[m] {
			if r.act.kind != forward || r.omitted && len(r.sources) == 0 {
				continue
			}
			for _, target := range r.act.serving() {
				u := t.use(m, target.service)
				u.timeout, u.logging = timeout, logging
				u.armor, u.scope = policy, c.scope()
				if !slices.Contains(u.ports, target.port) {
					u.ports = append(u.ports, target.port)
				}
			}
		}
	}
}

// loadBalancer reads load-balancer-attributes.
func (t *translation) loadBalancer(g *group) (timeout int64, logging bool) {
	said, by := t.merged(g, "load-balancer-attributes")
	timeout = 60 // the ALB's own default, twice Google's
	if by == nil {
		return timeout, false
	}
	values, keys, wrong := attributes(said)
	key := ingressPrefix + "load-balancer-attributes"
	for _, k := range keys {
		if r, tell := t.notes.attribute(remark{}, loadBalancerAttributes, k, values[k]); tell {
			t.notes.on(by.in.o, key, r)
		}
	}
	if n, _, err := whole(values["idle_timeout.timeout_seconds"], 1, 4000); err == nil {
		timeout = n
	} else if values["idle_timeout.timeout_seconds"] != "" {
		wrong = append(wrong, "idle_timeout.timeout_seconds")
	}
	if len(wrong) > 0 {
		t.notes.on(by.in.o, key, remark{verdict: None, code: "annotation-invalid", what: "Some attributes are no pairs of key and value that the controller reads.", do: "Mend it at the source.", evidence: wrong})
	}
	return timeout, values["access_logs.s3.enabled"] == "true"
}

// policies writes what belongs to Services, once for each; two Ingresses that want different things for one Service are told.
func (t *translation) policies() {
	first := map[string]*use{}
	// Where one Ingress asks for a login and another does not, the policy with the login is the stricter one, and stands first.
	slices.SortStableFunc(t.uses, func(a, b *use) int { return t.logins(b) - t.logins(a) })
	written := map[string][]Object{}
	for _, u := range t.uses {
		if len(u.ports) == 0 {
			continue
		}
		u.securityPolicy = t.guardedBy(u)
		objects := t.policiesOf(u)
		if before := first[u.String()]; before != nil {
			if alike(written[u.String()], objects) {
				continue
			}
			t.notes.about(u.m.in.o, remark{
				verdict: None, code: "service-policy-conflict", row: "health-check", kind: "question",
				what: fmt.Sprintf("%s wants other settings for %s than %s does. The ALB has a target group for each; on GKE the policies belong to the Service. Those of %s are written.", u.m.in.o, u, before.m.in.o, before.m.in.o),
				do:   "Make them agree, or give one of them a Service of its own with the same selector.",
			})
			continue
		}
		first[u.String()], written[u.String()] = u, objects
		t.result.Objects = append(t.result.Objects, objects...)
		t.appProtocol(u)
		if u.svc != nil && !slices.Contains(t.read, u.svc) {
			t.read = append(t.read, u.svc)
		}
	}
}

// logins is 1 for a Service that IAP guards.
func (t *translation) logins(u *use) int {
	kind, _ := u.m.setting(u.svc, "auth-type")
	_, named := t.facts.IAP[u.namespace+"/"+u.name]
	if named && kind != "" && kind != "none" {
		return 1
	}
	return 0
}

func alike(a, b []Object) bool {
	return slices.EqualFunc(a, b, func(x, y Object) bool {
		p, _ := x.Text()
		q, _ := y.Text()
		return x.Kind == y.Kind && string(p) == string(q)
	})
}

// said notes something about a setting of a Service behind an Ingress, on the object that says it.
func (t *translation) said(u *use, suffix string, r remark) {
	_, by := u.m.setting(u.svc, suffix)
	if by == nil {
		by = u.m.in.o
	}
	if _, own := annotations(by)[ingressPrefix+suffix]; !own {
		t.notes.about(by, t.notes.filled(ingressPrefix+suffix, r))
		return
	}
	t.notes.on(by, ingressPrefix+suffix, r)
}

// policiesOf writes the policies of one use.
func (t *translation) policiesOf(u *use) []Object {
	spec := mapping().set("timeoutSec", u.timeout)
	if u.proxy {
		return []Object{u.proxyCheck(), u.policy("GCPBackendPolicy", spec.set("securityPolicy", u.securityPolicy))}
	}
	out := []Object{t.healthCheck(u)}
	tg := t.targetGroup(u)
	if tg.draining >= 0 {
		spec.set("connectionDraining", mapping().set("drainingTimeoutSec", tg.draining))
	}
	if tg.cookie > 0 && t.facts.StickyRemembered {
		remembered := mapping().set("statefulGeneratedCookie", mapping().set("cookieTtlSeconds", tg.cookie)).set("targetRef", u.ref())
		out = append(out, object(gkeAPI, "GCPSessionAffinityPolicy", u.namespace, u.name, mapping(), remembered, u.m.in.o.String()))
	} else if tg.cookie > 0 {
		spec.set("sessionAffinity", mapping().set("type", "GENERATED_COOKIE").set("cookieTtlSec", tg.cookie))
	}
	spec.set("securityPolicy", u.securityPolicy).set("iap", t.iap(u))
	if u.logging {
		spec.set("logging", mapping().set("enabled", true).set("sampleRate", int64(1_000_000)))
	}
	out = append(out, u.policy("GCPBackendPolicy", spec))
	if tg.algorithm != "" {
		refs := mapping().set("default", mapping().set("localityLbAlgorithm", tg.algorithm)).set("targetRefs", []any{u.ref()})
		out = append(out, object(gkeAPI, "GCPTrafficDistributionPolicy", u.namespace, u.name, mapping(), refs, u.m.in.o.String()))
	}
	return out
}

func (u *use) ref() fields {
	return mapping().set("group", core{}).set("kind", "Service").set("name", u.name)
}

// policy is a policy of a Service.
func (u *use) policy(kind string, defaults fields) Object {
	spec := mapping().set("default", defaults).set("targetRef", u.ref())
	return object(gkeAPI, kind, u.namespace, u.name, mapping(), spec, u.m.in.o.String())
}

// iap says by which client users log in, if the facts name one.
func (t *translation) iap(u *use) fields {
	kind, _ := u.m.setting(u.svc, "auth-type")
	if kind == "none" {
		t.said(u, "auth-type", remark{verdict: Same, code: "auth-none", what: "Nobody has to log in, as behind a Gateway."})
	}
	if kind == "" || kind == "none" {
		return mapping()
	}
	client, ok := t.facts.IAP[u.namespace+"/"+u.name]
	if !ok {
		return mapping() // close has said what becomes of it
	}
	for _, suffix := range []string{"auth-type", "auth-idp-cognito", "auth-idp-oidc"} {
		if v, _ := u.m.setting(u.svc, suffix); v != "" {
			t.said(u, suffix, remark{
				verdict: Changed, code: "auth-iap", what: "Identity-Aware Proxy logs users in, by the client that the facts name. The application reads X-Goog-IAP-JWT-Assertion instead of X-Amzn-Oidc-Data.",
				do: "Change the application's check of the assertion: issuer, keys and audience differ.",
			})
		}
	}
	return mapping().set("enabled", true).set("clientID", client.ClientID).set("oauth2ClientSecret", mapping().set("name", client.Secret))
}

// appProtocol has a Service's ports say what they speak, where the ALB was told so.
func (t *translation) appProtocol(u *use) {
	if u.proxy {
		return
	}
	protocol, _ := u.m.setting(u.svc, "backend-protocol")
	version, _ := u.m.setting(u.svc, "backend-protocol-version")
	app := map[string]string{"HTTPS/": "HTTPS", "HTTPS/HTTP1": "HTTPS", "HTTPS/HTTP2": "HTTP2", "HTTPS/GRPC": "HTTP2", "/HTTP2": "kubernetes.io/h2c", "/GRPC": "kubernetes.io/h2c"}[protocol+"/"+version]
	if app == "" && protocol == "HTTP" {
		app = map[string]string{"HTTP2": "kubernetes.io/h2c", "GRPC": "kubernetes.io/h2c"}[version]
	}
	if app == "" {
		return
	}
	var ports []any
	for _, n := range slices.Sorted(slices.Values(u.ports)) {
		if !u.speaks(n, app) {
			ports = append(ports, mapping().set("port", n).set("appProtocol", app))
		}
	}
	if len(ports) == 0 {
		return
	}
	t.result.Patches = append(t.result.Patches, servicePatch(u.namespace, u.name, mapping().set("spec", mapping().set("ports", ports)),
		fmt.Sprintf("the load balancer speaks %s to it, as the ALB of %s does", app, u.m.in.o)))
}

func (u *use) speaks(port int64, app string) bool {
	return u.svc != nil && slices.ContainsFunc(servicePorts(u.svc), func(p servicePort) bool { return p.number == port && p.appProtocol == app })
}

// servicePatch is a strategic merge patch of a Service.
func servicePatch(namespace, name string, change fields, why string) Patch {
	meta := mapping().set("name", name).set("namespace", namespace)
	f := mapping().set("apiVersion", "v1").set("kind", "Service")
	spec := change.node.Content
	if len(spec) > 1 && spec[0].Value == "metadata" {
		meta.node.Content = append(meta.node.Content, spec[1].Content...)
		spec = spec[2:]
	}
	f.set("metadata", meta)
	f.node.Content = append(f.node.Content, spec...)
	return Patch{Kind: "Service", Namespace: namespace, Name: name, Node: f.node, Why: why}
}
