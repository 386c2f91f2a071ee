package web

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/account"
	"github.com/bascule/bascule/internal/round/store"
)

// drawUp makes an account of what was read.
type drawUp func(ctx context.Context, r store.Round, entries []store.Entry, h *store.Holder, signs map[string]store.Sign, now time.Time) (*account.Account, error)

// watch reads one round, and of its journal only what it has not read.
type watch struct {
	s  *server
	id string

	mu      sync.Mutex
	round   *store.Round
	entries []store.Entry
	state   *round.State
	broken  error // why the history cannot be played
	last    *sight
}

// sight is a round as it was seen at one moment.
type sight struct {
	*account.Account
	seq   int64
	state *round.State // as of seq; never changed
}

// watch returns the watch of a round.
func (s *server) watch(id string) *watch {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.watches[id]
	if w == nil {
		w = &watch{s: s, id: id}
		s.watches[id] = w
	}
	return w
}

// look returns the round as it is now. What is returned is shared, and never changed.
func (w *watch) look(ctx context.Context) (*sight, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.read(ctx); err != nil {
		return nil, err
	}
	if w.broken != nil {
		return nil, w.broken
	}
	h, err := w.s.Store.Holder(ctx, w.id)
	if err != nil {
		return nil, err
	}
	signs, err := w.s.Store.Signs(ctx, w.id)
	if err != nil {
		return nil, err
	}
	now := w.s.Now()
	acc, err := w.s.draw(ctx, *w.round, w.entries, h, signs, now)
	if err != nil {
		return nil, err
	}
	out := &sight{Account: acc, seq: w.seq()}
	if w.last != nil && w.last.seq == out.seq {
		out.state = w.last.state
	} else {
		out.state = w.state.Clone()
	}
	w.last = out
	return out, nil
}

func (w *watch) seq() int64 {
	if len(w.entries) == 0 {
		return 0
	}
	return w.entries[len(w.entries)-1].Seq
}

// read reads what is new.
func (w *watch) read(ctx context.Context) error {
	if w.round == nil {
		r, err := w.s.Store.Round(ctx, w.id)
		if err != nil {
			return err
		}
		w.round, w.state = r, round.New(r.Script.Plan())
	}
	fresh, err := w.s.Store.Entries(ctx, w.id, w.seq())
	if err != nil {
		return err
	}
	for i := range fresh {
		w.play(&fresh[i])
	}
	w.entries = append(slices.Clip(w.entries), fresh...) // accounts hold the old slice
	return nil
}

// play follows the state.
func (w *watch) play(e *store.Entry) {
	if w.broken != nil {
		return
	}
	if err := w.state.Apply(e.Event); err != nil {
		w.broken = unplayable(w.id, e.Seq, err)
	}
}

// stopped reports what round.State.Frozen reports, of one database.
func stopped(s *round.State, database string) bool {
	closed, open := round.StatusWaiting, false
	for i := range s.Plan.Steps {
		switch step := &s.Plan.Steps[i]; {
		case step.Database != database:
		case step.Role == round.RoleClose:
			closed = s.Steps[step.ID].Status
		case step.Role == round.RoleOpen:
			open = s.Steps[step.ID].Status == round.StatusDone
		}
	}
	return !open && closed != round.StatusWaiting && closed != round.StatusUndone && closed != round.StatusSkipped
}

// glance is look; of a round that has ended it only looks whether its journal went on.
func (w *watch) glance(ctx context.Context) (*sight, error) {
	w.mu.Lock()
	last := w.last
	over := last != nil && !last.Ended.IsZero()
	if over {
		if err := w.read(ctx); err != nil {
			w.mu.Unlock()
			return nil, err
		}
		over = w.seq() == last.seq
	}
	w.mu.Unlock()
	if over {
		return last, nil
	}
	return w.look(ctx)
}

// journal returns all entries, as far as they are now. They are shared, and never changed.
func (w *watch) journal(ctx context.Context) ([]store.Entry, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.read(ctx); err != nil {
		return nil, err
	}
	return w.entries, nil
}
