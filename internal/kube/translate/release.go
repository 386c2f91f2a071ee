package translate

import (
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/kube/decision"
)

// releases are the rows about what Helm renders.
func releases() []Rule {
	return []Rule{
		{ID: "helm-rendered", Source: "an object that Helm has rendered, among plain manifests", Target: "a copy, which grows old; as a release only patches for it", Verdict: Changed, Apply: renderedCopy},
		{ID: "helm-hook", Source: "hooks of a release of Helm", Target: "patched like other objects by Kustomize, Helm 4 and Flux from 2.9; by Helm 3 not at all", Verdict: Changed, Apply: hook},
	}
}

// renderedCopy tells people of the better way: what they have piped in is what their chart was one day.
func renderedCopy(w *work) {
	from, _, _ := strings.Cut(w.Template(), "/")
	if w.Release != "" || from == "" || w.Hook() != "" {
		return
	}
	w.note("Helm has rendered it from the chart "+from+", and the tree gets a copy of it, which grows old while the chart goes on being deployed.",
		"give it by --release NAMESPACE/NAME=FILE in place of --from: then the tree has only patches that stand on what the chart renders")
}

// hook says who runs a hook on the new side, and how. Tests of a chart run when somebody asks for them, and only then.
func hook(w *work) {
	events := w.Hook()
	if w.Release == "" || events == "" || strings.Trim(events, " ") == "test" {
		return
	}
	if len(w.pods()) == 0 {
		w.say(finding.Problem, finding.Info, "It is a hook of Helm ("+events+"), and Helm 3 sends no hook to a post-renderer: there it stays as the chart renders it.", "", "")
		return
	}
	w.note("It is a hook of Helm ("+events+"), and Helm 3 sends no hook to a post-renderer, nor does Flux before 2.9: there it runs on both sides, in standby too, as the chart renders it.",
		"in standby deploy without hooks: helm upgrade --no-hooks; with Flux the component of standby says so; with Kustomize and Helm 4 nothing has to be done, for the patches take it away.\nWhat it has of AWS is mended for Helm 3 by a value alone")
}

// releases are those that objects come from, with what people have said of them.
func (out *Result) releases(in *Input) {
	for _, o := range out.Objects {
		if o.Release == "" {
			continue
		}
		if out.Releases == nil {
			out.Releases = map[string]decision.Release{}
		}
		if _, seen := out.Releases[o.Release]; !seen {
			out.Releases[o.Release] = in.Decisions.Releases[o.Release]
		}
	}
}

// without leaves an object out whose text must not enter the tree. Of what a release renders the tree has no text, so there a patch says it.
func (w *work) without(why string) {
	if w.Release != "" {
		w.drop(why)
		return
	}
	w.hold(why)
}

// leaves says what becomes of an object that is held.
func (w *work) leaves() string {
	if w.Release != "" {
		return "stays as its chart renders it, without patches"
	}
	return "stays out of the tree"
}

// named are the rules that drop an object for its name, its kind or its API, whatever it says.
var named = []finding.Code{
	"addon-left", "dns-coredns", "api-unknown", "image-ecr-login", "secret-value", "policy-psp", "policy-vpc", "scaling-node-template", "storage-object-files",
}

// ByContent says whether an object is dropped for what it says, or something else was made of that: then another content is another case.
func (r *Reason) ByContent() bool { return !slices.Contains(named, r.Rule.ID) }

// Quieted is what holds all objects of a kind still in standby, also those that nobody has seen yet.
type Quieted struct {
	Group, Kind string
	// Set is what each of them gets, whatever stands there; without any they are left out.
	Set []Set
	// Hook says that only hooks of Helm or of Argo CD are meant: those that have this annotation.
	Hook string
	Reason
}

// Set is a value and its place.
type Set struct {
	Path  []string
	Value any
}

// Quiet holds still whatever a chart brings along later on: its next version may have a workload that no patch names, and both sides would run it. Each of these does to any
// object of a kind what the rules of phases do to one that they see.
func Quiet() []Quieted {
	rules := phases()
	rule := func(id finding.Code) *Rule {
		return &rules[slices.IndexFunc(rules, func(r Rule) bool { return r.ID == id })]
	}
	var out []Quieted
	all := func(id finding.Code, why, group string, set []Set, kinds ...string) {
		for _, k := range kinds {
			out = append(out, Quieted{Group: group, Kind: k, Set: set, Reason: Reason{rule(id), why}})
		}
	}
	const twice = "both sides would run it"
	for _, k := range hooks {
		out = append(out, Quieted{Group: "batch", Kind: "Job", Hook: k, Reason: Reason{rule("phase-schedule"), "both sides would run it, and a hook that is suspended never ends"}})
	}
	zero, suspended := []Set{{[]string{"spec", "replicas"}, int64(0)}}, []Set{{[]string{"spec", "suspend"}, true}}
	all("phase-schedule", twice, "batch", suspended, "CronJob", "Job")
	all("phase-schedule", twice, "argoproj.io", suspended, "CronWorkflow")
	all("phase-workload", twice, "apps", zero, scaled[:3]...)
	all("phase-workload", twice, "", zero, scaled[3:]...)
	all("phase-workload", twice, "argoproj.io", zero, "Rollout")
	all("phase-workload", twice, "monitoring.coreos.com", zero, operated...)
	all("phase-workload", "no node has this label, so it runs nowhere", "apps", []Set{{[]string{"spec", "template", "spec", "nodeSelector"}, map[string]any{quiet: "true"}}}, "DaemonSet")
	all("phase-workload", "both sides would run it, and a single pod cannot be at zero", "", nil, "Pod")
	all("phase-autoscaler", "it would start what is at zero", "keda.sh", annotated("0", "autoscaling.keda.sh/paused-replicas"), "ScaledObject")
	all("phase-autoscaler", "both sides would start jobs", "keda.sh", annotated("true", "autoscaling.keda.sh/paused"), "ScaledJob")
	ours := annotated(controller, "external-dns.alpha.kubernetes.io/controller", "external-dns.kubernetes.io/controller")
	const leave = "external-dns leaves alone what another controller has"
	all("phase-dns", leave, "", ours, "Service")
	all("phase-dns", leave, "networking.k8s.io", ours, "Ingress")
	all("phase-dns", leave, "gateway.networking.k8s.io", ours, "Gateway", "HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute")
	all("phase-dns", "it would write the live records", "externaldns.k8s.io", nil, "DNSEndpoint")
	return out
}

func annotated(value string, keys ...string) []Set {
	var out []Set
	for _, k := range keys {
		out = append(out, Set{join(annotations, k), value})
	}
	return out
}

// Applied returns a copy of an object with operations done to it.
func Applied(object map[string]any, ops []Op) map[string]any {
	now, _ := clone(object).(map[string]any)
	for _, op := range ops {
		now, _ = patched(now, op.Path, op).(map[string]any)
	}
	return now
}
