package cli

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/bascule/bascule/internal/kube/branch"
)

func (a *app) kubeCommit() *cobra.Command {
	var out, environment, push string
	var undo bool
	cmd := &cobra.Command{
		Use:   "commit",
		Short: "Commit an environment's tree to a branch of Git",
		Long: `Commits generated/ENVIRONMENT and overrides/ENVIRONMENT to the branch bascule/ENVIRONMENT, on top of
what is there or, once that is merged, of what is checked out. Your work tree, your index and your
branch stay as they are. Without a difference there is no commit. --undo takes the last one back, by
a commit; in a round, only one that this round has made.

` + exitCodesShort(ExitRefused, ExitResource),
		Example: "  bascule kube commit --out gitops --env preprod --push origin",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := environmentFlag(cmd, environment); err != nil {
				return err
			}
			if out == "" {
				w, err := a.workloads(environment)
				if err != nil {
					return err
				}
				if out = w.Out; out == "" {
					return a.unsaid(environment, "tree", "--out", "out")
				}
			}
			return a.commit(cmd.Context(), out, environment, push, undo)
		},
	}
	f := cmd.Flags()
	f.StringVar(&out, "out", "", "the `DIR` of the tree, in a Git repository; without it, the one that bascule.yaml names")
	f.StringVar(&environment, "env", "", "the environment's `NAME`")
	f.StringVar(&push, "push", "", "push the branch to `REMOTE`")
	f.BoolVar(&undo, "undo", false, "take the last commit back")
	a.platformFlag(cmd)
	return cmd
}

func (a *app) commit(ctx context.Context, out, environment, push string, undo bool) error {
	round := os.Getenv("BASCULE_ROUND") // a round tells its commands
	do := func() (*branch.Result, error) {
		return branch.Commit(ctx, out, environment, round, "Translate "+environment+" by bascule kube translate")
	}
	if undo {
		do = func() (*branch.Result, error) { return branch.Undo(ctx, out, environment, round) }
	}
	r, err := do()
	if err != nil {
		return err
	}
	if push != "" {
		if err := branch.Push(ctx, out, environment, push); err != nil {
			return err
		}
	}
	if a.json {
		return a.printJSON(r)
	}
	what := "nothing changes"
	if r.Changed {
		what = plural(int64(r.Files), "file")
	}
	_, err = fmt.Fprintf(a.out, "%s %s: %s\n", r.Branch, r.Commit[:min(12, len(r.Commit))], what)
	return err
}
