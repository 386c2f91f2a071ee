package drift

import (
	"github.com/bascule/bascule/internal/kube/decision"
	"github.com/bascule/bascule/internal/kube/manifest"
)

// Region is one of the environments that are compared.
type Region struct {
	// Name is what the region is called in the output and in decisions.
	Name string
	Set  *manifest.Set
	// Hosts are names of its own in DNS, beside those that its manifests declare.
	Hosts []string
}

// Class says what a difference is.
type Class string

// The classes.
const (
	// Drift is a difference that nobody has meant, as far as can be seen.
	Drift Class = "drift"
	// Expected is a difference of the region's own names and sizes.
	Expected Class = "expected"
	// Missing is an object that not all regions have.
	Missing Class = "missing"
)

// State says how far a difference is settled.
type State string

// The states.
const (
	// Open is a difference that nobody has been asked about.
	Open State = "open"
	// Asked is one that stands in the decisions without an answer.
	Asked State = "asked"
	// Decided is one that has an answer there.
	Decided State = "decided"
	// Settled is an expected difference, which asks for nothing.
	Settled State = "expected"
)

// Cell is what one region has at a path: a value, or one of the others.
type Cell struct {
	Value any `json:"value,omitempty"`
	// Absent says that there is nothing.
	Absent bool `json:"absent,omitempty"`
	// Hidden says that there is the value of a secret, or what looks like one.
	Hidden bool `json:"hidden,omitempty"`
	// Outside says that the region does not have what the path leads through, so that it has no part in the difference.
	Outside bool `json:"outside,omitempty"`
}

// Suggestion is a harmonised value: one of Value, Tag and Remove.
type Suggestion struct {
	Value  any    `json:"value,omitempty"`
	Tag    string `json:"tag,omitempty"`
	Remove bool   `json:"remove,omitempty"`
	Reason string `json:"reason"`
}

// Object is an object as the regions call it; empty for a region that does not have it.
type Object struct {
	Names []string `json:"names"`
}

// Name is what the first region that has the object calls it.
func (o Object) Name() string {
	for _, n := range o.Names {
		if n != "" {
			return n
		}
	}
	return ""
}

// Difference is one difference, of one object or of several that differ alike.
type Difference struct {
	// Path is where it stands, as manifest.ParsePath reads it; empty for Missing.
	Path  string `json:"path,omitempty"`
	Class Class  `json:"class"`
	State State  `json:"state"`
	// Why says why it is expected.
	Why     string   `json:"why,omitempty"`
	Objects []Object `json:"objects"`
	// Cells are what the regions have, in their order. Of an expected difference they are those of the first object. Without a path they say who has the object.
	Cells []Cell `json:"cells"`
	// Tags are those of images that differ in nothing else; the cells then are those of the first object.
	Tags []string `json:"tags,omitempty"`
	// Suggestion is nothing where nothing supports one; NoSuggestion then says why.
	Suggestion   *Suggestion `json:"suggestion,omitempty"`
	NoSuggestion string      `json:"no_suggestion,omitempty"`
	// Decision is the answer that stands in the decisions.
	Decision *decision.Difference `json:"-"`
	// Answer says it in a few words.
	Answer string `json:"answer,omitempty"`
}

// Proposal is a mapping of names that would make objects of several regions one. Nothing is done with it until it is declared.
type Proposal struct {
	// Words are for each region the words that would have to mean it.
	Words map[string][]string `json:"words"`
	// Objects would be one each, as the regions call them.
	Objects []Object `json:"objects"`
}

// Report is what a comparison comes to. It is the same for the same input.
type Report struct {
	Regions []string `json:"regions"`
	// Counts are of objects: those in all regions, and those that are not.
	Shared  int `json:"shared"`
	Partial int `json:"partial"`
	// Differences are grouped: drift first, then what is missing, then what is expected; each kind with the most objects first.
	Differences []*Difference `json:"differences"`
	Proposal    *Proposal     `json:"proposal,omitempty"`
	// Unclear are objects that the declared words make one although a region has several of them; they keep their own names.
	Unclear []string `json:"unclear,omitempty"`
	// LeftOut is what was read and is not compared, by its region and place: what is no object, and objects without a name.
	LeftOut []string `json:"left_out,omitempty"`
}

// Count counts differences of a class, in any of the states, by groups.
func (r *Report) Count(class Class, states ...State) int {
	n := 0
	for _, d := range r.Differences {
		for _, s := range states {
			if d.Class == class && d.State == s {
				n++
			}
		}
	}
	return n
}
