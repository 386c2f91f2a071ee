package drive

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/bascule/bascule/internal/round"
)

// unclear is how often in a row a watch may fail to tell before that counts as a breach.
const unclear = 3

// watches looks at the round's watches, and tells breaches.
func (x *run) watches(ctx context.Context) <-chan round.Event {
	breaches := make(chan round.Event)
	for i := range x.round.Script.Watches {
		w := &x.round.Script.Watches[i]
		if x.Watch != nil {
			go x.look(ctx, w, breaches)
		}
	}
	return breaches
}

// look looks at one watch as long as ctx lives. A watch that fails to tell is a breach too: what is not known is not well.
func (x *run) look(ctx context.Context, w *round.Watch, breaches chan<- round.Event) {
	task := &round.Task{Step: round.Step{ID: round.StepID(w.Name)}, Title: w.Name, Check: w.Check}
	for failed := 0; ctx.Err() == nil; wait(ctx, max(w.Every, time.Second)) {
		if !x.active.due(w) {
			failed = 0
			continue
		}
		found, said, err := x.Watch.Check(ctx, &Work{Round: x.round, Task: task, Verb: round.Do, Epoch: x.epoch})
		var why string
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			if failed++; failed < unclear {
				continue
			}
			why = fmt.Sprintf("%s cannot be told: %v", w.Name, err)
		case found == FoundDone:
			failed = 0
			continue
		default:
			why = fmt.Sprintf("%s does not hold: %s", w.Name, said)
		}
		select {
		case breaches <- round.Event{What: round.Breached, Reason: why}:
			return // it has said what it had to
		case <-ctx.Done():
		}
	}
}

// actives says which watches are due: the loop writes it and the watches read it.
type actives struct {
	at atomic.Pointer[map[string]bool]
}

func (a *actives) due(w *round.Watch) bool {
	m := a.at.Load()
	return m != nil && (*m)[w.Name]
}

// activate says which watches are due by the state.
func (x *run) activate() {
	m := map[string]bool{}
	for _, w := range x.round.Script.Watches {
		from, until := x.state.Steps[w.From], x.state.Steps[w.Until]
		begun := from == nil || from.Status != round.StatusWaiting
		over := until != nil && (until.Status == round.StatusDone || until.Status == round.StatusSkipped)
		m[w.Name] = begun && !over && x.state.Phase == round.PhaseRunning
	}
	x.active.at.Store(&m)
}
