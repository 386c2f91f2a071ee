package platform

import (
	_ "embed" // the default template
	"slices"
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

// Purpose is what a round is for.
type Purpose string

// The purposes of rounds.
const (
	// Live moves the environment.
	Live Purpose = "live"
	// PoC, a proof of concept, goes through everything and never switches.
	PoC Purpose = "poc"
	// Rehearsal moves scratch copies.
	Rehearsal Purpose = "rehearsal"
)

// Purposes lists every purpose.
var Purposes = []Purpose{Live, PoC, Rehearsal}

// The undos that are no instructions.
const (
	undoNothing    = "nothing"
	undoImpossible = "impossible"
)

// phases are what an automated step can do, with the role that it then has.
var phases = map[string]round.Role{
	"copy": "", "follow": "", "verify": "", "close": round.RoleClose, "open": round.RoleOpen, "finish": round.RoleFinish,
}

// phaseRehearse is what closing becomes in a proof of concept: everything before the switch, undone at once.
const phaseRehearse = "rehearse"

// eachDatabase is the only thing that a step can be repeated for.
const eachDatabase = "database"

// production is what steps use that close or open a database of a production environment.
const production = "production"

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

// Plan returns the plan of an environment's live round. Its errors say what is wrong with the graph; those of Script are passed on.
func (p *Platform) Plan(e *Environment) (*round.Plan, error) {
	script, _, err := p.Script(e, Live)
	if err != nil {
		return nil, err
	}
	plan := script.Plan()
	return plan, plan.Check()
}
