package cli

import (
	"context"
	"fmt"
	"os"
	"os/user"

	"github.com/spf13/cobra"

	"github.com/bascule/bascule/internal/change"
)

func (a *app) dbFollow() *cobra.Command {
	var s settings
	var untilNow bool
	cmd := &cobra.Command{
		Use:   "follow",
		Short: "Apply the source's changes to the target, as they come",
		Long: `Applies every change that the source has logged since the copy began, in the order of its
transactions and each exactly once, and goes on until it is stopped. The copy must have been made
with bascule db copy --follow.

When it has passed what the copy can have read, it builds the unique indexes that had to wait for
that. Interrupt it at any time: the same command goes on from the last transaction that is durable
on the target. One process follows a migration; a second one is told who does.

It stops, with everything before it applied, when the source creates, alters, renames or drops a
table, and shows the statements that do the same on the target. With --apply-ddl it carries them
out and goes on: where a change of a column cannot be repeated with proof, it stops in any case.
gh-ost and pt-online-schema-change are recognised, and their tables are not followed.

` + exitCodesShort(ExitRefused, ExitConnect, ExitPrivilege, ExitUnsupported, ExitData, ExitBusy),
		Example: `  bascule db follow --config shop.yaml
  bascule db follow --config shop.yaml --until-now
  bascule db follow --config shop.yaml --apply-ddl`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s.follows = true
			return a.follow(cmd, &s, untilNow)
		},
	}
	f := cmd.Flags()
	s.sourceFlags(f)
	s.targetFlags(f)
	s.spoolFlags(f)
	f.BoolVar(&untilNow, "until-now", false, "stop when everything is applied that the source has logged by now")
	f.BoolVar(&s.ApplyDDL, "apply-ddl", false, "alter the target as the source was altered, and go on")
	return cmd
}

func (a *app) follow(cmd *cobra.Command, s *settings, untilNow bool) error {
	return a.engage(cmd, s, needs{source: true, target: true}, a.stage(), func(ctx context.Context, w *work) error {
		var until func() change.Position
		if untilNow {
			end, err := w.migration.Changes.End(ctx)
			if err != nil {
				return err
			}
			until = func() change.Position { return end }
		}
		if err := w.migration.Follow(ctx, until); err != nil {
			return err
		}
		w.view.Close()
		doc := struct {
			Command string `json:"command"`
			Next    string `json:"next"`
		}{"db follow", next(cmd, "db verify")}
		if a.json {
			(&objects{out: a.out, now: a.now}).write("summary", doc)
			return nil
		}
		_, err := fmt.Fprintf(a.out, "caught up: all that the source had logged when this began is applied\n\nnext: %s\n", doc.Next)
		return err
	})
}

// whoami names this process for another operator: user@host, process 4711.
func whoami() string {
	name := "somebody"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, err := os.Hostname()
	if err != nil {
		host = "an unnamed host"
	}
	return fmt.Sprintf("%s@%s, process %d", name, host, os.Getpid())
}
