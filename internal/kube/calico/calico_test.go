package calico_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bascule/bascule/internal/kube/calico"
	"github.com/bascule/bascule/internal/kube/manifest"
)

func read(t testing.TB, text string) []*manifest.Object {
	t.Helper()
	set, err := manifest.Read(strings.NewReader(text), "-")
	if err != nil {
		t.Fatal(err)
	}
	return set.Objects
}

// policy is a NetworkPolicy of Calico, and the two namespaces.
func policy(spec string) string {
	return namespaceObjects + "apiVersion: projectcalico.org/v3\nkind: NetworkPolicy\nmetadata: {name: m, namespace: a}\nspec: {" + spec + "}\n---\n"
}

func global(spec string) string {
	return namespaceObjects + "apiVersion: crd.projectcalico.org/v1\nkind: GlobalNetworkPolicy\nmetadata: {name: default.m}\nspec: {" + spec + "}\n---\n"
}

func only(t testing.TB, text string) *calico.Outcome {
	t.Helper()
	for o, outcome := range calico.Translate(read(t, text)) {
		if strings.HasSuffix(o.Name, "m") {
			return outcome
		}
	}
	t.Fatal("there is no policy")
	return nil
}

// selected writes which pods of the policy's objects are selected.
func selected(o *calico.Outcome) string {
	var out []string
	for _, x := range o.Objects {
		out = append(out, fmt.Sprint(x["spec"].(map[string]any)["podSelector"]))
	}
	return strings.Join(out, " | ")
}

// TestSelectors holds selectors to what Calico's documentation says of them.
func TestSelectors(t *testing.T) {
	for text, want := range map[string]string{
		"":                         "map[]",
		"all( )":                   "map[]",
		"a == 'x'":                 "map[matchLabels:map[a:x]]",
		`a=="x"&&has(b)`:           "map[matchExpressions:[map[key:b operator:Exists]] matchLabels:map[a:x]]",
		"a != 'x'":                 "map[matchExpressions:[map[key:a operator:NotIn values:[x]]]]",
		"!(a != 'x')":              "map[matchLabels:map[a:x]]",
		"!has(a)":                  "map[matchExpressions:[map[key:a operator:DoesNotExist]]]",
		"a in { 'y', 'x', 'x' }":   "map[matchExpressions:[map[key:a operator:In values:[x y]]]]",
		"a not in {'x'} && !all()": "",
		"a == 'x' || a == 'y'":     "map[matchExpressions:[map[key:a operator:In values:[x y]]]]",
		"a == 'x' || b == 'y'":     "map[matchLabels:map[a:x]] | map[matchLabels:map[b:y]]",
		"a == 'x' && a == 'y'":     "",
		"a == 'x' && !has(a)":      "",
		"has(a) && a != 'x'":       "map[matchExpressions:[map[key:a operator:Exists] map[key:a operator:NotIn values:[x]]]]",
		"!(a == 'x' && b == 'y')":  "map[matchExpressions:[map[key:a operator:NotIn values:[x]]]] | map[matchExpressions:[map[key:b operator:NotIn values:[y]]]]",
		"app.k8s.io/n == 'x'":      "map[matchLabels:map[app.k8s.io/n:x]]",
		"a == 'no label'":          "", // no pod has such a value
		"a != 'no label'":          "map[]",
		"global()":                 "",
		"projectcalico.org/namespace == 'a' && a == 'x'":                             "map[matchLabels:map[a:x]]",
		"projectcalico.org/namespace == 'b'":                                         "",
		"pcns.env == 'x'":                                                            "map[]",
		"pcns.env starts with 'y'":                                                   "",
		"projectcalico.org/orchestrator == 'k8s'":                                    "map[]",
		"a == 'x' || (b == 'y' || !has(c)) && all()":                                 "map[matchLabels:map[a:x]] | map[matchLabels:map[b:y]] | map[matchExpressions:[map[key:c operator:DoesNotExist]]]",
		"(a == 'x' && b == 'x') || (a == 'y' && b == 'y')":                           "map[matchLabels:map[a:x b:x]] | map[matchLabels:map[a:y b:y]]",
		"in == 'x' && not in {'x'}":                                                  "map[matchLabels:map[in:x not:x]]",
		"hasty == 'x' && all == 'y'":                                                 "map[matchLabels:map[all:y hasty:x]]",
		"(a == 'x' || a == 'y') && (a == 'y' || a == 'z')":                           "map[matchLabels:map[a:y]]",
		strings.Repeat("(", 60) + "a == 'x'" + strings.Repeat(")", 60):               "map[matchLabels:map[a:x]]",
		"a in {} || b == \"it's\" || c == 'x'":                                       "map[matchLabels:map[c:x]]",
		"has(a) && has(b) && (a in {'x'} || b not in {'y'})&& !(a == 'x'||b != 'y')": "",
	} {
		o := only(t, policy(fmt.Sprintf("selector: %q", text)))
		if got := selected(o); got != want || len(o.Blocks) > 0 {
			t.Errorf("%s:\n got %s %v\nwant %s", text, got, o.Blocks, want)
		}
	}
}

// TestLeft: a policy whose pods or place cannot be said is left behind, with a blocker that says so.
func TestLeft(t *testing.T) {
	for spec, why := range map[string]string{
		"selector: \"a contains 'x'\"":                          "compared by a part",
		"selector: \"pcsa.team == 'x'\"":                        "Calico's own",
		"selector: \"projectcalico.org/serviceaccount == 'x'\"": "Calico's own",
		"selector: \"a = 'x'\"":                                 "cannot be read",
		"selector: \"a ==\"":                                    "without quotes",
		"selector: \"a == 'x\"":                                 "a quote is not closed",
		"selector: \"a\"":                                       "nothing compares",
		"selector: \"(a == 'x'\"":                               "parenthesis is not closed",
		"selector: \"a == 'x' b\"":                              "stands behind its end",
		"selector: \"&& a\"":                                    "a label is missing",
		"selector: \"a in ['x']\"":                              "not followed by {",
		"selector: \"a in {'x' 'y'}\"":                          "a set is not closed",
		"selector: \"a not 'x'\"":                               "not followed by in",
		"selector: \"a starts 'x'\"":                            "not followed by with",
		"selector: \"a ends 'x'\"":                              "not followed by with",
		"selector: \"has()\"":                                   "names no label",
		"selector: \"all(\"":                                    "all( is not closed",
		"selector: \"" + strings.Repeat("(", 80) + "\"":         "more than 64 deep",
		"selector: \"" + strings.Repeat("a", 5000) + "\"":       "5000 characters",
		"tier: security":                                        "of the tier security",
		"serviceAccountSelector: \"a == 'x'\"":                  "by their service accounts",
		"doNotTrack: true":                                      "about nodes",
		"invented: true":                                        "Nobody here knows invented",
		"namespaceSelector: all()":                              "has no namespaceSelector",
		"selector: \"" + large() + "\"":                         "too many cases",
		"selector: \"!(projectcalico.org/name contains 'x')\"":  "Calico's own",
		"selector: \"!(a ends with 'x' && a starts with 'y')\"": "compared by a part",
	} {
		o := only(t, policy(spec))
		if !o.Left || len(o.Objects) > 0 || len(o.Blocks) == 0 || !strings.Contains(o.Blocks[0].What, why) || !strings.Contains(o.Blocks[0].What, "would be allowed") {
			t.Errorf("%.80s: %+v", spec, o)
		}
	}
	if o := only(t, strings.Replace(policy(""), "name: m", "name: knp.default.m", 1)); !o.Left || len(o.Blocks) > 0 {
		t.Errorf("%+v", o)
	}
}

// large is an expression that comes to many cases.
func large() string {
	var parts []string
	for i := range 8 {
		parts = append(parts, fmt.Sprintf("(a%d == 'x' || b%d == 'y')", i, i))
	}
	return strings.Join(parts, " && ")
}

// TestCut: a rule that cannot be said is left out, and that is told.
func TestCut(t *testing.T) {
	for rule, why := range map[string]string{
		"{action: Allow, notProtocol: TCP}":                                                "notProtocol",
		"{action: Allow, protocol: UDPLite}":                                               "protocol UDPLite",
		"{action: Allow, http: {methods: [GET]}}":                                          "http",
		"{action: Allow, source: {ports: [80]}, protocol: TCP}":                            "source.ports",
		"{action: Allow, source: {notSelector: \"a == 'x'\"}}":                             "notSelector",
		"{action: Allow, source: {serviceAccounts: {names: [a]}}}":                         "serviceAccounts",
		"{action: Allow, source: {nets: [10.0.0.0/8], selector: \"a == 'x'\"}}":            "ranges and selectors together",
		"{action: Allow, source: {nets: [ten]}}":                                           "cannot be read",
		"{action: Allow, source: {selector: \"a =\"}}":                                     "cannot be read",
		"{action: Allow, source: {selector: \"a contains 'x'\"}}":                          "compared by a part",
		"{action: Allow, destination: {nets: [10.0.0.0/8]}}":                               "nets of its own side",
		"{action: Allow, destination: {ports: [80]}}":                                      "ports without a protocol",
		"{action: Allow, protocol: TCP, destination: {ports: ['9:8']}}":                    "the port 9:8",
		"{action: Allow, protocol: TCP, destination: {notPorts: [http]}}":                  "notPorts by name",
		"{action: Allow, ipVersion: 4}":                                                    "ipVersion",
		"{action: Allow, invented: 1}":                                                     "invented",
		"{action: Allow, source: {services: {name: none}}}":                                "a Service that is not at hand",
		"{action: Allow, source: {selector: \"projectcalico.org/serviceaccount == 'x'\"}}": "Calico's own",
		"{action: Allow, source: {namespaceSelector: all(), selector: \"n == 'names'\"}}":  "names of hosts",
		"{action: Pass}":   "next tier",
		"{action: Refuse}": "an action that is none",
	} {
		o := only(t, policy("ingress: ["+rule+"]")+"apiVersion: projectcalico.org/v3\nkind: NetworkSet\nmetadata: {name: s, namespace: b, labels: {n: names}}\nspec: {allowedEgressDomains: [x.example]}\n")
		if o.Left || len(o.Objects) != 1 || len(o.Blocks) == 0 || !strings.Contains(o.Blocks[0].What, why) || !strings.Contains(o.Blocks[0].What, "cut") {
			t.Errorf("%s: %+v", rule, o)
			continue
		}
		if spec := o.Objects[0]["spec"].(map[string]any); spec["ingress"] != nil {
			t.Errorf("%s: it allows %v", rule, spec["ingress"])
		}
	}
}

// ingress writes what one policy lets in.
func ingress(o *calico.Outcome) string {
	var out []string
	for _, x := range o.Objects {
		out = append(out, fmt.Sprint(x["spec"].(map[string]any)["ingress"]))
	}
	return strings.Join(out, "\n")
}

// TestPeers: sets of networks, Services and ports by their names.
func TestPeers(t *testing.T) {
	const others = `
apiVersion: projectcalico.org/v3
kind: GlobalNetworkSet
metadata: {name: g, labels: {n: g}}
spec: {nets: [192.0.2.1, "2001:db8::/32"]}
---
apiVersion: projectcalico.org/v3
kind: NetworkSet
metadata: {name: s, namespace: b, labels: {n: s}}
spec: {nets: [198.51.100.0/24]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: b}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: http}, {port: 53, protocol: UDP}]}
`
	for rule, want := range map[string]string{
		"source: {namespaceSelector: global(), selector: \"n == 'g'\"}":             "[map[from:[map[ipBlock:map[cidr:192.0.2.1/32]] map[ipBlock:map[cidr:2001:db8::/32]]]]]",
		"source: {namespaceSelector: \"env == 'y'\", selector: \"n == 's'\"}":       "[map[from:[map[namespaceSelector:map[matchLabels:map[env:y]] podSelector:map[matchLabels:map[n:s]]] map[ipBlock:map[cidr:198.51.100.0/24]]]]]",
		"source: {selector: \"n == 's'\"}":                                          "[map[from:[map[podSelector:map[matchLabels:map[n:s]]]]]]",
		"source: {namespaceSelector: \"projectcalico.org/name == 'b'\"}":            "[map[from:[map[namespaceSelector:map[matchLabels:map[kubernetes.io/metadata.name:b]]] map[ipBlock:map[cidr:198.51.100.0/24]]]]]",
		"source: {services: {name: web, namespace: b}}":                             "[map[from:[map[namespaceSelector:map[matchLabels:map[kubernetes.io/metadata.name:b]] podSelector:map[matchLabels:map[app:web]]]] ports:[map[port:http protocol:TCP] map[port:53 protocol:UDP]]]]",
		"protocol: 6, destination: {ports: [http, 80]}":                             "[map[ports:[map[port:http protocol:TCP] map[port:80 protocol:TCP]]]]",
		"protocol: TCP, destination: {ports: [0]}":                                  "<nil>",
		"source: {nets: [203.0.113.0/24], notNets: [203.0.113.0/25, 192.0.2.0/24]}": "[map[from:[map[ipBlock:map[cidr:203.0.113.0/24 except:[203.0.113.0/25]]]]]]",
		"source: {nets: [203.0.113.0/24], notNets: [203.0.112.0/23]}":               "<nil>",
	} {
		o := only(t, policy("ingress: [{action: allow, "+rule+"}]")+others)
		if diff := cmp.Diff(want, ingress(o)); diff != "" || len(o.Blocks) > 0 {
			t.Errorf("%s: %v\n%s", rule, o.Blocks, diff)
		}
	}
}

// TestCluster: a policy of the cluster is written for its namespaces, and not for those of the cluster's maker.
func TestCluster(t *testing.T) {
	in := global("selector: all(), namespaceSelector: \"has(env)\"") + "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: c}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: kube-system, labels: {env: z}}\n"
	o := only(t, in)
	var where []string
	for _, x := range o.Objects {
		meta := x["metadata"].(map[string]any)
		where = append(where, fmt.Sprint(meta["namespace"], "/", meta["name"]))
	}
	if got := strings.Join(where, " "); got != "a/m b/m" {
		t.Error(got)
	}
	if len(o.Blocks) != 1 || !strings.Contains(o.Blocks[0].What, "the namespaces c depends on their labels") {
		t.Error(o.Blocks)
	}
}

// TestMetadata: pods are kept from the metadata server of AWS, and need that of GKE.
func TestMetadata(t *testing.T) {
	o := only(t, global("order: 10, selector: \"app != 'kube2iam'\", types: [Egress], egress: [{action: Deny, destination: {nets: [169.254.169.254/32]}}, {action: Allow}]"))
	if len(o.Blocks) > 0 || len(o.Objects) != 2 || !strings.Contains(fmt.Sprint(o.Notes), "metadata server of AWS") {
		t.Errorf("%+v", o)
	}
	if got := fmt.Sprint(o.Objects[0]["spec"].(map[string]any)["egress"]); got != "[map[]]" {
		t.Error(got)
	}
}

// TestOverruled: a Deny that held against a NetworkPolicy of Kubernetes does not any more, and only one that did is told.
func TestOverruled(t *testing.T) {
	const theirs = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: theirs, namespace: a}\nspec: {podSelector: {matchLabels: {app: web}}, egress: [{to: [{ipBlock: {cidr: 203.0.113.0/24}}]}]}\n"
	for spec, want := range map[string]bool{
		"order: 10, egress: [{action: Deny, destination: {nets: [203.0.113.7/32]}}]":                            true,
		"order: 10, egress: [{action: Deny}]":                                                                   true,
		"order: 10, egress: [{action: Deny, destination: {nets: [198.51.100.7/32]}}]":                           false,
		"order: 2000, egress: [{action: Deny, destination: {nets: [203.0.113.7/32]}}]":                          false,
		"order: 10, ingress: [{action: Deny}]":                                                                  false,
		"order: 10, selector: \"app == 'db'\", egress: [{action: Deny, destination: {nets: [203.0.113.7/32]}}]": false,
	} {
		o := only(t, policy(spec)+theirs)
		told := len(o.Blocks) > 0 && strings.Contains(o.Blocks[0].What, "would be allowed")
		if told != want {
			t.Errorf("%s: %v", spec, o.Blocks)
		}
	}
}

// FuzzSelector: an expression is read or refused. One that is read means the same in parentheses.
func FuzzSelector(f *testing.F) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		f.Add(randomExpression(rng, podKeys, 3).text)
	}
	f.Add("a in {'x'")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ContainsAny(text, "\x00\r") {
			return
		}
		objects := func(s string) []*manifest.Object {
			return []*manifest.Object{{Group: "projectcalico.org", Version: "v3", Kind: "NetworkPolicy", Namespace: "a", Name: "m", Value: map[string]any{"spec": map[string]any{"selector": s}}}}
		}
		outcome := func(o []*manifest.Object) *calico.Outcome { return calico.Translate(o)[o[0]] }
		plain := outcome(objects(text))
		if plain.Left || strings.TrimSpace(text) == "" {
			return
		}
		if same := outcome(objects("(" + text + ")")); len(text) < 4000 && !strings.Contains(text, strings.Repeat("(", 50)) && !same.Left && selected(same) != selected(plain) {
			t.Errorf("%q: %s, in parentheses %s", text, selected(plain), selected(same))
		}
	})
}
