package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/convert"
	"github.com/bascule/bascule/internal/finding"
)

func (a *app) dbPlan() *cobra.Command {
	var s settings
	var sql bool
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Say what becomes of every table, column, index and key",
		Long: `Reads the source's schema and statistics of its data, and prints what becomes of every table,
column, index and key, why, what cannot arrive unchanged, and how long a copy may take. It
writes nothing, anywhere. Without --target it plans for a current PostgreSQL.

The scans of the source's data are cut into ranges and wait while the source is busy.

` + exitCodesShort(ExitConnect, ExitPrivilege, ExitUnsupported),
		Example: `  bascule db plan --source mysql://reader@db.example:3306/shop --source-password env:DB_PASSWORD
  bascule db plan --config shop.yaml --sql > shop.sql`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if sql && a.json {
				return usage(cmd, "read the command line", errors.New("--sql and --json ask for two outputs"))
			}
			return a.plan(cmd, &s, sql)
		},
	}
	f := cmd.Flags()
	s.sourceFlags(f)
	s.targetFlags(f)
	s.planFlags(f)
	f.BoolVar(&sql, "sql", false, "print the DDL for the target and nothing else")
	return cmd
}

func (a *app) plan(cmd *cobra.Command, s *settings, sql bool) error {
	return a.engage(cmd, s, needs{source: true}, a.aside(), func(ctx context.Context, w *work) error {
		plan, err := w.migration.Plan(ctx)
		w.view.Close()
		if err != nil {
			return err
		}
		stmts := statements(plan)
		if sql {
			return a.printSQL(stmts)
		}
		doc := newPlanDoc(plan, stmts, w.source, w.target)
		doc.Next = nextAfterPlan(cmd, plan, w.target != "")
		if a.json {
			return a.printJSON(doc)
		}
		return doc.writeText(a.out)
	})
}

// printSQL writes statements that psql can run as they stand. psql sends what stands
// between semicolons one by one, so statements that lock tables first need a block.
func (a *app) printSQL(stmts []change.Statement) error {
	stage := change.Stage(-1)
	for _, s := range stmts {
		if s.Stage != stage {
			stage = s.Stage
			if _, err := fmt.Fprintf(a.out, "-- %s\n", stageText(stage)); err != nil {
				return err
			}
		}
		format := "%s;\n"
		if s.Stage == change.StageForeignKey {
			format = "BEGIN; %s; COMMIT;\n"
		}
		if _, err := fmt.Fprintf(a.out, format, s.SQL); err != nil {
			return err
		}
	}
	return nil
}

func stageText(s change.Stage) string {
	switch s {
	case change.StageSchema:
		return "before the rows"
	case change.StageCopy:
		return "the rows"
	case change.StageIndex:
		return "after the rows of a table: indexes"
	case change.StageKey:
		return "keys, checks, identities"
	case change.StageForeignKey:
		return "foreign keys"
	case change.StageFinish:
		return "comments, statistics"
	}
	return fmt.Sprintf("stage %d", s)
}

// nextAfterPlan lists the commands that lead on from a plan.
func nextAfterPlan(cmd *cobra.Command, p *convert.Plan, haveTarget bool) []string {
	if !haveTarget {
		return []string{next(cmd, "db plan", "--target postgres://USER@HOST:5432/DATABASE")}
	}
	var accept []string
	for _, f := range p.Findings {
		if f.Kind == finding.Loss && !f.Accepted {
			accept = append(accept, fmt.Sprintf("--accept %s", shellQuote(string(f.Code)+":"+f.Object)))
		}
	}
	return []string{next(cmd, "db check"), next(cmd, "db copy", accept...)}
}
