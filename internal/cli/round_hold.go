package cli

import (
	"context"
	"fmt"
	"sync"

	"github.com/spf13/cobra"

	"github.com/bascule/bascule/internal/cutover"
	"github.com/bascule/bascule/internal/migration"
	"github.com/bascule/bascule/internal/round/drive"
)

// holding is a database that this process holds closed, with its ends open.
type holding struct {
	held *migration.Held
	free func() // lets the ends be closed
	over chan struct{}
	err  error // once over is closed
}

// close closes the side that an application lives on, up to right before the switch, and holds it there. The databases of a group compare all rows first, each
// at its own pace, and stop writes together.
func (p *phases) close(ctx context.Context, w *drive.Work, g cutover.Goal) (string, error) {
	db := w.Task.Step.Database
	ready, free := make(chan struct{}), make(chan struct{})
	h := &holding{over: make(chan struct{}), free: sync.OnceFunc(func() { close(free) })}
	life, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	detach := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
	defer detach()
	go func() {
		defer close(h.over)
		defer cancel(nil)
		h.err = p.at(life, w, func(ctx context.Context, cmd *cobra.Command, s *settings, x *work) (err error) {
			o, err := p.options(cmd, s, w, g)
			if err != nil {
				return err
			}
			if h.held, err = x.migration.Hold(ctx, o, g); err != nil {
				return err
			}
			close(ready)
			<-free
			return nil
		})
	}()
	select {
	case <-ready:
	case <-h.over:
		return "", h.err
	}
	p.mu.Lock()
	p.held[db] = h
	delete(p.opened, db)
	p.mu.Unlock()
	go p.watch(context.WithoutCancel(ctx), db, h)
	return evidence(h.held.Evidence), nil
}

// options are how a step's cutover is made. Where another database of its group is open already, its fence stays up whatever happens.
func (p *phases) options(cmd *cobra.Command, s *settings, w *drive.Work, g cutover.Goal) (migration.SwitchOptions, error) {
	o, err := p.switchOptions(cmd, s)
	if err != nil {
		return o, err
	}
	o.Stay = len(group(w)) > 1
	if w.Together || g == cutover.ToOld {
		o.Keep, o.Budget = true, max(o.Budget, patient)
	}
	if g == cutover.ToNew && !w.Together {
		o.Meet = p.meeting(w).join
	}
	return o, nil
}

// watch tells when a hold has ended by itself: its time was over, or somebody else has taken the cutover. It keeps its ends until everything is as it was.
func (p *phases) watch(ctx context.Context, db string, h *holding) {
	select {
	case <-h.held.Done():
	case <-h.over:
		return
	}
	why := "its hold has ended"
	if err := h.held.Err(); err != nil {
		why = err.Error()
	}
	// What is left of it is found by whoever closes it again, or gives it back.
	_, _ = h.held.Undo(ctx, why)
	if !p.take(db, h) {
		return // whoever has it finds out
	}
	h.free()
	<-h.over
	select {
	case p.slips <- drive.Slip{Database: db, Reason: why}:
	case <-p.quit:
	}
}

// take takes a hold, if it is still the one that stands.
func (p *phases) take(db string, h *holding) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held[db] != h {
		return false
	}
	delete(p.held, db)
	return true
}

// taken takes whatever hold there is on a database.
func (p *phases) taken(db string) *holding {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.held[db]
	delete(p.held, db)
	return h
}

// openNew is the switch of a database that is held.
func (p *phases) openNew(ctx context.Context, w *drive.Work) (string, error) {
	if err := p.bind(w); err != nil {
		return "", err
	}
	h := p.taken(w.Task.Step.Database)
	if h == nil {
		return "", held(errUnheld)
	}
	return h.open(ctx)
}

func (h *holding) open(ctx context.Context) (string, error) {
	state, err := h.held.Open(ctx)
	h.free()
	<-h.over
	return evidence(struct {
		Frozen int64        `json:"frozen_ns"`
		Live   cutover.Side `json:"live"`
	}{int64(state.Stopped()), state.Live}), err
}

// openBack opens the old side of a database whose new side is closed again, by this process or by one that has died.
func (p *phases) openBack(ctx context.Context, w *drive.Work) (string, error) {
	db := w.Task.Step.Database
	h := p.taken(db)
	if h == nil {
		if _, err := p.close(ctx, w, cutover.ToOld); err != nil {
			return "", err
		}
		if h = p.taken(db); h == nil {
			return "", held(errUnheld)
		}
	} else if err := h.held.Bind(); err != nil {
		return "", held(err)
	}
	return h.open(ctx)
}

// bind lets every database of a group know that one of them may switch now: none is opened unless all still hold, and from then on none is given back by
// itself. Those that are open already need no word.
func (p *phases) bind(w *drive.Work) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range group(w) {
		db := t.Step.Database
		h := p.held[db]
		if h == nil && (p.opened[db] || w.Together) {
			continue
		}
		if h == nil {
			return held(fmt.Errorf("database %s: %w", db, errUnheld))
		}
		if err := h.held.Bind(); err != nil {
			return held(fmt.Errorf("database %s: %w", db, err))
		}
	}
	p.opened[w.Task.Step.Database] = true
	return nil
}

// giveBack opens the old side of a database that was closed and never opened.
func (p *phases) giveBack(ctx context.Context, w *drive.Work) (string, error) {
	h := p.taken(w.Task.Step.Database)
	if h == nil {
		state, err := p.settle(ctx, w)
		return livesText(state.Live), err
	}
	state, err := h.held.Undo(ctx, "the round turns back")
	h.free()
	<-h.over
	return livesText(state.Live), err
}

// letGo gives back everything that is held.
func (p *phases) letGo(ctx context.Context) {
	p.mu.Lock()
	all := p.held
	p.held = map[string]*holding{}
	p.mu.Unlock()
	var wg sync.WaitGroup
	for _, h := range all {
		wg.Go(func() {
			// What cannot be undone now is found by whoever drives next.
			_, _ = h.held.Undo(ctx, "the round's driver was stopped")
			h.free()
			<-h.over
		})
	}
	wg.Wait()
}

// meeting is where the databases of a group wait for each other before writes are stopped.
type meeting struct {
	mu   sync.Mutex
	want int
	here int
	all  chan struct{} // closed when everybody is here
}

// meeting returns that of a step's group: of all its databases that are not held already.
func (p *phases) meeting(w *drive.Work) *meeting {
	p.mu.Lock()
	defer p.mu.Unlock()
	want := 0
	for _, t := range group(w) {
		if p.held[t.Step.Database] == nil {
			want++
		}
	}
	name := w.Task.Step.Group
	if name == "" {
		return &meeting{want: 1, all: make(chan struct{})}
	}
	m := p.groups[name]
	if m == nil || m.over() {
		m = &meeting{want: want, all: make(chan struct{})}
		p.groups[name] = m
	}
	return m
}

func (m *meeting) over() bool {
	select {
	case <-m.all:
		return true
	default:
		return false
	}
}

// join returns when everybody is here. Who leaves before is waited for again.
func (m *meeting) join(ctx context.Context) error {
	m.mu.Lock()
	if m.here++; m.here == m.want {
		close(m.all)
	}
	m.mu.Unlock()
	select {
	case <-m.all:
		return nil
	case <-ctx.Done():
		m.mu.Lock()
		m.here--
		m.mu.Unlock()
		return context.Cause(ctx)
	}
}
