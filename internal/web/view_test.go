package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/store"
)

// view reads what the page of a scene's round gets.
func view[T any](t *testing.T, s *scene, section, key string) (v T) {
	t.Helper()
	d, err := s.server().watch(s.id).document(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	raw, ok := d[section][key]
	if !ok {
		t.Fatalf("there is no %s %s", section, key)
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVerdicts(t *testing.T) {
	const atGate = copied + "0s started: go\n1m done: go\n"
	const open = atGate + "1m bob says go: go\n0s started: announce\n1s done: announce\n0s started: quiesce\n1m done: quiesce | seen\n"
	for name, tc := range map[string]struct {
		script string
		then   func(*scene)
		level  level
		text   string
	}{
		"Begun":   {"0s started: freeze", nil, levelWait, "Waiting for an operator: evidence that it is done"},
		"Copying": {"0s started: freeze\n1m started: ttl\n1m done: ttl | x\n0s done: freeze | x\n0s started: standby\n1s done: standby | x\n0s started: copy *", nil, levelFine, "On its way"},
		"Gate":    {atGate, nil, levelWait, "Waiting for an approver: go or no-go: 0 of 1 said go"},
		"Failed":  {"0s started: copy orders\n1m failed: copy orders | no space", nil, levelWarn, "copy orders has failed; nothing is lost, and nothing goes on behind it"},
		"Paused":  {"0s paused", nil, levelWait, "Paused: nothing new starts"},
		"Unsure":  {"0s started: copy orders\n0s lost: copy orders", nil, levelAlert, "Nobody knows what became of copy orders"},
		"Nobody":  {"0s started: copy orders", func(s *scene) { s.holders[s.id].Until = s.at }, levelWarn, "Nobody drives this round"},
		"Late":    {"8h started: copy orders", nil, levelWarn, "Its window is over"},
		"Freeze":  {open + "0s started: close orders", nil, levelFine, "On its way, with writes stopped"},
		"FreezeOfNobody": {
			open + "0s started: close orders",
			func(s *scene) { s.holders[s.id].Until = s.at }, levelAlert, "Nobody drives this round, and writes are stopped",
		},
		"Aborting": {open + "0s started: close orders\n9s failed: close orders | it does not drain", nil, levelWarn, "It is being undone"},
		"Asking": {
			open + "0s started: close *\n9s done: close *\n0s started: open *\n1s done: open orders\n1s done: open stock\n1s done: open search\n1s failed: open users | timeout",
			nil, levelAlert, "Somebody must decide: forward or fall back",
		},
		"Aborted": {"0s aborted", nil, levelOver, "Aborted: everything is as it was before"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, "prod-ap").tell(tc.script)
			if tc.then != nil {
				s.set(func() { tc.then(s) })
			}
			if got := view[headView](t, s, sectionHead, sectionHead).Verdict; got.Level != tc.level || got.Text != tc.text {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestFreezeView(t *testing.T) {
	s := newScene(t, "prod-ap")
	freezeScene(s)
	h := view[headView](t, s, sectionHead, sectionHead)
	closed := s.at.Add(-93*time.Second - 54*time.Second) // by the scene: 42 + 8 + 4 s, and the 93 s of the note
	if h.Freeze.From != closed.UnixMilli() {
		t.Errorf("writes were stopped at %v, want %v", time.UnixMilli(h.Freeze.From).UTC(), closed)
	}
	if got, want := strings.Join(h.Acts, " "), "fallback"; got != want {
		t.Errorf("it offers %s", got)
	}
	if fmt.Sprint(h.Running) != "[close stock close users]" || fmt.Sprint(h.Next) != "[open orders open stock open users]" {
		t.Errorf("running %v, next %v", h.Running, h.Next)
	}
	search, users := view[databaseView](t, s, sectionDatabases, "search"), view[databaseView](t, s, sectionDatabases, "users")
	if search.Side != "new" || search.Freeze.Took != 54000 || search.Proof != "last" || users.Side != "none" || users.Proof != "all" || users.Freeze.From != closed.UnixMilli() {
		t.Errorf("%+v\n%+v", search, users)
	}
	if lag := *view[pulseView](t, s, sectionPulse, "users").Lag; lag != 350+2*2*1900 || users.Tables != 30 || users.Done != 30 || !users.Live {
		t.Errorf("%+v", users)
	}
}

// TestQuiet: while nothing happens, nothing is sent, though time goes by.
func TestQuiet(t *testing.T) {
	s := newScene(t, "prod-ap")
	askScene(s)
	w := s.server().watch(s.id)
	one, err := w.document(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.set(func() { s.at = s.at.Add(200 * time.Millisecond) })
	two, err := w.document(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := two.since(one); diff != nil {
		t.Errorf("%s", diff)
	}
}

// TestNoSecrets: the paths of webhooks, which are often all that keeps others out, are not shown.
func TestNoSecrets(t *testing.T) {
	s := newScene(t, "prod-ap")
	secret := s.token("ann")
	s.set(func() {
		task := s.rounds[0].Script.Task("quiesce")
		task.Do, task.Check, task.Back = "https://hooks.example/services/T0/B0/s3cr3t", "http://u:s3cr3t@hooks.example/?k=s3cr3t", "https://x/ s3cr3t"
	})
	gateScene(s)
	h := s.server().handler()
	for _, address := range []string{"/", "/api/rounds", "/api/rounds/prod-ap-1", "/api/rounds/prod-ap-1/entries?before=5", "/api/history", "/api/history.svg", "/metrics"} {
		body := call(t, h, http.MethodGet, address, "", nil).Body.String()
		for _, word := range []string{"s3cr3t", secret, hashOf(secret)} {
			if strings.Contains(body, word) {
				t.Errorf("%s shows %s", address, word)
			}
		}
	}
	if got := view[planView](t, s, sectionPlan, "quiesce").Do; got != "https://hooks.example/…" {
		t.Errorf("it shows %s", got)
	}
}

func TestBrokenJournal(t *testing.T) {
	s := newScene(t, "prod-ap")
	gateScene(s)
	s.round("preprod", "ann")
	s.set(func() { s.add(s.id, 1, round.Event{What: round.Done, Step: "copy orders"}) })
	h := s.server().handler()
	if w := call(t, h, "GET", "/api/rounds/preprod-1", "", nil); w.Code != 500 || !strings.Contains(w.Body.String(), "entry 1 of round preprod-1") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	list := call(t, h, "GET", "/api/rounds", "", nil).Body.String()
	if !strings.Contains(list, "play entry 1 of round preprod-1") || !strings.Contains(list, "Waiting for an approver") {
		t.Errorf("the list is %s", list)
	}
	for _, address := range []string{"/metrics", "/api/history"} {
		if w := call(t, h, "GET", address, "", nil); w.Code != 200 || !strings.Contains(w.Body.String(), "prod-ap-1") {
			t.Errorf("%s: %d", address, w.Code)
		}
	}
	if w := call(t, h, "POST", "/api/rounds/preprod-1/note", `{"reason":"x"}`, acts(s.token("ann"))); w.Code != 500 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestOlderEntries(t *testing.T) {
	s := newScene(t, "prod-ap")
	for i := range 450 {
		s.note(fmt.Sprint(i))
	}
	h := s.server().handler()
	first := 0
	for _, tc := range []struct{ before, from, to int }{{451, 251, 450}, {251, 51, 250}, {51, 1, 50}, {1, 0, 0}} {
		var m message
		w := call(t, h, "GET", fmt.Sprintf("/api/rounds/prod-ap-1/entries?before=%d", tc.before), "", nil)
		if err := json.Unmarshal(w.Body.Bytes(), &m); tc.before > 1 && err != nil {
			t.Fatal(err)
		}
		want := max(0, tc.to-tc.from+1)
		if tc.to == 0 {
			want = 0
		}
		if got := len(m.Sections[sectionEntries]); got != want {
			t.Errorf("before %d are %d", tc.before, got)
		}
		if tc.to > 0 && (m.Sections[sectionEntries][fmt.Sprint(tc.from)] == nil || m.Sections[sectionEntries][fmt.Sprint(tc.to)] == nil) {
			t.Errorf("before %d: not %d to %d", tc.before, tc.from, tc.to)
		}
		first += len(m.Sections[sectionEntries])
	}
	if first != 450 {
		t.Errorf("%d of 450", first)
	}
	if w := call(t, h, "GET", "/api/rounds/prod-ap-1/entries", "", nil); w.Code != 400 {
		t.Errorf("%d", w.Code)
	}
}

func TestMetrics(t *testing.T) {
	s := newScene(t, "prod-ap")
	freezeScene(s)
	w := call(t, s.server().handler(), "GET", "/metrics", "", nil)
	p := expfmt.NewTextParser(model.UTF8Validation)
	families, err := p.TextToMetricFamilies(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for name, f := range families {
		if f.GetHelp() == "" {
			t.Errorf("%s says nothing of itself", name)
		}
		for _, m := range f.GetMetric() {
			key := name
			for _, l := range m.GetLabel() {
				switch l.GetName() {
				case "round", "environment", "kind":
				default:
					key += " " + l.GetValue()
				}
			}
			got[key] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	for key, want := range map[string]float64{
		"bascule_round_phase running": 1, "bascule_round_phase asking": 0, "bascule_round_writes_stopped": 1, "bascule_round_write_freeze_seconds": 147,
		"bascule_round_step_status running close stock": 1, "bascule_database_lag_seconds users": 7.95, "bascule_database_sign_age_seconds search": 47,
		"bascule_database_write_freeze_seconds search": 54, "bascule_sse_viewers": 0, "bascule_round_driven": 1, "bascule_round_waits": 0,
	} {
		if v, ok := got[key]; !ok || v != want {
			t.Errorf("%s is %v, want %v", key, v, want)
		}
	}
	for key := range got {
		if strings.HasPrefix(key, "bascule_round_step_status") && strings.Contains(key, "close stock") {
			t.Log(key)
		}
	}
}

// TestRealStore: what the dashboard takes is in the journal that drivers read.
func TestRealStore(t *testing.T) {
	st, err := store.Open(t.Context(), t.TempDir()+"/rounds.db")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	plan := newScene(t, "preprod")
	r := plan.rounds[0]
	r.ID, r.Number, r.Began = "", 0, time.Time{}
	if err := st.Create(t.Context(), &r); err != nil {
		t.Fatal(err)
	}
	secret := "a secret"
	if err := st.AddToken(t.Context(), store.Token{ID: "t1", Person: "ann", Hash: hashOf(secret), Created: time.Now(), Expires: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if err := st.Sign(t.Context(), r.ID, "orders", json.RawMessage(`{"lag_ns": 1500000000}`)); err != nil {
		t.Fatal(err)
	}
	h := Handler(Options{Store: st, Platform: plan.p})
	if w := call(t, h, "POST", "/api/rounds/"+r.ID+"/note", `{"reason": "by the page"}`, acts(secret)); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	entries, err := st.Entries(t.Context(), r.ID, 0)
	if err != nil || len(entries) != 1 || entries[0].Event.Who != "ann" || entries[0].Event.Reason != "by the page" {
		t.Errorf("%v %v", entries, err)
	}
	body := call(t, h, "GET", "/api/rounds/"+r.ID, "", nil).Body.String()
	if !strings.Contains(body, "by the page") || !strings.Contains(body, `"lag":1500`) {
		t.Errorf("it shows %s", body)
	}
	if w := call(t, h, "GET", "/api/rounds", "", map[string]string{"Authorization": "Bearer wrong"}); w.Code != 401 {
		t.Errorf("%d", w.Code)
	}
	if w := call(t, h, "GET", "/api/rounds/none", "", nil); w.Code != 404 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
