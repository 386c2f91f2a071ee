package crashtest

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bascule/bascule/internal/crosscheck"
	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/account"
	"github.com/bascule/bascule/internal/servertest"
	"github.com/bascule/bascule/internal/storefront"
)

// move is a round of a group of databases, each with an application that writes to it.
type move struct {
	bin, dir       string
	source, target *servertest.Instance
	names          []string
	apps           map[string]*storefront.App
	urls           map[string][2]string // source and target of each database
}

// moveSteps is a round with a step of every kind but the finish. Its hooks count their calls.
const moveSteps = `
steps:
- {step: freeze, kind: hook, do: "echo $BASCULE_STEP $BASCULE_VERB >> calls", check: "grep -qx 'freeze do' calls", undo: nothing}
- {step: copy, kind: automated, each: database, do: copy, undo: nothing}
- {step: verify, kind: automated, each: database, needs: [copy], do: verify, undo: nothing}
- {step: go, kind: gate, needs: [freeze, verify], criteria: databases, quorum: 1, undo: nothing}
- {step: quiesce, kind: hook, needs: [go], do: "echo $BASCULE_STEP $BASCULE_VERB >> calls", check: "grep -qx 'quiesce do' calls", undo: "echo undone"}
- {step: close, kind: automated, each: database, needs: [quiesce], do: close, undo: open the old side}
- {step: open, kind: automated, each: database, needs: [close], do: open, undo: fall back}
- {step: endpoints, kind: hook, needs: [open], do: "echo $BASCULE_STEP $BASCULE_VERB >> calls", check: "grep -qx 'endpoints do' calls", undo: "echo undone"}
- {step: settled, kind: wait, needs: [endpoints], do: "true", undo: nothing}
`

func newMove(t *testing.T, names ...string) *move {
	t.Helper()
	m := &move{
		bin: build(t), dir: t.TempDir(), names: names, apps: map[string]*storefront.App{}, urls: map[string][2]string{},
		source: servertest.Private(t, servertest.KindMariaDB, servertest.Options{}), target: servertest.Private(t, servertest.KindPostgres15, servertest.Options{}),
	}
	var yaml strings.Builder
	yaml.WriteString("platform: shop\nenvironments:\n- name: preprod\n  databases:\n")
	m.target.Exec(t, m.target.URL, "CREATE ROLE shop LOGIN PASSWORD 'shop'")
	for _, n := range names {
		from := database(t, m.source, n)
		m.source.Exec(t, m.source.URL, "CREATE DATABASE "+n)
		m.source.Exec(t, from, storefront.Schema(shopAccounts)...)
		m.source.Exec(t, from, fmt.Sprintf("CREATE USER 'app_%s'@'%%' IDENTIFIED BY 'app_%[1]s'", n),
			fmt.Sprintf("GRANT SELECT, INSERT, UPDATE, DELETE ON %s.* TO 'app_%[1]s'@'%%'", n))
		m.target.Exec(t, m.target.URL, "CREATE DATABASE "+n)
		to := database(t, m.target, n)
		m.target.Exec(t, to, "ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO shop",
			"ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO shop")
		m.urls[n] = [2]string{from, to}
		write(t, m.dir, n+".yaml", fmt.Sprintf("source: %s\ntarget: %s\napp-user: [app_%s]\nspool: %s\n", from, to, n, filepath.Join(m.dir, "spool")))
		fmt.Fprintf(&yaml, "  - {name: %s, config: %[1]s.yaml, group: core}\n", n)
		app := &storefront.App{Old: as(t, from, "app_"+n), New: as(t, to, "shop"), Schema: "public", Clients: 2, Rate: 40, Accounts: shopAccounts, NoteBytes: 60}
		if err := app.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		m.apps[n] = app
	}
	write(t, m.dir, "calls", "")
	write(t, m.dir, "bascule.yaml", yaml.String()+moveSteps)
	return m
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// args are a command about rounds.
func (m *move) args(args ...string) []string {
	return append(append([]string{"round"}, args...), "--file", filepath.Join(m.dir, "bascule.yaml"))
}

// status is the account of the newest round; nil while there is none.
func (m *move) status(ctx context.Context) *account.Account {
	out, err := exec.CommandContext(ctx, m.bin, append(m.args("status", "preprod"), "--json")...).Output()
	if err != nil {
		return nil
	}
	var a account.Account
	if json.Unmarshal(out, &a) != nil {
		return nil
	}
	return &a
}

// people answer whatever a round asks, until ctx ends.
func (m *move) people(ctx context.Context) {
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	say := func(args ...string) { _ = exec.CommandContext(ctx, m.bin, m.args(args...)...).Run() } // it is said again when it was not heard
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		a := m.status(ctx)
		if a == nil {
			continue
		}
		if a.Phase == round.PhaseAsking {
			say("forward", "preprod", "--reason", "it has to go on")
		}
		for i := range a.Steps {
			st, id := &a.Steps[i].State, string(a.Steps[i].Task.Step.ID)
			switch {
			case id == "go" && st.Status == round.StatusRunning && len(st.Votes) == 0:
				say("approve", "preprod", id)
			case st.Status == round.StatusFailed && a.Phase == round.PhaseRunning:
				say("retry", "preprod", id)
			}
		}
	}
}

// TestRoundKills kills the driver of a round again and again, by SIGKILL, while applications write to a group of databases that it moves; each time
// another driver goes on. At the end all databases live on their new side, no acknowledged write is missing or twice, both sides hold equal values, and each hook
// was called once. BASCULE_KILLS is how many there are (default 6).
func TestRoundKills(t *testing.T) {
	if testing.Short() {
		t.Skip("moves a group of databases")
	}
	kills := 6
	if s := os.Getenv("BASCULE_KILLS"); s != "" {
		var err error
		if kills, err = strconv.Atoi(s); err != nil {
			t.Fatalf("BASCULE_KILLS=%q: %v", s, err)
		}
	}
	seed := seeded(t)
	r := rand.New(rand.NewPCG(seed, 11))
	at := map[round.StepID]int{}
	for n, moves := 0, 0; n < kills; moves++ {
		t.Run(fmt.Sprintf("move %d", moves+1), func(t *testing.T) {
			m := newMove(t, "shop", "pay")
			n += m.kill(t, r, kills-n, at)
			m.judge(t)
		})
		if t.Failed() {
			break
		}
	}
	t.Logf("killed while these ran: %v", at)
}

// kill drives the round to its end, with at most so many kills on the way, and returns how many there were. Each comes a moment after a step has begun that was
// drawn before from those to come.
func (m *move) kill(t *testing.T, r *rand.Rand, most int, at map[round.StepID]int) (kills int) {
	t.Helper()
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	go m.people(ctx)
	command := m.args("run", "preprod", "--override", "a test")
	for {
		p := launch(t, m.bin, command, nil)
		after := time.NewTimer(patience)
		fall := make(chan round.StepID, 1)
		watching, seen := context.WithCancel(ctx)
		if kills < most {
			go func() { fall <- m.begins(watching, r.Uint64()) }()
		}
		select {
		case code := <-p.ended:
			seen()
			<-p.heard
			if code != 0 {
				t.Fatalf("the round ended with %d after %d kills:\n%s", code, kills, p.said())
			}
			return kills
		case step := <-fall:
			at[step]++
		case <-after.C:
			t.Errorf("the round hangs after %d kills:\n%s", kills, p.said())
		}
		seen()
		pause(t, time.Duration(r.IntN(500))*time.Millisecond) // so that it meets the step at any moment
		_ = p.cmd.Process.Kill()
		<-p.ended
		if t.Failed() {
			t.FailNow()
		}
		kills++
		if a := m.status(ctx); a != nil && a.Phase == round.PhaseDone {
			return kills // it was killed behind its end
		}
		command = m.args("resume", "preprod", "--take-over")
	}
}

// pause lets a random time pass: what is waited for is chance itself.
func pause(t *testing.T, d time.Duration) {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
	}
}

// begins returns a step of those that are not done, drawn by chance, when it runs, or any that the round is at when it has passed that one.
func (m *move) begins(ctx context.Context, chance uint64) round.StepID {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	drawn := round.StepID("")
	for {
		if a := m.status(ctx); a != nil {
			var left []round.StepID
			for i := range a.Steps {
				switch a.Steps[i].State.Status {
				case round.StatusDone, round.StatusSkipped:
				default:
					left = append(left, a.Steps[i].Task.Step.ID)
				}
			}
			if drawn == "" && len(left) > 0 {
				drawn = left[chance%uint64(len(left))]
			}
			for i := range a.Steps {
				s := &a.Steps[i]
				if s.Task.Step.ID == drawn && s.State.Status != round.StatusWaiting {
					return drawn
				}
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ""
		}
	}
}

// judge holds the end against what every end must be.
func (m *move) judge(t *testing.T) {
	t.Helper()
	calls, err := os.ReadFile(filepath.Join(m.dir, "calls"))
	if err != nil {
		t.Fatal(err)
	}
	for _, hook := range []string{"freeze do", "quiesce do", "endpoints do"} {
		if n := strings.Count(string(calls), hook); n != 1 {
			t.Errorf("%s: called %d times", hook, n)
		}
	}
	for _, n := range m.names {
		if err := m.apps[n].Stop(); err != nil {
			t.Errorf("a client of %s met what it should not: %v", n, err)
		}
		config := filepath.Join(m.dir, n+".yaml")
		run(t, m.bin, "db", "fallback", "--until-now", "--config", config)
		run(t, m.bin, "db", "verify", "--config", config)
		c, err := crosscheck.Compare(t.Context(), m.urls[n][0], m.urls[n][1], crosscheck.Options{Schema: "public"})
		if err != nil {
			t.Fatal(err)
		}
		if c.Different() != 0 || c.Values() == 0 {
			t.Errorf("%s: the independent comparison: %d of %d values differ", n, c.Different(), c.Values())
		}
		v, err := m.apps[n].Judge(t.Context(), m.urls[n][1])
		if err != nil {
			t.Fatal(err)
		}
		if !v.Good() || v.Orders == 0 {
			t.Errorf("%s: %+v", n, v)
		}
		t.Logf("%s: %d orders acknowledged, %d missing, %d twice", n, v.Orders, v.Missing, v.Twice)
	}
}
