package translate

import (
	"slices"

	"github.com/bascule/bascule/internal/finding"
)

// Verdict says what a row of the mapping tables costs.
type Verdict string

// The verdicts.
const (
	// Mechanical is translated, and means the same.
	Mechanical Verdict = "="
	// Changed is translated, and means something else: the note says what.
	Changed Verdict = "≈"
	// Resource needs something in the cloud that is made or named by people.
	Resource Verdict = "R"
	// None has no equivalent: people decide between options.
	None Verdict = "✗"
)

// Rule is one row of the mapping tables.
type Rule struct {
	// ID names the row, and is the code of its findings. It is never renamed.
	ID finding.Code
	// Source is what the row is about, Target what becomes of it, in a few words.
	Source, Target string
	Verdict        Verdict
	// Kinds are the kinds of objects that it looks at; without any it looks at all.
	Kinds []string
	// Apply changes the object, drops it, or says something about it. What it does not recognise it leaves alone.
	Apply func(*work)
}

func (r *Rule) looksAt(kind string) bool { return len(r.Kinds) == 0 || slices.Contains(r.Kinds, kind) }

// Topic is one of the mapping tables.
type Topic struct {
	Name  string
	Rules []Rule
}

// Topics returns the mapping tables in the order in which their rules are applied: what is said of releases, what people have harmonised, then what is left behind, then forms
// that are no more, so that the others see today's; what nobody recognised last.
func Topics() []Topic {
	return []Topic{
		{"Releases of Helm", releases()},
		{"What is harmonised", harmonised()},
		{"What is left out", leftOut()},
		{"Removed APIs", removedAPIs()},
		{"Ingresses", ingresses()},
		{"Load balancers", services()},
		{"Storage", storage()},
		{"Images", images()},
		{"Identity", identity()},
		{"Nodes, labels, zones", nodes()},
		{"Autoscaling", scaling()},
		{"DNS, certificates, secrets", dnsAndSecrets()},
		{"Monitoring and policy", slices.Concat(monitoring(), policies())},
		{"What is left of AWS", leftovers()},
	}
}

// Phases returns the rules that hold an object still: on the new side while it stands by, and on the old side once it is quiet.
func Phases() Topic { return Topic{"Phases", phases()} }

// scaled are the kinds of Kubernetes itself that say how many pods there are.
var scaled = []string{"Deployment", "StatefulSet", "ReplicaSet", "ReplicationController"}

// operated are those for which the Prometheus operator runs pods: two Alertmanagers page twice.
var operated = []string{"Prometheus", "PrometheusAgent", "Alertmanager", "ThanosRuler"}
