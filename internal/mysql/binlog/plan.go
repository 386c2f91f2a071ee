package binlog

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bascule/bascule/internal/schema"
)

// A fieldType is a column's type in a TABLE_MAP: enum_field_types of the servers.
type fieldType uint8

const (
	fieldTiny              fieldType = 1
	fieldShort             fieldType = 2
	fieldLong              fieldType = 3
	fieldFloat             fieldType = 4
	fieldDouble            fieldType = 5
	fieldTimestamp         fieldType = 7
	fieldLongLong          fieldType = 8
	fieldInt24             fieldType = 9
	fieldDate              fieldType = 10
	fieldTime              fieldType = 11
	fieldDatetime          fieldType = 12
	fieldYear              fieldType = 13
	fieldNewDate           fieldType = 14
	fieldVarchar           fieldType = 15
	fieldBit               fieldType = 16
	fieldTimestamp2        fieldType = 17
	fieldDatetime2         fieldType = 18
	fieldTime2             fieldType = 19
	fieldBlobCompressed    fieldType = 140 // MariaDB
	fieldVarcharCompressed fieldType = 141 // MariaDB
	fieldVector            fieldType = 242 // MySQL 9
	fieldJSON              fieldType = 245
	fieldNewDecimal        fieldType = 246
	fieldEnum              fieldType = 247
	fieldSet               fieldType = 248
	fieldBlob              fieldType = 252
	fieldString            fieldType = 254
	fieldGeometry          fieldType = 255
)

var errType = errors.New("the log has another type")

// plan decides how the rows of t are read: it matches what the TABLE_MAP says with the layout, column by column.
func (d *Decoder) plan(t *table, columns []mapped, hasSigns bool) error {
	n := len(t.layout.Columns)
	if len(columns) < n {
		return fmt.Errorf("the log has %d columns, the table %d", len(columns), n)
	}
	for _, m := range columns[n:] {
		// MariaDB appends the hash of a UNIQUE over a BLOB.
		if !d.o.MariaDB || m.typ != fieldLongLong || m.name != nil && !strings.HasPrefix(string(m.name), "DB_ROW_HASH_") {
			return fmt.Errorf("the log has %d columns, the table %d", len(columns), n)
		}
	}
	t.columns = make([]column, len(columns))
	var travels []int
	for i, m := range columns {
		c := &t.columns[i]
		c.to = -1
		if i >= n {
			c.name, c.size = "DB_ROW_HASH", 8
			continue
		}
		of := &t.layout.Columns[i]
		c.name, c.to = of.Name, of.To
		if m.name != nil && !strings.EqualFold(string(m.name), string(of.Name)) {
			return fmt.Errorf("its column %d is %q in the log and %q in the table", i+1, m.name, of.Name)
		}
		if err := m.frame(c); err != nil {
			return fmt.Errorf("column %s: %w", of.Name, err)
		}
		if err := d.convert(c, of, m, hasSigns); err != nil {
			return fmt.Errorf("column %s: %w: %v in the log, %s in the table", of.Name, err, m, of.Type.Kind())
		}
		if c.to >= 0 {
			travels = append(travels, c.to)
		}
	}
	slices.Sort(travels)
	for i, to := range travels {
		if i != to {
			return errors.New("the layout does not number the columns that travel from 0 on")
		}
	}
	t.width = len(travels)
	return nil
}

// String describes a column as its TABLE_MAP does.
func (m mapped) String() string { return fmt.Sprintf("type %d (%d)", m.typ, m.meta) }

// frame says how long the values of a column are.
func (m *mapped) frame(c *column) error {
	switch m.typ {
	case fieldTiny, fieldYear:
		c.size = 1
	case fieldShort:
		c.size = 2
	case fieldInt24, fieldDate, fieldNewDate, fieldTime:
		c.size = 3
	case fieldLong, fieldFloat, fieldTimestamp:
		c.size = 4
	case fieldLongLong, fieldDouble, fieldDatetime:
		c.size = 8
	case fieldTimestamp2:
		c.size = 4 + int(m.meta+1)/2
	case fieldDatetime2:
		c.size = 5 + int(m.meta+1)/2
	case fieldTime2:
		c.size = 3 + int(m.meta+1)/2
	case fieldNewDecimal:
		c.size = decimalSize(int(m.meta>>8), int(m.meta&0xff))
	case fieldBit:
		c.size = int(m.meta>>8) + int(m.meta&0xff+7)/8
	case fieldEnum, fieldSet:
		c.size = int(m.meta)
	case fieldVarchar, fieldVarcharCompressed, fieldString:
		c.prefix = 1
		if m.meta > 255 {
			c.prefix = 2
		}
	case fieldBlob, fieldBlobCompressed, fieldGeometry, fieldJSON, fieldVector:
		c.prefix = int(m.meta)
		if c.prefix < 1 || c.prefix > 4 {
			return fmt.Errorf("a length of %d bytes", c.prefix)
		}
	default:
		return fmt.Errorf("type %d is not known", m.typ)
	}
	return nil
}

// convert chooses how a column's values become those of change.Batch, and refuses a type that is not the table's.
func (d *Decoder) convert(c *column, of *Column, m mapped, hasSigns bool) error {
	is := func(types ...fieldType) error {
		if !slices.Contains(types, m.typ) {
			return errType
		}
		return nil
	}
	switch t := of.Type.(type) {
	case schema.Int:
		if hasSigns && m.unsigned != t.Unsigned {
			return errors.New("the log has another sign")
		}
		if t.Bits == 24 {
			c.value = mediumSigned
			if t.Unsigned {
				c.value = mediumUnsigned
			}
		}
		return is(map[int]fieldType{8: fieldTiny, 16: fieldShort, 24: fieldInt24, 32: fieldLong, 64: fieldLongLong}[t.Bits])
	case schema.Year:
		c.value = year
		return is(fieldYear)
	case schema.Float:
		want := fieldDouble
		if t.Bits == 32 {
			want = fieldFloat
		}
		return is(want)
	case schema.Decimal:
		if int(m.meta>>8) != t.Precision || int(m.meta&0xff) != t.Scale || t.Scale > t.Precision || t.Precision > 81 {
			return errType
		}
		c.value = decimalOf(t.Precision, t.Scale)
		return is(fieldNewDecimal)
	case schema.Bit:
		if c.size != (t.N+7)/8 {
			return errType
		}
		return is(fieldBit)
	case schema.Enum:
		return m.enum(c, t)
	case schema.Set:
		return m.set(c, t)
	case schema.Text, schema.Binary, schema.JSON, schema.UUID, schema.Inet, schema.Geometry, schema.Vector:
		return d.convertString(c, of, m)
	case schema.Date, schema.Time, schema.DateTime, schema.Timestamp:
		return m.temporal(c, t)
	}
	return errors.New("this type is never in a log")
}
