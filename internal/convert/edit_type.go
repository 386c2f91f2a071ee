package convert

import (
	"slices"

	"github.com/bascule/bascule/internal/schema"
)

const (
	whyConverted = "the source converted the rows that were there by rules of its own, which cannot be repeated with proof"
	whyRounded   = "the source may have rounded or cut values of rows that were there"
)

// keeps says why a column that was of source type a may hold other values now that it is of b; empty when every value is
// what it was.
func keeps(a, b schema.Type) string {
	if targetText(a) == targetText(b) {
		return ""
	}
	switch a := a.(type) {
	case schema.Int:
		return keepsInt(a, b)
	case schema.Decimal:
		if b, ok := b.(schema.Decimal); ok {
			switch {
			case b.Scale < a.Scale || b.Precision-b.Scale < a.Precision-a.Scale, b.Unsigned && !a.Unsigned:
				return whyRounded
			}
			return ""
		}
	case schema.Float:
		if b, ok := b.(schema.Float); ok && b.Digits < 0 {
			if b.Bits < a.Bits || b.Unsigned && !a.Unsigned {
				return whyRounded
			}
			return ""
		}
	case schema.Text:
		return keepsText(a, b)
	case schema.Binary:
		if b, ok := b.(schema.Binary); ok {
			if b.Fixed || max(int64(b.Length), b.MaxBytes) < max(int64(a.Length), a.MaxBytes) {
				return whyRounded
			}
			return ""
		}
	case schema.Enum:
		if b, ok := b.(schema.Enum); ok {
			return keepsMembers(a.Members, b.Members, false)
		}
	case schema.Set:
		if b, ok := b.(schema.Set); ok {
			return keepsMembers(a.Members, b.Members, true)
		}
	}
	return keepsMoment(a, b)
}

// keepsInt compares ranges.
func keepsInt(a schema.Int, b schema.Type) string {
	switch b := b.(type) {
	case schema.Int:
		if b.Unsigned && !a.Unsigned {
			return "negative numbers may have been clipped"
		}
		if b.Bits < a.Bits || !b.Unsigned && a.Unsigned && b.Bits <= a.Bits {
			return whyRounded
		}
		return ""
	case schema.Decimal:
		digits := map[int]int{8: 3, 16: 5, 24: 8, 32: 10, 64: 20}[a.Bits]
		if b.Precision-b.Scale < digits || b.Unsigned && !a.Unsigned {
			return whyRounded
		}
		return ""
	}
	return whyConverted
}

func keepsText(a schema.Text, t schema.Type) string {
	b, ok := t.(schema.Text)
	switch {
	case !ok:
		return whyConverted
	case b.Fixed && !a.Fixed:
		return "CHAR strips trailing spaces"
	case b.Charset != a.Charset && !holds(b.Charset, a.Charset):
		return "a character that the new character set does not have was replaced"
	}
	// A TEXT is limited in bytes, the others in characters.
	switch {
	case a.MaxBytes > 0 && b.MaxBytes == 0, a.MaxBytes > b.MaxBytes && b.MaxBytes > 0:
		return whyRounded
	case a.MaxBytes > 0 && b.MaxBytes == a.MaxBytes && b.Charset != a.Charset && bytesOf(b.Charset) > bytesOf(a.Charset):
		return "the text may have become longer than the column"
	case a.MaxBytes == 0 && b.MaxBytes > 0 && int64(a.Length)*bytesOf(b.Charset) > b.MaxBytes:
		return whyRounded
	case a.MaxBytes == 0 && b.MaxBytes == 0 && b.Length < a.Length:
		return whyRounded
	}
	return ""
}

// holds reports whether a character set has every character of another.
func holds(set, other string) bool {
	switch set {
	case "utf8mb4", "utf16", "utf16le", "utf32":
		return true
	case "utf8mb3", "utf8":
		return other == "ascii" || other == "latin1" || other == "utf8mb3" || other == "utf8" || other == "ucs2"
	}
	return other == "ascii" && set != "swe7"
}

// bytesOf is the most bytes of a character.
func bytesOf(charset string) int64 {
	switch charset {
	case "utf8mb4", "utf16", "utf16le", "utf32", "gb18030":
		return 4
	case "utf8mb3", "utf8", "ujis", "eucjpms":
		return 3
	case "big5", "cp932", "euckr", "gb2312", "gbk", "sjis", "ucs2":
		return 2
	}
	return 1
}

// keepsMembers: a value is what its members are called. Those of a SET stand in the order of the definition.
func keepsMembers(a, b []string, ordered bool) string {
	at := -1
	for _, m := range a {
		i := slices.Index(b, m)
		switch {
		case i < 0:
			return "the member " + quoteText(m) + " is gone, and rows that held it were converted"
		case ordered && i < at:
			return "the members were put in another order, in which values are spelt"
		case i < at:
			return "the members were put in another order, in which the source sorts them"
		}
		at = i
	}
	return ""
}

func keepsMoment(a, b schema.Type) string {
	var from, to int
	switch a := a.(type) {
	case schema.Time:
		t, ok := b.(schema.Time)
		if !ok {
			return whyConverted
		}
		from, to = a.Precision, t.Precision
	case schema.DateTime:
		t, ok := b.(schema.DateTime)
		if !ok {
			return whyConverted
		}
		from, to = a.Precision, t.Precision
	case schema.Timestamp:
		t, ok := b.(schema.Timestamp)
		if !ok {
			return whyConverted
		}
		from, to = a.Precision, t.Precision
	default:
		return whyConverted
	}
	if to < from {
		return whyRounded
	}
	return ""
}

// casts says why PostgreSQL's own conversion from a to b may change values or refuse one that fits; empty when it does not.
func casts(a, b schema.Type) string {
	ok := false
	switch b := b.(type) {
	case schema.Int:
		i, isInt := a.(schema.Int)
		ok = isInt && b.Bits >= i.Bits
	case schema.Decimal:
		switch a := a.(type) {
		case schema.Int:
			ok = true
		case schema.Decimal:
			ok = b.Scale >= a.Scale
		}
	case schema.Float:
		f, isFloat := a.(schema.Float)
		ok = isFloat && b.Bits >= f.Bits
	case schema.Text:
		t, isText := a.(schema.Text)
		ok = isText && (b.Length == 0 || t.Length > 0 && b.Length >= t.Length)
	case schema.Time:
		_, ok = a.(schema.Time)
	case schema.Interval:
		switch a.(type) {
		case schema.Interval, schema.Time:
			ok = true
		}
	case schema.DateTime:
		_, ok = a.(schema.DateTime)
	case schema.Timestamp:
		_, ok = a.(schema.Timestamp)
	}
	if ok {
		return ""
	}
	return "there is no conversion between them that keeps every value"
}
