package gateway

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// listener is a port on which the ALB listens: HTTP or HTTPS.
type listener struct {
	port     int64
	protocol string
}

// section is the name of the Gateway's listener.
func (l listener) section() string {
	name := strings.ToLower(l.protocol)
	if l.port == 80 && name == "http" || l.port == 443 && name == "https" {
		return name
	}
	return name + "-" + strconv.FormatInt(l.port, 10)
}

// csv splits a list as annotations have it.
func csv(s string) []string {
	var out []string
	for x := range strings.SplitSeq(s, ",") {
		if x = strings.TrimSpace(x); x != "" {
			out = append(out, x)
		}
	}
	return out
}

// listenersOf reads listen-ports. Without it the ALB listens on 443 when certificates are named, else on 80.
func (w *world) listenersOf(m *member) []listener {
	said, ok := m.in.annotations[ingressPrefix+"listen-ports"]
	if !ok {
		if m.value("certificate-arn") != "" || m.value("create-acm-cert") == "true" {
			return []listener{{443, "HTTPS"}}
		}
		return []listener{{80, "HTTP"}}
	}
	var entries []map[string]json.Number
	err := decode(said, &entries)
	var out []listener
	for _, e := range entries {
		for protocol, number := range e {
			port, perr := number.Int64()
			if perr != nil || port < 1 || port > 65535 || protocol != "HTTP" && protocol != "HTTPS" {
				err = cmp.Or(err, fmt.Errorf("%s on port %s", protocol, number))
				continue
			}
			out = append(out, listener{port, protocol})
		}
	}
	if err != nil || len(out) == 0 {
		w.notes.on(m.in.o, ingressPrefix+"listen-ports", remark{verdict: None, code: "annotation-invalid", what: fmt.Sprintf("It is no list of ports that the controller reads, such as [{\"HTTP\": 80}, {\"HTTPS\": 443}]: %v", err), do: "Mend it at the source."})
		return nil
	}
	slices.SortFunc(out, func(a, b listener) int {
		return cmp.Or(cmp.Compare(a.port, b.port), cmp.Compare(a.protocol, b.protocol))
	})
	return slices.Compact(out)
}

// listenersOfGroup joins the members' ports. A port has one protocol: a member that says another one is left out there, as is said.
func (w *world) listenersOfGroup(g *group) []listener {
	by := map[int64]*member{}
	protocol := map[int64]string{}
	for _, m := range g.members {
		for _, l := range w.listenersOf(m) {
			if p, ok := protocol[l.port]; ok && p != l.protocol {
				w.notes.on(m.in.o, ingressPrefix+"listen-ports", remark{
					verdict: None, code: "listen-ports-conflict", what: fmt.Sprintf("Port %d is %s here and %s in %s of the same group; the controller refuses the whole group.", l.port, l.protocol, p, by[l.port].in.o), do: "Mend it at the source.",
				})
				continue
			}
			by[l.port], protocol[l.port] = cmp.Or(by[l.port], m), l.protocol
			m.listeners = append(m.listeners, l)
		}
	}
	var out []listener
	for port, p := range protocol {
		out = append(out, listener{port, p})
	}
	slices.SortFunc(out, func(a, b listener) int { return cmp.Compare(a.port, b.port) })
	return out
}

// sslRedirect is the port of HTTPS to which the group's HTTP listeners redirect, 0 when they do not.
func (w *world) sslRedirect(g *group) int64 {
	port := int64(0)
	for _, m := range g.members {
		said := m.value("ssl-redirect")
		if said == "" {
			continue
		}
		n, err := strconv.ParseInt(said, 10, 64)
		switch {
		case err != nil || n < 1 || n > 65535:
			w.notes.on(m.in.o, ingressPrefix+"ssl-redirect", remark{verdict: None, code: "annotation-invalid", what: fmt.Sprintf("%q is no port.", said), do: "Mend it at the source."})
		case port != 0 && port != n:
			w.notes.on(m.in.o, ingressPrefix+"ssl-redirect", remark{verdict: None, code: "ssl-redirect-conflict", what: "Members of the group redirect to different ports; the controller refuses the whole group.", do: "Mend it at the source."})
		default:
			port = n
		}
	}
	return port
}

// merged is a setting of the whole load balancer: the members that say it must agree.
func (w *world) merged(g *group, suffix string) (string, *member) {
	said, by := "", (*member)(nil)
	for _, m := range g.members {
		v := m.value(suffix)
		switch {
		case v == "":
		case by == nil:
			said, by = v, m
		case v != said:
			w.notes.on(m.in.o, ingressPrefix+suffix, remark{
				verdict: None, code: "group-conflict", what: fmt.Sprintf("It says %q, and %s of the same group %q; the controller refuses the whole group.", v, by.in.o, said), do: "Mend it at the source.",
			})
		}
	}
	return said, by
}
