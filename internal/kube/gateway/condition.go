package gateway

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/finding"
)

// rawCondition is one element of an annotation conditions.NAME.
type rawCondition struct {
	Field  string     `json:"field"`
	Host   *rawValues `json:"hostHeaderConfig"`
	Path   *rawValues `json:"pathPatternConfig"`
	Method *rawValues `json:"httpRequestMethodConfig"`
	Source *rawValues `json:"sourceIPConfig"`
	Header *struct {
		rawValues
		Name string `json:"httpHeaderName"`
	} `json:"httpHeaderConfig"`
	Query *struct {
		Values []struct {
			Key   string `json:"key"`
			Value string `json:"value"`
		} `json:"values"`
	} `json:"queryStringConfig"`
}

type rawValues struct {
	Values []string `json:"values"`
	Regex  []string `json:"regexValues"`
}

// conditions are what a rule asks for beside the Ingress's own host and path. Hosts and paths are alternatives to these.
type conditions struct {
	hosts, paths []string
	// extra are alternatives: each is what a request must have beside host and path.
	extra   []match
	sources []string
}

var methods = []string{"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}

// conditionsOf reads conditions.NAME of an Ingress. It says false, with a finding, when something cannot be said in Gateway API.
func (w *world) conditionsOf(m *member, name string) (conditions, bool) {
	c := conditions{extra: []match{everything}}
	key := ingressPrefix + "conditions." + name
	said, ok := m.in.annotations[key]
	if !ok {
		return c, true
	}
	var raw []rawCondition
	if err := decode(said, &raw); err != nil {
		w.notes.on(m.in.o, key, remark{verdict: None, code: "annotation-invalid", what: "It is no JSON that the controller reads: " + err.Error(), do: "Mend it at the source."})
		return c, false
	}
	for i := range raw {
		if code, what := c.add(&raw[i]); code != "" {
			w.notes.on(m.in.o, key, remark{verdict: None, code: code, what: what + " The rule is not written.", do: "Match by exact values, or let the application or a proxy in the cluster decide."})
			return c, false
		}
	}
	if slices.ContainsFunc(c.extra, func(m match) bool { return len(m.headers)+len(m.query) > 0 }) {
		w.notes.on(m.in.o, key, remark{
			verdict: Changed, code: "condition-case", what: "The ALB compares values of headers and of the query without regard to case; the Gateway compares them exactly.",
			do: "Add a match for each spelling that clients use.",
		})
	}
	return c, true
}

// add reads one condition; it returns a code and what is wrong where there is something.
func (c *conditions) add(r *rawCondition) (finding.Code, string) {
	for _, v := range []*rawValues{r.Host, r.Path, r.Method, r.Source} {
		if v != nil && len(v.Regex) > 0 {
			return "condition-regex", "It matches by a regular expression, which GKE rejects."
		}
	}
	switch {
	case r.Field == "host-header" && r.Host != nil:
		c.hosts = append(c.hosts, r.Host.Values...)
	case r.Field == "path-pattern" && r.Path != nil:
		c.paths = append(c.paths, r.Path.Values...)
	case r.Field == "source-ip" && r.Source != nil:
		for _, s := range r.Source.Values {
			if _, err := netip.ParsePrefix(s); err != nil {
				return "annotation-invalid", fmt.Sprintf("%q is no range of addresses.", s)
			}
		}
		c.sources = append(c.sources, r.Source.Values...)
	case r.Field == "http-request-method" && r.Method != nil:
		return c.anyMethod(r.Method.Values)
	case r.Field == "http-header" && r.Header != nil:
		return c.anyHeader(r.Header.Name, r.Header.rawValues)
	case r.Field == "query-string" && r.Query != nil:
		var alternatives []match
		for _, v := range r.Query.Values {
			if v.Key == "" || strings.ContainsAny(v.Key+v.Value, "*?") {
				return "condition-wildcard", "It matches the query by a wildcard, or by a value under any name, which a Gateway cannot."
			}
			alternatives = append(alternatives, match{path: "/", query: []pair{{v.Key, v.Value}}})
		}
		c.and(alternatives)
	default:
		return "annotation-invalid", fmt.Sprintf("A condition on %q, or without its values, is none that the controller knows.", r.Field)
	}
	return "", ""
}

func (c *conditions) anyMethod(values []string) (finding.Code, string) {
	var alternatives []match
	for _, v := range values {
		if !slices.Contains(methods, v) {
			return "condition-method", fmt.Sprintf("Gateway API does not know the method %q.", v)
		}
		alternatives = append(alternatives, match{path: "/", method: v})
	}
	c.and(alternatives)
	return "", ""
}

func (c *conditions) anyHeader(name string, values rawValues) (finding.Code, string) {
	if len(values.Regex) > 0 {
		return "condition-regex", "It matches by a regular expression, which GKE rejects."
	}
	var alternatives []match
	for _, v := range values.Values {
		if strings.ContainsAny(v, "*?") {
			return "condition-wildcard", "It matches a header by a wildcard, which a Gateway cannot."
		}
		alternatives = append(alternatives, match{path: "/", headers: []pair{{strings.ToLower(name), v}}})
	}
	c.and(alternatives)
	return "", ""
}

// and demands one of the alternatives beside what was demanded before. What contradicts itself is left out, for nothing matches it.
func (c *conditions) and(alternatives []match) {
	var out []match
	for _, a := range c.extra {
		for _, b := range alternatives {
			if m, ok := intersect(&a, &b); ok {
				out = append(out, m)
			}
		}
	}
	c.extra = out
}
