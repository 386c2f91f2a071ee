package gateway_test

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/bascule/bascule/internal/kube/gateway"
)

// The two evaluators of this file share nothing with the package: one reads Ingresses as the ALB's controller does, the other reads what was
// written by the words of Gateway API's specification.

// request is what is asked of both sides.
type request struct {
	port         int
	host, path   string
	method, head string // head is the value of the header X-Side, empty for none
}

// testIngress is an Ingress of the property.
type testIngress struct {
	namespace, name string
	order           int
	ports           []int
	rules           []testRule
	fallback        string // the default backend
	login           bool   // the ALB asks for one before it passes anything on
	// conditions are by service.
	conditions map[string]testCondition
}

type testRule struct{ host, path, kind, service string }

type testCondition struct{ hosts, paths, methods, heads []string }

// afterLogin marks what the ALB serves to people who have logged in, and to nobody else.
const afterLogin = " after a login"

func (in *testIngress) serves(service string) string {
	if in.login {
		service += afterLogin
	}
	return in.namespace + "/" + service
}

// albServes returns namespace/service for a request, marked where a login is asked for, or nothing for the ALB's 404.
func albServes(group []testIngress, q request) string {
	group = slices.Clone(group)
	slices.SortFunc(group, func(a, b testIngress) int {
		return cmp.Or(a.order-b.order, strings.Compare(a.namespace+"/"+a.name, b.namespace+"/"+b.name))
	})
	for _, in := range group {
		if !slices.Contains(in.ports, q.port) {
			continue
		}
		for i := 0; i < len(in.rules); {
			end := i // the paths of one host stand together in spec.rules
			for end < len(in.rules) && in.rules[end].host == in.rules[i].host {
				end++
			}
			for _, r := range albOrder(in.rules[i:end]) {
				if albMatches(r, in.conditions[r.service], q) {
					return in.serves(r.service)
				}
			}
			i = end
		}
	}
	for _, in := range group {
		if in.fallback != "" && slices.Contains(in.ports, q.port) {
			return in.serves(in.fallback)
		}
	}
	return ""
}

// albOrder: exact paths, then prefixes from the longest on, then the rest.
func albOrder(rules []testRule) []testRule {
	var exact, prefix, rest []testRule
	for _, r := range rules {
		switch r.kind {
		case "Exact":
			exact = append(exact, r)
		case "Prefix":
			prefix = append(prefix, r)
		default:
			rest = append(rest, r)
		}
	}
	slices.SortStableFunc(prefix, func(a, b testRule) int { return len(b.path) - len(a.path) })
	return slices.Concat(exact, prefix, rest)
}

func albMatches(r testRule, c testCondition, q request) bool {
	var hosts, paths []string
	if r.host != "" {
		hosts = append(hosts, r.host)
	}
	switch {
	case r.path == "":
	case r.kind == "Prefix" && r.path == "/":
		paths = append(paths, "/*")
	case r.kind == "Prefix":
		p := strings.TrimSuffix(r.path, "/")
		paths = append(paths, p, p+"/*")
	default:
		paths = append(paths, r.path)
	}
	hosts, paths = append(hosts, c.hosts...), append(paths, c.paths...)
	one := func(patterns []string, s string) bool {
		return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool { return glob(p, s) })
	}
	return one(hosts, q.host) && one(paths, q.path) && one(c.methods, q.method) && one(c.heads, q.head)
}

// glob matches * and nothing else.
func glob(pattern, s string) bool {
	if pattern == "" {
		return s == ""
	}
	if pattern[0] == '*' {
		for i := range len(s) + 1 {
			if glob(pattern[1:], s[i:]) {
				return true
			}
		}
		return false
	}
	return s != "" && s[0] == pattern[0] && glob(pattern[1:], s[1:])
}

// candidate is a match of a route that a request satisfies, and what the specification orders it by.
type candidate struct {
	host    string
	rank    [5]int
	age     string
	backend string
}

// gatewayServes evaluates written routes. The specification leaves open whether a request goes on to a less telling host when no rule of the
// most telling one matches it; Google's URL maps do not. isolated chooses.
func gatewayServes(routes []*gatewayv1.HTTPRoute, q request, isolated bool) string {
	section := map[int]string{80: "http", 8080: "http-8080"}[q.port]
	var all []candidate
	best := ""
	for _, route := range routes {
		if !slices.ContainsFunc(route.Spec.ParentRefs, func(p gatewayv1.ParentReference) bool { return string(*p.SectionName) == section }) {
			continue
		}
		host, ok := routeHost(route.Spec.Hostnames, q.host)
		if !ok {
			continue
		}
		if hostRank(host) > hostRank(best) {
			best = host
		}
		for n, rule := range route.Spec.Rules {
			for _, m := range rule.Matches {
				if rank, ok := matches(&m, q); ok {
					age := route.Namespace + "/" + route.Name + string(rune('a'+n))
					all = append(all, candidate{host, rank, age, route.Namespace + "/" + string(rule.BackendRefs[0].Name)})
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b candidate) int {
		return cmp.Or(hostRank(b.host)-hostRank(a.host), slices.Compare(b.rank[:], a.rank[:]), strings.Compare(a.age, b.age))
	})
	if len(all) == 0 || isolated && all[0].host != best {
		return ""
	}
	return all[0].backend
}

func hostRank(h string) int {
	if h != "" && !strings.HasPrefix(h, "*") {
		return 1000 + len(h)
	}
	return len(h)
}

// routeHost is the most telling of a route's hosts that a request's host matches.
func routeHost(hosts []gatewayv1.Hostname, host string) (string, bool) {
	best, found := "", len(hosts) == 0
	for _, h := range hosts {
		s := string(h)
		if s == host || strings.HasPrefix(s, "*.") && strings.HasSuffix(host, s[1:]) {
			if !found || hostRank(s) > hostRank(best) {
				best = s
			}
			found = true
		}
	}
	return best, found
}

// matches says whether a request satisfies a match, and ranks it: exact, length of the path, method, headers, query.
func matches(m *gatewayv1.HTTPRouteMatch, q request) (rank [5]int, ok bool) {
	path := *m.Path.Value
	switch *m.Path.Type { //nolint:exhaustive // GKE rejects the other: it matches nothing
	case gatewayv1.PathMatchExact:
		rank[0], ok = 1, q.path == path
	case gatewayv1.PathMatchPathPrefix:
		want, have := strings.Split(strings.Trim(path, "/"), "/"), strings.Split(strings.TrimPrefix(q.path, "/"), "/")
		ok = path == "/" || len(have) >= len(want) && slices.Equal(have[:len(want)], want)
	}
	rank[1] = len(path)
	if m.Method != nil {
		rank[2] = 1
		ok = ok && string(*m.Method) == q.method
	}
	for _, h := range m.Headers {
		rank[3]++
		ok = ok && strings.EqualFold(string(h.Name), "x-side") && h.Value == q.head
	}
	return rank, ok
}

// httpRoutes are the HTTPRoutes among written objects.
func httpRoutes(t testing.TB, objects []gateway.Object) []*gatewayv1.HTTPRoute {
	t.Helper()
	var out []*gatewayv1.HTTPRoute
	for i := range objects {
		if objects[i].Kind != "HTTPRoute" {
			continue
		}
		text, err := json.Marshal(plainObject(t, &objects[i]))
		if err != nil {
			t.Fatal(err)
		}
		route := &gatewayv1.HTTPRoute{}
		if err := json.Unmarshal(text, route); err != nil {
			t.Fatal(err)
		}
		out = append(out, route)
	}
	return out
}
