package round_test

import (
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/round"
)

// moving is a plan that moves databases of one group.
func moving(databases ...string) *round.Plan {
	p := &round.Plan{Steps: []round.Step{
		{ID: "copy", Kind: round.KindAuto, Undo: round.UndoNothing},
		{ID: "gate", Kind: round.KindGate, Quorum: 1, Undo: round.UndoNothing, Needs: []round.StepID{"copy"}},
		{ID: "quiesce", Kind: round.KindHook, Undo: round.UndoAction, Needs: []round.StepID{"gate"}},
	}}
	for _, db := range databases {
		p.Steps = append(p.Steps,
			round.Step{ID: round.StepID("close " + db), Kind: round.KindAuto, Role: round.RoleClose, Database: db, Group: "shop", Undo: round.UndoAction, Needs: []round.StepID{"quiesce"}},
			round.Step{ID: round.StepID("open " + db), Kind: round.KindAuto, Role: round.RoleOpen, Database: db, Group: "shop", Undo: round.UndoAction, Needs: []round.StepID{round.StepID("close " + db)}})
	}
	return p
}

// TestCheck has one mistake in each plan.
func TestCheck(t *testing.T) {
	if err := moving("a", "b").Check(); err != nil {
		t.Errorf("a plan that is right: %v", err)
	}
	for says, wrong := range map[string]func(*round.Plan){
		"step gate is there twice":                           func(p *round.Plan) { p.Steps[0].ID = "gate" },
		"step 1 has no name":                                 func(p *round.Plan) { p.Steps[0].ID = "" },
		`step copy: there is no kind "magic"`:                func(p *round.Plan) { p.Steps[0].Kind = "magic" },
		"step copy does not say how it is undone":            func(p *round.Plan) { p.Steps[0].Undo = "" },
		"gate gate asks nobody":                              func(p *round.Plan) { p.Steps[1].Quorum = 0 },
		"step gate names nothing, which is none":             func(p *round.Plan) { p.Steps[1].Needs[0] = "nothing" },
		"waits for itself":                                   func(p *round.Plan) { p.Steps[0].Needs = []round.StepID{"quiesce"} },
		`step close a: there is no role "shut"`:              func(p *round.Plan) { p.Steps[3].Role = "shut" },
		"names no database":                                  func(p *round.Plan) { p.Steps[3].Database = "" },
		"steps close a and close b both close database a":    func(p *round.Plan) { p.Steps[5].Database = "a" },
		`database a is in group "shop" and in group "stock"`: func(p *round.Plan) { p.Steps[4].Group = "stock" },
		"step open a has the role open and no undo":          func(p *round.Plan) { p.Steps[4].Undo = round.UndoNothing },
		"no gate stands before step close a":                 func(p *round.Plan) { p.Steps[3].Needs = nil },
		"database a opens in step open a without being closed before": func(p *round.Plan) {
			p.Steps[4].Needs, p.Steps[4].Group, p.Steps[3].Group = []round.StepID{"gate"}, "", ""
		},
		"database b is closed in step close b and never opens":              func(p *round.Plan) { p.Steps = p.Steps[:6] },
		"step quiesce has no undo, and no gate before it acknowledges that": func(p *round.Plan) { p.Steps[2].Undo = round.UndoImpossible },
		"step done may finish before database b opens": func(p *round.Plan) {
			p.Steps = append(p.Steps, round.Step{ID: "done", Kind: round.KindAuto, Role: round.RoleFinish, Undo: round.UndoImpossible, Needs: []round.StepID{"open a"}})
		},
	} {
		p := moving("a", "b")
		wrong(p)
		if err := p.Check(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("want %q, got %v", says, err)
		}
	}
	p := moving("a")
	p.Steps[2].Undo, p.Steps[1].Acknowledges = round.UndoImpossible, []round.StepID{"quiesce"}
	if err := p.Check(); err != nil {
		t.Errorf("a step without undo that a gate acknowledges: %v", err)
	}
	// Two databases of one group, of which one would close only behind the other's opening: the group's rule makes that a circle.
	p = moving("a", "b")
	p.Steps[5].Needs = []round.StepID{"open a"}
	if err := p.Check(); err == nil || !strings.Contains(err.Error(), "waits for itself") {
		t.Errorf("a group that cannot close as a whole: %v", err)
	}
}
