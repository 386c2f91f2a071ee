package gateway

import (
	"strconv"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// Object is one object that is wanted on GKE, its fields in the order in which people expect them.
type Object struct {
	APIVersion, Kind, Namespace, Name string
	// Node is the object as YAML.
	Node *yaml.Node
	// From names the objects that it replaces or serves, as Ingress shop/web.
	From []string
}

// Text is the object's YAML.
func (o *Object) Text() ([]byte, error) { return yaml.Marshal(o.Node) }

// fields is a mapping under construction: its keys keep the order in which they are set.
type fields struct{ node *yaml.Node }

func mapping() fields {
	return fields{&yaml.Node{Kind: yaml.MappingNode, Tag: yaml.NodeTagMap}}
}

// set sets a key to text, a number, a boolean, other fields, a list or nil. A value that says nothing ("", an empty list, empty fields)
// sets no key.
func (f fields) set(key string, value any) fields {
	n := nodeOf(value)
	if n == nil {
		return f
	}
	f.node.Content = append(f.node.Content, text(key), n)
	return f
}

func text(s string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: yaml.NodeTagString, Value: s}
	if yaml.IsYaml1_1NonString(n) || s == "" || s == "*" {
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}

// core is the group of Services and Secrets, which is written although it is empty.
type core struct{}

// null is what a patch says to remove a key.
type null struct{}

func nodeOf(value any) *yaml.Node {
	switch v := value.(type) {
	case string:
		if v == "" {
			return nil
		}
		return text(v)
	case int64:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: yaml.NodeTagInt, Value: strconv.FormatInt(v, 10)}
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: yaml.NodeTagBool, Value: strconv.FormatBool(v)}
	case core:
		return text("")
	case null:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: yaml.NodeTagNull, Value: "null"}
	case fields:
		if len(v.node.Content) == 0 {
			return nil
		}
		return v.node
	case []string:
		var list []any
		for _, s := range v {
			list = append(list, s)
		}
		return nodeOf(list)
	case []any:
		if len(v) == 0 {
			return nil
		}
		n := &yaml.Node{Kind: yaml.SequenceNode, Tag: yaml.NodeTagSeq}
		for _, x := range v {
			if c := nodeOf(x); c != nil {
				n.Content = append(n.Content, c)
			}
		}
		if len(n.Content) == 0 {
			return nil
		}
		return n
	}
	return nil
}

// The API groups of what is written.
const (
	gatewayAPI = "gateway.networking.k8s.io/v1"
	grantAPI   = "gateway.networking.k8s.io/v1beta1"
	gkeAPI     = "networking.gke.io/v1"
)

// object makes an object of its spec.
func object(api, kind, namespace, name string, annotations, spec fields, from ...string) Object {
	meta := mapping().set("name", name).set("namespace", namespace).set("annotations", annotations)
	return Object{
		APIVersion: api, Kind: kind, Namespace: namespace, Name: name, From: from,
		Node: mapping().set("apiVersion", api).set("kind", kind).set("metadata", meta).set("spec", spec).node,
	}
}
