package platform

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/bascule/bascule/internal/round"
)

// scripts makes the example's rounds of an environment.
func scripts(t *testing.T, environment string) (live, poc, rehearsal round.Script, unproved, unrehearsed []round.StepID) {
	t.Helper()
	p, err := Parse([]byte(example(t)))
	if err != nil {
		t.Fatal(err)
	}
	e := p.Environment(environment)
	live, none, err := p.Script(e, Live)
	if err != nil || none != nil {
		t.Fatal(err, none)
	}
	poc, unproved, err = p.Script(e, PoC)
	if err != nil {
		t.Fatal(err)
	}
	rehearsal, unrehearsed, err = p.Script(e, Rehearsal)
	if err != nil {
		t.Fatal(err)
	}
	return live, poc, rehearsal, unproved, unrehearsed
}

func ids(s *round.Script) (ids []round.StepID) {
	for i := range s.Tasks {
		ids = append(ids, s.Tasks[i].Step.ID)
	}
	return ids
}

// TestLive holds what a task of the live round has.
func TestLive(t *testing.T) {
	live, _, _, _, _ := scripts(t, "prod-eu")
	ready := live.Task("ready")
	if ready.Do != "https://deploy.shop.example/ready?environment=prod-eu" || ready.Title != "The new side in eu-west-1 is there" || ready.Owner != "ann" || ready.Backup != "bob" {
		t.Errorf("ready: %+v", ready)
	}
	if flip := live.Task("flip"); flip.Step.Kind != round.KindManual || flip.Do != "Point api.shop.example to the new side." || !slices.Equal(flip.Hosts, []string{"api.shop.example"}) {
		t.Errorf("flip: %+v", flip)
	}
	if ramp := live.Task("ramp"); !slices.Equal(ramp.Weights, []int{5, 25, 100}) || ramp.Pause != 5*time.Minute || !slices.Equal(ramp.Hosts, []string{"static.shop.example"}) || ramp.Back != "Point static.shop.example to the old side." {
		t.Errorf("ramp: %+v", ramp)
	}
	if drained := live.Task("drained"); drained.Every != 5*time.Second || drained.Timeout != 10*time.Minute || drained.Do != "./queues-empty" {
		t.Errorf("drained: %+v", drained)
	}
	if soak := live.Task("soak"); soak.For != 30*time.Minute || soak.Every != 0 || soak.Do != "" {
		t.Errorf("soak: %+v", soak)
	}
	if gate := live.Task("go"); gate.Criteria != round.CriteriaDatabases || gate.Check != "./no-incident" || !slices.Equal(gate.Approvers, []string{"ann", "bob"}) {
		t.Errorf("go: %+v", gate)
	}
	if closes := live.Task("close stock"); closes.Config != "prod-eu/stock.yaml" || closes.Step.Group != "shop" || !slices.Contains(closes.Step.Uses, "production") {
		t.Errorf("close stock: %+v", closes)
	}
	if live.Across["production"] != 1 || live.Limits["production"] != 4 || live.Limits["copies"] != 2 || live.MaxLag != 30*time.Second {
		t.Errorf("limits %v across %v, lag %s", live.Limits, live.Across, live.MaxLag)
	}
	if w := live.Watches; len(w) != 1 || w[0] != (round.Watch{Name: "errors", Check: "./errors-below 1", Every: 5 * time.Second, From: "flip", Until: "soak"}) {
		t.Errorf("watches %+v", w)
	}
	preprod, _, _, _, _ := scripts(t, "preprod")
	if flip := preprod.Task("flip"); flip.Step.Kind != round.KindTraffic || flip.Do != "./flip api.preprod.shop.example" || preprod.Across != nil {
		t.Errorf("flip of preprod: %+v, across %v", flip, preprod.Across)
	}
	if ramp := preprod.Task("ramp"); ramp.Owner != "eve" || ramp.Backup != "bob" {
		t.Errorf("ramp of preprod: %+v", ramp)
	}
}

// TestTrials holds what is left out where nothing is moved, and what stands in its place.
func TestTrials(t *testing.T) {
	_, poc, rehearsal, unproved, unrehearsed := scripts(t, "preprod")
	for _, c := range []struct {
		what      string
		got, want []round.StepID
	}{
		{"the proof of concept", ids(&poc), []round.StepID{"ready", "copy orders", "copy stock", "verify orders", "verify stock", "go", "announce", "quiesce", "drained", "close orders", "close stock", "soak", "part"}},
		{"what it leaves out", unproved, []round.StepID{"flip", "codes", "ramp"}},
		{"the rehearsal", ids(&rehearsal), []round.StepID{"ready", "copy orders", "verify orders", "go", "announce", "quiesce", "drained", "close orders", "open orders"}},
		{"what it leaves out", unrehearsed, []round.StepID{"copy stock", "verify stock", "close stock", "open stock", "flip", "codes", "ramp"}},
		{"the gate's debts", rehearsal.Task("go").Step.Acknowledges, nil},
		{"what soak needs in a proof of concept", poc.Task("soak").Step.Needs, []round.StepID{"close orders", "close stock"}},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("%s:\n got %v\nwant %v", c.what, c.got, c.want)
		}
	}
	for i := range poc.Tasks {
		if r := poc.Tasks[i].Step.Role; r != "" {
			t.Errorf("step %s of a proof of concept has the role %s", poc.Tasks[i].Step.ID, r)
		}
	}
	if closes := poc.Task("close stock"); closes.Do != "rehearse" || closes.Step.Undo != round.UndoNothing || closes.Back != "" || closes.Config != "preprod/stock.yaml" {
		t.Errorf("close stock in a proof of concept: %+v", closes)
	}
	if soak := poc.Task("soak"); soak.For != 10*time.Second || soak.Do != "" {
		t.Errorf("a soak in a proof of concept: %+v", soak)
	}
	if closes := rehearsal.Task("close orders"); closes.Config != "preprod/orders-scratch.yaml" || closes.Step.Role != round.RoleClose {
		t.Errorf("close orders in a rehearsal: %+v", closes)
	}
	if q := rehearsal.Task("quiesce"); q.Do != "./quiesce --scratch on" || q.Back != "./quiesce --scratch off" || q.Check != "" || q.Step.Undo != round.UndoAction {
		t.Errorf("a hook's form: %+v", q)
	}
	if ready := rehearsal.Task("ready"); ready.Do != "https://deploy.shop.example/ready?environment=scratch" || ready.Step.Undo != round.UndoNothing {
		t.Errorf("a step's form: %+v", ready)
	}
	if _, _, err := (&Platform{}).Script(&Environment{}, "dream"); err == nil {
		t.Error("a round for nothing")
	}
}

// TestRehearsalGoesOn: in the built-in steps, which end in a message too, everything but the finish and its gate is rehearsed.
func TestRehearsalGoesOn(t *testing.T) {
	p := Platform{Environments: []Environment{{Name: "e", Databases: []Database{{Name: "d", Config: "c", Rehearsal: "r"}}}}}
	s, unrehearsed, err := p.Script(&p.Environments[0], Rehearsal)
	if err != nil || unrehearsed != nil {
		t.Fatal(err, unrehearsed)
	}
	live, _, err := p.Script(&p.Environments[0], Live)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids(&live) {
		left := slices.Contains([]round.StepID{"soak", "part", "finish d"}, id)
		if (s.Task(id) == nil) != left {
			t.Errorf("step %s: left out %t, want %t", id, s.Task(id) == nil, left)
		}
	}
}

// TestAnyTrial: whatever the steps, when the live round is right the others are, and everything that is left out is accounted for.
func TestAnyTrial(t *testing.T) {
	right := 0
	rapid.Check(t, func(t *rapid.T) {
		p := Platform{Steps: templates().Draw(t, "steps"), Environments: []Environment{{Name: "e", Databases: []Database{{Name: "a", Config: "a", Rehearsal: "s", Group: "g"}, {Name: "b", Config: "b", Group: "g"}}}}}
		e := &p.Environments[0]
		plan, err := p.Plan(e)
		if err != nil {
			return
		}
		right++
		for _, purpose := range []Purpose{PoC, Rehearsal} {
			s, unrehearsed, err := p.Script(e, purpose)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Plan().Check(); err != nil {
				t.Fatalf("%s: %v", purpose, err)
			}
			for _, id := range unrehearsed {
				if s.Task(id) != nil || plan.Step(id) == nil || plan.Step(id).Role == round.RoleFinish {
					t.Fatalf("%s: %s is not left out of it for want of a form", purpose, id)
				}
			}
			order(t, plan, &s)
			for i := range s.Tasks {
				if r := s.Tasks[i].Step.Role; r == round.RoleFinish || purpose == PoC && r != "" {
					t.Fatalf("%s: step %s has the role %s", purpose, s.Tasks[i].Step.ID, r)
				}
			}
		}
	})
	if right < 10 {
		t.Errorf("only %d of the rounds were right", right)
	}
}

// order holds that of two steps of a round that is not live the one stands before the other exactly where it does in the live one.
func order(t *rapid.T, live *round.Plan, s *round.Script) {
	was, is := above(live), above(s.Plan())
	for _, a := range ids(s) {
		for _, b := range ids(s) {
			if was[b][a] != is[b][a] {
				t.Fatalf("step %s stands before %s: %t in the live round, %t here", a, b, was[b][a], is[b][a])
			}
		}
	}
}

// above lists what stands before each step, by Warshall's closure.
func above(p *round.Plan) map[round.StepID]map[round.StepID]bool {
	out := map[round.StepID]map[round.StepID]bool{}
	for _, s := range p.Steps {
		out[s.ID] = map[round.StepID]bool{}
		for _, n := range s.Needs {
			out[s.ID][n] = true
		}
	}
	for _, k := range p.Steps {
		for _, i := range p.Steps {
			for _, j := range p.Steps {
				if out[i.ID][k.ID] && out[k.ID][j.ID] {
					out[i.ID][j.ID] = true
				}
			}
		}
	}
	return out
}

// templates draws steps among which a database closes, opens and finishes.
func templates() *rapid.Generator[[]Step] {
	return rapid.Custom(func(t *rapid.T) []Step {
		steps := []Step{
			{Name: "go", Kind: "gate", Quorum: 1, Acknowledges: nil},
			{Name: "close", Kind: "automated", Each: "database", Do: "close", Undo: "reopen", Needs: []string{"go"}},
			{Name: "open", Kind: "automated", Each: "database", Do: "open", Undo: "back", Needs: []string{"close"}},
			{Name: "part", Kind: "gate", Quorum: 1, Needs: []string{"open"}},
			{Name: "finish", Kind: "automated", Each: "database", Do: "finish", Undo: "impossible", Needs: []string{"part"}},
		}
		for i := range rapid.IntRange(0, 8).Draw(t, "more") {
			s := Step{Name: string(rune('p' + i)), Undo: rapid.SampledFrom([]string{"nothing", "undo it"}).Draw(t, "undo"), Quorum: 1, Do: "x"}
			s.Kind = string(rapid.SampledFrom([]round.Kind{round.KindHook, round.KindManual, round.KindWait, round.KindGate, round.KindTraffic, round.KindMessage}).Draw(t, "kind"))
			s.Each = rapid.SampledFrom([]string{"", "", "database"}).Draw(t, "each")
			s.Rehearse = rapid.SampledFrom([]string{"", "y"}).Draw(t, "form")
			if rapid.IntRange(0, 9).Draw(t, "for good") == 0 {
				s.Undo = "impossible"
				steps[0].Acknowledges = append(steps[0].Acknowledges, s.Name)
				s.Needs = append(s.Needs, "go")
			}
			// It stands somewhere: behind some, before others. Circles are no rounds, and are passed over.
			for _, j := range rapid.SliceOfNDistinct(rapid.IntRange(0, len(steps)-1), 0, 2, rapid.ID[int]).Draw(t, "behind") {
				s.Needs = append(s.Needs, steps[j].Name)
			}
			if rapid.Bool().Draw(t, "is needed") {
				j := rapid.IntRange(0, len(steps)-1).Draw(t, "before")
				steps[j].Needs = append(slices.Clone(steps[j].Needs), s.Name)
			}
			steps = append(steps, s)
		}
		return steps
	})
}

// TestHash holds what a rehearsal is about and what it is not.
func TestHash(t *testing.T) {
	live, _, _, _, _ := scripts(t, "prod-eu")
	base := Hash(live, "schema 1", "bascule 1")
	if len(base) != 64 || base != Hash(live, "schema 1", "bascule 1") {
		t.Errorf("hash %s", base)
	}
	changed := func(change func(*round.Task)) string {
		s := live
		s.Tasks = slices.Clone(live.Tasks)
		change(&s.Tasks[0])
		return Hash(s, "schema 1", "bascule 1")
	}
	for name, same := range map[string]string{
		"an endpoint": changed(func(t *round.Task) { t.Config = "elsewhere.yaml" }),
		"an owner":    changed(func(t *round.Task) { t.Owner = "eve" }),
		"a backup":    changed(func(t *round.Task) { t.Backup = "eve" }),
		"approvers":   changed(func(t *round.Task) { t.Approvers = []string{"eve"} }),
		"a title":     changed(func(t *round.Task) { t.Title = "other" }),
	} {
		if same != base {
			t.Errorf("%s counts", name)
		}
	}
	for name, other := range map[string]string{
		"a schema":        Hash(live, "schema 2", "bascule 1"),
		"what is where":   Hash(live, "schema 1bascule 1"),
		"a program":       Hash(live, "schema 1", "bascule 2"),
		"a command":       changed(func(t *round.Task) { t.Do += " --hard" }),
		"an undo":         changed(func(t *round.Task) { t.Back += " --hard" }),
		"a need":          changed(func(t *round.Task) { t.Step.Needs = []round.StepID{"copy orders"} }),
		"a timeout":       changed(func(t *round.Task) { t.Timeout = time.Hour }),
		"a quorum":        changed(func(t *round.Task) { t.Step.Quorum = 3 }),
		"a step":          Hash(round.Script{Tasks: live.Tasks[1:], Limits: live.Limits, Across: live.Across, Watches: live.Watches, MaxLag: live.MaxLag}, "schema 1", "bascule 1"),
		"a watch":         Hash(round.Script{Tasks: live.Tasks, Limits: live.Limits, Across: live.Across, MaxLag: live.MaxLag}, "schema 1", "bascule 1"),
		"nothing further": Hash(live),
	} {
		if other == base {
			t.Errorf("%s does not count", name)
		}
	}
	if live.Tasks[0].Config != "" || live.Task("copy orders").Config == "" || live.Task("ready").Title == "" {
		t.Error("the hash has changed the script")
	}
}
