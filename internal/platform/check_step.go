package platform

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bascule/bascule/internal/round"
)

func (c *checker) steps() {
	known, twice := map[string]bool{}, map[string]bool{}
	for _, s := range c.p.Steps {
		known[s.Name] = true
	}
	for i, s := range c.p.Steps {
		path := fmt.Sprintf("$.steps[%d]", i)
		c.named(path+".step", "step", s.Name, twice)
		c.step(path, &s)
		for key, names := range map[string][]string{"needs": s.Needs, "acknowledges": s.Acknowledges} {
			for j, n := range names {
				if !known[n] {
					c.add(fmt.Sprintf("%s.%s[%d]", path, key, j), "there is no step %q%s", n, c.perhaps(n))
				}
			}
		}
	}
}

func (c *checker) step(path string, s *Step) {
	kind := round.Kind(s.Kind)
	if !slices.Contains(round.Kinds, kind) {
		c.add(path+".kind", "there is no kind of step %q: %s are", s.Kind, listed(round.Kinds))
		return
	}
	if s.Each != "" && s.Each != eachDatabase {
		c.add(path+".each", "a step can be made for each database, not for each %q", s.Each)
	}
	if s.Where != "" && s.Where != whereWorkloads && s.Where != whereNone {
		c.add(path+".where", "a step can be for environments with workloads or no-workloads, not for %q", s.Where)
	}
	c.belongs(path, s, kind)
	c.does(path, s, kind)
	c.undoes(path, s, kind)
	for key, d := range map[string]time.Duration{"timeout": s.Timeout, "every": s.Every, "for": s.For, "pause": s.Pause} {
		c.lasts(path+"."+key, d)
	}
	if kind == round.KindGate {
		c.gate(path, s)
	}
	if kind == round.KindTraffic {
		c.weights(path, s)
	}
}

// listed names all kinds.
func listed(kinds []round.Kind) string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = string(k)
	}
	return strings.Join(names, ", ")
}

// belong says which kinds of steps a key means something to. Elsewhere it would change nothing, silently.
var belong = []struct {
	key   string
	kinds []round.Kind
}{
	{"manual", []round.Kind{round.KindHook, round.KindTraffic}},
	{"every", []round.Kind{round.KindWait}},
	{"for", []round.Kind{round.KindWait}},
	{"weights", []round.Kind{round.KindTraffic}},
	{"pause", []round.Kind{round.KindTraffic}},
	{"criteria", []round.Kind{round.KindGate}},
	{"quorum", []round.Kind{round.KindGate}},
	{"approvers", []round.Kind{round.KindGate}},
	{"acknowledges", []round.Kind{round.KindGate}},
	{"rehearse", []round.Kind{round.KindHook, round.KindManual, round.KindWait, round.KindTraffic, round.KindMessage}},
	{"rehearse-undo", []round.Kind{round.KindHook, round.KindManual, round.KindTraffic}},
}

// belongs refuses keys of other kinds of steps.
func (c *checker) belongs(path string, s *Step, kind round.Kind) {
	for _, b := range belong {
		if _, there := c.at[path+"."+b.key]; there && !slices.Contains(b.kinds, kind) {
			c.add(path+"."+b.key, "step %q is of kind %s, and %s is for %s alone", s.Name, kind, b.key, listed(b.kinds))
		}
	}
	if kind == round.KindGate && s.Do != "" {
		c.add(path+".do", "a gate does nothing; what it asks is its check")
	}
}

// does looks at what a step does.
func (c *checker) does(path string, s *Step, kind round.Kind) {
	_, phase := phases[s.Do]
	switch {
	case kind == round.KindAuto && !phase:
		c.add(path+".do", "there is no phase %q: copy, follow, verify, close, open and finish are", s.Do)
	case kind == round.KindAuto && s.Each != eachDatabase:
		c.add(path+".each", "a phase is of a database: each: database")
	case kind == round.KindWait && (s.Do == "") == (s.For == 0):
		c.add(path, "step %q waits either until a condition holds (do), or for a while (for)", s.Name)
	case kind == round.KindWait && s.Do == "" && s.Every != 0:
		c.add(path+".every", "step %q has no condition to look at", s.Name)
	case kind == round.KindWait && s.For > 0 && s.Rehearse != "" && (!duration.MatchString(s.Rehearse) || soak(s.Rehearse) <= 0):
		c.add(path+".rehearse", "%q is no duration such as 10s, and it stands for the time that step %q waits", s.Rehearse, s.Name)
	case s.Do != "" && s.Manual != "":
		c.add(path+".manual", "step %q is done by what its do says, not by a person", s.Name)
	case kind != round.KindWait && kind != round.KindAuto && kind != round.KindGate && s.Do == "" && s.Manual == "" && c.unhooked(s):
		c.add(path, "step %q says nothing to do", s.Name)
	}
	c.rehearsed(path, s.Rehearse, s.RehearseUndo)
}

// unhooked reports whether an environment has no hook for a step.
func (c *checker) unhooked(s *Step) bool {
	return len(c.p.Environments) == 0 || slices.ContainsFunc(c.p.Environments, func(e Environment) bool {
		_, ok := e.Hooks[s.Name]
		return !ok && s.in(&e)
	})
}

// rehearsed refuses an undo of what is never done.
func (c *checker) rehearsed(path, do, undo string) {
	switch {
	case do == "" && undo != "":
		c.add(path+".rehearse-undo", "there is no rehearse that it could undo")
	case undo == undoImpossible:
		c.add(path+".rehearse-undo", "what cannot be undone cannot be rehearsed")
	}
}

func (c *checker) undoes(path string, s *Step, kind round.Kind) {
	idle := kind == round.KindGate || kind == round.KindWait || kind == round.KindMessage
	switch {
	case s.Undo == "" && !idle:
		c.add(path, "step %q does not say how it is undone: a text, nothing, or impossible", s.Name)
	case idle && s.Undo != "" && s.Undo != undoNothing:
		c.add(path+".undo", "a %s has no effect that could be undone", kind)
	}
}

func (c *checker) gate(path string, s *Step) {
	if s.Quorum < 1 {
		c.add(path, "gate %q asks nobody: quorum", s.Name)
	}
	if s.Criteria != "" && s.Criteria != round.CriteriaDatabases {
		c.add(path+".criteria", "there are no criteria %q: databases are", s.Criteria)
	}
	may := map[string]bool{}
	for _, p := range c.p.People {
		may[p.Name] = slices.Contains(p.Roles, RoleApprove)
	}
	among, twice := 0, map[string]bool{}
	for _, ok := range may {
		if ok {
			among++
		}
	}
	for i, n := range s.Approvers {
		at := fmt.Sprintf("%s.approvers[%d]", path, i)
		c.named(at, "approver", n, twice)
		if ok, known := may[n]; !known {
			c.add(at, "there is nobody called %q among people", n)
		} else if !ok {
			c.add(at, "%s does not have the role approve", n)
		}
	}
	if len(s.Approvers) > 0 {
		among = len(twice)
	}
	if (len(c.p.People) > 0 || len(s.Approvers) > 0) && s.Quorum > among {
		c.add(path+".quorum", "%d people are to agree, and %d may", s.Quorum, among)
	}
}

func (c *checker) weights(path string, s *Step) {
	before := 0
	for i, w := range s.Weights {
		if w <= before || w > 100 {
			c.add(fmt.Sprintf("%s.weights[%d]", path, i), "shares grow, from above 0 to 100 percent, and %d comes after %d", w, before)
			return
		}
		before = w
	}
	_, there := c.at[path+".weights"]
	switch {
	case there && before != 100:
		c.add(path+".weights", "the last share is 100 percent, else some traffic stays for ever")
	case s.Pause != 0 && len(s.Weights) < 2:
		c.add(path+".pause", "step %q has no shares between which it could pause", s.Name)
	}
}
