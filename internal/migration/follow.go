package migration

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/convert"
	"github.com/bascule/bascule/internal/cutover"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/follow"
	"github.com/bascule/bascule/internal/schema"
	"github.com/bascule/bascule/internal/snapshot"
)

const opFollow = "follow the source"

// Follow applies the source's changes to the target, from where the copy began or an earlier follow has come to, until ctx ends,
// until returns a position that is reached, or something stands in the way. When it has passed all that the copy can have read, it
// builds the unique indexes that had to wait, while it goes on. It may be interrupted at any time and begun again.
func (m *Migration) Follow(ctx context.Context, until func() change.Position) error {
	for {
		err := m.followOn(ctx, until)
		met, ok := errors.AsType[*follow.DDLError](err)
		if !ok || fault.ClassOf(err) != fault.Internal {
			return err
		}
		rec, err := m.record(ctx)
		if err != nil {
			return err
		}
		if err := m.alter(ctx, rec, &met.DDL); err != nil {
			return err
		}
	}
}

// followOn follows with the plan that the ledger has, up to a statement that asks for another one.
func (m *Migration) followOn(ctx context.Context, until func() change.Position) error {
	rec, then, plan, err := m.followable(ctx)
	if err != nil {
		return err
	}
	if err := m.onSource(ctx, rec); err != nil {
		return err
	}
	// The source may have been altered since, by statements that the log will come to.
	ahead := m.unaltered(ctx, then.Filter, plan, opFollow)
	if ahead != nil && fault.ClassOf(ahead) != fault.Refused {
		return ahead
	}
	bound, err := m.Changes.End(ctx)
	if err != nil {
		return err
	}
	f, err := m.follower(ctx, rec, plan)
	if err != nil {
		return err
	}
	f.Until = until
	return m.catchUp(ctx, rec, plan, f, func(mark change.Mark) error {
		if ahead == nil {
			return nil
		}
		// It has all been read, and no statement says how the source came to be what it is.
		if in, err := m.Changes.Includes(ctx, mark.Position, bound); err != nil || !in {
			return err
		}
		return ahead
	})
}

// onSource refuses to follow the source while the application lives on the target.
func (m *Migration) onSource(ctx context.Context, rec *change.Record) error {
	s, _, err := m.journal(ctx, rec)
	if err != nil || s.Live == cutover.Old {
		return err
	}
	return fault.New(fault.Refused, opFollow, errors.New("the application lives on the target since a cutover"), "bascule db fallback lets its changes flow back to the source")
}

// following opens the record of a copy that is at its end and was made to be followed.
func (m *Migration) following(ctx context.Context) (*change.Record, *convert.Plan, error) {
	rec, then, plan, err := m.followable(ctx)
	if err != nil {
		return nil, nil, err
	}
	return rec, plan, m.unaltered(ctx, then.Filter, plan, opFollow)
}

// followable is following for whoever can deal with a source that has been altered since.
func (m *Migration) followable(ctx context.Context) (*change.Record, *stored, *convert.Plan, error) {
	rec, err := m.record(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	if err := m.sameSource(ctx, rec, opFollow); err != nil {
		return nil, nil, nil, err
	}
	then, plan, err := recorded(rec)
	if err != nil {
		return nil, nil, nil, err
	}
	if !then.Options.ForFollow {
		return nil, nil, nil, fault.New(fault.Refused, opFollow,
			fmt.Errorf("the copy into schema %q was made with foreign keys and unique indexes, on which changes of a source in use fail", rec.Schema),
			"begin anew: bascule db drop, then bascule db copy --follow")
	}
	if table, err := m.copying(ctx, rec); err != nil || table != "" {
		return nil, nil, nil, cmp.Or(err, fault.New(fault.Refused, opFollow, fmt.Errorf("table %q is not copied yet", table),
			"finish it first, by running the bascule db copy that began it; bascule db status tells how far it is"))
	}
	return rec, then, plan, nil
}

// copying returns a table of which rows are still to be copied, if there is one.
func (m *Migration) copying(ctx context.Context, rec *change.Record) (schema.Name, error) {
	done, err := m.Target.Progress(ctx, rec.Schema)
	for _, p := range done {
		if p.Walking || p.ChunksDone < p.Chunks {
			return p.Table, err
		}
	}
	return "", err
}

// follower plans the replay.
func (m *Migration) follower(ctx context.Context, rec *change.Record, plan *convert.Plan) (*follow.Follower, error) {
	replicas, err := plan.Replicas()
	if err != nil {
		return nil, err
	}
	since, err := m.Target.Snapshots(ctx, rec)
	if err != nil {
		return nil, err
	}
	f := &follow.Follower{
		Source: m.Changes, Target: m.Applier, Record: rec, Who: m.Who, From: rec.Position, Retry: m.retry(), Events: m.Events,
		Pass: func(ctx context.Context, d *change.DDL) (bool, error) { return m.pass(ctx, rec, d) },
	}
	for i, t := range plan.Tables {
		f.Tables = append(f.Tables, &follow.Table{Select: &t.Select, Replica: replicas[i], Since: since[t.Target.Name]})
	}
	return f, nil
}

// catchUp runs the follower and, once it has passed what the copy can have read, what had to wait for that.
// committed sees every mark that is durable.
func (m *Migration) catchUp(ctx context.Context, rec *change.Record, plan *convert.Plan, f *follow.Follower, committed func(change.Mark) error) error {
	// The copy has ended, so whatever its reads saw is in the log before its present end.
	bound, err := m.Changes.End(ctx)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	passed := make(chan struct{})
	var once sync.Once
	f.Committed = func(mark change.Mark) error {
		if err := committed(mark); err != nil {
			return err
		}
		if isClosed(passed) {
			return nil
		}
		if in, err := m.Changes.Includes(ctx, mark.Position, bound); err != nil || !in {
			return err
		}
		once.Do(func() { close(passed) })
		return nil
	}
	running, ended := context.WithCancel(ctx)
	defer ended()
	g.Go(func() error { return m.spoolUntil(running, rec, passed) })
	g.Go(func() error {
		defer ended()
		return f.Run(ctx)
	})
	g.Go(func() error {
		select {
		case <-passed:
		case <-running.Done():
			if !isClosed(passed) {
				return nil
			}
		}
		return m.finishKeys(ctx, rec, plan)
	})
	return g.Wait()
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// finishKeys builds what had to wait. What an earlier run has built is not built again.
func (m *Migration) finishKeys(ctx context.Context, rec *change.Record, plan *convert.Plan) error {
	_, later := m.statements(plan, convert.Options{ForFollow: true})
	if err := m.Target.Extend(ctx, rec, later); err != nil {
		return err
	}
	q := m.Target.Queue(rec)
	if left, err := q.Left(ctx); err != nil || left == 0 {
		return err
	}
	return m.phase("keys", func() error {
		c := &snapshot.Copier{
			Source: m.Source, Queue: q, Tables: m.tables(plan), At: rec.Position, Lanes: 1, Retry: m.retry(), Events: m.Events, Log: m.Log,
		}
		_, err := c.Run(ctx)
		return err
	})
}
