package wire

import (
	"encoding/binary"

	"github.com/bascule/bascule/internal/change"
)

// A kind says how the binary form of a column's values is framed. Kinds up to kindFixed are the width itself.
type kind uint8

const (
	kindFixed  kind = 8  // the widest value without a length
	kindString kind = 9  // length-encoded
	kindDate   kind = 10 // one byte of length: 0, 4, 7 or 11
	kindTime   kind = 11 // one byte of length: 0, 8 or 12
)

// planKinds decides once per result how its columns are framed. A type that is not known stops: its rows could not be told
// apart.
func planKinds(columns []Column) ([]kind, error) {
	kinds := make([]kind, len(columns))
	for i, c := range columns {
		switch c.Type {
		case TypeNull:
			kinds[i] = 0
		case TypeTiny:
			kinds[i] = 1
		case TypeShort, TypeYear:
			kinds[i] = 2
		case TypeLong, TypeInt24, TypeFloat:
			kinds[i] = 4
		case TypeLongLong, TypeDouble:
			kinds[i] = 8
		case TypeDate, TypeDatetime, TypeTimestamp, TypeNewDate:
			kinds[i] = kindDate
		case TypeTime:
			kinds[i] = kindTime
		case TypeDecimal, TypeNewDecimal, TypeVarchar, TypeVarString, TypeString, TypeBit, TypeEnum, TypeSet, TypeJSON,
			TypeVector, TypeTinyBlob, TypeBlob, TypeMediumBlob, TypeLongBlob, TypeGeometry:
			kinds[i] = kindString
		default:
			return nil, protocolErrorf("column %s has a type that is not known", c)
		}
	}
	return kinds, nil
}

var errShortRow = &ProtocolError{What: "row ends within a value"}

// splitBinary finds the values of one binary row, data[lo:hi], and sets one span for each in out, which has the length of kinds.
// Layout: 0x00, NULL bits (starting at bit 2), the values that are not NULL.
func splitBinary(kinds []kind, data []byte, lo, hi int, out []change.Span) error {
	row := data[lo:hi]
	pos := 1 + (len(kinds)+9)/8
	if len(row) < pos {
		return errShortRow
	}
	bits := row[1:pos]
	for i, k := range kinds {
		bit := uint(i + 2)
		if bits[bit>>3]>>(bit&7)&1 != 0 {
			out[i] = change.Span{Len: change.NullLen}
			continue
		}
		n := int(k)
		if k > kindFixed {
			if pos >= len(row) {
				return errShortRow
			}
			n = int(row[pos])
			pos++
			switch {
			case k != kindString:
				if !timeLength(k, n) {
					return protocolErrorf("%d bytes in a date or time", n)
				}
			case n >= 0xfb:
				var ok bool
				if n, pos, ok = longLength(row, pos, byte(n)); !ok {
					return errShortRow
				}
			}
		}
		if n > len(row)-pos {
			return errShortRow
		}
		out[i] = change.Span{Off: uint32(lo + pos), Len: uint32(n)}
		pos += n
	}
	if pos != len(row) {
		return protocolErrorf("%d bytes after the last value of a row", len(row)-pos)
	}
	return nil
}

func timeLength(k kind, n int) bool {
	if k == kindTime {
		return n == 0 || n == 8 || n == 12
	}
	return n == 0 || n == 4 || n == 7 || n == 11
}

// longLength reads the rest of a length whose first byte is not the length itself. A length beyond the row is not ok, nor is
// one that is no length.
func longLength(row []byte, pos int, first byte) (n, next int, ok bool) {
	rest := row[pos:]
	switch {
	case first == 0xfc && len(rest) >= 2:
		return int(binary.LittleEndian.Uint16(rest)), pos + 2, true
	case first == 0xfd && len(rest) >= 3:
		return getUint24(rest), pos + 3, true
	case first == 0xfe && len(rest) >= 8:
		// A hint about a row that is still being read may exceed it, but not what an int and a span can hold.
		v := binary.LittleEndian.Uint64(rest)
		return int(v), pos + 8, v < 1<<31
	}
	return 0, pos, false
}

// splitText finds the values of one text row, data[lo:hi]: each is length-encoded, or 0xfb for NULL.
func splitText(data []byte, lo, hi int, out []change.Span) error {
	row, pos := data[lo:hi], 0
	for i := range out {
		if pos >= len(row) {
			return errShortRow
		}
		n := int(row[pos])
		pos++
		if n == 0xfb {
			out[i] = change.Span{Len: change.NullLen}
			continue
		}
		if n > 0xfb {
			var ok bool
			if n, pos, ok = longLength(row, pos, byte(n)); !ok {
				return errShortRow
			}
		}
		if n > len(row)-pos {
			return errShortRow
		}
		out[i] = change.Span{Off: uint32(lo + pos), Len: uint32(n)}
		pos += n
	}
	if pos != len(row) {
		return protocolErrorf("%d bytes after the last value of a row", len(row)-pos)
	}
	return nil
}

// sizeHint returns a lower bound of the length of the whole row of which part is the beginning: up to the end of the value in
// which the part ends. It lets a giant row's buffer grow once.
func sizeHint(kinds []kind, columns int, part []byte) int {
	pos := 0
	if kinds != nil {
		if pos = 1 + (len(kinds)+9)/8; len(part) < pos {
			return pos
		}
	}
	for i := range columns {
		if pos >= len(part) {
			return pos
		}
		var n int
		switch {
		case kinds != nil && part[1+(i+2)/8]>>((i+2)%8)&1 != 0:
			continue
		case kinds != nil && kinds[i] <= kindFixed:
			n = int(kinds[i])
		default:
			first := part[pos]
			pos++
			if n = int(first); first == 0xfb {
				n = 0
			} else if first > 0xfb {
				var ok bool
				if n, pos, ok = longLength(part, pos, first); !ok {
					return pos
				}
			}
		}
		pos += n
	}
	return pos
}
