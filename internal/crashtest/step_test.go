package crashtest

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bascule/bascule/internal/journal"
	"github.com/bascule/bascule/internal/servertest"
)

// cutSteps are the steps of a cutover and of a fallback at which the driver is killed.
var cutSteps = []journal.Step{
	journal.StepGates, journal.StepArm, journal.StepIntent, journal.StepFence, journal.StepProve, journal.StepDrain, journal.StepProof,
	journal.StepPrepare, journal.StepSwitch, journal.StepOpen, journal.StepHooks, journal.StepReverse, journal.StepValidate, journal.StepDone,
}

// someSteps are what every run of the tests kills at: in the freeze, when everything is to be undone, and behind the switch.
var someSteps = []journal.Step{journal.StepFence, journal.StepSwitch, journal.StepReverse}

// TestKillAtStep kills bascule at a step of a cutover or a fallback, under load, and lets db run find its way from there: it has to undo
// the attempt, or to complete it behind the switch; the application goes on, and nothing that was acknowledged is lost.
// BASCULE_STEPS=all kills at every step.
func TestKillAtStep(t *testing.T) {
	if testing.Short() {
		t.Skip("kills cutovers for a minute")
	}
	steps := someSteps
	if os.Getenv("BASCULE_STEPS") == "all" {
		steps = cutSteps
	}
	s := newShop(t, build(t), servertest.KindMySQL, servertest.KindPostgres15)
	report := []string{fmt.Sprintf("%-10s %-10s  %-60s  %s", "direction", "killed at", "what is left", "what db run does")}
	for _, dir := range []string{"forward", "back"} {
		for _, step := range steps {
			s.stand(t, dir)
			s.progresses(t, "the step before "+string(step))
			command := []string{"cutover"}
			if dir == "back" {
				command = []string{"fallback", "--switch"}
			}
			s.killAt(t, step, command...)
			left := s.status(t)
			did := s.resume(t)
			s.progresses(t, fmt.Sprintf("%s was killed at %s and db run went on", dir, step))
			now := s.status(t)
			if now.Phase != "idle" || now.Fenced {
				t.Errorf("%s killed at %s: db run left %+v", dir, step, now)
			}
			report = append(report, fmt.Sprintf("%-10s %-10s  %-60s  %s; the application lives on the %s side", dir, step, left, did, now.Live))
		}
	}
	t.Log("\n" + strings.Join(report, "\n"))
	if s.status(t).Live == "new" {
		s.settle(t, "fallback")
	} else {
		s.settle(t, "follow")
	}
}

// cutoverState is what db status says of a cutover.
type cutoverState struct {
	Live, Phase, Step, Mark string
	Fenced                  bool
}

func (c cutoverState) String() string {
	text := fmt.Sprintf("live %s, %s, %s %s", c.Live, c.Phase, c.Step, c.Mark)
	if c.Fenced {
		text += ", writes stopped"
	}
	return text
}

func (s *shop) status(t *testing.T) cutoverState {
	t.Helper()
	var doc struct{ Cutover *cutoverState }
	out := run(t, s.bin, "db", "status", "--json", "--target", s.target.URL, "--schema", shopSchema)
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if doc.Cutover == nil {
		return cutoverState{Live: "old", Phase: "idle"}
	}
	return *doc.Cutover
}

// stand brings the application to the side that a direction leaves.
func (s *shop) stand(t *testing.T, dir string) {
	t.Helper()
	switch live := s.status(t).Live; {
	case dir == "forward" && live == "new":
		s.flip(t, "fallback", "--switch")
	case dir == "back" && live == "old":
		s.flip(t, "cutover")
	}
}

// killAt runs a move and kills it when it says that it begins a step.
func (s *shop) killAt(t *testing.T, step journal.Step, command ...string) {
	t.Helper()
	var p *process
	begun := make(chan struct{}, 1)
	p = launch(t, s.bin, slices.Concat([]string{"db"}, command, []string{"--json", "--app-user", "shop"}, s.args), func(line string) {
		var h heard
		if json.Unmarshal([]byte(line), &h) == nil && h.Event == "step_started" && h.Step == string(step) && !h.Undo {
			select {
			case begun <- struct{}{}:
			default:
			}
		}
	})
	select {
	case <-begun:
		_ = p.cmd.Process.Kill() // it may have ended already
		<-p.ended
	case code := <-p.ended:
		t.Fatalf("%v ended with %d before %s:\n%s", command, code, step, p.said())
	case <-time.After(patience):
		t.Fatalf("%v never came to %s:\n%s", command, step, p.said())
	}
}

// resume runs db run until it waits for a person, ends it, and says what it did. A driver's claim has to run out first.
func (s *shop) resume(t *testing.T) string {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		var did []string
		waits := make(chan string, 1)
		p := launch(t, s.bin, slices.Concat([]string{"db", "run", "--json", "--app-user", "shop"}, s.args), func(line string) {
			var h heard
			if json.Unmarshal([]byte(line), &h) != nil {
				return
			}
			switch h.Event {
			case "step_done":
				text := h.Step
				if h.Undo {
					text = "undo " + text
				}
				did = append(did, text)
			case "waiting":
				select {
				case waits <- h.What:
				default:
				}
			}
		})
		const busy = 10
		select {
		case what := <-waits:
			_ = p.cmd.Process.Signal(syscall.SIGINT)
			<-p.ended
			if len(did) == 0 {
				did = []string{"nothing to undo"}
			}
			return strings.Join(did, ", ") + "; waits for " + what
		case code := <-p.ended:
			if code == busy && time.Now().Before(deadline) {
				continue // the dead driver answers for another moment
			}
			t.Fatalf("db run ended with %d:\n%s", code, p.said())
		case <-time.After(patience):
			t.Fatalf("db run hangs:\n%s", p.said())
		}
	}
}
