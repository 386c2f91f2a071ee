package account_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/account"
	"github.com/bascule/bascule/internal/round/store"
)

// whole is a round of database a from its beginning to its end: 10 min copy, 5 min gate, 5 min quiesce, 5 s freeze, 1 min traffic, 2 s finish.
const whole = head + `
	0s started: close a
	4s done: close a | {"rows": 120, "proof": "sha256:1", "frozen_ns": 3000000000}
	0s started: open a
	1s done: open a | {"frozen_ns": 840000000}
	0s started: traffic
	1m done: traffic
	0s started: finish
	2s done: finish
	`

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestWhole(t *testing.T) {
	a := newTale(t, moving("preprod", "a")).tell(whole).of(nil, time.Hour)
	equal(t, "phase", a.Phase, round.PhaseDone)
	equal(t, "elapsed", a.Elapsed, 21*time.Minute+7*time.Second)
	equal(t, "ended", a.Ended, began.Add(a.Elapsed))
	equal(t, "freeze", a.Freeze, 840*time.Millisecond)
	equal(t, "freeze of a", a.Freezes["a"], 840*time.Millisecond)
	equal(t, "frozen", a.Frozen, false)
	equal(t, "turning", a.Turning, "none: the way back is given up")
	equal(t, "waits", len(a.Waits), 0)
	gate, quiesce := step(t, a, "gate"), step(t, a, "quiesce")
	equal(t, "gate took", gate.Took, 5*time.Minute)
	equal(t, "gate waited", gate.Waited, 3*time.Minute)
	equal(t, "quiesce waited", quiesce.Waited, 5*time.Minute)
	equal(t, "quiesce starts", quiesce.Start, 15*time.Minute)
	equal(t, "quiesce ends", quiesce.End, 20*time.Minute)
	equal(t, "left", a.Left, account.Estimate{})
}

// TestFrozen: the freeze of a group is the time in which any of its databases was closed, and goes on until it is known to be over.
func TestFrozen(t *testing.T) {
	x := newTale(t, moving("preprod", "a", "b")).tell(`
		0s started: copy a
		1s done: copy a
		0s started: copy b
		1s done: copy b
		0s started: gate
		0s done: gate
		0s go: gate
		0s bob go: gate
		0s started: quiesce
		1s done: quiesce
		0s started: close a
		2s started: close b
		3s done: close a
		1s lost: close b
		5s absent: close b
		`)
	a := x.of(nil, 4*time.Second)
	equal(t, "frozen", a.Frozen, true)
	equal(t, "freeze so far", a.Freeze, 15*time.Second)
	equal(t, "of b", a.Freezes["b"], 13*time.Second)
	equal(t, "b took", step(t, a, "close b").Took, 9*time.Second)
	x.tell(`
		0s aborted
		1s undo started: close a
		1s undone: close a
		0s undo started: close b
		7s undone: close b
		`)
	a = x.of(nil, time.Hour)
	equal(t, "phase", a.Phase, round.PhaseAborting)
	equal(t, "freeze", a.Freeze, 20*time.Second)
	equal(t, "of a", a.Freezes["a"], 13*time.Second)
	equal(t, "frozen", a.Frozen, false)
	equal(t, "turning", a.Turning, "aborting: undo 1 step, in a time that nobody knows yet")
}

// until is a script before a line.
func until(script, line string) string {
	before, _, _ := strings.Cut(script, line)
	return before
}

func TestWaits(t *testing.T) {
	for name, c := range map[string]struct {
		script  string
		command string
		who     string
		since   time.Duration
	}{
		"manual": {until(head, "5m done: quiesce"), "bascule round done preprod quiesce --evidence TEXT", "carol", 15 * time.Minute},
		"gate":   {until(head, "3m bob"), "bascule round approve preprod gate", "approve", 12 * time.Minute},
		"failed": {"0s started: copy a\n2m failed: copy a | no space", "bascule round retry preprod 'copy a' or bascule round skip preprod 'copy a' --reason TEXT", "operate", 2 * time.Minute},
		"paused": {"5m paused\n1m noted | tea", "bascule round resume preprod", "operate", 5 * time.Minute},
		"asking": {
			head + "0s started: close a\n1s done: close a\n0s started: open a\n1s done: open a\n1m breached | errors\n1m noted | hm",
			"bascule round forward preprod or bascule round fallback preprod", "operate", 21*time.Minute + 2*time.Second,
		},
		"stuck": {
			head + "0s started: close a\n1s failed: close a\n0s undo started: close a\n2s undo failed: close a",
			"bascule round retry preprod 'close a' or bascule round skip preprod 'close a' --reason TEXT", "operate", 20*time.Minute + 3*time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := newTale(t, moving("preprod", "a")).tell(c.script).of(nil, time.Minute)
			if len(a.Waits) != 1 {
				t.Fatalf("waits: %+v", a.Waits)
			}
			equal(t, "command", a.Waits[0].Command, c.command)
			equal(t, "for", a.Waits[0].For, c.who)
			equal(t, "since", a.Waits[0].Since.Sub(began), c.since)
		})
	}
}

// TestApprovers: who is named for a gate and has not said go yet is waited for.
func TestApprovers(t *testing.T) {
	r := moving("preprod", "a")
	r.Script.Task("gate").Approvers = []string{"ann", "bob", "carol"}
	a := newTale(t, r).tell(until(head, "3m bob")).of(nil, 0)
	equal(t, "for", a.Waits[0].For, "bob, carol")
	equal(t, "what", a.Waits[0].What, "go or no-go: 1 of 2 said go")
}

// TestNobodyDrives: a lease that ran out, or that never was, makes the round wait for somebody.
func TestNobodyDrives(t *testing.T) {
	x := newTale(t, moving("preprod", "a")).tell("0s started: copy a")
	out := began.Add(time.Minute)
	for name, h := range map[string]*store.Holder{
		"nobody": nil, "run out": {Who: "ann", Until: out, Now: out.Add(time.Second)}, "released": {Who: "ann", Now: out},
	} {
		a, err := account.Of(x.past.Round, x.past.Entries, nil, h, nil, began.Add(time.Hour))
		if err != nil || len(a.Waits) != 1 || a.Waits[0].Command != "bascule round resume preprod" {
			t.Errorf("%s: %+v %v", name, a.Waits, err)
		}
	}
}

func TestEntryThatCannotBe(t *testing.T) {
	x := newTale(t, moving("preprod", "a")).tell("0s started: copy a\n1s done: copy a")
	slices.Reverse(x.past.Entries)
	_, err := account.Of(x.past.Round, x.past.Entries, nil, nil, nil, began)
	if !errors.Is(err, round.ErrNot) || fault.ClassOf(err) != fault.Data || !strings.Contains(err.Error(), "entry 2 (done copy a) of round preprod-1") {
		t.Error(err)
	}
}

// TestClockJumpsBack: no step takes less than no time.
func TestClockJumpsBack(t *testing.T) {
	a := newTale(t, moving("preprod", "a")).tell("10m started: copy a\n-5m done: copy a\n0s started: gate").of(nil, -time.Hour)
	equal(t, "copy took", step(t, a, "copy a").Took, 0)
	equal(t, "gate began", step(t, a, "gate").Began, began.Add(10*time.Minute))
	equal(t, "now", a.Now, began.Add(10*time.Minute))
}
