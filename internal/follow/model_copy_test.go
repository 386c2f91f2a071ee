package follow

import (
	"math/rand/v2"
	"slices"
)

// copier is how a model copies: as bascule does, or with a mistake that a design could make.
type copier struct {
	logEnd   bool // the start is the end of the log, which no SELECT may show yet
	blind    bool // a lane reads without having proved that its server shows the start
	early    bool // the first chunk is read before the start is taken
	anew     bool // whoever comes after a crash takes a start of its own, and keeps the chunks that are there
	estimate bool // an exact snapshot's position is what was visible some time before
}

// piece is what one transaction of the target brings: a chunk of a table, or tables from one exact snapshot.
type piece struct {
	tables []int
	chunk  int // keys of this remainder, or -1 for all
	seen   int // transactions that the reading saw, -1 before it
	done   bool
}

// course is a copy in the making. Transactions of the source are written to its log, become visible, and reach a replica at times of their own.
type course struct {
	copier
	draw            *rand.Rand
	history         *history
	logged, visible int
	start           int // -1 before it is taken
	pieces          []*piece
	crashes         int // that may still come
}

// copyAll copies everything in random steps, with up to two crashes, and says from which transaction a follower has to go on.
func (s *scene) copyAll(h *history, base state, tables []*Table) (from int) {
	c := &course{copier: s.world.copier, draw: s.draw, history: h, start: -1, crashes: 2}
	c.logged = c.draw.IntN(len(h.log) - 3)
	c.visible = max(0, c.logged-c.draw.IntN(3))
	c.pieces = s.pieces()
	for !c.finished() {
		c.step(func(p *piece) { s.land(h, base, tables, p, c.since(p)) })
	}
	return c.start
}

// pieces lists what is copied by itself.
func (s *scene) pieces() (out []*piece) {
	if s.world.exact {
		all := &piece{chunk: -1, seen: -1}
		for i := range s.now {
			all.tables = append(all.tables, i)
		}
		return []*piece{all}
	}
	for i, c := range s.now {
		if !c.keyed {
			out = append(out, &piece{tables: []int{i}, chunk: -1, seen: -1})
			continue
		}
		out = append(out, &piece{tables: []int{i}, seen: -1}, &piece{tables: []int{i}, chunk: 1, seen: -1})
	}
	return out
}

func (c *course) finished() bool {
	return c.start >= 0 && !slices.ContainsFunc(c.pieces, func(p *piece) bool { return !p.done })
}

// step lets one thing happen.
func (c *course) step(land func(*piece)) {
	p := c.pieces[c.draw.IntN(len(c.pieces))]
	switch what := c.draw.IntN(20); {
	case what < 4:
		c.logged = min(c.logged+1, len(c.history.log))
	case what < 8:
		c.visible = min(c.visible+1, c.logged)
	case what < 9 && c.crashes > 0:
		c.crash()
	case c.start < 0 && c.early && what < 14:
		c.read(p)
	case c.start < 0:
		if c.start = c.visible; c.logEnd {
			c.start = c.logged
		}
	case p.seen < 0:
		c.read(p)
	case !p.done:
		p.done = true
		land(p)
	}
}

// read reads over a connection to the source or to one of its replicas, which may be behind, but not behind the start.
func (c *course) read(p *piece) {
	if p.seen >= 0 {
		return
	}
	from := min(c.start, c.visible)
	if c.blind || c.start < 0 {
		from = 0
	}
	p.seen = from + c.draw.IntN(c.visible-from+1)
}

// crash takes away what is not durable. The start is, and so is what has landed.
func (c *course) crash() {
	c.crashes--
	for _, p := range c.pieces {
		if !p.done {
			p.seen = -1
		}
	}
	if c.start >= 0 && c.anew {
		c.start = c.visible
	}
}

// since is the position that an exact snapshot is said to have.
func (c *course) since(p *piece) int {
	if c.estimate {
		return c.start
	}
	return p.seen
}

// land puts what a piece has read into the target.
func (s *scene) land(h *history, base state, tables []*Table, p *piece, since int) {
	for _, t := range p.tables {
		from := h.states[p.seen][t]
		if p.chunk < 0 {
			base[t], tables[t].Since = from.clone(), position(since)
			continue
		}
		for k, r := range from.rows {
			if k%2 == p.chunk {
				base[t].rows[k] = slices.Clone(r)
			}
		}
	}
}

// The shapes of foreign keys that a search found to matter, beside those of one and two levels.
var shapes = map[string]world{
	"a self-reference, set null":        {keyed: []bool{true}, edges: []edge{{0, 0, 1, setNull, no}}},
	"two parents, both cascade":         {keyed: []bool{true, true, true}, edges: []edge{{0, 2, 1, cascade, no}, {1, 2, 3, cascade, no}}},
	"two parents, cascade and set null": {keyed: []bool{true, true, true}, edges: []edge{{0, 2, 1, cascade, no}, {1, 2, 3, setNull, no}}},
	"two levels, delete and update": {
		keyed: []bool{true, true, true}, edges: []edge{{0, 1, 1, cascade, cascade}, {1, 2, 1, cascade, cascade}}, moves: true, deep: true,
	},
	"a diamond": {
		keyed: []bool{true, true, true, true},
		edges: []edge{{0, 1, 1, cascade, no}, {0, 2, 1, cascade, no}, {1, 3, 1, cascade, no}, {2, 3, 3, setNull, no}},
		deep:  true,
	},
}
