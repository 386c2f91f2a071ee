package dependency

import (
	"cmp"
	"maps"
	"slices"

	"github.com/bascule/bascule/internal/kube/manifest"
	"github.com/bascule/bascule/internal/kube/profile"
)

// Kind is what a node of the map is.
type Kind string

// The kinds of nodes.
const (
	Workload Kind = "workload"
	Host     Kind = "host" // a name in DNS by which clients come in
	Database Kind = "database"
	Cache    Kind = "cache"
	Bucket   Kind = "bucket"
	Queue    Kind = "queue"
	Topic    Kind = "topic"
	Stream   Kind = "stream"
	Table    Kind = "table"
	Search   Kind = "search"
	Volume   Kind = "volume"
	Secret   Kind = "secret"
	Role     Kind = "role"
	Service  Kind = "service" // another workload's, in the cluster
	Outside  Kind = "outside" // an address that is none of these
)

// Kinds are the kinds in the order in which they are told.
var Kinds = []Kind{Host, Workload, Database, Table, Queue, Topic, Stream, Bucket, Volume, Cache, Search, Service, Outside, Secret, Role}

// ties are the kinds of state whose users must move together. A cache may start empty, so it is none of them.
var ties = map[Kind]bool{Database: true, Table: true, Queue: true, Topic: true, Stream: true, Bucket: true, Volume: true}

// Sure says how sure an edge is.
type Sure string

// How sure an edge is, the surest first.
const (
	// Declared is a field that means just this, or a database of bascule.yaml.
	Declared Sure = "declared"
	// Found is an address in a value.
	Found Sure = "found in a value"
	// Naming is only what a name suggests.
	Naming Sure = "by naming"
)

func (s Sure) rank() int { return slices.Index([]Sure{Declared, Found, Naming}, s) }

// Node is something that uses or is used.
type Node struct {
	// ID is the kind and the name.
	ID   string `json:"id"`
	Kind Kind   `json:"kind"`
	Name string `json:"name"`
	// Note says more: where a secret's values come from, which database of bascule.yaml it is.
	Note string `json:"note,omitempty"`
}

// Evidence says where something was found.
type Evidence struct {
	Object string `json:"object"`
	Path   string `json:"path"`
	Where  string `json:"where"`
}

// Edge says that a workload uses something, or that a host leads to a workload.
type Edge struct {
	From string `json:"from"`
	To   string `json:"to"`
	Sure Sure   `json:"sure"`
	// Reads says that it only reads, as far as names tell.
	Reads bool       `json:"reads,omitempty"`
	Found []Evidence `json:"found"`
}

// Hidden is a workload that seems to use AWS with the role of its node.
type Hidden struct {
	Workload string `json:"workload"`
	// Sign is the variable that says so.
	Sign string `json:"sign"`
}

// Unknown is something that could not be followed.
type Unknown struct {
	// Workload is whose reference it is, or the place of what is no object.
	Workload string `json:"workload"`
	What     string `json:"what"`
}

// Map is who uses what. It is the same for the same input.
type Map struct {
	Nodes  []Node   `json:"nodes"`
	Edges  []Edge   `json:"edges"`
	Groups []Group  `json:"groups"`
	Hidden []Hidden `json:"hidden"`
	// Unknown are references that the manifests do not hold.
	Unknown []Unknown `json:"unknown"`
	// Addons are objects with pods of the old platform's add-ons, which are left behind and stand in no map.
	Addons []string `json:"addons"`
}

// Known is a database that bascule.yaml describes.
type Known struct {
	Name string
	// Host is its source's.
	Host string
}

// Input is what a map is made from.
type Input struct {
	Set       *manifest.Set
	Databases []Known
	// Profile says which objects belong to add-ons of the old platform; without it, none do.
	Profile *profile.Profile
}

// Node finds a node by its ID.
func (m *Map) Node(id string) *Node {
	i, ok := slices.BinarySearchFunc(m.Nodes, id, func(n Node, id string) int { return compareID(n.ID, n.Kind, id) })
	if !ok {
		return nil
	}
	return &m.Nodes[i]
}

// id makes a node's ID. Its kind comes first, in the order of Kinds, so that IDs sort as they are told.
func id(k Kind, name string) string { return string(k) + " " + name }

func kindOf(id string) Kind {
	for i := range id {
		if id[i] == ' ' {
			return Kind(id[:i])
		}
	}
	return ""
}

func compareID(a string, kind Kind, b string) int {
	return cmp.Or(slices.Index(Kinds, kind)-slices.Index(Kinds, kindOf(b)), cmp.Compare(a, b))
}

// Of lists the nodes of a kind.
func (m *Map) Of(kind Kind) []Node {
	var out []Node
	for _, n := range m.Nodes {
		if n.Kind == kind {
			out = append(out, n)
		}
	}
	return out
}

// builder gathers nodes and edges.
type builder struct {
	nodes map[string]*Node
	edges map[[2]string]*Edge
}

func (b *builder) node(kind Kind, name string) *Node {
	k := id(kind, name)
	if b.nodes[k] == nil {
		b.nodes[k] = &Node{ID: k, Kind: kind, Name: name}
	}
	return b.nodes[k]
}

// mostEvidence is how many places an edge names.
const mostEvidence = 5

func (b *builder) edge(from, to *Node, sure Sure, reads bool, found Evidence) {
	k := [2]string{from.ID, to.ID}
	e := b.edges[k]
	if e == nil {
		e = &Edge{From: from.ID, To: to.ID, Sure: sure, Reads: reads}
		b.edges[k] = e
	}
	if sure.rank() < e.Sure.rank() {
		e.Sure = sure
		e.Found = slices.Insert(e.Found, 0, found) // the surest comes first
	} else if !slices.Contains(e.Found, found) {
		e.Found = append(e.Found, found)
	}
	e.Found = e.Found[:min(len(e.Found), mostEvidence)]
	e.Reads = e.Reads && reads
}

func (b *builder) build(m *Map) {
	for _, n := range b.nodes {
		m.Nodes = append(m.Nodes, *n)
	}
	slices.SortFunc(m.Nodes, func(x, y Node) int { return compareID(x.ID, x.Kind, y.ID) })
	for _, k := range slices.SortedFunc(maps.Keys(b.edges), func(x, y [2]string) int {
		return cmp.Or(compareID(x[0], kindOf(x[0]), y[0]), compareID(x[1], kindOf(x[1]), y[1]))
	}) {
		m.Edges = append(m.Edges, *b.edges[k])
	}
}
