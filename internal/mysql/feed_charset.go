package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"unicode/utf16"
	codec "unicode/utf8"

	"github.com/bascule/bascule/internal/fault"
)

// A charset turns text of one character set into utf8mb4, by tables that the server filled with its own CONVERT: the same
// names stand for different tables in different programs.
type charset struct {
	name string
	// one are the characters of one byte, empty where a byte begins a longer one.
	one [256]string
	// two are those of two bytes, three those of three that begin with 0x8f, four those of GB18030's four bytes, in its own order.
	two   map[[2]byte]string
	three map[[2]byte]string
	four  []string
}

// multibyte are the character sets whose characters have several bytes, apart from Unicode's.
var multibyte = map[string]bool{
	"big5": true, "gbk": true, "gb2312": true, "sjis": true, "cp932": true, "euckr": true, "ujis": true, "eucjpms": true, "gb18030": true,
}

// toUTF8 returns what turns text of a character set into utf8mb4, or nil when it is that already.
func (e *End) toUTF8(ctx context.Context, name string) (func(dst, src []byte) ([]byte, error), error) {
	switch name {
	case "", "utf8mb4", "utf8mb3", "utf8", "ascii", "binary":
		return nil, nil
	case "utf16":
		return func(dst, src []byte) ([]byte, error) { return appendUTF16(dst, src, 0) }, nil
	case "ucs2":
		return func(dst, src []byte) ([]byte, error) { return appendUTF16(dst, src, 0) }, nil
	case "utf16le":
		return func(dst, src []byte) ([]byte, error) { return appendUTF16(dst, src, 1) }, nil
	case "utf32":
		return appendUTF32, nil
	}
	if known, ok := e.charsets.Load(name); ok {
		return known.(*charset).append, nil
	}
	c := &charset{name: name}
	if err := c.fill(ctx, e.db); err != nil {
		return nil, fmt.Errorf("ask for the characters of %s: %w", name, err)
	}
	e.charsets.Store(name, c)
	return c.append, nil
}

// appendUTF16 decodes UTF-16, or UCS-2, which has no surrogates; low is where the low byte of a unit is not: 0 for big-endian.
func appendUTF16(dst, src []byte, low int) ([]byte, error) {
	if len(src)%2 != 0 {
		return dst, fmt.Errorf("%d bytes are no text of UTF-16", len(src))
	}
	unit := func(i int) rune { return rune(src[i+low])<<8 | rune(src[i+1-low]) }
	for i := 0; i < len(src); i += 2 {
		r := unit(i)
		if utf16.IsSurrogate(r) {
			if i+4 > len(src) {
				return dst, fmt.Errorf("half a character at the end of UTF-16")
			}
			if r = utf16.DecodeRune(r, unit(i+2)); r == codec.RuneError {
				return dst, fmt.Errorf("half a character in UTF-16")
			}
			i += 2
		}
		dst = codec.AppendRune(dst, r)
	}
	return dst, nil
}

func appendUTF32(dst, src []byte) ([]byte, error) {
	if len(src)%4 != 0 {
		return dst, fmt.Errorf("%d bytes are no text of UTF-32", len(src))
	}
	for i := 0; i < len(src); i += 4 {
		r := rune(src[i])<<24 | rune(src[i+1])<<16 | rune(src[i+2])<<8 | rune(src[i+3])
		if !codec.ValidRune(r) {
			return dst, fmt.Errorf("%#x is no character of UTF-32", uint32(r))
		}
		dst = codec.AppendRune(dst, r)
	}
	return dst, nil
}

// append turns text into utf8mb4.
func (c *charset) append(dst, src []byte) ([]byte, error) {
	for i := 0; i < len(src); {
		text, n := c.next(src[i:])
		if n == 0 {
			return dst, fault.New(fault.Data, "read text", fmt.Errorf("bytes %x are no character of %s", src[i:min(i+4, len(src))], c.name), "")
		}
		dst = append(dst, text...)
		i += n
	}
	return dst, nil
}

// next returns the first character and how many bytes it has.
func (c *charset) next(p []byte) (string, int) {
	if t := c.one[p[0]]; t != "" {
		return t, 1
	}
	if len(p) >= 2 {
		if t, ok := c.two[[2]byte{p[0], p[1]}]; ok {
			return t, 2
		}
	}
	if len(p) >= 3 && p[0] == 0x8f {
		if t, ok := c.three[[2]byte{p[1], p[2]}]; ok {
			return t, 3
		}
	}
	if len(p) >= 4 && c.four != nil {
		i := fourIndex(p)
		switch {
		case i >= 0 && i < len(c.four):
			return c.four[i], 4
		case i >= fourBeyond && i < fourBeyond+0x100000:
			return string(rune(i - fourBeyond + 0x10000)), 4
		}
	}
	return "", 0
}

const (
	// fourBMP is how many characters of four bytes GB18030 has below U+10000, from 81308130 on.
	fourBMP = 39420
	// fourBeyond is the index of 90308130, U+10000: from there on they follow one another.
	fourBeyond = (0x90 - 0x81) * 12600
)

// fourIndex counts GB18030's characters of four bytes, or is -1.
func fourIndex(p []byte) int {
	a, b, c, d := int(p[0])-0x81, int(p[1])-0x30, int(p[2])-0x81, int(p[3])-0x30
	if a < 0 || a > 125 || b < 0 || b > 9 || c < 0 || c > 125 || d < 0 || d > 9 {
		return -1
	}
	return ((a*10+b)*126+c)*10 + d
}

func fourBytes(i int) []byte {
	return []byte{byte(0x81 + i/12600), byte(0x30 + i/1260%10), byte(0x81 + i/10%126), byte(0x30 + i%10)}
}

// fill asks the server for every character.
func (c *charset) fill(ctx context.Context, db *sql.DB) error {
	var all [][]byte
	for b := range 256 {
		all = append(all, []byte{byte(b)})
	}
	texts, err := c.ask(ctx, db, all)
	if err != nil {
		return err
	}
	many := multibyte[c.name]
	var leads []byte
	for b, t := range texts {
		// A byte that begins a longer character is none by itself: NULL on MySQL, a question mark on MariaDB.
		if many && (t == "" || t == "?" && b != '?') {
			leads = append(leads, byte(b))
			continue
		}
		c.one[b] = t
	}
	if !many {
		return nil
	}
	if c.two, err = c.pairs(ctx, db, nil, leads); err != nil {
		return err
	}
	if c.name == "ujis" || c.name == "eucjpms" {
		if c.three, err = c.pairs(ctx, db, []byte{0x8f}, leads); err != nil {
			return err
		}
	}
	if c.name != "gb18030" {
		return nil
	}
	all = all[:0]
	for i := range fourBMP {
		all = append(all, fourBytes(i))
	}
	c.four, err = c.ask(ctx, db, all)
	return err
}

// pairs asks for the characters of a prefix, a byte of leads, and any byte.
func (c *charset) pairs(ctx context.Context, db *sql.DB, prefix, leads []byte) (map[[2]byte]string, error) {
	var all [][]byte
	for _, a := range leads {
		for b := range 256 {
			all = append(all, append(append([]byte{}, prefix...), a, byte(b)))
		}
	}
	texts, err := c.ask(ctx, db, all)
	if err != nil {
		return nil, err
	}
	m := map[[2]byte]string{}
	for i, t := range texts {
		// What is no character is NULL on MySQL, and on MariaDB several, of which the first is a question mark.
		if codec.RuneCountInString(t) != 1 {
			continue
		}
		p := all[i][len(prefix):]
		m[[2]byte{p[0], p[1]}] = t
	}
	return m, nil
}

// ask lets the server convert each of the byte strings; NULL becomes empty.
func (c *charset) ask(ctx context.Context, db *sql.DB, all [][]byte) ([]string, error) {
	const atOnce = 1024
	out := make([]string, 0, len(all))
	for len(all) > 0 {
		n := min(atOnce, len(all))
		var q strings.Builder
		for i, b := range all[:n] {
			if i > 0 {
				q.WriteByte(',')
			}
			fmt.Fprintf(&q, "CONVERT(CONVERT(0x%x USING %s) USING utf8mb4)", b, c.name)
		}
		texts := make([]sql.NullString, n)
		into := make([]any, n)
		for i := range texts {
			into[i] = &texts[i]
		}
		if err := db.QueryRowContext(ctx, "SELECT "+q.String()).Scan(into...); err != nil {
			return nil, err
		}
		for _, t := range texts {
			out = append(out, t.String)
		}
		all = all[n:]
	}
	return out, nil
}
