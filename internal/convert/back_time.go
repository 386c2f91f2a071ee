package convert

import (
	"encoding/binary"
	"math"
)

// civil is the inverse of moment.days: the date of a number of days since
// 2000-01-01, by eras of 400 years that begin in March.
func civil(days int) moment {
	z := days + daysTo2000 + 719468
	era := z / 146097
	doe := z - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	m := moment{year: yoe + era*400, month: mp + 3, day: doy - (153*mp+2)/5 + 1}
	if m.month > 12 {
		m.year, m.month = m.year+1, m.month-12
	}
	return m
}

// The days of 0001-01-01 and 9999-12-31 since 2000-01-01: what both servers hold.
const (
	firstDay = -730119
	lastDay  = 2921939
)

// appendMoment writes as many bytes as the server would send: the time only
// when it is not midnight, the microseconds only when they are not 0.
func appendMoment(dst []byte, m moment) []byte {
	dst = append(dst, byte(m.year), byte(m.year>>8), byte(m.month), byte(m.day))
	if m.hour|m.minute|m.second|m.micro == 0 {
		return dst
	}
	dst = append(dst, byte(m.hour), byte(m.minute), byte(m.second))
	if m.micro == 0 {
		return dst
	}
	return binary.LittleEndian.AppendUint32(dst, uint32(m.micro))
}

func (b *back) toDate(dst, src []byte) ([]byte, error) {
	if len(src) != 4 {
		return dst, b.malformed(src)
	}
	days := int(int32(binary.BigEndian.Uint32(src)))
	if days < firstDay || days > lastDay {
		return dst, b.outside(src)
	}
	return appendMoment(dst, civil(days)), nil
}

func (b *back) toDateTime(dst, src []byte) ([]byte, error) {
	if len(src) != 8 {
		return dst, b.malformed(src)
	}
	us := int64(binary.BigEndian.Uint64(src))
	days, rest := us/microsPerDay, us%microsPerDay
	if rest < 0 {
		days, rest = days-1, rest+microsPerDay
	}
	if days < firstDay || days > lastDay {
		return dst, b.outside(src)
	}
	m := civil(int(days))
	s := int(rest / microsPerSecond)
	m.hour, m.minute, m.second, m.micro = s/3600, s/60%60, s%60, int(rest%microsPerSecond)
	return appendMoment(dst, m), nil
}

// outside is the error for the infinities and for years beyond 1 to 9999.
func (b *back) outside(src []byte) error {
	shown := "0x" + hexOf(src)
	switch {
	case len(src) == 8 && int64(binary.BigEndian.Uint64(src)) == math.MaxInt64, len(src) == 4 && int32(binary.BigEndian.Uint32(src)) == math.MaxInt32:
		shown = "infinity"
	case len(src) == 8 && int64(binary.BigEndian.Uint64(src)) == math.MinInt64, len(src) == 4 && int32(binary.BigEndian.Uint32(src)) == math.MinInt32:
		shown = "-infinity"
	}
	return b.refuse(shown, "is outside the years 1 to 9999 of "+spellSource(b.column.Source.Type))
}

// toTime reads time (8 bytes) or interval (16) and writes sign, days, hours,
// minutes, seconds and perhaps microseconds.
func (b *back) toTime(dst, src []byte) ([]byte, error) {
	if len(src) != 8 && len(src) != 16 {
		return dst, b.malformed(src)
	}
	us := int64(binary.BigEndian.Uint64(src))
	if len(src) == 16 {
		days, months := int64(int32(binary.BigEndian.Uint32(src[8:]))), binary.BigEndian.Uint32(src[12:])
		if months != 0 || days > 100 || days < -100 || us > 2*maxTime || us < -2*maxTime {
			return dst, b.refuse("0x"+hexOf(src), "does not fit TIME")
		}
		us += days * microsPerDay
	}
	if us > maxTime || us < -maxTime {
		return dst, b.refuse(timeText(us), "does not fit TIME, which ends at 838:59:59")
	}
	if us == 0 {
		return dst, nil
	}
	sign := byte(0)
	if us < 0 {
		sign, us = 1, -us
	}
	s, micro := us/microsPerSecond, uint32(us%microsPerSecond)
	dst = append(dst, sign, byte(s/86400), 0, 0, 0, byte(s/3600%24), byte(s/60%60), byte(s%60))
	if micro == 0 {
		return dst, nil
	}
	return binary.LittleEndian.AppendUint32(dst, micro), nil
}
