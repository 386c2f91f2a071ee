package mysql

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/finding"
	"github.com/bascule/bascule/internal/schema"
)

// The row's text, the same on both ends: the columns in order. A value of a form whose texts never hold a semicolon is the
// text and ';' (NULL: 'N;'); any other is the text's length in bytes of UTF-8, ':' and the text (NULL: 'N'). A Long form's text is the
// lower-case hex SHA-256 of the value's bytes. The row's hash is the first 60 bits of the SHA-256 of that text.

// terminated reports whether a form's texts are ended by ';' instead of being preceded by their length.
func terminated(k change.FormKind) bool {
	switch k {
	case change.FormInteger, change.FormDecimal, change.FormDate, change.FormDateTime, change.FormMicros, change.FormBits, change.FormUUID:
		return true
	default:
		return false
	}
}

// binaryEmpty, as an argument, makes CONCAT join bytes: nothing is converted, and no collations are mixed. A literal with
// _binary before it would not do: a column's collation wins over it.
const binaryEmpty = "CAST('' AS BINARY)"

// rowText is the text of some columns as one binary string.
func (e *End) rowText(cols []change.SumColumn) (string, error) {
	parts := []string{binaryEmpty}
	for i := range cols {
		p, err := e.field(&cols[i])
		if err != nil {
			return "", err
		}
		parts = append(parts, p...)
	}
	return "CONCAT(" + strings.Join(parts, ", ") + ")", nil
}

// rowHash is the hash of some columns as BIGINT UNSIGNED. It is NULL when the text outgrows max_allowed_packet.
func (e *End) rowHash(cols []change.SumColumn) (string, error) {
	text, err := e.rowText(cols)
	if err != nil {
		return "", err
	}
	return "CAST(CONV(LEFT(SHA2(" + text + ", 256), 15), 16, 10) AS UNSIGNED)", nil
}

// field is one column's part of the row's text. NULL is told by the value itself, never by its text: a text that the server could not
// make (beyond max_allowed_packet) is NULL too and must not pass for one.
func (e *End) field(c *change.SumColumn) ([]string, error) {
	text, err := e.canonical(c)
	if err != nil {
		return nil, fmt.Errorf("column %q: %w", c.Column.Name, err)
	}
	null := isNull(c)
	if terminated(c.Form.Kind) {
		if null == "" {
			return []string{text, "';'"}, nil
		}
		return []string{"IF(" + null + ", 'N;', CONCAT(" + text + ", ';'))"}, nil
	}
	if c.Form.Long {
		text = "CONCAT('64:', SHA2(" + e.longBytes(c, text) + ", 256))"
	} else {
		text = "CONCAT(" + binaryEmpty + ", LENGTH(" + text + "), ':', " + text + ")"
	}
	if null == "" {
		return []string{text}, nil
	}
	return []string{"IF(" + null + ", 'N', " + text + ")"}, nil
}

// longBytes is what a long value's own hash is of: raw bytes where the text is their hex, else the text.
func (e *End) longBytes(c *change.SumColumn, text string) string {
	switch c.Form.Kind {
	case change.FormBytes, change.FormGeometry:
		return "CAST(" + bytesOf(c.Column) + " AS BINARY)"
	default:
		return text
	}
}

// bytesOf is what a column holds, as bytes. Characters are those of UTF-8, as they travel: the column's own character set
// stays behind. An address is its 4 or 16 bytes, since servers differ in how they shorten its text.
func bytesOf(c *schema.Column) string {
	switch t := c.Type.(type) {
	case schema.Text, schema.Enum, schema.Set, schema.JSON:
		return utf8(c)
	case schema.Inet:
		if t.Version == 4 {
			return "CAST(" + quote(c.Name) + " AS BINARY(4))"
		}
		return "CAST(" + quote(c.Name) + " AS BINARY(16))"
	default:
		return quote(c.Name)
	}
}

// longShown is the greatest length in bytes of a long value's text that Values gives in full.
const longShown = 64 << 10

// shown is a long value's text for a result: in full up to longShown, beyond it its hash and its length. The server never makes
// a text for a person that it could not make for lack of room.
func (e *End) shown(c *change.SumColumn, text string) string {
	raw := e.longBytes(c, text)
	most := longShown
	if c.Form.Kind == change.FormBytes || c.Form.Kind == change.FormGeometry {
		most /= 2 // two digits a byte
	}
	return fmt.Sprintf("IF(LENGTH(%[1]s) > %[2]d, CONCAT('sha256:', SHA2(%[1]s, 256), ' (', LENGTH(%[1]s), ' bytes)'), %[3]s)", raw, most, text)
}

// decimalText has exactly the form's digits after the point. Zeros beyond the column's scale are text: a DECIMAL has no room for
// them beside as many digits before the point.
func decimalText(c *change.SumColumn) string {
	v, digits := quote(c.Column.Name), c.Form.Precision
	t, ok := c.Column.Type.(schema.Decimal)
	if !ok || digits <= t.Scale {
		return fmt.Sprintf("CAST(%s AS DECIMAL(65,%d))", v, digits)
	}
	zeros := strings.Repeat("0", digits-t.Scale)
	if t.Scale == 0 {
		zeros = "." + zeros
	}
	return fmt.Sprintf("CONCAT(CAST(%s AS DECIMAL(65,%d)), '%s')", v, t.Scale, zeros)
}

// isNull is the condition under which a value is NULL on the target, accepted losses included; empty when it never is.
func isNull(c *change.SumColumn) string {
	v := quote(c.Column.Name)
	var or []string
	if c.Column.Nullable || c.Column.Generated != nil {
		or = append(or, v+" IS NULL")
	}
	if accepted(c, finding.LossZeroDate) {
		or = append(or, zeroDate(v))
	}
	if accepted(c, finding.LossPartialDate) {
		or = append(or, partialDate(v))
	}
	return strings.Join(or, " OR ")
}

func accepted(c *change.SumColumn, code finding.Code) bool {
	return slices.Contains(c.Form.Accepted, string(code))
}

// canonical is a value's text in its form; see change.Form.
func (e *End) canonical(c *change.SumColumn) (string, error) {
	v := quote(c.Column.Name)
	switch c.Form.Kind {
	case change.FormInteger:
		return "(" + v + " + 0)", nil // ENUM, BIT and YEAR as numbers, and no ZEROFILL
	case change.FormDecimal:
		return decimalText(c), nil
	case change.FormText, change.FormLabels:
		return e.text(c), nil
	case change.FormBytes, change.FormGeometry:
		return "LOWER(HEX(" + bytesOf(c.Column) + "))", nil
	case change.FormBits:
		return fmt.Sprintf("LPAD(BIN(%s + 0), %d, '0')", v, c.Form.Precision), nil
	case change.FormDate:
		return "CAST(" + v + " AS CHAR)", nil
	case change.FormDateTime:
		return dateTimeText(c), nil
	case change.FormMicros:
		// TIME_TO_SEC has a fraction on MariaDB and none on MySQL; the parts are the same on both.
		return fmt.Sprintf("(IF(%[1]s < 0, -1, 1) * ((HOUR(%[1]s) * 3600 + MINUTE(%[1]s) * 60 + SECOND(%[1]s)) * 1000000 + MICROSECOND(%[1]s)))", v), nil
	case change.FormUUID:
		if _, ok := c.Column.Type.(schema.Binary); ok {
			h := "LOWER(HEX(" + v + "))"
			return fmt.Sprintf("CONCAT_WS('-', LEFT(%[1]s, 8), SUBSTR(%[1]s, 9, 4), SUBSTR(%[1]s, 13, 4), SUBSTR(%[1]s, 17, 4), RIGHT(%[1]s, 12))", h), nil
		}
		return "LOWER(CAST(" + v + " AS CHAR))", nil
	case change.FormFloat:
		return e.floatText(c.Column), nil
	case change.FormJSON:
		return e.text(c), nil
	}
	return "", fmt.Errorf("no canonical text for form %q", c.Form.Kind)
}

// text is characters in UTF-8, as bytes where a loss was accepted.
func (e *End) text(c *change.SumColumn) string {
	t := utf8(c.Column)
	if _, ok := c.Column.Type.(schema.Vector); ok {
		t = "VECTOR_TO_STRING(" + quote(c.Column.Name) + ")"
		if e.server.dialect == schema.MariaDB {
			t = "VEC_ToText(" + quote(c.Column.Name) + ")"
		}
	}
	if accepted(c, finding.LossNulByte) {
		t = "REPLACE(CAST(" + t + " AS BINARY), 0x00, '')"
	}
	if accepted(c, finding.LossJSONNul) {
		// A raw 0x01 cannot stand in JSON text, so it can stand in for pairs of backslashes meanwhile.
		t = fmt.Sprintf("REPLACE(REPLACE(REPLACE(CAST(%s AS BINARY), %[2]s, 0x01), %[3]s, ''), 0x01, %[2]s)", t, twoBackslashes, nulEscape)
	}
	return t
}

// dateTimeText pads a fraction to six digits; a column without one gets it whole.
func dateTimeText(c *change.SumColumn) string {
	v := quote(c.Column.Name)
	digits := 0
	switch t := c.Column.Type.(type) {
	case schema.DateTime:
		digits = t.Precision
	case schema.Timestamp:
		digits = t.Precision
	}
	text := "CAST(" + v + " AS CHAR)"
	switch {
	case c.Form.Precision == 0:
		return "LEFT(" + text + ", 19)"
	case digits == 0:
		return "CONCAT(" + text + ", '.000000')"
	case digits == 6:
		return text
	}
	return "RPAD(" + text + ", 26, '0')"
}

// floatText is the shortest text that reads back as the same double. MySQL cuts
// the text of an expression, though not of a column, to 22 characters, which loses
// digits of small negative numbers; its JSON text is whole, and spells integers as 1.0.
// DOUBLE(m,d) is an expression too: its own text is rounded to d digits.
func (e *End) floatText(c *schema.Column) string {
	v := quote(c.Name)
	if t, ok := c.Type.(schema.Float); ok && t.Bits == 64 && t.Scale < 0 {
		return "CAST(" + v + " AS CHAR)"
	}
	if e.server.dialect == schema.MySQL {
		return "TRIM(TRAILING '.0' FROM TRIM(TRAILING ']' FROM TRIM(LEADING '[' FROM JSON_ARRAY(" + v + " * 1e0))))"
	}
	return "CAST(CAST(" + v + " AS DOUBLE) AS CHAR)"
}
