package wire

import (
	"bytes"
	"encoding/binary"
)

// A cursor reads the protocol's integers and strings from one payload. It never reads beyond the payload: the first read that
// would do so sets bad, and every later one gives zero values. Slices that it returns alias the payload.
type cursor struct {
	b   []byte
	bad bool
}

// take returns the next n bytes, or nil and bad.
func (c *cursor) take(n int) []byte {
	if c.bad || n < 0 || n > len(c.b) {
		c.bad, c.b = true, nil
		return nil
	}
	p := c.b[:n:n]
	c.b = c.b[n:]
	return p
}

func (c *cursor) u8() byte {
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

// lenenc reads a length-encoded integer. The NULL mark 0xfb and the ERR mark 0xff are no integers, so they set bad.
func (c *cursor) lenenc() uint64 {
	first := c.u8()
	switch {
	case c.bad || first < 0xfb:
		return uint64(first)
	case first == 0xfc:
		return uint64(c.u16())
	case first == 0xfd:
		if p := c.take(3); p != nil {
			return uint64(getUint24(p))
		}
	case first == 0xfe:
		if p := c.take(8); p != nil {
			return binary.LittleEndian.Uint64(p)
		}
	}
	c.bad, c.b = true, nil
	return 0
}

// lenencBytes reads a length-encoded string.
func (c *cursor) lenencBytes() []byte {
	n := c.lenenc()
	if n > uint64(len(c.b)) {
		c.bad, c.b = true, nil
		return nil
	}
	return c.take(int(n))
}

// untilNul reads a string that ends with a NUL, which it consumes, or with the payload.
func (c *cursor) untilNul() []byte {
	i := bytes.IndexByte(c.b, 0)
	if i < 0 {
		return c.rest()
	}
	p := c.take(i)
	c.take(1)
	return p
}

// rest returns what is left.
func (c *cursor) rest() []byte {
	p := c.b
	c.b = c.b[len(c.b):]
	return p
}

func getUint24(p []byte) int { return int(p[0]) | int(p[1])<<8 | int(p[2])<<16 }

func putUint24(p []byte, n int) { p[0], p[1], p[2] = byte(n), byte(n>>8), byte(n>>16) }

// appendLenenc appends n as a length-encoded integer.
func appendLenenc(dst []byte, n uint64) []byte {
	switch {
	case n < 0xfb:
		return append(dst, byte(n))
	case n < 1<<16:
		return append(dst, 0xfc, byte(n), byte(n>>8))
	case n < 1<<24:
		return append(dst, 0xfd, byte(n), byte(n>>8), byte(n>>16))
	}
	return binary.LittleEndian.AppendUint64(append(dst, 0xfe), n)
}

func appendLenencString(dst []byte, s string) []byte {
	return append(appendLenenc(dst, uint64(len(s))), s...)
}
