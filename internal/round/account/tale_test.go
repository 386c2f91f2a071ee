package account_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/account"
	"github.com/bascule/bascule/internal/round/store"
)

var began = time.Date(2026, 3, 14, 1, 0, 0, 0, time.UTC)

// tale tells a round by events that its state allows.
type tale struct {
	t     *testing.T
	r     store.Round
	state *round.State
	past  account.Past
	now   time.Time
}

func newTale(t *testing.T, r store.Round) *tale {
	t.Helper()
	p := r.Script.Plan()
	if err := p.Check(); err != nil {
		t.Fatal(err)
	}
	if r.Began.IsZero() {
		r.Began = began
	}
	return &tale{t: t, r: r, state: round.New(p), past: account.Past{Round: r}, now: r.Began}
}

// tell plays a script: a line is a span of time that passes first, what happens, a colon and the step, and, behind a bar, the evidence or the reason.
func (x *tale) tell(script string) *tale {
	x.t.Helper()
	for line := range strings.Lines(script) {
		line, text, _ := strings.Cut(strings.TrimSpace(line), " | ")
		if line == "" {
			continue
		}
		first, rest, _ := strings.Cut(line, " ")
		d, err := time.ParseDuration(first)
		if err != nil {
			x.t.Fatalf("%s: %v", line, err)
		}
		x.now = x.now.Add(d)
		what, step, _ := strings.Cut(rest, ": ")
		who := "ann"
		if w, found := strings.CutPrefix(what, "bob "); found {
			what, who = w, "bob"
		}
		x.event(round.Event{What: round.What(what), Step: round.StepID(step), Who: who, Reason: text, Evidence: text})
	}
	return x
}

func (x *tale) event(e round.Event) {
	x.t.Helper()
	if err := x.state.Apply(e); err != nil {
		x.t.Fatalf("%+v: %v", e, err)
	}
	n := len(x.past.Entries) + 1
	x.past.Entries = append(x.past.Entries, store.Entry{Seq: int64(n), At: x.now, Event: e, Hash: "hash-" + strconv.Itoa(n)})
}

// of draws up the account, some time later.
func (x *tale) of(past []account.Past, after time.Duration) *account.Account {
	x.t.Helper()
	now := x.now.Add(after)
	h := &store.Holder{Who: "ann@bridge", Epoch: 1, Since: x.r.Began, Until: now.Add(time.Minute), Now: now}
	a, err := account.Of(x.past.Round, x.past.Entries, past, h, nil, now)
	if err != nil {
		x.t.Fatal(err)
	}
	return a
}

func step(t *testing.T, a *account.Account, id round.StepID) *account.Step {
	t.Helper()
	for i := range a.Steps {
		if a.Steps[i].Task.Step.ID == id {
			return &a.Steps[i]
		}
	}
	t.Fatalf("there is no step %s", id)
	return nil
}

// moving is a round of databases: copy each, gate, quiesce (by hand), close and open each, traffic, finish.
func moving(environment string, databases ...string) store.Round {
	task := func(id string, kind round.Kind, undo round.Undo, needs ...round.StepID) round.Task {
		return round.Task{Step: round.Step{ID: round.StepID(id), Kind: kind, Undo: undo, Needs: needs}}
	}
	var s round.Script
	gate := task("gate", round.KindGate, round.UndoNothing)
	gate.Step.Quorum = 2
	var closes, opens []round.Task
	quiesce := task("quiesce", round.KindManual, round.UndoAction, "gate")
	quiesce.Owner, quiesce.Title = "carol", "The old side stops its own work"
	traffic := task("traffic", round.KindHook, round.UndoAction)
	for _, db := range databases {
		cp := task("copy "+db, round.KindAuto, round.UndoNothing)
		cp.Step.Database, cp.Step.Uses = db, []string{"line"}
		s.Tasks = append(s.Tasks, cp)
		gate.Step.Needs = append(gate.Step.Needs, cp.Step.ID)
		cl := task("close "+db, round.KindAuto, round.UndoAction, "quiesce")
		cl.Step.Role, cl.Step.Database, cl.Step.Group = round.RoleClose, db, "g"
		op := task("open "+db, round.KindAuto, round.UndoAction, cl.Step.ID)
		op.Step.Role, op.Step.Database, op.Step.Group = round.RoleOpen, db, "g"
		closes, opens = append(closes, cl), append(opens, op)
		traffic.Step.Needs = append(traffic.Step.Needs, op.Step.ID)
	}
	finish := task("finish", round.KindAuto, round.UndoImpossible, "traffic")
	finish.Step.Role = round.RoleFinish
	s.Tasks = append(s.Tasks, gate, quiesce)
	s.Tasks = append(append(append(s.Tasks, closes...), opens...), traffic, finish)
	return store.Round{ID: environment + "-1", Environment: environment, Kind: store.Live, Number: 1, Began: began, Who: "ann", Script: s, Hash: "plan", Zone: "Europe/Paris"}
}

// head is a round of database a until its writes are about to stop.
const head = `
	0s started: copy a
	10m done: copy a
	0s started: gate
	1m go: gate
	1m done: gate
	3m bob go: gate
	0s started: quiesce
	5m done: quiesce | pods at zero
	`
