package drive

import (
	"context"
	"time"

	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/store"
)

// Journal is the journal of rounds, as *store.Store keeps it.
type Journal interface {
	Entries(ctx context.Context, id string, after int64) ([]store.Entry, error)
	Append(ctx context.Context, id string, after, epoch int64, e round.Event) (*store.Entry, error)
	Wait(ctx context.Context, id string, after int64) error
}

// Lease lets one driver at a time drive a round. *store.Store keeps it too.
type Lease interface {
	Claim(ctx context.Context, id, who string, lease time.Duration, force bool) (*store.Holder, error)
	Renew(ctx context.Context, id string, epoch int64, lease time.Duration) error
	Release(ctx context.Context, id string, epoch int64) error
}

// Work is what a hand is to do.
type Work struct {
	Round *store.Round
	Task  *round.Task
	// Verb is round.Do, round.CloseBack or round.UndoStep; for Check, which of them is looked for.
	Verb    round.Verb
	Attempt int
	// Epoch is the driver's; a hand passes it on, so that whoever hears of an older one can refuse.
	Epoch int64
	// Since is when it was started first, by the journal's clock; zero for an undo.
	Since time.Time
	// Together says that another database of the same group is open on its new side already, so that this one must not be opened on its old one.
	Together bool
}

// Key is the same at every repetition of one effect, and differs between effects.
func (w *Work) Key() string {
	return w.Round.ID + "/" + string(w.Task.Step.ID) + "/" + string(w.Verb)
}

// Found is what a look at an effect found.
type Found int

// What a look can find. Nobody knows: a person has to say.
const (
	FoundAbsent Found = iota
	FoundDone
	FoundUnknown
)

// Hand carries out steps.
type Hand interface {
	// Do returns when the work is done, with its evidence, or when ctx ends: then nothing of it goes on.
	Do(ctx context.Context, w *Work) (evidence string, err error)
	// Check says whether the work is done that an earlier driver had begun.
	Check(ctx context.Context, w *Work) (Found, string, error)
}

// Slip says that a database which was closed is not known to be closed any more.
type Slip struct {
	Database, Reason string
}

// Keeper keeps the side of a database current that the application does not live on, until ctx ends.
type Keeper interface {
	Keep(ctx context.Context, r *store.Round, k Keeping) error
}

// Keeping is what a keeper is to do.
type Keeping struct {
	Database, Config string
	// Back: the application lives on the new side, and the old one is kept current.
	Back bool
}

// Observer sees what happens. Its methods are called by one goroutine.
type Observer interface {
	// Entry is called for each entry, in order, the driver's own and others'.
	Entry(e *store.Entry, s *round.State)
	// Trouble is called for what is tried again, and for what waits: nothing is lost by it.
	Trouble(what string)
}
