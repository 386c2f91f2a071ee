package gateway

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/kube/manifest"
)

// The classes of load balancers of Services.
const (
	awsNLB        = "service.k8s.aws/nlb"
	gkeExternal   = "networking.gke.io/l4-regional-external"
	balancerType  = "networking.gke.io/load-balancer-type"
	balancerNames = "networking.gke.io/load-balancer-ip-addresses"
)

// Balancers says what becomes of the Services of type LoadBalancer among objects: patches, addresses that are needed, findings. A Service
// with a class that is not of AWS, or with the annotation of GKE that says which it has, is left alone. Facts may be nil.
func Balancers(objects []*manifest.Object, facts *Facts) *Result {
	t := &translation{world: newWorld(objects, facts), result: &Result{}}
	for _, o := range objects {
		if o.Kind != "Service" || o.Group != "" {
			continue
		}
		class := str(o.Value, "spec", "loadBalancerClass")
		switch {
		case str(o.Value, "spec", "type") != "LoadBalancer":
			t.unused(o)
		case class == "" && ofGoogle(o):
		case class == "" || class == awsNLB:
			t.balancerService(o, class)
		}
	}
	t.sort()
	return t.result
}

// ofGoogle reports whether a Service says by GKE's own annotation, and by none of AWS, which load balancer it has: it was translated, or never was of AWS.
func ofGoogle(o *manifest.Object) bool {
	values := annotations(o)
	for key := range values {
		if OfBalancer(key) {
			return false
		}
	}
	return values[balancerType] != ""
}

// unused notes keys of load balancers on a Service that has none.
func (t *translation) unused(o *manifest.Object) {
	for key := range annotations(o) {
		if !OfBalancer(key) {
			continue
		}
		if _, known := t.notes.table.lookup(key); !known {
			t.notes.remaining(o, key)
			continue
		}
		t.notes.on(o, key, remark{verdict: Same, code: "nlb-annotation-unused", what: "The Service is not of type LoadBalancer, so the annotation does nothing."})
	}
}

// OfBalancer says whether a key is one of a load balancer of AWS.
func OfBalancer(key string) bool {
	for _, prefix := range []string{servicePrefix, servicePrefixV1} {
		if rest, ok := strings.CutPrefix(key, prefix); ok && (strings.HasPrefix(rest, balancerPrefix) || rest == "load-balancer-source-ranges") {
			return true
		}
	}
	return false
}

// said is an annotation of a load balancer, under either of its prefixes, and its whole key.
func said(values map[string]string, suffix string) (value, key string) {
	for _, prefix := range []string{servicePrefix, servicePrefixV1} {
		if v, ok := values[prefix+suffix]; ok {
			return v, prefix + suffix
		}
	}
	return "", ""
}

func (t *translation) balancerService(o *manifest.Object, class string) {
	values := annotations(o)
	kind, kindKey := said(values, "aws-load-balancer-type")
	meta, spec := mapping(), mapping()
	if t.internal(o, values, class == awsNLB || kind == "external" || kind == "nlb-ip") {
		meta.set(balancerType, "Internal")
		if class != "" {
			spec.set("loadBalancerClass", null{})
		}
	} else {
		spec.set("loadBalancerClass", gkeExternal)
	}
	t.address(o, meta)
	if ranges, _ := said(values, "load-balancer-source-ranges"); ranges != "" {
		if len(list(o.Value, "spec", "loadBalancerSourceRanges")) == 0 {
			spec.set("loadBalancerSourceRanges", csv(ranges))
		}
	}
	if proxy, key := said(values, "aws-load-balancer-proxy-protocol"); key != "" && proxy == "" {
		t.notes.on(o, key, remark{verdict: Same, what: "It is empty, so no PROXY protocol is spoken."})
	}
	t.clients(o, values)
	if protocol, key := said(values, "aws-load-balancer-backend-protocol"); strings.EqualFold(protocol, "tcp") {
		t.notes.on(o, key, remark{verdict: Same, code: "nlb-backend-tcp", what: "TCP goes through as it comes.", do: "Nothing has to be done."})
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if OfBalancer(key) {
			meta.set(key, null{})
			t.notes.remaining(o, key)
		}
	}
	if kindKey == "" && class == "" {
		t.notes.about(o, remark{
			verdict: Same, code: "classic-elb", row: "classic-elb",
			what: "The classic load balancer becomes a regional passthrough load balancer: clients' addresses reach the Pods as they are, and connections end there.",
		})
	}
	t.protocols(o)
	why := "a load balancer of Google Cloud takes the place of AWS's"
	t.result.Patches = append(t.result.Patches, servicePatch(o.Namespace, o.Name, mapping().set("metadata", mapping().set("annotations", meta)).set("spec", spec), why))
}

// clients notes who may connect by security groups, whose ranges nobody knows here: where no ranges are said beside them, everybody could.
func (t *translation) clients(o *manifest.Object, values map[string]string) {
	ranges, _ := said(values, "load-balancer-source-ranges")
	if ranges == "" && len(list(o.Value, "spec", "loadBalancerSourceRanges")) == 0 {
		return // the table says it
	}
	for _, suffix := range []string{"security-groups", "extra-security-groups", "security-group-prefix-lists"} {
		if _, key := said(values, balancerPrefix+suffix); key != "" {
			t.notes.on(o, key, remark{verdict: Changed, what: "The security groups are dropped; spec.loadBalancerSourceRanges alone says who may connect.", do: "Check that it names all sources of the security groups' rules, and no others."})
		}
	}
}

// internal says whether a load balancer is internal. The controller makes one that is, unless told otherwise; the in-tree provider one that is
// not. The scheme wins over the older annotation.
func (t *translation) internal(o *manifest.Object, values map[string]string, controller bool) bool {
	if scheme, key := said(values, "aws-load-balancer-scheme"); key != "" {
		if scheme != "internal" && scheme != "internet-facing" {
			t.notes.on(o, key, remark{verdict: None, code: "annotation-invalid", what: fmt.Sprintf("%q is no scheme.", scheme), do: "Mend it at the source."})
		}
		return scheme != "internet-facing"
	}
	if internal, key := said(values, "aws-load-balancer-internal"); key != "" {
		return internal != "false" && internal != ""
	}
	if controller {
		t.notes.about(o, remark{verdict: Changed, code: "nlb-internal-default", row: "nlb-internal", what: "Nobody says a scheme, and internal is the controller's default: the load balancer is internal.", do: "Check that this is meant."})
	}
	return controller
}

// address names the reserved addresses of a Service's load balancer, where the facts have some.
func (t *translation) address(o *manifest.Object, meta fields) {
	name := t.facts.Addresses[keyOf(o)]
	if name == "" {
		return
	}
	meta.set(balancerNames, name)
	for _, n := range csv(name) {
		t.need(Need{Kind: "address", Name: n, Scope: "regional", For: []string{o.String()}})
	}
	values := annotations(o)
	for _, suffix := range []string{"eip-allocations", "eip-allocations-discovery-tags", "private-ipv4-addresses", "ipv6-addresses"} {
		if _, key := said(values, balancerPrefix+suffix); key != "" {
			t.notes.on(o, key, remark{verdict: Resource, what: fmt.Sprintf("The load balancer takes the reserved address %s instead.", name), do: "Reserve it, and give it to those who keep lists of addresses."})
		}
	}
}

// protocols notes a Service that has ports of both TCP and UDP.
func (t *translation) protocols(o *manifest.Object) {
	seen := map[string]bool{}
	for _, p := range servicePorts(o) {
		seen[cmp.Or(p.protocol, "TCP")] = true
	}
	if seen["TCP"] && seen["UDP"] {
		t.notes.about(o, remark{
			verdict: Changed, code: "nlb-mixed-protocols", row: "mixed-protocols", what: "TCP and UDP on one Service need GKE 1.34 or later, and the class networking.gke.io/l4-regional-external.",
			do: "Use such a cluster, or split the Service in two that share an address.",
		})
	}
}
