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
	// The rest is its last sign of life, from At; nothing of it is known where At is 0.
	At int64 `json:"at,omitempty"`
	// Live says that a step works on it, or that its other side follows: signs should be young.
	Live     bool     `json:"live,omitempty"`
	Trouble  string   `json:"trouble,omitempty"`
	Figure   string   `json:"figure,omitempty"` // what the last proof said
	Lag      *int64   `json:"lag,omitempty"`    // milliseconds
	Behind   *int64   `json:"behind,omitempty"`
	Rate     *float64 `json:"rate,omitempty"`
	Position string   `json:"position,omitempty"`
	Tables   int      `json:"tables,omitempty"`
	Done     int      `json:"done,omitempty"`
	Rows     int64    `json:"rows,omitempty"`
	Bytes    int64    `json:"bytes,omitempty"`
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
			v.sign(d, name, &sign)
			works := v.Status == round.StatusRunning || v.Status == round.StatusUndoing
			v.Live = v.At != 0 && a.Ended.IsZero() && (works || v.Lag != nil && v.Side != "none")
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

// sign takes a sign of life. A table's figures are an array, since there may be thousands.
func (v *databaseView) sign(d document, name string, s *store.Sign) {
	var b signBody
	if json.Unmarshal(s.Body, &b) != nil {
		return // of another version: nothing is known
	}
	v.At, v.Behind, v.Rate, v.Position, v.Tables = ms(s.At), b.Behind, b.Rate, b.Position, len(b.Tables)
	v.Trouble, v.Figure = b.Trouble, b.Proof
	if len(b.Findings) > 0 {
		d.put(sectionLosses, name, b.Findings)
	}
	if b.Lag != nil {
		lag := time.Duration(*b.Lag).Milliseconds()
		v.Lag = &lag
	}
	for _, t := range b.Tables {
		done := 0
		if t.Done {
			done = 1
		}
		v.Done, v.Rows, v.Bytes = v.Done+done, v.Rows+t.Rows, v.Bytes+t.Bytes
		d.put(sectionTables, name+"/"+t.Name, [3]int64{t.Rows, t.Bytes, int64(done)})
	}
}
