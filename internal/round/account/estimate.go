package account

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// The constants of Estimate's formula. See estimate.
const (
	// z90 is the 90 % quantile of the standard normal distribution.
	z90 = 1.2815515655446004
	// priorSigma is the spread of a step's durations, in natural logarithms, before anything is known of it: nine out of ten take less than twice the median
	// (1.9 times). priorWeight is how many durations that belief weighs as much as.
	priorSigma  = 0.5
	priorWeight = 3
	// madToSigma makes of a median absolute deviation the standard deviation of a normal distribution.
	madToSigma = 1.4826022185056018
	// shortest is what a duration counts as that is shorter, since 0 has no logarithm.
	shortest = time.Millisecond
)

// sample is a past duration; its weight says how alike its step was.
type sample struct {
	took   time.Duration
	weight float64
}

// estimate makes an estimate of past durations, which are taken as log-normal: a step may take three times as long, and never less than nothing.
//
// With x the logarithms of the durations and w their weights: Expected is e^m, where m is the weighted median of x. The spread is their weighted median
// absolute deviation d from m, so that one outlier in any size moves neither. With n = (Σw)²/Σw² (the number of equal weights that say as much),
//
//	s² = (3·0.5² + (n-1)·(1.4826·d·n/(n-0.8))²) / (3 + n-1)
//
// (n/(n-0.8): the median deviation of few is too small, C. Croux and P. J. Rousseeuw, 1992) weighs it against a prior of 0.5, and Low and High are e^(m ∓ 1.2816·s·√(1 + π/(2n+π-2))): 80 % of what comes next, where the term behind the 1 is for the
// median itself being uncertain: its variance, in those of one duration, is 1 for n = 1 and goes to π/2n.
func estimate(samples []sample) Estimate {
	if len(samples) == 0 {
		return Estimate{}
	}
	x := make([]point, len(samples))
	var sum, squares float64
	for i, s := range samples {
		x[i] = point{math.Log(float64(max(s.took, shortest))), s.weight}
		sum += s.weight
		squares += s.weight * s.weight
	}
	m := weightedMedian(x)
	for i := range x {
		x[i].at = math.Abs(x[i].at - m)
	}
	n := sum * sum / squares
	d := madToSigma * weightedMedian(x) * n / (n - 0.8)
	s := math.Sqrt((priorWeight*priorSigma*priorSigma+(n-1)*d*d)/(priorWeight+n-1)) * math.Sqrt(1+math.Pi/(2*n+math.Pi-2))
	return Estimate{
		Expected: exp(m), Low: exp(m - z90*s), High: exp(m + z90*s), From: len(samples),
	}
}

// point is a place on the line, with a weight.
type point struct{ at, weight float64 }

// weightedMedian is where half of the weight is below. Where that is between two points, it is their middle. It sorts them.
func weightedMedian(points []point) float64 {
	slices.SortFunc(points, func(a, b point) int { return cmp.Compare(a.at, b.at) })
	var all, below float64
	for _, p := range points {
		all += p.weight
	}
	for i, p := range points {
		below += p.weight
		switch {
		case 2*below > all:
			return p.at
		case 2*below == all && i+1 < len(points):
			return (p.at + points[i+1].at) / 2
		}
	}
	return points[len(points)-1].at
}

// exp returns e^x nanoseconds.
func exp(x float64) time.Duration {
	return time.Duration(min(math.Exp(x), math.MaxInt64/4))
}

// Known reports whether anything is known of the duration.
func (e Estimate) Known() bool { return e.From > 0 || e.Expected > 0 }

// sigma is the spread of the logarithm, which the interval holds.
func (e Estimate) sigma() float64 {
	if e.Low <= 0 || e.High <= e.Low {
		return 0
	}
	return math.Log(float64(e.High)/float64(e.Low)) / (2 * z90)
}

// at is the duration at z standard deviations above the median, given that it is longer than already, which has passed. It is that of the distribution cut
// off below: with F the distribution's function, at the quantile F(already) + (1-F(already))·Φ(z).
func (e Estimate) at(z float64, already time.Duration) time.Duration {
	if !e.Known() {
		return already
	}
	s := e.sigma()
	if already <= 0 {
		return time.Duration(float64(e.Expected) * math.Exp(s*z))
	}
	if s == 0 {
		return max(already, e.Expected)
	}
	// The upper tail, not F itself, keeps its precision where little is left: 1-p = (1-F)·(1-Φ(z)).
	tail := upper(math.Log(float64(already)/float64(e.Expected))/s) * upper(z)
	if tail < 1e-300 {
		return already
	}
	cut := -math.Sqrt2 * math.Erfinv(2*tail-1)
	if tail < 1e-9 { // Erfinv has no digits left near -1
		cut = math.Sqrt2 * erfcinv(2*tail)
	}
	return max(already, time.Duration(float64(e.Expected)*math.Exp(s*cut)))
}

// upper is the probability that a standard normal is above z.
func upper(z float64) float64 { return math.Erfc(z/math.Sqrt2) / 2 }

// erfcinv inverts math.Erfc for small y by bisection, to the last bits that matter for a duration.
func erfcinv(y float64) float64 {
	low, high := 0.0, 30.0
	for range 60 {
		if mid := (low + high) / 2; math.Erfc(mid) > y {
			low = mid
		} else {
			high = mid
		}
	}
	return low
}
