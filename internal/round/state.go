package round

// Status is what has become of a step.
type Status string

// The statuses of a step.
const (
	StatusWaiting Status = "waiting"
	StatusRunning Status = "running"
	// StatusUnsure: it ran when its driver died. Somebody has to look whether it is done before anything else happens to it.
	StatusUnsure  Status = "unsure"
	StatusDone    Status = "done"
	StatusFailed  Status = "failed"
	StatusSkipped Status = "skipped"
	StatusUndoing Status = "undoing"
	// StatusClosed: of a step that opened a database, the new side is closed again and the old one not open yet.
	StatusClosed Status = "closed"
	StatusUndone Status = "undone"
	// StatusStuck: its undo has failed.
	StatusStuck Status = "stuck"
)

// Phase is where a round stands.
type Phase string

// The phases of a round.
const (
	PhaseRunning Phase = "running"
	// PhaseAborting: what was done is undone, since something went wrong before the switch or somebody said so.
	PhaseAborting Phase = "aborting"
	PhaseAborted  Phase = "aborted"
	// PhaseAsking: something went wrong behind the switch. Nothing starts until a person chooses to go on or to fall back.
	PhaseAsking      Phase = "asking"
	PhaseFallingBack Phase = "falling back"
	PhaseFellBack    Phase = "fell back"
	PhaseDone        Phase = "done"
)

// StepState is the state of one step.
type StepState struct {
	Status Status `json:"status"`
	// Attempts counts how often it was started.
	Attempts int `json:"attempts,omitempty"`
	// Measured says that a gate's criteria hold; Votes are the people who said go.
	Measured bool     `json:"measured,omitempty"`
	Votes    []string `json:"votes,omitempty"`
	// Backward says that an undo, not the step, is what runs, is unsure or is stuck; Closed that the new side is closed again.
	Backward bool   `json:"backward,omitempty"`
	Closed   bool   `json:"closed,omitempty"`
	Reason   string `json:"reason,omitempty"`
	Evidence string `json:"evidence,omitempty"`
}

// State is what a round has come to.
type State struct {
	Plan   *Plan                 `json:"-"`
	Phase  Phase                 `json:"phase"`
	Paused bool                  `json:"paused,omitempty"`
	Steps  map[StepID]*StepState `json:"steps"`
	// Trouble is why the round aborts, or asks.
	Trouble string `json:"trouble,omitempty"`

	// of has the steps' states in the plan's order; needs are what must be over before each of them, and later what stands anywhere behind it.
	of    []*StepState
	needs [][]int
	later [][]int
}

// New returns the state of a round in which nothing has happened.
func New(p *Plan) *State {
	s := &State{Plan: p, Phase: PhaseRunning, Steps: make(map[StepID]*StepState, len(p.Steps))}
	at := map[StepID]int{}
	for i, step := range p.Steps {
		st := &StepState{Status: StatusWaiting}
		s.Steps[step.ID], at[step.ID] = st, i
		s.of = append(s.of, st)
	}
	s.needs, s.later = make([][]int, len(p.Steps)), make([][]int, len(p.Steps))
	for i := range p.Steps {
		for _, n := range p.needs(&p.Steps[i]) {
			s.needs[i] = append(s.needs[i], at[n])
		}
	}
	for i := range p.Steps {
		for _, n := range s.ahead(i, map[int]bool{}) {
			s.later[n] = append(s.later[n], i)
		}
	}
	return s
}

// ahead lists what must be over before a step, directly or not.
func (s *State) ahead(i int, seen map[int]bool) (out []int) {
	for _, n := range s.needs[i] {
		if !seen[n] {
			seen[n] = true
			out = append(append(out, n), s.ahead(n, seen)...)
		}
	}
	return out
}

// over reports whether a step holds nothing up any more.
func (s *State) over(i int) bool {
	switch s.of[i].Status {
	case StatusDone, StatusSkipped:
		return true
	case StatusFailed:
		return s.Plan.Steps[i].Kind == KindMessage
	default:
		return false
	}
}

// Switched reports whether a database has opened on its new side, and is not back.
func (s *State) Switched() bool {
	return s.any(RoleOpen, func(st *StepState) bool { return st.Status == StatusDone || st.Backward && st.Status != StatusUndone })
}

// Open lists the databases that are open on their new side.
func (s *State) Open() (databases []string) {
	for i := range s.Plan.Steps {
		if step := &s.Plan.Steps[i]; step.Role == RoleOpen && s.of[i].Status == StatusDone {
			databases = append(databases, step.Database)
		}
	}
	return databases
}

// Finished reports whether the way back is given up, or may be.
func (s *State) Finished() bool {
	return s.any(RoleFinish, func(st *StepState) bool { return st.Status != StatusWaiting && st.Status != StatusSkipped })
}

// Frozen reports whether writes to a database may be stopped: it is neither open on its old side nor on its new one.
func (s *State) Frozen() bool {
	for i := range s.Plan.Steps {
		step := &s.Plan.Steps[i]
		if step.Role != RoleClose || s.opened(step.Database) {
			continue
		}
		switch s.of[i].Status {
		case StatusWaiting, StatusUndone, StatusSkipped:
		default:
			return true
		}
	}
	return false
}

func (s *State) opened(database string) bool {
	for i := range s.Plan.Steps {
		if step := &s.Plan.Steps[i]; step.Role == RoleOpen && step.Database == database {
			return s.of[i].Status == StatusDone
		}
	}
	return false
}

// switching reports whether nobody knows yet whether a database opens on its new side.
func (s *State) switching() bool {
	return s.any(RoleOpen, func(st *StepState) bool {
		return !st.Backward && (st.Status == StatusRunning || st.Status == StatusUnsure)
	})
}

func (s *State) any(r Role, is func(*StepState) bool) bool {
	for i := range s.Plan.Steps {
		if step := &s.Plan.Steps[i]; step.Role == r && is(s.of[i]) {
			return true
		}
	}
	return false
}

// busy reports whether a step or its undo runs, or may.
func (st *StepState) busy() bool {
	return st.Status == StatusRunning || st.Status == StatusUnsure || st.Status == StatusUndoing
}
