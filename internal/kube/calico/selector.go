package calico

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A selector is an expression of Calico about labels.
type selector struct {
	op     op
	key    string
	values []string
	parts  []*selector
}

type op int

const (
	opAll    op = iota // all labels
	opGlobal           // what is in no namespace
	opHas
	opIn // also ==
	opContains
	opStarts
	opEnds
	opNot
	opAnd
	opOr
)

// The limits of an expression: those that people write are far below.
const (
	longestSelector = 4096
	deepestSelector = 64
)

var everything = &selector{op: opAll}

// parse reads an expression; an empty one means all. It follows Calico's grammar: all(), global(), has(k), k == 'v', k != 'v', k in {…}, k not in {…},
// k contains 'v', k starts with 'v', k ends with 'v', with !, &&, || and parentheses.
func parse(text string) (*selector, error) {
	if len(text) > longestSelector {
		return nil, fmt.Errorf("a selector of %d characters", len(text))
	}
	if strings.TrimSpace(text) == "" {
		return everything, nil
	}
	p := &parser{rest: text}
	s, err := p.or(0)
	if err == nil && p.space() != "" {
		err = fmt.Errorf("%q stands behind its end", p.rest)
	}
	return s, err
}

type parser struct{ rest string }

// space skips blanks and returns what is left.
func (p *parser) space() string {
	p.rest = strings.TrimLeft(p.rest, " \t\r\n")
	return p.rest
}

// take skips a sign, if it comes next.
func (p *parser) take(sign string) bool {
	rest, ok := strings.CutPrefix(p.space(), sign)
	if ok {
		p.rest = rest
	}
	return ok
}

// word skips a word that is no part of a longer one.
func (p *parser) word(word string) bool {
	rest, ok := strings.CutPrefix(p.space(), word)
	if ok && (rest == "" || !inLabel(rest[0])) {
		p.rest = rest
		return true
	}
	return false
}

func inLabel(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("_./-", c) >= 0
}

func (p *parser) or(depth int) (*selector, error) { return p.several(depth, "||", opOr, p.and) }

func (p *parser) and(depth int) (*selector, error) { return p.several(depth, "&&", opAnd, p.term) }

func (p *parser) several(depth int, sign string, op op, part func(int) (*selector, error)) (*selector, error) {
	first, err := part(depth)
	if err != nil {
		return nil, err
	}
	all := &selector{op: op, parts: []*selector{first}}
	for p.take(sign) {
		next, err := part(depth)
		if err != nil {
			return nil, err
		}
		all.parts = append(all.parts, next)
	}
	if len(all.parts) == 1 {
		return first, nil
	}
	return all, nil
}

func (p *parser) term(depth int) (*selector, error) {
	if depth > deepestSelector {
		return nil, fmt.Errorf("parentheses stand more than %d deep within one another", deepestSelector)
	}
	switch {
	case p.take("!"):
		s, err := p.term(depth + 1)
		return &selector{op: opNot, parts: []*selector{s}}, err
	case p.take("("):
		s, err := p.or(depth + 1)
		if err == nil && !p.take(")") {
			err = errors.New("a parenthesis is not closed")
		}
		return s, err
	}
	key := p.key()
	switch {
	case key == "":
		return nil, fmt.Errorf("a label is missing before %q", p.rest)
	case (key == "all" || key == "global") && p.take("("):
		op := map[string]op{"all": opAll, "global": opGlobal}[key]
		if !p.take(")") {
			return nil, fmt.Errorf("%s( is not closed", key)
		}
		return &selector{op: op}, nil
	case key == "has" && p.take("("):
		label := p.key()
		if label == "" || !p.take(")") {
			return nil, errors.New("has() names no label")
		}
		return &selector{op: opHas, key: label}, nil
	}
	return p.compare(key)
}

func (p *parser) key() string {
	p.space()
	n := 0
	for n < len(p.rest) && inLabel(p.rest[n]) {
		n++
	}
	key := p.rest[:n]
	p.rest = p.rest[n:]
	return key
}

func (p *parser) compare(key string) (*selector, error) {
	not := func(s *selector, err error) (*selector, error) {
		return &selector{op: opNot, parts: []*selector{s}}, err
	}
	switch {
	case p.take("=="):
		return p.one(opIn, key)
	case p.take("!="):
		return not(p.one(opIn, key))
	case p.word("in"):
		return p.set(key)
	case p.word("not"):
		if !p.word("in") {
			return nil, errors.New("not is not followed by in")
		}
		return not(p.set(key))
	case p.word("contains"):
		return p.one(opContains, key)
	case p.word("starts"):
		if !p.word("with") {
			return nil, errors.New("starts is not followed by with")
		}
		return p.one(opStarts, key)
	case p.word("ends"):
		if !p.word("with") {
			return nil, errors.New("ends is not followed by with")
		}
		return p.one(opEnds, key)
	}
	return nil, fmt.Errorf("nothing compares the label %s", key)
}

func (p *parser) one(op op, key string) (*selector, error) {
	v, err := p.value()
	return &selector{op: op, key: key, values: []string{v}}, err
}

func (p *parser) set(key string) (*selector, error) {
	s := &selector{op: opIn, key: key}
	if !p.take("{") {
		return nil, errors.New("in is not followed by {")
	}
	for !p.take("}") {
		if len(s.values) > 0 && !p.take(",") {
			return nil, errors.New("a set is not closed")
		}
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		s.values = append(s.values, v)
	}
	return s, nil
}

func (p *parser) value() (string, error) {
	rest := p.space()
	if rest == "" || rest[0] != '\'' && rest[0] != '"' {
		return "", errors.New("a value stands without quotes")
	}
	end := strings.IndexByte(rest[1:], rest[0])
	if end < 0 {
		return "", errors.New("a quote is not closed")
	}
	p.rest = rest[end+2:]
	return rest[1 : end+1], nil
}

// truth is what is known of a statement.
type truth int

const (
	no truth = iota
	maybe
	yes
)

// holds works an expression out for labels. The lookup returns a label's value and whether it is there; maybe where nobody knows.
func (s *selector) holds(lookup func(key string) (string, truth), global bool) truth {
	switch s.op {
	case opAll:
		return yes
	case opGlobal:
		if global {
			return yes
		}
		return no
	case opNot:
		return yes - s.parts[0].holds(lookup, global)
	case opAnd, opOr:
		var all []truth
		for _, p := range s.parts {
			all = append(all, p.holds(lookup, global))
		}
		if s.op == opAnd {
			return slices.Min(all)
		}
		return slices.Max(all)
	default:
		return s.compared(lookup)
	}
}

func (s *selector) compared(lookup func(key string) (string, truth)) truth {
	value, there := lookup(s.key)
	if there != yes || s.op == opHas {
		return there
	}
	if slices.ContainsFunc(s.values, func(v string) bool { return s.compares(value, v) }) {
		return yes
	}
	return no
}

func (s *selector) compares(value, to string) bool {
	switch s.op {
	case opContains:
		return strings.Contains(value, to)
	case opStarts:
		return strings.HasPrefix(value, to)
	case opEnds:
		return strings.HasSuffix(value, to)
	default:
		return value == to
	}
}
