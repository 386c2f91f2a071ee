package pipeline

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// The functions that are known, by the names under which they are installed, and what they read.
const (
	PatchAndTransform = "function-patch-and-transform"
	AutoReady         = "function-auto-ready"
	inputVersion      = "pt.fn.crossplane.io/v1beta1"
	inputKind         = "Resources"
)

// Composition is the part of a Composition that is evaluated.
type Composition struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Metadata   metadata `json:"metadata"`
	Spec       struct {
		CompositeTypeRef struct {
			APIVersion string `json:"apiVersion"`
			Kind       string `json:"kind"`
		} `json:"compositeTypeRef"`
		Mode     string `json:"mode"`
		Pipeline []step `json:"pipeline"`
	} `json:"spec"`
}

type metadata struct {
	Name        string            `json:"name"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type step struct {
	Step        string `json:"step"`
	FunctionRef struct {
		Name string `json:"name"`
	} `json:"functionRef"`
	Input json.RawMessage `json:"input,omitempty"`
}

// resources is what function-patch-and-transform reads. A field that is missing here is one that is not evaluated, and so an error.
type resources struct {
	APIVersion string     `json:"apiVersion"`
	Kind       string     `json:"kind"`
	PatchSets  []patchSet `json:"patchSets,omitempty"`
	Resources  []template `json:"resources"`
}

type patchSet struct {
	Name    string  `json:"name"`
	Patches []patch `json:"patches"`
}

type template struct {
	Name            string         `json:"name"`
	Base            map[string]any `json:"base"`
	Patches         []patch        `json:"patches,omitempty"`
	ReadinessChecks []check        `json:"readinessChecks,omitempty"`
}

type patch struct {
	Type          string      `json:"type,omitempty"`
	FromFieldPath string      `json:"fromFieldPath,omitempty"`
	ToFieldPath   string      `json:"toFieldPath,omitempty"`
	PatchSetName  string      `json:"patchSetName,omitempty"`
	Combine       *combine    `json:"combine,omitempty"`
	Transforms    []transform `json:"transforms,omitempty"`
	Policy        *policy     `json:"policy,omitempty"`
}

type policy struct {
	FromFieldPath string `json:"fromFieldPath,omitempty"`
	ToFieldPath   string `json:"toFieldPath,omitempty"`
}

type combine struct {
	Strategy  string `json:"strategy"`
	Variables []struct {
		FromFieldPath string `json:"fromFieldPath"`
	} `json:"variables"`
	String *struct {
		Format string `json:"fmt"`
	} `json:"string,omitempty"`
}

type check struct {
	Type           string `json:"type"`
	FieldPath      string `json:"fieldPath,omitempty"`
	MatchString    string `json:"matchString,omitempty"`
	MatchInteger   int64  `json:"matchInteger,omitempty"`
	MatchCondition *struct {
		Type   string `json:"type"`
		Status string `json:"status"`
	} `json:"matchCondition,omitempty"`
}

// Read takes a Composition from an object, as JSON decodes it. It refuses fields and functions that are not evaluated, by name.
func Read(object map[string]any) (*Composition, error) {
	text, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	var c Composition
	if err := strict(text, &c); err != nil {
		return nil, fmt.Errorf("read a Composition: %w", err)
	}
	switch {
	case c.Kind != "Composition" || c.APIVersion != "apiextensions.crossplane.io/v1":
		return nil, fmt.Errorf("%s of %s is no Composition of apiextensions.crossplane.io/v1", c.Kind, c.APIVersion)
	case c.Spec.Mode != "Pipeline":
		return nil, fmt.Errorf("composition %s: mode %q is not supported, only Pipeline", c.Metadata.Name, c.Spec.Mode)
	}
	return &c, nil
}

// input reads what a step of function-patch-and-transform is given, with its patch sets in the place of their names.
func (s *step) input() (*resources, error) {
	var r resources
	if err := strict(s.Input, &r); err != nil {
		return nil, err
	}
	if r.APIVersion != inputVersion || r.Kind != inputKind {
		return nil, fmt.Errorf("its input is %s of %s, not %s of %s", r.Kind, r.APIVersion, inputKind, inputVersion)
	}
	sets := map[string][]patch{}
	for _, ps := range r.PatchSets {
		for _, p := range ps.Patches {
			if p.Type == "PatchSet" {
				return nil, fmt.Errorf("patch set %s: a patch set holds no other", ps.Name)
			}
		}
		sets[ps.Name] = ps.Patches
	}
	for i := range r.Resources {
		t := &r.Resources[i]
		if t.Name == "" || t.Base == nil {
			return nil, errors.New("a resource without name or base is not supported")
		}
		var all []patch
		for _, p := range t.Patches {
			if p.Type != "PatchSet" {
				all = append(all, p)
				continue
			}
			ps, ok := sets[p.PatchSetName]
			if !ok {
				return nil, fmt.Errorf("resource %s: there is no patch set %q", t.Name, p.PatchSetName)
			}
			all = append(all, ps...)
		}
		t.Patches = all
	}
	return &r, nil
}

// strict decodes JSON, and refuses a field that the type has not.
func strict(text []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	return dec.Decode(into)
}

// duplicate copies by way of JSON: afterwards whole numbers are int64, as everything here expects them.
func duplicate[T any](v T) (T, error) {
	var out T
	text, err := json.Marshal(v)
	if err == nil {
		err = utiljson.Unmarshal(text, &out)
	}
	return out, err
}
