package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bascule/bascule/internal/platform"
	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/store"
)

// TestRoles: who may say what, in the middle of a gate at which nothing else is asked.
func TestRoles(t *testing.T) {
	const all = "approve decline done retry skip note pause resume abort forward fallback"
	for who, may := range map[string]string{
		"":        "",
		"mallory": "", // has a token, and is not in bascule.yaml
		"eve":     "note",
		"ann":     "done retry skip note pause resume abort forward fallback",
		"bob":     all, // whoever approves may do what operators do
	} {
		for action := range strings.FieldsSeq(all) {
			s := newScene(t, "prod-ap")
			gateScene(s)
			secret := ""
			if who != "" {
				secret = s.token(who)
			}
			step := `"step": "go", `
			if slices.Contains([]string{"pause", "resume", "abort", "forward", "fallback"}, action) {
				step = ""
			}
			before := len(s.entries[s.id])
			w := call(t, s.server().handler(), "POST", "/api/rounds/prod-ap-1/"+action, `{`+step+`"reason": "so it is", "evidence": "seen"}`, acts(secret))
			wrote := len(s.entries[s.id]) - before
			allowed := slices.Contains(strings.Fields(may), action)
			switch {
			case who == "" && w.Code != 401, who != "" && !allowed && w.Code != 403, allowed && w.Code != 200 && w.Code != 409:
				t.Errorf("%s says %s: %d %s", who, action, w.Code, w.Body)
			case (w.Code == 200) != (wrote == 1):
				t.Errorf("%s says %s: %d, and %d entries were written", who, action, w.Code, wrote)
			}
			if wrote == 1 {
				e := s.entries[s.id][before]
				if e.Event.Who != who || e.Epoch != 0 || e.Event.Reason != "so it is" && action != "done" {
					t.Errorf("%s says %s: %+v", who, action, e)
				}
			}
		}
	}
}

func TestWhatIsSaid(t *testing.T) {
	for name, tc := range map[string]struct {
		action, body string
		code         int
	}{
		"Go":              {"approve", `{"step": "go"}`, 200},
		"GoOfNoStep":      {"approve", `{}`, 400},
		"GoOfNoGate":      {"approve", `{"step": "copy orders"}`, 409},
		"UnknownStep":     {"approve", `{"step": "lunch"}`, 409},
		"NoGo":            {"decline", `{"step": "go", "reason": "not today"}`, 200},
		"NoGoWithoutWhy":  {"decline", `{"step": "go"}`, 400},
		"Abort":           {"abort", `{"reason": "not today"}`, 200},
		"AbortWithoutWhy": {"abort", `{}`, 400},
		"AbortOfAStep":    {"abort", `{"step": "go", "reason": "x"}`, 400},
		"Fallback":        {"fallback", `{"reason": "x"}`, 409},
		"DoneByHand":      {"done", `{"step": "copy orders", "evidence": "seen"}`, 409},
		"SkipAGate":       {"skip", `{"step": "go", "reason": "x"}`, 409},
		"Note":            {"note", `{"reason": "slow", "kind": "problem", "owner": "ann"}`, 200},
		"NoteOfNoKind":    {"note", `{"reason": "slow", "kind": "joke"}`, 400},
		"EmptyNote":       {"note", `{}`, 400},
		"KindOfNoNote":    {"abort", `{"reason": "x", "kind": "problem"}`, 400},
		"LongNote":        {"note", `{"reason": "` + strings.Repeat("x", longest+1) + `"}`, 400},
		"HugeNote":        {"note", `{"reason": "` + strings.Repeat("x", largest) + `"}`, 400},
		"NoJSON":          {"note", `reason=x`, 400},
		"UnknownField":    {"note", `{"reason": "x", "who": "bob"}`, 400},
		"UnknownAction":   {"finish", `{}`, 404},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, "prod-ap")
			gateScene(s)
			before := len(s.entries[s.id])
			w := call(t, s.server().handler(), "POST", "/api/rounds/prod-ap-1/"+tc.action, tc.body, acts(s.token("bob")))
			if w.Code != tc.code {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			if wrote := len(s.entries[s.id]) - before; (wrote == 1) != (tc.code == 200) {
				t.Errorf("%d entries were written", wrote)
			}
			var p problem
			if tc.code != 200 && (json.Unmarshal(w.Body.Bytes(), &p) != nil || p.Error == "") {
				t.Errorf("it does not say why: %s", w.Body)
			}
		})
	}
}

func TestApprovers(t *testing.T) {
	s := newScene(t, "prod-ap")
	gateScene(s)
	s.set(func() { s.rounds[0].Script.Task("go").Approvers = []string{"carol"} })
	h := s.server(func(o *Options) {
		o.Platform.People = append(o.Platform.People, platform.Person{Name: "carol", Roles: []platform.Role{platform.RoleApprove}})
	}).handler()
	for _, action := range []string{"approve", "decline"} {
		if w := call(t, h, "POST", "/api/rounds/prod-ap-1/"+action, `{"step": "go", "reason": "x"}`, acts(s.token("bob"))); w.Code != 403 {
			t.Errorf("bob says %s: %d %s", action, w.Code, w.Body)
		}
	}
	if w := call(t, h, "POST", "/api/rounds/prod-ap-1/approve", `{"step": "go"}`, acts(s.token("carol"))); w.Code != 200 {
		t.Errorf("carol: %d %s", w.Code, w.Body)
	}
	if w := call(t, h, "POST", "/api/rounds/prod-ap-1/approve", `{"step": "go"}`, acts(s.token("carol"))); w.Code != 409 {
		t.Errorf("carol, once more: %d %s", w.Code, w.Body)
	}
}

// TestSomebodyFaster: what a person says is checked against what others wrote meanwhile, and not lost.
func TestSomebodyFaster(t *testing.T) {
	s := newScene(t, "prod-ap")
	gateScene(s)
	h, secret := s.server().handler(), s.token("bob")
	s.set(func() { s.behind = 3 })
	if w := call(t, h, "POST", "/api/rounds/prod-ap-1/approve", `{"step": "go"}`, acts(secret)); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	s.set(func() { s.behind = 100 })
	w := call(t, h, "POST", "/api/rounds/prod-ap-1/note", `{"reason": "x"}`, acts(secret))
	if w.Code != 409 || !strings.Contains(w.Body.String(), "try again") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	s.set(func() { s.behind, s.fail = 0, errors.New("the disk is full") })
	if w := call(t, h, "POST", "/api/rounds/prod-ap-1/note", `{"reason": "x"}`, acts(secret)); w.Code != 500 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestReadonly(t *testing.T) {
	s := newScene(t, "prod-ap")
	h := s.server(func(o *Options) { o.Readonly = true }).handler()
	if w := call(t, h, "POST", "/api/rounds/prod-ap-1/note", `{"reason": "x"}`, acts(s.token("bob"))); w.Code != 403 || len(s.entries[s.id]) != 0 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestTokens(t *testing.T) {
	s := newScene(t, "prod-ap")
	srv := s.server()
	h, secret := srv.handler(), s.token("ann")
	status := func(secret string) int {
		return call(t, h, "GET", "/api/rounds", "", map[string]string{"Authorization": "Bearer " + secret}).Code
	}
	if got := status(secret); got != 200 {
		t.Errorf("a token: %d", got)
	}
	if got := status("guessed"); got != 401 {
		t.Errorf("a guess, where nobody needs a token: %d", got)
	}
	change := func(do func(*store.Token)) {
		s.set(func() {
			k := s.tokens[hashOf(secret)]
			do(&k)
			s.tokens[hashOf(secret)] = k
		})
	}
	signed := call(t, h, "POST", "/api/login", `{"token": " `+secret+`\n"}`, acts(""))
	cookies := signed.Result().Cookies()
	if signed.Code != 200 || len(cookies) != 1 {
		t.Fatalf("%d %v", signed.Code, cookies)
	}
	c := cookies[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Secure || strings.Contains(c.Value, secret) || len(c.Value) < 20 {
		t.Errorf("the cookie is %+v", c)
	}
	note := func() int {
		header := acts("")
		header["Cookie"] = c.Name + "=" + c.Value
		return call(t, h, "POST", "/api/rounds/prod-ap-1/note", `{"reason": "x"}`, header).Code
	}
	if got := note(); got != 200 {
		t.Errorf("with a session: %d", got)
	}
	change(func(k *store.Token) { k.Revoked = began })
	if got, also := status(secret), note(); got != 401 || also != 401 {
		t.Errorf("revoked: %d, and its session %d", got, also)
	}
	change(func(k *store.Token) { k.Revoked, k.Expires = time.Time{}, began })
	if got, also := status(secret), note(); got != 401 || also != 401 {
		t.Errorf("expired: %d, and its session %d", got, also)
	}
	change(func(k *store.Token) { k.Expires = began.Add(1000 * time.Hour) })
	if got := note(); got != 200 {
		t.Errorf("renewed: %d", got)
	}
	s.set(func() { s.at = began.Add(sessionTime) })
	if got := note(); got != 401 {
		t.Errorf("after %v: %d", sessionTime, got)
	}
	srv.Hosts = []string{"bascule.example"}
	c = call(t, h, "POST", "/api/login", `{"token": "`+secret+`"}`, acts("")).Result().Cookies()[0]
	if !c.Secure || c.Name != "__Host-bascule" {
		t.Errorf("behind a proxy the cookie is %+v", c)
	}
	if got := note(); got != 200 {
		t.Errorf("%d", got)
	}
	header := acts("")
	header["Cookie"] = c.Name + "=" + c.Value
	if got := call(t, h, "POST", "/api/logout", `{}`, header).Code; got != 204 || note() != 401 {
		t.Errorf("signed out: %d, and a note %d", got, note())
	}
}

// TestOffers: what the page offers can be said, and what can be said it offers, wherever a random round gets to.
func TestOffers(t *testing.T) {
	p := bazaarPlatform(t)
	script, _, err := p.Script(p.Environment("preprod"), platform.Live)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for seed := range uint64(80) {
		r := rand.New(rand.NewPCG(seed, 7))
		s := round.New(script.Plan())
		for range 250 {
			if s.Apply(anything(r, s)) == nil && r.IntN(3) == 0 {
				offered(t, s, seen)
			}
		}
	}
	for action := range sayings {
		if seen[action] == 0 && action != "note" {
			t.Errorf("%s was never offered: the test says nothing of it", action)
		}
	}
}

// anything is an event that is likely to be possible, and to lead on.
func anything(r *rand.Rand, s *round.State) round.Event {
	e := round.Event{Who: fmt.Sprint(r.IntN(9)), Reason: "x", Evidence: "x", Step: s.Plan.Steps[r.IntN(len(s.Plan.Steps))].ID}
	pick := func(of ...round.What) { e.What = of[r.IntN(len(of))] }
	next := s.Next()
	switch n := r.IntN(100); {
	case n < 40 && len(next) > 0:
		a := next[r.IntN(len(next))]
		e.Step, e.What = a.Step, round.UndoBegun
		if a.Verb == round.Do {
			e.What = round.Started
		}
	case n < 85:
		for _, step := range s.Plan.Steps { // one that runs
			st, id := s.Steps[step.ID], step.ID
			if st.Status == round.StatusRunning || st.Status == round.StatusUndoing || st.Status == round.StatusUnsure {
				e.Step = id
			}
		}
		pick(round.Done, round.Done, round.Go, round.ClosedBack, round.Undone, round.Done, round.Go)
		if s.Switched() && r.IntN(4) == 0 {
			e.What = round.Failed
		}
	case n < 96:
		pick(round.Failed, round.Lost, round.Absent, round.NoGo, round.Skipped, round.Retried, round.Retried, round.UndoFailed)
	default:
		e.Step = ""
		pick(round.Paused, round.Resumed, round.Resumed, round.Forward, round.Fallback, round.Aborted)
	}
	return e
}

func offered(t *testing.T, s *round.State, seen map[string]int) {
	t.Helper()
	can := func(action string, id round.StepID) bool {
		e := round.Event{What: sayings[action].what, Step: id, Who: "somebody", Reason: "x", Evidence: "x"}
		if e.What == round.Done {
			e = s.DoneBy("somebody", id, "x")
		}
		return s.Clone().Say(e) == nil
	}
	for i := range s.Plan.Steps {
		step := &s.Plan.Steps[i]
		if s.Steps[step.ID].Status == round.StatusDone {
			continue // nothing can be said of most of them, and clones are dear
		}
		offers := stepActs(s, step)
		for _, action := range []string{"approve", "decline", "done", "retry", "skip"} {
			offer := slices.Contains(offers, action)
			if offer {
				seen[action]++
			}
			if offer != can(action, step.ID) {
				t.Fatalf("%s of %s (%s, %s, round %s): offered %v", action, step.ID, step.Kind, s.Steps[step.ID].Status, s.Phase, offer)
			}
		}
	}
	for _, action := range []string{"pause", "resume", "abort", "forward", "fallback"} {
		offer := slices.Contains(roundActs(s), action)
		if offer {
			seen[action]++
		}
		if offer != can(action, "") && (action != "pause" || !s.Paused) { // twice says nothing
			t.Fatalf("%s in phase %s: offered %v", action, s.Phase, offer)
		}
	}
}
