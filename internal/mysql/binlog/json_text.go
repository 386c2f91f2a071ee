package binlog

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
)

// appendJSONString prints a string with MySQL's escapes: the short ones, and \u00 for the other control characters.
func appendJSONString(dst, s []byte) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	from := 0
	for i, b := range s {
		if b >= 0x20 && b != '"' && b != '\\' {
			continue
		}
		dst = append(dst, s[from:i]...)
		from = i + 1
		switch b {
		case '"', '\\':
			dst = append(dst, '\\', b)
		case '\b':
			dst = append(dst, `\b`...)
		case '\f':
			dst = append(dst, `\f`...)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		default:
			dst = append(dst, '\\', 'u', '0', '0', digits[b>>4], digits[b&15])
		}
	}
	return append(append(dst, s[from:]...), '"')
}

// double prints a number as the server's my_gcvt does in 23 characters: the shortest digits that give the same number again, in plain notation
// where they fit and the point is at most 15 digits away, else with an exponent. What would then read as an integer gets ".0".
func (p *jsonPrinter) double(f float64) error {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return errJSON
	}
	const width, far = 23, 15
	room := width
	if math.Signbit(f) {
		p.dst = append(p.dst, '-')
		f = -f
		if f != 0 {
			room--
		}
	}
	digits, point := shortest(f)
	for len(digits) > room-exponentRoom(digits, point, far) {
		// Not even the exponent leaves room for all digits.
		digits, point = rounded(f, len(digits)-1)
	}
	n := len(digits)
	var plain int
	switch {
	case point <= 0:
		plain = 2 - point + n
	case point < n:
		plain = n + 1
	default:
		plain = point
	}
	if plain > room || point < 1-far || point > far {
		p.exponent(digits, point-1)
		return nil
	}
	switch {
	case point <= 0:
		p.dst = append(p.dst, "0."...)
		for range -point {
			p.dst = append(p.dst, '0')
		}
		p.dst = append(p.dst, digits...)
	case point < n:
		p.dst = append(append(append(p.dst, digits[:point]...), '.'), digits[point:]...)
	default:
		p.dst = append(p.dst, digits...)
		for range point - n {
			p.dst = append(p.dst, '0')
		}
		p.dst = append(p.dst, ".0"...)
	}
	return nil
}

// exponent prints d.ddde5.
func (p *jsonPrinter) exponent(digits []byte, e int) {
	p.dst = append(p.dst, digits[0])
	if len(digits) > 1 {
		p.dst = append(append(p.dst, '.'), digits[1:]...)
	}
	p.dst = strconv.AppendInt(append(p.dst, 'e'), int64(e), 10)
}

// exponentRoom is what a number with an exponent needs beside its digits, 0 for one that is printed without.
func exponentRoom(digits []byte, point, far int) int {
	if point >= 1-far && point <= far || len(digits) == 1 {
		return 0
	}
	var buf [8]byte
	return 1 + len(strconv.AppendInt(append(buf[:0], 'e'), int64(point-1), 10))
}

// shortest returns the fewest digits that give f again, and how many of them stand before the point.
func shortest(f float64) (digits []byte, point int) { return rounded(f, 0) }

// rounded returns f with n digits, without zeros at the end; n = 0 are as many as needed.
func rounded(f float64, n int) (digits []byte, point int) {
	var buf [32]byte
	s := strconv.AppendFloat(buf[:0], f, 'e', n-1, 64) // d.ddde±dd
	e := len(s) - 1
	for s[e] != 'e' {
		e--
	}
	x, _ := strconv.Atoi(string(s[e+1:])) // it was just printed
	digits = append(make([]byte, 0, 24), s[0])
	if e > 2 {
		digits = append(digits, s[2:e]...)
	}
	for len(digits) > 1 && digits[len(digits)-1] == '0' {
		digits = digits[:len(digits)-1]
	}
	return digits, x + 1
}

// opaque prints a value of an SQL type that JSON does not have. Decimals are numbers; dates and times are strings; of any other the type's
// number and base64.
func (p *jsonPrinter) opaque(typ fieldType, data []byte) error {
	switch typ {
	case fieldNewDecimal:
		if len(data) < 2 || data[0] > 81 || data[1] > data[0] || len(data) != 2+decimalSize(int(data[0]), int(data[1])) {
			return errJSON
		}
		var err error
		p.dst, err = appendDecimal(p.dst, data[2:], int(data[0]), int(data[1]))
		return err
	case fieldDate, fieldTime, fieldDatetime, fieldTimestamp:
		if len(data) != 8 {
			return errJSON
		}
		return p.temporal(typ, int64(binary.LittleEndian.Uint64(data)))
	}
	p.dst = fmt.Appendf(p.dst, `"base64:type%d:`, typ)
	const line = 57 // bytes of 76 characters, after which the server's base64 breaks the line
	for len(data) > line {
		p.dst = append(base64.StdEncoding.AppendEncode(p.dst, data[:line]), '\n')
		data = data[line:]
	}
	p.dst = append(base64.StdEncoding.AppendEncode(p.dst, data), '"')
	return nil
}

// temporal prints a packed time (TIME_to_longlong_packed): 24 bits of microseconds, and above them what newDatetime or newTime describe.
func (p *jsonPrinter) temporal(typ fieldType, v int64) error {
	negative := v < 0
	if negative {
		v = -v
	}
	micro, whole := v&(1<<24-1), uint64(v>>24)
	if v < 0 || micro > 999999 {
		return errJSON
	}
	if typ == fieldTime {
		sign := ""
		if negative {
			sign = "-"
		}
		p.dst = fmt.Appendf(p.dst, `"%s%02d:%02d:%02d.%06d"`, sign, whole>>12&1023, whole>>6&63, whole&63, micro)
		return nil
	}
	t := packed(whole)
	if negative || t.year > 9999 {
		return errJSON
	}
	p.dst = fmt.Appendf(p.dst, `"%04d-%02d-%02d`, t.year, t.month, t.day)
	if typ != fieldDate {
		p.dst = fmt.Appendf(p.dst, " %02d:%02d:%02d.%06d", t.hour, t.minute, t.second, micro)
	}
	p.dst = append(p.dst, '"')
	return nil
}
