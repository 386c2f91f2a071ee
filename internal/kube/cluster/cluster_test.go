package cluster

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"

	"github.com/bascule/bascule/internal/fault"
)

// server answers as an API server does that has a few kinds, some of whose objects are in pages of one; it fails the test when somebody does more than read.
func server(t *testing.T, lists map[string][]string) *Cluster {
	t.Helper()
	resource := func(name, kind string, namespaced bool) map[string]any {
		return map[string]any{"name": name, "kind": kind, "namespaced": namespaced, "verbs": []string{"create", "get", "list"}}
	}
	status := map[string]any{"name": "deployments/status", "kind": "Deployment", "namespaced": true, "verbs": []string{"get"}}
	answers := map[string]any{
		"/api":  map[string]any{"kind": "APIVersions", "versions": []string{"v1"}},
		"/apis": map[string]any{"kind": "APIGroupList", "apiVersion": "v1", "groups": []any{map[string]any{"name": "apps", "versions": []any{map[string]any{"groupVersion": "apps/v1", "version": "v1"}}, "preferredVersion": map[string]any{"groupVersion": "apps/v1", "version": "v1"}}}},
		"/api/v1": map[string]any{"kind": "APIResourceList", "groupVersion": "v1", "resources": []any{
			resource("configmaps", "ConfigMap", true), resource("secrets", "Secret", true), resource("events", "Event", true), resource("services", "Service", true), resource("namespaces", "Namespace", false),
		}},
		"/apis/apps/v1": map[string]any{"kind": "APIResourceList", "groupVersion": "apps/v1", "resources": []any{resource("deployments", "Deployment", true), status, resource("replicasets", "ReplicaSet", true)}},
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		w.Header().Set("Content-Type", "application/json")
		if a, ok := answers[r.URL.Path]; ok {
			_ = json.NewEncoder(w).Encode(a)
			return
		}
		items, ok := lists[r.URL.Path]
		if ok && strings.Contains(r.URL.Path, "/namespaces/") { // one object
			_, _ = fmt.Fprint(w, items[0])
			return
		}
		if strings.HasSuffix(r.URL.Path, "/gone") {
			w.WriteHeader(http.StatusNotFound)
			_, _ = fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`)
			return
		}
		if !ok {
			w.WriteHeader(http.StatusForbidden)
			_, _ = fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","message":"%s is not for you","code":403}`, r.URL.Path)
			return
		}
		i := 0
		_, _ = fmt.Sscan(r.URL.Query().Get("continue"), &i)
		next := ""
		if i+1 < len(items) {
			next = fmt.Sprint(i + 1)
		}
		one := ""
		if i < len(items) {
			one = items[i]
		}
		_, _ = fmt.Fprintf(w, `{"kind":"List","apiVersion":"v1","metadata":{"continue":%q},"items":[%s]}`, next, one)
	}))
	t.Cleanup(s.Close)
	c, err := open(&rest.Config{Host: s.URL}, "test")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestObjects reads what people have applied, and nothing else; what it may not read it says.
func TestObjects(t *testing.T) {
	c := server(t, map[string][]string{
		"/api/v1/configmaps": {
			`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"kube-root-ca.crt","namespace":"shop"}}`,
			`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"b","namespace":"shop","uid":"1","resourceVersion":"7","annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{}"}},"data":{"k":"1"}}`,
			`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"shop","annotations":{"team":"x","kubectl.kubernetes.io/last-applied-configuration":"{}"}},"data":{"n":"07"}}`,
		},
		"/api/v1/secrets": {
			`{"apiVersion":"v1","kind":"Secret","type":"Opaque","metadata":{"name":"s","namespace":"shop","annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{\"data\":{\"p\":\"aHVudGVyMg==\"}}"}},"data":{"p":"aHVudGVyMg=="}}`,
			`{"apiVersion":"v1","kind":"Secret","type":"helm.sh/release.v1","metadata":{"name":"sh.helm.release.v1.shop.v1","namespace":"shop"},"data":{"release":"x"}}`,
		},
		"/api/v1/services":   {`{"apiVersion":"v1","kind":"Service","metadata":{"name":"web","namespace":"shop"},"spec":{"type":"LoadBalancer","clusterIP":"10.0.0.1","clusterIPs":["10.0.0.1"],"ports":[{"port":80,"nodePort":31000}]},"status":{"loadBalancer":{}}}`},
		"/api/v1/namespaces": {`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"kube-system"}}`, `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop"}}`},
		"/apis/apps/v1/deployments": {
			`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"shop","generation":3,"managedFields":[{}],"annotations":{"deployment.kubernetes.io/revision":"3"}},"spec":{"replicas":2,"template":{"metadata":{"creationTimestamp":null,"labels":{"app":"web"}}}},"status":{"replicas":2}}`,
			`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"made","namespace":"shop","ownerReferences":[{"apiVersion":"x/v1","kind":"App","name":"a","uid":"1","controller":true}]}}`,
		},
	})
	set, err := c.Objects(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, o := range set.Objects {
		fmt.Fprintf(&got, "---\n%s", o.Text)
	}
	want := `---
apiVersion: v1
kind: Namespace
metadata:
  name: shop
---
apiVersion: v1
data:
  "n": "07"
kind: ConfigMap
metadata:
  annotations:
    team: x
  name: a
  namespace: shop
---
apiVersion: v1
data:
  k: "1"
kind: ConfigMap
metadata:
  name: b
  namespace: shop
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
spec:
  replicas: 2
  template:
    metadata:
      labels:
        app: web
---
apiVersion: v1
data:
  p: ""
kind: Secret
metadata:
  name: s
  namespace: shop
type: Opaque
---
apiVersion: v1
kind: Service
metadata:
  name: web
  namespace: shop
spec:
  ports:
  - port: 80
  type: LoadBalancer
`
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(set.Aside) != 1 || set.Aside[0].Where != "replicasets.apps" || !strings.Contains(set.Aside[0].What, "not for you") {
		t.Errorf("aside: %v", set.Aside)
	}
}

// TestNobodyThere says that a cluster cannot be reached, and what helps.
func TestNobodyThere(t *testing.T) {
	c, err := open(&rest.Config{Host: "http://127.0.0.1:1"}, "test")
	if err != nil {
		t.Fatal(err)
	}
	if _, err = c.Objects(t.Context()); fault.ClassOf(err) != fault.Connect || fault.HintOf(err) == "" {
		t.Error(err)
	}
}
