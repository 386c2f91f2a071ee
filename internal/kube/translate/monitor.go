package translate

import (
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/kube/decision"
	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/monitor"
)

const operatorGroup = "monitoring.coreos.com"

// monitoring are the rows about what is watched.
func monitoring() []Rule {
	kinds := []string{"ServiceMonitor", "PodMonitor", "Probe", "PrometheusRule"}
	return []Rule{
		{ID: "monitor-managed", Source: "ServiceMonitor, PodMonitor, Probe, PrometheusRule, with monitoring: managed", Target: "PodMonitoring, ClusterPodMonitoring, Rules, ClusterRules of Managed Prometheus", Verdict: Changed, Kinds: slices.Concat(kinds, []string{"ScrapeConfig", "Prometheus", "PrometheusAgent"}), Apply: managedMonitors},
		{ID: "monitor-prometheus", Source: "ServiceMonitor, PodMonitor, Probe, PrometheusRule", Target: "unchanged, with the Prometheus that reads them; or Managed Prometheus", Verdict: Mechanical, Kinds: kinds, Apply: monitors},
	}
}

// watchers are what becomes of monitors and rules, all together, for they name Services, pods and one another's names.
type watchers struct {
	outcomes map[*manifest.Object]*monitor.Outcome
	// prometheus says that a Prometheus is among the objects, which goes on reading what stays.
	prometheus bool
}

func (in *Input) watch(objects []*manifest.Object, own map[*manifest.Object]*manifest.Object) *watchers {
	if in.Decisions.Monitoring != decision.Managed {
		return &watchers{}
	}
	w := &watchers{outcomes: map[*manifest.Object]*monitor.Outcome{}}
	for o, outcome := range monitor.Translate(objects) {
		if source := own[o]; source != nil {
			o = source
		}
		w.outcomes[o] = outcome
	}
	for _, o := range objects {
		w.prometheus = w.prometheus || o.Group == operatorGroup && (o.Kind == "Prometheus" || o.Kind == "PrometheusAgent")
	}
	return w
}

func monitors(w *work) {
	if w.Group != operatorGroup || w.in.Decisions.Monitoring != "" {
		return
	}
	to, lost := "PodMonitoring", "it selects pods, not services, and has no relabeling of targets"
	if w.Kind == "PrometheusRule" {
		to, lost = "Rules and ClusterRules", "alerts go to the Alertmanager that its OperatorConfig names"
	}
	w.better("It stays as it is, for the Prometheus that reads it. Managed Prometheus would read "+to+" of monitoring.googleapis.com/v1, without a server to look after.",
		"it is translated with this in "+w.in.File+" ("+lost+"):\nmonitoring: managed  # or prometheus, where it is to stay so")
}

func managedMonitors(w *work) {
	if w.Group != operatorGroup || w.in.Decisions.Monitoring != decision.Managed {
		return
	}
	switch w.Kind {
	case "Prometheus", "PrometheusAgent":
		if labels := w.mapping("spec", "externalLabels"); len(labels) > 0 {
			w.at("spec", "externalLabels").note("Series and alerts of Managed Prometheus do not have the labels that it gave them: "+strings.Join(keys(labels), ", ")+".", "kubectl -n gmp-public edit operatorconfig config: collection.externalLabels, rules.externalLabels")
		}
		w.better("It stays as it is, beside Managed Prometheus, and reads what is left to it.", "remove it in overrides/ once what both say has been compared and nothing is left to it")
		return
	case "ScrapeConfig":
		w.stays(w.in.watchers.prometheus, monitor.Remark{Path: []string{"spec"}, What: "It is a configuration of Prometheus itself, which Managed Prometheus does not take.", Do: "write a PodMonitoring into overrides/ for what it scrapes"})
		return
	}
	o := w.in.watchers.outcomes[w.Object.Object]
	if o == nil {
		return
	}
	if slices.ContainsFunc(o.Objects, func(m map[string]any) bool { return secretsIn(m) }) {
		w.stays(o.Read, monitor.Remark{What: "What would stand for it carries what looks like the value of a secret.", Do: "take the value out of it, in the source"})
		return
	}
	for _, r := range o.Blocks {
		w.stays(o.Read, r)
	}
	if len(o.Objects) == 0 {
		if len(o.Blocks) == 0 { // its relabelings drop all targets, or its namespaces have none
			w.tell("Nothing at hand is scraped by it, so nothing stands for it; it stays as it is.")
		}
		return
	}
	for _, m := range o.Objects {
		w.make("Managed Prometheus reads it in the place of "+w.String(), m)
	}
	for _, r := range o.Notes {
		w.at(r.Path...).note(r.What, r.Do)
	}
	for _, r := range o.Needs {
		w.needs(r.What, r.Do)
	}
	w.drop("Managed Prometheus reads what stands for it")
}

// stays says why an object is not translated: with a Prometheus that goes on reading it nothing is lost.
func (w *work) stays(read bool, r monitor.Remark) {
	if read {
		w.at(r.Path...).note("It stays as it is, for the Prometheus that reads it. "+r.What, r.Do)
		return
	}
	w.at(r.Path...).blocks("It stays as it is, and no Prometheus that reads it is among the objects. "+r.What, r.Do)
}
