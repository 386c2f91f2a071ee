package drive_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/drive"
	"github.com/bascule/bascule/internal/round/outside"
	"github.com/bascule/bascule/internal/round/store"
)

// at is a world in which every condition holds, or none does.
type at bool

func (a at) Do(context.Context, string, outside.Call) (string, error) { return "done", nil }

func (a at) Check(context.Context, string, outside.Call) (bool, string, error) {
	return bool(a), "as it was asked for", nil
}

func (a at) Until(ctx context.Context, _ string, _ outside.Call, _ time.Duration) (string, error) {
	if a {
		return "it holds", nil
	}
	<-ctx.Done()
	return "", context.Cause(ctx)
}

// running is a driver at work.
type running struct {
	cancel context.CancelCauseFunc
	done   chan struct{}
	state  *round.State
	err    error
}

func begin(t *testing.T, d *drive.Driver, r *store.Round, force bool) *running {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	x := &running{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(x.done)
		x.state, x.err = d.Drive(ctx, r, force)
	}()
	t.Cleanup(func() {
		cancel(nil)
		<-x.done
	})
	return x
}

func (x *running) end(t *testing.T, want round.Phase) {
	t.Helper()
	<-x.done
	if x.err != nil {
		t.Fatal(x.err)
	}
	if x.state.Phase != want {
		t.Fatalf("the round is %s, want %s; trouble: %s", x.state.Phase, want, x.state.Trouble)
	}
}

// until waits for an entry.
func until(t *testing.T, s *store.Store, r *store.Round, is func(*store.Entry) bool) *store.Entry {
	t.Helper()
	for after := int64(0); ; {
		entries, err := s.Entries(t.Context(), r.ID, after)
		if err != nil {
			t.Fatal(err)
		}
		for i := range entries {
			if after = entries[i].Seq; is(&entries[i]) {
				return &entries[i]
			}
		}
		if err := s.Wait(t.Context(), r.ID, after); err != nil {
			t.Fatal(err)
		}
	}
}

func of(what round.What, step round.StepID) func(*store.Entry) bool {
	return func(e *store.Entry) bool { return e.Event.What == what && e.Event.Step == step }
}

func TestDrive(t *testing.T) {
	s, r, b := newRound(t, store.Live, script())
	d, _ := driver(s, b, "ann")
	x := begin(t, d, r, false)
	say(t, s, r, round.Event{What: round.Go, Step: "go", Who: "bob"})
	x.end(t, round.PhaseDone)
	lines := b.lines()
	closed := slices.Index(lines, "did close a")
	for _, db := range []string{"a", "b", "c"} {
		if i := slices.Index(lines, "did open "+db); i < closed || i < slices.Index(lines, "did close b") || i < slices.Index(lines, "did close c") {
			t.Errorf("%s opened before its group was closed:\n%s", db, joined(b))
		}
	}
	if lines[len(lines)-1] != "did traffic" {
		t.Errorf("the book ends with %q", lines[len(lines)-1])
	}
}

// TestGroupFails lets the third database of a group fail to close: nothing opens, and everything is undone.
func TestGroupFails(t *testing.T) {
	s, r, b := newRound(t, store.Live, script())
	d, h := driver(s, b, "ann")
	h.fail = func(w *drive.Work) error {
		if w.Verb == round.Do && w.Task.Step.ID == "close c" {
			return errors.New("three rows differ")
		}
		return nil
	}
	x := begin(t, d, r, false)
	say(t, s, r, round.Event{What: round.Go, Step: "go", Who: "bob"})
	x.end(t, round.PhaseAborted)
	if strings.Contains(joined(b), "did open") {
		t.Errorf("a database has opened:\n%s", joined(b))
	}
	for _, step := range []round.StepID{"close a", "close b", "quiesce", "ttl"} {
		if b.stands(step) {
			t.Errorf("%s still stands", step)
		}
	}
	if !strings.Contains(x.state.Trouble, "three rows differ") {
		t.Errorf("the round's trouble is %q", x.state.Trouble)
	}
}

// TestOpenFails lets one database of a group fail to open when another has opened: a person is asked, and either answer leads to an end.
func TestOpenFails(t *testing.T) {
	for answer, want := range map[round.What]round.Phase{round.Forward: round.PhaseDone, round.Fallback: round.PhaseFellBack} {
		t.Run(string(answer), func(t *testing.T) {
			s, r, b := newRound(t, store.Live, script())
			d, h := driver(s, b, "ann")
			failed := false
			h.fail = func(w *drive.Work) error {
				if w.Verb == round.Do && w.Task.Step.ID == "open c" && !failed {
					failed = true
					return errors.New("the target is gone")
				}
				return nil
			}
			x := begin(t, d, r, false)
			say(t, s, r, round.Event{What: round.Go, Step: "go", Who: "bob"})
			until(t, s, r, of(round.Failed, "open c"))
			say(t, s, r, round.Event{What: answer, Who: "bob", Reason: "it is time"})
			if answer == round.Forward {
				say(t, s, r, round.Event{What: round.Retried, Step: "open c", Who: "bob"})
			}
			x.end(t, want)
			if n := strings.Count(joined(b), "did close c"); answer == round.Forward && n != 2 {
				t.Errorf("c was closed %d times: the second opening needs it closed anew", n)
			}
		})
	}
}

// TestTakeOver lets a colleague take a round over whose driver still lives: that one stops at once and writes nothing more.
func TestTakeOver(t *testing.T) {
	s, r, b := newRound(t, store.Live, script())
	d, _ := driver(s, b, "ann")
	x := begin(t, d, r, false)
	until(t, s, r, of(round.Started, "go"))
	other, _ := driver(s, b, "bob")
	if _, err := other.Drive(t.Context(), r, false); fault.ClassOf(err) != fault.Busy || !strings.Contains(err.Error(), "ann drives it") {
		t.Errorf("a second driver: %v", err)
	}
	y := begin(t, other, r, true)
	<-x.done
	if !errors.Is(x.err, store.ErrStale) || fault.ClassOf(x.err) != fault.Busy {
		t.Errorf("the first driver ended with %v", x.err)
	}
	say(t, s, r, round.Event{What: round.Go, Step: "go", Who: "bob"})
	y.end(t, round.PhaseDone)
	entries, err := s.Entries(t.Context(), r.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, last := 0, int64(0); i < len(entries); i++ {
		if e := entries[i].Epoch; e != 0 && e < last {
			t.Errorf("entry %d is of epoch %d, after one of %d", entries[i].Seq, e, last)
		} else if e != 0 {
			last = e
		}
	}
}

// full is a journal whose disk is full for a while.
type full struct {
	*store.Store
	until chan struct{}
	on    func(round.Event) bool
}

func (f *full) Append(ctx context.Context, id string, after, epoch int64, e round.Event) (*store.Entry, error) {
	select {
	case <-f.until:
	default:
		if f.on(e) {
			return nil, fault.New(fault.Resource, "write the journal", errors.New("no space left on device"), "")
		}
	}
	return f.Store.Append(ctx, id, after, epoch, e)
}

// heard keeps what a driver has in trouble.
type heard struct{ troubles chan string }

func (heard) Entry(*store.Entry, *round.State) {}

func (h heard) Trouble(what string) {
	select {
	case h.troubles <- what:
	default:
	}
}

// TestDiskFull fills the disk under the journal while writes are stopped: nothing starts, the trouble is told, and the round goes on when there is room.
func TestDiskFull(t *testing.T) {
	s, r, b := newRound(t, store.Live, script())
	d, _ := driver(s, b, "ann")
	f := &full{Store: s, until: make(chan struct{}), on: func(e round.Event) bool { return strings.HasPrefix(string(e.Step), "open") }}
	o := heard{make(chan string, 10)}
	d.Journal, d.Observer = f, o
	x := begin(t, d, r, false)
	say(t, s, r, round.Event{What: round.Go, Step: "go", Who: "bob"})
	if told := <-o.troubles; !strings.Contains(told, "no space left on device") {
		t.Errorf("it told %q", told)
	}
	if strings.Contains(joined(b), "did open") {
		t.Errorf("a database opened that no entry stands for:\n%s", joined(b))
	}
	close(f.until)
	x.end(t, round.PhaseDone)
}

// TestStopped stops a driver while writes are stopped: it lets go, says so, and another one ends the round.
func TestStopped(t *testing.T) {
	s, r, b := newRound(t, store.Live, script())
	d, h := driver(s, b, "ann")
	stay := make(chan struct{})
	d.Hands[round.KindAuto] = slow{h, "close c", stay}
	d.LetGo = func(context.Context) { b.write(t, "undid close a"); b.write(t, "undid close b") }
	x := begin(t, d, r, false)
	say(t, s, r, round.Event{What: round.Go, Step: "go", Who: "bob"})
	<-stay
	until(t, s, r, of(round.Done, "close a"))
	until(t, s, r, of(round.Done, "close b"))
	x.cancel(errors.New("somebody pressed Ctrl-C"))
	<-x.done
	if x.err == nil || !strings.Contains(x.err.Error(), "Ctrl-C") {
		t.Errorf("it ended with %v", x.err)
	}
	if st := x.state.Steps["close a"].Status; st != round.StatusWaiting {
		t.Errorf("close a is %s: what was let go is to be closed again", st)
	}
	if st := x.state.Steps["close c"].Status; st != round.StatusUnsure {
		t.Errorf("close c is %s", st)
	}
	other, _ := driver(s, b, "bob")
	begin(t, other, r, false).end(t, round.PhaseDone)
}

// slow never ends one step by itself.
type slow struct {
	*hand
	step  round.StepID
	began chan struct{}
}

func (h slow) Do(ctx context.Context, w *drive.Work) (string, error) {
	if w.Task.Step.ID == h.step && w.Verb == round.Do {
		close(h.began)
		<-ctx.Done()
		return "", context.Cause(ctx)
	}
	return h.hand.Do(ctx, w)
}

// TestWindow holds writes open outside of the window, and makes a breach of its end.
func TestWindow(t *testing.T) {
	s, r, b := newRound(t, store.Live, script())
	now := time.Now()
	r.WindowFrom, r.WindowTo = now.Add(time.Hour), now.Add(2*time.Hour)
	clock := make(chan time.Time, 1)
	clock <- now
	d, h := driver(s, b, "ann")
	d.Now = func() time.Time { v := <-clock; clock <- v; return v }
	began := make(chan struct{})
	d.Hands[round.KindAuto] = slow{h, "close c", began}
	o := heard{make(chan string, 10)}
	d.Observer = o
	x := begin(t, d, r, false)
	say(t, s, r, round.Event{What: round.Go, Step: "go", Who: "bob"})
	if told := <-o.troubles; !strings.Contains(told, "writes may be stopped from") {
		t.Errorf("it told %q", told)
	}
	if strings.Contains(joined(b), "did close") {
		t.Errorf("closed before the window:\n%s", joined(b))
	}
	<-clock
	clock <- now.Add(90 * time.Minute)
	<-began
	<-clock
	clock <- now.Add(3 * time.Hour)
	x.end(t, round.PhaseAborted)
	if !strings.Contains(x.state.Trouble, "the window has ended") {
		t.Errorf("the round's trouble is %q", x.state.Trouble)
	}
}

// TestWatch lets a watch break before the switch.
func TestWatch(t *testing.T) {
	sc := script()
	sc.Watches = []round.Watch{{Name: "errors", Check: "grep", From: "quiesce"}}
	s, r, b := newRound(t, store.Live, sc)
	d, h := driver(s, b, "ann")
	d.Hands[round.KindAuto] = slow{h, "close c", make(chan struct{})}
	d.Watch = drive.Hook{World: at(false)}
	x := begin(t, d, r, false)
	say(t, s, r, round.Event{What: round.Go, Step: "go", Who: "bob"})
	x.end(t, round.PhaseAborted)
	if !strings.Contains(x.state.Trouble, "errors does not hold") {
		t.Errorf("the round's trouble is %q", x.state.Trouble)
	}
}

// TestProofOfConcept goes on behind what fails.
func TestProofOfConcept(t *testing.T) {
	sc := script()
	for i := range sc.Tasks {
		sc.Tasks[i].Step.Role = ""
	}
	s, r, b := newRound(t, store.PoC, sc)
	d, h := driver(s, b, "ann")
	h.fail = func(w *drive.Work) error {
		if w.Task.Step.ID == "quiesce" || w.Task.Step.Role == round.RoleOpen {
			return errors.New("it cannot be done yet")
		}
		return nil
	}
	h.held = map[string]bool{"a": true, "b": true, "c": true}
	x := begin(t, d, r, false)
	say(t, s, r, round.Event{What: round.Go, Step: "go", Who: "bob"})
	x.end(t, round.PhaseDone)
	if st := x.state.Steps["quiesce"]; st.Status != round.StatusSkipped || !strings.Contains(st.Reason, "it cannot be done yet") {
		t.Errorf("quiesce is %s: %s", st.Status, st.Reason)
	}
}

// hold counts who keeps a database current.
type hold struct {
	keeps atomic.Int32
	began chan struct{}
}

func (h *hold) Keep(ctx context.Context, _ *store.Round, _ drive.Keeping) error {
	h.keeps.Add(1)
	defer h.keeps.Add(-1)
	select {
	case h.began <- struct{}{}:
		<-ctx.Done()
	case <-ctx.Done():
	}
	return context.Cause(ctx)
}

// TestFollowsByItself lets go of a database that is kept current before a step that does so by itself, since only one process can apply to it.
func TestFollowsByItself(t *testing.T) {
	for _, phase := range []string{"follow", "verify", "rehearse"} {
		t.Run(phase, func(t *testing.T) {
			sc := round.Script{Tasks: []round.Task{
				{Step: round.Step{ID: "copy a", Kind: round.KindAuto, Database: "a", Undo: round.UndoNothing}, Do: "copy"},
				{Step: round.Step{ID: "go", Kind: round.KindGate, Quorum: 1, Needs: []round.StepID{"copy a"}, Undo: round.UndoNothing}},
				{Step: round.Step{ID: "b a", Kind: round.KindAuto, Database: "a", Needs: []round.StepID{"go"}, Undo: round.UndoNothing}, Do: phase},
				{Step: round.Step{ID: "then", Kind: round.KindGate, Quorum: 1, Needs: []round.StepID{"b a"}, Undo: round.UndoNothing}},
			}}
			s, r, b := newRound(t, store.PoC, sc)
			d, h := driver(s, b, "ann")
			keeper := &hold{began: make(chan struct{})}
			d.Keeper = keeper
			h.fail = func(w *drive.Work) error {
				if w.Task.Do == phase && keeper.keeps.Load() > 0 {
					return errors.New("another applies to it")
				}
				return nil
			}
			x := begin(t, d, r, false)
			<-keeper.began
			say(t, s, r, round.Event{What: round.Go, Step: "go", Who: "bob"})
			<-keeper.began // behind the step it is kept current again
			say(t, s, r, round.Event{What: round.Go, Step: "then", Who: "bob"})
			x.end(t, round.PhaseDone)
			if st := x.state.Steps["b a"]; st.Status != round.StatusDone {
				t.Errorf("%s is %s: %s", phase, st.Status, st.Reason)
			}
		})
	}
}
