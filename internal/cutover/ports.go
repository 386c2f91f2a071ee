package cutover

import (
	"context"
	"encoding/json"
	"time"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/journal"
)

// Gate is one condition of a cutover.
type Gate struct {
	Name string `json:"name"`
	Open bool   `json:"open"`
	// Saw is what was found, Wants what would open it, Do what the operator can do.
	Saw   string `json:"saw"`
	Wants string `json:"wants,omitempty"`
	Do    string `json:"do,omitempty"`
}

// Gates are the conditions of one direction: lag, verified, losses accepted, reverse ready.
type Gates interface {
	// Look looks at every gate. It changes nothing and may run long before the cutover.
	Look(ctx context.Context) ([]Gate, error)
}

// Reverse is the feed from the target to the source.
type Reverse interface {
	// Arm makes the target keep everything that will be written there, and returns the position that the feed will begin at.
	Arm(ctx context.Context, t change.Token) (change.Position, error)
	// Disarm takes that back.
	Disarm(ctx context.Context, t change.Token) error
	// Feed turns the feed on from where Arm said, and returns when it is known to run.
	Feed(ctx context.Context, t change.Token, from change.Position) error
}

// Drain is the replay from the source to the target.
type Drain interface {
	// Drain returns when the target durably holds everything up to p, and with what it has applied.
	Drain(ctx context.Context, p change.Position) (change.Mark, error)
	// Still makes sure that nothing of the application stands in the source's log behind what is applied, up to p. What does is an error:
	// it passed the fence. The target is prepared, so nothing is applied.
	Still(ctx context.Context, p change.Position) error
}

// Proved is what the final proof compared.
type Proved struct {
	// Keys is how many rows were compared: those that changed since the last pass.
	Keys int64 `json:"keys"`
	// Partial says that no full pass came before: of rows that did not change lately nothing is known.
	Partial     bool          `json:"partial,omitempty"`
	Differences int64         `json:"differences"`
	Elapsed     time.Duration `json:"elapsed_ns"`
}

// Proof is the verification of what changed since the last pass. Both sides stand still.
type Proof interface {
	Prove(ctx context.Context) (Proved, error)
}

// Target is the end that will be opened.
type Target interface {
	// Prepare makes it fit for an application: sequences and identities stand behind every value, triggers and foreign keys are
	// live, without looking at the rows that are there. Nothing may be applied to it from then on.
	Prepare(ctx context.Context, t change.Token) error
	// Restore makes it passive again, so that changes can be applied to it.
	Restore(ctx context.Context, t change.Token) error
	// Validate looks at the rows that Prepare did not look at.
	Validate(ctx context.Context, t change.Token) error
}

// Opener opens the target when the journal's transaction could not do it, because the journal lives in the other database. Where
// that transaction has done it, Open makes sure of that.
type Opener interface {
	Open(ctx context.Context, t change.Token) error
}

// Hook tells the outside world that the application moves: a proxy, DNS, a secret, a deployment.
type Hook interface {
	// Run may be called again with the same Moved, after a crash.
	Run(ctx context.Context, m Moved) error
	// String names the hook for people.
	String() string
}

// Moved is what hooks are told.
type Moved struct {
	Direction journal.Direction `json:"direction"`
	// Live is the side that the application belongs to from now on.
	Live Side `json:"live"`
	// Key is the same at each repetition and differs for every switch.
	Key string `json:"key"`
	// Switched is when the switch was recorded.
	Switched time.Time `json:"switched"`
}

// Way is everything that one direction needs. Fence is of the end that it leaves, Target and Opener of the one that it leads to.
type Way struct {
	Gates   Gates
	Reverse Reverse
	Fence   change.Fence
	Drain   Drain
	Proof   Proof
	Target  Target
	Opener  Opener
	Hooks   []Hook
	// Intent is recorded before the fence: what will be fenced and how, for whoever has to undo it by hand.
	Intent json.RawMessage
}

// Finisher lets the old side go.
type Finisher interface {
	// Finish ends the feed back and removes what only the way back needed.
	Finish(ctx context.Context, t change.Token) error
}

// Clock is the time of a driver. Tests have another than the machine's.
type Clock interface {
	Now() time.Time
	// Sleep returns when d has passed, or with an error when ctx ends before.
	Sleep(ctx context.Context, d time.Duration) error
	// WithTimeout is context.WithTimeout.
	WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc)
}

// system is the machine's clock.
type system struct{}

func (system) Now() time.Time { return time.Now() }

func (system) Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (system) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d)
}
