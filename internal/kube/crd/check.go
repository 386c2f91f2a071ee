package crd

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
)

// Problem is one thing for which an API server would refuse an object, or silently drop a part of it.
type Problem struct {
	// File is where the object stands; empty when it stands in none.
	File string `json:"file,omitempty"`
	// Object is Kind/namespace/name, or Kind/name.
	Object string `json:"object"`
	// Path is the field, as spec.forProvider.settings.tier.
	Path string `json:"path"`
	// What says what is wrong there.
	What string `json:"what"`
	// Bare is What without the value that stands there, for reports that must not repeat values.
	Bare string `json:"-"`
}

// String writes all of it in one line.
func (p Problem) String() string {
	text := p.Object + ": " + p.What
	if p.Path != "" {
		text = p.Object + ": " + p.Path + ": " + p.What
	}
	if p.File != "" {
		text = p.File + ": " + text
	}
	return text
}

// Verdict is what a check came to.
type Verdict struct {
	Kind Kind
	// Checked is false where no schema of the kind is at hand; there is no problem then, and no proof either.
	Checked  bool
	Problems []Problem
	// Object is the object as the API server would keep it: without unknown fields, with defaults. It shares nothing with what was given.
	Object map[string]any
}

// Check holds an object, as JSON decodes it, to the definition of its kind. The file only stands in problems. An error is about the definition, or says that
// this is no object at all; whatever is wrong in the object is a problem.
func (s *Set) Check(ctx context.Context, file string, object map[string]any) (Verdict, error) {
	copied, err := duplicate(object)
	if err != nil {
		return Verdict{}, fmt.Errorf("%s: %w", file, err)
	}
	v := Verdict{Kind: kindOf(copied), Object: copied}
	c, ok := s.kinds[v.Kind]
	if !ok {
		return v, nil
	}
	if err := c.ready(); err != nil {
		return v, err
	}
	v.Checked = true
	found := &problems{file: file, object: nameOf(copied)}
	c.metadata(copied, found)
	c.fields(copied, found)
	c.values(ctx, copied, found)
	v.Problems = found.all
	return v, nil
}

// duplicate copies by way of JSON, so that numbers are int64 or float64, as everything below expects them, whatever decoded the object.
func duplicate(object map[string]any) (map[string]any, error) {
	text, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	var out map[string]any
	err = utiljson.Unmarshal(text, &out)
	return out, err
}

func kindOf(object map[string]any) Kind {
	version, _ := object["apiVersion"].(string)
	kind, _ := object["kind"].(string)
	group, v, ok := strings.Cut(version, "/")
	if !ok {
		group, v = "", version
	}
	return Kind{group, v, kind}
}

func nameOf(object map[string]any) string {
	meta, _ := object["metadata"].(map[string]any)
	parts := []string{kindOf(object).Kind}
	for _, key := range []string{"namespace", "name"} {
		if s, _ := meta[key].(string); s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, "/")
}

// problems collects what is wrong in one object.
type problems struct {
	file, object string
	all          []Problem
}

func (p *problems) add(path, what string) {
	p.all = append(p.all, Problem{File: p.file, Object: p.object, Path: path, What: what, Bare: what})
}

// addAll adds what the API server's packages found, in the order of the fields: they walk maps, so theirs changes from run to run.
func (p *problems) addAll(errs field.ErrorList) {
	slices.SortStableFunc(errs, func(a, b *field.Error) int {
		return cmp.Or(cmp.Compare(a.Field, b.Field), cmp.Compare(a.ErrorBody(), b.ErrorBody()))
	})
	for _, e := range errs {
		path := e.Field
		if path == "<nil>" {
			path = ""
		}
		p.add(path, e.ErrorBody())
		bare := e.Type.String()
		if e.Detail != "" {
			bare += ": " + e.Detail
		}
		p.all[len(p.all)-1].Bare = bare
	}
}

// metadata looks at names, labels and annotations.
func (c *compiled) metadata(object map[string]any, found *problems) {
	meta, _, unknown, err := objectmeta.GetObjectMetaWithOptions(object, objectmeta.ObjectMetaOptions{ReturnUnknownFieldPaths: true})
	if err != nil {
		found.add("metadata", err.Error())
		found.all[len(found.all)-1].Bare = "it is not as the metadata of an object are"
		return
	}
	if meta == nil {
		found.add("metadata", "Required value")
		return
	}
	for _, path := range unknown {
		found.add(path, "unknown field")
	}
	checked := meta.DeepCopy()
	if c.namespaced && checked.Namespace == "" {
		checked.Namespace = metav1.NamespaceDefault // whoever applies it says which
	}
	// The server makes a name of a generated one before it looks.
	found.addAll(apivalidation.ValidateObjectMeta(checked, c.namespaced, apivalidation.NameIsDNSSubdomain, field.NewPath("metadata")))
}

// fields drops what the schema does not know, which the server does without a word, and fills in defaults.
func (c *compiled) fields(object map[string]any, found *problems) {
	kept := map[string]any{"apiVersion": object["apiVersion"], "kind": object["kind"], "metadata": object["metadata"]}
	defaulting.PruneNonNullableNullsWithoutDefaults(object, c.structural)
	unknown := pruning.PruneWithOptions(object, c.structural, true, schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	slices.Sort(unknown)
	for _, path := range unknown {
		found.add(path, "unknown field")
	}
	for key, v := range kept {
		if v != nil {
			object[key] = v
		}
	}
	if failed, _ := objectmeta.CoerceWithOptions(nil, object, c.structural, false, objectmeta.CoerceOptions{}); failed != nil {
		found.addAll(field.ErrorList{failed})
	}
	defaulting.Default(object, c.structural)
}

// values holds what stands in the fields to the schema, and to the rules where the schema is kept: a rule may trust in it.
func (c *compiled) values(ctx context.Context, object map[string]any, found *problems) {
	errs := validation.ValidateCustomResource(nil, object, c.schema)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, c.structural, object)...)
	if len(errs) == 0 && c.rules != nil {
		errs, _ = c.rules.Validate(ctx, nil, c.structural, object, nil, celconfig.RuntimeCELCostBudget)
	}
	found.addAll(errs)
}
