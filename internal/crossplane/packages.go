package crossplane

import (
	"slices"

	"github.com/bascule/bascule/internal/crossplane/pipeline"
)

// The versions that everything here is written for. They are changed together, with the tests against the definitions of that version.
const (
	crossplaneVersion = "2.3.4"
	providerVersion   = "v3.0.0"
	composeVersion    = "v0.10.7"
	readyVersion      = "v0.6.5"
)

const (
	functionCompose = pipeline.PatchAndTransform
	functionReady   = pipeline.AutoReady

	generatorVersion = "generators.external-secrets.io/v1alpha1"
	generatorName    = "database-password"

	system  = "crossplane-system"
	runtime = "provider-gcp"
)

func meta(name string) object { return object{"name": name} }

// services are the services of Google Cloud whose providers kinds need, sorted.
func services(kinds []kind) (names []string) {
	for _, k := range kinds {
		for _, m := range k.composed {
			if !slices.Contains(names, m.service) {
				names = append(names, m.service)
			}
		}
	}
	slices.Sort(names)
	return names
}

func providers(kinds []kind) (out []object) {
	out = append(out, object{
		"apiVersion": "pkg.crossplane.io/v1beta1", "kind": "DeploymentRuntimeConfig", "metadata": meta(runtime),
		// One name for all providers, so that one account of Google Cloud can be bound to it.
		"spec": object{"serviceAccountTemplate": object{"metadata": meta(runtime)}},
	})
	for _, s := range services(kinds) {
		out = append(out, object{
			"apiVersion": "pkg.crossplane.io/v1", "kind": "Provider", "metadata": meta("provider-gcp-" + s),
			"spec": object{
				"package":          "xpkg.upbound.io/upbound/provider-gcp-" + s + ":" + providerVersion,
				"runtimeConfigRef": meta(runtime),
			},
		})
	}
	return out
}

func functions() (out []object) {
	for _, f := range [][2]string{{functionReady, readyVersion}, {functionCompose, composeVersion}} {
		out = append(out, object{
			"apiVersion": "pkg.crossplane.io/v1", "kind": "Function", "metadata": meta(f[0]),
			"spec": object{"package": "xpkg.crossplane.io/crossplane-contrib/" + f[0] + ":" + f[1]},
		})
	}
	return out
}

// activation lists exactly the managed resources that the compositions of kinds use.
func activation(kinds []kind) object {
	var names []string
	for _, k := range kinds {
		for _, m := range k.composed {
			names = append(names, m.definition())
		}
	}
	slices.Sort(names)
	return object{
		"apiVersion": "apiextensions.crossplane.io/v1alpha1", "kind": "ManagedResourceActivationPolicy", "metadata": meta("bascule"),
		"spec": object{"activate": asList(slices.Compact(names))},
	}
}

// providerConfig says which project a name stands for, and that the provider's own identity is used: there is no key.
func providerConfig(name, project string) object {
	return object{
		"apiVersion": "gcp.m.upbound.io/v1beta1", "kind": "ClusterProviderConfig", "metadata": meta(name),
		"spec": object{"projectID": project, "credentials": object{"source": "InjectedIdentity"}},
	}
}

// generator makes passwords. Its symbols need no quotes in a URL.
func generator() object {
	return object{
		"apiVersion": generatorVersion, "kind": "ClusterGenerator", "metadata": meta(generatorName),
		"spec": object{"kind": "Password", "generator": object{"passwordSpec": object{
			"length": 32, "digits": 8, "symbols": 4, "symbolCharacters": "-_.~", "noUpper": false, "allowRepeat": true,
		}}},
	}
}

const rbac = "rbac.authorization.k8s.io"

var (
	reading = list{"get", "list", "watch"}
	writing = list{"get", "list", "watch", "create", "update", "patch", "delete"}
)

func clusterRole(name string, labels object, rules ...object) object {
	m := meta(name)
	if labels != nil {
		m["labels"] = labels
	}
	return object{"apiVersion": rbac + "/v1", "kind": "ClusterRole", "metadata": m, "rules": asList(rules)}
}

func rule(group string, resources, verbs list) object {
	return object{"apiGroups": list{group}, "resources": resources, "verbs": verbs}
}

// roles are who may do what: Crossplane composes objects that are no managed resources; developers ask; the platform's people adopt.
func roles(d *Definition, kinds []kind) []object {
	return []object{
		clusterRole("crossplane-compose-bascule", object{"rbac.crossplane.io/aggregate-to-crossplane": "true"},
			rule("", list{"configmaps"}, writing), rule("external-secrets.io", list{"externalsecrets"}, writing)),
		clusterRole("bascule-developer", nil, rule(d.Group, plurals(kinds), writing), rule("", list{"events"}, reading)),
		adopter(d, kinds),
	}
}

// adopter may say what is whose.
func adopter(d *Definition, kinds []kind) object {
	return clusterRole("bascule-adopter", nil, rule(d.Group, plurals(kinds), append(slices.Clone(writing), "adopt")))
}

func plurals(kinds []kind) (out list) {
	for _, k := range kinds {
		out = append(out, k.plural)
	}
	return out
}

// binding lets the developers ask in a namespace.
func binding(d *Definition, namespace string) object {
	var subjects list
	for _, g := range d.Developers {
		subjects = append(subjects, object{"apiGroup": rbac, "kind": "Group", "name": g})
	}
	return object{
		"apiVersion": rbac + "/v1", "kind": "RoleBinding",
		"metadata": object{"name": "bascule-developer", "namespace": namespace},
		"roleRef":  object{"apiGroup": rbac, "kind": "ClusterRole", "name": "bascule-developer"},
		"subjects": subjects,
	}
}

// admission keeps developers from naming or adopting what is another's: whoever may say a name on Google Cloud could take over any database of the project.
func admission(d *Definition) []object {
	const name = "bascule-adopt"
	expression := "(!has(object.spec.name) || (oldObject != null && has(oldObject.spec.name) && oldObject.spec.name == object.spec.name))" +
		" && (!has(object.spec.adopt) || object.spec.adopt == (oldObject != null && has(oldObject.spec.adopt) ? oldObject.spec.adopt : 'No'))" +
		" || authorizer.group(request.resource.group).resource(request.resource.resource).namespace(object.metadata.namespace).check('adopt').allowed()"
	return []object{
		{
			"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": meta(name),
			"spec": object{
				"failurePolicy": "Fail",
				"matchConstraints": object{"resourceRules": list{object{
					"apiGroups": list{d.Group}, "apiVersions": list{"*"}, "operations": list{"CREATE", "UPDATE"}, "resources": list{"*"},
				}}},
				"validations": list{object{
					"expression": expression,
					"message":    "only who has the verb adopt on this kind may say spec.name or change spec.adopt: they decide whose thing on Google Cloud this is",
				}},
			},
		},
		{
			"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding", "metadata": meta(name),
			"spec": object{"policyName": name, "validationActions": list{"Deny"}},
		},
	}
}
