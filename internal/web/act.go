package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/platform"
	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/store"
)

// saying is what a person can say, and which role that needs.
type saying struct {
	role platform.Role
	// step says that it is about a step, and reason that it needs one.
	step, reason bool
	what         round.What
}

// sayings are the actions: POST /api/rounds/{id}/{action}. Who is asked at a gate needs the role approve, and has to be among its approvers where it names some;
// who has a token may note something; all else is for operators.
var sayings = map[string]saying{
	"approve":  {role: platform.RoleApprove, step: true, what: round.Go},
	"decline":  {role: platform.RoleApprove, step: true, reason: true, what: round.NoGo},
	"done":     {role: platform.RoleOperate, step: true, what: round.Done},
	"retry":    {role: platform.RoleOperate, step: true, what: round.Retried},
	"skip":     {role: platform.RoleOperate, step: true, reason: true, what: round.Skipped},
	"note":     {role: platform.RoleView, reason: true, what: round.Noted},
	"pause":    {role: platform.RoleOperate, what: round.Paused},
	"resume":   {role: platform.RoleOperate, what: round.Resumed},
	"abort":    {role: platform.RoleOperate, reason: true, what: round.Aborted},
	"forward":  {role: platform.RoleOperate, reason: true, what: round.Forward},
	"fallback": {role: platform.RoleOperate, reason: true, what: round.Fallback},
}

// said is the body of an action.
type said struct {
	Step     round.StepID `json:"step"`
	Reason   string       `json:"reason"`
	Evidence string       `json:"evidence"`
	Kind     string       `json:"kind"`
	Owner    string       `json:"owner"`
}

// kinds are what a note can be, beside a remark.
var kinds = []string{"", "problem", "opportunity", "question"}

const (
	// longest is how many bytes a text of a person may have.
	longest = 8 << 10
	// attempts is how often an entry is tried while others write.
	attempts = 8
	// writeTime ends a write that the store does not take.
	writeTime = 20 * time.Second
)

// act takes what a person says.
func (s *server) act(w http.ResponseWriter, r *http.Request) {
	action := r.PathValue("action")
	say, ok := sayings[action]
	if !ok {
		s.deny(w, http.StatusNotFound, "there is no action "+action, "")
		return
	}
	p, err := s.who(r)
	if err == nil {
		err = s.allowed(p, action, say)
	}
	var body said
	if err == nil {
		body, err = readSaid(r, action, say)
	}
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	// What was begun to be written is written, also when the browser has gone.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), writeTime)
	defer cancel()
	entry, err := s.say(ctx, r.PathValue("id"), p.name, say, &body)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	s.Log.InfoContext(ctx, "somebody spoke", "round", r.PathValue("id"), "who", p.name, "action", action, "step", body.Step)
	sendJSON(w, http.StatusOK, struct {
		Seq int64     `json:"seq"`
		At  time.Time `json:"at"`
	}{entry.Seq, entry.At})
}

func (s *server) allowed(p *person, action string, say saying) error {
	op := "say " + action
	switch {
	case s.Readonly:
		return fault.New(fault.Privilege, op, fmt.Errorf("%w: this dashboard only shows", errRole), "use the command bascule round "+action)
	case p.name == "":
		return fault.New(fault.Login, op, errNobody, "sign in with a token: every act says who")
	case !p.may(say.role):
		return fault.New(fault.Privilege, op, fmt.Errorf("%w: %s has no role %s", errRole, p.name, say.role), "the roles are in bascule.yaml, below people")
	}
	return nil
}

func readSaid(r *http.Request, action string, say saying) (body said, err error) {
	op := "say " + action
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&body); err != nil {
		return body, fault.New(fault.Usage, op, err, `send {"step": ..., "reason": ..., "evidence": ..., "kind": ..., "owner": ...}`)
	}
	bad := func(text string) error { return fault.New(fault.Usage, op, errors.New(text), "") }
	for _, text := range []string{string(body.Step), body.Reason, body.Evidence, body.Owner} {
		if len(text) > longest {
			return body, bad(fmt.Sprintf("a text has %d bytes; %d are the most", len(text), longest))
		}
	}
	switch {
	case say.step && body.Step == "":
		return body, bad("of which step?")
	case !say.step && say.what != round.Noted && body.Step != "":
		return body, bad("it is about the round, not about step " + string(body.Step))
	case say.reason && body.Reason == "":
		return body, bad("why? A reason is needed")
	case !slices.Contains(kinds, body.Kind):
		return body, bad(fmt.Sprintf("a note is a problem, an opportunity or a question, not %q", body.Kind))
	case say.what != round.Noted && (body.Kind != "" || body.Owner != ""):
		return body, bad("only a note has a kind and an owner")
	}
	return body, nil
}

// say writes down what a person says, if it can be said as things stand; when somebody else writes meanwhile, it looks again.
func (s *server) say(ctx context.Context, id, who string, say saying, body *said) (*store.Entry, error) {
	op := "write to the journal of round " + id
	var err error
	for range attempts {
		var entry *store.Entry
		if entry, err = s.trySay(ctx, id, who, say, body); !errors.Is(err, store.ErrBehind) {
			return entry, err
		}
	}
	return nil, fault.New(fault.Busy, op, err, "try again")
}

func (s *server) trySay(ctx context.Context, id, who string, say saying, body *said) (*store.Entry, error) {
	op := fmt.Sprintf("say %q of round %s", say.what, id)
	r, err := s.Store.Round(ctx, id)
	if err != nil {
		return nil, err
	}
	entries, err := s.Store.Entries(ctx, id, 0)
	if err != nil {
		return nil, err
	}
	events := make([]round.Event, len(entries))
	for i := range entries {
		events[i] = entries[i].Event
	}
	state, n, err := round.Replay(r.Script.Plan(), events)
	if err != nil {
		return nil, unplayable(id, int64(n), err)
	}
	if err := approver(&r.Script, say, body.Step, who); err != nil {
		return nil, fault.New(fault.Privilege, op, err, "")
	}
	e := round.Event{What: say.what, Step: body.Step, Who: who, Reason: body.Reason, Evidence: body.Evidence, Kind: body.Kind, Owner: body.Owner}
	if say.what == round.Done {
		e = state.DoneBy(who, body.Step, body.Evidence)
	}
	if err := state.Say(e); err != nil {
		return nil, fault.New(fault.Refused, op, err, "look at the round: somebody may have answered before")
	}
	return s.Store.Append(ctx, id, int64(len(entries)), 0, e)
}

// approver refuses who is not asked at a gate.
func approver(script *round.Script, say saying, step round.StepID, who string) error {
	if say.role != platform.RoleApprove {
		return nil
	}
	if t := script.Task(step); t != nil && len(t.Approvers) > 0 && !slices.Contains(t.Approvers, who) {
		return fmt.Errorf("%w: %s is not among the approvers of %s", errRole, who, step)
	}
	return nil
}

func unplayable(id string, seq int64, err error) error {
	return fault.New(fault.Data, fmt.Sprintf("play entry %d of round %s", seq, id), errors.New(err.Error()), // not as round.ErrNot: nobody said anything wrong
		"the journal was changed afterwards, or another version wrote it")
}
