package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/platform"
	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/account"
	"github.com/bascule/bascule/internal/round/store"
	"github.com/bascule/bascule/internal/secret"
)

func (a *app) round() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "round",
		Short: "Move an environment: plan, rehearse, run, undo, and learn",
		Long: `Moves the environments of bascule.yaml, one round each. A round is a graph of steps, done by bascule,
by hooks and by people. Whatever is decided and done is written to the journal before it is done, so
a round survives its driver: another process, on another machine when the journal is PostgreSQL, goes
on where it stood.

Until the first database opens on its new side, whatever goes wrong is undone by itself. From then to
the finish a person chooses: forward or fallback. Behind the finish there is only forward.

` + exitCodesShort(),
		Args: onlyCommands,
		RunE: help,
	}
	cmd.PersistentFlags().StringVar(&a.file, "file", platformFile, "the `FILE` that describes the platform")
	cmd.AddCommand(a.roundPlan(), a.roundRehearse(), a.roundRun(), a.roundResume(), a.roundStatus(), a.roundHistory(), a.roundReport())
	cmd.AddCommand(a.roundWords()...)
	return cmd
}

// desk is what the commands about rounds work with.
type desk struct {
	*app
	platform *platform.Platform
	folder   string // of bascule.yaml: files in it are named relative to it
	store    *store.Store
}

// atDesk reads bascule.yaml and opens the journal of rounds.
func (a *app) atDesk(cmd *cobra.Command, body func(context.Context, *desk) error) error {
	ctx := cmd.Context()
	p, err := platform.Read(a.file)
	if err != nil {
		return err
	}
	d := &desk{app: a, platform: p, folder: filepath.Dir(a.file)}
	place := p.JournalPlace()
	switch {
	case secret.IsReference(place):
		if place, err = secret.Resolve(ctx, place); err != nil {
			return fault.New(fault.Usage, "resolve the journal's address", err, "the reference must give a file's name or a URL of PostgreSQL")
		}
		a.redact.hide(place)
	case !strings.Contains(place, "://"):
		place = d.path(place)
	}
	if d.store, err = store.Open(ctx, place); err != nil {
		return err
	}
	defer func() { _ = d.store.Close() }() // whatever was written is durable
	return body(ctx, d)
}

// path returns a file that bascule.yaml names.
func (d *desk) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(d.folder, name)
}

// oneEnvironment refuses anything but the name of an environment, and, where steps is true, of a step.
func oneEnvironment(step bool) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) == 0:
			return usage(cmd, "read the command line", errors.New("no environment is named"))
		case step && len(args) == 1:
			return usage(cmd, "read the command line", errors.New("no step is named"))
		case !step && len(args) > 1:
			return usage(cmd, "read the command line", fmt.Errorf("%q is one word too many", args[1]))
		}
		return nil
	}
}

// stepOf reads a step's name, which may hold a space, from the words behind the environment's.
func stepOf(args []string) round.StepID { return round.StepID(strings.Join(args[1:], " ")) }

// environment returns an environment by its name.
func (d *desk) environment(name string) (*platform.Environment, error) {
	if e := d.platform.Environment(name); e != nil {
		return e, nil
	}
	var known []string
	for i := range d.platform.Environments {
		known = append(known, d.platform.Environments[i].Name)
	}
	return nil, fault.New(fault.Usage, "find the environment", fmt.Errorf("%s has no environment %q", d.file, name), "the environments are: "+strings.Join(known, ", "))
}

// current returns the newest round of an environment.
func (d *desk) current(ctx context.Context, environment string) (*store.Round, error) {
	if _, err := d.environment(environment); err != nil {
		return nil, err
	}
	rounds, err := d.store.Rounds(ctx)
	if err != nil {
		return nil, err
	}
	for i := range slices.Backward(rounds) {
		if rounds[i].Environment == environment {
			return &rounds[i], nil
		}
	}
	return nil, fault.New(fault.Usage, "find the round", fmt.Errorf("%s has had no round", environment),
		"bascule round plan "+environment+" says what one would do, bascule round rehearse "+environment+" and bascule round run "+environment+" begin one")
}

// past returns every round with its journal.
func (d *desk) past(ctx context.Context) ([]account.Past, error) {
	rounds, err := d.store.Rounds(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]account.Past, len(rounds))
	for i := range rounds {
		out[i].Round = rounds[i]
		if out[i].Entries, err = d.store.Entries(ctx, rounds[i].ID, 0); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// account draws up a round's account as things stand.
func (d *desk) account(ctx context.Context, r *store.Round) (*account.Account, error) {
	past, err := d.past(ctx)
	if err != nil {
		return nil, err
	}
	entries, err := d.store.Entries(ctx, r.ID, 0)
	if err != nil {
		return nil, err
	}
	holder, err := d.store.Holder(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	signs, err := d.store.Signs(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	past = slices.DeleteFunc(past, func(p account.Past) bool { return p.Round.ID == r.ID })
	return account.Of(*r, entries, past, holder, signs, d.now())
}

// state returns what a round's journal amounts to, and the number of its last entry.
func (d *desk) state(ctx context.Context, r *store.Round) (*round.State, int64, error) {
	entries, err := d.store.Entries(ctx, r.ID, 0)
	if err != nil {
		return nil, 0, err
	}
	events := make([]round.Event, len(entries))
	for i := range entries {
		events[i] = entries[i].Event
	}
	s, wrong, err := round.Replay(r.Script.Plan(), events)
	if err != nil {
		return nil, 0, fault.New(fault.Unsupported, fmt.Sprintf("read entry %d of round %s", wrong, r.ID), err, "a newer bascule may have written it: use that one")
	}
	return s, int64(len(entries)), nil
}

// tokenVariable names the variable of the environment that holds a person's token.
const tokenVariable = "BASCULE_TOKEN" //nolint:gosec // it names where the token stands

// person returns who is at the keyboard, if they may do what role asks: by their token, or else by the name with which they are logged in here.
func (d *desk) person(ctx context.Context, role platform.Role) (string, error) {
	name := ""
	if token := os.Getenv(tokenVariable); token != "" {
		d.redact.hide(token)
		t, err := d.store.TokenByHash(ctx, hashToken(token))
		if err != nil {
			return "", fault.New(fault.Login, "look at the token in "+tokenVariable, err, "it may have expired or been revoked: bascule token add makes a new one")
		}
		name = t.Person
	} else if u, err := user.Current(); err == nil {
		name = u.Username
	}
	return name, d.may(cmp.Or(name, "somebody"), role)
}

// may refuses a person who may not do something. A platform that names nobody lets everybody.
func (d *desk) may(name string, role platform.Role) error {
	if len(d.platform.People) == 0 {
		return nil
	}
	for _, p := range d.platform.People {
		if p.Name == name && (slices.Contains(p.Roles, role) || role == platform.RoleView) {
			return nil
		}
	}
	return fault.New(fault.Privilege, "let "+name+" do that", fmt.Errorf("%s does not give %s the role %s", d.file, name, role),
		"ask somebody who has it, or say who you are by a token in "+tokenVariable+"; roles stand under people in "+d.file)
}
