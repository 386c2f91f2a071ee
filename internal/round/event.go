package round

// What says what has happened.
type What string

// What happens in a round. Of a step: it was started, before anything was done; it is done, or failed; its driver died, so that nobody knows; somebody
// looked, and it is not done; a person said go or no go, skipped it, or wants it tried again; its undo was started, is done, or failed.
const (
	Started    What = "started"
	Done       What = "done"
	Failed     What = "failed"
	Lost       What = "lost"
	Absent     What = "absent"
	Go         What = "go"
	NoGo       What = "no go"
	Skipped    What = "skipped"
	Retried    What = "retried"
	UndoBegun  What = "undo started"
	ClosedBack What = "closed back"
	Undone     What = "undone"
	UndoFailed What = "undo failed"
	// Slipped: a database that was closed, and has not opened, is not known to be closed any more, since its driver died or its time was over. It has to be
	// closed again.
	Slipped What = "slipped"
)

// Of the round: a breach, by itself; and what people decide.
const (
	Breached What = "breached"
	Paused   What = "paused"
	Resumed  What = "resumed"
	Aborted  What = "aborted"
	Forward  What = "forward"
	Fallback What = "fallback"
	Noted    What = "noted"
)

// Event is one entry of a round's journal. Step is empty for those of the round.
type Event struct {
	What     What   `json:"what"`
	Step     StepID `json:"step,omitempty"`
	Who      string `json:"who,omitempty"`
	Reason   string `json:"reason,omitempty"`
	Evidence string `json:"evidence,omitempty"`
	// Kind is what a note is: problem, opportunity or question; empty for a remark. Owner is whose it is.
	Kind  string `json:"kind,omitempty"`
	Owner string `json:"owner,omitempty"`
}
