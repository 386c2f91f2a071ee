package cutover

import (
	"context"
	"errors"
	"fmt"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/journal"
)

// keep renews the claim until stop is called. The context that it returns ends when another process has taken over. A hold ends before
// another process could do so, too.
func (r *run) keep(ctx context.Context) (context.Context, func()) {
	kctx, cancel := context.WithCancelCause(ctx)
	// A cancelled run still undoes, and answers for the fence meanwhile.
	renewing, end := context.WithCancel(context.WithoutCancel(ctx))
	spawn := r.spawn
	if spawn == nil {
		spawn = goroutine
	}
	renewed := r.clock.Now()
	wait := spawn(func() {
		for r.clock.Sleep(renewing, r.lease()/3) == nil {
			rctx, done := r.clock.WithTimeout(renewing, r.lease()/2)
			err := r.Journal.Renew(rctx, r.ID, r.lease())
			done()
			const op = "renew the claim of the cutover"
			silent := r.clock.Now().Sub(renewed)
			switch {
			case err == nil:
				renewed = r.clock.Now()
			case errors.Is(err, journal.ErrStale):
				cancel(fault.New(fault.Busy, op, err, "bascule db status says who drives now and how far it is"))
				return
			case silent >= r.lease()*2/3:
				r.release(fault.New(fault.Connect, op, fmt.Errorf("the journal was not reached for %s, and another process may take over soon: %w", silent.Round(pause), err),
					"look at the target's server"))
			}
		}
	})
	return kctx, func() {
		end()
		wait()
		cancel(nil)
	}
}

func goroutine(fn func()) Wait {
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn()
	}()
	return func() { <-done }
}
