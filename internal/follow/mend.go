package follow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bascule/bascule/internal/change"
)

// Mend is some rows to copy again.
type Mend struct {
	Table *Table
	// Keys has the columns of the table's key, in the source's binary form.
	Keys *change.Batch
	// Read hands over the rows that the source has with those keys, and with keys that are equal to them there, over a connection that has
	// proved that it sees at. A batch is add's only until it returns.
	Read func(ctx context.Context, at change.Position, add func(*change.Batch) error) error
}

// Mended is what became of a Mend.
type Mended struct {
	// At is the position at which the rows were put.
	At change.Position
	// Cleared is how many keys were cleared, and Rows how many rows were put then.
	Cleared, Rows int
	// Paused is how long nothing was applied.
	Paused time.Duration
}

// mending is a Mend that waits for the applying side.
type mending struct {
	Mend
	gone <-chan struct{} // closed when nobody waits for it any more
	did  Mended
	done chan error // holds one
}

// Mend copies rows again while the follow goes on. Between two transactions of the target, with everything up to a position durable there,
// the rows are read as the source has them at that position or later, and take the place of what the target has, in one
// transaction. The replay of what is behind the position makes them exact, as it does with every row of a copy.
//
// It waits until Run applies. After an error nothing was changed; but when a connection was lost during the commit it may have been, and may be
// again.
func (f *Follower) Mend(ctx context.Context, m Mend) (Mended, error) {
	if len(m.Table.Replica.Key) == 0 {
		return Mended{}, fmt.Errorf("copy rows of %s again: it has no key", m.Table.Select.Table.Name)
	}
	ask := &mending{Mend: m, gone: ctx.Done(), done: make(chan error, 1)}
	select {
	case f.askers() <- ask:
	case <-ctx.Done():
		return Mended{}, context.Cause(ctx)
	}
	select {
	case err := <-ask.done:
		return ask.did, err
	case <-ctx.Done():
		return Mended{}, context.Cause(ctx)
	}
}

// askers is the channel to the applying side, which outlives its connections.
func (f *Follower) askers() chan *mending {
	f.open.Do(func() { f.asks = make(chan *mending) })
	return f.asks
}

// mend carries out what was asked for and tells the asker. Its own error is one that ends the session.
func (p *pump) mend(ctx context.Context, ask *mending) error {
	if err := p.land(ctx, 0); err != nil {
		ask.done <- err
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-ask.gone:
			cancel()
		case <-ctx.Done():
		}
	}()
	began := time.Now()
	err := p.replace(ctx, ask)
	ask.did.At, ask.did.Paused = p.applied.Position, time.Since(began)
	ask.done <- err
	if err == nil {
		return nil
	}
	// The asker knows the error. What is to be ended here is what it left open.
	return p.rolledBack(ctx, nil)
}

// replace reads the rows and puts them.
func (p *pump) replace(ctx context.Context, ask *mending) error {
	t := p.build.tables[ask.Table.Select]
	if t == nil {
		return fmt.Errorf("copy rows of %s again: it is not followed", ask.Table.Select.Table.Name)
	}
	if p.applied.Position == "" {
		return errors.New("copy rows again: the follow has no position yet")
	}
	rows := newPending(t)
	rows.reset()
	for i := range ask.Keys.Rows {
		rows.clearKey(ask.Keys, i)
	}
	err := ask.Read(ctx, p.applied.Position, func(b *change.Batch) error {
		if b.Columns != len(t.Select.Columns) {
			return fmt.Errorf("copy rows of %s again: rows of %d columns, want %d", t.Select.Table.Name, b.Columns, len(t.Select.Columns))
		}
		for i := range b.Rows {
			rows.insert(b, i)
		}
		return nil
	})
	if err != nil {
		return err
	}
	step := change.Step{Tables: []change.TableStep{rows.finish()}}
	ask.did.Cleared, ask.did.Rows = step.Tables[0].Delete.Rows, step.Tables[0].Insert.Rows
	tx, err := p.session.Begin(ctx)
	if err != nil {
		return err
	}
	if p.f.Touch != nil {
		p.f.Touch(&step)
	}
	if err := tx.Apply(ctx, &step); err != nil {
		return err
	}
	return tx.Commit(ctx, p.applied)
}
