package web

import (
	"context"
	"sync"
	"time"

	"github.com/bascule/bascule/internal/round/account"
	"github.com/bascule/bascule/internal/round/store"
)

// pastAge is how old the knowledge of past rounds may be.
const pastAge = time.Minute

// estimates draws accounts with what past rounds took.
type estimates struct {
	ask func(ctx context.Context) ([]account.Past, error)

	mu   sync.Mutex
	past []account.Past
	at   time.Time
}

func newEstimates(ask func(context.Context) ([]account.Past, error)) *estimates {
	return &estimates{ask: ask}
}

func (e *estimates) draw(ctx context.Context, r store.Round, entries []store.Entry, h *store.Holder, signs map[string]store.Sign, now time.Time) (*account.Account, error) {
	past, err := e.known(ctx, now)
	if err != nil {
		return nil, err
	}
	return account.Of(r, entries, past, h, signs, now)
}

func (e *estimates) known(ctx context.Context, now time.Time) ([]account.Past, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ask == nil || !e.at.IsZero() && now.Sub(e.at) < pastAge {
		return e.past, nil
	}
	past, err := e.ask(ctx)
	if err != nil {
		return nil, err
	}
	e.past, e.at = past, now
	return past, nil
}
