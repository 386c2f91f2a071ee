package binlog

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/bascule/bascule/internal/schema"
)

// temporal plans a date or a time: since MySQL 5.6.4 with a precision of its own in the log, before without.
func (m mapped) temporal(c *column, t schema.Type) error {
	var old, current fieldType
	var precision int
	switch t := t.(type) {
	case schema.Date:
		c.value = date
		if m.typ != fieldDate && m.typ != fieldNewDate {
			return errType
		}
		return nil
	case schema.Time:
		old, current, precision = fieldTime, fieldTime2, t.Precision
	case schema.DateTime:
		old, current, precision = fieldDatetime, fieldDatetime2, t.Precision
	case schema.Timestamp:
		old, current, precision = fieldTimestamp, fieldTimestamp2, t.Precision
	}
	switch {
	case m.typ == current && int(m.meta) == precision && precision <= 6:
	case m.typ == old && precision == 0:
	case m.typ == old:
		return errors.New("the log has a fraction in the form of MariaDB before 10.1: ALTER TABLE ... FORCE with mysql56_temporal_format = ON gives it the new one")
	default:
		return errType
	}
	c.value = map[fieldType]func(dst, src []byte) ([]byte, error){
		fieldTime: oldTime, fieldTime2: newTime, fieldDatetime: oldDatetime, fieldDatetime2: newDatetime,
		fieldTimestamp: oldTimestamp, fieldTimestamp2: newTimestamp,
	}[m.typ]
	return nil
}

// moment is a date and a time of day in parts.
type moment struct{ year, month, day, hour, minute, second, micro uint32 }

// append writes the binary protocol's form: as little of 11 bytes as the parts need, 7 without a fraction, 4 without a time, 0 without anything.
func (t moment) append(dst []byte) []byte {
	rest := t.hour | t.minute | t.second
	if t.year|t.month|t.day|rest|t.micro == 0 {
		return dst
	}
	dst = append(dst, byte(t.year), byte(t.year>>8), byte(t.month), byte(t.day))
	if rest|t.micro == 0 {
		return dst
	}
	dst = append(dst, byte(t.hour), byte(t.minute), byte(t.second))
	if t.micro == 0 {
		return dst
	}
	return binary.LittleEndian.AppendUint32(dst, t.micro)
}

// date reads day 5 bits, month 4, year 15, little-endian.
func date(dst, src []byte) ([]byte, error) {
	v := uint32(src[0]) | uint32(src[1])<<8 | uint32(src[2])<<16
	return moment{year: v >> 9, month: v >> 5 & 15, day: v & 31}.append(dst), nil
}

// micros reads a fraction of 0 to 3 bytes, big-endian, of two digits each, in microseconds.
func micros(p []byte) uint32 {
	switch v := uint32(big(p)); len(p) {
	case 1:
		return v * 10000
	case 2:
		return v * 100
	default:
		return v
	}
}

var errMoment = errors.New("a date or time with an impossible part")

// newDatetime reads 5 bytes, big-endian, and a fraction: a sign 1 bit (always set), 13 times the year and the month 17, day 5, hour 5,
// minute 6, second 6.
func newDatetime(dst, src []byte) ([]byte, error) {
	v := big(src[:5])
	if v&(1<<39) == 0 {
		return dst, errMoment
	}
	t := packed(v &^ (1 << 39))
	if t.micro = micros(src[5:]); t.micro > 999999 {
		return dst, errMoment
	}
	return t.append(dst), nil
}

// packed takes apart 13 times the year and the month, day 5 bits, hour 5, minute 6, second 6.
func packed(v uint64) moment {
	months := uint32(v >> 22)
	return moment{
		year: months / 13, month: months % 13, day: uint32(v >> 17 & 31),
		hour: uint32(v >> 12 & 31), minute: uint32(v >> 6 & 63), second: uint32(v & 63),
	}
}

// oldDatetime reads the number YYYYMMDDhhmmss.
func oldDatetime(dst, src []byte) ([]byte, error) {
	v := binary.LittleEndian.Uint64(src)
	if v > 99991231235959 {
		return dst, errMoment
	}
	d, t := uint32(v/1000000), uint32(v%1000000)
	return moment{year: d / 10000, month: d / 100 % 100, day: d % 100, hour: t / 10000, minute: t / 100 % 100, second: t % 100}.append(dst), nil
}

// newTimestamp reads seconds since 1970, big-endian, and a fraction; nothing at all is the zero date.
func newTimestamp(dst, src []byte) ([]byte, error) {
	return appendInstant(dst, binary.BigEndian.Uint32(src), micros(src[4:]))
}

// oldTimestamp reads seconds since 1970, little-endian.
func oldTimestamp(dst, src []byte) ([]byte, error) {
	return appendInstant(dst, binary.LittleEndian.Uint32(src), 0)
}

func appendInstant(dst []byte, seconds, micro uint32) ([]byte, error) {
	if micro > 999999 {
		return dst, errMoment
	}
	if seconds == 0 && micro == 0 {
		return dst, nil
	}
	t := civil(seconds / 86400)
	s := seconds % 86400
	t.hour, t.minute, t.second, t.micro = s/3600, s/60%60, s%60, micro
	return t.append(dst), nil
}

// civil turns days since 1970 into a date of the Gregorian calendar. It counts years from March on, so that the leap day is their last.
func civil(days uint32) moment {
	days += 719468 // from 0000-03-01
	era, day := days/146097, days%146097
	year := (day - day/1460 + day/36524 - day/146096) / 365
	day -= 365*year + year/4 - year/100
	month := (5*day + 2) / 153 // 0 is March
	t := moment{year: year + 400*era, month: month + 3, day: day - (153*month+2)/5 + 1}
	if t.month > 12 {
		t.month -= 12
		t.year++
	}
	return t
}

// newTime reads 3 bytes, big-endian, and a fraction, together one number with an offset of half its range: a sign 1 bit (set when it is
// not negative), a bit that is not used, hours 10, minutes 6, seconds 6.
func newTime(dst, src []byte) ([]byte, error) {
	bits := uint(8 * len(src))
	v := int64(big(src)) - 1<<(bits-1)
	negative := v < 0
	if negative {
		v = -v
	}
	fraction := bits - 24
	var buf [3]byte
	for i := range len(src) - 3 {
		buf[i] = byte(v >> (fraction - 8 - 8*uint(i)))
	}
	whole := uint32(v >> fraction)
	return appendTime(dst, negative, whole>>12&1023, whole>>6&63, whole&63, micros(buf[:len(src)-3]))
}

// oldTime reads the number hhmmss, signed.
func oldTime(dst, src []byte) ([]byte, error) {
	v := int32(uint32(src[0])<<8|uint32(src[1])<<16|uint32(src[2])<<24) >> 8
	negative := v < 0
	if negative {
		v = -v
	}
	return appendTime(dst, negative, uint32(v)/10000, uint32(v)/100%100, uint32(v)%100, 0)
}

// appendTime writes the binary protocol's form: sign 1, days 4, hours, minutes, seconds, and 4 of microseconds unless they are zero; nothing for
// no time at all.
func appendTime(dst []byte, negative bool, hour, minute, second, micro uint32) ([]byte, error) {
	if hour > 838 || minute > 59 || second > 59 || micro > 999999 {
		return dst, fmt.Errorf("%w: %d:%02d:%02d.%06d", errMoment, hour, minute, second, micro)
	}
	if hour|minute|second|micro == 0 {
		return dst, nil
	}
	var sign byte
	if negative {
		sign = 1
	}
	dst = binary.LittleEndian.AppendUint32(append(dst, sign), hour/24)
	dst = append(dst, byte(hour%24), byte(minute), byte(second))
	if micro == 0 {
		return dst, nil
	}
	return binary.LittleEndian.AppendUint32(dst, micro), nil
}
