package outside

import (
	"strconv"
)

// The verbs of a Call.
const (
	VerbDo    = "do"
	VerbCheck = "check"
	VerbUndo  = "undo"
)

// Call is what a hook is told.
type Call struct {
	Round       string `json:"round"`
	Environment string `json:"environment"`
	Step        string `json:"step"`
	// Verb is do, check or undo.
	Verb string `json:"verb"`
	// Attempt counts from 1. Epoch is the driver's: a hook that has seen a larger one may refuse.
	Attempt int   `json:"attempt"`
	Epoch   int64 `json:"epoch"`
	// Key is the same at each repetition of one effect, and differs between effects.
	Key       string `json:"key"`
	Rehearsal bool   `json:"rehearsal"`
	Database  string `json:"database,omitempty"`
	// Weight is the share of the traffic that the new side shall get, in percent. It says something to steps of traffic alone.
	Weight int               `json:"weight"`
	Extra  map[string]string `json:"extra,omitempty"`
}

// environ returns the call as variables of a command.
func (c *Call) environ() []string {
	rehearsal := "0"
	if c.Rehearsal {
		rehearsal = "1"
	}
	return []string{
		"BASCULE_ROUND=" + c.Round,
		"BASCULE_ENVIRONMENT=" + c.Environment,
		"BASCULE_STEP=" + c.Step,
		"BASCULE_VERB=" + c.Verb,
		"BASCULE_ATTEMPT=" + strconv.Itoa(c.Attempt),
		"BASCULE_EPOCH=" + strconv.FormatInt(c.Epoch, 10),
		"BASCULE_KEY=" + c.Key,
		"BASCULE_REHEARSAL=" + rehearsal,
		"BASCULE_DATABASE=" + c.Database,
		"BASCULE_WEIGHT=" + strconv.Itoa(c.Weight),
	}
}

// of names what a call is for, to stand behind an operation.
func (c *Call) of() string {
	if c.Step == "" {
		return ""
	}
	return " for step " + c.Step + " (" + c.Verb + ")"
}
