package gateway

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
)

// What a rule relies on the ALB for is never left out quietly: until the facts say who does it instead, the rule leads to a Service that does
// not exist, so that its requests fail. Redirects and fixed responses reach nobody, and stay as they are.

// close has targets that rely on the ALB for a login, for tokens or for rewritten requests lead to whatever does that instead, or nowhere.
func (t *translation) close(g *group, rules map[*member][]*rule) {
	for _, m := range g.members {
		for _, r := range rules[m] {
			if r.act.kind != forward {
				continue
			}
			targets := slices.Clone(r.act.targets)
			for i := range targets {
				targets[i] = t.guarded(r, &targets[i])
			}
			r.act = newAction(m, action{targets: targets})
		}
	}
}

// guarded is where a rule's requests for a target go.
func (t *translation) guarded(r *rule, to *target) target {
	own := *to // the slice that it stands in changes
	u := t.use(r.m, own.service)
	key := u.namespace + "/" + u.name
	proxy, proxied := t.facts.AuthProxies[key]
	if proxied {
		proxied = t.proxied(u, proxy)
	}
	closed := false
	if kind, _ := u.m.setting(u.svc, "auth-type"); kind != "" && kind != "none" && !proxied {
		_, iap := t.facts.IAP[key]
		closed = !iap && !t.inService(u, "auth", authKeys...)
		if closed {
			t.said(u, "auth-type", t.shut(u, "auth-type", fmt.Sprintf("iap: {%q: {client-id: …, secret: …}}", key), fmt.Sprintf("auth-proxies: {%q: {service: …, port: …}}", key), fmt.Sprintf("in-service: {%q: [auth]}", key)))
		}
	}
	if said, _ := u.m.setting(u.svc, "jwt-validation"); said != "" && !proxied && !t.inService(u, "jwt", "jwt-validation") {
		closed = true
		t.said(u, "jwt-validation", t.shut(u, "jwt-validation", fmt.Sprintf("auth-proxies: {%q: {service: …, port: …}}", key), fmt.Sprintf("in-service: {%q: [jwt]}", key)))
	}
	if suffix := "transforms." + r.backend; r.m.in.annotations[ingressPrefix+suffix] != "" && !t.inService(u, "transforms", suffix) {
		closed = true
		t.said(u, suffix, t.shut(u, suffix, fmt.Sprintf("in-service: {%q: [transforms]}", key)))
	}
	switch {
	case closed:
		return t.nowhere(r.m, own)
	case proxied:
		return target{service: proxy.Service, port: cmp.Or(proxy.Port, 80), weight: own.weight, before: &own}
	}
	return own
}

// nowhere closes a target.
func (t *translation) nowhere(m *member, to target) target {
	if to.closed {
		return to
	}
	return target{service: t.undecided(namespaceOf(m.in.o), to.service), port: 80, weight: to.weight, before: &to, closed: true}
}

// undecided is the name of a Service that does not exist.
func (t *translation) undecided(namespace, service string) string {
	name := service + "-undecided"
	for n := 0; len(name) > 63 || t.services[namespace+"/"+name] != nil; n++ {
		name = fmt.Sprintf("undecided-%x-%d", sha256.Sum256([]byte(service)), n)
		name = name[:20] + name[len(name)-len(fmt.Sprintf("-%d", n)):]
	}
	return name
}

// shut says of an annotation that its Service is not reached, and which facts would change that.
func (t *translation) shut(u *use, suffix string, facts ...string) remark {
	what := t.notes.filled(ingressPrefix+suffix, remark{}).what
	return remark{
		what:     fmt.Sprintf("%s Until the facts say who does it, the routes name a Service %s/%s, port 80, that does not exist, instead of %s: such requests fail.", what, u.namespace, t.undecided(u.namespace, u.name), u.name),
		evidence: facts,
	}
}

// authKeys are all that is said of logins.
var authKeys = []string{"auth-type", "auth-idp-cognito", "auth-idp-oidc", "auth-on-unauthenticated-request", "auth-scope", "auth-session-cookie", "auth-session-timeout"}

// inService says whether the facts have a Service do by itself what some annotations ask for.
func (t *translation) inService(u *use, what string, suffixes ...string) bool {
	if !slices.Contains(t.facts.InService[u.namespace+"/"+u.name], what) {
		return false
	}
	for _, suffix := range suffixes {
		if v, _ := u.m.setting(u.svc, suffix); v == "" {
			continue
		}
		t.said(u, suffix, remark{
			verdict: Changed, code: "in-service", what: fmt.Sprintf("The ALB does it today; the facts say that %s, or a mesh before it, does it on GKE.", u),
			do: "Test that it does, before the Gateway gets traffic.",
		})
	}
	return true
}

// proxied says whether a proxy takes the place of the ALB's logins and tokens; it is of no use to a Service that asks for neither.
func (t *translation) proxied(u *use, proxy AuthProxy) bool {
	used := false
	for _, suffix := range []string{"auth-type", "jwt-validation"} {
		if v, _ := u.m.setting(u.svc, suffix); v != "" && v != "none" {
			used = true
		}
	}
	if !used {
		return false
	}
	t.use(u.m, proxy.Service).proxy = true
	for _, suffix := range []string{"auth-type", "auth-idp-cognito", "auth-idp-oidc", "jwt-validation"} {
		if v, _ := u.m.setting(u.svc, suffix); v != "" && v != "none" {
			t.said(u, suffix, remark{
				verdict: Changed, code: "auth-proxy", what: fmt.Sprintf("The routes lead to Service %s/%s, which the facts name, instead of %s: it authenticates and passes requests on. It is checked at /ping, and speaks to the Pods as it is set to.", u.namespace, proxy.Service, u.name),
				do: fmt.Sprintf("Set its upstream to %s, let a NetworkPolicy admit nobody else there, and replace the headers X-Amzn-Oidc-* in the application.", u.name),
			})
		}
	}
	for _, suffix := range []string{"auth-on-unauthenticated-request", "auth-scope", "auth-session-cookie", "auth-session-timeout"} {
		if v, _ := u.m.setting(u.svc, suffix); v != "" {
			t.said(u, suffix, remark{verdict: Changed, what: fmt.Sprintf("It becomes a setting of %s.", proxy.Service), do: "Set it there."})
		}
	}
	return true
}

// proxyCheck is the health check of a proxy.
func (u *use) proxyCheck() Object {
	check := mapping().set("portSpecification", "USE_SERVING_PORT").set("requestPath", "/ping")
	f := mapping().set("checkIntervalSec", int64(15)).set("timeoutSec", int64(5)).set("healthyThreshold", int64(2)).set("unhealthyThreshold", int64(2))
	return u.policy("HealthCheckPolicy", f.set("config", mapping().set("type", "HTTP").set("httpHealthCheck", check)))
}

// mutualTLS says which listeners ask for clients' certificates while nobody has said by which policy Google does.
func (t *translation) mutualTLS(g *group, c class) map[listener]bool {
	key := ingressPrefix + "mutual-authentication"
	policy := t.facts.ServerTLSPolicies[g.id]
	closed := map[listener]bool{}
	for _, m := range g.members {
		said := m.in.annotations[key]
		if said == "" {
			continue
		}
		asked := asking(said, g)
		switch {
		case len(asked) == 0:
			t.notes.on(m.in.o, key, remark{verdict: Same, code: "mutual-tls-off", what: "Nobody is asked for a certificate, as behind a Gateway."})
			continue
		case policy != "":
			t.need(Need{Kind: "server-tls-policy", Name: policy, Scope: c.scope(), For: []string{"Gateway " + g.namespace + "/" + g.name}, Detail: []string{"stands for " + said}})
			t.notes.on(m.in.o, key, remark{})
			continue
		}
		r := t.notes.filled(key, remark{verdict: None, evidence: []string{fmt.Sprintf("server-tls-policies: {%q: …}", g.id)}})
		r.what += " Until the facts name that policy, the routes of these ports name Services NAME-undecided, port 80, that do not exist: such requests fail."
		t.notes.add(m.in.o, key, r)
		for _, l := range asked {
			closed[l] = true
		}
	}
	return closed
}

// asking are the listeners that ask for a certificate; all of HTTPS where what is said cannot be read.
func asking(said string, g *group) []listener {
	var entries []struct {
		Port int64  `json:"port"`
		Mode string `json:"mode"`
	}
	err := decode(said, &entries)
	var out []listener
	for _, m := range g.members {
		for _, l := range m.listeners {
			asks := err != nil
			for _, e := range entries {
				asks = asks || e.Port == l.port && e.Mode != "off"
			}
			if asks && l.protocol == "HTTPS" && !slices.Contains(out, l) {
				out = append(out, l)
			}
		}
	}
	return out
}

// closedRule is what stands for a rule on a listener that is closed.
func (t *translation) closedRule(r *rule) *rule {
	if r.act.kind != forward {
		return r
	}
	out := *r
	out.of = r
	targets := slices.Clone(r.act.targets)
	for i := range targets {
		targets[i] = t.nowhere(r.m, targets[i])
	}
	out.act = newAction(r.m, action{targets: targets})
	return &out
}

// serve marks a rule as one that a route carries.
func (r *rule) serve() {
	r.served = true
	if r.of != nil {
		r.of.served = true
	}
}
