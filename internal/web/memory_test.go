package web

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/store"
)

// memory is a store whose clock a test sets, so that a journal can tell of hours.
type memory struct {
	mu      sync.Mutex
	at      time.Time // its clock; zero for the machine's
	running time.Time // since when its clock goes on from at; zero while it stands
	rounds  []store.Round
	entries map[string][]store.Entry
	signs   map[string]map[string]store.Sign
	holders map[string]*store.Holder
	tokens  map[string]store.Token
	fail    error
	behind  int // how many more writes find that somebody else was faster
	reads   int // how often signs were read
	news    chan struct{}
}

func newMemory() *memory {
	return &memory{
		entries: map[string][]store.Entry{}, signs: map[string]map[string]store.Sign{}, holders: map[string]*store.Holder{}, tokens: map[string]store.Token{},
		news: make(chan struct{}),
	}
}

func (m *memory) now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.clock()
}

func (m *memory) clock() time.Time {
	if m.at.IsZero() {
		return time.Now().UTC()
	}
	if !m.running.IsZero() {
		return m.at.Add(time.Since(m.running))
	}
	return m.at
}

// runs lets the clock go on.
func (m *memory) runs() { m.set(func() { m.running = time.Now() }) }

func (m *memory) set(do func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	do()
	close(m.news)
	m.news = make(chan struct{})
}

func (m *memory) Rounds(context.Context) ([]store.Round, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.rounds), m.fail
}

func (m *memory) Round(_ context.Context, id string) (*store.Round, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.rounds {
		if m.rounds[i].ID == id {
			r := m.rounds[i]
			return &r, m.fail
		}
	}
	return nil, fmt.Errorf("read round %s: %w", id, store.ErrNone)
}

func (m *memory) Entries(_ context.Context, id string, after int64) ([]store.Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.entries[id]
	return slices.Clone(all[min(int(after), len(all)):]), m.fail
}

func (m *memory) Append(_ context.Context, id string, after, epoch int64, e round.Event) (out *store.Entry, err error) {
	m.set(func() {
		switch {
		case m.fail != nil:
			err = m.fail
		case m.behind > 0:
			m.behind--
			m.add(id, 0, round.Event{What: round.Noted, Who: "bob", Reason: "I was faster"})
			err = store.ErrBehind
		case after != int64(len(m.entries[id])):
			err = store.ErrBehind
		default:
			out = m.add(id, epoch, e)
		}
	})
	return out, err
}

func (m *memory) add(id string, epoch int64, e round.Event) *store.Entry {
	n := int64(len(m.entries[id])) + 1
	entry := store.Entry{Seq: n, At: m.clock(), Epoch: epoch, Event: e, Hash: fmt.Sprintf("%064x", n)}
	m.entries[id] = append(m.entries[id], entry)
	return &entry
}

func (m *memory) Wait(ctx context.Context, id string, after int64) error {
	for {
		m.mu.Lock()
		n, news := int64(len(m.entries[id])), m.news
		m.mu.Unlock()
		if n > after {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-news:
		}
	}
}

func (m *memory) Holder(_ context.Context, id string) (*store.Holder, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.holders[id] == nil {
		return nil, m.fail
	}
	h := *m.holders[id]
	h.Now = m.clock()
	return &h, m.fail
}

func (m *memory) Signs(_ context.Context, id string) (map[string]store.Sign, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads++
	out := map[string]store.Sign{}
	maps.Copy(out, m.signs[id])
	return out, m.fail
}

func (m *memory) TokenByHash(_ context.Context, hash string) (*store.Token, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, ok := m.tokens[hash]
	if !ok {
		return nil, fmt.Errorf("read a token: %w", store.ErrNone)
	}
	return &t, m.fail
}

// token adds a person's token, whose secret it returns.
func (m *memory) token(who string) (secret string) {
	secret = "secret-of-" + who
	m.set(func() {
		m.tokens[hashOf(secret)] = store.Token{ID: "t-" + who, Person: who, Hash: hashOf(secret), Expires: m.clock().Add(24 * time.Hour)}
	})
	return secret
}
