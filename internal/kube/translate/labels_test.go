package translate_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/profile"
	"github.com/bascule/bascule/internal/kube/translate"
)

// forms are the places where keys of AWS, EKS, kops and Karpenter stand.
var forms = map[string]string{
	"account":    "{apiVersion: v1, kind: ServiceAccount, metadata: {name: a, namespace: n, annotations: {eks.amazonaws.com/role-arn: \"arn:aws:iam::1:role/r\", %[1]s: %[2]q}}}",
	"role":       "{apiVersion: v1, kind: ServiceAccount, metadata: {name: a, namespace: n, annotations: {%[1]s: %[2]q}}}",
	"namespace":  "{apiVersion: v1, kind: Namespace, metadata: {name: n, annotations: {%[1]s: %[2]q}}}",
	"service":    "{apiVersion: v1, kind: Service, metadata: {name: a, namespace: n, annotations: {%[1]s: %[2]q}}, spec: {ports: [{port: 80}]}}",
	"pod":        "{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: n, annotations: {%[1]s: %[2]q}}, spec: {containers: [{name: a}]}}",
	"selector":   "{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: n}, spec: {nodeSelector: {%[1]s: %[2]q}, containers: [{name: a}]}}",
	"affinity":   "{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: n}, spec: {affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: %[1]s, operator: In, values: [%[2]q]}]}]}}}, containers: [{name: a}]}}",
	"toleration": "{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: n}, spec: {tolerations: [{key: %[1]s, operator: Equal, value: %[2]q}], containers: [{name: a}]}}",
	"resource":   "{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: n}, spec: {containers: [{name: a, resources: {limits: {%[1]s: %[2]q}}}]}}",
	"class":      "{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: a}, provisioner: ebs.csi.aws.com, parameters: {type: gp3}, allowedTopologies: [{matchLabelExpressions: [{key: %[1]s, values: [%[2]q]}]}]}",
}

// labels are the keys of the tables: the place, a value, and the row that sees to them.
const labels = `
role       eks.amazonaws.com/role-arn                  arn:aws:iam::1:role/r identity-role
account    eks.amazonaws.com/audience                  x            identity-role
account    eks.amazonaws.com/sts-regional-endpoints    true         identity-role
account    eks.amazonaws.com/token-expiration          86400        identity-role
pod        iam.amazonaws.com/role                      orders       identity-pod-role
namespace  iam.amazonaws.com/permitted                 .*           identity-pod-role
namespace  iam.amazonaws.com/allowed-roles             [a]          identity-pod-role
selector   eks.amazonaws.com/nodegroup                 general      node-group
selector   kops.k8s.io/instancegroup                   nodes        node-group
selector   karpenter.sh/nodepool                       general      node-group
selector   karpenter.sh/provisioner-name               general      node-group
affinity   alpha.eksctl.io/nodegroup-name              general      node-group
selector   eks.amazonaws.com/capacityType              SPOT         node-spot
affinity   karpenter.sh/capacity-type                  on-demand    node-spot
selector   karpenter.k8s.aws/instance-family           m6i          node-machine-family
selector   karpenter.k8s.aws/instance-category         m            node-properties
selector   karpenter.k8s.aws/instance-generation       6            node-properties
affinity   karpenter.k8s.aws/instance-size             4xlarge      node-properties
affinity   karpenter.k8s.aws/instance-cpu              16           node-properties
affinity   karpenter.k8s.aws/instance-memory           65536        node-properties
selector   topology.k8s.aws/zone-id                    euw1-az1     node-properties
selector   vpc.amazonaws.com/has-trunk-attached        true         node-properties
resource   vpc.amazonaws.com/pod-eni                   1            node-properties
selector   node.kubernetes.io/instance-type            m6i.4xlarge  node-instance-type
selector   beta.kubernetes.io/arch                     amd64        node-legacy-labels
selector   beta.kubernetes.io/os                       linux        node-legacy-labels
selector   beta.kubernetes.io/instance-type            m5.large     node-legacy-labels
affinity   failure-domain.beta.kubernetes.io/zone      eu-west-1a   node-legacy-labels
affinity   failure-domain.beta.kubernetes.io/region    eu-west-1    node-legacy-labels
selector   topology.kubernetes.io/zone                 eu-west-1a   node-zones
selector   node-role.kubernetes.io/master              -            node-role
selector   node-role.kubernetes.io/control-plane       -            node-role
selector   node-role.kubernetes.io/spot-worker         true         node-role
selector   kubernetes.io/arch                          arm64        node-architecture
toleration karpenter.sh/disruption                     x            node-tolerations
toleration eks.amazonaws.com/compute-type              fargate      node-tolerations
toleration kops.k8s.io/instancegroup                   nodes        node-tolerations
pod        karpenter.sh/do-not-disrupt                 true         scaling-do-not-evict
pod        karpenter.sh/do-not-evict                   true         scaling-do-not-evict
class      topology.ebs.csi.aws.com/zone               eu-west-1a   storage-zones
service    external-dns.alpha.kubernetes.io/aws-weight 10           dns-record-annotations
service    external-dns.alpha.kubernetes.io/alias      true         dns-record-annotations
service    external-dns.alpha.kubernetes.io/set-identifier      blue dns-record-annotations
service    external-dns.alpha.kubernetes.io/aws-health-check-id x    dns-record-annotations
service    external-dns.kubernetes.io/aws-weight       10           dns-record-annotations
service    dns.alpha.kubernetes.io/external            a.example    dns-kops-records
service    dns.alpha.kubernetes.io/internal            a.example    dns-kops-records
pod        dns.alpha.kubernetes.io/internal            a.example    dns-kops-records
`

// labelGap says that a key's row does not see to it, in a translation without one row; nothing where all is well.
func labelGap(t *testing.T, p *profile.Profile, line, without string) string {
	t.Helper()
	f := strings.Fields(line)
	set, err := manifest.Read(strings.NewReader(fmt.Sprintf(forms[f[0]], f[1], f[2])), "-")
	if err != nil {
		t.Fatal(line, err)
	}
	r := translate.TranslateWithout(translate.Input{Environment: "preprod", Set: set, File: "kube.yaml", Profile: p}, without)
	unknown := slices.ContainsFunc(r.Findings, func(x finding.Finding) bool { return x.Code == "key-unknown" })
	if !met(r)[finding.Code(f[3])] || unknown {
		return f[1] + " is not seen to by " + f[3]
	}
	return ""
}

// TestEveryLabelOfTheTablesIsSeenTo, and none is without its row: each is then named.
func TestEveryLabelOfTheTablesIsSeenTo(t *testing.T) {
	p, err := profile.Load()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(strings.TrimSpace(labels)) {
		if gap := labelGap(t, p, line, ""); gap != "" {
			t.Error(gap)
		}
		f := strings.Fields(line)
		if gap := labelGap(t, p, line, f[3]); !strings.Contains(gap, f[1]) {
			t.Errorf("nobody notices that %s is gone, which sees to %s", f[3], f[1])
		}
	}
}
