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
}

// Script is the whole of a round: its tasks and what limits them.
type Script struct {
	Tasks  []Task         `json:"tasks"`
	Limits map[string]int `json:"limits,omitempty"`
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
