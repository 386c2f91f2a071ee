package manifest

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/kube/parts"
)

// Set is what was read.
type Set struct {
	// Objects are in the order of the files' names, and of each file.
	Objects []*Object
	// Aside is what was read and is no object.
	Aside []Aside
}

// Aside is something that is no object, and that nothing is done with.
type Aside struct {
	Where string
	What  string
	// Value is what the document holds, as an object's value: the values of a Helm chart, say. It is nil where it was not read.
	Value any
}

// Text is one text of manifests that is in no file.
type Text struct {
	// Name stands for the name of a file.
	Name string
	Text []byte
}

// MistakeError is something that cannot be read, and where.
type MistakeError struct {
	File string
	Line int
	What string
}

// Error says where and what.
func (m *MistakeError) Error() string { return fmt.Sprintf("%s:%d: %s", m.File, m.Line, m.What) }

// Read reads files and folders, "-" being in. Folders are read with those below them, in the order of names, save those whose name
// begins with a dot; of files, those that end in .yaml, .yml or .json. All that is wrong is in one error, *MistakeError joined in a fault.
// There is no set beside an error.
func Read(in io.Reader, names ...string) (*Set, error) {
	r := &reading{set: &Set{}}
	for _, name := range names {
		if err := r.from(in, name); err != nil {
			return nil, err
		}
	}
	return r.done()
}

// done parses what was found.
func (r *reading) done() (*Set, error) {
	r.parsed()
	r.twice()
	if len(r.wrong) > 0 {
		return nil, fault.New(fault.Data, "read the manifests", joined(r.wrong), "mend them, or take what is no manifest out of the folder; nothing was written")
	}
	return r.set, nil
}

// ReadTexts reads texts as Read reads files.
func ReadTexts(texts []Text) (*Set, error) {
	r := &reading{set: &Set{}}
	for _, t := range texts {
		r.file(t.Name, t.Text)
	}
	return r.done()
}

// reading is one Read, or its share of the documents.
type reading struct {
	set   *Set
	wrong []error
	found []found
}

// found is a document that is not parsed yet.
type found struct {
	file string
	document
}

// parsed parses the documents, and puts what came of them in their order.
func (r *reading) parsed() {
	for _, part := range parts.Of(len(r.found), func(from, to int) *reading {
		part := &reading{set: &Set{}}
		for _, d := range r.found[from:to] {
			part.document(d.file, d.document)
		}
		return part
	}) {
		r.set.Objects = append(r.set.Objects, part.set.Objects...)
		r.set.Aside = append(r.set.Aside, part.set.Aside...)
		r.wrong = append(r.wrong, part.wrong...)
	}
	r.found = nil
}

func (r *reading) from(in io.Reader, name string) error {
	op := fmt.Sprintf("read %q", name)
	if name == "-" {
		text, err := io.ReadAll(in)
		if err != nil {
			return fault.New(fault.Resource, "read the standard input", err, "")
		}
		r.file("-", text)
		return nil
	}
	info, err := os.Stat(name)
	if err != nil {
		return fault.New(fault.Usage, op, cmp.Or(errors.Unwrap(err), err), "name a folder or a file of manifests, or - for the standard input")
	}
	if !info.IsDir() {
		return r.named(name, filepath.Base(name))
	}
	return filepath.WalkDir(name, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return fault.New(fault.Usage, op, err, "")
		}
		rel, err := filepath.Rel(name, path)
		if err != nil {
			return fault.New(fault.Usage, op, err, "")
		}
		rel = filepath.ToSlash(rel)
		switch {
		case d.IsDir() && strings.HasPrefix(d.Name(), ".") && rel != ".":
			return filepath.SkipDir
		case d.IsDir() || !slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(path)):
			return nil
		case !d.Type().IsRegular():
			r.set.Aside = append(r.set.Aside, Aside{Where: rel, What: "a link, or no regular file: it is not followed"})
			return nil
		}
		return r.named(path, rel)
	})
}

func (r *reading) named(path, rel string) error {
	switch strings.ToLower(filepath.Base(path)) {
	case "kustomization.yaml", "kustomization.yml":
		return fault.New(fault.Unsupported, "read "+rel, errors.New("it is what Kustomize reads, and only what Kustomize prints is a manifest"),
			fmt.Sprintf("kustomize build %s | bascule kube translate --from -", filepath.Dir(path)))
	case "chart.yaml":
		return fault.New(fault.Unsupported, "read "+rel, errors.New("it is a chart, and only what Helm prints is a manifest"),
			fmt.Sprintf("helm template NAME %s --namespace NAMESPACE > rendered.yaml: kube translate reads it with --release NAMESPACE/NAME=rendered.yaml, the other commands as any file", filepath.Dir(path)))
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return fault.New(fault.Usage, "read "+rel, cmp.Or(errors.Unwrap(err), err), "let this user read it, or take it out of the folder")
	}
	r.file(rel, text)
	return nil
}

// file reads one file's documents.
func (r *reading) file(name string, text []byte) {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")) // a byte order mark is no part of any document
	if !utf8.Valid(text) {
		line := 1
		for i := 0; i < len(text); {
			c, size := utf8.DecodeRune(text[i:])
			if c == utf8.RuneError && size == 1 {
				break
			}
			if c == '\n' {
				line++
			}
			i += size
		}
		r.fail(name, line, "it is not UTF-8")
		return
	}
	for _, d := range split(text) {
		r.found = append(r.found, found{name, d})
	}
}

func (r *reading) fail(file string, line int, format string, args ...any) {
	r.wrong = append(r.wrong, &MistakeError{File: file, Line: line, What: fmt.Sprintf(format, args...)})
}

// document reads one document: an object, a List of objects, or something else that is put aside.
func (r *reading) document(file string, d document) {
	if len(d.text) > Largest {
		r.fail(file, d.line, "the document has %d bytes; %d is the most: print the objects by namespace or by kind", len(d.text), Largest)
		return
	}
	if d.text[0] == '%' {
		r.fail(file, d.line, "a directive, which Kubernetes does not read: remove the line")
		return
	}
	node, err := parse(d.text)
	if err != nil {
		line, what := parserSaid(err)
		r.fail(file, d.line+line-1, "%s", what)
		return
	}
	if len(node.Content) == 0 || node.Content[0].ShortTag() == "!!null" {
		return // comments only
	}
	value, err := (&reader{}).value(node, 0, false)
	if err != nil {
		line := 1
		if m, ok := errors.AsType[*mistake](err); ok {
			line = m.line
		}
		r.fail(file, d.line+line-1, "%s", err)
		return
	}
	top, line := node.Content[0], d.line+node.Content[0].Line-1
	o := &Object{File: file, Line: d.line, Text: d.text}
	var object bool
	if o.Value, object = value.(map[string]any); object {
		object = o.identify()
	}
	if !object {
		r.set.Aside = append(r.set.Aside, Aside{Where: fmt.Sprintf("%s:%d", file, line), What: "a document without apiVersion and kind", Value: value})
		return
	}
	if items, ok := o.Value["items"].([]any); ok && strings.HasSuffix(o.Kind, "List") {
		r.list(file, d.line, top, items)
		return
	}
	r.set.Objects = append(r.set.Objects, o)
}

// parse reads the nodes of one document. The parser panics on some input that it should refuse, which must not end the program.
func parse(text []byte) (doc *yaml.Node, err error) {
	defer func() {
		if p := recover(); p != nil {
			doc, err = nil, fmt.Errorf("it cannot be parsed: %v", p)
		}
	}()
	doc = &yaml.Node{}
	d := yaml.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(doc); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if err := d.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		if err == nil {
			err = errors.New("something stands behind its end")
		}
		return nil, err
	}
	return doc, nil
}

// list unpacks a List, and a List within it.
func (r *reading) list(file string, start int, list *yaml.Node, items []any) {
	_, nodes := child(list, "items")
	for nodes.Kind == yaml.AliasNode {
		nodes = nodes.Alias
	}
	for i, item := range items {
		n := nodes.Content[i]
		o := &Object{File: file, Line: start + n.Line - 1, Listed: true}
		var object bool
		if o.Value, object = item.(map[string]any); object {
			object = o.identify()
		}
		if !object {
			r.set.Aside = append(r.set.Aside, Aside{Where: o.Where(), What: "an element of a List without apiVersion and kind"})
			continue
		}
		if inner, ok := o.Value["items"].([]any); ok && strings.HasSuffix(o.Kind, "List") {
			for n.Kind == yaml.AliasNode {
				n = n.Alias
			}
			r.list(file, start, n, inner)
			continue
		}
		text, err := yaml.Marshal(plain(n))
		if err != nil {
			r.fail(file, o.Line, "%s", err)
			continue
		}
		o.Text = text
		r.set.Objects = append(r.set.Objects, o)
	}
}

// plain returns a copy of a node that needs no anchor elsewhere. What is read has bounded aliases by now. The copy is in block style: a
// List in JSON, which is what a cluster prints, becomes YAML that people can review.
func plain(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	c := *n
	c.Anchor, c.Alias, c.Content = "", nil, nil
	if len(n.Content) > 0 {
		c.Style &^= yaml.FlowStyle
	}
	for _, x := range n.Content {
		c.Content = append(c.Content, plain(x))
	}
	return &c
}

// twice refuses an object that two documents describe: nobody knows which of them is meant.
func (r *reading) twice() {
	first := map[identity]*Object{}
	for _, o := range r.set.Objects {
		if o.Name == "" {
			continue
		}
		k := o.identity()
		if before := first[k]; before != nil {
			r.fail(o.File, o.Line, "%s stands twice: first at %s", o, before.Where())
			continue
		}
		first[k] = o
	}
}

var saidLine = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?`)

// parserSaid takes the line out of what the parser says, and adds what it cannot know.
func parserSaid(err error) (line int, what string) {
	said := err.Error()
	line = 1
	if m := saidLine.FindStringSubmatch(said); m[1] != "" {
		line, _ = strconv.Atoi(m[1])
	}
	said = saidLine.ReplaceAllString(said, "")
	if strings.Contains(said, "cannot start any token") {
		said += " (a tab, or a template that was not rendered?)"
	}
	return line, said
}

// mostTold is how many mistakes are told at once.
const mostTold = 20

// joined joins mistakes, and counts those beyond what anybody reads.
func joined(wrong []error) error {
	if n := len(wrong) - mostTold; n > 0 {
		wrong = append(slices.Clone(wrong[:mostTold]), fmt.Errorf("and %d more", n))
	}
	return errors.Join(wrong...)
}
