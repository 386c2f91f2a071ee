package gateway

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// block is what a member routes on one port for one host.
type block struct {
	port   listener
	host   string
	placed []placed
	grpc   bool
	// text tells blocks apart: two with the same text can be one route.
	text string
}

// routes writes the routes of a group: per member, one for each set of hosts and ports that are routed alike.
func (t *translation) routes(g *group, listeners []listener, rules map[*member][]*rule, mutual map[listener]bool) {
	redirectTo := t.sslRedirect(g)
	blocks := map[*member][]block{}
	var redirecting []listener
	for _, l := range listeners {
		if l.protocol == "HTTP" && redirectTo != 0 {
			redirecting = append(redirecting, l)
			continue
		}
		t.listenerBlocks(g, l, rules, blocks, mutual[l])
	}
	if len(redirecting) > 0 {
		t.redirectRoute(g, redirecting, redirectTo)
		for _, rs := range rules {
			for _, r := range rs {
				r.omitted = r.omitted || !slices.ContainsFunc(r.m.listeners, func(l listener) bool { return l.protocol == "HTTPS" })
			}
		}
	}
	for _, m := range g.members {
		t.memberRoutes(g, m, blocks[m])
	}
}

// listenerBlocks compiles the rules of one listener, host by host. On one that is closed they lead to Services that do not exist yet.
func (t *translation) listenerBlocks(g *group, l listener, rules map[*member][]*rule, blocks map[*member][]block, closed bool) {
	var here, last []*rule
	for _, m := range g.members {
		if !slices.Contains(m.listeners, l) {
			continue
		}
		for _, r := range rules[m] {
			if closed {
				r = t.closedRule(r)
			}
			switch {
			case r.omitted:
			case r.act.kind == redirecting && r.act.redirect.loops(r, l):
				r.serve() // elsewhere, or it would be of no use to anybody
			case r.last:
				last = append(last, r)
			default:
				here = append(here, r)
			}
		}
	}
	here = append(here, last...)
	t.orders(here)
	for _, host := range hostsOf(here) {
		all, ok := compile(here, host)
		if !ok {
			t.notes.about(g.members[0].in.o, remark{verdict: None, code: "too-many-rules", row: "paths", what: fmt.Sprintf("The rules of host %q overlap in more than %d ways. None is written.", cmp.Or(host, "*"), mostMatches), do: "Move the members with conditions on headers or the query into a group of their own."})
			continue
		}
		grpc := t.allGRPC(all)
		for _, m := range g.members {
			b := block{port: l, host: host, grpc: grpc}
			for _, p := range all {
				if p.rule.m == m {
					p.rule.serve()
					b.placed = append(b.placed, p)
				}
			}
			if len(b.placed) > 0 {
				b.text = b.render(l)
				blocks[m] = append(blocks[m], b)
			}
		}
	}
}

// orders says of each member whether the order of the group's members decides anything.
func (t *translation) orders(rules []*rule) {
	for _, host := range hostsOf(rules) {
		for _, pair := range orderMatters(rules, host) {
			r := remark{
				verdict: Changed, code: "group-order-overlap", row: "group-order",
				what:     fmt.Sprintf("Rules of this group overlap in a way in which the ALB's order and Gateway API's precedence differ, for host %s. The routes are written so that today's requests go where they go today; rules that are added later follow Gateway API's precedence.", cmp.Or(host, "*")),
				evidence: []string{pair[0].m.in.o.String() + ": " + pair[0].label, pair[1].m.in.o.String() + ": " + pair[1].label},
				do:       "Give each path of a host one owner, before a later change of either member surprises the other.",
			}
			for _, p := range pair {
				annotation := ingressPrefix + "group.order"
				if _, said := p.m.in.annotations[annotation]; !said {
					annotation = ""
				}
				t.notes.add(p.m.in.o, annotation, r)
			}
		}
	}
}

// render writes the rules of a block, to compare it with others.
func (b *block) render(l listener) string {
	var out strings.Builder
	fmt.Fprintln(&out, b.grpc)
	for _, p := range b.placed {
		fmt.Fprintf(&out, "%s → %s\n", p.match.key(), p.rule.act.key)
		if r := p.rule.act.redirect; r != nil {
			fmt.Fprintln(&out, r.portOf(l))
		}
	}
	return out.String()
}

// route is a set of hosts and ports for which a member has the same rules.
type route struct {
	ports []listener
	hosts []string // none is any host
	block block
}

// routesOf joins a member's blocks: first the ports of a host, then the hosts of a set of ports.
func routesOf(blocks []block) []*route {
	var perHost, out []*route
	for _, b := range blocks {
		i := slices.IndexFunc(perHost, func(r *route) bool { return r.hosts[0] == b.host && r.block.text == b.text })
		if i < 0 {
			perHost = append(perHost, &route{hosts: []string{b.host}, block: b})
			i = len(perHost) - 1
		}
		perHost[i].ports = append(perHost[i].ports, b.port)
	}
	for _, r := range perHost {
		i := slices.IndexFunc(out, func(o *route) bool {
			return o.hosts[0] != "" && r.hosts[0] != "" && o.block.text == r.block.text && slices.Equal(o.ports, r.ports) && len(o.hosts) < mostHosts
		})
		if i < 0 {
			out = append(out, r)
			continue
		}
		out[i].hosts = append(out[i].hosts, r.hosts[0])
	}
	return out
}

// The limits of the CRDs of HTTPRoute and GRPCRoute.
const (
	mostHosts          = 16
	mostRules          = 16
	mostMatchesOfRule  = 64
	mostMatchesOfRoute = 128
)

// memberRoutes writes a member's routes; the first has the Ingress's name, so that people find it again.
func (t *translation) memberRoutes(g *group, m *member, blocks []block) {
	taken := map[string]bool{}
	routes := routesOf(blocks)
	for _, r := range routes {
		for _, part := range parts(r.block.placed) {
			name := m.in.o.Name
			if len(routes) > 1 && r.hosts[0] == "" {
				name += "-any-host"
			}
			base := name
			for n := 2; taken[name]; n++ {
				name = fmt.Sprintf("%s-%d", base, n)
			}
			taken[name] = true
			t.result.Objects = append(t.result.Objects, t.route(g, m, r, name, part))
		}
	}
}

// part is a run of placed matches with one action: one rule of a route.
type part []placed

// parts cuts placed matches into routes and their rules, within the limits of the CRDs.
func parts(all []placed) [][]part {
	var rules []part
	for _, p := range all {
		n := len(rules) - 1
		if n < 0 || rules[n][0].rule != p.rule || len(rules[n]) == mostMatchesOfRule {
			rules = append(rules, nil)
			n++
		}
		rules[n] = append(rules[n], p)
	}
	var out [][]part
	matches := 0
	for _, r := range rules {
		n := len(out) - 1
		if n < 0 || len(out[n]) == mostRules || matches+len(r) > mostMatchesOfRoute {
			out = append(out, nil)
			n, matches = n+1, 0
		}
		out[n] = append(out[n], r)
		matches += len(r)
	}
	return out
}

// route writes one HTTPRoute or GRPCRoute.
func (t *translation) route(g *group, m *member, r *route, name string, rules []part) Object {
	var parents, written []any
	for _, l := range r.ports {
		parents = append(parents, t.parent(g, m, l))
	}
	for _, p := range rules {
		act := p[0].rule.act
		f := mapping()
		f.set("matches", p.matches(r.block.grpc))
		if act.kind == redirecting {
			f.set("filters", []any{mapping().set("type", "RequestRedirect").set("requestRedirect", act.redirect.filter(r.ports[0]))})
		}
		written = append(written, f.set("backendRefs", act.refs()))
	}
	var hosts []string
	if r.hosts[0] != "" {
		hosts = r.hosts
	}
	kind := "HTTPRoute"
	if r.block.grpc {
		kind = "GRPCRoute"
	}
	spec := mapping().set("parentRefs", parents).set("hostnames", hosts).set("rules", written)
	return object(gatewayAPI, kind, namespaceOf(m.in.o), name, mapping(), spec, m.in.o.String())
}

func (t *translation) parent(g *group, m *member, l listener) fields {
	f := mapping().set("kind", "Gateway").set("name", g.name)
	if m == nil || namespaceOf(m.in.o) != g.namespace {
		f.set("namespace", g.namespace)
	}
	return f.set("sectionName", l.section())
}

// matches writes the matches of a rule. A rule of a GRPCRoute that takes every call has none.
func (p part) matches(grpc bool) []any {
	var out []any
	for _, x := range p {
		switch {
		case !grpc:
			out = append(out, httpMatch(&x.match))
		case x.match.path == "/" && len(x.match.headers) == 0:
			return nil
		default:
			out = append(out, grpcMatch(&x.match))
		}
	}
	return out
}

// redirectRoute answers every request on HTTP with a redirect to HTTPS.
func (t *translation) redirectRoute(g *group, from []listener, to int64) {
	var parents []any
	for _, l := range from {
		parents = append(parents, t.parent(g, nil, l))
	}
	filter := mapping().set("scheme", "https").set("port", to).set("statusCode", int64(301))
	rule := mapping().set("matches", []any{httpMatch(&everything)}).
		set("filters", []any{mapping().set("type", "RequestRedirect").set("requestRedirect", filter)})
	spec := mapping().set("parentRefs", parents).set("rules", []any{rule})
	t.result.Objects = append(t.result.Objects, object(gatewayAPI, "HTTPRoute", g.namespace, g.name+"-redirect", mapping(), spec, g.sources()...))
}
