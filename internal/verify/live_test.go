package verify

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/bascule/bascule/internal/change"
)

// busy is a pair of tables of which one is written to at every look and the other follows, some writes late. Planted keys
// never arrive.
type busy struct {
	mu      sync.Mutex
	draw    *rand.Rand
	source  map[string]string
	target  map[string]string
	log     [][2]string // key and value, "" when it was deleted
	applied int
	planted map[string]bool
	hot     int // keys that are written to, of those below
	writes  int // at every look
}

func (b *busy) write() {
	for range b.writes {
		k, v := strconv.Itoa(b.draw.IntN(b.hot)), strconv.Itoa(b.draw.IntN(1000))
		if b.planted[k] {
			continue
		}
		if b.draw.IntN(5) == 0 {
			v = ""
			delete(b.source, k)
		} else {
			b.source[k] = v
		}
		b.log = append(b.log, [2]string{k, v})
	}
}

func (b *busy) apply(upTo int) {
	for ; b.applied < upTo; b.applied++ {
		k, v := b.log[b.applied][0], b.log[b.applied][1]
		if v == "" {
			delete(b.target, k)
		} else {
			b.target[k] = v
		}
	}
}

// side is one end of a busy pair; every question sees a newer state.
type side struct {
	b      *busy
	target bool
}

func (s side) now() *memory {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	s.b.write()
	rows := s.b.source
	if s.target {
		// The follower goes on while the target is read.
		s.b.apply(s.b.applied + s.b.draw.IntN(len(s.b.log)-s.b.applied+1))
		rows = s.b.target
	}
	m := &memory{keys: 1}
	for _, k := range slices.Sorted(maps.Keys(rows)) {
		m.rows = append(m.rows, []string{k, rows[k]})
	}
	return m
}

func (s side) Sums(ctx context.Context, q *change.SumQuery) ([]change.Sum, error) {
	return s.now().Sums(ctx, q)
}

func (s side) RowSums(ctx context.Context, q *change.SumQuery) ([]change.RowSum, error) {
	return s.now().RowSums(ctx, q)
}

func (s side) Values(ctx context.Context, q *change.SumQuery, rows []change.RowSum) ([]change.RowValues, error) {
	return s.now().Values(ctx, q, rows)
}

// TestLive holds that a pair which follows is proved equal while it is written to, and that what never arrives is found, in
// whatever row it stands.
func TestLive(t *testing.T) {
	for seed := range 12 {
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			draw := rand.New(rand.NewPCG(uint64(seed), 7))
			b := &busy{draw: draw, source: map[string]string{}, target: map[string]string{}, planted: map[string]bool{}, hot: 400, writes: draw.IntN(60)}
			for k := range 2500 {
				b.source[strconv.Itoa(k)] = strconv.Itoa(k % 7)
			}
			maps.Copy(b.target, b.source)
			var want []string
			if seed%2 == 1 {
				for range 1 + draw.IntN(3) {
					k := strconv.Itoa(draw.IntN(2500))
					if !b.planted[k] {
						b.planted[k] = true
						b.target[k] = "never"
						want = append(want, fmt.Sprintf("k=%q", k))
					}
				}
			}
			r := live(t, b)
			var got []string
			for _, d := range r.Tables[0].Shown {
				got = append(got, d.Key)
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) || r.Tables[0].Differences != int64(len(want)) {
				t.Errorf("found %v, planted %v; %+v", got, want, r.Tables[0])
			}
			if r.Tables[0].Unproved > 0 || r.Equal != (len(want) == 0) {
				t.Errorf("verdict %+v", r.Tables[0])
			}
		})
	}
}

// TestLiveRowThatNeverRests holds that a row which is another one at every look is neither equal nor different.
func TestLiveRowThatNeverRests(t *testing.T) {
	b := &busy{draw: rand.New(rand.NewPCG(1, 1)), source: map[string]string{"0": "x"}, target: map[string]string{}, planted: map[string]bool{"0": true}, hot: 1}
	n := 0
	r := liveBetween(t, b, func() { n++; b.source["0"] = strconv.Itoa(n) }) // never applied
	if r.Equal || r.Tables[0].Differences != 0 || r.Tables[0].Unproved != 1 {
		t.Errorf("%+v, want one row unproved", r.Tables[0])
	}
}

// counting counts the rows whose values are asked for.
type counting struct {
	side
	rows *int
}

func (c counting) Values(ctx context.Context, q *change.SumQuery, rows []change.RowSum) ([]change.RowValues, error) {
	*c.rows += len(rows)
	return c.side.Values(ctx, q, rows)
}

// TestLiveRowsThatMoved holds that rows which were only written to while they were read are proved by their hashes.
func TestLiveRowsThatMoved(t *testing.T) {
	b := &busy{draw: rand.New(rand.NewPCG(3, 3)), source: map[string]string{}, target: map[string]string{}, hot: 1}
	for k := range 2500 {
		b.source[strconv.Itoa(k)] = "0"
	}
	maps.Copy(b.target, b.source)
	looks, values := 0, 0
	v := &Verifier{
		Source: counting{side{b, false}, &values}, Target: counting{side{b, true}, &values}, Reader: noBounds{}, Tables: []Table{texts()}, Lanes: 1, Show: 1 << 20,
		Barrier: func(context.Context) error {
			b.mu.Lock()
			defer b.mu.Unlock()
			if looks++; looks > 3 { // the sums, those in buckets, and the rows' hashes
				b.apply(len(b.log))
				return nil
			}
			for k := range 500 { // the source was read before this, and the target will be after it
				b.log = append(b.log, [2]string{strconv.Itoa(k), strconv.Itoa(looks)})
				b.source[strconv.Itoa(k)] = strconv.Itoa(looks)
			}
			b.apply(len(b.log))
			return nil
		},
	}
	r, err := v.Run(t.Context())
	if err != nil || !r.Equal || looks != 4 || values != 0 {
		t.Errorf("%d looks, values of %d rows, %v, %+v", looks, values, err, r)
	}
}

func live(t *testing.T, b *busy) *Report {
	t.Helper()
	return liveBetween(t, b, func() {})
}

func liveBetween(t *testing.T, b *busy, between func()) *Report {
	t.Helper()
	v := &Verifier{
		Source: side{b, false}, Target: side{b, true}, Reader: noBounds{}, Tables: []Table{texts()}, Lanes: 1, Show: 1 << 20,
		Barrier: func(context.Context) error {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.apply(len(b.log))
			between()
			return nil
		},
	}
	r, err := v.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}
