package convert

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
)

func hexOf(b []byte) string { return hex.EncodeToString(shortened(b)) }

// fromJSONB drops the version byte.
func (b *back) fromJSONB(dst, src []byte) ([]byte, error) {
	if len(src) == 0 || src[0] != 1 {
		return dst, b.malformed(src)
	}
	return append(dst, src[1:]...), nil
}

// fromArray joins the members of a text[] with commas.
func (b *back) fromArray(dst, src []byte) ([]byte, error) {
	if len(src) < 12 {
		return dst, b.malformed(src)
	}
	dims := binary.BigEndian.Uint32(src)
	if dims == 0 {
		return dst, nil
	}
	if dims != 1 || len(src) < 20 {
		return dst, b.malformed(src)
	}
	count, rest := binary.BigEndian.Uint32(src[12:]), src[20:]
	for i := range count {
		if len(rest) < 4 {
			return dst, b.malformed(src)
		}
		n := int(int32(binary.BigEndian.Uint32(rest)))
		rest = rest[4:]
		if n < 0 || n > len(rest) { // NULL is no member either
			return dst, b.malformed(src)
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		dst, rest = append(dst, rest[:n]...), rest[n:]
	}
	if len(rest) != 0 {
		return dst, b.malformed(src)
	}
	return dst, nil
}

func (b *back) fromUUIDRaw(dst, src []byte) ([]byte, error) {
	if len(src) != 16 {
		return dst, b.malformed(src)
	}
	return append(dst, src...), nil
}

// fromUUID writes 8-4-4-4-12 lower-case hex digits.
func (b *back) fromUUID(dst, src []byte) ([]byte, error) {
	if len(src) != 16 {
		return dst, b.malformed(src)
	}
	for i, c := range src {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, []byte{c})
	}
	return dst, nil
}

// fromInet writes an address as text; a network is no address.
func (b *back) fromInet(dst, src []byte) ([]byte, error) {
	switch {
	case len(src) == 8 && src[0] == inet4 && src[1] == 32 && src[3] == 4:
		return netip.AddrFrom4([4]byte(src[4:])).AppendTo(dst), nil
	case len(src) == 20 && src[0] == inet6 && src[1] == 128 && src[3] == 16:
		if a := [16]byte(src[4:]); [12]byte(a[:]) == [12]byte{} && a[12]|a[13] != 0 {
			// The server prints an IPv4-compatible address with dots, as inet_ntop does.
			return netip.AddrFrom4([4]byte(a[12:])).AppendTo(append(dst, "::"...)), nil
		}
		return netip.AddrFrom16([16]byte(src[4:])).AppendTo(dst), nil
	}
	return dst, b.malformed(src)
}

// fromGeometry turns PostGIS's extended WKB into SRID and WKB.
func (b *back) fromGeometry(dst, src []byte) ([]byte, error) {
	if len(src) < 5 || src[0] > 1 {
		return dst, b.malformed(src)
	}
	var order binary.ByteOrder = binary.BigEndian
	var put binary.AppendByteOrder = binary.BigEndian
	if src[0] == 1 {
		order, put = binary.LittleEndian, binary.LittleEndian
	}
	kind, body := order.Uint32(src[1:]), src[5:]
	srid := uint32(0)
	if kind&ewkbSRID != 0 {
		if len(body) < 4 {
			return dst, b.malformed(src)
		}
		kind, srid, body = kind&^ewkbSRID, order.Uint32(body), body[4:]
	}
	if kind == 0 || kind > 7 {
		return dst, b.malformed(src) // Z and M have no form in MySQL
	}
	dst = append(binary.LittleEndian.AppendUint32(dst, srid), src[0])
	return append(put.AppendUint32(dst, kind), body...), nil
}
