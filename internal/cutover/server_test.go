package cutover_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/cutover"
	"github.com/bascule/bascule/internal/postgres"
	"github.com/bascule/bascule/internal/servertest"
)

// ends do nothing but note what they are asked for, and take as long as a claim lasts, twice, for the drain.
type ends struct {
	mu    sync.Mutex
	calls []string
	slow  time.Duration
	begun func() // called when a drain begins
}

func (e *ends) note(what string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.calls = append(e.calls, what)
	return nil
}

type port struct{ *ends }

func (p port) Look(context.Context) ([]cutover.Gate, error) {
	return []cutover.Gate{{Name: "lag", Open: true}}, nil
}

func (p port) Arm(context.Context, change.Token) (change.Position, error) { return "r", p.note("arm") }

func (p port) Disarm(context.Context, change.Token) error { return p.note("disarm") }

func (p port) Feed(_ context.Context, _ change.Token, from change.Position) error {
	return p.note("feed " + string(from))
}

func (p port) Raise(context.Context, change.Token) error { return p.note("raise") }

func (p port) Prove(context.Context, change.Token) (change.Position, error) {
	return "f", p.note("prove")
}

func (p port) Lower(context.Context, change.Token) error { return p.note("lower") }

func (p port) Drain(ctx context.Context, at change.Position) (change.Mark, error) {
	if p.begun != nil {
		p.begun()
	}
	select {
	case <-time.After(p.slow):
		return change.Mark{Position: at}, p.note("drain " + string(at))
	case <-ctx.Done():
		return change.Mark{}, context.Cause(ctx)
	}
}

func (p port) Still(_ context.Context, at change.Position) error {
	return p.note("still " + string(at))
}

func (p port) Prepare(context.Context, change.Token) error  { return p.note("prepare") }
func (p port) Restore(context.Context, change.Token) error  { return p.note("restore") }
func (p port) Validate(context.Context, change.Token) error { return p.note("validate") }
func (p port) Open(context.Context, change.Token) error     { return p.note("open") }

type proof struct{}

func (proof) Prove(context.Context) (cutover.Proved, error) { return cutover.Proved{}, nil }

// TestWithServer drives with the machine's clock and a journal in PostgreSQL: the claim is renewed for as long as the drain takes, so
// that neither a rival nor a watcher interferes; and a run that is interrupted undoes.
func TestWithServer(t *testing.T) {
	t.Parallel()
	s := servertest.Targets(t)[0]
	end, rec := fresh(t, s)
	const lease = time.Second
	if err := end.Fence(rec, change.FenceOrder{Who: "ann"}).Raise(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	process := func(name string, e *ends) *cutover.Driver {
		p := port{e}
		return &cutover.Driver{
			Journal: end.Journal(rec), Who: name, ID: name, Lease: lease,
			Forward: &cutover.Way{Gates: p, Reverse: p, Fence: p, Drain: p, Proof: proof{}, Target: p, Opener: p},
		}
	}
	wctx, stop := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() {
		_ = process("watcher", &ends{}).Watch(wctx, func(cutover.State, error) { t.Error("the watcher took over") })
	})
	defer watching.Wait()
	defer stop()

	ctx, cancel := context.WithCancelCause(t.Context())
	interrupted := &ends{slow: time.Hour, begun: func() {
		time.AfterFunc(2*lease, func() { cancel(errors.New("a person gave up")) })
	}}
	if state, err := process("ann", interrupted).Run(ctx, cutover.ToNew); err == nil || !strings.Contains(err.Error(), "gave up") || state.Phase != cutover.Idle || state.Live != cutover.Old {
		t.Errorf("an interrupted run ends as %s, %v", state.Text(), err)
	}
	if want := []string{"arm", "raise", "prove", "lower", "disarm"}; !slices.Equal(interrupted.calls, want) {
		t.Errorf("an interrupted run called %v, want %v", interrupted.calls, want)
	}
	done := &ends{slow: 2 * lease}
	state, err := process("bob", done).Run(t.Context(), cutover.ToNew)
	if err != nil || state.Live != cutover.New || state.Phase != cutover.Idle {
		t.Errorf("it ends as %s, %v", state.Text(), err)
	}
	want := []string{"arm", "raise", "prove", "drain f", "prepare", "open", "feed r", "validate"}
	if !slices.Equal(done.calls, want) {
		t.Errorf("it called %v, want %v", done.calls, want)
	}
	again, log, err := process("cat", &ends{}).Look(t.Context())
	if err != nil || again.Live != cutover.New || log.Driven() || !log.Watched() || log.Entries[len(log.Entries)-1].Who != "bob" {
		t.Errorf("another process reads %s, %+v, %v", again.Text(), log, err)
	}
}

// fresh makes a database and a migration in it.
func fresh(t *testing.T, s *servertest.Server) (*postgres.End, *change.Record) {
	t.Helper()
	c, err := postgres.ParseConfig(s.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	end, err := postgres.Open(t.Context(), c, postgres.Options{Schema: "app"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end.Close)
	rec, err := end.Create(t.Context(), change.Record{Schema: "app", Source: "s", SourceID: "s", Position: "p"}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return end, rec
}
