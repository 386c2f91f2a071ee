package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/bascule/bascule/internal/kube/profile"
)

func (a *app) kube() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "kube",
		Short: "Translate the manifests of workloads from AWS to Google Cloud",
		Long: `Translates Kubernetes manifests that were written for AWS (EKS, kops) into a tree for GKE that GitOps
can apply. It talks to no cluster and to no cloud.

` + exitCodesShort(),
		Args: onlyCommands,
		RunE: help,
	}
	cmd.AddCommand(a.kubeTranslate(), a.kubeCheck(), a.kubeGateway(), a.kubeProfile())
	return cmd
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
