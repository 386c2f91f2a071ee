package binlog

import (
	"bytes"
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

// double prints a number as the server's my_gcvt does: the fewest digits that give the same number again, in plain notation while
// that puts at most 14 zeros behind the point, or the point within the digits or the first 15 of them, else with an exponent. What would then
// read as an integer gets ".0".
func (p *jsonPrinter) double(f float64) error {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return errJSON
	}
	const far = 15
	var buf [32]byte
	s := strconv.AppendFloat(buf[:0], f, 'e', -1, 64) // -d.ddde-dd
	if s[0] == '-' {
		p.dst, s = append(p.dst, '-'), s[1:]
	}
	digits, e, _ := bytes.Cut(s, []byte{'e'})
	exponent := 0
	for _, c := range e[1:] {
		exponent = 10*exponent + int(c-'0')
	}
	if e[0] == '-' {
		exponent = -exponent
	}
	behind := max(0, len(digits)-2) // the first digit and the point
	if exponent < -far || exponent >= far && behind <= exponent {
		p.dst = strconv.AppendInt(append(append(p.dst, digits...), 'e'), int64(exponent), 10)
		return nil
	}
	p.dst = strconv.AppendFloat(p.dst, math.Abs(f), 'f', -1, 64)
	if behind <= exponent {
		p.dst = append(p.dst, ".0"...)
	}
	return nil
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
	default:
	}
	p.dst = fmt.Appendf(p.dst, `"base64:type%d:`, typ)
	const line = 57 // bytes of 76 characters, after which the server's base64 breaks the line, which it then escapes
	for len(data) > line {
		p.dst = append(base64.StdEncoding.AppendEncode(p.dst, data[:line]), `\n`...)
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
