package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/bascule/bascule/internal/kube/decision"
	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/profile"
)

// source is the flags by which a command that writes no tree is told what to read.
type source struct {
	from, releases    []string
	environment, helm string
}

// sourceFlags adds them; environment says what --env is for.
func (a *app) sourceFlags(cmd *cobra.Command, s *source, environment string) {
	f := cmd.Flags()
	f.StringArrayVar(&s.from, "from", nil, fromHelp)
	f.StringArrayVar(&s.releases, "release", nil, releaseHelp)
	f.StringVar(&s.helm, "helm", "", helmHelp)
	f.StringVar(&s.environment, "env", "", environment)
	a.platformFlag(cmd)
}

// sourced reads what flags name or, where they name nothing, what bascule.yaml does for the environment.
func (a *app) sourced(cmd *cobra.Command, s *source) (*manifest.Set, error) {
	flags, err := parseReleases(s.releases, false)
	if err != nil {
		return nil, usage(cmd, "read the command line", err)
	}
	if len(s.from)+len(flags) == 0 {
		if s.environment == "" {
			return nil, usage(cmd, "read the command line", errors.New("none of --from, --release and --env names manifests"))
		}
		return a.environmentSet(cmd.Context(), s.environment, s.helm)
	}
	return a.set(cmd.Context(), nil, s.helm, s.from, flags)
}

// environmentSet reads the manifests of an environment that bascule.yaml names, and the releases of Helm that its decisions list.
func (a *app) environmentSet(ctx context.Context, environment, program string) (*manifest.Set, error) {
	if _, err := a.needed("name them with --from"); err != nil {
		return nil, err
	}
	w, err := a.workloads(environment)
	if err != nil {
		return nil, err
	}
	d := &decision.Decisions{}
	if w.Config != "" {
		if d, err = decision.Read(w.Config); err != nil {
			return nil, err
		}
	}
	if len(w.From)+len(d.Releases) == 0 {
		return nil, a.noManifests(environment)
	}
	return a.set(ctx, d, program, w.From, nil)
}

func (a *app) set(ctx context.Context, d *decision.Decisions, program string, from []string, flags []rendered) (*manifest.Set, error) {
	p, err := profile.Load()
	if err != nil {
		return nil, err
	}
	c, err := a.charts(d, p, program)
	if err != nil {
		return nil, err
	}
	return c.with(ctx, from, flags)
}

// noManifests is the error of an environment of which nobody says where its manifests are, nor lists a release.
func (a *app) noManifests(environment string) error {
	return a.unsaid(environment, "manifests", "--from or --release, or list releases of Helm in the decisions", "from")
}
