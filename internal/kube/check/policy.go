package check

import (
	"net/netip"
	"slices"

	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/plain"
	"github.com/bascule/bascule/internal/kube/translate"
)

// Where the metadata server answers pods, by the cluster's data plane, and where names are resolved on the node itself.
var (
	onDataplane = netip.MustParseAddr("169.254.169.254")
	onCalico    = netip.MustParseAddr("169.254.169.252")
	nodeCache   = netip.MustParseAddr("169.254.20.10")
)

// gsa is the annotation by which a service account acts as one of Google.
const gsa = "iam.gke.io/gcp-service-account"

// policies looks for pods with an identity of Google whose egress is limited so that they reach neither the metadata server, which gives them
// their tokens, nor a name server.
func (w *world) policies() {
	limiting := map[string][]*manifest.Object{}
	for _, o := range w.view.Objects {
		if o.Kind == "NetworkPolicy" && o.Group == ingress && translate.LimitsEgress(mapping(o.Value, "spec")) {
			limiting[namespaceOf(o)] = append(limiting[namespaceOf(o)], o)
		}
	}
	if len(limiting) == 0 {
		return
	}
	all := w.open()
	for _, p := range w.pods {
		sa := w.find("", "ServiceAccount", p.namespace, p.account)
		if sa == nil || text(sa.Value, "metadata", "annotations", gsa) == "" {
			continue
		}
		var by []*manifest.Object
		for _, o := range limiting[p.namespace] {
			if plain.Selects(mapping(o.Value, "spec", "podSelector"), p.labels) {
				by = append(by, o)
			}
		}
		if len(by) > 0 && !all(p) {
			w.reaches(p, by)
		}
	}
}

// open finds policies that allow all egress: what one policy allows, no other takes away.
func (w *world) open() func(*pod) bool {
	open := map[string][]*manifest.Object{}
	for _, o := range w.view.Objects {
		if o.Kind != "NetworkPolicy" || o.Group != ingress {
			continue
		}
		for _, e := range list(o.Value, "spec", "egress") {
			if m, ok := e.(map[string]any); ok && len(m) == 0 {
				open[namespaceOf(o)] = append(open[namespaceOf(o)], o)
				break
			}
		}
	}
	return func(p *pod) bool {
		return slices.ContainsFunc(open[p.namespace], func(o *manifest.Object) bool {
			return plain.Selects(mapping(o.Value, "spec", "podSelector"), p.labels)
		})
	}
}

// reaches adds up what the policies that limit a pod allow.
func (w *world) reaches(p *pod, by []*manifest.Object) {
	var dataplane, calico, dns bool
	for _, o := range by {
		each(o.Value, []string{"spec", "egress"}, func(_ []string, e map[string]any) {
			dataplane = dataplane || to(e, onDataplane) && port(e, "TCP", 80) && port(e, "TCP", 8080)
			calico = calico || to(e, onCalico) && port(e, "TCP", 988)
			dns = dns || port(e, "UDP", 53) && (to(e, nodeCache) || toPods(e))
		})
	}
	name := "NetworkPolicy " + p.namespace + "/" + by[0].Name
	place := []string{"spec", "podSelector"}
	switch {
	case !dataplane && !calico:
		w.add("policy-cuts-metadata", blocks, by[0], place, "It cuts "+p.o.String()+" from the metadata server, without which their service account "+p.account+" has no identity at Google: it looks like an authentication that times out.",
			"allow egress to 169.254.169.254/32, TCP 80 and 8080 (Dataplane V2), or 169.254.169.252/32, TCP 988 (Calico)", application)
	case !dataplane:
		w.add("policy-metadata-plane", warns, by[0], place, name+" and others let pods with an identity of Google reach the metadata server on a cluster with Calico only.", "on Dataplane V2 allow egress to 169.254.169.254/32, TCP 80 and 8080", operator)
	case !calico:
		w.add("policy-metadata-plane", warns, by[0], place, name+" and others let pods with an identity of Google reach the metadata server on a cluster with Dataplane V2 only.", "with Calico allow egress to 169.254.169.252/32, TCP 988", operator)
	}
	if !dns {
		w.add("policy-cuts-dns", blocks, by[0], place, "It cuts "+p.o.String()+" from name servers: they find neither Google's APIs nor any other name.", "allow egress to port 53, UDP and TCP, of the namespace kube-system, and to 169.254.20.10/32 where NodeLocal DNSCache is on", application)
	}
}

// to says whether a rule allows an address; without a list it allows all.
func to(rule map[string]any, a netip.Addr) bool {
	peers, ok := rule["to"].([]any)
	if !ok || len(peers) == 0 {
		return true
	}
	return slices.ContainsFunc(peers, func(peer any) bool {
		p, err := netip.ParsePrefix(text(peer, "ipBlock", "cidr"))
		if err != nil || !p.Contains(a) {
			return false
		}
		return !slices.ContainsFunc(list(peer, "ipBlock", "except"), func(e any) bool {
			s, _ := e.(string)
			x, err := netip.ParsePrefix(s)
			return err == nil && x.Contains(a)
		})
	})
}

// toPods says whether a rule allows pods of kube-system, where the name servers are: by their namespace, by any, or by a range that may be theirs.
func toPods(rule map[string]any) bool {
	peers, ok := rule["to"].([]any)
	if !ok || len(peers) == 0 {
		return true
	}
	return slices.ContainsFunc(peers, func(peer any) bool {
		if p, err := netip.ParsePrefix(text(peer, "ipBlock", "cidr")); err == nil {
			return p.Addr().IsPrivate() || p.Bits() == 0
		}
		m, _ := peer.(map[string]any)
		sel, ok := m["namespaceSelector"].(map[string]any)
		labels := map[string]string{"kubernetes.io/metadata.name": "kube-system", "name": "kube-system"}
		pods, limited := m["podSelector"].(map[string]any)
		return ok && plain.Selects(sel, labels) && (!limited || plain.Selects(pods, map[string]string{"k8s-app": "kube-dns"}))
	})
}

// port says whether a rule allows a port; without a list it allows all.
func port(rule map[string]any, protocol string, number int64) bool {
	ports, ok := rule["ports"].([]any)
	if !ok || len(ports) == 0 {
		return true
	}
	return slices.ContainsFunc(ports, func(p any) bool {
		m, _ := p.(map[string]any)
		if proto := text(m, "protocol"); proto != protocol && (proto != "" || protocol != "TCP") {
			return false
		}
		first, ok := m["port"].(int64)
		if !ok {
			return m["port"] == nil
		}
		last, ok := m["endPort"].(int64)
		if !ok {
			last = first
		}
		return number >= first && number <= last
	})
}
