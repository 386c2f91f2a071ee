package convert

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unicode/utf8"

	"github.com/bascule/bascule/internal/change"
	"github.com/bascule/bascule/internal/finding"
)

// text plans the codec of text: the bytes themselves after a check, or without
// their 0x00 when that loss is accepted.
func (f *field) text() change.Codec {
	if f.column.accepted[finding.LossNulByte] {
		return change.Codec{Append: f.textStripped}
	}
	return change.Codec{Append: f.textChecked, Verbatim: true, Check: f.checkText}
}

// checkText refuses what PostgreSQL's text refuses, with a better message.
func (f *field) checkText(src []byte) error {
	if bytes.IndexByte(src, 0) >= 0 {
		return f.lose(finding.LossNulByte, fmt.Sprintf("%q", shortened(src)))
	}
	if !utf8.Valid(src) {
		return f.notUTF8(src)
	}
	return nil
}

func (f *field) notUTF8(src []byte) error {
	at := 0
	for at < len(src) {
		r, n := utf8.DecodeRune(src[at:])
		if r == utf8.RuneError && n == 1 {
			break
		}
		at += n
	}
	return f.refuse(fmt.Sprintf("%q", shortened(src)), fmt.Sprintf("is not UTF-8 at byte %d", at))
}

func (f *field) textChecked(dst, src []byte) ([]byte, error) {
	if err := f.checkText(src); err != nil {
		return dst, err
	}
	return append(put32(dst, len(src)), src...), nil
}

// textStripped leaves out the bytes 0x00; the row is counted once.
func (f *field) textStripped(dst, src []byte) ([]byte, error) {
	if bytes.IndexByte(src, 0) < 0 {
		return f.textChecked(dst, src)
	}
	if !utf8.Valid(src) {
		return dst, f.notUTF8(src)
	}
	if err := f.lose(finding.LossNulByte, ""); err != nil {
		return dst, err
	}
	start := len(dst)
	dst = put32(dst, 0)
	for _, b := range src {
		if b != 0 {
			dst = append(dst, b)
		}
	}
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start-4))
	return dst, nil
}

// label writes an enum's label. PostgreSQL refuses a label that is no member.
func (f *field) label(dst, src []byte) ([]byte, error) {
	if len(src) == 0 && !f.emptyMember() {
		return dst, f.refuse("''", "is the ENUM's invalid value, which no row had when it was planned")
	}
	return append(put32(dst, len(src)), src...), nil
}

// array writes a SET as text[]: int32 dimensions, 0, the element's OID, then
// for the one dimension its length and lower bound 1, then the members.
func (f *field) array(dst, src []byte) ([]byte, error) {
	const oidText = 25
	start := len(dst)
	dst = put32(dst, 0)
	if len(src) == 0 {
		dst = put32(put32(put32(dst, 0), 0), oidText)
	} else {
		if err := f.checkText(src); err != nil {
			return dst, err
		}
		dst = put32(put32(put32(dst, 1), 0), oidText)
		dst = put32(put32(dst, bytes.Count(src, comma)+1), 1)
		for {
			at := bytes.IndexByte(src, ',')
			if at < 0 {
				dst = append(put32(dst, len(src)), src...)
				break
			}
			dst = append(put32(dst, at), src[:at]...)
			src = src[at+1:]
		}
	}
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start-4))
	return dst, nil
}

var comma = []byte{','}

// json plans the codec of a document: json takes the text, jsonb a version byte
// before it and no \u0000.
func (f *field) json(parsed bool) change.Codec {
	if !parsed {
		return change.Codec{Append: f.jsonText, Verbatim: true, Check: f.checkJSON}
	}
	return change.Codec{Append: f.jsonb}
}

func (f *field) checkJSON(src []byte) error {
	if bytes.IndexByte(src, 0) >= 0 {
		return f.refuse(fmt.Sprintf("%q", shortened(src)), "holds a byte 0x00, which no JSON document does")
	}
	if !utf8.Valid(src) {
		return f.notUTF8(src)
	}
	return nil
}

func (f *field) jsonText(dst, src []byte) ([]byte, error) {
	if err := f.checkJSON(src); err != nil {
		return dst, err
	}
	return append(put32(dst, len(src)), src...), nil
}

// jsonb writes version 1 and the text, without \u0000 when that loss is accepted.
func (f *field) jsonb(dst, src []byte) ([]byte, error) {
	if err := f.checkJSON(src); err != nil {
		return dst, err
	}
	at := nulEscape(src)
	if at < 0 {
		return append(append(put32(dst, len(src)+1), 1), src...), nil
	}
	value := ""
	if !f.column.accepted[finding.LossJSONNul] {
		value = string(shortened(src))
	}
	if err := f.lose(finding.LossJSONNul, value); err != nil {
		return dst, err
	}
	start := len(dst)
	dst = append(put32(dst, 0), 1)
	for ; at >= 0; at = nulEscape(src) {
		dst = append(dst, src[:at]...)
		src = src[at+len(nulText):]
	}
	dst = append(dst, src...)
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start-4))
	return dst, nil
}

// nulText is the escape of U+0000.
var nulText = []byte(`\u0000`)

// nulEscape returns where the next escape of U+0000 stands, or -1. A backslash
// that is itself escaped begins none.
func nulEscape(src []byte) int {
	for from := 0; ; {
		at := bytes.Index(src[from:], nulText)
		if at < 0 {
			return -1
		}
		at += from
		slashes := 0
		for at-slashes > 0 && src[at-slashes-1] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return at
		}
		from = at + 1
	}
}
