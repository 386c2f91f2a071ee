package platform

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/bascule/bascule/internal/fault"
)

// MistakeError is something wrong in a file, and where.
type MistakeError struct {
	Line, Column int
	// Path is where it stands, as $.environments[0].zone.
	Path string
	What string
}

// Error says where and what.
func (m *MistakeError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", m.Line, m.Column, m.What)
}

// longest bounds a file: a wrong path must not fill the memory.
const longest = 4 << 20

// Read reads a file, whole: everything that is wrong in it is in the error.
func Read(name string) (*Platform, error) {
	op := fmt.Sprintf("read %q", name)
	info, err := os.Stat(name)
	if err == nil && info.Size() > longest {
		err = fmt.Errorf("it has %d bytes, which no description of a platform has", info.Size())
		return nil, fault.New(fault.Usage, op, err, "name a bascule.yaml")
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fault.New(fault.Usage, op, cmp.Or(errors.Unwrap(err), err), "name an existing file, or write one with: bascule init")
	}
	p, err := Parse(text)
	return p, fault.New(fault.Usage, op, err, "every key is explained in docs/bascule.yaml.md")
}

// Parse reads the text of a bascule.yaml. Its errors are one or more *MistakeError, joined, in the order of the file. There is no platform beside an error.
func Parse(text []byte) (*Platform, error) {
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, mistake(err)
	}
	root, err := document(file)
	if err != nil {
		return nil, err
	}
	s := &shape{at: map[string]*token.Position{}, anchors: map[string]ast.Node{}}
	s.walk(root, reflect.TypeFor[Platform](), "$", 0)
	if len(s.errs) > 0 {
		return nil, joined(s.errs)
	}
	var p Platform
	if err := yaml.UnmarshalWithOptions(text, &p, yaml.Strict()); err != nil {
		return nil, mistake(err)
	}
	c := checker{p: &p, at: s.at}
	c.all()
	if len(c.errs) > 0 {
		return nil, joined(c.errs)
	}
	return &p, nil
}

// document returns what a file holds: it has to be one document, with something in it.
func document(file *ast.File) (ast.Node, error) {
	var root ast.Node
	for _, d := range file.Docs {
		switch {
		case d.Body == nil || d.Body.Type() == ast.CommentType:
		case root != nil:
			pos := position(d.Body)
			return nil, &MistakeError{Line: pos.Line, Column: pos.Column, Path: "$", What: "a second document begins, and a platform is one"}
		default:
			root = d.Body
		}
	}
	if root == nil {
		return nil, &MistakeError{Line: 1, Column: 1, Path: "$", What: "the file says nothing; bascule init writes one"}
	}
	return root, nil
}

// mistake returns what the YAML library found wrong.
func mistake(err error) error {
	m := &MistakeError{Line: 1, Column: 1, Path: "$", What: err.Error()}
	if at, ok := errors.AsType[yaml.Error](err); ok {
		m.What = at.GetMessage()
		if t := at.GetToken(); t != nil && t.Position != nil {
			m.Line, m.Column = t.Position.Line, t.Position.Column
		}
	}
	return m
}

// joined puts mistakes in the order of the file.
func joined(mistakes []*MistakeError) error {
	slices.SortStableFunc(mistakes, func(a, b *MistakeError) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.What, b.What))
	})
	errs := make([]error, len(mistakes))
	for i, m := range mistakes {
		errs[i] = m
	}
	return errors.Join(errs...)
}

// place finds where a path stands; where it does not, where what would hold it does.
func place(at map[string]*token.Position, path string) (line, column int) {
	for ; path != ""; path = parent(path) {
		if pos := at[path]; pos != nil {
			return pos.Line, pos.Column
		}
	}
	return 1, 1
}

// parent cuts the last step off a path.
func parent(path string) string {
	for i := len(path) - 1; i > 0; i-- {
		if path[i] == '.' || path[i] == '[' {
			return path[:i]
		}
	}
	return ""
}
