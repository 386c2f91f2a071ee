package binlog

import (
	"errors"
	"fmt"
	"strings"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
)

var errMembers = errors.New("the log has other members")

// labels are the members of an ENUM or a SET in utf8mb4.
//
// Where they come from: a log with binlog_row_metadata=FULL has them, in the column's character set; the catalog has them always, but
// prints each character beyond U+FFFF as a question mark (MySQL 9.7 and MariaDB 10.11, SHOW CREATE TABLE included, since both
// keep identifiers in utf8mb3). So a question mark that only the catalog knows of may be another character.
type labels struct {
	text []string
	// unsure are the ones that may be another text; nil: none.
	unsure []bool
}

// beyond are the character sets that have characters beyond U+FFFF.
var beyond = map[string]bool{"utf8mb4": true, "utf16": true, "utf16le": true, "utf32": true, "gb18030": true}

// newLabels joins what the log says, or nil, and what the catalog says. text translates the log's.
func newLabels(logged [][]byte, members []string, charset string, text func(dst, src []byte) ([]byte, error)) (labels, error) {
	l := labels{text: members}
	unicode := charset == "utf8mb4" || charset == "utf8mb3" || charset == "utf8" || charset == "ascii"
	switch {
	case logged != nil && len(logged) != len(members):
		return l, fmt.Errorf("%w: %d instead of %d", errMembers, len(logged), len(members))
	case logged == nil || text == nil && !unicode:
		l.unsure = make([]bool, len(members))
		for i, m := range members {
			l.unsure[i] = beyond[charset] && strings.Contains(m, "?")
		}
		return l, nil
	}
	l.text = make([]string, len(members))
	for i, p := range logged {
		if text != nil {
			var err error
			if p, err = text(nil, p); err != nil {
				return l, fmt.Errorf("member %d: %w", i+1, err)
			}
		}
		l.text[i] = string(p)
		if l.text[i] != members[i] && asCatalog(l.text[i]) != members[i] {
			return l, fmt.Errorf("%w: %q is %q in the table", errMembers, p, members[i])
		}
	}
	return l, nil
}

// asCatalog is how the servers' catalogs print s.
func asCatalog(s string) string {
	return strings.Map(func(r rune) rune {
		if r > 0xffff {
			return '?'
		}
		return r
	}, s)
}

// append appends member i, counted from 0.
func (l *labels) append(dst []byte, i int) ([]byte, error) {
	if l.unsure != nil && l.unsure[i] {
		return dst, fault.New(fault.Unsupported, "read its value", fmt.Errorf("member %q may hold a character beyond U+FFFF, which the server's catalog prints as '?'", l.text[i]),
			"SET GLOBAL binlog_row_metadata = FULL, which writes the members into the log, and copy again")
	}
	return append(dst, l.text[i]...), nil
}

// enum plans an ENUM: a number of 1 or 2 bytes, from 1 on; 0 is the value that was no member, which reads as ”.
func (m *mapped) enum(c *column, t schema.Enum, text func(dst, src []byte) ([]byte, error)) error {
	if m.typ != fieldEnum || c.size < 1 || c.size > 2 {
		return errType
	}
	l, err := newLabels(m.members, t.Members, t.Charset, text)
	c.value = func(dst, src []byte) ([]byte, error) {
		n := int(little(src))
		if n == 0 {
			return dst, nil
		}
		if n > len(l.text) {
			return dst, fmt.Errorf("member %d of %d", n, len(l.text))
		}
		return l.append(dst, n-1)
	}
	return err
}

// set plans a SET: a bit for each member, the first the lowest.
func (m *mapped) set(c *column, t schema.Set, text func(dst, src []byte) ([]byte, error)) error {
	if m.typ != fieldSet || c.size < 1 || c.size > 8 {
		return errType
	}
	l, err := newLabels(m.members, t.Members, t.Charset, text)
	c.value = func(dst, src []byte) ([]byte, error) {
		bits, at := little(src), len(dst)
		if n := len(l.text); n < 64 && bits>>n != 0 {
			return dst, fmt.Errorf("bits %#x of %d members", bits, n)
		}
		for i := 0; bits != 0; i, bits = i+1, bits>>1 {
			if bits&1 == 0 {
				continue
			}
			if len(dst) > at {
				dst = append(dst, ',')
			}
			var err error
			if dst, err = l.append(dst, i); err != nil {
				return dst, err
			}
		}
		return dst, nil
	}
	return err
}
