package outside

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// shown is how much is returned of what a hook said, and quoted how much of it stands in an error, in bytes.
	shown  = 2000
	quoted = 600
	// kept is how much is kept of the beginning, and at least of the end, before secrets are taken out.
	kept = 32 << 10
	// edge is what is dropped where something is missing: half a secret could stand there, which is not recognised.
	edge = 4 << 10
)

// gap stands where something was left out.
const gap = "\n…\n"

// record keeps the beginning and the end of what is written to it.
type record struct {
	head, tail []byte
	total      int
}

// Write takes all of p, so that a command never waits for a full pipe.
func (r *record) Write(p []byte) (int, error) {
	n := len(p)
	r.total += n
	if room := min(kept-len(r.head), n); room > 0 {
		r.head = append(r.head, p[:room]...)
		p = p[room:]
	}
	r.tail = append(r.tail, p...)
	if len(r.tail) > 2*kept {
		r.tail = append(r.tail[:0], r.tail[len(r.tail)-kept:]...)
	}
	return n, nil
}

// text returns what was written, fit to be shown, without what hide takes out.
func (r *record) text(hide func(string) string) string {
	if r.total == len(r.head)+len(r.tail) {
		return shorten(hide(clean(string(r.head)+string(r.tail))), shown)
	}
	return shorten(before(hide(clean(string(r.head))))+gap+after(hide(clean(string(r.tail)))), shown)
}

// before returns s, behind whose end something is missing, without its last edge.
func before(s string) string { return s[:start(s, max(0, len(s)-edge))] }

// after returns s, before whose beginning something is missing, without its first edge.
func after(s string) string { return s[start(s, min(len(s), edge)):] }

// start returns the last place up to i at which a character of s begins.
func start(s string, i int) int {
	for i > 0 && i < len(s) && !utf8.RuneStart(s[i]) {
		i--
	}
	return i
}

// escapes are what terminals take as commands: colours, titles, movements.
var escapes = regexp.MustCompile("\x1b(?:\\[[0-?]*[ -/]*[@-~]|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?|[^\\[\\]])?")

// clean makes plain text of what a program printed: valid UTF-8 without control characters, those for the direction of writing included.
func clean(s string) string {
	s = strings.ToValidUTF8(s, string(utf8.RuneError))
	s = escapes.ReplaceAllString(s, "")
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\r':
			return '\n' // a line that overwrites the one before
		case r == '\n', r == '\t':
			return r
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, s)
}

// shorten leaves out the middle of s if it is longer than most bytes: the beginning says what was to be done, the end how it went.
func shorten(s string, most int) string {
	s = strings.TrimSpace(strings.ToValidUTF8(s, string(utf8.RuneError)))
	if len(s) <= most {
		return s
	}
	head := s[:start(s, most/3)]
	from := len(s) - (most - len(head) - len(gap))
	for !utf8.RuneStart(s[from]) {
		from++
	}
	return head + gap + s[from:]
}
