package monitor

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bascule/bascule/internal/kube/plain"
)

// fields are the ones of a monitor or an endpoint that are seen to, or that mean nothing here; what is not among them is told.
func fields(names string) map[string]bool {
	out := map[string]bool{}
	for n := range strings.FieldsSeq(names) {
		out[n] = true
	}
	return out
}

const (
	monitorFields = `selector namespaceSelector endpoints podMetricsEndpoints jobLabel targetLabels podTargetLabels sampleLimit labelLimit labelNameLengthLimit
labelValueLengthLimit attachMetadata selectorMechanism keepDroppedTargets serviceDiscoveryRole`
	endpointFields = `port targetPort portNumber path scheme params interval scrapeTimeout honorLabels honorTimestamps relabelings metricRelabelings tlsConfig
basicAuth authorization bearerTokenSecret bearerTokenFile oauth2 proxyUrl filterRunning enableHttp2 followRedirects trackTimestampsStaleness`
)

// unknown tells of each field that has no counterpart. One that is empty, or off, says nothing.
func (m *making) unknown(v map[string]any, path []string, known string) {
	have := fields(known)
	for _, k := range sorted(v) {
		empty := v[k] == nil || v[k] == false || v[k] == "" || v[k] == int64(0)
		if !have[k] && !empty {
			m.note(append(slices.Clone(path), k), k+" has no counterpart in Managed Prometheus, and is lost.", "")
		}
	}
}

// endpoint works out what is written for one endpoint.
func (m *making) endpoint(spec map[string]any, e *endpoint) {
	m.unknown(e.spec, e.path, endpointFields)
	v := e.written()
	v["port"] = e.port
	for _, k := range []string{"path", "params", "proxyUrl"} {
		if x := plain.At(e.spec, k); x != nil && x != "" {
			v[k] = x
		}
	}
	if s := strings.ToLower(plain.Text(e.spec, "scheme")); s != "" {
		v["scheme"] = s
	}
	m.times(e)
	m.security(e)
	if plain.At(e.spec, "honorLabels") == true {
		e.metadata = []string{}
		m.note(e.path, "honorLabels: a label namespace, job or instance of its metrics is called exported_namespace, exported_job, exported_instance from now on; pod, container and others stay its own.",
			"for kube-state-metrics turn on the cluster's own kube state metrics, or write a ClusterPodMonitoring with targetLabels.metadata: [] into overrides/")
	}
	for _, k := range []string{"honorTimestamps", "followRedirects", "enableHttp2"} {
		if e.spec[k] == false {
			m.note(append(slices.Clone(e.path), k), k+": false has no counterpart in Managed Prometheus, and is lost.", "")
		}
	}
	for _, k := range plain.Texts(spec, "podTargetLabels") {
		m.podLabel(e, append(slices.Clone(e.path[:1]), "podTargetLabels"), k, labelName(k))
	}
	m.relabel(e)
	m.metricRelabel(e)
}

// times writes how often an endpoint is scraped: PodMonitoring wants it said, and a timeout that is no longer.
func (m *making) times(e *endpoint) {
	interval := plain.Text(e.spec, "interval")
	if interval == "" {
		interval = m.interval
	}
	e.value["interval"] = interval
	if duration(interval) == 0 {
		m.block(append(slices.Clone(e.path), "interval"), fmt.Sprintf("Its interval %q is no duration.", interval), "correct it in the source")
	}
	timeout := plain.Text(e.spec, "scrapeTimeout")
	if timeout == "" {
		return
	}
	long, between := duration(timeout), duration(interval)
	if long > between && between > 0 {
		m.note(append(slices.Clone(e.path), "scrapeTimeout"), fmt.Sprintf("Its timeout of %s is longer than its interval of %s, so it is %s.", timeout, interval, interval), "")
		timeout = interval
	}
	e.value["timeout"] = timeout
}

var (
	aDuration = regexp.MustCompile(`^(\d+(ms|[smhdwy]))+$`)
	aPart     = regexp.MustCompile(`(\d+)(ms|[smhdwy])`)
)

// duration reads how long something lasts as Prometheus does; 0 for what it does not read.
func duration(text string) time.Duration {
	if !aDuration.MatchString(text) {
		return 0
	}
	units := map[string]time.Duration{"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour, "y": 365 * 24 * time.Hour}
	var sum time.Duration
	for _, part := range aPart.FindAllStringSubmatch(text, -1) {
		n, err := strconv.ParseInt(part[1], 10, 32)
		if err != nil {
			return 0
		}
		sum += time.Duration(n) * units[part[2]]
	}
	return sum
}

// security writes how an endpoint is authenticated. Secrets stay where they are, and are only named.
func (m *making) security(e *endpoint) {
	in := func(k string) []string { return append(slices.Clone(e.path), k) }
	if plain.Text(e.spec, "bearerTokenFile") != "" {
		m.block(in("bearerTokenFile"), "It reads a token from a file of Prometheus's own pod, which Managed Prometheus's does not have.", "kubelet and API server: Google scrapes them; others: put a token into a Secret and name it in authorization")
	}
	if s := plain.Mapping(e.spec, "bearerTokenSecret"); plain.Text(s, "name") != "" {
		e.value["authorization"] = map[string]any{"credentials": m.secret(e, s)}
	}
	if a := plain.Mapping(e.spec, "authorization"); a != nil {
		to := map[string]any{}
		if t := plain.Text(a, "type"); t != "" {
			to["type"] = t
		}
		if c := plain.Mapping(a, "credentials"); c != nil {
			to["credentials"] = m.secret(e, c)
		}
		if plain.Text(a, "credentialsFile") != "" {
			m.block(in("authorization"), "It reads credentials from a file of Prometheus's own pod, which Managed Prometheus's does not have.", "put them into a Secret and name it in authorization.credentials")
		}
		e.value["authorization"] = to
	}
	if b := plain.Mapping(e.spec, "basicAuth"); b != nil {
		m.block(in("basicAuth"), "Its user's name stands in a Secret. PodMonitoring takes the name as text, and only the password from a Secret.", "write its PodMonitoring into overrides/, with basicAuth.username as text; or let it stay with Prometheus")
	}
	if o := plain.Mapping(e.spec, "oauth2"); o != nil {
		m.oauth2(e, o)
	}
	if t := plain.Mapping(e.spec, "tlsConfig"); t != nil {
		if to := m.tls(e, t, in("tlsConfig")); len(to) > 0 {
			e.value["tls"] = to
		}
	}
}

// secret names a key of a Secret, which is in the namespace of the monitor.
func (m *making) secret(e *endpoint, s map[string]any) map[string]any {
	m.need("It reads the Secret "+m.o.Namespace+"/"+plain.Text(s, "name")+", which the collectors of Managed Prometheus may not.",
		"let the service account collector (namespace gmp-system; gke-gmp-system on Autopilot) get that Secret, by a Role and a RoleBinding in "+m.o.Namespace)
	ref := map[string]any{"name": plain.Text(s, "name"), "key": plain.Text(s, "key")}
	switch e.known["namespace"] {
	case m.o.Namespace:
	case "":
		ref["namespace"] = m.o.Namespace
	default:
		m.block(e.path, "It reads a Secret of "+m.o.Namespace+" for pods of another namespace, which PodMonitoring may not.", "put the Secret beside the pods, and the monitor too, in the source")
	}
	return map[string]any{"secret": ref}
}

func (m *making) oauth2(e *endpoint, o map[string]any) {
	path := append(slices.Clone(e.path), "oauth2")
	to := map[string]any{"tokenURL": plain.Text(o, "tokenUrl"), "clientSecret": m.secret(e, plain.Mapping(o, "clientSecret"))}
	c := plain.Mapping(o, "clientId", "configMap")
	data := m.configMaps[m.o.Namespace+"/"+plain.Text(c, "name")]
	if data == nil || plain.Text(data.Value, "data", plain.Text(c, "key")) == "" {
		m.block(path, "Its client id stands in a Secret, or in a ConfigMap that is not at hand. PodMonitoring takes it as text.", "write its PodMonitoring into overrides/, with oauth2.clientID as text; or let it stay with Prometheus")
		return
	}
	to["clientID"] = plain.Text(data.Value, "data", plain.Text(c, "key"))
	for _, k := range []string{"scopes", "endpointParams", "proxyUrl"} {
		if x := plain.At(o, k); x != nil {
			to[k] = x
		}
	}
	if t := plain.Mapping(o, "tlsConfig"); t != nil {
		to["tlsConfig"] = m.tls(e, t, append(path, "tlsConfig"))
	}
	m.unknown(o, path, "tokenUrl clientId clientSecret scopes endpointParams proxyUrl tlsConfig")
	e.value["oauth2"] = to
}

// tls writes what is held against a certificate, and which one is shown.
func (m *making) tls(e *endpoint, t map[string]any, path []string) map[string]any {
	to := map[string]any{}
	for _, k := range []string{"serverName", "insecureSkipVerify", "minVersion", "maxVersion"} {
		if x := plain.At(t, k); x != nil && x != "" {
			to[k] = x
		}
	}
	for _, k := range []struct{ from, to string }{{"ca", "ca"}, {"cert", "cert"}} {
		if s := plain.Mapping(t, k.from, "secret"); s != nil {
			to[k.to] = m.secret(e, s)
		}
		if plain.Mapping(t, k.from, "configMap") != nil {
			m.block(append(slices.Clone(path), k.from), "A certificate stands in a ConfigMap. PodMonitoring reads certificates from Secrets.", "put it into a Secret, in the source")
		}
	}
	if s := plain.Mapping(t, "keySecret"); s != nil {
		to["key"] = m.secret(e, s)
	}
	for _, k := range []string{"caFile", "certFile", "keyFile"} {
		if plain.Text(t, k) != "" {
			m.block(append(slices.Clone(path), k), k+" is a file of Prometheus's own pod, which Managed Prometheus's does not have.", "put what it holds into a Secret, in the source")
		}
	}
	m.unknown(t, path, "serverName insecureSkipVerify minVersion maxVersion ca cert keySecret caFile certFile keyFile")
	return to
}
