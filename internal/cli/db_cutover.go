package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/cutover"
	"github.com/bascule/bascule/internal/event"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/migration"
	"github.com/bascule/bascule/internal/secret"
)

// switchFlags are what a cutover and a fallback can be told.
func (s *settings) switchFlags(f *pflag.FlagSet) {
	s.moveFlags(f)
	f.StringSliceVar(&s.Accept, "accept", nil, "accept a loss of the way back, `CODE:table.column` (repeatable; table and column may be *)")
}

// moveFlags are those of them that no plan has.
func (s *settings) moveFlags(f *pflag.FlagSet) {
	f.StringSliceVar(&s.AppUser, "app-user", nil, "`ACCOUNT` of the source that the application logs in as: USER, or USER@HOST (repeatable)")
	f.StringVar(&s.Fence, "fence", "", "how the source is fenced, `KIND`: lock (the application's accounts; default) or read-only (the whole server)")
	f.StringArrayVar(&s.Hook, "hook", nil, "shell `COMMAND` to run when the application has moved; it gets BASCULE_LIVE, BASCULE_DIRECTION, BASCULE_KEY (repeatable)")
	f.StringArrayVar(&s.Webhook, "webhook", nil, "`URL`, or reference, to call by POST when the application has moved (repeatable)")
	f.DurationVar(&s.Freeze, "freeze", 0, "`DURATION` for which writes may be stopped before the switch; beyond it everything is undone (default 30s)")
	f.DurationVar(&s.MaxLag, "max-lag", 0, "`DURATION` that the replay may be behind for writes to be stopped (default 5s)")
}

// switchOptions resolves them.
func (a *app) switchOptions(cmd *cobra.Command, s *settings) (migration.SwitchOptions, error) {
	o := migration.SwitchOptions{Users: s.AppUser, Budget: s.Freeze, Lag: s.MaxLag, Accept: s.Accept}
	switch s.Fence {
	case "":
	case "lock":
		o.Fence = change.FenceLock
	case "read-only":
		o.Fence = change.FenceReadOnly
	default:
		return o, usage(cmd, "read --fence", fmt.Errorf("%q is neither lock nor read-only", s.Fence))
	}
	if o.Budget < 0 || o.Lag < 0 {
		return o, usage(cmd, "read --freeze and --max-lag", errors.New("a time cannot be negative"))
	}
	for _, h := range s.Hook {
		o.Hooks = append(o.Hooks, &cutover.Command{Args: []string{"/bin/sh", "-c", h}})
	}
	for _, u := range s.Webhook {
		if secret.IsReference(u) {
			v, err := secret.Resolve(cmd.Context(), u)
			if err != nil {
				return o, fault.New(fault.Usage, "resolve --webhook", err, "the reference must give the whole URL")
			}
			a.redact.hide(v)
			u = v
		}
		o.Hooks = append(o.Hooks, &cutover.Webhook{URL: u})
	}
	return o, nil
}

func (a *app) dbCutover() *cobra.Command {
	var s settings
	var dry, rehearse, abort, watch bool
	cmd := &cobra.Command{
		Use:   "cutover",
		Short: "Bring the application from the source to the target",
		Long: `Follows the source, compares every row while both sides live, and then, when every gate is open,
stops the application's writes, applies and compares what changed last, brings the target's keys,
triggers and foreign keys to life, and switches: one durable record in the target's ledger, which
opens the target. The hooks are told. From before the first write there the target keeps its
changes for the way back, and the source is brought up to them once; bascule db fallback goes on
with that. The source stays closed.

Until the switch, any failure, Ctrl-C, and writes that stop for longer than --freeze undo
everything: the application goes on where it was. After it nothing is undone: what is left is
tried again by the same command. A process that dies with the writes stopped leaves them so until
somebody runs this command, with --abort or without, or until bascule db cutover --watch, running
elsewhere, takes over.

  --dry-run    look at the gates and change nothing
  --rehearse   do everything before the switch, time it, and undo it: writes are stopped meanwhile
  --abort      undo an attempt that somebody has left; complete it when it had switched
  --watch      stand by for the process that drives, until stopped

` + exitCodesShort(ExitDifferences, ExitRefused, ExitConnect, ExitPrivilege, ExitUnsupported, ExitResource, ExitBusy, ExitAmbiguous),
		Example: `  bascule db cutover --config shop.yaml --app-user shop --dry-run
  bascule db cutover --config shop.yaml --app-user shop --hook 'kubectl -n shop rollout restart deploy/shop'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s.follows = true
			switch n := given(dry, rehearse, abort, watch); {
			case n > 1:
				return usage(cmd, "read the flags", errors.New("--dry-run, --rehearse, --abort and --watch exclude each other"))
			case dry:
				return a.gates(cmd, &s, cutover.ToNew)
			case watch:
				return a.watchCutover(cmd, &s)
			case abort:
				return a.move(cmd, &s, "db cutover", (*migration.Migration).Abort)
			}
			s.rehearse = rehearse
			return a.move(cmd, &s, "db cutover", (*migration.Migration).Cutover)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&dry, "dry-run", false, "look at the gates and change nothing")
	f.BoolVar(&rehearse, "rehearse", false, "do everything before the switch, and undo it")
	f.BoolVar(&abort, "abort", false, "bring an attempt to rest that somebody has left")
	f.BoolVar(&watch, "watch", false, "stand by for the process that drives")
	s.sourceFlags(f)
	s.targetFlags(f)
	s.switchFlags(f)
	s.laneFlags(f)
	s.spoolFlags(f)
	return cmd
}

func given(flags ...bool) (n int) {
	for _, f := range flags {
		if f {
			n++
		}
	}
	return n
}

// switching opens both ends for whatever a cutover or a fallback does.
func (a *app) switching(cmd *cobra.Command, s *settings, body func(context.Context, *work, migration.SwitchOptions) error) error {
	return a.switchingWith(cmd, s, a.stage(), body)
}

func (a *app) switchingWith(cmd *cobra.Command, s *settings, view renderer, body func(context.Context, *work, migration.SwitchOptions) error) error {
	return a.engage(cmd, s, needs{source: true, target: true}, view, func(ctx context.Context, w *work) error {
		o, err := a.switchOptions(cmd, s)
		if err != nil {
			return err
		}
		o.Rehearse, o.Unproved = s.rehearse, s.unproved
		return body(ctx, w, o)
	})
}

// move runs one of the moves and says where the application lives.
func (a *app) move(cmd *cobra.Command, s *settings, name string, run func(*migration.Migration, context.Context, migration.SwitchOptions) (cutover.State, error)) error {
	return a.switching(cmd, s, func(ctx context.Context, w *work, o migration.SwitchOptions) error {
		state, err := run(w.migration, ctx, o)
		w.view.Close()
		if err != nil {
			return err
		}
		return a.printState(newStateDoc(cmd, name, &state))
	})
}

// stateDoc is where a move has left the application.
type stateDoc struct {
	Command string       `json:"command"`
	Live    cutover.Side `json:"live"`
	Phase   string       `json:"phase"`
	Attempt int          `json:"attempt"`
	Why     string       `json:"why,omitempty"`
	Next    string       `json:"next,omitempty"`
}

func newStateDoc(cmd *cobra.Command, name string, s *cutover.State) *stateDoc {
	d := &stateDoc{Command: name, Live: s.Live, Phase: string(s.Phase), Attempt: s.Attempt, Why: s.Why}
	switch {
	case s.Phase == cutover.Finished:
	case s.Live == cutover.New:
		d.Next = next(cmd, "db fallback")
	default:
		d.Next = next(cmd, "db follow")
	}
	return d
}

// livesText says which side a side is.
func livesText(s cutover.Side) string {
	if s == cutover.New {
		return "the application lives on the target"
	}
	return "the application lives on the source"
}

func (d *stateDoc) text() string {
	var b strings.Builder
	b.WriteString(livesText(d.Live))
	switch {
	case d.Phase == string(cutover.Finished):
		b.WriteString("; there is no way back any more")
	case d.Why != "":
		b.WriteString("; the last attempt was undone: " + clean(d.Why))
	}
	b.WriteByte('\n')
	if d.Next != "" {
		fmt.Fprintf(&b, "\nnext: %s\n", d.Next)
	}
	return b.String()
}

func (a *app) printState(d *stateDoc) error {
	if a.json {
		(&objects{out: a.out, now: a.now}).write("summary", d)
		return nil
	}
	_, err := fmt.Fprint(a.out, d.text())
	return err
}

// gates prints the gates of a direction; a shut one is a refusal.
func (a *app) gates(cmd *cobra.Command, s *settings, g cutover.Goal) error {
	told := &told{renderer: a.aside()}
	return a.switchingWith(cmd, s, told, func(ctx context.Context, w *work, o migration.SwitchOptions) error {
		gates, err := w.migration.Gates(ctx, o, g)
		w.view.Close()
		if err != nil {
			return err
		}
		var shut []string
		for _, x := range gates {
			if !x.Open {
				shut = append(shut, x.Name)
			}
		}
		if a.json {
			(&objects{out: a.out, now: a.now}).write("summary", struct {
				Command  string            `json:"command"`
				Gates    []cutover.Gate    `json:"gates"`
				Findings []finding.Finding `json:"findings"`
			}{strings.TrimPrefix(cmd.CommandPath(), "bascule ") + " --dry-run", gates, sorted(told.findings)})
		} else if err := a.printGates(gates, told.findings); err != nil {
			return err
		}
		if len(shut) > 0 {
			return fault.New(fault.Refused, "look at the gates", fmt.Errorf("shut: %s", strings.Join(shut, ", ")), "what opens each is above")
		}
		return nil
	})
}

// printGates prints the gates, and before them what was found.
func (a *app) printGates(gates []cutover.Gate, found []finding.Finding) error {
	p := &printer{}
	if len(found) > 0 {
		if err := p.findings(sorted(found)); err != nil {
			return err
		}
		p.line("")
	}
	_, err := fmt.Fprint(a.out, p.String()+gatesText(gates))
	return err
}

// told keeps findings for a document that lists them, and gates, which it lists too, to itself.
type told struct {
	renderer
	findings []finding.Finding
}

// Event keeps a finding, and shows anything else but a gate.
func (t *told) Event(e event.Event) {
	switch e := e.(type) {
	case event.Found:
		t.findings = append(t.findings, e.Finding)
	case event.GateSeen:
	default:
		t.renderer.Event(e)
	}
}

func gatesText(gates []cutover.Gate) string {
	var b strings.Builder
	for _, x := range gates {
		state := "open"
		if !x.Open {
			state = "SHUT"
		}
		fmt.Fprintf(&b, "%s  %s %s\n", state, left(x.Name, 9), clean(x.Saw))
		if !x.Open && x.Wants != "" {
			fmt.Fprintf(&b, "      %s wants: %s\n", left("", 9), clean(x.Wants))
		}
		if x.Do != "" {
			fmt.Fprintf(&b, "      %s do: %s\n", left("", 9), clean(x.Do))
		}
	}
	return b.String()
}

// watchCutover stands by until it is stopped.
func (a *app) watchCutover(cmd *cobra.Command, s *settings) error {
	return a.switching(cmd, s, func(ctx context.Context, w *work, o migration.SwitchOptions) error {
		err := w.migration.WatchCutover(ctx, o, func(state cutover.State, err error) {
			a.tellTakeover(&state, err)
		})
		w.view.Close()
		return err
	})
}

// tellTakeover says how a takeover ended, while the watch goes on.
func (a *app) tellTakeover(s *cutover.State, err error) {
	text := livesText(s.Live)
	if err != nil {
		text = "the takeover has failed: " + err.Error() + "; " + text
	}
	a.log.Warn("took a cutover over", "outcome", clean(text), "at", a.now().UTC().Format(time.RFC3339))
}
