package binlog

import (
	"bytes"
	"fmt"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/schema"
)

// table is what a TABLE_MAP says about a table that has a number, and how its rows are read.
type table struct {
	body       []byte // of the event: the same bytes say the same
	layout     *Layout
	columns    []column // as they stand in row events
	width      int      // how many travel
	generation uint64   // of the transaction that it was last named in
}

func (t *table) name() string { return string(t.layout.Schema) + "." + string(t.layout.Table) }

// column is how the values of a column are read.
type column struct {
	name schema.Name
	to   int
	// A value has size bytes, or, with prefix > 0, as many as a little-endian number of prefix bytes before it says.
	size   int
	prefix int
	// value appends the value in the form of change.Batch; nil: the bytes are that already.
	value func(dst, src []byte) ([]byte, error)
}

// mapped is what a TABLE_MAP says about one column.
type mapped struct {
	typ      fieldType
	meta     uint16
	unsigned bool
	name     []byte // nil without binlog_row_metadata=FULL
	members  [][]byte
}

// idSize is how many bytes a table's number has: 6, and 4 on servers before MySQL 5.1.4.
func (d *Decoder) idSize(t eventType) int {
	if d.postHeaderSize(t, 8) == 6 {
		return 4
	}
	return 6
}

// Forget forgets every table: the next TABLE_MAP of each asks for its layout anew.
func (d *Decoder) Forget() { clear(d.tables) }

// tableMap reads the table's number 6, flags 2, database and table, each with a length and a 0 behind, and the columns.
func (d *Decoder) tableMap(h header, body []byte) error {
	c := cursor{b: body}
	id := c.little(d.idSize(h.typ))
	if t := d.tables[id]; t != nil && bytes.Equal(t.body, c.b) {
		t.generation = d.generation
		return nil
	}
	t := &table{body: bytes.Clone(c.b), generation: d.generation}
	c.u16()
	database := c.take(c.length())
	c.u8()
	name := c.take(c.length())
	c.u8()
	if c.bad {
		return damaged(h, errShort)
	}
	// Nothing may be known of this number if what follows fails.
	delete(d.tables, id)
	layout, err := d.o.Tables(schema.Name(database), schema.Name(name))
	if err != nil {
		return fmt.Errorf("%s: table %s.%s: %w", h.op(), database, name, err)
	}
	if t.layout = layout; layout != nil && !layout.Bare {
		columns, hasSigns, err := parseColumns(&c)
		if err != nil {
			return damaged(h, err)
		}
		if err := d.plan(t, columns, hasSigns); err != nil {
			return fault.New(fault.Data, h.op(), fmt.Errorf("table %s: %w", t.name(), err), hintAltered)
		}
	}
	d.tables[id] = t
	return nil
}

// parseColumns reads how many columns, a type each, metadata as the types have it, a bit each that says whether it may be NULL,
// and then fields of type, length, value: more about the columns.
func parseColumns(c *cursor) (columns []mapped, signs bool, err error) {
	types := c.take(c.length())
	meta := cursor{b: c.take(c.length())}
	c.take((len(types) + 7) / 8)
	columns = make([]mapped, len(types))
	for i, b := range types {
		columns[i].typ = fieldType(b)
		if err := columns[i].metadata(&meta); err != nil {
			return nil, false, fmt.Errorf("column %d: %w", i+1, err)
		}
	}
	if c.bad || meta.bad || len(meta.b) > 0 {
		return nil, false, errShort
	}
	for len(c.b) > 0 {
		field := c.u8()
		value := cursor{b: c.take(c.length())}
		switch field {
		case 1: // SIGNEDNESS
			signs = true
			readSigns(&value, columns)
		case 4: // COLUMN_NAME
			for i := range columns {
				columns[i].name = value.take(value.length())
			}
		case 5: // SET_STR_VALUE
			readMembers(&value, columns, fieldSet)
		case 6: // ENUM_STR_VALUE
			readMembers(&value, columns, fieldEnum)
		}
		if c.bad || value.bad {
			return nil, false, errShort
		}
	}
	return columns, signs, nil
}

// metadata reads a type's metadata, and the type itself where it is hidden in there.
func (m *mapped) metadata(c *cursor) error {
	switch m.typ {
	case fieldTiny, fieldShort, fieldInt24, fieldLong, fieldLongLong, fieldYear, fieldDate, fieldNewDate, fieldTime, fieldTimestamp, fieldDatetime:
	case fieldFloat, fieldDouble, fieldBlob, fieldBlobCompressed, fieldGeometry, fieldJSON, fieldVector, fieldTimestamp2, fieldDatetime2, fieldTime2:
		m.meta = uint16(c.u8())
	case fieldVarchar, fieldVarcharCompressed, fieldBit:
		m.meta = c.u16()
	case fieldNewDecimal:
		m.meta = uint16(c.u8())<<8 | uint16(c.u8())
	case fieldString, fieldEnum, fieldSet:
		// The first byte is the type. Two bits of a CHAR's length hide in two bits that every such type has set.
		first, second := c.u8(), c.u8()
		m.typ = fieldType(first | 0x30)
		m.meta = uint16(second) | uint16(first&0x30^0x30)<<4
	default:
		return fmt.Errorf("type %d is not known", m.typ)
	}
	return nil
}

// readSigns reads one bit for each column that is a number, YEAR included, the first the highest: whether it is unsigned.
func readSigns(c *cursor, columns []mapped) {
	bits := c.b
	i := 0
	for k := range columns {
		switch columns[k].typ {
		case fieldTiny, fieldShort, fieldInt24, fieldLong, fieldLongLong, fieldNewDecimal, fieldFloat, fieldDouble, fieldYear:
		default:
			continue
		}
		if i/8 >= len(bits) {
			c.bad = true
			return
		}
		columns[k].unsigned = bits[i/8]>>(7-i%8)&1 != 0
		i++
	}
}

// readMembers reads for each column of the type how many members it has and each with its length.
func readMembers(c *cursor, columns []mapped, typ fieldType) {
	for k := range columns {
		if columns[k].typ != typ {
			continue
		}
		members := make([][]byte, c.length())
		for i := range members {
			members[i] = c.take(c.length())
		}
		columns[k].members = members
	}
}
