package round

import (
	"errors"
	"fmt"
	"slices"
)

// StepID names a step within its plan.
type StepID string

// Kind says who or what carries a step out.
type Kind string

// The kinds of steps.
const (
	KindAuto    Kind = "automated" // a phase of bascule itself
	KindHook    Kind = "hook"      // a command or a webhook
	KindManual  Kind = "manual"    // a person, who gives evidence
	KindWait    Kind = "wait"      // until a condition holds
	KindGate    Kind = "gate"      // measured criteria, and people's go or no-go
	KindTraffic Kind = "traffic"   // a share of the traffic, by a hook
	KindMessage Kind = "message"   // tells people; its failure holds nothing up
)

// Kinds lists every kind.
var Kinds = []Kind{KindAuto, KindHook, KindManual, KindWait, KindGate, KindTraffic, KindMessage}

// Role says what a step means for the two instants.
type Role string

// The roles. A step without one has no say in them.
const (
	// RoleClose stops writes to a database's old side and ends with the proof that the new side holds them all.
	RoleClose Role = "close"
	// RoleOpen opens the new side: the switch.
	RoleOpen Role = "open"
	// RoleFinish gives up the way back.
	RoleFinish Role = "finish"
)

// Undo says what becomes of a step's effect when the round is aborted or falls back.
type Undo string

// The ways of undoing.
const (
	UndoNothing    Undo = "nothing"    // it has no effect that matters
	UndoAction     Undo = "action"     // something is done
	UndoImpossible Undo = "impossible" // its effect stays; a gate before it has to acknowledge that
)

// Step is one thing that is done in a round.
type Step struct {
	ID   StepID `json:"id"`
	Kind Kind   `json:"kind"`
	Role Role   `json:"role,omitempty"`
	// Needs are the steps that must be over before this one starts.
	Needs []StepID `json:"needs,omitempty"`
	Undo  Undo     `json:"undo"`
	// Database is what a step with a role to close or to open is about, and Group what it must switch together with.
	Database string `json:"database,omitempty"`
	Group    string `json:"group,omitempty"`
	// Uses names what steps share that cannot serve many at once. See Plan.Limits.
	Uses []string `json:"uses,omitempty"`
	// Quorum is how many people have to say go at a gate. Acknowledges are steps without undo that a gate accepts.
	Quorum       int      `json:"quorum,omitempty"`
	Acknowledges []StepID `json:"acknowledges,omitempty"`
}

// Plan is the graph of a round.
type Plan struct {
	Steps []Step
	// Limits says how many steps may use something at once; 0 or absent is one.
	Limits map[string]int
}

// Step returns a step, or nil.
func (p *Plan) Step(id StepID) *Step {
	i := slices.IndexFunc(p.Steps, func(s Step) bool { return s.ID == id })
	if i < 0 {
		return nil
	}
	return &p.Steps[i]
}

// needs are the steps that must be over before s starts: those it names, and, where it opens a database, the steps that close the others of its
// group. So no database of a group opens before all of them are closed.
func (p *Plan) needs(s *Step) []StepID {
	if s.Role != RoleOpen || s.Group == "" {
		return s.Needs
	}
	all := slices.Clone(s.Needs)
	for _, other := range p.Steps {
		if other.Role == RoleClose && other.Group == s.Group && !slices.Contains(all, other.ID) {
			all = append(all, other.ID)
		}
	}
	return all
}

// Check returns everything that is wrong with a plan, or nil. What Next and Apply promise holds for plans that it passes.
func (p *Plan) Check() error {
	c := checker{plan: p, before: map[StepID]map[StepID]bool{}}
	c.names()
	if len(c.errs) == 0 {
		c.cycles()
	}
	if len(c.errs) == 0 {
		c.roles()
		c.acknowledged()
	}
	return errors.Join(c.errs...)
}

type checker struct {
	plan   *Plan
	errs   []error
	before map[StepID]map[StepID]bool // what must be over before a step starts
}

func (c *checker) add(format string, args ...any) {
	c.errs = append(c.errs, fmt.Errorf(format, args...))
}

func (c *checker) names() {
	seen := map[StepID]bool{}
	for i := range c.plan.Steps {
		s := &c.plan.Steps[i]
		if s.ID == "" {
			c.add("step %d has no name", i+1)
		}
		if seen[s.ID] {
			c.add("step %s is there twice", s.ID)
		}
		seen[s.ID] = true
		if !slices.Contains(Kinds, s.Kind) {
			c.add("step %s: there is no kind %q", s.ID, s.Kind)
		}
		if !slices.Contains([]Undo{UndoNothing, UndoAction, UndoImpossible}, s.Undo) {
			c.add("step %s does not say how it is undone", s.ID)
		}
		if s.Kind == KindGate && s.Quorum < 1 {
			c.add("gate %s asks nobody", s.ID)
		}
	}
	for _, s := range c.plan.Steps {
		for _, n := range append(slices.Clone(s.Needs), s.Acknowledges...) {
			if !seen[n] {
				c.add("step %s names %s, which is none", s.ID, n)
			}
		}
	}
}

// cycles finds what stands before each step, and steps that stand before themselves.
func (c *checker) cycles() {
	const visiting, visited = 1, 2
	state := map[StepID]int{}
	var visit func(id StepID) bool
	visit = func(id StepID) bool {
		switch state[id] {
		case visiting:
			return false
		case visited:
			return true
		}
		state[id] = visiting
		all := map[StepID]bool{}
		for _, n := range c.plan.needs(c.plan.Step(id)) {
			if !visit(n) {
				return false
			}
			all[n] = true
			for b := range c.before[n] {
				all[b] = true
			}
		}
		state[id], c.before[id] = visited, all
		return true
	}
	for _, s := range c.plan.Steps {
		if !visit(s.ID) {
			c.add("step %s waits for itself, through its needs", s.ID)
			return
		}
	}
}

// roles looks that every database closes before it opens, behind a gate, and that nothing is finished before everything is open.
func (c *checker) roles() {
	closes, opens := map[string]StepID{}, map[string]StepID{}
	groups := map[string]string{}
	for _, s := range c.plan.Steps {
		var of map[string]StepID
		switch s.Role {
		case "", RoleFinish:
			continue
		case RoleClose:
			of = closes
		case RoleOpen:
			of = opens
		default:
			c.add("step %s: there is no role %q", s.ID, s.Role)
			continue
		}
		if s.Database == "" {
			c.add("step %s has the role %s and names no database", s.ID, s.Role)
		}
		if other, twice := of[s.Database]; twice {
			c.add("steps %s and %s both %s database %s", other, s.ID, s.Role, s.Database)
		}
		of[s.Database] = s.ID
		if g, known := groups[s.Database]; known && g != s.Group {
			c.add("database %s is in group %q and in group %q", s.Database, g, s.Group)
		}
		groups[s.Database] = s.Group
		if s.Undo != UndoAction {
			c.add("step %s has the role %s and no undo", s.ID, s.Role)
		}
		if !c.behindGate(s.ID) {
			c.add("no gate stands before step %s", s.ID)
		}
	}
	for db, id := range opens {
		if closed, ok := closes[db]; !ok || !c.before[id][closed] {
			c.add("database %s opens in step %s without being closed before", db, id)
		}
	}
	for db, id := range closes {
		if _, ok := opens[db]; !ok {
			c.add("database %s is closed in step %s and never opens", db, id)
		}
	}
	c.finishes(opens)
}

func (c *checker) finishes(opens map[string]StepID) {
	for _, s := range c.plan.Steps {
		if s.Role != RoleFinish {
			continue
		}
		if !c.behindGate(s.ID) {
			c.add("no gate stands before step %s", s.ID)
		}
		for db, open := range opens {
			if !c.before[s.ID][open] {
				c.add("step %s may finish before database %s opens", s.ID, db)
			}
		}
	}
}

func (c *checker) behindGate(id StepID) bool {
	for b := range c.before[id] {
		if c.plan.Step(b).Kind == KindGate {
			return true
		}
	}
	return false
}

// acknowledged looks that a gate before each step without undo names it.
func (c *checker) acknowledged() {
	for _, s := range c.plan.Steps {
		if s.Undo != UndoImpossible || s.Role == RoleFinish {
			continue
		}
		named := false
		for b := range c.before[s.ID] {
			named = named || slices.Contains(c.plan.Step(b).Acknowledges, s.ID)
		}
		if !named {
			c.add("step %s has no undo, and no gate before it acknowledges that", s.ID)
		}
	}
}
