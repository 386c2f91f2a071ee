package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/kube/cluster"
	"github.com/bascule/bascule/internal/kube/manifest"
	gitops "github.com/bascule/bascule/internal/kube/tree"
	"github.com/bascule/bascule/internal/platform"
)

// healthEvery is how often a cluster is asked while it is waited for.
const healthEvery = 5 * time.Second

// health is the flags of kube healthy.
type health struct {
	from                        []string
	environment, phase, context string
	wait                        time.Duration
}

func (a *app) kubeHealthy() *cobra.Command {
	var t health
	cmd := &cobra.Command{
		Use:   "healthy",
		Short: "Look whether what was applied to a cluster is there and does well",
		Long: `Reads manifests and looks for each object in a cluster: whether it is there, and whether its kind
says that it does well (pods ready, a load balancer with an address, a route that its Gateway
carries, a condition Ready). It only reads. With --wait it looks again until all do well. It ends
with 3 when some do not.

With --env and --phase it looks for what GitOps applies then, overrides included, in the cluster that
bascule.yaml names. Overrides that bascule cannot work out are built by kustomize.

` + exitCodesShort(ExitDifferences, ExitConnect, ExitData),
		Example: `  bascule kube healthy --env preprod --phase standby --wait 15m
  kustomize build gitops/overrides/preprod/standby | bascule kube healthy --from - --cluster gke-preprod`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if (len(t.from) == 0) == (t.phase == "") {
				return usage(cmd, "read the command line", errors.New("either --from names manifests, or --phase a phase of the tree"))
			}
			if t.phase != "" && !slices.Contains(gitops.Phases(), t.phase) {
				return usage(cmd, "read the command line", fmt.Errorf("--phase %q is none of %s", t.phase, strings.Join(gitops.Phases(), ", ")))
			}
			if t.environment != "" || t.phase != "" {
				if err := environmentFlag(cmd, t.environment); err != nil {
					return err
				}
			}
			return a.healthy(cmd.Context(), &t)
		},
	}
	cmd.Flags().StringArrayVar(&t.from, "from", nil, "a folder or file of manifests, `PATH`, or - for the standard input; repeatable")
	cmd.Flags().StringVar(&t.environment, "env", "", "the `NAME` of the environment whose tree and cluster bascule.yaml names")
	cmd.Flags().StringVar(&t.phase, "phase", "", "the `PHASE` of the tree: standby or live")
	cmd.Flags().StringVar(&t.context, "cluster", "", "the `CONTEXT` of kubectl that leads to the cluster; without it that of bascule.yaml, or the current one")
	a.platformFlag(cmd)
	cmd.Flags().DurationVar(&t.wait, "wait", 0, "look again until all do well, for at most `DURATION`")
	return cmd
}

func (a *app) healthy(ctx context.Context, t *health) error {
	objects, err := a.applied(ctx, t)
	if err != nil {
		return err
	}
	if len(objects) == 0 {
		return fault.New(fault.Usage, "read the manifests", errors.New("there is no object in them"), "what printed them may have failed: nothing is not healthy")
	}
	c, err := cluster.Open(t.context)
	if err != nil {
		return err
	}
	tick := time.NewTicker(healthEvery)
	defer tick.Stop()
	said := ""
	for began := time.Now(); ; {
		all, err := c.Health(ctx, objects)
		ill := len(all)
		for i := range all {
			if all[i].Healthy {
				ill--
			}
		}
		over := time.Since(began) >= t.wait
		switch {
		case err != nil && (over || fault.ClassOf(err) != fault.Connect):
			return err
		case err == nil && (ill == 0 || over):
			return a.printHealth(all, ill)
		}
		if now := waits(all, ill, err); now != said && !a.quiet {
			said = now
			_, _ = fmt.Fprintln(a.err, now) // whoever waits wants to know for what; that nobody reads it changes nothing
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// applied reads what the cluster is to have, and takes from bascule.yaml where that is and which cluster, where no flag says so.
func (a *app) applied(ctx context.Context, t *health) ([]*manifest.Object, error) {
	w := &platform.Workload{}
	if t.environment != "" {
		var err error
		if w, err = a.workloads(t.environment); err != nil {
			return nil, err
		}
		t.context = cmp.Or(t.context, w.Cluster)
	}
	if len(t.from) > 0 {
		set, err := manifest.Read(a.in, t.from...)
		if err != nil {
			return nil, err
		}
		return set.Objects, nil
	}
	if w.Out == "" {
		return nil, a.unsaid(t.environment, "tree", "kustomize build FOLDER | bascule kube healthy --from -", "out")
	}
	return phase(ctx, w.Out, t.environment, t.phase)
}

// phase returns what GitOps applies of a tree: what bascule works out or, of overrides that it cannot, what kustomize builds.
func phase(ctx context.Context, dir, environment, name string) ([]*manifest.Object, error) {
	if gitops.Is(dir) {
		phases, err := gitops.Load(dir)
		if err != nil {
			return nil, err
		}
		for _, p := range phases {
			switch {
			case p.Environment != environment || p.Name != name:
			case p.NotApplied == "":
				return p.Objects, nil
			default:
				return kustomized(ctx, filepath.Join(dir, "overrides", environment, name), p.NotApplied)
			}
		}
	}
	return nil, fault.New(fault.Usage, "read the tree", fmt.Errorf("there is no environment %s in %q", environment, dir), "write it first: bascule kube translate --env "+environment)
}

// kustomized lets kustomize build a folder; why says what bascule cannot work out in it.
func kustomized(ctx context.Context, dir, why string) ([]*manifest.Object, error) {
	op := fmt.Sprintf("build %q", dir)
	text, err := exec.CommandContext(ctx, "kustomize", "build", dir).Output() //nolint:gosec // the folder is one of the tree that bascule.yaml names
	failed, ran := errors.AsType[*exec.ExitError](err)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.Is(err, exec.ErrNotFound):
		return nil, fault.New(fault.Unsupported, op, fmt.Errorf("%s, which bascule cannot work out, and there is no kustomize", why), "install kustomize, or: kubectl kustomize "+dir+" | bascule kube healthy --from -")
	case ran:
		return nil, fault.New(fault.Data, op, fmt.Errorf("kustomize: %s", cut(oneLine(string(failed.Stderr)), 400)), "mend what it says")
	case err != nil:
		return nil, fault.New(fault.Resource, op, err, "")
	}
	set, err := manifest.Read(bytes.NewReader(text), "-")
	if err != nil {
		return nil, err
	}
	return set.Objects, nil
}

// waits says what is waited for: the first of what is not well.
func waits(all []cluster.Health, ill int, err error) string {
	if err != nil {
		return "waiting: " + clean(oneLine(err.Error()))
	}
	first := all[slices.IndexFunc(all, func(h cluster.Health) bool { return !h.Healthy })]
	return fmt.Sprintf("waiting for %s, first %s: %s", plural(int64(ill), "object"), clean(first.Object), clean(oneLine(first.Why)))
}

func (a *app) printHealth(all []cluster.Health, ill int) error {
	if a.json {
		if err := a.printJSON(struct {
			Command string           `json:"command"`
			Objects []cluster.Health `json:"objects"`
		}{"kube healthy", all}); err != nil {
			return err
		}
	} else {
		p := &printer{}
		asked := 0
		for _, h := range all {
			if !h.Healthy {
				p.line("%s: %s", clean(h.Object), clean(oneLine(h.Why)))
			} else if h.Asked {
				asked++
			}
		}
		p.line("%s: %d do well, %d are there and say nothing, %d are not well", plural(int64(len(all)), "object"), asked, len(all)-asked-ill, ill)
		if _, err := fmt.Fprint(a.out, p.String()); err != nil {
			return err
		}
	}
	if ill > 0 {
		return fault.New(fault.Difference, "look at the cluster", fmt.Errorf("%s not well", plural(int64(ill), "object")), "kubectl describe says more; --wait waits")
	}
	return nil
}
