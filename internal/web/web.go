package web

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/bascule/bascule/internal/platform"
	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/account"
	"github.com/bascule/bascule/internal/round/store"
)

// Reader reads rounds and their journals.
type Reader interface {
	Rounds(ctx context.Context) ([]store.Round, error)
	Round(ctx context.Context, id string) (*store.Round, error)
	Entries(ctx context.Context, id string, after int64) ([]store.Entry, error)
}

// Writer adds an entry to a journal, and waits for entries.
type Writer interface {
	Append(ctx context.Context, id string, after, epoch int64, e round.Event) (*store.Entry, error)
	Wait(ctx context.Context, id string, after int64) error
}

// Signs reads the signs of life of a round: who drives it, and of its parts.
type Signs interface {
	Holder(ctx context.Context, id string) (*store.Holder, error)
	Signs(ctx context.Context, id string) (map[string]store.Sign, error)
}

// Tokens finds a token by the hash of its secret.
type Tokens interface {
	TokenByHash(ctx context.Context, hash string) (*store.Token, error)
}

// Store is what the dashboard needs of the store of rounds.
type Store interface {
	Reader
	Writer
	Signs
	Tokens
}

// Options say what a dashboard shows, and to whom.
type Options struct {
	Store    Store
	Platform *platform.Platform // names who may do what, and the environments that have no round yet; may be nil
	Now      func() time.Time   // the clock; nil for the machine's
	Log      *slog.Logger       // nil for none
	// Readonly takes no word from anybody.
	Readonly bool
	Version  string
	// Hosts are names, without a port, by which clients call this server beside those of the loopback. When there are any, other machines reach it, maybe through
	// a proxy on this one: then nobody sees anything without a token. AnyHost is every name: since all need a token then, and browsers keep a session for the
	// name that it was begun under, a strange name shows nothing.
	Hosts []string
	// Past returns past durations for estimates; nil for none. It is asked once a minute.
	Past func(ctx context.Context) ([]account.Past, error)
}

// AnyHost among Options.Hosts answers to every name.
const AnyHost = "*"

// server is one dashboard.
type server struct {
	Options
	draw   drawUp
	boot   string // tells the states of this process from those of the one before it
	assets *assets
	meters *meters

	mu       sync.Mutex
	watches  map[string]*watch
	hubs     map[string]*hub
	sessions map[string]session
}

// Handler returns the dashboard.
func Handler(o Options) http.Handler {
	return newServer(o, newEstimates(o.Past).draw).handler()
}

func newServer(o Options, draw drawUp) *server {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &server{
		Options: o, draw: draw, boot: rand.Text()[:8], assets: newAssets(), meters: newMeters(prometheus.NewRegistry()),
		watches: map[string]*watch{}, hubs: map[string]*hub{}, sessions: map[string]session{},
	}
}

func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.assets.index)
	mux.HandleFunc("GET /rounds/{id}", s.assets.index)
	mux.HandleFunc("GET /history", s.assets.index)
	mux.HandleFunc("GET /assets/{hash}/{name}", s.assets.file)
	mux.HandleFunc("GET /healthz", s.healthy)
	mux.HandleFunc("GET /metrics", s.reading(s.metrics))
	mux.HandleFunc("GET /api/me", s.me)
	mux.HandleFunc("POST /api/login", s.login)
	mux.HandleFunc("POST /api/logout", s.logout)
	mux.HandleFunc("GET /api/rounds", s.reading(s.list))
	mux.HandleFunc("GET /api/events", s.reading(s.listEvents))
	mux.HandleFunc("GET /api/history", s.reading(s.history))
	mux.HandleFunc("GET /api/history.svg", s.reading(s.historyPicture))
	mux.HandleFunc("GET /api/rounds/{id}", s.reading(s.round))
	mux.HandleFunc("GET /api/rounds/{id}/events", s.reading(s.roundEvents))
	mux.HandleFunc("GET /api/rounds/{id}/entries", s.reading(s.entries))
	mux.HandleFunc("POST /api/rounds/{id}/{action}", s.act)
	return s.guard(mux)
}
