package monitor

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"strconv"
	"strings"

	"github.com/bascule/bascule/internal/kube/plain"
)

const probeFields = `prober module targets interval scrapeTimeout jobName metricRelabelings tlsConfig basicAuth authorization bearerTokenSecret oauth2 sampleLimit
labelLimit labelNameLengthLimit labelValueLengthLimit`

// probe lets the pods of the prober be scraped, once for each target: what a Probe names to the prober is a parameter of its scrape.
func (m *making) probe() {
	spec := plain.Mapping(m.o.Value, "spec")
	m.unknown(spec, []string{"spec"}, probeFields)
	if plain.Mapping(spec, "targets", "ingress") != nil {
		m.block([]string{"spec", "targets", "ingress"}, "Its targets are the hosts of Ingresses. Managed Prometheus knows no Ingresses.", "name its targets in staticConfig, in the source; or make uptime checks of Cloud Monitoring")
		return
	}
	static := plain.Mapping(spec, "targets", "staticConfig")
	targets := plain.Texts(static, "static")
	if len(targets) == 0 {
		m.block([]string{"spec", "targets"}, "It names no target.", "name its targets in staticConfig, in the source")
		return
	}
	namespace, name, number := m.prober(plain.Text(spec, "prober", "url"))
	selector, target := map[string]any(nil), any(nil)
	for _, s := range m.services[namespace] {
		if s.Name != name {
			continue
		}
		selector = plain.Mapping(s.Value, "spec", "selector")
		for _, p := range plain.List(s.Value, "spec", "ports") {
			if plain.At(p, "port") == number {
				target = cmp.Or(plain.At(p, "targetPort"), plain.At(p, "port"))
			}
		}
	}
	if len(selector) == 0 || target == nil {
		m.block([]string{"spec", "prober"}, "Its prober "+plain.Text(spec, "prober", "url")+" is none of the Services at hand, so nobody can tell which pods are meant.", "add the Service to the source, or let the Probe stay with Prometheus")
		return
	}
	pods := map[string]any{"matchLabels": maps.Clone(selector)}
	for i, t := range targets {
		e := &endpoint{path: []string{"spec", "targets", "staticConfig"}, port: m.preferName(namespace, pods, target), known: map[string]string{"namespace": namespace}}
		e.spec = m.probeEndpoint(spec, static, t)
		m.endpoint(spec, e)
		m.constant(e, e.path, "target", t)
		for _, k := range sorted(plain.Mapping(static, "labels")) {
			m.constant(e, e.path, k, fmt.Sprint(plain.Mapping(static, "labels")[k]))
		}
		called := m.o.Name
		if i > 0 {
			called += "-" + strconv.Itoa(i+1)
		}
		m.make("PodMonitoring", namespace, objectName(called), m.spec(spec, []*endpoint{e}, pods))
	}
	m.note(nil, "Managed Prometheus scrapes its prober once for each target, by a PodMonitoring each: job names that, instance names the prober's pod, and the target is in the label target. Rules that ask for instance or job find nothing.",
		"ask for target; or make uptime checks of Cloud Monitoring, which ask from outside the cluster")
}

// probeEndpoint is the scrape of the prober for one target.
func (m *making) probeEndpoint(spec, static map[string]any, target string) map[string]any {
	params := map[string]any{"target": []any{target}}
	if x := plain.Text(spec, "module"); x != "" {
		params["module"] = []any{x}
	}
	e := map[string]any{"path": cmp.Or(plain.Text(spec, "prober", "path"), "/probe"), "params": params}
	for from, to := range map[string]string{"scheme": "scheme", "proxyUrl": "proxyUrl"} {
		if x := plain.At(spec, "prober", from); x != nil {
			e[to] = x
		}
	}
	for _, k := range []string{"interval", "scrapeTimeout", "metricRelabelings", "tlsConfig", "basicAuth", "authorization", "bearerTokenSecret", "oauth2"} {
		if x := plain.At(spec, k); x != nil {
			e[k] = x
		}
	}
	if x := plain.At(static, "relabelingConfigs"); x != nil {
		e["relabelings"] = x
	}
	return e
}

// prober reads the address of a Service: its namespace, its name and its port.
func (m *making) prober(address string) (namespace, name string, number int64) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		host, text = address, "80"
	}
	number, _ = strconv.ParseInt(text, 10, 32)
	parts := strings.Split(host, ".")
	namespace = m.o.Namespace
	if len(parts) > 1 {
		namespace = parts[1]
	}
	return namespace, parts[0], number
}
