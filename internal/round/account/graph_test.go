package account

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/bascule/bascule/internal/round"
)

// randomPlan draws a graph of few steps, some of which share something.
func randomPlan(t *rapid.T) (*round.Plan, []time.Duration) {
	p := &round.Plan{Limits: map[string]int{"wide": 2}}
	var took []time.Duration
	n := rapid.IntRange(1, 8).Draw(t, "n")
	for i := range n {
		s := round.Step{ID: round.StepID(fmt.Sprint(i))}
		for j := range i {
			if rapid.IntRange(0, 2).Draw(t, "edge") == 0 {
				s.Needs = append(s.Needs, round.StepID(fmt.Sprint(j)))
			}
		}
		switch rapid.IntRange(0, 3).Draw(t, "uses") {
		case 0:
			s.Uses = []string{"narrow"}
		case 1:
			s.Uses = []string{"wide"}
		}
		p.Steps = append(p.Steps, s)
		took = append(took, time.Duration(rapid.IntRange(0, 5).Draw(t, "took")))
	}
	// Any order of the steps is the same plan.
	order := rapid.Permutation(indices(n)).Draw(t, "order")
	shuffled, of := &round.Plan{Limits: p.Limits}, []time.Duration{}
	for _, i := range order {
		shuffled.Steps, of = append(shuffled.Steps, p.Steps[i]), append(of, took[i])
	}
	return shuffled, of
}

func indices(n int) (out []int) {
	for i := range n {
		out = append(out, i)
	}
	return out
}

// TestCriticalPath walks every path there is.
func TestCriticalPath(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, took := randomPlan(t)
		at := map[round.StepID]int{}
		for i, s := range p.Steps {
			at[s.ID] = i
		}
		var longest time.Duration
		on := make([]bool, len(took))
		var walk func(path []int, sum time.Duration)
		walk = func(path []int, sum time.Duration) {
			switch {
			case sum > longest:
				longest = sum
				clear(on)
				fallthrough
			case sum == longest:
				for _, i := range path {
					on[i] = true
				}
			}
			for _, need := range p.Steps[path[len(path)-1]].Needs {
				walk(append(slices.Clone(path), at[need]), sum+took[at[need]])
			}
		}
		for i := range took {
			walk([]int{i}, took[i])
		}
		is, total := newGraph(p).critical(took)
		if total != longest {
			t.Fatalf("the longest path takes %d, not %d", longest, total)
		}
		for i := range is {
			// A step that takes no time may be on a longest path that was counted without it.
			if is[i] != on[i] && took[i] > 0 && total > 0 {
				t.Fatalf("step %s critical: %v, want %v", p.Steps[i].ID, is[i], on[i])
			}
		}
	})
}

// TestSchedule holds a schedule to what it must not do, and to how long it may take at most: nothing idles, so that a moment in which less runs than could
// is one in which the longest path gets shorter.
func TestSchedule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, took := randomPlan(t)
		g := newGraph(p)
		jobs := make([]job, len(took))
		var sum time.Duration
		for i := range jobs {
			jobs[i].took = took[i]
			sum += took[i]
		}
		end := g.schedule(jobs, 100)
		_, longest := g.critical(took)
		if end-100 < longest || end-100 > sum {
			t.Fatalf("it takes %d; the longest path %d, all %d", end-100, longest, sum)
		}
		at := map[round.StepID]int{}
		for i, s := range p.Steps {
			at[s.ID] = i
		}
		for i, s := range p.Steps {
			if jobs[i].start < 100 || jobs[i].end-jobs[i].start != took[i] {
				t.Fatalf("step %s runs from %d to %d", s.ID, jobs[i].start, jobs[i].end)
			}
			for _, need := range s.Needs {
				if jobs[at[need]].end > jobs[i].start {
					t.Fatalf("step %s starts before %s ends", s.ID, need)
				}
			}
			for _, used := range s.Uses {
				n := 0
				for k, other := range p.Steps {
					if slices.Contains(other.Uses, used) && jobs[k].start <= jobs[i].start && jobs[i].start < jobs[k].end {
						n++
					}
				}
				if n > max(1, p.Limits[used]) {
					t.Fatalf("%d steps use %s when %s starts", n, used, s.ID)
				}
			}
		}
	})
}

// TestNoCircle: a plan that its Check would refuse does not hang or panic.
func TestNoCircle(t *testing.T) {
	p := &round.Plan{Steps: []round.Step{{ID: "a", Needs: []round.StepID{"b", "gone"}}, {ID: "b", Needs: []round.StepID{"a"}}, {ID: "c", Needs: []round.StepID{"c"}}}}
	jobs := []job{{took: 1}, {took: 2}, {took: 4}}
	if end := newGraph(p).schedule(jobs, 0); end != 4 {
		t.Errorf("it takes %d", end)
	}
}
