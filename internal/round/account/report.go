package account

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/store"
)

// report is what a post-mortem says, before it is Markdown or HTML. Its texts are as people typed them.
type report struct {
	Title  string
	Tables []table
}

// table is one section. Without rows it says None instead.
type table struct {
	Title, None string
	Head        []string
	Rows        [][]string
}

func (a *Account) report() *report {
	z := clock(a.Round.Zone)
	return &report{
		Title: fmt.Sprintf("Round %s: %s", a.Round.ID, a.Phase),
		Tables: []table{
			{Title: "Figures", Head: []string{"What", "Value"}, Rows: a.figures(z)},
			{
				Title: "Exceptions", None: "Nothing was left out or overridden.", Head: []string{"What", "Step", "Who", "Why"}, Rows: a.exceptions(),
			},
			{
				Title: "Decisions", None: "Nobody had to decide anything.", Head: []string{"When", "Who", "Decision", "Step", "Why"},
				Rows: a.pick(z, decisions, func(e *round.Event) []string { return []string{by(e), string(e.What), string(e.Step), why(e)} }),
			},
			{
				Title: "Failures", None: "Nothing failed.", Head: []string{"When", "What", "Step", "Why"},
				Rows: a.pick(z, failures, func(e *round.Event) []string { return []string{string(e.What), string(e.Step), why(e)} }),
			},
			{
				Title: "Notes and lessons", None: "Nobody wrote a note.", Head: []string{"When", "Who", "Kind", "Owner", "Step", "Text"},
				Rows: a.pick(z, []round.What{round.Noted}, func(e *round.Event) []string {
					return []string{by(e), cmp.Or(e.Kind, "remark"), cmp.Or(e.Owner, "-"), string(e.Step), why(e)}
				}),
			},
			{
				Title: "Steps", None: "There are none.",
				Head: []string{"Step", "What it does", "Kind", "State", "Took", "Waited for people", "Expected", "Against that", "Attempts"}, Rows: a.stepRows(),
			},
			{
				Title: "Timeline", None: "Nothing has happened.", Head: []string{"No", "When", "After", "Who", "What", "Step", "Reason and evidence"},
				Rows: a.timeline(z),
			},
		},
	}
}

var (
	decisions = []round.What{
		round.Go, round.NoGo, round.Skipped, round.Retried, round.Paused, round.Resumed, round.Aborted, round.Forward, round.Fallback,
	}
	failures = []round.What{round.Failed, round.NoGo, round.UndoFailed, round.Breached, round.Lost, round.Slipped}
)

// figures are the round in numbers.
func (a *Account) figures(z zone) [][]string {
	r := &a.Round
	out := [][]string{
		{"Environment", r.Environment}, {"Kind", kind(r)}, {"Outcome", string(a.Phase)}, {"Began", z.full(r.Began) + ", by " + cmp.Or(r.Who, "nobody named")},
	}
	add := func(what, value string) { out = append(out, []string{what, value}) }
	if a.Ended.IsZero() {
		add("Drawn up", z.full(a.Now)+"; it has not ended")
		add("Left", a.Left.String())
	} else {
		add("Ended", z.full(a.Ended))
	}
	add("Took", Duration(a.Elapsed))
	if a.Drift != 0 {
		add("Against the plan", drift(a.Drift))
	}
	freeze := "none"
	if len(a.Freezes) > 0 {
		freeze = Duration(a.Freeze)
	}
	if a.Frozen {
		freeze += ", and it goes on"
	}
	add("Write freeze", freeze)
	for _, db := range sortedKeys(a.Freezes) {
		add("Write freeze of "+db, Duration(a.Freezes[db]))
	}
	if len(a.Open) > 0 {
		add("On the new side", strings.Join(a.Open, ", "))
	}
	add("Turning back", a.Turning)
	if a.Trouble != "" {
		add("Trouble", a.Trouble)
	}
	if !r.WindowTo.IsZero() {
		add("Window", z.day(r.WindowFrom)+" to "+z.day(r.WindowTo))
	}
	if a.Driver != nil {
		add("Driver", fmt.Sprintf("%s, the %s to drive it", a.Driver.Who, ordinal(a.Driver.Epoch)))
	}
	add("Plan", cmp.Or(r.Hash, "-"))
	add("Program", cmp.Or(r.Program, "-"))
	if n := len(a.Entries); n > 0 {
		add("Head of the chain", fmt.Sprintf("%s, entry %d", a.Entries[n-1].Hash, a.Entries[n-1].Seq))
	}
	return out
}

func kind(r *store.Round) string {
	out := cmp.Or(map[store.Kind]string{store.PoC: "proof of concept"}[r.Kind], string(r.Kind))
	if r.Number > 0 {
		out += fmt.Sprintf(", number %d", r.Number)
	}
	if r.Leg > 0 {
		out += fmt.Sprintf(", leg %d", r.Leg)
	}
	return out
}

func drift(d time.Duration) string {
	if d < 0 {
		return Duration(-d) + " sooner"
	}
	return Duration(d) + " later"
}

func ordinal(n int64) string {
	switch {
	case n%100/10 == 1:
	case n%10 == 1:
		return fmt.Sprintf("%dst", n)
	case n%10 == 2:
		return fmt.Sprintf("%dnd", n)
	case n%10 == 3:
		return fmt.Sprintf("%drd", n)
	}
	return fmt.Sprintf("%dth", n)
}

// exceptions are what was overridden, skipped, left out or cannot be undone, with who said so and why.
func (a *Account) exceptions() (out [][]string) {
	if a.Round.Override != "" {
		out = append(out, []string{"override", "", a.Round.Who, a.Round.Override})
	}
	for i := range a.Entries {
		if e := &a.Entries[i].Event; e.What == round.Skipped {
			out = append(out, []string{"skipped", string(e.Step), by(e), why(e)})
		}
	}
	for i := range a.Steps {
		s := &a.Steps[i]
		if s.Unrehearsed {
			out = append(out, []string{"unrehearsed", string(s.Task.Step.ID), "", "it has no form for rehearsals"})
		}
		if s.Task.Step.Undo == round.UndoImpossible && s.State.Attempts > 0 && s.Task.Step.Role != round.RoleFinish {
			out = append(out, []string{"no undo", string(s.Task.Step.ID), "", "its effect stays"})
		}
	}
	return out
}

// pick lists the entries of some kinds.
func (a *Account) pick(z zone, of []round.What, row func(*round.Event) []string) (out [][]string) {
	for i := range a.Entries {
		if e := &a.Entries[i]; slices.Contains(of, e.Event.What) {
			out = append(out, append([]string{z.full(e.At)}, row(&e.Event)...))
		}
	}
	return out
}

// stepRows are the steps against what was expected of them.
func (a *Account) stepRows() (out [][]string) {
	for i := range a.Steps {
		s := &a.Steps[i]
		expected := "-"
		if s.Expected.Known() {
			expected = s.Expected.String()
		}
		id := string(s.Task.Step.ID)
		if s.Critical {
			id += " (critical)"
		}
		state := string(s.State.Status)
		if s.State.Reason != "" {
			state += ": " + s.State.Reason
		}
		out = append(out, []string{
			id, s.Task.Title, string(s.Task.Step.Kind), state, orDash(s.Took), orDash(s.Waited), expected, s.against(),
			fmt.Sprint(s.State.Attempts),
		})
	}
	return out
}

// against compares a step that is done with what was expected of it.
func (s *Step) against() string {
	took := s.End - s.Start
	switch {
	case s.State.Status != round.StatusDone || !s.Expected.Known() || s.Expected.From == 0:
		return "-"
	case took > s.Expected.High:
		return "slower, by " + Duration(took-s.Expected.Expected)
	case took < s.Expected.Low:
		return "faster, by " + Duration(s.Expected.Expected-took)
	default:
		return "as expected"
	}
}

// timeline is every entry.
func (a *Account) timeline(z zone) (out [][]string) {
	for i := range a.Entries {
		e := &a.Entries[i]
		out = append(out, []string{
			fmt.Sprint(e.Seq), z.full(e.At), Duration(max(0, e.At.Sub(a.Round.Began))), by(&e.Event), string(e.Event.What), string(e.Event.Step), why(&e.Event),
		})
	}
	return out
}

// by is who says so; what nobody says happened by itself.
func by(e *round.Event) string { return cmp.Or(e.Who, "-") }

// why is an event's reason and evidence.
func why(e *round.Event) string {
	if e.Reason != "" && e.Evidence != "" && e.Reason != e.Evidence {
		return e.Reason + "; " + Words(e.Evidence)
	}
	return cmp.Or(e.Reason, Words(e.Evidence))
}

func sortedKeys(of map[string]time.Duration) (keys []string) {
	for k := range of {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
