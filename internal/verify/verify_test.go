package verify

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a table in memory that answers as a database would. Rows are
// canonical texts; the first keys of them are the key.
type memory struct {
	keys int
	rows [][]string

	once   sync.Once
	hashes [][2]uint64 // of the key and the row
}

func hash(texts []string) uint64 {
	h := sha256.New()
	for _, s := range texts {
		_, _ = fmt.Fprintf(h, "%d:%s", len(s), s)
	}
	return binary.BigEndian.Uint64(h.Sum(nil)) >> 4
}

func (m *memory) each(q *change.SumQuery, fn func(key []string, keyHash, rowHash uint64, row []string)) {
	m.once.Do(func() {
		for _, r := range m.rows {
			rh := hash(r)
			kh := rh
			if m.keys > 0 {
				kh = hash(r[:m.keys])
			}
			m.hashes = append(m.hashes, [2]uint64{kh, rh})
		}
	})
	for i, r := range m.rows {
		h := m.hashes[i]
		if len(q.Keys) > 0 && !slices.ContainsFunc(q.Keys, func(k []string) bool { return slices.Equal(k, r[:m.keys]) }) {
			continue
		}
		if !within(q.Lo, q.Hi, r[0]) {
			continue
		}
		if q.Mod == 0 || slices.Contains(q.Rems, h[0]%q.Mod) {
			fn(r[:m.keys], h[0], h[1], r)
		}
	}
}

// within reports whether a number's text is in a range, of which either end may be open.
func within(lo, hi, text string) bool {
	if lo == "" && hi == "" {
		return true
	}
	n, err := strconv.Atoi(text)
	first, err1 := strconv.Atoi(cmp.Or(lo, "0"))
	last, err2 := strconv.Atoi(cmp.Or(hi, "999999999"))
	return errors.Join(err, err1, err2) == nil && first <= n && n <= last
}

func (m *memory) Sums(_ context.Context, q *change.SumQuery) ([]change.Sum, error) {
	by := map[uint64]change.Sum{}
	m.each(q, func(_ []string, kh, rh uint64, _ []string) {
		g := kh / max(1, q.Mod) % max(1, q.Buckets)
		s := by[g]
		by[g] = change.Sum{Group: g, Rows: s.Rows + 1, Hash: s.Hash + rh}
	})
	var out []change.Sum
	for _, s := range by {
		out = append(out, s)
	}
	return out, nil
}

func (m *memory) RowSums(_ context.Context, q *change.SumQuery) ([]change.RowSum, error) {
	var out []change.RowSum
	at := map[uint64]int{}
	m.each(q, func(key []string, _, rh uint64, _ []string) {
		if i, ok := at[rh]; ok && len(key) == 0 {
			out[i].Rows++
			return
		}
		at[rh] = len(out)
		out = append(out, change.RowSum{Key: key, Hash: rh, Rows: 1})
	})
	return out, nil
}

func (m *memory) Values(_ context.Context, q *change.SumQuery, rows []change.RowSum) ([]change.RowValues, error) {
	wanted := map[string]bool{}
	for _, r := range rows {
		wanted[identity(r)] = true
	}
	var out []change.RowValues
	m.each(q, func(key []string, _, rh uint64, row []string) {
		v := change.RowValues{RowSum: change.RowSum{Key: key, Hash: rh, Rows: 1}}
		id := identity(v.RowSum)
		if !wanted[id] {
			return
		}
		delete(wanted, id)
		for _, s := range row {
			v.Values = append(v.Values, text(s))
		}
		out = append(out, v)
	})
	return out, nil
}

// noBounds stands for a source whose keys are not integers.
type noBounds struct{ change.Rower }

func (noBounds) Position(context.Context) (change.Position, error) { return "here", nil }

func (noBounds) Lane(ctx context.Context, _ change.Position, fn func(context.Context, change.Reader) error) error {
	return fn(ctx, nil)
}

func compare(t testing.TB, source, target *memory) *Report {
	t.Helper()
	tb := Table{Select: change.Select{Table: &schema.Table{Name: "t"}}, Target: "t"}
	for _, n := range []schema.Name{"k", "v"} {
		c := &schema.Column{Name: n, Type: schema.Text{}}
		tb.Columns = append(tb.Columns, Pair{c, c, change.Form{Kind: change.FormText}})
	}
	tb.Key = tb.Columns[:source.keys]
	v := &Verifier{Source: source, Target: target, Reader: noBounds{}, Tables: []Table{tb}, Lanes: 2, Show: 1 << 20}
	r, err := v.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestEveryDifferenceIsFound plants differences in a table of random size and
// expects exactly those, by key.
func TestEveryDifferenceIsFound(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.SampledFrom([]int{0, 1, 10, 3000, 9000}).Draw(rt, "rows")
		source, target := &memory{keys: 1}, &memory{keys: 1}
		draw := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		often := rapid.SampledFrom([]int{4, 100, 10_000}).Draw(rt, "one in")
		var want []string
		for i := range n {
			k := fmt.Sprint(i)
			source.rows = append(source.rows, []string{k, "v" + k})
			switch draw.IntN(often) {
			case 0:
				want = append(want, "missing "+k)
			case 1:
				target.rows = append(target.rows, []string{k, "V" + k})
				want = append(want, "value "+k)
			case 2:
				target.rows = append(target.rows, []string{k, "v" + k}, []string{"+" + k, ""})
				want = append(want, "extra +"+k)
			default:
				target.rows = append(target.rows, []string{k, "v" + k})
			}
		}
		r := compare(t, source, target)
		var got []string
		for _, d := range r.Tables[0].Shown {
			got = append(got, d.Kind+" "+strings.Trim(strings.TrimPrefix(d.Key, "k="), `"`))
		}
		sort.Strings(got)
		sort.Strings(want)
		if diff := gocmp.Diff(want, got); diff != "" || r.Equal != (len(want) == 0) {
			rt.Fatalf("of %d rows, equal %v, differences (-want +got):\n%s", n, r.Equal, diff)
		}
	})
}

func TestKeylessRowsAreCounted(t *testing.T) {
	row := func(v string) []string { return []string{"a", v} }
	source := &memory{rows: [][]string{row("x"), row("x"), row("x"), row("y")}}
	target := &memory{rows: [][]string{row("x"), row("y"), row("y")}}
	r := compare(t, source, target).Tables[0]
	kinds := map[string]int{}
	for _, d := range r.Shown {
		kinds[d.Kind]++
	}
	if r.Differences != 3 || kinds["missing"] != 2 || kinds["extra"] != 1 {
		t.Fatalf("two x are missing and one y is extra, but: %+v", r)
	}
}

// TestManyEqualRows holds that equal rows without a key, which no bucket parts, are
// counted: their number once outgrew the arithmetic of the buckets.
func TestManyEqualRows(t *testing.T) {
	for _, n := range []int{2_500, 3_600, 4_096} {
		source, target := &memory{}, &memory{}
		for i := range n {
			source.rows = append(source.rows, []string{"7", "x"})
			if i >= 30 {
				target.rows = append(target.rows, []string{"7", "x"})
			}
		}
		r := compare(t, source, target).Tables[0]
		if r.Differences != 30 || r.RowsSource != int64(n) || r.RowsTarget != int64(n-30) {
			t.Errorf("30 of %d equal rows are missing, but: %+v", n, r)
		}
	}
}

// TestDuplicateKeys holds that a row which stands twice on the target is found, alone
// or among others, whatever its value.
func TestDuplicateKeys(t *testing.T) {
	for _, n := range []int{3, 5_000} {
		source, target := &memory{keys: 1}, &memory{keys: 1}
		for i := range n {
			row := []string{fmt.Sprint(i), "v"}
			source.rows = append(source.rows, row)
			target.rows = append(target.rows, row)
		}
		target.rows = append(target.rows, []string{"2", "v"}, []string{"2", "v"})
		r := compare(t, source, target)
		if r.Equal || r.Tables[0].Differences != 1 || r.Tables[0].Shown[0].Kind != "duplicate" {
			t.Errorf("key 2 stands three times among %d, but: %+v", n, r)
		}
	}
}

// blind answers sums truly and shows no row: what cannot be located must still differ.
type blind struct{ *memory }

func (blind) RowSums(context.Context, *change.SumQuery) ([]change.RowSum, error) { return nil, nil }

func TestUnlocatedDifference(t *testing.T) {
	tb := Table{Select: change.Select{Table: &schema.Table{Name: "t"}}, Target: "t"}
	source := blind{&memory{rows: [][]string{{"1", "a"}}}}
	target := blind{&memory{rows: [][]string{{"1", "b"}}}}
	v := &Verifier{Source: source, Target: target, Reader: noBounds{}, Tables: []Table{tb}, Lanes: 1, Show: 5}
	r, err := v.Run(t.Context())
	if err != nil || r.Equal || r.Tables[0].Differences != 1 {
		t.Fatalf("sums differ and no row does: %+v, %v", r, err)
	}
}

// TestSpellingsWithoutKey holds that rows which only spell numbers differently are the same
// rows, however many there are.
func TestSpellingsWithoutKey(t *testing.T) {
	source, target := &memory{}, &memory{}
	for i := range 3_000 {
		source.rows = append(source.rows, []string{"a", fmt.Sprintf("%d.5e-09", i)})
		target.rows = append(target.rows, []string{"a", fmt.Sprintf("%d.5e-9", i)})
	}
	target.rows[17][1] = "1"
	tb := Table{Select: change.Select{Table: &schema.Table{Name: "t"}}, Target: "t"}
	for _, k := range []change.FormKind{change.FormText, change.FormFloat} {
		c := &schema.Column{Name: "c", Type: schema.Text{}}
		tb.Columns = append(tb.Columns, Pair{c, c, change.Form{Kind: k}})
	}
	v := &Verifier{Source: source, Target: target, Reader: noBounds{}, Tables: []Table{tb}, Lanes: 1, Show: 5}
	r, err := v.Run(t.Context())
	if err != nil || r.Tables[0].Differences != 2 || r.Tables[0].ByClient != 2_999 {
		t.Fatalf("one row of 3,000 differs: %+v, %v", r, err)
	}
}

// TestNothingComparedIsNotEqual holds that a verification of no tables proves nothing.
func TestNothingComparedIsNotEqual(t *testing.T) {
	v := &Verifier{Reader: noBounds{}, Lanes: 1}
	r, err := v.Run(t.Context())
	if err != nil || r.Equal {
		t.Fatalf("equal %v, error %v", r.Equal, err)
	}
}
