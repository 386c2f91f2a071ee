package crossplane

import (
	"maps"
	"slices"
)

// Version is the version in which developers' kinds are served.
const Version = "v1alpha1"

// kind is one kind that people may ask for.
type kind struct {
	name, plural, short string
	// what says in a sentence what one gets.
	what   string
	rule   nameRule
	spec   object // the properties of its spec beside those that all kinds have
	needs  list   // the required ones
	status object
	// composed are the managed resources that its compositions use.
	composed []managed
	// compositions are the ways to make it, the default first.
	compositions func(e *Environment, d *Definition) []composition
	// stateful kinds hold data and are never deleted.
	stateful bool
	example  example
}

// composition is one way to make a kind.
type composition struct {
	name      string
	what      string
	resources []resource
}

// example is what a developer writes.
type example struct {
	name string
	spec object
}

// kinds are what developers may ask for in an environment's cluster.
func kinds() []kind {
	return []kind{postgresql(), cache(), objectBucket(), topicKind(), subscriptionKind(), identity(), record(), images()}
}

// apiVersion is the group and version of the kinds.
func (d *Definition) apiVersion() string { return d.Group + "/" + Version }

func text(what string, more ...object) object   { return property("string", what, more) }
func number(what string, more ...object) object { return property("integer", what, more) }
func flag(what string, more ...object) object   { return property("boolean", what, more) }

func property(sort, what string, more []object) object {
	p := object{"type": sort, "description": what}
	for _, m := range more {
		maps.Copy(p, m)
	}
	return p
}

func texts(what string) object {
	return object{"type": "array", "description": what, "items": object{"type": "string"}, "minItems": 1}
}

func byDefault(v any) object       { return object{"default": v} }
func oneOf(values ...any) object   { return object{"enum": values} }
func between(low, high int) object { return object{"minimum": low, "maximum": high} }
func like(pattern string) object   { return object{"pattern": pattern} }
func atMost(characters int) object { return object{"maxLength": characters} }
func notEmpty() object             { return object{"minLength": 1} }

// properties are those of a kind's spec, with those that all kinds have.
func (k *kind) properties() object {
	out := object{
		"adopt": text("What Crossplane does about what exists already: No makes it; Observe only looks at it; Manage keeps it as it is declared, and never deletes it or makes it again.",
			oneOf("No", "Observe", "Manage"), byDefault("No")),
		"name": text("What it is called on Google Cloud, when that is not made of namespace and name. Only who may adopt may say it.", notEmpty(), atMost(max(k.rule.most, 300))),
	}
	maps.Copy(out, k.spec)
	return out
}

// definition is the CompositeResourceDefinition of a kind.
func (k *kind) definition(d *Definition) object {
	schema := object{
		"type": "object", "description": k.what, "required": list{"spec"},
		"properties": object{
			"spec":   object{"type": "object", "properties": k.properties()},
			"status": object{"type": "object", "properties": k.statuses()},
		},
	}
	if len(k.needs) > 0 {
		schema["properties"].(object)["spec"].(object)["required"] = k.needs
	}
	names := object{"kind": k.name, "plural": k.plural}
	if k.short != "" {
		names["shortNames"] = list{k.short}
	}
	return object{
		"apiVersion": "apiextensions.crossplane.io/v2",
		"kind":       "CompositeResourceDefinition",
		"metadata":   object{"name": k.plural + "." + d.Group},
		"spec": object{
			"scope": "Namespaced", "group": d.Group, "names": names,
			"defaultCompositionRef": object{"name": k.compositions(&Environment{}, d)[0].name},
			"versions": list{object{
				"name": Version, "served": true, "referenceable": true,
				"schema": object{"openAPIV3Schema": schema},
			}},
		},
	}
}

func (k *kind) statuses() object {
	if k.status == nil {
		return object{}
	}
	return k.status
}

// object is a Composition as Crossplane reads it.
func (c *composition) object(k *kind, d *Definition) object {
	var resources list
	for i := range c.resources {
		resources = append(resources, c.resources[i].object())
	}
	return object{
		"apiVersion": "apiextensions.crossplane.io/v1",
		"kind":       "Composition",
		"metadata":   object{"name": c.name, "annotations": object{"description": c.what}},
		"spec": object{
			"compositeTypeRef": object{"apiVersion": d.apiVersion(), "kind": k.name},
			"mode":             "Pipeline",
			"pipeline": list{
				object{
					"step": "compose", "functionRef": object{"name": functionCompose},
					"input": object{"apiVersion": "pt.fn.crossplane.io/v1beta1", "kind": "Resources", "patchSets": policySets(), "resources": resources},
				},
				object{"step": "ready", "functionRef": object{"name": functionReady}},
			},
		},
	}
}

// byName finds a kind, of environments or of the management.
func byName(name string) (kind, bool) {
	all := append(kinds(), gke())
	i := slices.IndexFunc(all, func(k kind) bool { return k.name == name })
	if i < 0 {
		return kind{}, false
	}
	return all[i], true
}
