package translate

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// policies are the rows about what is allowed.
func policies() []Rule {
	return []Rule{
		{ID: "policy-calico", Source: "policies of projectcalico.org", Target: "NetworkPolicy, for each namespace where they are the cluster's; what it cannot say is closed, and blocks", Verdict: Changed, Apply: calicoPolicy},
		{ID: "policy-vpc", Source: "SecurityGroupPolicy, ENIConfig", Target: "NetworkPolicy, firewall rules, secondary ranges", Verdict: None, Kinds: []string{"SecurityGroupPolicy", "ENIConfig", "CNINode"}, Apply: vpc},
		{ID: "policy-network-ranges", Source: "NetworkPolicy with address ranges of the VPC", Target: "the ranges that networks names", Verdict: Changed, Kinds: []string{"NetworkPolicy"}, Apply: ranges},
		{ID: "policy-metadata", Source: "NetworkPolicy that limits egress", Target: "with the metadata server, which Workload Identity needs", Verdict: Changed, Kinds: []string{"NetworkPolicy"}, Apply: metadataServer},
	}
}

func vpc(w *work) {
	if !strings.HasSuffix(w.Group, ".k8s.aws") && !strings.HasSuffix(w.Group, ".amazonaws.com") {
		return
	}
	if w.Kind == "SecurityGroupPolicy" {
		w.blocks("Pods have no security groups on GKE: what this one keeps out would come in.", "write NetworkPolicies for what comes from pods, firewall rules for what comes from elsewhere")
	} else {
		w.tell("It says from which subnets pods get addresses; on GKE secondary ranges of the subnet say it.")
	}
	w.drop("only AWS reads it")
}

var private = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("100.64.0.0/10")}

// ranges translates address ranges of the network that pods were in. Public ones are somebody else's and stay.
func ranges(w *work) {
	if w.Group != "networking.k8s.io" && w.Group != "extensions" {
		return
	}
	for _, way := range []struct{ list, side string }{{"ingress", "from"}, {"egress", "to"}} {
		for i := range w.list("spec", way.list) {
			for j := range w.list("spec", way.list, strconv.Itoa(i), way.side) {
				w.block("spec", way.list, strconv.Itoa(i), way.side, strconv.Itoa(j), "ipBlock")
			}
		}
	}
}

// block translates a range and what is left out of it together, or not at all: what is left out has to lie within the range, or an API server
// refuses the policy, and then nothing keeps anybody out.
func (w *work) block(path ...string) {
	paths := [][]string{join(path, "cidr")}
	for i := range w.list(join(path, "except")...) {
		paths = append(paths, join(path, "except", strconv.Itoa(i)))
	}
	open, to := false, make([]string, len(paths))
	for i, p := range paths {
		from := w.text(p...)
		if to[i] = w.in.Decisions.Networks[from]; to[i] == "" {
			to[i] = from
			if ours(from) {
				open = true
				w.at(p...).asks("Which range of the new network stands for "+from+"?", fmt.Sprintf("networks: {%q: RANGE}  # itself, where it stays", from))
			}
		}
	}
	if open {
		return
	}
	for i, p := range paths {
		from := w.text(p...)
		if to[i] == from {
			continue
		}
		if lost := slices.IndexFunc(to[1:], func(except string) bool { return !within(except, to[0]) }); lost >= 0 {
			w.at(path...).blocks(to[1:][lost]+" is left out of "+to[0]+" and does not lie within it: no API server takes the policy so, and it stays as it is.", "correct networks in "+w.in.File)
			return
		}
		w.set("by networks", to[i], p...)
		w.note("It is about "+to[i]+" where it was about "+from+".", "")
	}
}

// ours reports whether a range is part of a private network: one that the pods were in, or one that is reached from it.
func ours(text string) bool {
	p, err := netip.ParsePrefix(text)
	return err == nil && p.Bits() > 0 && slices.ContainsFunc(private, func(r netip.Prefix) bool {
		return r.Overlaps(p) && p.Bits() >= r.Bits() && text != r.String()
	})
}

// within reports whether a range is a part of another, and not all of it.
func within(part, whole string) bool {
	p, err := netip.ParsePrefix(part)
	q, err2 := netip.ParsePrefix(whole)
	return err == nil && err2 == nil && p.Bits() > q.Bits() && q.Contains(p.Addr())
}

// metadataServer lets pods whose egress is limited reach the metadata server, without which they have no identity. Where it is depends on the
// data plane; both addresses are link-local and lead to nothing else.
func metadataServer(w *work) {
	if w.Group != "networking.k8s.io" && w.Group != "extensions" {
		return
	}
	if !LimitsEgress(w.mapping("spec")) {
		return
	}
	to := func(ip string, ports ...int64) map[string]any {
		var list []any
		for _, p := range ports {
			list = append(list, map[string]any{"protocol": "TCP", "port": p})
		}
		return map[string]any{"to": []any{map[string]any{"ipBlock": map[string]any{"cidr": ip}}}, "ports": list}
	}
	changed := false
	for _, way := range []struct {
		why  string
		rule map[string]any
	}{
		{"Workload Identity on Dataplane V2", to("169.254.169.254/32", 80, 8080)},
		{"Workload Identity with Calico", to("169.254.169.252/32", 987, 988)},
	} {
		if !slices.ContainsFunc(w.list("spec", "egress"), func(e any) bool { return reflect.DeepEqual(e, way.rule) }) {
			w.add(way.why, way.rule, "spec", "egress")
			changed = true
		}
	}
	if !changed {
		return // it was translated before
	}
	w.note("It limits egress, and would cut pods from the metadata server, which looks like an authentication that times out; so that is allowed.", "remove the one of the two that the cluster's data plane does not use, in overrides/")
}

// LimitsEgress says whether the specification of a NetworkPolicy lets the pods that it selects reach some places only.
func LimitsEgress(spec map[string]any) bool {
	egress, _ := spec["egress"].([]any)
	limits := egress != nil
	types, _ := spec["policyTypes"].([]any)
	for _, t := range types {
		limits = limits || t == "Egress"
	}
	for _, e := range egress {
		if m, ok := e.(map[string]any); ok && len(m) == 0 {
			return false // everything is allowed
		}
	}
	return limits
}
