package account

import "strings"

// Markdown writes the round's report: what happened when, who decided what and why, what was left out, and how long it took against what was expected.
// Whatever people typed is text in it, never a mark.
func (a *Account) Markdown() string {
	r := a.report()
	var out strings.Builder
	out.WriteString("# " + markdown(r.Title) + "\n")
	for _, t := range r.Tables {
		out.WriteString("\n## " + t.Title + "\n\n")
		if len(t.Rows) == 0 {
			out.WriteString(t.None + "\n")
			continue
		}
		markdownRow(&out, t.Head)
		out.WriteString(strings.Repeat("| --- ", len(t.Head)) + "|\n")
		for _, row := range t.Rows {
			cells := make([]string, len(row))
			for i, cell := range row {
				cells[i] = markdown(cell)
			}
			markdownRow(&out, cells)
		}
	}
	return out.String()
}

func markdownRow(out *strings.Builder, cells []string) {
	out.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

// marks are the characters that mean something in Markdown, or in the dialects that add to it.
const marks = "\\`*_{}[]()#+!|~$=^"

// markdown makes text of what somebody typed: in one line, its marks escaped, and its brackets and ampersands as entities, since HTML passes through Markdown.
// Links that a reader would make of a bare address are broken by an entity that shows as the same colon or point.
func markdown(s string) string {
	s = clean(s)
	var out strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c == '&':
			out.WriteString("&amp;")
		case c == '<':
			out.WriteString("&lt;")
		case c == '>':
			out.WriteString("&gt;")
		case c == '@':
			out.WriteString("&#64;")
		case c == ':' && strings.HasPrefix(s[i:], "://"):
			out.WriteString("&#58;")
		case c == '.' && strings.HasSuffix(strings.ToLower(s[max(0, i-3):i]), "www"):
			out.WriteString("&#46;")
		case strings.IndexByte(marks, c) >= 0:
			out.WriteByte('\\')
			out.WriteByte(c)
		default:
			out.WriteByte(c)
		}
	}
	return out.String()
}
