package web

import (
	"fmt"
	"strings"

	"github.com/bascule/bascule/internal/platform"
	"github.com/bascule/bascule/internal/round"
)

// verdict is a round in one sentence.
type verdict struct {
	Level level  `json:"level"`
	Text  string `json:"text"`
}

// level says how much somebody has to care.
type level string

const (
	levelFine  level = "fine"  // it goes its way
	levelWait  level = "wait"  // a person is asked, as planned
	levelWarn  level = "warn"  // something went wrong, and there is time
	levelAlert level = "alert" // somebody has to act now
	levelOver  level = "over"  // it has ended
)

// verdict says what whoever looks at a round first should know. What costs most comes first.
func (a *sight) verdict() verdict {
	if a.state.Phase == round.PhaseDone || a.state.Phase == round.PhaseAborted || a.state.Phase == round.PhaseFellBack {
		return verdict{levelOver, over(a.Phase)}
	}
	stuck := a.named(round.StatusStuck)
	lost := a.Driver == nil || !a.Driver.Holds()
	failed, unsure := a.named(round.StatusFailed), a.named(round.StatusUnsure)
	switch {
	case len(stuck) > 0:
		return verdict{levelAlert, "The undo of " + list(stuck) + " has failed"}
	case a.Phase == round.PhaseAsking:
		return verdict{levelAlert, "Somebody must decide: forward or fall back"}
	case lost && a.Frozen:
		return verdict{levelAlert, "Nobody drives this round, and writes are stopped"}
	case len(unsure) > 0:
		return verdict{levelAlert, "Nobody knows what became of " + list(unsure)}
	case a.Phase == round.PhaseAborting:
		return verdict{levelWarn, "It is being undone"}
	case a.Phase == round.PhaseFallingBack:
		return verdict{levelWarn, "It falls back to the old side"}
	case len(failed) > 0:
		return verdict{levelWarn, list(failed) + " has failed; nothing is lost, and nothing goes on behind it"}
	case lost:
		return verdict{levelWarn, "Nobody drives this round"}
	case a.late():
		return verdict{levelWarn, "Its window is over"}
	case a.Paused:
		return verdict{levelWait, "Paused: nothing new starts"}
	case len(a.Waits) > 0:
		return verdict{levelWait, waits(a)}
	case a.Frozen:
		return verdict{levelFine, "On its way, with writes stopped"}
	default:
		return verdict{levelFine, "On its way"}
	}
}

func over(p round.Phase) string {
	switch p {
	case round.PhaseDone:
		return "Done"
	case round.PhaseAborted:
		return "Aborted: everything is as it was before"
	default:
		return "Fell back: the old side is live"
	}
}

// late reports whether writes may still be stopped, or stopped once more, though the window for that is over.
func (a *sight) late() bool {
	to := a.Round.WindowTo
	return !to.IsZero() && a.Now.After(to) && (a.Frozen || !a.state.Switched())
}

func waits(a *sight) string {
	first := &a.Waits[0]
	text := fmt.Sprintf("Waiting for %s: %s", somebody(first.For), first.What)
	if n := len(a.Waits) - 1; n > 0 {
		text += fmt.Sprintf(", and for %d more", n)
	}
	return text
}

// somebody names who is waited for: a role stands for whoever has it.
func somebody(who string) string {
	switch platform.Role(who) {
	case platform.RoleOperate:
		return "an operator"
	case platform.RoleApprove:
		return "an approver"
	default:
		return who
	}
}

func (a *sight) named(s round.Status) (ids []string) {
	for i := range a.Steps {
		if a.Steps[i].State.Status == s && (s != round.StatusFailed || a.Steps[i].Task.Step.Kind != round.KindMessage) {
			ids = append(ids, string(a.Steps[i].Task.Step.ID))
		}
	}
	return ids
}

// list names a few of many.
func list(ids []string) string {
	const few = 2
	if len(ids) > few+1 {
		return fmt.Sprintf("%s and %d more", strings.Join(ids[:few], ", "), len(ids)-few)
	}
	return strings.Join(ids, ", ")
}
