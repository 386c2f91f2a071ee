package web

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/bascule/bascule/internal/round"
	"github.com/bascule/bascule/internal/round/store"
)

// databaseView is one database.
type databaseView struct {
	I     int    `json:"i"` // its place in the plan
	Group string `json:"group,omitempty"`
	// Side is where the application lives: old, none while its writes are stopped, or new.
	Side   string  `json:"side"`
	Freeze stretch `json:"freeze"`
	// Proof is what was compared: nothing, all (every row, before the switch), last (the last rows, with writes stopped).
	Proof string `json:"proof,omitempty"`
	// Step is the one that works on it now, or has failed on it.
	Step   round.StepID `json:"step,omitempty"`
	Status round.Status `json:"status,omitempty"`
	// Live says that a step works on it, or that its other side follows: signs should be young.
	Live    bool   `json:"live,omitempty"`
	Trouble string `json:"trouble,omitempty"`
	Figure  string `json:"figure,omitempty"` // what the last proof said
	Tables  int    `json:"tables,omitempty"`
	Done    int    `json:"done,omitempty"`
}

// pulseView is a database's last sign of life.
type pulseView struct {
	At       int64  `json:"at"`
	Lag      *int64 `json:"lag,omitempty"` // milliseconds
	Behind   *int64 `json:"behind,omitempty"`
	Rate     *int64 `json:"rate,omitempty"`
	Position string `json:"pos,omitempty"`
	Rows     int64  `json:"rows,omitempty"`
	Bytes    int64  `json:"bytes,omitempty"`
}

// signBody is what a database's sign of life says, as far as the page shows it.
type signBody struct {
	Lag      *int64   `json:"lag_ns"`
	Behind   *int64   `json:"lag_bytes"`
	Rate     *float64 `json:"rows_per_second"`
	Position string   `json:"applied_position"`
	Proof    string   `json:"proof"`
	Trouble  string   `json:"trouble"`
	Findings []string `json:"findings"`
	Tables   []struct {
		Name  string `json:"name"`
		Rows  int64  `json:"rows"`
		Bytes int64  `json:"bytes"`
		Done  bool   `json:"done"`
	} `json:"tables"`
}

func (a *sight) databases(d document) {
	views := map[string]*databaseView{}
	var order []string
	for i := range a.Steps {
		step, st := &a.Steps[i].Task.Step, &a.Steps[i].State
		if step.Database == "" {
			continue
		}
		v := views[step.Database]
		if v == nil {
			v = &databaseView{I: len(order), Group: step.Group, Side: "old"}
			views[step.Database] = v
			order = append(order, step.Database)
		}
		v.follow(step, st, a.Steps[i].Task.Do)
	}
	for _, name := range order {
		v := views[name]
		if slices.Contains(a.Open, name) {
			v.Side = "new"
		}
		if stopped(a.state, name) {
			v.Side = "none"
		}
		v.Freeze = stretched(a.Freezes[name], v.Side == "none", a.Now)
		if sign, ok := a.Signs[name]; ok {
			if p := v.sign(d, name, &sign); p != nil {
				works := v.Status == round.StatusRunning || v.Status == round.StatusUndoing
				v.Live = a.Ended.IsZero() && (works || p.Lag != nil && v.Side != "none")
				d.put(sectionPulse, name, p)
			}
		}
		d.put(sectionDatabases, name, v)
	}
}

// follow takes what a step means for its database.
func (v *databaseView) follow(step *round.Step, st *round.StepState, do string) {
	switch st.Status {
	case round.StatusRunning, round.StatusUnsure, round.StatusUndoing, round.StatusFailed, round.StatusStuck, round.StatusClosed:
		v.Step, v.Status = step.ID, st.Status
	case round.StatusDone:
		switch {
		case step.Role == round.RoleClose:
			v.Proof = "last"
		case do == "verify" && v.Proof == "":
			v.Proof = "all"
		}
	default:
	}
}

// sign takes a sign of life; nil for one that cannot be read. A table's figures are an array, since there may be thousands.
func (v *databaseView) sign(d document, name string, s *store.Sign) *pulseView {
	b, p := readSign(s)
	if p == nil {
		return nil
	}
	v.Trouble, v.Figure, v.Tables = b.Trouble, b.Proof, len(b.Tables)
	if len(b.Findings) > 0 {
		d.put(sectionLosses, name, b.Findings)
	}
	for _, t := range b.Tables {
		done := 0
		if t.Done {
			done = 1
		}
		v.Done, p.Rows, p.Bytes = v.Done+done, p.Rows+t.Rows, p.Bytes+t.Bytes
		d.put(sectionTables, name+"/"+t.Name, [3]int64{t.Rows, t.Bytes, int64(done)})
	}
	return p
}

// readSign reads a sign of life, all but its tables' sums; nil for one of another version, of which nothing is known.
func readSign(s *store.Sign) (*signBody, *pulseView) {
	var b signBody
	if json.Unmarshal(s.Body, &b) != nil {
		return nil, nil
	}
	p := &pulseView{At: ms(s.At), Behind: b.Behind, Position: b.Position}
	if b.Lag != nil {
		lag := time.Duration(*b.Lag).Milliseconds()
		p.Lag = &lag
	}
	if b.Rate != nil {
		rate := int64(*b.Rate)
		p.Rate = &rate
	}
	return &b, p
}
