package gateway_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/bascule/bascule/internal/kube/gateway"
)

// drawGroup draws a group of Ingresses that share hosts and paths much more than any real one.
func drawGroup(t *rapid.T) []testIngress {
	hosts := rapid.SampledFrom([]string{"", "", "x.test", "x.test", "y.test", "*.test", "*.x.test"})
	exact := rapid.SampledFrom([]string{"/", "/a", "/a/", "/a/b"})
	prefix := rapid.SampledFrom([]string{"/", "/a", "/a/", "/a/b", "/ab"})
	special := rapid.SampledFrom([]string{"", "/*", "*", "/", "/a", "/a/*", "/a/b/*", "/a/b"})
	services := rapid.SampledFrom([]string{"s1", "s2", "s3"})
	withDefault := rapid.IntRange(0, 6).Draw(t, "default")
	var out []testIngress
	for i := range rapid.IntRange(1, 4).Draw(t, "members") {
		in := testIngress{
			namespace: rapid.SampledFrom([]string{"front", "back"}).Draw(t, "namespace"), name: fmt.Sprintf("i%d", i),
			order: rapid.IntRange(-1, 1).Draw(t, "order"), ports: rapid.SampledFrom([][]int{{80}, {80, 8080}, {8080}}).Draw(t, "ports"),
			conditions: map[string]testCondition{},
		}
		in.login = rapid.IntRange(0, 3).Draw(t, "login") == 0
		if i == withDefault {
			in.fallback = "s4"
		}
		for range rapid.IntRange(0, 3).Draw(t, "rules") {
			r := testRule{host: hosts.Draw(t, "host"), kind: rapid.SampledFrom([]string{"Exact", "Prefix", "ImplementationSpecific"}).Draw(t, "type"), service: services.Draw(t, "service")}
			r.path = map[string]*rapid.Generator[string]{"Exact": exact, "Prefix": prefix, "ImplementationSpecific": special}[r.kind].Draw(t, "path")
			in.rules = append(in.rules, r)
		}
		for _, s := range []string{"s2", "s3"} {
			if rapid.Bool().Draw(t, "conditional") {
				in.conditions[s] = drawCondition(t)
			}
		}
		out = append(out, in)
	}
	return out
}

func drawCondition(t *rapid.T) testCondition {
	some := func(label string, of ...string) []string {
		if rapid.IntRange(0, 2).Draw(t, label) > 0 {
			return nil
		}
		return rapid.SliceOfNDistinct(rapid.SampledFrom(of), 1, 2, rapid.ID[string]).Draw(t, label)
	}
	c := testCondition{hosts: some("hosts", "y.test", "z.other"), paths: some("paths", "/c", "/a/*"), methods: some("methods", "POST", "PUT"), heads: some("heads", "left", "right")}
	if len(c.hosts)+len(c.paths)+len(c.methods)+len(c.heads) == 0 {
		c.methods = []string{"POST"}
	}
	return c
}

// text writes a group as manifests.
func groupText(t testing.TB, group []testIngress) []string {
	t.Helper()
	var docs []string
	write := func(v any) {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, string(b))
	}
	for _, in := range group {
		backend := func(s string) any {
			return map[string]any{"service": map[string]any{"name": s, "port": map[string]any{"name": "web"}}}
		}
		var ports []any
		for _, p := range in.ports {
			ports = append(ports, map[string]int{"HTTP": p})
		}
		listen, _ := json.Marshal(ports)
		notes := map[string]any{
			"kubernetes.io/ingress.class": "alb", "alb.ingress.kubernetes.io/group.name": "shared", "alb.ingress.kubernetes.io/group.order": fmt.Sprint(in.order),
			"alb.ingress.kubernetes.io/listen-ports": string(listen), "alb.ingress.kubernetes.io/scheme": "internet-facing",
		}
		if in.login {
			notes["alb.ingress.kubernetes.io/auth-type"] = "oidc"
		}
		for s, c := range in.conditions {
			notes["alb.ingress.kubernetes.io/conditions."+s] = c.annotation(t)
		}
		spec := map[string]any{}
		if in.fallback != "" {
			spec["defaultBackend"] = backend(in.fallback)
		}
		var rules []any
		for i := 0; i < len(in.rules); {
			var paths []any
			host := in.rules[i].host
			for ; i < len(in.rules) && in.rules[i].host == host; i++ {
				paths = append(paths, map[string]any{"path": in.rules[i].path, "pathType": in.rules[i].kind, "backend": backend(in.rules[i].service)})
			}
			rules = append(rules, map[string]any{"host": host, "http": map[string]any{"paths": paths}})
		}
		spec["rules"] = rules
		write(map[string]any{"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": map[string]any{"name": in.name, "namespace": in.namespace, "annotations": notes}, "spec": spec})
	}
	for _, namespace := range []string{"front", "back"} {
		for _, s := range []string{"s1", "s2", "s3", "s4"} {
			port := map[string]any{"name": "web", "port": 8000}
			write(map[string]any{"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": s, "namespace": namespace}, "spec": map[string]any{"ports": []any{port}}})
		}
	}
	return docs
}

func (c testCondition) annotation(t testing.TB) string {
	t.Helper()
	var out []any
	add := func(field, config string, values []string, more ...any) {
		if len(values) > 0 {
			v := map[string]any{"values": values}
			if len(more) > 0 {
				v["httpHeaderName"] = more[0]
			}
			out = append(out, map[string]any{"field": field, config: v})
		}
	}
	add("host-header", "hostHeaderConfig", c.hosts)
	add("path-pattern", "pathPatternConfig", c.paths)
	add("http-request-method", "httpRequestMethodConfig", c.methods)
	add("http-header", "httpHeaderConfig", c.heads, "X-Side")
	b, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func requests() []request {
	var out []request
	for _, port := range []int{80, 8080} {
		for _, host := range []string{"x.test", "y.test", "q.x.test", "q.test", "z.other"} {
			for _, path := range []string{"/", "/a", "/a/", "/a/b", "/a/b/", "/a/b/c", "/ab", "/c", "/c/d"} {
				for _, method := range []string{"GET", "POST"} {
					for _, head := range []string{"", "left"} {
						out = append(out, request{port, host, path, method, head})
					}
				}
			}
		}
	}
	return out
}

// TestRequestsArriveWhereTheALBSendsThem: for random groups, every request goes to the backend to which the ALB's rule order sends it, whether or
// not a request falls through to less telling hosts; and where the ALB asks for a login, to a proxy or to nobody. The one difference is told: an open prefix of the ALB leaves the prefix itself out.
func TestRequestsArriveWhereTheALBSendsThem(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		group := drawGroup(rt)
		docs := groupText(t, group)
		facts := &gateway.Facts{}
		if rapid.Bool().Draw(rt, "proxy") {
			facts.AuthProxies = map[string]gateway.AuthProxy{"front/s1": {Service: "proxy"}}
		}
		result := gateway.Translate(read(t, strings.Join(docs, "\n---\n")), facts)
		for i := range result.Objects {
			valid(t, &result.Objects[i])
		}
		if t.Failed() {
			rt.Fatalf("invalid objects from %+v", group)
		}
		routes := httpRoutes(t, result.Objects)
		written := objectsText(t, []*gateway.Result{result})
		for _, q := range requests() {
			want := behind(albServes(group, q), facts)
			for _, isolated := range []bool{true, false} {
				got := gatewayServes(routes, q, isolated)
				if got != want && (want != "" || !openPrefix(group, q.path)) {
					rt.Fatalf("%+v: the ALB serves %q, the Gateway %q (isolated hosts: %t)\n%+v\n%s", q, want, got, isolated, group, written)
				}
			}
		}
		if bytes.Contains(written, []byte("RegularExpression")) || bytes.Contains(written, []byte("timeouts")) {
			rt.Fatalf("GKE rejects it:\n%s", written)
		}
		slices.Reverse(docs)
		again := gateway.Translate(read(t, strings.Join(docs, "\n---\n")), facts)
		if other := objectsText(t, []*gateway.Result{again}); !bytes.Equal(written, other) {
			rt.Fatalf("the order of the input shows:\n%s\n%s", written, other)
		}
	})
}

// behind is where requests must arrive that the ALB serves somewhere: what it serves after a login must be reached through a proxy or not at all.
func behind(served string, facts *gateway.Facts) string {
	service, login := strings.CutSuffix(served, afterLogin)
	namespace, _, _ := strings.Cut(service, "/")
	proxy, proxied := facts.AuthProxies[service]
	switch {
	case login && proxied:
		return namespace + "/" + proxy.Service
	case login:
		return service + "-undecided"
	}
	return service
}

// openPrefix says whether some pattern is path/*, which the ALB does not match with path itself.
func openPrefix(group []testIngress, path string) bool {
	for _, in := range group {
		for _, r := range in.rules {
			if r.path == path+"/*" {
				return true
			}
		}
		for _, c := range in.conditions {
			if slices.Contains(c.paths, path+"/*") {
				return true
			}
		}
	}
	return false
}
