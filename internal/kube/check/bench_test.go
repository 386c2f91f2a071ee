package check_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/kube/check"
	"github.com/bascule/bascule/internal/kube/decision"
	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/profile"
	"github.com/bascule/bascule/internal/kube/translate"
	"github.com/bascule/bascule/internal/kube/tree"
)

// estate is the manifests of services as a platform has them: five objects each, of which one is of a custom kind.
func estate(services int) string {
	var b strings.Builder
	for i := range services {
		fmt.Fprintf(&b, `apiVersion: apps/v1
kind: Deployment
metadata: {name: svc-%[1]d, namespace: team-%[2]d, labels: {app: svc-%[1]d}}
spec:
  replicas: 3
  selector: {matchLabels: {app: svc-%[1]d}}
  template:
    metadata:
      labels: {app: svc-%[1]d, team: team-%[2]d}
    spec:
      nodeSelector: {kops.k8s.io/instancegroup: general, beta.kubernetes.io/arch: amd64}
      containers:
      - name: app
        image: 111122223333.dkr.ecr.eu-west-1.amazonaws.com/svc-%[1]d:1.0
        ports: [{name: http, containerPort: 8080}]
        envFrom: [{configMapRef: {name: svc-%[1]d}}]
        env:
        - {name: DB_HOST, value: shop.abc.eu-west-1.rds.amazonaws.com}
        - {name: QUEUE, value: "https://sqs.eu-west-1.amazonaws.com/111122223333/q%[1]d"}
        - {name: MODE, valueFrom: {configMapKeyRef: {name: svc-%[1]d, key: mode}}}
        resources: {requests: {cpu: 100m, memory: 256Mi}}
        readinessProbe: {httpGet: {path: /ready, port: http}}
---
apiVersion: v1
kind: Service
metadata: {name: svc-%[1]d, namespace: team-%[2]d}
spec: {selector: {app: svc-%[1]d}, ports: [{port: 80, targetPort: http}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: svc-%[1]d, namespace: team-%[2]d}
data:
  mode: a
  app.yaml: |
    uploads: s3://bucket-%[1]d
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: svc-%[1]d, namespace: team-%[2]d}
spec: {minReplicas: 2, maxReplicas: 10, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: svc-%[1]d}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: svc-%[1]d, namespace: team-%[2]d}
spec:
  parentRefs: [{name: edge, namespace: edge}]
  hostnames: [svc-%[1]d.example.org]
  rules: [{matches: [{path: {type: PathPrefix, value: /}}], backendRefs: [{name: svc-%[1]d, port: 80}]}]
---
`, i, i%40)
	}
	return b.String()
}

// BenchmarkTenThousand checks both phases of ten thousand translated objects: the tree is read, put together, and checked.
func BenchmarkTenThousand(b *testing.B) {
	dir := written(b, 2000)
	for b.Loop() {
		in := input(b, "1.36", nil)
		phases, err := tree.Load(dir, nil)
		if err != nil {
			b.Fatal(err)
		}
		in.Views = nil
		for _, p := range phases {
			in.Views = append(in.Views, check.View{Name: p.Name, Objects: p.Objects, Standby: p.Name == "standby"})
		}
		if r := checked(b, in); r.Checked < 10_000 || len(r.Findings) == 0 {
			b.Fatal(r.Checked, len(r.Findings))
		}
	}
}

// BenchmarkTranslateAndCheck is all of it: ten thousand objects read, translated, laid out, and checked as they are.
func BenchmarkTranslateAndCheck(b *testing.B) {
	text := estate(2000)
	p, err := profile.Load()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		set, err := manifest.Read(strings.NewReader(text), "-")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := tree.Render(translate.Translate(translate.Input{Environment: "preprod", Set: set, File: "kube.yaml", Profile: p})); err != nil {
			b.Fatal(err)
		}
		in := input(b, "1.36", nil)
		in.Views = []check.View{{Objects: set.Objects}}
		checked(b, in)
	}
}

func written(b testing.TB, services int) string {
	b.Helper()
	p, err := profile.Load()
	if err != nil {
		b.Fatal(err)
	}
	set, err := manifest.Read(strings.NewReader(estate(services)), "-")
	if err != nil {
		b.Fatal(err)
	}
	files, err := tree.Render(translate.Translate(translate.Input{Environment: "preprod", Set: set, Decisions: &decision.Decisions{}, File: "kube.yaml", Profile: p}))
	if err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	if _, err := tree.Write(dir, "preprod", files, false); err != nil {
		b.Fatal(err)
	}
	return dir
}
