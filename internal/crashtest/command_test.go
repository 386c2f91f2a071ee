package crashtest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bascule/bascule/internal/journal"
	"github.com/bascule/bascule/internal/servertest"
)

// TestCutoverCommands goes through what an operator does around a cutover, under load: a look at the gates, a rehearsal, a driver that dies
// while another process watches, the cutover with its hook, large values on the way back, and the finish.
func TestCutoverCommands(t *testing.T) {
	if testing.Short() {
		t.Skip("moves an application")
	}
	s := newShop(t, build(t), servertest.KindMariaDB, servertest.KindPostgres18)
	const wrong, differs, refused, busy = 2, 3, 4, 10

	s.ends(t, refused, "nobody follows", "cutover", "--dry-run", "--app-user", "shop", "--max-lag", "100ms")
	follower := launch(t, s.bin, slices.Concat([]string{"db", "follow"}, s.args), nil)
	s.ends(t, refused, "no user of the application is named", "cutover", "--dry-run")
	s.ends(t, 0, "open  fence", "cutover", "--dry-run", "--app-user", "shop")
	s.ends(t, busy, "applies these changes since", "cutover", "--app-user", "shop")
	_ = follower.cmd.Process.Signal(syscall.SIGINT) // it may have ended, which the next lines would show
	<-follower.ended
	s.ends(t, refused, "lives on the source", "fallback")

	if out := s.ends(t, 0, "lives on the source", "cutover", "--rehearse", "--app-user", "shop"); !strings.Contains(out, "undone; the application could not write for") {
		t.Errorf("the rehearsal does not say for how long writes were stopped:\n%s", out)
	}
	s.progresses(t, "the rehearsal")

	watcher := launch(t, s.bin, slices.Concat([]string{"db", "cutover", "--watch", "--json", "--app-user", "shop"}, s.args), nil)
	wait(t, "somebody watches", func() bool { return strings.Contains(s.said(t, "status"), "watched by") })
	s.killAt(t, journal.StepFence, "cutover")
	wait(t, "the watcher has lowered the fence", func() bool { now := s.status(t); return now.Phase == "idle" && !now.Fenced })
	s.progresses(t, "the takeover")
	_ = watcher.cmd.Process.Kill() // it has done its work
	<-watcher.ended

	told := filepath.Join(t.TempDir(), "told")
	s.ends(t, 0, "lives on the target", "cutover", "--app-user", "shop", "--hook", "echo $BASCULE_LIVE $BASCULE_KEY > "+told)
	if b, err := os.ReadFile(told); err != nil || !strings.HasPrefix(string(b), "new forward-") {
		t.Errorf("the hook was told %q, %v", b, err)
	}
	s.ends(t, refused, "the application lives on the target", "follow", "--until-now")
	s.large(t)
	s.ends(t, 0, "equal", "verify", "--live")
	// A row that nobody has touched is not as it was: that keeps the application from coming back, unless nobody asks.
	s.source.Exec(t, s.from, "UPDATE document SET tag = 99 WHERE id = 1")
	if out := s.ends(t, differs, "2 differences", "fallback", "--switch", "--app-user", "shop"); !strings.Contains(out, "--unproved") {
		t.Errorf("nobody is told what to do in a hurry:\n%s", out)
	}
	s.ends(t, 0, "NOT PROVED", "fallback", "--switch", "--unproved", "--app-user", "shop")
	s.progresses(t, "the way back in a hurry")
	s.ends(t, 0, "copied again", "verify", "--live", "--repair")
	s.ends(t, 0, "lives on the target", "cutover", "--app-user", "shop")
	s.settle(t, "fallback")

	s.ends(t, wrong, "--yes", "finish")
	s.ends(t, 0, "no way back any more", "finish", "--yes")
	s.ends(t, refused, "no way back", "fallback", "--switch", "--app-user", "shop")
	for what, q := range map[string]string{
		"a slot":      "SELECT count(*) FROM pg_replication_slots WHERE slot_name LIKE 'bascule%'",
		"a condition": "SELECT count(*) FROM pg_constraint WHERE conname LIKE 'bascule_back%'",
		"a fence":     "SELECT count(*) FROM pg_trigger WHERE tgname = 'bascule_fence'",
	} {
		if n := s.target.Query(t, s.target.URL, q)[0][0]; n != "0" {
			t.Errorf("finish left %s: %s", what, n)
		}
	}
	if n := s.target.Query(t, s.target.URL, "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated AND connamespace = 'shop'::regnamespace")[0][0]; n != "1" {
		t.Errorf("%s foreign keys are validated on the target, want 1", n)
	}
}

// large changes values of 5 MB on the target: one is left alone by an update of its row, one is replaced, one goes and one comes.
func (s *shop) large(t *testing.T) {
	t.Helper()
	s.target.Exec(t, s.target.URL,
		"UPDATE shop.document SET tag = 7 WHERE id = 1",
		"UPDATE shop.document SET body = repeat('é', 2500000) WHERE id = 2",
		"DELETE FROM shop.document WHERE id = 3",
		"INSERT INTO shop.document (id, body, tag) VALUES (4, repeat('new ', 1300000), 1)")
}

// ends runs a command, which must end with that code and say that. It returns all that it said.
func (s *shop) ends(t *testing.T, code int, says string, command ...string) string {
	t.Helper()
	p := launch(t, s.bin, slices.Concat([]string{"db"}, command, s.args), nil)
	select {
	case got := <-p.ended:
		<-p.heard
		if got != code || !strings.Contains(p.said(), says) {
			t.Fatalf("%v ended with %d, want %d and %q:\n%s", command, got, code, says, p.said())
		}
	case <-time.After(patience):
		t.Fatalf("%v hangs:\n%s", command, p.said())
	}
	return p.said()
}

// said returns what a command that reads the ledger says.
func (s *shop) said(t *testing.T, command string) string {
	t.Helper()
	return run(t, s.bin, "db", command, "--target", s.target.URL, "--schema", shopSchema)
}
