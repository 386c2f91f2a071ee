package convert

import (
	"encoding/binary"
	"math"
	"strconv"

	"github.com/bascule/bascule/internal/schema"
)

// fromInt plans the codec of an integer of that width. MEDIUMINT travels in four
// bytes, YEAR in two.
func (f *field) fromInt(bits int, unsigned bool, dst schema.Type) appendFunc {
	width := intWidth(bits)
	switch dst := dst.(type) {
	case schema.Bool:
		return f.boolFromInt(width)
	case schema.Decimal:
		return f.numericFromInt(width, unsigned, dst.Precision)
	case schema.Int:
		switch {
		case !unsigned && width == 4 && dst.Bits == 32:
			return f.int4
		case !unsigned && width == 8 && dst.Bits == 64:
			return f.int8
		}
		return f.intTo(width, unsigned, dst.Bits)
	}
	return nil
}

// intWidth is the bytes of an integer in the binary protocol.
func intWidth(bits int) int {
	if bits == 24 {
		return 4
	}
	return bits / 8
}

// int4 and int8 are the two most frequent cases, which need no range check.
func (f *field) int4(dst, src []byte) ([]byte, error) {
	if len(src) != 4 {
		return dst, f.malformed(src)
	}
	return append(dst, 0, 0, 0, 4, src[3], src[2], src[1], src[0]), nil
}

func (f *field) int8(dst, src []byte) ([]byte, error) {
	if len(src) != 8 {
		return dst, f.malformed(src)
	}
	return append(dst, 0, 0, 0, 8, src[7], src[6], src[5], src[4], src[3], src[2], src[1], src[0]), nil
}

// intTo writes an integer of another width or sign, range checked.
func (f *field) intTo(width int, unsigned bool, bits int) appendFunc {
	largest := int64(math.MaxInt64) >> (64 - bits)
	return func(dst, src []byte) ([]byte, error) {
		if len(src) != width {
			return dst, f.malformed(src)
		}
		v, ok := loadInt(src, unsigned)
		if !ok || v > largest || v < -largest-1 {
			return dst, f.refuse(intText(src, unsigned), "does not fit "+spell(f.column.Target.Type))
		}
		switch bits {
		case 16:
			return append(dst, 0, 0, 0, 2, byte(v>>8), byte(v)), nil
		case 32:
			return binary.BigEndian.AppendUint32(append(dst, 0, 0, 0, 4), uint32(v)), nil
		}
		return binary.BigEndian.AppendUint64(append(dst, 0, 0, 0, 8), uint64(v)), nil
	}
}

// loadInt reads a little-endian integer; ok is false beyond int64.
func loadInt(src []byte, unsigned bool) (v int64, ok bool) {
	u := loadUint(src)
	if unsigned {
		return int64(u), u <= math.MaxInt64
	}
	shift := 64 - 8*len(src)
	return int64(u<<shift) >> shift, true
}

func loadUint(src []byte) uint64 {
	switch len(src) {
	case 1:
		return uint64(src[0])
	case 2:
		return uint64(binary.LittleEndian.Uint16(src))
	case 4:
		return uint64(binary.LittleEndian.Uint32(src))
	}
	return binary.LittleEndian.Uint64(src)
}

// intText writes an integer for an error.
func intText(src []byte, unsigned bool) string {
	if v, ok := loadInt(src, unsigned); ok {
		return strconv.FormatInt(v, 10)
	}
	return strconv.FormatUint(loadUint(src), 10)
}

// boolFromInt accepts 0 and 1 alone: a 2 must stop the copy, not become true.
func (f *field) boolFromInt(width int) appendFunc {
	return func(dst, src []byte) ([]byte, error) {
		if len(src) != width {
			return dst, f.malformed(src)
		}
		v := loadUint(src)
		if v > 1 {
			return dst, f.refuse(intText(src, false), "is neither 0 nor 1 and does not fit boolean")
		}
		return append(dst, 0, 0, 0, 1, byte(v)), nil
	}
}

// fromBit plans the codec of BIT(n), which the protocol sends big-endian in as
// few bytes as hold n bits, right-aligned; PostgreSQL's are left-aligned.
func (f *field) fromBit(n int, dst schema.Type) appendFunc {
	bytes := (n + 7) / 8
	shift := 8*bytes - n
	if _, ok := dst.(schema.Bool); ok {
		return f.boolFromInt(1)
	}
	return func(dst, src []byte) ([]byte, error) {
		if len(src) != bytes || src[0]>>(8-shift) != 0 {
			return dst, f.malformed(src)
		}
		dst = put32(put32(dst, 4+bytes), n)
		for i, b := range src {
			next := byte(0)
			if i+1 < bytes {
				next = src[i+1]
			}
			dst = append(dst, b<<shift|next>>(8-shift))
		}
		return dst, nil
	}
}

// fromFloat plans the codec of FLOAT and DOUBLE: the same IEEE bits, or the
// wider number that equals them.
func (f *field) fromFloat(bits int, dst schema.Type) appendFunc {
	to, ok := dst.(schema.Float)
	switch {
	case !ok || to.Bits < bits:
		return nil
	case bits == 64:
		return f.int8
	case to.Bits == 32:
		return f.int4
	}
	return func(dst, src []byte) ([]byte, error) {
		if len(src) != 4 {
			return dst, f.malformed(src)
		}
		wide := math.Float64bits(float64(math.Float32frombits(binary.LittleEndian.Uint32(src))))
		return binary.BigEndian.AppendUint64(append(dst, 0, 0, 0, 8), wide), nil
	}
}
