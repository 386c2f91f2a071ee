package mysql

import (
	"errors"
	"fmt"
	"strings"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/mysql/wire"
	"github.com/bascule/bascule/internal/schema"
)

// planned compares what the server is about to send with the columns that the plan was made for. Somebody's ALTER TABLE between
// the two would otherwise have values read as what they are not: the codecs know the plan alone. It returns a fault.Refused.
func planned(s *change.Select, got []wire.Column, caps wire.Capability) error {
	var errs []error
	if len(got) != len(s.Columns) {
		errs = append(errs, fmt.Errorf("%d columns for %d", len(got), len(s.Columns)))
	} else {
		for i, c := range s.Columns {
			if why := drift(c.Type, &got[i], caps); why != "" {
				errs = append(errs, fmt.Errorf("column %q is no longer %s: the server sends %s", c.Name, c.Type.Kind(), why))
			}
		}
	}
	return fault.New(fault.Refused, "compare "+string(s.Table.Name)+" with its plan", errors.Join(errs...),
		"the table changed since the plan was made: undo the change, or start over with bascule db drop and bascule db copy")
}

// drift returns what the server sends where it does not send t, else nothing. Changes that leave every value what it was, such
// as those among types of text, pass.
func drift(t schema.Type, got *wire.Column, caps wire.Capability) string {
	sends := func(ok bool) string {
		if ok {
			return ""
		}
		return describe(got)
	}
	switch t := t.(type) {
	case schema.Int:
		return sends(got.Type == integerTypes[t.Bits] && got.Unsigned() == t.Unsigned)
	case schema.Year:
		return sends(got.Type == wire.TypeYear)
	case schema.Bit:
		return sends(got.Type == wire.TypeBit && int(got.Length) == t.N)
	case schema.Decimal:
		return sends(got.Type == wire.TypeNewDecimal && int(got.Decimals) == t.Scale && got.Unsigned() == t.Unsigned)
	case schema.Float:
		want := wire.TypeDouble
		if t.Bits == 32 {
			want = wire.TypeFloat
		}
		return sends(got.Type == want && got.Unsigned() == t.Unsigned)
	case schema.Date:
		return sends(got.Type == wire.TypeDate || got.Type == wire.TypeNewDate)
	case schema.Time:
		return sends(got.Type == wire.TypeTime && int(got.Decimals) == t.Precision)
	case schema.DateTime:
		return sends(got.Type == wire.TypeDatetime && int(got.Decimals) == t.Precision)
	case schema.Timestamp:
		return sends(got.Type == wire.TypeTimestamp && int(got.Decimals) == t.Precision)
	case schema.Enum:
		return sends(stringTypes[got.Type] && got.Flags&wire.FlagEnum != 0)
	case schema.Set:
		return sends(stringTypes[got.Type] && got.Flags&wire.FlagSet != 0)
	case schema.Geometry:
		return sends(got.Type == wire.TypeGeometry)
	}
	return sends(sendsString(t, got, caps))
}

// sendsString is drift's answer for types that travel as strings. Those of MariaDB that the protocol has no number for are told by name.
func sendsString(t schema.Type, got *wire.Column, caps wire.Capability) bool {
	if got.Flags&(wire.FlagEnum|wire.FlagSet) != 0 {
		return false
	}
	named := func(name string) bool {
		return stringTypes[got.Type] && (!caps.Has(wire.CapExtendedMetadata) || got.ExtendedType == name)
	}
	switch t := t.(type) {
	case schema.Text:
		return named("") && got.Charset != wire.CharsetBinary
	case schema.Binary:
		// A fixed length is part of the value: shorter ones are filled with zeros.
		return named("") && got.Charset == wire.CharsetBinary && (!t.Fixed || got.Type == wire.TypeString && int(got.Length) == t.Length)
	case schema.JSON:
		return got.Type == wire.TypeJSON || !t.Parsed && named("") && got.Charset != wire.CharsetBinary
	case schema.UUID:
		return named("uuid")
	case schema.Inet:
		return named(fmt.Sprintf("inet%d", t.Version))
	default: // vectors and types of no known kind
		return true
	}
}

var (
	integerTypes = map[int]wire.FieldType{8: wire.TypeTiny, 16: wire.TypeShort, 24: wire.TypeInt24, 32: wire.TypeLong, 64: wire.TypeLongLong}
	stringTypes  = map[wire.FieldType]bool{
		wire.TypeVarchar: true, wire.TypeVarString: true, wire.TypeString: true, wire.TypeTinyBlob: true, wire.TypeMediumBlob: true,
		wire.TypeLongBlob: true, wire.TypeBlob: true, wire.TypeEnum: true, wire.TypeSet: true,
	}
	fieldNames = map[wire.FieldType]string{
		wire.TypeTiny: "TINYINT", wire.TypeShort: "SMALLINT", wire.TypeInt24: "MEDIUMINT", wire.TypeLong: "INT", wire.TypeLongLong: "BIGINT",
		wire.TypeFloat: "FLOAT", wire.TypeDouble: "DOUBLE", wire.TypeNewDecimal: "DECIMAL", wire.TypeBit: "BIT", wire.TypeYear: "YEAR",
		wire.TypeDate: "DATE", wire.TypeNewDate: "DATE", wire.TypeTime: "TIME", wire.TypeDatetime: "DATETIME", wire.TypeTimestamp: "TIMESTAMP",
		wire.TypeJSON: "JSON", wire.TypeGeometry: "GEOMETRY", wire.TypeVector: "VECTOR",
	}
)

// describe names what a column's metadata says, as a type in SQL where there is one: INT UNSIGNED, BINARY(3), TIME(6).
func describe(c *wire.Column) string {
	name, ok := fieldNames[c.Type]
	binary := c.Charset == wire.CharsetBinary
	switch {
	case c.ExtendedType != "":
		return strings.ToUpper(c.ExtendedType)
	case c.Flags&wire.FlagEnum != 0:
		return "ENUM"
	case c.Flags&wire.FlagSet != 0:
		return "SET"
	case c.Type == wire.TypeString && binary:
		return fmt.Sprintf("BINARY(%d)", c.Length)
	case stringTypes[c.Type] && binary:
		return "bytes"
	case stringTypes[c.Type]:
		return "text"
	case !ok:
		return fmt.Sprintf("type %d", c.Type)
	case c.Type == wire.TypeBit:
		name += fmt.Sprintf("(%d)", c.Length)
	case c.Type == wire.TypeNewDecimal:
		name += fmt.Sprintf(" of %d decimals", c.Decimals)
	case c.Decimals > 0 && c.Decimals <= 6:
		name += fmt.Sprintf("(%d)", c.Decimals)
	}
	switch c.Type { // of other types the flag means nothing
	case wire.TypeTiny, wire.TypeShort, wire.TypeInt24, wire.TypeLong, wire.TypeLongLong, wire.TypeFloat, wire.TypeDouble, wire.TypeNewDecimal:
	default:
		return name
	}
	if c.Unsigned() {
		name += " UNSIGNED"
	}
	return name
}
