package dependency

import (
	"cmp"
	"slices"
)

// The measures of the picture, in pixels. Labels are in a monospaced font, so that their widths are known without drawing them.
const (
	glyph     = 7.3 // the width of a character of 12 pixels, a little more than any common font has
	pitch     = 26  // from one box to the next
	boxHeight = 20
	boxPad    = 8
	gutter    = 150 // between columns, for the lines
	margin    = 24
	bandHead  = 30 // the line above a band's boxes
	bandPad   = 10
	bandGap   = 16
	maxChars  = 38
)

// The columns of the picture.
const (
	colHost = iota
	colWorkload
	colState
	columns
)

// drawn are the kinds that stand in the picture's last column. Secrets, roles and other services would be more lines than anybody can follow.
var drawn = map[Kind]bool{Database: true, Table: true, Queue: true, Topic: true, Stream: true, Bucket: true, Volume: true, Cache: true, Search: true, Outside: true}

// box is a node in the picture.
type box struct {
	id    string
	label string
	col   int
	x, y  float64
	width float64
	// copied says that the node stands in several bands.
	copied bool
}

// line joins two boxes.
type line struct {
	from, to *box
	edge     *Edge
	tie, cut bool
}

// band is a group, or those that move alone.
type band struct {
	group *Group
	index int // of the group
	boxes [columns][]*box
	lines []*line
	y     float64
	high  float64
}

// picture is a map that has been laid out.
type picture struct {
	bands       []*band
	x           [columns]float64
	width       [columns]float64
	wide, high  float64
	left, right float64 // of the bands
	hidden      map[string]bool
	headY       float64
	legend      float64
}

// lay lays a map out in layers: hosts, workloads, state. Every group is a band, in which boxes are ordered so that few lines cross. What several
// bands use stands in each of them, so that no line leaves its band.
func lay(m *Map) *picture {
	p := &picture{hidden: map[string]bool{}}
	for _, h := range m.Hidden {
		p.hidden[id(Workload, h.Workload)] = true
	}
	in := map[string]int{}
	for i := range m.Groups {
		for _, w := range m.Groups[i].Workloads {
			in[w] = i
		}
		p.bands = append(p.bands, &band{group: &m.Groups[i], index: i})
	}
	alone := &band{index: len(m.Groups)}
	p.bands = append(p.bands, alone)
	for _, w := range m.Of(Workload) {
		if _, grouped := in[w.ID]; !grouped {
			in[w.ID] = alone.index
		}
	}
	p.fill(m, in)
	p.bands = slices.DeleteFunc(p.bands, func(b *band) bool { return len(b.boxes[colWorkload]) == 0 })
	for _, b := range p.bands {
		b.order()
	}
	p.place()
	return p
}

// fill puts boxes and lines into their bands.
func (p *picture) fill(m *Map, in map[string]int) {
	type place struct {
		id   string
		band int
	}
	boxes, bands := map[place]*box{}, map[string]int{}
	put := func(id string, at, col int) *box {
		k := place{id, at}
		if boxes[k] == nil {
			boxes[k] = &box{id: id, label: p.label(m, id), col: col}
			p.bands[at].boxes[col] = append(p.bands[at].boxes[col], boxes[k])
			bands[id]++
		}
		return boxes[k]
	}
	for _, w := range m.Of(Workload) {
		put(w.ID, in[w.ID], colWorkload)
	}
	for i := range m.Edges {
		e := &m.Edges[i]
		if kindOf(e.From) == Host {
			at := in[e.To]
			p.bands[at].lines = append(p.bands[at].lines, &line{from: put(e.From, at, colHost), to: put(e.To, at, colWorkload), edge: e})
			continue
		}
		if !drawn[kindOf(e.To)] {
			continue
		}
		b := p.bands[in[e.From]]
		l := &line{from: put(e.From, b.index, colWorkload), to: put(e.To, b.index, colState), edge: e}
		if b.group != nil {
			l.tie = slices.Contains(b.group.State, e.To)
			l.cut = b.group.Cut != nil && b.group.Cut.Workload == e.From && b.group.Cut.State == e.To
		}
		b.lines = append(b.lines, l)
	}
	for k, b := range boxes {
		b.copied = bands[k.id] > 1
	}
}

// label is what a box says, cut in its middle where it is too long: names differ at both ends.
func (p *picture) label(m *Map, id string) string {
	n := m.Node(id)
	text := n.Name
	switch n.Kind {
	case Host:
	case Workload:
		if p.hidden[id] {
			text += " †"
		}
	default:
		text = string(n.Kind) + " " + text
	}
	r := []rune(text)
	if len(r) > maxChars {
		half := (maxChars - 1) / 2
		r = slices.Concat(r[:half], []rune("…"), r[len(r)-half:])
	}
	return string(r)
}

// sweeps is how often the order of a band's columns is looked at anew.
const sweeps = 24

// order orders the columns of a band by the mean place of what their boxes are joined with, back and forth, and keeps the order with the fewest crossings
// (K. Sugiyama and others, Methods for visual understanding of hierarchical system structures, 1981).
func (b *band) order() {
	next := [columns]map[*box][]*box{{}, {}, {}}
	for _, l := range b.lines {
		next[l.to.col][l.from] = append(next[l.to.col][l.from], l.to)
		next[l.from.col][l.to] = append(next[l.from.col][l.to], l.from)
	}
	best, fewest := b.boxes, b.crossings()
	for i := 0; i < sweeps && fewest > 0; i++ {
		if i%2 == 0 {
			b.sweep(colState, next[colWorkload])
			b.sweep(colHost, next[colWorkload])
		} else {
			both := map[*box][]*box{}
			for _, w := range b.boxes[colWorkload] {
				both[w] = append(slices.Clone(next[colState][w]), next[colHost][w]...)
			}
			b.sweep(colWorkload, both)
		}
		if n := b.crossings(); n < fewest {
			fewest, best = n, b.boxes
		}
	}
	b.boxes = best
}

// sweep orders a column by the mean of the relative places of what its boxes are joined with. What is joined with nothing comes last.
func (b *band) sweep(col int, next map[*box][]*box) {
	at := b.places()
	mean := map[*box]float64{}
	for _, x := range b.boxes[col] {
		if len(next[x]) == 0 {
			mean[x] = 2
			continue
		}
		for _, y := range next[x] {
			mean[x] += at[y] / float64(len(next[x]))
		}
	}
	sorted := slices.Clone(b.boxes[col])
	slices.SortStableFunc(sorted, func(x, y *box) int { return cmp.Compare(mean[x], mean[y]) })
	b.boxes[col] = sorted
}

// places are the relative places of boxes in their columns, from 0 to 1.
func (b *band) places() map[*box]float64 {
	at := map[*box]float64{}
	for _, column := range b.boxes {
		for i, x := range column {
			at[x] = (float64(i) + 0.5) / float64(len(column))
		}
	}
	return at
}

// crossings counts the pairs of lines that cross.
func (b *band) crossings() int {
	at := b.places()
	n := 0
	for _, column := range []int{colWorkload, colState} {
		var lines []*line
		for _, l := range b.lines {
			if l.to.col == column {
				lines = append(lines, l)
			}
		}
		slices.SortFunc(lines, func(x, y *line) int {
			return cmp.Or(cmp.Compare(at[x.from], at[y.from]), cmp.Compare(at[x.to], at[y.to]))
		})
		n += inversions(lines, at)
	}
	return n
}

// inversions counts pairs whose ends are the other way round than their beginnings, by a tree of counts over the ends (Fenwick).
func inversions(lines []*line, at map[*box]float64) int {
	ends := make([]float64, len(lines))
	for i, l := range lines {
		ends[i] = at[l.to]
	}
	sorted := slices.Compact(slices.Sorted(slices.Values(ends)))
	tree := make([]int, len(sorted)+1)
	n := 0
	for seen, e := range ends {
		i, _ := slices.BinarySearch(sorted, e)
		notAfter := 0
		for j := i + 1; j > 0; j -= j & -j {
			notAfter += tree[j]
		}
		n += seen - notAfter
		for j := i + 1; j < len(tree); j += j & -j {
			tree[j]++
		}
	}
	return n
}

// place gives all boxes their coordinates.
func (p *picture) place() {
	for _, b := range p.bands {
		for c, column := range b.boxes {
			for _, x := range column {
				x.width = float64(len([]rune(x.label)))*glyph + 2*boxPad
				p.width[c] = max(p.width[c], x.width)
			}
		}
	}
	p.left = margin
	used, needs := 0, 2.0*bandPad
	for _, w := range p.width {
		if w > 0 {
			used++
			needs += w
		}
	}
	between := float64(gutter)
	if used > 1 {
		between = max(gutter, (minWide-needs)/float64(used-1))
	}
	x := p.left + bandPad
	for c := range p.x {
		p.x[c] = x
		if p.width[c] > 0 {
			x += p.width[c] + between
		}
	}
	p.right = max(x-between+bandPad, p.left+minWide)
	p.wide = p.right + margin
	p.headY = margin + 18
	y := p.headY + 50
	for _, b := range p.bands {
		b.y = y
		most := 0
		for _, column := range b.boxes {
			most = max(most, len(column))
		}
		b.high = bandHead + float64(most)*pitch + bandPad
		b.spread(p)
		y += b.high + bandGap
	}
	p.legend = y + 8
	p.high = p.legend + 5*20 + margin
}

// minWide is how wide the bands are at the least: their headings have to fit.
const minWide = 720

// spread places the boxes of a band: workloads one below the other, the others beside what they are joined with, as near as their order and their height let them.
func (b *band) spread(p *picture) {
	top := b.y + bandHead
	room := b.high - bandHead - bandPad
	middle := func(n int) float64 { return top + (room-float64(n)*pitch)/2 }
	for i, x := range b.boxes[colWorkload] {
		x.x, x.y = p.x[colWorkload], middle(len(b.boxes[colWorkload]))+float64(i)*pitch
	}
	for _, c := range []int{colHost, colState} {
		column := b.boxes[c]
		wish := map[*box][]float64{}
		for _, l := range b.lines {
			if l.from.col == c {
				wish[l.from] = append(wish[l.from], l.to.y)
			} else if l.to.col == c {
				wish[l.to] = append(wish[l.to], l.from.y)
			}
		}
		for i, x := range column {
			x.x, x.y = p.x[c], top+float64(i)*pitch
			if c == colHost {
				x.x += p.width[c] - x.width // flush with the lines
			}
			if len(wish[x]) > 0 {
				sum := 0.0
				for _, y := range wish[x] {
					sum += y
				}
				x.y = max(x.y, sum/float64(len(wish[x])))
			}
			if i > 0 {
				x.y = max(x.y, column[i-1].y+pitch)
			}
		}
		for i, x := range slices.Backward(column) { // and back, so that the last is still within the band
			x.y = min(x.y, top+room-float64(len(column)-i)*pitch)
		}
	}
}
