package crashtest

import (
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"unicode/utf8"
)

// rnd is where random numbers come from.
type rnd = *rand.Rand

// value draws an SQL literal. Bytes are written in hexadecimal, so that no escaping can spoil them.
type value func(r *rand.Rand) string

// null draws NULL one time in eight.
func null(v value) value {
	return func(r *rand.Rand) string {
		if r.IntN(8) == 0 {
			return "NULL"
		}
		return v(r)
	}
}

// one draws one of some literals.
func one(literals ...string) value {
	return func(r *rand.Rand) string { return literals[r.IntN(len(literals))] }
}

// either draws from one of some values.
func either(vs ...value) value {
	return func(r *rand.Rand) string { return vs[r.IntN(len(vs))](r) }
}

// between draws an integer, the bounds included.
func between(lo, hi int64) value {
	return func(r *rand.Rand) string { return strconv.FormatInt(lo+r.Int64N(hi-lo+1), 10) }
}

// bits draws a number of n bits, all of them more often than chance would.
func bits(n uint) value {
	most := uint64(math.MaxUint64) >> (64 - n)
	return func(r *rand.Rand) string {
		switch r.IntN(8) {
		case 0:
			return "0"
		case 1:
			return strconv.FormatUint(most, 10)
		case 2:
			return strconv.FormatUint(most/2+1, 10)
		}
		return strconv.FormatUint(r.Uint64()&most, 10)
	}
}

// pieces are what texts are made of: case pairs, accents, spaces that some collations ignore, what a text format would take for
// something else, and characters of one to four bytes.
var pieces = []string{"a", "A", "b", "ab", "AB", "é", "e", "ß", "ss", "ẞ", " ", "  ", "'", "\"", "\\", "\\N", "NULL", "\t", "\n", "\r", "%", "日本", "ı", "🎉", "😀", "0"}

// words draws a text of at most n characters in a character set.
func words(set string, n int) value {
	return func(r *rand.Rand) string {
		var b strings.Builder
		left := r.IntN(n + 1)
		for left > 0 {
			p := pieces[r.IntN(len(pieces))]
			if set == "utf8mb3" && len(p) >= 4 && utf8.RuneCountInString(p) == 1 {
				continue
			}
			if left -= utf8.RuneCountInString(p); left >= 0 {
				b.WriteString(p)
			}
		}
		return "_utf8mb4 " + octets([]byte(b.String()))
	}
}

// latin draws a text of any bytes but NUL in latin1.
func latin(n int) value {
	return func(r *rand.Rand) string {
		b := make([]byte, r.IntN(n+1))
		for i := range b {
			b[i] = byte(1 + r.IntN(255))
		}
		return "_latin1 " + octets(b)
	}
}

// raw draws up to n bytes; the last may be zeros, which a log strips from some types.
func raw(n int) value {
	return func(r *rand.Rand) string {
		b := make([]byte, r.IntN(n+1))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		if len(b) > 1 && r.IntN(3) == 0 {
			b[len(b)-1] = 0
		}
		return octets(b)
	}
}

func octets(b []byte) string {
	if len(b) == 0 {
		return "X''"
	}
	return "X'" + hex.EncodeToString(b) + "'"
}

// doubles draws any finite double, and some that are hard to print.
func doubles(r *rand.Rand) string {
	edge := []string{"0", "-0e0", "5e-324", "1.7976931348623157e308", "0.1", "9007199254740993", "2.2250738585072014e-308"}
	if r.IntN(4) == 0 {
		return edge[r.IntN(len(edge))]
	}
	for {
		if f := math.Float64frombits(r.Uint64()); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return strconv.FormatFloat(f, 'e', -1, 64)
		}
	}
}

// floats draws any finite float that is not below the smallest normal one: servers round the literals of others in ways of their own.
func floats(r *rand.Rand) string {
	for {
		f := math.Float32frombits(r.Uint32())
		if abs := math.Abs(float64(f)); !math.IsNaN(abs) && !math.IsInf(abs, 0) && (abs == 0 || abs > 1.2e-38) {
			return strconv.FormatFloat(float64(f), 'e', -1, 32)
		}
	}
}

// decimals draws a number of that many digits before and after the point.
func decimals(before, after int) value {
	return func(r *rand.Rand) string {
		var b strings.Builder
		if r.IntN(2) == 0 {
			b.WriteByte('-')
		}
		digits := func(n int) {
			for range n {
				b.WriteByte(byte('0' + r.IntN(10)))
			}
		}
		b.WriteByte('0')
		digits(r.IntN(before + 1))
		if after > 0 {
			b.WriteByte('.')
			digits(r.IntN(after + 1))
		}
		return strings.TrimSuffix(b.String(), ".")
	}
}

// days draws a date between two years.
func days(from, to int) value {
	return func(r *rand.Rand) string {
		return fmt.Sprintf("'%04d-%02d-%02d'", from+r.IntN(to-from+1), 1+r.IntN(12), 1+r.IntN(28))
	}
}

// moments draws a date and time with a fraction of that many digits.
func moments(from, to, fraction int) value {
	day := days(from, to)
	return func(r *rand.Rand) string {
		s := strings.TrimSuffix(day(r), "'") + fmt.Sprintf(" %02d:%02d:%02d", r.IntN(24), r.IntN(60), r.IntN(60))
		if fraction > 0 && r.IntN(4) > 0 {
			s += fmt.Sprintf(".%06d", r.IntN(1_000_000))[:fraction+1]
		}
		return s + "'"
	}
}

// clocks draws a TIME of its whole range, with a fraction of that many digits.
func clocks(hours, fraction int) value {
	return func(r *rand.Rand) string {
		sign := ""
		if hours > 24 && r.IntN(3) == 0 {
			sign = "-"
		}
		s := fmt.Sprintf("%s%02d:%02d:%02d.%06d", sign, r.IntN(hours), r.IntN(60), r.IntN(60), r.IntN(1_000_000))
		return "'" + s[:len(s)-6+fraction] + "'"
	}
}

// documents draws JSON: what its readers are known to disagree about, and objects of random depth.
func documents(r *rand.Rand) string {
	edge := []string{
		`null`, `{"bb": 1, "a": 2, "a": 3}`, `{"n": 1e2}`, `[18446744073709551615, -9223372036854775808]`, `[0.1, 1.10, -0.0, 1e-7]`,
		`{"t": "tab\t quote\" back\\ slash\/ u\u00e9"}`, `{"🎉": "日本 \ud83d\ude00"}`, `{"a": {}, "b": [], "c": "", "": 0}`, `"text"`, `42`, `true`, `[[[[[[1]]]]]]`,
	}
	if r.IntN(2) == 0 {
		return jsonLiteral(edge[r.IntN(len(edge))])
	}
	var b strings.Builder
	var node func(depth int)
	node = func(depth int) {
		switch k := r.IntN(6); {
		case depth == 0 || k == 0:
			fmt.Fprintf(&b, "%d", r.Int64()-math.MaxInt64/2)
		case k == 1:
			fmt.Fprintf(&b, "%d.%d", r.IntN(1000), 1+r.IntN(99))
		case k == 2:
			b.WriteString([]string{`""`, `"é"`, `"a\nb"`, `"'"`, `false`}[r.IntN(5)])
		case k == 3:
			b.WriteByte('[')
			for i := range r.IntN(4) {
				if i > 0 {
					b.WriteByte(',')
				}
				node(depth - 1)
			}
			b.WriteByte(']')
		default:
			b.WriteByte('{')
			for i := range r.IntN(4) {
				if i > 0 {
					b.WriteByte(',')
				}
				fmt.Fprintf(&b, `"k%d":`, i*7%5)
				node(depth - 1)
			}
			b.WriteByte('}')
		}
	}
	node(3)
	return jsonLiteral(b.String())
}

// nulDocuments draws JSON of which some hold U+0000.
func nulDocuments(r *rand.Rand) string {
	return jsonLiteral([]string{`{"n": "a\u0000b"}`, `"\u0000"`, `{"n": 1}`}[r.IntN(3)])
}

func jsonLiteral(s string) string { return "_utf8mb4 " + octets([]byte(s)) }

// large wraps a literal of at least one byte so that the server makes it n bytes long.
func large(literal string, n int) string { return fmt.Sprintf("REPEAT(%s, %d)", literal, n) }

func points(srid int) value {
	return func(r *rand.Rand) string {
		return fmt.Sprintf("ST_GeomFromText('POINT(%d.5 %d.25)', %d)", r.IntN(80), r.IntN(80), srid)
	}
}
