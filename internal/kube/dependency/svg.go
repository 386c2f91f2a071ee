package dependency

import (
	"bytes"
	"fmt"
	"html"
	"slices"
	"strings"
	"unicode"
)

// hue is the colours of a band: its ground and its lines, on light and on dark.
type hue struct{ ground, line, darkGround, darkLine string }

// hues are told apart by their lightness too, and every band has a border and a heading, so that no meaning rests on colour alone. Their contrast is tested.
var hues = []hue{
	{"#e3edfb", "#1d5fb4", "#15273f", "#7fb2f5"},
	{"#e2f3e6", "#1c7037", "#14301c", "#7bd196"},
	{"#fbf0d9", "#8a5a00", "#33270c", "#e3b04b"},
	{"#fbe6ee", "#a8285f", "#38182a", "#f093bb"},
	{"#ece6fa", "#5f3dbb", "#261d42", "#b9a2f5"},
	{"#dcf2f2", "#0f6a70", "#0f2f31", "#6fcfd4"},
	{"#f3e9e2", "#7d4a2a", "#2f221a", "#d9a27c"},
	{"#e6eaf0", "#44546a", "#232a33", "#a9b7c9"},
}

// The colours beside those of bands, on light and on dark: the ground, text, text of less weight, and lines that tie nothing.
var (
	lightColours = [4]string{"#ffffff", "#1b1f24", "#4b5560", "#6e7781"}
	darkColours  = [4]string{"#0f141a", "#e6edf3", "#a8b4c0", "#8793a0"}
)

// SVG draws a map: hosts, workloads and state in columns, groups as bands. It fits light and dark, paper, and a reader that speaks.
func SVG(m *Map, environment string) []byte {
	p := lay(m)
	d := &drawing{p: p, m: m}
	d.head(environment)
	for _, b := range p.bands {
		d.band(b)
	}
	d.legend()
	d.w("</svg>\n")
	return d.b.Bytes()
}

type drawing struct {
	b bytes.Buffer
	p *picture
	m *Map
}

func (d *drawing) w(format string, args ...any) { fmt.Fprintf(&d.b, format, args...) }

// xml makes text fit into the file: what XML cannot hold becomes a question mark.
func xml(s string) string {
	return html.EscapeString(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) && r != ' ' || r == unicode.ReplacementChar {
			return '?'
		}
		return r
	}, s))
}

func (d *drawing) head(environment string) {
	p := d.p
	title := "Who uses what"
	if environment != "" {
		title += " in " + environment
	}
	d.w(`<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="title desc" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f">`+"\n", p.wide, p.high, p.wide, p.high)
	d.w("<title id=\"title\">%s</title>\n<desc id=\"desc\">%s</desc>\n", xml(title), xml(d.spoken()))
	d.style()
	d.w(`<rect class="ground" width="%.0f" height="%.0f"/>`+"\n", p.wide, p.high)
	d.w(`<text class="title" x="%d" y="%.0f">%s</text>`+"\n", margin, p.headY, xml(title))
	for c, name := range []string{"HOSTS", "WORKLOADS", "WHAT THEY USE"} {
		if p.width[c] > 0 {
			d.w(`<text class="less" x="%.1f" y="%.0f">%s</text>`+"\n", p.x[c], p.headY+32, name)
		}
	}
}

// spoken says the picture in sentences.
func (d *drawing) spoken() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d workloads.", len(d.m.Of(Workload)))
	for i, g := range d.m.Groups {
		fmt.Fprintf(&b, " Group %d must move together: %s; they share %s.", i+1, d.list(g.Workloads), strings.Join(g.State, ", "))
		if g.Cut != nil {
			fmt.Fprintf(&b, " Without the tie of %s to %s it would be two groups.", d.list([]string{g.Cut.Workload}), g.Cut.State)
		}
	}
	var alone []string
	for _, band := range d.p.bands {
		if band.group == nil {
			for _, x := range band.boxes[colWorkload] {
				alone = append(alone, x.id)
			}
		}
	}
	if len(alone) > 0 {
		fmt.Fprintf(&b, " Alone: %s.", d.list(alone))
	}
	if len(d.m.Hidden) > 0 {
		var hidden []string
		for _, h := range d.m.Hidden {
			hidden = append(hidden, h.Workload)
		}
		fmt.Fprintf(&b, " These seem to use the role of their node: %s.", strings.Join(hidden, ", "))
	}
	b.WriteString(" Secrets, roles and calls between workloads are not drawn.")
	return b.String()
}

func (d *drawing) list(ids []string) string {
	names := make([]string, len(ids))
	for i, x := range ids {
		names[i] = d.m.Node(x).Name
	}
	return strings.Join(names, ", ")
}

func (d *drawing) style() {
	colours := func(c [4]string, dark bool) string {
		var b strings.Builder
		fmt.Fprintf(&b, "svg{--ground:%s;--text:%s;--less:%s;--thin:%s}", c[0], c[1], c[2], c[3])
		fmt.Fprintf(&b, ".alone{--band:%s;--line:%s}", c[0], c[2])
		for i, h := range hues {
			if dark {
				fmt.Fprintf(&b, ".g%d{--band:%s;--line:%s}", i, h.darkGround, h.darkLine)
			} else {
				fmt.Fprintf(&b, ".g%d{--band:%s;--line:%s}", i, h.ground, h.line)
			}
		}
		return b.String()
	}
	d.w("<style>\n%s\n@media screen and (prefers-color-scheme:dark){%s}\n", colours(lightColours, false), colours(darkColours, true))
	d.w(`text{font:12px ui-monospace,"DejaVu Sans Mono","Liberation Mono",Menlo,Consolas,monospace;fill:var(--text)}
.title{font-size:18px;font-weight:bold}
.less{fill:var(--less)}
.heading{font-weight:bold;fill:var(--line)}
.ground{fill:var(--ground)}
.band{fill:var(--band);stroke:var(--line);stroke-width:1}
.alone .band{stroke-dasharray:4 4}
.box{fill:var(--ground);stroke:var(--line);stroke-width:1}
.shared{stroke:var(--line);stroke-width:1.8}
.copied{stroke-dasharray:3 3}
path{fill:none;stroke:var(--thin);stroke-width:1.1}
.tie{stroke:var(--line);stroke-width:1.7}
.naming{stroke-dasharray:2 3}
.cut{stroke-width:3.4;stroke-dasharray:9 5}
</style>
`)
}

func (d *drawing) band(b *band) {
	class, heading := "alone", fmt.Sprintf("MOVE ALONE: %d", len(b.boxes[colWorkload]))
	if b.group != nil {
		class = fmt.Sprintf("g%d", b.index%len(hues))
		heading = fmt.Sprintf("GROUP %d: %d workloads, by %s", b.index+1, len(b.group.Workloads), strings.Join(b.group.State, ", "))
	}
	if most := int((d.p.right - d.p.left - 2*bandPad) / glyph); len([]rune(heading)) > most {
		heading = string([]rune(heading)[:most-1]) + "…"
	}
	d.w(`<g class="%s"><rect class="band" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="8"/>`+"\n", class, d.p.left, b.y, d.p.right-d.p.left, b.high)
	d.w(`<text class="heading" x="%.1f" y="%.1f">%s</text>`+"\n", d.p.left+bandPad, b.y+20, xml(heading))
	for _, strong := range []bool{false, true} { // ties on top
		for _, l := range b.lines {
			if l.tie == strong {
				d.line(l)
			}
		}
	}
	for _, column := range b.boxes {
		for _, x := range column {
			d.box(x, b)
		}
	}
	d.w("</g>\n")
}

func (d *drawing) line(l *line) {
	var class []string
	if l.tie {
		class = append(class, "tie")
	}
	if l.edge.Sure == Naming {
		class = append(class, "naming")
	}
	if l.cut {
		class = append(class, "cut")
	}
	x1, y1, x2, y2 := l.from.x+l.from.width, l.from.y+boxHeight/2, l.to.x, l.to.y+boxHeight/2
	// Lines leave the column of shorter boxes level, so that none runs behind a longer one.
	edge := d.p.x[l.from.col] + d.p.width[l.from.col]
	bend := (x2 - edge) / 2
	d.w(`<path class="%s" d="M%.1f %.1fL%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1f"><title>%s</title></path>`+"\n",
		strings.Join(class, " "), x1, y1, edge, y1, edge+bend, y1, x2-bend, y2, x2, y2, xml(d.said(l)))
}

func (d *drawing) said(l *line) string {
	e := l.edge
	text := d.m.Node(e.From).Name + " → " + e.To + ", " + string(e.Sure)
	if e.Reads {
		text += ", reads"
	}
	return text + ": " + e.Found[0].Object + " " + e.Found[0].Path
}

func (d *drawing) box(x *box, b *band) {
	class := "box"
	if b.group != nil && slices.Contains(b.group.State, x.id) {
		class += " shared"
	}
	if x.copied {
		class += " copied"
	}
	d.w(`<g><title>%s</title><rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%d" rx="4"/><text x="%.1f" y="%.1f">%s</text></g>`+"\n",
		xml(x.id), class, x.x, x.y, x.width, boxHeight, x.x+boxPad, x.y+14, xml(x.label))
}

// legend says what lines and marks mean, in words beside samples of them.
func (d *drawing) legend() {
	y := d.p.legend
	row := func(class, text string) {
		if class != "" {
			d.w(`<g class="g7"><path class="%s" d="M%d %.0fL%d %.0f"/></g>`, class, margin, y-4, margin+44, y-4)
		}
		d.w(`<text class="less" x="%d" y="%.0f">%s</text>`+"\n", margin+56, y, text)
		y += 20
	}
	row("tie", "a tie: workloads that share what it leads to must move together")
	row("tie cut", "the single tie that, once cut, parts its group most evenly")
	row("thin", "a use that ties nothing; dotted lines are by naming only")
	d.w(`<rect class="box copied" x="%d" y="%.0f" width="44" height="14" rx="4" style="--line:var(--less)"/>`, margin, y-11)
	row("", "it stands in several bands, for several of them use it")
	d.w(`<text class="less" x="%d" y="%.0f">†</text>`, margin+18, y)
	row("", "it seems to use the role of its node, which no pod can on GKE")
}
