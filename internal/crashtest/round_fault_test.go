package crashtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bascule/bascule/internal/round"
)

// faultSteps are moveSteps with two more: somebody outside is told, and the freeze is held until a file is there.
const faultSteps = `
- {step: edge, kind: hook, do: "https://%s/", timeout: 2s, undo: nothing}
- {step: held, kind: wait, needs: [close], do: "test -e go-on", every: 200ms}
`

// TestRoundFaults goes through what befalls a round at night: it prints what each thing says to the people there, and what state the databases are in. What a
// clock that jumps does is tested where the clocks are: in round/store, and by TestWindow in round/drive.
func TestRoundFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("moves a group of databases twice")
	}
	f := &faults{move: newMove(t, "shop", "pay")}
	f.people(t)
	t.Run("bridge", f.bridge)
	if !t.Failed() {
		t.Run("disk", func(t *testing.T) {
			f.move = newMove(t, "shop", "pay")
			f.people(t)
			f.disk(t)
		})
	}
	t.Log("\n" + strings.Join(f.table, "\n"))
}

// faults is a move in which things go wrong.
type faults struct {
	*move
	tokens map[string]string // of people
	table  []string
}

// people gives bascule.yaml its people, and the steps of these tests, and each person a token.
func (f *faults) people(t *testing.T) {
	t.Helper()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(f.dir, "bascule.yaml")
	old, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	yaml := strings.Replace(string(old), "platform: shop\n", fmt.Sprintf(
		"platform: shop\njournal: journal/rounds.db\npeople:\n- {name: %s, roles: [operate, approve]}\n- {name: ann, roles: [operate, approve]}\n- {name: lee, roles: [approve]}\n- {name: eve, roles: [view]}\n",
		me.Username), 1)
	yaml = strings.Replace(yaml, "criteria: databases, quorum: 1", "criteria: databases, quorum: 1, approvers: [ann]", 1)
	yaml = strings.Replace(yaml, "needs: [freeze, verify]", "needs: [freeze, edge, verify]", 1)
	yaml = strings.Replace(yaml, "{step: open, kind: automated, each: database, needs: [close]", "{step: open, kind: automated, each: database, needs: [held]", 1)
	write(t, f.dir, "bascule.yaml", yaml+strings.TrimPrefix(fmt.Sprintf(faultSteps, hangs(t)), "\n"))
	f.tokens = map[string]string{}
	if err := os.MkdirAll(filepath.Join(f.dir, "journal"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"ann", "lee", "eve"} {
		f.tokens[p] = f.token(t, p)
	}
}

// token makes a person's token.
func (f *faults) token(t *testing.T, person string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), f.bin, "token", "add", person, "--json", "--file", filepath.Join(f.dir, "bascule.yaml")).Output()
	if err != nil {
		t.Fatal(err)
	}
	var doc struct{ Secret string }
	if err := json.Unmarshal(out, &doc); err != nil {
		t.Fatal(err)
	}
	return doc.Secret
}

// soon is how long anything here may take.
const soon = 2 * time.Minute

// hangs is the address of a server that takes connections and answers nobody.
func hangs(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(io.Discard, c) }()
		}
	}()
	return l.Addr().String()
}

// says runs a command as a person, which must end with that code and say that.
func (f *faults) says(t *testing.T, person string, code int, want string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), f.bin, f.args(args...)...)
	if person != "" {
		cmd.Env = append(os.Environ(), "BASCULE_TOKEN="+f.tokens[person])
	}
	out, err := cmd.CombinedOutput()
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	if got != code || !strings.Contains(string(out), want) {
		t.Fatalf("%v ended with %d, want %d and %q:\n%s", args, got, code, want, out)
	}
	return string(out)
}

// row notes what a fault says, and how the databases are then, which must be so.
func (f *faults) row(t *testing.T, fault, said, databases string) {
	t.Helper()
	if got := f.databases(t); got != databases {
		t.Errorf("%s: the databases are %q, want %q", fault, got, databases)
	}
	lines := strings.Split(strings.TrimSpace(said), "\n")
	f.table = append(f.table, fault, "    it says    "+strings.Join(lines, "\n               "), "    databases  "+databases)
}

// databases says where the databases live, by what their own targets say.
func (f *faults) databases(t *testing.T) string {
	t.Helper()
	var all []string
	for _, n := range f.names {
		var doc struct{ Cutover *cutoverState }
		out := run(t, f.bin, "db", "status", "--json", "--config", filepath.Join(f.dir, n+".yaml"))
		if err := json.Unmarshal([]byte(out), &doc); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		text := "live on the old side"
		if c := doc.Cutover; c != nil {
			text = "live on the " + c.Live + " side"
			if c.Fenced {
				text += ", writes stopped"
			}
		}
		if !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	return strings.Join(all, "; ")
}

// until waits until the round is so.
func (f *faults) until(t *testing.T, what string, holds func(status func(round.StepID) round.Status) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if a := f.status(ctx); a != nil {
			found := map[round.StepID]round.Status{}
			for i := range a.Steps {
				found[a.Steps[i].Task.Step.ID] = a.Steps[i].State.Status
			}
			if holds(func(id round.StepID) round.Status { return found[id] }) {
				return
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("too long until %s", what)
		}
	}
}

func is(id round.StepID, s round.Status) func(func(round.StepID) round.Status) bool {
	return func(status func(round.StepID) round.Status) bool { return status(id) == s }
}

// ended waits for the end of a driver.
func (f *faults) ended(t *testing.T, p *process, code int) string {
	t.Helper()
	select {
	case got := <-p.ended:
		<-p.heard
		if got != code {
			t.Fatalf("the driver ended with %d, want %d:\n%s", got, code, p.said())
		}
	case <-time.After(soon):
		t.Fatalf("the driver hangs:\n%s", p.said())
	}
	return p.said()
}

// lines picks the lines of an output that hold one of the words.
func lines(out string, words ...string) string {
	var got []string
	for line := range strings.Lines(out) {
		if slices.ContainsFunc(words, func(w string) bool { return strings.Contains(line, w) }) {
			got = append(got, strings.TrimSpace(line))
		}
	}
	return strings.Join(got, "\n")
}

const (
	oldSide = "live on the old side"
	newSide = "live on the new side"
	frozen  = "live on the old side, writes stopped"
)

// bridge is a night in one round.
func (f *faults) bridge(t *testing.T) {
	const privilege, busy = 6, 10
	first := launch(t, f.bin, f.args("run", "preprod", "--override", "a test"), nil)

	f.until(t, "the webhook has failed", is("edge", round.StatusFailed))
	f.row(t, "a webhook that hangs", lines(f.says(t, "", 0, "edge", "status", "preprod"), "edge"), oldSide)
	f.says(t, "", 0, "edge", "skip", "preprod", "edge", "--reason", "the edge was told on the telephone")

	f.until(t, "the gate asks", is("go", round.StatusRunning))
	f.row(t, "two operators", f.says(t, "ann", busy, "drives it since", "resume", "preprod"), oldSide)
	f.row(t, "a person who may only look", f.says(t, "eve", privilege, "the role approve", "approve", "preprod", "go"), oldSide)
	f.row(t, "an approver whom the gate does not name", f.says(t, "lee", privilege, "asks [ann]", "approve", "preprod", "go"), oldSide)

	// The first operator's laptop sleeps; a colleague takes over, and it wakes up.
	if err := first.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	second := launch(t, f.bin, f.args("resume", "preprod", "--take-over"), nil)
	overtaken := fmt.Sprintf("process %d", second.cmd.Process.Pid)
	wait(t, "the second driver has taken over", func() bool { return strings.Contains(f.says(t, "", 0, "", "status", "preprod"), overtaken) })
	if err := first.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	f.row(t, "a lost lease: what the driver says that was overtaken", lines(f.ended(t, first, busy), "error", "hint"), oldSide)

	// The second one's dies in the freeze.
	f.says(t, "ann", 0, "says go", "approve", "preprod", "go")
	f.until(t, "all databases are held closed", is("held", round.StatusRunning))
	_ = second.cmd.Process.Kill()
	<-second.ended
	f.row(t, "a laptop that dies in the freeze", lines(f.says(t, "", 0, "preprod", "status", "preprod"), "drive", "close", "held"), frozen)
	write(t, f.dir, "go-on", "")
	third := launch(t, f.bin, f.args("resume", "preprod", "--take-over"), nil)
	said := f.ended(t, third, 0)
	f.row(t, "and a colleague who takes over", lines(said, "slipped", "close", "open", "done"), newSide)
	f.judge(t)
}

// disk fills the disk under the journal while writes are stopped.
func (f *faults) disk(t *testing.T) {
	t.Helper()
	journal := filepath.Join(f.dir, "journal")
	if out, err := try(t, "mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", journal); err != nil {
		t.Skipf("a disk of its own for the journal needs mount: %v: %s", err, out)
	}
	t.Cleanup(func() { _ = exec.CommandContext(context.WithoutCancel(t.Context()), "umount", "-l", journal).Run() }) // else it goes with the machine
	driver := launch(t, f.bin, f.args("run", "preprod", "--override", "a test"), nil)
	f.until(t, "the webhook has failed", is("edge", round.StatusFailed))
	f.says(t, "", 0, "edge", "skip", "preprod", "edge", "--reason", "the edge was told on the telephone")
	f.until(t, "the gate asks", is("go", round.StatusRunning))
	f.tokens["ann"] = f.token(t, "ann") // the one before stands under the mount
	f.says(t, "ann", 0, "says go", "approve", "preprod", "go")
	f.until(t, "all databases are held closed", is("held", round.StatusRunning))
	fillDisk(t, journal)
	write(t, f.dir, "go-on", "")
	wait(t, "the driver says that its journal is full", func() bool { return lines(driver.said(), "full", "no space") != "" })
	wait(t, "the hold is undone by itself", func() bool { return f.databases(t) == oldSide })
	f.row(t, "a full disk under the journal in the freeze", lines(driver.said(), "full", "no space"), oldSide)
	if err := os.Remove(filepath.Join(journal, "filler")); err != nil {
		t.Fatal(err)
	}
	f.row(t, "and when there is room again", lines(f.ended(t, driver, 0), "slipped", "close", "open", "done"), newSide)
	f.judge(t)
}

// fillDisk leaves no room on a disk.
func fillDisk(t *testing.T, dir string) {
	t.Helper()
	w, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }() // it is full
	for {
		if _, err := w.Write(make([]byte, 1024)); errors.Is(err, syscall.ENOSPC) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// wait waits for a condition.
func wait(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline, tick := time.NewTimer(soon), time.NewTicker(100*time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("too long until %s", what)
		}
	}
}
