package gateway

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/bascule/bascule/internal/kube/manifest"
)

// port finds the number of a Service's port, by number or by name. A name that cannot be resolved is an open question, never a guess.
func (w *world) port(m *member, service string, number int64, name string) (int64, bool) {
	key := namespaceOf(m.in.o) + "/" + service
	svc := w.services[key]
	if svc != nil {
		for _, p := range servicePorts(svc) {
			if p.number == number && name == "" || name != "" && p.name == name {
				return p.number, true
			}
		}
		w.notes.about(m.in.o, remark{
			verdict: None, code: "service-port-missing", row: "paths", what: fmt.Sprintf("Service %s has no port %s: the controller refuses the Ingress. The rule is not written.", key, portText(number, name)),
			do: "Name a port that the Service has.",
		})
		return 0, false
	}
	if name == "" && number > 0 {
		w.notes.about(m.in.o, remark{
			verdict: Changed, code: "service-missing", row: "paths", kind: "question", what: fmt.Sprintf("Service %s is not among the objects that were read, so its own annotations and ports are not known.", key),
			do: "Read it too; if it does not exist, the ALB answers 503 and the Gateway 500.",
		})
		return number, true
	}
	if n := w.facts.ServicePorts[key+":"+name]; n > 0 {
		return n, true
	}
	w.notes.about(m.in.o, remark{
		verdict: None, code: "service-port-unresolved", row: "paths", kind: "question", what: fmt.Sprintf("Service %s is not among the objects that were read, so the number of its port %s is not known. The rule is not written.", key, portText(number, name)),
		do: fmt.Sprintf("Read it too, or add to the facts service-ports: {%q: NUMBER}.", key+":"+name),
	})
	return 0, false
}

func portText(number int64, name string) string {
	if name != "" {
		return fmt.Sprintf("%q", name)
	}
	return fmt.Sprint(number)
}

// Names that a GRPCRoute takes.
var (
	grpcService = regexp.MustCompile(`^(?i)\.?[a-z_][a-z_0-9]*(\.[a-z_][a-z_0-9]*)*$`)
	grpcMethod  = regexp.MustCompile(`^[A-Za-z_][A-Za-z_0-9]*$`)
)

// allGRPC says whether a host's matches are all for gRPC, so that a GRPCRoute can carry them. Gateway API forbids routes of both kinds on
// one host, so that an HTTPRoute, which carries gRPC too, takes a host that is mixed.
func (t *translation) allGRPC(all []placed) bool {
	for _, p := range all {
		for _, target := range p.rule.act.serving() {
			if p.rule.act.kind != forward || !t.isGRPC(p.rule.m, t.services[namespaceOf(p.rule.m.in.o)+"/"+target.service]) {
				return false
			}
		}
		if p.rule.act.kind != forward || !grpcPath(&p.match) {
			return false
		}
	}
	return len(all) > 0
}

func (t *translation) isGRPC(m *member, svc *manifest.Object) bool {
	v, _ := m.setting(svc, "backend-protocol-version")
	return v == "GRPC"
}

// grpcPath says whether a match is one that a GRPCRoute has: every call, a service, or one method of it.
func grpcPath(m *match) bool {
	service, method, both := strings.Cut(strings.TrimPrefix(m.path, "/"), "/")
	switch {
	case m.method != "" && m.method != "POST" || len(m.query) > 0:
		return false
	case !m.exact && !both:
		return m.path == "/" || grpcService.MatchString(service)
	}
	return m.exact && both && grpcService.MatchString(service) && grpcMethod.MatchString(method)
}
