package web

import (
	"net/url"
	"strings"
	"time"

	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/account"
)

// planView is what of a step does not change while its round runs.
type planView struct {
	I            int            `json:"i"`              // its place in the plan
	Group        string         `json:"name"`           // the template's name: steps of many databases share it
	Database     string         `json:"db,omitempty"`   // with the two that follow as in round.Step
	Kind         round.Kind     `json:"kind"`           //
	Role         round.Role     `json:"role,omitempty"` //
	Undo         round.Undo     `json:"undo"`
	Title        string         `json:"title,omitempty"`
	Do           string         `json:"do,omitempty"`
	Check        string         `json:"check,omitempty"`
	Back         string         `json:"back,omitempty"`
	Owner        string         `json:"owner,omitempty"`
	Backup       string         `json:"backup,omitempty"`
	Needs        []round.StepID `json:"needs,omitempty"`
	Acknowledges []round.StepID `json:"acknowledges,omitempty"`
	Quorum       int            `json:"quorum,omitempty"`
	Approvers    []string       `json:"approvers,omitempty"`
	Expected     estimateView   `json:"expected"`
	Unrehearsed  bool           `json:"unrehearsed,omitempty"`
}

// timesView is when a step was expected to run before the round began, and when it is now, from the round's beginning: two starts and ends. They are apart from
// all else, since what is late moves them all.
type timesView [4]int64

// stepView is what becomes of a step.
type stepView struct {
	Status   round.Status `json:"status"`
	Attempts int          `json:"attempts,omitempty"`
	Measured bool         `json:"measured,omitempty"`
	Votes    []string     `json:"votes,omitempty"`
	Backward bool         `json:"backward,omitempty"`
	Reason   string       `json:"reason,omitempty"`
	Evidence string       `json:"evidence,omitempty"`
	Began    int64        `json:"began,omitempty"`
	Ended    int64        `json:"ended,omitempty"`
	Took     stretch      `json:"took"`
	Waited   int64        `json:"waited,omitempty"`
	Critical bool         `json:"critical,omitempty"`
	Acts     []string     `json:"acts,omitempty"`
}

func planned(s *account.Step, i int) planView {
	t := &s.Task
	v := planView{
		I: i, Group: string(t.Step.ID), Database: t.Step.Database, Kind: t.Step.Kind, Role: t.Step.Role, Undo: t.Step.Undo, Title: t.Title,
		Do: bare(t.Do), Check: bare(t.Check), Back: bare(t.Back), Owner: t.Owner, Backup: t.Backup, Needs: t.Step.Needs, Acknowledges: t.Step.Acknowledges,
		Quorum: t.Step.Quorum, Approvers: t.Approvers, Expected: estimated(s.Expected, time.Millisecond), Unrehearsed: s.Unrehearsed,
	}
	if of, ok := strings.CutSuffix(v.Group, " "+v.Database); ok && v.Database != "" {
		v.Group = of
	}
	return v
}

// bare leaves of an address where it leads: its path is often a secret.
func bare(do string) string {
	if !strings.HasPrefix(do, "https://") && !strings.HasPrefix(do, "http://") {
		return do
	}
	u, err := url.Parse(do)
	if err != nil || strings.ContainsAny(do, " \n") {
		return "a webhook"
	}
	return u.Scheme + "://" + u.Host + "/…"
}

func (a *sight) step(s *account.Step) stepView {
	st := &s.State
	v := stepView{
		Status: st.Status, Attempts: st.Attempts, Measured: st.Measured, Votes: st.Votes, Backward: st.Backward, Reason: st.Reason, Evidence: account.Words(st.Evidence),
		Began: ms(s.Began), Ended: ms(s.Ended), Critical: s.Critical, Acts: stepActs(a.state, &s.Task.Step),
	}
	runs := st.Status == round.StatusRunning || st.Status == round.StatusUndoing || st.Status == round.StatusUnsure
	v.Took = stretched(s.Took, runs, a.Now)
	if !runs {
		v.Waited = s.Waited.Milliseconds()
	}
	return v
}

func times(s *account.Step) timesView {
	return timesView{coarse(s.PlannedStart), coarse(s.PlannedEnd), coarse(s.Start), coarse(s.End)}
}

// coarse is an expected time in milliseconds, as finely as a bar can show it: what is late moves all that comes behind it, at every second.
func coarse(d time.Duration) int64 {
	to := time.Second
	for to < d/200 {
		to *= 2
	}
	return d.Round(to).Milliseconds()
}

// stepActs lists what people can say of a step as things stand; round.State.Say has the last word.
func stepActs(s *round.State, step *round.Step) []string {
	st := s.Steps[step.ID]
	running := s.Phase == round.PhaseRunning
	switch st.Status {
	case round.StatusRunning:
		switch step.Kind {
		case round.KindGate:
			return []string{"approve", "decline"}
		case round.KindManual:
			return []string{"done"}
		default:
		}
	case round.StatusUndoing:
		if step.Kind == round.KindManual {
			return []string{"done"}
		}
	case round.StatusUnsure:
		if step.Role == "" && step.Kind != round.KindGate {
			return []string{"done", "retry"}
		}
		if step.Role == "" {
			return []string{"retry"}
		}
	case round.StatusFailed:
		switch {
		case !running:
		case step.Role == "" && step.Kind != round.KindGate:
			return []string{"retry", "skip"}
		default:
			return []string{"retry"}
		}
	case round.StatusWaiting:
		if running && step.Role == "" && step.Kind != round.KindGate {
			return []string{"skip"}
		}
	case round.StatusStuck:
		if step.Role != round.RoleOpen {
			return []string{"retry", "skip"}
		}
		return []string{"retry"}
	default:
	}
	return nil
}

// roundActs lists what people can say of a round as things stand.
func roundActs(s *round.State) (acts []string) {
	running, switching := s.Phase == round.PhaseRunning, false
	for i := range s.Plan.Steps {
		if step := &s.Plan.Steps[i]; step.Role == round.RoleOpen {
			st := s.Steps[step.ID]
			switching = switching || !st.Backward && (st.Status == round.StatusRunning || st.Status == round.StatusUnsure)
		}
	}
	add := func(can bool, act string) {
		if can {
			acts = append(acts, act)
		}
	}
	add(running && !s.Paused && !s.Frozen(), "pause")
	add(s.Paused, "resume")
	add(running && !s.Switched() && !switching && !s.Finished(), "abort")
	add(s.Phase == round.PhaseAsking, "forward")
	add((s.Phase == round.PhaseAsking || running || s.Phase == round.PhaseDone) && s.Switched() && !switching && !s.Finished(), "fallback")
	return acts
}

// waitActs lists what answers a wait: of a step what can be said of it, of the round what its command says.
func (a *sight) waitActs(w *account.Waiting) (acts []string) {
	if step := a.state.Plan.Step(w.Step); step != nil {
		return stepActs(a.state, step)
	}
	for _, act := range roundActs(a.state) {
		if strings.Contains(w.Command, " round "+act+" ") && (act != "resume" || a.Driver.Holds()) {
			acts = append(acts, act)
		}
	}
	return acts
}
