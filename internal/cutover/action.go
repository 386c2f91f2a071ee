package cutover

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/event"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/journal"
)

// at is the evidence of a step that found a position.
type at struct {
	Position change.Position `json:"position"`
}

// do carries out a step between its entries.
func (r *run) do(ctx context.Context, step journal.Step) error {
	if superseded(ctx) {
		return r.superseded(context.Cause(ctx))
	}
	if r.state.Phase == Idle {
		// What an earlier attempt left behind does not concern this one.
		r.cause, r.frozen, r.counted, r.told, r.went = nil, time.Time{}, time.Time{}, false, false
		r.policy.Stay, r.policy.Decided = false, false
	}
	before, asked := r.claim.Epoch, r.clock.Now()
	if err := r.record(ctx, step, journal.MarkBegun, nil); err != nil || r.claim.Epoch != before {
		return err // what is durable was read anew: the machine decides again
	}
	if step == journal.StepFence && r.frozen.IsZero() {
		r.frozen, r.counted = asked, asked
	}
	dir, began := string(r.state.Direction), r.clock.Now()
	r.emit(event.StepStarted{Direction: dir, Step: string(step)})
	if step == journal.StepSwitch {
		return r.commit(ctx, began)
	}
	found, err := r.act(ctx, step)
	took := r.clock.Now().Sub(began)
	if err != nil {
		r.emit(event.StepFailed{Direction: dir, Step: string(step), Error: err.Error(), Elapsed: took})
		err = fmt.Errorf("%s: %w", step, err)
		if superseded(ctx) {
			return r.superseded(context.Cause(ctx))
		}
		if errors.Is(err, ErrDeclined) {
			r.policy.Stay = false
		}
		if r.policy.Stay && r.state.Phase == Running {
			return r.stay(ctx, fault.ClassOf(err), err)
		}
		r.fail(err)
		return r.record(ctx, step, journal.MarkFailed, failure{err.Error()})
	}
	r.emit(event.StepDone{Direction: dir, Step: string(step), Elapsed: took})
	return r.record(ctx, step, journal.MarkDone, found)
}

// superseded reports whether a context ended because another process has taken over.
func superseded(ctx context.Context) bool { return errors.Is(context.Cause(ctx), journal.ErrStale) }

// commit is the switch. It is tried once: after an error, what is durable decides.
func (r *run) commit(ctx context.Context, began time.Time) error {
	dir := r.state.Direction
	e, err := r.entry(journal.StepSwitch, journal.MarkDone, r.headline())
	if err != nil {
		return err
	}
	fctx, cancel := r.within(ctx, journal.StepSwitch)
	defer cancel()
	if fctx.Err() == nil {
		err = r.Journal.Switch(fctx, r.claim, e)
	} else {
		err = context.Cause(fctx)
	}
	unsure := err
	if err := r.written(ctx, e, err); err != nil {
		return err
	}
	took := r.clock.Now().Sub(began)
	if r.state.Phase == Switched {
		r.emit(event.StepDone{Direction: string(dir), Step: string(journal.StepSwitch), Elapsed: took})
		return nil
	}
	r.emit(event.StepFailed{Direction: string(dir), Step: string(journal.StepSwitch), Error: unsure.Error(), Elapsed: took})
	r.fail(fmt.Errorf("%s: %w", journal.StepSwitch, unsure))
	return nil
}

// headline is the evidence of the switch: what it rests on.
func (r *run) headline() any {
	return struct {
		Drained json.RawMessage `json:"drained,omitempty"`
		Proof   json.RawMessage `json:"proof,omitempty"`
		Back    json.RawMessage `json:"back,omitempty"`
		Frozen  time.Duration   `json:"frozen_ns"`
	}{
		r.state.Steps[journal.StepProve].Evidence, r.state.Steps[journal.StepProof].Evidence, r.state.Steps[journal.StepArm].Evidence,
		r.clock.Now().Sub(r.frozen),
	}
}

// within limits a step: until the switch to what is left of the budget; behind it, whatever the person at the terminal does, to the
// driver's patience, as long as the application waits.
func (r *run) within(ctx context.Context, step journal.Step) (context.Context, context.CancelFunc) {
	switch {
	case frozen(step) && r.policy.Decided:
		return r.clock.WithTimeout(ctx, r.patience())
	case frozen(step) && !r.counted.IsZero():
		return r.clock.WithTimeout(ctx, r.policy.Budget-r.clock.Now().Sub(r.counted))
	case step == journal.StepOpen, step == journal.StepHooks, step == journal.StepDone:
		return r.last(ctx)
	default:
		return context.WithCancel(ctx)
	}
}

// act does what a step is, again while that may help.
func (r *run) act(ctx context.Context, step journal.Step) (any, error) {
	if step == journal.StepHold && !r.went {
		if err := r.await(ctx); err != nil {
			return nil, r.late(err, step)
		}
	}
	ctx, cancel := r.within(ctx, step)
	defer cancel()
	until := r.clock.Now().Add(r.patience())
	for {
		if err := context.Cause(ctx); err != nil {
			return nil, r.late(err, step)
		}
		found, err := r.once(ctx, step)
		if err == nil {
			return found, nil
		}
		again := fault.ClassOf(err) == fault.Connect || fault.ClassOf(err) == fault.Busy && frozen(step)
		if !again || errors.Is(err, journal.ErrStale) || !frozen(step) && r.clock.Now().After(until) {
			return nil, r.late(err, step)
		}
		if cause := r.clock.Sleep(ctx, pause); cause != nil {
			return nil, r.late(err, step)
		}
	}
}

// late says so when it was the budget that ran out.
func (r *run) late(err error, step journal.Step) error {
	if frozen(step) && !r.policy.Decided && !r.counted.IsZero() && r.clock.Now().Sub(r.counted) >= r.policy.Budget {
		return r.over(err)
	}
	return err
}

// over is the error of a budget that is used up.
func (r *run) over(err error) error {
	return fault.New(fault.Resource, "stay within the write freeze", fmt.Errorf("%s were not enough for all steps: %w", r.policy.Budget, err),
		"try again when less is written, or allow more with --freeze")
}

// once does what a step is.
func (r *run) once(ctx context.Context, step journal.Step) (any, error) {
	w, t := r.way(r.state.Direction), change.Token(r.claim.Epoch)
	switch step {
	case journal.StepGates:
		return r.gates(ctx, w)
	case journal.StepArm:
		p, err := w.Reverse.Arm(ctx, t)
		return at{p}, err
	case journal.StepIntent:
		return intent(w), nil
	case journal.StepFence:
		return nil, r.fence(ctx, w)
	case journal.StepProve:
		p, err := w.Fence.Prove(ctx, t)
		return at{p}, err
	case journal.StepDrain:
		p, err := r.position(journal.StepProve)
		if err != nil {
			return nil, err
		}
		return w.Drain.Drain(ctx, p)
	case journal.StepProof:
		return r.prove(ctx, w)
	case journal.StepPrepare:
		return nil, w.Target.Prepare(ctx, t)
	case journal.StepHold:
		return r.hold(ctx, w)
	case journal.StepOpen:
		return nil, w.Opener.Open(ctx, t)
	case journal.StepHooks:
		return r.hooks(ctx, w)
	case journal.StepReverse:
		p, err := r.position(journal.StepArm)
		if err != nil {
			return nil, err
		}
		return at{p}, w.Reverse.Feed(ctx, t, p)
	case journal.StepValidate:
		return nil, w.Target.Validate(ctx, t)
	case journal.StepDone:
		return struct {
			Left []journal.Step `json:"left,omitempty"`
		}{r.machine().left(r.state)}, nil
	case journal.StepFinish:
		return nil, r.Finisher.Finish(ctx, t)
	case journal.StepSwitch: // commit does it
	}
	return nil, fmt.Errorf("step %q is not known", step)
}

// intent is what is recorded before the fence, nothing when there is nothing to say.
func intent(w *Way) any {
	if len(w.Intent) == 0 {
		return nil
	}
	return w.Intent
}

// position reads the position that an earlier step found.
func (r *run) position(step journal.Step) (change.Position, error) {
	var a at
	if err := json.Unmarshal(r.state.Steps[step].Evidence, &a); err != nil || a.Position == "" {
		return "", errors.Join(fmt.Errorf("the journal holds no position of step %s", step), err)
	}
	return a.Position, nil
}

func (r *run) gates(ctx context.Context, w *Way) (any, error) {
	gates, err := w.Gates.Look(ctx)
	if err != nil {
		return nil, err
	}
	var shut, do []string
	for _, g := range gates {
		if !g.Open {
			shut = append(shut, fmt.Sprintf("%s: %s, wanted: %s", g.Name, g.Saw, g.Wants))
			do = append(do, g.Do)
		}
	}
	if len(shut) > 0 {
		return nil, fault.New(fault.Refused, r.op(), fmt.Errorf("%d of %d gates are shut: %s", len(shut), len(gates), strings.Join(shut, "; ")), strings.Join(do, "; "))
	}
	return struct {
		Gates []Gate `json:"gates"`
	}{gates}, nil
}

func (r *run) prove(ctx context.Context, w *Way) (any, error) {
	p, err := w.Proof.Prove(ctx)
	if err == nil && p.Differences > 0 {
		err = fault.New(fault.Difference, "prove that both sides are equal", fmt.Errorf("%d of %d rows that changed last differ", p.Differences, p.Keys),
			"bascule db verify --live shows which; the cutover can be tried again when they agree")
	}
	return p, err
}

// hooks calls every hook, also when one fails.
func (r *run) hooks(ctx context.Context, w *Way) (any, error) {
	m := Moved{
		Direction: r.state.Direction, Live: r.state.Live, Switched: r.state.Steps[journal.StepSwitch].Ended.UTC(),
		Key: fmt.Sprintf("%s-%d", r.state.Direction, r.state.Attempt),
	}
	var errs []error
	var called []string
	for _, h := range w.Hooks {
		if err := h.Run(ctx, m); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", h, err))
		}
		called = append(called, h.String())
	}
	return struct {
		Called []string `json:"called"`
	}{called}, errors.Join(errs...)
}

// undo takes a step back. It goes on when the run was cancelled.
func (r *run) undo(ctx context.Context, step journal.Step) error {
	if superseded(ctx) {
		return r.superseded(context.Cause(ctx))
	}
	uctx, cancel := r.last(ctx)
	defer cancel()
	dir, began := string(r.state.Direction), r.clock.Now()
	r.emit(event.StepStarted{Direction: dir, Step: string(step), Undo: true})
	for {
		err := r.reverse(uctx, step)
		took := r.clock.Now().Sub(began)
		if err == nil {
			r.emit(event.StepDone{Direction: dir, Step: string(step), Undo: true, Elapsed: took})
			return r.record(ctx, step, journal.MarkUndone, nil)
		}
		again := fault.ClassOf(err) == fault.Connect || fault.ClassOf(err) == fault.Busy
		if !errors.Is(err, journal.ErrStale) && again && r.clock.Sleep(uctx, pause) == nil {
			continue
		}
		r.emit(event.StepFailed{Direction: dir, Step: string(step), Undo: true, Error: err.Error(), Elapsed: took})
		if errors.Is(err, journal.ErrStale) {
			return r.superseded(err)
		}
		text := fmt.Errorf("undo %s: %w", step, err)
		if r.state.Fenced() {
			text = fmt.Errorf("writes are still stopped: %w", text)
		}
		return errors.Join(fault.New(fault.ClassOf(err), r.op(), text, "remove the cause, then run: bascule db cutover --abort"), r.cause)
	}
}

func (r *run) reverse(ctx context.Context, step journal.Step) error {
	w, t := r.way(r.state.Direction), change.Token(r.claim.Epoch)
	switch step {
	case journal.StepPrepare:
		return w.Target.Restore(ctx, t)
	case journal.StepFence:
		return w.Fence.Lower(ctx, t)
	case journal.StepArm:
		return w.Reverse.Disarm(ctx, t)
	default:
		return fmt.Errorf("step %q has nothing to undo", step)
	}
}
