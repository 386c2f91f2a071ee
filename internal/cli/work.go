package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/convert"
	"github.com/bascule/bascule/internal/event"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/migration"
	"github.com/bascule/bascule/internal/mysql"
	"github.com/bascule/bascule/internal/postgres"
	"github.com/bascule/bascule/internal/schema"
	"github.com/bascule/bascule/internal/secret"
)

// work is a migration with its ends open, as a command's body gets it.
type work struct {
	migration *migration.Migration
	view      *closeOnce
	// source and target are addresses for people, without secrets; target is empty without one.
	source, target string
	schema         string
}

// needs says which ends a command cannot do without.
type needs struct{ source, target bool }

// engage reads the settings, opens the ends, and runs body between them. The view is
// closed when body returns, at the latest.
func (a *app) engage(cmd *cobra.Command, s *settings, n needs, view renderer, body func(context.Context, *work) error) error {
	w := &work{view: &closeOnce{renderer: view}}
	defer w.view.Close()
	if err := s.load(cmd); err != nil {
		return err
	}
	if n.source && s.Source == "" {
		return usage(cmd, "read the settings", errors.New("no source is named: --source URL, or source in --config FILE"))
	}
	if n.target && s.Target == "" {
		return usage(cmd, "read the settings", errors.New("no target is named: --target URL, or target in --config FILE"))
	}
	if l, ok := view.(*live); ok && a.sharesTerminal() {
		a.log = a.logger(a.redact.writer(l))
	}
	w.schema = cmp.Or(s.Schema, "public")
	w.migration = &migration.Migration{
		Options: s.options(), Filter: s.filter(), Lanes: s.Lanes, Log: a.log, Who: whoami(), ApplyDDL: s.ApplyDDL,
		Events: func(e event.Event) { w.view.Event(e) },
	}
	return a.openSource(cmd.Context(), s, n.source, w, func(ctx context.Context) error {
		return a.openTarget(ctx, s, w, func(ctx context.Context) error { return body(ctx, w) })
	})
}

func (a *app) openSource(ctx context.Context, s *settings, needed bool, w *work, then func(context.Context) error) error {
	if !needed {
		return then(ctx)
	}
	address, err := a.address(ctx, "source", s.Source)
	if err != nil {
		return err
	}
	c, err := mysql.ParseConfig(address)
	if err != nil {
		return err
	}
	if s.SourcePassword != "" {
		if c.Password, err = a.password("source", s.SourcePassword); err != nil {
			return err
		}
	}
	w.source = c.Redacted()
	kept, err := a.spoolOptions(ctx, s)
	if err != nil {
		return err
	}
	end, err := mysql.Open(ctx, c, mysql.Options{
		Logger: a.log, Follow: s.Follow, Spool: kept,
		Throttle: mysql.Throttle{OnWait: func(why string) { w.view.Event(event.Throttled{Why: why}) }},
	})
	if err != nil {
		return fmt.Errorf("open the source: %w", err)
	}
	defer func() { _ = end.Close() }() // it was only read from
	w.migration.Source, w.migration.Changes, w.migration.Old = end, end, end
	if kept != nil {
		w.migration.Spool = end
	}
	return then(ctx)
}

func (a *app) openTarget(ctx context.Context, s *settings, w *work, then func(context.Context) error) error {
	if s.Target == "" {
		return then(ctx)
	}
	address, err := a.address(ctx, "target", s.Target)
	if err != nil {
		return err
	}
	c, err := postgres.ParseConfig(address)
	if err != nil {
		return err
	}
	if s.TargetPassword != "" {
		if c.Password, err = a.password("target", s.TargetPassword); err != nil {
			return err
		}
	}
	w.target = c.Redacted()
	end, err := postgres.Open(ctx, c, postgres.Options{Logger: a.log, Schema: schema.Name(s.Schema)})
	if err != nil {
		return fmt.Errorf("open the target: %w", err)
	}
	defer end.Close()
	w.migration.Target, w.migration.Applier, w.migration.New = end, end, end
	return then(ctx)
}

// address resolves a connection string that is a reference. Its password is not hidden by
// its value but by its place: as a word, "postgres" would be missed in too many messages.
func (a *app) address(ctx context.Context, end, s string) (string, error) {
	if !secret.IsReference(s) {
		return s, nil
	}
	v, err := secret.Resolve(ctx, s)
	return v, fault.New(fault.Usage, "resolve --"+end, err, "the reference must give the whole URL or DSN")
}

// password resolves a reference whenever a connection is opened, so that a token that
// expires while a copy runs is fetched anew.
func (a *app) password(end, reference string) (func(context.Context) (string, error), error) {
	op := "resolve --" + end + "-password"
	if !secret.IsReference(reference) {
		a.redact.hide(reference)
		return nil, fault.New(fault.Usage, op, errors.New("it is not a reference"),
			"name where the password stands: env:NAME, file:PATH or exec:COMMAND")
	}
	return func(ctx context.Context) (string, error) {
		v, err := secret.Resolve(ctx, reference)
		if err != nil {
			return "", fault.New(fault.Login, op, err, "the reference must give the password to the user who runs this")
		}
		a.redact.hide(v)
		return v, nil
	}, nil
}

// statements renders the DDL of a plan. Rendering asks nothing of a server, so that a
// plan needs no target.
func statements(p *convert.Plan) []change.Statement {
	return (*postgres.End)(nil).Render(p.Target)
}

// stage is the view of a command whose events are its output.
func (a *app) stage() renderer {
	if a.json {
		return &objects{out: a.out, now: a.now}
	}
	if f, ok := terminal(a.out); ok {
		return newLive(f, canvasOf(f), a.now)
	}
	return &lines{out: a.out, now: a.now}
}

// aside is the view of a command that prints one document at its end: a terminal
// shows on stderr what goes on, and nothing else does.
func (a *app) aside() renderer {
	if f, ok := terminal(a.rawErr); ok && !a.json && !a.quiet {
		return newLive(f, canvasOf(f), a.now)
	}
	return silent{}
}

// sharesTerminal reports whether logs and the live view go to terminals, and so
// most likely to the same one.
func (a *app) sharesTerminal() bool {
	_, ok := terminal(a.rawErr)
	return ok
}

// closeOnce lets a command close its view before it prints, and engage close it in any case.
type closeOnce struct {
	renderer
	closed bool
}

// Close closes the view the first time. It is not safe for concurrent use.
func (c *closeOnce) Close() {
	if !c.closed {
		c.closed = true
		c.renderer.Close()
	}
}

// printJSON writes one document.
func (a *app) printJSON(v any) error {
	b, err := marshal(v)
	if err != nil {
		return err
	}
	_, err = io.WriteString(a.out, string(b)+"\n")
	return err
}

// next writes the command that comes after this one, with the flags that were given and
// that it knows, and without secrets.
func next(cmd *cobra.Command, command string, more ...string) string {
	line := []string{"bascule", command}
	to, _, err := cmd.Root().Find(strings.Fields(command))
	if err != nil {
		panic(err)
	}
	r := &redactor{}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if to.Flags().Lookup(f.Name) == nil || f.Name == "dry-run" || f.Name == "sql" {
			return
		}
		line = append(line, flagText(f, r)...)
	})
	return strings.Join(append(line, more...), " ")
}

// flagText writes a flag as it would be typed.
func flagText(f *pflag.Flag, r *redactor) []string {
	var out []string
	switch v := f.Value.(type) {
	case pflag.SliceValue:
		for _, one := range v.GetSlice() {
			out = append(out, "--"+f.Name+" "+shellQuote(one))
		}
	default:
		if f.Value.Type() == "bool" {
			return []string{"--" + f.Name}
		}
		return []string{"--" + f.Name + " " + shellQuote(r.clean(f.Value.String()))}
	}
	return out
}

// shellQuote quotes what a shell would take apart.
func shellQuote(s string) string {
	if s != "" && !strings.ContainsAny(s, " \t\n'\"\\$`&|;<>()*?[]{}~#!") {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
