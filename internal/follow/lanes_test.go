package follow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
)

// memoryLanes is a session with lanes: a transaction sees what is committed and what it did itself, never what another has not committed.
// Now and then an earlier one waits for a later one, which the server cannot end. It refuses what a caller must not do.
type memoryLanes struct {
	*memorySession
	lanes  int
	mu     sync.Mutex
	freed  sync.Cond     // of mu: a lane was undone or committed, or the session broke
	open   []*memoryLane // in the order of their forks
	broken bool          // a connection has died
	counts *laneCounts
}

// laneCounts is what happened in all runs.
type laneCounts struct {
	beside   atomic.Int64 // transactions that were applied beside another
	undone   atomic.Int64
	waited   atomic.Int64 // earlier ones for later ones
	deadlock atomic.Int64
}

func newMemoryLanes(s *memorySession, lanes int, c *laneCounts) *memoryLanes {
	l := &memoryLanes{memorySession: s, lanes: lanes, counts: c}
	l.freed.L = &l.mu
	return l
}

func (s *memoryLanes) Lanes(context.Context) int { return s.lanes }

func (s *memoryLanes) Begin(ctx context.Context) (change.Applying, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) > 0 {
		return nil, errors.New("a transaction begins while lanes are open")
	}
	return s.memorySession.Begin(ctx)
}

func (s *memoryLanes) Fork(context.Context) (change.Lane, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.work != nil || len(s.open) == s.lanes {
		return nil, fmt.Errorf("a fork beside %d lanes", len(s.open))
	}
	l := &memoryLane{memorySession: memorySession{target: s.target}, session: s}
	s.open = append(s.open, l)
	return l, nil
}

// memoryLane is a lane: its work is a copy of what was committed when it was applied.
type memoryLane struct {
	memorySession
	session *memoryLanes
	keys    []map[int]bool // touched, by table
	applied bool
	waits   *memoryLane // for that later one
}

func (l *memoryLane) Apply(ctx context.Context, step *change.Step) error {
	s := l.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.applied {
		return errors.New("a lane is applied to twice")
	}
	l.applied, l.work, l.keys = true, s.target.state.clone(), make([]map[int]bool, len(s.target.state))
	for i := range l.keys {
		l.keys[i] = map[int]bool{}
	}
	for _, t := range step.Tables {
		if t.Truncate {
			return errors.New("a lane truncates")
		}
		at := slices.Index(s.target.replicas, t.Table)
		for i := range t.Delete.Rows {
			l.keys[at][decode(&t.Delete, i)[0]] = true
		}
	}
	for _, o := range s.open {
		if o == l || !o.applied {
			continue
		}
		s.counts.beside.Add(1)
		for at, have := range o.keys {
			for k := range have {
				if l.keys[at][k] {
					return fmt.Errorf("two lanes touch key %d of table %d", k, at)
				}
			}
		}
	}
	return s.note(l.memorySession.Apply(ctx, step))
}

// note remembers that a connection has died: then nobody waits any more.
func (s *memoryLanes) note(err error) error {
	if err == errBroken { //nolint:errorlint // it is returned as it is
		s.broken = true
		s.freed.Broadcast()
	}
	return err
}

var errDeadlock = fault.New(fault.Connect, "apply", errors.New("deadlock"), "")

// Flush fails now and then, or waits for a later lane until that one is taken back.
func (l *memoryLane) Flush(context.Context) error {
	s := l.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[0] != l && s.target.draw.IntN(10) == 0 {
		return errors.New("a unique value stands twice")
	}
	later := s.open[len(s.open)-1]
	if later == l || !later.applied || s.target.draw.IntN(3) > 0 {
		return nil
	}
	if s.target.draw.IntN(4) == 0 {
		s.counts.deadlock.Add(1)
		return errDeadlock
	}
	s.counts.waited.Add(1)
	for l.waits = later; later.applied && !s.broken; {
		s.freed.Wait()
	}
	l.waits = nil
	return nil
}

func (l *memoryLane) Hinders(context.Context) (bool, error) {
	l.session.mu.Lock()
	defer l.session.mu.Unlock()
	return slices.ContainsFunc(l.session.open, func(o *memoryLane) bool { return o.waits == l }), nil
}

func (l *memoryLane) Undo(context.Context) error {
	s := l.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken {
		return errBroken
	}
	s.counts.undone.Add(1)
	l.applied = false
	s.freed.Broadcast()
	return nil
}

func (l *memoryLane) Commit(_ context.Context, m change.Mark) error {
	s := l.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[0] != l {
		return errors.New("a lane commits before an earlier one")
	}
	if s.target.breaksNow() {
		return s.note(errBroken)
	}
	next := s.target.state.clone()
	for at, keys := range l.keys {
		for k := range keys {
			delete(next[at].rows, k)
			if r := l.work[at].rows[k]; r != nil {
				next[at].rows[k] = r
			}
		}
	}
	if u := s.target.unique; u > 0 {
		seen := map[int]bool{}
		for _, r := range next[0].rows {
			if r[u] != null && seen[r[u]] {
				return fmt.Errorf("value %d is committed twice", r[u])
			}
			seen[r[u]] = true
		}
	}
	s.target.state, s.target.mark, s.open = next, m, s.open[1:]
	if s.target.breaksNow() {
		return s.note(errBroken)
	}
	return nil
}

// TestLanesAreExact holds that units which are applied beside each other end as they do one after the other, whatever the interleaving, wherever
// a connection breaks, and whichever lane has to begin again.
func TestLanesAreExact(t *testing.T) {
	t.Parallel()
	for name, w := range map[string]world{
		"two lanes":                                    {keyed: []bool{true, true, true}, lanes: 2},
		"three lanes, and keys that move":              {keyed: []bool{true, true, true, true}, moves: true, lanes: 3},
		"unique values that change places":             {keyed: []bool{true, true}, moves: true, swaps: true, exact: true, lanes: 2},
		"tables that are truncated":                    {keyed: []bool{true, true, true}, truncates: true, lanes: 2},
		"tables without a key":                         {keyed: []bool{false, true, true}, lanes: 2},
		"cascades that the source does not log":        {keyed: []bool{true, true, true}, edges: []edge{{0, 1, 1, cascade, no}}, unlogged: true, lanes: 3},
		"foreign keys whose actions the source logs":   {keyed: []bool{true, true, true}, edges: []edge{{0, 1, 1, no, no}}, lanes: 3},
		"a long chain of units, most of them disjoint": {keyed: slices.Repeat([]bool{true}, 12), lanes: 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w.breaks = 3
			var c laneCounts
			w.session = func(s *memorySession) change.Session { return newMemoryLanes(s, w.lanes, &c) }
			if n, first := diverging(t, w, seeds(t)); n > 0 {
				t.Errorf("%d runs diverge; %s", n, first)
			}
			if min(c.beside.Load(), c.undone.Load(), c.waited.Load(), c.deadlock.Load()) == 0 {
				t.Errorf("%d transactions ran beside others, %d were undone, %d waited for a later one, %d met a deadlock: the search sees too little",
					c.beside.Load(), c.undone.Load(), c.waited.Load(), c.deadlock.Load())
			}
		})
	}
}

// TestMeets compares with a comparison of all keys.
func TestMeets(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2000) {
		draw := rand.New(rand.NewPCG(seed, 9))
		s := newScene(world{keyed: []bool{true, true}}, draw)
		units, touched := make([]*unit, 2), make([]map[[2]int]bool, 2)
		for i := range units {
			units[i], touched[i] = newUnit(), map[[2]int]bool{}
			for range draw.IntN(4) {
				at, k := draw.IntN(2), draw.IntN(50)
				table := &Table{Select: s.selects[at], Replica: s.replicas[at], key: []int{0}}
				var b change.Batch
				encode(&b, width, row{k, 0, 0, 0})
				if _, err := units[i].pending(table).add(change.Insert, &change.Batch{}, &b, 0); err != nil {
					t.Fatal(err)
				}
				touched[i][[2]int{at, k}] = true
			}
		}
		want := false
		for k := range maps.Keys(touched[0]) {
			want = want || touched[1][k]
		}
		if got := units[0].meets(units[1]); got != want || units[1].meets(units[0]) != want {
			t.Fatalf("seed %d: %v and %v meet: %v", seed, touched[0], touched[1], got)
		}
	}
}
