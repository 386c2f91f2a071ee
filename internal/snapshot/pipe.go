package snapshot

import (
	"context"
	"iter"

	"github.com/bascule/bascule/internal/change"
)

// pipe carries batches from the reading side to the loading side of one lane,
// and empty ones back. Two batches go round, so that one is filled while the
// other is loaded; a lane holds no more.
type pipe struct {
	full  chan *change.Batch
	empty chan *change.Batch // room for both batches: giving one back never blocks
	err   error              // of the reader; read after full is closed
	bytes int64              // handed over; read after full is closed
}

func newPipe() *pipe {
	p := &pipe{full: make(chan *change.Batch), empty: make(chan *change.Batch, 2)}
	p.empty <- &change.Batch{}
	p.empty <- &change.Batch{}
	return p
}

// swap hands over a filled batch and returns an empty one; nil asks for the first.
func (p *pipe) swap(ctx context.Context, b *change.Batch) (*change.Batch, error) {
	if b == nil {
		return p.take(ctx)
	}
	p.bytes += int64(len(b.Data))
	select {
	case p.full <- b:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	return p.take(ctx)
}

func (p *pipe) take(ctx context.Context) (*change.Batch, error) {
	select {
	case b := <-p.empty:
		return b, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// end says that the reader will hand over nothing more.
func (p *pipe) end(err error) {
	p.err = err
	close(p.full)
}

// batches yields what the reader hands over, each until the next is asked for, and
// at last the reader's error.
func (p *pipe) batches() iter.Seq2[*change.Batch, error] {
	return func(yield func(*change.Batch, error) bool) {
		for b := range p.full {
			ok := yield(b, nil)
			p.empty <- b
			if !ok {
				return
			}
		}
		if p.err != nil {
			yield(nil, p.err)
		}
	}
}
