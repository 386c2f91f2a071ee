package web

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/account"
	"github.com/bascule/bascule/internal/round/store"
)

// The sections of a round's document. In all of them times are milliseconds since 1970, and durations milliseconds.
const (
	sectionHead      = "head"      // one key, "head"
	sectionWaits     = "waits"     // by number
	sectionPlan      = "plan"      // by step: what does not change
	sectionSteps     = "steps"     // by step: what does
	sectionTimes     = "times"     // by step: when it is expected
	sectionPulse     = "pulse"     // by database: what moves at every sign of life
	sectionDatabases = "databases" // by database
	sectionTables    = "tables"    // by database/table: rows, bytes, done
	sectionEntries   = "entries"   // by number: the last ones
	sectionFindings  = "findings"  // by number: the notes among the entries
	sectionLosses    = "losses"    // by database: what its plan found, losses among it
	sectionStore     = "store"     // "trouble", while the store cannot be read
)

// shown is how many entries the first sight of a round has; older ones are asked for.
const shown = 200

// headView is what matters most.
type headView struct {
	ID          string     `json:"id"`
	Environment string     `json:"env"`
	Kind        store.Kind `json:"kind"`
	Number      int        `json:"number"`
	Leg         int        `json:"leg,omitempty"`
	Production  bool       `json:"production,omitempty"`
	Zone        string     `json:"zone,omitempty"`
	Who         string     `json:"who"`
	Hash        string     `json:"hash"`
	Program     string     `json:"program"`
	Override    string     `json:"override,omitempty"`
	Cost        float64    `json:"cost,omitempty"`
	WindowFrom  int64      `json:"window_from,omitempty"`
	WindowTo    int64      `json:"window_to,omitempty"`

	Phase   round.Phase  `json:"phase"`
	Paused  bool         `json:"paused,omitempty"`
	Trouble string       `json:"trouble,omitempty"`
	Verdict verdict      `json:"verdict"`
	Began   int64        `json:"began"`
	Ended   int64        `json:"ended,omitempty"`
	Freeze  stretch      `json:"freeze"`
	Open    []string     `json:"open,omitempty"`
	Turning string       `json:"turning"`
	Left    estimateView `json:"left"`
	// Unknown is how many of the steps to come have a length that nobody knows.
	Unknown int     `json:"unknown,omitempty"`
	Drift   int64   `json:"drift"` // in whole seconds, but in milliseconds
	Driver  *driver `json:"driver,omitempty"`
	// Running are the steps in work, Next those whose turn comes after them, Counts all by status.
	Running []round.StepID       `json:"running,omitempty"`
	Next    []round.StepID       `json:"next,omitempty"`
	Counts  map[round.Status]int `json:"counts"`
	Acts    []string             `json:"acts,omitempty"`
	Seq     int64                `json:"seq"`
	Chain   string               `json:"chain,omitempty"` // the journal's last hash
	MaxLag  int64                `json:"max_lag,omitempty"`
}

// stretch is a time that was, or that goes on: then From is when it would have begun had it never been interrupted, so that it need not be sent every second.
type stretch struct {
	Took int64 `json:"took,omitempty"`
	From int64 `json:"from,omitempty"`
}

func stretched(d time.Duration, goesOn bool, now time.Time) stretch {
	if goesOn {
		return stretch{From: now.Add(-d).UnixMilli()}
	}
	return stretch{Took: d.Milliseconds()}
}

type driver struct {
	Who   string `json:"who"`
	Since int64  `json:"since"`
	Holds bool   `json:"holds,omitempty"`
}

type estimateView struct {
	Expected int64 `json:"e"`
	Low      int64 `json:"l"`
	High     int64 `json:"h"`
	From     int   `json:"n"`
}

func estimated(e account.Estimate, to time.Duration) estimateView {
	ms := func(d time.Duration) int64 { return d.Round(to).Milliseconds() }
	return estimateView{ms(e.Expected), ms(e.Low), ms(e.High), e.From}
}

type waitView struct {
	Step    round.StepID `json:"step,omitempty"`
	For     string       `json:"for"`
	What    string       `json:"what"`
	Since   int64        `json:"since,omitempty"`
	Command string       `json:"command"`
	Acts    []string     `json:"acts,omitempty"`
}

type entryView struct {
	At       int64        `json:"at"`
	What     round.What   `json:"what"`
	Step     round.StepID `json:"step,omitempty"`
	Who      string       `json:"who,omitempty"`
	Reason   string       `json:"reason,omitempty"`
	Evidence string       `json:"evidence,omitempty"`
	Kind     string       `json:"kind,omitempty"`
	Owner    string       `json:"owner,omitempty"`
}

func viewEntry(e *store.Entry) entryView {
	v := &e.Event
	return entryView{e.At.UnixMilli(), v.What, v.Step, v.Who, v.Reason, account.Words(v.Evidence), v.Kind, v.Owner}
}

// ms is a time as the page gets it; 0 for none.
func ms(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// document makes of a round what the page shows of it.
func (w *watch) document(ctx context.Context) (document, error) {
	a, err := w.look(ctx)
	if err != nil {
		return nil, err
	}
	d := document{}
	d.put(sectionHead, sectionHead, a.head())
	for i := range a.Waits {
		x := &a.Waits[i]
		d.put(sectionWaits, strconv.Itoa(i), waitView{x.Step, somebody(x.For), x.What, ms(x.Since), x.Command, a.waitActs(x)})
	}
	for i := range a.Steps {
		s := &a.Steps[i]
		d.put(sectionPlan, string(s.Task.Step.ID), planned(s, i))
		d.put(sectionSteps, string(s.Task.Step.ID), a.step(s))
		d.put(sectionTimes, string(s.Task.Step.ID), times(s))
	}
	a.databases(d)
	for i := max(0, len(a.Entries)-shown); i < len(a.Entries); i++ {
		d.put(sectionEntries, strconv.FormatInt(a.Entries[i].Seq, 10), viewEntry(&a.Entries[i]))
	}
	for i := range a.Entries {
		if e := &a.Entries[i]; e.Event.What == round.Noted {
			d.put(sectionFindings, strconv.FormatInt(e.Seq, 10), viewEntry(e))
		}
	}
	return d, nil
}

func (a *sight) head() headView {
	r := &a.Round
	h := headView{
		ID: r.ID, Environment: r.Environment, Kind: r.Kind, Number: r.Number, Leg: r.Leg, Production: r.Production, Zone: r.Zone, Who: r.Who, Hash: r.Hash,
		Program: r.Program, Override: r.Override, Cost: r.Cost, WindowFrom: ms(r.WindowFrom), WindowTo: ms(r.WindowTo),
		Phase: a.Phase, Paused: a.Paused, Trouble: a.Trouble, Verdict: a.verdict(), Began: ms(r.Began), Ended: ms(a.Ended),
		Freeze: stretched(a.Freeze, a.Frozen, a.Now), Open: a.Open, Turning: a.Turning, Left: estimated(a.Left, time.Second), Unknown: len(a.Unknown),
		Drift: a.Drift.Round(time.Second).Milliseconds(), Counts: map[round.Status]int{}, Acts: roundActs(a.state), Seq: a.seq, MaxLag: r.Script.MaxLag.Milliseconds(),
	}
	if a.Driver != nil {
		h.Driver = &driver{a.Driver.Who, ms(a.Driver.Since), a.Driver.Holds()}
	}
	if n := len(a.Entries); n > 0 {
		h.Chain = a.Entries[n-1].Hash
	}
	for i := range a.Steps {
		s := &a.Steps[i]
		h.Counts[s.State.Status]++
		switch s.State.Status {
		case round.StatusRunning, round.StatusUndoing, round.StatusUnsure:
			h.Running = append(h.Running, s.Task.Step.ID)
		default:
		}
	}
	h.Next = a.next()
	return h
}

// most is how many steps are named as next.
const most = 6

// next lists steps that wait only for what is in work, those on the critical path first. Where a round goes back, they are those that it undoes next.
func (a *sight) next() (ids []round.StepID) {
	if a.Phase != round.PhaseRunning {
		for _, n := range a.state.Next() {
			if n.Verb == round.UndoStep || n.Verb == round.CloseBack {
				ids = append(ids, n.Step)
			}
		}
		return ids[:min(most, len(ids))]
	}
	soon := map[round.StepID]bool{}
	for id, st := range a.state.Steps {
		switch st.Status {
		case round.StatusDone, round.StatusSkipped, round.StatusRunning, round.StatusUnsure:
			soon[id] = true
		case round.StatusFailed:
			soon[id] = a.state.Plan.Step(id).Kind == round.KindMessage
		default:
		}
	}
	var later []round.StepID
	for i := range a.Steps {
		s := &a.Steps[i]
		if s.State.Status != round.StatusWaiting || slices.ContainsFunc(s.Task.Step.Needs, func(n round.StepID) bool { return !soon[n] }) {
			continue
		}
		if s.Critical {
			ids = append(ids, s.Task.Step.ID)
		} else {
			later = append(later, s.Task.Step.ID)
		}
	}
	ids = append(ids, later...)
	return ids[:min(most, len(ids))]
}
