package platform

import (
	_ "embed" // the default template
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"

	"github.com/bascule/bascule/internal/round"
)

//go:embed default.yaml
var defaultYAML []byte

// DefaultSteps returns the template of a platform that has none of its own.
var DefaultSteps = sync.OnceValue(func() []Step {
	var steps []Step
	if err := yaml.UnmarshalWithOptions(defaultYAML, &steps, yaml.Strict()); err != nil {
		panic("the default template: " + err.Error()) // a test reads it
	}
	return steps
})

// Task is what a step of a round does.
type Task struct {
	Step round.Step
	// Title says it in a line. Do, Check and Undo are as in the template, with the environment's parameters.
	Title, Do, Check, Undo, Owner string
	// Database is what a step of one database is about.
	Database *Database
}

// The undos that are no instructions.
const (
	undoNothing    = "nothing"
	undoImpossible = "impossible"
)

// phases are what an automated step can do, with the role that it then has.
var phases = map[string]round.Role{
	"copy": "", "follow": "", "verify": "", "close": round.RoleClose, "open": round.RoleOpen, "finish": round.RoleFinish,
}

// each is the only thing that a step can be repeated for.
const eachDatabase = "database"

// template returns the steps of every round.
func (p *Platform) template() []Step {
	if len(p.Steps) == 0 {
		return DefaultSteps()
	}
	return p.Steps
}

// Environment returns an environment, or nil.
func (p *Platform) Environment(name string) *Environment {
	i := slices.IndexFunc(p.Environments, func(e Environment) bool { return e.Name == name })
	if i < 0 {
		return nil
	}
	return &p.Environments[i]
}

// Tasks makes the template an environment's: a step for each of its databases where the template says so, its hooks in the place of manual steps, its
// parameters in every text. A step that needs another of the same database needs that one; else it needs all.
func (p *Platform) Tasks(e *Environment) ([]Task, error) {
	var out []Task
	for _, s := range p.template() {
		if s.Each != eachDatabase {
			t, err := p.task(e, &s, nil)
			if err != nil {
				return nil, err
			}
			out = append(out, t)
			continue
		}
		for i := range e.Databases {
			t, err := p.task(e, &s, &e.Databases[i])
			if err != nil {
				return nil, err
			}
			out = append(out, t)
		}
	}
	return out, nil
}

// Plan returns the plan of an environment's round.
func (p *Platform) Plan(e *Environment) (*round.Plan, error) {
	tasks, err := p.Tasks(e)
	if err != nil {
		return nil, err
	}
	plan := &round.Plan{Limits: p.Limits}
	for _, t := range tasks {
		plan.Steps = append(plan.Steps, t.Step)
	}
	return plan, plan.Check()
}

func (p *Platform) task(e *Environment, s *Step, db *Database) (Task, error) {
	t := Task{Title: s.Title, Do: s.Do, Check: s.Check, Undo: s.Undo, Owner: s.Owner, Database: db}
	kind := round.Kind(s.Kind)
	if h, ok := e.Hooks[s.Name]; ok {
		kind, t.Do, t.Check, t.Undo = round.KindHook, h.Do, h.Check, h.Undo
		if h.Undo == "" {
			t.Undo = undoNothing
		}
	}
	for _, text := range []*string{&t.Title, &t.Do, &t.Check, &t.Undo} {
		var err error
		if *text, err = e.fill(*text, db); err != nil {
			return t, fmt.Errorf("step %s: %w", s.Name, err)
		}
	}
	t.Step = round.Step{ID: id(s, db), Kind: kind, Undo: undo(t.Undo), Uses: s.Uses, Quorum: s.Quorum}
	if kind == round.KindAuto {
		t.Step.Role = phases[s.Do]
	}
	if db != nil {
		t.Step.Database, t.Step.Group = db.Name, db.Group
	}
	for _, n := range s.Needs {
		t.Step.Needs = append(t.Step.Needs, p.named(e, n, db)...)
	}
	for _, n := range s.Acknowledges {
		t.Step.Acknowledges = append(t.Step.Acknowledges, p.named(e, n, db)...)
	}
	return t, nil
}

// named lists the steps that a name of the template stands for, seen from a step of a database or of none.
func (p *Platform) named(e *Environment, name string, db *Database) (ids []round.StepID) {
	for _, s := range p.template() {
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
	case undoNothing:
		return round.UndoNothing
	case undoImpossible:
		return round.UndoImpossible
	default:
		return round.UndoAction
	}
}

var parameter = regexp.MustCompile(`\$\{([^}]*)\}`)

// fill puts an environment's parameters into a text.
func (e *Environment) fill(text string, db *Database) (string, error) {
	values := maps.Clone(e.Parameters)
	if values == nil {
		values = map[string]string{}
	}
	values["environment"] = e.Name
	if db != nil {
		values["database"] = db.Name
	}
	var missing []string
	out := parameter.ReplaceAllStringFunc(text, func(found string) string {
		name := found[2 : len(found)-1]
		v, ok := values[name]
		if !ok {
			missing = append(missing, name)
		}
		return v
	})
	if len(missing) > 0 {
		return "", fmt.Errorf("environment %s has no parameter %s", e.Name, strings.Join(missing, ", "))
	}
	return out, nil
}
