package drive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/store"
)

// start starts whatever may start, each with its entry before it. It reports whether anything has changed, so that the state has to be asked again.
func (x *run) start(ctx context.Context) (began bool, err error) {
	for _, a := range x.state.Next() {
		step := x.plan.Step(a.Step)
		changed, err := x.begin(ctx, a, step)
		if err != nil && !errors.Is(err, errMoot) {
			return began, err
		}
		began = began || changed || err != nil
	}
	x.measure(ctx)
	return began, nil
}

func (x *run) begin(ctx context.Context, a round.Action, step *round.Step) (changed bool, err error) {
	j := x.running[a.Step]
	switch a.Verb {
	case round.Stop:
		if j != nil {
			j.cancel(errStopped)
			return false, nil
		}
		// What people do has nothing that could be stopped.
		return true, x.write(ctx, round.Event{What: round.Failed, Step: a.Step, Reason: errStopped.Error()})
	case round.Check:
		if j == nil && !x.unknown[a.Step] && x.rested(a.Step) {
			x.check(ctx, step)
		}
		return false, nil
	case round.Do:
		if step.Role == round.RoleClose && !x.inWindow() || step.Role == round.RoleOpen && !x.closed(step) {
			return false, nil
		}
		x.release(step)
		if err := x.write(ctx, round.Event{What: round.Started, Step: a.Step}); err != nil {
			return false, err
		}
	case round.CloseBack, round.UndoStep:
		x.release(step)
		if err := x.write(ctx, round.Event{What: round.UndoBegun, Step: a.Step}); err != nil {
			return false, err
		}
	}
	x.held[a.Step] = a.Verb != round.UndoStep && step.Role == round.RoleClose
	if step.Kind != round.KindManual && step.Kind != round.KindGate {
		x.work(ctx, step, a.Verb)
	}
	return true, nil
}

// closed reports whether this process holds everything closed that has to be before a database opens. What an earlier driver had closed is
// looked after first.
func (x *run) closed(open *round.Step) bool {
	for i := range x.plan.Steps {
		s := &x.plan.Steps[i]
		mine := s.Database == open.Database || open.Group != "" && s.Group == open.Group
		if s.Role == round.RoleClose && mine && !x.held[s.ID] && !x.openedBy(s.Database) {
			return false
		}
	}
	return true
}

// measure lets gates be measured that wait for their criteria, again and again until they hold.
func (x *run) measure(ctx context.Context) {
	for i := range x.plan.Steps {
		step := &x.plan.Steps[i]
		st := x.state.Steps[step.ID]
		if step.Kind == round.KindGate && st.Status == round.StatusRunning && !st.Measured && x.running[step.ID] == nil {
			x.work(ctx, step, round.Do)
		}
	}
}

// inWindow reports whether writes may be stopped now. Where a person has given a reason to override it, any time will do.
func (x *run) inWindow() bool {
	now := x.now()
	in := x.round.Override != "" || x.round.WindowTo.IsZero() || !now.Before(x.round.WindowFrom) && now.Before(x.round.WindowTo)
	if !in {
		x.trouble(fmt.Sprintf("writes may be stopped from %s to %s only", x.local(x.round.WindowFrom), x.local(x.round.WindowTo)))
	}
	return in
}

// local is a time as people read it.
func (x *run) local(t time.Time) string {
	zone, err := time.LoadLocation(x.round.Zone)
	if err != nil {
		zone = time.UTC
	}
	return t.In(zone).Format("2006-01-02 15:04 MST")
}

// work lets a hand carry out a step.
func (x *run) work(ctx context.Context, step *round.Step, v round.Verb) {
	w := x.task(step, v)
	x.job(ctx, step.ID, v, func(ctx context.Context, hand Hand) result {
		if w.Task.Timeout > 0 {
			var end context.CancelFunc
			ctx, end = context.WithTimeoutCause(ctx, w.Task.Timeout, fmt.Errorf("it did not end within %s", w.Task.Timeout))
			defer end()
		}
		evidence, err := hand.Do(ctx, w)
		if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(err, cause) {
			err = fmt.Errorf("%w: %w", cause, err)
		}
		return result{evidence: evidence, err: err}
	})
}

// check lets a hand look what became of a step that an earlier driver had begun.
func (x *run) check(ctx context.Context, step *round.Step) {
	v := x.lost(step)
	w := x.task(step, v)
	x.job(ctx, step.ID, round.Check, func(ctx context.Context, hand Hand) result {
		found, evidence, err := hand.Check(ctx, w)
		return result{found: found, evidence: evidence, err: err}
	})
}

// lost is what nobody knows the end of.
func (x *run) lost(step *round.Step) round.Verb {
	st := x.state.Steps[step.ID]
	switch {
	case !st.Backward:
		return round.Do
	case step.Role == round.RoleOpen && !st.Closed:
		return round.CloseBack
	default:
		return round.UndoStep
	}
}

func (x *run) task(step *round.Step, v round.Verb) *Work {
	w := &Work{
		Round: x.round, Task: x.round.Script.Task(step.ID), Verb: v, Attempt: x.state.Steps[step.ID].Attempts, Epoch: x.epoch, Since: x.since[step.ID],
	}
	for i := range x.plan.Steps {
		other := &x.plan.Steps[i]
		if step.Group != "" && other.Group == step.Group && other.Role == round.RoleOpen && other.Database != step.Database {
			w.Together = w.Together || x.state.Steps[other.ID].Status == round.StatusDone
		}
	}
	return w
}

// job runs in a goroutine of its own and answers once.
func (x *run) job(ctx context.Context, id round.StepID, v round.Verb, fn func(context.Context, Hand) result) {
	jctx, cancel := context.WithCancelCause(ctx)
	j := &job{verb: v, cancel: cancel, done: make(chan struct{})}
	x.running[id] = j
	kind := x.plan.Step(id).Kind
	hand := x.Hands[kind]
	go func() {
		defer cancel(nil)
		r := result{err: fmt.Errorf("this program cannot carry out a step of kind %s", kind)}
		if hand != nil {
			r = fn(jctx, hand)
		}
		r.step, r.verb = id, v
		close(j.done)
		x.results <- r // the loop reads until every job has answered
	}()
}

// came makes an event of what a job answered.
func (x *run) came(r *result) {
	delete(x.running, r.step)
	if r.verb == settle {
		x.settled(r)
		return
	}
	if e := x.outcome(r); e != nil {
		x.pending = append(x.pending, *e)
	}
	if x.round.Kind == store.PoC && r.verb == round.Do && r.err != nil && x.plan.Step(r.step).Kind != round.KindGate {
		x.pending = append(x.pending, round.Event{What: round.Skipped, Step: r.step, Reason: "a proof of concept goes on: " + text(r.err)})
	}
	step := x.plan.Step(r.step)
	if r.verb == round.Do && step.Role == round.RoleOpen && r.err != nil {
		x.slipped(Slip{step.Database, "it did not open: " + text(r.err)})
	}
}

func text(err error) string {
	if hint := fault.HintOf(err); hint != "" {
		return err.Error() + " (" + hint + ")"
	}
	return err.Error()
}

func (x *run) outcome(r *result) *round.Event {
	if r.verb == round.Check {
		return x.looked(r)
	}
	e := &round.Event{Step: r.step, Evidence: r.evidence}
	switch {
	case r.err == nil && r.verb == round.Do:
		e.What = round.Done
	case r.err == nil && r.verb == round.CloseBack:
		e.What = round.ClosedBack
	case r.err == nil:
		e.What = round.Undone
	case r.verb == round.Do:
		e.What, e.Reason = round.Failed, text(r.err)
	default:
		e.What, e.Reason = round.UndoFailed, text(r.err)
	}
	return e
}

// looked makes an event of what a look has found.
func (x *run) looked(r *result) *round.Event {
	step := x.plan.Step(r.step)
	switch {
	case r.err != nil:
		x.unseen(r)
		return nil
	case r.found == FoundUnknown:
		x.trouble(fmt.Sprintf("nobody can tell what became of step %s, which an earlier driver had begun: say so by bascule round done or bascule round retry", r.step))
		x.unknown[r.step] = true
		return nil
	case r.found == FoundAbsent:
		return &round.Event{What: round.Absent, Step: r.step, Evidence: r.evidence}
	}
	e := &round.Event{What: round.Done, Step: r.step, Evidence: r.evidence}
	switch x.lost(step) {
	case round.CloseBack:
		e.What = round.ClosedBack
	case round.UndoStep:
		e.What = round.Undone
	default:
	}
	return e
}

// slipped notes that a database is not closed any more.
func (x *run) slipped(s Slip) {
	for i := range x.plan.Steps {
		if step := &x.plan.Steps[i]; step.Role == round.RoleClose && step.Database == s.Database {
			delete(x.held, step.ID)
			x.pending = append(x.pending, round.Event{What: round.Slipped, Step: step.ID, Reason: s.Reason})
		}
	}
}

// settle is the verb of a job that looks after a database which an earlier driver had closed.
const settle round.Verb = "settle"

// inherited lets the hand bring to rest what an earlier driver had closed and nobody has opened: the hold has died with its process.
func (x *run) inherited(ctx context.Context) {
	if x.state.Phase != round.PhaseRunning && x.state.Phase != round.PhaseAsking {
		return
	}
	for i := range x.plan.Steps {
		step := &x.plan.Steps[i]
		if step.Role != round.RoleClose || x.state.Steps[step.ID].Status != round.StatusDone || x.held[step.ID] || x.running[step.ID] != nil || !x.rested(step.ID) || !x.unopened(step) {
			continue
		}
		w := x.task(step, round.Do)
		x.job(ctx, step.ID, settle, func(ctx context.Context, hand Hand) result {
			found, evidence, err := hand.Check(ctx, w)
			return result{found: found, evidence: evidence, err: err}
		})
	}
}

// unopened reports whether nobody has begun to open a database, or to no avail, and of all of its group it is known whether they have opened.
func (x *run) unopened(closed *round.Step) bool {
	for i := range x.plan.Steps {
		open := &x.plan.Steps[i]
		if open.Role != round.RoleOpen {
			continue
		}
		st := x.state.Steps[open.ID].Status
		switch {
		case open.Database == closed.Database && st != round.StatusWaiting && st != round.StatusFailed:
			return false
		case open.Group == closed.Group && open.Group != "" && (st == round.StatusUnsure || st == round.StatusRunning):
			return false
		}
	}
	return true
}

// unseen lets somebody look again in a while.
func (x *run) unseen(r *result) {
	x.trouble(fmt.Sprintf("what became of step %s cannot be seen yet: %s", r.step, text(r.err)))
	x.rest[r.step] = time.Now().Add(4 * pause)
}

func (x *run) rested(id round.StepID) bool { return !time.Now().Before(x.rest[id]) }

// settled notes what became of a database that an earlier driver had closed.
func (x *run) settled(r *result) {
	if r.err != nil {
		x.unseen(r)
		return
	}
	why := "the driver that had closed it has stopped"
	if r.evidence != "" {
		why += ": " + r.evidence
	}
	x.slipped(Slip{x.plan.Step(r.step).Database, why})
}

// reconcile ends jobs that people's entries have made pointless, looks after databases that an earlier driver had closed, and lets the keepers do
// what the state asks for.
func (x *run) reconcile(ctx context.Context) {
	x.activate()
	x.inherited(ctx)
	x.keepers(ctx)
	for id, j := range x.running {
		if j.verb == settle {
			continue
		}
		if st := x.state.Steps[id]; st.Status != round.StatusRunning && st.Status != round.StatusUndoing && st.Status != round.StatusUnsure {
			j.cancel(errStopped)
		}
	}
	for id := range x.unknown {
		if x.state.Steps[id].Status != round.StatusUnsure {
			delete(x.unknown, id)
		}
	}
}

// stop ends what runs, and writes down what is known, so that another driver can go on from there.
func (x *run) stop(ctx context.Context, cause error) error {
	for _, j := range x.running {
		j.cancel(cause)
	}
	for len(x.running) > 0 {
		r := <-x.results
		delete(x.running, r.step)
		switch {
		case r.verb == round.Check || r.verb == settle:
		case r.err == nil:
			x.pending = append(x.pending, *x.outcome(&r))
		case !x.byPeople(x.plan.Step(r.step)):
			x.pending = append(x.pending, round.Event{What: round.Lost, Step: r.step})
		}
	}
	if x.LetGo != nil {
		x.LetGo(context.WithoutCancel(ctx))
	}
	if errors.Is(cause, store.ErrStale) {
		return cause
	}
	for i := range x.plan.Steps {
		if step := &x.plan.Steps[i]; x.held[step.ID] && step.Role == round.RoleClose {
			x.slipped(Slip{step.Database, "its driver was stopped"})
		}
	}
	wctx, end := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer end()
	// What cannot be written down is found by the next driver: it looks after everything that ran.
	return errors.Join(cause, x.flush(wctx))
}

// database lists the tasks of a database, in the script's order.
func (x *run) database(name string) (all []*round.Task) {
	for i := range x.round.Script.Tasks {
		if t := &x.round.Script.Tasks[i]; t.Step.Database == name {
			all = append(all, t)
		}
	}
	return all
}

// databases lists their names, each once.
func (x *run) databases() (all []string) {
	for i := range x.plan.Steps {
		if db := x.plan.Steps[i].Database; db != "" && !slices.Contains(all, db) {
			all = append(all, db)
		}
	}
	return all
}
