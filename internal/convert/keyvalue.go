package convert

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/big"
	"net/netip"
	"strings"
	"time"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/schema"
)

// KeyValue is the inverse of a KeyText of the source: it appends the value, in the source's binary form, that has a canonical text.
type KeyValue func(dst []byte, text string) ([]byte, error)

// KeyValues returns the inverses of KeyTexts(false), nil where that returns nil.
func (t *Table) KeyValues() ([]KeyValue, error) {
	texts, err := t.KeyTexts(false)
	if texts == nil || err != nil {
		return nil, err
	}
	values := make([]KeyValue, len(texts))
	for i, k := range t.Select.Key {
		values[i] = t.columnOf(k.Name).keyValue
	}
	return values, nil
}

// keyValue undoes what keyText did.
func (c *Column) keyValue(dst []byte, text string) ([]byte, error) {
	var ok bool
	switch c.Form.Kind {
	case change.FormInteger:
		dst, ok = c.integerValue(dst, text)
	case change.FormDecimal:
		dst, ok = c.decimalValue(dst, text)
	case change.FormText:
		dst, ok = append(dst, text...), true
	case change.FormBytes:
		dst, ok = c.bytesValue(dst, text)
	case change.FormUUID:
		dst, ok = c.uuidValue(dst, text)
	case change.FormDate, change.FormDateTime:
		dst, ok = momentValue(dst, text)
	case change.FormMicros:
		dst, ok = timeValue(dst, text)
	case change.FormBits, change.FormLabels, change.FormGeometry, change.FormFloat, change.FormJSON:
	}
	if !ok {
		return dst, fmt.Errorf("read the key %s.%s: %q is no %s", c.table, c.Source.Name, shorten(text), spellSource(c.Source.Type))
	}
	return dst, nil
}

func (c *Column) integerValue(dst []byte, text string) ([]byte, bool) {
	bits, unsigned := 16, true // YEAR
	if t, ok := c.Source.Type.(schema.Int); ok {
		bits, unsigned = t.Bits, t.Unsigned
	}
	n, ok := new(big.Int).SetString(text, 10)
	switch {
	case !ok:
		return dst, false
	case unsigned && n.IsUint64() && n.BitLen() <= bits:
		return appendLittle(dst, n.Uint64(), intWidth(bits)), true
	case !unsigned && n.IsInt64():
		if low, high := intRange(bits, false); n.Int64() >= low && n.Int64() <= high {
			return appendLittle(dst, uint64(n.Int64()), intWidth(bits)), true
		}
	}
	return dst, false
}

// decimalValue drops the zeros that only the target's scale asked for.
func (c *Column) decimalValue(dst []byte, text string) ([]byte, bool) {
	whole, fraction, _ := strings.Cut(text, ".")
	t, ok := c.Source.Type.(schema.Decimal)
	if !ok || whole == "" || len(fraction) < t.Scale || strings.Trim(fraction[t.Scale:], "0") != "" {
		return dst, false
	}
	if dst = append(dst, whole...); t.Scale > 0 {
		dst = append(append(dst, '.'), fraction[:t.Scale]...)
	}
	return dst, true
}

func (c *Column) bytesValue(dst []byte, text string) ([]byte, bool) {
	b, err := hex.DecodeString(text)
	if err != nil {
		return dst, false
	}
	if _, ok := c.Source.Type.(schema.Inet); ok {
		a, ok := netip.AddrFromSlice(b)
		return a.AppendTo(dst), ok
	}
	return append(dst, b...), true
}

func (c *Column) uuidValue(dst []byte, text string) ([]byte, bool) {
	if _, ok := c.Source.Type.(schema.Binary); !ok {
		return append(dst, text...), true
	}
	b, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	return append(dst, b...), err == nil && len(b) == 16
}

// momentValue is a date, or a date and a time, as the binary protocol sends it. Dates that no calendar has are no keys of the target.
func momentValue(dst []byte, text string) ([]byte, bool) {
	at, err := time.Parse(time.DateOnly, text)
	clock := err != nil
	if clock {
		if at, err = time.Parse("2006-01-02 15:04:05.999999", text); err != nil {
			return dst, false
		}
	}
	dst = append(binary.LittleEndian.AppendUint16(dst, uint16(at.Year())), byte(at.Month()), byte(at.Day()))
	if clock {
		dst = append(dst, byte(at.Hour()), byte(at.Minute()), byte(at.Second()))
		dst = binary.LittleEndian.AppendUint32(dst, uint32(at.Nanosecond()/1000))
	}
	return dst, true
}

// timeValue is microseconds as the binary protocol sends a TIME.
func timeValue(dst []byte, text string) ([]byte, bool) {
	n, ok := new(big.Int).SetString(text, 10)
	if !ok || !n.IsInt64() || n.CmpAbs(big.NewInt(maxTime+microsPerSecond)) > 0 {
		return dst, false
	}
	us, sign := n.Int64(), byte(0)
	if us < 0 {
		us, sign = -us, 1
	}
	s := us / microsPerSecond
	dst = binary.LittleEndian.AppendUint32(append(dst, sign), uint32(s/86400))
	dst = append(dst, byte(s/3600%24), byte(s/60%60), byte(s%60))
	return binary.LittleEndian.AppendUint32(dst, uint32(us%microsPerSecond)), true
}
