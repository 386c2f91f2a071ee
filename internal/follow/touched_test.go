package follow

import (
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/schema"
)

// oneKey is a table whose key is its second column.
func oneKey(name schema.Name) *change.Replica {
	return &change.Replica{Into: &change.Into{Table: name, Columns: []schema.Name{"v", "k"}}, Key: []int{1}}
}

// stepOf is a step that deletes keys and inserts rows with some of them.
func stepOf(r *change.Replica, gone, there []int) *change.Step {
	ts := change.TableStep{Table: r}
	ts.Delete.Reset(1)
	ts.Insert.Reset(2)
	for _, k := range append(gone, there...) {
		b := binary.LittleEndian.AppendUint32(nil, uint32(k))
		appendRow(&ts.Delete, b, []change.Span{{Len: 4}})
	}
	for _, k := range there {
		b := binary.LittleEndian.AppendUint32([]byte("val"), uint32(k))
		appendRow(&ts.Insert, b, []change.Span{{Len: 3}, {Off: 3, Len: 4}})
	}
	return &change.Step{Tables: []change.TableStep{ts}}
}

// keysOf are the keys of a table, and whether their rows are there.
func keysOf(t *testing.T, k *TouchedKeys) map[int]bool {
	t.Helper()
	out := map[int]bool{}
	for i := range k.Keys.Rows {
		out[int(binary.LittleEndian.Uint32(k.Keys.Bytes(k.Keys.Row(i)[0])))] = k.Present[i]
	}
	if len(out) != k.Keys.Rows || len(k.Present) != k.Keys.Rows {
		t.Errorf("%d keys, of which %d differ, with %d states", k.Keys.Rows, len(out), len(k.Present))
	}
	return out
}

// TestTouched takes, and brings back, at random; nothing that was touched is lost, and what came later wins.
func TestTouched(t *testing.T) {
	for seed := range 50 {
		draw := rand.New(rand.NewPCG(uint64(seed), 3))
		r, touched, want := oneKey("t"), Touched{}, map[int]bool{}
		for range 40 {
			var gone, there []int
			for k := range 300 {
				switch draw.IntN(20) {
				case 0:
					gone, want[k] = append(gone, k), false
				case 1:
					there, want[k] = append(there, k), true
				}
			}
			taken := touched.Take()
			touched.Add(stepOf(r, gone, there))
			for _, k := range taken {
				have, settled := keysOf(t, k), draw.IntN(300)
				for n := range have {
					_, again := keysOf(t, touched.of(r, false))[n]
					if n == settled && !again {
						delete(want, n)
					}
				}
				touched.Return(k, func(i int) bool {
					return int(binary.LittleEndian.Uint32(k.Keys.Bytes(k.Keys.Row(i)[0]))) != settled
				})
			}
			if keys, tables := touched.Pending(); keys != len(want) || tables != 0 {
				t.Fatalf("%d keys and %d tables are pending, want %d", keys, tables, len(want))
			}
		}
		if got := keysOf(t, touched.Take()[0]); !maps.Equal(got, want) {
			t.Errorf("seed %d: %v, want %v", seed, got, want)
		}
	}
}

// TestTouchedWhole gives up what it cannot know row by row, or has no room for.
func TestTouchedWhole(t *testing.T) {
	parent, child, small, bag := oneKey("parent"), oneKey("child"), oneKey("small"), oneKey("bag")
	bag.Key = nil
	grandchild := oneKey("grandchild")
	child.Actions = []change.ForeignAction{{Child: grandchild, OnDelete: schema.SetNull}}
	parent.Actions = []change.ForeignAction{{Child: child, OnDelete: schema.Cascade}, {Child: parent, OnDelete: schema.SetNull}}
	touched := Touched{Most: 100 * 21}
	touched.Add(stepOf(small, []int{1}, []int{2}))
	touched.Add(stepOf(child, []int{1}, []int{2}))
	touched.Add(&change.Step{Cascades: []change.Cascade{{Table: parent}}})
	touched.Add(stepOf(bag, []int{1}, nil))
	many := make([]int, 100)
	for i := range many {
		many[i] = i
	}
	large := oneKey("large")
	touched.Add(stepOf(large, many, nil))
	empty := oneKey("empty")
	touched.Add(&change.Step{Tables: []change.TableStep{{Table: empty, Truncate: true}}})
	touched.Add(stepOf(empty, nil, []int{7}))
	got := map[string]bool{}
	for _, k := range touched.Take() {
		got[string(k.Table.Into.Table)] = k.All
		if k.All && k.Keys.Rows > 0 {
			t.Errorf("%s has keys beside all", k.Table.Into.Table)
		}
	}
	want := map[string]bool{"small": false, "child": true, "grandchild": true, "parent": true, "bag": true, "large": true, "empty": true}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if touched.bytes != 0 {
		t.Errorf("%d bytes are counted of nothing", touched.bytes)
	}
}

// TestTouchedReached keeps the keys that foreign keys' actions reached apart from the others, since they have another form, until a table is given
// up as a whole.
func TestTouchedReached(t *testing.T) {
	parent, child := oneKey("parent"), oneKey("child")
	parent.Actions = []change.ForeignAction{{Child: child, OnDelete: schema.Cascade}}
	touched := Touched{}
	keys := stepOf(child, []int{1, 2}, nil).Tables[0].Delete
	touched.Add(&change.Step{Cascades: []change.Cascade{{Table: parent, Reached: touched.Reach}}})
	if n, tables := touched.Pending(); n+tables != 0 {
		t.Errorf("%d keys and %d tables before anybody told of one", n, tables)
	}
	touched.Add(stepOf(child, []int{1}, []int{3}))
	touched.Reach(child, &keys)
	taken := touched.Take()
	seen := map[bool]int{}
	for _, k := range taken {
		seen[k.Reached] = len(keysOf(t, k))
	}
	if !maps.Equal(seen, map[bool]int{false: 2, true: 2}) {
		t.Errorf("keys by whether they were reached: %v", seen)
	}
	for _, k := range taken {
		touched.Return(k, func(i int) bool { return i == 0 })
	}
	if n, tables := touched.Pending(); n != 2 || tables != 0 {
		t.Errorf("%d keys and %d tables are back, want one key of either form", n, tables)
	}
	touched.Reach(child, nil)
	touched.Reach(child, &keys)
	if n, tables := touched.Pending(); n != 0 || tables != 1 || touched.bytes != 0 {
		t.Errorf("%d keys of %d bytes and %d tables when any row may have been reached", n, touched.bytes, tables)
	}
}

// TestTouchedAllocates nothing for a key that it knows.
func TestTouchedAllocates(t *testing.T) {
	touched := Touched{}
	s := stepOf(oneKey("t"), []int{1, 2, 3}, []int{4, 5, 6})
	if n := testing.AllocsPerRun(100, func() { touched.Add(s) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
