package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/bascule/bascule/internal/finding"
)

// planWidth is how wide a plan may be: it is read in terminals, mails and tickets.
const planWidth = 100

// The widest that a column of the plan's table gets before its rows break.
const (
	nameCell   = 26
	sourceCell = 18
	targetCell = 22
	whyLeast   = 26
)

// writeText writes the plan for a person.
func (d *planDoc) writeText(w io.Writer) error {
	p := &printer{}
	d.head(p)
	for i := range d.Tables {
		p.line("")
		d.Tables[i].text(p)
	}
	p.line("")
	if err := p.findings(d.Findings); err != nil {
		return err
	}
	p.line("")
	d.tail(p)
	_, err := io.WriteString(w, p.String())
	return err
}

func (d *planDoc) head(p *printer) {
	to := "PostgreSQL"
	if d.Target.Address != "" {
		to = d.Target.Address
	}
	p.wrapped("", fmt.Sprintf("source: %s, %s %s", d.Source.Address, d.Source.Dialect, clean(d.Source.Version)))
	p.wrapped("", fmt.Sprintf("target: %s, schema %s", to, clean(string(d.Target.Schema))))
	p.line("%s, about %s, %s", plural(int64(d.Estimate.Tables), "table"), plural(d.Estimate.Rows, "row"), size(d.Estimate.Bytes))
}

func (d *planDoc) tail(p *printer) {
	p.wrapped("", "A copy takes about "+d.Estimate.text()+", with its indexes and keys. The view of a running copy measures its real rate.")
	if len(d.Next) > 0 {
		p.line("")
	}
	for i, n := range d.Next {
		if i == 0 {
			p.line("next: %s", n)
			continue
		}
		p.line("      %s", n)
	}
}

// text says how long a copy may take, and from what that follows.
func (e *estimateDoc) text() string {
	if e.Slowest <= time.Second {
		return "a second"
	}
	return fmt.Sprintf("%s to %s: %s of data at %s/s to %s/s", seconds(e.Fastest), seconds(e.Slowest), size(e.Bytes), size(fastRate), size(slowRate))
}

// text writes one table: what it becomes, its columns, its keys.
func (t *tableDoc) text(p *printer) {
	cut := "one exact snapshot, for want of a key"
	if len(t.CutBy) > 0 {
		cut = "cut by " + clean(names(t.CutBy))
	}
	p.line("%s   about %s, %s, %s", arrow(string(t.Source), string(t.Target)), plural(t.Rows, "row"), size(t.Bytes), cut)
	rows := make([][4]string, len(t.Columns))
	var w [3]int
	for i, c := range t.Columns {
		rows[i] = c.cells()
		for j, most := range []int{nameCell, sourceCell, targetCell} {
			w[j] = max(w[j], min(wide(rows[i][j]), most))
		}
	}
	for _, r := range rows {
		p.row(r, w)
	}
	for _, k := range t.Keys {
		k.text(p)
	}
}

func (c *columnDoc) cells() [4]string {
	to := c.TargetType
	if !c.Nullable {
		to += " not null"
	}
	why := c.Why
	if c.Default != nil && !c.Default.Null {
		why = "Default " + defaultText(c) + ". " + why
	}
	if c.Identity {
		why = "Identity. " + why
	}
	return [4]string{arrow(string(c.Source), string(c.Target)), clean(c.SourceType), clean(to), clean(strings.TrimSpace(why))}
}

func defaultText(c *columnDoc) string {
	if c.Default.Expr != "" {
		return c.Default.Expr
	}
	return fmt.Sprintf("%q", c.Default.Literal)
}

func (k *keyDoc) text(p *printer) {
	switch {
	case k.Target == "":
		p.wrapped("  ", clean(k.Source)+" → nothing, see the findings")
	case k.Source == "":
		p.wrapped("  ", "new: "+clean(k.Target))
	case k.Source == k.Target:
		p.wrapped("  ", clean(k.Source))
	default:
		p.wrapped("  ", clean(k.Source)+" → "+clean(k.Target))
	}
}

// arrow writes a name and, where it changes, what it becomes.
func arrow(from, to string) string {
	if from == to {
		return clean(from)
	}
	return clean(from) + " → " + clean(to)
}

// printer gathers lines of planWidth columns at most.
type printer struct{ b strings.Builder }

// Write takes text as it is, for reports that break their own lines.
func (p *printer) Write(text []byte) (int, error) { return p.b.Write(text) }

// String returns what was gathered.
func (p *printer) String() string { return p.b.String() }

func (p *printer) line(format string, args ...any) {
	fmt.Fprintf(&p.b, format+"\n", args...)
}

// findings writes the report of findings. Statements in it are never broken, so its lines
// may be longer.
func (p *printer) findings(fs []finding.Finding) error {
	return finding.NewReport(fs).WriteText(p, planWidth)
}

// wrapped writes text in lines, the first after indent and the others two columns further in.
func (p *printer) wrapped(indent, text string) {
	for i, l := range wrap(text, planWidth-len(indent)-2) {
		if i > 0 {
			l = "  " + l
		}
		p.line("%s%s", indent, l)
	}
}

// row writes one column's cells, the last one wrapped. A cell that is wider than its
// column stands on a line of its own, so that nothing is cut.
func (p *printer) row(cells [4]string, w [3]int) {
	line, at := "  ", 2
	for j, width := range w {
		if at > wide(line) {
			line += strings.Repeat(" ", at-wide(line))
		}
		line += cells[j]
		at += width + 2
		if wide(cells[j]) > width {
			p.line("%s", line)
			line = ""
		}
	}
	if cells[3] == "" {
		p.line("%s", strings.TrimRight(line, " "))
		return
	}
	for _, l := range wrap(cells[3], max(planWidth-at, whyLeast)) {
		p.line("%s%s", line+strings.Repeat(" ", max(at-wide(line), 0)), l)
		line = ""
	}
}
