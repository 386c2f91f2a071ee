package convert

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/schema"
)

// KeyText appends the canonical text (see change.Form) of a value of a key, as it comes from the end that is followed, so that both ends
// find the row by it. NULL never reaches it.
type KeyText func(dst, src []byte) ([]byte, error)

// KeyTexts returns what spells the key's columns, in the order of Select.Key, for values in the source's binary form or, with back, in the
// target's. It returns nil when rows cannot be found by a text of their key: the table has none, or a loss was accepted in it.
func (t *Table) KeyTexts(back bool) ([]KeyText, error) {
	texts := make([]KeyText, 0, len(t.Select.Key))
	for _, k := range t.Select.Key {
		c := t.columnOf(k.Name)
		if c == nil || !c.Travels {
			return nil, fmt.Errorf("spell the key of %s: its column %s does not travel", t.Select.Table.Name, k.Name)
		}
		text := c.keyText()
		if text == nil {
			return nil, nil
		}
		if back {
			var err error
			if text, err = c.keyTextBack(text); err != nil {
				return nil, err
			}
		}
		texts = append(texts, text)
	}
	if len(texts) == 0 {
		return nil, nil
	}
	return texts, nil
}

// keyTextBack spells the target's values.
func (c *Column) keyTextBack(text KeyText) (KeyText, error) {
	codec := (&back{column: c}).codec()
	if codec == nil {
		return nil, fmt.Errorf("spell the key %s.%s: no codec leads from %s to %s", c.table, c.Source.Name, spell(c.Target.Type), spellSource(c.Source.Type))
	}
	var value []byte
	return func(dst, src []byte) ([]byte, error) {
		var err error
		if value, err = codec(value[:0], src); err != nil {
			return dst, err
		}
		return text(dst, value)
	}, nil
}

// keyText spells the source's values; nil where the text depends on more than the value, and for types that are no key.
func (c *Column) keyText() KeyText {
	if len(c.Form.Accepted) > 0 {
		return nil
	}
	switch c.Form.Kind {
	case change.FormInteger:
		return c.integerText()
	case change.FormDecimal:
		return c.decimalText
	case change.FormText:
		return func(dst, src []byte) ([]byte, error) { return append(dst, src...), nil }
	case change.FormBytes:
		if t, ok := c.Source.Type.(schema.Inet); ok {
			return c.inetText(t.Version)
		}
		return func(dst, src []byte) ([]byte, error) { return hex.AppendEncode(dst, src), nil }
	case change.FormUUID:
		if _, ok := c.Source.Type.(schema.Binary); ok {
			return c.uuidText
		}
		return func(dst, src []byte) ([]byte, error) { return append(dst, strings.ToLower(string(src))...), nil }
	case change.FormDate:
		return c.dateText
	case change.FormDateTime:
		return c.momentText
	case change.FormMicros:
		return c.microsText
	case change.FormBits, change.FormLabels, change.FormGeometry, change.FormFloat, change.FormJSON:
	}
	return nil
}

func (c *Column) misspelt(src []byte) error {
	return (&field{column: c}).malformed(src)
}

// integerText needs a type whose values the protocol sends as little-endian integers.
func (c *Column) integerText() KeyText {
	width, unsigned := 2, true
	switch t := c.Source.Type.(type) {
	case schema.Int:
		width, unsigned = intWidth(t.Bits), t.Unsigned
	case schema.Year:
	default:
		return nil
	}
	return func(dst, src []byte) ([]byte, error) {
		if len(src) != width {
			return dst, c.misspelt(src)
		}
		if v, ok := loadInt(src, unsigned); ok {
			return strconv.AppendInt(dst, v, 10), nil
		}
		return strconv.AppendUint(dst, loadUint(src), 10), nil
	}
}

// decimalText fills up to the form's digits after the point; ZEROFILL's zeros go.
func (c *Column) decimalText(dst, src []byte) ([]byte, error) {
	whole, fraction, _ := strings.Cut(string(src), ".")
	negative := strings.HasPrefix(whole, "-")
	whole = strings.TrimLeft(strings.TrimPrefix(whole, "-"), "0")
	if len(fraction) > c.Form.Precision || strings.Trim(whole+fraction, "0123456789") != "" || len(src) == 0 {
		return dst, c.misspelt(src)
	}
	if negative && strings.Trim(whole+fraction, "0") != "" {
		dst = append(dst, '-')
	}
	if whole == "" {
		whole = "0"
	}
	dst = append(dst, whole...)
	if c.Form.Precision > 0 {
		dst = append(append(append(dst, '.'), fraction...), strings.Repeat("0", c.Form.Precision-len(fraction))...)
	}
	return dst, nil
}

func (c *Column) uuidText(dst, src []byte) ([]byte, error) {
	if len(src) != 16 {
		return dst, c.misspelt(src)
	}
	for i, part := range [][]byte{src[:4], src[4:6], src[6:8], src[8:10], src[10:]} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, part)
	}
	return dst, nil
}

func (c *Column) inetText(version int) KeyText {
	return func(dst, src []byte) ([]byte, error) {
		a, err := netip.ParseAddr(string(src))
		switch {
		case err != nil || a.Zone() != "" || version == 4 && !a.Is4():
			return dst, c.misspelt(src)
		case version == 4:
			return hex.AppendEncode(dst, a.AsSlice()), nil
		}
		b := a.As16()
		return hex.AppendEncode(dst, b[:]), nil
	}
}

func (c *Column) dateText(dst, src []byte) ([]byte, error) {
	m, ok := readMoment(src)
	if !ok {
		return dst, c.misspelt(src)
	}
	return append(dst, m.String()[:len("2000-01-01")]...), nil
}

// momentText has six digits after the point when the form has any.
func (c *Column) momentText(dst, src []byte) ([]byte, error) {
	m, ok := readMoment(src)
	if !ok {
		return dst, c.misspelt(src)
	}
	text := m.String()
	if c.Form.Precision == 0 {
		text = text[:len("2000-01-01 00:00:00")]
	}
	return append(dst, text...), nil
}

func (c *Column) microsText(dst, src []byte) ([]byte, error) {
	us, ok := readTime(src)
	if !ok {
		return dst, c.misspelt(src)
	}
	return strconv.AppendInt(dst, us, 10), nil
}
