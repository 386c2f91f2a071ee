package account

import (
	"time"

	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/store"
)

// Estimate is a duration with its uncertainty, from past rounds. The zero value says that nothing is known.
type Estimate struct {
	Expected time.Duration `json:"expected_ns"`
	// Low and High are the ends of the interval that holds most outcomes.
	Low  time.Duration `json:"low_ns"`
	High time.Duration `json:"high_ns"`
	// From is how many past durations it rests on.
	From int `json:"from"`
}

// Past is a round with its journal, as the store keeps them.
type Past struct {
	Round   store.Round
	Entries []store.Entry
}

// Step is one step of a round as people see it.
type Step struct {
	Task  round.Task      `json:"task"`
	State round.StepState `json:"state"`
	// Began and Ended are of the last attempt, or of its undo; zero where it has not.
	Began time.Time `json:"began,omitzero"`
	Ended time.Time `json:"ended,omitzero"`
	// Took is all the time that it ran, over all attempts; Waited the part of it in which a person was waited for.
	Took   time.Duration `json:"took_ns"`
	Waited time.Duration `json:"waited_ns,omitempty"`
	// Expected is from past rounds; Start and End are when it ran, runs or is now expected to run, from the round's beginning.
	Expected Estimate      `json:"expected"`
	Start    time.Duration `json:"start_ns"`
	End      time.Duration `json:"end_ns"`
	// PlannedStart and PlannedEnd are when it was expected to run before the round began.
	PlannedStart time.Duration `json:"planned_start_ns"`
	PlannedEnd   time.Duration `json:"planned_end_ns"`
	// Critical says that the round is longer when this step is, as far as what needs what decides it, and not what is shared.
	Critical bool `json:"critical,omitempty"`
	// Unrehearsed says that the round is a rehearsal or a proof of concept, and leaves this step out, since it has no form for that.
	Unrehearsed bool `json:"unrehearsed,omitempty"`
}

// Waiting is something that a person has to do.
type Waiting struct {
	Step    round.StepID `json:"step,omitempty"`
	For     string       `json:"for"`  // a name, or a role
	What    string       `json:"what"` // go or no-go, evidence, forward or fall back, a retry
	Since   time.Time    `json:"since"`
	Command string       `json:"command"` // what answers it
}

// Account is one round as people see it.
type Account struct {
	Round   store.Round   `json:"round"`
	Phase   round.Phase   `json:"phase"`
	Paused  bool          `json:"paused,omitempty"`
	Trouble string        `json:"trouble,omitempty"`
	Ended   time.Time     `json:"ended,omitzero"`
	Elapsed time.Duration `json:"elapsed_ns"`
	Steps   []Step        `json:"steps"`
	// Left is how long the rest will take; Drift how much later than planned it is.
	Left  Estimate      `json:"left"`
	Drift time.Duration `json:"drift_ns"`
	// Unknown are the steps yet to come whose duration nobody knows; they count as 0.
	Unknown []round.StepID `json:"unknown,omitempty"`
	// Frozen says that writes are stopped now; Freeze for how long they were, in all.
	Frozen bool          `json:"frozen"`
	Freeze time.Duration `json:"freeze_ns"`
	// Freezes says it of each database; Freeze is the time in which at least one was stopped.
	Freezes map[string]time.Duration `json:"freezes_ns,omitempty"`
	// Open are the databases that live on the new side. Turning says what turning back is now: abort before the switch, fall back after it, none after the
	// finish; and what it costs.
	Open    []string  `json:"open"`
	Turning string    `json:"turning"`
	Waits   []Waiting `json:"waits"`
	// Driver is who drives it; nil when nobody ever did.
	Driver  *store.Holder         `json:"driver,omitempty"`
	Signs   map[string]store.Sign `json:"signs,omitempty"`
	Entries []store.Entry         `json:"entries"`
	// Now is when the account was drawn up.
	Now time.Time `json:"now"`
}
