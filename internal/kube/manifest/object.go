package manifest

import (
	"fmt"
	"strconv"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// Object is one object of a manifest. It is not changed once it is read.
type Object struct {
	Group, Version, Kind string
	// Namespace is as it is written: empty for an object of the whole cluster, and for one that leaves it to whoever applies it.
	Namespace, Name string
	// File is where it stands, relative to what was read; "-" for standard input. Line is its first line there.
	File string
	Line int
	// Text is the object's document, byte for byte. Of an object in a List it is YAML made from it, with its comments.
	Text []byte
	// Listed says that it stood in a List.
	Listed bool
	// Release is the release of Helm that renders it, NAMESPACE/NAME; empty for what stands in manifests.
	Release string
	// Unplaced says that its text leaves the namespace to Helm.
	Unplaced bool
	// Value is the object as plain values: map[string]any, []any, string, int64, float64, bool, nil.
	Value map[string]any
}

// Of returns an object that stands in no file, of plain values.
func Of(value map[string]any) *Object {
	o := &Object{Value: value}
	o.identify()
	return o
}

// FromNode returns an object that stands in no file.
func FromNode(n *yaml.Node) (*Object, error) {
	v, err := (&reader{}).value(n, 0, false)
	if err != nil {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, wrong(n, "it is no mapping")
	}
	return Of(m), nil
}

// APIVersion is the object's group and version as they are written.
func (o *Object) APIVersion() string {
	if o.Group == "" {
		return o.Version
	}
	return o.Group + "/" + o.Version
}

// String names the object for people: Deployment shop/web.
func (o *Object) String() string {
	if o.Namespace == "" {
		return o.Kind + " " + o.Name
	}
	return o.Kind + " " + o.Namespace + "/" + o.Name
}

// Where says where the object stands: file:line.
func (o *Object) Where() string { return fmt.Sprintf("%s:%d", o.File, o.Line) }

// With returns a copy of the object that has another value, which the caller no longer changes. Its lines are those of the first.
// It says false for a value that is no object.
func (o *Object) With(value map[string]any) (*Object, bool) {
	c := *o
	c.Value, c.Group = value, ""
	return &c, c.identify()
}

// Places knows the lines of an object. Reading them takes as much memory as the object, so they are read for those that are asked about, and let go.
type Places struct {
	o   *Object
	top *yaml.Node
}

// Places reads the object's text once more, for its lines.
func (o *Object) Places() *Places {
	var doc yaml.Node
	if o.Listed || yaml.Unmarshal(o.Text, &doc) != nil || len(doc.Content) == 0 {
		return &Places{o: o}
	}
	return &Places{o: o, top: doc.Content[0]}
}

// Of says where the value at a path stands, or else what would hold it: file:line. The steps are keys, and indexes in decimal.
// Of an object in a List it knows only where that begins.
func (p *Places) Of(path ...string) string {
	if p.top == nil {
		return p.o.Where()
	}
	n, line := p.top, p.top.Line
	for _, step := range path {
		key, value := child(n, step)
		if value == nil {
			break
		}
		n, line = value, key.Line
	}
	return fmt.Sprintf("%s:%d", p.o.File, p.o.Line+line-1)
}

// child finds a step below a node: the key, or for an element of a list the element itself, and the value.
func child(n *yaml.Node, step string) (key, value *yaml.Node) {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch n.Kind { //nolint:exhaustive // nothing stands below the others
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == step {
				return n.Content[i], n.Content[i+1]
			}
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(n.Content) {
			return n.Content[i], n.Content[i]
		}
	}
	return nil, nil
}

// identify reads an object's identity from its value. It says false for what is no object.
func (o *Object) identify() bool {
	api, _ := o.Value["apiVersion"].(string)
	o.Kind, _ = o.Value["kind"].(string)
	if api == "" || o.Kind == "" {
		return false
	}
	o.Version = api
	if group, version, ok := strings.Cut(api, "/"); ok {
		o.Group, o.Version = group, version
	}
	meta, _ := o.Value["metadata"].(map[string]any)
	o.Name, _ = meta["name"].(string)
	o.Namespace, _ = meta["namespace"].(string)
	return true
}
