package monitor

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/bascule/bascule/internal/kube/plain"
)

// mostEndpoints is how many endpoints a PodMonitoring takes (its definition).
const mostEndpoints = 10

// endpoint is one that is to be scraped, and what its pods and Services say of it.
type endpoint struct {
	path []string // where the source says it
	spec map[string]any
	port any // what Managed Prometheus is told: a name or a number of a container's port
	// known are labels of the target whose value is the same for all its pods: those of its Service, its namespace.
	known map[string]string
	// given are the labels that relabelings have given so far: one that is given twice depends on their order, which not everything that is written keeps.
	given map[string]bool
	value map[string]any // what is written, once it is worked out
	// metadata and fromPod are labels that the pods' own metadata gives.
	metadata []string
	fromPod  []any
	keep     []any // further requirements of the pods' labels
	gone     bool  // its relabelings drop all its targets
}

// written is what has been worked out so far.
func (e *endpoint) written() map[string]any {
	if e.value == nil {
		e.value, e.given = map[string]any{}, map[string]bool{}
	}
	return e.value
}

// serviceMonitor finds the pods of the Services that a ServiceMonitor selects. Managed Prometheus knows pods only, so what is written is right for the
// Services at hand.
func (m *making) serviceMonitor() {
	spec := plain.Mapping(m.o.Value, "spec")
	selector := plain.Mapping(spec, "selector")
	found := m.selected(m.within(spec), selector)
	if len(found) == 0 {
		m.block([]string{"spec", "selector"}, "None of the Services at hand has its labels, so nobody can tell which pods are meant.", "add its Services to the source, or write a PodMonitoring for its pods into overrides/")
		return
	}
	m.unknown(spec, []string{"spec"}, monitorFields)
	for _, s := range found {
		m.service(spec, s)
	}
	m.note(nil, "Managed Prometheus scrapes the pods of the Services that are there now: a Service that comes later is not noticed, instance names the pod, and the labels service and endpoint are gone.",
		"write a PodMonitoring for what comes later; look for service= and endpoint= on dashboards")
}

func (m *making) service(spec map[string]any, s *service) {
	selector := plain.Mapping(s.Value, "spec", "selector")
	if len(selector) == 0 {
		m.block([]string{"spec", "selector"}, "Service "+s.Namespace+"/"+s.Name+" selects no pods: its endpoints are made by hand, or it is a name of something outside.",
			"kubelet and control plane: Google scrapes them (kubeletScraping of OperatorConfig, system metrics of the cluster); what is outside: run an exporter for it in the cluster")
		return
	}
	pods := map[string]any{"matchLabels": maps.Clone(selector)}
	job := s.Name
	if v := s.labels[plain.Text(spec, "jobLabel")]; v != "" {
		job = v
	}
	var all []*endpoint
	for i, e := range plain.List(spec, "endpoints") {
		path := []string{"spec", "endpoints", strconv.Itoa(i)}
		for _, p := range m.servicePorts(e, s, path) {
			ep := &endpoint{path: path, port: m.preferName(s.Namespace, pods, p.target), known: serviceMeta(s, p.name)}
			ep.spec, _ = e.(map[string]any)
			all = append(all, ep)
		}
	}
	m.monitoring(spec, all, s.Namespace, job, pods, func(e *endpoint) {
		for _, k := range plain.Texts(spec, "targetLabels") {
			if v := s.labels[k]; v != "" {
				m.constant(e, append(slices.Clone(e.path[:1]), "targetLabels"), labelName(k), v)
			}
		}
	})
}

type servicePort struct {
	name   string
	target any
}

// servicePorts are the container's ports that an endpoint of a Service leads to: one by its name, one of the pods directly, or all of them.
func (m *making) servicePorts(e any, s *service, path []string) []servicePort {
	if t := plain.At(e, "targetPort"); t != nil && plain.Text(e, "port") == "" {
		return []servicePort{{target: t}}
	}
	var out []servicePort
	for _, p := range plain.List(s.Value, "spec", "ports") {
		if want := plain.Text(e, "port"); want != "" && want != plain.Text(p, "name") {
			continue
		}
		target := plain.At(p, "targetPort")
		if target == nil {
			target = plain.At(p, "port")
		}
		if text, ok := target.(string); ok {
			if n, err := strconv.ParseInt(text, 10, 64); err == nil {
				target = n
			}
		}
		out = append(out, servicePort{plain.Text(p, "name"), target})
	}
	if len(out) == 0 {
		m.note(path, fmt.Sprintf("Service %s/%s has no port %s, so nothing was scraped there, and nothing is.", s.Namespace, s.Name, plain.Text(e, "port")), "name a port that it has, in the source")
	}
	return out
}

// preferName names a port where all its pods give it one name, for only then series have the label container.
func (m *making) preferName(namespace string, pods map[string]any, target any) any {
	if n, ok := target.(int64); ok {
		if name := m.named(namespace, pods, n); name != "" {
			return name
		}
	}
	return target
}

// serviceMeta are the labels by which Prometheus knows a target of a Service before relabeling, as far as they are the same for all its pods.
func serviceMeta(s *service, port string) map[string]string {
	known := map[string]string{
		"__meta_kubernetes_namespace": s.Namespace, "__meta_kubernetes_service_name": s.Name, "__meta_kubernetes_endpoints_name": s.Name,
		"__meta_kubernetes_endpoint_port_name": port, "__meta_kubernetes_endpointslice_port_name": port,
		"namespace": s.Namespace, "service": s.Name, "endpoint": port,
	}
	for _, x := range []struct{ part, meta string }{{"labels", "label"}, {"annotations", "annotation"}} {
		for k, v := range plain.Labels(s.Value, "metadata", x.part) {
			known["__meta_kubernetes_service_"+x.meta+"_"+labelName(k)] = v
			known["__meta_kubernetes_service_"+x.meta+"present_"+labelName(k)] = "true"
		}
	}
	return known
}

// podMonitor keeps the selector of pods. One of all namespaces becomes a ClusterPodMonitoring, one of several a PodMonitoring in each.
func (m *making) podMonitor() {
	spec := plain.Mapping(m.o.Value, "spec")
	m.unknown(spec, []string{"spec"}, monitorFields)
	selector := plain.Mapping(spec, "selector")
	if selector == nil {
		selector = map[string]any{}
	}
	namespaces := m.within(spec)
	cluster := plain.At(spec, "namespaceSelector", "any") == true
	if cluster {
		namespaces = []string{""}
	}
	for _, n := range namespaces {
		var all []*endpoint
		for i, e := range plain.List(spec, "podMetricsEndpoints") {
			path := []string{"spec", "podMetricsEndpoints", strconv.Itoa(i)}
			ep := &endpoint{path: path, port: m.podPort(e, n, selector), known: map[string]string{}}
			if ep.port == nil {
				m.block(path, "It names no port, and PodMonitoring needs one.", "name the port of the container, in the source")
				return
			}
			ep.spec, _ = e.(map[string]any)
			if n != "" {
				ep.known["__meta_kubernetes_namespace"], ep.known["namespace"] = n, n
			}
			ep.known["endpoint"], _ = ep.port.(string)
			all = append(all, ep)
		}
		m.monitoring(spec, all, n, m.o.Name, selector, func(*endpoint) {})
	}
	m.note(nil, "Managed Prometheus scrapes its pods: job is the name of the PodMonitoring, without its namespace, or what jobLabel names; instance names the pod, and the label endpoint is gone.", "look for job= and endpoint= in rules and on dashboards")
}

// podPort is what a PodMonitor's endpoint names: a port of the container by its name or its number.
func (m *making) podPort(e any, namespace string, selector map[string]any) any {
	if name := plain.Text(e, "port"); name != "" {
		return name
	}
	if n, ok := plain.At(e, "portNumber").(int64); ok {
		return m.preferName(namespace, selector, n)
	}
	return m.preferName(namespace, selector, plain.At(e, "targetPort"))
}

// within are the namespaces that a monitor looks at, in order.
func (m *making) within(spec map[string]any) []string {
	switch names := plain.Texts(spec, "namespaceSelector", "matchNames"); {
	case plain.At(spec, "namespaceSelector", "any") == true:
		return m.namespaces()
	case len(names) > 0:
		slices.Sort(names)
		return slices.Compact(names)
	}
	return []string{m.o.Namespace}
}

// monitoring writes the objects for endpoints of the same pods. A port stands once in each, for Managed Prometheus names its jobs by the port.
func (m *making) monitoring(spec map[string]any, all []*endpoint, namespace, job string, pods map[string]any, first func(*endpoint)) {
	var parts [][]*endpoint
	for _, e := range all {
		first(e)
		m.endpoint(spec, e)
		if e.gone {
			continue
		}
		i := slices.IndexFunc(parts, func(part []*endpoint) bool { return len(part) < mostEndpoints && together(part, e) })
		if i < 0 {
			i = len(parts)
			parts = append(parts, nil)
		}
		parts[i] = append(parts[i], e)
	}
	name := objectName(job)
	for _, part := range parts {
		called := m.make(kindOf(namespace), namespace, name, m.spec(spec, part, pods))
		if called != job && m.o.Kind == "ServiceMonitor" {
			m.note(nil, fmt.Sprintf("Its series had job=%q and have job=%q: Managed Prometheus calls a job by its object.", job, called), "look for it in rules and on dashboards")
		}
	}
}

func kindOf(namespace string) string {
	if namespace == "" {
		return "ClusterPodMonitoring"
	}
	return "PodMonitoring"
}

// together says whether an endpoint may stand beside others: it has another port, and the same labels of the target and pods.
func together(part []*endpoint, e *endpoint) bool {
	for _, p := range part {
		if fmt.Sprint(p.port) == fmt.Sprint(e.port) {
			return false
		}
	}
	p := part[0]
	return fmt.Sprint(p.fromPod, p.metadata, p.keep) == fmt.Sprint(e.fromPod, e.metadata, e.keep) && (plain.At(p.spec, "filterRunning") == false) == (plain.At(e.spec, "filterRunning") == false)
}

// spec writes what one object says.
func (m *making) spec(spec map[string]any, part []*endpoint, pods map[string]any) map[string]any {
	selector := maps.Clone(pods)
	if more := part[0].keep; len(more) > 0 {
		selector["matchExpressions"] = append(slices.Clone(plain.List(pods, "matchExpressions")), more...)
	}
	var endpoints []any
	for _, e := range part {
		endpoints = append(endpoints, e.value)
	}
	out := map[string]any{"selector": selector, "endpoints": endpoints}
	labels := map[string]any{}
	if len(part[0].fromPod) > 0 {
		labels["fromPod"] = part[0].fromPod
	}
	if part[0].metadata != nil {
		labels["metadata"] = anys(part[0].metadata)
		if len(part[0].metadata) == 0 {
			labels["metadata"] = []any{}
		}
	}
	if len(labels) > 0 {
		out["targetLabels"] = labels
	}
	if plain.At(part[0].spec, "filterRunning") == false {
		out["filterRunning"] = false
	}
	limits := map[string]any{}
	for from, to := range map[string]string{"sampleLimit": "samples", "labelLimit": "labels", "labelNameLengthLimit": "labelNameLength", "labelValueLengthLimit": "labelValueLength"} {
		if n, ok := plain.At(spec, from).(int64); ok && n > 0 {
			limits[to] = n
		}
	}
	if len(limits) > 0 {
		out["limits"] = limits
	}
	return out
}

var notInName = regexp.MustCompile(`[^a-z0-9.-]+`)

// objectName makes a name for an object of what a job is called.
func objectName(job string) string {
	return cmp.Or(strings.Trim(notInName.ReplaceAllString(strings.ToLower(job), "-"), "-."), "monitor")
}
