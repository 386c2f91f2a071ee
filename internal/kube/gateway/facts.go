package gateway

import (
	"fmt"

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
	GatewayNamespace string `yaml:"gatewayNamespace"`
	// CertificateMaps names the certificate map of a group, for global classes. The key * is for all groups that have no own.
	CertificateMaps map[string]string `yaml:"certificateMaps"`
	// Certificates says what replaces a certificate, by its ARN or, where the ALB found it by itself, by the host.
	Certificates map[string]Certificate `yaml:"certificates"`
	// Addresses are names of reserved addresses, by group or, for Services of type LoadBalancer, by Service.
	Addresses map[string]string `yaml:"addresses"`
	// SSLPolicies are names of SSL policies in Google Cloud, by the name of AWS's policy.
	SSLPolicies map[string]string `yaml:"sslPolicies"`
	// SecurityPolicies are names of Cloud Armor policies, by group.
	SecurityPolicies map[string]string `yaml:"securityPolicies"`
	// IAP are the clients by which users log in, by Service.
	IAP map[string]IAP `yaml:"iap"`
	// StickyRemembered lets the load balancer remember the Pod of a client (GCPSessionAffinityPolicy) instead of computing it by a hash.
	StickyRemembered bool `yaml:"stickyRemembered"`
	// Paths says which prefixes a pattern stands for that Gateway API cannot say, such as /shop* or a regular expression.
	Paths map[string][]string `yaml:"paths"`
	// ServicePorts resolves names of ports, where the Service is not among the objects: namespace/name:port.
	ServicePorts map[string]int64 `yaml:"servicePorts"`
}

// Certificate is what replaces one of AWS: a certificate of Certificate Manager by its name, for regional and internal classes, or a
// Secret as namespace/name, for all.
type Certificate struct {
	Name   string `yaml:"name"`
	Secret string `yaml:"secret"`
}

// IAP is a client of Identity-Aware Proxy; Secret is the Kubernetes Secret that holds the client's secret under the key «key».
type IAP struct {
	ClientID string `yaml:"clientID"`
	Secret   string `yaml:"secret"`
}

// ParseFacts reads facts as YAML. A key that is not known is an error, and so is a value that nothing can be made of.
func ParseFacts(text []byte) (*Facts, error) {
	f := &Facts{}
	if err := yaml.UnmarshalWithOptions(text, f, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("%s", yaml.FormatError(err, false, false))
	}
	switch f.External {
	case "", "global", "regional":
	default:
		return nil, fmt.Errorf("external is %q; it is global or regional", f.External)
	}
	return f, nil
}
