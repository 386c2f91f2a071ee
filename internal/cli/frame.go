package cli

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// canvas is the terminal a frame is drawn for.
type canvas struct {
	width, height int
	// plain asks for ASCII bars, for locales without UTF-8.
	plain bool
}

// cells are the widths of a frame's columns; 0 leaves a column out.
type cells struct {
	name, bar, done, rows, bytes, rate, eta int
}

const (
	nameLeast = 12
	nameMost  = 34
	barLeast  = 8
	barMost   = 24
)

// layout gives up what matters least until the tables' names have room; longest is the
// width of the longest of them.
func (c canvas) layout(longest int, verifying bool) cells {
	l := cells{done: 5, rows: 15, bytes: 11, rate: 13, eta: 8}
	if verifying {
		l.bytes = 0
	}
	room := func() int { return c.width - 2 - l.done - l.rows - l.bytes - l.rate - l.eta }
	for _, give := range []*int{&l.rate, &l.bytes, &l.rows, &l.eta, &l.done} {
		if room() >= nameLeast {
			break
		}
		*give = 0
	}
	l.name = max(min(room(), max(longest, nameLeast), nameMost), 1)
	if spare := room() - l.name - 1; spare >= barLeast {
		l.bar = min(spare, barMost)
	}
	return l
}

// longest is the width of the longest name, of all tables so that columns stay in place.
func (p *progress) longest() (w int) {
	for _, t := range p.order {
		w = max(w, wide(clean(t.name)))
	}
	return w
}

// frame draws the live view: a headline, the tables being worked on, the total and
// what it waits for; never more lines than the terminal has.
func (p *progress) frame(c canvas, now time.Time) []string {
	out := []string{cut(p.headline(now), c.width)}
	if p.followed != nil {
		return p.notes(append(out, p.following(c)...), c)
	}
	if p.meter.began.IsZero() {
		return p.notes(out, c)
	}
	l := c.layout(p.longest(), p.verifying)
	running := p.running()
	shown := running
	// Headline, column titles, total, two notes and the line the cursor rests on.
	if room := max(c.height-6, 1); len(shown) > room {
		shown = shown[:room-min(1, room-1)]
	}
	out = append(out, p.titles(l))
	for _, t := range shown {
		out = append(out, t.line(c, l, p.verifying, now))
	}
	if more := len(running) - len(shown); more > 0 {
		out = append(out, cut(fmt.Sprintf("  and %s running", plural(int64(more), "more table")), c.width))
	}
	out = append(out, p.total().line(c, l, p.verifying, now))
	return p.notes(out, c)
}

func (p *progress) headline(now time.Time) string {
	head := p.phase
	if head == "" {
		head = "starting"
	}
	if !p.began.IsZero() {
		head += " " + seconds(now.Sub(p.began))
	}
	if n := int64(len(p.order)); n > 0 {
		running := int64(len(p.running()))
		head += fmt.Sprintf("   %d of %s done", p.copied, plural(n, "table"))
		if running > 0 {
			head += fmt.Sprintf(", %d running", running)
		}
		if waiting := n - p.copied - running; waiting > 0 {
			head += fmt.Sprintf(", %d waiting", waiting)
		}
	}
	if p.differences > 0 {
		head += "   " + plural(p.differences, "difference")
	}
	return head
}

// following is the view of a follow: how far behind, how fast, where it stands. What it skips would stand here too: it
// never skips a change.
func (p *progress) following(c canvas) []string {
	f := p.followed
	behind := duration(f.Lag)
	if f.Lag == 0 {
		behind = "nothing"
	}
	if f.LagBytes >= 0 {
		behind += fmt.Sprintf(", %s of the log unread", size(f.LagBytes))
	}
	rows := [][2]string{
		{"behind", behind},
		{"rate", fmt.Sprintf("%s transactions/s, %s rows/s, target busy %.0f%%", count(int64(f.TxnsPerSecond+0.5)), count(int64(f.RowsPerSecond+0.5)), 100*f.Busy)},
		{"applied", plural(f.Txns, "transaction") + ", " + plural(f.Rows, "row")},
		{"most in", clean(f.Table)},
		{"skipped", "nothing"},
		{"position", clean(f.Position)},
	}
	var out []string
	for _, r := range rows {
		if r[1] != "" {
			out = append(out, cut("  "+left(r[0], 10)+r[1], c.width))
		}
	}
	return out
}

func (p *progress) titles(l cells) string {
	var row strings.Builder
	row.WriteString("  " + left("table", l.name))
	if l.bar > 0 {
		row.WriteString(strings.Repeat(" ", l.bar+1))
	}
	for _, t := range []struct {
		title string
		width int
	}{{"done", l.done}, {"rows", l.rows}, {"bytes", l.bytes}, {"rate", l.rate}, {"ETA", l.eta}} {
		row.WriteString(right(t.title, t.width))
	}
	return row.String()
}

func (p *progress) notes(out []string, c canvas) []string {
	if p.statements > 0 {
		out = append(out, cut(fmt.Sprintf("  %s done, last %s", plural(p.statements, "statement"), clean(p.lastStmt)), c.width))
	}
	if p.note != "" {
		out = append(out, cut("! "+p.note, c.width))
	}
	return out[:min(len(out), max(c.height-1, 1))]
}

func (t *tableProgress) line(c canvas, l cells, verifying bool, now time.Time) string {
	row := "  " + left(clean(t.name), l.name)
	if l.bar > 0 {
		row += " " + bar(t.share(), l.bar, c.plain)
	}
	rows, bytes := t.meter.rate(now)
	rate := size(int64(bytes)) + "/s"
	if verifying {
		rate = short(int64(math.Round(rows))) + " rows/s"
	}
	eta := "-"
	if d, ok := t.eta(now); ok && !t.done {
		eta = seconds(max(d, time.Second))
	}
	return row +
		right(fmt.Sprintf("%.0f%%", math.Floor(t.share()*100)), l.done) +
		right(count(t.rows), l.rows) +
		right(size(t.bytes), l.bytes) +
		right(rate, l.rate) +
		right(eta, l.eta)
}

// bar draws a share of w columns.
func bar(share float64, w int, plain bool) string {
	full := int(share * float64(w))
	if plain {
		return strings.Repeat("#", full) + strings.Repeat(".", w-full)
	}
	return strings.Repeat("█", full) + strings.Repeat("░", w-full)
}
