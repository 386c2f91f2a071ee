package account

import (
	"container/heap"
	"slices"
	"time"
)

// job is what a schedule has to know of a step.
type job struct {
	// over says that it is behind, from Start to End; runs that it has begun, at Start, and ends at End.
	over, runs bool
	start, end time.Duration
	took       time.Duration
}

// schedule plans the jobs that are not over from a moment on: whenever something may start, those with the longest path before them start first, as far as
// what they share has room. It fills in start and end, and returns the last end of all that was not over, or now.
func (g *graph) schedule(jobs []job, now time.Duration) (end time.Duration) {
	s := &scheduler{g: g, jobs: jobs, used: make([]int, len(g.limits)), waits: make([]int, len(jobs)), now: now}
	took := make([]time.Duration, len(jobs))
	for i := range jobs {
		took[i] = jobs[i].took
	}
	s.tails = g.tails(took)
	for i := range jobs {
		for _, j := range g.needs[i] {
			if !jobs[j].over {
				s.waits[i]++
			}
		}
	}
	for i := range jobs {
		switch j := &jobs[i]; {
		case j.over:
		case j.runs:
			j.end = max(j.end, now)
			s.run(i)
		case s.waits[i] == 0:
			s.add(i)
		}
	}
	return s.all()
}

type scheduler struct {
	g       *graph
	jobs    []job
	tails   []time.Duration
	waits   []int // how many that it needs are not over
	used    []int
	ready   []int // by their tails, the longest first
	running ends
	now     time.Duration
}

// all lets time pass until nothing runs or can.
func (s *scheduler) all() time.Duration {
	for {
		s.start()
		if len(s.running) == 0 {
			return s.now
		}
		next := heap.Pop(&s.running).(ending)
		s.now = max(s.now, next.at)
		s.over(next.job)
		for len(s.running) > 0 && s.running[0].at <= s.now {
			s.over(heap.Pop(&s.running).(ending).job)
		}
	}
}

// start starts what may.
func (s *scheduler) start() {
	s.ready = slices.DeleteFunc(s.ready, func(i int) bool {
		for _, u := range s.g.uses[i] {
			if s.used[u] >= s.g.limits[u] {
				return false
			}
		}
		s.jobs[i].start, s.jobs[i].end = s.now, s.now+s.jobs[i].took
		s.run(i)
		return true
	})
}

func (s *scheduler) run(i int) {
	for _, u := range s.g.uses[i] {
		s.used[u]++
	}
	heap.Push(&s.running, ending{s.jobs[i].end, i})
}

func (s *scheduler) over(i int) {
	for _, u := range s.g.uses[i] {
		s.used[u]--
	}
	for _, j := range s.g.after[i] {
		if s.waits[j]--; s.waits[j] == 0 && !s.jobs[j].over && !s.jobs[j].runs {
			s.add(j)
		}
	}
}

// add puts a step among those that may start: of equal ones the first in the plan comes first.
func (s *scheduler) add(i int) {
	k, _ := slices.BinarySearchFunc(s.ready, i, func(a, b int) int {
		if s.tails[a] != s.tails[b] {
			if s.tails[a] > s.tails[b] {
				return -1
			}
			return 1
		}
		return a - b
	})
	s.ready = slices.Insert(s.ready, k, i)
}

// ending is when a job ends; ends is a heap of them.
type ending struct {
	at  time.Duration
	job int
}

type ends []ending

func (e *ends) Len() int { return len(*e) }
func (e *ends) Less(i, j int) bool {
	a, b := (*e)[i], (*e)[j]
	return a.at < b.at || a.at == b.at && a.job < b.job
}
func (e *ends) Swap(i, j int) { (*e)[i], (*e)[j] = (*e)[j], (*e)[i] }
func (e *ends) Push(x any)    { *e = append(*e, x.(ending)) }
func (e *ends) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}
