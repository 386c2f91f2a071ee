package mysql

import (
	"fmt"

	"github.com/bascule/bascule/internal/schema"
)

// asked turns a question into SQL.
func (e *End) asked(what schema.Ask, c *schema.Column) (*ask, error) {
	a := &ask{column: c}
	v := quote(c.Name)
	switch what {
	case schema.AskMax:
		a.max = v + " + 0" // drops a ZEROFILL
	case schema.AskMaxBytes:
		a.max = "LENGTH(" + utf8(c) + ")"
	case schema.AskNotBoolean:
		a.where = v + " NOT IN (0, 1)"
	case schema.AskOutOfDay:
		a.where = "(" + v + " < TIME'00:00:00' OR " + v + " >= TIME'24:00:00')"
	case schema.AskZeroDate:
		a.where = zeroDate(v)
	case schema.AskPartialDate:
		a.where = partialDate(v)
	case schema.AskEmptyEnum:
		a.where = v + " + 0 = 0"
	case schema.AskNulByte:
		a.where = "INSTR(CAST(" + utf8(c) + " AS BINARY), 0x00) > 0"
	case schema.AskJSONNul:
		a.where = jsonNul("CAST(" + utf8(c) + " AS BINARY)")
	case schema.AskDoubleEncoded:
		a.where = doubleEncoded(c)
	default:
		return nil, fmt.Errorf("unknown question %q", what)
	}
	return a, nil
}

// utf8 is a character column's value in UTF-8. A conversion from a character set that is UTF-8 already would cost a copy.
func utf8(c *schema.Column) string {
	v := quote(c.Name)
	var charset string
	switch t := c.Type.(type) {
	case schema.Text:
		charset = t.Charset
	case schema.Enum:
		charset = t.Charset
	case schema.Set:
		charset = t.Charset
	case schema.JSON:
		if !t.Parsed {
			return v // MariaDB's is utf8mb4 text
		}
		return "CAST(" + v + " AS CHAR)"
	case schema.Binary:
		return v
	default:
		return "CAST(" + v + " AS CHAR)"
	}
	switch charset {
	case "utf8mb4", "utf8mb3", "utf8", "ascii":
		return v
	}
	return "CONVERT(" + v + " USING utf8mb4)"
}

// zeroDate holds for 0000-00-00, with any time of day. The parts are looked at because a comparison with a date that does not
// exist means different things in different SQL modes.
func zeroDate(v string) string {
	return fmt.Sprintf("(YEAR(%[1]s) = 0 AND MONTH(%[1]s) = 0 AND DAYOFMONTH(%[1]s) = 0)", v)
}

// partialDate holds for dates that no calendar has, except the zero date.
func partialDate(v string) string {
	return fmt.Sprintf("((YEAR(%[1]s) = 0 OR MONTH(%[1]s) = 0 OR DAYOFMONTH(%[1]s) = 0 OR DAYOFMONTH(%[1]s) > CASE MONTH(%[1]s)"+
		" WHEN 2 THEN 28 + (YEAR(%[1]s) %% 4 = 0 AND (YEAR(%[1]s) %% 100 <> 0 OR YEAR(%[1]s) %% 400 = 0))"+
		" WHEN 4 THEN 30 WHEN 6 THEN 30 WHEN 9 THEN 30 WHEN 11 THEN 30 ELSE 31 END) AND NOT %[2]s)", v, zeroDate(v))
}

// Bytes of JSON text: \\ is an escaped backslash, \u0000 the escape in question.
const (
	twoBackslashes = "0x5C5C"
	nulEscape      = "0x5C7530303030"
)

// jsonNul holds for JSON text with the escape \u0000. Pairs of backslashes go first: \\u0000 is a backslash and five characters.
func jsonNul(bytes string) string {
	return fmt.Sprintf("(INSTR(%[1]s, %[2]s) > 0 AND INSTR(REPLACE(%[1]s, %[3]s, ''), %[2]s) > 0)", bytes, nulEscape, twoBackslashes)
}

// doubleEncoded holds for text whose characters all exist in cp1252 and, as those bytes, are UTF-8 with multi-byte characters.
func doubleEncoded(c *schema.Column) string {
	text := utf8(c)
	bytes := "CAST(CONVERT(" + text + " USING latin1) AS BINARY)"
	again := "CONVERT(" + bytes + " USING utf8mb4)"
	return fmt.Sprintf("(LENGTH(%[1]s) <> CHAR_LENGTH(%[1]s)"+
		" AND CAST(CONVERT(CONVERT(%[1]s USING latin1) USING utf8mb4) AS BINARY) = CAST(%[1]s AS BINARY)"+
		" AND CAST(%[3]s AS BINARY) = %[2]s AND CHAR_LENGTH(%[3]s) < LENGTH(%[2]s))", text, bytes, again)
}
