package platform

import "time"

// Platform is a bascule.yaml.
type Platform struct {
	Name string `yaml:"platform"`
	// People may have a say in rounds.
	People []Person `yaml:"people"`
	// Environments are moved one after the other, in this order.
	Environments []Environment `yaml:"environments"`
	// Steps are what a round consists of; without them it is the default template.
	Steps []Step `yaml:"steps"`
	// Limits says how many steps, of all rounds, may use something at once.
	Limits map[string]int `yaml:"limits"`
}

// Role is what a person may do.
type Role string

// The roles; each includes those before it, save that who operates need not approve.
const (
	RoleView    Role = "view"
	RoleOperate Role = "operate"
	RoleApprove Role = "approve"
)

// Person is somebody who has a say in rounds.
type Person struct {
	Name  string `yaml:"name"`
	Roles []Role `yaml:"roles"`
}

// Environment is one deployable copy of the platform.
type Environment struct {
	Name string `yaml:"name"`
	// Production environments ask for a rehearsal before they are moved.
	Production bool `yaml:"production"`
	// Zone is the IANA name of the time zone in which people read its times; UTC without one.
	Zone   string  `yaml:"zone"`
	Window *Window `yaml:"window"`
	// Blackout are days, in the zone, on which no round may run: 2026-11-27.
	Blackout  []string   `yaml:"blackout"`
	Databases []Database `yaml:"databases"`
	Hosts     []Host     `yaml:"hosts"`
	// Hooks automate manual steps of the template, by their names.
	Hooks map[string]Hook `yaml:"hooks"`
	// Parameters stand in the steps as ${name}.
	Parameters map[string]string `yaml:"parameters"`
	// Cost is what the environment costs a month, in any currency that all share.
	Cost float64 `yaml:"cost"`
}

// Window is when a round may stop writes: local times of the environment's zone, 2006-01-02 15:04.
type Window struct {
	From string `yaml:"from"`
	To   string `yaml:"to"`
}

// Database is one database of an environment.
type Database struct {
	Name string `yaml:"name"`
	// Config is the file that bascule db reads with --config, relative to bascule.yaml.
	Config string `yaml:"config"`
	// Group names databases that switch together.
	Group string `yaml:"group"`
}

// Host is a name that clients use.
type Host struct {
	Name string `yaml:"name"`
	// Ramp says that its traffic may move by shares, since it is read-only or has no state; others flip at the switch.
	Ramp bool `yaml:"ramp"`
}

// Hook is what does a step instead of a person: commands.
type Hook struct {
	Do    string `yaml:"do"`
	Check string `yaml:"check"`
	Undo  string `yaml:"undo"`
}

// Step is a step of the template.
type Step struct {
	Name  string `yaml:"step"`
	Title string `yaml:"title"`
	Kind  string `yaml:"kind"`
	// Each makes one step of it for every database: "database".
	Each  string   `yaml:"each"`
	Needs []string `yaml:"needs"`
	// Do is, for an automated step, the phase of bascule db; for a hook, a command; for a manual step, the instructions.
	Do string `yaml:"do"`
	// Check is a command that says whether the step is done already, by its exit code.
	Check string `yaml:"check"`
	// Undo is a command or instructions; "nothing" or "impossible" where there is none.
	Undo         string        `yaml:"undo"`
	Acknowledges []string      `yaml:"acknowledges"`
	Quorum       int           `yaml:"quorum"`
	Owner        string        `yaml:"owner"`
	Uses         []string      `yaml:"uses"`
	Timeout      time.Duration `yaml:"timeout"`
}
