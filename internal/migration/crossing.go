package migration

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"time"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/convert"
	"github.com/bascule/bascule/internal/cutover"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/follow"
	"github.com/bascule/bascule/internal/journal"
	"github.com/bascule/bascule/internal/schema"
)

// Old is the source as a cutover needs it: fenced, applied to on the way back, and opened again by a fallback.
type Old interface {
	change.Applier
	change.Starter
	change.Fencer
	change.Openable
	change.Reserver
}

// New is the target as a cutover needs it.
type New interface {
	change.Starter
	change.Fencer
	change.Openable
	change.Armory
	Keeper
	// Durable says in words whether a commit that the server has acknowledged can be lost.
	Durable(ctx context.Context) (string, error)
}

// Keeper is a target that keeps the journal, and the way back.
type Keeper interface {
	// Journal returns the journal of a migration's cutovers. Its switch opens or closes the target in the transaction that records it.
	Journal(r *change.Record) journal.Store
	// Streams returns the changes of a migration's tables in the target, from where Arm said.
	Streams(r *change.Record) change.Log
	// Release takes away what only the way back needed: the slot, the guards, the fence. Where an application lives it goes on.
	Release(ctx context.Context, r *change.Record, t change.Token) error
}

// SwitchOptions say how a cutover or a fallback is made.
type SwitchOptions struct {
	// Users are the accounts of the source that the application logs in as; Fence the kind of fence, empty for the default.
	Users []string
	Fence change.FenceKind
	// Hooks are told where the application lives, once it may write there.
	Hooks []cutover.Hook
	// Budget is how long writes may be stopped before the switch; 0 means the default. Lag is how far the replay may be behind for the
	// gate to open; 0 means DefaultLag.
	Budget, Lag time.Duration
	// Accept names losses of the way back as CODE:table.column, as convert.Options do.
	Accept []string
	// Rehearse does everything before the switch, and then undoes it.
	Rehearse bool
	// Unproved leaves out the comparison of all rows: only those that change from the beginning on are compared. It is for coming back in a
	// hurry.
	Unproved bool
	// Keep goes on from the fence of an attempt in this direction that another process has left with the fence up, instead of undoing it first. What that
	// process had proved is lost with it: the sides are caught up and every row is compared, while both stand still, so that the freeze becomes as long
	// as the comparison. Budget counts anew from the take-over and has to have room for it. An attempt that is being undone already is undone.
	Keep bool
	// Stay leaves the fence up when something fails between Held.Open and the switch, and in an attempt that Keep goes on with: it is for databases that
	// move together, of which another may have opened meanwhile. A person then goes on with Keep, or undoes with Settle.
	Stay bool
	// Meet, if set, is called when every row was compared and the changes since are known, before writes are stopped. It returns when the other databases that
	// move together are as far, so that none of them waits for another with its writes stopped. Its error is one of the attempt.
	Meet func(ctx context.Context) error
}

// DefaultLag is how far the replay may be behind when writes are to be stopped.
const DefaultLag = 5 * time.Second

// crossing is what one process needs to bring an application from one side to the other.
type crossing struct {
	*Migration
	rec *change.Record
	// plan is what was copied and is followed; whole is the same with all that the target has when it is in use.
	plan, whole *convert.Plan
	o           SwitchOptions
	accepted    []string // when the copy was planned

	selects  []*change.Select  // the target's tables, where changes come back from
	replicas []*change.Replica // the source's, to which they go
	forward  *feed
	back     *feed
	// The proofs know what the feeds touch.
	forwardProof, backProof *lastProof
	driver                  *cutover.Driver
	// dry says that nothing is followed by this process: gates look at the ledger.
	dry bool
}

// crossing opens the record of a copy that is followed.
func (m *Migration) crossing(ctx context.Context, o SwitchOptions) (*crossing, error) {
	rec, then, plan, err := m.followable(ctx)
	if err != nil {
		return nil, err
	}
	in := then.Input
	in.Options.ForFollow = false
	whole, err := convert.New(in)
	if err != nil {
		return nil, err
	}
	c := &crossing{Migration: m, rec: rec, plan: plan, whole: whole, o: o, accepted: then.Options.Accept}
	if c.selects, c.replicas, err = plan.Reverse(); err != nil {
		return nil, err
	}
	if err := c.feeds(ctx); err != nil {
		return nil, err
	}
	c.driver = &cutover.Driver{
		Journal: m.New.Journal(rec), Forward: c.forwardWay(), Back: c.backWay(), Finisher: finisher{c},
		Who: m.Who, ID: rand.Text(), Budget: o.Budget, Rehearse: o.Rehearse, Stay: o.Stay, Events: m.Events,
	}
	return c, nil
}

// close ends what runs in the background.
func (c *crossing) close() {
	c.forward.stop()
	c.back.stop()
}

// feeds plans both directions' replays and proofs.
func (c *crossing) feeds(ctx context.Context) error {
	forward, err := c.follower(ctx, c.rec, c.plan)
	if err != nil {
		return err
	}
	forward.Prompt = true
	c.forward = &feed{log: c.Changes, follower: forward, run: func(ctx context.Context, committed func(change.Mark) error) error {
		return c.catchUp(ctx, c.rec, c.plan, forward, committed)
	}}
	back := &follow.Follower{
		Source: c.New.Streams(c.rec), Target: c.Old, Record: c.rec, Who: c.Who, Retry: c.retry(), Events: c.Events, Prompt: true,
	}
	for i, s := range c.selects {
		back.Tables = append(back.Tables, &follow.Table{Select: s, Replica: c.replicas[i]})
	}
	c.back = &feed{log: back.Source, follower: back, run: func(ctx context.Context, committed func(change.Mark) error) error {
		back.Committed = committed
		return back.Run(ctx)
	}}
	if c.forwardProof, err = c.newProof(c.forward, false); err != nil {
		return err
	}
	c.backProof, err = c.newProof(c.back, true)
	return err
}

// newProof plans the proof of a feed.
func (c *crossing) newProof(f *feed, back bool) (*lastProof, error) {
	v, err := c.verifier(c.plan)
	if err != nil {
		return nil, err
	}
	v.Barrier, v.Back = f.catchUp, back
	return newLastProof(f.follower, v, c.plan, back, f.last)
}

// order is how the fence of either end is made.
func (c *crossing) order() change.FenceOrder {
	return change.FenceOrder{Who: c.Who, Users: c.o.Users, Kind: c.o.Fence}
}

// intent is what the journal keeps of a fence's plan. It is made when the gates have looked.
func intent(p change.FencePlan) json.RawMessage {
	b, err := json.Marshal(struct {
		Fence change.FencePlan `json:"fence"`
	}{p})
	if err != nil {
		return nil // it holds strings alone
	}
	return b
}

// sourceNext is from where on the source has to hand out keys: what the target would hand out next, by the source's tables.
func (c *crossing) sourceNext(ctx context.Context) (map[schema.Name]uint64, error) {
	n, err := c.New.NextIdentities(ctx, c.rec, c.whole.Target)
	return c.renamed(n, false), err
}

// renamed gives counters the names that the tables have on the other end.
func (c *crossing) renamed(next map[schema.Name]uint64, toTarget bool) map[schema.Name]uint64 {
	out := map[schema.Name]uint64{}
	for _, t := range c.plan.Tables {
		from, to := t.Select.Table.Name, t.Target.Name
		if !toTarget {
			from, to = to, from
		}
		if n, ok := next[from]; ok {
			out[to] = n
		}
	}
	return out
}

// finisher lets the old side go.
type finisher struct{ *crossing }

// Finish implements cutover.Finisher.
func (f finisher) Finish(ctx context.Context, t change.Token) error {
	f.back.stop()
	return f.New.Release(ctx, f.rec, t)
}

// livesOn refuses what only makes sense while the application lives on a side.
func livesOn(s *cutover.State, side cutover.Side, op, hint string) error {
	if s.Live == side && s.Phase == cutover.Idle {
		return nil
	}
	if s.Phase == cutover.Finished || s.Phase == cutover.Finishing {
		return fault.New(fault.Refused, op, errors.New("the migration is finished: there is no way back any more"), "")
	}
	where := "the application lives on the source"
	if s.Live == cutover.New {
		where = "the application lives on the target"
	}
	if s.Phase != cutover.Idle {
		where += ", and a cutover is " + string(s.Phase)
	}
	return fault.New(fault.Refused, op, errors.New(where), hint)
}
