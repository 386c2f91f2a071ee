package cutover

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/bascule/bascule/internal/event"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/journal"
)

const (
	// DefaultBudget is for how long writes may be stopped before the switch.
	DefaultBudget = 30 * time.Second
	// DefaultLease is for how long a driver answers without another sign of life.
	DefaultLease = 10 * time.Second
	// DefaultPatience is how long what has to be done at the end (undo, the steps behind the switch, a last look at the journal) is tried.
	DefaultPatience = time.Minute

	// pause lies between two attempts at the same thing.
	pause = 100 * time.Millisecond
	// longPause is the longest that a lost journal is not asked.
	longPause = 2 * time.Second
)

// Driver carries a cutover out. It has no memory of its own: everything it decides on is in the journal. Journal, Forward, Who and
// ID are required; Back for a fallback, Finisher for the finish.
type Driver struct {
	Journal  journal.Store
	Forward  *Way
	Back     *Way
	Finisher Finisher
	// Who names this process for people: USER@HOST, process 4711. ID is drawn anew for each process.
	Who, ID string
	// Budget, Lease and Patience: 0 means the defaults.
	Budget, Lease, Patience time.Duration
	// Rehearse does everything before the switch and then undoes it; writes are stopped meanwhile.
	Rehearse bool
	// Hold, if set, is asked with everything before the switch done whether the switch may come, and answers when it knows: nil lets it come.
	// After an error the attempt is undone. s is what the journal holds. While it waits the claim is renewed and the budget counts on; its context
	// ends when the budget is used up, when another process has taken over or soon may, and when the run is cancelled. It is asked once in an
	// attempt.
	Hold func(ctx context.Context, s State) error
	// Keep, if set, goes on from the fence of an attempt that another process has left with its fence up. It is called when the fence is surely
	// raised and the target passive, and has to bring both sides to be equal again and to prove it: what the other process knew of that is lost.
	// The budget counts anew from the take-over, and Keep is within it.
	Keep func(ctx context.Context) error
	// Stay leaves the fence up, and the journal at that, when something fails between the word of Hold and the switch, or after Keep's take-over:
	// whether to go on or to undo is for a person to say, since other databases may have opened meanwhile. An error of Hold that wraps ErrDeclined is
	// such a word. The budget is over with a word that comes in time: to wait for a person would take longer.
	Stay bool
	// Turn, if set beside Hold and Stay, is asked when Hold has let the switch come, and answers when it is this database's turn. Nothing but an error that
	// wraps ErrDeclined undoes the attempt any more. Its context ends as Hold's does, but for the budget.
	Turn   func(ctx context.Context) error
	Events event.Sink
	// Clock, if nil, is the machine's.
	Clock Clock

	rules *rules            // nil: standard
	spawn func(func()) Wait // nil: a goroutine
}

// Wait returns when what was spawned has ended.
type Wait func()

// ErrDeclined is wrapped by the error of a Hold that says that the switch may not come: the attempt is undone, also where Driver.Stay is set.
var ErrDeclined = errors.New("the switch may not come")

// SwitchUnknownError says that nobody knows whether the switch is durable, because the journal could not be read since. Both sides are
// as they were: the one that was left is fenced. It must not be answered by trying again blindly.
type SwitchUnknownError struct {
	// Cause is why the journal cannot be read.
	Cause error
}

// Error says what is unknown.
func (e *SwitchUnknownError) Error() string {
	return "nobody knows whether the switch is durable: " + e.Cause.Error()
}

// Unwrap returns why.
func (e *SwitchUnknownError) Unwrap() error { return e.Cause }

// Look returns what the journal says, and who drives or watches.
func (d *Driver) Look(ctx context.Context) (State, *journal.Log, error) {
	log, err := d.Journal.Read(ctx)
	if err != nil {
		return State{}, nil, err
	}
	s, err := d.fold(log)
	return s, log, err
}

// Gates looks at the gates of a direction. It changes nothing.
func (d *Driver) Gates(ctx context.Context, g Goal) ([]Gate, error) {
	return d.way(g.Direction()).Gates.Look(ctx)
}

// Run brings the application where the goal says, or nothing about it changes. It returns the state that it leaves behind; with
// an error also why that is not the one that was wanted. A person who interrupts it before the switch makes it undo.
func (d *Driver) Run(ctx context.Context, g Goal) (State, error) {
	return d.drive(ctx, g, "")
}

// Abort leaves nothing open: before the switch an attempt is undone, after it the attempt is completed.
func (d *Driver) Abort(ctx context.Context) (State, error) {
	return d.drive(ctx, ToRest, "asked for by "+d.Who)
}

func (d *Driver) fold(log *journal.Log) (State, error) { return d.machine().fold(log.Entries) }

func (d *Driver) machine() *rules {
	if d.rules != nil {
		return d.rules
	}
	return standard
}

func (d *Driver) way(dir journal.Direction) *Way {
	if dir == journal.Back {
		return d.Back
	}
	return d.Forward
}

func (d *Driver) emit(e event.Event) {
	if d.Events != nil {
		d.Events(e)
	}
}

func (d *Driver) clock() Clock {
	if d.Clock != nil {
		return d.Clock
	}
	return system{}
}

func or(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

func (d *Driver) lease() time.Duration    { return or(d.Lease, DefaultLease) }
func (d *Driver) patience() time.Duration { return or(d.Patience, DefaultPatience) }
func (d *Driver) budget() time.Duration   { return or(d.Budget, DefaultBudget) }

// run is one run of a driver.
type run struct {
	*Driver
	clock  Clock
	wanted Goal // what was asked for; policy.Goal is what is still wanted
	policy Policy
	claim  journal.Claim
	state  State
	// frozen is when the write freeze began, by this process's clock; zero when there is none. counted is from when on the budget counts.
	frozen, counted time.Time
	told            bool // Frozen was emitted
	went            bool // Hold has let the switch come
	mu              sync.Mutex
	unhold          context.CancelCauseFunc // ends a wait for a word
	// cause is the first thing that went wrong.
	cause error
}

func (d *Driver) drive(ctx context.Context, g Goal, why string) (State, error) {
	r := &run{Driver: d, clock: d.clock(), wanted: g, policy: Policy{Goal: g, Budget: d.budget(), Rehearse: d.Rehearse, Hold: d.Hold != nil, Why: why}}
	log, err := d.Journal.Read(ctx)
	if err != nil {
		return State{}, err
	}
	if r.state, err = d.fold(log); err != nil {
		return r.state, err
	}
	if a := d.machine().next(r.state, r.policy); a.Kind == Rest && !log.Driven() {
		return r.state, nil
	}
	if err := r.take(ctx, log); err != nil {
		return r.state, err
	}
	if d.Keep != nil && r.state.Phase == Running && r.state.Fenced() && r.state.Direction == g.Direction() {
		r.policy.Keep, r.policy.Stay, r.counted = true, r.stays(), r.clock.Now()
	}
	if a := d.machine().next(r.state, r.policy); a.Kind == Do && g.Direction() != "" && !log.Watched() {
		d.emit(event.Unwatched{})
	}
	ctx, stop := r.keep(ctx)
	defer stop()
	return r.state, r.loop(ctx)
}

// loop does what the machine says until there is nothing to do.
func (r *run) loop(ctx context.Context) error {
	for {
		if !r.counted.IsZero() {
			r.policy.Frozen = r.clock.Now().Sub(r.counted)
		}
		a := r.machine().next(r.state, r.policy)
		var err error
		switch a.Kind {
		case Do:
			err = r.do(ctx, a.Step)
		case Undo:
			err = r.undo(ctx, a.Step)
		case Fail:
			if r.wanted != ToRest {
				r.fail(r.why(a))
			}
			err = r.record(ctx, a.Step, journal.MarkFailed, failure{a.Why})
		case Rest:
			return r.end(ctx, nil)
		case Ask:
			if r.policy.Stay && r.state.Fenced() {
				return r.stay(ctx, fault.ClassOf(r.why(a)), r.why(a))
			}
			return r.end(ctx, fault.New(fault.Refused, r.op(), errors.New(a.Why), "see what failed, then run the same command again"))
		}
		if err != nil {
			return err
		}
		r.tell()
	}
}

// ErrRehearsed is why a rehearsal was undone that came as far as the switch: it is what was wanted.
var ErrRehearsed = errors.New("this was a rehearsal: everything before the switch succeeded")

func (r *run) why(a Action) error {
	switch err := errors.New(a.Why); {
	case a.Why == ErrRehearsed.Error():
		return ErrRehearsed
	case a.Over:
		return r.over(err)
	default:
		return err
	}
}

// op is what this run does, for errors.
func (r *run) op() string {
	switch r.policy.Goal {
	case ToNew:
		return "cut over to the new side"
	case ToOld:
		return "fall back to the old side"
	case ToFinish:
		return "finish"
	case ToRest:
		return "bring the cutover to rest"
	}
	return string(r.policy.Goal)
}

// fail remembers why the goal is not reached; from then on nothing is wanted but rest.
func (r *run) fail(err error) {
	if r.cause == nil {
		r.cause = err
	}
	if r.state.Phase == Running && !r.policy.Stay {
		r.policy.Goal, r.policy.Why = ToRest, err.Error()
	}
}

// end gives the claim back and says how it went.
func (r *run) end(ctx context.Context, asked error) error {
	ctx, cancel := r.last(ctx)
	defer cancel()
	// Not to be able to say so is harmless: the claim runs out.
	released := r.Journal.Release(ctx, r.claim)
	switch {
	case r.cause == nil && asked == nil:
		return nil
	case r.state.Phase == Idle && r.state.Why != "" && r.cause != nil:
		return fmt.Errorf("the cutover was undone, the application lives on the %s side: %w", r.state.Live, r.cause)
	case asked != nil && r.cause != nil && !strings.Contains(asked.Error(), r.cause.Error()):
		return errors.Join(asked, r.cause)
	case asked != nil:
		return asked
	}
	return errors.Join(r.cause, released)
}

// last is a context for what has to be done also when the run was cancelled.
func (r *run) last(ctx context.Context) (context.Context, context.CancelFunc) {
	return r.clock.WithTimeout(context.WithoutCancel(ctx), r.patience())
}

// tell emits the headline when the freeze is over.
func (r *run) tell() {
	if r.frozen.IsZero() || r.told {
		return
	}
	over := false
	switch r.state.Phase {
	case Idle, Undoing:
		over = !r.state.Steps[journal.StepFence].Touched || r.state.Live == to(r.state.Direction)
	case Switched:
		opened, hooks := r.state.Steps[journal.StepOpen].Mark, r.state.Steps[journal.StepHooks].Mark
		over = opened == journal.MarkDone && (hooks == journal.MarkDone || hooks == journal.MarkFailed)
	case Running, Finishing, Finished:
	}
	if over {
		r.told = true
		r.emit(event.Frozen{Elapsed: r.clock.Now().Sub(r.frozen), Switched: r.state.Phase != Undoing && r.state.Live == to(r.state.Direction)})
	}
}

func evidence(v any) (json.RawMessage, error) {
	if v == nil {
		return nil, nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("write evidence: %w", err)
	}
	return b, nil
}
