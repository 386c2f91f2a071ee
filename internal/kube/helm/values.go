package helm

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/kube/decision"
	"github.com/bascule/bascule/internal/kube/translate"
)

// Values are the values of a release, as its files say them: a later file counts before an earlier one, and all before the chart's own.
type Values struct {
	leaves []leaf
}

// leaf is a value that is no mapping.
type leaf struct {
	file  string
	line  int
	path  []string
	value any // string, int64, float64, bool, nil; a list is none of these and only its elements are leaves
	// listed says that it stands in a list, which a further file can replace only as a whole.
	listed bool
}

// key is how people write a path of values.
func (l *leaf) key() string {
	var b strings.Builder
	for _, s := range l.path {
		switch {
		case strings.HasPrefix(s, "["):
			b.WriteString(s)
			continue
		case b.Len() > 0:
			b.WriteByte('.')
		}
		if strings.ContainsAny(s, "./ ") {
			s = strconv.Quote(s)
		}
		b.WriteString(s)
	}
	return b.String()
}

func (l *leaf) where() string { return fmt.Sprintf("%s:%d", l.file, l.line) }

// largest bounds a file of values: a wrong path must not fill the memory.
const largest = 16 << 20

// ReadValues reads the files of values of a release, those of a chart in a folder first. A file that SOPS has encrypted is read like others: what it says is no value.
func ReadValues(r decision.Release) (*Values, error) {
	var files []string
	if own := filepath.Join(r.Chart, "values.yaml"); r.Chart != "" && r.Repo == "" {
		if _, err := os.Stat(own); err == nil {
			files = append(files, own)
		}
	}
	v := &Values{}
	for _, name := range append(files, r.Values...) {
		op := fmt.Sprintf("read %q", name)
		info, err := os.Stat(name)
		if err == nil && info.Size() > largest {
			err = fmt.Errorf("it has %d bytes, which no file of values has", info.Size())
		}
		var text []byte
		if err == nil {
			text, err = os.ReadFile(name)
		}
		if err != nil {
			return nil, fault.New(fault.Usage, op, cmp.Or(errors.Unwrap(err), err), "name existing files as values of the release")
		}
		if err := v.add(name, text); err != nil {
			return nil, fault.New(fault.Data, op, err, "it is no file of values")
		}
	}
	return v, nil
}

// add adds a file, whose values count before those that are there.
func (v *Values) add(name string, text []byte) (err error) {
	defer func() {
		if p := recover(); p != nil { // the parser panics on some input that it should refuse
			err = fmt.Errorf("it cannot be parsed: %v", p)
		}
	}()
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return err
	}
	if len(doc.Content) == 0 {
		return nil
	}
	if doc.Content[0].Kind != yaml.MappingNode && doc.Content[0].ShortTag() != "!!null" {
		return errors.New("it holds no mapping")
	}
	fresh := &Values{}
	if err := fresh.walk(name, doc.Content[0], nil, false, 0); err != nil {
		return err
	}
	v.leaves = slices.DeleteFunc(v.leaves, func(old leaf) bool {
		return slices.ContainsFunc(fresh.leaves, func(l leaf) bool { return within(l.mapped(), old.mapped()) || within(old.mapped(), l.mapped()) })
	})
	v.leaves = append(v.leaves, fresh.leaves...)
	return nil
}

// mapped is the path down to the first list, which a later file replaces as a whole.
func (l *leaf) mapped() []string {
	if i := slices.IndexFunc(l.path, func(s string) bool { return strings.HasPrefix(s, "[") }); l.listed && i >= 0 {
		return l.path[:i]
	}
	return l.path
}

// within says whether a path is the other, or below it.
func within(path, of []string) bool {
	return len(path) >= len(of) && slices.Equal(path[:len(of)], of)
}

// deepest and most bound what is read: aliases of YAML make much of little.
const (
	deepest = 100
	most    = 100_000
)

func (v *Values) walk(file string, n *yaml.Node, path []string, listed bool, depth int) error {
	if depth > deepest || len(v.leaves) > most {
		return fmt.Errorf("line %d: more values than any chart has", n.Line)
	}
	if n.Kind == yaml.AliasNode {
		return v.walk(file, n.Alias, path, listed, depth+1)
	}
	switch n.Kind { //nolint:exhaustive // nothing stands below the others
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if err := v.walk(file, n.Content[i+1], append(slices.Clone(path), n.Content[i].Value), listed, depth+1); err != nil {
				return err
			}
		}
	case yaml.SequenceNode:
		if len(n.Content) == 0 {
			v.leaves = append(v.leaves, leaf{file: file, line: n.Line, path: path, listed: true})
		}
		for i, e := range n.Content {
			if err := v.walk(file, e, append(slices.Clone(path), "["+strconv.Itoa(i)+"]"), true, depth+1); err != nil {
				return err
			}
		}
	case yaml.ScalarNode:
		var value any
		if err := n.Decode(&value); err != nil {
			value = n.Value
		}
		if i, ok := value.(int); ok {
			value = int64(i)
		}
		v.leaves = append(v.leaves, leaf{file: file, line: n.Line, path: path, value: value, listed: listed})
	}
	return nil
}

// Trace adds to findings about objects of the release where a value of its files says what they tell of: most of what is of AWS is mended best where it is said.
func (v *Values) Trace(findings []finding.Finding, of func(object string) bool) {
	for i := range findings {
		f := &findings[i]
		if !of(f.Object) {
			continue
		}
		var told []string
		for _, token := range tokens(f.What + "\n" + f.Do) {
			for _, l := range v.leaves {
				if s, ok := l.value.(string); ok && says(s, token) && !slices.Contains(told, l.key()) && len(told) < mostTold {
					told = append(told, l.key())
					f.Evidence = append(f.Evidence, l.where()+": "+l.key())
				}
			}
		}
		if len(told) > 0 {
			f.Do = strings.TrimPrefix(f.Do+"\nor say it by a value of its own for the new side: "+strings.Join(told, ", "), "\n")
		}
	}
}

// mostTold is how many values one finding names.
const mostTold = 3

// tokens are what a text names of AWS: images, whole, and addresses.
func tokens(text string) []string {
	var out []string
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("\"',;(){}", r) }) {
		if strings.Contains(word, ".dkr.ecr.") || strings.HasPrefix(word, "public.ecr.aws/") {
			out = append(out, strings.TrimRight(word, ".:"))
		}
	}
	for _, a := range translate.Addresses(text) {
		if !strings.Contains(a, ".dkr.ecr.") {
			out = append(out, a)
		}
	}
	return out
}

// says says whether a token comes from a value: it is the value, or begins with it, as an image begins with its repository; or the value holds it.
func says(value, token string) bool {
	return len(tokens(value)) > 0 && (strings.HasPrefix(token, value) || strings.Contains(value, token))
}
