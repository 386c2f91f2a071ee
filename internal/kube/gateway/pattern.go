package gateway

import (
	"regexp"
	"strings"
)

// Host names and paths that Gateway API takes.
var (
	hostName  = regexp.MustCompile(`^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
	pathChars = regexp.MustCompile(`^/([-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})*$`)
)

// validPath says whether the CRD of HTTPRoute takes a path.
func validPath(p string) bool {
	for _, bad := range []string{"//", "/./", "/../", "%2f", "%2F", "#"} {
		if strings.Contains(p, bad) {
			return false
		}
	}
	return pathChars.MatchString(p) && !strings.HasSuffix(p, "/..") && !strings.HasSuffix(p, "/.") && len(p) <= 1024
}

// prefixed is the match of a prefix, element by element.
func prefixed(p string) match {
	if p = strings.TrimSuffix(p, "/"); p == "" {
		return everything
	}
	return match{path: p}
}

// pathMatches turns one of the ALB's patterns into matches; * stands for any text and ? for any character there. A pattern that
// Gateway API cannot say is looked up in the facts. Nothing is returned for one that is not found.
func (w *world) pathMatches(pattern string) []match {
	switch fixed, rest, wild := strings.Cut(pattern, "*"); {
	case pattern == "" || pattern == "/*" || pattern == "*":
		return []match{everything}
	case strings.Contains(pattern, "?"):
	case !wild && validPath(pattern):
		return []match{{path: pattern, exact: true}}
	case wild && rest == "" && strings.HasSuffix(fixed, "/") && validPath(fixed):
		m := prefixed(fixed)
		m.open = true
		return []match{m}
	}
	return w.expanded(pattern)
}

// expanded is what the facts say that a pattern stands for.
func (w *world) expanded(pattern string) []match {
	var out []match
	for _, p := range w.facts.Paths[pattern] {
		if !validPath(p) {
			return nil
		}
		out = append(out, prefixed(p))
	}
	return out
}

// hostPattern says whether Gateway API takes a host; any host is empty.
func hostPattern(h string) (string, bool) {
	h = strings.ToLower(strings.TrimSuffix(h, "."))
	if h == "*" {
		return "", true
	}
	return h, hostName.MatchString(h)
}
