package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/finding"
)

func (a *app) dbCheck() *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Look at both servers and accounts before anything is done",
		Long: `Looks at both servers and accounts: versions, settings, privileges, disk space, encodings,
clocks. Each finding names the statement or setting that mends it. It writes nothing, anywhere.
db copy runs the same checks first.

It ends with 4 when a finding is a blocker, that is, when a copy would fail.

` + exitCodesShort(ExitRefused, ExitConnect, ExitPrivilege, ExitUnsupported),
		Example: "  bascule db check --config shop.yaml",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.check(cmd, &s)
		},
	}
	f := cmd.Flags()
	s.sourceFlags(f)
	s.targetFlags(f)
	s.planFlags(f)
	s.followFlag(f)
	s.spoolFlags(f)
	return cmd
}

func (a *app) check(cmd *cobra.Command, s *settings) error {
	return a.engage(cmd, s, needs{source: true, target: true}, a.aside(), func(ctx context.Context, w *work) error {
		fs, err := w.migration.Check(ctx)
		w.view.Close()
		if err != nil {
			return err
		}
		after := next(cmd, "db copy")
		if a.json {
			err = a.printJSON(struct {
				Findings []finding.Finding `json:"findings"`
				Next     string            `json:"next"`
			}{sorted(fs), after})
		} else {
			err = finding.NewReport(fs).WriteText(a.out, planWidth)
		}
		if err != nil {
			return err
		}
		if n := blocking(fs); n > 0 {
			return fault.New(fault.Refused, "check "+w.source+" and "+w.target,
				fmt.Errorf("%s would make a copy fail", plural(n, "finding")), "mend the blockers above, then: "+next(cmd, "db check"))
		}
		if !a.json {
			_, err = fmt.Fprintf(a.out, "\nThe data was not read: bascule db plan tells which values could not arrive.\nnext: %s\n", after)
		}
		return err
	})
}

// blocking counts what stops a copy.
func blocking(fs []finding.Finding) int64 { return int64(len(finding.NewReport(fs).Blocking())) }

// sorted returns findings worst first, as an empty list when there are none.
func sorted(fs []finding.Finding) []finding.Finding {
	return append([]finding.Finding{}, finding.NewReport(fs).Findings...)
}
