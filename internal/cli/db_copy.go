package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/migration"
)

func (a *app) dbCopy() *cobra.Command {
	var s settings
	var dry bool
	cmd := &cobra.Command{
		Use:   "copy",
		Short: "Make the schema, copy all rows, build indexes and keys",
		Long: `Makes the schema on the target, copies all tables in chunks, builds indexes and keys, and sets
identities. The source is only read.

Run the same command again after an interruption: it goes on from what was committed. Run it in
several processes or on several machines at once: they share the work. Values that cannot arrive
unchanged stop it until each such loss is accepted by name with --accept.

A terminal gets a live view, a pipe one line an event, and --json one object a line.

` + exitCodesShort(ExitRefused, ExitConnect, ExitPrivilege, ExitUnsupported, ExitResource, ExitData),
		Example: `  bascule db copy --config shop.yaml
  bascule db copy --source env:SOURCE --target env:TARGET --schema shop --accept zero-date:orders.shipped_at`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dry {
				return a.copyDry(cmd, &s)
			}
			return a.copy(cmd, &s)
		},
	}
	f := cmd.Flags()
	s.sourceFlags(f)
	s.targetFlags(f)
	s.planFlags(f)
	s.laneFlags(f)
	s.followFlag(f)
	s.spoolFlags(f)
	f.BoolVar(&dry, "dry-run", false, "say what it would do, and write nothing")
	return cmd
}

func (a *app) copy(cmd *cobra.Command, s *settings) error {
	return a.engage(cmd, s, needs{source: true, target: true}, a.stage(), func(ctx context.Context, w *work) error {
		res, err := w.migration.Copy(ctx)
		w.view.Close()
		if err != nil {
			return err
		}
		after := "db verify"
		if s.Follow {
			after = "db follow"
		}
		doc := newCopyDoc(res, next(cmd, after))
		if a.json {
			(&objects{out: a.out, now: a.now}).write("summary", doc)
			return nil
		}
		_, err = fmt.Fprint(a.out, doc.text())
		return err
	})
}

// copyDoc is the summary of a copy.
type copyDoc struct {
	Command string `json:"command"`
	migration.CopyResult
	Losses []lossDoc `json:"losses"`
	Next   string    `json:"next"`
}

type lossDoc struct {
	Code   finding.Code `json:"code"`
	Table  string       `json:"table"`
	Column string       `json:"column"`
	Values int64        `json:"values"`
}

func newCopyDoc(r *migration.CopyResult, after string) *copyDoc {
	return &copyDoc{Command: "db copy", CopyResult: *r, Losses: lossDocs(r.Losses), Next: after}
}

// lossDocs lists losses by table, column and code.
func lossDocs(ls change.Losses) []lossDoc {
	out := []lossDoc{}
	for k, n := range ls {
		out = append(out, lossDoc{k.Code, k.Table, k.Column, n})
	}
	slices.SortFunc(out, func(a, b lossDoc) int {
		return cmp.Or(cmp.Compare(a.Table, b.Table), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Code, b.Code))
	})
	return out
}

func (d *copyDoc) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "copied: %s and %s in %s into %s, %s rows/s, %s/s\n",
		plural(d.Rows, "row"), size(d.Bytes), duration(d.Elapsed), plural(int64(d.Tables), "table"),
		count(perSecond(d.Rows, d.Elapsed)), size(perSecond(d.Bytes, d.Elapsed)))
	if d.Aborted > 0 {
		fmt.Fprintf(&b, "%s rolled back and copied again\n", plural(d.Aborted, "chunk"))
	}
	b.WriteString(lossesText(d.Losses))
	fmt.Fprintf(&b, "\nnext: %s\n", d.Next)
	return b.String()
}

func lossesText(ls []lossDoc) string {
	if len(ls) == 0 {
		return "losses: none\n"
	}
	var b strings.Builder
	b.WriteString("losses, accepted by name:\n")
	for _, l := range ls {
		fmt.Fprintf(&b, "  %s:%s.%s   %s\n", l.Code, clean(l.Table), clean(l.Column), plural(l.Values, "value"))
	}
	return b.String()
}

// dryDoc says what a copy would do.
type dryDoc struct {
	Command    string             `json:"command"`
	Resumes    bool               `json:"resumes"`
	Schema     string             `json:"schema"`
	Estimate   estimateDoc        `json:"estimate"`
	Statements []change.Statement `json:"statements"`
	Left       int64              `json:"tasks_left,omitempty"`
	Findings   []finding.Finding  `json:"findings"`
	Next       string             `json:"next"`
}

func (a *app) copyDry(cmd *cobra.Command, s *settings) error {
	return a.engage(cmd, s, needs{source: true, target: true}, a.aside(), func(ctx context.Context, w *work) error {
		doc := &dryDoc{Command: "db copy --dry-run", Schema: w.schema, Next: next(cmd, "db copy")}
		// Status has an answer when an earlier copy left its record.
		if st, err := w.migration.Status(ctx); err == nil {
			doc.Resumes, doc.Left = true, st.Left
		} else if fault.ClassOf(err) != fault.Usage {
			return err
		}
		plan, err := w.migration.Plan(ctx)
		if err != nil {
			return err
		}
		found, err := w.migration.Check(ctx)
		w.view.Close()
		if err != nil {
			return err
		}
		doc.Statements = statements(plan)
		doc.Estimate = newPlanDoc(plan, nil, w.source, w.target).Estimate
		doc.Findings = sorted(append(found, plan.Findings...))
		if err := a.printDry(doc); err != nil {
			return err
		}
		if n := blocking(doc.Findings); n > 0 && !doc.Resumes {
			return fault.New(fault.Refused, "copy into schema "+doc.Schema,
				fmt.Errorf("%s would stop it", plural(n, "finding")), "what to do about each is above")
		}
		return nil
	})
}

func (a *app) printDry(d *dryDoc) error {
	if a.json {
		return a.printJSON(d)
	}
	p := &printer{}
	if d.Resumes {
		p.line("A copy into schema %q is recorded: db copy would go on with its %s.", d.Schema, plural(d.Left, "open task"))
	} else {
		p.line("db copy would, in schema %q of the target:", d.Schema)
		p.line("  make %s by %s", plural(int64(d.Estimate.Tables), "table"), plural(staged(d.Statements, change.StageSchema, change.StageSchema), "statement"))
		p.line("  copy about %s, %s, in about %s", plural(d.Estimate.Rows, "row"), size(d.Estimate.Bytes), d.Estimate.text())
		p.line("  run %s for indexes and keys, and %s for foreign keys",
			plural(staged(d.Statements, change.StageIndex, change.StageKey), "statement"),
			plural(staged(d.Statements, change.StageForeignKey, change.StageForeignKey), "statement"))
		p.line("and keep its ledger in schema \"bascule\". Nothing was written.")
	}
	p.line("")
	if err := p.findings(d.Findings); err != nil {
		return err
	}
	p.line("")
	p.line("next: %s", d.Next)
	_, err := io.WriteString(a.out, p.String())
	return err
}

func staged(stmts []change.Statement, from, to change.Stage) (n int64) {
	for _, s := range stmts {
		if s.Stage >= from && s.Stage <= to {
			n++
		}
	}
	return n
}

// since is the time from t to now, for what is stored with a time.
func (a *app) since(t time.Time) time.Duration { return a.now().Sub(t) }
