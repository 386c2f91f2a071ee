package tree

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/kube/translate"
)

const (
	generated = "generated"
	overrides = "overrides"
	// sums lists what was written below generated/ENVIRONMENT, in the form of sha256sum: by it a file that somebody else has changed is known.
	sums = "files.sha256"
)

// Change is what a Write does to one file.
type Change struct {
	// Do is create, change or remove.
	Do   string `json:"do"`
	Path string `json:"path"`
}

// Write writes the files of an environment into the tree at out, and creates those of its overrides that are not there. What is below
// generated/ENVIRONMENT is exchanged as a whole: a run that fails or is killed leaves the old or the new one. Nothing is written when nothing
// changes, or with dry. A file below generated/ that somebody has changed, or put there, is refused: fault.Refused.
func Write(out, environment string, files Files, dry bool) ([]Change, error) {
	dir := filepath.Join(out, generated, environment)
	files = withSums(files)
	old, err := read(dir)
	if err != nil {
		return nil, fault.New(fault.Resource, fmt.Sprintf("read %q", dir), err, "")
	}
	if err := foreign(dir, old); err != nil {
		return nil, err
	}
	changes := compare(filepath.ToSlash(filepath.Join(generated, environment)), old, files)
	first := missing(out, people(environment))
	for _, name := range first.names() {
		changes = append(changes, Change{Do: "create", Path: name})
	}
	if dry || len(changes) == 0 {
		return changes, nil
	}
	if len(changes) > len(first) {
		if err := exchange(dir, files); err != nil {
			return nil, fault.New(fault.Resource, fmt.Sprintf("write %q", dir), err, "free space, or name another folder with --out; what was there is as it was")
		}
	}
	return changes, create(out, first)
}

func withSums(files Files) Files {
	out := Files{}
	var b bytes.Buffer
	for _, name := range files.names() {
		out[name] = files[name]
		fmt.Fprintf(&b, "%s  %s\n", sum(files[name]), name)
	}
	out[sums] = b.Bytes()
	return out
}

func sum(text []byte) string {
	s := sha256.Sum256(text)
	return hex.EncodeToString(s[:])
}

// read reads a folder; one that is not there is empty.
func read(dir string) (Files, error) {
	out := Files{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path == dir {
			return filepath.SkipAll
		}
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if !d.Type().IsRegular() {
			return fmt.Errorf("%q is no regular file", rel)
		}
		out[filepath.ToSlash(rel)], err = os.ReadFile(path) //nolint:gosec // the tree is its writer's own, and a link in it is refused above
		return err
	})
	return out, err
}

// foreign refuses files that are not as bascule has written them. One that is missing is no harm: it is written again.
func foreign(dir string, old Files) error {
	wrong := changed(old)
	if len(wrong) == 0 {
		return nil
	}
	n := len(wrong)
	if n > 5 {
		wrong = append(wrong[:5], fmt.Sprintf("and %d more", n-5))
	}
	return fault.New(fault.Refused, fmt.Sprintf("write %q", dir), fmt.Errorf("somebody else has changed or added: %s", strings.Join(wrong, ", ")),
		"take the change into overrides/, remove these files, and run it again")
}

// changed names the files that are not as bascule has written them.
func changed(old Files) []string {
	ours := map[string]string{}
	for line := range strings.Lines(string(old[sums])) {
		if s, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "  "); ok {
			ours[name] = s
		}
	}
	var wrong []string
	for _, name := range old.names() {
		if name != sums && ours[name] != sum(old[name]) {
			wrong = append(wrong, name)
		}
	}
	return wrong
}

func compare(prefix string, old, now Files) []Change {
	var out []Change
	for _, name := range now.names() {
		switch was, there := old[name]; {
		case !there:
			out = append(out, Change{"create", prefix + "/" + name})
		case !bytes.Equal(was, now[name]):
			out = append(out, Change{"change", prefix + "/" + name})
		}
	}
	for _, name := range old.names() {
		if _, there := now[name]; !there {
			out = append(out, Change{"remove", prefix + "/" + name})
		}
	}
	return out
}

// stale is how old what an earlier run left behind has to be, so that it is not that of one that still runs.
const stale = time.Hour

// exchange puts a folder of these files in the place of dir. Files are not synced one by one: a tree that a crash of the machine has torn is known by
// its sums, and is written again from the same source.
func exchange(dir string, files Files) error {
	parent, name := filepath.Split(filepath.Clean(dir))
	if err := os.MkdirAll(parent, 0o755); err != nil { //nolint:gosec // a tree of manifests is for everybody to read
		return err
	}
	sweep(parent, name)
	fresh, err := os.MkdirTemp(parent, "."+name+".")
	if err != nil {
		return err
	}
	defer os.RemoveAll(fresh)                      // behind the exchange it holds what was there before
	if err := os.Chmod(fresh, 0o755); err != nil { //nolint:gosec // as above
		return err
	}
	if err := create(fresh, files); err != nil {
		return err
	}
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return os.Rename(fresh, dir)
	}
	return swap(fresh, dir)
}

func sweep(parent, name string) {
	left, err := filepath.Glob(filepath.Join(parent, "."+name+".*"))
	if err != nil {
		return // the pattern is ours
	}
	for _, l := range left {
		if info, err := os.Lstat(l); err == nil && time.Since(info.ModTime()) > stale {
			os.RemoveAll(l)
		}
	}
}

// create writes files that are not there.
func create(dir string, files Files) error {
	for _, name := range files.names() {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // as above
			return err
		}
		mode := fs.FileMode(0o644)
		if bytes.HasPrefix(files[name], []byte("#!")) {
			mode = 0o755
		}
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		if err != nil {
			return err
		}
		_, err = f.Write(files[name])
		if err = errors.Join(err, f.Close()); err != nil {
			return errors.Join(err, os.Remove(path))
		}
	}
	return nil
}

// missing are the files of people's part that are not there yet.
func missing(out string, once Files) Files {
	files := maps.Clone(once)
	for name := range files {
		if _, err := os.Lstat(filepath.Join(out, filepath.FromSlash(name))); !errors.Is(err, fs.ErrNotExist) {
			delete(files, name)
		}
	}
	return files
}

// Create creates those files of people's part that are not there, with their paths in the tree: those of releases, which Overrides makes.
func Create(out string, files Files, dry bool) ([]Change, error) {
	first := missing(out, files)
	var changes []Change
	for _, name := range first.names() {
		changes = append(changes, Change{Do: "create", Path: name})
	}
	if dry {
		return changes, nil
	}
	return changes, fault.New(fault.Resource, fmt.Sprintf("write %q", filepath.Join(out, overrides)), create(out, first), "")
}

// Overrides are the files of people's part for the releases of a translation, as they are created.
func Overrides(r *translate.Result) Files {
	files := Files{}
	for id, known := range r.Releases {
		folder := path.Join(overrides, r.Environment, releases, id)
		files[path.Join(folder, "all", kustomization)] = releaseText(r.Environment, id)
		if repo, chart, ok := known.Remote(); ok {
			files[path.Join(folder, standby, kustomization)] = chartText(r.Environment, id, standby, "before the switch", repo, chart, known.Version)
			files[path.Join(folder, live, kustomization)] = chartText(r.Environment, id, live, "behind the switch", repo, chart, known.Version)
		}
	}
	return files
}

func releaseText(environment, id string) []byte {
	return allText("every phase of the release " + id + " in " + environment)
}

func allText(where string) []byte {
	return []byte("# Yours: bascule has created it once and never writes it again. What stands here holds in " + where + ".\n" +
		"apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\ngeneratorOptions:\n  disableNameSuffixHash: true\n")
}

// people are the files of people's part of an environment as they are created.
func people(environment string) Files {
	return Files{
		strings.Join([]string{overrides, environment, "all", kustomization}, "/"):   allText("every phase of " + environment),
		strings.Join([]string{overrides, environment, standby, kustomization}, "/"): phaseText(environment, standby, "before the switch"),
		strings.Join([]string{overrides, environment, live, kustomization}, "/"):    phaseText(environment, live, "behind the switch"),
	}
}

func phaseText(environment, phase, when string) []byte {
	return []byte("# Yours: bascule has created it once and never writes it again. This is what to apply " + when + ".\n" +
		"apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n" +
		"resources:\n- ../../../" + generated + "/" + environment + "/" + phase + "\ncomponents:\n- ../all\n")
}

// Count counts changes by what they do.
func Count(changes []Change, do string) int {
	n := 0
	for _, c := range changes {
		if c.Do == do {
			n++
		}
	}
	return n
}
