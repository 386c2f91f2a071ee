package cli

import "github.com/spf13/cobra"

func (a *app) kube() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "kube",
		Short: "Translate Kubernetes manifests of AWS to GKE",
		Long: `Groups the commands that turn manifests written for AWS into manifests for GKE.

` + exitCodesShort(),
		Args: onlyCommands,
		RunE: help,
	}
	cmd.AddCommand(a.kubeGateway())
	return cmd
}
