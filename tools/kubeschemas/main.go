// Command kubeschemas makes the data of internal/kube/builtin: the schemas of Kubernetes' own kinds, one compressed file for each minor version,
// and the definitions of Gateway API. It reads them from their Go modules, which the module cache verifies, and writes no text that describes
// anything. Both modules are under the Apache License 2.0.
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// releases are the versions of Kubernetes that GKE offers, each in one release; gateway is that of Gateway API which go.mod names too.
var releases = []string{"v1.34.4", "v1.35.4", "v1.36.3", "v1.37.2"}

const (
	kubernetes = "k8s.io/kubernetes"
	gateway    = "sigs.k8s.io/gateway-api"
	gatewayAt  = "v1.6.3"
	licence    = "Apache-2.0"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: kubeschemas FOLDER")
	}
	out := os.Args[1]
	for _, release := range releases {
		if err := schemas(out, release); err != nil {
			log.Fatalf("%s %s: %v", kubernetes, release, err)
		}
	}
	if err := definitions(out); err != nil {
		log.Fatalf("%s %s: %v", gateway, gatewayAt, err)
	}
}

// module returns the folder of a module in the cache.
func module(name, version string) (string, error) {
	cmd := exec.Command("go", "mod", "download", "-json", name+"@"+version)
	text, err := cmd.Output()
	var m struct{ Dir, Error string }
	if jsonErr := json.Unmarshal(text, &m); jsonErr == nil && m.Error != "" {
		return "", errors.New(m.Error)
	}
	return m.Dir, err
}

// document is what an API server publishes about one group and version, as far as it is used.
type document struct {
	Paths      map[string]map[string]json.RawMessage
	Components struct{ Schemas map[string]*source }
}

// source is a schema as it is published.
type source struct {
	Ref                  string `json:"$ref"`
	AllOf                []source
	OneOf                []source
	Type                 string
	Format               string
	Default              any
	Properties           map[string]*source
	AdditionalProperties *source
	Items                *source
	Required             []string
	ListType             string   `json:"x-kubernetes-list-type"`
	ListKeys             []string `json:"x-kubernetes-list-map-keys"`
	Open                 bool     `json:"x-kubernetes-preserve-unknown-fields"`
	Kinds                []kind   `json:"x-kubernetes-group-version-kind"`
}

type kind struct{ Group, Version, Kind string }

// Node, Served and File are the form of the data: internal/kube/builtin reads it by the same keys.
type Node struct {
	Ref      string           `json:"r,omitempty"`
	Type     string           `json:"t,omitempty"`
	Format   string           `json:"f,omitempty"`
	Default  any              `json:"d,omitempty"`
	Props    map[string]*Node `json:"p,omitempty"`
	Values   *Node            `json:"v,omitempty"`
	Items    *Node            `json:"i,omitempty"`
	Required []string         `json:"q,omitempty"`
	Enum     []string         `json:"e,omitempty"`
	List     string           `json:"l,omitempty"`
	Keys     []string         `json:"k,omitempty"`
	// Struct says that the server makes an empty one of what is not there.
	Struct bool `json:"s,omitempty"`
}

// Served is a kind that the API server has.
type Served struct {
	Group, Version, Kind string
	Type                 string
	Namespaced           bool `json:",omitempty"`
}

// File is the data of one version.
type File struct {
	Source, Release, Licence string
	Types                    map[string]*Node
	Kinds                    []Served
}

func schemas(out, release string) error {
	dir, err := module(kubernetes, release)
	if err != nil {
		return err
	}
	enums, err := enumerations(filepath.Join(dir, "pkg/generated/openapi/zz_generated.openapi.go"))
	if err != nil {
		return err
	}
	f := &File{Source: kubernetes + " api/openapi-spec/v3, pkg/generated/openapi", Release: release, Licence: licence, Types: map[string]*Node{}}
	names, err := filepath.Glob(filepath.Join(dir, "api/openapi-spec/v3/api*__*.json"))
	if err != nil {
		return err
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		var d document
		if err := json.Unmarshal(text, &d); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		f.add(&d, enums)
	}
	if len(f.Kinds) < 60 || len(enums) < 40 {
		return fmt.Errorf("only %d kinds and %d types with enumerations were found", len(f.Kinds), len(enums))
	}
	slices.SortFunc(f.Kinds, func(a, b Served) int {
		return strings.Compare(a.Group+"/"+a.Version+" "+a.Kind, b.Group+"/"+b.Version+" "+b.Kind)
	})
	text, err := json.Marshal(f)
	if err != nil {
		return err
	}
	minor := strings.Join(strings.Split(strings.TrimPrefix(release, "v"), ".")[:2], ".")
	return compressed(filepath.Join(out, minor+".json.gz"), text)
}

// add takes the kinds that can be made, and the types of the document.
func (f *File) add(d *document, enums map[string]map[string][]string) {
	for path, methods := range d.Paths {
		create, ok := methods["post"]
		if !ok || strings.HasSuffix(path, "}") || strings.Count(path, "{") > 1 {
			continue // an object below another one: bindings, evictions, tokens
		}
		var op struct {
			Kind kind `json:"x-kubernetes-group-version-kind"`
		}
		if json.Unmarshal(create, &op) != nil || op.Kind.Kind == "" {
			continue
		}
		for name, s := range d.Components.Schemas {
			if slices.Contains(s.Kinds, op.Kind) && s.Properties != nil {
				s := Served{op.Kind.Group, op.Kind.Version, op.Kind.Kind, name, strings.Contains(path, "{namespace}")}
				if !slices.Contains(f.Kinds, s) {
					f.Kinds = append(f.Kinds, s)
				}
			}
		}
	}
	for name, s := range d.Components.Schemas {
		n := node(s)
		for prop, values := range enums[name] {
			p := n.Props[prop]
			if p != nil && p.Items != nil {
				p = p.Items
			}
			if p != nil && p.Type == "string" {
				p.Enum = values
			}
		}
		f.Types[name] = n
	}
}

func node(s *source) *Node {
	if s == nil {
		return nil
	}
	n := &Node{Type: s.Type, Format: s.Format, Required: s.Required, List: s.ListType, Keys: s.ListKeys, Values: node(s.AdditionalProperties), Items: node(s.Items)}
	ref := s.Ref
	if len(s.AllOf) == 1 {
		ref = s.AllOf[0].Ref
	}
	n.Ref = strings.TrimPrefix(ref, "#/components/schemas/")
	if text, ok := s.Default.(string); ok && text != "" {
		n.Default = text
	}
	if empty, ok := s.Default.(map[string]any); ok && len(empty) == 0 {
		n.Struct = true
	}
	if n.List == "atomic" {
		n.List = ""
	}
	if len(s.OneOf) > 0 && n.Format == "" {
		n.Format = "quantity" // the other such type, int-or-string, names its format
	}
	if s.Open {
		return &Node{}
	}
	for name, p := range s.Properties {
		if n.Props == nil {
			n.Props = map[string]*Node{}
		}
		n.Props[name] = node(p)
	}
	return n
}

// definitions packs the definitions of Gateway API's standard channel.
func definitions(out string) error {
	dir, err := module(gateway, gatewayAt)
	if err != nil {
		return err
	}
	names, err := filepath.Glob(filepath.Join(dir, "config/crd/standard/gateway.networking.k8s.io_*.yaml"))
	if err != nil {
		return err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s %s, config/crd/standard; %s\n", gateway, gatewayAt, licence)
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if bytes.Contains(text, []byte("kind: CustomResourceDefinition")) {
			b.WriteString("---\n")
			b.Write(withoutDescriptions(text))
		}
	}
	return compressed(filepath.Join(out, "gateway-api.yaml.gz"), b.Bytes())
}

// withoutDescriptions drops the block scalars of descriptions, by their indentation. What stands on the line of its key stays.
func withoutDescriptions(text []byte) []byte {
	var b bytes.Buffer
	skip := -1
	for line := range strings.Lines(string(text)) {
		body := strings.TrimLeft(line, " ")
		indent := len(line) - len(body)
		if skip >= 0 && (indent > skip || strings.TrimSpace(line) == "") {
			continue
		}
		skip = -1
		if body == "description: |-\n" || body == "description: |\n" || body == "description: >-\n" {
			skip = indent
			continue
		}
		b.WriteString(line)
	}
	return b.Bytes()
}

// compressed writes a file that is the same for the same text.
func compressed(name string, text []byte) error {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := z.Write(text); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	log.Printf("%s: %d bytes, %d compressed", name, len(text), b.Len())
	return os.WriteFile(name, b.Bytes(), 0o644)
}
