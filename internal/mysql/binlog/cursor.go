package binlog

import "encoding/binary"

// A cursor takes bytes off the front of an event. Whoever asks for more than there is gets zeros, and bad is set: it is looked
// at once, after the last field.
type cursor struct {
	b   []byte
	bad bool
}

// take returns the next n bytes, nil when there are fewer.
func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.bad, c.b = true, nil
		return nil
	}
	p := c.b[:n:n]
	c.b = c.b[n:]
	return p
}

func (c *cursor) u8() uint8 {
	if p := c.take(1); p != nil {
		return p[0]
	}
	return 0
}

func (c *cursor) u16() uint16 {
	if p := c.take(2); p != nil {
		return binary.LittleEndian.Uint16(p)
	}
	return 0
}

func (c *cursor) u32() uint32 {
	if p := c.take(4); p != nil {
		return binary.LittleEndian.Uint32(p)
	}
	return 0
}

func (c *cursor) u64() uint64 {
	if p := c.take(8); p != nil {
		return binary.LittleEndian.Uint64(p)
	}
	return 0
}

// little reads n bytes, at most 8, as a little-endian number.
func (c *cursor) little(n int) uint64 { return little(c.take(n)) }

// lenenc reads a length-encoded number (protocol::LengthEncodedInteger).
func (c *cursor) lenenc() uint64 {
	switch first := c.u8(); first {
	case 0xfc:
		return c.little(2)
	case 0xfd:
		return c.little(3)
	case 0xfe:
		return c.little(8)
	case 0xfb, 0xff:
		c.bad = true
		return 0
	default:
		return uint64(first)
	}
}

// length reads a length-encoded number that says how many bytes follow, or how many things of at least a bit each.
func (c *cursor) length() int {
	n := c.lenenc()
	if n > uint64(len(c.b))*8 {
		c.bad = true
		return 0
	}
	return int(n)
}

// little reads up to 8 bytes as a little-endian number, big as a big-endian one.
func little(p []byte) (v uint64) {
	for i, x := range p {
		v |= uint64(x) << (8 * i)
	}
	return v
}

func big(p []byte) (v uint64) {
	for _, x := range p {
		v = v<<8 | uint64(x)
	}
	return v
}
