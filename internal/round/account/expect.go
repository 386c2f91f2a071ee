package account

import (
	"strings"
	"time"

	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/store"
)

// How much more a past duration weighs: of the same environment, and of the very same step, so of the same database.
const (
	sameEnvironment = 4
	sameStep        = 3
)

// Template returns the name in the template of a step: its ID without the database.
func Template(id round.StepID) string {
	name, _, _ := strings.Cut(string(id), " ")
	return name
}

// learned is what past rounds say of durations, by the names of the template: live ones and rehearsals, that began before, of any environment. Those of the
// same environment weigh four times as much, those of the very same database three times. Only steps of the same kind count: what a person did says nothing
// of the hook that does it now. What was rehearsed in another form says nothing of the real one. A soak takes what it says. See estimate for the formula.
type learned struct {
	does, undoes map[string][]experience
	// freezes are the rounds' write freezes.
	freezes []experience
}

// experience is a duration with where it comes from.
type experience struct {
	took        time.Duration
	environment string
	step        round.StepID
	kind        round.Kind
	real        bool // not in a form for rehearsals
}

func newLearned(past []Past, r *store.Round) *learned {
	l := &learned{does: map[string][]experience{}, undoes: map[string][]experience{}}
	for i := range past {
		p := &past[i].Round
		if p.ID == r.ID || p.Kind == store.PoC || !r.Began.IsZero() && p.Began.After(r.Began) {
			continue
		}
		l.learn(&past[i])
	}
	return l
}

func (l *learned) learn(p *Past) {
	w := watched(p)
	for i := range p.Round.Script.Tasks {
		t := &p.Round.Script.Tasks[i]
		if leftOut(&p.Round, t) {
			continue
		}
		e := experience{
			environment: p.Round.Environment, step: t.Step.ID, kind: t.Step.Kind,
			real: p.Round.Kind == store.Live || t.Rehearse == "",
		}
		name, track := Template(t.Step.ID), w.tracks[t.Step.ID]
		var ok bool
		if e.took, ok = track.sample(); ok {
			l.does[name] = append(l.does[name], e)
		}
		if e.took, ok = track.undoSample(); ok {
			l.undoes[name] = append(l.undoes[name], e)
		}
	}
	if all, each, is := w.frozen(w.last, nil); len(each) > 0 && !is && w.opened() {
		l.freezes = append(l.freezes, experience{took: all, environment: p.Round.Environment})
	}
}

// opened reports whether every database opened once.
func (w *watch) opened() bool {
	for id, t := range w.tracks {
		if w.steps[id].Step.Role == round.RoleOpen {
			if _, ok := t.sample(); !ok {
				return false
			}
		}
	}
	return true
}

// leftOut reports whether a round does not rehearse a step, since it has no form for that.
func leftOut(r *store.Round, t *round.Task) bool {
	return r.Kind != store.Live && r.Kind != "" && noForm(t)
}

// noForm reports whether rehearsals leave a step out.
func noForm(t *round.Task) bool {
	switch t.Step.Kind {
	case round.KindHook, round.KindMessage, round.KindTraffic:
		return t.Rehearse == ""
	default:
		return false
	}
}

// forward estimates what the steps of a round take.
func (l *learned) forward(r *store.Round) map[round.StepID]Estimate {
	out := map[round.StepID]Estimate{}
	for i := range r.Script.Tasks {
		t := &r.Script.Tasks[i]
		switch {
		case leftOut(r, t):
			out[t.Step.ID] = Estimate{}
		case t.For > 0:
			out[t.Step.ID] = Estimate{Expected: t.For, Low: t.For, High: t.For}
		default:
			out[t.Step.ID] = estimate(alike(l.does[Template(t.Step.ID)], r, t))
		}
	}
	return out
}

// backward estimates what their undos take.
func (l *learned) backward(r *store.Round) map[round.StepID]Estimate {
	out := map[round.StepID]Estimate{}
	for i := range r.Script.Tasks {
		if t := &r.Script.Tasks[i]; t.Step.Undo == round.UndoAction && !leftOut(r, t) {
			out[t.Step.ID] = estimate(alike(l.undoes[Template(t.Step.ID)], r, t))
		}
	}
	return out
}

// alike weighs what is known of a step's like.
func alike(all []experience, r *store.Round, t *round.Task) (out []sample) {
	rehearsed := r.Kind == store.Rehearsal || r.Kind == store.PoC
	for i := range all {
		e := &all[i]
		if e.kind != t.Step.Kind || !e.real && !rehearsed {
			continue
		}
		s := sample{took: e.took, weight: 1}
		if e.environment == r.Environment {
			s.weight *= sameEnvironment
		}
		if e.step == t.Step.ID {
			s.weight *= sameStep
		}
		out = append(out, s)
	}
	return out
}

// freeze estimates the write freeze of a round from those of past ones.
func (l *learned) freeze(r *store.Round) Estimate {
	var samples []sample
	for _, f := range l.freezes {
		s := sample{took: f.took, weight: 1}
		if f.environment == r.Environment {
			s.weight = sameEnvironment
		}
		samples = append(samples, s)
	}
	return estimate(samples)
}
