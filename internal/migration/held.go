package migration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/cutover"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/journal"
)

// Held is a cutover, or a fallback's switch, that holds right before its switch: writes are stopped, both sides are proved to be equal, and the side
// that it leads to is prepared and closed. It goes on by Open or back by Undo; the first of the two counts, and both return when it is over. When neither
// comes before the budget is used up, or the claim is lost, or the journal cannot be reached, it is undone by itself.
type Held struct {
	// Evidence is what the hold rests on.
	Evidence Evidence

	holds   chan struct{} // closed when it holds
	told    chan error    // the word
	once    sync.Once
	lapsed  chan struct{} // closed when the hold ended without a word
	why     error         // why, once lapsed is closed
	undoing bool          // the word was Undo
	cancel  context.CancelCauseFunc
	ended   chan struct{} // closed when the run is over
	state   cutover.State // what it came to, once ended is closed
	err     error
}

// Evidence is what a hold rests on, for people and for a round's journal.
type Evidence struct {
	Direction journal.Direction `json:"direction"`
	Attempt   int               `json:"attempt"`
	// Drained is the position of the source's log up to which the target holds everything.
	Drained change.Position `json:"drained"`
	// Proof is what the last comparison compared.
	Proof cutover.Proved `json:"proof"`
	// Frozen is since when writes are stopped, by the target's clock; Until is when the budget is used up, by this machine's.
	Frozen time.Time  `json:"frozen"`
	Until  time.Time  `json:"until"`
	Steps  []StepTime `json:"steps"`
}

// StepTime is how long a step took.
type StepTime struct {
	Step journal.Step  `json:"step"`
	Took time.Duration `json:"took_ns"`
}

// undoError is the word that a hold is to be undone.
type undoError struct{ why string }

// Error says why.
func (e *undoError) Error() string { return e.why }

// Unwrap makes it a refusal of the switch.
func (e *undoError) Unwrap() error { return cutover.ErrDeclined }

// Hold is Cutover, or for cutover.ToOld SwitchBack, up to right before the switch: it returns when the attempt holds there, or with what kept it from that,
// which is then undone. Until it returns it can be interrupted by ctx; from then on it lives until Open, Undo, or its end.
//
// With o.Keep it goes on from a fence that another process has left up. That costs a freeze as long as a comparison of all rows.
//
// An application that lives on the wanted side already is fault.Refused; Where tells beforehand, and Settle completes what follows a switch.
func (m *Migration) Hold(ctx context.Context, o SwitchOptions, g cutover.Goal) (*Held, error) {
	side, op := cutover.New, opCutover
	switch g {
	case cutover.ToNew:
	case cutover.ToOld:
		side, op = cutover.Old, opFallback
	default:
		return nil, fmt.Errorf("hold a switch: a goal of %q has none", g)
	}
	c, err := m.crossing(ctx, o)
	if err != nil {
		return nil, err
	}
	s, _, err := c.driver.Look(ctx)
	if err != nil {
		return nil, err
	}
	if s.Live == side {
		return nil, fault.New(fault.Refused, op, errors.New(s.Text()), "nothing is to be switched; what follows a switch is completed by running it to its end")
	}
	h := &Held{holds: make(chan struct{}), told: make(chan error, 1), lapsed: make(chan struct{}), ended: make(chan struct{})}
	run, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	h.cancel = cancel
	detach := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
	defer detach()
	c.driver.Hold = func(ctx context.Context, s cutover.State) error { return h.hold(ctx, &s, c.driver.Budget) }
	go func() {
		defer close(h.ended)
		defer cancel(nil)
		defer c.close()
		f, p := c.forward, c.forwardProof
		if side == cutover.Old {
			f, p = c.back, c.backProof
		}
		h.state, h.err = c.to(run, g, side, f, p)
	}()
	select {
	case <-h.holds:
		return h, nil
	case <-h.ended:
		if h.err == nil {
			h.err = fmt.Errorf("%s: it ended without holding: %s", op, h.state.Text())
		}
		return nil, h.err
	}
}

// hold is the driver's question.
func (h *Held) hold(ctx context.Context, s *cutover.State, budget time.Duration) error {
	var err error
	if h.Evidence, err = evidenceOf(s); err != nil {
		return err
	}
	if budget == 0 {
		budget = cutover.DefaultBudget
	}
	h.Evidence.Until = time.Now().Add(budget)
	if at, ok := ctx.Deadline(); ok {
		h.Evidence.Until = at
	}
	close(h.holds)
	select {
	case err := <-h.told:
		return err
	case <-ctx.Done():
	}
	err = context.Cause(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fault.New(fault.Resource, "hold before the switch", fmt.Errorf("nobody said that it may come, and writes were stopped for as long as they may be: %w", err),
			"try again, or allow more with --freeze")
	}
	h.why = err
	close(h.lapsed)
	return err
}

// evidenceOf reads what the journal holds.
func evidenceOf(s *cutover.State) (Evidence, error) {
	e := Evidence{Direction: s.Direction, Attempt: s.Attempt, Frozen: s.Frozen}
	var at change.Mark
	for step, into := range map[journal.Step]any{journal.StepDrain: &at, journal.StepProof: &e.Proof} {
		if err := json.Unmarshal(s.Steps[step].Evidence, into); err != nil {
			return e, fmt.Errorf("read what step %s found: %w", step, err)
		}
	}
	e.Drained = at.Position
	for _, step := range []journal.Step{
		journal.StepGates, journal.StepArm, journal.StepIntent, journal.StepFence, journal.StepProve, journal.StepDrain, journal.StepProof, journal.StepPrepare,
	} {
		if p, ok := s.Steps[step]; ok && p.Mark == journal.MarkDone {
			e.Steps = append(e.Steps, StepTime{step, p.Ended.Sub(p.Began)})
		}
	}
	return e, nil
}

// Done is closed when the attempt does not hold any more although neither Open nor Undo was called: its switch will never come. Undo then waits until
// everything is as it was.
func (h *Held) Done() <-chan struct{} { return h.lapsed }

// Err returns why Done is closed, nil while it is not.
func (h *Held) Err() error {
	if !isClosed(h.lapsed) {
		return nil
	}
	return h.why
}

// Open lets the switch come, and returns when all that follows it is done too, or with what is left. State.Stopped says for how long writes were
// stopped. A failure before the switch undoes the attempt, or, with SwitchOptions.Stay, leaves the fence up; the end of ctx is such a failure, and
// behind the switch leaves the rest to Settle.
func (h *Held) Open(ctx context.Context) (cutover.State, error) {
	h.once.Do(func() { h.told <- nil })
	stop := context.AfterFunc(ctx, func() { h.cancel(context.Cause(ctx)) })
	defer stop()
	<-h.ended
	return h.state, h.err
}

// Undo brings everything to what it was: why goes into the journal. It waits for that, also when the hold has ended by itself. When ctx ends before, it
// goes on in the background.
func (h *Held) Undo(ctx context.Context, why string) (cutover.State, error) {
	h.once.Do(func() {
		h.undoing = true
		h.told <- &undoError{why}
	})
	select {
	case <-h.ended:
	case <-ctx.Done():
		return cutover.State{}, context.Cause(ctx)
	}
	if h.state.Phase == cutover.Idle && (h.undoing || isClosed(h.lapsed)) {
		return h.state, nil
	}
	return h.state, h.err
}
