package binlog

import "strconv"

// appendInet4 prints an INET4: 192.0.2.1.
func appendInet4(dst, p []byte) []byte {
	for i, b := range p {
		if i > 0 {
			dst = append(dst, '.')
		}
		dst = strconv.AppendUint(dst, uint64(b), 10)
	}
	return dst
}

// appendInet6 prints an INET6 as MariaDB does. Unlike RFC 5952 it shortens a single group of zeros too, and prints the last
// 32 bits like an INET4 where everything before is zero, or zero up to ffff.
func appendInet6(dst, p []byte) []byte {
	var words [8]uint16
	gap, gapLen, run := -1, 0, 0
	for i := range words {
		words[i] = uint16(p[2*i])<<8 | uint16(p[2*i+1])
		if words[i] != 0 {
			run = 0
			continue
		}
		if run++; run > gapLen {
			gap, gapLen = i-run+1, run
		}
	}
	for i := 0; i < len(words); i++ {
		switch {
		case i == gap:
			if i == 0 {
				dst = append(dst, ':')
			}
			dst = append(dst, ':')
			i += gapLen - 1
		case i == 6 && gap == 0 && (gapLen == 6 || gapLen == 5 && words[5] == 0xffff):
			return appendInet4(dst, p[12:])
		default:
			dst = strconv.AppendUint(dst, uint64(words[i]), 16)
			if i < len(words)-1 {
				dst = append(dst, ':')
			}
		}
	}
	return dst
}
