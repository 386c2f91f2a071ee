package account

import (
	"cmp"
	"slices"
	"time"

	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/store"
)

// Forecast is what is known of a round before it runs.
type Forecast struct {
	// Steps are in the order in which they are expected to start.
	Steps []Step `json:"steps"`
	// Total is how long the round will take, without the steps in Unknown, of which nobody knows; they count as 0.
	Total   Estimate       `json:"total"`
	Unknown []round.StepID `json:"unknown,omitempty"`
	// Critical is the longest path through the expected durations, by what needs what.
	Critical []round.StepID `json:"critical,omitempty"`
	// Freeze is for how long writes will be stopped: by the freezes of past rounds, measured ones where there are; FreezePlanned says that there was none to
	// learn from, so that it is by the expected durations of the steps.
	Freeze        Estimate `json:"freeze"`
	FreezePlanned bool     `json:"freeze_planned,omitempty"`
	NoUndo        []NoUndo `json:"no_undo,omitempty"`
	Manual        []Manual `json:"manual,omitempty"`
	// Unrehearsed are the steps that rehearsals leave out, since they have no form for that.
	Unrehearsed []round.StepID `json:"unrehearsed,omitempty"`
	// Save is what would save most; nil when nothing is known.
	Save *Saving `json:"save,omitempty"`
	// Undo is how long an abort takes that is decided right before the switch; UndoUnknown are the steps whose undo is not in it, since nobody knows.
	Undo        Estimate       `json:"undo"`
	UndoUnknown []round.StepID `json:"undo_unknown,omitempty"`
	// LastTurn is the latest moment at which an abort, at the High of Undo, still ends within the window; zero without a window, or when nothing is known of
	// any undo.
	LastTurn time.Time `json:"last_turn,omitzero"`
}

// NoUndo is a step whose effect stays, and the gate before it that acknowledges that; empty for the finish, which needs none.
type NoUndo struct {
	Step  round.StepID `json:"step"`
	Title string       `json:"title,omitempty"`
	Gate  round.StepID `json:"gate,omitempty"`
}

// Manual is a step that a person does.
type Manual struct {
	Step  round.StepID `json:"step"`
	Owner string       `json:"owner,omitempty"`
}

// Saving is a step that could take less.
type Saving struct {
	Step round.StepID `json:"step"`
	// Saves is by how much the round would be shorter if the step took To instead of its expected duration.
	Saves time.Duration `json:"saves_ns"`
	To    time.Duration `json:"to_ns"`
	// Automate says that a person does it, and what is saved is to wait for them; else it was as fast as To once.
	Automate bool `json:"automate,omitempty"`
}

// Plan forecasts a round from what past ones took.
func Plan(r store.Round, past []Past) *Forecast {
	b := &builder{
		a: &Account{Round: r}, tasks: r.Script.Tasks, state: round.New(r.Script.Plan()), watch: newWatch(&r), learned: newLearned(past, &r),
	}
	b.graph = newGraph(b.state.Plan)
	b.estimates()
	f := &Forecast{}
	b.schedules(f)
	b.lists(f)
	b.turns(f)
	f.Save = b.saving()
	if f.Freeze = b.learned.freeze(&r); !f.Freeze.Known() {
		f.Freeze, f.FreezePlanned = b.graph.simulateFreeze(b.tasks, b.expected), true
	}
	return f
}

// expectedJobs are the steps before any has begun.
func (b *builder) expectedJobs() []job {
	jobs := make([]job, len(b.tasks))
	for i := range jobs {
		jobs[i].took = b.expected[i].Expected
	}
	return jobs
}

// schedules fills in when the steps run, and how long the round takes.
func (b *builder) schedules(f *Forecast) {
	jobs := b.expectedJobs()
	f.Total = b.graph.simulate(jobs, b.expected, 0)
	b.graph.schedule(jobs, 0)
	took := make([]time.Duration, len(jobs))
	for i := range jobs {
		took[i] = jobs[i].took
	}
	critical, _ := b.graph.critical(took)
	place := make([]int, len(jobs))
	for k, i := range b.graph.order {
		place[i] = k
	}
	order := slices.Clone(b.graph.order)
	slices.SortStableFunc(order, func(i, j int) int {
		return cmp.Or(cmp.Compare(jobs[i].start, jobs[j].start), cmp.Compare(jobs[i].end, jobs[j].end), place[i]-place[j])
	})
	for _, i := range order {
		t, j := &b.tasks[i], &jobs[i]
		f.Steps = append(f.Steps, Step{
			Task: *t, State: *b.state.Steps[t.Step.ID], Expected: b.expected[i], Start: j.start, End: j.end, PlannedStart: j.start, PlannedEnd: j.end,
			Critical: critical[i], Unrehearsed: leftOut(&b.a.Round, t),
		})
		if critical[i] && j.took > 0 {
			f.Critical = append(f.Critical, t.Step.ID)
		}
	}
}

// lists fills in which steps there is something to say about.
func (b *builder) lists(f *Forecast) {
	for i := range b.tasks {
		t := &b.tasks[i]
		id := t.Step.ID
		if !b.expected[i].Known() && !leftOut(&b.a.Round, t) {
			f.Unknown = append(f.Unknown, id)
		}
		if t.Step.Kind == round.KindManual {
			f.Manual = append(f.Manual, Manual{id, t.Owner})
		}
		if noForm(t) {
			f.Unrehearsed = append(f.Unrehearsed, id)
		}
		if t.Step.Undo == round.UndoImpossible {
			n := NoUndo{Step: id, Title: t.Title}
			for k := range b.tasks {
				if slices.Contains(b.tasks[k].Step.Acknowledges, id) {
					n.Gate = b.tasks[k].Step.ID
				}
			}
			f.NoUndo = append(f.NoUndo, n)
		}
	}
}

// turns fills in what an abort takes right before the switch: all that can be undone and stands behind no opening.
func (b *builder) turns(f *Forecast) {
	behind := make([]bool, len(b.tasks))
	for _, i := range b.graph.order {
		behind[i] = b.tasks[i].Step.Role == round.RoleOpen
		for _, j := range b.graph.needs[i] {
			behind[i] = behind[i] || behind[j]
		}
	}
	jobs := make([]job, len(b.tasks))
	for i := range jobs {
		t := &b.tasks[i]
		switch {
		case behind[i] || t.Step.Undo != round.UndoAction || leftOut(&b.a.Round, t):
			jobs[i].over = true
		case !b.undos[i].Known():
			f.UndoUnknown = append(f.UndoUnknown, t.Step.ID)
		default:
			jobs[i].took = b.undos[i].Expected
		}
	}
	f.Undo = b.graph.reversed().simulate(jobs, b.undos, 0)
	if to := b.a.Round.WindowTo; !to.IsZero() && f.Undo.Known() {
		f.LastTurn = to.Add(-f.Undo.High)
	}
}

// saving finds the step that would save most of the expected total, if a person's work took no waiting any more, or another step were as fast as it ever was.
func (b *builder) saving() *Saving {
	total := b.graph.schedule(b.expectedJobs(), 0)
	var best *Saving
	for i := range b.tasks {
		t := &b.tasks[i]
		s := Saving{Step: t.Step.ID, Automate: t.Step.Kind == round.KindManual}
		if !b.expected[i].Known() || t.For > 0 {
			continue
		}
		if !s.Automate {
			s.To = fastest(alike(b.learned.does[Template(s.Step)], &b.a.Round, t))
		}
		jobs := b.expectedJobs()
		jobs[i].took = min(s.To, jobs[i].took)
		s.Saves = total - b.graph.schedule(jobs, 0)
		if s.Saves > 0 && (best == nil || s.Saves > best.Saves) {
			best = &s
		}
	}
	return best
}

func fastest(all []sample) time.Duration {
	least := all[0].took
	for _, s := range all {
		least = min(least, s.took)
	}
	return least
}
