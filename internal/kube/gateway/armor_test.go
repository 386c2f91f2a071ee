package gateway_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/bascule/bascule/internal/kube/gateway"
)

// TestCombinedRangesLetInWhatBothLetIn: the policy of a Service that has ranges of its own lets an address in exactly if the load balancer and the rule do.
func TestCombinedRangesLetInWhatBothLetIn(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		some := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
			base := netip.AddrFrom4([4]byte{10, 0, 0, byte(rapid.IntRange(0, 31).Draw(t, "address"))})
			return netip.PrefixFrom(base, rapid.IntRange(27, 32).Draw(t, "bits")).Masked().String()
		}), 1, 4)
		inbound, sources := some.Draw(rt, "inbound"), some.Draw(rt, "sources")
		text := fmt.Sprintf(`{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: web, namespace: shop, annotations: {
			kubernetes.io/ingress.class: alb, alb.ingress.kubernetes.io/inbound-cidrs: "%s",
			alb.ingress.kubernetes.io/conditions.admin: '[{"field":"source-ip","sourceIpConfig":{"values":["%s"]}}]'}},
			spec: {rules: [{http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: admin, port: {number: 80}}}}]}}]}}`,
			strings.Join(inbound, ","), strings.Join(sources, `","`))
		result := gateway.Translate(read(t, text), nil)
		var detail []string
		for _, o := range result.Objects {
			if o.Kind != "GCPBackendPolicy" {
				continue
			}
			written, err := o.Text()
			if err != nil {
				rt.Fatal(err)
			}
			for _, n := range result.Needs {
				if strings.Contains(string(written), "securityPolicy: "+n.Name+"\n") {
					detail = n.Detail
				}
			}
		}
		for last := range 32 {
			client := netip.AddrFrom4([4]byte{10, 0, 0, byte(last)})
			in := func(prefix string, list []string) bool {
				return slices.ContainsFunc(list, func(s string) bool {
					p, err := netip.ParsePrefix(strings.TrimPrefix(s, prefix))
					return err == nil && p.Contains(client)
				})
			}
			if want := in("", inbound) && in("", sources); in("allow ", detail) != want {
				rt.Fatalf("%s: let in %t by %q, of %q and %q", client, !want, detail, inbound, sources)
			}
		}
	})
}
