package cli

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	utiljson "k8s.io/apimachinery/pkg/util/json"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/bascule/bascule/internal/fault"
)

// longestObjects bounds a file of objects: a wrong path must not fill the memory.
const longestObjects = 256 << 20

// readObjects reads the objects of a file, or of all YAML and JSON files of a folder. Lists are taken apart.
func readObjects(path string) ([]map[string]any, error) {
	var names []string
	err := filepath.WalkDir(path, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && (name == path || slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(name))) {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		return nil, fault.New(fault.Usage, fmt.Sprintf("read %q", path), err, "name a file, or a folder of files, that is there")
	}
	var out []map[string]any
	for _, name := range names {
		objects, err := readObjectFile(name)
		if err != nil {
			return nil, fault.New(fault.Usage, fmt.Sprintf("read %q", name), err, "it has to hold objects of Kubernetes in YAML or JSON")
		}
		out = append(out, objects...)
	}
	return out, nil
}

func readObjectFile(name string) (out []map[string]any, err error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.Size() > longestObjects {
		return nil, fmt.Errorf("it has %d bytes", info.Size())
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	docs := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for n := 1; ; n++ {
		doc, err := docs.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", n, err)
		}
		js, err := yaml.YAMLToJSONStrict(doc)
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", n, err)
		}
		var o map[string]any
		if err := utiljson.Unmarshal(js, &o); err != nil {
			return nil, fmt.Errorf("document %d: %w", n, err)
		}
		items, isList := o["items"].([]any)
		if !isList {
			if len(o) > 0 {
				out = append(out, o)
			}
			continue
		}
		for _, item := range items {
			if m, ok := item.(map[string]any); ok {
				out = append(out, m)
			}
		}
	}
}
