package account

import (
	"fmt"
	"slices"
	"time"

	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/store"
)

// Lesson is what a proof of concept has shown: a failure, or a note of a kind. What becomes of it is decided elsewhere.
type Lesson struct {
	ID          string       `json:"id"` // ROUND/SEQ
	Round       string       `json:"round"`
	Environment string       `json:"environment"`
	Kind        finding.Kind `json:"kind"` // problem, opportunity or question
	Step        round.StepID `json:"step,omitempty"`
	Text        string       `json:"text"`
	Owner       string       `json:"owner,omitempty"`
	Who         string       `json:"who,omitempty"`
	When        time.Time    `json:"when"` // UTC
}

// Findings returns the lessons of proofs of concept, in the order in which the rounds began and the entries were written: each step or undo that failed and
// each no-go is a problem, owned by the step's owner; each note with a kind is what it says. Notes without a kind are remarks, and no lessons.
func Findings(past []Past) []Lesson {
	past = slices.Clone(past)
	slices.SortStableFunc(past, func(a, b Past) int { return a.Round.Began.Compare(b.Round.Began) })
	out := []Lesson{}
	for i := range past {
		if past[i].Round.Kind != store.PoC {
			continue
		}
		for k := range past[i].Entries {
			if l, ok := lesson(&past[i].Round, &past[i].Entries[k]); ok {
				out = append(out, l)
			}
		}
	}
	return out
}

// lesson makes a lesson of an entry that is one.
func lesson(r *store.Round, entry *store.Entry) (Lesson, bool) {
	e := &entry.Event
	l := Lesson{
		ID: fmt.Sprintf("%s/%d", r.ID, entry.Seq), Round: r.ID, Environment: r.Environment, Step: e.Step, Text: e.Reason, Owner: e.Owner, Who: e.Who,
		When: entry.At, Kind: finding.Problem,
	}
	switch e.What {
	case round.Failed, round.NoGo, round.UndoFailed:
		if t := r.Script.Task(e.Step); t != nil && l.Owner == "" {
			l.Owner = t.Owner
		}
		if l.Text == "" {
			l.Text = string(e.What)
		}
		return l, true
	case round.Noted:
		l.Kind = finding.Kind(e.Kind)
		return l, slices.Contains([]finding.Kind{finding.Problem, finding.Opportunity, finding.Question}, l.Kind)
	default:
		return l, false
	}
}
