package cli

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/bascule/bascule/internal/platform"
)

// workloadSteps are the steps that docs/bascule.yaml.md has for workloads, with those of the built-in steps that they leave.
func workloadSteps(t *testing.T) []map[string]any {
	t.Helper()
	text, err := os.ReadFile("../../docs/bascule.yaml.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut(string(text), "<!-- workloads -->\n```yaml\n")
	block, _, closed := strings.Cut(after, "```\n")
	if !ok || !closed {
		t.Fatal("docs/bascule.yaml.md has no steps for workloads")
	}
	built, err := os.ReadFile("../platform/default.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var steps, others []map[string]any
	if err := yaml.Unmarshal([]byte(block), &steps); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(built, &others); err != nil {
		t.Fatal(err)
	}
	for _, s := range others {
		if slices.Contains([]any{"standby", "endpoints", "live"}, s["step"]) {
			continue
		}
		needs, _ := s["needs"].([]any)
		for i := range needs {
			switch needs[i] {
			case "standby":
				needs[i] = "healthy"
			case "live":
				needs[i] = "healthy-live"
			}
		}
		steps = append(steps, s)
	}
	return steps
}

// TestStepsOfWorkloads plans a round with the documented steps, live and rehearsed, and holds what they call to the commands that there are.
func TestStepsOfWorkloads(t *testing.T) {
	t.Parallel()
	doc := map[string]any{"platform": "shop", "steps": workloadSteps(t), "environments": []any{map[string]any{
		"name": "preprod", "databases": []any{map[string]any{"name": "shop", "config": "shop.yaml", "rehearsal": "scratch.yaml"}},
		"parameters": map[string]any{"manifests": "manifests/preprod", "gitops": "gitops", "decisions": "kube.yaml", "cluster": "gke-preprod"},
	}}}
	text, err := yaml.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	p, err := platform.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	called := map[string]bool{}
	for _, purpose := range platform.Purposes {
		s, _, err := p.Script(&p.Environments[0], purpose)
		if err != nil {
			t.Fatal(purpose, err)
		}
		if err := s.Plan().Check(); err != nil {
			t.Error(purpose, err)
		}
		for i := range s.Tasks {
			for _, line := range []string{s.Tasks[i].Do, s.Tasks[i].Rehearse, s.Tasks[i].Back} {
				for part := range strings.SplitSeq(line, " | ") {
					args, ours := strings.CutPrefix(part, "bascule ")
					if !ours {
						continue
					}
					cmd, rest, err := tree().Find(strings.Fields(args))
					if err == nil {
						err = cmd.ParseFlags(rest)
					}
					if err == nil {
						err = cmd.ValidateArgs(cmd.Flags().Args())
					}
					if err != nil {
						t.Errorf("step %s calls %q: %v", s.Tasks[i].Step.ID, part, err)
					}
					called[cmd.CommandPath()] = true
				}
			}
		}
	}
	for _, want := range []string{"bascule kube translate", "bascule kube check", "bascule kube commit", "bascule kube healthy"} {
		if !called[want] {
			t.Errorf("no step calls %s", want)
		}
	}
}
