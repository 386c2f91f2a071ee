package platform

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/bascule/bascule/internal/round"
)

const shop = `platform: shop
people:
  - {name: ann, roles: [operate, approve]}
  - {name: bob, roles: [approve]}
environments:
  - name: preprod
    zone: Europe/Paris
    window: {from: 2026-12-01 02:00, to: 2026-12-01 06:00}
    blackout: ["2026-11-27"]
    databases:
      - {name: orders, config: orders.yaml, group: shop}
      - {name: stock, config: stock.yaml, group: shop}
    hosts:
      - {name: api.shop.example}
      - {name: static.shop.example, ramp: true}
    hooks:
      quiesce: {do: kubectl scale --replicas 0 deploy/worker, undo: kubectl scale --replicas 3 deploy/worker}
    cost: 12000
  - name: prod-ap
    production: true
    zone: Asia/Tokyo
    databases:
      - {name: orders, config: ap/orders.yaml}
`

// TestDefault makes plans of the default template, with a hook in the place of a manual step.
func TestDefault(t *testing.T) {
	p, err := Parse([]byte(shop))
	if err != nil {
		t.Fatal(err)
	}
	script, unrehearsed, err := p.Script(p.Environment("preprod"), Live)
	if err != nil || unrehearsed != nil {
		t.Fatal(err, unrehearsed)
	}
	byID := map[round.StepID]round.Task{}
	for _, task := range script.Tasks {
		byID[task.Step.ID] = task
	}
	if got := byID["quiesce"]; got.Step.Kind != round.KindHook || got.Do != "kubectl scale --replicas 0 deploy/worker" || got.Step.Undo != round.UndoAction {
		t.Errorf("the hook: %+v", got)
	}
	if got := byID["freeze"]; got.Step.Kind != round.KindManual || got.Do != "Stop deploys and schema changes of preprod." {
		t.Errorf("a manual step: %+v", got)
	}
	if got := byID["verify stock"].Step.Needs; !slices.Equal(got, []round.StepID{"copy stock"}) {
		t.Errorf("verify stock needs %v", got)
	}
	if got := byID["go"].Step.Needs; !slices.Equal(got, []round.StepID{"ttl", "standby", "verify orders", "verify stock"}) {
		t.Errorf("go needs %v", got)
	}
	if got := byID["open stock"].Step; got.Role != round.RoleOpen || got.Group != "shop" || got.Database != "stock" {
		t.Errorf("open stock: %+v", got)
	}
	for i := range p.Environments {
		if _, err := p.Plan(&p.Environments[i]); err != nil {
			t.Errorf("%s: %v", p.Environments[i].Name, err)
		}
	}
	if p.Environment("nowhere") != nil {
		t.Error("an environment that is none")
	}
}

// TestMistakes has one mistake in each file, and holds what is said of it and where.
func TestMistakes(t *testing.T) {
	for _, c := range []struct{ old, becomes, says string }{
		{"platform: shop", "platform: ''", "line 1, column 11: the platform has no name"},
		{"platform: shop", "plattform: shop", `line 1, column 1: unknown key "plattform": did you mean "platform"?`},
		{"cost: 12000", "cost: much", "line 18, column 11: a text stands where a number is expected"},
		{"roles: [approve]", "roles: [god]", `line 4, column 25: there is no role "god"`},
		{"name: prod-ap", "name: preprod", `line 19, column 11: environment "preprod" is there twice`},
		{"name: prod-ap", "name: Prod AP", `line 19, column 11: "Prod AP" is no name`},
		{"Europe/Paris", "Paris", `line 7, column 11: there is no time zone "Paris"`},
		{"Europe/Paris", "Local", `there is no time zone "Local"`},
		{"from: 2026-12-01 02:00", "from: noon", `line 8, column 20: "noon" is no time`},
		{"to: 2026-12-01 06:00", "to: 2026-12-01 01:00", "line 8, column 42: the window ends before it begins"},
		{"from: 2026-12-01 02:00, to: 2026-12-01 06:00", "from: 2026-03-29 02:30, to: 2026-03-29 06:00", "2026-03-29 02:30 does not come in Europe/Paris"},
		{"from: 2026-12-01 02:00, to: 2026-12-01 06:00", "from: 2026-10-25 02:30, to: 2026-10-25 06:00", "2026-10-25 02:30 comes twice in Europe/Paris"},
		{"from: 2026-12-01 02:00, to: 2026-12-01 06:00", "from: 2026-10-25 00:30, to: 2026-10-25 06:00", "the clocks of Europe/Paris change within the window"},
		{`"2026-11-27"`, `"black friday"`, `line 9, column 16: "black friday" is no day`},
		{"name: stock", "name: orders", `line 12, column 16: database "orders" is there twice`},
		{"config: stock.yaml, ", "", `line 12, column 9: database "stock" names no file`},
		{"quiesce:", "quiet:", `line 17, column 14: there is no step "quiet"`},
		{"quiesce:", "go:", `step "go" is gate; hooks stand for manual, hook and traffic steps`},
		{"do: kubectl scale --replicas 0 deploy/worker, ", "", "the hook says nothing to do"},
		{"cost: 12000", "cost: -1", "line 18, column 11: an environment that pays"},
		{"do: kubectl scale --replicas 0 deploy/worker", `do: "scale ${worker}"`, "environment preprod has no parameter worker"},
	} {
		if !strings.Contains(shop, c.old) {
			t.Fatalf("%q is not there", c.old)
		}
		_, err := Parse([]byte(strings.Replace(shop, c.old, c.becomes, 1)))
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s → %s:\n got %v\nwant %s", c.old, c.becomes, err, c.says)
		}
	}
}

const template = `steps:
  - {step: copy, kind: automated, each: database, do: copy, undo: nothing}
  - {step: go, kind: gate, quorum: 2, needs: [copy], undo: nothing}
  - {step: close, kind: automated, each: database, do: close, needs: [go], undo: reopen}
  - {step: open, kind: automated, each: database, do: open, needs: [close], undo: go back}
`

// ownTemplate is the file with steps of its own.
func ownTemplate() string {
	return strings.Replace(shop, "    hooks:\n      quiesce: {do: kubectl scale --replicas 0 deploy/worker, undo: kubectl scale --replicas 3 deploy/worker}\n", "", 1) + template
}

// TestTemplate is TestMistakes for the steps.
func TestTemplate(t *testing.T) {
	own := ownTemplate()
	if p, err := Parse([]byte(own)); err != nil || len(p.Steps) != 4 {
		t.Fatal(err)
	}
	before, _, _ := strings.Cut(own, "steps:")
	first := strings.Count(before, "\n") + 2 // the line of the first step
	for _, c := range []struct {
		old, becomes string
		line         int
		says         string
	}{
		{"step: open", "step: close", 3, `step "close" is there twice`},
		{"kind: gate", "kind: gate keeper", 1, `there is no kind of step "gate keeper"`},
		{"each: database, do: copy", "each: table, do: copy", 0, `not for each "table"`},
		{"do: copy", "do: clone", 0, `there is no phase "clone"`},
		{"each: database, do: copy", "do: copy", 0, "a phase is of a database"},
		{"do: copy, undo: nothing", "do: copy", 0, `step "copy" does not say how it is undone`},
		{"needs: [copy]", "needs: [clone]", 1, `there is no step "clone"`},
		{"quorum: 2", "quorum: 3", 1, "3 people are to agree, and 2 may"},
		{"quorum: 2, ", "", 1, `gate "go" asks nobody`},
		{"needs: [close], ", "", -1, "opens in step open orders without being closed before"},
		{"needs: [go], ", "", -1, "no gate stands before step close orders"},
	} {
		_, err := Parse([]byte(strings.Replace(own, c.old, c.becomes, 1)))
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s → %s:\n got %v\nwant %s", c.old, c.becomes, err, c.says)
			continue
		}
		m, ok := errors.AsType[*MistakeError](err)
		if c.line >= 0 && (!ok || m.Line != first+c.line) {
			t.Errorf("%s is said of %v, want line %d", c.says, err, first+c.line)
		}
	}
}
