package crossplane

// object and list are how objects of Kubernetes are written down here: they become YAML with sorted keys.
type (
	object = map[string]any
	list   = []any
)

// managed is a kind of managed resource of provider-upjet-gcp, namespaced.
type managed struct {
	service, kind, plural string
}

// The managed resources that are composed.
var (
	sqlInstance   = managed{"sql", "DatabaseInstance", "databaseinstances"}
	sqlDatabase   = managed{"sql", "Database", "databases"}
	sqlUser       = managed{"sql", "User", "users"}
	valkey        = managed{"memorystore", "Instance", "instances"}
	bucket        = managed{"storage", "Bucket", "buckets"}
	topic         = managed{"pubsub", "Topic", "topics"}
	subscription  = managed{"pubsub", "Subscription", "subscriptions"}
	account       = managed{"cloudplatform", "ServiceAccount", "serviceaccounts"}
	accountMember = managed{"cloudplatform", "ServiceAccountIAMMember", "serviceaccountiammembers"}
	projectMember = managed{"cloudplatform", "ProjectIAMMember", "projectiammembers"}
	recordSet     = managed{"dns", "RecordSet", "recordsets"}
	repository    = managed{"artifact", "RegistryRepository", "registryrepositories"}
	cluster       = managed{"container", "Cluster", "clusters"}
	nodePool      = managed{"container", "NodePool", "nodepools"}
)

func (m managed) group() string { return m.service + ".gcp.m.upbound.io" }

// definition is the name by which an activation policy knows the kind.
func (m managed) definition() string { return m.plural + "." + m.group() }

// base returns the kind with the fields that never change.
func (m managed) base(forProvider object) object {
	return object{
		"apiVersion": m.group() + "/v1beta1",
		"kind":       m.kind,
		"spec":       object{"forProvider": forProvider},
	}
}

// resource is one resource of a composition.
type resource struct {
	name    string
	base    object
	patches list
	ready   list // readiness checks; without any, the condition Ready
}

func (r *resource) object() object {
	o := object{"name": r.name, "base": r.base, "patches": r.patches}
	if r.ready != nil {
		o["readinessChecks"] = r.ready
	}
	return o
}

// copied is a patch from the composite resource.
func copied(from, to string, transforms ...object) object {
	p := object{"type": "FromCompositeFieldPath", "fromFieldPath": from, "toFieldPath": to}
	if len(transforms) > 0 {
		p["transforms"] = asList(transforms)
	}
	return p
}

// told is a patch into the status of the composite resource.
func told(from, to string) object {
	return object{"type": "ToCompositeFieldPath", "fromFieldPath": from, "toFieldPath": to}
}

// combined is a patch from several fields of the composite resource.
func combined(format string, from []string, to string, transforms ...object) object {
	var variables list
	for _, f := range from {
		variables = append(variables, object{"fromFieldPath": f})
	}
	p := object{
		"type": "CombineFromComposite", "toFieldPath": to,
		"combine": object{"strategy": "string", "string": object{"fmt": format}, "variables": variables},
	}
	if len(transforms) > 0 {
		p["transforms"] = asList(transforms)
	}
	return p
}

// required makes a patch one without which its resource waits.
func required(p object) object {
	p["policy"] = object{"fromFieldPath": "Required"}
	return p
}

func mapped(pairs object) object { return object{"type": "map", "map": pairs} }

func formatted(format string) object {
	return object{"type": "string", "string": object{"type": "Format", "fmt": format}}
}

func asText() object { return object{"type": "convert", "convert": object{"toType": "string"}} }

// matched replaces a text that matches a pattern, and keeps any other.
func matched(pattern string, result any) object {
	return object{"type": "match", "match": object{
		"patterns": list{object{"type": "regexp", "regexp": pattern, "result": result}}, "fallbackTo": "Input",
	}}
}

// chosen is one value for a text that matches a pattern, and another for any other.
func chosen(pattern string, result, other any) object {
	return object{"type": "match", "match": object{
		"patterns": list{object{"type": "regexp", "regexp": pattern, "result": result}}, "fallbackValue": other,
	}}
}

func patchSet(name string) object { return object{"type": "PatchSet", "patchSetName": name} }

func asList[T any](values []T) list {
	out := make(list, len(values))
	for i, v := range values {
		out[i] = v
	}
	return out
}

// The paths that many patches know.
const (
	ownName      = "metadata.name"
	ownNamespace = "metadata.namespace"
	externalName = "metadata.annotations[crossplane.io/external-name]"
	policies     = "spec.managementPolicies"
)

// tooLong is what a name becomes that Google Cloud would refuse: it is refused, too, and says what helps.
const tooLong = "TOO_LONG:set_spec.name"

// named are the patches that name something on Google Cloud at a path: by spec.name, and else by namespace and name, so that two namespaces never mean the same.
func named(rule nameRule, format, to string, transforms ...object) list {
	return list{
		combined(format, []string{ownNamespace, ownName}, to, append([]object{matched(rule.refused(), tooLong)}, transforms...)...),
		copied("spec.name", to, transforms...),
	}
}

// plain is the format of most names.
const plain = "%s-%s"

// The patch sets: what Crossplane may do to a managed resource, by what spec.adopt says. Policies hold no LateInitialize: what nobody declared stays undeclared.
const (
	// keep is for what holds data: it is never deleted, and what was adopted is never made anew.
	keep = "keep"
	// free is for what can be made again, and is deleted with its object, unless it was adopted.
	free = "free"
	// bind is for members of policies, which have no name by which they could be observed: they are left alone until the promotion, and adding one that is
	// there changes nothing.
	bind = "bind"
)

func policySets() list {
	set := func(name string, own, observe, manage list) object {
		return object{"name": name, "patches": list{
			copied(ownName, ownName),
			copied("spec.adopt", policies, mapped(object{"No": own, "Observe": observe, "Manage": manage})),
		}}
	}
	return list{
		set(keep, list{"Observe", "Create", "Update"}, list{"Observe"}, list{"Observe", "Update"}),
		set(free, list{"Observe", "Create", "Update", "Delete"}, list{"Observe"}, list{"Observe", "Update"}),
		set(bind, list{"Observe", "Create", "Update", "Delete"}, list{}, list{"Observe", "Create", "Update"}),
	}
}
