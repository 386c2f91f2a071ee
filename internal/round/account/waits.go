package account

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bascule/bascule/internal/round"
)

// The roles of platform.Person that are waited for where nobody is named.
const (
	operate = "operate"
	approve = "approve"
)

// waits lists what people have to do.
func (b *builder) waits() (out []Waiting) {
	for i := range b.tasks {
		out = append(out, b.waitsFor(&b.tasks[i])...)
	}
	a := b.a
	if a.Phase == round.PhaseAsking {
		out = append(out, Waiting{
			For: operate, What: "go forward or fall back: " + a.Trouble, Since: b.last(func(p round.Phase) bool { return p != round.PhaseAsking }),
			Command: b.command("forward", "", "") + " or " + b.command("fallback", "", ""),
		})
	}
	if ended(a.Phase) {
		return out
	}
	if h := a.Driver; h == nil || !b.driven() {
		w := Waiting{For: operate, What: "nobody drives the round: resume it", Since: b.watch.last, Command: b.command("resume", "", "")}
		if h != nil && !h.Until.IsZero() {
			w.Since = h.Until
		}
		if w.Since.IsZero() {
			w.Since = a.Round.Began
		}
		out = append(out, w)
	} else if a.Paused {
		out = append(out, Waiting{For: operate, What: "the round is paused: resume it", Since: b.pausedAt(), Command: b.command("resume", "", "")})
	}
	return out
}

// driven reports whether a driver's lease has not run out, by the store's clock where that was read.
func (b *builder) driven() bool {
	h := *b.a.Driver
	if h.Now.IsZero() {
		h.Now = b.a.Now
	}
	return h.Holds()
}

// waitsFor lists what people have to do about a step.
func (b *builder) waitsFor(t *round.Task) []Waiting {
	st, track := b.state.Steps[t.Step.ID], b.watch.tracks[t.Step.ID]
	id, phase := t.Step.ID, b.state.Phase
	w := Waiting{Step: id, For: t.Owner, Since: track.ended}
	if w.For == "" {
		w.For = operate
	}
	busy := st.Status == round.StatusRunning || st.Status == round.StatusUndoing || st.Status == round.StatusUnsure
	switch {
	case busy && t.Step.Kind == round.KindManual:
		w.What, w.Command = "evidence that it is done", b.command("done", id, "--evidence TEXT")
		if st.Backward {
			w.What = "evidence that it is undone"
		}
		if lap := track.running(); lap != nil {
			w.Since = lap.from
		}
	case st.Status == round.StatusRunning && t.Step.Kind == round.KindGate && st.Measured && phase == round.PhaseRunning:
		w.For, w.Since = approve, track.since
		left := slices.DeleteFunc(slices.Clone(t.Approvers), func(who string) bool { return slices.Contains(st.Votes, who) })
		if len(left) > 0 {
			w.For = strings.Join(left, ", ")
		}
		w.What, w.Command = fmt.Sprintf("go or no-go: %d of %d said go", len(st.Votes), t.Step.Quorum), b.command("approve", id, "")
	case st.Status == round.StatusFailed && t.Step.Kind != round.KindMessage && phase == round.PhaseRunning:
		w.What, w.Command = "a retry: "+st.Reason, b.command("retry", id, "")
		if t.Step.Role == "" && t.Step.Kind != round.KindGate {
			w.What = "a retry, or to skip it: " + st.Reason
			w.Command += " or " + b.command("skip", id, "--reason TEXT")
		}
	case st.Status == round.StatusStuck:
		w.What, w.Command = "its undo to be tried again: "+st.Reason, b.command("retry", id, "")
		if t.Step.Role != round.RoleOpen {
			w.What = "its undo to be tried again, or done by hand and skipped: " + st.Reason
			w.Command += " or " + b.command("skip", id, "--reason TEXT")
		}
	default:
		return nil
	}
	return []Waiting{w}
}

// command writes a command of bascule round.
func (b *builder) command(verb string, id round.StepID, flags string) string {
	words := []string{"bascule round", verb, shellWord(b.a.Round.Environment)}
	if id != "" {
		words = append(words, shellWord(string(id)))
	}
	if flags != "" {
		words = append(words, flags)
	}
	return strings.Join(words, " ")
}

// shellWord quotes what a shell would not take as one word.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:=@", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// last is when the round last came out of a phase: the time of the entry behind the last one at which is held.
func (b *builder) last(is func(round.Phase) bool) (at time.Time) {
	s := round.New(b.state.Plan)
	was := true
	var clock time.Time
	for i := range b.a.Entries {
		e := &b.a.Entries[i]
		clock = later(clock, e.At)
		if s.Apply(e.Event) != nil {
			break
		}
		now := is(s.Phase)
		if was && !now {
			at = clock
		}
		was = now
	}
	return at
}

func (b *builder) pausedAt() time.Time {
	for _, e := range slices.Backward(b.a.Entries) {
		if e.Event.What == round.Paused {
			return e.At
		}
	}
	return b.watch.last
}
