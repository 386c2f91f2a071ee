package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/migration"
	"github.com/bascule/bascule/internal/mysql"
)

func (a *app) dbDrop() *cobra.Command {
	var s settings
	var yes, dry bool
	cmd := &cobra.Command{
		Use:   "drop",
		Short: "Remove from the target what copy made there",
		Long: `Removes from the target the tables and types that db copy made, with their rows, and the copy's
record in the ledger. It removes nothing else, and nothing from the source. It asks for the
schema's name first; --yes answers for scripts.

` + exitCodesShort(ExitRefused, ExitConnect, ExitPrivilege),
		Example: "  bascule db drop --target env:TARGET --schema shop --dry-run",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.drop(cmd, &s, yes, dry)
		},
	}
	f := cmd.Flags()
	s.targetFlags(f)
	f.BoolVar(&yes, "yes", false, "do not ask")
	f.BoolVar(&dry, "dry-run", false, "say what it would remove, and remove nothing")
	return cmd
}

func (a *app) drop(cmd *cobra.Command, s *settings, yes, dry bool) error {
	return a.engage(cmd, s, needs{target: true}, silent{}, func(ctx context.Context, w *work) error {
		would, err := w.migration.Drop(ctx, true)
		if err != nil {
			return err
		}
		if dry {
			return a.printDropped("would remove", would, true)
		}
		if !yes {
			if err := a.confirm(ctx, w, would); err != nil {
				return err
			}
		}
		st, err := w.migration.Status(ctx)
		if err != nil {
			return err
		}
		gone, err := w.migration.Drop(ctx, false)
		if err != nil {
			return err
		}
		a.release(s, &st.Record)
		return a.printDropped("removed", gone, false)
	})
}

// release lets the spools of this machine forget a migration that is gone. What it cannot release only takes room, and db spool status shows it.
func (a *app) release(s *settings, rec *change.Record) {
	root, err := s.spoolRoot()
	if err != nil || root == "" {
		return // none was kept here
	}
	if _, err := mysql.ReleaseSpool(root, migration.SpoolName(rec)); err != nil {
		a.log.Warn("the spool is kept for a migration that is gone", "error", err)
	}
}

func (a *app) printDropped(verb string, what []string, dry bool) error {
	if a.json {
		return a.printJSON(struct {
			Removed []string `json:"removed"`
			DryRun  bool     `json:"dry_run"`
		}{append([]string{}, what...), dry})
	}
	for _, o := range what {
		if _, err := fmt.Fprintf(a.out, "%s %s\n", verb, clean(o)); err != nil {
			return err
		}
	}
	return nil
}

// confirm lists what would go and wants the schema's name typed. Somebody must sit
// there: an answer that a script pipes in proves nothing, and --yes is for scripts.
func (a *app) confirm(ctx context.Context, w *work, would []string) error {
	op := "drop the copy in schema " + w.schema
	in, ok := a.in.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return fault.New(fault.Refused, op, errors.New("nobody is there to be asked: stdin is not a terminal"),
			"look at what would be removed with --dry-run, then say --yes")
	}
	question := &printer{}
	question.line("On %s this removes:", w.target)
	for _, o := range would {
		question.line("  %s", clean(o))
	}
	ask := "Type the schema's name (" + clean(w.schema) + ") to go on: "
	if _, err := io.WriteString(a.err, question.String()+ask); err != nil {
		return err
	}
	answer, err := readLine(ctx, in)
	if err != nil {
		return fault.New(fault.Refused, op, err, "nothing was removed")
	}
	if answer != w.schema {
		return fault.New(fault.Refused, op, fmt.Errorf("%q was typed, not %q", clean(answer), w.schema), "nothing was removed")
	}
	return nil
}

// readLine reads one line, or gives up when ctx ends: a read from a terminal cannot be
// cancelled, so it is left behind, and the process ends soon after.
func readLine(ctx context.Context, in io.Reader) (string, error) {
	type result struct {
		line string
		err  error
	}
	got := make(chan result, 1) // the reader must not hang when nobody receives any more
	go func() {
		line, err := bufio.NewReader(in).ReadString('\n')
		got <- result{strings.TrimSpace(line), err}
	}()
	select {
	case r := <-got:
		return r.line, r.err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}
