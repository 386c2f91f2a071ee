package platform

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/bascule/bascule/internal/round"
)

// oldPlans are the hashes of the plans of shop as they were before steps could be for some environments alone.
var oldPlans = map[string]string{
	"preprod live":      "83b42cd509a1d0b13c692a7b7bb85205063e51c595cf82da3ec1b25add30058a",
	"preprod poc":       "c60b6d65fca161140982bc993eea16ebbedf6745b6b820935f0cf6927f0beaa1",
	"preprod rehearsal": "f1f51b108df1a4f16df6f84a0f5776fa535d8b489519328a0260d883b5893d43",
	"prod-ap live":      "c459692e27a32114ded0ccff75ebd14c8223b1017c1ef73432e26a5d6884acc1",
	"prod-ap poc":       "888e03473e2c712b104857a9d792a5b313dd6a1ad603eed1ffdeb440fbcf16f3",
	"prod-ap rehearsal": "d39830fba66228051dd0a51b541cc6472f21fdff51829d60c72ad2bd8b8e7bfc",
}

// TestHashOfOldPlans: a rehearsal of an environment whose workloads name no cluster stays good, whatever else is said of its manifests.
func TestHashOfOldPlans(t *testing.T) {
	for _, text := range []string{shop, strings.ReplaceAll(shop, "    databases:\n", "    workloads: [{name: web, from: [web], out: tree}]\n    databases:\n")} {
		p, err := Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		for i := range p.Environments {
			for _, purpose := range Purposes {
				s, _, err := p.Script(&p.Environments[i], purpose)
				if err != nil {
					t.Fatal(err)
				}
				if of := p.Environments[i].Name + " " + string(purpose); Hash(s) != oldPlans[of] {
					t.Errorf("%s: %s, want %s", of, Hash(s), oldPlans[of])
				}
			}
		}
	}
}

// deployed is shop, with workloads in its first environment whose rounds bring them over.
var deployed = strings.Replace(shop, "    databases:\n", "    workloads: [{name: web, from: [web], out: tree, cluster: new}]\n    databases:\n", 1)

// TestWorkloads: the steps of a tree stand in the place of those that people do, between the same others.
func TestWorkloads(t *testing.T) {
	p, err := Parse([]byte(deployed))
	if err != nil {
		t.Fatal(err)
	}
	e := p.Environment("preprod")
	live, _, err := p.Script(e, Live)
	if err != nil {
		t.Fatal(err)
	}
	for id, needs := range map[round.StepID]string{
		"translate": "[freeze]", "check": "[translate]", "commit": "[check]", "apply": "[commit]", "healthy": "[apply]", "go": "[ttl healthy verify orders verify stock]",
		"apply-live": "[quiesce open orders open stock]", "healthy-live": "[apply-live]", "smoke": "[healthy-live]",
	} {
		if s := live.Task(id); s == nil || fmt.Sprint(s.Step.Needs) != needs {
			t.Errorf("%s: %+v, want needs %s", id, s, needs)
		}
	}
	for _, id := range []round.StepID{"standby", "endpoints", "live"} {
		if live.Task(id) != nil {
			t.Errorf("%s is there", id)
		}
	}
	if c := live.Task("commit"); c.Step.Undo != round.UndoAction || c.Back != "bascule kube commit --env preprod --push origin --undo" {
		t.Errorf("commit: %+v", c)
	}
	rehearsal, unrehearsed, err := p.Script(e, Rehearsal)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(unrehearsed, "commit") || rehearsal.Task("commit") != nil {
		t.Errorf("a rehearsal pushes a branch: %v", unrehearsed)
	}
	if a := rehearsal.Task("apply"); fmt.Sprint(a.Step.Needs) != "[check]" || !strings.HasPrefix(a.Do, "Nothing is applied") || a.Step.Undo != round.UndoNothing {
		t.Errorf("apply, rehearsed: %+v", a)
	}
}

// TestElsewhere: what is about a step that the environment does not have is refused, where it stands.
func TestElsewhere(t *testing.T) {
	const hook = "quiesce: {do: kubectl"
	for _, c := range []struct{ text, old, becomes, says string }{
		{shop, hook, "apply: {do: kubectl", `line 17, column 14: rounds of preprod have no step "apply": its workloads name no cluster`},
		{deployed, hook, "standby: {do: kubectl", `line 18, column 16: rounds of preprod have no step "standby": its workloads name a cluster`},
		{deployed, "    cost: 12000", "    watch: [{name: w, check: x, from: live}]\n    cost: 12000", `line 19, column 39: rounds of preprod have no step "live"`},
		{shop, "environments:", "steps: [{step: a, kind: manual, do: x, undo: nothing, where: here}]\nenvironments:", `line 5, column 62: a step can be for environments with workloads or no-workloads, not for "here"`},
	} {
		_, err := Parse([]byte(strings.Replace(c.text, c.old, c.becomes, 1)))
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("got %v\nwant %s", err, c.says)
		}
	}
	if _, err := Parse([]byte(strings.Replace(deployed, hook, "apply: {do: kubectl", 1))); err != nil {
		t.Error(err)
	}
}

// TestWithoutDatabases: in an environment without databases no step starts before the gate but those that the template has before it, whatever is left out.
func TestWithoutDatabases(t *testing.T) {
	order := func(p *Platform) (before map[string]map[string]bool) { // by the template alone
		before = map[string]map[string]bool{}
		for _, s := range p.template() {
			before[s.Name] = map[string]bool{}
			for _, n := range s.Needs {
				before[s.Name][n] = true
				maps.Copy(before[s.Name], before[n])
			}
		}
		return before
	}
	for name, workloads := range map[string]string{
		"people": "", "tree": "    workloads: [{name: web, from: [web], out: tree, cluster: new}]\n", "releases": "    workloads: [{name: web, config: kube.yaml, out: tree, cluster: new}]\n",
	} {
		p, err := Parse([]byte("platform: shop\nenvironments:\n  - name: preprod\n" + workloads))
		if err != nil {
			t.Fatal(name, err)
		}
		before := order(p)
		script, _, err := p.Script(&p.Environments[0], Live)
		if err != nil {
			t.Fatal(err)
		}
		g := newGraph(script.Tasks)
		behind := 0
		for i := range script.Tasks {
			id := script.Tasks[i].Step.ID
			reached := g.reach(g.needs, func(task *round.Task) bool { return task.Step.ID == id })
			if before[string(id)]["go"] != (reached["go"] && id != "go") {
				t.Errorf("%s: %s is behind the gate: %v", name, id, reached["go"])
			}
			if reached["go"] && id != "go" {
				behind++
			}
		}
		if behind < 8 || name != "people" && script.Task("apply-live") == nil || name == "people" && fmt.Sprint(script.Task("endpoints").Step.Needs) != "[quiesce]" {
			t.Errorf("%s: %d steps behind the gate", name, behind)
		}
	}
}

// TestAbsentSteps: of random templates, two steps that an environment has stand in the same order whether or not those between them are there: those for other
// environments, and those of databases where it has none. A step of a database among several is beside those of the others, which is not looked at here.
func TestAbsentSteps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 9).Draw(t, "steps")
		p := &Platform{Name: "p"}
		before := make([]map[int]bool, n) // by the template alone, every step there
		for i := range n {
			s := Step{Name: fmt.Sprint("s", i), Kind: "manual", Do: "x", Undo: "nothing", Each: rapid.SampledFrom([]string{"", "", eachDatabase}).Draw(t, "each"), Where: rapid.SampledFrom([]string{"", whereWorkloads, whereNone}).Draw(t, "where")}
			before[i] = map[int]bool{}
			for j := range i {
				if rapid.Bool().Draw(t, "needs") {
					s.Needs = append(s.Needs, fmt.Sprint("s", j))
					before[i][j] = true
					for k := range before[j] {
						before[i][k] = true
					}
				}
			}
			p.Steps = append(p.Steps, s)
		}
		e := &Environment{Name: "e"}
		if rapid.Bool().Draw(t, "deploys") {
			e.Workloads = []Workload{{Name: "w", From: []string{"x"}, Out: "y", Cluster: "z"}}
		}
		script, _, err := p.Script(e, Live)
		if err != nil {
			t.Fatal(err)
		}
		g := newGraph(script.Tasks)
		for i := range n {
			id := round.StepID(p.Steps[i].Name)
			if (script.Task(id) != nil) != (p.Steps[i].in(e) && p.Steps[i].Each == "") {
				t.Fatalf("%s is there: %v", id, script.Task(id) != nil)
			}
			if script.Task(id) == nil {
				continue
			}
			reached := g.reach(g.needs, func(task *round.Task) bool { return task.Step.ID == id })
			for j := range n {
				other := round.StepID(p.Steps[j].Name)
				if i != j && script.Task(other) != nil && reached[other] != before[i][j] {
					t.Fatalf("%s comes before %s: %v, want %v", other, id, reached[other], before[i][j])
				}
			}
		}
	})
}
