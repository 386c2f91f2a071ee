package crosscheck

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/netip"
	"slices"
	"strconv"
)

// number writes a decimal number, also one with an exponent, without needless
// zeros: plainly, or as digits, "e" and a power of ten beyond plainPower places.
func number(text []byte) ([]byte, error) {
	sign, rest := "", text
	if len(rest) > 0 && (rest[0] == '-' || rest[0] == '+') {
		if rest[0] == '-' {
			sign = "-"
		}
		rest = rest[1:]
	}
	mantissa, power := rest, new(big.Int)
	if i := bytes.IndexAny(rest, "eE"); i >= 0 {
		mantissa = rest[:i]
		if _, ok := power.SetString(string(rest[i+1:]), 10); !ok {
			return nil, fmt.Errorf("read number %q: exponent is no integer", text)
		}
	}
	whole, fraction, _ := bytes.Cut(mantissa, []byte("."))
	digits := slices.Concat(whole, fraction)
	if len(digits) == 0 || bytes.ContainsFunc(digits, func(r rune) bool { return r < '0' || r > '9' }) {
		return nil, fmt.Errorf("read number %q: not a decimal number", text)
	}
	power.Sub(power, big.NewInt(int64(len(fraction))))
	digits = bytes.TrimLeft(digits, "0")
	trimmed := bytes.TrimRight(digits, "0")
	if len(trimmed) == 0 {
		return []byte("0"), nil
	}
	power.Add(power, big.NewInt(int64(len(digits)-len(trimmed))))
	out := []byte(sign)
	if !power.IsInt64() || power.Int64() > plainPower || power.Int64() < -plainPower {
		return fmt.Appendf(out, "%se%s", trimmed, power), nil
	}
	return appendPlain(out, trimmed, int(power.Int64())), nil
}

// plainPower is beyond what DECIMAL(65,30) needs.
const plainPower = 70

// appendPlain writes digits times ten to the power without an exponent.
func appendPlain(dst, digits []byte, power int) []byte {
	if power >= 0 {
		return append(append(dst, digits...), bytes.Repeat([]byte("0"), power)...)
	}
	if len(digits) <= -power {
		digits = slices.Concat(bytes.Repeat([]byte("0"), -power-len(digits)+1), digits)
	}
	point := len(digits) + power
	dst = append(append(dst, digits[:point]...), '.')
	return append(dst, digits[point:]...)
}

// float writes a double by its shortest exact text, so that two texts are
// equal when, and only when, all 64 bits are.
func float(text []byte) ([]byte, error) {
	v, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return nil, fmt.Errorf("read float %q: %w", text, err)
	}
	return strconv.AppendFloat(nil, v, 'g', -1, 64), nil
}

// momentNormal drops the zeros at the end of a fraction of a second and, when
// told so, turns a date that does not exist into NULL.
func momentNormal(nullDates bool) normal {
	return func(text []byte) ([]byte, error) {
		if nullDates && len(text) >= 10 {
			if y, m, d := string(text[:4]), string(text[5:7]), string(text[8:10]); y == "0000" || m == "00" || d == "00" {
				return nil, nil
			}
		}
		if bytes.IndexByte(text, '.') >= 0 {
			text = bytes.TrimRight(bytes.TrimRight(text, "0"), ".")
		}
		return text, nil
	}
}

// clockMicros turns [-]HHH:MM:SS[.ffffff] into microseconds.
func clockMicros(text []byte) ([]byte, error) {
	rest, negative := bytes.CutPrefix(text, []byte("-"))
	parts := bytes.Split(rest, []byte(":"))
	if len(parts) != 3 {
		return nil, fmt.Errorf("read time %q: not hours:minutes:seconds", text)
	}
	seconds, fraction, _ := bytes.Cut(parts[2], []byte("."))
	fraction = append(bytes.Clone(fraction), "000000"...)[:6]
	var total int64
	for i, part := range [][]byte{parts[0], parts[1], seconds, fraction} {
		n, err := strconv.ParseInt(string(part), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("read time %q: %w", text, err)
		}
		total = total*[]int64{1, 60, 60, 1_000_000}[i] + n
	}
	if negative {
		total = -total
	}
	return number(strconv.AppendInt(nil, total, 10))
}

// jsonValue writes a document with sorted keys, without space and with exact
// numbers. Of a key that occurs twice the last value counts, as in jsonb.
func jsonValue(text []byte) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("read JSON %.40q: %w", text, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read JSON %.40q: text after the document", text)
	}
	v, err := exactNumbers(v)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("write JSON: %w", err)
	}
	return bytes.TrimRight(out.Bytes(), "\n"), nil
}

func exactNumbers(v any) (any, error) {
	var err error
	switch v := v.(type) {
	case json.Number:
		n, err := number([]byte(v))
		return json.Number(n), err
	case []any:
		for i := range v {
			if v[i], err = exactNumbers(v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for k := range v {
			if v[k], err = exactNumbers(v[k]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

// bytea reads PostgreSQL's hexadecimal output of a byte string.
func bytea(text []byte) ([]byte, error) {
	digits, ok := bytes.CutPrefix(text, []byte(`\x`))
	if !ok {
		return nil, fmt.Errorf("read bytea %.20q: no \\x in front", text)
	}
	return hex.AppendDecode(make([]byte, 0, len(digits)/2), digits)
}

// ewkb turns PostGIS's little-endian EWKB into what MySQL stores: the SRID in
// four little-endian bytes, then plain WKB.
func ewkb(text []byte) ([]byte, error) {
	raw, err := hex.AppendDecode(nil, text)
	if err != nil {
		return nil, fmt.Errorf("read EWKB: %w", err)
	}
	if len(raw) < 5 || raw[0] != 1 {
		return nil, fmt.Errorf("read EWKB %.20q: not little-endian", text)
	}
	const hasSRID = 0x20000000
	kind, srid, rest := binary.LittleEndian.Uint32(raw[1:]), []byte{0, 0, 0, 0}, raw[5:]
	if kind&hasSRID != 0 {
		if len(rest) < 4 {
			return nil, fmt.Errorf("read EWKB %.20q: too short for an SRID", text)
		}
		srid, rest = rest[:4], rest[4:]
	}
	out := append(bytes.Clone(srid), 1)
	out = binary.LittleEndian.AppendUint32(out, kind&^hasSRID)
	return append(out, rest...), nil
}

func lower(text []byte) ([]byte, error) { return bytes.ToLower(text), nil }

func address(text []byte) ([]byte, error) {
	a, err := netip.ParseAddr(string(text))
	if err != nil {
		return nil, fmt.Errorf("read address: %w", err)
	}
	return []byte(a.String()), nil
}
