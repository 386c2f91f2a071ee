// Command cmd writes the manifests of the example's environments into a folder: a folder for each, with the decisions and the list of
// images that a translation of it takes, and the bascule.yaml that names them. It writes nowhere else.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/bascule/bascule/examples/marketplace"
)

func main() {
	if err := write(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func write(args []string) error {
	if len(args) != 1 {
		return errors.New("usage: go run ./examples/marketplace/cmd DIR")
	}
	platform, err := marketplace.Platform()
	if err != nil {
		return err
	}
	environments, err := marketplace.Environments()
	if err != nil {
		return err
	}
	if err := files(args[0], map[string][]byte{"bascule.yaml": platform}); err != nil {
		return err
	}
	for _, e := range environments {
		manifests, err := marketplace.Manifests(e.Name)
		if err != nil {
			return err
		}
		decisions, err := marketplace.Decisions(e.Name)
		if err != nil {
			return err
		}
		out := map[string][]byte{e.Name + ".yaml": decisions, e.Name + ".images": marketplace.Images(manifests)}
		for name, text := range manifests {
			out[filepath.Join(e.Name, filepath.FromSlash(name))] = text
		}
		if err := files(args[0], out); err != nil {
			return err
		}
	}
	return nil
}

// files writes files below a folder.
func files(dir string, texts map[string][]byte) error {
	for name, text := range texts {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // an example is for everybody to read
			return err
		}
		if err := os.WriteFile(path, text, 0o644); err != nil { //nolint:gosec // as above
			return err
		}
	}
	return nil
}
