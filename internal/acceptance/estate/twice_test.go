package estate

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/bascule/bascule/examples/marketplace"
	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/kube/decision"
	"github.com/bascule/bascule/internal/kube/manifest"
)

// twice lists what two sides both do.
func twice(one, other []*manifest.Object) []string {
	var out []string
	first := acting(one)
	for what, by := range acting(other) {
		if first[what] != nil {
			slices.Sort(by)
			out = append(out, what+by1(what, by))
		}
	}
	slices.Sort(out)
	return out
}

// by1 says by which objects, where the act does not name its object.
func by1(what string, by []string) string {
	if strings.HasPrefix(what, "runs ") {
		return ""
	}
	return " by " + strings.Join(slices.Compact(by), ", ")
}

// TestNothingActsTwice has both clusters at once. Without phases the old side and the new one run, consume, charge, mail, write records and order
// certificates for the same things; testdata/twice.golden lists them. In standby the new side does nothing but run what was declared to only read,
// and behind the switch the mirrored old side and the new one have nothing in common but two operators.
func TestNothingActsTwice(t *testing.T) {
	t.Parallel()
	var list strings.Builder
	for _, name := range environments {
		e := environment(t, name)
		lived, stood, still := e.build(t, live), e.build(t, standby), e.build(t, mirrored)
		both := twice(e.build(t, old), lived)
		for _, verb := range []string{"runs", "consumes", "charges", "mails", "writes", "issues"} {
			if !slices.ContainsFunc(both, func(s string) bool { return strings.HasPrefix(s, verb+" ") }) {
				t.Errorf("%s: without phases nothing %s twice: the test sees too little", name, verb)
			}
		}
		fmt.Fprintf(&list, "%s: %d acts twice without phases\n%s", name, len(both), lines(both))
		t.Logf("%s: %d acts twice without phases", name, len(both))

		kept := []string{"runs Deployment shop/search", "runs Deployment shop/storefront", "runs StatefulSet shop/opensearch"}
		for what, by := range acting(stood) {
			if !slices.Contains(kept, what) {
				t.Errorf("%s: in standby the new side %s by %s", name, what, by)
			}
		}
		// Two operators have to see that what they run is at zero, and do nothing else.
		both = slices.DeleteFunc(twice(still, lived), func(s string) bool {
			return s == "runs Deployment keda/keda-operator" || s == "runs Deployment monitoring/prometheus-operator"
		})
		if len(both) > 0 {
			t.Errorf("%s: behind the switch both sides act:\n%s", name, lines(both))
		}
	}
	golden(t, "twice.golden", list.String())
}

// TestEveryHoldIsNeeded takes what holds one object still away, object by object: each makes the new side act in standby, so the check above sees each.
func TestEveryHoldIsNeeded(t *testing.T) {
	t.Parallel()
	e := environment(t, "ap")
	lived, stood := e.build(t, live), e.build(t, standby)
	held := map[string]bool{}
	for _, o := range e.result.Objects {
		if len(o.Standby) > 0 || o.Idle != nil {
			held[o.String()] = true
		}
	}
	running := slices.DeleteFunc(slices.Clone(lived), func(o *manifest.Object) bool { return !isController(o) })
	before := len(acting(stood))
	beside := len(acting(append(slices.DeleteFunc(slices.Clone(stood), isController), running...)))
	for _, o := range lived {
		if !held[o.String()] {
			continue
		}
		delete(held, o.String())
		sides := slices.DeleteFunc(slices.Clone(stood), func(s *manifest.Object) bool { return s.String() == o.String() })
		sides = append(sides, o)
		// Controllers are at zero in standby. Here they run, as those of somebody else would; and KEDA may be there, or not.
		switch o.Kind {
		case "ClusterIssuer", "Issuer", "Ingress", "Service", "ScaledObject", "DNSEndpoint":
			sides = append(slices.DeleteFunc(sides, isController), running...)
		case "Deployment", "StatefulSet":
			sides = slices.DeleteFunc(sides, func(s *manifest.Object) bool { return s.Kind == "ScaledObject" })
		}
		if n := len(acting(sides)); n <= before || n <= beside && slices.ContainsFunc(sides, func(s *manifest.Object) bool { return slices.Contains(running, s) && s != o }) {
			t.Errorf("%s is held still, and nobody notices when it is not", o)
		}
	}
	for name := range held {
		t.Errorf("%s is held still, and is not there when it is not", name)
	}
}

func isController(o *manifest.Object) bool { return o.Kind == "Deployment" && controllers(o.Text) }

// controllers says whether a text has external-dns, cert-manager, KEDA or the Prometheus operator in it.
func controllers(text []byte) bool {
	for _, image := range []string{"/external-dns:", "jetstack/cert-manager-controller:", "kedacore/keda:", "prometheus-operator:"} {
		if bytes.Contains(text, []byte(image)) {
			return true
		}
	}
	return false
}

// TestControllersOfSomebodyElse: what a platform team installs by other means is not among the objects, and runs on both sides.
func TestControllersOfSomebodyElse(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"eu", "na", "ap"} {
		source, err := marketplace.Manifests(name)
		if err != nil {
			t.Fatal(err)
		}
		for file, text := range source {
			docs := bytes.Split(text, []byte("\n---\n"))
			source[file] = bytes.Join(slices.DeleteFunc(docs, func(doc []byte) bool {
				return bytes.Contains(doc, []byte("kind: Deployment")) && controllers(doc)
			}), []byte("\n---\n"))
		}
		e, err := translation(name, source, func(*decision.Decisions) {})
		if err != nil {
			t.Fatal(err)
		}
		lived := e.build(t, live)
		for what, by := range acting(e.build(t, standby)) {
			if !strings.HasPrefix(what, "runs ") || !strings.Contains(what, "shop/") {
				t.Errorf("%s: in standby the new side %s by %s", name, what, by)
			}
		}
		if both := twice(e.build(t, mirrored), lived); len(both) > 0 {
			t.Errorf("%s: behind the switch both sides act:\n%s", name, lines(both))
		}
	}
}

// TestWhatConsumesIsNotKept declares what consumes to run in standby, one after the other: each is refused, also where a ConfigMap names the queue.
func TestWhatConsumesIsNotKept(t *testing.T) {
	t.Parallel()
	e := environment(t, "ap")
	consumers := map[string]bool{}
	for what, by := range acting(e.build(t, live)) {
		for _, o := range by {
			kind, _, _ := strings.Cut(o, " ")
			if strings.HasPrefix(what, "consumes ") && (kind == "Deployment" || kind == "StatefulSet") {
				consumers[o] = true
			}
		}
	}
	if len(consumers) < 10 {
		t.Fatalf("only %d consume", len(consumers))
	}
	for name := range consumers {
		_, place, _ := strings.Cut(name, " ")
		namespace, _, _ := strings.Cut(place, "/")
		source := map[string][]byte{}
		for file, text := range e.source { // the others make no difference, and take time
			if strings.Contains(string(text), "namespace: "+namespace) && file != "platform/namespaces.yaml" {
				source[file] = text
			}
		}
		kept, err := translation("ap", source, func(d *decision.Decisions) { d.Keep = []string{name} })
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(kept.result.Findings, func(f finding.Finding) bool {
			return f.Code == "phase-workload" && f.Severity == finding.Blocker && f.Object == name
		}) {
			t.Errorf("%s consumes in standby, and nobody says so", name)
		}
	}
}

// TestWithoutDecisions translates before anybody has decided anything: what is written is valid, and in standby nothing acts.
func TestWithoutDecisions(t *testing.T) {
	t.Parallel()
	decoder, err := builtIn()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"preprod", "ap"} {
		e, err := translation(name, environment(t, name).source, func(d *decision.Decisions) { *d = decision.Decisions{} })
		if err != nil {
			t.Fatal(err)
		}
		for what, by := range acting(e.build(t, standby)) {
			t.Errorf("%s: in standby the new side %s by %s", name, what, by)
		}
		for _, o := range e.build(t, live) {
			if _, _, err := decoder.Decode(o.Text, nil, nil); builtInGroup(o.Group) && err != nil {
				t.Errorf("%s: %s: %v", name, o, err)
			}
		}
		if !slices.ContainsFunc(e.result.Findings, func(f finding.Finding) bool { return f.Kind == finding.Question }) {
			t.Errorf("%s: nothing is asked", name)
		}
	}
}
