// Package event owns what happens while bascule works, as a sealed set of typed
// events. The terminal view, the lines in a pipe and --json render the same
// events. It never prints and never decides.
package event

import (
	"time"

	"github.com/bascule/bascule/internal/finding"
)

// Event is one thing that happened. Name is its stable name in JSON.
type Event interface {
	Name() string
	sealed()
}

// Sink receives events. It must be safe for concurrent use and must not block
// for long: the lanes call it between chunks.
type Sink func(Event)

type (
	// PhaseStarted opens a phase: inspect, assess, plan, check, schema, copy, index,
	// foreign-keys, verify.
	PhaseStarted struct {
		Phase string `json:"phase"`
	}
	// PhaseDone closes it.
	PhaseDone struct {
		Phase   string        `json:"phase"`
		Elapsed time.Duration `json:"elapsed_ns"`
	}
	// Found carries a finding as soon as it is known.
	Found struct {
		Finding finding.Finding `json:"finding"`
	}
	// TableStarted announces a table and the source's estimates for it; Done* count
	// what an earlier run or another process had already loaded.
	TableStarted struct {
		Table     string `json:"table"`
		Rows      int64  `json:"rows"`
		Bytes     int64  `json:"bytes"`
		DoneRows  int64  `json:"done_rows,omitempty"`
		DoneBytes int64  `json:"done_bytes,omitempty"`
	}
	// ChunkCopied is one committed chunk. Rows and Bytes count this chunk.
	ChunkCopied struct {
		Table   string        `json:"table"`
		Chunk   int64         `json:"chunk"`
		Rows    int64         `json:"rows"`
		Bytes   int64         `json:"bytes"`
		Elapsed time.Duration `json:"elapsed_ns"`
		// Lane is the connection pair that copied it, 0-based in this process.
		Lane int `json:"lane"`
	}
	// StatementRun is one DDL statement that ran: an index, a key, an identity.
	StatementRun struct {
		Table   string        `json:"table"`
		What    string        `json:"what"` // index NAME, primary key, foreign key NAME ...
		Elapsed time.Duration `json:"elapsed_ns"`
	}
	// RangeVerified is one compared range or set of buckets.
	RangeVerified struct {
		Table string `json:"table"`
		Rows  int64  `json:"rows"`
		Equal bool   `json:"equal"`
	}
	// TableVerified is the verdict on a table.
	TableVerified struct {
		Table       string        `json:"table"`
		RowsSource  int64         `json:"rows_source"`
		RowsTarget  int64         `json:"rows_target"`
		Differences int64         `json:"differences"`
		ByClient    int64         `json:"by_client"` // rows whose values the client had to compare
		Elapsed     time.Duration `json:"elapsed_ns"`
	}
	// Difference is one row or value that differs. Column is set for a value alone; Kind
	// says what the rest is: a row that is missing on one side or stands there more often,
	// or sums that differ although no row does.
	Difference struct {
		Table  string `json:"table"`
		Key    string `json:"key"`
		Kind   string `json:"kind"` // value, missing (not on the target), extra (not on the source), duplicate, sum
		Column string `json:"column,omitempty"`
		Source string `json:"source,omitempty"`
		Target string `json:"target,omitempty"`
	}
	// Followed tells how far changes are applied, once a second.
	Followed struct {
		Position string `json:"position"`
		// Lag is the age of the last applied transaction, by the source's clock; 0 when nothing waits.
		Lag time.Duration `json:"lag_ns"`
		// LagBytes is what the source has logged and this process has not read, -1 when unknown.
		LagBytes      int64   `json:"lag_bytes"`
		Txns          int64   `json:"txns"` // since the beginning
		Rows          int64   `json:"rows"`
		TxnsPerSecond float64 `json:"txns_per_second"` // since the last telling
		RowsPerSecond float64 `json:"rows_per_second"`
		// Busy is the share of the time that the target needed.
		Busy float64 `json:"busy"`
		// Table is the one with most changes since the last telling.
		Table string `json:"table,omitempty"`
	}
	// Passed is the verdict of one pass over all tables while both sides change.
	Passed struct {
		Pass        int   `json:"pass"`
		Equal       bool  `json:"equal"`
		Rows        int64 `json:"rows"`
		Differences int64 `json:"differences"`
		// Unproved counts rows that changed at every look.
		Unproved int64 `json:"unproved"`
		// Position is up to where the source's changes were applied when the pass ended.
		Position string        `json:"position"`
		Elapsed  time.Duration `json:"elapsed_ns"`
	}
	// Repaired says that differing rows of a table were copied again. That is no proof: the next pass is.
	Repaired struct {
		Table string `json:"table"`
		// Keys is how many keys were looked for, Rows how many rows the source had for them.
		Keys int64 `json:"keys"`
		Rows int64 `json:"rows"`
		// Left says which rows differ still, and why; empty when none is known to.
		Left string `json:"left,omitempty"`
		// Position is up to where the source's changes were applied when the last row was put, Paused how long nothing was applied, added up.
		Position string        `json:"position,omitempty"`
		Paused   time.Duration `json:"paused_ns"`
	}
	// Retried says that something was lost and is tried again.
	Retried struct {
		What  string        `json:"what"`
		Error string        `json:"error"`
		After time.Duration `json:"after_ns"`
	}
	// GateSeen tells what a condition of a cutover was found to be.
	GateSeen struct {
		Direction string `json:"direction"` // forward, back
		Gate      string `json:"gate"`
		Open      bool   `json:"open"`
		Saw       string `json:"saw"`
		Wants     string `json:"wants,omitempty"`
		Do        string `json:"do,omitempty"`
	}
	// StepStarted opens a step of a cutover; Undo says that the step is taken back.
	StepStarted struct {
		Direction string `json:"direction"` // forward, back
		Step      string `json:"step"`
		Undo      bool   `json:"undo,omitempty"`
	}
	// StepDone closes it.
	StepDone struct {
		Direction string        `json:"direction"`
		Step      string        `json:"step"`
		Undo      bool          `json:"undo,omitempty"`
		Elapsed   time.Duration `json:"elapsed_ns"`
	}
	// StepFailed closes it too. Before the switch the cutover is undone then; after it, it goes on as far as it can.
	StepFailed struct {
		Direction string        `json:"direction"`
		Step      string        `json:"step"`
		Undo      bool          `json:"undo,omitempty"`
		Error     string        `json:"error"`
		Elapsed   time.Duration `json:"elapsed_ns"`
	}
	// Frozen tells for how long the application could not write: from the fence until the other side was open and the hooks
	// had been called, or until the fence was lowered again.
	Frozen struct {
		Elapsed  time.Duration `json:"elapsed_ns"`
		Switched bool          `json:"switched"`
	}
	// Unwatched says that no second process watches a cutover that begins.
	Unwatched struct{}
	// TookOver says that a second process takes a cutover over, from whom, and since when that one has been silent.
	TookOver struct {
		From  string    `json:"from"`
		Since time.Time `json:"since"`
	}
	// Waiting says that everything is done that may be done, and whom the move waits for. What is not in use is kept current meanwhile.
	Waiting struct {
		What string `json:"what"`
		For  string `json:"for"`
		Do   string `json:"do"`
	}
	// Throttled says that reading the source waits, and why.
	Throttled struct {
		Why string `json:"why"`
	}
)

// Name returns the event's stable name.
func (PhaseStarted) Name() string  { return "phase_started" }
func (PhaseDone) Name() string     { return "phase_done" }
func (Found) Name() string         { return "finding" }
func (TableStarted) Name() string  { return "table_started" }
func (ChunkCopied) Name() string   { return "chunk_copied" }
func (StatementRun) Name() string  { return "statement_run" }
func (RangeVerified) Name() string { return "range_verified" }
func (TableVerified) Name() string { return "table_verified" }
func (Difference) Name() string    { return "difference" }
func (Followed) Name() string      { return "followed" }
func (Passed) Name() string        { return "passed" }
func (Repaired) Name() string      { return "repaired" }
func (Retried) Name() string       { return "retried" }
func (GateSeen) Name() string      { return "gate_seen" }
func (StepStarted) Name() string   { return "step_started" }
func (StepDone) Name() string      { return "step_done" }
func (StepFailed) Name() string    { return "step_failed" }
func (Frozen) Name() string        { return "frozen" }
func (Unwatched) Name() string     { return "unwatched" }
func (TookOver) Name() string      { return "took_over" }
func (Waiting) Name() string       { return "waiting" }
func (Throttled) Name() string     { return "throttled" }

func (PhaseStarted) sealed()  {}
func (PhaseDone) sealed()     {}
func (Found) sealed()         {}
func (TableStarted) sealed()  {}
func (ChunkCopied) sealed()   {}
func (StatementRun) sealed()  {}
func (RangeVerified) sealed() {}
func (TableVerified) sealed() {}
func (Difference) sealed()    {}
func (Followed) sealed()      {}
func (Passed) sealed()        {}
func (Repaired) sealed()      {}
func (Retried) sealed()       {}
func (GateSeen) sealed()      {}
func (StepStarted) sealed()   {}
func (StepDone) sealed()      {}
func (StepFailed) sealed()    {}
func (Frozen) sealed()        {}
func (Unwatched) sealed()     {}
func (TookOver) sealed()      {}
func (Waiting) sealed()       {}
func (Throttled) sealed()     {}
