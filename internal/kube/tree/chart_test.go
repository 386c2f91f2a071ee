package tree_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"github.com/bascule/bascule/internal/kube/translate"
)

// TestAChartThatGoesOn renders something else than the patches were written for: what they rely on is refused, what nobody has seen is still in standby, and what is the chart's own stays.
func TestAChartThatGoesOn(t *testing.T) {
	rendered, decisions, images := stored(t)
	out := released(t, rendered, decisions, images)
	instead := func(from, to string) string {
		t.Helper()
		if !strings.Contains(rendered, from) {
			t.Fatalf("the chart does not render %q", from)
		}
		return strings.Replace(rendered, from, to, 1)
	}
	for name, c := range map[string]struct{ now, says string }{
		"another image":      {strings.ReplaceAll(rendered, "shop/web:7.1", "shop/web:7.2"), "/image failed"},
		"another role":       {instead("role/shop-web", "role/shop-other"), "role-arn failed"},
		"another container":  {instead("- name: web\n        image: \"1234", "- name: shop\n        image: \"1234"), "containers/1/name failed"},
		"containers swapped": {instead("- name: proxy", "- {name: first, image: first}\n      - name: proxy"), "containers/1/name failed"},
		"another toleration": {instead("key: karpenter.sh/disrupted", "key: karpenter.sh/other"), "tolerations/1 failed"},
		"another host":       {instead("host: shop.example.com", "host: new.example.com"), "/spec failed"},
		"another scheme":     {instead("scheme: internet-facing", "scheme: internal"), "scheme failed"},
		"another name":       {instead("kind: Deployment\nmetadata:\n  name: web\n", "kind: Deployment\nmetadata:\n  name: shop\n"), "no matches for Id"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, phase := range []string{"live", "standby"} {
				if _, err := onto(t, out, phase, c.now); err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%s: got %v, and not %q", phase, err, c.says)
				}
			}
		})
	}
	// What the patches do not speak of may change.
	now := instead("replicas: 3", "replicas: 7")
	now = strings.Replace(now, "kind: Deployment\nmetadata:\n", "kind: Deployment\nmetadata:\n  annotations: {team: window}\n", 1)
	got, err := onto(t, out, "live", now)
	if err != nil {
		t.Fatal(err)
	}
	d := got["apps/v1 Deployment shop/web"].(map[string]any)
	if translate.At(d, "spec", "replicas") != int64(7) || translate.Text(d, "metadata", "annotations", "team") != "window" {
		t.Errorf("the chart's own is gone: %v", d)
	}
	// Without hooks, as Helm 3 sends it.
	hookless, _, _ := strings.Cut(now, "---\n# Source: web/templates/migrate.yaml")
	if got, err = onto(t, out, "standby", hookless); err != nil || len(got) != 5 {
		t.Errorf("without hooks: %d objects, %v", len(got), err)
	}
}

const fresh = `---
apiVersion: apps/v1
kind: Deployment
metadata: {name: fresh, annotations: {a: b}}
spec: {replicas: 2, template: {spec: {containers: [{name: a, image: a}]}}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: fresh}
spec: {template: {spec: {containers: [{name: a, image: a}]}}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: fresh}
spec: {schedule: "@daily", jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: a}]}}}}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: fresh-hook, annotations: {helm.sh/hook: post-upgrade}}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: a}]}}}
---
apiVersion: v1
kind: Pod
metadata: {name: fresh}
spec: {containers: [{name: a, image: a}]}
---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: fresh}
spec: {scaleTargetRef: {name: fresh}}
---
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: fresh}
spec: {replicas: 4}
---
apiVersion: v1
kind: Service
metadata: {name: fresh, annotations: {external-dns.alpha.kubernetes.io/hostname: fresh.example.com}}
spec: {ports: [{port: 80}]}
`

// TestWhatIsNewInAChartIsStillInStandby: the next version of a chart brings workloads that no patch names.
func TestWhatIsNewInAChartIsStillInStandby(t *testing.T) {
	rendered, decisions, images := stored(t)
	out := released(t, rendered, decisions, images)
	got, err := onto(t, out, "standby", rendered+fresh)
	if err != nil {
		t.Fatal(err)
	}
	for want, path := range map[string][]string{
		"apps/v1 Deployment shop/fresh 0":                {"spec", "replicas"},
		"apps/v1 DaemonSet shop/fresh true":              {"spec", "template", "spec", "nodeSelector", "bascule-quiet"},
		"batch/v1 CronJob shop/fresh true":               {"spec", "suspend"},
		"keda.sh/v1alpha1 ScaledObject shop/fresh 0":     {"metadata", "annotations", "autoscaling.keda.sh/paused-replicas"},
		"argoproj.io/v1alpha1 Rollout shop/fresh 0":      {"spec", "replicas"},
		"v1 Service shop/fresh bascule-standby":          {"metadata", "annotations", "external-dns.alpha.kubernetes.io/controller"},
		"apps/v1 Deployment shop/fresh b":                {"metadata", "annotations", "a"},
		"v1 Service shop/fresh fresh.example.com":        {"metadata", "annotations", "external-dns.alpha.kubernetes.io/hostname"},
		"batch/v1 CronJob shop/fresh @daily":             {"spec", "schedule"},
		"keda.sh/v1alpha1 ScaledObject shop/fresh fresh": {"spec", "scaleTargetRef", "name"},
		"apps/v1 DaemonSet shop/fresh a":                 {"spec", "template", "spec", "containers", "0", "image"},
		"argoproj.io/v1alpha1 Rollout shop/fresh shop":   {"metadata", "namespace"},
	} {
		i := strings.LastIndexByte(want, ' ')
		o, ok := got[want[:i]].(map[string]any)
		if v := fmt.Sprint(translate.At(o, path...)); !ok || v != want[i+1:] {
			t.Errorf("%s: %v is %s", want, path, v)
		}
	}
	for _, gone := range []string{"v1 Pod shop/fresh", "batch/v1 Job shop/fresh-hook"} {
		if got[gone] != nil {
			t.Errorf("%s is there", gone)
		}
	}
}

// TestWhatRunsInStandbyRuns: what people have declared keeps what its chart says.
func TestWhatRunsInStandbyRuns(t *testing.T) {
	out := released(t, fresh, `keep-in-standby: ["Deployment shop/fresh", "CronJob shop/fresh", "DaemonSet shop/fresh", "ScaledObject shop/fresh"]`, nil)
	live, err := onto(t, out, "live", fresh)
	if err != nil {
		t.Fatal(err)
	}
	standby, err := onto(t, out, "standby", fresh)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{"apps/v1 Deployment shop/fresh", "batch/v1 CronJob shop/fresh", "apps/v1 DaemonSet shop/fresh", "keda.sh/v1alpha1 ScaledObject shop/fresh"} {
		got, want := standby[k].(map[string]any), live[k].(map[string]any)
		if n, ok := translate.At(got, "spec", "template", "spec", "nodeSelector").(map[string]any); ok && len(n) == 0 {
			delete(translate.At(got, "spec", "template", "spec").(map[string]any), "nodeSelector")
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-live +standby):\n%s", k, diff)
		}
	}
	if n := translate.At(standby["argoproj.io/v1alpha1 Rollout shop/fresh"], "spec", "replicas"); n != int64(0) {
		t.Errorf("what nobody has declared runs: %v", n)
	}
}

// TestAMutatedChartIsMendedRightOrRefused changes what the chart renders at random, as its next versions do. Where the patches take it, the release comes to what a fresh
// translation makes of it; where they do not, they say so.
func TestAMutatedChartIsMendedRightOrRefused(t *testing.T) {
	t.Parallel()
	rendered, decisions, images := stored(t)
	out := released(t, rendered, decisions, images)
	taken, refused := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		objects := readRelease(t, rendered).Objects
		for range rapid.IntRange(1, 3).Draw(rt, "changes") {
			o := rapid.SampledFrom(objects).Draw(rt, "object")
			part := rapid.SampledFrom([]string{"spec", "metadata"}).Draw(rt, "part")
			if v, ok := o.Value[part]; ok {
				o.Value[part] = mutated(rt, v)
			}
		}
		var docs []string
		for _, o := range objects {
			delete(o.Value["metadata"].(map[string]any), "namespace")
			text, err := yaml.Marshal(o.Value)
			if err != nil {
				rt.Fatal(err)
			}
			docs = append(docs, string(text))
		}
		now := strings.Join(docs, "---\n")
		phases := []string{"live"}
		if rapid.IntRange(0, 4).Draw(rt, "standby too") == 0 { // which costs more, and differs less
			phases = append(phases, "standby")
		}
		for _, phase := range phases {
			got, err := onto(t, out, phase, now)
			if err != nil {
				refused++
				return
			}
			taken++
			want := plain(t, now, decisions, images, phase)
			unmarked(got)
			unmarked(want)
			if diff := cmp.Diff(want, got); diff != "" {
				rt.Fatalf("%s (-fresh +taken):\n%s\n%s", phase, diff, now)
			}
		}
	})
	t.Logf("%d builds taken, %d charts refused", taken, refused)
	if taken == 0 || refused == 0 {
		t.Error("that shows nothing")
	}
}

// mutated changes one thing at random in a value: another text or number, an element that goes, comes or moves, a key that goes or comes. Names of objects stay.
func mutated(rt *rapid.T, v any) any {
	switch x := v.(type) {
	case map[string]any:
		keys := slices.DeleteFunc(slices.Sorted(maps.Keys(x)), func(k string) bool { return k == "name" || k == "namespace" || k == "helm.sh/hook" })
		switch {
		case rapid.IntRange(0, 9).Draw(rt, "comes") == 0 && len(keys) > 0:
			if _, text := x[keys[0]].(string); text {
				x["fresh"] = "fresh"
			}
		case len(keys) > 0:
			k := rapid.SampledFrom(keys).Draw(rt, "key")
			if _, leaf := x[k].(string); leaf && rapid.IntRange(0, 3).Draw(rt, "goes") == 0 && k != "image" {
				delete(x, k)
			} else {
				x[k] = mutated(rt, x[k])
			}
		}
		return x
	case []any:
		i := rapid.IntRange(0, len(x)-1).Draw(rt, "element")
		switch rapid.IntRange(0, 5).Draw(rt, "do") {
		case 0:
			if len(x) > 1 {
				return slices.Delete(x, i, i+1)
			}
		case 1:
			return append(slices.Clone(x[i:]), x[:i]...)
		}
		x[i] = mutated(rt, x[i])
		return x
	case string:
		return rapid.SampledFrom([]string{"other", "a.b/c", "7"}).Draw(rt, "text")
	case int64:
		return rapid.Int64Range(1, 9).Draw(rt, "number")
	}
	return v
}
