package follow

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
)

// harm damages a copy in which everything is exact: rows change, go and come. It returns the keys, by table.
func (s *scene) harm(base state) [][]int {
	harmed := make([][]int, len(base))
	for t, c := range base {
		for k := range keys {
			switch s.draw.IntN(6) {
			case 0:
				delete(c.rows, k)
			case 1:
				c.rows[k] = row{k, s.draw.IntN(keys), 50 + s.draw.IntN(3)}
			default:
				continue
			}
			harmed[t] = append(harmed[t], k)
		}
	}
	return harmed
}

// mended plays a source that lives while damaged rows of its copy are copied again, read as many transactions before the position
// at which the follow is paused as stale says, or at random behind it.
func (s *scene) mended(t *testing.T, stale int) string {
	t.Helper()
	h := s.live(12)
	last := len(h.log)
	base := h.states[0].clone()
	harmed := s.harm(base)
	tables := make([]*Table, len(s.now))
	for i := range s.now {
		tables[i] = &Table{Select: s.selects[i], Replica: s.replicas[i]}
	}
	own := func() *rand.Rand { return rand.New(rand.NewPCG(s.draw.Uint64(), 2)) }
	source := &memorySource{tables: s.selects, log: h.log, cascades: s.world.unlogged, draw: own(), breaks: s.world.breaks}
	target := &memoryTarget{replicas: s.replicas, state: base, draw: own(), breaks: s.world.breaks, last: last}
	var done atomic.Bool
	start := make(chan struct{})
	when, reads := s.draw.IntN(last), own()
	f := &Follower{
		Source: source, Target: wrapped{target, s.world.session}, From: position(0), Tables: tables,
		StepRows: int64(1 + s.draw.IntN(6)), Retry: time.Minute, Prompt: true, LaneRows: s.world.laneRows(), hinderEvery: time.Microsecond,
		Until: func() change.Position {
			if done.Load() {
				return position(last)
			}
			return ""
		},
		Committed: func(m change.Mark) error {
			if start != nil && offset(m.Position) >= when {
				close(start)
				start = nil
			}
			return nil
		},
	}
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func(start chan struct{}) {
		defer done.Store(true)
		<-start
		for i, list := range harmed {
			if len(list) == 0 {
				continue
			}
			if err := s.mend(ctx, f, tables[i], list, func(at int) state {
				if stale > 0 {
					return h.states[max(0, at-stale)]
				}
				return h.states[at+reads.IntN(last-at+1)]
			}); err != nil {
				failed <- err
				return
			}
		}
		failed <- nil
	}(start)
	var err error
	for {
		if err = f.once(ctx, func() {}); fault.ClassOf(err) != fault.Connect {
			break
		}
	}
	cancel()
	if err := errors.Join(err, <-failed); err != nil {
		return err.Error()
	}
	if got, want := target.state.String(), h.states[last].String(); got != want {
		return fmt.Sprintf("the target holds\n%sthe source\n%s", got, want)
	}
	return ""
}

// mend copies rows again, as often as connections break. from is what the source shows behind a position.
func (s *scene) mend(ctx context.Context, f *Follower, t *Table, list []int, from func(at int) state) error {
	var which change.Batch
	which.Reset(1)
	for _, k := range list {
		var b change.Batch
		encode(&b, 1, row{k})
		appendRow(&which, b.Data, b.Row(0))
	}
	at := 0
	for i, have := range f.Tables {
		if have == t {
			at = i
		}
	}
	for {
		_, err := f.Mend(ctx, Mend{Table: t, Keys: &which, Read: func(_ context.Context, p change.Position, add func(*change.Batch) error) error {
			rows := from(offset(p))[at].rows
			for _, k := range list {
				var b change.Batch
				if encode(&b, width, rows[k]); b.Rows == 0 {
					continue
				}
				if err := add(&b); err != nil {
					return err
				}
			}
			return nil
		}})
		if fault.ClassOf(err) != fault.Connect {
			return err
		}
	}
}

// ahead saves with mended rows the position that they were read at, at the latest, as if they made the replay needless.
type ahead struct{ *memorySession }

func (a ahead) Begin(ctx context.Context) (change.Applying, error) {
	_, err := a.memorySession.Begin(ctx)
	return a, err
}

func (a ahead) Commit(ctx context.Context, m change.Mark) error {
	if m.Position == a.target.mark.Position {
		m.Position = position(min(offset(m.Position)+1, a.target.last))
	}
	return a.memorySession.Commit(ctx, m)
}

// TestMendIsExact holds that damaged rows which are copied again while the follow goes on end equal, whatever the interleaving and
// wherever a connection breaks.
func TestMendIsExact(t *testing.T) {
	t.Parallel()
	for name, w := range map[string]world{
		"keys that move":                  {keyed: []bool{true, true}, moves: true},
		"one level of on delete cascade":  {keyed: []bool{true, true}, edges: []edge{{0, 1, 1, cascade, no}}, unlogged: true},
		"one level of on delete set null": {keyed: []bool{true, true}, edges: []edge{{0, 1, 1, setNull, no}}, unlogged: true},
		"cascades that the source logs":   {keyed: []bool{true, true}, edges: []edge{{0, 1, 1, no, no}}},
		"lanes":                           {keyed: []bool{true, true, true}, moves: true, lanes: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w.breaks = 3
			if w.lanes > 0 {
				w.session = func(s *memorySession) change.Session { return newMemoryLanes(s, w.lanes, new(laneCounts)) }
			}
			for seed := range seeds(t) / 10 {
				if d := newScene(w, rand.New(rand.NewPCG(uint64(seed), 4))).mended(t, 0); d != "" {
					t.Fatalf("seed %d: %s", seed, d)
				}
			}
		})
	}
}

// TestMendHoles holds what must not be done: the search must find it, or it would prove nothing.
func TestMendHoles(t *testing.T) {
	t.Parallel()
	plain := world{keyed: []bool{true, true}, moves: true}
	skips := plain
	skips.breaks = 5
	skips.session = func(s *memorySession) change.Session { return ahead{s} }
	for name, hole := range map[string]struct {
		world world
		stale int
	}{
		"a read that does not show the position":                {plain, 1},
		"a position that moves with the rows":                   {skips, 0},
		"two levels, where only a later pass can prove the end": {world{keyed: []bool{true, true, true}, edges: []edge{{0, 1, 1, cascade, no}, {1, 2, 1, cascade, no}}, unlogged: true}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range 30_000 {
				if newScene(hole.world, rand.New(rand.NewPCG(uint64(seed), 4))).mended(t, hole.stale) != "" {
					return
				}
			}
			t.Error("no run diverges: the search cannot see this hole")
		})
	}
}
