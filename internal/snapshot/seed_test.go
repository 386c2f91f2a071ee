package snapshot

import (
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// TestCut holds that cuts part [first, last] in rising order, strictly inside it,
// for any pair of 64-bit integers.
func TestCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := new(big.Int).SetUint64(rapid.Uint64().Draw(t, "a"))
		b := big.NewInt(rapid.Int64().Draw(t, "b"))
		if a.Cmp(b) > 0 {
			a, b = b, a
		}
		n := rapid.Int64Range(1, 2000).Draw(t, "n")
		cuts, err := cut([]byte(a.String()), []byte(b.String()), n)
		if err != nil {
			t.Fatal(err)
		}
		if int64(len(cuts)) > n-1 && n > 0 {
			t.Fatalf("%d cuts for %d ranges", len(cuts), n)
		}
		before := a
		for i, c := range cuts {
			v, ok := new(big.Int).SetString(string(c), 10)
			if !ok || v.Cmp(b) >= 0 || v.Cmp(a) < 0 || (i > 0 && v.Cmp(before) <= 0) {
				t.Fatalf("cut %d of %d is %s, after %s, in [%s, %s]", i, len(cuts), c, before, a, b)
			}
			before = v
		}
	})
}

func TestCutRefusesText(t *testing.T) {
	if _, err := cut([]byte("a"), []byte("z"), 3); err == nil {
		t.Fatal("text was cut by arithmetic")
	}
}
