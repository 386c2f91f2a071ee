package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bascule/bascule/internal/fault"
	kubecluster "github.com/bascule/bascule/internal/kube/cluster"
	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/profile"
)

func (a *app) kube() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "kube",
		Short: "Translate the manifests of workloads from AWS to Google Cloud",
		Long: `Translates Kubernetes manifests that were written for AWS (EKS, kops) into a tree for GKE that GitOps
can apply. It talks to no cloud, and reads a cluster only where it is told to.

` + exitCodesShort(),
		Args: onlyCommands,
		RunE: help,
	}
	cmd.AddCommand(a.kubeTranslate(), a.kubeGateway(), a.kubeDrift(), a.kubeMap(), a.kubeCommit(), a.kubeHealthy(), a.kubeProfile())
	return cmd
}

// fromHelp says what the flag --from may name.
const fromHelp = "a folder or file of manifests, `PATH`, - for the standard input, or cluster:CONTEXT, which is only read; repeatable"

// manifests reads what --from names.
func (a *app) manifests(ctx context.Context, from []string) (*manifest.Set, error) {
	contextName, cluster := strings.CutPrefix(from[0], "cluster:")
	if !cluster {
		return manifest.Read(a.in, from...)
	}
	if len(from) > 1 {
		return nil, fault.New(fault.Usage, "read the command line", errors.New("--from names a cluster, and something else"), "read a cluster alone")
	}
	c, err := kubecluster.Open(contextName)
	if err != nil {
		return nil, err
	}
	return c.Objects(ctx)
}

func (a *app) kubeProfile() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "profile",
		Short: "Look at the facts about the two clouds that translations use",
		Long: `Looks at the facts about the two clouds that translations use. They change with time, so each kind has
a source and a date.

` + exitCodesShort(),
		Args: onlyCommands,
		RunE: help,
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "show",
		Short: "Print the facts, with sources and dates",
		Long: `Prints removed APIs, regions, families of machines, types of disks and what is left behind, each kind
with its source and its date.

` + exitCodesShort(),
		Example: "  bascule kube profile show",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			p, err := profile.Load()
			if err != nil {
				return fmt.Errorf("load the profile: %w", err)
			}
			if a.json {
				return a.printJSON(p)
			}
			return p.WriteText(a.out)
		},
	})
	return cmd
}
