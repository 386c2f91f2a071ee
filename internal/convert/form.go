package convert

import (
	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/schema"
)

// longText is the length in characters from which a value enters a row's text
// as its own hash: beyond it, building the row's text would cost more than
// hashing the value singly.
const longText = 1024

// formOf returns the canonical text for values that are src on one end and dst
// on the other.
func formOf(src, dst schema.Type) change.Form {
	switch s := src.(type) {
	case schema.Int, schema.Year:
		return change.Form{Kind: change.FormInteger}
	case schema.Bit:
		if _, ok := dst.(schema.Bool); ok {
			return change.Form{Kind: change.FormInteger}
		}
		return change.Form{Kind: change.FormBits, Precision: s.N}
	case schema.Decimal:
		return change.Form{Kind: change.FormDecimal, Precision: max(s.Scale, scaleOf(dst))}
	case schema.Float:
		return change.Form{Kind: change.FormFloat}
	case schema.Date:
		return change.Form{Kind: change.FormDate}
	case schema.DateTime:
		return change.Form{Kind: change.FormDateTime, Precision: s.Precision}
	case schema.Timestamp:
		return change.Form{Kind: change.FormDateTime, Precision: s.Precision}
	case schema.Time:
		return change.Form{Kind: change.FormMicros, Precision: s.Precision}
	}
	return stringForm(src, dst)
}

// scaleOf returns the scale of a decimal, which both ends must show alike, else 0.
func scaleOf(t schema.Type) int {
	if d, ok := t.(schema.Decimal); ok {
		return d.Scale
	}
	return 0
}

// stringForm is formOf for what the source sends as a string. The target's
// type decides: text that became bytea is compared byte by byte.
func stringForm(src, dst schema.Type) change.Form {
	long := isLong(src)
	switch dst := dst.(type) {
	case schema.Binary:
		return change.Form{Kind: change.FormBytes, Long: long}
	case schema.JSON:
		if dst.Parsed {
			return change.Form{Kind: change.FormJSON, Long: true}
		}
		// json keeps the text, so the text is what must be equal: comparing values
		// would not see another duplicate of a key.
		return change.Form{Kind: change.FormText, Long: true}
	case schema.Inet:
		// The two servers shorten IPv6 addresses differently; their bytes are the same.
		return change.Form{Kind: change.FormBytes}
	case schema.UUID:
		return change.Form{Kind: change.FormUUID}
	case schema.Geometry:
		return change.Form{Kind: change.FormGeometry, Long: long}
	case schema.TextArray:
		return change.Form{Kind: change.FormLabels}
	}
	if _, ok := src.(schema.UUID); ok {
		return change.Form{Kind: change.FormUUID}
	}
	return change.Form{Kind: change.FormText, Long: long}
}

// isLong reports whether values of a source type may be longer than longText.
func isLong(src schema.Type) bool {
	switch s := src.(type) {
	case schema.Text:
		return s.MaxBytes > longText || s.Length > longText
	case schema.Binary:
		return s.MaxBytes > longText || s.Length > longText
	case schema.JSON, schema.Geometry, schema.Vector, schema.Other:
		return true
	}
	return false
}
