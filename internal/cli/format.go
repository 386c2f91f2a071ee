package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/mattn/go-runewidth"
)

// count writes n with a comma every three digits: 1,101,000.
func count(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// plural writes a count with its noun: 1 row, 2 rows.
func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if stem, ok := strings.CutSuffix(noun, "x"); ok {
		return count(n) + " " + stem + "xes"
	}
	return count(n) + " " + noun + "s"
}

// size writes n bytes in binary units with three digits at most: 412 MiB.
func size(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	f, unit := float64(n), ""
	for _, unit = range []string{"KiB", "MiB", "GiB", "TiB", "PiB"} {
		f /= 1024
		// 999.5 would print as 1000, which is a digit too many.
		if f < 999.5 {
			break
		}
	}
	switch {
	case f < 9.995:
		return fmt.Sprintf("%.2f %s", f, unit)
	case f < 99.95:
		return fmt.Sprintf("%.1f %s", f, unit)
	}
	return fmt.Sprintf("%.0f %s", f, unit)
}

// duration writes a time span the way a person says it: 0.4s, 12s, 3m05s, 2h10m, 3d04h.
func duration(d time.Duration) string {
	switch {
	case d <= 0:
		return "0s"
	case d < time.Millisecond:
		return fmt.Sprintf("%dµs", d.Microseconds())
	case d < 100*time.Millisecond:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.0fs", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%02dh", int(d.Hours())/24, int(d.Hours())%24)
}

// seconds is duration without fractions of a second, for a clock that ticks.
func seconds(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%ds", int(d.Seconds()))
	}
	return duration(d)
}

// short writes n in five characters at most, below a billion: 9,999 or 600k or 1.2M.
func short(n int64) string {
	switch {
	case n < 10_000:
		return count(n)
	case n < 1_000_000:
		return fmt.Sprintf("%dk", n/1000)
	case n < 10_000_000:
		return fmt.Sprintf("%.1fM", float64(n)/1e6)
	}
	return count(n/1_000_000) + "M"
}

// perSecond divides n by a time span; a span of zero gives 0.
func perSecond(n int64, d time.Duration) int64 {
	if d <= 0 {
		return 0
	}
	return int64(float64(n) / d.Seconds())
}

// clean makes foreign text safe for a terminal: control characters, which may
// stand in a table's name or in an error from a server, become escapes.
func clean(s string) string {
	return cleanText(strings.ReplaceAll(s, "\n", `\n`))
}

// cleanText is clean for text of several lines.
func cleanText(s string) string {
	if strings.IndexFunc(s, unprintable) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if unprintable(r) {
			q := strconv.QuoteRune(r)
			b.WriteString(q[1 : len(q)-1])
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func unprintable(r rune) bool {
	return r != '\n' && r != ' ' && !unicode.IsPrint(r)
}

// left pads s to w columns, or cuts it and ends it with …
func left(s string, w int) string {
	return runewidth.FillRight(cut(s, w), w)
}

// right is left with the padding before the text.
func right(s string, w int) string {
	return runewidth.FillLeft(cut(s, w), w)
}

// cut shortens s to w columns.
func cut(s string, w int) string {
	if w <= 0 {
		return ""
	}
	return runewidth.Truncate(s, w, "…")
}

// wide is how many columns s takes on a terminal.
func wide(s string) int { return runewidth.StringWidth(s) }

// wrap breaks s at spaces into lines of at most w columns. A word that is wider
// stands alone on its line: it may be a statement to copy.
func wrap(s string, w int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(s) {
		switch {
		case line == "":
			line = word
		case wide(line)+1+wide(word) > w:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
