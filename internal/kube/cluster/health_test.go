package cluster

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/bascule/bascule/internal/kube/manifest"
)

// TestAils tells objects as clusters have shown them, and what each waits for.
func TestAils(t *testing.T) {
	for name, c := range map[string]struct{ object, want string }{
		"a deployment that is ready":         {"kind: Deployment\nmetadata: {generation: 2}\nspec: {replicas: 2}\nstatus: {observedGeneration: 2, replicas: 2, updatedReplicas: 2, readyReplicas: 2, availableReplicas: 2}", ""},
		"a deployment without pods":          {"kind: Deployment\nmetadata: {generation: 2}\nspec: {replicas: 2}\nstatus: {observedGeneration: 2}", "0 of 2 pods: updatedReplicas"},
		"a deployment that nobody looked at": {"kind: Deployment\nmetadata: {generation: 1}\nspec: {replicas: 1}", "has not looked at it yet"},
		"a deployment of yesterday":          {"kind: Deployment\nmetadata: {generation: 3}\nspec: {replicas: 1}\nstatus: {observedGeneration: 2, replicas: 1, updatedReplicas: 1, readyReplicas: 1, availableReplicas: 1}", "the last change"},
		"a deployment with old pods":         {"kind: Deployment\nmetadata: {generation: 1}\nspec: {replicas: 1}\nstatus: {observedGeneration: 1, replicas: 2, updatedReplicas: 1, readyReplicas: 2, availableReplicas: 2}", "1 pods too many"},
		"a deployment at zero":               {"kind: Deployment\nmetadata: {generation: 1}\nspec: {replicas: 0}\nstatus: {observedGeneration: 1}", ""},
		"a stateful set that is updated":     {"kind: StatefulSet\nmetadata: {generation: 1}\nspec: {replicas: 3}\nstatus: {observedGeneration: 1, replicas: 3, readyReplicas: 3, updatedReplicas: 1}", "1 of 3 pods: updatedReplicas"},
		"a stateful set that people update":  {"kind: StatefulSet\nmetadata: {generation: 1}\nspec: {replicas: 3, updateStrategy: {type: OnDelete}}\nstatus: {observedGeneration: 1, replicas: 3, readyReplicas: 3, updatedReplicas: 1}", ""},
		"a daemon set that runs nowhere":     {"kind: DaemonSet\nmetadata: {generation: 1}\nstatus: {observedGeneration: 1, desiredNumberScheduled: 0}", ""},
		"a daemon set with a pod to come":    {"kind: DaemonSet\nmetadata: {generation: 1}\nstatus: {observedGeneration: 1, desiredNumberScheduled: 4, updatedNumberScheduled: 4, numberReady: 3}", "3 of 4 pods: numberReady"},
		"a job that failed":                  {"kind: Job\nstatus: {conditions: [{type: Failed, status: 'True'}]}", "not Complete yet"},
		"a job that is suspended":            {"kind: Job\nspec: {suspend: true}", ""},
		"a pod":                              {"kind: Pod\nstatus: {phase: Running, conditions: [{type: Ready, status: 'False', reason: ContainersNotReady, message: web}]}", "not Ready: ContainersNotReady web"},
		"a claim that waits for a pod":       {"kind: PersistentVolumeClaim\nstatus: {phase: Pending}", ""},
		"a claim whose volume is gone":       {"kind: PersistentVolumeClaim\nstatus: {phase: Lost}", "it is Lost"},
		"a gateway":                          {"kind: Gateway\nstatus: {conditions: [{type: Programmed, status: 'False', reason: Invalid, message: no certificate}]}", "not Programmed: Invalid no certificate"},
		"a route of nobody":                  {"kind: HTTPRoute", "no Gateway has taken it yet"},
		"a route without its service":        {"kind: HTTPRoute\nstatus: {parents: [{conditions: [{type: Accepted, status: 'True'}, {type: ResolvedRefs, status: 'False', reason: BackendNotFound}]}]}", "BackendNotFound"},
		"a route":                            {"kind: HTTPRoute\nstatus: {parents: [{conditions: [{type: Accepted, status: 'True'}, {type: ResolvedRefs, status: 'True'}]}]}", ""},
		"a load balancer without an address": {"kind: Service\nspec: {type: LoadBalancer}", "no address yet"},
		"an external secret":                 {"kind: ExternalSecret\nstatus: {conditions: [{type: Ready, status: 'False', reason: SecretSyncedError}]}", "SecretSyncedError"},
		"something that says nothing":        {"kind: ConfigMap", ""},
	} {
		o := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(c.object), &o.Object); err != nil {
			t.Fatal(name, err)
		}
		normal(o.Object)
		if why, _ := ails(o); why != c.want && (c.want == "" || !strings.Contains(why, c.want)) {
			t.Errorf("%s: %q, want %q", name, why, c.want)
		}
	}
}

// normal makes numbers what a client makes of them.
func normal(v any) any {
	switch x := v.(type) {
	case map[string]any:
		for k, y := range x {
			x[k] = normal(y)
		}
	case []any:
		for i, y := range x {
			x[i] = normal(y)
		}
	case float64:
		return int64(x)
	}
	return v
}

// TestHealth asks a cluster for each object, also for those that it does not have, does not know, or does not show.
func TestHealth(t *testing.T) {
	c := server(t, map[string][]string{
		"/apis/apps/v1/namespaces/shop/deployments/web": {`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"shop","generation":1},"spec":{"replicas":1},"status":{"observedGeneration":1,"replicas":1,"updatedReplicas":1,"readyReplicas":1,"availableReplicas":1}}`},
		"/api/v1/namespaces/shop/configmaps/a":          {`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"shop"}}`},
	})
	set, err := manifest.Read(strings.NewReader(`apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: a, namespace: shop}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: gone, namespace: shop}
---
apiVersion: v1
kind: Secret
metadata: {name: s, namespace: shop}
---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: k, namespace: shop}
`), "-")
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Health(t.Context(), set.Objects)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"", "", "it is not there", "may not read it", "does not know keda.sh/v1alpha1 ScaledObject"} {
		if h := got[i]; h.Healthy != (want == "") || !strings.Contains(h.Why, want) {
			t.Errorf("%+v, want %q", h, want)
		}
	}
	if !got[0].Asked || got[1].Asked {
		t.Errorf("%+v", got[:2])
	}
}
