package platform

import (
	"fmt"
	"regexp"
	"slices"
	"time"
	_ "time/tzdata" // machines without zone files know the zones too

	"github.com/goccy/go-yaml/ast"

	"github.com/bascule/bascule/internal/round"
)

// checker gathers what is wrong in a file that could be read.
type checker struct {
	p    *Platform
	file *ast.File
	errs []error
}

// add notes a mistake at a path.
func (c *checker) add(path, format string, args ...any) {
	line, column := place(c.file, path)
	c.errs = append(c.errs, &MistakeError{Line: line, Column: column, Path: path, What: fmt.Sprintf(format, args...)})
}

// name is what things are called in a file: they stand in commands, steps and addresses.
var name = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]*$`)

// named looks at a name among others of its kind.
func (c *checker) named(path, what, n string, seen map[string]bool) {
	switch {
	case n == "":
		c.add(path, "%s has no name", what)
	case !name.MatchString(n):
		c.add(path, "%q is no name: small letters, digits, dots, dashes and underscores", n)
	case seen[n]:
		c.add(path, "%s %q is there twice", what, n)
	}
	seen[n] = true
}

func (c *checker) all() {
	if c.p.Name == "" {
		c.add("$.platform", "the platform has no name")
	}
	c.people()
	c.steps()
	seen := map[string]bool{}
	if len(c.p.Environments) == 0 {
		c.add("$.environments", "there is no environment to move")
	}
	for i := range c.p.Environments {
		e, path := &c.p.Environments[i], fmt.Sprintf("$.environments[%d]", i)
		c.named(path+".name", "environment", e.Name, seen)
		c.environment(path, e)
	}
	for what, n := range c.p.Limits {
		if n < 1 {
			c.add("$.limits."+what, "%d steps can never use anything", n)
		}
	}
}

func (c *checker) people() {
	seen := map[string]bool{}
	for i, p := range c.p.People {
		path := fmt.Sprintf("$.people[%d]", i)
		c.named(path+".name", "person", p.Name, seen)
		for j, r := range p.Roles {
			if !slices.Contains([]Role{RoleView, RoleOperate, RoleApprove}, r) {
				c.add(fmt.Sprintf("%s.roles[%d]", path, j), "there is no role %q: view, operate and approve are", r)
			}
		}
	}
}

func (c *checker) environment(path string, e *Environment) {
	zone := c.zone(path, e)
	c.window(path+".window", e.Window, zone)
	for i, day := range e.Blackout {
		if _, err := time.ParseInLocation(time.DateOnly, day, zone); err != nil {
			c.add(fmt.Sprintf("%s.blackout[%d]", path, i), "%q is no day such as 2026-11-27", day)
		}
	}
	seen := map[string]bool{}
	for i, db := range e.Databases {
		at := fmt.Sprintf("%s.databases[%d]", path, i)
		c.named(at+".name", "database", db.Name, seen)
		if db.Config == "" {
			c.add(at, "database %q names no file that bascule db could read as its --config", db.Name)
		}
	}
	hosts := map[string]bool{}
	for i, h := range e.Hosts {
		c.named(fmt.Sprintf("%s.hosts[%d].name", path, i), "host", h.Name, hosts)
	}
	c.hooks(path+".hooks", e)
	if e.Cost < 0 {
		c.add(path+".cost", "an environment that pays")
	}
	if len(c.errs) > 0 {
		return // a plan of steps that are wrong would say so again
	}
	if _, err := c.p.Plan(e); err != nil {
		c.add(path, "its round cannot be planned: %v", err)
	}
}

// hooks looks that each stands for a manual step of the template.
func (c *checker) hooks(path string, e *Environment) {
	for n, h := range e.Hooks {
		i := slices.IndexFunc(c.p.template(), func(s Step) bool { return s.Name == n })
		switch {
		case i < 0:
			c.add(path+"."+n, "there is no step %q", n)
		case c.p.template()[i].Kind != string(round.KindManual):
			c.add(path+"."+n, "step %q is %s; hooks stand for manual steps", n, c.p.template()[i].Kind)
		case h.Do == "":
			c.add(path+"."+n, "the hook says nothing to do")
		}
	}
}

func (c *checker) zone(path string, e *Environment) *time.Location {
	zone, err := time.LoadLocation(e.Zone) // "" is UTC
	if err != nil || e.Zone == "Local" {
		c.add(path+".zone", "there is no time zone %q: Europe/Paris is one", e.Zone)
		return time.UTC
	}
	return zone
}

// local is how times of a window are written.
const local = "2006-01-02 15:04"

// window refuses what people would read in two ways: times that the clocks skip or show twice, and a change of the clocks in between.
func (c *checker) window(path string, w *Window, zone *time.Location) {
	if w == nil {
		return
	}
	from, okFrom := c.moment(path+".from", w.From, zone)
	to, okTo := c.moment(path+".to", w.To, zone)
	if !okFrom || !okTo {
		return
	}
	_, before := from.Zone()
	_, after := to.Zone()
	switch {
	case !to.After(from):
		c.add(path+".to", "the window ends before it begins")
	case before != after:
		c.add(path, "the clocks of %s change within the window, so that its times say little: choose another day", zone)
	}
}

// moment reads a local time that is there once.
func (c *checker) moment(path, text string, zone *time.Location) (time.Time, bool) {
	t, err := time.ParseInLocation(local, text, zone)
	if err != nil {
		c.add(path, "%q is no time such as 2026-11-27 02:00", text)
		return t, false
	}
	if t.Format(local) != text {
		c.add(path, "%s does not come in %s: the clocks skip it", text, zone)
		return t, false
	}
	for _, shift := range []time.Duration{-time.Hour, time.Hour} {
		if t.Add(shift).Format(local) == text {
			c.add(path, "%s comes twice in %s: the clocks are set back", text, zone)
			return t, false
		}
	}
	return t, true
}

func (c *checker) steps() {
	seen := map[string]bool{}
	for _, s := range c.p.Steps {
		seen[s.Name] = true
	}
	known, twice := seen, map[string]bool{}
	approvers := 0
	for _, p := range c.p.People {
		if slices.Contains(p.Roles, RoleApprove) {
			approvers++
		}
	}
	for i, s := range c.p.Steps {
		path := fmt.Sprintf("$.steps[%d]", i)
		c.named(path+".step", "step", s.Name, twice)
		c.step(path, &s)
		for j, n := range s.Needs {
			if !known[n] {
				c.add(fmt.Sprintf("%s.needs[%d]", path, j), "there is no step %q", n)
			}
		}
		for j, n := range s.Acknowledges {
			if !known[n] {
				c.add(fmt.Sprintf("%s.acknowledges[%d]", path, j), "there is no step %q", n)
			}
		}
		if len(c.p.People) > 0 && s.Quorum > approvers {
			c.add(path+".quorum", "%d people are to agree, and %d may", s.Quorum, approvers)
		}
	}
}

func (c *checker) step(path string, s *Step) {
	kind := round.Kind(s.Kind)
	if !slices.Contains(round.Kinds, kind) {
		c.add(path+".kind", "there is no kind of step %q: %v are", s.Kind, round.Kinds)
		return
	}
	if s.Each != "" && s.Each != eachDatabase {
		c.add(path+".each", "a step can be made for each database, not for each %q", s.Each)
	}
	_, phase := phases[s.Do]
	switch {
	case kind == round.KindAuto && !phase:
		c.add(path+".do", "there is no phase %q: copy, follow, verify, close, open and finish are", s.Do)
	case kind == round.KindAuto && s.Each != eachDatabase:
		c.add(path+".each", "a phase is of a database: each: database")
	case kind != round.KindAuto && kind != round.KindGate && s.Do == "":
		c.add(path, "step %q says nothing to do", s.Name)
	}
	if s.Undo == "" {
		c.add(path, "step %q does not say how it is undone: a text, nothing, or impossible", s.Name)
	}
	if kind == round.KindGate && s.Quorum < 1 {
		c.add(path, "gate %q asks nobody: quorum", s.Name)
	}
	if s.Timeout < 0 {
		c.add(path+".timeout", "a step cannot end before it begins")
	}
}
