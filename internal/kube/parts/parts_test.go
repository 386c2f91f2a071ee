package parts_test

import (
	"slices"
	"testing"

	"github.com/bascule/bascule/internal/kube/parts"
)

// TestOrder: each element is met once, in its place, whatever their number.
func TestOrder(t *testing.T) {
	for _, n := range []int{0, 1, 63, 64, 65, 1000} {
		got := slices.Concat(parts.Of(n, func(from, to int) []int {
			var all []int
			for i := from; i < to; i++ {
				all = append(all, i)
			}
			return all
		})...)
		if len(got) != n || !slices.IsSorted(got) || n > 0 && got[n-1] != n-1 {
			t.Errorf("%d: %v", n, got)
		}
	}
}
