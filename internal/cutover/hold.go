package cutover

import (
	"context"
	"fmt"
	"maps"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/journal"
)

// fence raises the fence. Where the attempt is another process's, both sides are brought to be equal behind it.
func (r *run) fence(ctx context.Context, w *Way) error {
	if err := w.Fence.Raise(ctx, change.Token(r.claim.Epoch)); err != nil || !r.policy.Keep {
		return err
	}
	if err := r.Keep(ctx); err != nil {
		return err
	}
	r.policy.Keep = false // from now on it is this process's
	return nil
}

// hold looks, behind the word, whether the fence has held meanwhile: a fence that stands now, with nothing of the application in the log behind what
// was drained, is what the switch rests on.
func (r *run) hold(ctx context.Context, w *Way) (any, error) {
	p, err := w.Fence.Prove(ctx, change.Token(r.claim.Epoch))
	if err == nil {
		err = w.Drain.Still(ctx, p)
	}
	return at{p}, err
}

// await waits for the word that the switch may come, and for its turn.
func (r *run) await(ctx context.Context) error {
	s := r.state
	s.Steps = maps.Clone(s.Steps)
	within, cancel := r.within(ctx, journal.StepHold)
	defer cancel()
	err := r.asking(within, func(ctx context.Context) error {
		err := r.Hold(ctx, s)
		if err == nil {
			r.policy.Stay = r.stays()
			err = context.Cause(ctx) // the word came too late
		}
		return err
	})
	if r.policy.Decided = err == nil && r.policy.Stay; r.policy.Decided && r.Turn != nil {
		err = r.asking(ctx, r.Turn)
	}
	r.went = err == nil
	return err
}

// asking lets fn wait until there is an answer, and ends the wait when it must not come any more.
func (r *run) asking(ctx context.Context, fn func(context.Context) error) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	set := func(f context.CancelCauseFunc) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.unhold = f
	}
	set(end)
	defer set(nil)
	return fn(ctx)
}

// stays reports whether the fence stays up when something fails once others may have opened. In a rehearsal none does.
func (r *run) stays() bool { return r.Stay && !r.Rehearse }

// release ends a wait for a word.
func (r *run) release(why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.unhold != nil {
		r.unhold(why)
	}
}

// stay ends the run with the fence up.
func (r *run) stay(ctx context.Context, class fault.Class, err error) error {
	return r.end(ctx, fault.New(class, r.op(), fmt.Errorf("writes are still stopped, and both sides are closed: %w", err),
		"go on from there, or undo it with: bascule db cutover --abort"))
}
