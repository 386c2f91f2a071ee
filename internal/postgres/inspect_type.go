package postgres

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/bascule/bascule/internal/schema"
)

// typmod takes apart what format_type prints: a name, and up to two modifiers
// that may stand before the rest of the name, as in timestamp(3) with time zone.
var typmod = regexp.MustCompile(`^([^(]+)\(([^),]+)(?:,([^)]+))?\)(.*)$`)

// parseType reads a type as format_type prints it. Types that this program does not
// make come back as schema.Other.
func parseType(sql, collation string) schema.Type {
	name, a, b := sql, "", ""
	if m := typmod.FindStringSubmatch(sql); m != nil {
		name, a, b = m[1]+m[4], m[2], m[3]
	}
	n, _ := strconv.Atoi(a)
	// PostgreSQL keeps six digits where none are declared.
	digits := 6
	if a != "" {
		digits = n
	}
	switch name {
	case "boolean":
		return schema.Bool{}
	case "smallint":
		return schema.Int{Bits: 16}
	case "integer":
		return schema.Int{Bits: 32}
	case "bigint":
		return schema.Int{Bits: 64}
	case "bit":
		return schema.Bit{N: max(n, 1)}
	case "numeric":
		scale, _ := strconv.Atoi(b)
		return schema.Decimal{Precision: n, Scale: scale}
	case "real":
		return schema.Float{Bits: 32}
	case "double precision":
		return schema.Float{Bits: 64}
	case "text":
		return schema.Text{Collation: collation}
	case "character varying":
		return schema.Text{Length: n, Collation: collation}
	case "character":
		return schema.Text{Length: n, Fixed: true, Collation: collation}
	case "bytea":
		return schema.Binary{}
	case "text[]":
		return schema.TextArray{}
	case "jsonb":
		return schema.JSON{Parsed: true}
	case "json":
		return schema.JSON{}
	case "date":
		return schema.Date{}
	case "time without time zone":
		return schema.Time{Precision: digits}
	case "interval":
		return schema.Interval{Precision: digits}
	case "timestamp without time zone":
		return schema.DateTime{Precision: digits}
	case "timestamp with time zone":
		return schema.Timestamp{Precision: digits}
	case "uuid":
		return schema.UUID{}
	case "inet":
		return schema.Inet{}
	}
	if bare := name[strings.LastIndexByte(name, '.')+1:]; bare == "geometry" {
		g := schema.Geometry{Shape: strings.ToUpper(a), SRID: -1}
		if g.Shape == "" {
			g.Shape = "GEOMETRY"
		}
		if srid, err := strconv.Atoi(b); err == nil {
			g.SRID = srid
		}
		return g
	}
	return schema.Other{SQL: sql}
}
