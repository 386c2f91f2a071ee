package gateway

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// rulesOf reads the rules of an Ingress in the order in which the ALB tries them: by host as they stand, and within a host exact paths,
// prefixes from the longest on, then the others as they stand.
func (w *world) rulesOf(m *member) []*rule {
	var out []*rule
	for _, h := range m.in.rules {
		for _, p := range inOrder(h.paths) {
			if r := w.ruleOf(m, h.host, &p); r != nil {
				out = append(out, r)
			}
		}
	}
	return out
}

func inOrder(paths []pathRule) []pathRule {
	place := func(p pathRule) int {
		switch p.kind {
		case "Exact":
			return 0
		case "Prefix":
			return 1
		}
		return 2
	}
	out := slices.Clone(paths)
	slices.SortStableFunc(out, func(a, b pathRule) int {
		if order := cmp.Compare(place(a), place(b)); order != 0 || a.kind != "Prefix" {
			return order
		}
		return len(b.path) - len(a.path)
	})
	return out
}

// ruleOf turns one path of an Ingress into a rule, or into findings that say why it is not written.
func (w *world) ruleOf(m *member, host string, p *pathRule) *rule {
	label := fmt.Sprintf("%s%s → %s", cmp.Or(host, "*"), cmp.Or(p.path, "/*"), p.backend.service)
	act := w.actionOf(m, &p.backend)
	c, ok := w.conditionsOf(m, p.backend.service)
	if act == nil || !ok {
		return nil
	}
	r := &rule{m: m, act: act, sources: c.sources, backend: p.backend.service, label: label}
	if host != "" {
		c.hosts = append([]string{host}, c.hosts...)
	}
	if !w.hostsOf(r, c.hosts) {
		return nil
	}
	for _, path := range w.pathsOf(m, label, p, c.paths) {
		for _, extra := range c.extra {
			both := extra
			both.path, both.exact, both.open = path.path, path.exact, path.open
			r.matches = append(r.matches, both)
		}
	}
	if len(r.matches) == 0 {
		return nil
	}
	return r
}

// hostsOf sets a rule's hosts. It says false when none of them can be said: the rule must not become one for all hosts.
func (w *world) hostsOf(r *rule, hosts []string) bool {
	for _, h := range hosts {
		pattern, ok := hostPattern(h)
		switch {
		case !ok:
			w.notes.about(r.m.in.o, remark{
				verdict: None, code: "host-pattern", row: "paths", what: fmt.Sprintf("Gateway API cannot match the host %q: a wildcard is the first label, and nothing else. The rule %s is not written for it.", h, r.label),
				do: "List the hosts, each as a rule of its own.",
			})
		case pattern == "":
			r.hosts = nil
			return true
		default:
			r.hosts = append(r.hosts, pattern)
		}
	}
	return len(hosts) == 0 || len(r.hosts) > 0
}

// pathsOf are the alternatives of a rule's path, its own and those of its conditions, whatever of them can be said.
func (w *world) pathsOf(m *member, label string, p *pathRule, more []string) []match {
	if p.path == "" && len(more) == 0 {
		return []match{everything}
	}
	var out []match
	if p.path != "" {
		out = w.ownPath(m, label, p)
	}
	for _, pattern := range more {
		matches := w.pathMatches(pattern)
		if len(matches) == 0 {
			w.inexpressible(m, label, pattern)
		}
		out = append(out, matches...)
	}
	return out
}

func (w *world) ownPath(m *member, label string, p *pathRule) []match {
	switch {
	case m.value("use-regex-path-match") == "true" && p.kind == "ImplementationSpecific":
		out := w.expanded(p.path)
		r := remark{evidence: []string{p.path}}
		if len(out) > 0 {
			r.verdict, r.code, r.what = Changed, "path-expanded", "Regular expressions are replaced by the prefixes that the facts list."
		}
		w.notes.on(m.in.o, ingressPrefix+"use-regex-path-match", r)
		return out
	case p.kind == "ImplementationSpecific":
		out := w.pathMatches(p.path)
		if len(out) > 0 && out[0].open {
			w.notes.about(m.in.o, remark{
				verdict: Changed, code: "path-prefix-itself", row: "paths", severity: "info", evidence: []string{label},
				what: fmt.Sprintf("The ALB's pattern %s leaves %s itself out, which Gateway API's prefix includes: where no other rule takes it, it goes there too instead of 404.", p.path, out[0].path),
			})
		}
		if len(out) > 0 {
			return out
		}
	case p.kind == "Prefix" && validPath(p.path) && !strings.ContainsAny(p.path, "*?"):
		return []match{prefixed(p.path)}
	case p.kind == "Exact" && validPath(p.path) && !strings.ContainsAny(p.path, "*?"):
		return []match{{path: p.path, exact: true}}
	}
	w.inexpressible(m, label, p.path)
	return nil
}

// inexpressible notes a path that no match of Gateway API can say.
func (w *world) inexpressible(m *member, label, pattern string) {
	w.notes.about(m.in.o, remark{
		verdict: None, code: "path-pattern", row: "regex-path", evidence: []string{pattern},
		what: fmt.Sprintf("The rule %s has the path %q, for which Gateway API has no match that GKE takes: it knows whole paths, and prefixes that end at a slash. The rule is not written for it, and such requests go to whatever else matches them.", label, pattern),
		do:   fmt.Sprintf("List the prefixes that it stands for in the facts, as paths: {%q: [/…]}, or keep a proxy in the cluster behind one prefix.", pattern),
	})
}
