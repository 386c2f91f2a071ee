package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/kube/cluster"
	"github.com/bascule/bascule/internal/kube/manifest"
)

// healthEvery is how often a cluster is asked while it is waited for.
const healthEvery = 5 * time.Second

func (a *app) kubeHealthy() *cobra.Command {
	var from []string
	var contextName string
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "healthy",
		Short: "Look whether what was applied to a cluster is there and does well",
		Long: `Reads manifests and looks for each object in a cluster: whether it is there, and whether its kind
says that it does well (pods ready, a load balancer with an address, a route that its Gateway
carries, a condition Ready). It only reads. With --wait it looks again until all do well. It ends
with 3 when some do not.

` + exitCodesShort(ExitDifferences, ExitConnect, ExitData),
		Example: "  kustomize build gitops/overrides/preprod/standby | bascule kube healthy --from - --cluster gke-preprod --wait 15m",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(from) == 0 {
				return usage(cmd, "read the command line", errors.New("--from names no manifests"))
			}
			return a.healthy(cmd.Context(), from, contextName, wait)
		},
	}
	cmd.Flags().StringArrayVar(&from, "from", nil, "a folder or file of manifests, `PATH`, or - for the standard input; repeatable")
	cmd.Flags().StringVar(&contextName, "cluster", "", "the `CONTEXT` of kubectl that leads to the cluster; the current one without it")
	cmd.Flags().DurationVar(&wait, "wait", 0, "look again until all do well, for at most `DURATION`")
	return cmd
}

func (a *app) healthy(ctx context.Context, from []string, contextName string, wait time.Duration) error {
	set, err := manifest.Read(a.in, from...)
	if err != nil {
		return err
	}
	if len(set.Objects) == 0 {
		return fault.New(fault.Usage, "read the manifests", errors.New("there is no object in them"), "what printed them may have failed: nothing is not healthy")
	}
	c, err := cluster.Open(contextName)
	if err != nil {
		return err
	}
	tick := time.NewTicker(healthEvery)
	defer tick.Stop()
	said := ""
	for began := time.Now(); ; {
		all, err := c.Health(ctx, set.Objects)
		ill := len(all)
		for i := range all {
			if all[i].Healthy {
				ill--
			}
		}
		over := time.Since(began) >= wait
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
