package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/bascule/bascule/internal/cutover"
	"github.com/bascule/bascule/internal/migration"
)

func (a *app) dbFallback() *cobra.Command {
	var s settings
	var back, dry, untilNow bool
	cmd := &cobra.Command{
		Use:   "fallback",
		Short: "Keep the source current behind a cutover, or bring the application back",
		Long: `After a cutover, applies every change of the target to the source, in the order of its transactions
and each exactly once, and goes on until it is stopped: so the application can come back. The target
keeps its log until it is applied; let this run for as long as there is to be a way back.

With --switch it brings the application back to the source, by the protocol of bascule db cutover
with its ends swapped: gates, a full comparison, the fence, the last proof, the switch. When that
comparison would take longer than you have, --unproved leaves it out: then only rows that changed
since the command began are compared, and of the others nobody knows.

` + exitCodesShort(ExitDifferences, ExitRefused, ExitConnect, ExitPrivilege, ExitResource, ExitData, ExitBusy, ExitAmbiguous),
		Example: `  bascule db fallback --config shop.yaml
  bascule db fallback --config shop.yaml --switch --unproved
  bascule db fallback --config shop.yaml --switch --hook 'kubectl -n shop rollout undo deploy/shop'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s.follows = true
			switch {
			case untilNow && (back || dry):
				return usage(cmd, "read the flags", errors.New("--until-now does not go with --switch"))
			case s.unproved && !back:
				return usage(cmd, "read the flags", errors.New("--unproved goes with --switch"))
			case dry:
				return a.gates(cmd, &s, cutover.ToOld)
			case back:
				return a.move(cmd, &s, "db fallback --switch", (*migration.Migration).SwitchBack)
			}
			return a.fallback(cmd, &s, untilNow)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&back, "switch", false, "bring the application back to the source")
	f.BoolVar(&dry, "dry-run", false, "look at the gates of --switch and change nothing")
	f.BoolVar(&s.unproved, "unproved", false, "with --switch: do not compare all rows first")
	f.BoolVar(&untilNow, "until-now", false, "stop when everything is applied that the target has logged by now")
	s.sourceFlags(f)
	s.targetFlags(f)
	s.switchFlags(f)
	s.laneFlags(f)
	s.spoolFlags(f)
	return cmd
}

// fallback follows the target's changes.
func (a *app) fallback(cmd *cobra.Command, s *settings, untilNow bool) error {
	return a.engage(cmd, s, needs{source: true, target: true}, a.stage(), func(ctx context.Context, w *work) error {
		if err := w.migration.Fallback(ctx, untilNow); err != nil {
			return err
		}
		w.view.Close()
		doc := struct {
			Command string `json:"command"`
			Next    string `json:"next"`
		}{"db fallback", next(cmd, "db fallback")}
		if a.json {
			(&objects{out: a.out, now: a.now}).write("summary", doc)
			return nil
		}
		_, err := fmt.Fprintf(a.out, "caught up: all that the target had logged when this began is applied to the source\n\nnext: %s\n", doc.Next)
		return err
	})
}

func (a *app) dbFinish() *cobra.Command {
	var s settings
	var yes bool
	cmd := &cobra.Command{
		Use:   "finish",
		Short: "Declare that there is no way back, and let the source go",
		Long: `Ends the way back after a cutover: the replication slot and the publication of the target, the
conditions that kept its columns to what the source can hold, and the fence's triggers are removed.
The source stays as it is, closed to the application. This cannot be undone.

` + exitCodesShort(ExitRefused, ExitConnect, ExitPrivilege, ExitBusy),
		Example: "  bascule db finish --config shop.yaml --yes",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s.follows = true
			if !yes {
				return usage(cmd, "finish", errors.New("it ends the way back for good: confirm with --yes"))
			}
			return a.move(cmd, &s, "db finish", func(m *migration.Migration, ctx context.Context, _ migration.SwitchOptions) (cutover.State, error) {
				return m.Finish(ctx)
			})
		},
	}
	f := cmd.Flags()
	f.BoolVar(&yes, "yes", false, "confirm that there is to be no way back")
	s.sourceFlags(f)
	s.targetFlags(f)
	return cmd
}

func (a *app) dbRun() *cobra.Command {
	var s settings
	var cut bool
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Do the whole move, as far as it may, and keep both sides current",
		Long: `Copies, follows, compares while both sides live, and then waits for a person, with the target kept
current: with --cutover it goes on and cuts over. Behind the cutover it keeps the source
current, until bascule db finish or bascule db fallback --switch. Each phase is one line: what is
done and how long it took, what runs, what waits for whom.

Stop it and run it again at any time, on another machine too: it finds out where the move stands,
undoes what an attempt has left before its switch, and completes it after.

` + exitCodesShort(ExitDifferences, ExitRefused, ExitConnect, ExitPrivilege, ExitUnsupported, ExitResource, ExitData, ExitBusy, ExitAmbiguous),
		Example: `  bascule db run --config shop.yaml
  bascule db run --config shop.yaml --cutover`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s.follows, s.Follow = true, true
			return a.switching(cmd, &s, func(ctx context.Context, w *work, o migration.SwitchOptions) error {
				w.migration.Options.ForFollow = true
				return w.migration.Run(ctx, o, cut)
			})
		},
	}
	f := cmd.Flags()
	f.BoolVar(&cut, "cutover", false, "cut over when every gate is open")
	s.sourceFlags(f)
	s.targetFlags(f)
	s.planFlags(f)
	s.moveFlags(f)
	s.laneFlags(f)
	s.spoolFlags(f)
	return cmd
}
