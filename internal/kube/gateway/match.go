package gateway

import (
	"cmp"
	"slices"
	"strings"
)

// match is one match of a route: a path, and what else a request must have.
type match struct {
	path  string
	exact bool // else path is a prefix, element by element
	// open says that the ALB's pattern leaves the prefix itself out: /shop/* does not match /shop. Gateway API has no such prefix.
	open    bool
	method  string
	headers []pair // by name, in lower case
	query   []pair
}

type pair struct{ name, value string }

// everything matches every request.
var everything = match{path: "/"}

// key identifies the requests that Gateway API matches: open is not part of it.
func (m *match) key() string {
	var b strings.Builder
	b.WriteString(m.path)
	if m.exact {
		b.WriteString(" exact")
	}
	b.WriteString(" " + m.method)
	for _, h := range m.headers {
		b.WriteString(" h:" + h.name + "=" + h.value)
	}
	for _, q := range m.query {
		b.WriteString(" q:" + q.name + "=" + q.value)
	}
	return b.String()
}

// under says whether a path is a prefix's own or below it.
func under(prefix, path string) bool {
	prefix = strings.TrimSuffix(prefix, "/")
	return path == prefix || strings.HasPrefix(path, prefix+"/")
}

// covers says whether the ALB, by m, takes every request that belongs to e: those that match e and no smaller element. What an open
// prefix leaves out always is an element of its own.
func (m *match) covers(e *match) bool {
	switch {
	case m.exact && (!e.exact || m.path != e.path):
		return false
	case !m.exact && !under(m.path, e.path):
		return false
	case m.open && e.exact && e.path == m.path:
		return false
	}
	return (m.method == "" || m.method == e.method) && subset(m.headers, e.headers) && subset(m.query, e.query)
}

func subset(a, b []pair) bool {
	return !slices.ContainsFunc(a, func(p pair) bool { return !slices.Contains(b, p) })
}

// intersect is what both match, as Gateway API sees them, and whether there is anything.
func intersect(a, b *match) (match, bool) {
	out := match{path: a.path, exact: a.exact, method: cmp.Or(a.method, b.method)}
	switch {
	case a.exact && b.exact && a.path != b.path, a.method != "" && b.method != "" && a.method != b.method:
		return match{}, false
	case a.exact:
		if !b.exact && !under(b.path, a.path) {
			return match{}, false
		}
	case b.exact || under(a.path, b.path):
		if !under(a.path, b.path) {
			return match{}, false
		}
		out.path, out.exact = b.path, b.exact
	case !under(b.path, a.path):
		return match{}, false
	}
	var ok1, ok2 bool
	out.headers, ok1 = union(a.headers, b.headers)
	out.query, ok2 = union(a.query, b.query)
	return out, ok1 && ok2
}

// union joins conditions that must all hold; two values of one name never do.
func union(a, b []pair) ([]pair, bool) {
	out := slices.Concat(a, b)
	slices.SortFunc(out, func(x, y pair) int { return cmp.Or(cmp.Compare(x.name, y.name), cmp.Compare(x.value, y.value)) })
	out = slices.Compact(out)
	for i := 1; i < len(out); i++ {
		if out[i].name == out[i-1].name {
			return nil, false
		}
	}
	return out, true
}

// prefer orders matches as Gateway API does, the one that wins first: an exact path, the longest prefix, a method, most headers, most
// query parameters.
func prefer(a, b *match) int {
	flag := func(b bool) int {
		if b {
			return 1
		}
		return 0
	}
	return cmp.Or(
		flag(b.exact)-flag(a.exact), len(b.path)-len(a.path), flag(b.method != "")-flag(a.method != ""),
		len(b.headers)-len(a.headers), len(b.query)-len(a.query))
}

// hostCovers says whether a rule's host applies to all names of a route's host: both are names, *.suffix, or empty for any.
func hostCovers(pattern, host string) bool {
	if pattern == "" || pattern == host {
		return true
	}
	suffix, wild := strings.CutPrefix(pattern, "*")
	return wild && host != "" && strings.HasSuffix(strings.TrimPrefix(host, "*"), suffix)
}
