package cli

import (
	"time"

	"github.com/bascule/bascule/internal/event"
)

// window is how far back a rate looks: long enough to smooth chunks that arrive a few
// times a second, short enough to show a throttled source within seconds.
const window = 10 * time.Second

// progress is what the events said so far, as the terminal shows it. It is not
// safe for concurrent use.
type progress struct {
	phase       string
	began       time.Time // of the first event
	phaseBegan  time.Time
	tables      map[string]*tableProgress
	order       []*tableProgress // as they were announced
	meter       meter
	statements  int64
	lastStmt    string
	note        string // what it waits for, until work goes on
	verifying   bool
	differences int64
	copied      int64 // tables that are done
	followed    *event.Followed
}

// tableProgress is one table of the view.
type tableProgress struct {
	name        string
	wantRows    int64 // the source's estimate
	rows, bytes int64
	chunks      int64
	done        bool
	meter       meter
}

func newProgress() *progress { return &progress{tables: map[string]*tableProgress{}} }

// add takes one event in.
func (p *progress) add(e event.Event, now time.Time) {
	if p.began.IsZero() {
		p.began, p.phaseBegan = now, now
	}
	switch e := e.(type) {
	case event.PhaseStarted:
		p.startPhase(e.Phase, now)
	case event.TableStarted:
		t := p.table(e.Table)
		t.wantRows = e.Rows
		if !p.verifying && e.DoneRows > t.rows {
			t.rows, t.bytes = e.DoneRows, e.DoneBytes
		}
	case event.ChunkCopied:
		p.work(e.Table, e.Rows, e.Bytes, now.Add(-e.Elapsed), now)
	case event.StatementRun:
		p.statements++
		p.lastStmt = e.Table + ": " + e.What
		// The ledger hands out a table's statements when its last chunk is in.
		if t := p.tables[e.Table]; t != nil {
			p.finish(t)
		}
		p.note = ""
	case event.RangeVerified:
		p.work(e.Table, e.Rows, 0, now, now)
	case event.TableVerified:
		t := p.table(e.Table)
		t.rows = max(e.RowsSource, e.RowsTarget)
		p.differences += e.Differences
		p.finish(t)
	case event.Followed:
		if p.phase == "" {
			p.startPhase("follow", now)
		}
		p.followed, p.note = &e, ""
	case event.Retried, event.Throttled, event.StepStarted, event.StepDone, event.StepFailed, event.Frozen, event.Unwatched, event.TookOver, event.Waiting:
		p.note = eventText(e)
	case event.PhaseDone:
		if p.followed != nil && p.phase == e.Phase {
			p.startPhase("follow", now) // which has gone on beside it
		}
	case event.Found, event.Difference, event.Passed, event.Repaired, event.Altered, event.GateSeen:
		// The live view has nothing to count in these.
	}
}

func (p *progress) startPhase(name string, now time.Time) {
	p.phase, p.phaseBegan, p.note = name, now, ""
	if name != "verify" || p.verifying {
		return
	}
	// A verification counts again from nothing.
	p.verifying = true
	p.meter = meter{}
	p.copied, p.statements = 0, 0
	for _, t := range p.order {
		t.rows, t.bytes, t.chunks, t.done, t.meter = 0, 0, 0, false, meter{}
	}
}

func (p *progress) table(name string) *tableProgress {
	if t := p.tables[name]; t != nil {
		return t
	}
	t := &tableProgress{name: name}
	p.tables[name] = t
	p.order = append(p.order, t)
	return t
}

func (p *progress) work(name string, rows, bytes int64, from, now time.Time) {
	t := p.table(name)
	t.chunks++
	t.rows += rows
	t.bytes += bytes
	t.meter.add(rows, bytes, from, now)
	p.meter.add(rows, bytes, from, now)
	p.note = ""
}

func (p *progress) finish(t *tableProgress) {
	if t.done {
		return
	}
	t.done = true
	p.copied++
	p.note = ""
}

// running are the tables being worked on, in the order they were announced.
func (p *progress) running() []*tableProgress {
	var ts []*tableProgress
	for _, t := range p.order {
		if t.chunks > 0 && !t.done {
			ts = append(ts, t)
		}
	}
	return ts
}

// total adds all tables up. A table that is done counts with what it really had.
func (p *progress) total() *tableProgress {
	sum := &tableProgress{name: "total", done: len(p.order) > 0, meter: p.meter}
	for _, t := range p.order {
		sum.rows += t.rows
		sum.bytes += t.bytes
		sum.chunks += t.chunks
		sum.wantRows += t.want()
		sum.done = sum.done && t.done
	}
	return sum
}

// want is how many rows the table is believed to have: the estimate of the source
// until more were seen, the truth when it is done.
func (t *tableProgress) want() int64 {
	if t.done {
		return t.rows
	}
	return max(t.wantRows, t.rows)
}

// share is how much is done, 0 to 1. It stays below 1 until the end is known,
// because InnoDB's estimates are often too low.
func (t *tableProgress) share() float64 {
	if t.done {
		return 1
	}
	if t.want() == 0 {
		return 0
	}
	return min(float64(t.rows)/float64(t.want()), 0.99)
}

// eta is the time left at the present rate; false when it cannot be told.
func (t *tableProgress) eta(now time.Time) (time.Duration, bool) {
	rows, _ := t.meter.rate(now)
	left := t.want() - t.rows
	if rows <= 0 || left <= 0 {
		return 0, t.done
	}
	return time.Duration(float64(left) / rows * float64(time.Second)), true
}

// meter measures a rate over the last window.
type meter struct {
	began       time.Time
	rows, bytes int64
	samples     []sample // not older than the window
}

type sample struct {
	at          time.Time
	rows, bytes int64
}

func (m *meter) add(rows, bytes int64, from, now time.Time) {
	if m.began.IsZero() || from.Before(m.began) {
		m.began = from
	}
	m.rows += rows
	m.bytes += bytes
	m.samples = append(m.samples, sample{now, rows, bytes})
	first := 0
	for now.Sub(m.samples[first].at) > window {
		first++
	}
	m.samples = append(m.samples[:0], m.samples[first:]...)
}

// rate returns rows and bytes a second. With fewer than two samples in the window
// (big chunks, slow line) it is the average since the start.
func (m *meter) rate(now time.Time) (rows, bytes float64) {
	var r, b int64
	n := 0
	for _, s := range m.samples {
		if now.Sub(s.at) <= window {
			r, b, n = r+s.rows, b+s.bytes, n+1
		}
	}
	span := min(window, now.Sub(m.began))
	if n < 2 {
		r, b, span = m.rows, m.bytes, now.Sub(m.began)
	}
	if span <= 0 {
		return 0, 0
	}
	return float64(r) / span.Seconds(), float64(b) / span.Seconds()
}
