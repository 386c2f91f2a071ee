package web

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/store"
)

// The sections of the list's document, beside sectionStore.
const (
	sectionEnvironments = "environments" // by name
	sectionRounds       = "rounds"       // by round
)

// environmentView is an environment, whether it has had a round or not.
type environmentView struct {
	I          int     `json:"i"`
	Production bool    `json:"production,omitempty"`
	Databases  int     `json:"databases,omitempty"`
	Zone       string  `json:"zone,omitempty"`
	Cost       float64 `json:"cost,omitempty"`
}

// roundView is a round in a line.
type roundView struct {
	Environment string      `json:"env"`
	Kind        store.Kind  `json:"kind"`
	Number      int         `json:"number"`
	Leg         int         `json:"leg,omitempty"`
	Production  bool        `json:"production,omitempty"`
	Zone        string      `json:"zone,omitempty"`
	Phase       round.Phase `json:"phase"`
	Verdict     verdict     `json:"verdict"`
	Began       int64       `json:"began"`
	Ended       int64       `json:"ended,omitempty"`
	Freeze      stretch     `json:"freeze"`
	Waits       []waitView  `json:"waits,omitempty"`
	Drift       int64       `json:"drift"`
	Done        int         `json:"done"`
	Steps       int         `json:"steps"`
	Databases   int         `json:"databases"`
	Open        int         `json:"open"`
}

func (s *server) listHub() *hub {
	return s.keep("list", func() *hub { return newHub(s, s.listDocument, s.listWait) })
}

// listWait lets the list be read at every second tick.
func (s *server) listWait(ctx context.Context) {
	t := time.NewTimer(2 * tick)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

func (s *server) listDocument(ctx context.Context) (document, error) {
	all, broken, err := s.sights(ctx)
	if err != nil {
		return nil, err
	}
	d := document{sectionEnvironments: nil, sectionRounds: nil}
	if s.Platform != nil {
		for i := range s.Platform.Environments {
			e := &s.Platform.Environments[i]
			d.put(sectionEnvironments, e.Name, environmentView{i, e.Production, len(e.Databases), e.Zone, e.Cost})
		}
	}
	for _, a := range all {
		d.put(sectionRounds, a.Round.ID, a.line())
	}
	for _, b := range broken {
		r := b.round
		d.put(sectionRounds, r.ID, roundView{
			Environment: r.Environment, Kind: r.Kind, Number: r.Number, Leg: r.Leg, Production: r.Production, Zone: r.Zone, Phase: "not known", Began: ms(r.Began),
			Verdict: verdict{levelAlert, b.err.Error()},
		})
	}
	return d, nil
}

// brokenRound is a round whose journal cannot be played.
type brokenRound struct {
	round *store.Round
	err   error
}

// sights looks at every round. One whose journal cannot be played does not hide the others.
func (s *server) sights(ctx context.Context) (all []*sight, broken []brokenRound, err error) {
	rounds, err := s.Store.Rounds(ctx)
	if err != nil {
		return nil, nil, err
	}
	for i := range rounds {
		a, err := s.watch(rounds[i].ID).glance(ctx)
		switch {
		case err != nil && (fault.ClassOf(err) == fault.Data || errors.Is(err, store.ErrChain)):
			broken = append(broken, brokenRound{&rounds[i], err})
		case err != nil:
			return nil, nil, err
		default:
			all = append(all, a)
		}
	}
	return all, broken, nil
}

func (a *sight) line() roundView {
	r := &a.Round
	v := roundView{
		Environment: r.Environment, Kind: r.Kind, Number: r.Number, Leg: r.Leg, Production: r.Production, Zone: r.Zone, Phase: a.Phase, Verdict: a.verdict(),
		Began: ms(r.Began), Ended: ms(a.Ended), Freeze: stretched(a.Freeze, a.Frozen, a.Now), Drift: a.Drift.Round(time.Second).Milliseconds(),
		Steps: len(a.Steps), Open: len(a.Open),
	}
	for i := range a.Waits {
		v.Waits = append(v.Waits, waitView{Step: a.Waits[i].Step, For: somebody(a.Waits[i].For), What: a.Waits[i].What, Since: ms(a.Waits[i].Since)})
	}
	databases := map[string]bool{}
	for i := range a.Steps {
		s := &a.Steps[i]
		if s.State.Status == round.StatusDone || s.State.Status == round.StatusSkipped {
			v.Done++
		}
		if db := s.Task.Step.Database; db != "" {
			databases[db] = true
		}
	}
	v.Databases = len(databases)
	return v
}

func (s *server) list(w http.ResponseWriter, r *http.Request) { s.sendWhole(w, r, s.listHub()) }

func (s *server) listEvents(w http.ResponseWriter, r *http.Request) { s.stream(w, r, s.listHub()) }

// known makes sure that there is a round before anything is kept of it.
func (s *server) known(w http.ResponseWriter, r *http.Request) (id string, ok bool) {
	id = r.PathValue("id")
	if _, err := s.Store.Round(r.Context(), id); err != nil {
		s.refuse(w, r, err)
		return "", false
	}
	return id, true
}

func (s *server) round(w http.ResponseWriter, r *http.Request) {
	if id, ok := s.known(w, r); ok {
		s.sendWhole(w, r, s.hub(id))
	}
}

func (s *server) roundEvents(w http.ResponseWriter, r *http.Request) {
	if id, ok := s.known(w, r); ok {
		s.stream(w, r, s.hub(id))
	}
}

// entries sends the entries before one, the last ones first; ?before=N.
func (s *server) entries(w http.ResponseWriter, r *http.Request) {
	id, ok := s.known(w, r)
	if !ok {
		return
	}
	before, err := strconv.ParseInt(r.URL.Query().Get("before"), 10, 64)
	if err != nil || before < 1 {
		s.deny(w, http.StatusBadRequest, "before which entry?", "?before=201")
		return
	}
	all, err := s.Store.Entries(r.Context(), id, max(0, before-1-shown))
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	d := document{sectionEntries: nil}
	for i := range all {
		if all[i].Seq < before {
			d.put(sectionEntries, strconv.FormatInt(all[i].Seq, 10), viewEntry(&all[i]))
		}
	}
	sendJSON(w, http.StatusOK, message{Sections: d, Now: s.Now().UnixMilli()})
}

// healthy says whether the store can be read.
func (s *server) healthy(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if _, err := s.Store.Rounds(r.Context()); err != nil && !errors.Is(err, context.Canceled) {
		s.Log.ErrorContext(r.Context(), "the store cannot be read", "error", err)
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte("the store of rounds cannot be read\n")) // why is in the log: anybody may ask here
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}
