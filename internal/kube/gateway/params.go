package gateway

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/bascule/bascule/internal/kube/manifest"
)

// classSettings are the settings of the IngressClassParams that a class names, by the suffix of the annotation that they overrule.
func (w *world) classSettings(in *ingress, class *manifest.Object) map[string]string {
	if class == nil || str(class.Value, "spec", "parameters", "kind") != "IngressClassParams" {
		return nil
	}
	name := str(class.Value, "spec", "parameters", "name")
	params := w.params[name]
	if params == nil {
		w.notes.about(class, remark{
			verdict: None, code: "class-parameters-missing", row: "scheme-external", what: fmt.Sprintf("IngressClassParams %s was not read, and it overrules the annotations of every Ingress of this class.", name),
			do: "Read it too.",
		})
		return nil
	}
	over := map[string]string{}
	spec, _ := at(params.Value, "spec").(map[string]any)
	for field, v := range spec {
		if suffix, value, ok := classSetting(field, v); ok {
			if value != "" {
				over[suffix] = value
			}
			continue
		}
		w.notes.about(params, remark{
			verdict: None, code: "class-parameter", row: "scheme-external", what: fmt.Sprintf("spec.%s is not known to this translation.", field),
			do: "Say by hand what it means for the Gateways of this class.",
		})
	}
	w.overruled(in, params, over)
	w.selector(params)
	return over
}

// overruled notes annotations that a class makes void.
func (w *world) overruled(in *ingress, params *manifest.Object, over map[string]string) {
	for suffix, value := range over {
		if said, ok := in.annotations[ingressPrefix+suffix]; ok && said != value {
			w.notes.on(in.o, ingressPrefix+suffix, remark{
				verdict: Same, code: "overruled-by-class", what: fmt.Sprintf("%s says %q, and overrules it.", params, value),
			})
		}
	}
}

// selector notes that a class is for some namespaces only: the controller refuses the others.
func (w *world) selector(params *manifest.Object) {
	if at(params.Value, "spec", "namespaceSelector") == nil {
		return
	}
	w.notes.about(params, remark{
		verdict: Changed, code: "class-namespaces", row: "group-name", what: "The class is for some namespaces only; a Gateway says so by allowedRoutes, which names the namespaces of the members that were read.",
		do: "Check that every member that was read is one that the selector admits.",
	})
}

// classSetting turns a field of IngressClassParams into the annotation that it overrules.
func classSetting(field string, v any) (suffix, value string, ok bool) {
	direct := map[string]string{
		"scheme": "scheme", "ipAddressType": "ip-address-type", "sslPolicy": "ssl-policy", "targetType": "target-type", "sslRedirectPort": "ssl-redirect",
		"wafv2AclArn": "wafv2-acl-arn", "wafv2AclName": "wafv2-acl-name",
	}
	lists := map[string]string{"inboundCIDRs": "inbound-cidrs", "certificateArn": "certificate-arn", "prefixListsIDs": "security-group-prefix-lists", "PrefixListsIDs": "security-group-prefix-lists"}
	switch {
	case direct[field] != "":
		return direct[field], scalarText(v), true
	case lists[field] != "":
		return lists[field], strings.Join(texts(v), ","), true
	}
	switch field {
	case "namespaceSelector":
		return "", "", true
	case "group":
		return "group.name", str(v, "name"), true
	case "tags":
		return "tags", attributesText(v), true
	case "loadBalancerAttributes":
		return "load-balancer-attributes", attributesText(v), true
	case "subnets":
		ids := texts(v, "ids")
		if at(v, "tags") != nil {
			ids = append(ids, "tags")
		}
		return "subnets", strings.Join(ids, ","), true
	case "minimumLoadBalancerCapacity":
		return "minimum-load-balancer-capacity", "CapacityUnits=" + scalarText(at(v, "capacityUnits")), true
	case "ipamConfiguration":
		return "ipam-ipv4-pool-id", str(v, "ipv4IPAMPoolId"), true
	case "listeners":
		return "listener-attributes", fmt.Sprint(len(list(v))), true
	}
	return "", "", false
}

func scalarText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	}
	return ""
}

// attributesText writes a list of key and value as annotations do: key=value,key=value.
func attributesText(v any) string {
	var out []string
	for _, a := range list(v) {
		out = append(out, str(a, "key")+"="+str(a, "value"))
	}
	slices.Sort(out)
	return strings.Join(out, ",")
}
