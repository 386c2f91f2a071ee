package drift_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/kube/drift"
	"github.com/bascule/bascule/internal/kube/manifest"
)

// estate is a region of services with two objects each.
func estate(services int, region, level string) string {
	var b strings.Builder
	for i := range services {
		fmt.Fprintf(&b, `---
apiVersion: apps/v1
kind: Deployment
metadata: {name: svc-%[1]d, namespace: team-%[2]d, labels: {app: svc-%[1]d}}
spec:
  replicas: 3
  template:
    metadata: {labels: {app: svc-%[1]d}}
    spec:
      nodeSelector: {topology.kubernetes.io/zone: %[3]sa}
      containers:
      - name: app
        image: 111122223333.dkr.ecr.%[3]s.amazonaws.com/svc-%[1]d:1.0
        env:
        - {name: DB_HOST, value: shop.abc.%[3]s.rds.amazonaws.com}
        - {name: LOG_LEVEL, value: %[4]s}
        resources: {requests: {cpu: 100m, memory: 256Mi}}
        readinessProbe: {httpGet: {path: /ready, port: 8080}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: svc-%[1]d, namespace: team-%[2]d}
data:
  app.yaml: |
    region: %[3]s
    level: %[4]s
`, i, i%40, region, level)
	}
	return b.String()
}

// BenchmarkThousand reads and compares three regions of a thousand objects each.
func BenchmarkThousand(b *testing.B) {
	texts := []string{estate(500, "eu-west-1", "info"), estate(500, "us-east-1", "debug"), estate(500, "ap-northeast-1", "info")}
	for b.Loop() {
		var regions []drift.Region
		for i, text := range texts {
			set, err := manifest.Read(strings.NewReader(text), "-")
			if err != nil {
				b.Fatal(err)
			}
			regions = append(regions, drift.Region{Name: fmt.Sprintf("region-%c", 'a'+i), Set: set})
		}
		if r := drift.Compare(regions, nil); r.Count(drift.Drift, drift.Open) != 2 {
			b.Fatal(told(r))
		}
	}
}
