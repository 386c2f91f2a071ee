package postgres

import (
	"fmt"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/schema"
)

// text returns the SQL expression of a column's canonical text (see
// change.Form), NULL for NULL. Long values are not hashed here.
func text(c change.SumColumn) string {
	col := quote(c.Column.Name)
	switch c.Form.Kind {
	case change.FormInteger:
		if _, ok := c.Column.Type.(schema.Bool); ok {
			return col + "::int::text"
		}
		return col + "::text"
	case change.FormDecimal:
		return decimalText(col, c)
	case change.FormDate, change.FormUUID:
		return col + "::text"
	case change.FormBits:
		if _, ok := c.Column.Type.(schema.Bool); ok {
			return col + "::int::text"
		}
		return col + "::text"
	case change.FormDateTime:
		return dateTimeText(col, c)
	case change.FormMicros:
		// numeric since version 14, so exact; double before, whose 53 bits hold 838 hours of microseconds.
		return fmt.Sprintf("(extract(epoch FROM %s) * 1000000)::bigint::text", col)
	case change.FormFloat:
		// PostgreSQL prints exponents with a sign and two digits, MySQL without either.
		return fmt.Sprintf("replace(replace(%s::float8::text, 'e+', 'e'), 'e-0', 'e-')", col)
	case change.FormLabels:
		if _, ok := c.Column.Type.(schema.TextArray); ok {
			return fmt.Sprintf("array_to_string(%s, ',')", col)
		}
		return col + "::text"
	case change.FormBytes:
		return fmt.Sprintf("encode(%s, 'hex')", rawBytes(col, c.Column.Type))
	case change.FormGeometry:
		return fmt.Sprintf("encode(%s, 'hex')", geometryBytes(col, c.Column.Type))
	case change.FormText, change.FormJSON:
		if _, ok := c.Column.Type.(schema.Inet); ok {
			return fmt.Sprintf("host(%s)", col)
		}
		return col + "::text"
	default:
		panic(fmt.Sprintf("postgres: no canonical text for form %q", c.Form.Kind))
	}
}

// decimalText has exactly Precision digits after the point, whatever the column's scale;
// only digits beyond them that are not zero show too, so that nothing is rounded away.
func decimalText(col string, c change.SumColumn) string {
	d, ok := c.Column.Type.(schema.Decimal)
	if ok && d.Precision > 0 && d.Scale == c.Form.Precision {
		return col + "::text"
	}
	return fmt.Sprintf("round(%s::numeric, greatest(min_scale(%s::numeric), %d))::text", col, col, c.Form.Precision)
}

// dateTimeText prints a date-time or, in UTC, an instant. Filling up the server's
// own text, which drops trailing zeros, is cheaper than to_char.
func dateTimeText(col string, c change.SumColumn) string {
	if _, ok := c.Column.Type.(schema.Timestamp); ok {
		col = fmt.Sprintf("(%s AT TIME ZONE 'UTC')", col)
	}
	if c.Form.Precision == 0 {
		return col + "::text"
	}
	return fmt.Sprintf("rpad(%s::text || CASE WHEN date_trunc('second', %s) = %s THEN '.' ELSE '' END, 26, '0')", col, col, col)
}

// geometryBytes are MySQL's: the SRID in 4 bytes and the WKB, both little-endian.
// A column without PostGIS holds them as they are.
func geometryBytes(col string, t schema.Type) string {
	if _, ok := t.(schema.Geometry); !ok {
		return col
	}
	srid := fmt.Sprintf("int4send(ST_SRID(%s))", col)
	return fmt.Sprintf("(substr(%[1]s, 4, 1) || substr(%[1]s, 3, 1) || substr(%[1]s, 2, 1) || substr(%[1]s, 1, 1) || ST_AsBinary(%[2]s, 'NDR'))", srid, col)
}

// rawBytes are a column's bytes; of an address, its 4 or 16. Its binary form begins with
// four bytes: family, prefix length, whether it is a network, number of bytes (PostgreSQL, network.c).
func rawBytes(col string, t schema.Type) string {
	if _, ok := t.(schema.Inet); ok {
		return fmt.Sprintf("substr(inet_send(%s), 5)", col)
	}
	return col
}

// longBytes are the bytes of a long value that its hash is of.
func longBytes(c change.SumColumn) string {
	col := quote(c.Column.Name)
	switch c.Form.Kind {
	case change.FormBytes:
		return rawBytes(col, c.Column.Type)
	case change.FormGeometry:
		return geometryBytes(col, c.Column.Type)
	default:
		return "convert_to(" + text(c) + ", 'UTF8')"
	}
}

// hexHash is the lower-case hex SHA-256 of a long value's bytes.
func hexHash(c change.SumColumn) string {
	return "encode(sha256(" + longBytes(c) + "), 'hex')"
}

// longestShown is the longest canonical text of a long form, in bytes, that Values returns whole.
const longestShown = 64 << 10

// shown is the text that Values returns: of a long form's longer value its hash and its
// length, so that neither end needs memory for it.
func shown(c change.SumColumn) string {
	if !c.Form.Long {
		return text(c)
	}
	limit := longestShown
	if c.Form.Kind == change.FormBytes || c.Form.Kind == change.FormGeometry {
		limit /= 2 // the text is hex
	}
	bytes := longBytes(c)
	return fmt.Sprintf("CASE WHEN octet_length(%s) > %d THEN 'sha256:' || %s || ' (' || octet_length(%s) || ' bytes)' ELSE %s END",
		bytes, limit, hexHash(c), bytes, text(c))
}

// terminated tells the forms whose texts cannot hold a semicolon: they end with
// one instead of beginning with their length, which costs less on both sides.
func terminated(k change.FormKind) bool {
	switch k {
	case change.FormInteger, change.FormDecimal, change.FormDate, change.FormDateTime, change.FormMicros, change.FormBits, change.FormUUID:
		return true
	case change.FormText, change.FormBytes, change.FormLabels, change.FormGeometry, change.FormFloat, change.FormJSON:
		return false
	default:
		panic(fmt.Sprintf("postgres: unknown form %q", k))
	}
}

// field returns what a column adds to its row's text, as arguments of concat,
// whose own NULL is the empty string. The text is a contract with the other
// end: a terminated form is its text and a semicolon, or "N;"; every other is the length
// of its UTF-8 in bytes, a colon and the text, or "N"; a long one, its hash in its place.
func field(c change.SumColumn) string {
	col := quote(c.Column.Name)
	if terminated(c.Form.Kind) {
		t := text(c)
		if !c.Column.Nullable && t == col+"::text" {
			return col + ", ';'" // concat prints it as the cast would, and makes no text of its own
		}
		return fmt.Sprintf("coalesce(%s, 'N'), ';'", t)
	}
	if c.Form.Long {
		return fmt.Sprintf("CASE WHEN %s IS NULL THEN 'N' ELSE '64:' || %s END", col, hexHash(c))
	}
	if c.Form.Kind == change.FormBytes && !c.Column.Nullable {
		b := rawBytes(col, c.Column.Type)
		return fmt.Sprintf("octet_length(%s) * 2, ':', encode(%s, 'hex')", b, b)
	}
	t := text(c)
	if c.Column.Nullable {
		return fmt.Sprintf("coalesce(octet_length(%s) || ':', 'N'), %s", t, t)
	}
	return fmt.Sprintf("octet_length(%s), ':', %s", t, t)
}
