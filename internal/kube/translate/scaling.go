package translate

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// scaling are the rows about how many pods and nodes there are. HPA and PDB have theirs among the removed APIs.
func scaling() []Rule {
	return []Rule{
		{ID: "scaling-karpenter", Source: "Karpenter NodePool, Provisioner", Target: "ComputeClass of the same name", Verdict: Resource, Kinds: []string{"NodePool", "Provisioner"}, Apply: karpenter},
		{ID: "scaling-node-template", Source: "Karpenter EC2NodeClass, AWSNodeTemplate, NodeClaim", Target: "dropped: the ComputeClass says what is left of it", Verdict: Mechanical, Kinds: []string{"EC2NodeClass", "AWSNodeTemplate", "NodeClaim"}, Apply: nodeTemplate},
		{ID: "scaling-do-not-evict", Source: "pods with karpenter.sh/do-not-disrupt, do-not-evict", Target: "cluster-autoscaler.kubernetes.io/safe-to-evict: \"false\"", Verdict: Mechanical, Apply: doNotEvict},
		{ID: "scaling-hpa-external", Source: "HorizontalPodAutoscaler by an external metric (CloudWatch)", Target: "Managed Prometheus, or the Stackdriver adapter", Verdict: None, Kinds: []string{"HorizontalPodAutoscaler"}, Apply: externalMetric},
		{ID: "scaling-keda", Source: "KEDA triggers aws-sqs-queue, aws-cloudwatch, aws-kinesis-stream, aws-dynamodb", Target: "prometheus on Cloud Monitoring", Verdict: None, Kinds: []string{"ScaledObject", "ScaledJob"}, Apply: kedaTrigger},
		{ID: "scaling-keda-identity", Source: "KEDA TriggerAuthentication with podIdentity aws, aws-eks, aws-kiam", Target: "podIdentity gcp", Verdict: Changed, Kinds: []string{"TriggerAuthentication", "ClusterTriggerAuthentication"}, Apply: kedaIdentity},
	}
}

// karpenter makes a ComputeClass of a NodePool. The order of its priorities stands for what Karpenter chose by price.
func karpenter(w *work) {
	if w.Group != "karpenter.sh" {
		return
	}
	reqs := append(w.list("spec", "template", "spec", "requirements"), w.list("spec", "requirements")...)
	var families []string
	spot, regular := false, len(reqs) == 0
	for _, r := range reqs {
		values, _ := at(r, []string{"values"}).([]any)
		for _, v := range values {
			s, _ := v.(string)
			switch text(r, "key") {
			case "karpenter.sh/capacity-type":
				spot, regular = spot || s == "spot", regular || s == "on-demand"
			case "karpenter.k8s.aws/instance-family":
				if f := w.in.Profile.Family(s); f != nil && !slices.Contains(families, f.To) {
					families = append(families, f.To)
				}
			case "node.kubernetes.io/instance-type":
				family, _, _ := strings.Cut(s, ".")
				if f := w.in.Profile.Family(family); f != nil && !slices.Contains(families, f.To) {
					families = append(families, f.To)
				}
			}
		}
	}
	if f := w.in.Decisions.Machines["nodepool/"+w.Name]; f != "" {
		families = []string{f}
	}
	if len(families) == 0 {
		w.asks("It names no family of instances that the profile knows. Of which family are its machines to be?", fmt.Sprintf("machines: {%q: FAMILY}  # such as n4", "nodepool/"+w.Name))
		w.drop("there is no Karpenter on GKE")
		return
	}
	w.make("it stands for the NodePool of Karpenter", map[string]any{
		"apiVersion": "cloud.google.com/v1", "kind": "ComputeClass", "metadata": map[string]any{"name": w.Name}, "spec": w.classSpec(families, spot, regular || !spot),
	})
	what := "The ComputeClass " + w.Name + " stands for it, with " + strings.Join(families, ", ") + ": nodes are tried in the order of its priorities, not by price."
	if w.value("spec", "limits") != nil {
		what += " Its limits are not taken over."
	}
	if w.value("spec", "weight") != nil {
		what += " Weights between classes are no more: a pod names its class."
	}
	w.needs(what+" Budgets of disruption become PodDisruptionBudgets.", "check it against commitments and quotas before it is applied")
	w.better("A ComputeClass may go on when a family has no capacity, and come back when it has: more priorities, and activeMigration.", "add families and activeMigration: {optimizeRulePriority: true} to it, in overrides/")
	w.drop("there is no Karpenter on GKE")
}

func (w *work) classSpec(families []string, spot, regular bool) map[string]any {
	var priorities []any
	for _, f := range families {
		if spot {
			priorities = append(priorities, map[string]any{"machineFamily": f, "spot": true})
		}
	}
	for _, f := range families {
		if regular {
			priorities = append(priorities, map[string]any{"machineFamily": f})
		}
	}
	spec := map[string]any{
		"priorities": priorities, "nodePoolAutoCreation": map[string]any{"enabled": true}, "whenUnsatisfiable": "DoNotScaleUp",
		"activeMigration": map[string]any{"optimizeRulePriority": true},
	}
	if d, err := time.ParseDuration(w.text("spec", "disruption", "consolidateAfter")); err == nil {
		spec["autoscalingPolicy"] = map[string]any{"consolidationDelayMinutes": max(int64(d/time.Minute), 1)}
	}
	config := map[string]any{}
	if labels := w.mapping("spec", "template", "metadata", "labels"); len(labels) > 0 {
		config["nodeLabels"] = clone(labels)
	}
	var taints []any
	for _, t := range append(w.list("spec", "template", "spec", "taints"), w.list("spec", "taints")...) {
		if !strings.Contains(text(t, "key"), "kubernetes.io") && !awsKey(text(t, "key")) {
			taints = append(taints, clone(t))
		}
	}
	if len(taints) > 0 {
		config["taints"] = taints
	}
	if len(config) > 0 {
		spec["nodePoolConfig"] = config
	}
	return spec
}

func nodeTemplate(w *work) {
	if strings.HasPrefix(w.Group, "karpenter.") {
		w.tell("It says which image, subnets and security groups the nodes had; on GKE the cluster says it.")
		w.drop("there is no Karpenter on GKE")
	}
}

func doNotEvict(w *work) {
	for _, spec := range w.pods() {
		path := join(podMeta(spec), "annotations")
		for _, k := range []string{"karpenter.sh/do-not-disrupt", "karpenter.sh/do-not-evict"} {
			if w.text(join(path, k)...) == "true" {
				w.set("GKE's autoscaler reads it", "false", join(path, "cluster-autoscaler.kubernetes.io/safe-to-evict")...)
			}
			w.remove("only Karpenter reads it", join(path, k)...)
		}
	}
}

func externalMetric(w *work) {
	for i, m := range w.list("spec", "metrics") {
		if text(m, "type") == "External" {
			name := orWord(text(m, "external", "metric", "name"), text(m, "external", "metricName"))
			w.at("spec", "metrics", strconv.Itoa(i)).blocks("It scales by the external metric "+name+", which an adapter took from AWS.", "publish it to Managed Prometheus or Cloud Monitoring, and derive the target value anew")
		}
	}
}

func kedaTrigger(w *work) {
	for i, t := range w.list("spec", "triggers") {
		kind := text(t, "type")
		if !strings.HasPrefix(kind, "aws-") {
			continue
		}
		what := "It scales by " + kind + ", which looks at AWS."
		if kind == "aws-sqs-queue" {
			what += " It counted messages in flight too, so the threshold means something else."
		}
		w.at("spec", "triggers", strconv.Itoa(i)).blocks(what, "while the queue is on AWS: keep it, with identities: aws\nonce it has moved: type prometheus with serverAddress https://monitoring.googleapis.com/v1/projects/"+orWord(w.in.Decisions.Project, "PROJECT")+"/location/global/prometheus and podIdentity gcp (gcp-pubsub is deprecated)")
	}
}

func kedaIdentity(w *work) {
	if p := w.text("spec", "podIdentity", "provider"); p == "aws" || p == "aws-eks" || p == "aws-kiam" {
		w.set("Workload Identity stands for "+p, "gcp", "spec", "podIdentity", "provider")
		for _, k := range []string{"roleArn", "identityOwner"} {
			w.remove("a role of AWS", "spec", "podIdentity", k)
		}
		w.note("KEDA itself acts as its own service account, which needs roles/monitoring.viewer.", "bind keda-operator's service account")
	}
}
