package account

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
	"strings"
	"time"
)

// The picture's measures, in its own units.
const (
	svgWidth, svgLeft, svgRight = 824, 214, 130
	svgRow, svgTop, svgBar      = 46, 56, 12
)

// svgStyle colours the picture for light and dark pages.
const svgStyle = `
.curve{color-scheme:light dark}
.curve text{font:13px system-ui,sans-serif;fill:#1b1f24}
.curve .h{font-weight:600}.curve .m{fill:#59636e}
.curve .d{fill:#0969da}.curve .f{fill:#bc4c00}.curve .a{stroke:#d1d9e0}
@media (prefers-color-scheme:dark){.curve text{fill:#e6edf3}.curve .m{fill:#9198a1}.curve .d{fill:#4493f8}.curve .f{fill:#f0883e}.curve .a{stroke:#3d444d}}
`

// SVG draws the curve: for each round a bar for its duration and one for its write freeze, each on its own logarithmic scale, since rounds go from days to
// minutes and freezes from hours to tenths of a second. The numbers stand beside the bars. It has no scripts and asks for nothing.
func (h *History) SVG() []byte {
	var b bytes.Buffer
	height := svgTop + svgRow*max(1, len(h.Rounds)) + 24
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" class="curve" viewBox="0 0 %d %d" role="img" aria-labelledby="curve-title curve-desc">`, svgWidth, height)
	fmt.Fprintf(&b, `<title id="curve-title">Duration and write freeze of each round</title><desc id="curve-desc">%s</desc><style>%s</style>`,
		xmlText(h.describe()), svgStyle)
	fmt.Fprintf(&b, `<rect class="d" x="%d" y="14" width="12" height="12"/><text x="%d" y="25">duration</text>`, svgLeft, svgLeft+18)
	fmt.Fprintf(&b, `<rect class="f" x="%d" y="14" width="12" height="12"/><text x="%d" y="25">write freeze</text>`, svgLeft+110, svgLeft+128)
	fmt.Fprintf(&b, `<text class="m" x="%d" y="25">(each on its own logarithmic scale)</text>`, svgLeft+230)
	durations, freezes := newScale(), newScale()
	for i := range h.Rounds {
		durations.take(h.Rounds[i].Duration)
		freezes.take(h.Rounds[i].Freeze)
	}
	for i := range h.Rounds {
		r, y := &h.Rounds[i], svgTop+i*svgRow
		fmt.Fprintf(&b, `<text class="h" x="8" y="%d">%s</text><text class="m" x="8" y="%d">%s</text>`,
			y+11, xmlText(short(r.ID, 26)), y+27, xmlText(string(r.Outcome)))
		svgBarOf(&b, "d", y, r.Duration, durations)
		svgBarOf(&b, "f", y+svgBar+4, r.Freeze, freezes)
	}
	fmt.Fprintf(&b, `<line class="a" x1="%d" x2="%d" y1="%d" y2="%d"/></svg>`, svgLeft, svgLeft, svgTop-8, height-16)
	b.WriteByte('\n')
	return b.Bytes()
}

func svgBarOf(b *bytes.Buffer, class string, y int, d time.Duration, s *scale) {
	width := s.at(d) * (svgWidth - svgLeft - svgRight)
	label := "none"
	if d > 0 {
		label = Duration(d)
	}
	fmt.Fprintf(b, `<rect class="%s" x="%d" y="%d" width="%.1f" height="%d" rx="2"/><text x="%.1f" y="%d">%s</text>`,
		class, svgLeft, y, width, svgBar, svgLeft+width+6, y+svgBar-1, label)
}

// describe says in words what the picture shows.
func (h *History) describe() string {
	if len(h.Rounds) == 0 {
		return "No rounds yet."
	}
	var parts []string
	for i := range h.Rounds {
		r := &h.Rounds[i]
		freeze := "no write freeze"
		if r.Freeze > 0 {
			freeze = "a write freeze of " + Duration(r.Freeze)
		}
		parts = append(parts, fmt.Sprintf("%s took %s, with %s, and ended as %s", r.ID, Duration(r.Duration), freeze, r.Outcome))
	}
	return strings.Join(parts, "; ") + "."
}

// scale is logarithmic, from a third of the shortest duration to the longest.
type scale struct{ low, high float64 }

func newScale() *scale { return &scale{low: math.Inf(1)} }

func (s *scale) take(d time.Duration) {
	if d > 0 {
		s.low, s.high = min(s.low, float64(d)/3), max(s.high, float64(d))
	}
}

// at is where a duration lies, from 0 to 1.
func (s *scale) at(d time.Duration) float64 {
	if d <= 0 || s.high <= s.low {
		return 0
	}
	return math.Log(float64(d)/s.low) / math.Log(s.high/s.low)
}

// short cuts a text to so many characters.
func short(s string, most int) string {
	if r := []rune(clean(s)); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return clean(s)
}

// xmlText escapes text for XML.
func xmlText(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(clean(s))) // a buffer takes everything
	return b.String()
}
