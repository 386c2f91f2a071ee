package cutover

import (
	"context"
	"fmt"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
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

// hold waits for the word that the switch may come, and then looks whether the fence has held meanwhile: a fence that stands now, with nothing of the
// application in the log behind what was drained, is what the switch rests on.
func (r *run) hold(ctx context.Context, w *Way) (any, error) {
	if !r.went {
		if err := r.await(ctx); err != nil {
			return nil, err
		}
		r.went, r.policy.Stay = true, r.Stay
	}
	p, err := w.Fence.Prove(ctx, change.Token(r.claim.Epoch))
	if err == nil {
		err = w.Drain.Still(ctx, p)
	}
	return at{p}, err
}

// await asks whether the switch may come, and ends the wait when it must not any more.
func (r *run) await(ctx context.Context) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	set := func(f context.CancelCauseFunc) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.unhold = f
	}
	set(end)
	defer set(nil)
	if err := r.Hold(ctx, r.state); err != nil {
		return err
	}
	return context.Cause(ctx) // a word that came too late
}

// release ends a hold that is under way.
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
