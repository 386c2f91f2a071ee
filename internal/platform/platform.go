package platform

import "time"

// Platform is a bascule.yaml.
type Platform struct {
	// Name is what the platform is called.
	Name string `yaml:"platform"`
	// People may have a say in rounds.
	People []Person `yaml:"people,omitempty"`
	// Environments are moved one after the other, in this order.
	Environments []Environment `yaml:"environments"`
	// Steps are what a round consists of; without them it is the built-in template.
	Steps []Step `yaml:"steps,omitempty"`
	// Limits says how many steps may use something at once. Of production it is how many rounds may close or open databases of production environments at
	// once; without a word about it, 1.
	Limits map[string]int `yaml:"limits,omitempty"`
	// Journal is where rounds are written down: a file of SQLite, relative to bascule.yaml, or the URL of a PostgreSQL database that no round moves, or a
	// reference to that. Without it, it is .bascule/rounds.db.
	Journal string `yaml:"journal,omitempty"`
	// RehearsalDays is how old a rehearsal may be for a production environment to be moved; 14 without it.
	RehearsalDays int `yaml:"rehearsal-days,omitempty"`
	// Notify says where messages go.
	Notify *Notify `yaml:"notify,omitempty"`
	// WebhookSecret is a reference to the key that signs what is sent to webhooks.
	WebhookSecret string `yaml:"webhook-secret,omitempty"`
	// Serve says where the dashboard is.
	Serve *Serve `yaml:"serve,omitempty"`
	// Lessons are what became of findings of earlier rounds.
	Lessons []Lesson `yaml:"lessons,omitempty"`
	// Crossplane is what developers may ask for on Google Cloud, and what of it exists already.
	Crossplane *Crossplane `yaml:"crossplane,omitempty"`
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
	// Name is what the person is called, in commands and in the journal.
	Name string `yaml:"name"`
	// Roles are what the person may do: view, operate, approve.
	Roles []Role `yaml:"roles,omitempty"`
}

// Environment is one deployable copy of the platform.
type Environment struct {
	// Name is what the environment is called in commands: preprod, prod-eu.
	Name string `yaml:"name"`
	// Production environments ask for a rehearsal before they are moved.
	Production bool `yaml:"production,omitempty"`
	// Zone is the IANA name of the time zone in which people read its times; UTC without one.
	Zone string `yaml:"zone,omitempty"`
	// Window is when a round may stop writes.
	Window *Window `yaml:"window,omitempty"`
	// Blackout are days, in the zone, on which no round may run: 2026-11-27.
	Blackout []string `yaml:"blackout,omitempty"`
	// Databases are what a round moves.
	Databases []Database `yaml:"databases,omitempty"`
	// Hosts are the names that clients use.
	Hosts []Host `yaml:"hosts,omitempty"`
	// Caches have their place here; nothing is done with them yet.
	Caches []Place `yaml:"caches,omitempty"`
	// Buckets have their place here; nothing is done with them yet.
	Buckets []Place `yaml:"buckets,omitempty"`
	// Workloads are the manifests of an environment, for bascule kube and for the steps of rounds.
	Workloads []Workload `yaml:"workloads,omitempty"`
	// Hooks are commands in the place of a person, by the names of the manual, hook and traffic steps that they carry out.
	Hooks map[string]Hook `yaml:"hooks,omitempty"`
	// Watch lists what is looked at while the round runs. What does not hold is a breach.
	Watch []Watch `yaml:"watch,omitempty"`
	// MaxLag is how far a database's new side may be behind before that is a breach; without it, it may be any.
	MaxLag time.Duration `yaml:"max-lag,omitempty"`
	// Parameters stand in the texts of steps as ${name}.
	Parameters map[string]string `yaml:"parameters,omitempty"`
	// Cost is what the environment costs a month, in any currency that all share.
	Cost float64 `yaml:"cost,omitempty"`
}

// Window is when a round may stop writes: local times of the environment's zone.
type Window struct {
	// From is the time at which it begins: 2026-12-01 02:00.
	From string `yaml:"from"`
	// To is the time at which it ends: 2026-12-01 06:00.
	To string `yaml:"to"`
}

// Database is one database of an environment.
type Database struct {
	// Name is what the database is called in steps.
	Name string `yaml:"name"`
	// Config is the file that bascule db reads with --config, relative to bascule.yaml.
	Config string `yaml:"config"`
	// Rehearsal is such a file for scratch copies of both sides. Without it the database is left out of rehearsals.
	Rehearsal string `yaml:"rehearsal,omitempty"`
	// Group names databases that switch together.
	Group string `yaml:"group,omitempty"`
}

// Host is a name that clients use.
type Host struct {
	// Name is the host's name in DNS.
	Name string `yaml:"name"`
	// Ramp says that its traffic may move by shares, since it is read-only or has no state; others flip at the switch.
	Ramp bool `yaml:"ramp,omitempty"`
}

// Place is something that an environment has and that bascule does not move yet.
type Place struct {
	// Name is what it is called.
	Name string `yaml:"name"`
	// Config is the file that describes it, relative to bascule.yaml.
	Config string `yaml:"config,omitempty"`
}

// Hook is a command or an https URL that does a step instead of a person.
type Hook struct {
	// Do is what does the step.
	Do string `yaml:"do"`
	// Check is a command that says by its exit code whether the step is done already.
	Check string `yaml:"check,omitempty"`
	// Undo is what undoes it; without it there is nothing to undo.
	Undo string `yaml:"undo,omitempty"`
	// Rehearse stands for Do in a rehearsal and in a proof of concept. Without it the step is left out there, and counted as unrehearsed.
	Rehearse string `yaml:"rehearse,omitempty"`
	// RehearseUndo undoes Rehearse; without it there is nothing to undo there.
	RehearseUndo string `yaml:"rehearse-undo,omitempty"`
	// Timeout ends it as failed.
	Timeout time.Duration `yaml:"timeout,omitempty"`
	// Owner is who is asked when it fails.
	Owner string `yaml:"owner,omitempty"`
	// Backup is who is asked when the owner cannot be.
	Backup string `yaml:"backup,omitempty"`
}

// Watch is something that is looked at while a round runs.
type Watch struct {
	// Name is what it is called.
	Name string `yaml:"name"`
	// Check is a command that says by its exit code whether all is well.
	Check string `yaml:"check"`
	// Rehearse stands for Check in a rehearsal and in a proof of concept. Without it nothing is looked at there.
	Rehearse string `yaml:"rehearse,omitempty"`
	// Every is how often it is looked at; 10s without it.
	Every time.Duration `yaml:"every,omitempty"`
	// From is the step from whose beginning on it is looked at; without it, the round's beginning.
	From string `yaml:"from,omitempty"`
	// Until is the step at whose end that stops; without it, the round's end.
	Until string `yaml:"until,omitempty"`
}

// Step is a step of the template.
type Step struct {
	// Name is what others name it by.
	Name string `yaml:"step"`
	// Title says in a line what it does.
	Title string `yaml:"title,omitempty"`
	// Kind says who or what carries it out.
	Kind string `yaml:"kind"`
	// Each makes one step of it for every database: "database".
	Each string `yaml:"each,omitempty"`
	// Where says in which environments there is such a step: "workloads" in those whose workloads name a cluster, "no-workloads" in the others; without it in
	// all.
	Where string `yaml:"where,omitempty"`
	// Needs are the steps that must be over before it starts.
	Needs []string `yaml:"needs,omitempty"`
	// Do is, for an automated step, the phase of bascule db; for a hook and for traffic, a command or an https URL; for a wait, such that holds when it is over;
	// for a manual step, the instructions; for a message, its text.
	Do string `yaml:"do,omitempty"`
	// Manual are the instructions of a hook or traffic step without Do, which a person carries out in environments that have no hook for it.
	Manual string `yaml:"manual,omitempty"`
	// Check is a command that says by its exit code whether the step is done already; at a gate, whether it may open.
	Check string `yaml:"check,omitempty"`
	// Undo is a command or instructions; "nothing" or "impossible" where there is none.
	Undo string `yaml:"undo,omitempty"`
	// Rehearse stands for Do in a rehearsal and in a proof of concept; of a soak, how long it is there. A hook, a message or traffic without it is left out
	// there, and counted as unrehearsed.
	Rehearse string `yaml:"rehearse,omitempty"`
	// RehearseUndo undoes Rehearse; without it there is nothing to undo there.
	RehearseUndo string `yaml:"rehearse-undo,omitempty"`
	// Every is how often the condition of a wait is looked at; 10s without it.
	Every time.Duration `yaml:"every,omitempty"`
	// For is how long a wait without Do lasts: a soak.
	For time.Duration `yaml:"for,omitempty"`
	// Weights are the shares of traffic, in percent, that come to the new side one after the other, the last of them 100. Only hosts with ramp move so.
	Weights []int `yaml:"weights,omitempty"`
	// Pause is how long each share but the last is looked at before the next.
	Pause time.Duration `yaml:"pause,omitempty"`
	// Criteria is "databases" where a gate opens only when every gate of bascule db cutover --dry-run is open, of every database.
	Criteria string `yaml:"criteria,omitempty"`
	// Quorum is how many people have to say go at a gate.
	Quorum int `yaml:"quorum,omitempty"`
	// Approvers are the people whose go counts at a gate; without them, all who may approve.
	Approvers []string `yaml:"approvers,omitempty"`
	// Acknowledges are steps without undo that a gate accepts.
	Acknowledges []string `yaml:"acknowledges,omitempty"`
	// Owner is who does it, or is asked when it fails.
	Owner string `yaml:"owner,omitempty"`
	// Backup is who does it when the owner cannot.
	Backup string `yaml:"backup,omitempty"`
	// Uses names what it shares with others and that cannot serve many at once. See limits.
	Uses []string `yaml:"uses,omitempty"`
	// Timeout ends it as failed.
	Timeout time.Duration `yaml:"timeout,omitempty"`
}
