// Package migration owns the story of one database from plan to proof: it asks
// the ends, makes the plan, opens the ledger, and runs the stages. It knows ports
// only; it never builds SQL and never talks to an operator except through events.
package migration

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/convert"
	"github.com/bascule/bascule/internal/cutover"
	"github.com/bascule/bascule/internal/event"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/journal"
	"github.com/bascule/bascule/internal/schema"
)

// Migration moves one source database into one schema of a target. Its methods
// may be called in any order and again; each is safe to interrupt.
type Migration struct {
	Source change.Source
	// Target may be nil for Plan alone; the plan then assumes a current PostgreSQL.
	Target change.Target
	// Changes and Applier are the same two ends, for Follow: where changes come from, and where they go.
	Changes change.Log
	Applier change.Applier
	// Old and New are the same two ends once more, for a cutover and a fallback.
	Old Old
	New New
	// Spool keeps the source's log while a copy that is to be followed runs, and while its follow is behind; nil leaves it to the source.
	Spool Spooler
	// Who names this process to others that want to follow the same migration.
	Who string
	// ApplyDDL lets Follow alter the target as the source was altered, where that can be proved; else it stops there.
	ApplyDDL bool
	Options  convert.Options
	Filter   change.Filter
	// Lanes is how many connection pairs copy or compare at once; 0 means one a core
	// of this machine, at least 2 and at most 8.
	Lanes int
	// Retry is how long a lost server is waited for; 0 means a minute.
	Retry  time.Duration
	Events event.Sink
	Log    *slog.Logger
}

// assumed is what a plan without a target takes for granted.
var assumed = change.Capabilities{Version: 180000, ICU: true}

func (m *Migration) emit(e event.Event) {
	if m.Events != nil {
		m.Events(e)
	}
}

// phase runs fn between its events.
func (m *Migration) phase(name string, fn func() error) error {
	began := time.Now()
	m.emit(event.PhaseStarted{Phase: name})
	if err := fn(); err != nil {
		return err
	}
	m.emit(event.PhaseDone{Phase: name, Elapsed: time.Since(began)})
	return nil
}

func (m *Migration) lanes() int {
	return cmp.Or(m.Lanes, min(max(2, runtime.NumCPU()), 8))
}

func (m *Migration) retry() time.Duration { return cmp.Or(m.Retry, time.Minute) }

func (m *Migration) name() schema.Name { return cmp.Or(m.Options.Schema, "public") }

// Plan reads the source's catalog and all that the plan and its losses depend on,
// and returns the plan. It writes nothing on either side.
func (m *Migration) Plan(ctx context.Context) (*convert.Plan, error) {
	in, err := m.input(ctx, func(schema.Question) bool { return true })
	if err != nil {
		return nil, err
	}
	return convert.New(*in)
}

// input gathers what a plan depends on, asking the data only the questions wanted.
func (m *Migration) input(ctx context.Context, want func(schema.Question) bool) (*convert.Input, error) {
	in := &convert.Input{Options: m.Options, Target: assumed}
	err := m.phase("inspect", func() (err error) {
		if m.Target != nil {
			if in.Target, err = m.Target.Capabilities(ctx); err != nil {
				return err
			}
		}
		in.Source, err = m.Source.Inspect(ctx, m.Filter)
		return err
	})
	if err != nil {
		return nil, err
	}
	var qs []schema.Question
	for _, q := range convert.Questions(in.Source, m.Options) {
		if want(q) {
			qs = append(qs, q)
		}
	}
	err = m.phase("assess", func() (err error) {
		in.Answers, err = m.Source.Answer(ctx, in.Source, qs)
		return err
	})
	return in, err
}

// Check returns the preflight findings of both ends, the source's first.
func (m *Migration) Check(ctx context.Context) ([]finding.Finding, error) {
	in, err := m.input(ctx, func(schema.Question) bool { return false })
	if err != nil {
		return nil, err
	}
	plan, err := convert.New(*in)
	if err != nil {
		return nil, err
	}
	return m.check(ctx, plan)
}

func (m *Migration) check(ctx context.Context, plan *convert.Plan) ([]finding.Finding, error) {
	all, err := m.Source.Check(ctx, plan.Source)
	if err != nil {
		return nil, err
	}
	room, err := m.spoolFindings(ctx, plan)
	all = append(all, room...)
	if err != nil || m.Target == nil {
		return all, err
	}
	fs, err := m.Target.Check(ctx, plan.Target)
	return append(all, fs...), err
}

// Status is what the ledger says of a migration.
type Status struct {
	Record   change.Record
	Progress []change.Progress
	Losses   change.Losses
	Left     int64
	// Follow says that the copy was made to be followed, Applied how far it is.
	Follow  bool
	Applied change.Mark
	// Cutover is where the application lives and what an attempt to move it has come to; Driver who drives one now, Watcher who stands by.
	Cutover         cutover.State
	Driver, Watcher journal.Holder
}

// Status reads the ledger. It needs the target only.
func (m *Migration) Status(ctx context.Context) (*Status, error) {
	r, err := m.record(ctx)
	if err != nil {
		return nil, err
	}
	s := &Status{Record: *r}
	if s.Progress, err = m.Target.Progress(ctx, r.Schema); err != nil {
		return nil, err
	}
	if s.Losses, err = m.Target.Losses(ctx, r.Schema); err != nil {
		return nil, err
	}
	if s.Left, err = m.Target.Queue(r).Left(ctx); err != nil {
		return nil, err
	}
	then, _, err := recorded(r)
	if err != nil {
		return nil, err
	}
	if s.Follow = then.Options.ForFollow; !s.Follow {
		return s, nil
	}
	if s.Applied, err = m.Applier.Applied(ctx, r); err != nil {
		return s, err
	}
	var log *journal.Log
	if s.Cutover, log, err = m.journal(ctx, r); err != nil {
		return s, err
	}
	if log.Driven() {
		s.Driver = log.Driver
	}
	if log.Watched() {
		s.Watcher = log.Watcher
	}
	return s, nil
}

// journal reads what became of the migration's cutovers.
func (m *Migration) journal(ctx context.Context, r *change.Record) (cutover.State, *journal.Log, error) {
	log, err := m.New.Journal(r).Read(ctx)
	if err != nil {
		return cutover.State{}, nil, err
	}
	s, err := cutover.Fold(log.Entries)
	return s, log, err
}

// Drop removes what the migration made on the target and returns what that was, or
// would be when dry is set. It needs the target only.
func (m *Migration) Drop(ctx context.Context, dry bool) ([]string, error) {
	if _, err := m.record(ctx); err != nil {
		return nil, err
	}
	return m.Target.Drop(ctx, m.name(), dry)
}

func (m *Migration) record(ctx context.Context) (*change.Record, error) {
	r, err := m.Target.Open(ctx, m.name())
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, fault.New(fault.Usage, "open the ledger", fmt.Errorf("no migration into schema %q is recorded in the target", m.name()),
			"name another schema with --schema, or begin with: bascule db copy")
	}
	return r, nil
}
