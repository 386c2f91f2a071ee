package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/bascule/bascule/internal/cutover"
	"github.com/bascule/bascule/internal/event"
	"github.com/bascule/bascule/internal/round/store"
)

// vitals keep the signs of life of a round's databases, and write those that have changed into the journal's store, once a second.
type vitals struct {
	now   func() time.Time
	after func(event.Event, string) // sees every event, and of which database; nil for nobody

	mu    sync.Mutex
	signs map[string]*vitalSign
}

// vitalSign is what a database shows of itself. The dashboard reads its keys.
type vitalSign struct {
	Phase    string    `json:"phase,omitempty"`
	Began    time.Time `json:"began,omitzero"`
	Lag      *int64    `json:"lag_ns,omitempty"`
	LagBytes *int64    `json:"lag_bytes,omitempty"`
	Rate     *float64  `json:"rows_per_second,omitempty"`
	Position string    `json:"applied_position,omitempty"`
	Side     string    `json:"side,omitempty"`
	// Frozen is since when writes are stopped; null while they are not.
	Frozen   *time.Time  `json:"frozen_since"`
	Freeze   int64       `json:"freeze_ns,omitempty"` // the last one
	Proof    string      `json:"proof,omitempty"`
	Tables   []tableSign `json:"tables,omitempty"`
	Findings []string    `json:"findings,omitempty"`
	Trouble  string      `json:"trouble,omitempty"`
	tables   map[string]*tableSign
	changed  bool
}

type tableSign struct {
	Name  string `json:"name"`
	Rows  int64  `json:"rows"`
	Bytes int64  `json:"bytes"`
	Done  bool   `json:"done"`
}

func newVitals(now func() time.Time) *vitals {
	return &vitals{now: now, signs: map[string]*vitalSign{}}
}

// of returns a database's sign; v.mu is held.
func (v *vitals) of(db string) *vitalSign {
	s := v.signs[db]
	if s == nil {
		s = &vitalSign{tables: map[string]*tableSign{}}
		v.signs[db] = s
	}
	s.changed = true
	return s
}

// trouble notes what keeps a database from being kept current.
func (v *vitals) trouble(db string, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	text, _ := errorText(err)
	v.of(db).Trouble = text
}

// view is a renderer that keeps what one phase of a database shows.
func (v *vitals) view(db, phase string) renderer { return &pulse{v: v, db: db, phase: phase} }

// pulse is the renderer of one phase of one database.
type pulse struct {
	v         *vitals
	db, phase string
}

// Close does nothing: a sign stays until another takes its place.
func (p *pulse) Close() {}

// Event implements renderer.
func (p *pulse) Event(e event.Event) {
	p.v.mu.Lock()
	defer p.v.mu.Unlock()
	s := p.v.of(p.db)
	switch e := e.(type) {
	case event.PhaseStarted:
		s.Phase, s.Began, s.Trouble = e.Phase, p.v.now().UTC(), ""
	case event.TableStarted:
		s.table(e.Table).Rows, s.table(e.Table).Bytes = e.DoneRows, e.DoneBytes
	case event.ChunkCopied:
		t := s.table(e.Table)
		t.Rows, t.Bytes = t.Rows+e.Rows, t.Bytes+e.Bytes
	case event.TableVerified:
		t := s.table(e.Table)
		t.Rows, t.Done = e.RowsSource, e.Differences == 0
	case event.Followed:
		lag, behind, rate := int64(e.Lag), e.LagBytes, e.RowsPerSecond
		s.Lag, s.LagBytes, s.Rate, s.Position, s.Trouble = &lag, &behind, &rate, e.Position, ""
	case event.Passed:
		s.Proof = "differs"
		if e.Equal {
			s.Proof = "equal at " + e.Position
		}
	case event.StepStarted:
		p.step(s, e)
	case event.StepDone:
		if e.Step == "fence" && e.Undo {
			s.Frozen = nil
		}
	case event.Frozen:
		s.Frozen, s.Freeze = nil, int64(e.Elapsed)
	case event.Found:
		if text := string(e.Finding.Code) + ": " + e.Finding.Object; !slices.Contains(s.Findings, text) {
			s.Findings = append(s.Findings, text)
		}
	case event.Retried:
		s.Trouble = e.What + ": " + e.Error
	default: // says nothing of how the database is
	}
	if p.v.after != nil {
		p.v.after(e, p.db)
	}
}

func (p *pulse) step(s *vitalSign, e event.StepStarted) {
	s.Phase = e.Direction + ": " + e.Step
	if e.Undo {
		s.Phase = e.Direction + ": undo " + e.Step
	}
	s.Side = string(cutover.Old)
	if e.Direction == "back" {
		s.Side = string(cutover.New)
	}
	if e.Step == "fence" && !e.Undo {
		now := p.v.now().UTC()
		s.Frozen = &now
	}
}

func (s *vitalSign) table(name string) *tableSign {
	t := s.tables[name]
	if t == nil {
		t = &tableSign{Name: name}
		s.tables[name] = t
	}
	return t
}

// write writes what has changed, once a second, until ctx ends.
func (v *vitals) write(ctx context.Context, s *store.Store, round string) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		for db, body := range v.fresh() {
			// A sign is lost without harm: the next one says more.
			_ = s.Sign(ctx, round, db, body)
		}
	}
}

// fresh returns the signs that have changed since it was asked last.
func (v *vitals) fresh() map[string]json.RawMessage {
	v.mu.Lock()
	defer v.mu.Unlock()
	out := map[string]json.RawMessage{}
	for db, s := range v.signs {
		if !s.changed {
			continue
		}
		s.changed = false
		s.Tables = s.Tables[:0]
		for _, name := range slices.Sorted(maps.Keys(s.tables)) {
			s.Tables = append(s.Tables, *s.tables[name])
		}
		if b, err := json.Marshal(s); err == nil {
			out[db] = b
		}
	}
	return out
}

// lag returns how far the database behind most is, and which it is.
func (v *vitals) lag() (db string, lag time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(v.signs)) {
		if s := v.signs[name]; s.Lag != nil && time.Duration(*s.Lag) > lag {
			db, lag = name, time.Duration(*s.Lag)
		}
	}
	return db, cmp.Or(lag, 0)
}
