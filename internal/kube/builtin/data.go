package builtin

import (
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
)

//go:embed data
var data embed.FS

// largest bounds what a file of data may unpack to; the real ones have some 400,000 bytes.
const largest = 8 << 20

// Set is the kinds of one version of Kubernetes. It is safe for several goroutines.
type Set struct {
	// Source is where the schemas were read, and Release in which release: v1.36.3.
	Source, Release string
	// Minor is the version that they are those of: 1.36.
	Minor  string
	kinds  map[Kind]*served
	groups map[string]bool
}

// Kind names a kind in one version of its group; the group of Pod is empty.
type Kind struct{ Group, Version, Kind string }

type served struct {
	node       *node
	namespaced bool
}

// node is one schema. Of a type that others refer to there is one node.
type node struct {
	Ref      string           `json:"r"`
	Type     string           `json:"t"`
	Format   string           `json:"f"`
	Default  any              `json:"d"`
	Props    map[string]*node `json:"p"`
	Values   *node            `json:"v"`
	Items    *node            `json:"i"`
	Required []string         `json:"q"`
	Enum     []string         `json:"e"`
	List     string           `json:"l"`
	Keys     []string         `json:"k"`
	Struct   bool             `json:"s"` // the server makes an empty one of what is not there

	name    string   // of a type
	to      *node    // what Ref leads to, or the node itself
	structs []string // the properties that are such, and have required ones
}

// Versions are the minor versions whose kinds are at hand, oldest first.
func Versions() []string {
	entries, err := data.ReadDir("data")
	if err != nil {
		return nil // the folder is part of the program
	}
	var out []string
	for _, e := range entries {
		if v, ok := strings.CutSuffix(e.Name(), ".json.gz"); ok {
			out = append(out, v)
		}
	}
	slices.SortFunc(out, func(a, b string) int { return number(a) - number(b) })
	return out
}

func number(minor string) int {
	_, n, _ := strings.Cut(minor, ".")
	i, err := strconv.Atoi(n)
	if err != nil {
		return 0
	}
	return i
}

// Load returns the kinds of a minor version, as 1.36. Of a version that is not at hand it returns those of the nearest: Minor says which.
func Load(version string) (*Set, error) {
	all := Versions()
	if len(all) == 0 {
		return nil, errors.New("the program holds no schemas")
	}
	parts := strings.SplitN(version, ".", 3)
	want := 0
	if len(parts) > 1 {
		want = number(parts[0] + "." + parts[1])
	}
	nearest := all[0]
	for _, v := range all {
		if number(v) <= want {
			nearest = v
		}
	}
	text, err := data.ReadFile(path.Join("data", nearest+".json.gz"))
	if err != nil {
		return nil, fmt.Errorf("read the schemas of %s: %w", nearest, err)
	}
	s, err := read(text)
	if err != nil {
		return nil, fmt.Errorf("read the schemas of %s: %w", nearest, err)
	}
	s.Minor = nearest
	return s, nil
}

// Definitions returns the definitions of Gateway API's standard channel, as YAML.
func Definitions() ([]byte, error) {
	text, err := data.ReadFile("data/gateway-api.yaml.gz")
	if err != nil {
		return nil, fmt.Errorf("read the definitions of Gateway API: %w", err)
	}
	return unpacked(text)
}

func unpacked(text []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	out, err := io.ReadAll(io.LimitReader(z, largest+1))
	if err == nil && len(out) > largest {
		err = fmt.Errorf("it unpacks to more than %d bytes", largest)
	}
	return out, err
}

// read reads one file of data. What the check relies on is made sure here: every reference leads to a node that is none.
func read(text []byte) (*Set, error) {
	text, err := unpacked(text)
	if err != nil {
		return nil, err
	}
	var f struct {
		Source, Release string
		Types           map[string]*node
		Kinds           []struct {
			Kind, Group, Version, Type string
			Namespaced                 bool
		}
	}
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, err
	}
	s := &Set{Source: f.Source, Release: f.Release, kinds: map[Kind]*served{}, groups: map[string]bool{}}
	for name, n := range f.Types {
		if n != nil {
			n.name = name
		}
	}
	for _, n := range f.Types {
		if err := n.link(f.Types); err != nil {
			return nil, err
		}
	}
	for _, k := range f.Kinds {
		n := f.Types[k.Type]
		if n == nil {
			return nil, fmt.Errorf("%s has the type %q, which is not there", k.Kind, k.Type)
		}
		s.kinds[Kind{k.Group, k.Version, k.Kind}] = &served{node: n.to, namespaced: k.Namespaced}
		s.groups[k.Group] = true
	}
	return s, nil
}

// link finds what references lead to.
func (n *node) link(types map[string]*node) error {
	if n == nil {
		return nil
	}
	n.to = n
	for hops := 0; n.to.Ref != ""; hops++ {
		next := types[n.to.Ref]
		if next == nil || hops > 8 {
			return fmt.Errorf("the reference %q leads nowhere", n.Ref)
		}
		n.to = next
	}
	for name, p := range n.Props {
		if p == nil {
			return errors.New("a property without a schema")
		}
		if err := p.link(types); err != nil {
			return err
		}
		if p.Struct && len(p.to.Required) > 0 && p.to.Props != nil && !slices.Contains(n.Required, name) {
			n.structs = append(n.structs, name)
		}
	}
	slices.Sort(n.structs)
	if err := n.Values.link(types); err != nil {
		return err
	}
	return n.Items.link(types)
}

// Has says whether the version serves a kind, and whether its objects live in namespaces.
func (s *Set) Has(group, version, kind string) (namespaced, has bool) {
	k, has := s.kinds[Kind{group, version, kind}]
	return has && k.namespaced, has
}

// Group says whether a group is Kubernetes' own.
func (s *Set) Group(group string) bool { return s.groups[group] }
