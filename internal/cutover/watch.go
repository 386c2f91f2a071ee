package cutover

import (
	"context"

	"github.com/bascule/bascule/internal/event"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/journal"
)

// Watch is the second process: when a driver leaves its claim to run out with something open, it takes over, and undoes the attempt or,
// after the switch, completes it. It returns when ctx ends. acted, if set, sees how each takeover ended.
func (d *Driver) Watch(ctx context.Context, acted func(State, error)) error {
	clock, lost := d.clock(), false
	for {
		s, log, err := d.watch(ctx)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil && fault.ClassOf(err) != fault.Connect:
			return err
		case err != nil:
			if !lost {
				d.emit(event.Retried{What: "the cutover journal", Error: err.Error(), After: pause})
			}
			lost = true
		case abandoned(&s, log):
			lost = false
			s, err := d.drive(ctx, ToRest, log.Driver.Who+" stopped answering; "+d.Who+" took over")
			if acted != nil && (err == nil || fault.ClassOf(err) != fault.Busy) {
				acted(s, err)
			}
		default:
			lost = false
		}
		if err := clock.Sleep(ctx, d.lease()/5); err != nil {
			return err
		}
	}
}

// watch says that this process watches, and looks.
func (d *Driver) watch(ctx context.Context) (State, *journal.Log, error) {
	ctx, cancel := d.clock().WithTimeout(ctx, d.lease())
	defer cancel()
	if err := d.Journal.Watch(ctx, d.Who, d.lease()); err != nil {
		return State{}, nil, err
	}
	return d.Look(ctx)
}

// abandoned reports whether something is open and its driver has neither said that a person has to look nor given a sign of life.
func abandoned(s *State, log *journal.Log) bool {
	open := s.Phase == Running || s.Phase == Undoing || s.Phase == Switched || s.Phase == Finishing
	return open && log.Driver.Who != "" && !log.Driven()
}
