package manifest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Path says where a value stands in an object, by the names of things and not by their place in a list, so that it means the same in several
// objects: spec.template.spec.containers[name=app].env[name=LOG_LEVEL].value. The whole object is the empty path.
type Path []Step

// Step is one step of a path. Exactly one of the forms is used.
type Step struct {
	// Key is the key of a mapping.
	Key string
	// By is a key of the elements of a list, and Is the value by which one of them is chosen, as text: containers[name=app].
	By, Is string
	// Flag chooses the argument of a list of arguments that begins with it: args[--log-level].
	Flag string
	// Index chooses an element by its place, from 0, where nothing else can.
	Index int
	form  form
}

type form byte

const (
	byKey form = iota
	byElement
	byFlag
	byIndex
)

// Key is the step to a mapping's key.
func Key(key string) Step { return Step{Key: key} }

// Element is the step to the element of a list whose key has a value.
func Element(by, is string) Step { return Step{By: by, Is: is, form: byElement} }

// Flag is the step to an argument.
func Flag(name string) Step { return Step{Flag: name, form: byFlag} }

// Index is the step to an element by its place.
func Index(i int) Step { return Step{Index: i, form: byIndex} }

// Listed says whether the step leads into a list.
func (s Step) Listed() bool { return s.form != byKey }

// Name is what the step leads to: the key, the element's value, the flag, or the index.
func (s Step) Name() string {
	switch s.form {
	case byKey:
		return s.Key
	case byElement:
		return s.Is
	case byFlag:
		return s.Flag
	case byIndex:
	}
	return strconv.Itoa(s.Index)
}

// bare says whether a key needs no quotes.
func bare(key string) bool {
	return key != "" && !strings.ContainsAny(key, ".[]=\"' \t\r\n\\") && key[0] != '-' && strconv.Quote(key) == `"`+key+`"`
}

func quoted(s string) string {
	if bare(s) {
		return s
	}
	return strconv.Quote(s)
}

// String writes the path as ParsePath reads it.
func (p Path) String() string {
	var b strings.Builder
	for i, s := range p {
		switch {
		case s.form == byElement:
			fmt.Fprintf(&b, "[%s=%s]", quoted(s.By), quoted(s.Is))
		case s.form == byFlag:
			fmt.Fprintf(&b, "[%s]", flagText(s.Flag))
		case s.form == byIndex:
			fmt.Fprintf(&b, "[%d]", s.Index)
		case bare(s.Key):
			if i > 0 {
				b.WriteByte('.')
			}
			b.WriteString(s.Key)
		default:
			fmt.Fprintf(&b, "[%s]", strconv.Quote(s.Key))
		}
	}
	return b.String()
}

func flagText(flag string) string {
	if strings.ContainsAny(flag, "=[]\"\\ \t\r\n") || strconv.Quote(flag) != `"`+flag+`"` {
		return "-" + strconv.Quote(flag)
	}
	return flag
}

// ParsePath reads a path.
func ParsePath(text string) (Path, error) {
	var p Path
	for rest := text; rest != ""; {
		var s Step
		var err error
		if rest[0] == '[' {
			s, rest, err = bracket(rest[1:])
		} else {
			if rest[0] == '.' && len(p) > 0 {
				rest = rest[1:]
			}
			end := strings.IndexAny(rest, ".[")
			if end < 0 {
				end = len(rest)
			}
			s, rest = Key(rest[:end]), rest[end:]
			if !bare(s.Key) {
				err = fmt.Errorf("%q is no key: write it as [%q]", s.Key, s.Key)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("the path %s: %w", text, err)
		}
		p = append(p, s)
	}
	return p, nil
}

var errBracket = errors.New("what stands in brackets is [\"KEY\"], [KEY=VALUE], [--FLAG] or [INDEX]")

// bracket reads a step behind its opening bracket.
func bracket(text string) (s Step, rest string, err error) {
	first, rest, err := word(text, "=]")
	if err != nil || rest == "" {
		return s, "", errBracket
	}
	isQuoted := strings.HasPrefix(text, `"`)
	if rest[0] == '=' {
		value, after, err := word(rest[1:], "]")
		if err != nil || !strings.HasPrefix(after, "]") {
			return s, "", errBracket
		}
		if !isQuoted && strings.HasPrefix(first, "-") {
			return s, "", errBracket
		}
		return Element(first, value), after[1:], nil
	}
	if rest[0] != ']' {
		return s, "", errBracket
	}
	rest = rest[1:]
	switch {
	case isQuoted:
		return Key(first), rest, nil
	case strings.HasPrefix(first, "-"):
		if strings.HasPrefix(first, `-"`) {
			unquoted, err := strconv.Unquote(first[1:])
			if err != nil {
				return s, "", errBracket
			}
			first = unquoted
		}
		if !strings.HasPrefix(first, "-") {
			return s, "", errBracket
		}
		return Flag(first), rest, nil
	}
	i, err := strconv.Atoi(first)
	if err != nil || i < 0 || strconv.Itoa(i) != first {
		return s, "", errBracket
	}
	return Index(i), rest, nil
}

// word reads text up to one of the ends, or a quoted text.
func word(text, ends string) (w, rest string, err error) {
	at := 0
	if strings.HasPrefix(text, `-"`) {
		at = 1
	}
	if strings.HasPrefix(text[at:], `"`) {
		q, err := strconv.QuotedPrefix(text[at:])
		if err != nil {
			return "", "", err
		}
		if at == 1 {
			return text[:1+len(q)], text[1+len(q):], nil
		}
		w, err = strconv.Unquote(q)
		return w, text[len(q):], err
	}
	end := strings.IndexAny(text, ends)
	if end < 0 {
		return "", "", errBracket
	}
	return text[:end], text[end:], nil
}

// FlagOf is the flag of an argument, the part before its =.
func FlagOf(argument string) string {
	flag, _, _ := strings.Cut(argument, "=")
	return flag
}

// Find resolves the path in a value: the steps as keys, and indexes in decimal, of what is there, and how many steps of the path they are. All of them
// where the value is there.
func (p Path) Find(v any) (steps []string, found int) {
	for i, s := range p {
		next, step, ok := s.in(v)
		if !ok {
			return steps, i
		}
		v, steps = next, append(steps, step)
	}
	return steps, len(p)
}

// Value is what stands at the path. ok is false where nothing does.
func (p Path) Value(v any) (value any, ok bool) {
	for _, s := range p {
		if v, _, ok = s.in(v); !ok {
			return nil, false
		}
	}
	return v, true
}

// in takes one step.
func (s Step) in(v any) (next any, step string, ok bool) {
	if s.form == byKey {
		m, _ := v.(map[string]any)
		next, ok = m[s.Key]
		return next, s.Key, ok
	}
	list, _ := v.([]any)
	for i, x := range list {
		if s.chooses(i, x) {
			return x, strconv.Itoa(i), true
		}
	}
	return nil, "", false
}

func (s Step) chooses(i int, x any) bool {
	switch s.form {
	case byElement:
		m, _ := x.(map[string]any)
		v, there := m[s.By]
		return there && Scalar(v) == s.Is
	case byFlag:
		a, isText := x.(string)
		return isText && FlagOf(a) == s.Flag
	case byIndex:
		return i == s.Index
	case byKey:
	}
	return false
}

// Scalar writes a scalar value as text; of a list or a mapping it is empty.
func Scalar(v any) string {
	switch v.(type) {
	case nil, map[string]any, []any:
		return ""
	}
	return fmt.Sprint(v)
}
