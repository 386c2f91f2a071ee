package platform

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/bascule/bascule/internal/round"
)

// Script makes the template an environment's: a step for each of its databases where the template says so, its hooks in the place of people, its parameters in
// every text. A step that needs another of the same database needs that one; else it needs all. Steps for other environments are left out, and whatever needs one
// needs what it would have needed. Files are named relative to bascule.yaml.
//
// In a rehearsal, databases are the scratch copies of theirs, and what finishes is left out, with the gates that only it needs and what stands between them.
// In a proof of concept no step has a role: what closes a database undoes that at once, what opens one or finishes is left out, and behind the switch only
// gates remain and what has a form for it. In both, a step's form for it stands in the place of what it does.
//
// Unrehearsed are the steps of the live round that are not in this one for want of a form. A platform that Parse has passed makes no error.
func (p *Platform) Script(e *Environment, purpose Purpose) (s round.Script, unrehearsed []round.StepID, err error) {
	if !slices.Contains(Purposes, purpose) {
		return s, nil, fmt.Errorf("there is no round for %q", purpose)
	}
	m := &maker{p: p, e: e, database: map[round.StepID]*Database{}, undo: map[round.StepID]string{}, absent: map[round.StepID][]round.StepID{}}
	if err := m.make(); err != nil {
		return s, nil, err
	}
	s = round.Script{Tasks: m.tasks, MaxLag: e.MaxLag, Limits: maps.Clone(p.Limits)}
	if purpose != Live {
		s.Tasks, unrehearsed = m.apart(purpose)
	}
	p.across(&s)
	s.Watches, err = m.watches(purpose, &s)
	return s, unrehearsed, err
}

// across turns the limit of production from steps into rounds: the databases of one region close and open together.
func (p *Platform) across(s *round.Script) {
	uses := 0
	for i := range s.Tasks {
		if slices.Contains(s.Tasks[i].Step.Uses, production) {
			uses++
		}
	}
	if uses == 0 {
		return
	}
	if s.Limits == nil {
		s.Limits = map[string]int{}
	}
	s.Limits[production] = uses
	s.Across = map[string]int{production: cmp.Or(p.Limits[production], 1)}
}

// maker makes a live round's tasks.
type maker struct {
	p        *Platform
	e        *Environment
	tasks    []round.Task
	database map[round.StepID]*Database      // of the steps that are about one
	undo     map[round.StepID]string         // what undoes a step's form for a rehearsal
	absent   map[round.StepID][]round.StepID // what steps would need that a step names and that there are not
	missing  []string
}

func (m *maker) make() error {
	for _, s := range m.p.steps(m.e) {
		if s.Each != eachDatabase {
			m.tasks = append(m.tasks, m.task(&s, nil))
			continue
		}
		for i := range m.e.Databases {
			m.tasks = append(m.tasks, m.task(&s, &m.e.Databases[i]))
		}
	}
	m.bridge()
	return m.e.without(m.missing)
}

// without is the error of texts whose parameters an environment does not have.
func (e *Environment) without(missing []string) error {
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	return fmt.Errorf("environment %s has no parameter %s", e.Name, strings.Join(slices.Compact(missing), ", "))
}

func (m *maker) task(template *Step, db *Database) round.Task {
	values := m.e.values(m.p, template, db)
	s := hooked(template, m.e.Hooks)
	fill := func(text string) string {
		out, missing := fill(text, values)
		m.missing = append(m.missing, missing...)
		return out
	}
	kind := round.Kind(s.Kind)
	t := round.Task{
		Step:  round.Step{ID: id(s, db), Kind: kind, Undo: undo(s.Undo), Uses: s.Uses, Quorum: s.Quorum},
		Title: fill(cmp.Or(s.Title, s.Name)), Do: fill(s.Do), Check: fill(s.Check), Rehearse: fill(s.Rehearse),
		Owner: s.Owner, Backup: s.Backup, Timeout: s.Timeout,
		For: s.For, Weights: s.Weights, Pause: s.Pause, Approvers: s.Approvers, Criteria: s.Criteria,
	}
	if t.Step.Undo == round.UndoAction {
		t.Back = fill(s.Undo)
	}
	if kind == round.KindWait && s.Do != "" {
		t.Every = cmp.Or(s.Every, DefaultEvery)
	}
	if template.moves() {
		t.Hosts = m.e.hosts(m.p, template)
	}
	m.undo[t.Step.ID] = fill(s.RehearseUndo)
	m.place(&t, s, db)
	return t
}

// place gives a task its database and its neighbours.
func (m *maker) place(t *round.Task, s *Step, db *Database) {
	if t.Step.Kind == round.KindAuto {
		t.Step.Role = phases[s.Do]
	}
	if db != nil {
		m.database[t.Step.ID] = db
		t.Step.Database, t.Step.Group, t.Config = db.Name, db.Group, db.Config
	}
	if m.e.Production && (t.Step.Role == round.RoleClose || t.Step.Role == round.RoleOpen) && !slices.Contains(s.Uses, production) {
		t.Step.Uses = append(slices.Clone(s.Uses), production)
	}
	for _, n := range s.Needs {
		t.Step.Needs = append(t.Step.Needs, m.p.named(m.e, n, db)...)
		m.absent[t.Step.ID] = append(m.absent[t.Step.ID], m.through(n, db, map[string]bool{})...)
	}
	for _, n := range s.Acknowledges {
		t.Step.Acknowledges = append(t.Step.Acknowledges, m.p.named(m.e, n, db)...)
	}
}

// hooked returns a step as an environment carries it out: by its hook, or by a person where there is neither hook nor command.
func hooked(s *Step, hooks map[string]Hook) *Step {
	out := *s
	h, ok := hooks[s.Name]
	switch {
	case ok:
		out.Do, out.Check, out.Undo, out.Rehearse, out.RehearseUndo = h.Do, h.Check, cmp.Or(h.Undo, undoNothing), h.Rehearse, h.RehearseUndo
		out.Owner, out.Backup, out.Timeout = cmp.Or(h.Owner, s.Owner), cmp.Or(h.Backup, s.Backup), cmp.Or(h.Timeout, s.Timeout)
		if s.Kind == string(round.KindManual) {
			out.Kind = string(round.KindHook)
		}
	case s.Do == "" && s.Manual != "":
		out.Do, out.Kind = s.Manual, string(round.KindManual)
	}
	return &out
}

// moves reports whether a step of the template moves traffic, whoever does it.
func (s *Step) moves() bool { return s.Kind == string(round.KindTraffic) }

// ramps reports whether a step moves traffic by shares.
func (s *Step) ramps() bool { return len(s.Weights) > 1 || len(s.Weights) == 1 && s.Weights[0] != 100 }

// hosts lists whose traffic a step moves: by shares, that of hosts that may ramp; else that of the others, or of all where nothing moves by shares.
func (e *Environment) hosts(p *Platform, s *Step) (names []string) {
	shares := slices.ContainsFunc(p.steps(e), func(s Step) bool { return s.moves() && s.ramps() })
	for _, h := range e.Hosts {
		if s.ramps() && h.Ramp || !s.ramps() && (!shares || !h.Ramp) {
			names = append(names, h.Name)
		}
	}
	return names
}

// named lists the steps that a name of the template stands for, seen from a step of a database or of none: none for a step that the environment does not have.
func (p *Platform) named(e *Environment, name string, db *Database) (ids []round.StepID) {
	for _, s := range p.steps(e) {
		switch {
		case s.Name != name:
		case s.Each == "":
			ids = append(ids, id(&s, nil))
		case db != nil:
			ids = append(ids, id(&s, db))
		default:
			for i := range e.Databases {
				ids = append(ids, id(&s, &e.Databases[i]))
			}
		}
	}
	return ids
}

func id(s *Step, db *Database) round.StepID {
	if db == nil {
		return round.StepID(s.Name)
	}
	return round.StepID(s.Name + " " + db.Name)
}

func undo(text string) round.Undo {
	switch text {
	case undoNothing, "":
		return round.UndoNothing
	case undoImpossible:
		return round.UndoImpossible
	default:
		return round.UndoAction
	}
}

// values are what stands for the parameters in the texts of a step.
func (e *Environment) values(p *Platform, s *Step, db *Database) map[string]string {
	values := maps.Clone(e.Parameters)
	if values == nil {
		values = map[string]string{}
	}
	values["environment"] = e.Name
	if db != nil {
		values["database"] = db.Name
	}
	if s.moves() {
		values["hosts"] = strings.Join(e.hosts(p, s), " ")
	}
	return values
}

var parameter = regexp.MustCompile(`\$\{[^}]*\}`)

// fill puts values in the place of parameters, and lists those that have none.
func fill(text string, values map[string]string) (filled string, missing []string) {
	filled = parameter.ReplaceAllStringFunc(text, func(found string) string {
		name := found[2 : len(found)-1]
		v, ok := values[name]
		if !ok {
			missing = append(missing, name)
		}
		return v
	})
	return filled, missing
}

// watches are what is looked at in a round. A watch whose steps are not in it is left out.
func (m *maker) watches(purpose Purpose, s *round.Script) (out []round.Watch, err error) {
	var missing []string
	for _, w := range m.e.Watch {
		text := w.Check
		if purpose != Live {
			text = w.Rehearse
		}
		text, none := fill(text, m.e.values(m.p, &Step{}, nil))
		missing = append(missing, none...)
		from, until := m.watched(w.From), m.watched(w.Until)
		if text == "" || from != "" && s.Task(from) == nil || until != "" && s.Task(until) == nil {
			continue
		}
		out = append(out, round.Watch{Name: w.Name, Check: text, Every: cmp.Or(w.Every, DefaultEvery), From: from, Until: until})
	}
	return out, m.e.without(missing)
}

// watched returns the step that a watch names: one of a round, or one of the template that is made once here.
func (m *maker) watched(name string) round.StepID {
	if ids := m.p.named(m.e, name, nil); len(ids) == 1 {
		return ids[0]
	}
	return round.StepID(name)
}

// soak reads the form of a soak for a rehearsal.
func soak(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0 // the check refuses it
	}
	return d
}
