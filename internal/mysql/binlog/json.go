package binlog

import (
	"encoding/binary"
	"errors"
	"math"
	"strconv"
)

// The types of values in MySQL's binary JSON (json_binary.h): of the document its first byte, of what is in it a byte beside where it stands.
const (
	jsonSmallObject = 0x00
	jsonLargeObject = 0x01
	jsonSmallArray  = 0x02
	jsonLargeArray  = 0x03
	jsonLiteral     = 0x04
	jsonInt16       = 0x05
	jsonUint16      = 0x06
	jsonInt32       = 0x07
	jsonUint32      = 0x08
	jsonInt64       = 0x09
	jsonUint64      = 0x0a
	jsonDouble      = 0x0b
	jsonString      = 0x0c
	jsonOpaque      = 0x0f
)

// jsonDepth is how deep the servers let documents nest (JSON_DOCUMENT_MAX_DEPTH).
const jsonDepth = 100

var (
	errJSON      = errors.New("a JSON document that contradicts its format")
	errJSONDepth = errors.New("a JSON document of more than 100 levels")
)

// jsonPrinter prints a binary document as MySQL does.
type jsonPrinter struct {
	dst []byte
	// most is how long dst may become. What a valid document says takes at most some ten times as many bytes as text; one whose values
	// overlap could say the same thing exponentially often.
	most int
}

// jsonText appends the text of a document. No bytes at all are a NOT NULL column that was added to rows that were there; it reads as null.
func jsonText(dst, src []byte) ([]byte, error) {
	if len(src) == 0 {
		return append(dst, "null"...), nil
	}
	p := jsonPrinter{dst: dst, most: len(dst) + 12*len(src) + 64}
	err := p.value(src[0], src[1:], 0)
	return p.dst, err
}

// value prints a value whose bytes begin with those of v.
func (p *jsonPrinter) value(typ byte, v []byte, depth int) error {
	if len(p.dst) > p.most {
		return errJSON
	}
	le := binary.LittleEndian
	var need int
	switch typ {
	case jsonInt16, jsonUint16:
		need = 2
	case jsonInt32, jsonUint32:
		need = 4
	case jsonInt64, jsonUint64, jsonDouble:
		need = 8
	default:
		need = 1
	}
	if len(v) < need {
		return errJSON
	}
	switch typ {
	case jsonSmallObject:
		return p.container(v, depth, 2, true)
	case jsonLargeObject:
		return p.container(v, depth, 4, true)
	case jsonSmallArray:
		return p.container(v, depth, 2, false)
	case jsonLargeArray:
		return p.container(v, depth, 4, false)
	case jsonLiteral:
		return p.literal(v[0])
	case jsonInt16:
		p.dst = strconv.AppendInt(p.dst, int64(int16(le.Uint16(v))), 10)
	case jsonUint16:
		p.dst = strconv.AppendUint(p.dst, uint64(le.Uint16(v)), 10)
	case jsonInt32:
		p.dst = strconv.AppendInt(p.dst, int64(int32(le.Uint32(v))), 10)
	case jsonUint32:
		p.dst = strconv.AppendUint(p.dst, uint64(le.Uint32(v)), 10)
	case jsonInt64:
		p.dst = strconv.AppendInt(p.dst, int64(le.Uint64(v)), 10)
	case jsonUint64:
		p.dst = strconv.AppendUint(p.dst, le.Uint64(v), 10)
	case jsonDouble:
		return p.double(math.Float64frombits(le.Uint64(v)))
	case jsonString:
		text, err := jsonBytes(v)
		if err != nil {
			return err
		}
		p.dst = appendJSONString(p.dst, text)
	case jsonOpaque:
		data, err := jsonBytes(v[1:])
		if err != nil {
			return err
		}
		return p.opaque(fieldType(v[0]), data)
	default:
		return errJSON
	}
	return nil
}

func (p *jsonPrinter) literal(b byte) error {
	switch b {
	case 0:
		p.dst = append(p.dst, "null"...)
	case 1:
		p.dst = append(p.dst, "true"...)
	case 2:
		p.dst = append(p.dst, "false"...)
	default:
		return errJSON
	}
	return nil
}

// jsonBytes reads a length of 7 bits a byte, the lowest first, and returns that many bytes.
func jsonBytes(v []byte) ([]byte, error) {
	n := uint64(0)
	for i := range min(len(v), 5) {
		n |= uint64(v[i]&0x7f) << (7 * i)
		if v[i]&0x80 == 0 {
			if v = v[i+1:]; n > uint64(len(v)) {
				break
			}
			return v[:n], nil
		}
	}
	return nil, errJSON
}

// container prints an object or an array: how many elements and how many bytes, in width bytes each, then for an object where
// each key stands (width) and how long it is (2), then of each value its type (1) and where it stands, or itself where it fits there.
// Offsets count from the container's own beginning.
func (p *jsonPrinter) container(v []byte, depth, width int, object bool) error {
	if depth++; depth > jsonDepth {
		return errJSONDepth
	}
	if len(v) < 2*width {
		return errJSON
	}
	n, size := int(little(v[:width])), int(little(v[width:2*width]))
	keys := 0
	if object {
		keys = n * (width + 2)
	}
	entries := 2*width + keys
	if size > len(v) || entries+n*(1+width) > size {
		return errJSON
	}
	v = v[:size]
	p.dst = append(p.dst, "[{"[b2i(object)])
	for i := range n {
		if i > 0 {
			p.dst = append(p.dst, ", "...)
		}
		if object {
			entry := v[2*width+i*(width+2):]
			at, length := int(little(entry[:width])), int(little(entry[width:width+2]))
			if at+length > size {
				return errJSON
			}
			p.dst = append(appendJSONString(p.dst, v[at:at+length]), ": "...)
		}
		entry := v[entries+i*(1+width):]
		typ, inside := entry[0], entry[1:1+width]
		if !jsonInline(typ, width) {
			at := int(little(inside))
			if at < entries || at >= size {
				return errJSON
			}
			inside = v[at:]
		}
		if err := p.value(typ, inside, depth); err != nil {
			return err
		}
	}
	p.dst = append(p.dst, "]}"[b2i(object)])
	return nil
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// jsonInline reports whether a value of that type stands in its entry.
func jsonInline(typ byte, width int) bool {
	switch typ {
	case jsonLiteral, jsonInt16, jsonUint16:
		return true
	case jsonInt32, jsonUint32:
		return width == 4
	}
	return false
}
