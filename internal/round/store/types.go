package store

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/bascule/bascule/internal/round"
)

// Kind says what a round is for.
type Kind string

// The kinds of rounds.
const (
	Live Kind = "live"
	// PoC goes through everything and never switches; what fails becomes a finding.
	PoC Kind = "poc"
	// Rehearsal is on scratch copies. It has two legs, each a round: forward and back, and forward again.
	Rehearsal Kind = "rehearsal"
)

// Round is one round, as it was planned. It never changes.
type Round struct {
	// ID is the environment, the kind where it is not live, and the number: preprod-2, prod-eu-rehearsal-1.
	ID          string `json:"id"`
	Environment string `json:"environment"`
	Kind        Kind   `json:"kind"`
	// Number counts the environment's rounds of this kind, from 1. Leg is 1 or 2 in a rehearsal, else 0.
	Number     int          `json:"number"`
	Leg        int          `json:"leg,omitempty"`
	Production bool         `json:"production,omitempty"`
	Began      time.Time    `json:"began"` // UTC
	Who        string       `json:"who"`
	Script     round.Script `json:"script"`
	// Hash is the plan's: equal hashes mean equal steps, parameters, schemas, accepted losses and program.
	Hash    string `json:"hash"`
	Program string `json:"program"`
	// Parts are the hashes of what Hash is made of, by name, so that it can be said what has changed.
	Parts map[string]string `json:"parts,omitempty"`
	// Unrehearsed are the steps of the live round that this one leaves out, for want of a form.
	Unrehearsed []round.StepID `json:"unrehearsed,omitempty"`
	// Zone is the IANA name of the zone in which people read its times.
	Zone string `json:"zone,omitempty"`
	// WindowFrom and WindowTo are when writes may be stopped; zero for any time.
	WindowFrom time.Time `json:"window_from,omitzero"`
	WindowTo   time.Time `json:"window_to,omitzero"`
	// Override is why it runs without a green rehearsal, or outside of its window.
	Override string  `json:"override,omitempty"`
	Cost     float64 `json:"cost,omitempty"` // a month
}

// Entry is one event of a round, as it was written down.
type Entry struct {
	Seq   int64     `json:"seq"` // from 1, without gaps
	At    time.Time `json:"at"`  // UTC, by the store's clock
	Epoch int64     `json:"epoch,omitempty"`
	// Event says who, beside what.
	Event round.Event `json:"event"`
	// Hash is SHA-256, in hexadecimal, over the previous entry's hash and this entry; of the first over the round itself.
	Hash string `json:"hash"`
}

// Holder is who drives a round, or did last.
type Holder struct {
	Who string `json:"who"`
	// Epoch grows by one with every claim. Whoever holds an older one can write nothing.
	Epoch int64     `json:"epoch"`
	Since time.Time `json:"since"`
	Until time.Time `json:"until"` // zero when released
	// Now is the store's clock when it was read.
	Now time.Time `json:"-"`
}

// Holds reports whether the lease has not run out.
func (h *Holder) Holds() bool { return h != nil && h.Until.After(h.Now) }

// Sign is the last sign of life of a part of a round, such as a database's lag. It is overwritten, not kept.
type Sign struct {
	At   time.Time       `json:"at"`
	Body json.RawMessage `json:"body"`
}

// Token lets a person act from elsewhere. The secret itself is nowhere.
type Token struct {
	ID      string    `json:"id"` // short, to name it by
	Person  string    `json:"person"`
	Hash    string    `json:"-"` // SHA-256 of the secret, in hexadecimal
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
	Revoked time.Time `json:"revoked,omitzero"`
}

// What the store's methods return, wrapped in a fault.
var (
	// ErrBehind: somebody has written an entry since; read it, and decide again.
	ErrBehind = errors.New("the journal has gone on")
	// ErrStale: another driver has claimed the round.
	ErrStale = errors.New("another driver has taken over")
	// ErrHeld: a driver's lease has not run out.
	ErrHeld = errors.New("somebody drives it")
	// ErrChain: an entry is not what was written.
	ErrChain = errors.New("the journal was changed afterwards")
	// ErrNone: there is no such round or token.
	ErrNone = errors.New("there is none")
	// ErrUnsure: the answer to a commit was lost, and nobody could be asked what became of it. Read the journal before anything else is done.
	ErrUnsure = errors.New("nobody knows whether it was written")
)
