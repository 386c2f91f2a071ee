// Package parts owns how a long list is worked through on all processors: in
// parts, whose results come in the list's order. It never changes what comes of
// an element by how many processors there are.
package parts

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// size is how many elements a goroutine takes at once: enough to be worth it, few enough to keep all busy to the end.
const size = 64

// Of calls do for the elements from to to-1 of n, part by part, from several goroutines, and returns what it returned in the order of the parts.
func Of[T any](n int, do func(from, to int) T) []T {
	out := make([]T, (n+size-1)/size)
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(out)) {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(out); i = int(next.Add(1)) - 1 {
				out[i] = do(i*size, min(n, (i+1)*size))
			}
		})
	}
	all.Wait()
	return out
}
