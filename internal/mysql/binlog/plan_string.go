package binlog

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/bascule/bascule/internal/schema"
)

// convertString does for everything that is a string in the log what convert does.
func (d *Decoder) convertString(c *column, of *Column, m mapped) error {
	want := []fieldType{fieldVarchar, fieldVarcharCompressed}
	text := of.Text
	switch t := of.Type.(type) {
	case schema.Text:
		switch {
		case t.Fixed:
			want, c.value = []fieldType{fieldString}, unpadded(text)
			return oneOf(m.typ, want)
		case t.MaxBytes > 0:
			want = blobTypes
			if m.meta != blobLength(t.MaxBytes) {
				return errType
			}
		}
	case schema.Binary:
		text = nil
		switch {
		case t.Fixed:
			want, c.value = []fieldType{fieldString}, padded(t.Length)
			return oneOf(m.typ, want)
		case t.MaxBytes > 0:
			want = blobTypes
			if m.meta != blobLength(t.MaxBytes) {
				return errType
			}
		}
	case schema.JSON:
		if t.Parsed {
			c.value = jsonText
			return oneOf(m.typ, []fieldType{fieldJSON})
		}
		want = blobTypes // MariaDB: text
	case schema.UUID:
		c.value = fixedBinary(16, appendUUID)
		return oneOf(m.typ, []fieldType{fieldString})
	case schema.Inet:
		c.value = fixedBinary(16, appendInet6)
		if t.Version == 4 {
			c.value = fixedBinary(4, appendInet4)
		}
		return oneOf(m.typ, []fieldType{fieldString})
	case schema.Geometry:
		return oneOf(m.typ, []fieldType{fieldGeometry})
	case schema.Vector:
		return oneOf(m.typ, []fieldType{fieldVector, fieldVarchar}) // MySQL's own, MariaDB's
	}
	c.value = text
	if m.typ == fieldBlobCompressed || m.typ == fieldVarcharCompressed {
		c.value = d.compressed(text)
	}
	return oneOf(m.typ, want)
}

var blobTypes = []fieldType{fieldBlob, fieldBlobCompressed}

func oneOf(typ fieldType, want []fieldType) error {
	if !slices.Contains(want, typ) {
		return errType
	}
	return nil
}

// blobLength is how many bytes the length of a value of at most n bytes has.
func blobLength(n int64) uint16 {
	switch {
	case n < 1<<8:
		return 1
	case n < 1<<16:
		return 2
	case n < 1<<24:
		return 3
	}
	return 4
}

// unpadded takes the spaces off the end of a CHAR, as a SELECT does; the servers log it without, except in character sets of
// several bytes.
func unpadded(text func(dst, src []byte) ([]byte, error)) func(dst, src []byte) ([]byte, error) {
	return func(dst, src []byte) ([]byte, error) {
		at := len(dst)
		if text == nil {
			dst = append(dst, src...)
		} else {
			var err error
			if dst, err = text(dst, src); err != nil {
				return dst, err
			}
		}
		return dst[:at+len(bytes.TrimRight(dst[at:], " "))], nil
	}
}

// padded gives a BINARY(n) back the zeros that are not logged.
func padded(n int) func(dst, src []byte) ([]byte, error) {
	return func(dst, src []byte) ([]byte, error) {
		if len(src) > n {
			return dst, fmt.Errorf("%d bytes in BINARY(%d)", len(src), n)
		}
		dst = append(dst, src...)
		for range n - len(src) {
			dst = append(dst, 0)
		}
		return dst, nil
	}
}

// fixedBinary prints a type of n bytes that is logged like BINARY(n).
func fixedBinary(n int, print func(dst, p []byte) []byte) func(dst, src []byte) ([]byte, error) {
	return func(dst, src []byte) ([]byte, error) {
		var full [16]byte
		if copy(full[:n], src) < len(src) {
			return dst, fmt.Errorf("%d bytes in a type of %d", len(src), n)
		}
		return print(dst, full[:n]), nil
	}
}

// compressed expands a value of MariaDB's COMPRESSED column, and then translates it.
func (d *Decoder) compressed(text func(dst, src []byte) ([]byte, error)) func(dst, src []byte) ([]byte, error) {
	if text == nil {
		return d.inflate.column
	}
	var plain []byte
	return func(dst, src []byte) ([]byte, error) {
		var err error
		if plain, err = d.inflate.column(plain[:0], src); err != nil {
			return dst, err
		}
		return text(dst, plain)
	}
}

var errMembers = errors.New("the log has other members")

// sameMembers compares members with those that the log has, where it has them. Theirs are in the column's own character set.
func sameMembers(logged [][]byte, members []string, charset string) error {
	if logged == nil {
		return nil
	}
	if len(logged) != len(members) {
		return errMembers
	}
	unicode := charset == "utf8mb4" || charset == "utf8mb3" || charset == "utf8" || charset == "ascii"
	for i, m := range members {
		if unicode && string(logged[i]) != m {
			return fmt.Errorf("%w: %q is %q in the table", errMembers, logged[i], m)
		}
	}
	return nil
}

// enum plans an ENUM: a number of 1 or 2 bytes, from 1 on; 0 is the value that was no member, which reads as ”.
func (m mapped) enum(c *column, t schema.Enum) error {
	if m.typ != fieldEnum || c.size < 1 || c.size > 2 {
		return errType
	}
	c.value = func(dst, src []byte) ([]byte, error) {
		n := int(little(src))
		if n == 0 {
			return dst, nil
		}
		if n > len(t.Members) {
			return dst, fmt.Errorf("member %d of %d", n, len(t.Members))
		}
		return append(dst, t.Members[n-1]...), nil
	}
	return sameMembers(m.members, t.Members, t.Charset)
}

// set plans a SET: a bit for each member, the first the lowest.
func (m mapped) set(c *column, t schema.Set) error {
	if m.typ != fieldSet || c.size < 1 || c.size > 8 {
		return errType
	}
	c.value = func(dst, src []byte) ([]byte, error) {
		bits, at := little(src), len(dst)
		for i, label := range t.Members {
			if bits>>i&1 == 0 {
				continue
			}
			if len(dst) > at {
				dst = append(dst, ',')
			}
			dst = append(dst, label...)
		}
		if n := len(t.Members); n < 64 && bits>>n != 0 {
			return dst, fmt.Errorf("bits %#x of %d members", bits, n)
		}
		return dst, nil
	}
	return sameMembers(m.members, t.Members, t.Charset)
}
