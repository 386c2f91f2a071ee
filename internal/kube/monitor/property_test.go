package monitor_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/kube/monitor"
)

// TestSameSeries holds what Managed Prometheus would scrape, and the labels of its series, to what Prometheus scrapes, over random monitors and pods. Both are worked
// out by a model of relabeling of their own. Where something is told to be lost, only what is scraped is compared.
func TestSameSeries(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 11))
	compared, lost := 0, 0
	for range 1000 {
		text := serviceMonitor("endpoints: [{port: http" + relabelings(rng) + "}]")
		o := only(t, text)
		if len(o.Blocks) > 0 {
			continue
		}
		told := slices.ContainsFunc(o.Notes, func(r monitor.Remark) bool { return strings.Contains(r.What, "lost") })
		for range 8 {
			pod := map[string]string{"app": "web"}
			for _, k := range []string{"tier", "app.kubernetes.io/part"} {
				if rng.IntN(3) > 0 {
					pod[k] = pick(rng, "front", "back", "f")
				}
			}
			before, scraped := prometheus(read(t, text)[4].Value, pod)
			after, still := managed(o.Objects, pod)
			if scraped != still {
				t.Fatalf("%v: scraped %t, then %t\n%s", pod, scraped, still, text[len(shop):])
			}
			if told || !scraped {
				lost++
				continue
			}
			for _, own := range []string{"service", "endpoint", "instance"} {
				delete(before, own)
				delete(after, own)
			}
			if _, there := before["node"]; !there {
				delete(after, "node") // asked for, to be given another name
			}
			if compared++; !maps.Equal(before, after) {
				t.Fatalf("%v:\n%v, then\n%v\n%s\n%v", pod, before, after, text[len(shop):], o.Objects)
			}
		}
	}
	if compared < 400 {
		t.Errorf("only %d of %d were compared", compared, compared+lost)
	}
}

func pick(rng *rand.Rand, of ...string) string { return of[rng.IntN(len(of))] }

func relabelings(rng *rand.Rand) string {
	var out []string
	for range rng.IntN(4) {
		source := pick(rng, "__meta_kubernetes_pod_label_tier", "__meta_kubernetes_pod_label_app_kubernetes_io_part", "__meta_kubernetes_service_name", "__meta_kubernetes_service_label_app",
			"__meta_kubernetes_service_label_none", "__meta_kubernetes_namespace", "__meta_kubernetes_pod_name", "__meta_kubernetes_pod_node_name", "service", "a", "endpoint")
		out = append(out, fmt.Sprintf("{sourceLabels: [%s], action: %s, regex: %q, targetLabel: %s, replacement: %q}", source, pick(rng, "replace", "replace", "Replace", "keep", "drop"),
			pick(rng, "(.*)", "(.*)", "(.+)", "front", "front|back", "we(.)", "w.*"), pick(rng, "a", "b", "pod", "node", "c"), pick(rng, "$1", "$1", "x", "x$1")))
	}
	var metric []string
	for range rng.IntN(3) {
		metric = append(metric, fmt.Sprintf("{sourceLabels: [%s], regex: %q, targetLabel: %s, replacement: %q}", pick(rng, "a", "b", "service", "pod", "namespace"), pick(rng, "(.*)", "fr(.*)", "web"), pick(rng, "d", "a"), pick(rng, "$1", "y")))
	}
	return ", relabelings: [" + strings.Join(out, ", ") + "], metricRelabelings: [" + strings.Join(metric, ", ") + "]"
}

// relabeled applies one relabeling, as Prometheus documents it: an empty value takes the label away. It says false for a series or target that is dropped.
func relabeled(labels map[string]string, r map[string]any) bool {
	text := func(k, usual string) string {
		if s, ok := r[k].(string); ok {
			return s
		}
		return usual
	}
	var values []string
	sources, _ := r["sourceLabels"].([]any)
	for _, s := range sources {
		values = append(values, labels[s.(string)])
	}
	value := strings.Join(values, text("separator", ";"))
	re := regexp.MustCompile("^(?:" + text("regex", "(.*)") + ")$")
	switch strings.ToLower(text("action", "replace")) {
	case "keep":
		return re.MatchString(value)
	case "drop":
		return !re.MatchString(value)
	}
	if at := re.FindStringSubmatchIndex(value); at != nil {
		if to := string(re.ExpandString(nil, text("replacement", "$1"), value, at)); to != "" {
			labels[text("targetLabel", "")] = to
		} else {
			delete(labels, text("targetLabel", ""))
		}
	}
	return true
}

func discovered(pod map[string]string) map[string]string {
	labels := map[string]string{"__meta_kubernetes_namespace": "shop", "__meta_kubernetes_pod_name": "web-1", "__meta_kubernetes_pod_node_name": "n1", "__meta_kubernetes_pod_container_name": "web"}
	for k, v := range pod {
		labels["__meta_kubernetes_pod_label_"+regexp.MustCompile(`[^a-zA-Z0-9]`).ReplaceAllString(k, "_")] = v
	}
	return labels
}

// series are the labels that a target leaves to its series, by further relabelings.
func series(labels map[string]string, rules []any) (map[string]string, bool) {
	maps.DeleteFunc(labels, func(k, _ string) bool { return strings.HasPrefix(k, "__") })
	for _, r := range rules {
		if !relabeled(labels, r.(map[string]any)) {
			return nil, false
		}
	}
	return labels, true
}

// prometheus is what the operator lets Prometheus scrape of a pod of the Service web.
func prometheus(object map[string]any, pod map[string]string) (map[string]string, bool) {
	labels := discovered(pod)
	maps.Copy(labels, map[string]string{
		"__meta_kubernetes_service_name": "web", "__meta_kubernetes_service_label_app": "web", "__meta_kubernetes_endpoint_port_name": "http",
		"namespace": "shop", "pod": "web-1", "container": "web", "service": "web", "endpoint": "http", "job": "web",
	})
	endpoint := object["spec"].(map[string]any)["endpoints"].([]any)[0].(map[string]any)
	for _, r := range endpoint["relabelings"].([]any) {
		if !relabeled(labels, r.(map[string]any)) {
			return nil, false
		}
	}
	return series(labels, endpoint["metricRelabelings"].([]any))
}

// managed is what Managed Prometheus scrapes of it.
func managed(objects []map[string]any, pod map[string]string) (map[string]string, bool) {
	if len(objects) == 0 {
		return nil, false
	}
	spec := objects[0]["spec"].(map[string]any)
	selector := spec["selector"].(map[string]any)
	for k, v := range selector["matchLabels"].(map[string]any) {
		if pod[k] != v {
			return nil, false
		}
	}
	requirements, _ := selector["matchExpressions"].([]any)
	for _, e := range requirements {
		m := e.(map[string]any)
		v, has := pod[m["key"].(string)]
		in := has && slices.Contains(m["values"].([]any), any(v))
		if in != (m["operator"] == "In") {
			return nil, false
		}
	}
	found := discovered(pod)
	labels := maps.Clone(found)
	maps.Copy(labels, map[string]string{"namespace": "shop", "job": objects[0]["metadata"].(map[string]any)["name"].(string)})
	targets, _ := spec["targetLabels"].(map[string]any)
	metadata, said := targets["metadata"].([]any)
	if !said {
		metadata = []any{"pod", "container"}
	}
	for _, k := range metadata {
		switch k {
		case "pod":
			labels["pod"] = found["__meta_kubernetes_pod_name"]
		case "container":
			labels["container"] = found["__meta_kubernetes_pod_container_name"]
		case "node":
			labels["node"] = found["__meta_kubernetes_pod_node_name"]
		}
	}
	from, _ := targets["fromPod"].([]any)
	for _, m := range from {
		f := m.(map[string]any)
		if v := found["__meta_kubernetes_pod_label_"+regexp.MustCompile(`[^a-zA-Z0-9]`).ReplaceAllString(f["from"].(string), "_")]; v != "" {
			labels[f["to"].(string)] = v
		} else {
			delete(labels, f["to"].(string))
		}
	}
	rules, _ := spec["endpoints"].([]any)[0].(map[string]any)["metricRelabeling"].([]any)
	return series(labels, rules)
}
