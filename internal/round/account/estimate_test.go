package account

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestEstimate computes the formula again, in another way: a weight is so many equal durations, and the median of a list is its middle.
func TestEstimate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 9).Draw(t, "n")
		var samples []sample
		var logs []float64
		var w, ww float64
		for range n {
			took := time.Duration(rapid.Int64Range(int64(time.Millisecond), int64(100*time.Hour)).Draw(t, "took"))
			weight := rapid.SampledFrom([]int{1, 3, 4, 12}).Draw(t, "weight")
			samples = append(samples, sample{took, float64(weight)})
			for range weight {
				logs = append(logs, math.Log(float64(took)))
			}
			w, ww = w+float64(weight), ww+float64(weight*weight)
		}
		middle := func(x []float64) float64 {
			slices.Sort(x)
			return (x[(len(x)-1)/2] + x[len(x)/2]) / 2
		}
		m := middle(logs)
		for i := range logs {
			logs[i] = math.Abs(logs[i] - m)
		}
		mad := middle(logs)
		k := w * w / ww
		spread := mad / (math.Sqrt2 * math.Erfinv(0.5)) / (1 - 0.8/k)
		variance := (0.75 + (k-1)*spread*spread) / (2 + k) * (1 + 1/(1+2*(k-1)/math.Pi))
		z, got := math.Sqrt2*math.Erfinv(0.8), estimate(samples)
		for _, c := range []struct {
			got  time.Duration
			want float64
		}{
			{got.Expected, math.Exp(m)}, {got.Low, math.Exp(m - z*math.Sqrt(variance))}, {got.High, math.Exp(m + z*math.Sqrt(variance))},
		} {
			want := min(c.want, math.MaxInt64/4) // what a duration can hold, with room to add
			if off := math.Abs(float64(c.got) - want); off > 1e-6*want && off > 1000 {
				t.Fatalf("%v: %v, want %v", got, c.got, time.Duration(c.want))
			}
		}
	})
}

// TestIntervalHolds looks whether about 80 % of what comes next lies in the interval, when the durations are log-normal with the prior's spread, and that it is
// not far off where they spread half or twice as much and some have been seen.
func TestIntervalHolds(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		n         int
		sigma     float64
		low, high float64
	}{{1, 0.5, 0.74, 0.86}, {3, 0.5, 0.74, 0.86}, {10, 0.5, 0.74, 0.86}, {40, 0.5, 0.76, 0.84}, {40, 0.25, 0.76, 0.88}, {40, 1, 0.74, 0.84}} {
		in := 0
		const rounds = 4000
		draw := func() time.Duration { return time.Duration(float64(time.Hour) * math.Exp(c.sigma*r.NormFloat64())) }
		for range rounds {
			var samples []sample
			for range c.n {
				samples = append(samples, sample{draw(), 1})
			}
			if e, next := estimate(samples), draw(); e.Low <= next && next <= e.High {
				in++
			}
		}
		share := float64(in) / rounds
		t.Logf("%d durations that spread by %v: %.3f", c.n, c.sigma, share)
		if share < c.low || share > c.high {
			t.Errorf("%d durations that spread by %v: the interval holds %.3f", c.n, c.sigma, share)
		}
	}
}

// TestAt compares the distribution cut off below with draws from the whole one that are thrown away when they are too short.
func TestAt(t *testing.T) {
	e := estimate([]sample{{time.Hour, 1}, {2 * time.Hour, 1}, {90 * time.Minute, 1}})
	r := rand.New(rand.NewPCG(3, 4))
	for _, already := range []time.Duration{0, time.Minute, time.Hour, 3 * time.Hour} {
		var left []time.Duration
		for len(left) < 20_000 {
			if d := time.Duration(float64(e.Expected) * math.Exp(e.sigma()*r.NormFloat64())); d > already {
				left = append(left, d)
			}
		}
		slices.Sort(left)
		for _, z := range []float64{-z90, 0, z90} {
			p := 1 - upper(z)
			want, got := left[int(p*float64(len(left)))], e.at(z, already)
			if math.Abs(float64(got)/float64(want)-1) > 0.03 {
				t.Errorf("after %v, at %.0f %%: %v, the draws say %v", already, 100*p, got, want)
			}
		}
	}
	// Far out in the tail it still answers, later than now and later for more.
	last := time.Duration(0)
	for _, already := range []time.Duration{100 * time.Hour, 1000 * time.Hour, 10_000 * time.Hour, 1_000_000 * time.Hour} {
		got := e.at(0, already)
		if got < already || got <= last || got > 2*already {
			t.Errorf("after %v: %v", already, got)
		}
		last = got
	}
}
