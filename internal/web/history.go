package web

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/account"
	"github.com/bascule/bascule/internal/round/store"
)

// historyView is the rounds that have ended, the oldest first; rehearsals and proofs of concept move nothing and are not among them.
type historyView struct {
	Rounds []pastView `json:"rounds"`
}

type pastView struct {
	ID     string               `json:"id"`
	Began  int64                `json:"began"`
	Took   int64                `json:"took"`
	Freeze int64                `json:"freeze"`
	Phase  round.Phase          `json:"phase"`
	Steps  int                  `json:"steps"`
	Manual int                  `json:"manual"` // steps that people did
	Waited int64                `json:"waited"` // for people
	Each   map[string]*pastStep `json:"each"`   // by the template's name, all databases together
}

type pastStep struct {
	Took   int64 `json:"took"`
	Manual bool  `json:"manual,omitempty"`
}

func (s *server) history(w http.ResponseWriter, r *http.Request) {
	all, _, err := s.sights(r.Context())
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	slices.SortFunc(all, func(a, b *sight) int {
		return cmp.Or(a.Round.Began.Compare(b.Round.Began), cmp.Compare(a.Round.ID, b.Round.ID))
	})
	out := historyView{Rounds: []pastView{}}
	for _, a := range all {
		if a.Ended.IsZero() || a.Round.Kind != store.Live {
			continue
		}
		out.Rounds = append(out.Rounds, a.past())
	}
	sendJSON(w, http.StatusOK, out)
}

func (a *sight) past() pastView {
	v := pastView{
		ID: a.Round.ID, Began: ms(a.Round.Began), Took: a.Elapsed.Milliseconds(), Freeze: a.Freeze.Milliseconds(), Phase: a.Phase, Steps: len(a.Steps),
		Each: map[string]*pastStep{},
	}
	for i := range a.Steps {
		s := &a.Steps[i]
		name, manual := account.Template(s.Task.Step.ID), s.Task.Step.Kind == round.KindManual
		e := v.Each[name]
		if e == nil {
			e = &pastStep{Manual: manual}
			v.Each[name] = e
		}
		e.Took += s.Took.Milliseconds()
		v.Waited += s.Waited.Milliseconds()
		if manual && s.Took > time.Duration(0) {
			v.Manual++
		}
	}
	return v
}
