package web

import (
	"net/http"

	"github.com/bascule/bascule/internal/round/account"
)

// pictureStyle lets the picture of the history bring its own style; nothing in it runs.
const pictureStyle = "default-src 'none'; style-src 'unsafe-inline'; sandbox"

// curve lays all rounds side by side.
func (s *server) curve(r *http.Request) (*account.History, error) {
	rounds, err := s.Store.Rounds(r.Context())
	if err != nil {
		return nil, err
	}
	past := make([]account.Past, len(rounds))
	for i := range rounds {
		past[i].Round = rounds[i]
		if past[i].Entries, err = s.watch(rounds[i].ID).journal(r.Context()); err != nil {
			return nil, err
		}
	}
	var cost map[string]float64
	if s.Platform != nil {
		cost = map[string]float64{}
		for i := range s.Platform.Environments {
			cost[s.Platform.Environments[i].Name] = s.Platform.Environments[i].Cost
		}
	}
	return account.Curve(past, cost), nil
}

func (s *server) history(w http.ResponseWriter, r *http.Request) {
	h, err := s.curve(r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	sendJSON(w, http.StatusOK, h)
}

func (s *server) historyPicture(w http.ResponseWriter, r *http.Request) {
	h, err := s.curve(r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	w.Header().Set("Content-Security-Policy", pictureStyle)
	w.Header().Set("Content-Type", "image/svg+xml")
	_, _ = w.Write(h.SVG()) // whoever does not read has gone
}
