package cutover

import (
	"context"
	"errors"
	"fmt"

	"github.com/bascule/bascule/internal/event"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/journal"
)

// take claims the journal and then reads it: only what is read behind a claim cannot be overtaken by what an earlier claim had under way.
func (r *run) take(ctx context.Context, log *journal.Log) error {
	if log.Driven() && log.Driver.ID != r.ID {
		return busy(&log.Driver)
	}
	before := log.Driver
	c, err := r.Journal.Claim(ctx, r.Who, r.ID, log.Epoch, r.lease())
	if err != nil {
		return err
	}
	if log, err = r.Journal.Read(ctx); err != nil {
		return err
	}
	if log.Epoch != c.Epoch {
		return fault.New(fault.Busy, "drive the cutover", fmt.Errorf("%s claimed it meanwhile: %w", log.Driver.Who, journal.ErrStale), "")
	}
	s, err := r.fold(log)
	if err != nil {
		return err
	}
	if before.Who != "" && before.ID != r.ID && before.Who != r.Who && s.Phase != Idle {
		r.emit(event.TookOver{From: before.Who, Since: before.Until})
	}
	r.claim, r.state, r.policy.Epoch = c, s, c.Epoch
	if r.frozen.IsZero() && (s.Fenced() || s.Phase == Switched && s.Steps[journal.StepHooks].Mark == "") {
		r.frozen = r.clock.Now().Add(-log.Now.Sub(s.Frozen))
		r.counted = r.frozen
	}
	return nil
}

func busy(h *journal.Holder) error {
	return fault.New(fault.Busy, "drive the cutover", fmt.Errorf("%s drives it since %s and answers for it until %s",
		h.Who, h.Since.UTC().Format("2006-01-02 15:04:05"), h.Until.UTC().Format("15:04:05 UTC")), "ask there; when that process is dead, wait until then and run the same command again")
}

// settle finds out what is durable after an error of the journal. It asks until it knows, as long as ctx lives and a while
// longer: nothing must be undone, and no fence lowered, on a guess. It returns an error when it will never know, or when
// another process has taken over.
func (r *run) settle(ctx context.Context, cause error) error {
	if errors.Is(cause, journal.ErrStale) {
		return r.superseded(cause)
	}
	open, err := r.ask(ctx)
	if !open {
		return err
	}
	if superseded(ctx) {
		return r.superseded(context.Cause(ctx))
	}
	// The run was cancelled. A last while, so that it need not be left to the next one.
	last, cancel := r.last(ctx)
	defer cancel()
	if open, err = r.ask(last); open {
		return r.unknown(err)
	}
	return err
}

// ask reads the journal behind a new claim, again until that succeeds or until it is plain that it never will. open says that ctx ended
// before, and err why the journal could not be read.
func (r *run) ask(ctx context.Context) (open bool, err error) {
	for wait := pause; ; wait = min(2*wait, longPause) {
		log, err := r.Journal.Read(ctx)
		if err == nil {
			err = r.take(ctx, log)
		}
		switch {
		case err == nil:
			return false, nil
		case errors.Is(err, journal.ErrStale), fault.ClassOf(err) == fault.Busy:
			return false, r.superseded(err)
		case fault.ClassOf(err) == fault.Unsupported:
			return false, err
		}
		r.emit(event.Retried{What: "the cutover journal", Error: err.Error(), After: wait})
		if r.clock.Sleep(ctx, wait) != nil {
			return true, err
		}
	}
}

// unknown is the error of a journal that could not be read to the end.
func (r *run) unknown(err error) error {
	hint := "when the journal's database is back, run: bascule db cutover --abort. It reads there what was decided"
	if r.state.Phase == Running && r.state.Steps[journal.StepSwitch].Mark == journal.MarkBegun {
		return fault.New(fault.Ambiguous, r.op(), &SwitchUnknownError{err}, hint)
	}
	if r.state.Fenced() {
		err = fmt.Errorf("writes are stopped, and the journal cannot be read: %w", err)
	}
	return fault.New(fault.Connect, r.op(), err, hint)
}

// superseded ends a run whose claim another process has taken.
func (r *run) superseded(err error) error {
	if fault.ClassOf(err) == fault.Busy {
		return err
	}
	return fault.New(fault.Busy, r.op(), err, "bascule db status says who drives now and how far it is")
}

// record appends an entry and lets the state follow it. An entry of which nobody knows whether it is durable is looked for.
func (r *run) record(ctx context.Context, step journal.Step, m journal.Mark, what any) error {
	e, err := r.entry(step, m, what)
	if err != nil {
		return err
	}
	return r.write(ctx, e, r.Journal.Append)
}

func (r *run) entry(step journal.Step, m journal.Mark, what any) (journal.Entry, error) {
	ev, err := evidence(what)
	dir := r.state.Direction
	if r.state.Phase == Idle {
		dir = r.policy.Goal.Direction()
	}
	if dir == "" {
		dir = journal.Forward // finish
	}
	return journal.Entry{Direction: dir, Step: step, Mark: m, Evidence: ev}, err
}

// write lets put write an entry. Its context outlives the run's: what is durable must be known, also when the run was cancelled.
func (r *run) write(ctx context.Context, e journal.Entry, put func(context.Context, journal.Claim, journal.Entry) error) error {
	jctx, cancel := r.last(ctx)
	defer cancel()
	return r.written(ctx, e, put(jctx, r.claim, e))
}

// written deals with what the journal answered to an entry.
func (r *run) written(ctx context.Context, e journal.Entry, err error) error {
	if err == nil {
		return r.follow(e)
	}
	return r.settle(ctx, err)
}

// follow lets the state follow an entry that is durable.
func (r *run) follow(e journal.Entry) error {
	e.Seq, e.Epoch, e.Who, e.At = r.state.Last.Seq+1, r.claim.Epoch, r.claim.Who, r.clock.Now()
	return r.machine().add(&r.state, e)
}
