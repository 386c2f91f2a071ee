package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/bascule/bascule/internal/fault"
)

// app is one run of the program: where it reads and writes, and what all commands share.
type app struct {
	in       io.Reader
	out, err io.Writer // err is redacted; out is what the command prints
	now      func() time.Time
	redact   *redactor
	log      *slog.Logger

	file                 string // bascule.yaml, for the commands about rounds
	rawErr               any    // the file behind err, to ask whether it is a terminal
	json, quiet, verbose bool
}

// Run carries out one command line and returns its exit code. Everything but the
// command's own output is on stderr; with --json an error is also the last line of stdout.
func Run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	r := &redactor{}
	a := &app{in: in, out: out, err: r.writer(errs), rawErr: errs, now: time.Now, redact: r}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(a.err)
	err := withCause(ctx, root.ExecuteContext(ctx))
	if a.log == nil && fault.ClassOf(err) == fault.Internal {
		// No command ran: cobra did not understand the command line.
		err = usage(root, "read the command line", err)
	}
	if err != nil {
		a.report(err)
	}
	return exitCode(err)
}

// root builds the tree of commands.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "bascule",
		Short:         "Move a live platform between clouds",
		Long:          "bascule moves a live platform between clouds, and proves that it arrived.\n\nIt begins with the database: bascule db moves MySQL or MariaDB into PostgreSQL. bascule kube\ntranslates the manifests of the workloads.",
		Example:       "  bascule db plan --source mysql://reader@db.example:3306/shop --source-password env:DB_PASSWORD",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          onlyCommands,
		RunE:          help,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if a.quiet && a.verbose {
				return usage(cmd, "read the command line", errors.New("--quiet and --verbose contradict each other"))
			}
			a.log = a.logger(a.err)
			return nil
		},
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage(cmd, "read the command line", err)
	})
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages ", ".FlagUsagesWrapped 100 "))
	f := root.PersistentFlags()
	f.BoolVar(&a.json, "json", false, "print JSON for scripts")
	f.BoolVar(&a.quiet, "quiet", false, "log errors only")
	f.BoolVar(&a.verbose, "verbose", false, "log every step to stderr")
	root.AddCommand(a.db(), a.kube(), a.crossplane(), a.joinReports(), a.round(), a.serve(), a.token(), a.config(), a.init(), a.version(), exitCodesTopic(), a.man(root))
	return root
}

// onlyCommands refuses arguments of a command that only groups others.
func onlyCommands(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := fmt.Errorf("%q is no command of %s", args[0], cmd.CommandPath())
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return fault.New(fault.Usage, "read the command line", err, "did you mean: "+cmd.CommandPath()+" "+near[0])
	}
	return usage(cmd, "read the command line", err)
}

// noArgs refuses arguments of a command that takes flags only.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usage(cmd, "read the command line", fmt.Errorf("%s takes no argument, and was given %q", cmd.CommandPath(), args[0]))
}

func help(cmd *cobra.Command, _ []string) error { return cmd.Help() }

// logger logs text to w, warnings and worse unless told otherwise.
func (a *app) logger(w io.Writer) *slog.Logger {
	level := slog.LevelWarn
	switch {
	case a.quiet:
		level = slog.LevelError
	case a.verbose:
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}

// report prints an error for a person, and for a script when one asked.
func (a *app) report(err error) {
	text, hint := errorText(err)
	text, hint = a.redact.clean(text), a.redact.clean(hint)
	said := "error: " + text + "\n"
	if hint != "" {
		said += "hint:  " + hint + "\n"
	}
	// Nobody is left to be told that stderr is gone.
	_, _ = io.WriteString(a.err, said)
	if !a.json {
		return
	}
	o := &objects{out: a.out, now: a.now}
	o.write("error", struct {
		Class fault.Class `json:"class"`
		Error string      `json:"error"`
		Hint  string      `json:"hint,omitempty"`
		Exit  int         `json:"exit_code"`
	}{classOf(err), text, hint, exitCode(err)})
}

// errorText returns an error in one line, and what to do next.
func errorText(err error) (text, hint string) {
	text, hint = clean(oneLine(err.Error())), clean(oneLine(fault.HintOf(err)))
	if hint != "" {
		return text, hint
	}
	if _, ok := errors.AsType[InterruptedError](err); ok {
		return text, "what was committed stays; run the same command again to go on from there"
	}
	switch classOf(err) { //nolint:exhaustive // the others are mended by what their text names
	case fault.Connect:
		hint = "check that the server runs and that its address and port can be reached from here; then run the same command again"
	case fault.Internal:
		hint = "run it again with --verbose; if it stays, report it with that log"
	case fault.Resource:
		switch {
		case errors.Is(err, fs.ErrPermission):
			return text, "let this user read and write there, or name another place; then run the same command again"
		case errors.Is(err, syscall.ENOTDIR):
			return text, "a file stands where a folder has to be: name another place, then run the same command again"
		}
		hint = "free the resource, then run the same command again: it goes on from what was committed"
	}
	return text, hint
}

// oneLine joins the lines of an error, such as the attempts that a driver made; a line
// that says the same as the one before is left out.
func oneLine(s string) string {
	joined, last := "", ""
	for line := range strings.Lines(s) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line == last:
			continue
		case joined == "":
		case strings.HasSuffix(joined, ":"):
			joined += " "
		default:
			joined += "; "
		}
		joined += line
		last = line
	}
	return joined
}

// exitCodesTopic is help without a command: bascule help exit-codes.
func exitCodesTopic() *cobra.Command {
	return &cobra.Command{Use: "exit-codes", Short: "What the exit codes mean", Long: exitCodesLong()}
}
