package drive

import (
	"context"
	"slices"

	"github.com/bascule/bascule/internal/round"
)

// keepers starts and ends what keeps databases current, as the state asks for.
func (x *run) keepers(ctx context.Context) {
	if x.Keeper == nil {
		return
	}
	for _, db := range x.databases() {
		want := x.keeping(db)
		if j := x.keeps[db]; j != nil && (want == nil || want.Back != j.back) {
			x.endKeeper(db)
		}
		if want != nil && x.keeps[db] == nil {
			x.keep(ctx, *want)
		}
	}
}

// keeping says how a database is to be kept current now; nil for not at all: before its copy, while a step closes or opens it, since that one follows by
// itself, and when the round has turned back or has finished.
func (x *run) keeping(db string) *Keeping {
	k := &Keeping{Database: db}
	copied := false
	for _, t := range x.database(db) {
		st := x.state.Steps[t.Step.ID]
		k.Config = t.Config
		switch {
		case t.Step.Role == round.RoleClose && (st.Status == round.StatusDone || st.Status == round.StatusRunning || st.Status == round.StatusUnsure || st.Status == round.StatusUndoing):
			if !x.openedBy(db) {
				return nil
			}
		case t.Step.Role == round.RoleOpen && st.Status == round.StatusDone:
			k.Back = true
		case t.Step.Role == round.RoleOpen && st.Status != round.StatusWaiting && st.Status != round.StatusFailed:
			return nil
		case t.Step.Role == round.RoleFinish && st.Status != round.StatusWaiting:
			return nil
		case follows(t) && st.Status == round.StatusRunning:
			return nil
		case t.Do == phaseCopy && st.Status == round.StatusDone:
			copied = true
		}
	}
	if !copied || x.state.Phase != round.PhaseRunning && x.state.Phase != round.PhaseAsking {
		return nil
	}
	return k
}

// phaseCopy is the phase behind which a database can be followed.
const phaseCopy = "copy"

// follows reports whether a step without a role keeps its database current by itself, and cannot while another does: to follow; to compare, which then waits
// for no position longer than it must; and to rehearse a closing, in a proof of concept.
func follows(t *round.Task) bool {
	return t.Step.Kind == round.KindAuto && slices.Contains([]string{"follow", "verify", "rehearse"}, t.Do)
}

func (x *run) openedBy(db string) bool {
	for _, t := range x.database(db) {
		if t.Step.Role == round.RoleOpen {
			return x.state.Steps[t.Step.ID].Status == round.StatusDone
		}
	}
	return false
}

func (x *run) keep(ctx context.Context, k Keeping) {
	kctx, cancel := context.WithCancelCause(ctx)
	j := &job{cancel: cancel, done: make(chan struct{}), back: k.Back}
	x.keeps[k.Database] = j
	keeper, r := x.Keeper, x.round
	go func() {
		defer close(j.done)
		for kctx.Err() == nil {
			// The keeper tells its own troubles; here it is only begun again.
			if keeper.Keep(kctx, r, k) != nil {
				wait(kctx, 4*pause)
			}
		}
	}()
}

func (x *run) endKeeper(db string) {
	if j := x.keeps[db]; j != nil {
		j.cancel(nil)
		<-j.done
		delete(x.keeps, db)
	}
}

func (x *run) endKeepers() {
	for _, j := range x.keeps {
		j.cancel(nil)
	}
	for db := range x.keeps {
		x.endKeeper(db)
	}
}

// release ends the keeper of a database that a step is going to close, open or finish: they cannot both apply to it.
func (x *run) release(step *round.Step) {
	if step.Role != "" || follows(x.round.Script.Task(step.ID)) {
		x.endKeeper(step.Database)
	}
}
