package translate_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/kube/translate"
)

func rules() []translate.Rule {
	var out []translate.Rule
	for _, t := range append(translate.Topics(), translate.Phases()) {
		out = append(out, t.Rules...)
	}
	return out
}

// TestEveryRowHasAStory fails for a rule without a story, a story without a rule, and a row that two rules claim.
func TestEveryRowHasAStory(t *testing.T) {
	for _, gap := range rowGaps(t, rules()) {
		t.Error(gap)
	}
}

// TestARemovedRowIsNoticed takes every row out in turn: the check above names each.
func TestARemovedRowIsNoticed(t *testing.T) {
	all := rules()
	for i, r := range all {
		if got := rowGaps(t, slices.Concat(all[:i], all[i+1:])); !slices.Equal(got, []string{string(r.ID) + ".txtar tells of no rule"}) {
			t.Errorf("without %s it says %q", r.ID, got)
		}
	}
}

func rowGaps(t *testing.T, rules []translate.Rule) (gaps []string) {
	t.Helper()
	ids := map[string]bool{}
	for _, r := range rules {
		if ids[string(r.ID)] {
			gaps = append(gaps, string(r.ID)+" stands twice")
		}
		ids[string(r.ID)] = true
		if r.Source == "" || r.Target == "" || !slices.Contains([]translate.Verdict{translate.Mechanical, translate.Changed, translate.Resource, translate.None}, r.Verdict) {
			gaps = append(gaps, string(r.ID)+" is no row")
		}
		if _, err := os.Stat("testdata/" + string(r.ID) + ".txtar"); err != nil {
			gaps = append(gaps, string(r.ID)+" has no story")
		}
	}
	files, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if id, ok := strings.CutSuffix(f.Name(), ".txtar"); ok && !ids[id] {
			gaps = append(gaps, f.Name()+" tells of no rule")
		}
	}
	return gaps
}

// lines of the reference's tables, by section and number, and the rules that carry them out. A line without a rule says why.
var lines = map[string][]string{
	"3.2": {
		"service-load-balancer", "service-load-balancer", "service-load-balancer", "service-load-balancer", "service-load-balancer service-proxy-protocol", "service-load-balancer", "service-load-balancer", "service-load-balancer",
	},
	"3.3": {
		"storage-provisioner", "storage-general", "storage-provisioned", "storage-cold", "storage-encryption", "storage-filesystem", "storage-zones", "storage-regional",
		"storage-shared-files", "storage-object-files", "storage-volume", "storage-class-name",
	},
	"3.4": {
		"identity-role", "identity-role identity-token", "identity-pod-role", "identity-instance-profile", "identity-host-network", "identity-env", "identity-interim-aws", "identity-interim-google",
	},
	"3.6": {
		"node-group", "node-spot", "node-properties", "node-instance-type", "node-legacy-labels", "node-role", "node-tolerations", "node-machine-family",
	},
	"3.7": {
		"scaling-karpenter", "addon-left", "addon-left", "scaling-hpa-api", "scaling-hpa-external", "addon-left", "scaling-keda scaling-keda-identity", "scaling-pdb-api",
	},
	"3.8": {
		"dns-external-dns dns-record-annotations", "dns-cert-manager", "secret-store secret-external", "secret-csi secret-sealed secret-sops", "monitor-prometheus monitor-managed", "policy-psp",
		"policy-network-ranges policy-metadata", "policy-calico", "policy-vpc", "dns-config", "api-removed", "addon-left", "leftover-address",
	},
}

// TestEveryLineOfTheReferenceHasARule counts the lines of the tables that the rules were written from, where those are at hand.
func TestEveryLineOfTheReferenceHasARule(t *testing.T) {
	known := map[string]bool{}
	for _, r := range rules() {
		known[string(r.ID)] = true
	}
	for section, list := range lines {
		for i, ids := range list {
			for id := range strings.FieldsSeq(ids) {
				if !known[id] {
					t.Errorf("%s, line %d: there is no rule %s", section, i+1, id)
				}
			}
		}
	}
	text, err := os.ReadFile("../../../../shared/reference/platform.md")
	if err != nil {
		t.Skip("the reference is not here: ", err)
	}
	for section, list := range lines {
		if n := tableLines(string(text), section); n != len(list) {
			t.Errorf("section %s has %d lines, and %d have rules", section, n, len(list))
		}
	}
}

func tableLines(text, section string) int {
	_, rest, _ := strings.Cut(text, "\n### "+section+" ")
	if i := strings.Index(rest, "\n##"); i >= 0 {
		rest = rest[:i]
	}
	n := 0
	for l := range strings.Lines(rest) {
		if strings.HasPrefix(l, "|") && !strings.HasPrefix(l, "|---") {
			n++
		}
	}
	return n - 1 // the head
}

// suffixes are all that the AWS load balancer controller v3 reads from Services (pkg/annotations/constants.go).
const suffixes = `load-balancer-source-ranges aws-load-balancer-type aws-load-balancer-nlb-target-type aws-load-balancer-name
aws-load-balancer-scheme aws-load-balancer-internal aws-load-balancer-proxy-protocol aws-load-balancer-proxy-protocol-per-target-group
aws-load-balancer-ip-address-type aws-load-balancer-access-log-enabled aws-load-balancer-access-log-s3-bucket-name
aws-load-balancer-access-log-s3-bucket-prefix aws-load-balancer-cross-zone-load-balancing-enabled aws-load-balancer-ssl-cert
aws-load-balancer-ssl-ports aws-load-balancer-ssl-negotiation-policy aws-load-balancer-backend-protocol
aws-load-balancer-additional-resource-tags aws-load-balancer-healthcheck-healthy-threshold
aws-load-balancer-healthcheck-unhealthy-threshold aws-load-balancer-healthcheck-timeout aws-load-balancer-healthcheck-interval
aws-load-balancer-healthcheck-protocol aws-load-balancer-healthcheck-port aws-load-balancer-healthcheck-path
aws-load-balancer-healthcheck-success-codes aws-load-balancer-target-group-attributes aws-load-balancer-subnets
aws-load-balancer-eip-allocations aws-load-balancer-eip-allocations-discovery-tags aws-load-balancer-private-ipv4-addresses
aws-load-balancer-ipv6-addresses aws-load-balancer-alpn-policy aws-load-balancer-target-node-labels aws-load-balancer-attributes
aws-load-balancer-security-groups aws-load-balancer-manage-backend-security-group-rules
aws-load-balancer-inbound-sg-rules-on-private-link-traffic aws-load-balancer-security-group-prefix-lists
aws-load-balancer-listener-attributes aws-load-balancer-multi-cluster-target-group aws-load-balancer-enable-prefix-for-ipv6-source-nat
aws-load-balancer-source-nat-ipv6-prefixes aws-load-balancer-minimum-load-balancer-capacity
aws-load-balancer-enable-icmp-for-path-mtu-discovery aws-load-balancer-enable-tcp-udp-listener aws-load-balancer-disable-nlb-sg
aws-load-balancer-quic-enabled-ports aws-load-balancer-quic-enabled-containers`

// TestEveryAnnotationOfServicesIsKnown puts each on a Service and asks that a rule has taken it away.
func TestEveryAnnotationOfServicesIsKnown(t *testing.T) {
	for s := range strings.FieldsSeq(suffixes) {
		for _, gap := range suffixGaps(t, s) {
			t.Error(gap)
		}
	}
}

// suffixGaps says for which prefixes no rule takes an annotation of a Service away.
func suffixGaps(t *testing.T, suffix string) (gaps []string) {
	t.Helper()
	for _, prefix := range []string{"service.beta.kubernetes.io/", "service.kubernetes.io/"} {
		in := fmt.Sprintf("apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop, annotations: {%q: \"x\"}}\nspec: {type: LoadBalancer}\n", prefix+suffix)
		r := translated(t, in, "", "")
		gone := slices.ContainsFunc(r.Objects[0].Ops, func(op translate.Op) bool {
			return op.Do == "remove" && op.Path[len(op.Path)-1] == prefix+suffix
		})
		if !gone || met(r)["key-unknown"] || met(r)["annotation-unknown"] {
			gaps = append(gaps, prefix+suffix+" is not taken away: "+told(r.Findings))
		}
	}
	return gaps
}

// TestNoForeignKeyIsSilent puts invented keys of each domain in all places where keys stand, and asks for a finding about each.
func TestNoForeignKeyIsSilent(t *testing.T) {
	places := map[string]string{
		"annotation": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, annotations: {%[1]s: x}}\n",
		"label":      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {%[1]s: x}}\n",
		"custom":     "apiVersion: shop.example/v1\nkind: Thing\nmetadata: {name: a}\nspec: {deep: [{er: {%[1]s: x}}]}\n",
		"affinity":   "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {template: {spec: {containers: [{name: a}], affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: %[1]s, operator: Exists}]}]}}}}}}\n",
		"selector":   "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {template: {spec: {containers: [{name: a}], nodeSelector: {%[1]s: x}}}}\n",
		"spread":     "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {template: {spec: {containers: [{name: a}], topologySpreadConstraints: [{topologyKey: %[1]s}]}}}\n",
		"resource":   "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, resources: {limits: {%[1]s: 1}}}]}\n",
		"ingress":    "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: a, annotations: {%[1]s: x}}\nspec: {ingressClassName: nginx}\n",
	}
	keys := []string{
		"eks.amazonaws.com/invented", "invented.amazonaws.com/x", "vpc.amazonaws.com/invented", "invented.k8s.aws/x", "kops.k8s.io/invented", "karpenter.sh/invented",
		"karpenter.k8s.aws/invented", "karpenter.azure.com/invented", "alb.ingress.kubernetes.io/invented", "service.beta.kubernetes.io/aws-load-balancer-invented",
	}
	for place, form := range places {
		for _, key := range keys {
			r := translated(t, fmt.Sprintf(form, key), "", "")
			if !slices.ContainsFunc(r.Findings, func(f finding.Finding) bool {
				return f.Severity == finding.Blocker && strings.Contains(f.What, key)
			}) {
				t.Errorf("%s as %s: nothing is said", key, place)
			}
		}
	}
}

// TestSecretsStayInside puts a value where secrets stand and looks for it in everything that is written or told.
func TestSecretsStayInside(t *testing.T) {
	const value = "hunter2-do-not-tell"
	for name, in := range map[string]string{
		"secret":   "apiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: n}\nstringData: {k: " + value + "}\n",
		"env":      "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a, namespace: n}\nspec: {template: {spec: {containers: [{name: a, env: [{name: MAIL_PASSWORD, value: " + value + "}]}]}}}\n",
		"address":  "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: n}\ndata: {app.conf: \"db=mysql://shop:" + value + "@x.rds.amazonaws.com/shop\"}\n",
		"argument": "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: n}\nspec: {containers: [{name: a, args: [\"--amqp=amqp://u:" + value + "@mq\"]}]}\n",
		"flag":     "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: n}\nspec: {containers: [{name: a, args: [\"--smtp-password=" + value + "\"]}]}\n",
		"cronjob":  "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: a, namespace: n}\nspec: {jobTemplate: {spec: {template: {spec: {containers: [{name: a, env: [{name: API_KEY, value: " + value + "}]}]}}}}}\n",
	} {
		for _, decisions := range []string{"", "secret-store: google\n"} {
			r := translated(t, in+"---\napiVersion: v1\nkind: Namespace\nmetadata: {name: n}\n", decisions, "")
			for phase, text := range build(t, r, "live", "standby", "mirror") {
				if strings.Contains(text, value) {
					t.Errorf("%s: the value is in %s", name, phase)
				}
			}
			if strings.Contains(told(r.Findings), value) || len(r.Findings) == 0 {
				t.Errorf("%s: %s", name, told(r.Findings))
			}
		}
	}
}

// TestUntouchedIsUntouched: an object that no rule recognises has no patch, and Kustomize builds what it says.
func TestUntouchedIsUntouched(t *testing.T) {
	r := translated(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: n}\ndata: {x: y}\n", "", "")
	if len(r.Objects[0].Ops) > 0 || len(r.Findings) > 0 {
		t.Errorf("%v, %s", r.Objects[0].Ops, told(r.Findings))
	}
}

func TestImagesAreReadStrictly(t *testing.T) {
	d := "sha256:" + strings.Repeat("0f", 32)
	for text, want := range map[string]string{
		"a b":                     "line 1 is not: SOURCE DESTINATION sha256:DIGEST",
		"# c\n\na b latest":       "line 3 is not: SOURCE DESTINATION sha256:DIGEST",
		"a b " + d + "\na c " + d: "line 2: a has two copies",
		"a@sha256:00 b " + d:      "line 1: the source has the digest sha256:00, and the copy " + d,
	} {
		if _, err := translate.ParseImages([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%q: %v", text, err)
		}
	}
	got, err := translate.ParseImages([]byte("a b " + d + "\n"))
	if diff := cmp.Diff(translate.Images{"a": "b@" + d}, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

var kebab = regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)

func TestCodesAreKebab(t *testing.T) {
	for _, r := range rules() {
		if !kebab.MatchString(string(r.ID)) {
			t.Errorf("%q", r.ID)
		}
	}
}

// TestEmptyRanges: ranges of an annotation take the place of a list without any.
func TestEmptyRanges(t *testing.T) {
	r := translated(t, "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop, annotations: {service.beta.kubernetes.io/load-balancer-source-ranges: 203.0.113.0/24}}\nspec: {type: LoadBalancer, loadBalancerSourceRanges: [], ports: [{port: 80}]}\n", "", "")
	if live := build(t, r, "live")["live"]; !strings.Contains(live, "203.0.113.0/24") {
		t.Error(live)
	}
}
