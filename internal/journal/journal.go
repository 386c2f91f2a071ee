// Package journal owns the words in which a cutover writes down what it decides and does: entries, the epoch that tells an
// old driver from the present one, and the ports of the store that keeps them. It never stores anything itself, and never decides.
package journal

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// Direction is which way the application moves.
type Direction string

// The directions.
const (
	// Forward leads from the old side (where the migration copies from) to the new one.
	Forward Direction = "forward"
	// Back leads from the new side to the old one: a fallback.
	Back Direction = "back"
)

// Step is one step of a direction.
type Step string

// The steps, in their order. Package cutover says why each stands where it does.
const (
	// StepGates looks whether anything stands in the way. It changes nothing.
	StepGates Step = "gates"
	// StepArm makes sure that whatever will be written on the target can travel back.
	StepArm Step = "arm"
	// StepIntent records what is going to happen, before the application notices anything.
	StepIntent Step = "intent"
	// StepFence keeps the application from writing to the source. The write freeze begins with it.
	StepFence Step = "fence"
	// StepProve proves that nobody writes, and takes the position behind all that was written.
	StepProve Step = "prove"
	// StepDrain waits until the target holds everything up to that position.
	StepDrain Step = "drain"
	// StepProof compares what changed since the last pass of the verification.
	StepProof Step = "proof"
	// StepPrepare makes the target fit for an application: sequences, triggers, foreign keys.
	StepPrepare Step = "prepare"
	// StepHold waits, with everything before the switch done, until somebody says that it may come: other databases that move together
	// with this one have to be as far. A cutover that moves alone does not have it.
	StepHold Step = "hold"
	// StepSwitch is the one durable record that opens the target. Before it everything is undone; after it nothing is.
	StepSwitch Step = "switch"
	// StepOpen opens a target that cannot be opened within the journal's transaction.
	StepOpen Step = "open"
	// StepHooks tells the outside world where to go.
	StepHooks Step = "hooks"
	// StepReverse turns the feed from the target to the source on.
	StepReverse Step = "reverse"
	// StepValidate validates what was only promised in the freeze: foreign keys.
	StepValidate Step = "validate"
	// StepDone closes the attempt.
	StepDone Step = "done"
	// StepFinish is no step of a direction: it declares the point of no return and lets the old side go.
	StepFinish Step = "finish"
)

// Mark says what became of a step.
type Mark string

// The marks.
const (
	MarkBegun  Mark = "begun"
	MarkDone   Mark = "done"
	MarkUndone Mark = "undone"
	// MarkFailed, before the switch, decides that the attempt is undone; after it, that a person has to look.
	MarkFailed Mark = "failed"
)

// Entry is one line of the journal. Lines are added and never altered.
type Entry struct {
	// Seq counts from 1, without a gap; the store gives it.
	Seq       int64     `json:"seq"`
	Direction Direction `json:"direction"`
	Step      Step      `json:"step"`
	Mark      Mark      `json:"mark"`
	// Evidence is what the step found or was given, as a JSON object; may be empty.
	Evidence json.RawMessage `json:"evidence,omitempty"`
	// Who wrote it, for people; At is the store's clock; Epoch is the writer's. The store sets them from the claim.
	Who   string    `json:"who"`
	At    time.Time `json:"at"`
	Epoch int64     `json:"epoch"`
}

// Holder is a process that drives a migration's cutover, or watches it.
type Holder struct {
	// Who names it for people: USER@HOST, process 4711.
	Who string `json:"who"`
	// ID tells it from every other process, and from an earlier life of the same one.
	ID string `json:"-"`
	// Since and Until are the store's clock: the process answers until then. Who is empty when nobody does.
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
}

// Claim is the right to write to the journal, as long as its epoch is the highest that was claimed.
type Claim struct {
	Epoch   int64
	Who, ID string
}

// Log is everything that a store knows of a migration's cutovers.
type Log struct {
	Entries []Entry
	// Epoch is the highest that was claimed, 0 when none was.
	Epoch   int64
	Driver  Holder
	Watcher Holder
	// Now is the store's clock at the time of reading.
	Now time.Time
}

// Driven reports whether somebody drives now.
func (l *Log) Driven() bool { return l.Driver.Who != "" && l.Driver.Until.After(l.Now) }

// Watched reports whether a second process watches now.
func (l *Log) Watched() bool { return l.Watcher.Who != "" && l.Watcher.Until.After(l.Now) }

// ErrStale is wrapped by the refusal of a claim whose epoch is not the highest any more. Whoever gets it must stop: another
// process has taken over.
var ErrStale = errors.New("another process has taken over")

// Reader reads a journal.
type Reader interface {
	// Read returns what is durable.
	Read(ctx context.Context) (*Log, error)
}

// Claimer gives out the right to write.
type Claimer interface {
	// Claim raises the epoch from seen to seen+1 for a process, which answers for that long. It waits for the end of a
	// transaction that Append or Switch has open for an earlier claim; so, when it has returned, no such transaction
	// can still become durable. A claim of another process that has not run out is fault.Busy, which says whose and since when;
	// an epoch that is not seen any more is fault.Busy too. A process may take over from itself. After any other error nobody
	// knows whether the epoch was raised.
	Claim(ctx context.Context, who, id string, seen int64, lease time.Duration) (Claim, error)
	// Renew says that a process answers for that long from now on, whichever of its claims is the last. When another process holds
	// the journal, the error wraps ErrStale.
	Renew(ctx context.Context, id string, lease time.Duration) error
	// Release says that the process answers no more, and that nothing waits for it.
	Release(ctx context.Context, c Claim) error
}

// Writer adds to a journal. A stale claim is an error that wraps ErrStale, and nothing is written. After an error of class
// fault.Connect nobody knows whether the entry is durable: claim again, then read.
type Writer interface {
	// Append adds an entry, durably.
	Append(ctx context.Context, c Claim, e Entry) error
	// Switch adds the entry of StepSwitch with MarkDone and, in the same transaction, opens the side that its direction leads to,
	// where that side lives in the same database as the journal, or makes sure that the other side, which does, stays closed.
	Switch(ctx context.Context, c Claim, e Entry) error
}

// Standby is told of processes that watch.
type Standby interface {
	// Watch says that a process watches and will go on doing so for that long.
	Watch(ctx context.Context, who string, lease time.Duration) error
}

// Store keeps a journal.
type Store interface {
	Reader
	Claimer
	Writer
	Standby
}
