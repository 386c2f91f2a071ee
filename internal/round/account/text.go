package account

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/bascule/bascule/internal/round"
)

// Text writes the history for a terminal or a mail: the table of rounds, the curve as bars, and the steps. It has no terminal codes, nor lets any through.
func (h *History) Text() string {
	if len(h.Rounds) == 0 {
		return "No rounds yet.\n"
	}
	var out strings.Builder
	h.table(&out)
	h.bars(&out)
	h.stepTable(&out)
	if h.Cost > 0 {
		fmt.Fprintf(&out, "\n%.0f %% of the spend has moved (%s of %s a month).\n", 100*h.Share, amount(h.Moved), amount(h.Cost))
	}
	return out.String()
}

func (h *History) table(out *strings.Builder) {
	rows := [][]string{{"ROUND", "BEGAN", "DURATION", "WRITE FREEZE", "HANDS", "MANUAL", "ROWS", "PROOF", "MOVED", "OUTCOME"}}
	for i := range h.Rounds {
		r := &h.Rounds[i]
		moved := "-"
		if h.Cost > 0 {
			moved = fmt.Sprintf("%.0f %%", 100*r.Share)
		}
		rows = append(rows, []string{
			clean(r.ID), clock(r.Zone).day(r.Began), Duration(r.Duration), orDash(r.Freeze), orDash(r.Hands),
			fmt.Sprintf("%d of %d", r.Manual, r.Manual+r.Automated), r.rows(), r.proof(), moved, r.outcome(),
		})
	}
	columns(out, rows)
}

func (row *Row) rows() string {
	if row.Rows == 0 {
		return "-"
	}
	return thousands(row.Rows)
}

func (row *Row) proof() string {
	switch {
	case row.Proofs == 0:
		return "-"
	case row.Databases == 0: // a proof of concept closes none
		return strconv.Itoa(row.Proofs)
	}
	return fmt.Sprintf("%d of %d", row.Proofs, row.Databases)
}

// outcome is the phase, with what must not be overlooked.
func (row *Row) outcome() string {
	out := string(row.Outcome)
	if n := len(row.Unrehearsed); n > 0 {
		out += fmt.Sprintf(", %d unrehearsed", n)
	}
	if row.Broken != "" {
		out += ", its journal is broken: " + clean(row.Broken)
	}
	return out
}

// barWidth is how many characters the longest bar has.
const barWidth = 40

// bars draws the rounds' durations, each with its manual part in another character.
func (h *History) bars(out *strings.Builder) {
	var longest time.Duration
	for i := range h.Rounds {
		longest = max(longest, h.Rounds[i].Duration)
	}
	out.WriteString("\nDurations (= people were waited for, # the rest)\n")
	var rows [][]string
	for i := range h.Rounds {
		r := &h.Rounds[i]
		n, hands := bar(r.Duration, longest), min(bar(r.Hands, longest), bar(r.Duration, longest))
		rows = append(rows, []string{clean(r.ID), Duration(r.Duration), strings.Repeat("=", hands) + strings.Repeat("#", n-hands)})
	}
	columns(out, rows)
}

// bar is the length of a bar; what took any time has one.
func bar(d, longest time.Duration) int {
	if d <= 0 || longest <= 0 {
		return 0
	}
	return max(1, int(float64(d)/float64(longest)*barWidth+0.5))
}

// stepTable writes how long each step took in each round: of people's steps in brackets.
func (h *History) stepTable(out *strings.Builder) {
	out.WriteString("\nSteps, the dearest of the newest round first ([ ] a person did it)\n")
	head := []string{"STEP"}
	shown := h.Rounds
	const most = 8 // rounds that fit beside each other
	skip := max(0, len(shown)-most)
	for i := range shown[skip:] {
		head = append(head, clean(shown[skip+i].ID))
	}
	rows := [][]string{head}
	for i := range h.Steps {
		s := &h.Steps[i]
		line := []string{clean(s.Name)}
		for k := skip; k < len(s.Took); k++ {
			switch s.Kinds[k] {
			case "":
				line = append(line, "-")
			case round.KindManual:
				line = append(line, "["+Duration(s.Took[k])+"]")
			default:
				line = append(line, Duration(s.Took[k]))
			}
		}
		rows = append(rows, line)
	}
	columns(out, rows)
	if len(h.Manual) > 0 {
		fmt.Fprintf(out, "\nStill done by people: %s\n", clean(strings.Join(h.Manual, ", ")))
	} else {
		out.WriteString("\nNothing is done by people any more.\n")
	}
}

// columns writes rows under each other, each column as wide as its widest cell.
func columns(out *strings.Builder, rows [][]string) {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(cell)
			line.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
		}
		out.WriteString(strings.TrimRight(line.String(), " "))
		out.WriteByte('\n')
	}
}

func orDash(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	return Duration(d)
}

// thousands writes a number in groups of three digits: 1 234 567.
func thousands(n int64) string {
	digits := strconv.FormatInt(n, 10)
	var groups []string
	for len(digits) > 3 {
		groups, digits = append(groups, digits[len(digits)-3:]), digits[:len(digits)-3]
	}
	groups = append(groups, digits)
	slices.Reverse(groups)
	return strings.Join(groups, " ")
}

func amount(x float64) string { return thousands(int64(x + 0.5)) }

// clean makes one line of what somebody typed, and takes out what could steer a terminal or turn the direction of reading.
func clean(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "\uFFFD"), steers), " ")
}

func steers(r rune) bool {
	return r < 0x20 || r >= 0x7f && r <= 0x9f || r == '\u2028' || r == '\u2029' || // controls and line ends
		r == '\u061c' || r == '\u200e' || r == '\u200f' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' // directions
}
