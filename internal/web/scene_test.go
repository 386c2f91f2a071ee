package web

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bascule/bascule/internal/platform"
	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/account"
	"github.com/bascule/bascule/internal/round/store"
)

// bazaar is the platform of the scenes: three databases of the shop switch together.
const bazaar = `
platform: bazaar
people:
- {name: ann, roles: [operate]}
- {name: bob, roles: [approve]}
- {name: eve, roles: [view]}
environments:
- name: preprod
  zone: Europe/Paris
  databases: [{name: orders, config: orders.yaml}]
- name: prod-ap
  production: true
  zone: Asia/Tokyo
  databases:
  - {name: orders, config: orders.yaml, group: shop}
  - {name: stock, config: stock.yaml, group: shop}
  - {name: users, config: users.yaml, group: shop}
  - {name: search, config: search.yaml}
- name: prod-eu
  production: true
  zone: Europe/Paris
  databases: [{name: orders, config: orders.yaml}]
`

func bazaarPlatform(t *testing.T) *platform.Platform {
	t.Helper()
	p, err := platform.Parse([]byte(bazaar))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// scene is a store in which a round is told, and the dashboard over it.
type scene struct {
	t *testing.T
	*memory
	id string
	p  *platform.Platform
}

// began is when the scenes' rounds begin: in the night before a Sunday.
var began = time.Date(2026, 10, 17, 15, 0, 0, 0, time.UTC)

func newScene(t *testing.T, environment string) *scene {
	t.Helper()
	s := &scene{t: t, memory: newMemory(), p: bazaarPlatform(t)}
	s.at = began
	s.round(environment, "ann")
	return s
}

// round begins a round of an environment, driven by somebody.
func (s *scene) round(environment, who string) {
	s.t.Helper()
	e := s.p.Environment(environment)
	script, _, err := s.p.Script(e, platform.Live)
	if err != nil {
		s.t.Fatal(err)
	}
	r := store.Round{
		Environment: environment, Kind: store.Live, Production: e.Production, Began: s.at, Who: who, Script: script, Hash: "5ca1ab1e", Program: "test", Zone: e.Zone,
		WindowFrom: s.at, WindowTo: s.at.Add(6 * time.Hour),
	}
	s.set(func() {
		r.Number = 1
		for _, other := range s.rounds {
			if other.Environment == environment {
				r.Number++
			}
		}
		r.ID = fmt.Sprintf("%s-%d", environment, r.Number)
		s.rounds = append(s.rounds, r)
		s.id = r.ID
		s.holders[r.ID] = &store.Holder{Who: who, Epoch: 1, Since: s.at, Until: s.at.Add(1000 * time.Hour)}
	})
}

// tell plays a script: on each line how much time passes first, what happens, and after a colon the step; behind a bar the reason or the evidence. Several
// databases' steps are one line with a star. It must be what can happen.
func (s *scene) tell(script string) *scene {
	s.t.Helper()
	r, err := s.Round(s.t.Context(), s.id)
	if err != nil {
		s.t.Fatal(err)
	}
	events := []round.Event{}
	for _, e := range s.entries[s.id] {
		events = append(events, e.Event)
	}
	state, n, err := round.Replay(r.Script.Plan(), events)
	if err != nil {
		s.t.Fatalf("entry %d: %v", n, err)
	}
	for line := range strings.Lines(script) {
		line, text, _ := strings.Cut(strings.TrimSpace(line), " | ")
		if line == "" {
			continue
		}
		after, rest, _ := strings.Cut(line, " ")
		d, err := time.ParseDuration(after)
		if err != nil {
			s.t.Fatal(err)
		}
		s.set(func() { s.at = s.at.Add(d) })
		what, step, _ := strings.Cut(rest, ": ")
		for _, id := range s.steps(r, step) {
			e := round.Event{What: round.What(what), Step: id, Who: "ann", Reason: text}
			if e.What == round.Done {
				e.Reason, e.Evidence = "", text
			}
			if who, of, ok := strings.Cut(what, " says "); ok {
				e.Who, e.What = who, round.What(of)
			}
			if err := state.Apply(e); err != nil {
				s.t.Fatalf("%s: %v", line, err)
			}
			s.set(func() { s.add(s.id, 1, e) })
		}
	}
	return s
}

func (s *scene) steps(r *store.Round, name string) (ids []round.StepID) {
	prefix, many := strings.CutSuffix(name, " *")
	if !many {
		return []round.StepID{round.StepID(name)}
	}
	for i := range r.Script.Tasks {
		if id := r.Script.Tasks[i].Step.ID; account.Template(id) == prefix {
			ids = append(ids, id)
		}
	}
	return ids
}

// copied is a round until all of its databases are compared.
const copied = `
0s started: freeze
1m started: ttl
4m done: freeze | deploys are stopped: pipeline 8841 is paused
0s started: standby
3m done: ttl | dig shows 60
0s started: copy *
22m done: standby | 0 of 0 pods, 14 jobs suspended
35m done: copy *
0s started: verify *
12m done: verify *
`

// sign writes a database's sign of life.
func (s *scene) sign(name string, age, lag time.Duration, rows, tables int) {
	type table struct {
		Name  string `json:"name"`
		Rows  int    `json:"rows"`
		Bytes int    `json:"bytes"`
		Done  bool   `json:"done"`
	}
	body := map[string]any{"lag_ns": lag, "lag_bytes": lag.Milliseconds() * 917, "rows_per_second": rows, "applied_position": "binlog.000042:19471", "side": "old"}
	var ts []table
	for i := range tables {
		ts = append(ts, table{fmt.Sprintf("%s_%02d", name, i), 1200 + i*77771, 48000 + i*6222211, true})
	}
	body["tables"] = ts
	raw, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	s.set(func() {
		if s.signs[s.id] == nil {
			s.signs[s.id] = map[string]store.Sign{}
		}
		s.signs[s.id][name] = store.Sign{At: s.at.Add(-age), Body: raw}
	})
}

// server is the dashboard of the scene; its clock is the store's.
func (s *scene) server(change ...func(*Options)) *server {
	o := Options{Store: s.memory, Platform: s.p, Now: s.now, Version: "1.2.3"}
	for _, c := range change {
		c(&o)
	}
	return newServer(o, newEstimates(o.Past).draw)
}
