package drive

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/outside"
	"github.com/bascule/bascule/internal/round/store"
)

// World carries out commands and webhooks. *outside.Outside does.
type World interface {
	Do(ctx context.Context, what string, c outside.Call) (string, error)
	Check(ctx context.Context, what string, c outside.Call) (bool, string, error)
	Until(ctx context.Context, what string, c outside.Call, every time.Duration) (string, error)
}

// every is how often a condition is looked at that does not say.
const every = 5 * time.Second

// call is what a step tells the outside world.
func call(w *Work, verb string) outside.Call {
	return outside.Call{
		Round: w.Round.ID, Environment: w.Round.Environment, Step: string(w.Task.Step.ID), Verb: verb, Attempt: w.Attempt, Epoch: w.Epoch, Key: w.Key(),
		Rehearsal: w.Round.Kind != store.Live, Database: w.Task.Step.Database,
	}
}

// Hook is the hand of hooks.
type Hook struct{ World World }

// Do implements Hand. What its check says is done already is not done again.
func (h Hook) Do(ctx context.Context, w *Work) (string, error) {
	if w.Verb == round.UndoStep {
		return h.World.Do(ctx, w.Task.Back, call(w, outside.VerbUndo))
	}
	if w.Task.Check != "" {
		done, said, err := h.World.Check(ctx, w.Task.Check, call(w, outside.VerbCheck))
		if err != nil {
			return "", fmt.Errorf("look whether it is done already: %w", err)
		}
		if done {
			return "it was done already: " + said, nil
		}
	}
	said, err := h.World.Do(ctx, w.Task.Do, call(w, outside.VerbDo))
	if err != nil || w.Task.Check == "" {
		return said, err
	}
	done, saw, err := h.World.Check(ctx, w.Task.Check, call(w, outside.VerbCheck))
	switch {
	case err != nil:
		return said, fmt.Errorf("it has run, and its check cannot tell whether it is done: %w", err)
	case !done:
		return said, fmt.Errorf("it has run, and its check says that it is not done: %s", saw)
	}
	return said, nil
}

// Check implements Hand. Without a check nobody can tell; what a rehearsal does may be done again.
func (h Hook) Check(ctx context.Context, w *Work) (Found, string, error) {
	if w.Task.Check == "" && w.Round.Kind != store.Live {
		return FoundAbsent, "", nil
	}
	if w.Task.Check == "" {
		return FoundUnknown, "", nil
	}
	done, said, err := h.World.Check(ctx, w.Task.Check, call(w, outside.VerbCheck))
	if err != nil {
		return FoundUnknown, "", err
	}
	if done == (w.Verb == round.Do) {
		return FoundDone, said, nil
	}
	return FoundAbsent, said, nil
}

// Traffic is the hand of traffic: a hook that is called once for each share.
type Traffic struct{ Hook }

// Do implements Hand. It may be begun again: each share is set, not added.
func (t Traffic) Do(ctx context.Context, w *Work) (string, error) {
	if w.Verb != round.Do || len(w.Task.Weights) == 0 {
		return t.Hook.Do(ctx, w)
	}
	var said string
	for i, weight := range w.Task.Weights {
		c := call(w, outside.VerbDo)
		c.Weight, c.Key = weight, fmt.Sprintf("%s/%d", c.Key, weight)
		var err error
		if said, err = t.World.Do(ctx, w.Task.Do, c); err != nil {
			return said, fmt.Errorf("at %d %%: %w", weight, err)
		}
		if i < len(w.Task.Weights)-1 {
			if wait(ctx, w.Task.Pause); ctx.Err() != nil {
				return said, context.Cause(ctx)
			}
		}
	}
	return said, nil
}

// Check implements Hand.
func (t Traffic) Check(ctx context.Context, w *Work) (Found, string, error) {
	if found, said, err := t.Hook.Check(ctx, w); err != nil || found != FoundUnknown {
		return found, said, err
	}
	return FoundAbsent, "shares are set anew", nil
}

// Wait is the hand of waits: until a condition holds, or for a time.
type Wait struct {
	World World
	Now   func() time.Time
}

// Do implements Hand. A soak that goes on under another driver ends when it would have ended anyway.
func (h Wait) Do(ctx context.Context, w *Work) (string, error) {
	if w.Verb != round.Do {
		return "", nil
	}
	if w.Task.For > 0 {
		left := w.Task.For - h.Now().Sub(w.Since)
		if wait(ctx, left); ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		return fmt.Sprintf("%s have passed", w.Task.For), nil
	}
	return h.World.Until(ctx, w.Task.Do, call(w, outside.VerbCheck), or(w.Task.Every, every))
}

// Check implements Hand. To wait again harms nobody.
func (Wait) Check(context.Context, *Work) (Found, string, error) { return FoundAbsent, "", nil }

func or(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// Criteria measures what a gate asks of databases.
type Criteria interface {
	// Open says in a line what was seen of every gate of every database of the round, and whether all are open.
	Open(ctx context.Context, r *store.Round) (open bool, saw string, err error)
}

// Gate is the hand of gates: it looks again and again until the criteria hold.
type Gate struct {
	World    World
	Criteria Criteria
	// Saw is told what stands in the way, whenever that was looked at; nil for nobody.
	Saw func(step round.StepID, what string)
}

// Do implements Hand.
func (g Gate) Do(ctx context.Context, w *Work) (string, error) {
	for {
		open, saw, err := g.look(ctx, w)
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		if err == nil && open {
			return saw, nil
		}
		if err != nil {
			saw = "cannot be measured: " + text(err)
		}
		if g.Saw != nil {
			g.Saw(w.Task.Step.ID, saw)
		}
		wait(ctx, or(w.Task.Every, every))
	}
}

func (g Gate) look(ctx context.Context, w *Work) (open bool, saw string, err error) {
	open, saw = true, "it has no criteria but people"
	if w.Task.Criteria == round.CriteriaDatabases {
		if g.Criteria == nil {
			return false, "", errors.New("nothing here can measure databases")
		}
		if open, saw, err = g.Criteria.Open(ctx, w.Round); err != nil || !open {
			return false, saw, err
		}
	}
	if w.Task.Check == "" {
		return open, saw, nil
	}
	open, said, err := g.World.Check(ctx, w.Task.Check, call(w, outside.VerbCheck))
	return open, said, err
}

// Check implements Hand.
func (Gate) Check(context.Context, *Work) (Found, string, error) { return FoundAbsent, "", nil }

// Poster sends messages. *outside.Notify does.
type Poster interface {
	Send(ctx context.Context, m outside.Message) error
}

// Message is the hand of messages.
type Message struct {
	Poster Poster
	// Head returns the hash of a round's last entry, which messages carry, so that it is known elsewhere.
	Head func(ctx context.Context, id string) (string, error)
	Now  func() time.Time
}

// Do implements Hand.
func (m Message) Do(ctx context.Context, w *Work) (string, error) {
	if w.Verb != round.Do {
		return "", nil
	}
	head, err := m.Head(ctx, w.Round.ID)
	if err != nil {
		return "", err
	}
	err = m.Poster.Send(ctx, outside.Message{
		Title: w.Task.Title, Text: w.Task.Do, Round: w.Round.ID, Environment: w.Round.Environment, Step: string(w.Task.Step.ID), Head: head, At: m.Now(),
	})
	return "", err
}

// Check implements Hand. A message that may have been sent is not sent again.
func (Message) Check(context.Context, *Work) (Found, string, error) {
	return FoundDone, "it may have been sent: its driver died meanwhile", nil
}
