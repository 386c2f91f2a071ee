package binlog

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// maxTables is how many numbers of tables are remembered between transactions.
const maxTables = 4096

// transaction begins one: TABLE_MAPs hold within it only.
func (d *Decoder) transaction(h header) *Event {
	d.generation++
	if len(d.tables) > maxTables {
		clear(d.tables)
	}
	return d.begin(KindGTID, h)
}

// gtid reads a GTID or an ANONYMOUS_GTID: flags 1, UUID 16, number 8, then, from MySQL 5.7 on, 2 and two logical clocks of 8
// bytes, and from 8.0.1 on when it was committed, 7 bytes of microseconds of which the highest bit says that 7 of the original commit follow.
func (d *Decoder) gtid(h header, body []byte) error {
	c := cursor{b: body}
	c.u8()
	uuid := c.take(16)
	number := c.u64()
	if c.bad {
		return damaged(h, errShort)
	}
	e := d.transaction(h)
	if h.typ == typeGTID {
		if int64(number) <= 0 {
			return damaged(h, fmt.Errorf("transaction number %d", int64(number)))
		}
		e.GTID.Text = gtidText(uuid, nil, number)
	}
	if len(c.b) >= 1+16+7 && c.u8() == 2 {
		c.take(16)
		e.Time = time.UnixMicro(int64(c.little(7) &^ (1 << 55))).UTC()
	}
	return nil
}

// gtidText prints UUID:NUMBER or UUID:TAG:NUMBER.
func gtidText(uuid, tag []byte, number uint64) string {
	var buf [36 + 1 + 32 + 1 + 20]byte
	b := appendUUID(buf[:0], uuid)
	if len(tag) > 0 {
		b = append(append(b, ':'), tag...)
	}
	return string(strconv.AppendUint(append(b, ':'), number, 10))
}

// appendUUID prints 16 bytes as 8-4-4-4-12 hexadecimal digits.
func appendUUID(dst, p []byte) []byte {
	for i, n := range [...]int{4, 2, 2, 2, 6} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, p[:n])
		p = p[n:]
	}
	return dst
}

// gtidMariaDB reads sequence 8, domain 4, flags 1, then what the flags say (Gtid_log_event).
func (d *Decoder) gtidMariaDB(h header, body []byte) error {
	const (
		standalone  = 1
		groupCommit = 2
		preparedXA  = 64
		completedXA = 128
	)
	c := cursor{b: body}
	sequence, domain, flags := c.u64(), c.u32(), c.u8()
	if flags&groupCommit != 0 {
		c.u64()
	}
	var id XAID
	if flags&(preparedXA|completedXA) != 0 {
		id.Format = int32(c.u32())
		global, branch := int(c.u8()), int(c.u8())
		id.Global, id.Branch = string(c.take(global)), string(c.take(branch))
	}
	if c.bad {
		return damaged(h, errShort)
	}
	var buf [3 * 20]byte
	b := strconv.AppendUint(buf[:0], uint64(domain), 10)
	b = strconv.AppendUint(append(b, '-'), uint64(h.server), 10)
	b = strconv.AppendUint(append(b, '-'), sequence, 10)
	e := d.transaction(h)
	e.GTID = GTIDEvent{
		Text: string(b), Standalone: flags&standalone != 0, XAPrepared: flags&preparedXA != 0, XACompleted: flags&completedXA != 0, XA: id,
	}
	return nil
}

// gtidTagged reads a GTID_TAGGED_LOG, which has the format of MySQL's library mysql::serialization: version, size and the
// last field that must be understood, then numbered fields. 0 is the flags, 1 the UUID, 2 the number (signed), 3 the tag, 4 and 5 logical
// clocks (signed), 6 when it was committed, 7 when originally, in microseconds; of what follows (lengths, versions) nothing is needed.
func (d *Decoder) gtidTagged(h header, body []byte) error {
	c := cursor{b: body}
	if v := c.varint(); v != 1 {
		return unsupported(h, fmt.Sprintf("version %d of its format is not known", v), "")
	}
	c.varint() // the size, of what need not be known either
	const lastKnown = 11
	if last := c.varint(); last > lastKnown+1 {
		return unsupported(h, fmt.Sprintf("its field %d must be understood and is not known", last), "")
	}
	var uuid [16]byte
	var tag []byte
	var number, committed uint64
fields:
	for len(c.b) > 0 && !c.bad {
		switch c.varint() {
		case 0:
			c.varint()
		case 1:
			for i := range uuid {
				uuid[i] = byte(c.varint())
			}
		case 2:
			number = c.varint()
		case 3:
			tag = c.take(int(c.varint()))
		case 4, 5:
			c.varint()
		case 6:
			committed = c.varint()
		default:
			break fields
		}
	}
	if c.bad || len(tag) > 32 {
		return damaged(h, errShort)
	}
	// A signed number has its sign in the lowest bit.
	if number&1 != 0 || number == 0 {
		return damaged(h, errors.New("a transaction number that is not positive"))
	}
	e := d.transaction(h)
	e.GTID.Text = gtidText(uuid[:], tag, number>>1)
	if committed != 0 {
		e.Time = time.UnixMicro(int64(committed)).UTC()
	}
	return nil
}

// varint reads a number of mysql::serialization: as many one bits as the first byte ends with, so many more bytes follow; they
// and a zero are not part of the number, which is little-endian. A first byte of ones is followed by 8 bytes.
func (c *cursor) varint() uint64 {
	first := c.u8()
	more := 0
	for first>>more&1 != 0 && more < 8 {
		more++
	}
	if more == 8 {
		return c.u64()
	}
	return uint64(first)>>(more+1) | c.little(more)<<(8-more-1)
}
