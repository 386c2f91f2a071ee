package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/bascule/bascule/internal/cutover"
	"github.com/bascule/bascule/internal/journal"
	"github.com/bascule/bascule/internal/migration"
)

// cutoverDoc is what the journal says: where the application lives, and what the last attempt to move it has come to.
type cutoverDoc struct {
	Live      cutover.Side      `json:"live"`
	Phase     cutover.Phase     `json:"phase"`
	Attempt   int               `json:"attempt"`
	Direction journal.Direction `json:"direction,omitempty"`
	// Step and Mark are the last entry of the journal, At when it was written.
	Step    journal.Step    `json:"step,omitempty"`
	Mark    journal.Mark    `json:"mark,omitempty"`
	At      time.Time       `json:"at"`
	Fenced  bool            `json:"fenced"`
	Why     string          `json:"why,omitempty"`
	Driver  *journal.Holder `json:"driver,omitempty"`
	Watcher *journal.Holder `json:"watcher,omitempty"`
}

func newCutoverDoc(s *migration.Status) *cutoverDoc {
	c := &s.Cutover
	if c.Attempt == 0 && s.Driver.Who == "" && s.Watcher.Who == "" {
		return nil
	}
	d := &cutoverDoc{
		Live: c.Live, Phase: c.Phase, Attempt: c.Attempt, Direction: c.Direction,
		Step: c.Last.Step, Mark: c.Last.Mark, At: c.Last.At, Fenced: c.Fenced(), Why: c.Why,
	}
	if s.Driver.Who != "" {
		d.Driver = &s.Driver
	}
	if s.Watcher.Who != "" {
		d.Watcher = &s.Watcher
	}
	return d
}

// open reports whether an attempt is open that nobody drives.
func (d *cutoverDoc) open() bool {
	return d.Driver == nil && d.Phase != cutover.Idle && d.Phase != cutover.Finished
}

func (d *cutoverDoc) text() string {
	if d == nil {
		return ""
	}
	var b strings.Builder
	b.WriteString(livesText(d.Live))
	switch {
	case d.Phase == cutover.Finished:
		b.WriteString("; the move is finished")
	case d.Phase == cutover.Idle && d.Why != "":
		fmt.Fprintf(&b, "; attempt %d was undone: %s", d.Attempt, clean(d.Why))
	case d.Phase != cutover.Idle:
		fmt.Fprintf(&b, "; attempt %d, %s, is %s: %s %s at %s", d.Attempt, d.Direction, d.Phase, stepText(string(d.Direction), string(d.Step), false), d.Mark, stamp(d.At))
		if d.Fenced {
			b.WriteString("; WRITES ARE STOPPED")
		}
	}
	b.WriteByte('\n')
	if d.Driver != nil {
		fmt.Fprintf(&b, "driven by %s since %s, who answers until %s\n", clean(d.Driver.Who), stamp(d.Driver.Since), stamp(d.Driver.Until))
	} else if d.open() {
		b.WriteString("nobody drives it\n")
	}
	if d.Watcher != nil {
		fmt.Fprintf(&b, "watched by %s\n", clean(d.Watcher.Who))
	}
	return b.String()
}
