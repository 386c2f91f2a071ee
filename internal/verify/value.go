package verify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/bascule/bascule/internal/change"
)

// equal compares two canonical texts. Only the forms that the two dialects may
// spell differently are looked into; all others are equal byte by byte or not at all.
func equal(f change.Form, a, b change.Value) bool {
	if a.Null || b.Null {
		return a.Null == b.Null
	}
	if a.Text == b.Text {
		return true
	}
	return f.ByClient() && spelling(f, a.Text) == spelling(f, b.Text)
}

// spelling gives a text of a form that has several spellings one of them. What is no
// number or no JSON keeps its own.
func spelling(f change.Form, text string) string {
	if f.Kind == change.FormFloat {
		if x, err := strconv.ParseFloat(text, 64); err == nil {
			// Bits, not the number: -0 is not 0 to an application that divides by it.
			return strconv.FormatUint(math.Float64bits(x), 16)
		}
	}
	if f.Kind == change.FormJSON {
		if v, err := parseJSON(text); err == nil {
			var b strings.Builder
			spellJSON(&b, v)
			return b.String()
		}
	}
	return text
}

// spellJSON writes a document with its members sorted and its numbers as sign,
// digits and power of ten.
func spellJSON(b *strings.Builder, v any) {
	switch x := v.(type) {
	case map[string]any:
		b.WriteByte('{')
		for _, k := range slices.Sorted(maps.Keys(x)) {
			fmt.Fprintf(b, "%q:", k)
			spellJSON(b, x[k])
			b.WriteByte(',')
		}
		b.WriteByte('}')
	case []any:
		b.WriteByte('[')
		for _, e := range x {
			spellJSON(b, e)
			b.WriteByte(',')
		}
		b.WriteByte(']')
	case json.Number:
		negative, digits, exponent, ok := normalise(x.String())
		if !ok {
			b.WriteString(x.String())
			return
		}
		fmt.Fprintf(b, "%t %s %s", negative, digits, exponent)
	case string:
		fmt.Fprintf(b, "%q", x)
	default:
		fmt.Fprint(b, x)
	}
}

func parseJSON(s string) (any, error) {
	d := json.NewDecoder(bytes.NewReader([]byte(s)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("text after the document")
	}
	return v, nil
}

// normalise parts a decimal number without ever expanding an exponent: digits without
// leading and trailing zeros, and the power of ten of the last.
func normalise(s string) (negative bool, digits string, exponent *big.Int, ok bool) {
	negative = strings.HasPrefix(s, "-")
	s = strings.TrimPrefix(s, "-")
	exponent = new(big.Int)
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		if _, ok = exponent.SetString(strings.TrimPrefix(s[i+1:], "+"), 10); !ok {
			return false, "", exponent, false
		}
		s = s[:i]
	}
	whole, fraction, _ := strings.Cut(s, ".")
	exponent.Sub(exponent, big.NewInt(int64(len(fraction))))
	digits = strings.TrimLeft(whole+fraction, "0")
	trimmed := strings.TrimRight(digits, "0")
	exponent.Add(exponent, big.NewInt(int64(len(digits)-len(trimmed))))
	if trimmed == "" {
		// jsonb has no negative zero, so zero has no sign here.
		return false, "", new(big.Int), true
	}
	return negative, trimmed, exponent, true
}

// shownBytes is how much of a long value is printed.
const shownBytes = 120

// show renders two differing values so that NULL, ” and a trailing space can be
// told apart; of long ones it shows the part around the first difference.
func show(a, b change.Value) (source, target string) {
	at := 0
	for at < len(a.Text) && at < len(b.Text) && a.Text[at] == b.Text[at] {
		at++
	}
	return window(a, at), window(b, at)
}

func window(v change.Value, at int) string {
	switch {
	case v.Null:
		return "NULL"
	case len(v.Text) <= shownBytes:
		return strconv.Quote(v.Text)
	}
	lo := max(0, min(at, len(v.Text))-shownBytes/2)
	hi := min(len(v.Text), lo+shownBytes)
	return fmt.Sprintf("%s (bytes %d to %d of %d)", strconv.Quote(strings.ToValidUTF8(v.Text[lo:hi], "\uFFFD")), lo, hi, len(v.Text))
}

func keyText(t *Table, key []string) string {
	parts := make([]string, len(key))
	for i, k := range key {
		if i < len(t.Key) && t.Key[i].Form.Kind != change.FormInteger {
			k = strconv.Quote(k)
		}
		if i < len(t.Key) {
			k = string(t.Key[i].Source.Name) + "=" + k
		}
		parts[i] = k
	}
	return strings.Join(parts, ", ")
}

// rowText renders a whole row, shortened.
func rowText(t *Table, values []change.Value) string {
	var b strings.Builder
	for i, v := range values {
		if i >= len(t.Columns) || b.Len() > 2*shownBytes {
			b.WriteString(", ...")
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s=%s", t.Columns[i].Source.Name, window(v, 0))
	}
	return b.String()
}
