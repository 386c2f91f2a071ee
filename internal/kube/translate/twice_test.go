package translate_test

import (
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/story"
)

// TestNothingRunsTwice builds the sources of all stories as they run on the new side before the switch, and counts with an eye of its own
// what would run, consume or write records there while the old side lives: nothing with the phase standby, much without it.
func TestNothingRunsTwice(t *testing.T) {
	without := 0
	for _, s := range story.All(t, "testdata/*.txtar") {
		built := build(t, translated(t, s.Parts["in.yaml"], "project: shop\ndns-owner: new\nmonitoring: managed\n", ""), "live", "standby")
		without += len(twice(t, built["live"]))
		if still := twice(t, built["standby"]); len(still) > 0 {
			t.Errorf("%s: in standby there act %s", s.Name, strings.Join(still, ", "))
		}
	}
	if without < 50 {
		t.Errorf("without the phase only %d objects act: the test sees too little", without)
	}
}

// twice lists the objects that act.
func twice(t *testing.T, built string) (out []string) {
	t.Helper()
	set, err := manifest.Read(strings.NewReader(built), "-")
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range set.Objects {
		if acts(o) {
			out = append(out, o.String())
		}
	}
	return out
}

func acts(o *manifest.Object) bool {
	spec, _ := o.Value["spec"].(map[string]any)
	meta, _ := o.Value["metadata"].(map[string]any)
	notes, _ := meta["annotations"].(map[string]any)
	switch o.Kind {
	case "Deployment", "StatefulSet", "ReplicaSet", "Rollout":
		return spec["replicas"] != int64(0)
	case "DaemonSet":
		pod, _ := spec["template"].(map[string]any)["spec"].(map[string]any)
		nodes, _ := pod["nodeSelector"].(map[string]any)
		return nodes["bascule-quiet"] == nil
	case "Pod", "DNSEndpoint":
		return true
	case "CronJob", "Job":
		return spec["suspend"] != true
	case "ScaledObject":
		return notes["autoscaling.keda.sh/paused-replicas"] != "0"
	case "ScaledJob":
		return notes["autoscaling.keda.sh/paused"] != "true"
	case "Issuer", "ClusterIssuer":
		return spec["acme"] != nil
	case "Rules", "ClusterRules":
		return strings.Contains(string(o.Text), "alert:")
	case "Ingress":
		return notes["external-dns.alpha.kubernetes.io/controller"] == nil
	case "Service":
		return notes["external-dns.alpha.kubernetes.io/hostname"] != nil && notes["external-dns.alpha.kubernetes.io/controller"] == nil
	}
	return false
}
