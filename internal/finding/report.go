package finding

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Report is what a person must know about one database, worst first.
type Report struct {
	Findings []Finding `json:"findings"`
	// Before is what the findings that block stand before; without it, a copy.
	Before string `json:"-"`
}

// NewReport returns a report of findings: blockers first, then by object and
// code, so that two runs over the same facts print the same. It keeps a copy.
func NewReport(findings []Finding) Report {
	sorted := slices.Clone(findings)
	slices.SortStableFunc(sorted, func(a, b Finding) int {
		return cmp.Or(rank(a.Severity)-rank(b.Severity), cmp.Compare(a.Object, b.Object), cmp.Compare(a.Code, b.Code))
	})
	return Report{Findings: sorted}
}

// severities are what a report groups by, in order.
var severities = []Severity{Blocker, Warning, Info}

// rank orders severities; one that is not known counts as the worst, because
// what cannot be read must not be overlooked.
func rank(s Severity) int { return max(0, slices.Index(severities, s)) }

// Blocking returns the findings that stop a copy: blockers, and losses that
// nobody accepted whatever their severity. A loss that was accepted stops nothing.
func (r Report) Blocking() []Finding {
	var out []Finding
	for _, f := range r.Findings {
		if f.blocks() {
			out = append(out, f)
		}
	}
	return out
}

func (f Finding) blocks() bool {
	if f.Kind == Loss {
		return !f.Accepted
	}
	return rank(f.Severity) == 0
}

// AcceptFlag returns the flag that accepts a loss, --accept CODE:table.column, quoted for a shell where a name
// needs it, or nothing for another kind of finding.
func (f Finding) AcceptFlag() string {
	if f.Kind != Loss {
		return ""
	}
	return "--accept " + shellWord(string(f.Code)+":"+f.Object)
}

// minWidth is the narrowest column in which sentences are still readable.
const minWidth = 40

// WriteText writes the report for people, in lines of at most width characters
// (0 means 80; words and statements longer than a line stay whole, so that they
// can be copied). It is plain text: it can be piped, mailed and read at 02:00.
func (r Report) WriteText(w io.Writer, width int) error {
	if width <= 0 {
		width = 80
	}
	p := &page{width: max(width, minWidth)}
	p.line(r.headline())
	for _, s := range severities {
		var group []Finding
		for _, f := range r.Findings {
			if severities[rank(f.Severity)] == s {
				group = append(group, f)
			}
		}
		if len(group) == 0 {
			continue
		}
		p.line("")
		p.line(strings.ToUpper(plural(len(group), string(s))))
		for _, f := range group {
			p.finding(f)
		}
	}
	p.accept(r)
	_, err := io.WriteString(w, p.b.String())
	return err
}

// WriteBrief writes the headline, and a line for each finding that stops what is to come: for a journal, which keeps few words.
func (r Report) WriteBrief(w io.Writer) error {
	var b strings.Builder
	b.WriteString(r.headline() + "\n")
	for _, f := range r.Blocking() {
		times := ""
		if f.Count > 1 {
			times = fmt.Sprintf(" (%d of them)", f.Count)
		}
		fmt.Fprintf(&b, "%s [%s]%s: %s\n", oneLine(f.Object), f.Code, times, oneLine(f.What))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// headline says first whether the copy, or whatever is to come, may start.
func (r Report) headline() string {
	if len(r.Findings) == 0 {
		return "No findings."
	}
	var parts []string
	for _, s := range severities {
		n := 0
		for _, f := range r.Findings {
			if severities[rank(f.Severity)] == s {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, plural(n, string(s)))
		}
	}
	counts := strings.Join(parts, ", ")
	before := cmp.Or(r.Before, "a copy")
	if n := len(r.Blocking()); n > 0 {
		return fmt.Sprintf("%s. %s to settle before %s.", counts, plural(n, "finding"), before)
	}
	return counts + ". Nothing stops " + before + "."
}

// plural writes a count with its word: 1 blocker, 2 blockers. Info has no plural.
func plural(n int, word string) string {
	if n == 1 || word == string(Info) {
		return fmt.Sprintf("%d %s", n, word)
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// page collects lines of a width.
type page struct {
	b     strings.Builder
	width int
}

func (p *page) line(s string) {
	p.b.WriteString(strings.TrimRight(s, " "))
	p.b.WriteByte('\n')
}

// label is where the text of a finding's rows begins.
const label = 12

// finding writes one finding: what it is about, its code, then labelled rows.
func (p *page) finding(f Finding) {
	object := f.Object
	if object == "" {
		object = "(whole database)"
	}
	state := ""
	switch {
	case f.Kind == Loss && f.Accepted:
		state = ", accepted"
	case f.Kind == Loss:
		state = ", not accepted"
	}
	p.line("")
	p.line("  " + oneLine(object) + "  [" + string(f.Code) + ", " + string(f.Kind) + state + "]")
	p.row(4, "", f.What)
	if f.Count > 0 {
		p.row(4+label, "count", fmt.Sprint(f.Count))
	}
	for i, e := range f.Evidence {
		name := "evidence"
		if i > 0 {
			name = ""
		}
		p.row(4+label, name, e)
	}
	p.verbatim("do", f.Do)
	if f.Kind == Loss && !f.Accepted {
		p.verbatim("accept", f.AcceptFlag())
	}
	if f.Owner != "" {
		p.row(4+label, "owner", f.Owner)
	}
}

// row writes text from column indent on, beside its label, wrapped at words.
func (p *page) row(indent int, name, text string) {
	words := strings.Fields(text)
	if len(words) == 0 {
		return
	}
	lead := fmt.Sprintf("    %-*s", indent-4, name)
	line := lead
	empty := true
	for _, w := range words {
		w = printable(w)
		if !empty && length(line)+1+length(w) > p.width {
			p.line(line)
			line, empty = strings.Repeat(" ", indent), true
		}
		if !empty {
			line += " "
		}
		line += w
		empty = false
	}
	p.line(line)
}

// verbatim writes what will be copied: line by line, never wrapped.
func (p *page) verbatim(name, text string) {
	if strings.TrimSpace(text) == "" {
		return
	}
	for i, l := range strings.Split(strings.TrimSpace(text), "\n") {
		if i > 0 {
			name = ""
		}
		p.line(fmt.Sprintf("    %-*s%s", label, name, printable(l)))
	}
}

// accept writes the arguments for all losses together, ready to be copied.
func (p *page) accept(r Report) {
	var args []string
	for _, f := range r.Findings {
		if f.Kind == Loss && !f.Accepted {
			args = append(args, f.AcceptFlag())
		}
	}
	if len(args) < 2 {
		return // one stands with its finding
	}
	p.line("")
	p.line(fmt.Sprintf("To accept these %d losses:", len(args)))
	p.line("  " + strings.Join(args, " \\\n  "))
}

// shellWord quotes s for a POSIX shell where that is needed: a table's name may
// hold blanks, quotes and worse.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-.:,/", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func oneLine(s string) string { return printable(strings.Join(strings.Fields(s), " ")) }

// printable replaces control characters: samples of data must not move a
// terminal's cursor.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '�'
		}
		return r
	}, s)
}

func length(s string) int { return len([]rune(s)) }
