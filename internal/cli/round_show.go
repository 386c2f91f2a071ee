package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/platform"
	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/account"
	"github.com/bascule/bascule/internal/round/store"
)

func (a *app) roundPlan() *cobra.Command {
	return &cobra.Command{
		Use:   "plan ENVIRONMENT",
		Short: "Say what a round would do, how long it would take, and what has no undo",
		Long: `Says what a round of an environment would do, in which order, which steps make it as long as it is,
how long each and all would take by what past rounds took, with the uncertainty, what has no undo,
which findings of proofs of concept are open, and the latest moment to turn back within the window.
It reads bascule.yaml and the journal, and connects to no database.

` + exitCodesShort(),
		Example: "  bascule round plan prod-eu",
		Args:    oneEnvironment(false),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.atDesk(cmd, func(ctx context.Context, d *desk) error { return d.plan(ctx, args[0]) })
		},
	}
}

// planDoc is what a round would be.
type roundPlanDoc struct {
	Command     string            `json:"command"`
	Environment string            `json:"environment"`
	Forecast    *account.Forecast `json:"forecast"`
	Lessons     []lessonDoc       `json:"lessons"`
}

// lessonDoc is a finding of an earlier round, and what became of it.
type lessonDoc struct {
	account.Lesson
	State string `json:"state"` // adopted, dismissed, open
	How   string `json:"how,omitempty"`
}

func (d *desk) plan(ctx context.Context, name string) error {
	e, err := d.environment(name)
	if err != nil {
		return err
	}
	script, unrehearsed, err := d.platform.Script(e, platform.Live)
	if err != nil {
		return err
	}
	if _, without, err := d.platform.Script(e, platform.Rehearsal); err == nil {
		unrehearsed = without
	}
	r := store.Round{Environment: e.Name, Kind: store.Live, Production: e.Production, Script: script, Unrehearsed: unrehearsed, Zone: e.Zone, Began: d.now(), Cost: e.Cost}
	if r.WindowFrom, r.WindowTo, err = e.Times(); err != nil {
		return err
	}
	past, err := d.past(ctx)
	if err != nil {
		return err
	}
	doc := roundPlanDoc{"round plan", e.Name, account.Plan(r, past), d.lessons(past)}
	if d.json {
		(&objects{out: d.out, now: d.now}).write("summary", doc)
		return nil
	}
	_, err = fmt.Fprint(d.out, doc.text(&r))
	return err
}

// lessons lists the findings of proofs of concept with what bascule.yaml says became of them.
func (d *desk) lessons(past []account.Past) []lessonDoc {
	out := []lessonDoc{}
	for _, l := range account.Findings(past) {
		x := lessonDoc{Lesson: l, State: "open"}
		for _, said := range d.platform.Lessons {
			switch {
			case said.Finding != l.ID:
			case said.Adopted != "":
				x.State, x.How = "adopted", "step "+said.Adopted
			case said.Dismissed != "":
				x.State, x.How = "dismissed", said.Dismissed
			}
		}
		out = append(out, x)
	}
	return out
}

func (doc *roundPlanDoc) text(r *store.Round) string {
	p, f := &printer{}, doc.Forecast
	p.line("a round of %s: %s", doc.Environment, plural(int64(len(f.Steps)), "step"))
	p.line("")
	w := len("step")
	for i := range f.Steps {
		w = max(w, wide(string(f.Steps[i].Task.Step.ID)))
	}
	p.line("  %s  %-9s %12s  %s", left("step", w), "kind", "expected", "what")
	for i := range f.Steps {
		s := &f.Steps[i]
		mark := " "
		if s.Critical {
			mark = "*"
		}
		p.line("%s %s  %-9s %12s  %s", mark, left(string(s.Task.Step.ID), w), s.Task.Step.Kind, expectedText(s.Expected), clean(s.Task.Title))
	}
	p.line("")
	p.line("expected      %s", f.Total)
	p.line("write freeze  %s", f.Freeze)
	p.wrapped("critical      ", idsText(f.Critical))
	p.wrapped("not known     ", idsText(f.Unknown))
	var manual []string
	for _, m := range f.Manual {
		manual = append(manual, string(m.Step))
	}
	p.wrapped("manual        ", strings.Join(manual, ", "))
	for _, n := range f.NoUndo {
		how := "acknowledged at gate " + string(n.Gate)
		if n.Gate == "" {
			how = "the finish"
		}
		p.line("no undo       %s (%s)", n.Step, how)
	}
	p.wrapped("unrehearsed   ", idsText(f.Unrehearsed))
	if s := f.Save; s != nil {
		what := "was that fast once"
		if s.Automate {
			what = "would be, if nobody had to be waited for"
		}
		p.line("would save    %s: %s, if it took %s, as it %s", s.Step, account.Duration(s.Saves), account.Duration(s.To), what)
	}
	if !r.WindowTo.IsZero() {
		zone := zoneOf(r)
		p.line("window        %s to %s", r.WindowFrom.In(zone).Format("2006-01-02 15:04"), r.WindowTo.In(zone).Format("2006-01-02 15:04 MST"))
		if !f.LastTurn.IsZero() {
			p.line("turn back by  %s: an abort takes %s", f.LastTurn.In(zone).Format("2006-01-02 15:04 MST"), f.Undo)
		}
	}
	for _, l := range doc.Lessons {
		p.line("finding       %s %s: %s (%s%s)", l.ID, l.Kind, clean(oneLine(l.Text)), l.State, colon(l.How))
	}
	p.line("")
	p.line("* the round is longer when this step is")
	return p.String()
}

func colon(s string) string {
	if s == "" {
		return ""
	}
	return ": " + clean(s)
}

func expectedText(e account.Estimate) string {
	if !e.Known() {
		return "not known"
	}
	return account.Duration(e.Expected)
}

func idsText(ids []round.StepID) string {
	var out []string
	for _, id := range ids {
		out = append(out, string(id))
	}
	return strings.Join(out, ", ")
}

func (a *app) roundStatus() *cobra.Command {
	return &cobra.Command{
		Use:   "status ENVIRONMENT",
		Short: "Say how a round stands, and who is waited for",
		Long: `Says how the newest round of an environment stands: what runs, what is done, for how long writes have
been stopped, who is waited for and what answers, what turning back is now and what it costs, and who
drives. It only reads.

` + exitCodesShort(),
		Args: oneEnvironment(false),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.atDesk(cmd, func(ctx context.Context, d *desk) error {
				r, err := d.current(ctx, args[0])
				if err != nil {
					return err
				}
				x, err := d.account(ctx, r)
				if err != nil {
					return err
				}
				if d.json {
					(&objects{out: d.out, now: d.now}).write("summary", x)
					return nil
				}
				_, err = fmt.Fprint(d.out, accountText(x))
				return err
			})
		},
	}
}

func accountText(x *account.Account) string {
	p := &printer{}
	p.line("round %s: %s, %s", x.Round.ID, phaseText(x), account.Duration(x.Elapsed))
	frozen := ""
	if x.Frozen {
		frozen = ", and are stopped"
	}
	p.line("writes were stopped for %s%s", account.Duration(x.Freeze), frozen)
	if x.Trouble != "" {
		p.wrapped("trouble: ", clean(oneLine(x.Trouble)))
	}
	p.line("")
	w := 0
	for i := range x.Steps {
		w = max(w, wide(string(x.Steps[i].Task.Step.ID)))
	}
	for i := range x.Steps {
		s := &x.Steps[i]
		took := ""
		if s.Took > 0 {
			took = account.Duration(s.Took)
		}
		p.line("  %s  %-9s %10s  %s", left(string(s.Task.Step.ID), w), s.State.Status, took, clean(oneLine(s.State.Reason)))
	}
	p.line("")
	for _, n := range x.Waits {
		p.line("waits for %s since %s: %s", clean(n.For), n.Since.In(zoneOf(&x.Round)).Format("15:04:05"), clean(oneLine(n.What)))
		if n.Command != "" {
			p.line("    %s", n.Command)
		}
	}
	p.wrapped("turning back: ", clean(x.Turning))
	p.line("the rest: %s", x.Left)
	switch {
	case x.Driver == nil:
		p.line("nobody has driven it")
	case x.Driver.Holds():
		p.line("driven by %s", clean(x.Driver.Who))
	default:
		p.line("nobody drives it; the last was %s", clean(x.Driver.Who))
	}
	return p.String()
}

func phaseText(x *account.Account) string {
	if x.Paused {
		return string(x.Phase) + ", paused"
	}
	return string(x.Phase)
}

func (a *app) roundHistory() *cobra.Command {
	var svg string
	cmd := &cobra.Command{
		Use:   "history",
		Short: "Lay all rounds side by side: how they got faster, and what still takes the time",
		Long: `Lays all rounds of the platform side by side: how long each took, for how long writes were stopped,
how long people were waited for, and of each step which still takes the time and which are still
manual; and the share of the spend that has moved.

` + exitCodesShort(),
		Example: "  bascule round history --svg curve.svg",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.atDesk(cmd, func(ctx context.Context, d *desk) error {
				past, err := d.past(ctx)
				if err != nil {
					return err
				}
				h := account.Curve(past, d.costs())
				if svg != "" {
					if err := writeFile(svg, h.SVG()); err != nil {
						return err
					}
				}
				if d.json {
					(&objects{out: d.out, now: d.now}).write("summary", h)
					return nil
				}
				_, err = fmt.Fprint(d.out, h.Text())
				return err
			})
		},
	}
	cmd.Flags().StringVar(&svg, "svg", "", "also draw the curve into a `FILE`")
	return cmd
}

// costs are what the environments cost a month.
func (d *desk) costs() map[string]float64 {
	out := map[string]float64{}
	for i := range d.platform.Environments {
		if e := &d.platform.Environments[i]; e.Cost > 0 {
			out[e.Name] = e.Cost
		}
	}
	return out
}

func (a *app) roundReport() *cobra.Command {
	var html string
	cmd := &cobra.Command{
		Use:   "report ENVIRONMENT",
		Short: "Write the report of a round: timeline, decisions, figures, lessons",
		Long: `Prints the report of the newest round of an environment, as Markdown: what happened when and by whom,
what was decided, what was left out or overridden and why, how long each step took and was expected
to take, for how long writes were stopped, and the head of the journal's chain.

` + exitCodesShort(),
		Example: "  bascule round report prod-eu > prod-eu.md\n  bascule round report prod-eu --html prod-eu.html",
		Args:    oneEnvironment(false),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.atDesk(cmd, func(ctx context.Context, d *desk) error {
				r, err := d.current(ctx, args[0])
				if err != nil {
					return err
				}
				x, err := d.account(ctx, r)
				if err != nil {
					return err
				}
				if html != "" {
					return writeFile(html, x.HTML())
				}
				_, err = fmt.Fprint(d.out, x.Markdown())
				return err
			})
		},
	}
	cmd.Flags().StringVar(&html, "html", "", "write it as a page into a `FILE` instead")
	return cmd
}

// writeFile writes a file that a person asked for.
func writeFile(name string, b []byte) error {
	if err := os.WriteFile(name, b, 0o600); err != nil {
		return fault.New(fault.Resource, fmt.Sprintf("write %q", name), errors.Unwrap(err), "name a file in a folder that exists and can be written")
	}
	return nil
}
