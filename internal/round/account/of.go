package account

import (
	"fmt"
	"slices"
	"time"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/store"
)

// Of draws up the account of a round, as things stand at now, from its journal, what past rounds took, who drives it (nil for nobody ever), and the last
// signs of life of its parts. An entry that cannot have been is an error of class fault.Data that names it. A time of an entry that is before that of the one
// before it counts as that one's.
func Of(r store.Round, entries []store.Entry, past []Past, holder *store.Holder, signs map[string]store.Sign, now time.Time) (*Account, error) {
	b := &builder{
		a:       &Account{Round: r, Driver: holder, Signs: signs, Entries: entries, Open: []string{}, Waits: []Waiting{}},
		tasks:   r.Script.Tasks,
		state:   round.New(r.Script.Plan()),
		watch:   newWatch(&r),
		learned: newLearned(past, &r),
	}
	b.graph = newGraph(b.state.Plan)
	if err := b.replay(entries); err != nil {
		return nil, err
	}
	b.a.Now = later(later(now, r.Began), b.watch.last)
	b.build()
	return b.a, nil
}

// builder has what an account is made of.
type builder struct {
	a       *Account
	tasks   []round.Task
	state   *round.State
	watch   *watch
	graph   *graph
	learned *learned
	// expected is for each step, in the plan's order; undos of their undos.
	expected, undos []Estimate
}

func (b *builder) replay(entries []store.Entry) error {
	for i := range entries {
		e := &entries[i]
		if err := b.state.Apply(e.Event); err != nil {
			about := string(e.Event.What)
			if e.Event.Step != "" {
				about += " " + string(e.Event.Step)
			}
			return fault.New(fault.Data, fmt.Sprintf("read entry %d (%s) of round %s", e.Seq, about, b.a.Round.ID), err,
				"the journal was changed, or this program is older than the one that wrote it: compare the chain's head with the one in the messages")
		}
		b.watch.see(e)
		switch {
		case !ended(b.state.Phase):
			b.a.Ended = time.Time{}
		case b.a.Ended.IsZero():
			b.a.Ended = b.watch.last
		}
	}
	return nil
}

func ended(p round.Phase) bool {
	return p == round.PhaseDone || p == round.PhaseAborted || p == round.PhaseFellBack
}

func (b *builder) build() {
	a := b.a
	a.Phase, a.Paused, a.Trouble = b.state.Phase, b.state.Paused, b.state.Trouble
	if open := b.state.Open(); open != nil {
		a.Open = open
	}
	until := a.Now
	if !a.Ended.IsZero() {
		until = a.Ended
	}
	a.Elapsed = max(0, until.Sub(a.Round.Began))
	a.Freeze, a.Freezes, a.Frozen = b.watch.frozen(a.Now, a.Signs)
	b.estimates()
	b.steps()
	b.times()
	a.Turning = b.turning()
	a.Waits = append(a.Waits, b.waits()...)
}

// estimates takes what the past says into the plan's order.
func (b *builder) estimates() {
	forward, backward := b.learned.forward(&b.a.Round), b.learned.backward(&b.a.Round)
	for i := range b.tasks {
		b.expected = append(b.expected, forward[b.tasks[i].Step.ID])
		b.undos = append(b.undos, backward[b.tasks[i].Step.ID])
	}
}

// steps fills in what has been.
func (b *builder) steps() {
	for i := range b.tasks {
		t := &b.tasks[i]
		track := b.watch.tracks[t.Step.ID]
		s := Step{
			Task: *t, State: *b.state.Steps[t.Step.ID], Ended: track.ended, Took: track.took(b.a.Now), Waited: track.waits(b.a.Now),
			Expected: b.expected[i], Unrehearsed: leftOut(&b.a.Round, t),
		}
		if n := len(track.laps); n > 0 {
			s.Began = track.laps[n-1].from
		}
		b.a.Steps = append(b.a.Steps, s)
	}
}

// since is the time from the round's beginning.
func (b *builder) since(t time.Time) time.Duration { return max(0, t.Sub(b.a.Round.Began)) }

// times fills in when steps run, by what is known now and by the plan.
func (b *builder) times() {
	a, now := b.a, b.since(b.a.Now)
	planned := b.planned()
	jobs := b.jobs(now)
	forward := a.Phase == round.PhaseRunning || a.Phase == round.PhaseAsking
	if forward {
		a.Left = b.graph.simulate(jobs, b.expected, now)
		a.Drift = b.graph.schedule(jobs, now) - b.end(planned)
	}
	if a.Phase == round.PhaseDone {
		a.Drift = a.Elapsed - b.end(planned)
	}
	if !b.anything() {
		a.Drift = 0 // from a plan that knew nothing
	}
	took := make([]time.Duration, len(jobs))
	for i := range jobs {
		j, s := &jobs[i], &a.Steps[i]
		s.PlannedStart, s.PlannedEnd = planned[i].start, planned[i].end
		s.Start, s.End = s.PlannedStart, s.PlannedEnd
		if forward || j.over || j.runs {
			s.Start, s.End = j.start, j.end
		}
		took[i] = s.End - s.Start
		if forward && !j.over && !s.Expected.Known() && !s.Unrehearsed {
			a.Unknown = append(a.Unknown, s.Task.Step.ID)
		}
	}
	critical, _ := b.graph.critical(took)
	for i := range critical {
		a.Steps[i].Critical = critical[i]
	}
	if a.Phase == round.PhaseAborting || a.Phase == round.PhaseFallingBack {
		a.Left, _ = b.back(b.state, now)
	}
}

func (b *builder) anything() bool {
	return slices.ContainsFunc(b.expected, func(e Estimate) bool { return e.From > 0 })
}

func (b *builder) end(jobs []job) (end time.Duration) {
	for i := range jobs {
		end = max(end, jobs[i].end)
	}
	return end
}

// planned is the schedule of before the round began. A step of which nobody knew how long it takes has, as far as it goes, taken what was planned: it is not
// late.
func (b *builder) planned() []job {
	jobs := make([]job, len(b.tasks))
	for i := range jobs {
		jobs[i].took = b.expected[i].Expected
		if from, to, _ := b.forward(i); !b.expected[i].Known() && !from.IsZero() {
			jobs[i].took = later(from, to).Sub(from)
		}
	}
	b.graph.schedule(jobs, 0)
	return jobs
}

// forward returns when a step first began and when it ended, or now if it goes on, and whether it is over.
func (b *builder) forward(i int) (from, to time.Time, over bool) {
	id := b.tasks[i].Step.ID
	track := b.watch.tracks[id]
	from, to = track.forward()
	st := b.state.Steps[id]
	switch {
	case st.Status == round.StatusSkipped:
		to = track.ended
		if from.IsZero() {
			from = to
		}
		return from, to, true
	case from.IsZero():
		return from, to, st.Status == round.StatusDone || st.Status == round.StatusUndone
	case to.IsZero():
		return from, b.a.Now, false
	case st.Status == round.StatusFailed:
		return from, to, b.tasks[i].Step.Kind == round.KindMessage
	default:
		return from, to, st.Status != round.StatusWaiting
	}
}

// jobs are the steps as they stand: what is over, what runs, and until when by its estimate, and what is to come.
func (b *builder) jobs(now time.Duration) []job {
	jobs := make([]job, len(b.tasks))
	for i := range jobs {
		j := &jobs[i]
		from, to, over := b.forward(i)
		switch st := b.state.Steps[b.tasks[i].Step.ID].Status; {
		case over:
			j.over, j.start, j.end = true, b.since(from), b.since(to)
		case st == round.StatusRunning || st == round.StatusUnsure:
			lap := b.watch.tracks[b.tasks[i].Step.ID].running()
			if lap == nil { // it cannot be, and would be no reason to fail
				continue
			}
			j.runs, j.start = true, b.since(lap.from)
			j.end = j.start + b.expected[i].at(0, now-j.start)
		default:
			j.took = b.expected[i].Expected
		}
	}
	return jobs
}
