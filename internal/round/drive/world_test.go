package drive_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/drive"
	"github.com/bascule/bascule/internal/round/store"
)

// book is the world outside of a driver, as a file: each effect is a line, durable before the hand says so. It outlives the driver.
type book struct {
	path string
	mu   sync.Mutex
	// pause makes each act take a moment, so that a kill meets it.
	pause time.Duration
}

func (b *book) write(t interface{ Fatal(...any) }, line string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f, err := os.OpenFile(b.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // what was written is looked at by others
	if _, err := f.WriteString(line + "\n"); err != nil {
		t.Fatal(err)
	}
}

func (b *book) lines() (out []string) {
	f, err := os.Open(b.path)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }() // what was written is looked at by others
	for s := bufio.NewScanner(f); s.Scan(); {
		out = append(out, s.Text())
	}
	return out
}

// stands reports whether an effect was done last, and not undone.
func (b *book) stands(step round.StepID) bool {
	on := false
	for _, l := range b.lines() {
		switch l {
		case "did " + string(step):
			on = true
		case "undid " + string(step):
			on = false
		}
	}
	return on
}

// panics is for a process that has no test around it.
type panics struct{}

func (panics) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

// hand carries steps out in a book. Of a database that it has closed it knows only as long as its process lives, as a real one does.
type hand struct {
	b    *book
	mu   sync.Mutex
	held map[string]bool
	fail func(w *drive.Work) error
}

func (h *hand) Do(ctx context.Context, w *drive.Work) (string, error) {
	if h.fail != nil {
		if err := h.fail(w); err != nil {
			return "", err
		}
	}
	if h.b.pause > 0 {
		t := time.NewTimer(time.Duration(rand.Int64N(int64(h.b.pause))))
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	step := w.Task.Step
	if w.Verb == round.Do && step.Role == round.RoleOpen && !h.held[step.Database] {
		return "", errors.New("it is not held closed by this process")
	}
	word := "did "
	switch w.Verb { //nolint:exhaustive // the other verbs do
	case round.CloseBack:
		word = "closed back "
	case round.UndoStep:
		word = "undid "
	}
	h.b.write(panics{}, word+string(step.ID))
	h.held[step.Database] = w.Verb == round.Do && step.Role == round.RoleClose
	return "seen in the book", nil
}

// Check looks into the book. What was closed by a process that has died is opened again, as a database would be.
func (h *hand) Check(_ context.Context, w *drive.Work) (drive.Found, string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	step := w.Task.Step
	stands := h.b.stands(step.ID)
	if step.Role == round.RoleClose && w.Verb == round.Do {
		if stands && !w.Together {
			h.b.write(panics{}, "undid "+string(step.ID))
		}
		return drive.FoundAbsent, "", nil
	}
	if step.Kind == round.KindMessage {
		return drive.FoundDone, "", nil
	}
	if w.Verb == round.CloseBack {
		return drive.FoundAbsent, "", nil
	}
	if stands == (w.Verb == round.Do) {
		return drive.FoundDone, "", nil
	}
	return drive.FoundAbsent, "", nil
}

// script is a round with a step of every kind, and a group of three databases.
func script() round.Script {
	s := round.Script{Limits: map[string]int{"lane": 2}}
	add := func(step round.Step) {
		if step.Undo == "" {
			step.Undo = round.UndoAction
		}
		s.Tasks = append(s.Tasks, round.Task{Step: step, Title: string(step.ID), Do: string(step.ID), Back: "back"})
	}
	dbs := []string{"a", "b", "c"}
	add(round.Step{ID: "ttl", Kind: round.KindHook})
	var copies, closes, opens []round.StepID
	for _, db := range dbs {
		add(round.Step{ID: round.StepID("copy " + db), Kind: round.KindAuto, Database: db, Group: "g", Uses: []string{"lane"}, Undo: round.UndoNothing})
		s.Tasks[len(s.Tasks)-1].Do = "copy"
		copies = append(copies, round.StepID("copy "+db))
	}
	add(round.Step{ID: "go", Kind: round.KindGate, Quorum: 1, Needs: append(copies, "ttl"), Undo: round.UndoNothing})
	add(round.Step{ID: "tell", Kind: round.KindMessage, Needs: []round.StepID{"go"}, Undo: round.UndoNothing})
	add(round.Step{ID: "quiesce", Kind: round.KindHook, Needs: []round.StepID{"go"}})
	for _, db := range dbs {
		id := round.StepID("close " + db)
		add(round.Step{ID: id, Kind: round.KindAuto, Role: round.RoleClose, Database: db, Group: "g", Needs: []round.StepID{"quiesce"}})
		closes = append(closes, id)
	}
	for i, db := range dbs {
		id := round.StepID("open " + db)
		add(round.Step{ID: id, Kind: round.KindAuto, Role: round.RoleOpen, Database: db, Group: "g", Needs: closes[i : i+1]})
		opens = append(opens, id)
	}
	add(round.Step{ID: "endpoints", Kind: round.KindHook, Needs: opens})
	add(round.Step{ID: "traffic", Kind: round.KindTraffic, Needs: []round.StepID{"endpoints"}})
	add(round.Step{ID: "soak", Kind: round.KindWait, Needs: []round.StepID{"traffic"}, Undo: round.UndoNothing})
	return s
}

// newRound begins a round in a store of its own.
func newRound(t *testing.T, k store.Kind, sc round.Script) (*store.Store, *store.Round, *book) {
	t.Helper()
	dir := t.TempDir()
	s, err := store.Open(t.Context(), filepath.Join(dir, "rounds.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := sc.Plan().Check(); err != nil {
		t.Fatal(err)
	}
	r := &store.Round{Environment: "preprod", Kind: k, Who: "ann", Script: sc, Hash: "h"}
	if err := s.Create(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	return s, r, &book{path: filepath.Join(dir, "book")}
}

// driver drives with hands that write into a book. Gates and waits hold at once.
func driver(s *store.Store, b *book, who string) (*drive.Driver, *hand) {
	h := &hand{b: b, held: map[string]bool{}}
	d := &drive.Driver{
		Journal: s, Lease: s, Who: who, For: 300 * time.Millisecond,
		Hands: map[round.Kind]drive.Hand{
			round.KindAuto: h, round.KindHook: h, round.KindTraffic: h, round.KindMessage: h,
			round.KindWait: drive.Wait{Now: time.Now, World: at(true)}, round.KindGate: drive.Gate{World: at(true)},
		},
	}
	return d, h
}

// say lets a person say something as soon as it can be said.
func say(t *testing.T, s *store.Store, r *store.Round, e round.Event) {
	t.Helper()
	for {
		entries, err := s.Entries(t.Context(), r.ID, 0)
		if err != nil {
			t.Fatal(err)
		}
		state := round.New(r.Script.Plan())
		for i := range entries {
			if err := state.Apply(entries[i].Event); err != nil {
				t.Fatal(err)
			}
		}
		last := int64(len(entries))
		if err := state.Say(e); err == nil {
			if _, err := s.Append(t.Context(), r.ID, last, 0, e); err == nil {
				return
			}
			continue
		}
		if err := s.Wait(t.Context(), r.ID, last); err != nil {
			t.Fatal(err)
		}
	}
}

func joined(b *book) string { return strings.Join(b.lines(), "\n") }
