package crd

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	v1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/bascule/bascule/internal/fault"
)

// definition is the kind of object that this package reads.
const definition = "CustomResourceDefinition"

// largest bounds a file: the largest real definition has a million bytes.
const largest = 64 << 20

// Kind names a kind in one version.
type Kind struct {
	Group, Version, Kind string
}

// String writes it as DatabaseInstance.sql.gcp.m.upbound.io/v1beta1.
func (k Kind) String() string {
	if k.Group == "" {
		return k.Kind + "." + k.Version
	}
	return k.Kind + "." + k.Group + "/" + k.Version
}

// Set is the kinds of which a definition is at hand. Reading it is safe from several goroutines once all definitions are added.
type Set struct {
	kinds map[Kind]*compiled
}

// New returns a set without kinds: nothing can be checked by it.
func New() *Set { return &Set{kinds: map[Kind]*compiled{}} }

// Load reads the definitions of a folder and its subfolders: files that end in .yaml, .yml or .json, of one or more documents. Documents that define no kind
// are passed over. A folder without any definition is an error (fault.Usage), for nothing would be checked by it.
func Load(folder string) (*Set, error) {
	s := New()
	if err := s.AddFolder(folder); err != nil {
		return nil, err
	}
	return s, nil
}

// AddFolder adds the definitions of a folder, as Load reads them; what it defines anew replaces what was there. On an error nothing is added.
func (s *Set) AddFolder(folder string) error {
	fresh := New()
	err := fresh.load(folder)
	if err == nil && len(fresh.kinds) == 0 {
		err = errors.New("there is no CustomResourceDefinition in it")
	}
	if err != nil {
		return fault.New(fault.Usage, fmt.Sprintf("read the definitions in %q", folder), err,
			"name a folder with the CustomResourceDefinitions that your clusters have: kubectl get crd -o yaml, or the packages' own files")
	}
	maps.Copy(s.kinds, fresh.kinds)
	return nil
}

func (s *Set) load(folder string) error {
	var names []string
	err := filepath.WalkDir(folder, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(name)) {
			return err
		}
		names = append(names, name)
		return nil
	})
	if err != nil {
		return err
	}
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			return err
		}
		if info.Size() > largest {
			return fmt.Errorf("%s has %d bytes, which no definition has", name, info.Size())
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if err := s.Add(name, text); err != nil {
			return err
		}
	}
	return nil
}

// Add reads the definitions of a file's text. The name only stands in errors.
func (s *Set) Add(file string, text []byte) error {
	docs := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for n := 1; ; n++ {
		doc, err := docs.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s, document %d: %w", file, n, err)
		}
		if !bytes.Contains(doc, []byte(definition)) {
			continue // the files beside definitions may be large
		}
		var of struct {
			Kind  string                         `json:"kind"`
			Items []*v1.CustomResourceDefinition `json:"items"`
			v1.CustomResourceDefinition
		}
		if err := yaml.Unmarshal(doc, &of); err != nil {
			return fmt.Errorf("%s, document %d: %w", file, n, err)
		}
		switch of.Kind {
		case definition:
			of.Items = []*v1.CustomResourceDefinition{&of.CustomResourceDefinition}
		case definition + "List", "List":
		default:
			continue
		}
		for _, d := range of.Items {
			if err := s.Define(d); err != nil {
				return fmt.Errorf("%s, document %d: %w", file, n, err)
			}
		}
	}
}

// Define adds every version of a definition that is served. Its schemas are compiled when the first object of their kind is checked.
func (s *Set) Define(d *v1.CustomResourceDefinition) error {
	if d.Spec.Group == "" || d.Spec.Names.Kind == "" || len(d.Spec.Versions) == 0 {
		return fmt.Errorf("definition %q names no group, kind or version of apiextensions.k8s.io/v1", d.Name)
	}
	for i := range d.Spec.Versions {
		v := &d.Spec.Versions[i]
		if !v.Served || v.Schema == nil || v.Schema.OpenAPIV3Schema == nil {
			continue
		}
		kind := Kind{d.Spec.Group, v.Name, d.Spec.Names.Kind}
		s.kinds[kind] = &compiled{kind: kind, namespaced: d.Spec.Scope == v1.NamespaceScoped, props: v.Schema.OpenAPIV3Schema}
	}
	return nil
}
