package gateway

import (
	"strconv"
	"strings"
)

// httpMatch writes a match of an HTTPRoute.
func httpMatch(m *match) any {
	kind := "PathPrefix"
	if m.exact {
		kind = "Exact"
	}
	f := mapping().set("path", mapping().set("type", kind).set("value", m.path)).set("method", m.method)
	return f.set("headers", named(m.headers)).set("queryParams", named(m.query))
}

func named(pairs []pair) []any {
	var out []any
	for _, p := range pairs {
		out = append(out, mapping().set("name", p.name).set("value", p.value))
	}
	return out
}

// grpcMatch writes a match of a GRPCRoute: a path of gRPC is /package.Service/Method.
func grpcMatch(m *match) any {
	service, method, _ := strings.Cut(strings.Trim(m.path, "/"), "/")
	f := mapping().set("method", mapping().set("service", service).set("method", method))
	return f.set("headers", named(m.headers))
}

// refs writes the backends of a rule.
func (a *action) refs() []any {
	var out []any
	for _, t := range a.targets {
		f := mapping().set("name", t.service).set("port", t.port)
		if t.weight != nil && len(a.targets) > 1 {
			f.set("weight", *t.weight)
		}
		out = append(out, f)
	}
	return out
}

// portOf is the port of a redirect: the ALB keeps the request's own where none is said, whatever the scheme.
func (r *redirect) portOf(l listener) int64 {
	if n, err := strconv.ParseInt(r.Port, 10, 64); err == nil {
		return n
	}
	return l.port
}

// filter writes a redirect.
func (r *redirect) filter(l listener) fields {
	f := mapping()
	if r.Protocol == "HTTP" || r.Protocol == "HTTPS" {
		f.set("scheme", strings.ToLower(r.Protocol))
	}
	if r.Host != "#{host}" {
		f.set("hostname", strings.ToLower(r.Host))
	}
	f.set("port", r.portOf(l))
	if r.Path != "" && r.Path != "/#{path}" {
		f.set("path", mapping().set("type", "ReplaceFullPath").set("replaceFullPath", r.Path))
	}
	code := int64(302)
	if r.StatusCode == "HTTP_301" {
		code = 301
	}
	return f.set("statusCode", code)
}
