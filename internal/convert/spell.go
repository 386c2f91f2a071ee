package convert

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/bascule/bascule/internal/schema"
)

// spell returns a target type as PostgreSQL spells it.
func spell(t schema.Type) string {
	switch t := t.(type) {
	case schema.Bool:
		return "boolean"
	case schema.Int:
		return map[int]string{16: "smallint", 32: "integer", 64: "bigint"}[t.Bits]
	case schema.Bit:
		return fmt.Sprintf("bit(%d)", t.N)
	case schema.Decimal:
		return fmt.Sprintf("numeric(%d,%d)", t.Precision, t.Scale)
	case schema.Float:
		return map[int]string{32: "real", 64: "double precision"}[t.Bits]
	case schema.Text:
		if t.Length > 0 {
			return fmt.Sprintf("varchar(%d)", t.Length)
		}
		return "text"
	case schema.Binary:
		return "bytea"
	case schema.Enum:
		return "enum"
	case schema.TextArray:
		return "text[]"
	case schema.JSON:
		if t.Parsed {
			return "jsonb"
		}
		return "json"
	case schema.Date:
		return "date"
	case schema.Time:
		return fmt.Sprintf("time(%d)", t.Precision)
	case schema.Interval:
		return fmt.Sprintf("interval(%d)", t.Precision)
	case schema.DateTime:
		return fmt.Sprintf("timestamp(%d)", t.Precision)
	case schema.Timestamp:
		return fmt.Sprintf("timestamptz(%d)", t.Precision)
	case schema.UUID:
		return "uuid"
	case schema.Inet:
		return "inet"
	case schema.Geometry:
		if t.SRID >= 0 {
			return fmt.Sprintf("geometry(%s,%d)", t.Shape, t.SRID)
		}
		return fmt.Sprintf("geometry(%s)", t.Shape)
	default:
		return t.Kind()
	}
}

// spellSource returns a source type as MySQL spells it, for people.
func spellSource(t schema.Type) string {
	switch t := t.(type) {
	case schema.Int:
		name := map[int]string{8: "TINYINT", 16: "SMALLINT", 24: "MEDIUMINT", 32: "INT", 64: "BIGINT"}[t.Bits]
		if t.Width > 0 {
			name += fmt.Sprintf("(%d)", t.Width)
		}
		return name + unsigned(t.Unsigned)
	case schema.Decimal:
		return fmt.Sprintf("DECIMAL(%d,%d)", t.Precision, t.Scale) + unsigned(t.Unsigned)
	case schema.Float:
		name := map[int]string{32: "FLOAT", 64: "DOUBLE"}[t.Bits]
		if t.Digits > 0 {
			name += fmt.Sprintf("(%d,%d)", t.Digits, t.Scale)
		}
		return name + unsigned(t.Unsigned)
	case schema.Text:
		switch {
		case t.MaxBytes > 0:
			return lobName(t.MaxBytes) + "TEXT"
		case t.Fixed:
			return fmt.Sprintf("CHAR(%d)", t.Length)
		}
		return fmt.Sprintf("VARCHAR(%d)", t.Length)
	case schema.Binary:
		switch {
		case t.MaxBytes > 0:
			return lobName(t.MaxBytes) + "BLOB"
		case t.Fixed:
			return fmt.Sprintf("BINARY(%d)", t.Length)
		}
		return fmt.Sprintf("VARBINARY(%d)", t.Length)
	case schema.Time:
		return fmt.Sprintf("TIME(%d)", t.Precision)
	case schema.DateTime:
		return fmt.Sprintf("DATETIME(%d)", t.Precision)
	case schema.Timestamp:
		return fmt.Sprintf("TIMESTAMP(%d)", t.Precision)
	case schema.Bit:
		return fmt.Sprintf("BIT(%d)", t.N)
	case schema.Inet:
		return fmt.Sprintf("INET%d", t.Version)
	case schema.Geometry:
		return t.Shape
	case schema.Vector:
		return fmt.Sprintf("VECTOR(%d)", t.N)
	case schema.JSON:
		if t.Parsed {
			return "JSON"
		}
		return "JSON (MariaDB)"
	case schema.Other:
		return t.SQL
	default:
		return strings.ToUpper(t.Kind())
	}
}

func unsigned(yes bool) string {
	if yes {
		return " UNSIGNED"
	}
	return ""
}

// lobName is the prefix of a TEXT or BLOB type of that size.
func lobName(size int64) string {
	switch {
	case size < 1<<8:
		return "TINY"
	case size < 1<<16:
		return ""
	case size < 1<<24:
		return "MEDIUM"
	}
	return "LONG"
}

// typeName is NAME, NAME(n) or NAME(n,m).
var typeName = regexp.MustCompile(`^([a-z][a-z0-9 ]*?|text\[\]) *(?:\( *(\d+) *(?:, *(\d+) *)?\))?$`)

// parseType reads a target type that an operator named for a column of type src.
// What the name leaves open is taken from src.
func parseType(name string, src schema.Type) (schema.Type, error) {
	m := typeName.FindStringSubmatch(strings.ToLower(strings.TrimSpace(name)))
	if m == nil {
		return nil, fmt.Errorf("%q is no type name", name)
	}
	n, _ := strconv.Atoi(m[2]) // empty reads as 0; digits beyond int are refused below by convertible
	scale, _ := strconv.Atoi(m[3])
	switch m[1] {
	case "boolean", "bool":
		return schema.Bool{}, nil
	case "smallint", "int2":
		return schema.Int{Bits: 16}, nil
	case "integer", "int", "int4":
		return schema.Int{Bits: 32}, nil
	case "bigint", "int8":
		return schema.Int{Bits: 64}, nil
	case "numeric", "decimal":
		return parseNumeric(n, scale, src), nil
	case "real", "float4":
		return schema.Float{Bits: 32, Digits: -1, Scale: -1}, nil
	case "double precision", "float8":
		return schema.Float{Bits: 64, Digits: -1, Scale: -1}, nil
	case "bit":
		return schema.Bit{N: max(n, 1)}, nil
	case "text":
		return schema.Text{}, nil
	case "varchar", "character varying":
		return schema.Text{Length: n}, nil
	case "bytea":
		return schema.Binary{}, nil
	case "json":
		return schema.JSON{}, nil
	case "jsonb":
		return schema.JSON{Parsed: true}, nil
	case "text[]":
		return schema.TextArray{}, nil
	case "enum":
		return schema.Enum{}, nil
	case "date":
		return schema.Date{}, nil
	case "uuid":
		return schema.UUID{}, nil
	case "inet":
		return schema.Inet{}, nil
	case "geometry":
		g, _ := src.(schema.Geometry) // anything else cannot become one, which convertible tells
		return g, nil
	}
	return parseTimeType(m[1], src, name)
}

func parseTimeType(base string, src schema.Type, name string) (schema.Type, error) {
	p := fraction(src)
	switch base {
	case "time", "time without time zone":
		return schema.Time{Precision: p}, nil
	case "interval":
		return schema.Interval{Precision: p}, nil
	case "timestamp", "timestamp without time zone":
		return schema.DateTime{Precision: p}, nil
	case "timestamptz", "timestamp with time zone":
		return schema.Timestamp{Precision: p}, nil
	}
	return nil, fmt.Errorf("%q is not a type that a column can be given; see docs/types.md", name)
}

func parseNumeric(precision, scale int, src schema.Type) schema.Type {
	if d, ok := src.(schema.Decimal); ok && precision == 0 {
		return schema.Decimal{Precision: d.Precision, Scale: d.Scale}
	}
	if precision == 0 {
		precision = 20
	}
	return schema.Decimal{Precision: precision, Scale: scale}
}

// fraction is the fractional digits of a temporal type, 0 for others.
func fraction(t schema.Type) int {
	switch t := t.(type) {
	case schema.Time:
		return t.Precision
	case schema.Interval:
		return t.Precision
	case schema.DateTime:
		return t.Precision
	case schema.Timestamp:
		return t.Precision
	}
	return 0
}
