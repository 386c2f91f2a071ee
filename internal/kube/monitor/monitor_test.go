package monitor_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bascule/bascule/internal/kube/crd"
	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/monitor"
)

// given are Google's own definitions, which lie beside the project on some machines.
const given = "../../../../shared/crds/managed-prometheus"

func read(t testing.TB, text string) []*manifest.Object {
	t.Helper()
	set, err := manifest.Read(strings.NewReader(text), "-")
	if err != nil {
		t.Fatal(err)
	}
	return set.Objects
}

// shop is a Service, its pods, and what monitors of them may name.
const shop = `
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop, labels: {app: web, job: Web_Shop}}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}, {name: admin, port: 81, targetPort: admin}, {name: raw, port: 9}]}
---
apiVersion: v1
kind: Service
metadata: {name: outside, namespace: shop, labels: {app: outside}}
spec: {type: ExternalName, externalName: example.org}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec: {template: {metadata: {labels: {app: web, tier: front}}, spec: {containers: [{name: web, ports: [{name: web, containerPort: 8080}]}]}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: login, namespace: shop}
data: {id: prometheus}
---
`

func serviceMonitor(spec string) string {
	return shop + "apiVersion: monitoring.coreos.com/v1\nkind: ServiceMonitor\nmetadata: {name: m, namespace: shop}\nspec: {selector: {matchLabels: {app: web}}, " + spec + "}\n"
}

func podMonitor(spec string) string {
	return shop + "apiVersion: monitoring.coreos.com/v1\nkind: PodMonitor\nmetadata: {name: m, namespace: shop}\nspec: {selector: {matchLabels: {app: web}}, " + spec + "}\n"
}

func rule(spec string) string {
	return "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata: {name: m, namespace: shop}\nspec: {groups: [{name: g, rules: [" + spec + "]}]}\n"
}

func only(t testing.TB, text string) *monitor.Outcome {
	t.Helper()
	for o, outcome := range monitor.Translate(read(t, text)) {
		if o.Name == "m" {
			return outcome
		}
	}
	t.Fatal("there is no monitor")
	return nil
}

// TestInTheWay: what would not be scraped or fire as before stays as it is, with its reason and nothing beside it.
func TestInTheWay(t *testing.T) {
	tests := map[string]struct{ in, why string }{
		"no Service":       {strings.Replace(serviceMonitor("endpoints: [{port: http}]"), "matchLabels: {app: web}}, end", "matchLabels: {app: none}}, end", 1), "None of the Services"},
		"no pods":          {strings.Replace(serviceMonitor("endpoints: [{port: http}]"), "matchLabels: {app: web}}, end", "matchLabels: {app: outside}}, end", 1), "selects no pods"},
		"token file":       {serviceMonitor("endpoints: [{port: http, bearerTokenFile: /token}]"), "a token from a file"},
		"credentials file": {serviceMonitor("endpoints: [{port: http, authorization: {credentialsFile: /token}}]"), "credentials from a file"},
		"basic":            {serviceMonitor("endpoints: [{port: http, basicAuth: {username: {name: s, key: u}, password: {name: s, key: p}}}]"), "user's name stands in a Secret"},
		"oauth2 secret":    {serviceMonitor("endpoints: [{port: http, oauth2: {clientId: {secret: {name: s, key: u}}, clientSecret: {name: s, key: p}, tokenUrl: 'https://x'}}]"), "client id stands in a Secret"},
		"ca ConfigMap":     {serviceMonitor("endpoints: [{port: http, tlsConfig: {ca: {configMap: {name: c, key: ca}}}}]"), "stands in a ConfigMap"},
		"ca file":          {serviceMonitor("endpoints: [{port: http, tlsConfig: {caFile: /ca}}]"), "caFile is a file"},
		"address":          {serviceMonitor("endpoints: [{port: http, relabelings: [{sourceLabels: [__address__], targetLabel: __address__, replacement: x}]}]"), "__address__"},
		"constant path":    {serviceMonitor("endpoints: [{port: http, relabelings: [{targetLabel: __metrics_path__, replacement: /x}]}]"), "__metrics_path__"},
		"keep":             {serviceMonitor("endpoints: [{port: http, relabelings: [{sourceLabels: [__meta_kubernetes_pod_annotation_scrape], regex: 'true', action: keep}]}]"), "keeps only some targets"},
		"drop":             {serviceMonitor("endpoints: [{port: http, relabelings: [{sourceLabels: [__meta_kubernetes_pod_label_app], regex: 'w.*', action: drop}]}]"), "leaves targets out"},
		"regex":            {serviceMonitor("endpoints: [{port: http, relabelings: [{sourceLabels: [x], regex: '(', action: drop}]}]"), "cannot be read"},
		"interval":         {serviceMonitor("endpoints: [{port: http, interval: often}]"), "is no duration"},
		"no port":          {podMonitor("podMetricsEndpoints: [{path: /x}]"), "names no port"},
		"cluster label":    {rule("{alert: A, expr: 'up{cluster=~\"a\"}'}"), "label cluster"},
		"project label":    {rule("{alert: A, expr: up, labels: {project_id: a}}"), "label project_id"},
		"no rules":         {rule(""), "no rules"},
		"ingress probe":    {"apiVersion: monitoring.coreos.com/v1\nkind: Probe\nmetadata: {name: m, namespace: shop}\nspec: {prober: {url: b}, targets: {ingress: {}}}\n", "hosts of Ingresses"},
		"no prober":        {"apiVersion: monitoring.coreos.com/v1\nkind: Probe\nmetadata: {name: m, namespace: shop}\nspec: {prober: {url: 'b.x:9115'}, targets: {staticConfig: {static: [a]}}}\n", "none of the Services"},
		"foreign Secret":   {strings.Replace(serviceMonitor("namespaceSelector: {matchNames: [shop]}, endpoints: [{port: http, bearerTokenSecret: {name: s, key: k}}]"), "{name: m, namespace: shop}", "{name: m, namespace: watch}", 1), "pods of another namespace"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := only(t, test.in)
			if len(o.Blocks) == 0 || !strings.Contains(o.Blocks[0].What, test.why) {
				t.Errorf("blocks %v", o.Blocks)
			}
			if len(o.Objects)+len(o.Notes)+len(o.Needs) > 0 {
				t.Errorf("there is more: %v", o)
			}
		})
	}
}

// TestLost: each field without a counterpart is told, and no other.
func TestLost(t *testing.T) {
	tests := map[string]struct{ in, told string }{
		"target limit":  {serviceMonitor("targetLimit: 5, endpoints: [{port: http}]"), "targetLimit has no counterpart"},
		"unknown field": {serviceMonitor("endpoints: [{port: http, scrapeClass: x}]"), "scrapeClass has no counterpart"},
		"timestamps":    {serviceMonitor("endpoints: [{port: http, honorTimestamps: false}]"), "honorTimestamps: false"},
		"labels":        {serviceMonitor("endpoints: [{port: http, honorLabels: true}]"), "honorLabels"},
		"instance":      {serviceMonitor("endpoints: [{port: http, metricRelabelings: [{sourceLabels: [instance], regex: a, action: drop}]}]"), "goes by instance"},
		"labelmap":      {serviceMonitor("endpoints: [{port: http, metricRelabelings: [{regex: 'a_(.*)', action: labelmap}]}]"), "has no labelmap"},
		"labeldrop":     {serviceMonitor("endpoints: [{port: http, metricRelabelings: [{regex: 'inst.*', action: labeldrop}]}]"), "would drop a label"},
		"labelkeep":     {serviceMonitor("endpoints: [{port: http, metricRelabelings: [{regex: 'a', action: labelkeep}]}]"), "would drop the label"},
		"taken over":    {serviceMonitor("endpoints: [{port: http, relabelings: [{targetLabel: pod, replacement: x}, {sourceLabels: [__meta_kubernetes_pod_name], targetLabel: c}]}]"), "by __meta_kubernetes_pod_name into c) is lost"},
		"no such port":  {serviceMonitor("endpoints: [{port: http}, {port: gone}]"), "has no port gone"},
		"job":           {serviceMonitor("jobLabel: job, endpoints: [{port: http}]"), `job="Web_Shop" and have job="web-shop"`},
		"firing":        {rule("{alert: A, expr: up, keep_firing_for: 5m}"), "keep_firing_for"},
		"service":       {rule("{alert: A, expr: 'up{job=\"a\",service=\"b\"} == 0'}"), "asks for the label service"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := only(t, test.in)
			if len(o.Objects) == 0 || !slices.ContainsFunc(o.Notes, func(r monitor.Remark) bool { return strings.Contains(r.What, test.told) }) {
				t.Errorf("%d objects, blocks %v, notes %v", len(o.Objects), o.Blocks, o.Notes)
			}
		})
	}
	if o := only(t, serviceMonitor("endpoints: [{port: http, honorTimestamps: true, enableHttp2: true, interval: 5s}]")); len(o.Notes) != 1 {
		t.Errorf("a plain monitor loses something: %v", o.Notes)
	}
}

// TestPorts: the name of a Service's port is not that of the container.
func TestPorts(t *testing.T) {
	for in, want := range map[string]string{
		"{port: http}": "[web]", "{port: admin}": "[admin]", "{port: raw}": "[9]", "{targetPort: 8080}": "[web]", "{targetPort: 7}": "[7]", "{path: /x}": "[web admin 9]",
		"{port: http}, {port: raw}": "[web 9]",
	} {
		o := only(t, serviceMonitor("endpoints: ["+in+"]"))
		var got []any
		for _, m := range o.Objects {
			endpoints, _ := m["spec"].(map[string]any)["endpoints"].([]any)
			for _, e := range endpoints {
				got = append(got, e.(map[string]any)["port"])
			}
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%s: got %v, want %s", in, got, want)
		}
	}
}

// TestOwnNamespace: Rules are written only where no series of another namespace is asked for.
func TestOwnNamespace(t *testing.T) {
	for expr, want := range map[string]string{
		`up{namespace="shop"}`: "Rules",
		`sum by (pod, job) (rate(a{x="y",namespace="shop"}[5m])) / on (pod) group_left (x) max(b{namespace="shop"}) > bool 1.5e3`: "Rules",
		`absent(a{namespace="shop"} offset 5m) or vector(1)`:                                                                      "Rules",
		`up`:                            "ClusterRules",
		`up{namespace="other"}`:         "ClusterRules",
		`up{namespace=~"shop"}`:         "ClusterRules",
		`up{namespace="shop"} and down`: "ClusterRules",
		`{__name__="up"}`:               "ClusterRules",
		`up{exported_namespace="shop"}`: "ClusterRules",
		`label_replace(up{namespace="shop"}, "a", "up{", "b", "") + kube_pod_info`:         "ClusterRules",
		"up{namespace=\"shop\"} # the namespace\n and x":                                   "ClusterRules",
		`sum(up{namespace="shop"}) by (namespace) * sum without (a) (b{namespace="shop"})`: "Rules",
	} {
		o := only(t, rule("{record: a, expr: "+fmt.Sprintf("%q", expr)+"}"))
		if len(o.Objects) != 1 || o.Objects[0]["kind"] != want {
			t.Errorf("%s: %v %v", expr, o.Objects, o.Blocks)
		}
	}
}

// TestWrittenIsValid holds everything that the tests above write to Google's definitions. ClusterRules have the schema of Rules, which is the one at hand.
func TestWrittenIsValid(t *testing.T) {
	if _, err := os.Stat(given); err != nil {
		t.Skip("the real definitions are not here: ", err)
	}
	set, err := crd.Load(given)
	if err != nil {
		t.Fatal(err)
	}
	full := serviceMonitor(`targetLabels: [app], podTargetLabels: [tier], sampleLimit: 1, labelLimit: 2, labelNameLengthLimit: 3, labelValueLengthLimit: 4, endpoints: [
{port: http, path: /m, scheme: https, params: {a: [b]}, interval: 1m30s, scrapeTimeout: 10s, proxyUrl: "http://proxy:3128", filterRunning: false,
 oauth2: {clientId: {configMap: {name: login, key: id}}, clientSecret: {name: s, key: k}, tokenUrl: "https://t", scopes: [a], endpointParams: {a: b}, tlsConfig: {insecureSkipVerify: true}},
 tlsConfig: {ca: {secret: {name: a, key: b}}, cert: {secret: {name: a, key: c}}, keySecret: {name: a, key: d}, serverName: x, minVersion: TLS12},
 relabelings: [{sourceLabels: [__meta_kubernetes_pod_node_name], targetLabel: host}, {sourceLabels: [__meta_kubernetes_pod_label_tier], action: drop, regex: (a|b)}, {targetLabel: env, replacement: "a$$b"}],
 metricRelabelings: [{action: HashMod, sourceLabels: [a], modulus: 3, targetLabel: h}, {action: labeldrop, regex: a.*}, {action: LabelKeep, regex: "(.+)"}]},
{port: http, bearerTokenSecret: {name: s, key: k}}, {port: admin, authorization: {type: Token, credentials: {name: s, key: k}}, honorLabels: true}]`)
	checked := 0
	for _, text := range []string{
		full, podMonitor("namespaceSelector: {any: true}, podMetricsEndpoints: [{port: web, relabelings: [{sourceLabels: [__meta_kubernetes_pod_node_name], targetLabel: node}]}]"),
		podMonitor("namespaceSelector: {matchNames: [a, b]}, podMetricsEndpoints: [{portNumber: 8080}]"), rule("{alert: A, expr: up, for: 5m, labels: {a: b}, annotations: {c: d}}, {record: 'a:b', expr: 1}"),
	} {
		o := only(t, text)
		if len(o.Objects) == 0 {
			t.Errorf("%v", o.Blocks)
		}
		for _, m := range o.Objects {
			if m["kind"] == "ClusterRules" {
				m["kind"] = "Rules"
				m["metadata"].(map[string]any)["namespace"] = "a"
			}
			v, err := set.Check(t.Context(), "", m)
			if err != nil || !v.Checked {
				t.Fatal(err, m)
			}
			checked++
			for _, p := range v.Problems {
				t.Error(p)
			}
		}
	}
	if checked != 6 {
		t.Errorf("%d objects were checked", checked)
	}
}

// TestUnread: a monitor that no Prometheus selects is told, for it was silent until now.
func TestUnread(t *testing.T) {
	for spec, want := range map[string]bool{
		"serviceMonitorSelector: {}, serviceMonitorNamespaceSelector: {}":                                                 false,
		"serviceMonitorSelector: {}, serviceMonitorNamespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}": false,
		"serviceMonitorSelector: {}":                              true, // it is of another namespace
		"serviceMonitorSelector: {matchLabels: {a: b}}":           true,
		"serviceMonitorNamespaceSelector: {}":                     true,
		"podMonitorSelector: {}, podMonitorNamespaceSelector: {}": true,
	} {
		o := only(t, serviceMonitor("endpoints: [{port: http}]")+"---\napiVersion: monitoring.coreos.com/v1\nkind: Prometheus\nmetadata: {name: p, namespace: watch}\nspec: {"+spec+"}\n")
		if got := slices.ContainsFunc(o.Notes, func(r monitor.Remark) bool { return strings.HasPrefix(r.What, "No Prometheus") }); got != want {
			t.Errorf("%s: %v", spec, o.Notes)
		}
	}
}

// TestNamesAreFree: what the source has of Managed Prometheus keeps its name.
func TestNamesAreFree(t *testing.T) {
	o := only(t, serviceMonitor("endpoints: [{port: http}]")+"---\napiVersion: monitoring.googleapis.com/v1\nkind: PodMonitoring\nmetadata: {name: web, namespace: shop}\nspec: {}\n")
	if len(o.Objects) != 1 || o.Objects[0]["metadata"].(map[string]any)["name"] != "web-m" {
		t.Errorf("%+v", o)
	}
}

// TestOrderSaysNothing: the same objects in another order come to the same.
func TestOrderSaysNothing(t *testing.T) {
	text := serviceMonitor("endpoints: [{port: http}]") + "---\n" + strings.Replace(serviceMonitor("endpoints: [{port: raw}]")[len(shop):], "name: m,", "name: n,", 1)
	names := func(objects []*manifest.Object) string {
		var out []string
		for o, x := range monitor.Translate(objects) {
			for _, m := range x.Objects {
				out = append(out, fmt.Sprint(o, " ", m["metadata"]))
			}
		}
		slices.Sort(out)
		return strings.Join(out, "\n")
	}
	objects := read(t, text)
	want := names(objects)
	slices.Reverse(objects)
	if diff := cmp.Diff(want, names(objects)); diff != "" || strings.Count(want, "\n") != 1 {
		t.Error(want, diff)
	}
}

// FuzzTranslate: whatever stands in a monitor, it is translated, or something is said.
func FuzzTranslate(f *testing.F) {
	f.Add(serviceMonitor("endpoints: [{port: http}]"))
	f.Add(rule("{alert: A, expr: 'up{'}"))
	f.Add(podMonitor("podMetricsEndpoints: [{port: [1]}, 5]"))
	f.Fuzz(func(t *testing.T, text string) {
		set, err := manifest.Read(strings.NewReader(text), "-")
		if err != nil {
			return
		}
		for o, x := range monitor.Translate(set.Objects) {
			if len(x.Objects) > 0 && len(x.Blocks) > 0 {
				t.Errorf("%s is in the way of itself", o)
			}
		}
	})
}
