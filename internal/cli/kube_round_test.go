package cli

import (
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/platform"
)

// TestStepsOfWorkloads plans rounds of workloads, live and rehearsed, and holds what their steps call to the commands that there are.
func TestStepsOfWorkloads(t *testing.T) {
	t.Parallel()
	p, err := platform.Parse([]byte(`platform: shop
environments:
  - name: preprod
    databases: [{name: shop, config: shop.yaml, rehearsal: scratch.yaml}]
    workloads: [{name: shop, from: [manifests/preprod], out: gitops, config: kube.yaml, cluster: gke-preprod}]
`))
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
				args, ours := strings.CutPrefix(line, "bascule ")
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
					t.Errorf("step %s calls %q: %v", s.Tasks[i].Step.ID, line, err)
				}
				called[cmd.CommandPath()] = true
			}
		}
	}
	for _, want := range []string{"bascule kube translate", "bascule kube check", "bascule kube commit", "bascule kube healthy"} {
		if !called[want] {
			t.Errorf("no step calls %s", want)
		}
	}
}
