package drive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/store"
)

// DefaultLease is for how long a driver answers for a round without another sign of life.
const DefaultLease = 15 * time.Second

// patience is how long a driver that stops tries to write down what it knows.
const patience = 30 * time.Second

// Driver drives rounds. Journal, Lease, Hands and Who are required.
type Driver struct {
	Journal Journal
	Lease   Lease
	// Hands are by kind; those of manual steps and of gates without criteria need none.
	Hands map[round.Kind]Hand
	// Keeper, if set, keeps databases current between the steps.
	Keeper Keeper
	// Watch looks at a round's watches; nil when nothing is watched.
	Watch Hand
	// Slips says which databases are not closed any more; nil when nothing can tell. LetGo, if set, ends whatever is still held closed, when the driver
	// stops before the round's end.
	Slips <-chan Slip
	LetGo func(context.Context)
	// Breaches are reasons why something measured is not well; nil when nothing else is measured.
	Breaches <-chan string
	Who      string
	// For is the length of the lease; 0 means DefaultLease.
	For      time.Duration
	Now      func() time.Time
	Observer Observer
}

// errStopped ends work because the round turns back.
var errStopped = errors.New("the round turns back")

// Drive drives a round to its end, or until ctx ends: then what runs is stopped, and what is known is written down, so that another driver can go on. force
// takes the round from a driver whose lease has not run out. It returns the state that the round is left in.
func (d *Driver) Drive(ctx context.Context, r *store.Round, force bool) (*round.State, error) {
	h, err := d.Lease.Claim(ctx, r.ID, d.Who, d.lease(), force)
	if err != nil {
		return nil, claimFault(r, h, err)
	}
	x := &run{
		Driver: d, round: r, epoch: h.Epoch, state: round.New(r.Script.Plan()), plan: r.Script.Plan(),
		running: map[round.StepID]*job{}, results: make(chan result), unknown: map[round.StepID]bool{}, keeps: map[string]*job{}, held: map[round.StepID]bool{},
		since: map[round.StepID]time.Time{}, rest: map[round.StepID]time.Time{},
	}
	ctx, cancel := context.WithCancelCause(ctx)
	renewed := x.renew(ctx, cancel)
	err = x.drive(ctx)
	cancel(nil)
	<-renewed
	if errors.Is(err, store.ErrStale) {
		err = x.superseded()
	} else {
		rctx, done := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer done()
		// Not to be able to say so is harmless: the lease runs out.
		_ = d.Lease.Release(rctx, r.ID, x.epoch)
	}
	return x.state, err
}

func (d *Driver) lease() time.Duration { return cmp.Or(d.For, DefaultLease) }

func (d *Driver) now() time.Time {
	if d.Now == nil {
		return time.Now()
	}
	return d.Now()
}

// claimFault says who drives the round.
func claimFault(r *store.Round, h *store.Holder, err error) error {
	op := fmt.Sprintf("drive round %s", r.ID)
	if errors.Is(err, store.ErrHeld) && h != nil {
		return fault.New(fault.Busy, op, fmt.Errorf("%s drives it since %s, and answers for it until %s", h.Who,
			h.Since.UTC().Format("2006-01-02 15:04:05"), h.Until.UTC().Format("15:04:05 UTC")),
			"ask there; when that process is dead, wait until then, or take the round over at once: bascule round resume "+r.Environment+" --take-over")
	}
	return fault.New(fault.ClassOf(err), op, err, fault.HintOf(err))
}

// superseded is the error of a driver whose lease somebody has taken.
func (x *run) superseded() error {
	return fault.New(fault.Busy, "drive round "+x.round.ID, store.ErrStale, "bascule round status "+x.round.Environment+" says who drives it now")
}

// renew renews the lease until ctx ends. When another driver has claimed the round, ctx ends with ErrStale.
func (x *run) renew(ctx context.Context, cancel context.CancelCauseFunc) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(x.lease() / 3)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			rctx, end := context.WithTimeout(ctx, x.lease()/3)
			err := x.Lease.Renew(rctx, x.round.ID, x.epoch, x.lease())
			end()
			if errors.Is(err, store.ErrStale) {
				cancel(store.ErrStale)
				return
			}
		}
	}()
	return done
}

// run is one run of a driver. One goroutine owns it; jobs answer through results.
type run struct {
	*Driver
	round *store.Round
	plan  *round.Plan
	epoch int64
	state *round.State
	seq   atomic.Int64 // of the last entry that the state holds
	// running are the jobs by step; keeps those that keep databases current.
	running map[round.StepID]*job
	keeps   map[string]*job
	results chan result
	// pending are events that have happened and are not written down.
	pending []round.Event
	// unknown are steps of which a look has told nothing: a person has to say.
	unknown map[round.StepID]bool
	// held are the steps that this process closed; those of others have to be looked at before anything is built on them.
	held map[round.StepID]bool
	// since is when a step was started first, of its attempts that have not failed.
	since map[round.StepID]time.Time
	// rest is until when nobody looks again at what could not be seen.
	rest   map[round.StepID]time.Time
	active actives
	told   string // the last trouble
}

// job is something that runs in a goroutine of its own.
type job struct {
	verb   round.Verb
	cancel context.CancelCauseFunc
	done   chan struct{}
	back   bool // of a keeper: its direction
}

// result is what a job answers.
type result struct {
	step     round.StepID
	verb     round.Verb
	found    Found
	evidence string
	err      error
}
