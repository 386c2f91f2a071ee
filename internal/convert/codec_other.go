package convert

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strconv"
	"unsafe"

	"github.com/bascule/bascule/internal/schema"
)

// emptyMember reports whether the target's enum has the member ”.
func (f *field) emptyMember() bool {
	e, ok := f.column.Target.Type.(schema.Enum)
	return !ok || slices.Contains(e.Members, "")
}

// uuid writes the 16 bytes of 8-4-4-4-12 hex digits.
func (f *field) uuid(dst, src []byte) ([]byte, error) {
	if len(src) != 36 || src[8] != '-' || src[13] != '-' || src[18] != '-' || src[23] != '-' {
		return dst, f.refuse(quoted(src), "is not a UUID")
	}
	dst = append(dst, 0, 0, 0, 16)
	for i := 0; i < 36; i += 2 {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			i++
		}
		hi, lo := unhex(src[i]), unhex(src[i+1])
		if hi > 15 || lo > 15 {
			return dst, f.refuse(quoted(src), "is not a UUID")
		}
		dst = append(dst, hi<<4|lo)
	}
	return dst, nil
}

// unhex returns the value of a hex digit, or 255.
func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

// uuidRaw writes the 16 bytes of a BINARY(16).
func (f *field) uuidRaw(dst, src []byte) ([]byte, error) {
	if len(src) != 16 {
		return dst, f.malformed(src)
	}
	return append(append(dst, 0, 0, 0, 16), src...), nil
}

// The address families of inet (inet_recv in PostgreSQL's network.c).
const (
	inet4 = 2
	inet6 = 3
)

// inet writes family, bits, 0 (no cidr), the number of bytes and the address.
func (f *field) inet(dst, src []byte) ([]byte, error) {
	a, err := netip.ParseAddr(borrow(src))
	if err != nil || a.Zone() != "" {
		return dst, f.refuse(quoted(src), "is not an IP address")
	}
	if a.Is4() {
		b := a.As4()
		return append(append(dst, 0, 0, 0, 8, inet4, 32, 0, 4), b[:]...), nil
	}
	b := a.As16()
	return append(append(dst, 0, 0, 0, 20, inet6, 128, 0, 16), b[:]...), nil
}

// borrow reads bytes as a string without a copy. The string must not outlive
// the call that it is passed to.
func borrow(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) } //nolint:gosec // audited: both callers parse at once and keep nothing

// ewkbSRID marks in a geometry's type that an SRID follows.
const ewkbSRID = 0x20000000

// geometry turns SRID and WKB into PostGIS's extended WKB, with the axes as they
// are stored.
func (f *field) geometry(dst, src []byte) ([]byte, error) {
	if len(src) < 9 || src[4] > 1 {
		return dst, f.malformed(src)
	}
	srid, wkb := binary.LittleEndian.Uint32(src), src[4:]
	var order binary.AppendByteOrder = binary.BigEndian
	kind := binary.BigEndian.Uint32(wkb[1:])
	if wkb[0] == 1 {
		order, kind = binary.LittleEndian, binary.LittleEndian.Uint32(wkb[1:])
	}
	if kind == 0 || kind > 7 {
		return dst, f.malformed(src)
	}
	if srid == 0 {
		return append(put32(dst, len(wkb)), wkb...), nil
	}
	dst = append(put32(dst, len(wkb)+4), wkb[0])
	dst = order.AppendUint32(order.AppendUint32(dst, kind|ewkbSRID), srid)
	return append(dst, wkb[5:]...), nil
}

// quoted shows bytes in an error.
func quoted(b []byte) string { return strconv.Quote(string(shortened(b))) }
