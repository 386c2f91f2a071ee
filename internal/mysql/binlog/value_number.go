package binlog

import (
	"encoding/binary"
	"errors"
	"strconv"
)

// mediumSigned widens a MEDIUMINT's 3 bytes to 4.
func mediumSigned(dst, src []byte) ([]byte, error) {
	var sign byte
	if src[2]&0x80 != 0 {
		sign = 0xff
	}
	return append(dst, src[0], src[1], src[2], sign), nil
}

func mediumUnsigned(dst, src []byte) ([]byte, error) { return append(dst, src[0], src[1], src[2], 0), nil }

// year turns years since 1900, or 0, into the year.
func year(dst, src []byte) ([]byte, error) {
	y := uint16(src[0])
	if y != 0 {
		y += 1900
	}
	return binary.LittleEndian.AppendUint16(dst, y), nil
}

// digitBytes is how many bytes that many decimal digits take (dig2bytes of the servers' decimal.c); 9 digits take 4.
var digitBytes = [...]int{0, 1, 1, 2, 2, 3, 3, 4, 4, 4}

// decimalSize is how long a DECIMAL of that precision and scale is.
func decimalSize(precision, scale int) int {
	if scale > precision {
		return 0
	}
	whole := precision - scale
	return whole/9*4 + digitBytes[whole%9] + scale/9*4 + digitBytes[scale%9]
}

var errDecimal = errors.New("a decimal with a digit beyond 9")

var powers = [...]uint32{1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000}

// decimalOf prints DECIMALs of that precision and scale.
func decimalOf(precision, scale int) func(dst, src []byte) ([]byte, error) {
	return func(dst, src []byte) ([]byte, error) { return appendDecimal(dst, src, precision, scale) }
}

// appendDecimal prints src, which has decimalSize bytes: groups of 9 digits as big-endian numbers, counted from the point, the
// highest bit inverted, and all of them in a negative number.
func appendDecimal(dst, src []byte, precision, scale int) ([]byte, error) {
	if len(src) == 0 {
		return dst, errShort
	}
	var flip uint32
	if src[0]&0x80 == 0 {
		flip = 0xffffffff
		dst = append(dst, '-')
	}
	first := uint32(0x80) // inverted in the first byte only
	group := func(digits int) (uint32, bool) {
		n := digitBytes[digits]
		v := uint32(big(src[:n])) ^ first<<(8*(n-1))
		first = 0
		v ^= flip >> (32 - 8*n)
		src = src[n:]
		return v, v < powers[digits]
	}
	whole := precision - scale
	at, ok := len(dst), true
	emit := func(digits int) {
		v, fits := group(digits)
		ok = ok && fits
		if len(dst) == at { // no leading zeros
			if v != 0 {
				dst = strconv.AppendUint(dst, uint64(v), 10)
			}
			return
		}
		dst = appendDigits(dst, v, digits)
	}
	if n := whole % 9; n > 0 {
		emit(n)
	}
	for range whole / 9 {
		emit(9)
	}
	if len(dst) == at {
		dst = append(dst, '0')
	}
	if scale > 0 {
		dst = append(dst, '.')
		for range scale / 9 {
			emit(9)
		}
		if n := scale % 9; n > 0 {
			emit(n)
		}
	}
	if !ok {
		return dst, errDecimal
	}
	return dst, nil
}

// appendDigits prints v with that many digits.
func appendDigits(dst []byte, v uint32, digits int) []byte {
	for i := digits - 1; i >= 0; i-- {
		dst = append(dst, '0'+byte(v/powers[i]%10))
	}
	return dst
}
