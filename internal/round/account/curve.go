package account

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/store"
)

// History is how rounds got faster, and what still takes the time.
type History struct {
	// Rounds are in the order in which they began.
	Rounds []Row `json:"rounds"`
	// Steps are those of the template that took any time, the one first that took the longest in the newest round that ran it.
	Steps []StepHistory `json:"steps"`
	// Manual are the steps that people do in the newest live round of any environment, or in the newest round when none is live.
	Manual []string `json:"manual,omitempty"`
	// Moved is the cost a month of the environments that have switched; Cost that of all; Share the one as a part of the other, 0 to 1. They are 0 when no cost
	// is known.
	Moved float64 `json:"moved"`
	Cost  float64 `json:"cost"`
	Share float64 `json:"share"`
}

// Row is one round.
type Row struct {
	ID          string        `json:"id"`
	Environment string        `json:"environment"`
	Kind        store.Kind    `json:"kind"`
	Number      int           `json:"number"`
	Leg         int           `json:"leg,omitempty"`
	Began       time.Time     `json:"began"`
	Zone        string        `json:"zone,omitempty"`
	Duration    time.Duration `json:"duration_ns"` // until the last entry where it has not ended
	// Hands is the time in which at least one person was waited for; Freeze that in which writes were stopped.
	Hands   time.Duration `json:"hands_ns"`
	Freeze  time.Duration `json:"freeze_ns"`
	Outcome round.Phase   `json:"outcome"`
	// Switched says that a database lives on its new side at the end.
	Switched  bool `json:"switched"`
	Manual    int  `json:"manual"`    // steps that people did
	Automated int  `json:"automated"` // steps that ran without them; gates are neither
	// Unrehearsed are the steps that it left out since they have no form for rehearsals.
	Unrehearsed []round.StepID `json:"unrehearsed,omitempty"`
	// Rows is how many rows its databases hold, as far as evidence says so; Proofs is how many of its Databases have a proof that nothing is missing.
	Rows      int64 `json:"rows,omitempty"`
	Proofs    int   `json:"proofs"`
	Databases int   `json:"databases"`
	// Share is the part of the cost that lives on the new side when the round ends. See History.
	Share float64 `json:"share"`
	// Broken is why the journal cannot be read to its end; the figures are of what is before.
	Broken string `json:"broken,omitempty"`
}

// StepHistory is one step of the template over the rounds.
type StepHistory struct {
	Name string `json:"name"`
	// Took is for each round, in the order of History.Rounds, how long it took, for all databases together, undoing included; 0 where it did not run.
	Took []time.Duration `json:"took_ns"`
	// Kinds is for each round how it was carried out; empty where it did not run.
	Kinds []round.Kind `json:"kinds"`
	// Manual says that a person did it in the newest round that ran it.
	Manual bool `json:"manual,omitempty"`
}

// last is how long a step took in the newest round that ran it.
func (s *StepHistory) last() time.Duration {
	for i, took := range slices.Backward(s.Took) {
		if s.Kinds[i] != "" {
			return took
		}
	}
	return 0
}

// Curve lays rounds side by side. cost is what each environment costs a month; without it the rounds' own costs say it.
func Curve(past []Past, cost map[string]float64) *History {
	past = slices.Clone(past)
	slices.SortStableFunc(past, func(a, b Past) int {
		return cmp.Or(a.Round.Began.Compare(b.Round.Began), cmp.Compare(a.Round.ID, b.Round.ID))
	})
	h := &History{Rounds: []Row{}, Steps: []StepHistory{}}
	at := map[string]int{}
	for i := range past {
		w := watched(&past[i])
		h.Rounds = append(h.Rounds, row(&past[i], w))
		h.steps(&past[i].Round, w, i, len(past), at)
	}
	for i := range h.Steps {
		s := &h.Steps[i]
		for _, k := range slices.Backward(s.Kinds) {
			if k != "" {
				s.Manual = k == round.KindManual
				break
			}
		}
	}
	slices.SortStableFunc(h.Steps, func(a, b StepHistory) int {
		return cmp.Or(cmp.Compare(b.last(), a.last()), cmp.Compare(a.Name, b.Name))
	})
	h.manual(past)
	h.costs(past, cost)
	return h
}

// row tells of one round.
func row(p *Past, w *watch) Row {
	r := &p.Round
	out := Row{
		ID: r.ID, Environment: r.Environment, Kind: r.Kind, Number: r.Number, Leg: r.Leg, Began: r.Began, Zone: r.Zone, Outcome: round.PhaseRunning,
		Duration: max(0, w.last.Sub(r.Began)), Hands: w.hands(),
	}
	out.Freeze, _, _ = w.frozen(w.last, nil)
	s, end := round.New(r.Script.Plan()), time.Time{}
	for i := range p.Entries {
		if err := s.Apply(p.Entries[i].Event); err != nil {
			out.Broken = err.Error()
			break
		}
		switch {
		case !ended(s.Phase):
			end = time.Time{}
		case end.IsZero():
			end = p.Entries[i].At
		}
	}
	if !end.IsZero() {
		out.Duration = max(0, end.Sub(r.Began))
	}
	out.Outcome, out.Switched = s.Phase, s.Switched()
	out.count(r, s)
	out.evidence(p, w)
	return out
}

// count counts the steps by who carried them out.
func (row *Row) count(r *store.Round, s *round.State) {
	for i := range r.Script.Tasks {
		t := &r.Script.Tasks[i]
		st := s.Steps[t.Step.ID]
		switch {
		case leftOut(r, t):
			row.Unrehearsed = append(row.Unrehearsed, t.Step.ID)
		case st.Attempts == 0 || t.Step.Kind == round.KindGate:
		case t.Step.Kind == round.KindManual:
			row.Manual++
		default:
			row.Automated++
		}
	}
}

// evidence takes rows and proofs from what steps of databases say in JSON: the last word counts.
func (row *Row) evidence(p *Past, w *watch) {
	rows, proofs, databases := map[string]int64{}, map[string]bool{}, map[string]bool{}
	for i := range p.Round.Script.Tasks {
		if s := &p.Round.Script.Tasks[i].Step; s.Database != "" && s.Role == round.RoleClose {
			databases[s.Database] = true
		}
	}
	for i := range p.Entries {
		e := &p.Entries[i].Event
		task := w.steps[e.Step]
		if task == nil || e.What != round.Done || task.Step.Database == "" {
			continue
		}
		if n, ok := figure(e.Evidence, "rows"); ok && n >= 0 {
			rows[task.Step.Database] = n
		}
		if said(e.Evidence, "proof") {
			proofs[task.Step.Database] = true
		}
	}
	for n := range maps.Values(rows) {
		row.Rows += n
	}
	row.Proofs, row.Databases = len(proofs), len(databases)
}

// hands is the time in which at least one person was waited for.
func (w *watch) hands() time.Duration {
	var spans []span
	for _, t := range w.tracks {
		spans = append(spans, t.waiting...)
		if !t.since.IsZero() {
			spans = append(spans, span{t.since, w.last})
		}
	}
	return union(spans)
}

// steps adds one round to the steps' histories.
func (h *History) steps(r *store.Round, w *watch, i, of int, at map[string]int) {
	for k := range r.Script.Tasks {
		t := &r.Script.Tasks[k]
		track := w.tracks[t.Step.ID]
		if len(track.laps) == 0 {
			continue
		}
		name := Template(t.Step.ID)
		n, ok := at[name]
		if !ok {
			n = len(h.Steps)
			at[name] = n
			h.Steps = append(h.Steps, StepHistory{Name: name, Took: make([]time.Duration, of), Kinds: make([]round.Kind, of)})
		}
		h.Steps[n].Took[i] += track.took(w.last)
		h.Steps[n].Kinds[i] = t.Step.Kind
	}
}

// manual finds the steps that people still do.
func (h *History) manual(past []Past) {
	var newest *store.Round
	for i := range past {
		if r := &past[i].Round; newest == nil || newest.Kind != store.Live || r.Kind == store.Live {
			newest = r
		}
	}
	if newest == nil {
		return
	}
	for i := range newest.Script.Tasks {
		t := &newest.Script.Tasks[i].Step
		if name := Template(t.ID); t.Kind == round.KindManual && !slices.Contains(h.Manual, name) {
			h.Manual = append(h.Manual, name)
		}
	}
}

// costs follows which part of the spend lives on the new side: an environment does when its newest live round has switched.
func (h *History) costs(past []Past, cost map[string]float64) {
	all := maps.Clone(cost)
	if all == nil {
		all = map[string]float64{}
	}
	for i := range past {
		if r := &past[i].Round; r.Cost > 0 && len(cost) == 0 {
			all[r.Environment] = r.Cost
		}
	}
	for _, c := range slices.Sorted(maps.Values(all)) { // in order, so that the sum is the same each time
		h.Cost += c
	}
	moved := map[string]float64{}
	for i := range past {
		r := &past[i].Round
		if r.Kind == store.Live {
			delete(moved, r.Environment)
			if row := &h.Rounds[i]; row.Switched && row.Outcome != round.PhaseFallingBack {
				moved[r.Environment] = cmp.Or(r.Cost, all[r.Environment])
			}
		}
		h.Moved = 0
		for _, c := range slices.Sorted(maps.Values(moved)) {
			h.Moved += c
		}
		if h.Cost > 0 {
			h.Rounds[i].Share = min(1, h.Moved/h.Cost)
			h.Share = h.Rounds[i].Share
		}
	}
}
