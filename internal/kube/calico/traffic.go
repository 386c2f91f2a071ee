package calico

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/plain"
)

// traffic is what a rule is about.
type traffic struct {
	protocol string // TCP, UDP, SCTP; empty for all
	ports    []ports
	peer     peer
	own      *selector // further requirements of the policy's own pods; nil for none
}

// ports is a range of ports of the receiving side, or one by its name.
type ports struct {
	first, last int64
	name        string
}

// peer is the other side. Without any of its fields it is anybody.
type peer struct {
	nets, except []netip.Prefix
	pods         *selector
	within       *selector // which namespaces; nil for the policy's own, or for all with a policy of the cluster
	service      *manifest.Object
}

func (p *peer) anybody() bool { return len(p.nets) == 0 && len(p.except) == 0 && !p.bySelector() }

func (p *peer) bySelector() bool { return p.pods != nil || p.within != nil || p.service != nil }

var (
	ruleFields   = []string{"action", "protocol", "notProtocol", "icmp", "notICMP", "ipVersion", "source", "destination", "http", "metadata"}
	entityFields = []string{"nets", "notNets", "selector", "notSelector", "namespaceSelector", "ports", "notPorts", "serviceAccounts", "services"}
)

// read reads what a rule is about, and says what of it has no counterpart.
func (r *rule) read(w *world, p *policy, m map[string]any, direction string) {
	for _, k := range sorted(m) {
		if !slices.Contains(ruleFields, k) {
			r.odd(k)
		}
	}
	for _, k := range []string{"notProtocol", "http", "icmp", "notICMP"} {
		if m[k] != nil {
			r.odd(k)
		}
	}
	r.readProtocol(m["protocol"])
	own, other := plain.Mapping(m, "destination"), plain.Mapping(m, "source")
	if direction == "egress" {
		own, other = other, own
	}
	for _, e := range []map[string]any{own, other} {
		for _, k := range sorted(e) {
			if !slices.Contains(entityFields, k) {
				r.odd(k)
			}
		}
	}
	r.readOwn(own)
	r.readPeer(w, p, other)
	r.readPorts(plain.Mapping(m, "destination"))
	if source := plain.Mapping(m, "source"); source["ports"] != nil || source["notPorts"] != nil {
		r.odd("source.ports")
	}
	if v, ok := m["ipVersion"].(int64); ok && !slices.ContainsFunc(r.peer.nets, func(n netip.Prefix) bool { return n.Addr().Is4() == (v == 4) }) {
		r.odd("ipVersion")
	}
}

func (r *rule) odd(what string) {
	if r.strange == "" {
		r.strange = what
	} else if !strings.Contains(r.strange, what) {
		r.strange += ", " + what
	}
}

func (r *rule) readProtocol(v any) {
	name := strings.ToUpper(fmt.Sprint(v))
	if known := map[string]string{"6": "TCP", "17": "UDP", "132": "SCTP"}[name]; known != "" {
		name = known
	}
	switch {
	case v == nil:
	case name == "TCP" || name == "UDP" || name == "SCTP":
		r.protocol = name
	default:
		r.icmp = strings.HasPrefix(name, "ICMP") || name == "1" || name == "58"
		r.odd("protocol " + fmt.Sprint(v))
	}
}

// readOwn reads what a rule says of the policy's own pods.
func (r *rule) readOwn(e map[string]any) {
	for _, k := range sorted(e) {
		if k != "selector" && k != "ports" && k != "notPorts" {
			r.odd(k + " of its own side")
		}
	}
	if text := plain.Text(e, "selector"); text != "" {
		s, err := parse(text)
		if err != nil {
			r.odd("a selector that cannot be read")
			return
		}
		r.own = s
	}
}

func (r *rule) readPeer(w *world, p *policy, e map[string]any) {
	for _, k := range []string{"notSelector", "serviceAccounts"} {
		if x := e[k]; x != nil && x != "" {
			r.odd(k)
		}
	}
	read := func(key string) *selector {
		if plain.Text(e, key) == "" {
			return nil
		}
		s, err := parse(plain.Text(e, key))
		if err != nil {
			r.odd("a selector that cannot be read")
		}
		return s
	}
	r.peer.pods, r.peer.within = read("selector"), read("namespaceSelector")
	nets := func(key string) []netip.Prefix {
		var out []netip.Prefix
		for _, text := range plain.Texts(e, key) {
			n, ok := prefix(text)
			if !ok {
				r.odd(key + " that cannot be read")
			}
			out = append(out, n)
		}
		return out
	}
	r.peer.nets, r.peer.except = nets("nets"), nets("notNets")
	if s := plain.Mapping(e, "services"); s != nil {
		r.readService(w, p, s)
	}
	if r.peer.bySelector() && len(r.peer.nets)+len(r.peer.except) > 0 {
		r.odd("ranges and selectors together")
	}
}

// readService finds the pods and ports of a Service.
func (r *rule) readService(w *world, p *policy, s map[string]any) {
	name := plain.Text(s, "namespace")
	if name == "" {
		name = p.o.Namespace
	}
	o := w.services[name+"/"+plain.Text(s, "name")]
	if o == nil || len(plain.Mapping(o.Value, "spec", "selector")) == 0 || r.protocol != "" || r.peer.bySelector() {
		r.odd("a Service that is not at hand or selects no pods (" + name + "/" + plain.Text(s, "name") + ")")
		return
	}
	r.peer.service = o
}

// readPorts reads the ports of the receiving side.
func (r *rule) readPorts(e map[string]any) {
	some, none := r.portList(plain.List(e, "ports")), r.portList(plain.List(e, "notPorts"))
	r.ports = some
	if len(none) == 0 {
		return
	}
	if len(some) > 0 || slices.ContainsFunc(none, func(p ports) bool { return p.name != "" }) {
		r.odd("notPorts by name or beside ports")
		return
	}
	slices.SortFunc(none, func(a, b ports) int { return int(a.first - b.first) })
	next := int64(1)
	for _, p := range none {
		if p.first > next {
			r.ports = append(r.ports, ports{first: next, last: p.first - 1})
		}
		next = max(next, p.last+1)
	}
	if next <= highest {
		r.ports = append(r.ports, ports{first: next, last: highest})
	}
	if len(r.ports) == 0 {
		r.odd("notPorts that leave no port")
	}
}

const highest = 65535

func (r *rule) portList(l []any) []ports {
	var out []ports
	for _, v := range l {
		text := fmt.Sprint(v)
		first, last, ranged := strings.Cut(text, ":")
		a, errA := strconv.ParseInt(first, 10, 32)
		b, errB := a, errA
		if ranged {
			b, errB = strconv.ParseInt(last, 10, 32)
		}
		switch {
		case errA != nil && !ranged:
			out = append(out, ports{name: text})
		case errA != nil || errB != nil || a < 0 || b < a || b > highest:
			r.odd("the port " + text)
		case b == 0: // no packet has it
			out = append(out, ports{first: 1, last: 0})
		default:
			out = append(out, ports{first: max(a, 1), last: b})
		}
	}
	if len(out) > 0 && r.protocol == "" {
		r.odd("ports without a protocol")
	}
	return out
}

// meets says whether some traffic may be both. It says true where it cannot tell.
func (t *traffic) meets(u *traffic, w *world) bool {
	if t.protocol != "" && u.protocol != "" && t.protocol != u.protocol {
		return false
	}
	if len(t.ports) > 0 && len(u.ports) > 0 && !slices.ContainsFunc(t.ports, func(a ports) bool {
		return slices.ContainsFunc(u.ports, func(b ports) bool { return a.name != "" || b.name != "" || a.first <= b.last && b.first <= a.last })
	}) {
		return false
	}
	return t.peer.meets(&u.peer, w)
}

func (p *peer) meets(q *peer, w *world) bool {
	switch {
	case len(p.nets) > 0 && len(q.nets) > 0:
		return overlap(p.nets, q.nets)
	case len(p.nets) > 0 && q.bySelector():
		return slices.ContainsFunc(p.nets, func(n netip.Prefix) bool { return !outside(n) }) || w.inSets(p.nets)
	case p.bySelector() && len(q.nets) > 0:
		return q.meets(p, w)
	}
	return true
}

// inSets says whether a set of networks has some of a range, which a selector may mean.
func (w *world) inSets(nets []netip.Prefix) bool {
	return slices.ContainsFunc(w.sets, func(s *networkSet) bool { return s.names || overlap(s.nets, nets) })
}

// covers says whether all that u is about is about t too, for the same pods.
func (t *traffic) covers(u *traffic) bool {
	return t.peer.anybody() && len(t.ports) == 0 && (t.protocol == "" || t.protocol == u.protocol)
}
