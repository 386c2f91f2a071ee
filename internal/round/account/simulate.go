package account

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/bascule/bascule/internal/round"
)

const (
	// draws is how often a round's rest is played. The ends of the interval are then right to about a twentieth of its width.
	draws = 400
	// together is the part of the spread that all steps of a round share: what makes one slow (a slow line, a busy server, tired people) makes others slow.
	// Without it the sum of many steps would look far more certain than rounds are. It is an assumption.
	together = 0.3
)

// plays lets the jobs go their way many times, each time with durations drawn from their estimates, and calls each with every outcome.
//
// The logarithm of a duration is ln(Expected) + s·z with z = √0.3·c + √0.7·e: c is one for all the jobs of a play, e for each; both are standard normal.
// The plays take c evenly from the whole distribution, since it is what matters most; e is drawn.
// A job that runs is known to take longer than it has. The same jobs lead to the same plays. jobs is left as it is.
func (g *graph) plays(jobs []job, of []Estimate, now time.Duration, each func(play []job, end time.Duration)) {
	r := rand.New(rand.NewPCG(20, 24)) //nolint:gosec // chance for a simulation, and it has to be the same each time
	play := make([]job, len(jobs))
	for k := range draws {
		copy(play, jobs)
		common := math.Sqrt(together) * math.Sqrt2 * math.Erfinv((2*float64(k)+1)/draws-1)
		for i := range play {
			z := common + math.Sqrt(1-together)*r.NormFloat64() // drawn for each, so that what is over does not shift the others
			switch j := &play[i]; {
			case j.over:
			case j.runs:
				j.end = j.start + of[i].at(z, now-j.start)
			default:
				j.took = of[i].at(z, 0)
			}
		}
		each(play, g.schedule(play, now))
	}
}

// simulate returns how long the jobs that are not over take from now on: the median of many plays, and the interval that holds 80 % of them.
func (g *graph) simulate(jobs []job, of []Estimate, now time.Duration) Estimate {
	known := 0
	for i := range jobs {
		if !jobs[i].over {
			known += of[i].From
		}
	}
	if known == 0 && !slices.ContainsFunc(of, Estimate.Known) {
		return Estimate{}
	}
	var ends []time.Duration
	g.plays(jobs, of, now, func(_ []job, end time.Duration) { ends = append(ends, end-now) })
	return summary(ends, known)
}

// simulateFreeze returns for how long writes are stopped, by the steps' durations: while a database has begun to close and has not opened.
func (g *graph) simulateFreeze(tasks []round.Task, of []Estimate) Estimate {
	opens, known := map[string]int{}, 0
	for i := range tasks {
		s := &tasks[i].Step
		if s.Role == round.RoleOpen {
			opens[s.Database] = i
		}
		if s.Role == round.RoleOpen || s.Role == round.RoleClose {
			known += of[i].From
		}
	}
	if known == 0 {
		return Estimate{}
	}
	jobs := make([]job, len(tasks))
	var freezes []time.Duration
	g.plays(jobs, of, 0, func(play []job, _ time.Duration) {
		var spans []span
		for i := range tasks {
			s := &tasks[i].Step
			if open, ok := opens[s.Database]; ok && s.Role == round.RoleClose {
				spans = append(spans, span{time.Time{}.Add(play[i].start), time.Time{}.Add(play[open].end)})
			}
		}
		freezes = append(freezes, union(spans))
	})
	return summary(freezes, known)
}

// summary is the median of many outcomes, and the interval that holds 80 % of them. It sorts them.
func summary(all []time.Duration, from int) Estimate {
	slices.Sort(all)
	n := len(all)
	return Estimate{Low: all[n/10], Expected: all[n/2], High: all[n-1-n/10], From: from}
}
