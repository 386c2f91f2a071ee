package gateway

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// Facts are what the objects cannot tell and somebody has to say. Keys of a Service, an Ingress or a group without a name are
// namespace/name; a group that has a name is its name.
type Facts struct {
	// External is the class of what faces the internet: global, the default, or regional.
	External string `yaml:"external"`
	// Classes are the values of kubernetes.io/ingress.class that the controller reacts to; alb unless named.
	Classes []string `yaml:"classes"`
	// Classless says that the controller takes Ingresses without any class.
	Classless bool `yaml:"classless"`
	// GatewayNamespace is where the Gateways of groups with a name live. Unless named, where the group's first member lives.
	GatewayNamespace string `yaml:"gateway-namespace"`
	// CertificateMaps names the certificate map of a group, for global classes. The key * is for all groups that have no own.
	CertificateMaps map[string]string `yaml:"certificate-maps"`
	// Certificates says what replaces a certificate, by its ARN or, where the ALB found it by itself, by the host.
	Certificates map[string]Certificate `yaml:"certificates"`
	// Addresses are names of reserved addresses, by group or, for Services of type LoadBalancer, by Service.
	Addresses map[string]string `yaml:"addresses"`
	// SSLPolicies are names of SSL policies in Google Cloud, by the name of AWS's policy.
	SSLPolicies map[string]string `yaml:"ssl-policies"`
	// SecurityPolicies are names of Cloud Armor policies, by group.
	SecurityPolicies map[string]string `yaml:"security-policies"`
	// ServiceSecurityPolicies are names of Cloud Armor policies, by Service: each has all that guards its Service.
	ServiceSecurityPolicies map[string]string `yaml:"service-security-policies"`
	// IAP are the clients by which users log in, by Service.
	IAP map[string]IAP `yaml:"iap"`
	// AuthProxies are Services that authenticate before they pass a request on, such as oauth2-proxy, by the Service behind them.
	AuthProxies map[string]AuthProxy `yaml:"auth-proxies"`
	// InService says what a Service, or a mesh before it, does by itself: auth, jwt, transforms.
	InService map[string][]string `yaml:"in-service"`
	// ServerTLSPolicies are names of the policies that verify clients' certificates, by group.
	ServerTLSPolicies map[string]string `yaml:"server-tls-policies"`
	// StickyRemembered lets the load balancer remember the Pod of a client (GCPSessionAffinityPolicy) instead of computing it by a hash.
	StickyRemembered bool `yaml:"sticky-remembered"`
	// Paths says which prefixes a pattern stands for that Gateway API cannot say, such as /shop* or a regular expression.
	Paths map[string][]string `yaml:"paths"`
	// ServicePorts resolves names of ports, where the Service is not among the objects: namespace/name:port.
	ServicePorts map[string]int64 `yaml:"service-ports"`
}

// Certificate is what replaces one of AWS: a certificate of Certificate Manager by its name, for regional and internal classes, or a
// Secret as namespace/name, for all.
type Certificate struct {
	Name   string `yaml:"name"`
	Secret string `yaml:"secret"`
}

// IAP is a client of Identity-Aware Proxy; Secret is the Kubernetes Secret that holds the client's secret under the key «key».
type IAP struct {
	ClientID string `yaml:"client-id"`
	Secret   string `yaml:"secret"`
}

// AuthProxy is a Service of the same namespace as the one behind it. Its port is 80 unless said.
type AuthProxy struct {
	Service string `yaml:"service"`
	Port    int64  `yaml:"port"`
}

// ParseFacts reads facts as YAML. A key that is not known is an error, and so is a value that nothing can be made of.
func ParseFacts(text []byte) (*Facts, error) {
	f := &Facts{}
	if err := yaml.UnmarshalWithOptions(text, f, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("%s", yaml.FormatError(err, false, false))
	}
	if err := f.Check(); err != nil {
		return nil, err
	}
	return f, nil
}

// Check says what nothing can be made of.
func (f *Facts) Check() error {
	switch f.External {
	case "", "global", "regional":
	default:
		return fmt.Errorf("external is %q; it is global or regional", f.External)
	}
	for _, key := range slices.Sorted(maps.Keys(f.AuthProxies)) {
		p := f.AuthProxies[key]
		_, name, ok := strings.Cut(key, "/")
		switch _, iap := f.IAP[key]; {
		case iap:
			return fmt.Errorf("both iap and auth-proxies name %s; requests pass one of them", key)
		case !ok || !serviceName.MatchString(p.Service) || p.Service == name || p.Port < 0 || p.Port > 65535:
			return fmt.Errorf("auth-proxies says %q, port %d, for %s; it is {service: NAME, port: NUMBER} of another Service, by namespace/name", p.Service, p.Port, key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(f.InService)) {
		for _, what := range f.InService[key] {
			if !slices.Contains([]string{"auth", "jwt", "transforms"}, what) {
				return fmt.Errorf("in-service says %q of %s; it is auth, jwt or transforms", what, key)
			}
		}
	}
	return nil
}

var serviceName = regexp.MustCompile(`^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$`)
