package translate

import (
	"reflect"
	"strings"

	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/kube/gateway"
	"github.com/bascule/bascule/internal/kube/manifest"
)

// services are the rows about load balancers of Services, which package gateway translates.
func services() []Rule {
	return []Rule{
		{ID: "service-load-balancer", Source: "a Service of type LoadBalancer (NLB, Classic ELB), and all keys aws-load-balancer-*", Target: "loadBalancerClass networking.gke.io/l4-regional-external, or an internal one ([gateway.md](design/gateway.md))", Verdict: Changed, Kinds: []string{"Service"}, Apply: serviceBalancer},
		{ID: "service-cluster-ip", Source: "a Service with an address of the old cluster (clusterIP)", Target: "an address that the new cluster gives", Verdict: Changed, Kinds: []string{"Service"}, Apply: clusterAddress},
		{ID: "service-proxy-protocol", Source: "aws-load-balancer-proxy-protocol; use-proxy-protocol of nginx", Target: "none: the client's address arrives as it is", Verdict: Changed, Kinds: []string{"ConfigMap"}, Apply: serviceProxy},
	}
}

func serviceBalancer(w *work) {
	if p := w.in.balancers.services[w.Namespace+"/"+w.Name]; p != nil {
		w.merge(p.why, p.change)
	}
	var found []string
	for _, k := range keys(w.mapping(annotations...)) {
		if gateway.OfBalancer(k) {
			found = append(found, k)
		}
	}
	w.take("a Service without a load balancer has no use for it", found)
}

// merge does what a merge patch says (RFC 7386): a null takes a key away.
func (w *work) merge(why string, change map[string]any, path ...string) {
	for _, k := range keys(change) {
		at := join(path, k)
		switch v := change[k].(type) {
		case nil:
			w.remove(why, at...)
		case map[string]any:
			w.merge(why, v, at...)
		default:
			if !reflect.DeepEqual(w.value(at...), v) {
				w.set(why, v, at...)
			}
		}
	}
}

// take removes annotations that were seen to.
func (w *work) take(why string, keys []string) {
	for _, k := range keys {
		w.remove(why, join(annotations, k)...)
	}
}

func orWord(s, word string) string {
	if s == "" {
		return word
	}
	return s
}

const useProxy = "use-proxy-protocol"

// serviceProxy turns the PROXY protocol off on both sides at once: the load balancer of GKE does not speak it, and who waits for it refuses every connection.
func serviceProxy(w *work) {
	if w.in.proxied && w.text("data", useProxy) == "true" {
		w.set("the load balancer does not speak the PROXY protocol; the client's address arrives as it is", "false", "data", useProxy)
		w.note("The PROXY protocol is turned off together with the load balancer that spoke it.", "set externalTrafficPolicy: Local on the Service where the address matters")
	}
}

// learnProxy finds out whether a Service asked for the PROXY protocol, and whether somebody waits for it who is told otherwise by serviceProxy.
func (in *Input) learnProxy(o *manifest.Object) {
	switch o.Kind {
	case "ConfigMap":
		in.awaited = in.awaited || text(o.Value, "data", useProxy) == "true"
	case "Service":
		for _, k := range keys(mappingOf(o.Value, annotations)) {
			in.proxied = in.proxied || strings.HasSuffix(k, "/aws-load-balancer-proxy-protocol") && text(o.Value, join(annotations, k)...) != ""
		}
	}
}

func mappingOf(v any, path []string) map[string]any { m, _ := at(v, path).(map[string]any); return m }

// settled makes a warning of what blocks, where the translation itself has seen to it.
func (in *Input) settled(f *gateway.Finding, g finding.Finding) finding.Finding {
	if f.Row == "nlb-proxy-protocol" && f.Verdict == gateway.None && in.awaited {
		g.Severity, g.Do = finding.Warning, "use-proxy-protocol is turned off in the same change; set externalTrafficPolicy: Local where the client's address matters"
	}
	return g
}
