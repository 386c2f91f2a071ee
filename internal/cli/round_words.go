package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/platform"
	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/store"
)

// word is a command by which a person says something to a round.
type word struct {
	use, short, long string
	what             round.What
	role             platform.Role
	step             bool
	// reason and evidence say which of the texts must be given.
	reason, evidence bool
}

// words are what people can say to a round, beside its drivers.
var words = []word{
	{
		use: "approve ENVIRONMENT STEP", short: "Say go at a gate", what: round.Go, role: platform.RoleApprove, step: true,
		long: "Says go at a gate. The gate opens when its criteria hold and as many people have said so as it asks for.",
	},
	{
		use: "decline ENVIRONMENT STEP", short: "Say no-go at a gate", what: round.NoGo, role: platform.RoleApprove, step: true, reason: true,
		long: "Says no-go at a gate, which shuts it until somebody says retry.",
	},
	{
		use: "done ENVIRONMENT STEP", short: "Say that a step is done, and how that is seen", what: round.Done, role: platform.RoleOperate, step: true, evidence: true,
		long: "Says that a manual step is done, or undone where the round turns back; or what became of a step whose driver died, when nobody else can tell.",
	},
	{
		use: "retry ENVIRONMENT STEP", short: "Try a step, or its undo, again", what: round.Retried, role: platform.RoleOperate, step: true,
		long: "Lets a step be tried again that has failed, or its undo; of a step whose driver died it says that nothing was done.",
	},
	{
		use: "skip ENVIRONMENT STEP", short: "Leave a step out", what: round.Skipped, role: platform.RoleOperate, step: true, reason: true,
		long: "Leaves a step out, or says that its undo, which has failed, was done by hand. Gates and the steps that close, open and finish databases cannot be left out.",
	},
	{
		use: "note ENVIRONMENT", short: "Write something down", what: round.Noted, role: platform.RoleOperate, reason: true,
		long: "Writes something down in the round's journal; with --kind as a finding, which the next plan lists.",
	},
	{
		use: "pause ENVIRONMENT", short: "Start nothing new", what: round.Paused, role: platform.RoleOperate,
		long: "Starts no new step until bascule round resume. What runs goes on. While writes are stopped it is refused.",
	},
	{
		use: "abort ENVIRONMENT", short: "Undo everything, before the switch", what: round.Aborted, role: platform.RoleOperate, reason: true,
		long: "Undoes what was done, in the reverse order. Once a database may have opened on its new side it is refused: then bascule round fallback leads back.",
	},
	{
		use: "forward ENVIRONMENT", short: "Go on, behind the switch", what: round.Forward, role: platform.RoleOperate, reason: true,
		long: "Answers a round that asks, since something went wrong behind the switch: it goes on.",
	},
	{
		use: "fallback ENVIRONMENT", short: "Bring everything back, behind the switch", what: round.Fallback, role: platform.RoleOperate, reason: true,
		long: "Brings every database back to its old side with all that was written since, and undoes the other steps. Until the finish it can be said at any time.",
	},
}

func (a *app) roundWords() (all []*cobra.Command) {
	for i := range words {
		all = append(all, a.roundWord(&words[i]))
	}
	return all
}

func (a *app) roundWord(w *word) *cobra.Command {
	var e round.Event
	cmd := &cobra.Command{
		Use: w.use, Short: w.short, Args: oneEnvironment(w.step),
		Long: strings.Join(wrap(w.long, 98), "\n") + "\n\n" + exitCodesShort(ExitRefused, ExitPrivilege),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case w.reason && e.Reason == "":
				return usage(cmd, "read the command line", errors.New("no reason is given: --reason TEXT"))
			case w.evidence && e.Evidence == "":
				return usage(cmd, "read the command line", errors.New("no evidence is given: --evidence TEXT"))
			case e.Kind != "" && !slices.Contains(noteKinds, e.Kind):
				return usage(cmd, "read --kind", fmt.Errorf("%q is none of %v", e.Kind, noteKinds))
			}
			e.What = w.what
			if w.step {
				e.Step = stepOf(args)
			}
			return a.atDesk(cmd, func(ctx context.Context, d *desk) error { return d.say(ctx, args[0], e, w.role) })
		},
	}
	f := cmd.Flags()
	if w.evidence {
		f.StringVar(&e.Evidence, "evidence", "", "how it is seen that it is done: a `TEXT`, a link")
	} else {
		f.StringVar(&e.Reason, "reason", "", "why: a `TEXT` for the journal")
	}
	if w.what == round.Noted {
		f.StringVar(&e.Kind, "kind", "", "what it is: problem, opportunity or question; a remark without it")
		f.StringVar(&e.Owner, "owner", "", "whose it is: a `NAME`")
		f.StringVar((*string)(&e.Step), "step", "", "the `STEP` that it is about")
	}
	return cmd
}

// noteKinds are what a note can be.
var noteKinds = []string{"problem", "opportunity", "question"}

// say writes down what a person says to the newest round of an environment.
func (d *desk) say(ctx context.Context, environment string, e round.Event, role platform.Role) error {
	r, err := d.current(ctx, environment)
	if err != nil {
		return err
	}
	if e.Who, err = d.person(ctx, role); err != nil {
		return err
	}
	if err := d.approver(r, &e); err != nil {
		return err
	}
	state, err := d.tell(ctx, r, e)
	if err != nil {
		return err
	}
	return d.printSaid(r, state, &e)
}

// approver refuses a vote at a gate that asks others.
func (d *desk) approver(r *store.Round, e *round.Event) error {
	t := r.Script.Task(e.Step)
	if t == nil || e.What != round.Go && e.What != round.NoGo || len(t.Approvers) == 0 || slices.Contains(t.Approvers, e.Who) {
		return nil
	}
	return fault.New(fault.Privilege, "let "+e.Who+" do that", fmt.Errorf("gate %s asks %v", e.Step, t.Approvers), "ask one of them")
}

// tell appends what a person says, once the state allows it, and returns what it leads to.
func (d *desk) tell(ctx context.Context, r *store.Round, e round.Event) (*round.State, error) {
	for {
		state, last, err := d.state(ctx, r)
		if err != nil {
			return nil, err
		}
		said := e
		if said.What == round.Done {
			said = state.DoneBy(e.Who, e.Step, e.Evidence)
		}
		if err := state.Say(said); err != nil {
			return nil, fault.New(fault.Refused, fmt.Sprintf("say %s to round %s", e.What, r.ID), err, "bascule round status "+r.Environment+" says how things stand")
		}
		switch _, err := d.store.Append(ctx, r.ID, last, 0, said); {
		case err == nil:
			return state, nil
		case !errors.Is(err, store.ErrBehind):
			return nil, err
		}
	}
}

// printSaid says what the word has led to.
func (d *desk) printSaid(r *store.Round, state *round.State, e *round.Event) error {
	doc := struct {
		Round string       `json:"round"`
		What  round.What   `json:"what"`
		Step  round.StepID `json:"step,omitempty"`
		Who   string       `json:"who"`
		Phase round.Phase  `json:"phase"`
		State round.Status `json:"status,omitempty"`
	}{r.ID, e.What, e.Step, e.Who, state.Phase, ""}
	text := fmt.Sprintf("round %s: %s says %s", r.ID, e.Who, e.What)
	if st := state.Steps[e.Step]; st != nil {
		doc.State = st.Status
		text += fmt.Sprintf(" to step %s, which is %s", e.Step, st.Status)
	}
	if d.json {
		(&objects{out: d.out, now: d.now}).write("summary", doc)
		return nil
	}
	_, err := fmt.Fprintf(d.out, "%s; the round is %s\n", clean(text), state.Phase)
	return err
}
