package translate

import (
	"regexp"
	"slices"
	"strings"
)

// A phase is what an object is held still for.
type phase int

const (
	// standby is the new side before the switch.
	standby phase = iota + 1
	// mirror is the old side behind it: the objects are as the source has them.
	mirror
)

const (
	// quiet is a label that no node has.
	quiet      = "bascule-quiet"
	controller = "bascule-standby"
)

// phases are the rules that hold an object still. Both sides run at once for weeks: without them both would charge, mail and consume.
func phases() []Rule {
	return []Rule{
		{ID: "phase-schedule", Source: "CronJob, Job, CronWorkflow", Target: "suspended; a hook of Argo CD or Helm is not there", Verdict: Mechanical, Kinds: []string{"CronJob", "Job", "CronWorkflow"}, Apply: holdSchedule},
		{ID: "phase-workload", Source: "Deployment, StatefulSet, Rollout, DaemonSet, Pod; Prometheus, Alertmanager, ThanosRuler of the operator", Target: "at zero, on no node, or not there", Verdict: Mechanical, Kinds: slices.Concat([]string{"Rollout", "DaemonSet", "Pod"}, scaled, operated), Apply: holdWorkload},
		{ID: "phase-autoscaler", Source: "HorizontalPodAutoscaler, ScaledObject, ScaledJob", Target: "idle at zero, paused", Verdict: Mechanical, Kinds: []string{"HorizontalPodAutoscaler", "ScaledObject", "ScaledJob"}, Apply: holdAutoscaler},
		{ID: "phase-dns", Source: "what external-dns writes records for", Target: "left alone by external-dns", Verdict: Mechanical, Kinds: []string{"Service", "Ingress", "Gateway", "HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute", "VirtualService", "DNSEndpoint"}, Apply: holdDNS},
		{ID: "phase-certificate", Source: "Issuer, ClusterIssuer of an ACME server", Target: "not there: it would write records", Verdict: Mechanical, Kinds: []string{"Issuer", "ClusterIssuer"}, Apply: holdIssuer},
		{ID: "phase-alert", Source: "Rules, ClusterRules, GlobalRules of Managed Prometheus with alerts", Target: "not there: they would page for what is at zero", Verdict: Mechanical, Kinds: []string{"Rules", "ClusterRules", "GlobalRules"}, Apply: holdAlerts},
		{ID: "phase-unknown", Source: "custom resources whose controller may act", Target: "as they are", Verdict: None, Apply: mayAct},
	}
}

// still works out what differs in standby, and on the old side once it is quiet.
func (w *work) still(rules []Rule) {
	if w.Name == "" {
		return
	}
	w.Kept = slices.Contains(w.in.Decisions.Keep, w.String())
	if w.Dropped == nil && w.Held == nil {
		w.Standby, w.Idle = w.held(standby, w.now, rules)
	}
	if w.Dropped != nil && (w.Dropped.Rule.ID == "addon-left" || w.Dropped.Rule.ID == "image-ecr-login") {
		return // the old cluster needs them until it ends
	}
	old := work{Object: w.Object, in: w.in, out: &Result{Verdicts: map[Verdict]int{}}}
	w.Mirror, w.Quiet = old.held(mirror, w.Value, rules)
}

// held works out what holds an object still that is as it is now.
func (w *work) held(p phase, now map[string]any, rules []Rule) ([]Op, *Reason) {
	s := &work{Object: &Object{Object: w.Object.Object, now: now}, in: w.in, out: w.out, phase: p}
	for i := range rules {
		if rules[i].looksAt(w.Kind) && s.Dropped == nil {
			s.rule, s.hit = &rules[i], false
			rules[i].Apply(s)
		}
	}
	return s.Ops, s.Dropped
}

// kept says whether the object runs in standby, as people have declared.
func (w *work) kept() bool {
	return w.phase == standby && slices.Contains(w.in.Decisions.Keep, w.String())
}

// hooks are how Argo CD and Helm name a Job that they run before or behind a release, and wait for.
var hooks = []string{"argocd.argoproj.io/hook", "helm.sh/hook"}

func holdSchedule(w *work) {
	if w.kept() {
		return
	}
	for _, k := range hooks {
		if _, hook := w.annotation(k); hook && w.Kind == "Job" {
			w.drop("both sides would run it, and a hook that is suspended never ends, so whoever waits for it waits for ever")
			return
		}
	}
	if w.Kind == "Job" && w.phase == standby {
		w.note("It runs on the new side at the switch, although it may have run on the old one long ago.", "remove it in the source if it is done with")
	}
	if on, _ := w.value("spec", "suspend").(bool); !on {
		w.set("both sides would run it", true, "spec", "suspend")
	}
}

var consumes = regexp.MustCompile(`\bsqs[.-][a-z0-9.-]*amazonaws|\bamqps?://|\bkafka|\bnats://|projects/[^/]+/subscriptions/`)

func holdWorkload(w *work) {
	if w.kept() {
		w.keptQueues()
		return
	}
	if w.phase == mirror && w.enforces() {
		return
	}
	if slices.Contains(operated, w.Kind) && w.Group != "monitoring.coreos.com" {
		return
	}
	switch w.Kind {
	case "Pod":
		w.drop("both sides would run it, and a single pod cannot be at zero")
	case "DaemonSet":
		if spec := w.pods(); len(spec) > 0 {
			w.set("no node has this label, so it runs nowhere", "true", join(spec[0], "nodeSelector", quiet)...)
		}
	default:
		if n, there := w.value("spec", "replicas").(int64); !there || n != 0 {
			w.set("both sides would run it", int64(0), "spec", "replicas")
		}
	}
}

// enforces says whether the workload is an operator by which others come to zero. On the old side they run already, so it has to go on until they do not:
// an operator that ends first leaves what it runs as it was.
func (w *work) enforces() (is bool) {
	w.containers(func(_ []string, c map[string]any) {
		image, _ := c["image"].(string)
		is = is || strings.Contains(image, "prometheus-operator/prometheus-operator") || strings.Contains(image, "kedacore/keda")
	})
	return is
}

// keptQueues refuses to let something run in standby that names a queue, in a variable or in a ConfigMap that its pods read.
func (w *work) keptQueues() {
	refuse := func(path []string, name, value string) {
		if consumes.MatchString(strings.ToLower(value)) {
			w.at(path...).blocks("It is to run in standby, and "+name+" names a queue: both sides would consume it.", "take it out of keep-in-standby, or give it another queue there, in overrides/")
		}
	}
	w.env(refuse)
	for _, spec := range w.pods() {
		walk(w.value(spec...), nil, func(path []string, v any) bool {
			for _, k := range []string{"configMapRef", "configMapKeyRef", "configMap"} {
				o := w.in.find("ConfigMap", w.Namespace, text(v, k, "name"))
				if o == nil {
					continue
				}
				data, _ := o.Value["data"].(map[string]any)
				for _, key := range keys(data) {
					value, _ := data[key].(string)
					refuse(join(spec, path...), o.String()+" "+key, value)
				}
			}
			return true
		})
	}
}

// holdAutoscaler pauses KEDA. A HorizontalPodAutoscaler lets a workload at zero alone, so nothing has to be done about it.
func holdAutoscaler(w *work) {
	switch {
	case w.Kind == "HorizontalPodAutoscaler" || w.kept():
	case w.Kind == "ScaledJob":
		w.set("both sides would start jobs", "true", join(annotations, "autoscaling.keda.sh/paused")...)
	default:
		w.set("it would start what is at zero", "0", join(annotations, "autoscaling.keda.sh/paused-replicas")...)
	}
}

// holdDNS keeps every external-dns of the cluster away from an object, whoever installed it. Behind the switch the old side is kept from the records in the
// same way, unless its external-dns is among the objects: then that is at zero, and to take names from it before it has ended would make one with
// policy=sync delete the live records.
func holdDNS(w *work) {
	if w.phase == mirror {
		for _, k := range kopsKeys {
			w.remove("the new side writes the record", join(annotations, k)...)
		}
		if w.in.dns.there {
			return
		}
	}
	if w.Kind == "DNSEndpoint" {
		w.mayDelete()
		w.drop("it would write the live records")
		return
	}
	named := w.Kind != "Service" || w.in.dns.names(w.now)
	for k := range w.mapping(annotations...) {
		named = named || strings.HasPrefix(k, "external-dns.")
	}
	if !named {
		return
	}
	w.mayDelete()
	for _, k := range []string{"external-dns.alpha.kubernetes.io/controller", "external-dns.kubernetes.io/controller"} {
		w.set("external-dns leaves alone what another controller has", controller, join(annotations, k)...)
	}
}

// mayDelete warns of an external-dns that the source does not hold: nobody knows its policy.
func (w *work) mayDelete() {
	if !w.in.dns.there {
		w.note("Behind the switch the mirror takes its names from the old side's external-dns, which is not among the objects; one with policy=sync deletes their records in Route 53.", "give the old external-dns policy=upsert-only before the switch, or let the zone be delegated to Cloud DNS by then")
	}
}

// holdIssuer takes issuers of ACME away, on the old side too: both would order, and prove names in the live zones.
func holdIssuer(w *work) {
	if w.Group == "cert-manager.io" && w.mapping("spec", "acme") != nil {
		w.tell("In standby it is not there, for it would write records of the live zones. Certificates that the switch needs have to be issued before it.")
		w.drop("it would write records of the live zones")
	}
}

// holdAlerts takes rules with alerts away: what they watch is at zero, and the old side's page already.
func holdAlerts(w *work) {
	if w.Group != "monitoring.googleapis.com" || w.kept() {
		return
	}
	for _, g := range w.list("spec", "groups") {
		rules, _ := at(g, []string{"rules"}).([]any)
		for _, r := range rules {
			if text(r, "alert") != "" {
				w.drop("both sides would page")
				return
			}
		}
	}
}

// passive are groups of APIs whose objects start nothing by themselves, or that another rule holds still.
var passive = regexp.MustCompile(`^(|apps|batch|autoscaling|policy|extensions|.*\.(x-)?k8s\.io|monitoring\.coreos\.com|monitoring\.googleapis\.com|cert-manager\.io|acme\.cert-manager\.io|external-secrets\.io|bitnami\.com|keda\.sh|cloud\.google\.com|networking\.gke\.io|.*\.istio\.io|externaldns\.k8s\.io|kyverno\.io|constraints\.gatekeeper\.sh|templates\.gatekeeper\.sh)$`)

// mayAct says that nobody knows what a custom resource does in standby.
func mayAct(w *work) {
	if w.phase != standby || passive.MatchString(w.Group) || w.Kind == "Rollout" || w.Kind == "CronWorkflow" || len(w.Ops) > 0 {
		return
	}
	w.note("No rule knows whether "+w.APIVersion()+" "+w.Kind+" acts while it stands by.", "if it does, hold it still in overrides/"+w.in.Environment+"/standby")
}
