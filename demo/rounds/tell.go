package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/bascule/bascule/internal/round/account"
)

// tell shows what bascule says, in a line or none.
func (r *ride) tell(o *object) {
	switch o.Event {
	case "entry":
		if r.quiet {
			r.leg(o)
		} else {
			r.entry(o)
		}
	case "trouble":
		r.line("%s", reason(o.What))
	case "summary":
		if !r.quiet {
			r.line("the round %s: %s; writes were stopped for %s", map[string]string{"done": "is done", "fell back": "fell back", "aborted": "was undone"}[o.Phase], short(time.Duration(o.Elapsed)), short(time.Duration(o.Freeze)))
		}
	}
}

func (r *ride) line(format string, args ...any) {
	r.say("  %6.1f s  %s", time.Since(r.began).Seconds(), fmt.Sprintf(format, args...))
}

// leg shows the phases of a rehearsal.
func (r *ride) leg(o *object) {
	switch {
	case o.What == "failed" || o.What == "undo failed":
		r.line("%s failed: %s", o.Step, reason(o.Reason))
	case o.Phase != r.phase || o.Round != r.round:
		text := map[string]string{"running": "forward", "falling back": "back", "fell back": "everything is back", "done": "everything has moved", "aborting": "undone"}[o.Phase]
		if text == "" {
			text = o.Phase
		}
		r.line("%s: %s", o.Round, text)
		r.round = o.Round
	}
}

// entry shows an entry of the journal: what ends, what goes wrong, and what people say.
func (r *ride) entry(o *object) {
	took := ""
	switch o.What {
	case "started", "undo started":
		r.started[o.Step] = o.At
		return
	default:
		if from, ok := r.started[o.Step]; ok {
			took = " in " + short(o.At.Sub(from))
		}
	}
	switch o.What {
	case "done":
		if o.Evidence == "it has no criteria but people" {
			return // a gate that now waits for them
		}
		r.line("%-14s %s%s%s", o.Step, o.What, took, seen(o.Evidence))
	case "undone", "closed back":
		r.line("%-14s %s%s", o.Step, o.What, took)
	case "go":
		r.line("%-14s %s says go", o.Step, o.Who)
	case "skipped":
		r.line("%-14s left out: the proof of concept goes on", o.Step)
	case "failed", "undo failed", "slipped", "no go":
		r.line("%-14s %s%s: %s", o.Step, strings.ToUpper(o.What), took, reason(o.Reason))
	default:
		r.line("%-14s %s by %s: %s", o.What, o.Step, o.Who, reason(o.Reason))
	}
}

// seen shows the last line of evidence: a hook may say a lot.
func seen(evidence string) string {
	if evidence == "" {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(account.Words(evidence)), "\n")
	return ": " + lines[len(lines)-1]
}

// reason is a reason in one line that a screen holds: its beginning, and its end, where the hint is.
func reason(text string) string {
	const most, end = 280, 110
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > most {
		text = text[:most-end] + " … " + text[len(text)-end:]
	}
	return text
}

func short(d time.Duration) string { return account.Duration(d) }
