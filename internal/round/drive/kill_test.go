package drive_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/store"
)

// TestMain is also the process that drives a round and is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("BASCULE_TEST_DRIVE"); dir != "" {
		os.Exit(child(dir))
	}
	os.Exit(m.Run())
}

// child drives the only round of a folder, as a process of its own that can be killed. Where somebody else's lease has not run out it waits.
func child(dir string) int {
	ctx := context.Background()
	s, err := store.Open(ctx, filepath.Join(dir, "rounds.db"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = s.Close() }() // whatever was written is durable
	rounds, err := s.Rounds(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	d, _ := driver(s, &book{path: filepath.Join(dir, "book"), pause: 20 * time.Millisecond}, "process "+strconv.Itoa(os.Getpid()))
	for {
		state, err := d.Drive(ctx, &rounds[0], os.Getenv("BASCULE_TEST_FORCE") != "")
		switch {
		case fault.ClassOf(err) == fault.Busy && !errors.Is(err, store.ErrStale):
			if err := waitFor(ctx, 50*time.Millisecond); err != nil {
				return 1
			}
		case err != nil:
			fmt.Fprintln(os.Stderr, err)
			return 1
		case state.Phase != round.PhaseDone:
			fmt.Fprintln(os.Stderr, state.Phase, state.Trouble)
			return 1
		default:
			return 0
		}
	}
}

func waitFor(ctx context.Context, d time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	<-ctx.Done()
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return nil
	}
	return ctx.Err()
}

// TestKills kills drivers at random, by SIGKILL, until the rounds have come to their ends: every one ends as it would have, each effect of a hook was had
// exactly once, each message was sent once at most, and no database opened before its group was closed.
func TestKills(t *testing.T) {
	kills := 30
	if s := os.Getenv("BASCULE_KILLS"); s != "" {
		var err error
		if kills, err = strconv.Atoi(s); err != nil {
			t.Fatalf("BASCULE_KILLS=%q: %v", s, err)
		}
	} else if testing.Short() {
		kills = 5
	}
	killed, rounds := 0, 0
	at := map[round.StepID]int{}
	for ; killed < kills; rounds++ {
		s, r, b := newRound(t, store.Live, script())
		dir := filepath.Dir(b.path)
		done := make(chan struct{})
		people, leave := context.WithCancel(t.Context())
		go func() {
			defer close(done)
			say(t, s, r, round.Event{What: round.Go, Step: "go", Who: "bob"})
			answer(people, s, r)
		}()
		for ended := false; !ended; {
			ended = one(t, dir, killed < kills)
			if !ended {
				killed++
				for id, st := range stateOf(t, s, r).Steps {
					if st.Status == round.StatusRunning || st.Status == round.StatusUnsure {
						at[id]++
					}
				}
			}
		}
		leave()
		<-done
		judge(t, s, r, b)
	}
	t.Logf("%d kills in %d rounds, by the step that ran: %v", killed, rounds, at)
}

// answer says forward whenever a round asks: a driver has died when a part of its group was open.
func answer(ctx context.Context, s *store.Store, r *store.Round) {
	state, after := round.New(r.Script.Plan()), int64(0)
	for ctx.Err() == nil {
		entries, err := s.Entries(ctx, r.ID, after)
		if err != nil {
			return
		}
		for i := range entries {
			after = entries[i].Seq
			_ = state.Apply(entries[i].Event) // stateOf holds them against the plan
		}
		if state.Phase == round.PhaseAsking {
			_, _ = s.Append(ctx, r.ID, after, 0, round.Event{What: round.Forward, Who: "bob"}) // or it has gone on meanwhile
			continue
		}
		_ = s.Wait(ctx, r.ID, after)
	}
}

// one runs one driver, and kills it after a while unless it ends before. It reports whether it ended.
func one(t *testing.T, dir string, kill bool) bool {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "BASCULE_TEST_DRIVE="+dir)
	if rand.IntN(2) == 0 {
		cmd.Env = append(cmd.Env, "BASCULE_TEST_FORCE=1")
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	after := time.Duration(50+rand.IntN(350)) * time.Millisecond
	if !kill {
		after = 20 * time.Second
	}
	timer := time.NewTimer(after)
	defer timer.Stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Fatalf("the driver: %v", err)
		}
		return true
	case <-timer.C:
	}
	if !kill {
		_ = cmd.Process.Signal(syscall.SIGQUIT) // which says where it hangs
		if err := <-ended; err != nil {
			t.Log(err)
		}
		t.Fatal("the round does not end")
	}
	_ = cmd.Process.Kill()
	return <-ended == nil
}

func stateOf(t *testing.T, s *store.Store, r *store.Round) *round.State {
	t.Helper()
	entries, err := s.Entries(t.Context(), r.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	state := round.New(r.Script.Plan())
	for i := range entries {
		if err := state.Apply(entries[i].Event); err != nil {
			t.Fatalf("entry %d: %v", entries[i].Seq, err)
		}
	}
	return state
}

// judge compares the end with that of a round that nobody disturbs.
func judge(t *testing.T, s *store.Store, r *store.Round, b *book) {
	t.Helper()
	state := stateOf(t, s, r)
	count := map[string]int{}
	for _, l := range b.lines() {
		count[l]++
	}
	for _, task := range r.Script.Tasks {
		step := task.Step
		if st := state.Steps[step.ID].Status; st != round.StatusDone {
			t.Errorf("%s is %s", step.ID, st)
		}
		n := count["did "+string(step.ID)]
		switch {
		case step.Kind == round.KindHook || step.Kind == round.KindTraffic || step.Role == round.RoleOpen:
			if n != 1 {
				t.Errorf("%s was done %d times", step.ID, n)
			}
		case step.Kind == round.KindMessage && n > 1:
			t.Errorf("%s was sent %d times", step.ID, n)
		}
	}
	closed := map[string]bool{}
	for _, l := range b.lines() {
		switch {
		case len(l) == len("did close a") && l[:10] == "did close ":
			closed[l[10:]] = true
		case len(l) == len("undid close a") && l[:12] == "undid close ":
			closed[l[12:]] = false
		case len(l) == len("did open a") && l[:9] == "did open " && (!closed["a"] || !closed["b"] || !closed["c"]):
			t.Errorf("%s: the group was not closed", l)
		}
	}
	if t.Failed() {
		t.Fatalf("the book:\n%s", joined(b))
	}
}
