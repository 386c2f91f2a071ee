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

// texts is a table of a key and a value.
func texts() Table {
	c := func(n schema.Name) Pair {
		col := &schema.Column{Name: n, Type: schema.Text{}}
		return Pair{col, col, change.Form{Kind: change.FormText}}
	}
	tb := Table{Select: change.Select{Table: &schema.Table{Name: "t", Rows: 2500}}, Target: "t", Columns: []Pair{c("k"), c("v")}}
	tb.Key = tb.Columns[:1]
	return tb
}

// TestKeys finds what differs among the keys asked for, and nothing else.
func TestKeys(t *testing.T) {
	for seed := range 30 {
		draw := rand.New(rand.NewPCG(uint64(seed), 5))
		source, target := &memory{keys: 1}, &memory{keys: 1}
		var keys [][]string
		var differing, absent []int
		for n := range 400 {
			k, what, asked := strconv.Itoa(n), draw.IntN(12), draw.IntN(2) == 0
			if what != 0 && what != 1 {
				source.rows = append(source.rows, []string{k, "v"})
			}
			switch what {
			case 0, 2: // neither, or missing
			case 3:
				target.rows = append(target.rows, []string{k, "other"})
			default: // 1 is an extra row
				target.rows = append(target.rows, []string{k, "v"})
			}
			if !asked {
				continue
			}
			switch what {
			case 0:
				absent = append(absent, len(keys))
			case 1, 2, 3:
				differing = append(differing, len(keys))
			}
			keys = append(keys, []string{k})
		}
		v := &Verifier{Source: source, Target: target, Tables: []Table{texts()}, Show: 3}
		got, err := v.Keys(t.Context(), 0, keys)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(got.Differing)
		if !slices.Equal(got.Differing, differing) || !slices.Equal(got.Absent, absent) || got.Differences != int64(len(differing)) ||
			len(got.Shown) != min(3, len(differing)) {
			t.Errorf("seed %d: %+v, want %v and %v", seed, got, differing, absent)
		}
	}
}

// TestKeysNeedAKey holds that rows without a key are not asked for by one.
func TestKeysNeedAKey(t *testing.T) {
	tb := texts()
	tb.Key = nil
	v := &Verifier{Source: &memory{}, Target: &memory{}, Tables: []Table{tb}}
	if _, err := v.Keys(t.Context(), 0, [][]string{{"1"}}); err == nil {
		t.Error("rows of a table without a key were compared by it")
	}
}

// TestBack holds that on the way back, where the source follows the target, what moves is proved and what never arrives is found.
func TestBack(t *testing.T) {
	for seed := range 6 {
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			draw := rand.New(rand.NewPCG(uint64(seed), 9))
			b := &busy{draw: draw, source: map[string]string{}, target: map[string]string{}, planted: map[string]bool{}, hot: 300, writes: draw.IntN(40)}
			for k := range 2500 {
				b.source[strconv.Itoa(k)] = strconv.Itoa(k % 7)
			}
			maps.Copy(b.target, b.source)
			want := ""
			if seed%2 == 1 {
				k := strconv.Itoa(draw.IntN(2500))
				b.planted[k], b.target[k] = true, "never"
				want = fmt.Sprintf("k=%q", k)
			}
			// The side that is written to is the verifier's target now.
			v := &Verifier{
				Source: side{b, true}, Target: side{b, false}, Back: true, Reader: noBounds{}, Tables: []Table{texts()}, Lanes: 1, Show: 10,
				Barrier: func(context.Context) error {
					b.mu.Lock()
					defer b.mu.Unlock()
					b.apply(len(b.log))
					return nil
				},
			}
			r, err := v.Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, d := range r.Tables[0].Shown {
				got += d.Key
			}
			if got != want || r.Tables[0].Unproved > 0 || r.Equal != (want == "") {
				t.Errorf("found %q, planted %q: %+v", got, want, r.Tables[0])
			}
		})
	}
}
