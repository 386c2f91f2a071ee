package verify

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/schema"
)

// sized says how large the table t is by now, and that its keys go from 0 to most.
type sized struct {
	change.Rower
	change.Reader
	size change.Size
	most int
}

func (s sized) Sizes(context.Context) (map[schema.Name]change.Size, error) {
	return map[schema.Name]change.Size{"t": s.size}, nil
}

func (sized) Position(context.Context) (change.Position, error) { return "here", nil }

func (s sized) Lane(ctx context.Context, _ change.Position, fn func(context.Context, change.Reader) error) error {
	return fn(ctx, s)
}

func (s sized) Bounds(context.Context, *change.Select) (first, last change.Key, err error) {
	return change.Key{[]byte("0")}, change.Key{[]byte(strconv.Itoa(s.most))}, nil
}

// TestLiveRanges holds that a table which was empty when its copy was planned is cut by what it has become, and that what never arrives is
// found in whatever range it stands, while rows are written before, in and behind them.
func TestLiveRanges(t *testing.T) {
	for seed := range 6 {
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			draw := rand.New(rand.NewPCG(uint64(seed), 11))
			b := &busy{draw: draw, source: map[string]string{}, target: map[string]string{}, planted: map[string]bool{}, hot: 3500, writes: draw.IntN(60)}
			for k := range 3000 {
				b.source[strconv.Itoa(k)] = strconv.Itoa(k % 7)
			}
			maps.Copy(b.target, b.source)
			var want []string
			for range seed {
				k := strconv.Itoa(draw.IntN(3000))
				if !b.planted[k] {
					b.planted[k] = true
					b.target[k] = "never"
					want = append(want, fmt.Sprintf("k=%q", k))
				}
			}
			tb := texts()
			tb.Select.Table.Rows = 0
			k := &schema.Column{Name: "k", Type: schema.Int{Bits: 32}}
			tb.Columns[0].Source, tb.Columns[0].Target = k, k
			tb.Key = tb.Columns[:1]
			s := sized{size: change.Size{Rows: 5 * liveRows, Bytes: liveBytes}, most: 2999}
			v := &Verifier{
				Source: side{b, false}, Target: side{b, true}, Reader: s, Sizer: s, Tables: []Table{tb}, Lanes: 1, Show: 1 << 20, Barrier: func(context.Context) error {
					b.mu.Lock()
					defer b.mu.Unlock()
					b.apply(len(b.log))
					return nil
				},
			}
			if err := v.Measure(t.Context()); err != nil {
				t.Fatal(err)
			}
			r, err := v.Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range r.Tables[0].Shown {
				got = append(got, d.Key)
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) || r.Tables[0].Unproved > 0 || r.Equal != (len(want) == 0) || r.Tables[0].Ranges != 6 {
				t.Errorf("found %v, planted %v; %+v", got, want, r.Tables[0])
			}
		})
	}
}

// TestLots holds that lots hold each differing bucket once and are no larger than memory and a statement allow, and that comparing them finds
// what differs in those buckets.
func TestLots(t *testing.T) {
	const buckets = 50_000
	source, target := &memory{keys: 1}, &memory{keys: 1}
	want := map[string]bool{}
	for i := range 3000 {
		k, v := strconv.Itoa(i), "same"
		if i%3 == 0 {
			v, want[k] = "other", true
		}
		source.rows, target.rows = append(source.rows, []string{k, "same"}), append(target.rows, []string{k, v})
	}
	v := &Verifier{Source: source, Target: target, Reader: noBounds{}, Tables: []Table{texts()}, Lanes: 1, Show: 1 << 20, Keep: 1 << 20}
	s, d, err := v.sums(t.Context(), unit{}, buckets)
	if err != nil {
		t.Fatal(err)
	}
	var list []uint64
	for b := range uint64(buckets) {
		if s[b] != d[b] {
			list = append(list, b)
		}
		if x := s[b]; x.Rows > 0 {
			x.Rows *= 3000 // as if there were as many more
			s[b] = x
		}
	}
	lots := lotsOf(unit{}, buckets, list, s, d)
	var got []uint64
	for _, lot := range lots {
		rows := int64(0)
		for _, b := range lot.rems {
			rows += s[b].Rows
		}
		if lot.mod != buckets || rows > rowsAtOnce || len(lot.rems) > listBuckets {
			t.Errorf("a lot of %d rows in %d buckets of %d", rows, len(lot.rems), lot.mod)
		}
		got = append(got, lot.rems...)
	}
	if !slices.Equal(got, list) || len(lots) < 2 {
		t.Fatalf("%d lots of %d buckets, which differ in %d", len(lots), len(got), len(list))
	}
	var f found
	if err := v.lots(t.Context(), unit{}, lots, 9_000_000, &f); err != nil {
		t.Fatal(err)
	}
	for _, k := range f.keys {
		delete(want, k[0])
	}
	if len(want) != 0 || f.differences != 1000 {
		t.Errorf("%d differences found; not found: %v", f.differences, want)
	}
	if small := lotsOf(unit{}, 10_000, []uint64{1, 2, 3}, nil, nil); len(small) != 1 {
		t.Errorf("%d lots of three small buckets", len(small))
	}
}
