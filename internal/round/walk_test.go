package round_test

import (
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/bascule/bascule/internal/round"
)

// TestRandomRounds lets random rounds go their way through failures, crashes, breaches and people, and then, with nothing going wrong any more, to an end.
// No step begins before those that it needs, none twice at once; no database opens before all of its group are closed, and never both of its sides; what
// is undone is undone in the reverse order; and every history leads to the same state again.
func TestRandomRounds(t *testing.T) {
	rounds := 100_000
	if s := os.Getenv("BASCULE_SEEDS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatalf("BASCULE_SEEDS=%q: %v", s, err)
		}
		rounds = n
	} else if testing.Short() {
		rounds = 2_000
	}
	ends := map[round.Phase]int{}
	for seed := range rounds {
		end, wrong := play(uint64(seed), nil)
		if wrong != "" {
			t.Fatalf("seed %d:\n%s", seed, wrong)
		}
		ends[end]++
	}
	t.Logf("%d rounds: %v", rounds, ends)
	for _, p := range []round.Phase{round.PhaseDone, round.PhaseAborted, round.PhaseFellBack} {
		if ends[p] < rounds/100 {
			t.Errorf("only %d rounds end as %s", ends[p], p)
		}
	}
}

// play lets one random round go to its end, and returns what was wrong, if anything.
func play(seed uint64, other func(*round.Plan)) (end round.Phase, wrong violation) {
	defer func() {
		switch x := recover().(type) {
		case nil:
		case violation:
			wrong = x
		default:
			panic(x)
		}
	}()
	w := newWorld(rand.New(rand.NewPCG(seed, 7)), other)
	w.walk(40)
	w.calm = true
	w.walk(400)
	w.over()
	return w.state.Phase, ""
}

// TestWorldSees gives the state plans that lack something of what the world goes by: the search must find each, or it would prove nothing.
func TestWorldSees(t *testing.T) {
	each := func(change func(*round.Step)) func(*round.Plan) {
		return func(p *round.Plan) {
			for i := range p.Steps {
				change(&p.Steps[i])
			}
		}
	}
	for name, other := range map[string]func(*round.Plan){
		"no groups":          each(func(s *round.Step) { s.Group = "" }),
		"no needs":           each(func(s *round.Step) { s.Needs = nil }),
		"no limits":          func(p *round.Plan) { p.Limits = map[string]int{"wide": 9, "narrow": 9} },
		"nothing to undo":    each(func(s *round.Step) { s.Undo = round.UndoNothing }),
		"one vote is enough": each(func(s *round.Step) { s.Quorum = 1 }),
		"openings have no role": each(func(s *round.Step) {
			if s.Role == round.RoleOpen {
				s.Role = ""
			}
		}),
	} {
		found := false
		for seed := range uint64(3000) {
			if _, wrong := play(seed, other); wrong != "" {
				found = true
				break
			}
		}
		if !found {
			t.Errorf("%s: nothing was seen", name)
		}
	}
}

// walk takes so many steps, or ends with the round.
func (w *world) walk(steps int) {
	for range steps {
		if w.ending() {
			return
		}
		next := w.state.Next()
		running := slices.Sorted(maps.Keys(w.running))
		switch what := w.r.IntN(20); {
		case w.calm && w.help():
		case what < 9 && len(next) > 0:
			w.begin(next[w.r.IntN(len(next))])
		case what < 16 && len(running) > 0:
			w.end(running[w.r.IntN(len(running))])
		case what < 18 || w.calm:
			if !w.calm {
				w.person()
			}
		case what == 18:
			w.crash()
			w.slip()
		default:
			w.decide()
		}
	}
}

// slip lets a closed database's old side open again: what held it closed has died, or has given up.
func (w *world) slip() {
	step := w.plan.Steps[w.r.IntN(len(w.plan.Steps))]
	if _, runs := w.running[step.ID]; runs {
		return
	}
	if w.try(round.Event{What: round.Slipped, Step: step.ID, Reason: "its driver died"}) {
		w.closed[step.Database], w.ended[step.ID] = false, false
	}
}

// help is what people do who want the round to come to an end.
func (w *world) help() bool {
	e := round.Event{Who: "ann", Reason: "it is time"}
	switch {
	case w.state.Paused:
		e.What = round.Resumed
	case w.state.Phase == round.PhaseAsking:
		e.What = []round.What{round.Forward, round.Fallback}[w.r.IntN(2)]
	default:
		for _, step := range w.plan.Steps {
			st := w.state.Steps[step.ID]
			switch {
			case st.Status == round.StatusStuck, st.Status == round.StatusFailed && w.state.Phase == round.PhaseRunning && step.Kind != round.KindMessage:
				e.What, e.Step = round.Retried, step.ID
			case step.Kind == round.KindGate && st.Status == round.StatusRunning && len(st.Votes) < step.Quorum && w.state.Phase == round.PhaseRunning:
				e.What, e.Step, e.Who = round.Go, step.ID, "voter "+strconv.Itoa(len(st.Votes))
				w.votes[step.ID][e.Who] = true
			default:
				continue
			}
			w.tell(e)
			return true
		}
		return false
	}
	w.tell(e)
	return true
}

func (w *world) ending() bool {
	return slices.Contains([]round.Phase{round.PhaseDone, round.PhaseAborted, round.PhaseFellBack}, w.state.Phase)
}

// over holds what is true at the end of every round.
func (w *world) over() {
	if !w.ending() {
		w.fail("the round comes to no end; next: %v", w.state.Next())
	}
	back := w.state.Phase != round.PhaseDone
	for _, s := range w.plan.Steps {
		switch {
		case back && w.effect[s.ID]:
			w.fail("%s still stands", s.ID)
		case s.Role == round.RoleOpen && (w.opened[s.Database] == back || w.closed[s.Database] == back):
			w.fail("database %s: old side closed %v, new side open %v", s.Database, w.closed[s.Database], w.opened[s.Database])
		case len(w.running) > 0:
			w.fail("%v still run", w.running)
		}
	}
	again := round.New(w.state.Plan)
	for _, e := range w.history {
		if err := again.Apply(e); err != nil {
			w.fail("played again, %+v: %v", e, err)
		}
	}
	now := w.picture()
	if w.state = again; w.picture() != now {
		w.fail("played again, the history ends at another state than\n%s", now)
	}
}
