package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/platform"
	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/store"
)

func (a *app) roundRun() *cobra.Command {
	var override string
	var poc bool
	cmd := &cobra.Command{
		Use:   "run ENVIRONMENT",
		Short: "Move an environment",
		Long: `Begins a round and drives it to its end, or until Ctrl-C: then what runs is stopped, what is held
closed is given back, and bascule round resume goes on. Gates and manual steps wait for people, who
answer from other terminals, or in the dashboard: bascule round status says for whom.

It refuses without a green rehearsal of the same plan that is new enough, on a blackout day, and
beside other rounds of production. --override says why it has to be nevertheless; that stands in the
report.

With --poc it is a proof of concept: everything is tried, nothing is switched, what fails becomes a
finding, and the round goes on.

` + exitCodesShort(ExitDifferences, ExitRefused, ExitConnect, ExitPrivilege, ExitUnsupported, ExitResource, ExitData, ExitBusy, ExitAmbiguous),
		Example: "  bascule round run preprod\n  bascule round run prod-eu --override 'the rehearsal database is gone, and the date is fixed'",
		Args:    oneEnvironment(false),
		RunE: func(cmd *cobra.Command, args []string) error {
			purpose := platform.Live
			if poc {
				purpose = platform.PoC
			}
			return a.begin(cmd, args[0], purpose, override, false)
		},
	}
	cmd.Flags().StringVar(&override, "override", "", "why it runs although something stands in the way: a `REASON` for the report")
	cmd.Flags().BoolVar(&poc, "poc", false, "try everything and switch nothing")
	return cmd
}

func (a *app) roundRehearse() *cobra.Command {
	var unattended bool
	cmd := &cobra.Command{
		Use:   "rehearse ENVIRONMENT",
		Short: "Move an environment's scratch copies: forward, back, and forward again",
		Long: `Rehearses a round with the clock, on the scratch copies that bascule.yaml names under rehearsal: the
whole move, the way back, and the move again. Hooks, messages and traffic run in their forms for
rehearsals; those without one are left out, and counted. Every rehearsal needs copies that no other
has used.

With --unattended nobody is asked: gates open when their criteria hold, and manual steps count as
done by nobody.

` + exitCodesShort(ExitDifferences, ExitRefused, ExitConnect, ExitPrivilege, ExitUnsupported, ExitResource, ExitData, ExitBusy, ExitAmbiguous),
		Example: "  bascule round rehearse prod-eu\n  bascule round rehearse preprod --unattended",
		Args:    oneEnvironment(false),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.begin(cmd, args[0], platform.Rehearsal, "", unattended)
		},
	}
	cmd.Flags().BoolVar(&unattended, "unattended", false, "ask nobody")
	return cmd
}

func (a *app) roundResume() *cobra.Command {
	var force, unattended bool
	cmd := &cobra.Command{
		Use:   "resume ENVIRONMENT",
		Short: "Go on with a round that is paused, or whose driver has gone",
		Long: `Ends a pause, and drives the round on from where its journal stands when nobody drives it. What an
earlier driver had begun is looked at first: what is done is not done again, and a database that it
held closed is given back and closed again.

With --take-over it does not wait for the other driver's lease to run out: that one can write nothing
more from then on.

` + exitCodesShort(ExitDifferences, ExitRefused, ExitConnect, ExitPrivilege, ExitUnsupported, ExitResource, ExitData, ExitBusy, ExitAmbiguous),
		Example: "  bascule round resume prod-eu\n  bascule round resume prod-eu --take-over",
		Args:    oneEnvironment(false),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.atDesk(cmd, func(ctx context.Context, d *desk) error { return d.resume(ctx, args[0], force, unattended) })
		},
	}
	cmd.Flags().BoolVar(&force, "take-over", false, "take the round from a driver that still answers for it")
	cmd.Flags().BoolVar(&unattended, "unattended", false, "of a rehearsal: ask nobody")
	return cmd
}

// begin begins a round and drives it.
func (a *app) begin(cmd *cobra.Command, name string, purpose platform.Purpose, override string, unattended bool) error {
	return a.atDesk(cmd, func(ctx context.Context, d *desk) error {
		e, err := d.environment(name)
		if err != nil {
			return err
		}
		who, err := d.person(ctx, platform.RoleOperate)
		if err != nil {
			return err
		}
		r, err := d.newRound(ctx, e, purpose)
		if err != nil {
			return err
		}
		r.Who, r.Override = who, override
		if purpose == platform.Rehearsal {
			r.Leg = firstLeg
		}
		if err := d.allowed(ctx, r, e); err != nil {
			return err
		}
		if e.Production && !d.store.Shared() {
			d.log.WarnContext(ctx, "the journal of a production round is a file of this machine: nobody can take it over from another one",
				"do", "name a PostgreSQL database that no round moves under journal in "+d.file)
		}
		if err := d.store.Create(ctx, r); err != nil {
			return err
		}
		return d.carryOn(ctx, r, false, unattended)
	})
}

func (d *desk) resume(ctx context.Context, environment string, force, unattended bool) error {
	r, err := d.current(ctx, environment)
	if err != nil {
		return err
	}
	who, err := d.person(ctx, platform.RoleOperate)
	if err != nil {
		return err
	}
	state, _, err := d.state(ctx, r)
	if err != nil {
		return err
	}
	if over(state) && (r.Kind != store.Rehearsal || r.Leg != firstLeg) {
		return fault.New(fault.Refused, "resume round "+r.ID, fmt.Errorf("it has ended: it is %s", state.Phase), "bascule round run "+environment+" begins another")
	}
	if state.Paused {
		if _, err := d.tell(ctx, r, round.Event{What: round.Resumed, Who: who}); err != nil {
			return err
		}
		h, err := d.store.Holder(ctx, r.ID)
		if err != nil {
			return err
		}
		if h.Holds() && !force {
			_, err := fmt.Fprintf(d.out, "round %s goes on; %s drives it\n", r.ID, clean(h.Who))
			return err
		}
	}
	return d.carryOn(ctx, r, force, unattended)
}

// carryOn drives a round to its end, and a rehearsal through its legs.
func (d *desk) carryOn(ctx context.Context, r *store.Round, force, unattended bool) error {
	for {
		state, err := d.drive(ctx, r, force, unattended && r.Kind == store.Rehearsal)
		if err != nil {
			return err
		}
		force = false
		next, err := d.nextLeg(ctx, r, state)
		if err != nil {
			return err
		}
		if next == nil {
			return d.ended(ctx, r, state)
		}
		r = next
	}
}

// nextLeg returns what follows in a rehearsal, nil at its end: the way back, by the same round, and then the second leg.
func (d *desk) nextLeg(ctx context.Context, r *store.Round, state *round.State) (*store.Round, error) {
	switch {
	case r.Kind != store.Rehearsal || r.Leg != firstLeg:
		return nil, nil
	case state.Phase == round.PhaseDone && state.Switched():
		_, err := d.tell(ctx, r, round.Event{What: round.Fallback, Who: r.Who, Reason: "a rehearsal goes back as well"})
		return r, err
	case state.Phase == round.PhaseFellBack, state.Phase == round.PhaseDone: // without a database nothing leads back
		again := *r
		again.ID, again.Number, again.Leg, again.Began = "", 0, secondLeg, d.now().UTC()
		return &again, d.store.Create(ctx, &again)
	}
	return nil, nil
}

// ended says how a round has ended; what was undone is no success.
func (d *desk) ended(ctx context.Context, r *store.Round, state *round.State) error {
	a, err := d.account(ctx, r)
	if err != nil {
		return err
	}
	if d.json {
		(&objects{out: d.out, now: d.now}).write("summary", struct {
			Round  string      `json:"round"`
			Phase  round.Phase `json:"phase"`
			Took   int64       `json:"elapsed_ns"`
			Freeze int64       `json:"freeze_ns"`
			Why    string      `json:"why,omitempty"`
		}{r.ID, state.Phase, int64(a.Elapsed), int64(a.Freeze), state.Trouble})
	} else if _, err := fmt.Fprintf(d.out, "\nround %s: %s, after %s; writes were stopped for %s\nnext: bascule round report %s\n",
		r.ID, state.Phase, duration(a.Elapsed), duration(a.Freeze), r.Environment); err != nil {
		return err
	}
	if state.Phase == round.PhaseDone {
		return nil
	}
	why := state.Trouble
	if why == "" {
		why = "somebody said so"
	}
	return fault.New(fault.Refused, "move "+r.Environment, fmt.Errorf("the round has %s: %w", verbOf(state.Phase), errors.New(why)),
		"bascule round report "+r.Environment+" tells all of it; a new round begins where its databases stand")
}

func verbOf(p round.Phase) string {
	if p == round.PhaseFellBack {
		return "fallen back"
	}
	return "been undone"
}
