package convert

import (
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"

	"github.com/bascule/bascule/internal/schema"
)

// numeric is a parsed numeric field.
type numeric struct {
	digits   []byte // two bytes a digit of base 10000
	weight   int
	negative bool
}

// readNumeric parses a numeric; NaN and the infinities are not ok.
func readNumeric(src []byte) (n numeric, ok bool) {
	if len(src) < numericHeader {
		return n, false
	}
	count := int(binary.BigEndian.Uint16(src))
	n.weight = int(int16(binary.BigEndian.Uint16(src[2:])))
	sign := binary.BigEndian.Uint16(src[4:])
	n.digits = src[numericHeader:]
	n.negative = sign == numericNegative
	if len(n.digits) != 2*count || sign != 0 && !n.negative {
		return n, false
	}
	for i := range count {
		if binary.BigEndian.Uint16(n.digits[2*i:]) > 9999 {
			return n, false
		}
	}
	return n, true
}

// at returns the digit of weight 10000^w.
func (n numeric) at(w int) uint16 {
	i := n.weight - w
	if i < 0 || 2*i >= len(n.digits) {
		return 0
	}
	return binary.BigEndian.Uint16(n.digits[2*i:])
}

// last is the weight of the last digit.
func (n numeric) last() int { return n.weight - len(n.digits)/2 + 1 }

// maxWeight is beyond every DECIMAL: 65 digits are 17 groups.
const maxWeight = 17

// toDecimal writes the text of a DECIMAL with exactly scale digits after the
// point, as the server prints it.
func (b *back) toDecimal(scale int) BackCodec {
	d, _ := b.column.Source.Type.(schema.Decimal)
	return func(dst, src []byte) ([]byte, error) {
		n, ok := readNumeric(src)
		if !ok || n.weight > maxWeight {
			return dst, b.malformed(src)
		}
		if n.negative && len(n.digits) > 0 {
			dst = append(dst, '-')
		}
		start := len(dst)
		for w := n.weight; w >= 0; w-- {
			dst = appendGroup(dst, n.at(w), len(dst) > start)
		}
		if len(dst) == start {
			dst = append(dst, '0')
		} else if len(dst)-start > d.Precision-scale {
			return dst, b.malformed(src)
		}
		if !n.fits(scale) {
			return dst, b.malformed(src)
		}
		if scale == 0 {
			return dst, nil
		}
		dst = append(dst, '.')
		for i := range scale {
			dst = append(dst, '0'+byte(n.at(-1-i/4)/power[3-i%4]%10))
		}
		return dst, nil
	}
}

// power is the powers of ten within a digit of base 10000.
var power = [4]uint16{1, 10, 100, 1000}

// fits reports whether no digit other than 0 stands behind scale places.
func (n numeric) fits(scale int) bool {
	for w := -1; w >= n.last(); w-- {
		for i := range 4 {
			if place := -w*4 - 4 + i; place >= scale && n.at(w)/power[3-i]%10 != 0 {
				return false
			}
		}
	}
	return true
}

// appendGroup appends a digit of base 10000, with its leading zeros when full.
func appendGroup(dst []byte, g uint16, full bool) []byte {
	for i := 3; i >= 0; i-- {
		c := byte(g / power[i] % 10)
		if full = full || c != 0; full {
			dst = append(dst, '0'+c)
		}
	}
	return dst
}

// intFromNumeric writes an integer that PostgreSQL keeps as numeric.
func (b *back) intFromNumeric(size int, unsigned bool) BackCodec {
	width := intWidth(size)
	low, high := intRange(size, unsigned)
	limit := uint64(high)
	if unsigned && size == 64 {
		limit = math.MaxUint64
	}
	return func(dst, src []byte) ([]byte, error) {
		n, ok := readNumeric(src)
		if !ok || !n.fits(0) || n.weight > 5 {
			return dst, b.malformed(src)
		}
		var v uint64
		for w := n.weight; w >= 0; w-- {
			over, product := bits.Mul64(v, 10000)
			sum, carry := bits.Add64(product, uint64(n.at(w)), 0)
			if over != 0 || carry != 0 {
				return dst, b.malformed(src)
			}
			v = sum
		}
		negative := n.negative && v != 0
		if negative && v > -uint64(low) || !negative && v > limit {
			return dst, b.refuse(strconv.FormatUint(v, 10), "does not fit "+spellSource(b.column.Source.Type))
		}
		if negative {
			v = -v
		}
		return appendLittle(dst, v, width), nil
	}
}
