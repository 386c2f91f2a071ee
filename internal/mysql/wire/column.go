package wire

import "fmt"

// FieldType is the protocol's type of a column, which fixes how its values are encoded.
type FieldType uint8

// The types that occur in column definitions, with the numbers of enum_field_types.
const (
	TypeDecimal    FieldType = 0
	TypeTiny       FieldType = 1
	TypeShort      FieldType = 2
	TypeLong       FieldType = 3
	TypeFloat      FieldType = 4
	TypeDouble     FieldType = 5
	TypeNull       FieldType = 6
	TypeTimestamp  FieldType = 7
	TypeLongLong   FieldType = 8
	TypeInt24      FieldType = 9
	TypeDate       FieldType = 10
	TypeTime       FieldType = 11
	TypeDatetime   FieldType = 12
	TypeYear       FieldType = 13
	TypeNewDate    FieldType = 14
	TypeVarchar    FieldType = 15
	TypeBit        FieldType = 16
	TypeVector     FieldType = 242
	TypeJSON       FieldType = 245
	TypeNewDecimal FieldType = 246
	TypeEnum       FieldType = 247
	TypeSet        FieldType = 248
	TypeTinyBlob   FieldType = 249
	TypeMediumBlob FieldType = 250
	TypeLongBlob   FieldType = 251
	TypeBlob       FieldType = 252
	TypeVarString  FieldType = 253
	TypeString     FieldType = 254
	TypeGeometry   FieldType = 255
)

// Flags of a column definition.
const (
	FlagNotNull  uint16 = 1 << 0
	FlagUnsigned uint16 = 1 << 5
	FlagBinary   uint16 = 1 << 7
	FlagEnum     uint16 = 1 << 8
	FlagSet      uint16 = 1 << 11
)

// CharsetBinary is the character set id of columns that hold bytes.
const CharsetBinary uint16 = 63

// Column is a column definition as the server sends it.
type Column struct {
	Schema, Table, OrgTable string
	// Name is the name in the result, OrgName the column's own.
	Name, OrgName string
	// Charset is a collation id; CharsetBinary for bytes and for everything that is no text.
	Charset uint16
	// Length is the greatest width in bytes of the value as text.
	Length   uint32
	Type     FieldType
	Flags    uint16
	Decimals uint8
	// ExtendedType and ExtendedFormat are MariaDB's names for types that the protocol has none for: "uuid", "inet6", "point"
	// and so on; the format "json". Empty elsewhere.
	ExtendedType, ExtendedFormat string
}

// parseColumn decodes a ColumnDefinition41. The column keeps no part of the payload.
func parseColumn(p []byte, caps Capability) (Column, error) {
	c := cursor{b: p}
	c.lenencBytes() // catalog, always "def"
	col := Column{
		Schema:   string(c.lenencBytes()),
		Table:    string(c.lenencBytes()),
		OrgTable: string(c.lenencBytes()),
		Name:     string(c.lenencBytes()),
		OrgName:  string(c.lenencBytes()),
	}
	if caps.Has(CapExtendedMetadata) {
		ext := cursor{b: c.lenencBytes()}
		for len(ext.b) > 0 {
			switch kind, v := ext.u8(), ext.lenencBytes(); kind {
			case 0:
				col.ExtendedType = string(v)
			case 1:
				col.ExtendedFormat = string(v)
			}
		}
		c.bad = c.bad || ext.bad
	}
	fixed := cursor{b: c.lenencBytes()}
	col.Charset, col.Length, col.Type = fixed.u16(), fixed.u32(), FieldType(fixed.u8())
	col.Flags, col.Decimals = fixed.u16(), fixed.u8()
	if c.bad || fixed.bad {
		return Column{}, protocolErrorf("column definition of %d bytes ends too early", len(p))
	}
	return col, nil
}

// Unsigned reports whether an integer column's values are unsigned.
func (c Column) Unsigned() bool { return c.Flags&FlagUnsigned != 0 }

// String describes the column for messages.
func (c Column) String() string { return fmt.Sprintf("%q (type %d)", c.Name, c.Type) }
