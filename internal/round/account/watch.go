package account

import (
	"time"

	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/store"
)

// lap is one attempt at a step, or at its undo. Its end is zero while it runs.
type lap struct {
	from, to time.Time
	back     bool // it is an undo
	closing  bool // it is the first half of the undo of an opening
	lost     bool // its driver died, so that its length says nothing
	ok       bool // it did what it should
}

// length is how long a lap took, or has taken until now.
func (l *lap) length(now time.Time) time.Duration {
	if l.to.IsZero() {
		return max(0, now.Sub(l.from))
	}
	return l.to.Sub(l.from)
}

// track is when a step ran.
type track struct {
	laps []lap
	// ended is when what it is now came to be: done, failed, skipped, undone.
	ended time.Time
	// waiting is when a person was waited for; since, if not zero, since when one is.
	waiting  []span
	since    time.Time
	measured bool
	votes    int
}

// watch takes the times from a journal. It knows the meaning of events, and trusts that they were possible: whoever must not, applies them to a state too.
type watch struct {
	steps  map[round.StepID]*round.Task
	tracks map[round.StepID]*track
	ice    map[string]*ice
	// last is the time of the last entry, or the round's beginning. A clock that jumps back stands still here, so that nothing takes less than no time.
	last time.Time
}

func newWatch(r *store.Round) *watch {
	w := &watch{steps: map[round.StepID]*round.Task{}, tracks: map[round.StepID]*track{}, ice: map[string]*ice{}, last: r.Began}
	for i := range r.Script.Tasks {
		t := &r.Script.Tasks[i]
		w.steps[t.Step.ID], w.tracks[t.Step.ID] = t, &track{}
	}
	return w
}

// watched reads a whole journal.
func watched(p *Past) *watch {
	w := newWatch(&p.Round)
	for i := range p.Entries {
		w.see(&p.Entries[i])
	}
	return w
}

func (w *watch) see(e *store.Entry) {
	if e.At.After(w.last) {
		w.last = e.At
	}
	task := w.steps[e.Event.Step]
	if task == nil {
		return
	}
	w.tracks[e.Event.Step].see(&task.Step, &e.Event, w.last)
	w.freeze(&task.Step, &e.Event)
}

func (t *track) see(step *round.Step, e *round.Event, at time.Time) {
	switch e.What {
	case round.Started:
		t.begin(step, at, false)
	case round.UndoBegun:
		t.begin(step, at, true)
	case round.Done:
		if step.Kind == round.KindGate {
			t.measured = true
			t.pass(step, at)
			return
		}
		t.end(at, true)
	case round.Go:
		t.votes++
		t.pass(step, at)
	case round.Failed, round.NoGo, round.UndoFailed, round.Absent:
		t.end(at, false)
	case round.Retried: // of what nobody knows about, it says that it did nothing
		if l := t.running(); l != nil {
			t.end(at, false)
		}
	case round.Undone, round.ClosedBack:
		if l := t.running(); l != nil {
			l.closing = e.What == round.ClosedBack
		}
		t.end(at, true)
	case round.Skipped:
		t.ended = at
	case round.Slipped:
		if n := len(t.laps); n > 0 {
			t.laps[n-1].ok = false
		}
	case round.Lost:
		if l := t.running(); l != nil {
			l.lost = true
		}
	default: // the rest takes no time
	}
}

func (t *track) begin(step *round.Step, at time.Time, back bool) {
	t.laps, t.ended = append(t.laps, lap{from: at, back: back}), time.Time{}
	t.measured, t.votes = false, 0
	if step.Kind == round.KindManual {
		t.since = at
	}
}

// pass ends a gate whose criteria hold and whose people agree. From when only they are missing, they are waited for.
func (t *track) pass(step *round.Step, at time.Time) {
	switch {
	case !t.measured:
	case t.votes >= step.Quorum:
		t.end(at, true)
	case t.since.IsZero():
		t.since = at
	}
}

func (t *track) end(at time.Time, ok bool) {
	if l := t.running(); l != nil {
		l.to, l.ok, t.ended = at, ok, at
	}
	if !t.since.IsZero() {
		t.waiting = append(t.waiting, span{t.since, at})
	}
	t.since, t.measured, t.votes = time.Time{}, false, 0
}

// running is the lap that has not ended, or nil.
func (t *track) running() *lap {
	if n := len(t.laps); n > 0 && t.laps[n-1].to.IsZero() {
		return &t.laps[n-1]
	}
	return nil
}

// took is how long a step ran, over all laps.
func (t *track) took(now time.Time) (sum time.Duration) {
	for i := range t.laps {
		sum += t.laps[i].length(now)
	}
	return sum
}

// waits is for how long a person was waited for.
func (t *track) waits(now time.Time) (sum time.Duration) {
	for _, s := range t.waiting {
		sum += s.to.Sub(s.from)
	}
	if !t.since.IsZero() {
		sum += max(0, now.Sub(t.since))
	}
	return sum
}

// forward returns when a step first began, and when what it has come to by doing, not undoing, ended: zero while it runs, or has not.
func (t *track) forward() (from, to time.Time) {
	for i := range t.laps {
		if l := &t.laps[i]; !l.back {
			if from.IsZero() {
				from = l.from
			}
			to = l.to
		}
	}
	return from, to
}

// sample is how long a step took when it succeeded, as something to learn from: the last lap that did, unless its driver died meanwhile.
func (t *track) sample() (time.Duration, bool) {
	for i := len(t.laps) - 1; i >= 0; i-- {
		if l := &t.laps[i]; !l.back && l.ok {
			return l.length(l.to), !l.lost
		}
	}
	return 0, false
}

// undoSample is the same of its undo. An opening is undone in two halves, which count together.
func (t *track) undoSample() (sum time.Duration, ok bool) {
	for i := range t.laps {
		l := &t.laps[i]
		if !l.back || !l.ok {
			continue
		}
		if l.lost {
			return 0, false
		}
		sum += l.length(l.to)
		ok = ok || !l.closing
	}
	return sum, ok
}
