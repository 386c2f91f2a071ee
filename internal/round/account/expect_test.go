package account_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/account"
	"github.com/bascule/bascule/internal/round/store"
)

// group is a round of the databases a and b, with nothing going wrong.
const group = `
	0s started: copy a
	10m done: copy a
	0s started: copy b
	20m done: copy b
	0s started: gate
	0s done: gate
	1m go: gate
	1m bob go: gate
	0s started: quiesce
	5m done: quiesce
	0s started: close a
	0s started: close b
	4s done: close a | {"rows": 120, "proof": "sha256:1"}
	2s done: close b | {"rows": 30, "proof": "sha256:2"}
	0s started: open a
	0s started: open b
	1s done: open a
	0s done: open b
	0s started: traffic
	1m done: traffic
	0s started: finish
	2s done: finish
	`

func named(r store.Round, id string) store.Round {
	r.ID = id
	return r
}

// slower makes the copies of a script so long.
func slower(script, copies string) string {
	return strings.ReplaceAll(script, "10m done: copy a", copies+" done: copy a")
}

// TestExpectWeighs: of the durations 10 min, 40 min and 40 min of other environments, and one of the very same database, the latter weighs most; what cannot be
// compared does not count.
func TestExpectWeighs(t *testing.T) {
	early := func(r store.Round) store.Round {
		r.Began = began.Add(-24 * time.Hour)
		return r
	}
	tell := func(r store.Round, copies string) account.Past {
		return newTale(t, early(r)).tell(slower(whole, copies)).past
	}
	other := tell(named(moving("other", "a"), "other-1"), "10m")
	same := tell(named(moving("preprod", "a"), "preprod-0"), "40m")
	r := moving("preprod", "a")
	copies := func(past ...account.Past) account.Estimate { return account.Expect(past, &r)["copy a"] }
	equal(t, "of others", copies(other).Expected.Round(time.Second), 10*time.Minute)
	equal(t, "of others and the same", copies(other, other, same).Expected.Round(time.Second), 40*time.Minute)
	equal(t, "from", copies(other, other, same).From, 3)

	poc := same
	poc.Round.Kind = store.PoC
	self := same
	self.Round.ID = r.ID
	later := same
	later.Round.Began = r.Began.Add(time.Hour)
	equal(t, "a proof of concept, itself, a later one", copies(poc, self, later), account.Estimate{})

	hook := early(named(moving("other", "a"), "other-2"))
	hook.Script.Task("quiesce").Step.Kind = round.KindHook
	byHook := newTale(t, hook).tell(whole).past
	equal(t, "by hand, from a hook", account.Expect([]account.Past{byHook}, &r)["quiesce"], account.Estimate{})

	rehearsal := early(named(moving("preprod", "a"), "preprod-rehearsal-1"))
	rehearsal.Kind, rehearsal.Leg = store.Rehearsal, 1
	left := newTale(t, rehearsal).tell(whole).past
	got := account.Expect([]account.Past{left}, &r)
	equal(t, "what the rehearsal left out", got["traffic"], account.Estimate{})
	equal(t, "what it did not", got["copy a"].From, 1)

	r.Script.Task("copy a").For = time.Hour
	equal(t, "a soak", copies(other), account.Estimate{Expected: time.Hour, Low: time.Hour, High: time.Hour})
}

// TestLostTeachesNothing: how long a step took whose driver died meanwhile is no lesson; nor is a failed attempt.
func TestLostTeachesNothing(t *testing.T) {
	r := moving("preprod", "a")
	for script, from := range map[string]int{
		"0s started: copy a\n1m lost: copy a\n5h done: copy a":                                           0,
		"0s started: copy a\n1m failed: copy a\n0s retried: copy a\n0s started: copy a\n2m done: copy a": 1,
		"0s started: copy a\n1m failed: copy a":                                                          0,
	} {
		past := newTale(t, named(moving("preprod", "a"), "preprod-0")).tell(script).past
		got := account.Expect([]account.Past{past}, &r)["copy a"]
		if got.From != from || from > 0 && got.Expected.Round(time.Second) != 2*time.Minute {
			t.Errorf("%s: %+v", script, got)
		}
	}
}

// TestLeft plays the rest of a round in another way: a chain of steps of which each takes what its estimate says, all moved by a common factor.
func TestLeft(t *testing.T) {
	past := []account.Past{newTale(t, named(moving("preprod", "a"), "preprod-0")).tell(whole).past}
	x := newTale(t, moving("preprod", "a")).tell("0s started: copy a")
	a := x.of(past, 12*time.Minute) // 2 min late
	r := rand.New(rand.NewPCG(9, 9))
	var rest []float64
	for range 20_000 {
		common := math.Sqrt(0.3) * r.NormFloat64()
		sum := 0.0
		for i := range a.Steps {
			e := a.Steps[i].Expected
			sigma := math.Log(float64(e.High)/float64(e.Low)) / 2 / 1.2815515655
			draw := func() float64 {
				return float64(e.Expected) * math.Exp(sigma*(common+math.Sqrt(0.7)*r.NormFloat64()))
			}
			if a.Steps[i].Task.Step.ID != "copy a" {
				sum += draw()
				continue
			}
			// It runs, and is known to take longer than 12 minutes: the median of the distribution's tail, at the draw's own place in the whole.
			z := common + math.Sqrt(0.7)*r.NormFloat64()
			place := math.Log(12.0*60e9/float64(e.Expected)) / sigma
			tail := math.Erfc(place/math.Sqrt2) / 2 * math.Erfc(z/math.Sqrt2) / 2
			sum += float64(e.Expected)*math.Exp(sigma*math.Sqrt2*math.Erfinv(1-2*tail)) - 12*60e9
		}
		rest = append(rest, sum)
	}
	slices.Sort(rest)
	for what, c := range map[string]struct {
		got  time.Duration
		want float64
	}{"low": {a.Left.Low, rest[2000]}, "expected": {a.Left.Expected, rest[10_000]}, "high": {a.Left.High, rest[18_000]}} {
		if math.Abs(float64(c.got)/c.want-1) > 0.08 {
			t.Errorf("%s: %v left, the other way says %v", what, c.got, time.Duration(c.want))
		}
	}
	if again := x.of(past, 12*time.Minute); again.Left != a.Left {
		t.Errorf("asked again, %v is %v", a.Left, again.Left)
	}
	if a.Drift < 2*time.Minute || a.Drift > 20*time.Minute {
		t.Errorf("it is late by %v", a.Drift)
	}
	equal(t, "planned end of the copy", step(t, a, "copy a").PlannedEnd.Round(time.Second), 10*time.Minute)
	equal(t, "unknown", len(a.Unknown), 0)
}

// TestDrift: a round that takes what was planned is not late, even where nobody knew how long a step takes; one whose copy took 7 minutes more is.
func TestDrift(t *testing.T) {
	past := []account.Past{newTale(t, named(moving("preprod", "a"), "preprod-0")).tell(until(whole, "0s started: traffic")).past}
	for copies, late := range map[string]time.Duration{"10m": 0, "17m": 7 * time.Minute} {
		a := newTale(t, moving("preprod", "a")).tell(slower(whole, copies)).of(past, 0)
		equal(t, copies, a.Drift.Round(time.Second), late)
	}
	equal(t, "without a past", newTale(t, moving("preprod", "a")).tell(whole).of(nil, 0).Drift, 0)
}

func TestCritical(t *testing.T) {
	past := []account.Past{newTale(t, named(moving("preprod", "a", "b"), "preprod-0")).tell(group).past}
	a := newTale(t, moving("preprod", "a", "b")).of(past, 0)
	for id, want := range map[round.StepID]bool{"copy a": false, "copy b": true, "gate": true, "close b": true, "close a": false, "finish": true} {
		equal(t, string(id), step(t, a, id).Critical, want)
	}
	// The copies share the line: the longer path first, the other behind it.
	equal(t, "copy b", step(t, a, "copy b").Start, 0)
	equal(t, "copy a", step(t, a, "copy a").Start, step(t, a, "copy b").End)
}
