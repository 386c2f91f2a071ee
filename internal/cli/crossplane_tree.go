package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/bascule/bascule/internal/crossplane"
	"github.com/bascule/bascule/internal/fault"
)

// treeChange is how a folder differs from what is to be in it.
type treeChange struct {
	folder           string
	files            []crossplane.File
	written, removed []string // paths with slashes, sorted
}

// compareTree looks at a folder, which need not be there, and takes over from its files what people decide in them.
func compareTree(folder string, files []crossplane.File) (*treeChange, error) {
	c := &treeChange{folder: folder, files: files}
	for i := range files {
		f := &files[i]
		name := filepath.Join(folder, filepath.FromSlash(f.Path))
		before, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			c.written = append(c.written, f.Path)
			continue
		}
		if err != nil {
			return nil, fault.New(fault.Usage, fmt.Sprintf("read %q", name), err, "name a folder that can be read")
		}
		if !ours(before) {
			return nil, fault.New(fault.Refused, fmt.Sprintf("write %q", name), errors.New("a file is there that bascule did not write"), "move it away, or name another folder")
		}
		if err := f.Keep(before); err != nil {
			return nil, fault.New(fault.Refused, fmt.Sprintf("write %q", name), err, "mend the file, or remove it")
		}
		if !bytes.Equal(before, f.Text) {
			c.written = append(c.written, f.Path)
		}
	}
	return c, c.left()
}

// ours reports whether bascule wrote a file.
func ours(text []byte) bool {
	first, _, _ := bytes.Cut(text, []byte("\n"))
	return bytes.Contains(first, []byte(crossplane.Mark))
}

// left finds files that bascule wrote and nothing asks for any more.
func (c *treeChange) left() error {
	err := filepath.WalkDir(c.folder, func(name string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && name == c.folder {
			return fs.SkipAll
		}
		if err != nil || !entry.Type().IsRegular() || !slices.Contains([]string{".yaml", ".md"}, filepath.Ext(name)) {
			return err
		}
		rel, err := filepath.Rel(c.folder, name)
		if err != nil {
			return err
		}
		path := filepath.ToSlash(rel)
		if slices.ContainsFunc(c.files, func(f crossplane.File) bool { return f.Path == path }) {
			return nil
		}
		c.removed = append(c.removed, path)
		return nil
	})
	if err != nil {
		return fault.New(fault.Usage, fmt.Sprintf("read %q", c.folder), err, "name a folder that can be read")
	}
	var own []string
	for _, path := range c.removed {
		text, err := os.ReadFile(filepath.Join(c.folder, filepath.FromSlash(path)))
		if err != nil {
			return fault.New(fault.Usage, fmt.Sprintf("read %q", path), err, "name a folder that can be read")
		}
		if ours(text) {
			own = append(own, path)
		}
	}
	c.removed = own
	return nil
}

// carryOut writes and removes. Each file is there whole or not at all.
func (c *treeChange) carryOut() error {
	for _, f := range c.files {
		if !slices.Contains(c.written, f.Path) {
			continue
		}
		name := filepath.Join(c.folder, filepath.FromSlash(f.Path))
		err := os.MkdirAll(filepath.Dir(name), 0o750)
		if err == nil {
			err = os.WriteFile(name+".new", f.Text, 0o600)
		}
		if err == nil {
			err = os.Rename(name+".new", name)
		}
		if err != nil {
			return fault.New(fault.Resource, fmt.Sprintf("write %q", name), err, "")
		}
	}
	for _, path := range c.removed {
		name := filepath.Join(c.folder, filepath.FromSlash(path))
		if err := os.Remove(name); err != nil {
			return fault.New(fault.Resource, fmt.Sprintf("remove %q", name), err, "")
		}
	}
	return nil
}
