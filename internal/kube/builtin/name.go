package builtin

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/util/validation"
)

// metadata looks at labels and annotations, of the object and of the templates in it.
func (c *check) metadata(m map[string]any) {
	for _, field := range []string{"labels", "annotations"} {
		entries, ok := m[field].(map[string]any)
		if !ok {
			continue
		}
		for _, k := range slices.Sorted(maps.Keys(entries)) {
			c.path = append(c.path, field, k)
			key := k
			if field == "annotations" {
				key = strings.ToLower(k) // the server does not mind capitals there
			}
			if errs := validation.IsQualifiedName(key); len(errs) > 0 {
				c.add("no server takes this key: %s", strings.Join(errs, "; "))
			}
			if v, ok := entries[k].(string); ok && field == "labels" {
				if errs := validation.IsValidLabelValue(v); len(errs) > 0 {
					c.add("no server takes this value of a label: %s", strings.Join(errs, "; "))
				}
			}
			c.path = c.path[:len(c.path)-2]
		}
	}
}

// identity looks at the name of the object and at where it lives.
func (c *check) identity(kind, group string, object map[string]any, namespaced bool) {
	meta, _ := object["metadata"].(map[string]any)
	name, _ := meta["name"].(string)
	space, _ := meta["namespace"].(string)
	at := func(field, format string, args ...any) {
		c.path = append(c.path, "metadata", field)
		c.add(format, args...)
		c.path = c.path[:len(c.path)-2]
	}
	if prefix, _ := meta["generateName"].(string); name == "" && prefix == "" {
		at("name", "it is required, and not there")
	}
	if name != "" {
		if errs := nameErrors(kind, group, name); len(errs) > 0 {
			at("name", "no server takes this name: %s", strings.Join(errs, "; "))
		}
	}
	switch {
	case !namespaced && space != "":
		at("namespace", "a %s lives in no namespace", kind)
	case space != "":
		if errs := validation.IsDNS1123Label(space); len(errs) > 0 {
			at("namespace", "no server takes this name: %s", strings.Join(errs, "; "))
		}
	}
}

// nameErrors says what the server has against a name.
func nameErrors(kind, group, name string) []string {
	switch {
	case group == "rbac.authorization.k8s.io", kind == "IPAddress":
		return content.IsPathSegmentName(name)
	case kind == "Namespace", kind == "Service" && group == "":
		return validation.IsDNS1123Label(name)
	}
	return validation.IsDNS1123Subdomain(name)
}
