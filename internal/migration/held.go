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
//
// Databases that move together are bound, all of them, before the first is opened: one that was not could be undone by itself while the others open.
// Its methods may be called at the same time.
type Held struct {
	// Evidence is what the hold rests on.
	Evidence Evidence

	stays  bool          // SwitchOptions.Stay
	holds  chan struct{} // closed when it holds
	may    chan error    // the word that it may switch, or may not
	turn   chan error    // the word that it is to switch now, once it may
	lapsed chan struct{} // closed when it ended without such a word
	cancel context.CancelCauseFunc
	ended  chan struct{} // closed when the run is over
	state  cutover.State // what it came to, once ended is closed
	err    error

	mu    sync.Mutex
	bound bool  // it may switch
	told  bool  // Open or Undo was called
	undo  bool  // it was Undo
	why   error // why it lapsed
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
	h := &Held{
		stays: o.Stay && !o.Rehearse, holds: make(chan struct{}), may: make(chan error, 1), turn: make(chan error, 1),
		lapsed: make(chan struct{}), ended: make(chan struct{}),
	}
	run, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	h.cancel = cancel
	detach := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
	defer detach()
	c.driver.Hold = func(ctx context.Context, s cutover.State) error { return h.hold(ctx, &s, c.driver.Budget) }
	c.driver.Turn = func(ctx context.Context) error { return h.wait(ctx, h.turn) }
	go func() {
		defer close(h.ended)
		defer cancel(nil)
		defer c.close()
		f, p := c.forward, c.forwardProof
		if side == cutover.Old {
			f, p = c.back, c.backProof
		}
		h.state, h.err = c.to(run, g, side, f, p)
		h.over()
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
	return h.wait(ctx, h.may)
}

// wait waits for a word.
func (h *Held) wait(ctx context.Context, word chan error) error {
	select {
	case err := <-word:
		return err
	case <-ctx.Done():
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	select {
	case err := <-word: // it came at the same time, and whoever gave it relies on it
		return err
	default:
	}
	err := context.Cause(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fault.New(fault.Resource, "hold before the switch", fmt.Errorf("nobody said that it may come, and writes were stopped for as long as they may be: %w", err),
			"try again, or allow more with --freeze")
	}
	h.lapse(err)
	return err
}

// lapse ends a hold without a word.
func (h *Held) lapse(why error) {
	if h.why == nil && why != nil {
		h.why = why
		close(h.lapsed)
	}
}

// over ends a hold whose run is over, if nobody had given the last word: one that was bound when the budget was just used up.
func (h *Held) over() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.told {
		h.lapse(h.err)
	}
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
// everything is as it was; a bound one stays fenced.
func (h *Held) Done() <-chan struct{} { return h.lapsed }

// Err returns why Done is closed, nil while it is not.
func (h *Held) Err() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.why
}

// Bind says that the switch may come, whenever Open is called, because others that move together may switch now. From then on the budget does not count any
// more, and nothing but Undo undoes the attempt: it stays fenced whatever fails. An error says that it did not hold any more; the others then must not be
// opened. It binds only with SwitchOptions.Stay, and may be called again.
func (h *Held) Bind() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.bind()
}

func (h *Held) bind() error {
	if h.why == nil && h.stays && !h.bound && !h.undo {
		h.bound = true
		h.may <- nil
	}
	return h.why
}

// Open lets the switch come, and returns when all that follows it is done too, or with what is left. State.Stopped says for how long writes were
// stopped. A failure before the switch undoes the attempt, or, with SwitchOptions.Stay, leaves the fence up; the end of ctx is such a failure, and
// behind the switch leaves the rest to Settle.
func (h *Held) Open(ctx context.Context) (cutover.State, error) {
	h.say(nil)
	stop := context.AfterFunc(ctx, func() { h.cancel(context.Cause(ctx)) })
	defer stop()
	<-h.ended
	return h.state, h.err
}

// Undo brings everything to what it was: why goes into the journal. It waits for that, also when the hold has ended by itself. When ctx ends before, it
// goes on in the background.
func (h *Held) Undo(ctx context.Context, why string) (cutover.State, error) {
	undone := h.say(&undoError{why})
	select {
	case <-h.ended:
	case <-ctx.Done():
		return cutover.State{}, context.Cause(ctx)
	}
	if h.state.Phase == cutover.Idle && undone {
		return h.state, nil
	}
	return h.state, h.err
}

// say gives the word, unless there was one; it reports whether the attempt was not to be opened.
func (h *Held) say(word error) (undone bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.told:
	case word == nil && h.stays:
		h.told = true
		_ = h.bind() // a hold that has lapsed ends with that
		h.turn <- nil
	case h.bound:
		h.told, h.undo = true, true
		h.turn <- word
	default:
		h.told, h.undo = true, word != nil
		h.may <- word
	}
	return h.undo || h.why != nil
}
