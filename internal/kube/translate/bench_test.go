package translate_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/profile"
	"github.com/bascule/bascule/internal/kube/translate"
	"github.com/bascule/bascule/internal/kube/tree"
)

// estate is the manifests of services as a self-managed cluster has them: four objects each.
func estate(services int) string {
	var b strings.Builder
	for i := range services {
		fmt.Fprintf(&b, `# Source: shop/templates/%[1]d.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: svc-%[1]d, namespace: team-%[2]d, labels: {app: svc-%[1]d}}
spec:
  replicas: 3
  selector: {matchLabels: {app: svc-%[1]d}}
  template:
    metadata:
      labels: {app: svc-%[1]d}
      annotations: {iam.amazonaws.com/role: shop-svc-%[1]d}
    spec:
      nodeSelector: {kops.k8s.io/instancegroup: general, beta.kubernetes.io/arch: amd64}
      containers:
      - name: app
        image: 111122223333.dkr.ecr.eu-west-1.amazonaws.com/svc-%[1]d:1.0
        env:
        - {name: DB_HOST, value: shop.abc.eu-west-1.rds.amazonaws.com}
        - {name: QUEUE, value: "https://sqs.eu-west-1.amazonaws.com/111122223333/q%[1]d"}
        - {name: LOG_LEVEL, value: info}
        resources: {requests: {cpu: 100m, memory: 256Mi}}
        readinessProbe: {httpGet: {path: /ready, port: 8080}}
---
apiVersion: v1
kind: Service
metadata:
  name: svc-%[1]d
  namespace: team-%[2]d
  annotations: {service.beta.kubernetes.io/aws-load-balancer-internal: "true"}
spec: {type: LoadBalancer, selector: {app: svc-%[1]d}, ports: [{port: 80}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: svc-%[1]d, namespace: team-%[2]d}
data:
  app.yaml: |
    uploads: s3://bucket-%[1]d
---
apiVersion: autoscaling/v2beta2
kind: HorizontalPodAutoscaler
metadata: {name: svc-%[1]d, namespace: team-%[2]d}
spec: {minReplicas: 2, maxReplicas: 10, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: svc-%[1]d}}
---
`, i, i%40)
	}
	return b.String()
}

// BenchmarkTenThousand reads, translates and lays out ten thousand objects.
func BenchmarkTenThousand(b *testing.B) {
	in := estate(2500)
	p, err := profile.Load()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		set, err := manifest.Read(strings.NewReader(in), "-")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := tree.Render(translate.Translate(translate.Input{Environment: "preprod", Set: set, File: "kube.yaml", Profile: p})); err != nil {
			b.Fatal(err)
		}
	}
}
