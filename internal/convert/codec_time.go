package convert

import (
	"encoding/binary"
	"fmt"

	"github.com/bascule/bascule/internal/finding"
)

const (
	microsPerSecond = 1_000_000
	microsPerDay    = 24 * 3600 * microsPerSecond
	// daysTo2000 is the days from 1970-01-01 to 2000-01-01, PostgreSQL's epoch.
	daysTo2000 = 10957
	// maxTime is 838:59:59, the largest TIME.
	maxTime = (838*3600 + 59*60 + 59) * microsPerSecond
)

// moment is a DATE, DATETIME or TIMESTAMP as the binary protocol sends it.
type moment struct {
	year, month, day, hour, minute, second, micro int
}

// readMoment reads the 0, 4, 7 or 11 bytes that follow the length byte.
func readMoment(src []byte) (m moment, ok bool) {
	switch len(src) {
	case 11:
		m.micro = int(binary.LittleEndian.Uint32(src[7:]))
		fallthrough
	case 7:
		m.hour, m.minute, m.second = int(src[4]), int(src[5]), int(src[6])
		fallthrough
	case 4:
		m.year, m.month, m.day = int(binary.LittleEndian.Uint16(src)), int(src[2]), int(src[3])
		fallthrough
	case 0:
		return m, m.hour < 24 && m.minute < 60 && m.second < 60 && m.micro < microsPerSecond && m.year <= 9999
	}
	return m, false
}

// String writes the moment as MySQL does.
func (m moment) String() string {
	return fmt.Sprintf("%04d-%02d-%02d %02d:%02d:%02d.%06d", m.year, m.month, m.day, m.hour, m.minute, m.second, m.micro)
}

// lost returns the loss of a date that no calendar has, or an empty code.
func (m moment) lost() finding.Code {
	switch {
	case m == moment{}:
		return finding.LossZeroDate
	case m.year == 0 || m.month == 0 || m.day == 0 || m.month > 12 || m.day > daysIn(m.year, m.month):
		return finding.LossPartialDate
	}
	return ""
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// days counts from 2000-01-01 in the proleptic Gregorian calendar: years run from March, so that a
// leap day ends one.
func (m moment) days() int {
	y, mon := m.year, m.month-3
	if mon < 0 {
		y, mon = y-1, mon+12
	}
	dayOfYear := (153*mon+2)/5 + m.day - 1
	return 365*y + y/4 - y/100 + y/400 + dayOfYear - 719468 - daysTo2000
}

func (m moment) micros() int64 {
	return int64(m.hour*3600+m.minute*60+m.second)*microsPerSecond + int64(m.micro)
}

// date writes int32 days since 2000-01-01.
func (f *field) date(dst, src []byte) ([]byte, error) {
	m, ok := readMoment(src)
	if !ok || m.micros() != 0 {
		return dst, f.malformed(src)
	}
	if code := m.lost(); code != "" {
		return f.loseMoment(dst, code, m)
	}
	return put32(put32(dst, 4), m.days()), nil
}

// dateTime writes int64 microseconds since 2000-01-01 00:00:00, for timestamp
// and, since the source is read in UTC, for timestamptz.
func (f *field) dateTime(dst, src []byte) ([]byte, error) {
	m, ok := readMoment(src)
	if !ok {
		return dst, f.malformed(src)
	}
	if code := m.lost(); code != "" {
		return f.loseMoment(dst, code, m)
	}
	return binary.BigEndian.AppendUint64(put32(dst, 8), uint64(int64(m.days())*microsPerDay+m.micros())), nil
}

// loseMoment writes NULL when the loss is accepted. Only then, the text of the
// value costs nothing.
func (f *field) loseMoment(dst []byte, code finding.Code, m moment) ([]byte, error) {
	value := ""
	if !f.column.accepted[code] {
		value = m.String()
	}
	if err := f.lose(code, value); err != nil {
		return dst, err
	}
	return putNull(dst), nil
}

// readTime reads a TIME: nothing, or sign, days, hours, minutes, seconds and
// perhaps microseconds; the result is in microseconds.
func readTime(src []byte) (micros int64, ok bool) {
	if len(src) == 0 {
		return 0, true
	}
	if len(src) != 8 && len(src) != 12 || src[0] > 1 {
		return 0, false
	}
	days, h, m, s := int64(binary.LittleEndian.Uint32(src[1:])), int64(src[5]), int64(src[6]), int64(src[7])
	if days > 34 || h > 23 || m > 59 || s > 59 {
		return 0, false
	}
	micros = (((days*24+h)*60+m)*60 + s) * microsPerSecond
	if len(src) == 12 {
		us := binary.LittleEndian.Uint32(src[8:])
		if us >= microsPerSecond {
			return 0, false
		}
		micros += int64(us)
	}
	if src[0] == 1 {
		micros = -micros
	}
	return micros, true
}

// time writes int64 microseconds of a day.
func (f *field) time(dst, src []byte) ([]byte, error) {
	us, ok := readTime(src)
	if !ok {
		return dst, f.malformed(src)
	}
	if us < 0 || us >= microsPerDay {
		return dst, f.refuse(timeText(us), "is no time of a day and does not fit time")
	}
	return binary.BigEndian.AppendUint64(put32(dst, 8), uint64(us)), nil
}

// interval writes int64 microseconds, int32 days and int32 months. Days stay 0:
// TIME's hours are hours, whatever the calendar does.
func (f *field) interval(dst, src []byte) ([]byte, error) {
	us, ok := readTime(src)
	if !ok {
		return dst, f.malformed(src)
	}
	return append(binary.BigEndian.AppendUint64(put32(dst, 16), uint64(us)), 0, 0, 0, 0, 0, 0, 0, 0), nil
}

// timeText writes microseconds as MySQL writes a TIME.
func timeText(us int64) string {
	sign := ""
	if us < 0 {
		sign, us = "-", -us
	}
	s := us / microsPerSecond
	return fmt.Sprintf("%s%02d:%02d:%02d.%06d", sign, s/3600, s/60%60, s%60, us%microsPerSecond)
}
