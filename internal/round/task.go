package round

import "time"

// Task is a step with what carries it out. Next and Apply look at the Step alone; the rest is for whoever executes it, and for people.
type Task struct {
	Step Step `json:"step"`
	// Title says in a line what it does.
	Title string `json:"title,omitempty"`
	// Do is, for an automated step, the phase of bascule db; for a hook, traffic or a wait, a shell command or an https URL; for a manual step, the
	// instructions; for a message, its text.
	Do string `json:"do,omitempty"`
	// Check is a shell command that says by its exit code whether the step is done already; at a gate, whether its criteria hold.
	Check string `json:"check,omitempty"`
	// Back is a shell command or instructions that undo the step; empty unless Step.Undo is UndoAction.
	Back string `json:"back,omitempty"`
	// Rehearse stands for Do in a rehearsal and in a proof of concept; where a hook, a message or traffic has none it is left out there, and counted.
	Rehearse string `json:"rehearse,omitempty"`
	Owner    string `json:"owner,omitempty"`
	// Timeout ends the step as failed; 0 for none.
	Timeout time.Duration `json:"timeout,omitempty"`
	// Config is, for a step of a database, the file that bascule db reads as its --config, as an absolute path or relative to bascule.yaml.
	Config string `json:"config,omitempty"`
	// Every is how often the condition of a wait is looked at. For is how long a soak waits; then Do is empty.
	Every time.Duration `json:"every,omitempty"`
	For   time.Duration `json:"for,omitempty"`
	// Weights are the shares of traffic, in percent, that come to the new side one after the other, the last of them 100; empty to move it all at once.
	// Pause is how long each but the last is looked at before the next. Hosts are the names whose traffic it is.
	Weights []int         `json:"weights,omitempty"`
	Pause   time.Duration `json:"pause,omitempty"`
	Hosts   []string      `json:"hosts,omitempty"`
	// Approvers are the people whose go counts at a gate; empty for everybody with the role.
	Approvers []string `json:"approvers,omitempty"`
	// Criteria is "databases" where a gate also asks that every gate of every database's cutover is open; see Check for a command.
	Criteria string `json:"criteria,omitempty"`
	// Backup is who does it when Owner cannot.
	Backup string `json:"backup,omitempty"`
}

// CriteriaDatabases is the Criteria of a gate that asks what bascule db cutover asks before it begins.
const CriteriaDatabases = "databases"

// Watch is something that is looked at again and again while a round runs; when it does not hold, that is a breach.
type Watch struct {
	Name string `json:"name"`
	// Check is as a task's.
	Check string        `json:"check"`
	Every time.Duration `json:"every"`
	// From is the step from whose beginning on it is looked at, Until the one at whose end that stops; empty for the round's.
	From  StepID `json:"from,omitempty"`
	Until StepID `json:"until,omitempty"`
}

// Script is the whole of a round: its tasks, what limits them, and what is watched meanwhile.
type Script struct {
	Tasks   []Task         `json:"tasks"`
	Limits  map[string]int `json:"limits,omitempty"`
	Watches []Watch        `json:"watches,omitempty"`
	// Across says how many rounds at once may be between the beginning of their first step that uses something and the end of their last, or of its undo:
	// one production region at a time. Within its round, Limits leave such steps room for all of them, since a freeze must not be longer for it.
	Across map[string]int `json:"across,omitempty"`
	// MaxLag is how far a database's new side may be behind before that is a breach; 0 for any.
	MaxLag time.Duration `json:"max_lag,omitempty"`
}

// Plan returns the graph of a script.
func (s *Script) Plan() *Plan {
	p := &Plan{Limits: s.Limits}
	for i := range s.Tasks {
		p.Steps = append(p.Steps, s.Tasks[i].Step)
	}
	return p
}

// Task returns the task of a step, or nil.
func (s *Script) Task(id StepID) *Task {
	for i := range s.Tasks {
		if s.Tasks[i].Step.ID == id {
			return &s.Tasks[i]
		}
	}
	return nil
}
