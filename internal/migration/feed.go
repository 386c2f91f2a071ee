package migration

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/follow"
)

// feed is a replay that goes on in the background: changes of one end, applied to the other.
type feed struct {
	log      change.Log
	follower *follow.Follower
	// run replays until ctx ends and shows every durable mark.
	run func(ctx context.Context, committed func(change.Mark) error) error

	mu    sync.Mutex
	marks *marks
	end   context.CancelFunc
	ended chan struct{}
	err   error // why it ended, once ended is closed
}

// errNotFollowing says that a feed stands still because nobody has started it, or somebody has stopped it.
var errNotFollowing = errors.New("nothing is being followed")

// start lets the feed run until stop. It outlives ctx, whose values it has: a cutover that is interrupted still needs it. A feed that
// runs already goes on.
func (f *feed) start(ctx context.Context) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended != nil && !isClosed(f.ended) {
		return
	}
	ctx, f.end = context.WithCancel(context.WithoutCancel(ctx))
	marks, ended := newMarks(f.log), make(chan struct{})
	f.marks, f.ended, f.err = marks, ended, nil
	go func() {
		err := f.run(ctx, marks.reached)
		f.mu.Lock()
		defer f.mu.Unlock()
		if ctx.Err() == nil {
			f.err = err
		}
		close(ended)
	}()
}

// resume starts a feed again that was stopped. One that ended by itself stays ended.
func (f *feed) resume(ctx context.Context) {
	f.mu.Lock()
	stopped := f.ended != nil && isClosed(f.ended) && f.err == nil
	f.mu.Unlock()
	if stopped {
		f.start(ctx)
	}
}

// stop ends the feed and returns when nothing of it is under way any more.
func (f *feed) stop() {
	f.mu.Lock()
	end, ended := f.end, f.ended
	f.mu.Unlock()
	if end == nil {
		return
	}
	end()
	<-ended
}

// failed returns why the feed ended by itself, nil while it runs.
func (f *feed) failed() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.ended == nil:
		return errNotFollowing
	case !isClosed(f.ended):
		return nil
	case f.err == nil:
		return errNotFollowing
	}
	return f.err
}

// reach returns when everything up to p is durable on the other end, with what was applied by then; or with the error that ended the feed.
func (f *feed) reach(ctx context.Context, p change.Position) (change.Mark, error) {
	f.mu.Lock()
	marks, ended := f.marks, f.ended
	f.mu.Unlock()
	if ended == nil {
		return change.Mark{}, errNotFollowing
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	err := marks.wait(ctx, p)
	if dead := f.failed(); err != nil && dead != nil {
		err = fmt.Errorf("the changes are not followed any more: %w", dead)
	}
	return marks.last(), err
}

// catchUp returns when everything is applied that its end had logged when it was called.
func (f *feed) catchUp(ctx context.Context) error {
	p, err := f.log.End(ctx)
	if err != nil {
		return err
	}
	_, err = f.reach(ctx, p)
	return err
}

// last returns the last mark that is durable.
func (f *feed) last() change.Mark {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.marks == nil {
		return change.Mark{}
	}
	return f.marks.last()
}

// wait returns when the feed ends, or ctx does.
func (f *feed) wait(ctx context.Context) error {
	select {
	case <-f.ended:
		return f.failed()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
