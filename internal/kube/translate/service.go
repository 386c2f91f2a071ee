package translate

import (
	"slices"
	"strings"
)

// loadBalancerPrefixes are those that the AWS load balancer controller reads before its suffixes.
var loadBalancerPrefixes = []string{"service.beta.kubernetes.io/", "service.kubernetes.io/"}

// The suffixes of annotations of Services, by what becomes of them. Coverage is tested: every suffix of the controller stands in one of these.
var (
	suffixType    = []string{"aws-load-balancer-type", "aws-load-balancer-nlb-target-type"}
	suffixScheme  = []string{"aws-load-balancer-internal", "aws-load-balancer-scheme"}
	suffixAddress = []string{"aws-load-balancer-eip-allocations", "aws-load-balancer-private-ipv4-addresses", "aws-load-balancer-eip-allocations-discovery-tags", "aws-load-balancer-ipv6-addresses"}
	suffixRanges  = []string{"load-balancer-source-ranges"}
	suffixProxy   = []string{"aws-load-balancer-proxy-protocol", "aws-load-balancer-proxy-protocol-per-target-group"}
	suffixTLS     = []string{"aws-load-balancer-ssl-cert", "aws-load-balancer-ssl-ports", "aws-load-balancer-ssl-negotiation-policy", "aws-load-balancer-alpn-policy", "aws-load-balancer-backend-protocol"}
	suffixHealth  = []string{
		"aws-load-balancer-healthcheck-healthy-threshold", "aws-load-balancer-healthcheck-unhealthy-threshold", "aws-load-balancer-healthcheck-timeout",
		"aws-load-balancer-healthcheck-interval", "aws-load-balancer-healthcheck-protocol", "aws-load-balancer-healthcheck-port",
		"aws-load-balancer-healthcheck-path", "aws-load-balancer-healthcheck-success-codes",
	}
	// suffixDropped are without a counterpart that anybody misses; the text says why.
	suffixDropped = map[string]string{
		"aws-load-balancer-name":                                     "Google names load balancers",
		"aws-load-balancer-ip-address-type":                          "spec.ipFamilies says it",
		"aws-load-balancer-access-log-enabled":                       "Cloud Logging has flow logs",
		"aws-load-balancer-access-log-emit-interval":                 "Cloud Logging has flow logs",
		"aws-load-balancer-access-log-s3-bucket-name":                "Cloud Logging has flow logs",
		"aws-load-balancer-access-log-s3-bucket-prefix":              "Cloud Logging has flow logs",
		"aws-load-balancer-cross-zone-load-balancing-enabled":        "regional load balancers span zones",
		"aws-load-balancer-additional-resource-tags":                 "labels of the forwarding rule come from GKE",
		"aws-load-balancer-target-group-attributes":                  "there is no target group",
		"aws-load-balancer-subnets":                                  "the cluster's network says it",
		"aws-load-balancer-target-node-labels":                       "every node with a ready pod is a target",
		"aws-load-balancer-attributes":                               "there is no such load balancer",
		"aws-load-balancer-security-groups":                          "spec.loadBalancerSourceRanges makes the firewall's rule",
		"aws-load-balancer-extra-security-groups":                    "spec.loadBalancerSourceRanges makes the firewall's rule",
		"aws-load-balancer-manage-backend-security-group-rules":      "GKE makes the firewall's rules",
		"aws-load-balancer-inbound-sg-rules-on-private-link-traffic": "there is no PrivateLink",
		"aws-load-balancer-security-group-prefix-lists":              "spec.loadBalancerSourceRanges makes the firewall's rule",
		"aws-load-balancer-listener-attributes":                      "there is no listener",
		"aws-load-balancer-multi-cluster-target-group":               "there is no target group",
		"aws-load-balancer-enable-prefix-for-ipv6-source-nat":        "packets keep their source",
		"aws-load-balancer-source-nat-ipv6-prefixes":                 "packets keep their source",
		"aws-load-balancer-minimum-load-balancer-capacity":           "capacity is not reserved",
		"aws-load-balancer-enable-icmp-for-path-mtu-discovery":       "the firewall of the network says it",
		"aws-load-balancer-enable-tcp-udp-listener":                  "one Service may mix protocols from GKE 1.34 on",
		"aws-load-balancer-disable-nlb-sg":                           "there is no security group",
		"aws-load-balancer-quic-enabled-ports":                       "UDP passes as it is",
		"aws-load-balancer-quic-enabled-containers":                  "UDP passes as it is",
		"aws-load-balancer-connection-draining-enabled":              "pods end after their grace period",
		"aws-load-balancer-connection-draining-timeout":              "pods end after their grace period",
		"aws-load-balancer-connection-idle-timeout":                  "a pass-through load balancer keeps a flow for 600 s",
	}
)

// class is the load balancer that GKE makes for a Service which clients outside of the network use.
const class = "networking.gke.io/l4-regional-external"

// services are the rows about load balancers of Services.
func services() []Rule {
	kinds := []string{"Service"}
	return []Rule{
		{ID: "service-load-balancer-type", Source: "aws-load-balancer-type, -nlb-target-type; loadBalancerClass service.k8s.aws/nlb", Target: "loadBalancerClass " + class, Verdict: Mechanical, Kinds: kinds, Apply: balancerType},
		{ID: "service-internal", Source: "aws-load-balancer-internal, -scheme: internal", Target: "networking.gke.io/load-balancer-type: Internal", Verdict: Mechanical, Kinds: kinds, Apply: balancerScheme},
		{ID: "service-classic", Source: "a Service of type LoadBalancer without annotations: a Classic ELB", Target: "loadBalancerClass " + class, Verdict: Mechanical, Kinds: kinds, Apply: balancerClassic},
		{ID: "service-address", Source: "aws-load-balancer-eip-allocations, -private-ipv4-addresses", Target: "networking.gke.io/load-balancer-ip-addresses", Verdict: Resource, Kinds: kinds, Apply: balancerAddress},
		{ID: "service-source-ranges", Source: "load-balancer-source-ranges", Target: "spec.loadBalancerSourceRanges", Verdict: Mechanical, Kinds: kinds, Apply: balancerRanges},
		{ID: "service-proxy-protocol", Source: "aws-load-balancer-proxy-protocol; use-proxy-protocol of nginx", Target: "none: the client's address arrives as it is", Verdict: Changed, Kinds: []string{"Service", "ConfigMap"}, Apply: balancerProxy},
		{ID: "service-tls", Source: "aws-load-balancer-ssl-*, -alpn-policy, -backend-protocol", Target: "none at layer 4", Verdict: None, Kinds: kinds, Apply: balancerTLS},
		{ID: "service-health-check", Source: "aws-load-balancer-healthcheck-*", Target: "follows from externalTrafficPolicy", Verdict: Changed, Kinds: kinds, Apply: balancerHealth},
		{ID: "service-dropped", Source: "tags, attributes, security groups, access logs, ...", Target: "dropped", Verdict: Mechanical, Kinds: kinds, Apply: balancerDropped},
	}
}

// suffixed returns the annotations of the object that have one of the suffixes.
func (w *work) suffixed(suffixes []string) []string {
	var out []string
	for _, k := range keys(w.mapping(annotations...)) {
		for _, p := range loadBalancerPrefixes {
			if s, ok := strings.CutPrefix(k, p); ok && slices.Contains(suffixes, s) {
				out = append(out, k)
			}
		}
	}
	return out
}

// take removes annotations that were seen to.
func (w *work) take(why string, keys []string) {
	for _, k := range keys {
		w.remove(why, join(annotations, k)...)
	}
}

// balanced says whether the Service asks for a load balancer that clients outside use.
func (w *work) balanced() bool { return w.text("spec", "type") == "LoadBalancer" }

func (w *work) internal() bool {
	for _, k := range w.suffixed(suffixScheme) {
		v, _ := w.annotation(k)
		if strings.HasSuffix(k, "-scheme") {
			return v == "internal"
		}
		if v != "" && v != "false" {
			return true
		}
	}
	return false
}

func balancerType(w *work) {
	found := w.suffixed(suffixType)
	aws := strings.HasPrefix(w.text("spec", "loadBalancerClass"), "service.k8s.aws/")
	if len(found) == 0 && !aws {
		return
	}
	w.take("GKE chooses its load balancer by loadBalancerClass", found)
	switch {
	case w.internal() && aws:
		w.remove("GKE has no class service.k8s.aws/nlb", "spec", "loadBalancerClass")
	case w.balanced() && !w.internal():
		w.set("a pass-through load balancer stands for the NLB", class, "spec", "loadBalancerClass")
	}
}

func balancerScheme(w *work) {
	found := w.suffixed(suffixScheme)
	if len(found) == 0 {
		return
	}
	internal := w.internal()
	w.take("GKE says it by another annotation", found)
	if internal {
		w.set("the load balancer is for clients inside the network", "Internal", join(annotations, "networking.gke.io/load-balancer-type")...)
		return
	}
	if w.text("spec", "loadBalancerClass") == "" {
		w.set("a pass-through load balancer stands for it", class, "spec", "loadBalancerClass")
	}
}

func balancerClassic(w *work) {
	if !w.balanced() || w.text("spec", "loadBalancerClass") != "" {
		return
	}
	if kind, ok := w.annotation("networking.gke.io/load-balancer-type"); ok && kind != "" {
		return
	}
	w.set("a pass-through load balancer stands for the Classic ELB", class, "spec", "loadBalancerClass")
	protocols := map[any]bool{}
	for _, p := range w.list("spec", "ports") {
		protocol := text(p, "protocol")
		if protocol == "" {
			protocol = "TCP"
		}
		protocols[protocol] = true
	}
	if len(protocols) > 1 {
		w.at("spec", "ports").note("It mixes TCP and UDP, which this class takes from GKE 1.34 and 1.36 on.", "check the cluster's version, or part the Service in two")
	}
}

func balancerAddress(w *work) {
	found := w.suffixed(suffixAddress)
	if len(found) == 0 {
		return
	}
	name := w.in.Decisions.Addresses[w.Namespace+"/"+w.Name]
	if name == "" {
		w.at(join(annotations, found[0])...).asks("Clients know its addresses, which stay with AWS. Which reserved address is it to have?", "addresses: {\""+w.Namespace+"/"+w.Name+"\": NAME}")
	} else {
		w.set("the address is reserved by this name", name, join(annotations, "networking.gke.io/load-balancer-ip-addresses")...)
		w.needs("It gets the reserved address "+name+", which is another than before.", "gcloud compute addresses create "+name+" --region "+orWord(w.in.Decisions.Region, "REGION")+"\nand tell whoever has the old address in a firewall")
	}
	w.take("addresses stay with AWS", found)
}

func orWord(s, word string) string {
	if s == "" {
		return word
	}
	return s
}

func balancerRanges(w *work) {
	found := w.suffixed(suffixRanges)
	if len(found) == 0 {
		return
	}
	if w.list("spec", "loadBalancerSourceRanges") == nil {
		var ranges []any
		v, _ := w.annotation(found[0])
		for r := range strings.SplitSeq(v, ",") {
			if r = strings.TrimSpace(r); r != "" {
				ranges = append(ranges, r)
			}
		}
		w.set("GKE reads the field, not the annotation", ranges, "spec", "loadBalancerSourceRanges")
	}
	w.take("GKE reads the field, not the annotation", found)
}

// balancerProxy turns the PROXY protocol off on both sides at once: the load balancer of GKE does not speak it, and who waits for it refuses every connection.
func balancerProxy(w *work) {
	const key = "use-proxy-protocol"
	if w.Kind == "ConfigMap" {
		if w.in.proxied && w.text("data", key) == "true" {
			w.set("the load balancer does not speak the PROXY protocol; the client's address arrives as it is", "false", "data", key)
			w.note("The PROXY protocol is turned off together with the load balancer that spoke it.", "")
		}
		return
	}
	found := w.suffixed(suffixProxy)
	if len(found) == 0 {
		return
	}
	w.take("the load balancer keeps the client's address, and does not speak the PROXY protocol", found)
	off := false
	for _, o := range w.in.Set.Objects {
		off = off || o.Kind == "ConfigMap" && text(o.Value, "data", key) == "true"
	}
	what := "The load balancer does not speak the PROXY protocol: the client's address arrives as that of the connection, if externalTrafficPolicy is Local."
	if off {
		w.note(what, "set externalTrafficPolicy: Local where the address matters")
		return
	}
	w.blocks(what+" Nothing here says where its pods are told to expect the protocol.", "turn it off in the pods, in the same change: use-proxy-protocol of nginx, accept-proxy of HAProxy")
}

func balancerTLS(w *work) {
	found := w.suffixed(suffixTLS)
	if len(found) == 0 {
		return
	}
	protocol := len(found) == 1 && strings.HasSuffix(found[0], "-backend-protocol")
	if v, _ := w.annotation(found[0]); protocol && (v == "tcp" || v == "TCP") {
		w.take("a pass-through load balancer does nothing else", found)
		return
	}
	w.at(join(annotations, found[0])...).blocks("The load balancer ended TLS; a pass-through load balancer hands it to the pods as it is.", "end TLS in the pods (a certificate of cert-manager), or put a Gateway before the Service and make it ClusterIP")
	w.take("there is no TLS at layer 4", found)
}

func balancerHealth(w *work) {
	found := w.suffixed(suffixHealth)
	if len(found) == 0 {
		return
	}
	w.at(join(annotations, found[0])...).note("Its health check is made by GKE: with externalTrafficPolicy Local each node tells whether it has a ready pod, with Cluster whether kube-proxy runs; path, port and thresholds are not taken over.", "make readiness probes say what the health check asked")
	w.take("GKE makes the health check itself", found)
}

func balancerDropped(w *work) {
	for _, k := range w.suffixed(keys(suffixDropped)) {
		for _, p := range loadBalancerPrefixes {
			if why, ok := suffixDropped[strings.TrimPrefix(k, p)]; ok {
				w.remove(why, join(annotations, k)...)
				break
			}
		}
	}
}
