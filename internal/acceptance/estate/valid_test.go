package estate

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	admission "k8s.io/api/admissionregistration/v1"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	rbac "k8s.io/api/rbac/v1"
	scheduling "k8s.io/api/scheduling/v1"
	storage "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"

	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/kube/crd"
	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/translate"
)

// builtIn is what Kubernetes has of itself today. A kind or a version that it does not have is refused, and so is a field.
var builtIn = sync.OnceValues(func() (runtime.Decoder, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		admission.AddToScheme, apps.AddToScheme, autoscaling.AddToScheme, batch.AddToScheme, core.AddToScheme, networking.AddToScheme,
		policy.AddToScheme, rbac.AddToScheme, scheduling.AddToScheme, storage.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	return serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer(), nil
})

// definitions are gateway-api's own, from its module, and those of GKE and of External Secrets where they lie beside the project.
var definitions = sync.OnceValues(func() (*crd.Set, error) {
	module, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api").Output()
	if err != nil {
		return nil, err
	}
	set, err := crd.Load(filepath.Join(strings.TrimSpace(string(module)), "config/crd/standard"))
	if err != nil {
		return nil, err
	}
	for _, part := range []string{"gke", "external-secrets", "managed-prometheus"} {
		files, err := filepath.Glob(filepath.Join(beside(), part, "*.yaml"))
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err == nil {
				err = set.Add(f, text)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return set, nil
})

func beside() string {
	if dir := os.Getenv("BASCULE_TEST_CRDS"); dir != "" {
		return dir
	}
	return "../../../../shared/crds"
}

// builtInGroup says whether Kubernetes itself has a group.
func builtInGroup(group string) bool {
	return !strings.Contains(group, ".") || slices.Contains([]string{
		"admissionregistration.k8s.io", "networking.k8s.io", "rbac.authorization.k8s.io", "scheduling.k8s.io", "storage.k8s.io",
	}, group)
}

// TestWhatIsWrittenIsValid holds everything that Kustomize builds, for both phases of all environments, and the source itself, to the types of Kubernetes and to the
// definitions that are at hand. What has none is counted, never taken for valid.
func TestWhatIsWrittenIsValid(t *testing.T) {
	t.Parallel()
	decoder, err := builtIn()
	if err != nil {
		t.Fatal(err)
	}
	defined, err := definitions()
	if err != nil {
		t.Fatal(err)
	}
	checked, unchecked := map[string]int{}, map[string]int{}
	for _, name := range environments {
		for _, side := range []string{old, live, standby} {
			for _, o := range environment(t, name).build(t, side) {
				where := fmt.Sprintf("%s, %s: %s", name, side, o)
				if builtInGroup(o.Group) {
					checked["built-in"]++
					if _, _, err := decoder.Decode(o.Text, nil, nil); err != nil && (side != old || !runtime.IsNotRegisteredError(err)) {
						t.Errorf("%s: %v", where, err) // the source may use what is no more
					}
					sound(t, where, o)
					continue
				}
				v, err := defined.Check(t.Context(), "", o.Value)
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range v.Problems {
					t.Errorf("%s: %s", where, p)
				}
				if v.Checked {
					checked[o.Group]++
				} else {
					unchecked[o.Group+" "+o.Kind]++
				}
			}
		}
	}
	t.Logf("checked: %v", checked)
	t.Logf("not checked, for no definition is at hand: %v", unchecked)
	if checked["built-in"] < 2500 {
		t.Errorf("only %d objects of Kubernetes itself were checked", checked["built-in"])
	}
	if _, err := os.Stat(beside()); err == nil && checked["external-secrets.io"] == 0 {
		t.Error("no ExternalSecret was checked, though their definition is here")
	}
}

// sound asks what decoding does not: that a selector selects the object's own pods, and names are there once.
func sound(t *testing.T, where string, o *manifest.Object) {
	t.Helper()
	labels := mapping(o.Value, "spec", "template", "metadata", "labels")
	for k, v := range mapping(o.Value, "spec", "selector", "matchLabels") {
		if labels != nil && labels[k] != v {
			t.Errorf("%s: its selector does not select its pods", where)
		}
	}
	for _, spec := range []any{at(o.Value, "spec", "template", "spec"), at(o.Value, "spec", "jobTemplate", "spec", "template", "spec"), o.Value["spec"]} {
		for _, part := range []string{"volumes", "containers", "initContainers"} {
			unique(t, where+": "+part, items(spec, part), "name")
		}
		for _, c := range items(spec, "containers") {
			unique(t, where+": env", items(c, "env"), "name")
			unique(t, where+": volumeMounts", items(c, "volumeMounts"), "mountPath")
		}
	}
}

func unique(t *testing.T, where string, list []any, key string) {
	t.Helper()
	seen := map[string]bool{}
	for _, v := range list {
		if name := text(v, key); name != "" && seen[name] {
			t.Errorf("%s has %s twice", where, name)
		} else {
			seen[name] = true
		}
	}
}

// TestTheCheckRefuses: an old API, a field that is not, and a selector that is wrong do not pass as valid.
func TestTheCheckRefuses(t *testing.T) {
	decoder, err := builtIn()
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{
		"{apiVersion: policy/v1beta1, kind: PodDisruptionBudget, metadata: {name: a}}",
		"{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {replica: 1}}",
		"{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: 1}}",
	} {
		if _, _, err := decoder.Decode([]byte(bad), nil, nil); err == nil {
			t.Errorf("%s passes", bad)
		}
	}
}

// TestCounts holds how many objects meet which row, and with which verdict, in testdata/counts.golden.
func TestCounts(t *testing.T) {
	var b strings.Builder
	for _, name := range environments {
		r := environment(t, name).result
		unchanged, patched, left, held := 0, 0, 0, 0
		rows := map[finding.Code]map[string]bool{}
		met := func(code finding.Code, object string) {
			if rows[code] == nil {
				rows[code] = map[string]bool{}
			}
			rows[code][object] = true
		}
		for _, o := range r.Objects {
			switch {
			case o.Held != nil:
				held++
				met(o.Held.Rule.ID, o.String())
			case o.Dropped != nil:
				left++
				met(o.Dropped.Rule.ID, o.String())
			case len(o.Ops) > 0:
				patched++
			default:
				unchanged++
			}
			for _, op := range slices.Concat(o.Ops, o.Standby, o.Mirror) {
				met(op.Rule.ID, o.String())
			}
			for _, why := range []*translate.Reason{o.Idle, o.Quiet} {
				if why != nil {
					met(why.Rule.ID, o.String())
				}
			}
		}
		for _, m := range r.Made {
			met(m.Rule.ID, m.ID())
		}
		severity := map[finding.Severity]int{}
		for _, f := range r.Findings {
			severity[f.Severity]++
			met(f.Code, f.Object)
		}
		head := fmt.Sprintf("%s: %d objects: %d unchanged, %d patched, %d left behind, %d held back; %d made\n", name, len(r.Objects), unchanged, patched, left, held, len(r.Made)) +
			fmt.Sprintf("  verdicts: = %d, ≈ %d, R %d, ✗ %d; findings: %d blockers, %d warnings, %d info\n", r.Verdicts[translate.Mechanical], r.Verdicts[translate.Changed],
				r.Verdicts[translate.Resource], r.Verdicts[translate.None], severity[finding.Blocker], severity[finding.Warning], severity[finding.Info])
		t.Log(head)
		b.WriteString(head)
		for _, code := range slices.Sorted(maps.Keys(rows)) {
			fmt.Fprintf(&b, "  %-28s %d\n", code, len(rows[code]))
		}
	}
	golden(t, "counts.golden", b.String())
}
