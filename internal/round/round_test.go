package round_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/bascule/bascule/internal/round"
)

// drawPlan draws a plan that a template could give: databases in groups, each copied, closed and opened behind a gate, and around them steps of every
// kind in any order that has no cycle.
func drawPlan(r *rand.Rand) *round.Plan {
	p := &round.Plan{Limits: map[string]int{"wide": 1 + r.IntN(2)}}
	add := func(s round.Step) round.StepID {
		if s.Undo == "" {
			s.Undo = []round.Undo{round.UndoNothing, round.UndoAction}[r.IntN(2)]
		}
		for _, what := range []string{"narrow", "wide"} {
			if r.IntN(6) == 0 {
				s.Uses = append(s.Uses, what)
			}
		}
		p.Steps = append(p.Steps, s)
		return s.ID
	}
	some := func(ids []round.StepID) (out []round.StepID) {
		for _, id := range ids {
			if r.IntN(3) == 0 {
				out = append(out, id)
			}
		}
		return out
	}
	kinds := []round.Kind{round.KindHook, round.KindManual, round.KindWait, round.KindTraffic, round.KindMessage}
	var before, opens, all []round.StepID
	for i := range r.IntN(4) {
		before = append(before, add(round.Step{ID: round.StepID(fmt.Sprintf("early%d", i)), Kind: kinds[r.IntN(len(kinds))], Needs: some(before)}))
	}
	gate := add(round.Step{ID: "gate", Kind: round.KindGate, Quorum: 1 + r.IntN(2), Undo: round.UndoNothing, Needs: some(before)})
	for i := range 1 + r.IntN(4) {
		db := "db" + strconv.Itoa(i)
		group := []string{"", "one", "two"}[r.IntN(3)]
		closing := add(round.Step{ID: round.StepID("close " + db), Kind: round.KindAuto, Role: round.RoleClose, Database: db, Group: group, Undo: round.UndoAction, Needs: append(some(before), gate)})
		opens = append(opens, add(round.Step{ID: round.StepID("open " + db), Kind: round.KindAuto, Role: round.RoleOpen, Database: db, Group: group, Undo: round.UndoAction, Needs: []round.StepID{closing}}))
	}
	all = slices.Concat(before, opens)
	for i := range r.IntN(4) {
		all = append(all, add(round.Step{ID: round.StepID(fmt.Sprintf("late%d", i)), Kind: kinds[r.IntN(len(kinds))], Needs: some(all)}))
	}
	if r.IntN(2) == 0 {
		last := add(round.Step{ID: "last gate", Kind: round.KindGate, Quorum: 1, Undo: round.UndoNothing, Needs: opens})
		add(round.Step{ID: "finish", Kind: round.KindAuto, Role: round.RoleFinish, Undo: round.UndoImpossible, Needs: []round.StepID{last}})
	}
	return p
}

// world is what the steps of a round do, as an executor and its surroundings would find it; it knows nothing of the state.
type world struct {
	r       *rand.Rand
	plan    *round.Plan
	state   *round.State
	history []round.Event
	effect  map[round.StepID]bool // what stands of the steps that can be undone
	running map[round.StepID]run
	lost    map[round.StepID]run  // whose driver died
	closed  map[string]bool       // old sides
	opened  map[string]bool       // new sides
	opening map[string]bool       // new sides that have opened once
	ended   map[round.StepID]bool // steps that are over
	votes   map[round.StepID]map[string]bool
	calm    bool // nothing goes wrong any more
}

// run is something that was started.
type run struct {
	verb round.Verb
	ok   bool // whether it works
	none bool // of what was lost: it had not begun
}

// newWorld draws a round. The state may be given another plan than what the world goes by.
func newWorld(r *rand.Rand, other func(*round.Plan)) *world {
	w := &world{
		r: r, plan: drawPlan(r), effect: map[round.StepID]bool{}, running: map[round.StepID]run{}, lost: map[round.StepID]run{},
		closed: map[string]bool{}, opened: map[string]bool{}, opening: map[string]bool{}, ended: map[round.StepID]bool{}, votes: map[round.StepID]map[string]bool{},
	}
	if err := w.plan.Check(); err != nil {
		panic(violation("the plan is wrong: " + err.Error()))
	}
	given := &round.Plan{Steps: slices.Clone(w.plan.Steps), Limits: w.plan.Limits}
	if other != nil {
		other(given)
	}
	w.state = round.New(given)
	return w
}

// tell applies an event that has to be possible.
func (w *world) tell(e round.Event) {
	if err := w.state.Apply(e); err != nil {
		w.fail("%+v: %v", e, err)
	}
	w.history = append(w.history, e)
}

// try applies an event that a person or a monitor may bring at any time.
func (w *world) try(e round.Event) bool {
	was := w.sketch()
	if w.state.Apply(e) == nil {
		w.history = append(w.history, e)
		return true
	}
	if !slices.Equal(was, w.sketch()) {
		w.fail("a refused %+v changed the state", e)
	}
	return false
}

// sketched is what is compared of a step, or, in the last place, of the round.
type sketched struct {
	a, b     string
	c, votes int
	d, e, f  bool
}

func (w *world) sketch() (out []sketched) {
	for i := range w.plan.Steps {
		st := w.state.Steps[w.plan.Steps[i].ID]
		out = append(out, sketched{string(st.Status), st.Reason + st.Evidence, st.Attempts, len(st.Votes), st.Measured, st.Backward, st.Closed})
	}
	return append(out, sketched{a: string(w.state.Phase), b: w.state.Trouble, d: w.state.Paused})
}

func (w *world) picture() string {
	b, err := json.Marshal(w.state)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// violation is what a world panics with when something happens in it that must not.
type violation string

func (w *world) fail(format string, args ...any) {
	var b strings.Builder
	for _, e := range w.history {
		fmt.Fprintf(&b, "%+v\n", e)
	}
	plan, err := json.Marshal(w.plan)
	panic(violation(fmt.Sprintf("%s%s\nstate %s\nplan %s %v", &b, fmt.Sprintf(format, args...), w.picture(), plan, err)))
}
