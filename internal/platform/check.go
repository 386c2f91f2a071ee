package platform

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/token"

	"github.com/bascule/bascule/internal/round"
)

// checker gathers what is wrong in a file whose shape is right.
type checker struct {
	p    *Platform
	at   map[string]*token.Position
	errs []*MistakeError
}

// add notes a mistake at a path.
func (c *checker) add(path, format string, args ...any) {
	line, column := place(c.at, path)
	c.errs = append(c.errs, &MistakeError{Line: line, Column: column, Path: path, What: fmt.Sprintf(format, args...)})
}

// namePattern is what things are called in a file: they stand in commands, steps and addresses.
const namePattern = `^[a-z0-9][a-z0-9._-]*$`

var name = regexp.MustCompile(namePattern)

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
	c.around()
	c.steps()
	for what, n := range c.p.Limits {
		if n < 1 {
			c.add("$.limits."+what, "%d steps can never use anything", n)
		}
	}
	seen := map[string]bool{}
	if len(c.p.Environments) == 0 {
		c.add("$.environments", "there is no environment to move")
	}
	for i := range c.p.Environments {
		e, path := &c.p.Environments[i], fmt.Sprintf("$.environments[%d]", i)
		c.named(path+".name", "environment", e.Name, seen)
		c.environment(path, e)
	}
	c.crossplane()
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
	c.times(path, e)
	c.things(path, e)
	c.hooks(path+".hooks", e)
	c.ramps(path, e)
	if e.Cost < 0 {
		c.add(path+".cost", "an environment that pays")
	}
	for n := range e.Parameters {
		switch {
		case !name.MatchString(n):
			c.add(path+".parameters."+n, "%q is no name: small letters, digits, dots, dashes and underscores", n)
		case slices.Contains(given, n):
			c.add(path+".parameters."+n, "${%s} is given by bascule", n)
		}
	}
	if len(c.errs) > 0 {
		return // a script of what is wrong would say so again
	}
	c.parameters(path, e)
	c.watches(path+".watch", e)
	if len(c.errs) == 0 {
		c.scripts(path, e)
	}
}

// given are the parameters that need not be set.
var given = []string{"environment", "database", "hosts"}

// scripts looks at the graphs of all rounds of an environment. That of the live one says most.
func (c *checker) scripts(path string, e *Environment) {
	for _, purpose := range Purposes {
		s, _, err := c.p.Script(e, purpose)
		if err == nil {
			err = s.Plan().Check()
		}
		if err == nil {
			continue
		}
		round := "round"
		if purpose != Live {
			round = string(purpose)
		}
		c.add(path, "its %s cannot be planned: %s", round, strings.ReplaceAll(err.Error(), "\n", "; "))
		return
	}
}

func (c *checker) things(path string, e *Environment) {
	seen := map[string]bool{}
	for i, db := range e.Databases {
		at := fmt.Sprintf("%s.databases[%d]", path, i)
		c.named(at+".name", "database", db.Name, seen)
		switch db.Config {
		case "":
			c.add(at, "database %q names no file that bascule db could read as its --config", db.Name)
		case db.Rehearsal:
			c.add(at+".rehearsal", "a rehearsal of database %q would move the database itself: name a file of scratch copies", db.Name)
		}
		if db.Group != "" && !name.MatchString(db.Group) {
			c.add(at+".group", "%q is no name: small letters, digits, dots, dashes and underscores", db.Group)
		}
	}
	hosts := map[string]bool{}
	for i, h := range e.Hosts {
		c.named(fmt.Sprintf("%s.hosts[%d].name", path, i), "host", h.Name, hosts)
	}
	for key, places := range map[string][]Place{"caches": e.Caches, "buckets": e.Buckets} {
		seen := map[string]bool{}
		for i, p := range places {
			c.named(fmt.Sprintf("%s.%s[%d].name", path, key, i), strings.TrimSuffix(key, "s"), p.Name, seen)
		}
	}
	c.workloads(path+".workloads", e)
}

// hooks looks that each stands for a step that a person or a command does.
func (c *checker) hooks(path string, e *Environment) {
	for n, h := range e.Hooks {
		at := path + "." + n
		s := c.templateStep(n)
		switch {
		case s == nil:
			c.add(at, "there is no step %q%s", n, c.perhaps(n))
		case !s.in(e):
			c.elsewhere(at, s, e)
		case !slices.Contains([]round.Kind{round.KindManual, round.KindHook, round.KindTraffic}, round.Kind(s.Kind)):
			c.add(at, "step %q is %s; hooks stand for manual, hook and traffic steps", n, s.Kind)
		case h.Do == "":
			c.add(at, "the hook says nothing to do")
		case h.Undo == undoImpossible && s.Undo != undoImpossible:
			c.add(at+".undo", "step %q has an undo, and its hook none: the gate before it would not know", n)
		}
		c.rehearsed(at, h.Rehearse, h.RehearseUndo)
		c.lasts(at+".timeout", h.Timeout)
	}
}

// elsewhere refuses what is about a step that the environment does not have.
func (c *checker) elsewhere(path string, s *Step, e *Environment) {
	why := "its workloads name no cluster"
	if e.deploys() {
		why = "its workloads name a cluster, so that its rounds have the steps of a tree in its place"
	}
	c.add(path, "rounds of %s have no step %q: %s", e.Name, s.Name, why)
}

func (c *checker) templateStep(n string) *Step {
	steps := c.p.template()
	i := slices.IndexFunc(steps, func(s Step) bool { return s.Name == n })
	if i < 0 {
		return nil
	}
	return &steps[i]
}

// perhaps names the step that may have been meant.
func (c *checker) perhaps(n string) string {
	var names []string
	for _, s := range c.p.template() {
		names = append(names, s.Name)
	}
	if near := nearest(n, names); near != "" {
		return fmt.Sprintf(": did you mean %q?", near)
	}
	return ""
}

// ramps looks that nothing moves by shares but hosts that may.
func (c *checker) ramps(path string, e *Environment) {
	var shares, whole bool
	for i, s := range c.p.template() {
		switch {
		case !s.moves(), !s.in(e):
		case !s.ramps():
			whole = true
		default:
			shares = true
			if len(e.hosts(c.p, &s)) == 0 {
				at := path
				if len(c.p.Steps) > 0 {
					at = fmt.Sprintf("$.steps[%d].weights", i)
				}
				c.add(at, "step %q moves traffic by shares, and environment %s has no host with ramp: true; others flip at the switch, because the old side is closed", s.Name, e.Name)
			}
		}
	}
	for i, h := range e.Hosts {
		if shares && !whole && !h.Ramp {
			c.add(fmt.Sprintf("%s.hosts[%d]", path, i), "host %s has no ramp: true, and no traffic step without weights moves it", h.Name)
		}
	}
}

// parameters looks that every ${name} in a text has a value.
func (c *checker) parameters(path string, e *Environment) {
	look := func(at string, values, texts map[string]string) {
		for _, key := range slices.Sorted(maps.Keys(texts)) {
			if _, missing := fill(texts[key], values); len(missing) > 0 {
				c.add(at+"."+key, "environment %s has no parameter %s", e.Name, strings.Join(missing, ", "))
			}
		}
	}
	for i, s := range c.p.template() {
		if !s.in(e) {
			continue
		}
		values, at := e.values(c.p, &s, nil), fmt.Sprintf("$.steps[%d]", i)
		if s.Each == eachDatabase {
			values["database"] = ""
		}
		texts := map[string]string{"title": s.Title}
		if h, ok := e.Hooks[s.Name]; ok {
			look(path+".hooks."+s.Name, values, map[string]string{"do": h.Do, "check": h.Check, "undo": h.Undo, "rehearse": h.Rehearse, "rehearse-undo": h.RehearseUndo})
		} else {
			maps.Copy(texts, map[string]string{"do": s.Do, "manual": s.Manual, "check": s.Check, "undo": s.Undo, "rehearse": s.Rehearse, "rehearse-undo": s.RehearseUndo})
		}
		look(at, values, texts)
	}
	for i, w := range e.Watch {
		look(fmt.Sprintf("%s.watch[%d]", path, i), e.values(c.p, &Step{}, nil), map[string]string{"check": w.Check, "rehearse": w.Rehearse})
	}
}

// watches looks that what is watched begins and ends with a step that is made once.
func (c *checker) watches(path string, e *Environment) {
	script, _, err := c.p.Script(e, Live)
	if err != nil {
		return // scripts says why
	}
	seen := map[string]bool{}
	m := &maker{p: c.p, e: e}
	for i, w := range e.Watch {
		at := fmt.Sprintf("%s[%d]", path, i)
		c.named(at+".name", "watch", w.Name, seen)
		if w.Check == "" {
			c.add(at, "watch %q says nothing to look at", w.Name)
		}
		for key, n := range map[string]string{"from": w.From, "until": w.Until} {
			switch ids := c.p.named(e, n, nil); {
			case n == "" || script.Task(m.watched(n)) != nil:
			case len(ids) > 1:
				c.add(at+"."+key, "step %q is made for each database: name one of them, such as %q", n, ids[0])
			case c.templateStep(n) != nil && !c.templateStep(n).in(e):
				c.elsewhere(at+"."+key, c.templateStep(n), e)
			default:
				c.add(at+"."+key, "there is no step %q%s", n, c.perhaps(n))
			}
		}
	}
}
