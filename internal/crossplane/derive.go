package crossplane

import (
	"encoding/json"
	"fmt"
	"maps"

	v1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// xrd is the part of a CompositeResourceDefinition that its CustomResourceDefinition is made of.
type xrd struct {
	Metadata metav1.ObjectMeta `json:"metadata"`
	Spec     struct {
		Group    string                           `json:"group"`
		Names    v1.CustomResourceDefinitionNames `json:"names"`
		Scope    string                           `json:"scope"`
		Versions []struct {
			Name          string `json:"name"`
			Served        bool   `json:"served"`
			Referenceable bool   `json:"referenceable"`
			Schema        struct {
				OpenAPIV3Schema v1.JSONSchemaProps `json:"openAPIV3Schema"`
			} `json:"schema"`
		} `json:"versions"`
	} `json:"spec"`
}

// longestName is how long the name of a composite resource may be: it becomes the value of a label.
const longestName = 63

// Derive makes of a CompositeResourceDefinition of scope Namespaced the CustomResourceDefinition that Crossplane makes of it: names bounded, its own fields below
// spec.crossplane, and conditions in the status.
func Derive(definition map[string]any) (*v1.CustomResourceDefinition, error) {
	text, err := json.Marshal(definition)
	if err != nil {
		return nil, err
	}
	var x xrd
	if err := json.Unmarshal(text, &x); err != nil {
		return nil, fmt.Errorf("read the definition %v: %w", definition["metadata"], err)
	}
	if x.Spec.Scope != "Namespaced" {
		return nil, fmt.Errorf("definition %s: scope %q is not supported, only Namespaced", x.Metadata.Name, x.Spec.Scope)
	}
	crd := &v1.CustomResourceDefinition{}
	crd.Name = x.Metadata.Name
	crd.Spec.Group, crd.Spec.Names, crd.Spec.Scope = x.Spec.Group, x.Spec.Names, v1.NamespaceScoped
	crd.Spec.Names.Categories = append(crd.Spec.Names.Categories, "composite")
	for _, v := range x.Spec.Versions {
		s := v.Schema.OpenAPIV3Schema
		own := s.Properties["spec"]
		own.Type = "object"
		own.Properties = maps.Clone(own.Properties)
		if own.Properties == nil {
			own.Properties = map[string]v1.JSONSchemaProps{}
		}
		own.Properties["crossplane"] = machinery()
		told := s.Properties["status"]
		told.Type = "object"
		told.Properties = maps.Clone(told.Properties)
		if told.Properties == nil {
			told.Properties = map[string]v1.JSONSchemaProps{}
		}
		told.Properties["conditions"] = conditions()
		told.Properties["crossplane"] = v1.JSONSchemaProps{Type: "object"}
		name := v1.JSONSchemaProps{Type: "string", MaxLength: new(int64(longestName))}
		whole := v1.JSONSchemaProps{
			Type: "object", Description: s.Description, Required: []string{"spec"},
			Properties: map[string]v1.JSONSchemaProps{
				"apiVersion": {Type: "string"}, "kind": {Type: "string"},
				"metadata": {Type: "object", Properties: map[string]v1.JSONSchemaProps{"name": name}},
				"spec":     own, "status": told,
			},
		}
		crd.Spec.Versions = append(crd.Spec.Versions, v1.CustomResourceDefinitionVersion{
			Name: v.Name, Served: v.Served, Storage: v.Referenceable,
			Schema:       &v1.CustomResourceValidation{OpenAPIV3Schema: &whole},
			Subresources: &v1.CustomResourceSubresources{Status: &v1.CustomResourceSubresourceStatus{}},
		})
	}
	return crd, nil
}

// machinery are the fields by which Crossplane is told how to make a composite resource, and remembers what it made.
func machinery() v1.JSONSchemaProps {
	word := v1.JSONSchemaProps{Type: "string"}
	ref := v1.JSONSchemaProps{Type: "object", Required: []string{"name"}, Properties: map[string]v1.JSONSchemaProps{"name": word}}
	selector := v1.JSONSchemaProps{Type: "object", Required: []string{"matchLabels"}, Properties: map[string]v1.JSONSchemaProps{
		"matchLabels": {Type: "object", AdditionalProperties: &v1.JSONSchemaPropsOrBool{Allows: true, Schema: &word}},
	}}
	return v1.JSONSchemaProps{Type: "object", Properties: map[string]v1.JSONSchemaProps{
		"compositionRef": ref, "compositionSelector": selector,
		"compositionRevisionRef": ref, "compositionRevisionSelector": selector,
		"compositionUpdatePolicy": {Type: "string", Enum: []v1.JSON{{Raw: []byte(`"Automatic"`)}, {Raw: []byte(`"Manual"`)}}},
		"resourceRefs": {Type: "array", XListType: new("atomic"), Items: &v1.JSONSchemaPropsOrArray{Schema: &v1.JSONSchemaProps{
			Type: "object", Required: []string{"apiVersion", "kind"},
			Properties: map[string]v1.JSONSchemaProps{"apiVersion": word, "kind": word, "name": word},
		}}},
	}}
}

func conditions() v1.JSONSchemaProps {
	word := v1.JSONSchemaProps{Type: "string"}
	return v1.JSONSchemaProps{
		Type: "array", XListType: new("map"), XListMapKeys: []string{"type"},
		Items: &v1.JSONSchemaPropsOrArray{Schema: &v1.JSONSchemaProps{
			Type: "object", Required: []string{"lastTransitionTime", "reason", "status", "type"},
			Properties: map[string]v1.JSONSchemaProps{
				"lastTransitionTime": {Type: "string", Format: "date-time"}, "message": word, "reason": word, "status": word, "type": word,
				"observedGeneration": {Type: "integer", Format: "int64"},
			},
		}},
	}
}
