package crosscheck

import (
	"fmt"
	"slices"
)

// normal brings one side's text of a value to the form that both sides share.
// Returning nil means NULL.
type normal func(text []byte) ([]byte, error)

// canon holds a column's two ways to the shared form; a nil one keeps the text.
type canon struct{ source, target normal }

// canonical applies a normal to a value; NULL stays NULL, and what the driver
// calls empty is told from NULL.
func canonical(n normal, v []byte) ([]byte, error) {
	if v == nil || n == nil {
		return v, nil
	}
	return n(v)
}

var (
	integers = []string{"int2", "int4", "int8", "numeric"}
	texts    = []string{"text", "varchar", "bpchar", "citext", "name"}
)

// plan decides how the values of one column are compared, from the two types
// alone. A pair of types that has no exact comparison is an error.
func plan(c sourceColumn, t targetColumn, o Options) (pair, error) {
	p := pair{name: c.name, source: quoteSource(c.name), target: quoteTarget(t.name)}
	is := func(names ...string) bool { return slices.Contains(names, t.typeName) }
	isText := is(texts...) || t.category == "E"
	col := p.source
	asChar := "CAST(" + col + " AS CHAR)"
	asText := p.target + "::text"
	switch c.dataType {
	case "tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "year":
		if is("bool") {
			return p.by(asChar, p.target+"::int::text", number, number), nil
		}
		if is(integers...) {
			return p.by(asChar, asText, number, number), nil
		}
	case "float", "double":
		if is("float4", "float8") {
			// A product keeps the sign of zero, a sum would not.
			return p.by("("+col+" * 1e0)", p.target+"::float8::text", float, float), nil
		}
		if is("numeric") {
			return p.by("("+col+" * 1e0)", asText, number, number), nil
		}
	case "bit":
		return planBit(p, c, t)
	case "date", "datetime", "timestamp":
		dates := momentNormal(o.NullDates)
		if is("timestamptz") {
			return p.by(asChar, "("+p.target+" AT TIME ZONE 'UTC')::text", dates, momentNormal(false)), nil
		}
		if is("date", "timestamp") || isText {
			return p.by(asChar, asText, dates, momentNormal(false)), nil
		}
	case "time":
		if is("interval", "time") {
			return p.by(asChar, "(extract(epoch from "+p.target+") * 1000000)::numeric(30,0)::text", clockMicros, number), nil
		}
		if isText {
			return p.by(asChar, asText, nil, nil), nil
		}
	case "set":
		if is("_text", "_varchar") || t.category == "A" {
			return p.by(col, "array_to_string("+p.target+"::text[], ',', '<null>')", nil, nil), nil
		}
		if isText {
			return p.by(col, asText, nil, nil), nil
		}
	case "json":
		if is("json", "jsonb") || isText {
			return p.by(asChar, asText, jsonValue, jsonValue), nil
		}
	case "uuid":
		if is("uuid") || isText {
			return p.by(asChar, asText, lower, lower), nil
		}
	case "inet4", "inet6":
		if is("inet") {
			return p.by(asChar, "host("+p.target+")", address, address), nil
		}
		if isText {
			return p.by(asChar, asText, address, address), nil
		}
	case "char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum":
		return planText(p, c, t, isText)
	case "binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "vector":
		return planBytes(p, c, t)
	case "geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon", "geometrycollection", "geomcollection":
		if is("bytea") {
			return p.by(col, asText, nil, bytea), nil
		}
		if is("geometry", "geography") {
			return p.by(col, "encode(ST_AsEWKB("+p.target+", 'NDR'), 'hex')", nil, ewkb), nil
		}
	}
	return p, noComparison(c, t)
}

func noComparison(c sourceColumn, t targetColumn) error {
	return fmt.Errorf("column %q: no exact comparison of source type %q with target type %q", c.name, c.columnType, t.typeName)
}

func (p pair) by(source, target string, ns, nt normal) pair {
	p.source, p.target, p.canon = source, target, canon{ns, nt}
	return p
}

func planBit(p pair, c sourceColumn, t targetColumn) (pair, error) {
	value := "CAST(" + p.source + " + 0 AS CHAR)"
	switch t.typeName {
	case "bool":
		return p.by(value, p.target+"::int::text", number, number), nil
	case "bit", "varbit":
		var width int
		if _, err := fmt.Sscanf(c.columnType, "bit(%d)", &width); err != nil {
			return p, fmt.Errorf("read width of column %q from %q: %w", c.name, c.columnType, err)
		}
		return p.by(fmt.Sprintf("lpad(bin(%s + 0), %d, '0')", p.source, width), p.target+"::text", nil, nil), nil
	case "bytea":
		return p.by(p.source, p.target+"::text", nil, bytea), nil
	case "int2", "int4", "int8", "numeric":
		return p.by(value, p.target+"::text", number, number), nil
	}
	return p, noComparison(c, t)
}

func planText(p pair, c sourceColumn, t targetColumn, isText bool) (pair, error) {
	switch {
	case isText:
		return p.by(p.source, p.target+"::text", nil, nil), nil
	case t.typeName == "json" || t.typeName == "jsonb":
		return p.by(p.source, p.target+"::text", jsonValue, jsonValue), nil
	case t.typeName == "bytea":
		return p.by(p.source, p.target+"::text", nil, bytea), nil
	case t.typeName == "uuid":
		return p.by(p.source, p.target+"::text", lower, lower), nil
	}
	return p, noComparison(c, t)
}

func planBytes(p pair, c sourceColumn, t targetColumn) (pair, error) {
	switch t.typeName {
	case "bytea":
		return p.by(p.source, p.target+"::text", nil, bytea), nil
	case "uuid":
		return p.by("lower(hex("+p.source+"))", "replace("+p.target+"::text, '-', '')", nil, nil), nil
	}
	return p, noComparison(c, t)
}
