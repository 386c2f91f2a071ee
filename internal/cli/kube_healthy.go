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
	"github.com/bascule/bascule/internal/kube/builtin"
	"github.com/bascule/bascule/internal/kube/cluster"
	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/profile"
	gitops "github.com/bascule/bascule/internal/kube/tree"
	"github.com/bascule/bascule/internal/platform"
)

// healthEvery is how often a cluster is asked while it is waited for.
const healthEvery = 5 * time.Second

// health is the flags of kube healthy.
type health struct {
	from, releases                    []string
	environment, phase, context, helm string
	wait                              time.Duration
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
bascule.yaml names. Overrides that bascule cannot work out are built by kustomize. Of releases of
Helm it looks for what --release names, or the decisions, with the patches of the phase.

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
			if len(t.releases) > 0 && t.phase == "" {
				return usage(cmd, "read the command line", errors.New("--release is for a phase of the tree: what Helm renders is looked for as it is with --from"))
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
	cmd.Flags().StringArrayVar(&t.releases, "release", nil, releaseHelp)
	cmd.Flags().StringVar(&t.helm, "helm", "", helmHelp)
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
	return a.phase(ctx, w.Out, t)
}

// phase returns what is applied of a tree: what bascule works out or, of overrides that it cannot, what kustomize builds; and what Helm renders, patched.
func (a *app) phase(ctx context.Context, dir string, t *health) ([]*manifest.Object, error) {
	environment := t.environment
	if gitops.Is(dir) {
		rendered, err := a.renderedIn(ctx, dir, t)
		if err != nil {
			return nil, err
		}
		phases, err := gitops.Load(dir, rendered)
		if err != nil {
			return nil, err
		}
		for i := range phases {
			if p := &phases[i]; p.Environment == environment && p.Name == t.phase {
				return whole(ctx, dir, p)
			}
		}
	}
	return nil, fault.New(fault.Usage, "read the tree", fmt.Errorf("there is no environment %s in %q", environment, dir), "write it first: bascule kube translate --env "+environment)
}

// renderedIn reads what Helm renders for the releases of a tree.
func (a *app) renderedIn(ctx context.Context, dir string, t *health) (map[string]*manifest.Set, error) {
	p, err := profile.Load()
	if err != nil {
		return nil, err
	}
	version := p.Target.Entries[0].Version
	kinds, err := builtin.Load(version)
	if err != nil {
		return nil, err
	}
	flags, err := parseReleases(t.releases, false)
	if err != nil {
		return nil, fault.New(fault.Usage, "read the command line", err, "")
	}
	d := &deployed{dir: dir, environments: []string{t.environment}, about: &decided{app: a}, named: flags, program: t.helm, kinds: kinds, version: version}
	return d.read(ctx)
}

// whole is what is there once a phase is applied. Hooks of Helm are left out: they come and go.
func whole(ctx context.Context, dir string, p *gitops.Phase) ([]*manifest.Object, error) {
	if len(p.Missing) > 0 {
		id := p.Missing[0]
		namespace, name, _ := strings.Cut(id, "/")
		return nil, fault.New(fault.Usage, "read the release "+id, errors.New("nothing says what Helm renders for it"),
			"helm template "+name+" CHART --namespace "+namespace+" > FILE, and --release "+id+"=FILE; or name the file in the decisions")
	}
	objects := p.Objects
	if p.NotApplied != "" {
		built, err := kustomized(ctx, filepath.Join(dir, "overrides", p.Environment, p.Name), p.NotApplied)
		if err != nil {
			return nil, err
		}
		for _, o := range objects {
			if o.Release != "" {
				built = append(built, o)
			}
		}
		objects = built
	}
	return slices.DeleteFunc(slices.Clone(objects), func(o *manifest.Object) bool { return o.Release != "" && o.Hook() != "" }), nil
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
