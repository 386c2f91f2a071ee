// Package profile owns the facts about the two clouds that change with time:
// regions, machine families, disks, removed APIs, what is left behind. They are
// data with a source and a date, never code; and they are suggestions where
// only people can know. It decides nothing.
package profile

import (
	"bytes"
	_ "embed" // the data
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
)

// Table is one kind of facts.
type Table[T any] struct {
	// Source is where they were read, and Date when.
	Source  string `yaml:"source" json:"source"`
	Date    string `yaml:"date" json:"date"`
	Entries []T    `yaml:"entries" json:"entries"`
}

// Removed is an API that is no more.
type Removed struct {
	API  string `yaml:"api" json:"api"`
	Kind string `yaml:"kind" json:"kind"`
	// Version is the first of Kubernetes that does not have it.
	Version string `yaml:"removed" json:"removed"`
	// Now stands in its place; empty where nothing does. Same says that nothing else changes.
	Now  string `yaml:"now" json:"now,omitempty"`
	Same bool   `yaml:"same" json:"same,omitempty"`
	Note string `yaml:"note" json:"note,omitempty"`
}

// Region is where a region usually goes.
type Region struct {
	From  string   `yaml:"from" json:"from"`
	To    []string `yaml:"to" json:"to"`
	Zones []string `yaml:"zones" json:"zones"`
}

// Machine is what a family of machines becomes.
type Machine struct {
	From []string `yaml:"from" json:"from"`
	// To is the family of today, Older the one that takes Persistent Disk.
	To    string `yaml:"to" json:"to"`
	Older string `yaml:"older" json:"older"`
	// Shape is the middle of a machine type's name.
	Shape string `yaml:"shape" json:"shape"`
	Arch  string `yaml:"arch" json:"arch,omitempty"`
}

// Disk is what a type of disk becomes.
type Disk struct {
	From string `yaml:"from" json:"from"`
	To   string `yaml:"to" json:"to"`
	Note string `yaml:"note" json:"note"`
}

// Addon belongs to the old platform.
type Addon struct {
	Name string `yaml:"name" json:"name"`
	Why  string `yaml:"why" json:"why"`
}

// Present is what every cluster of GKE has by itself.
type Present struct {
	Kind string `yaml:"kind" json:"kind"`
	// Namespace is where; empty for what lives in none, * for what every namespace has.
	Namespace string `yaml:"namespace" json:"namespace,omitempty"`
	// Name may end in *, for all names that begin so.
	Name string `yaml:"name" json:"name"`
}

// Target is the version of Kubernetes that is taken for the target's where nobody names one.
type Target struct {
	Version string `yaml:"version" json:"version"`
	Note    string `yaml:"note" json:"note,omitempty"`
}

// Limit is something that a Gateway of GKE does not do.
type Limit struct {
	// Code names it: regex-path, timeouts, filter, ...
	Code string `yaml:"code" json:"code"`
	// Names are the types of filters, protocols or fields that it is about, where it is about several.
	Names []string `yaml:"names" json:"names,omitempty"`
	// Most is how many there may be, where it is about a number.
	Most int `yaml:"most" json:"most,omitempty"`
	// What says what happens, in one sentence, and Do what to write instead.
	What string `yaml:"what" json:"what"`
	Do   string `yaml:"do" json:"do"`
	// Source is where this one was read, where it is not that of the table.
	Source string `yaml:"source" json:"source,omitempty"`
}

// Profile is all facts.
type Profile struct {
	Removed  Table[Removed] `json:"removed_apis"`
	Regions  Table[Region]  `json:"regions"`
	Machines Table[Machine] `json:"machines"`
	Storage  Table[Disk]    `json:"storage"`
	Addons   Table[Addon]   `json:"addons"`
	Target   Table[Target]  `json:"target"`
	Present  Table[Present] `json:"present"`
	Gateways Table[Limit]   `json:"gateway_limits"`
}

//go:embed data/removed.yaml
var removed []byte

//go:embed data/regions.yaml
var regions []byte

//go:embed data/machines.yaml
var machines []byte

//go:embed data/storage.yaml
var storage []byte

//go:embed data/addons.yaml
var addons []byte

//go:embed data/target.yaml
var target []byte

//go:embed data/present.yaml
var present []byte

//go:embed data/gateway.yaml
var gateways []byte

// Load returns the facts. It fails only when the data is malformed, which a test rules out.
func Load() (*Profile, error) {
	p := &Profile{}
	for _, part := range []struct {
		text []byte
		into any
	}{{removed, &p.Removed}, {regions, &p.Regions}, {machines, &p.Machines}, {storage, &p.Storage}, {addons, &p.Addons}, {target, &p.Target}, {present, &p.Present}, {gateways, &p.Gateways}} {
		if err := yaml.UnmarshalWithOptions(part.text, part.into, yaml.Strict()); err != nil {
			return nil, fmt.Errorf("read the profile: %w", err)
		}
	}
	return p, nil
}

// RemovedIn finds an API that a version of Kubernetes, as 1.34, does not have any more. Every version is later than one that is empty.
func (p *Profile) RemovedIn(api, kind, version string) *Removed {
	i := slices.IndexFunc(p.Removed.Entries, func(r Removed) bool {
		return r.API == api && r.Kind == kind && (version == "" || minor(version) >= minor(r.Version))
	})
	if i < 0 {
		return nil
	}
	return &p.Removed.Entries[i]
}

// Gone says in one clause that the API is no more.
func (r *Removed) Gone() string {
	return r.API + " " + r.Kind + " is not in Kubernetes " + r.Version + " and later"
}

// Instead names what stands in its place; nothing where nothing does.
func (r *Removed) Instead() string {
	if r.Now == "" {
		return "nothing"
	}
	return r.Now
}

// Has says whether every cluster of GKE has an object.
func (p *Profile) Has(kind, namespace, name string) bool {
	return slices.ContainsFunc(p.Present.Entries, func(o Present) bool {
		prefix, open := strings.CutSuffix(o.Name, "*")
		return o.Kind == kind && (o.Namespace == namespace || o.Namespace == "*" && namespace != "") &&
			(o.Name == name || open && strings.HasPrefix(name, prefix))
	})
}

// Limit finds a limit of Gateways by its code, and by the name that it is about where there is one.
func (p *Profile) Limit(code, name string) *Limit {
	i := slices.IndexFunc(p.Gateways.Entries, func(l Limit) bool {
		return l.Code == code && (name == "" || slices.Contains(l.Names, name))
	})
	if i < 0 {
		return nil
	}
	return &p.Gateways.Entries[i]
}

// minor is the second number of a version.
func minor(version string) int {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return 0
	}
	n, err := strconv.Atoi(parts[1])
	if err != nil {
		return 0
	}
	return n
}

// Family finds what a family of machines, as m6i, becomes.
func (p *Profile) Family(from string) *Machine {
	i := slices.IndexFunc(p.Machines.Entries, func(m Machine) bool { return slices.Contains(m.From, from) })
	if i < 0 {
		return nil
	}
	return &p.Machines.Entries[i]
}

var instance = regexp.MustCompile(`^([a-z][a-z0-9]*)\.(?:(\d*)x)?large$`)

// MachineType suggests for an instance type, as m6i.4xlarge, a machine type of as many CPUs: n4-standard-16. It returns nothing for what it does not know.
func (p *Profile) MachineType(from string) string {
	m := instance.FindStringSubmatch(from)
	if m == nil {
		return ""
	}
	family := p.Family(m[1])
	if family == nil {
		return ""
	}
	cpus := 2 // large
	if strings.HasSuffix(from, "xlarge") {
		cpus = 4
		if n, err := strconv.Atoi(m[2]); err == nil {
			cpus = 4 * n
		}
	}
	return fmt.Sprintf("%s-%s-%d", family.To, family.Shape, cpus)
}

// Disk finds what a type of disk becomes.
func (p *Profile) Disk(from string) *Disk {
	i := slices.IndexFunc(p.Storage.Entries, func(d Disk) bool { return d.From == from })
	if i < 0 {
		return nil
	}
	return &p.Storage.Entries[i]
}

// Addon finds the add-on of the old platform that an object's name belongs to: the longest name that it begins with.
func (p *Profile) Addon(name string) *Addon {
	var found *Addon
	for i := range p.Addons.Entries {
		a := &p.Addons.Entries[i]
		if (name == a.Name || strings.HasPrefix(name, a.Name+"-")) && (found == nil || len(a.Name) > len(found.Name)) {
			found = a
		}
	}
	return found
}

// WriteText writes the facts for people, each kind with its source and date.
func (p *Profile) WriteText(w io.Writer) error {
	var b bytes.Buffer
	head := func(title, source, date string) {
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s (%s)\n  source: %s\n", title, date, source)
	}
	head("Removed APIs", p.Removed.Source, p.Removed.Date)
	for _, r := range p.Removed.Entries {
		now := r.Now
		if now == "" {
			now = "nothing"
		}
		fmt.Fprintf(&b, "  %-5s %s %s -> %s%s\n", r.Version, r.API, r.Kind, now, note(r.Note))
	}
	head("Regions", p.Regions.Source, p.Regions.Date)
	for _, r := range p.Regions.Entries {
		fmt.Fprintf(&b, "  %s -> %s (zones: %s)\n", r.From, strings.Join(r.To, " or "), strings.Join(r.Zones, ", "))
	}
	head("Machine families", p.Machines.Source, p.Machines.Date)
	for _, m := range p.Machines.Entries {
		fmt.Fprintf(&b, "  %s -> %s, or %s with Persistent Disk; %s%s\n", strings.Join(m.From, " "), m.To, m.Older, m.Shape, note(m.Arch))
	}
	head("Disks", p.Storage.Source, p.Storage.Date)
	for _, d := range p.Storage.Entries {
		fmt.Fprintf(&b, "  %s -> %s%s\n", d.From, d.To, note(d.Note))
	}
	head("Left behind", p.Addons.Source, p.Addons.Date)
	for _, a := range p.Addons.Entries {
		fmt.Fprintf(&b, "  %s%s\n", a.Name, note(a.Why))
	}
	p.writeTarget(&b, head)
	_, err := w.Write(b.Bytes())
	return err
}

// writeTarget writes what is known of clusters of GKE.
func (p *Profile) writeTarget(b *bytes.Buffer, head func(title, source, date string)) {
	head("Kubernetes on GKE", p.Target.Source, p.Target.Date)
	for _, t := range p.Target.Entries {
		fmt.Fprintf(b, "  %s%s\n", t.Version, note(t.Note))
	}
	head("What every cluster of GKE has", p.Present.Source, p.Present.Date)
	for _, o := range p.Present.Entries {
		fmt.Fprintf(b, "  %s %s\n", o.Kind, strings.TrimPrefix(o.Namespace+"/"+o.Name, "/"))
	}
	head("Limits of Gateways of GKE", p.Gateways.Source, p.Gateways.Date)
	for _, l := range p.Gateways.Entries {
		fmt.Fprintf(b, "  %s%s\n", l.Code, note(strings.Join(append(slices.Clone(l.Names), l.What), " ")))
	}
}

func note(s string) string {
	if s == "" {
		return ""
	}
	return ": " + s
}
