package decision

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// Question is a difference that is to be written down, with what people should know beside it.
type Question struct {
	Difference
	// Notes are written before it as comments, one a line.
	Notes []string
}

// Addition is what is to be written into a file of decisions.
type Addition struct {
	// Words are for regions that have none yet.
	Words     map[string][]string
	Questions []Question
}

// Extend writes an addition into the text of a file of decisions. What stands there stays byte for byte, comments included: lines are added and none is
// changed. A text that cannot be extended so is an error, and the text is not returned.
func Extend(text []byte, add Addition) ([]byte, error) {
	before, err := Parse(text)
	if err != nil {
		return nil, err
	}
	if len(add.Words) == 0 && len(add.Questions) == 0 {
		return text, nil
	}
	for region := range add.Words {
		if before.Harmonise.Words[region] != nil {
			return nil, fmt.Errorf("harmonise has words for %s already", region)
		}
	}
	e := &extension{text: text, end: "\n"}
	if bytes.Contains(text, []byte("\r\n")) {
		e.end = "\r\n"
	}
	if err := e.add(add); err != nil {
		return nil, err
	}
	out := e.apply()
	return out, proved(before, out, add)
}

// proved compares what the new text says with what it should say: the old one, and the addition.
func proved(before *Decisions, out []byte, add Addition) error {
	after, err := Parse(out)
	if err != nil {
		return fmt.Errorf("the lines cannot be added where they belong: %w", err)
	}
	want := *before
	if len(add.Words) > 0 {
		words := maps.Clone(before.Harmonise.Words)
		if words == nil {
			words = map[string][]string{}
		}
		maps.Copy(words, add.Words)
		want.Harmonise.Words = words
	}
	var all []Difference
	for _, q := range add.Questions {
		all = append(all, q.Difference)
	}
	want.Harmonise.Differences = slices.Concat(all, before.Harmonise.Differences)
	if !sameText(&want, after) {
		return errors.New("the lines cannot be added where they belong: the file has a form that is not expected; write harmonise, words and differences as blocks")
	}
	return nil
}

// sameText compares by what is written of both, in which int64 and float64 of one value are the same.
func sameText(a, b *Decisions) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && (bytes.Equal(x, y) || reflect.DeepEqual(a, b))
}

// extension is lines that are to be inserted behind lines of a text; line 0 is its beginning, and the last its end.
type extension struct {
	text  []byte
	end   string
	after map[int][]string
}

func (e *extension) insert(line int, lines ...string) {
	if e.after == nil {
		e.after = map[int][]string{}
	}
	e.after[line] = append(e.after[line], lines...)
}

// last is the line behind which what comes at the end is written.
const last = -1

func (e *extension) add(add Addition) error {
	var doc yaml.Node
	if err := yaml.Unmarshal(e.text, &doc); err != nil {
		return err
	}
	if len(doc.Content) == 0 || doc.Content[0].ShortTag() == "!!null" {
		e.insert(last, block("", 0, add, true, true)...)
		return nil
	}
	top := doc.Content[0]
	key, value := entry(top, "harmonise")
	switch {
	case top.Kind != yaml.MappingNode || top.Style&yaml.FlowStyle != 0:
		return errors.New("it is written in one line: write its keys as a block, one a line")
	case key == nil:
		e.insert(last, block("", 0, add, true, true)...)
		return nil
	case value.ShortTag() == "!!null":
		e.insert(key.Line, inner(key.Column+1, add, true, true)...)
		return nil
	case value.Kind != yaml.MappingNode || value.Style&yaml.FlowStyle != 0 || len(value.Content) == 0:
		return errors.New("harmonise is written in one line: write it as a block, one key a line")
	}
	indent := value.Content[0].Column - 1
	wordsKey, words := entry(value, "words")
	listKey, list := entry(value, "differences")
	if wordsKey != nil && len(add.Words) > 0 {
		if words.Style&yaml.FlowStyle != 0 || len(words.Content) == 0 {
			return errors.New("words of harmonise are written in one line: write them as a block, one region a line")
		}
		e.insert(wordsKey.Line, wordLines(words.Content[0].Column-1, add.Words)...)
	}
	if listKey != nil && len(add.Questions) > 0 {
		column := indent + 2
		switch {
		case list.ShortTag() == "!!null":
		case list.Style&yaml.FlowStyle != 0 || len(list.Content) == 0:
			return errors.New("differences of harmonise are written in one line: write them as a block")
		default:
			column = dash(e.text, list.Content[0])
		}
		e.insert(listKey.Line, questionLines(column, add.Questions)...)
	}
	e.insert(key.Line, inner(indent, add, wordsKey == nil, listKey == nil)...)
	return nil
}

// dash is the column, from 0, of the dash before an element.
func dash(text []byte, element *yaml.Node) int {
	lines := bytes.Split(text, []byte("\n"))
	if element.Line <= len(lines) {
		if i := bytes.IndexByte(lines[element.Line-1], '-'); i >= 0 && i < element.Column {
			return i
		}
	}
	return max(element.Column-3, 0)
}

func entry(mapping *yaml.Node, name string) (key, value *yaml.Node) {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name {
			return mapping.Content[i], mapping.Content[i+1]
		}
	}
	return nil, nil
}

func block(prefix string, indent int, add Addition, words, list bool) []string {
	return append([]string{prefix + "harmonise:"}, inner(indent+2, add, words, list)...)
}

func inner(indent int, add Addition, words, list bool) []string {
	var out []string
	if words && len(add.Words) > 0 {
		out = append(append(out, strings.Repeat(" ", indent)+"words:"), wordLines(indent+2, add.Words)...)
	}
	if list && len(add.Questions) > 0 {
		out = append(append(out, strings.Repeat(" ", indent)+"differences:"), questionLines(indent+2, add.Questions)...)
	}
	return out
}

func wordLines(indent int, words map[string][]string) []string {
	var out []string
	for _, region := range slices.Sorted(maps.Keys(words)) {
		out = append(out, fmt.Sprintf("%s%s: %s", strings.Repeat(" ", indent), scalar(region), scalar(words[region])))
	}
	return out
}

func questionLines(indent int, questions []Question) []string {
	pad := strings.Repeat(" ", indent)
	var out []string
	for _, q := range questions {
		for _, n := range q.Notes {
			out = append(out, pad+"# "+printable(strings.Join(strings.Fields(n), " ")))
		}
		lead := pad + "- "
		put := func(key, value string) {
			out = append(out, lead+key+": "+value)
			lead = pad + "  "
		}
		if q.Path != "" {
			put("path", scalar(q.Path))
		}
		if len(q.Objects) == 1 {
			put("objects", scalar(q.Objects))
		} else {
			out = append(out, lead+"objects:")
			lead = pad + "  "
			for _, o := range q.Objects {
				out = append(out, pad+"  - "+scalar(o))
			}
		}
		switch {
		case q.Value != nil:
			put("value", scalar(q.Value))
		case q.Tag != "":
			put("tag", scalar(q.Tag))
		case q.Remove:
			put("remove", "true")
		case q.Keep != "":
			put("keep", scalar(q.Keep))
		}
		if q.Reason != "" {
			put("reason", scalar(q.Reason))
		}
	}
	return out
}

// scalar writes a value in JSON, which is YAML in one line.
func scalar(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "null" // values of manifests are those of JSON; proved looks
	}
	return printable(strings.TrimSuffix(b.String(), "\n"))
}

// printable writes characters that no file of YAML may hold as escapes.
func printable(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

func (e *extension) apply() []byte {
	var b bytes.Buffer
	write := func(lines []string) {
		for _, l := range lines {
			b.WriteString(l)
			b.WriteString(e.end)
		}
	}
	write(e.after[0])
	line := 0
	for text := range bytes.Lines(e.text) {
		line++
		b.Write(text)
		if add := e.after[line]; len(add) > 0 {
			if !bytes.HasSuffix(text, []byte("\n")) {
				b.WriteString(e.end)
			}
			write(add)
		}
	}
	if add := e.after[last]; len(add) > 0 {
		if b.Len() > 0 && !bytes.HasSuffix(b.Bytes(), []byte("\n")) {
			b.WriteString(e.end)
		}
		write(add)
	}
	return b.Bytes()
}
