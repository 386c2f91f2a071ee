package translate

import (
	"iter"

	"github.com/bascule/bascule/internal/kube/manifest"
)

// What other readers of manifests judge as the translation does: what a secret is, where pods stand, and which role they have on AWS.

// SecretByName says whether a value looks like a secret by its name alone. Such a value enters no output.
func SecretByName(name, value string) bool { return value != "" && namedSecret(name, value) }

// SecretByForm says whether a value, or a part of it, looks like a secret whatever its name is.
func SecretByForm(value string) bool { return secretText.MatchString(value) }

// PodSpecs finds the paths of all specifications of pods in an object of any kind.
func PodSpecs(object map[string]any) [][]string { return podSpecs(object) }

// At returns what stands at a path of keys and indexes; nil where nothing does.
func At(v any, path ...string) any { return at(v, path) }

// Text is At for text; empty where there is none.
func Text(v any, path ...string) string { return text(v, path...) }

// Roles are the roles that pods have on AWS, by their service accounts, or by kube2iam and kiam.
type Roles struct{ in Input }

// NewRoles looks for roles in all objects.
func NewRoles(set *manifest.Set) *Roles {
	r := &Roles{Input{Set: set}}
	r.in.learn()
	return r
}

// Of returns the role of the pods that an object specifies at a path; empty where they have none.
func (r *Roles) Of(o *manifest.Object, spec []string) string {
	w := &work{Object: &Object{Object: o, now: o.Value}, in: &r.in}
	return w.roleOf(spec)
}

// NodeRole looks for a sign that pods without a role use AWS, and so the role of their node: the name of the variable that says so, or nothing. The
// variables are those of all their containers, by name and value.
func NodeRole(variables iter.Seq2[string, string]) (sign string) {
	keyed := false
	for name, value := range variables {
		keyed = keyed || name == "AWS_ACCESS_KEY_ID"
		if name == "AWS_REGION" || name == "AWS_DEFAULT_REGION" || usesAWS.MatchString(value) {
			sign = name
		}
	}
	if keyed {
		return ""
	}
	return sign
}
