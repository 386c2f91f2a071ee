package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/migration"
	"github.com/bascule/bascule/internal/verify"
)

func (a *app) dbVerify() *cobra.Command {
	var s settings
	var live bool
	var o migration.LiveOptions
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Compare both sides, value by value",
		Long: `Compares every value of every copied table. Both servers compute sums of their rows; where they
differ, the range is halved until rows and columns are known, which are printed with both
values. It writes nothing, and moves little data.

On a source that is written to meanwhile, rows changed since the copy are differences: they are
real. With --live it follows the source, or waits for the process that does, and compares while both
sides change: pass after pass, each with its verdict and the position up to which it holds. A row
that differs is looked at again until it agrees, or shows that it never will.

With --repair it then copies the rows again that differ: between two transactions of the target the
follow is paused, the rows are read from a source that shows all that is applied, and put in one
transaction. That is no proof, so another pass follows; the last pass is the verdict. A
difference that nobody made on the target is a bug: report it, with the output.

It ends with 3 when there are differences.

` + exitCodesShort(ExitDifferences, ExitConnect, ExitPrivilege, ExitResource),
		Example: "  bascule db verify --config shop.yaml",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if live {
				s.follows = true
				if o.Repair && !cmd.Flags().Changed("passes") {
					o.Passes = 2
				}
				return a.verifyLive(cmd, &s, o)
			}
			for _, name := range []string{"passes", "repair"} {
				if cmd.Flags().Changed(name) {
					return usage(cmd, "read --"+name, errors.New("it goes with --live"))
				}
			}
			return a.verify(cmd, &s)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&live, "live", false, "follow the source and compare while both sides change")
	f.IntVar(&o.Passes, "passes", 1, "with --live, the `NUMBER` of passes over all tables; 0 goes on until it is stopped")
	f.BoolVar(&o.Repair, "repair", false, "with --live, copy rows again that differ, and stop at the first pass that finds none; --passes is 2 then")
	s.sourceFlags(f)
	s.targetFlags(f)
	s.laneFlags(f)
	s.spoolFlags(f)
	return cmd
}

func (a *app) verify(cmd *cobra.Command, s *settings) error {
	return a.engage(cmd, s, needs{source: true, target: true}, a.stage(), func(ctx context.Context, w *work) error {
		began := a.now()
		rep, err := w.migration.Verify(ctx)
		w.view.Close()
		if err != nil {
			return err
		}
		return a.verdict(rep, w, began, false)
	})
}

// verifyLive compares while both sides change.
func (a *app) verifyLive(cmd *cobra.Command, s *settings, o migration.LiveOptions) error {
	if o.Passes < 0 {
		return usage(cmd, "read --passes", fmt.Errorf("%d is not a number of passes", o.Passes))
	}
	return a.engage(cmd, s, needs{source: true, target: true}, a.stage(), func(ctx context.Context, w *work) error {
		began := a.now()
		rep, err := w.migration.VerifyLive(ctx, o)
		w.view.Close()
		if err != nil {
			return err
		}
		return a.verdict(rep, w, began, o.Repair)
	})
}

// verdict prints a report and returns the error of one that found something.
func (a *app) verdict(rep *verify.Report, w *work, began time.Time, repaired bool) error {
	if a.json {
		(&objects{out: a.out, now: a.now}).write("summary", struct {
			Command string `json:"command"`
			*verify.Report
		}{"db verify", rep})
	} else if _, err := fmt.Fprint(a.out, verifyText(rep)+"in "+duration(a.since(began))+"\n"); err != nil {
		return err
	}
	err := verifyFault(rep, w)
	if err != nil && repaired {
		return fault.New(fault.Difference, "verify and repair", err,
			"rows that differ were copied again, as told above; that is no proof, so run the same command again until a pass finds nothing; report what differs though nobody wrote to the target")
	}
	return err
}

// verifyText is the verdict on every table. The differences themselves were printed
// as they were found.
func verifyText(r *verify.Report) string {
	var b strings.Builder
	w := len("table")
	for _, t := range r.Tables {
		w = max(w, wide(clean(t.Table)))
	}
	w = min(w, 40)
	fmt.Fprintf(&b, "%s  %-9s %15s %15s %11s\n", left("table", w), "verdict", "rows, source", "rows, target", "differences")
	var rows, byClient, differences, ranges, equal int64
	for _, t := range r.Tables {
		fmt.Fprintf(&b, "%s  %-9s %15s %15s %11s\n", left(clean(t.Table), w), verdict(t.Differences == 0),
			count(t.RowsSource), count(t.RowsTarget), count(t.Differences))
		rows += t.RowsSource
		byClient += t.ByClient
		differences += t.Differences
		ranges += int64(t.Ranges)
		equal += int64(t.RangesEqual)
	}
	fmt.Fprintf(&b, "\n%s: %s of %s on the source compared with the target: %s\n", verdict(r.Equal),
		plural(rows, "row"), plural(int64(len(r.Tables)), "table"), plural(differences, "difference"))
	fmt.Fprintf(&b, "%s, %s equal by the servers' sums alone, %s by their values\n",
		plural(ranges, "range"), count(equal), plural(byClient, "row"))
	return b.String()
}

// verifyFault is the error of a report that found something.
func verifyFault(r *verify.Report, w *work) error {
	var differences, tables, shown int64
	for _, t := range r.Tables {
		if t.Differences > 0 {
			tables++
		}
		differences += t.Differences
		shown += int64(len(t.Shown))
	}
	if r.Equal && differences == 0 {
		return nil
	}
	if unproved := unprovedRows(r); differences == 0 && unproved > 0 {
		return fault.New(fault.Difference, fmt.Sprintf("verify schema %s against %s", w.schema, w.source),
			fmt.Errorf("no row differs, and %s changed at every look, so that nothing can be said of them", plural(unproved, "row")),
			"run it again when fewer writes come; the last proof of a cutover looks at them when the writes have stopped")
	}
	if len(r.Tables) == 0 {
		return fault.New(fault.Difference, "verify schema "+w.schema, fmt.Errorf("no table was compared"), "the recorded copy holds no table: see bascule db status")
	}
	return fault.New(fault.Difference, fmt.Sprintf("verify schema %s against %s", w.schema, w.source),
		fmt.Errorf("%s in %s, of which %s", plural(differences, "difference"), plural(tables, "table"), shownText(shown)),
		"was either side written to since the copy began? then compare a copy that is followed with --live, and make any other again while nobody writes, after: bascule db drop; if not, report it")
}

func unprovedRows(r *verify.Report) (n int64) {
	for _, t := range r.Tables {
		n += t.Unproved
	}
	return n
}

func shownText(n int64) string {
	if n == 1 {
		return "1 is shown above"
	}
	return count(n) + " are shown above"
}
