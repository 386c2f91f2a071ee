package gateway_test

import (
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/kube/gateway"
)

// TestFactsRefuse: what would leave a Service open, or mean nothing, is refused.
func TestFactsRefuse(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"a login twice":       {"iap: {a/b: {client-id: c, secret: d}}\nauth-proxies: {a/b: {service: e}}", "one of them"},
		"a proxy of itself":   {"auth-proxies: {a/b: {service: b}}", "another Service"},
		"no name":             {"auth-proxies: {a/b: {port: 80}}", "another Service"},
		"no namespace":        {"auth-proxies: {b: {service: c}}", "namespace/name"},
		"an unknown deed":     {"in-service: {a/b: [everything]}", "auth, jwt or transforms"},
		"an unknown key":      {"in-services: {}", "in-services"},
		"neither nor outside": {"external: both", "global or regional"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := gateway.ParseFacts([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
