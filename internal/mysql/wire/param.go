package wire

import (
	"encoding/binary"
	"math"
)

// Param is a value for one placeholder of a prepared statement. The zero value is NULL.
type Param struct {
	typ      FieldType
	unsigned bool
	bits     uint64
	text     string
	bytes    []byte
}

// paramNull is the type of the zero Param; as the protocol's type of a parameter, 0 would be DECIMAL.
const paramNull FieldType = 0

// Null is NULL.
func Null() Param { return Param{} }

// Int64 is a signed BIGINT.
func Int64(v int64) Param { return Param{typ: TypeLongLong, bits: uint64(v)} }

// Uint64 is an unsigned BIGINT.
func Uint64(v uint64) Param { return Param{typ: TypeLongLong, unsigned: true, bits: v} }

// Float64 is a DOUBLE.
func Float64(v float64) Param { return Param{typ: TypeDouble, bits: math.Float64bits(v)} }

// String is text in the connection's character set. The server converts it where a number, a decimal or a time is needed.
func String(v string) Param { return Param{typ: TypeVarString, text: v} }

// Bytes is a binary string. The slice is read until Execute returns; nil is the empty string, not NULL.
func Bytes(v []byte) Param { return Param{typ: TypeBlob, bytes: v} }

// appendParams appends what follows the head of COM_STMT_EXECUTE: the NULL bits, the types, the values.
func appendParams(dst []byte, params []Param) []byte {
	if len(params) == 0 {
		return dst
	}
	bits := len(dst)
	dst = append(dst, make([]byte, (len(params)+7)/8)...)
	dst = append(dst, 1) // types follow
	for i, p := range params {
		typ, flag := p.typ, byte(0)
		if p.typ == paramNull {
			dst[bits+i/8] |= 1 << (i % 8)
			typ = TypeNull
		}
		if p.unsigned {
			flag = 0x80
		}
		dst = append(dst, byte(typ), flag)
	}
	for _, p := range params {
		switch p.typ {
		case TypeLongLong, TypeDouble:
			dst = binary.LittleEndian.AppendUint64(dst, p.bits)
		case TypeVarString:
			dst = appendLenencString(dst, p.text)
		case TypeBlob:
			dst = append(appendLenenc(dst, uint64(len(p.bytes))), p.bytes...)
		}
	}
	return dst
}
