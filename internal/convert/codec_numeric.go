package convert

import (
	"bytes"
	"encoding/binary"
	"strconv"
)

// The binary form of numeric (numeric_recv in PostgreSQL's numeric.c): int16
// ndigits, weight, sign (0x0000 or 0x4000) and dscale, then ndigits int16 digits
// of base 10000, the first of weight 10000^weight.
const (
	numericHeader   = 8
	numericNegative = 0x4000
)

// decimal writes the text of a DECIMAL.
func (f *field) decimal(dst, src []byte) ([]byte, error) {
	digits := src
	sign := uint16(0)
	if len(digits) > 0 && digits[0] == '-' {
		sign, digits = numericNegative, digits[1:]
	}
	whole, frac, _ := bytes.Cut(digits, []byte{'.'})
	if len(whole)+len(frac) == 0 || !isDigits(whole) || !isDigits(frac) || len(frac) > 1000 || len(whole) > 1000 {
		return dst, f.malformed(src)
	}
	return appendNumeric(dst, whole, frac, sign), nil
}

func isDigits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// appendNumeric writes decimal digits as a numeric field without leading and
// trailing zero groups.
func appendNumeric(dst, whole, frac []byte, sign uint16) []byte {
	for len(whole) > 0 && whole[0] == '0' {
		whole = whole[1:]
	}
	start := len(dst)
	dst = append(dst, make([]byte, 4+numericHeader)...)
	first := start + 4 + numericHeader
	groups := (len(whole) + 3) / 4
	weight := groups - 1
	end := first // behind the last group that is not zero
	for at := len(whole) - 4*groups; at < len(frac)+len(whole); at += 4 {
		g := group(whole, frac, at)
		if g == 0 && len(dst) == first { // a leading zero group
			weight--
			continue
		}
		dst = binary.BigEndian.AppendUint16(dst, g)
		if g != 0 {
			end = len(dst)
		}
	}
	dst = dst[:end]
	n := (end - first) / 2
	if n == 0 {
		weight, sign = 0, 0
	}
	binary.BigEndian.PutUint32(dst[start:], uint32(end-start-4))
	binary.BigEndian.PutUint16(dst[start+4:], uint16(n))
	binary.BigEndian.PutUint16(dst[start+6:], uint16(int16(weight)))
	binary.BigEndian.PutUint16(dst[start+8:], sign)
	binary.BigEndian.PutUint16(dst[start+10:], uint16(len(frac)))
	return dst
}

// group is the four digits at position at of whole and frac put together;
// positions outside are zeros.
func group(whole, frac []byte, at int) uint16 {
	g := uint16(0)
	for i := at; i < at+4; i++ {
		g *= 10
		switch {
		case i < 0:
		case i < len(whole):
			g += uint16(whole[i] - '0')
		case i < len(whole)+len(frac):
			g += uint16(frac[i-len(whole)] - '0')
		}
	}
	return g
}

// numericFromInt writes an integer as a numeric of at most precision digits.
func (f *field) numericFromInt(width int, unsigned bool, precision int) appendFunc {
	return func(dst, src []byte) ([]byte, error) {
		if len(src) != width {
			return dst, f.malformed(src)
		}
		v, sign := loadUint(src), uint16(0)
		if !unsigned {
			if s, _ := loadInt(src, false); s < 0 {
				v, sign = -uint64(s), numericNegative
			} else {
				v = uint64(s)
			}
		}
		var room [20]byte
		digits := strconv.AppendUint(room[:0], v, 10)
		if len(digits) > precision {
			return dst, f.refuse(intText(src, unsigned), "does not fit "+spell(f.column.Target.Type))
		}
		return appendNumeric(dst, digits, nil, sign), nil
	}
}
