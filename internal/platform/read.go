package platform

import (
	"errors"
	"fmt"
	"os"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

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

// Read reads a file, whole: everything that is wrong in it is in the error.
func Read(name string) (*Platform, error) {
	op := fmt.Sprintf("read %q", name)
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fault.New(fault.Usage, op, errors.Unwrap(err), "name an existing file")
	}
	p, err := Parse(text)
	return p, fault.New(fault.Usage, op, err, "")
}

// Parse reads the text of a bascule.yaml. Its errors are one or more *MistakeError, joined.
func Parse(text []byte) (*Platform, error) {
	var p Platform
	err := yaml.UnmarshalWithOptions(text, &p, yaml.Strict())
	if at, ok := errors.AsType[yaml.Error](err); ok {
		pos := at.GetToken().Position
		return nil, &MistakeError{Line: pos.Line, Column: pos.Column, What: at.GetMessage()}
	}
	if err != nil {
		return nil, err
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, err
	}
	c := checker{p: &p, file: file}
	c.all()
	return &p, errors.Join(c.errs...)
}

// place finds where a path stands; where it does not, where what would hold it does.
func place(file *ast.File, path string) (line, column int) {
	for ; path != ""; path = parent(path) {
		at, err := yaml.PathString(path)
		if err != nil {
			continue
		}
		if node, err := at.FilterFile(file); err == nil && node != nil {
			pos := node.GetToken().Position
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
