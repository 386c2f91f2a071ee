package convert

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
)

// BackCodec is the inverse of a column's codec: it appends to dst the value that
// the source's binary protocol would send (see change.Batch), from the payload of
// PostgreSQL's binary form, without its length. NULL never reaches it: a NULL that
// an accepted loss made stays NULL. It allocates nothing for a value and keeps no
// state, so it is safe for concurrent use.
type BackCodec func(dst, src []byte) ([]byte, error)

// Back returns the inverse of every column that travels, in the order of
// Select.Columns. A value that PostgreSQL holds and the source's type cannot
// is an error that names the column and the value.
func (t *Table) Back() ([]BackCodec, error) {
	var codecs []BackCodec
	for i := range t.Columns {
		c := &t.Columns[i]
		if !c.Travels {
			continue
		}
		codec := (&back{column: c}).codec()
		if codec == nil {
			return nil, fmt.Errorf("plan the way back of %s.%s: no codec leads from %s to %s",
				c.table, c.Source.Name, spell(c.Target.Type), spellSource(c.Source.Type))
		}
		codecs = append(codecs, codec)
	}
	return codecs, nil
}

// back is what an inverse codec knows of its column.
type back struct{ column *Column }

func (b *back) codec() BackCodec {
	switch src := b.column.Source.Type.(type) {
	case schema.Int:
		return b.toInt(src.Bits, src.Unsigned)
	case schema.Year:
		return b.toInt(16, true)
	case schema.Bit:
		return b.toBit(src.N)
	case schema.Decimal:
		return b.toDecimal(src.Scale)
	case schema.Float:
		return b.toFloat(src.Bits)
	case schema.Date:
		return b.toDate
	case schema.DateTime:
		return b.toDateTime
	case schema.Timestamp:
		return b.toDateTime
	case schema.Time:
		return b.toTime
	}
	return b.toString()
}

// toString plans the inverse for what the source receives as bytes or text.
func (b *back) toString() BackCodec {
	switch dst := b.column.Target.Type.(type) {
	case schema.Text, schema.Enum, schema.Binary:
		return func(dst, src []byte) ([]byte, error) { return append(dst, src...), nil }
	case schema.JSON:
		if dst.Parsed {
			return b.fromJSONB
		}
		return func(dst, src []byte) ([]byte, error) { return append(dst, src...), nil }
	case schema.TextArray:
		return b.fromArray
	case schema.UUID:
		if _, ok := b.column.Source.Type.(schema.Binary); ok {
			return b.fromUUIDRaw
		}
		return b.fromUUID
	case schema.Inet:
		return b.fromInet
	case schema.Geometry:
		return b.fromGeometry
	}
	return nil
}

func (b *back) refuse(value, why string) error {
	return fault.New(fault.Data, fmt.Sprintf("convert %s.%s back", b.column.table, b.column.Source.Name),
		fmt.Errorf("the value %s %s", shorten(value), why), "")
}

func (b *back) malformed(src []byte) error {
	return b.refuse(fmt.Sprintf("0x%x", shortened(src)), "is not a "+spell(b.column.Target.Type)+" in the binary format")
}

// toInt writes a little-endian integer of the source's width, range checked.
func (b *back) toInt(bits int, unsigned bool) BackCodec {
	width := intWidth(bits)
	if _, ok := b.column.Target.Type.(schema.Decimal); ok {
		return b.intFromNumeric(bits, unsigned)
	}
	low, high := intRange(bits, unsigned)
	return func(dst, src []byte) ([]byte, error) {
		var v int64
		switch len(src) {
		case 1:
			v = int64(src[0])
		case 2:
			v = int64(int16(binary.BigEndian.Uint16(src)))
		case 4:
			v = int64(int32(binary.BigEndian.Uint32(src)))
		case 8:
			v = int64(binary.BigEndian.Uint64(src))
		default:
			return dst, b.malformed(src)
		}
		if v < low || v > high {
			return dst, b.refuse(fmt.Sprint(v), "does not fit "+spellSource(b.column.Source.Type))
		}
		return appendLittle(dst, uint64(v), width), nil
	}
}

// intRange is the range of a source integer as far as int64 goes.
func intRange(bits int, unsigned bool) (low, high int64) {
	switch {
	case !unsigned:
		return math.MinInt64 >> (64 - bits), math.MaxInt64 >> (64 - bits)
	case bits == 64:
		return 0, math.MaxInt64
	}
	return 0, 1<<bits - 1
}

// appendLittle appends the low width bytes of v.
func appendLittle(dst []byte, v uint64, width int) []byte {
	for range width {
		dst = append(dst, byte(v))
		v >>= 8
	}
	return dst
}

// toBit writes right-aligned bits.
func (b *back) toBit(n int) BackCodec {
	bytes := (n + 7) / 8
	shift := 8*bytes - n
	if _, ok := b.column.Target.Type.(schema.Bool); ok {
		return b.toInt(8, true)
	}
	return func(dst, src []byte) ([]byte, error) {
		if len(src) != 4+bytes || int(binary.BigEndian.Uint32(src)) != n {
			return dst, b.malformed(src)
		}
		before := byte(0)
		for _, c := range src[4:] {
			dst = append(dst, before<<(8-shift)|c>>shift)
			before = c
		}
		return dst, nil
	}
}

// toFloat writes IEEE bits; a double that became wider than its source is
// narrowed only when nothing is lost.
func (b *back) toFloat(bits int) BackCodec {
	return func(dst, src []byte) ([]byte, error) {
		switch {
		case len(src) == 4 && bits == 32:
			return appendLittle(dst, uint64(binary.BigEndian.Uint32(src)), 4), nil
		case len(src) == 8 && bits == 64:
			return appendLittle(dst, binary.BigEndian.Uint64(src), 8), nil
		case len(src) == 8:
			wide := math.Float64frombits(binary.BigEndian.Uint64(src))
			narrow := float32(wide)
			if float64(narrow) != wide {
				return dst, b.refuse(fmt.Sprint(wide), "does not fit FLOAT")
			}
			return appendLittle(dst, uint64(math.Float32bits(narrow)), 4), nil
		}
		return dst, b.malformed(src)
	}
}
