package migration

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/cutover"
	"github.com/bascule/bascule/internal/event"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/journal"
)

// The names of the gates.
const (
	gateCopied  = "copied"
	gateLag     = "lag"
	gateVerify  = "verified" // as lastProof.Gate has it
	gateLosses  = "losses"
	gateFence   = "fence"
	gateWayBack = "way back"
	gateDurable = "durable"
)

// gates look whether an application can leave one side for the other.
type gates struct {
	*crossing
	way     *cutover.Way
	side    cutover.Side // that is left
	fencer  change.Fencer
	feed    *feed
	applied change.Applier // the end that the feed leads to
	proof   *lastProof
}

func (g *gates) direction() journal.Direction {
	if g.side == cutover.New {
		return journal.Back
	}
	return journal.Forward
}

// Look implements cutover.Gates.
func (g *gates) Look(ctx context.Context) ([]cutover.Gate, error) {
	var out []cutover.Gate
	for _, look := range []func(context.Context) (cutover.Gate, error){g.copied, g.lag, g.verified, g.losses, g.fence, g.wayBack, g.durable} {
		x, err := look(ctx)
		if err != nil {
			return out, err
		}
		out = append(out, x)
		g.emit(event.GateSeen{Direction: string(g.direction()), Gate: x.Name, Open: x.Open, Saw: x.Saw, Wants: x.Wants, Do: x.Do})
	}
	return out, nil
}

// copied: everything is copied and every index is built.
func (g *gates) copied(ctx context.Context) (cutover.Gate, error) {
	x := cutover.Gate{Name: gateCopied, Wants: "nothing left to copy or to build"}
	left, err := g.Target.Queue(g.rec).Left(ctx)
	if err != nil {
		return x, err
	}
	x.Open, x.Saw = left == 0, "every row is copied and every index is built"
	if !x.Open {
		x.Saw, x.Do = fmt.Sprintf("%d tasks are left", left), "bascule db follow builds the unique indexes when it has passed what the copy read; bascule db status shows the tasks"
	}
	return x, nil
}

// lag: the replay is close behind.
func (g *gates) lag(ctx context.Context) (cutover.Gate, error) {
	most := g.o.Lag
	if most == 0 {
		most = DefaultLag
	}
	x := cutover.Gate{Name: gateLag, Wants: fmt.Sprintf("at most %s behind", most)}
	end, err := g.feed.log.End(ctx)
	if err != nil {
		return x, err
	}
	began := time.Now()
	wctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	if g.dry {
		err = g.ledgerReaches(wctx, end)
	} else {
		_, err = g.feed.reach(wctx, end)
	}
	switch took := time.Since(began); {
	case err == nil:
		x.Open, x.Saw = true, fmt.Sprintf("what had been logged was applied %s later", took.Round(time.Millisecond))
	case ctx.Err() != nil:
		return x, context.Cause(ctx)
	case wctx.Err() != nil && g.dry:
		x.Saw, x.Do = fmt.Sprintf("after %s it was not applied: nobody follows, or not fast enough", most), "start "+g.follows()+" and look at its lag"
	case wctx.Err() != nil:
		x.Saw, x.Do = fmt.Sprintf("after %s it was not applied", most), "cut over when less is written"
	default:
		return x, err
	}
	return x, nil
}

// follows is the command that keeps the side that the gates lead to current.
func (g *gates) follows() string {
	if g.side == cutover.New {
		return "bascule db fallback"
	}
	return "bascule db follow"
}

// ledgerReaches waits until some other process has applied everything up to p.
func (g *gates) ledgerReaches(ctx context.Context, p change.Position) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		mark, err := g.applied.Applied(ctx, g.rec)
		if err != nil {
			return err
		}
		if mark.Position != "" {
			if in, err := g.feed.log.Includes(ctx, mark.Position, p); err != nil || in {
				return err
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// verified: a full pass was clean, and what changed since is known.
func (g *gates) verified(context.Context) (cutover.Gate, error) {
	if g.dry {
		return cutover.Gate{Name: gateVerify, Open: true, Saw: "a full pass over all rows is made before writes are stopped"}, nil
	}
	return g.proof.Gate(), nil
}

// losses: whatever may be lost on the way back was accepted by name.
func (g *gates) losses(context.Context) (cutover.Gate, error) {
	x := cutover.Gate{Name: gateLosses, Open: true, Wants: "each accepted by name", Saw: "nothing is known that the way back would lose"}
	all, err := g.plan.WayBack(append(slices.Clone(g.accepted), g.o.Accept...))
	if err != nil {
		return x, err
	}
	var open []string
	for _, f := range all {
		if f.Kind == finding.Loss && !f.Accepted {
			open = append(open, string(f.Code)+":"+f.Object)
		}
		if g.side == cutover.Old {
			g.emit(event.Found{Finding: f})
		}
	}
	switch {
	case len(open) > 0 && g.side == cutover.Old:
		x.Open, x.Saw = false, fmt.Sprintf("%d losses of the way back are not accepted: %s", len(open), brief(open))
		x.Do = "mend them, or --accept " + open[0] + " (CODE:table.column; *.* names all)"
	case len(all) > 0:
		x.Saw = fmt.Sprintf("%d are known, and accepted", len(all))
	}
	return x, nil
}

// brief lists a few.
func brief(all []string) string {
	const most = 5
	if len(all) > most {
		return strings.Join(all[:most], ", ") + fmt.Sprintf(" and %d more", len(all)-most)
	}
	return strings.Join(all, ", ")
}

// fence: the application can be kept from writing.
func (g *gates) fence(ctx context.Context) (cutover.Gate, error) {
	x := cutover.Gate{Name: gateFence, Wants: "a fence that this account may raise"}
	p, err := g.fencer.PlanFence(ctx, g.rec, g.order())
	if shut, err := shutBy(&x, err); shut || err != nil {
		return x, err
	}
	g.way.Intent = intent(p)
	x.Open, x.Saw = true, "by "+string(p.Kind)
	if len(p.Accounts) > 0 {
		x.Saw += " of " + brief(p.Accounts)
	}
	if len(p.Events) > 0 {
		x.Saw += "; events are stopped: " + brief(p.Events)
	}
	for _, l := range p.Leaks {
		x.Saw += "; mind: " + l
	}
	if p.Replicates != "" {
		x.Open, x.Saw = false, "the end replicates from another one ("+p.Replicates+"), whose writes no fence here stops"
		x.Do = "stop the application there and end that replication first"
	}
	if len(p.Prepared) > 0 {
		x.Open, x.Saw = false, "transactions are prepared and could still be committed: "+brief(p.Prepared)
		x.Do = "end each; XA RECOVER on MySQL, pg_prepared_xacts on PostgreSQL list them"
	}
	return x, nil
}

// shutBy makes an error that a person can mend the reason why a gate is shut.
func shutBy(x *cutover.Gate, err error) (shut bool, _ error) {
	mendable := []fault.Class{fault.Refused, fault.Privilege, fault.Unsupported, fault.Usage, fault.Resource, fault.Busy, fault.Difference}
	if err == nil || !slices.Contains(mendable, fault.ClassOf(err)) {
		return false, err
	}
	x.Saw, x.Do = err.Error(), fault.HintOf(err)
	return true, nil
}

// wayBack: what will be written on the other side can come back.
func (g *gates) wayBack(ctx context.Context) (cutover.Gate, error) {
	x := cutover.Gate{Name: gateWayBack, Wants: "everything that the feed back needs"}
	if g.side == cutover.New {
		replicas, err := g.plan.Replicas()
		if err == nil {
			err = g.New.CanApply(ctx, g.rec, replicas)
		}
		if shut, err := shutBy(&x, err); shut || err != nil {
			return x, err
		}
		x.Open, x.Saw = true, "the source logs its changes, and the target takes them"
		return x, nil
	}
	err := g.New.CanArm(ctx, g.rec, g.selects)
	if err == nil {
		err = g.Old.CanApply(ctx, g.rec, g.replicas)
	}
	if shut, err := shutBy(&x, err); shut || err != nil {
		return x, err
	}
	x.Open, x.Saw = true, "the target can keep its changes, and the source takes them"
	return x, nil
}

// durable: the target keeps what it acknowledges, the journal's switch first of all.
func (g *gates) durable(ctx context.Context) (cutover.Gate, error) {
	x := cutover.Gate{Name: gateDurable, Open: true}
	var err error
	x.Saw, err = g.New.Durable(ctx)
	return x, err
}
