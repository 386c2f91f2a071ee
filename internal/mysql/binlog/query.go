package binlog

import (
	"bytes"

	"github.com/bascule/bascule/internal/schema"
)

// nameCache keeps the last default database, so that a run of small transactions makes no string each.
type nameCache struct{ last schema.Name }

func (n *nameCache) name(p []byte) schema.Name {
	if string(n.last) != string(p) {
		n.last = schema.Name(p)
	}
	return n.last
}

// query reads thread 4, seconds 4, length of the database's name 1, error 2, length of the variables 2, the variables, the name, 0, the
// statement: packed as inflater.record has it in a QUERY_COMPRESSED.
func (d *Decoder) query(h header, body []byte, packed bool) error {
	c := cursor{b: body}
	c.take(4 + 4)
	nameLen, code, varLen := int(c.u8()), c.u16(), int(c.u16())
	c.take(d.postHeaderSize(h.typ, 13) - 13)
	vars, name := c.take(varLen), c.take(nameLen)
	if zero := c.u8(); c.bad || zero != 0 {
		return damaged(h, errShort)
	}
	text := c.b
	if packed {
		var err error
		if text, err = d.inflate.record(text); err != nil {
			return damaged(h, err)
		}
	}
	e := d.begin(KindQuery, h)
	e.Query = QueryEvent{Schema: d.names.name(name), Error: code, Charset: queryCharset(vars)}
	switch { // the commonest, without a string of their own
	case bytes.Equal(text, []byte("BEGIN")):
		e.Query.SQL = "BEGIN"
	case bytes.Equal(text, []byte("COMMIT")):
		e.Query.SQL = "COMMIT"
	default:
		e.Query.SQL = string(text)
	}
	d.generation++
	return nil
}

// queryCharset finds the client's character set among a statement's variables, 0 when it is not there. Each has a code and
// a length that only its code tells; the servers write known ones before it, and what comes after it is not needed.
func queryCharset(vars []byte) uint16 {
	const (
		flags2        = 0
		sqlMode       = 1
		catalog       = 2
		autoIncrement = 3
		charset       = 4
		timeZone      = 5
		catalogNZ     = 6
	)
	c := cursor{b: vars}
	for len(c.b) > 0 && !c.bad {
		switch c.u8() {
		case flags2, autoIncrement:
			c.u32()
		case sqlMode:
			c.u64()
		case catalog:
			c.take(int(c.u8()) + 1)
		case timeZone, catalogNZ:
			c.take(int(c.u8()))
		case charset:
			return c.u16()
		default:
			return 0
		}
	}
	return 0
}
